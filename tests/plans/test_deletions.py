"""What the command plans for a deletion is what the function then does, from every status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cdk_stop_inference_experiment.cli.plan import FAIL, NO, STOP, WILL, plan_destroy
from cdk_stop_inference_experiment.cli.reading import Function, Reader
from cdk_stop_inference_experiment.handler_code import code_sha256
from cdk_stop_inference_experiment.version import function_description
from loopback.cloudformation import Event
from loopback.cloudwatch import EVIDENCE, OPEN
from loopback.delivery import as_delivered
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, RESOURCE_TYPE, World

SHORT = Pace(stop=120)
STARTS = (
    "Running",
    "Stopping",
    "Creating",
    "absent",
    "Completed",
    "Cancelled",
    "Updating",
    "Created",
    "Starting",
)
"""Absent, and every status."""

CREATED = (
    "stack CREATE_IN_PROGRESS",
    "ours CREATE_IN_PROGRESS new",
    "ours CREATE_COMPLETE new",
    "stack CREATE_COMPLETE",
)
FAILED = (
    "stack UPDATE_IN_PROGRESS",
    "ours UPDATE_IN_PROGRESS promote",
    "ours UPDATE_FAILED promote",
    "stack UPDATE_FAILED",
)
NEVER_COMPLETE = (*CREATED[:3], "stack CREATE_FAILED")

DECLARED: Mapping[str, Mapping[str, Any]] = {
    "keep": KEEP,
    "promote": PROMOTE,
    "promotes if measured": {**PROMOTE, "PromoteIf": EVIDENCE},
    "promotes by its outcome": {"Name": NAME, "Outcome": "PromoteShadow", "Instances": "Shadow"},
    "keeps both": {"Name": NAME, "Outcome": "KeepBoth"},
    "lets go": {**KEEP, "StopOn": ["Update"]},
    "ends now": {**KEEP, "EndNow": "true"},
    "names others": {**KEEP, "ModelVariantActions": {"a": "Retain", "b": "Remove"}},
}
PASTS = {
    "created": CREATED,
    "an update failed": (*CREATED, *FAILED),
    "never complete": NEVER_COMPLETE,
}


class LoopbackReader(Reader):
    """Reads the loopback AWS, which has neither templates nor functions to describe."""

    def template(self, stack_id: str) -> Mapping[str, Any]:
        return {}

    def function(self, arn: str) -> Function:
        return Function(function_description(), code_sha256())


CASES = [
    *((start, declared, "created") for start in STARTS for declared in DECLARED),
    # Before it is seen what the experiment does, the stack's events have decided.
    *(("Running", declared, past) for declared in DECLARED for past in PASTS if past != "created"),
]


@pytest.mark.parametrize(("start", "declared", "past"), CASES)
def test_a_planned_deletion_is_what_happens(start: str, declared: str, past: str) -> None:
    with World().installed() as world:
        compare(world, start, declared, past)


def compare(world: World, start: str, declared: str, past: str) -> None:
    """Plan the deletion, delete, and hold that what happened is what was planned."""
    world.experiment(start, SHORT)
    world.cloudwatch.tell(OPEN)
    new = DECLARED[declared]
    known = {"new": new, "promote": PROMOTE}
    now = world.clock.now - 60
    tell(world, PASTS[past], known, now)
    world.stack.add(LOGICAL_ID, arn_of(NAME), RESOURCE_TYPE, "CREATE_COMPLETE")
    session: Any = SimpleNamespace(client=boto3.client)
    (verdict,) = plan_destroy(LoopbackReader(session), world.stack.arn).verdicts

    world.stack.status = "DELETE_IN_PROGRESS"
    asked = world.deliver(world.request("Delete", new))
    assert world.run_to_quiet()
    stops = [
        call.detail["request"]
        for call in world.journal.calls("StopInferenceExperiment")
        if call.detail.get("error") is None
    ]
    if verdict.certainty == WILL:
        assert (verdict.stop_request in stops) is (verdict.effect == STOP), verdict
    if verdict.chance(STOP) == NO:
        assert stops == [], verdict
    assert all(stop == verdict.stop_request for stop in stops), verdict
    if verdict.chance(FAIL) == NO:
        assert asked.answer is not None
        assert asked.answer["Status"] == "SUCCESS", verdict


def tell(world: World, lines: tuple[str, ...], known: Mapping[str, Any], now: float) -> None:
    """Write the stack's events, oldest first; a line is ``who STATUS [declaration]``."""
    stack = world.stack
    stack.events.clear()
    for number, line in enumerate(lines):
        at = now - len(lines) + number
        who, status, *names = line.split()
        if who == "stack":
            stack.enter(status, at)
            continue
        declared = json.dumps(as_delivered(known[names[0]]))
        physical_id = "" if status == "CREATE_IN_PROGRESS" else arn_of(NAME)
        stack.events.append(Event(at, LOGICAL_ID, physical_id, RESOURCE_TYPE, status, declared))
