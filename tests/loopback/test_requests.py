"""Requests from delivery to answer, over the real crhelper, boto3 and urllib3."""

from __future__ import annotations

import pytest

from loopback.sagemaker import BY_HAND, STATUSES, Pace, arn_of
from loopback.world import KEEP, NAME, PROMOTE, World

from .asking import FORWARD, SHORT, answered, operations, seconds, stops, told


def test_create_of_a_missing_experiment_fails_under_a_marker_that_its_delete_ignores(
    world: World,
) -> None:
    failed = answered(world, world.request("Create"))

    assert failed["Status"] == "FAILED"
    assert f"'{NAME}' does not exist in eu-west-1" in failed["Reason"]
    assert "inference-experiment" not in failed["PhysicalResourceId"]

    world.experiment("Running")
    before = operations(world)
    marker = failed["PhysicalResourceId"]
    gone = answered(world, world.request("Delete", physical_id=marker, request_id="request-2"))

    assert gone["Status"] == "SUCCESS"
    assert gone["PhysicalResourceId"] == marker
    # It may still have a rule of the creation that CloudFormation cancelled.
    assert operations(world) == [*before, "ListTargetsByRule"]


@pytest.mark.parametrize("status", STATUSES)
def test_create_arms_and_changes_nothing(world: World, status: str) -> None:
    world.experiment(status, Pace(begin=600))

    asked = world.deliver(world.request("Create"))
    world.run_to_quiet()

    answer = told(asked)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == arn_of(NAME)
    assert answer["Data"]["Status"] == status
    assert answer["Data"]["EndpointName"] == f"{NAME}-endpoint"
    # A policy that denies the stack's events shall fail the arming, not the verdict.
    looks = ["DescribeInferenceExperiment", "DescribeStacks", "DescribeStackEvents"]
    is_armed = status not in ("Stopping", "Completed", "Cancelled")
    # The declared count of what is to be promoted is compared with what production runs.
    assert operations(world) == [*looks, *(["DescribeEndpoint"] if is_armed else [])]
    assert seconds(asked) < 1


def test_create_that_a_variant_of_the_declaration_contradicts_fails(world: World) -> None:
    world.experiment("Running")
    unknown = {**KEEP, "ModelVariantActions": {"blue": "Retain", "shadow": "Remove"}}
    production = {**KEEP, "ModelVariantActions": {"production": "Promote", "shadow": "Remove"}}

    first = answered(world, world.request("Create", unknown))
    event = world.request("Create", production, request_id="request-2", logical_id="Other1")
    second = answered(world, event)

    assert first["Status"] == second["Status"] == "FAILED"
    assert "no variant 'blue'" in first["Reason"]
    assert "'production'" in first["Reason"]
    assert "promote its shadow variant" in second["Reason"]


def test_an_update_stops_waits_for_the_endpoint_to_settle_and_then_succeeds(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)

    asked = world.deliver(world.request("Update"))
    world.run(SHORT.stop + SHORT.settle - 1)
    assert asked.answer is None

    world.run_to_quiet()
    assert told(asked)["Status"] == "SUCCESS"
    assert told(asked)["Data"]["StoppedByThisResource"] == "true"
    assert stops(world) == 1
    [request] = world.sagemaker.experiments[NAME].stops
    assert request["ModelVariantActions"] == PROMOTE["ModelVariantActions"]
    config = request["DesiredModelVariants"][0]["InfrastructureConfig"]
    assert config["RealTimeInferenceConfig"] == {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}


@pytest.mark.parametrize("status", ["Creating", "Starting", "Updating"])
def test_a_conflict_means_not_now(world: World, status: str) -> None:
    world.stack.status = FORWARD
    world.experiment(status, Pace(begin=100, stop=60))

    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "SUCCESS"
    codes = [call.detail["code"] for call in world.journal.calls("StopInferenceExperiment")]
    assert codes.count("") == 1
    assert {code.partition(":")[0] for code in codes} == {"", "ConflictException"}


@pytest.mark.parametrize("lost", [0, 1])
def test_an_end_after_a_conflict_is_somebody_elses_also_after_a_lost_attempt(
    world: World, lost: int
) -> None:
    """Only an accepted Stop or an end with our digest makes the end ours."""
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(begin=100))
    if lost:
        world.fail("StopInferenceExperiment", "taken", attempts=lost)
    asked = world.deliver(world.request("Update", KEEP, PROMOTE))
    world.run(20)
    assert stops(world) > 0

    world.sagemaker.experiments[NAME].conclude("Cancelled", BY_HAND)
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert told(asked)["Data"]["StoppedByThisResource"] == "false"


def test_a_stop_that_somebody_else_ordered_is_awaited_and_judged(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Stopping", SHORT)

    answer = answered(world, world.request("Update", {**KEEP, "Reason": "ours"}, PROMOTE))

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["StoppedByThisResource"] == "false"
    assert stops(world) == 0


def test_an_update_that_wants_a_promotion_fails_where_somebody_else_ended_it(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Completed")

    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "FAILED"
    assert "cannot be promoted any more" in answer["Reason"]
    assert answer["PhysicalResourceId"] == arn_of(NAME)


def test_an_update_says_that_its_stop_ended_cancelled(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    asked = world.deliver(world.request("Update"))
    world.run(30)
    world.sagemaker.experiments[NAME].conclude("Cancelled", "The endpoint ran out of capacity")

    world.run_to_quiet()

    assert told(asked)["Status"] == "FAILED"
    assert "The endpoint ran out of capacity" in told(asked)["Reason"]


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_rollback_never_stops(world: World, kind: str, status: str) -> None:
    world.stack.status = status
    world.experiment("Running")

    asked = world.deliver(world.request(kind, KEEP, PROMOTE))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert told(asked)["PhysicalResourceId"] == arn_of(NAME)
    assert stops(world) == 0
    assert seconds(asked) < 1


@pytest.mark.parametrize("status", ["absent", "Completed", "Cancelled"])
def test_a_delete_of_what_has_ended_answers_at_once(world: World, status: str) -> None:
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment(status)

    asked = world.deliver(world.request("Delete"))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert operations(world) == ["DescribeInferenceExperiment", "ListTargetsByRule"]
    assert seconds(asked) < 0.3


def test_at_the_deadline_the_answer_says_where_the_experiment_stands(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=9999))

    asked = world.deliver(world.request("Update"))
    world.run_to_quiet()

    assert 3299 <= asked.answered_at - asked.issued_at <= 3310
    assert told(asked)["Status"] == "FAILED"
    assert "has not ended after 3300 s" in told(asked)["Reason"]
    assert "is Stopping" in told(asked)["Reason"]
    assert world.leftovers == []
