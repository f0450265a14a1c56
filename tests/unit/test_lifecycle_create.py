"""The lifecycle table of the README on the pure decision function: Create."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.lifecycle import (
    PROMOTE,
    ROLLBACKS,
    STOP_ON_CREATE,
    STOPPABLE,
    World,
    create,
    declaration,
    experiment,
    request,
)

from cdk_stop_inference_experiment_handler.lifecycle.decision import decide
from cdk_stop_inference_experiment_handler.lifecycle.facts import RequestType, Verb


class TestCreate:
    def test_fails_where_the_experiment_is_absent(self) -> None:
        verb, why = create(World(experiment=None), declaration())
        assert verb is Verb.FAIL
        assert "'fraud-shadow' does not exist in eu-west-1" in why

    def test_fails_on_an_action_for_a_variant_that_is_not_the_experiments(self) -> None:
        verb, why = create(World(), declaration(ModelVariantActions={"canary": "Remove"}))
        assert verb is Verb.FAIL
        assert "no variant 'canary'" in why
        assert "'production', 'shadow'" in why

    def test_fails_on_promote_for_the_production_variant(self) -> None:
        wrong_way = {"production": "Promote", "shadow": "Remove"}
        verb, why = create(World(), declaration(ModelVariantActions=wrong_way))
        assert verb is Verb.FAIL
        assert "'production'" in why
        assert "only its shadow variant can, which is 'shadow'" in why

    @pytest.mark.parametrize("status", ["Completed", "Cancelled"])
    @pytest.mark.parametrize("stop_on", [None, STOP_ON_CREATE])
    def test_succeeds_with_a_warning_where_it_has_ended(
        self, status: str, stop_on: list[str] | None
    ) -> None:
        ended = World(experiment=experiment(status))
        decision = decide(
            replace(
                request(RequestType.CREATE, declaration(StopOn=stop_on), physical_id=None),
                experiment=ended.experiment,
            ),
            "eu-west-1",
        )
        assert (decision.verb, decision.warn) == (Verb.SUCCEED, True)

    @pytest.mark.parametrize("status", [*STOPPABLE, "Stopping"])
    def test_otherwise_succeeds_and_asks_nothing_of_the_stack(self, status: str) -> None:
        world = World(experiment=experiment(status))
        assert create(world, declaration())[0] is Verb.SUCCEED
        assert world.asked == [Verb.LOOK_AT_EXPERIMENT]

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stops_where_stop_on_has_create(self, status: str) -> None:
        world = World(experiment=experiment(status), stack_status="CREATE_IN_PROGRESS")
        assert create(world, declaration(StopOn=STOP_ON_CREATE))[0] is Verb.STOP

    def test_that_stops_does_not_take_an_error_after_its_own_try_for_an_earlier_end(self) -> None:
        cancelled = World(experiment=experiment("Cancelled", status_reason="no capacity"))
        new = declaration(StopOn=STOP_ON_CREATE)
        assert create(cancelled, new, stop_tried=True)[0] is Verb.FAIL
        assert create(cancelled, new)[0] is Verb.SUCCEED

    def test_that_promotes_fails_where_somebody_else_ends_it_meanwhile(self) -> None:
        promoting = declaration(ModelVariantActions=PROMOTE, StopOn=STOP_ON_CREATE)
        world = World(experiment=experiment("Completed", status_reason="by hand"))
        assert create(world, promoting, seen_unfinished=True)[0] is Verb.FAIL
        assert create(world, promoting)[0] is Verb.SUCCEED

    @pytest.mark.parametrize("stack_status", ROLLBACKS)
    def test_never_stops_in_a_rollback(self, stack_status: str) -> None:
        world = World(stack_status=stack_status)
        assert create(world, declaration(StopOn=STOP_ON_CREATE))[0] is Verb.SUCCEED

    def test_fails_on_properties_that_break_a_rule_without_asking_aws(self) -> None:
        world = World()
        assert create(world, "'Name' is wrong") == (Verb.FAIL, "'Name' is wrong")
        assert world.asked == []
