"""The lifecycle table of the README on the pure decision function: Delete."""

from __future__ import annotations

import pytest
from tests.unit.lifecycle import (
    OTHER_ARN,
    ROLLBACKS,
    STOPPABLE,
    World,
    declaration,
    delete,
    experiment,
)

from cdk_stop_inference_experiment_handler.lifecycle.facts import Unknown, Verb


class TestDelete:
    @pytest.mark.parametrize(
        "physical_id",
        [
            "Stop-not-created-0123456789abcdef",
            "shadow-Stop-1ABCDEFGHIJKL",
            "2026/11/22/[$LATEST]0123456789abcdef",
            OTHER_ARN,
            "arn:aws:s3:eu-west-1:123456789012:inference-experiment/fraud-shadow",
        ],
    )
    def test_of_an_id_that_is_not_the_experiments_calls_nothing(self, physical_id: str) -> None:
        world = World()
        assert delete(world, declaration(), physical_id=physical_id)[0] is Verb.SUCCEED
        assert world.asked == []

    @pytest.mark.parametrize("status", [None, "Completed", "Cancelled"])
    def test_succeeds_at_once_where_nothing_is_left_to_stop(self, status: str | None) -> None:
        world = World(experiment=None if status is None else experiment(status))
        assert delete(world, declaration())[0] is Verb.SUCCEED
        assert world.asked == [Verb.LOOK_AT_EXPERIMENT]

    def test_waits_for_an_endpoint_in_flux(self) -> None:
        world = World(experiment=experiment("Completed", endpoint_status="Updating"))
        assert delete(world, declaration())[0] is Verb.WAIT

    def test_without_delete_in_stop_on_calls_nothing(self) -> None:
        world = World()
        assert delete(world, declaration(StopOn=["Update"]))[0] is Verb.SUCCEED
        assert world.asked == []

    @pytest.mark.parametrize("stack_status", ROLLBACKS)
    def test_in_a_rollback_leaves_an_experiment_that_outlives_it(self, stack_status: str) -> None:
        assert delete(World(stack_status=stack_status), declaration())[0] is Verb.SUCCEED

    @pytest.mark.parametrize("stack_status", ROLLBACKS)
    def test_in_a_rollback_stops_an_experiment_of_the_stack_only_if_the_stack_goes(
        self, stack_status: str
    ) -> None:
        own = declaration(StackOwnsExperiment="true")
        goes = stack_status == "ROLLBACK_IN_PROGRESS"
        expected = Verb.STOP if goes else Verb.SUCCEED
        assert delete(World(stack_status=stack_status), own)[0] is expected

    @pytest.mark.parametrize("stack_status", ROLLBACKS)
    def test_in_a_rollback_need_not_see_the_experiment(self, stack_status: str) -> None:
        unseen = delete(
            World(stack_status=stack_status), declaration(), experiment=Unknown.UNREADABLE
        )
        assert unseen[0] is Verb.SUCCEED

    def test_forward_needs_to_see_the_experiment(self) -> None:
        seen = World(stack_status="DELETE_IN_PROGRESS")
        assert delete(seen, declaration(), experiment=Unknown.UNREADABLE)[0] is Verb.STOP
        assert seen.asked == [Verb.LOOK_AT_STACK, Verb.LOOK_AT_EXPERIMENT]

    @pytest.mark.parametrize(
        "stack_status", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]
    )
    def test_in_a_cleanup_leaves_an_experiment_that_moved_to_another_resource(
        self, stack_status: str
    ) -> None:
        moved = World(stack_status=stack_status, holders=("StopRenamed",))
        assert delete(moved, declaration())[0] is Verb.SUCCEED
        removed = World(stack_status=stack_status)
        assert delete(removed, declaration())[0] is Verb.STOP

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_otherwise_stops(self, status: str) -> None:
        world = World(experiment=experiment(status), stack_status="DELETE_IN_PROGRESS")
        assert delete(world, declaration())[0] is Verb.STOP
        assert Verb.LOOK_AT_RESOURCES not in world.asked

    def test_waits_for_a_stop_under_way(self) -> None:
        world = World(experiment=experiment("Stopping"), stack_status="DELETE_IN_PROGRESS")
        assert delete(world, declaration())[0] is Verb.WAIT

    def test_of_properties_that_break_a_rule_fails_unless_nothing_is_left_to_stop(self) -> None:
        broken = "'ModelVariantActions' is wrong"
        assert delete(World(stack_status="DELETE_IN_PROGRESS"), broken)[0] is Verb.FAIL
        assert delete(World(experiment=None), broken)[0] is Verb.SUCCEED
