"""The lifecycle table of the README on the pure decision function: Update."""

from __future__ import annotations

import pytest
from tests.unit.lifecycle import (
    OTHER_ARN,
    PROMOTE,
    ROLLBACKS,
    STOPPABLE,
    World,
    changed,
    declaration,
    experiment,
    request,
    update,
    variant,
)

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.lifecycle.decision import decide, is_older_stop
from cdk_stop_inference_experiment_handler.lifecycle.facts import RequestType, Unknown, Verb


class TestUpdate:
    @pytest.mark.parametrize(
        "plumbing",
        [
            {"StopOn": ["Update"]},
            {"ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:newer"},
            {"ServiceTimeout": "1800"},
            {"StackOwnsExperiment": "true"},
        ],
    )
    def test_does_not_stop_where_only_plumbing_changed(self, plumbing: dict[str, object]) -> None:
        world = World()
        verb, _ = update(world, declaration(**plumbing), declaration())
        assert verb is Verb.SUCCEED
        assert world.asked == []

    def test_does_not_stop_where_only_the_order_of_variants_changed(self) -> None:
        variants = [variant("production"), variant("shadow")]
        keep_both = {"production": "Retain", "shadow": "Retain"}
        one = declaration(ModelVariantActions=keep_both, DesiredModelVariants=variants)
        two = declaration(ModelVariantActions=keep_both, DesiredModelVariants=variants[::-1])
        assert update(World(), two, one)[0] is Verb.SUCCEED

    def test_of_the_name_is_a_create_of_the_new_experiment(self) -> None:
        renamed = declaration(Name="other")
        there = World(experiment=experiment(arn=OTHER_ARN, name="other"))
        assert update(there, renamed, declaration())[0] is Verb.SUCCEED
        assert update(World(experiment=None), renamed, declaration())[0] is Verb.FAIL

    @pytest.mark.parametrize("stack_status", ROLLBACKS)
    @pytest.mark.parametrize("status", [*STOPPABLE, "Stopping", "Completed", "Cancelled", None])
    def test_in_a_rollback_succeeds_and_never_stops(
        self, stack_status: str, status: str | None
    ) -> None:
        world = World(
            experiment=None if status is None else experiment(status), stack_status=stack_status
        )
        to_keep, to_promote = declaration(), declaration(ModelVariantActions=PROMOTE)
        assert update(world, to_promote, to_keep)[0] is Verb.SUCCEED
        assert update(world, declaration(Name="other"), to_keep)[0] is Verb.SUCCEED
        assert update(world, "'Reason' is wrong", to_keep)[0] is Verb.SUCCEED

    @pytest.mark.parametrize("stack_status", ROLLBACKS)
    def test_in_a_rollback_need_not_see_the_experiment(self, stack_status: str) -> None:
        world = World(stack_status=stack_status)
        unseen = update(world, changed(), declaration(), experiment=Unknown.UNREADABLE)
        assert unseen[0] is Verb.SUCCEED
        assert world.asked == [Verb.LOOK_AT_STACK]

    def test_in_a_rollback_tells_that_an_end_cannot_be_undone(self) -> None:
        ended = World(experiment=experiment("Completed"), stack_status=ROLLBACKS[1])
        _, why = update(ended, declaration(ModelVariantActions=PROMOTE), declaration())
        assert "cannot be undone" in why

    def test_without_update_in_stop_on_checks_and_does_not_stop(self) -> None:
        world = World()
        assert update(world, changed(StopOn=["Delete"]), declaration())[0] is Verb.SUCCEED
        wrong = declaration(ModelVariantActions={"canary": "Remove"}, StopOn=["Delete"])
        assert update(world, wrong, declaration())[0] is Verb.FAIL

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_of_the_declaration_stops(self, status: str) -> None:
        world = World(experiment=experiment(status))
        assert update(world, changed(), declaration())[0] is Verb.STOP
        assert Verb.LOOK_AT_STACK in world.asked

    def test_of_the_reason_alone_stops(self) -> None:
        assert update(World(), declaration(Reason="better"), declaration())[0] is Verb.STOP

    def test_checks_the_variants_before_it_stops(self) -> None:
        wrong = declaration(ModelVariantActions={"canary": "Remove"})
        assert update(World(), wrong, declaration())[0] is Verb.FAIL

    def test_adopts_a_stop_under_way(self) -> None:
        world = World(experiment=experiment("Stopping"))
        assert update(world, changed(), declaration())[0] is Verb.WAIT

    def test_waits_for_the_endpoint_of_an_ended_experiment_to_settle(self) -> None:
        world = World(experiment=experiment("Completed", endpoint_status="Updating"))
        assert update(world, changed(), declaration())[0] is Verb.WAIT

    def test_delivered_again_after_our_end_succeeds(self) -> None:
        ours = World(experiment=experiment("Completed", status_reason="promote it"))
        new = declaration(ModelVariantActions=PROMOTE, Reason="promote it")
        assert update(ours, new, declaration())[0] is Verb.SUCCEED

    def test_that_wants_promote_after_our_end_without_it_fails(self) -> None:
        ours = World(experiment=experiment("Completed", status_reason="ours"))
        new = declaration(ModelVariantActions=PROMOTE, Reason="promote it")
        verb, why = update(ours, new, declaration())
        assert verb is Verb.FAIL
        assert "'shadow' cannot be promoted any more" in why
        same_reason = declaration(ModelVariantActions=PROMOTE)
        assert update(ours, same_reason, declaration())[0] is Verb.FAIL

    def test_delivered_again_tells_its_own_promotion_by_the_time_of_the_end(self) -> None:
        to_promote, to_keep = declaration(ModelVariantActions=PROMOTE), declaration()
        ours = experiment("Completed", status_reason="ours", completion_time=1_000.0)
        world = World(experiment=ours)
        assert update(world, to_promote, to_keep, issued_at=999.0)[0] is Verb.SUCCEED
        assert update(world, to_promote, to_keep, issued_at=1_001.0)[0] is Verb.FAIL
        assert update(world, to_promote, to_keep, seen_unfinished=True)[0] is Verb.SUCCEED

    def test_for_the_same_reason_does_not_take_an_older_stop_for_its_promotion(self) -> None:
        promoting = declaration(ModelVariantActions=PROMOTE)
        ended = World(experiment=experiment("Completed", status_reason="ours", completion_time=90))
        facts = {"issued_at": 50.0, "seen_unfinished": True}
        assert update(ended, promoting, declaration(), older_stop=True, **facts)[0] is Verb.FAIL
        assert update(ended, promoting, declaration(), **facts)[0] is Verb.SUCCEED

    @pytest.mark.parametrize(
        ("old", "modified", "older"),
        [
            (declaration(), 49.0, True),
            (declaration(), 50.0, False),
            (declaration(), None, False),
            (declaration(Reason="another"), 49.0, False),
            (declaration(ModelVariantActions=PROMOTE, DesiredState="Cancelled"), 49.0, False),
        ],
    )
    def test_an_older_stop_is_told_by_the_time_it_was_ordered(
        self, old: Declaration, modified: float | None, older: bool
    ) -> None:
        promoting = declaration(ModelVariantActions=PROMOTE)
        case = request(RequestType.UPDATE, promoting, old=old, issued_at=50.0)
        stopping = experiment("Stopping", status_reason="ours", last_modified=modified)
        assert is_older_stop(case.request, stopping) is older

    @pytest.mark.parametrize("status", ["Completed", "Cancelled"])
    def test_after_somebody_elses_end_succeeds_without_promote(self, status: str) -> None:
        world = World(experiment=experiment(status, status_reason="the console's"))
        assert update(world, changed(), declaration())[0] is Verb.SUCCEED

    def test_does_not_take_an_error_after_its_own_try_for_somebody_elses_end(self) -> None:
        cancelled = World(experiment=experiment("Cancelled", status_reason="no capacity"))
        tried = update(cancelled, changed(), declaration(), stop_tried=True)
        assert tried[0] is Verb.FAIL
        assert "no capacity" in tried[1]
        completed = World(experiment=experiment("Completed", status_reason="the console's"))
        assert update(completed, changed(), declaration(), stop_tried=True)[0] is Verb.SUCCEED

    def test_tells_that_an_end_it_finds_cannot_be_undone(self) -> None:
        ended = World(experiment=experiment("Completed", status_reason="ours"))
        assert "cannot be undone" in update(ended, changed(), declaration())[1]

    @pytest.mark.parametrize("status", ["Completed", "Cancelled"])
    def test_after_somebody_elses_end_fails_with_promote(self, status: str) -> None:
        world = World(experiment=experiment(status, status_reason="the console's"))
        verb, why = update(world, declaration(ModelVariantActions=PROMOTE), declaration())
        assert verb is Verb.FAIL
        assert why.endswith(f"has already ended as {status}, because 'the console's'")

    def test_fails_where_the_experiment_is_absent(self) -> None:
        assert update(World(experiment=None), changed(), declaration())[0] is Verb.FAIL

    def test_that_cannot_tell_what_changed_fails_and_does_not_stop(self) -> None:
        assert update(World(), changed(), None)[0] is Verb.FAIL

    @pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "CREATE_COMPLETE"])
    def test_asks_for_the_stack_only_where_a_stop_or_a_failure_would_follow(
        self, status: str
    ) -> None:
        ended = World(experiment=experiment("Completed"), stack_status=status)
        update(ended, changed(), declaration())
        assert Verb.LOOK_AT_STACK not in ended.asked


def test_a_decision_that_knows_nothing_asks_before_it_acts() -> None:
    case = request(RequestType.UPDATE, changed(), old=declaration())
    assert isinstance(case.experiment, Unknown)
    assert case.experiment is Unknown.NOT_ASKED
    assert decide(case, "eu-west-1").verb is Verb.LOOK_AT_EXPERIMENT
