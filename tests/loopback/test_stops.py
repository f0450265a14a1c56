"""What a Stop says, and what was looked at before it leaves."""

from __future__ import annotations

from typing import Any

import pytest

from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, RESOURCE_TYPE, World

from .asking import FORWARD, SHORT, answered, operations, stops

OUTCOME = {"Name": NAME, "Outcome": "PromoteShadow"}
KEPT_AS_OUTCOME = {"Name": NAME, "Outcome": "KeepProduction", "DesiredState": "Completed"}


def sent(world: World) -> dict[str, Any]:
    """The Stop that SageMaker accepted."""
    [request] = world.sagemaker.experiments[NAME].stops
    return dict(request)


def count(request: dict[str, Any]) -> int:
    [variant] = request["DesiredModelVariants"]
    found: int = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]["InstanceCount"]
    return found


def test_an_outcome_promotes_the_shadow_on_as_many_instances_as_production_runs(
    world: World,
) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    world.sagemaker.experiments[NAME].run_instances("production", 5)
    answered(world, world.request("Update", OUTCOME))

    assert sent(world)["ModelVariantActions"] == {"production": "Remove", "shadow": "Promote"}
    assert count(sent(world)) == 5


def test_instances_are_counted_anew_before_each_stop(world: World) -> None:
    """Production may scale while SageMaker refuses the Stop."""
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(stop=60, begin=100))
    world.sagemaker.experiments[NAME].run_instances("production", 5)
    world.deliver(world.request("Update", OUTCOME))
    world.run(15)
    assert stops(world) > 0
    world.sagemaker.experiments[NAME].run_instances("production", 7)
    world.run_to_quiet()

    assert count(sent(world)) == 7


def test_fewer_declared_instances_than_run_are_warned_of_in_the_log(world: World) -> None:
    world.experiment("Running", SHORT)
    world.sagemaker.experiments[NAME].run_instances("production", 5)
    answered(world, world.request("Create", PROMOTE))

    warning = "is to be promoted on 2 instances, but variant 'production' now runs 5"
    assert any(warning in line and "WARNING" in line for line in world.journal.lines())
    assert stops(world) == 0


def test_the_same_end_as_an_outcome_is_no_order(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    named = {**KEEP, "DesiredState": "Completed"}
    assert answered(world, world.request("Update", KEPT_AS_OUTCOME, named))["Status"] == "SUCCESS"
    assert stops(world) == 0


@pytest.mark.parametrize("kind", ["lost", "taken", "unavailable", "unreachable"])
def test_a_stop_without_an_answer_is_sent_again_only_after_a_new_look(
    world: World, kind: str
) -> None:
    """The SDK's retries would send it up to 45 s after the look, into a rollback."""
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)
    world.fail("StopInferenceExperiment", kind, attempts=2)
    assert answered(world, world.request("Update"))["Status"] == "SUCCESS"

    names = [name for name in operations(world) if name != "DescribeEndpoint"]
    sent_at = [at for at, name in enumerate(names) if name == "StopInferenceExperiment"]
    assert all("DescribeStacks" in names[at - 2 : at] for at in sent_at)
    assert len(world.sagemaker.experiments[NAME].stops) == 1


def test_a_clean_up_reads_every_page_of_the_stacks_resources(world: World) -> None:
    world.stack.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    for number in range(100):
        world.stack.add(f"Other{number}", "x", "AWS::S3::Bucket", "CREATE_COMPLETE")
    world.stack.add("Renamed1", arn_of(NAME), RESOURCE_TYPE, "CREATE_COMPLETE")
    world.stack.add(LOGICAL_ID, arn_of(NAME), RESOURCE_TYPE, "DELETE_IN_PROGRESS")
    world.experiment("Running")

    assert answered(world, world.request("Delete"))["Status"] == "SUCCESS"
    assert stops(world) == 0
