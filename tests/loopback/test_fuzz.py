"""Events of any shape, against the real handler: an answer, no traceback, and no Stop by mistake.

``make fuzz`` tries many more of them.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.contract.request import malformation, read_request
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, World
from tests.unit.test_declaration import JSON_SCALARS, SOUND, TEXTS, WORDS, damaged
from tests.unit.test_words import DOCUMENTED, pattern

from .asking import FORWARD, stops

pytest.importorskip("hypothesis", reason="the oldest environment does not have it")

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
INVALID = "invalid Custom::StopInferenceExperiment properties: "
WHILE = {"Create": FORWARD, "Update": FORWARD, "Delete": "DELETE_IN_PROGRESS"}
SAID_BY_CRHELPER = "stackTrace"
FAILED_ON_PURPOSE = "cdk_stop_inference_experiment_handler.runtime.run.RequestFailed: "

# What JSON can hold: Lambda parses an event before it calls the handler.
SCALARS = JSON_SCALARS | st.sampled_from([*TEXTS, "x" * 3500])
ANYTHING = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
IDS = st.one_of(
    ANYTHING,
    st.sampled_from(
        [
            arn_of(NAME),
            arn_of(NAME.upper()),
            arn_of("another"),
            arn_of(""),
            arn_of("\ud800"),
            "arn:aws:sagemaker:::inference-experiment/x/y",
            f"{LOGICAL_ID}-not-created-0123456789abcdef",
            "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/0a1b2c3d",
            ":::::stack//",
        ]
    ),
)
URLS = st.one_of(
    ANYTHING,
    st.sampled_from(
        [
            "https://",
            "https://[",
            "https:///answer",
            "https://x:port/",
            "https://\ud800/",
            "http://x",
        ]
    ),
    st.text(max_size=6).map("https://{}".format),
)
MEMBERS: dict[str, Any] = {
    "RequestType": st.sampled_from(["Create", "Update", "Delete", "create", ""]) | ANYTHING,
    "RequestId": IDS,
    "StackId": IDS,
    "LogicalResourceId": IDS,
    "PhysicalResourceId": IDS,
    "ResourceType": ANYTHING,
    "ServiceToken": ANYTHING,
    "ResponseURL": URLS,
    "ResourceProperties": ANYTHING | damaged(ANYTHING),
    "OldResourceProperties": ANYTHING | damaged(ANYTHING),
    "Other": ANYTHING,
}
NAMES = sorted(MEMBERS)
PROPERTIES = st.one_of(
    st.sampled_from([SOUND, PROMOTE, KEEP, {**KEEP, "StopOn": ["Create"]}]),
    damaged(ANYTHING),
    ANYTHING,
)


def fuzzed(kind: str, new: Any, old: Any, members: dict[str, Any], status: str) -> None:
    """Deliver one event, let everything happen, and look at what did."""
    with World().installed() as world:
        world.stack.status = WHILE[kind]
        world.experiment(status, Pace(stop=120))
        event = world.request(kind, at=world.clock.now)
        url = event["ResponseURL"]
        event |= {"ResourceProperties": new, "OldResourceProperties": old}
        for name, value in members.items():
            event[name] = value
        if "OldResourceProperties" not in members and kind != "Update":
            del event["OldResourceProperties"]
        is_ours = (event["StackId"], event["LogicalResourceId"]) == (world.stack.arn, LOGICAL_ID)
        # The model's stacks write XML as it is, and know only their own resources.
        world.cloudformation.records_answers = is_ours and not members
        if is_ours and isinstance(new, dict) and "RequestType" not in members:
            recorded = {**event, "ResourceType": "Custom::StopInferenceExperiment"}
            known = arn_of(NAME) if kind != "Create" else ""
            world.cloudformation.record(recorded, known, "IN_PROGRESS", world.clock.now)
        world.function.invoke(event)
        assert world.run_to_quiet(), "something goes on for ever"

        [asked] = world.cloudformation.asked.values()
        lines = [json.loads(line) for line in world.journal.lines()]
        why = malformation(event)
        assert world.leftovers == []
        if why is not None:
            assert [line["decision"] for line in lines] == ["ignore the event"]
            assert world.function.invocations == 1
            assert list(world.journal.calls()) == list(world.journal.puts()) == []
            return
        for line in lines:
            trace = line.get(SAID_BY_CRHELPER, FAILED_ON_PURPOSE)
            assert trace.splitlines()[-1].startswith(FAILED_ON_PURPOSE), trace
        assert list(world.journal.puts())
        if event["ResponseURL"] == url:
            assert asked.answer is not None, list(world.journal.puts())
            if asked.answer["Status"] == "FAILED":
                assert is_documented(asked.answer["Reason"]), asked.answer["Reason"]
        request = read_request(event)
        is_order = isinstance(request.new, Declaration) and is_ours
        assert stops(world) == 0 or is_order


def is_documented(reason: str) -> bool:
    return reason.startswith(INVALID) or any(re.search(pattern(one), reason) for one in DOCUMENTED)


SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
KINDS = st.sampled_from(sorted(WHILE))
STATUSES = st.sampled_from(["Running", "Running", "Running", "absent", "Completed", "Created"])


@SETTINGS
@given(kind=KINDS, new=PROPERTIES, old=PROPERTIES, status=STATUSES)
def test_any_properties_are_answered(kind: str, new: Any, old: Any, status: str) -> None:
    fuzzed(kind, new, old, {}, status)


@SETTINGS
@given(
    kind=KINDS,
    new=PROPERTIES,
    old=PROPERTIES,
    status=STATUSES,
    members=st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: MEMBERS[name] for name in names})
    ),
)
def test_any_event_is_answered_or_ignored(
    kind: str, new: Any, old: Any, status: str, members: dict[str, Any]
) -> None:
    fuzzed(kind, new, old, members, status)
