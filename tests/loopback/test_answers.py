"""What must not be in an answer, a log line or a rule, and which events are answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loopback.cloudformation import MAX_RESPONSE_BYTES, SIGNATURE
from loopback.eventbridge import MAX_INPUT
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, World

from .asking import FORWARD, SHORT, answered, operations, stops, told


def test_a_warm_container_leaks_nothing_of_one_request_into_the_next(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    first = answered(world, world.request("Update", request_id="first"))
    second = answered(
        world,
        world.request(
            "Create", {**KEEP, "Name": "other"}, request_id="second", logical_id="Other1"
        ),
    )

    assert world.function.cold_starts == 1
    assert first["Data"]
    assert second["Status"] == "FAILED"
    assert second["Data"] == {} or not any(
        value in first["Data"].values()
        for value in second["Data"].values()
        if value not in ("", "false")
    )
    assert NAME not in json.dumps(second)


def test_a_container_that_raised_before_is_clean(world: World) -> None:
    world.experiment("Running")
    world.fail("PUT", "expired")
    lost = world.deliver(world.request("Create", request_id="first"))
    world.run_to_quiet()

    second = answered(world, world.request("Create", request_id="second", logical_id="Other1"))

    assert lost.answer is None
    assert second["RequestId"] == "second"
    assert second["PhysicalResourceId"] == arn_of(NAME)


MALFORMED: dict[str, Any] = {
    "an empty object": {},
    "a string": "Create",
    "nothing": None,
    "a list": [1],
    "no URL": {"RequestType": "Create", "RequestId": "r", "StackId": "s"},
    "another kind": {"RequestType": "Restart"},
    "an EventBridge event": {"source": "aws.events", "detail-type": "Scheduled Event"},
}


@pytest.mark.parametrize("event", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_event_is_answered_by_nobody_also_in_a_warm_container(
    world: World,
    event: Any,
) -> None:
    world.experiment("Running")
    answered(world, world.request("Create"))
    puts, calls = len(list(world.journal.puts())), len(operations(world))

    world.function.invoke(event)
    world.run_to_quiet()

    assert world.function.cold_starts == 1
    assert len(list(world.journal.puts())) == puts
    assert len(operations(world)) == calls
    assert world.function.invocations == 2


@pytest.mark.parametrize("missing", ["RequestId", "StackId", "LogicalResourceId", "ResponseURL"])
def test_an_event_that_lacks_what_an_answer_needs_is_not_answered(
    world: World, missing: str
) -> None:
    world.experiment("Running")
    event = world.request("Create")
    del event[missing]

    world.function.invoke(event)
    world.run_to_quiet()

    assert list(world.journal.puts()) == []


@pytest.mark.parametrize("physical_id", [arn_of("another"), "x" * 5000, {}, None])
def test_a_create_that_brings_a_physical_id_is_answered_without_it(
    world: World, physical_id: object
) -> None:
    world.experiment("absent")
    failed = answered(world, world.request("Create") | {"PhysicalResourceId": physical_id})

    assert failed["Status"] == "FAILED"
    assert "-not-created-" in failed["PhysicalResourceId"]


UNFORESEEN: dict[str, tuple[Any, str]] = {
    "no properties": (None, "the properties must be"),
    "a timeout of 5,000 digits": ({**KEEP, "ServiceTimeout": "9" * 5000}, "'ServiceTimeout'"),
    "a value that cannot be hashed": ({**KEEP, "DesiredState": {}}, "'DesiredState'"),
}


@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize(("properties", "why"), UNFORESEEN.values(), ids=UNFORESEEN)
def test_an_event_that_cloudformation_never_sends_fails_with_the_reason(
    world: World, kind: str, properties: Any, why: str
) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    event = world.request(kind)
    if properties is None:
        del event["ResourceProperties"]
    else:
        event["ResourceProperties"] = properties

    failed = answered(world, event)

    assert failed["Status"] == "FAILED"
    assert failed["Reason"].startswith("invalid Custom::StopInferenceExperiment properties: ")
    assert why in failed["Reason"]
    assert stops(world) == 0


@pytest.mark.parametrize("properties", [None, [], "x", *(p for p, _ in UNFORESEEN.values())])
def test_the_delete_of_what_was_never_created_succeeds_whatever_its_properties(
    world: World, properties: Any
) -> None:
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment("Running")
    event = world.request("Delete", physical_id=f"{LOGICAL_ID}-not-created-0123456789abcdef")
    event["ResourceProperties"] = properties
    if properties is None:
        del event["ResourceProperties"]

    assert answered(world, event)["Status"] == "SUCCESS"
    # Of its own rule only, in case the creation was cancelled after it had stopped something.
    assert operations(world) == ["ListTargetsByRule"]


def test_no_log_line_holds_a_response_url_or_its_signature(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=1500))
    for kind in ("error", "reset", "lost", "taken"):
        world.fail("PUT", kind)

    answered(world, world.request("Update"))
    answered(world, world.request("Create", request_id="request-2"))

    lines = "\n".join(world.journal.lines())
    assert len(list(world.journal.puts())) >= 6
    assert "answer again" in lines
    assert SIGNATURE not in lines
    assert "X-Amz-" not in lines
    assert "/response/" not in lines


def test_a_long_answer_is_trimmed_and_keeps_status_ids_and_cause(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    asked = world.deliver(world.request("Update", {**PROMOTE, "Reason": "r" * 1000}))
    world.run(30)
    world.sagemaker.experiments[NAME].conclude("Cancelled", "\U0001f525" * 1020 + " the cause")
    world.run_to_quiet()

    [put] = world.journal.puts()
    assert len(put.detail["body"]) <= MAX_RESPONSE_BYTES
    assert told(asked)["Status"] == "FAILED"
    assert told(asked)["PhysicalResourceId"] == arn_of(NAME)
    assert "the cause" in told(asked)["Reason"]


def test_the_answer_to_a_promotion_says_what_serves_now(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    asked = world.deliver(world.request("Update", PROMOTE, KEEP))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert "variant 'shadow' serves production now" in told(asked)["Reason"]


def test_the_rules_input_holds_the_longest_declaration_there_can_be(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=1500))
    new = {**PROMOTE, "Reason": "é\U0001f525" * 512}
    old = {**KEEP, "Reason": "\U0001f525é" * 512}

    answer = answered(world, world.request("Update", new, old, logical_id="L" * 255))

    assert answer["Status"] == "SUCCESS"
    assert world.events.limits_broken == world.function.limits_broken == []
    [*_, put] = world.journal.calls("PutTargets")
    [target] = put.detail["request"]["Targets"]
    assert len(target["InputTransformer"]["InputTemplate"].encode()) <= MAX_INPUT
    assert world.leftovers == []


@pytest.mark.parametrize("limit", [900, 45])
def test_the_request_that_was_sent_is_in_the_answer_and_in_the_log(limit: float) -> None:
    world = World(limit=limit)
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=61))
    said = {"Name": NAME, "Outcome": "PromoteShadow"}
    with world.installed():
        answer = answered(world, world.request("Update", said))

    [stop] = world.journal.calls("StopInferenceExperiment")
    assert json.loads(answer["Data"]["StopRequest"]) == stop.detail["request"]
    logged = [json.loads(line).get("stopRequest") for line in world.journal.lines()]
    assert stop.detail["request"] in logged


def test_an_answer_without_a_stop_says_of_none(world: World) -> None:
    world.experiment("Running")
    assert answered(world, world.request("Create"))["Data"]["StopRequest"] == ""
