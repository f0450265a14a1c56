"""Table 1, what the event orders: a test for each row, under the row's name."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.lifecycle import (
    ARN,
    DEADLINE,
    ENDED,
    EVERY,
    KEEP,
    OTHER_ARN,
    PARENT,
    PROMOTE,
    ROOT,
    STACK,
    STOPPABLE,
    UNDONE_STATUSES,
    World,
    answers,
    ask,
    create,
    created,
    creating,
    declaration,
    delete,
    deleting,
    ended_by,
    experiment,
    of_resource,
    of_stack,
    outcome,
    promoting,
    properties,
    removing,
    request,
    rolling_back,
    update,
    updating,
    variant,
)

from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Decision,
    RequestType,
    Stack,
    StackEvent,
    Unreadable,
    Verb,
)

FAILED_UPDATE = [
    *created(),
    of_stack("UPDATE_IN_PROGRESS", 200),
    of_resource("UPDATE_IN_PROGRESS", 210),
    of_resource("UPDATE_FAILED", 220, declared=properties(ModelVariantActions=PROMOTE)),
    of_stack("UPDATE_FAILED", 230),
]
"""A promotion failed with rollback disabled; the last successful declaration keeps production."""


NEVER_COMPLETE = [
    of_stack("CREATE_IN_PROGRESS", 100),
    of_resource("CREATE_IN_PROGRESS", 110),
    of_resource("CREATE_COMPLETE", 120, declared=properties()),
]
"""A resource whose creation succeeded in a stack whose creation failed."""


def promote(world: World) -> Decision:
    return update(world, promoting())


def tear_down(world: World) -> Decision:
    return delete(world, declaration())


def create_and_stop(world: World) -> Decision:
    return create(world, declaration(StopOn=EVERY))


def creating_in(status: str) -> World:
    """A Create that is asked for while the stack already goes back, before its events say so."""
    world = creating()
    world.status = status
    return world


class TestCreate:
    @pytest.mark.parametrize("status", UNDONE_STATUSES)
    def test_create_undone(self, status: str) -> None:
        stopping = declaration(StopOn=EVERY)
        world = World(status=status)
        assert answers(create(world, stopping)) == (Verb.SUCCEED, "create_undone")
        gone = World(status=status, seen=None)
        assert answers(create(gone, declaration())) == (Verb.SUCCEED, "create_undone")

    @pytest.mark.parametrize("status", UNDONE_STATUSES)
    def test_create_undone_leaves_even_the_stacks_own_experiment_to_its_delete(
        self, status: str
    ) -> None:
        owned = promoting(StopOn=EVERY, StackOwnsExperiment="true")
        decision = create(creating_in(status), owned)
        assert (*answers(decision), decision.warn) == (Verb.SUCCEED, "create_undone", False)

    @pytest.mark.parametrize("status", [*STOPPABLE, "Stopping"])
    def test_create_end_now(self, status: str) -> None:
        world = creating(seen=experiment(status))
        decision = create(world, declaration(EndNow="true"))
        assert answers(decision) == (Verb.FAIL, "create_end_now")
        assert "'StopOn'" in decision.why
        assert create(world, declaration(EndNow="true", StopOn=EVERY)).verb is Verb.FAIL

    @pytest.mark.parametrize("status", ENDED)
    def test_create_end_now_suits_an_experiment_that_has_ended(self, status: str) -> None:
        world = creating(seen=experiment(status))
        decision = create(world, declaration(EndNow="true"))
        assert (decision.verb, decision.order) == (Verb.SUCCEED, "create_ends")
        assert create(world, promoting(EndNow="true")).verb is Verb.FAIL

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_create_ends(self, status: str) -> None:
        decision = create(creating(seen=experiment(status)), declaration(StopOn=["Create"]))
        assert (decision.verb, decision.order) == (Verb.STOP, "create_ends")

    @pytest.mark.parametrize("status", [*STOPPABLE, "Stopping"])
    def test_create_arms_and_asks_nothing_of_the_stack(self, status: str) -> None:
        world = creating(seen=experiment(status))
        decision = create(world, declaration())
        assert (decision.verb, decision.order) == (Verb.SUCCEED, "create_arms")
        assert set(world.asked) == {"experiment"}


class TestUpdate:
    @pytest.mark.parametrize("status", UNDONE_STATUSES)
    @pytest.mark.parametrize("seen", [*STOPPABLE, *ENDED, None])
    def test_update_undone(self, status: str, seen: str | None) -> None:
        events = [*updating(), of_stack(status), of_resource("UPDATE_IN_PROGRESS")]
        found = None if seen is None else experiment(seen)
        world = World(seen=found, status=status, events_of={STACK: events})
        for new in (promoting(), declaration(Name="other"), declaration(), "'Reason' is wrong"):
            assert answers(update(world, new)) == (Verb.SUCCEED, "update_undone")

    def test_update_undone_waits_for_a_stop_under_way_but_not_for_ever(self) -> None:
        for seen in (
            experiment("Stopping"),
            experiment("Completed", endpoint_status="Updating"),
        ):
            world = World(
                seen=seen,
                status="UPDATE_ROLLBACK_IN_PROGRESS",
                events_of={STACK: rolling_back()},
            )
            for old in (promoting(), declaration(EndNow="true")):
                assert answers(update(world, declaration(), old)) == (Verb.WAIT, "update_undone")
            world.time = DEADLINE
            decision = update(world, declaration(), promoting())
            assert (decision.verb, decision.warn) == (Verb.SUCCEED, True)

    def test_update_undone_says_that_an_end_stays(self) -> None:
        world = World(
            seen=experiment("Completed"),
            status="UPDATE_ROLLBACK_IN_PROGRESS",
            events_of={STACK: rolling_back()},
        )
        assert "that is final" in update(world, declaration(), promoting()).why

    @pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"])
    @pytest.mark.parametrize("has_own_event", [True, False])
    def test_update_undone_without_rollback(self, status: str, has_own_event: bool) -> None:
        """Only the failed resource is restored: old and new are swapped."""
        events = [
            *created(),
            of_stack("UPDATE_IN_PROGRESS"),
            of_resource("UPDATE_IN_PROGRESS"),
            of_resource("UPDATE_FAILED"),
            *([of_stack("UPDATE_FAILED")] if status == "UPDATE_FAILED" else []),
            *([of_resource("UPDATE_IN_PROGRESS")] if has_own_event else []),
        ]
        world = World(status=status, events_of={STACK: events}, is_young=False)
        told = update(world, declaration(), promoting())
        assert answers(told) == (Verb.SUCCEED, "update_undone")

    @pytest.mark.parametrize("unread", ["experiment", "events"])
    def test_update_undone_is_decided_by_one_fact_alone(self, unread: str) -> None:
        world = World(
            status="UPDATE_ROLLBACK_IN_PROGRESS", unreadable=(unread,), is_young=unread == "events"
        )
        assert answers(update(world, promoting())) == (Verb.SUCCEED, "update_undone")

    def test_update_undone_looks_for_a_stop_under_way_for_a_minute(self) -> None:
        world = World(status="UPDATE_ROLLBACK_IN_PROGRESS", unreadable=("experiment",))
        with pytest.raises(Unreadable):
            update(world, promoting())
        world.is_lasting = True
        assert update(world, promoting()).verb is Verb.SUCCEED

    def test_update_undone_is_not_taken_for_unchanged_before_its_event_shows(self) -> None:
        failed = [of_resource("UPDATE_IN_PROGRESS", 9_990), of_resource("UPDATE_FAILED", 9_995)]
        events = [*created(), of_stack("UPDATE_IN_PROGRESS", 9_980), *failed]
        world = World(seen=experiment("Stopping"), events_of={STACK: events})
        assert answers(update(world, declaration(), promoting())) == (Verb.WAIT, "stack_unclear")
        world.seen = experiment()
        assert update(world, declaration(), promoting()).verb is Verb.SUCCEED

    def test_update_renamed(self) -> None:
        renamed = declaration(Name="other")
        there = World(seen=experiment(arn=OTHER_ARN, name="other"))
        assert update(there, renamed).order == "create_arms"
        assert answers(update(World(seen=None), renamed)) == (Verb.FAIL, "absent")
        left_true = declaration(Name="other", EndNow="true")
        told = update(there, left_true, declaration(EndNow="true"))
        assert answers(told) == (Verb.FAIL, "create_end_now")

    def test_another_case_of_the_name_is_no_other_name(self) -> None:
        world = World()
        assert update(world, declaration(Name="Fraud-Shadow")).row == "update_unchanged"

    @pytest.mark.parametrize("stop_on", [EVERY, ["Delete"]])
    def test_update_end_now(self, stop_on: list[str]) -> None:
        decision = update(World(), declaration(EndNow="true", StopOn=stop_on))
        assert (decision.verb, decision.order) == (Verb.STOP, "update_end_now")

    @pytest.mark.parametrize(
        "change",
        [
            {"ModelVariantActions": PROMOTE},
            {"DesiredState": "Cancelled"},
            {"DesiredModelVariants": [variant("production")]},
        ],
    )
    def test_update_changed(self, change: dict[str, object]) -> None:
        decision = update(World(), declaration(**change))
        assert (decision.verb, decision.order) == (Verb.STOP, "update_changed")
        assert decision.stop == declaration(**change)

    def test_update_changed_not_in_stop_on(self) -> None:
        world = World()
        decision = update(world, promoting(StopOn=["Delete"]))
        assert answers(decision) == (Verb.SUCCEED, "stoppable")
        assert decision.order == "update_changed_not_in_stop_on"
        wrong = declaration(ModelVariantActions={"canary": "Remove"}, StopOn=["Delete"])
        assert update(world, wrong).verb is Verb.FAIL

    @pytest.mark.parametrize(
        ("new", "old"),
        [
            ({"Reason": "reworded"}, {}),
            ({"StopOn": ["Update"]}, {}),
            ({"ServiceToken": "newer"}, {}),
            ({"ServiceTimeout": "1800"}, {}),
            ({"StackOwnsExperiment": "true"}, {}),
            ({}, {"EndNow": "true"}),
            ({"EndNow": "true"}, {"EndNow": "true"}),
            ({"EndNow": "false"}, {}),
        ],
    )
    def test_update_unchanged(self, new: dict[str, object], old: dict[str, object]) -> None:
        world = World()
        decision = update(world, declaration(**new), declaration(**old))
        assert answers(decision) == (Verb.SUCCEED, "update_unchanged")
        assert set(world.asked) == {"events"}

    def test_update_unchanged_by_the_order_of_variants(self) -> None:
        variants = [variant("production"), variant("shadow")]
        both = {"production": "Retain", "shadow": "Retain"}
        one = declaration(ModelVariantActions=both, DesiredModelVariants=variants)
        two = declaration(ModelVariantActions=both, DesiredModelVariants=variants[::-1])
        assert update(World(), two, one).row == "update_unchanged"

    def test_update_unchanged_where_the_events_cannot_be_read(self) -> None:
        young = World(unreadable=("events",))
        with pytest.raises(Unreadable):
            update(young, declaration(Reason="reworded"))
        for world in (
            World(unreadable=("events",), is_young=False),
            World(unreadable=("events",), is_lasting=True),
        ):
            decision = update(world, declaration(Reason="reworded"))
            assert answers(decision) == (Verb.SUCCEED, "update_unchanged")
            assert decision.warn
            with pytest.raises(Unreadable):
                update(world, promoting())
            assert update(world, outcome(), declaration()).row == "update_unchanged"

    def test_declaration_invalid(self) -> None:
        for decision in (
            update(World(), "'Name' is wrong"),
            create(creating(), "'Name' is wrong"),
        ):
            assert (decision.row, decision.why) == ("declaration_invalid", "'Name' is wrong")


class TestTheOldDeclaration:
    """After a failed update: the resource's last successful properties, whatever the event says."""

    @pytest.mark.parametrize("said_old", [PROMOTE, KEEP])
    def test_a_retry_is_an_order(self, said_old: dict[str, str]) -> None:
        world = World(events_of={STACK: updating(*FAILED_UPDATE)})
        decision = update(world, promoting(), declaration(ModelVariantActions=said_old))
        assert (decision.verb, decision.order) == (Verb.STOP, "update_changed")

    @pytest.mark.parametrize("said_old", [PROMOTE, KEEP])
    def test_a_withdrawn_order_is_none(self, said_old: dict[str, str]) -> None:
        world = World(events_of={STACK: updating(*FAILED_UPDATE)})
        decision = update(world, declaration(), declaration(ModelVariantActions=said_old))
        assert answers(decision) == (Verb.SUCCEED, "update_unchanged")

    def test_after_a_later_success_plumbing_changes_stop_nothing(self) -> None:
        retried = [
            *FAILED_UPDATE,
            of_stack("UPDATE_IN_PROGRESS", 300),
            of_resource("UPDATE_IN_PROGRESS", 310),
            of_resource("UPDATE_COMPLETE", 320, declared=properties(ModelVariantActions=PROMOTE)),
            of_stack("UPDATE_COMPLETE", 330),
        ]
        world = World(events_of={STACK: updating(*retried)})
        assert update(world, promoting(Reason="x"), promoting()).row == "update_unchanged"

    def test_a_retry_after_an_undo_that_completed_is_an_order(self) -> None:
        restored = [
            *FAILED_UPDATE[:-1],
            of_resource("UPDATE_IN_PROGRESS", 222),
            of_resource("UPDATE_COMPLETE", 225, declared=properties()),
            of_stack("UPDATE_FAILED", 230),
        ]
        world = World(events_of={STACK: updating(*restored)})
        for said_old in (promoting(), declaration()):
            assert update(world, promoting(), said_old).order == "update_changed"
            assert update(world, declaration(), said_old).row == "update_unchanged"

    def test_resources_to_skip_complete_nothing(self) -> None:
        skipped = [
            *FAILED_UPDATE,
            of_resource("UPDATE_COMPLETE", 320, declared=properties(ModelVariantActions=PROMOTE)),
            of_stack("UPDATE_ROLLBACK_COMPLETE", 330),
        ]
        world = World(events_of={STACK: updating(*skipped)})
        assert update(world, promoting(), promoting()).order == "update_changed"

    def test_a_completion_under_another_id_is_another_experiments(self) -> None:
        before = [
            *created(ModelVariantActions=PROMOTE),
            of_stack("UPDATE_IN_PROGRESS", 200),
            of_resource("UPDATE_IN_PROGRESS", 210),
            of_resource("UPDATE_COMPLETE", 220, declared=properties(), physical_id=OTHER_ARN),
            of_resource("UPDATE_FAILED", 240),
        ]
        world = World(events_of={STACK: updating(*before)})
        assert update(world, declaration(), declaration()).order == "update_changed"

    def test_the_event_says_it_where_the_stack_shows_no_completion_any_more(self) -> None:
        world = World(events_of={STACK: updating()[-2:]})
        assert update(world, declaration(), declaration()).row == "update_unchanged"
        assert update(world, promoting(), declaration()).order == "update_changed"

    @pytest.mark.parametrize("text", ["", "****", "[]", "{}"])
    def test_update_old_unreadable(self, text: str) -> None:
        events = [
            of_resource("CREATE_IN_PROGRESS", 110),
            of_resource("CREATE_COMPLETE", 120, declared=text),
            of_stack("CREATE_COMPLETE", 130),
            *FAILED_UPDATE[4:],
        ]
        world = World(events_of={STACK: updating(*events)})
        assert answers(update(world, promoting())) == (Verb.FAIL, "update_old_unreadable")
        torn = removing(events_of={STACK: deleting(*events)})
        decision = delete(torn, declaration())
        assert answers(decision) == (Verb.SUCCEED, "delete_old_unreadable")
        assert decision.warn
        assert decision.why.endswith(": if it is still running, stop it yourself")

    def test_a_teardown_that_would_stop_nothing_does_without_the_events(self) -> None:
        denied = removing(unreadable=("events",), is_denied=True)
        decision = delete(denied, declaration(StopOn=["Update"]))
        assert answers(decision) == (Verb.SUCCEED, "delete_old_unreadable")
        assert decision.warn

    def test_old_properties_that_name_no_experiment_are_no_declaration(self) -> None:
        made = request(RequestType.UPDATE, promoting(), None)
        assert answers(ask(made, World())) == (Verb.FAIL, "update_old_unreadable")

    @pytest.mark.parametrize("said", [PROMOTE, KEEP])
    def test_a_teardown_ends_it_as_last_deployed_well(self, said: dict[str, str]) -> None:
        world = removing(events_of={STACK: deleting(*FAILED_UPDATE)})
        decision = delete(world, declaration(ModelVariantActions=said))
        assert decision.stop is not None
        assert decision.stop.actions == KEEP
        assert decision.stop.reason == declaration().reason

    def test_stop_on_of_the_old_declaration_counts(self) -> None:
        stable = created(StopOn=["Update"])
        failed = [
            *stable,
            of_resource("UPDATE_IN_PROGRESS", 210),
            of_resource("UPDATE_FAILED", 220),
        ]
        world = removing(events_of={STACK: deleting(*failed)})
        assert delete(world, declaration()).row == "delete_not_in_stop_on"

    @pytest.mark.parametrize(
        ("seen", "row"), [(ended_by(declaration()), "ended_as_new"), (None, "absent")]
    )
    def test_the_old_declaration_says_who_ended_what_is_over(self, seen: Any, row: str) -> None:
        failed = [
            *created(),
            of_resource("UPDATE_IN_PROGRESS", 210),
            of_resource("UPDATE_FAILED", 220),
        ]
        world = removing(seen=seen, events_of={STACK: deleting(*failed)})
        decision = delete(world, promoting(StopOn=["Update"]))
        assert answers(decision) == (Verb.SUCCEED, row)


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
    def test_delete_not_held(self, physical_id: str) -> None:
        world = removing()
        made = request(RequestType.DELETE, declaration(), physical_id=physical_id)
        assert answers(ask(made, world)) == (Verb.SUCCEED, "delete_not_held")
        assert world.asked == []

    def test_delete_not_held_where_the_id_was_last_deployed_for_another_experiment(self) -> None:
        before = [
            *created(Name="other"),
            of_resource("UPDATE_IN_PROGRESS", 210),
            of_resource("UPDATE_FAILED", 220),
        ]
        world = removing(events_of={STACK: deleting(*before)})
        assert answers(delete(world, declaration())) == (Verb.SUCCEED, "delete_not_held")

    def test_an_id_in_another_case_is_held(self) -> None:
        made = request(RequestType.DELETE, declaration(), physical_id=ARN[:-6] + "SHADOW")
        assert ask(made, removing()).verb is Verb.STOP

    def test_delete_not_in_stop_on(self) -> None:
        world = removing()
        decision = delete(world, declaration(StopOn=["Update"]))
        assert answers(decision) == (Verb.SUCCEED, "delete_not_in_stop_on")
        assert "does not list Delete" in decision.why
        assert set(world.asked) == {"events"}

    @pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
    def test_delete_creation_undone(self, status: str) -> None:
        events = [*NEVER_COMPLETE, of_stack(status), of_resource("DELETE_IN_PROGRESS")]
        world = World(status=status, events_of={STACK: events})
        decision = delete(world, promoting(StackOwnsExperiment="true"))
        assert (decision.verb, decision.order) == (Verb.STOP, "delete_creation_undone")
        assert decision.stop is not None
        assert decision.stop.actions == {"production": "Retain", "shadow": "Remove"}
        assert "DesiredModelVariants" not in decision.stop.request

    @pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
    def test_delete_undone_where_the_creation_is_but_the_experiment_is_anothers(
        self, status: str
    ) -> None:
        events = [*NEVER_COMPLETE, of_stack(status), of_resource("DELETE_IN_PROGRESS")]
        world = World(status=status, events_of={STACK: events})
        assert answers(delete(world, promoting())) == (Verb.SUCCEED, "delete_undone")

    def test_delete_undone_where_only_a_failed_update_said_that_it_is_the_stacks_own(self) -> None:
        events = [
            *NEVER_COMPLETE,
            of_resource("UPDATE_IN_PROGRESS", 210),
            of_resource("UPDATE_FAILED", 220),
            of_stack("DELETE_IN_PROGRESS"),
            of_resource("DELETE_IN_PROGRESS"),
        ]
        owned = promoting(StackOwnsExperiment="true")
        assert delete(removing(events_of={STACK: events}), owned).row == "delete_undone"

    def test_delete_undone_of_anothers_experiment_need_not_see_it(self) -> None:
        world = World(status="ROLLBACK_IN_PROGRESS", unreadable=("experiment",), is_lasting=True)
        assert delete(world, promoting()).row == "delete_undone"

    def test_delete_undone_where_it_does_not_tell_its_shadow(self) -> None:
        world = World(status="ROLLBACK_IN_PROGRESS", seen=experiment(shadows=()))
        owned = promoting(StackOwnsExperiment="true")
        assert delete(world, owned).row == "delete_undone"

    def test_delete_undone_in_an_update_of_a_stack_that_never_was_complete(self) -> None:
        events = [
            *NEVER_COMPLETE,
            of_stack("UPDATE_IN_PROGRESS"),
            of_resource("DELETE_IN_PROGRESS"),
        ]
        world = World(events_of={STACK: events})
        owned = promoting(StackOwnsExperiment="true")
        assert answers(delete(world, owned)) == (Verb.SUCCEED, "delete_undone")

    @pytest.mark.parametrize("status", [s for s in UNDONE_STATUSES if s != "ROLLBACK_IN_PROGRESS"])
    @pytest.mark.parametrize("owned", ["true", "false"])
    def test_delete_undone(self, status: str, owned: str) -> None:
        world = World(status=status)
        decision = delete(world, promoting(StackOwnsExperiment=owned))
        assert answers(decision) == (Verb.SUCCEED, "delete_undone")

    def test_a_delete_right_after_a_creation_is_read_again(self) -> None:
        """DescribeStackEvents may not show yet that the stack was complete."""
        events = [*NEVER_COMPLETE, of_stack("DELETE_IN_PROGRESS")]
        world = removing(events_of={STACK: events})
        assert answers(delete(world, declaration())) == (Verb.WAIT, "stack_unclear")
        events[-1:] = [of_stack("CREATE_COMPLETE", 130), of_stack("DELETE_IN_PROGRESS")]
        assert delete(world, declaration()).verb is Verb.STOP

    def test_delete_creation_undone_needs_the_events_to_end_its_own_experiment(self) -> None:
        owned = promoting(StackOwnsExperiment="true")
        world = World(status="ROLLBACK_IN_PROGRESS", unreadable=("events",))
        with pytest.raises(Unreadable):
            delete(world, owned)
        assert delete(world, promoting()).row == "delete_undone"
        world.is_lasting = True
        assert delete(world, owned).row == "delete_undone"

    def test_delete_creation_undone_ends_nothing_once_the_stack_is_at_rest(self) -> None:
        """Another delivery was answered: the events lag behind the stack's status."""
        events = [
            *NEVER_COMPLETE,
            of_stack("ROLLBACK_IN_PROGRESS"),
            of_resource("DELETE_IN_PROGRESS"),
        ]
        world = World(status="ROLLBACK_COMPLETE", events_of={STACK: events})
        owned = promoting(StackOwnsExperiment="true")
        assert delete(world, owned).row == "stack_unclear"
        assert delete(world, promoting()).row == "delete_undone"

    @pytest.mark.parametrize("unread", ["events", "experiment"])
    def test_delete_undone_is_decided_by_one_fact_alone(self, unread: str) -> None:
        world = World(status="UPDATE_ROLLBACK_IN_PROGRESS", unreadable=(unread,))
        assert delete(world, declaration()).row == "delete_undone"

    def test_delete_undone_of_what_never_was_stable(self) -> None:
        events = [
            *created(),
            of_resource("UPDATE_IN_PROGRESS", 210),
            of_resource("UPDATE_FAILED", 220),
            of_stack("UPDATE_IN_PROGRESS"),
        ]
        world = World(status="UPDATE_IN_PROGRESS", events_of={STACK: events})
        assert delete(world, declaration()).row == "delete_undone"

    @pytest.mark.parametrize(
        "status", ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_IN_PROGRESS"]
    )
    def test_delete_held_elsewhere(self, status: str) -> None:
        world = World(status=status, held_by=("Renamed",))
        assert answers(delete(world, declaration())) == (Verb.SUCCEED, "delete_held_elsewhere")
        assert delete(World(status=status), declaration()).verb is Verb.STOP

    def test_delete_held_elsewhere_by_its_own_id_is_looked_at_again_first(self) -> None:
        world = World(status="UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", held_by=("Stop",))
        assert answers(delete(world, declaration())) == (Verb.WAIT, "delete_held_elsewhere")
        world.is_young = False
        assert delete(world, declaration()).verb is Verb.SUCCEED

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_delete_ends(self, status: str) -> None:
        world = removing(seen=experiment(status))
        decision = delete(world, promoting())
        assert (decision.verb, decision.order) == (Verb.STOP, "delete_ends")
        assert decision.stop == promoting()
        assert "holders" not in world.asked

    def test_a_broken_declaration_fails_unless_nothing_is_left_to_stop(self) -> None:
        assert delete(removing(), "'Name' is wrong").row == "declaration_invalid"
        assert delete(removing(seen=None), "'Name' is wrong").verb is Verb.SUCCEED
        over = delete(removing(seen=experiment("Completed")), "'Name' is wrong")
        assert answers(over) == (Verb.SUCCEED, "ended_otherwise")

    @pytest.mark.parametrize("seen", [None, experiment("Completed"), experiment("Cancelled")])
    def test_what_is_over_is_answered_without_asking_the_stack(self, seen: Any) -> None:
        world = removing(seen=seen)
        assert delete(world, declaration()).verb is Verb.SUCCEED
        assert world.asked == ["experiment"]


def nested(
    own: str = "UPDATE_IN_PROGRESS",
    parent: str = "UPDATE_IN_PROGRESS",
    root: str = "UPDATE_IN_PROGRESS",
    *,
    above: dict[str, list[StackEvent]] | None = None,
    **facts: Any,
) -> World:
    events = deleting() if own == "DELETE_IN_PROGRESS" else updating()
    return World(
        status=own,
        parent=PARENT,
        parents={PARENT: Stack(PARENT, parent, ROOT), ROOT: Stack(ROOT, root)},
        events_of={STACK: events, **(above or {})},
        **facts,
    )


def complete_before(stack_id: str) -> list[StackEvent]:
    return [
        of_stack("CREATE_COMPLETE", 130, stack_id),
        of_stack("DELETE_IN_PROGRESS", stack_id=stack_id),
    ]


class TestWhatAllowsAStop:
    def test_a_request_that_cloudformation_has_left_behind_fails(self) -> None:
        for world, ask_it in (
            (World(), promote),
            (removing(), tear_down),
            (creating(), create_and_stop),
        ):
            assert ask_it(world).verb is Verb.STOP
            world.events_of[STACK].append(of_stack(world.status, 10_006))
            assert answers(ask_it(world)) == (Verb.FAIL, "overtaken")

    def test_a_few_seconds_between_two_clocks_are_none(self) -> None:
        world = World(is_young=False)
        began = [of_stack("UPDATE_IN_PROGRESS", 10_005), of_resource("UPDATE_IN_PROGRESS", 10_005)]
        world.events_of[STACK] += began
        assert update(world, promoting()).verb is Verb.STOP

    def test_events_are_read_again_until_they_show_the_request(self) -> None:
        world = World(events_of={STACK: [*created(), of_stack("UPDATE_IN_PROGRESS")]})
        assert answers(update(world, promoting())) == (Verb.WAIT, "stack_unclear")
        world.is_young = False
        assert answers(update(world, promoting())) == (Verb.FAIL, "stack_unclear")

    @pytest.mark.parametrize("is_shown", [True, False])
    def test_a_stack_that_has_failed_and_rests_undoes_what_is_asked_next(
        self, is_shown: bool
    ) -> None:
        """Another resource failed without rollback: its restoration has no status of its own."""
        events = [*updating(), of_stack("UPDATE_FAILED")] if is_shown else []
        world = World(status="UPDATE_FAILED", events_of={STACK: events})
        assert answers(update(world, promoting())) == (Verb.SUCCEED, "update_undone")

    def test_a_failure_that_the_resource_got_over_does_not_keep_it_from_being_removed(self) -> None:
        events = [
            *FAILED_UPDATE[:-1],
            of_resource("UPDATE_IN_PROGRESS", 222),
            of_resource("UPDATE_COMPLETE", 225, declared=properties()),
            of_stack("UPDATE_COMPLETE", 230),
            of_stack("UPDATE_IN_PROGRESS"),
            of_resource("DELETE_IN_PROGRESS"),
        ]
        assert delete(World(events_of={STACK: events}), declaration()).verb is Verb.STOP

    def test_an_event_long_before_the_request_is_taken_for_its_own_after_a_minute(self) -> None:
        early = [
            *created(),
            of_stack("UPDATE_IN_PROGRESS"),
            of_resource("UPDATE_IN_PROGRESS", 9_997),
        ]
        world = World(events_of={STACK: early})
        assert update(world, promoting()).verb is Verb.WAIT
        world.is_young = False
        assert update(world, promoting()).verb is Verb.STOP

    def test_an_event_that_declares_something_else_is_not_the_requests(self) -> None:
        """A failed update and its undo may be seconds apart."""
        own = of_resource("UPDATE_IN_PROGRESS", declared=properties())
        events = [*created(), of_stack("UPDATE_IN_PROGRESS"), own]
        world = World(events_of={STACK: events})
        assert answers(update(world, promoting())) == (Verb.WAIT, "stack_unclear")
        told = of_resource("UPDATE_IN_PROGRESS", declared=properties(ModelVariantActions=PROMOTE))
        events[-1] = told
        assert update(world, promoting()).verb is Verb.STOP

    @pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "CREATE_COMPLETE", "SOMETHING_NEW"])
    def test_a_stack_at_rest_or_unknown_is_read_again_and_then_stops_nothing(
        self, status: str
    ) -> None:
        young, old = World(status=status), World(status=status, is_young=False)
        for ask_it in (promote, create_and_stop):
            assert answers(ask_it(young)) == (Verb.WAIT, "stack_unclear")
            assert answers(ask_it(old)) == (Verb.FAIL, "stack_unclear")
        assert delete(young, declaration()).verb is Verb.WAIT
        old.seen = None
        assert answers(promote(old)) == (Verb.FAIL, "absent")
        old.seen = experiment()
        decision = delete(old, declaration())
        assert (decision.verb, decision.warn) == (Verb.SUCCEED, True)
        assert f"the stack is in {status}" in decision.why

    def test_a_failed_status_is_stale_where_the_events_know_the_next_operation(self) -> None:
        world = World(status="UPDATE_FAILED", events_of={STACK: updating(*FAILED_UPDATE)})
        assert answers(update(world, promoting())) == (Verb.WAIT, "stack_unclear")

    def test_an_unreadable_status_or_history_stops_nothing(self) -> None:
        for unread in ("stack", "events"):
            with pytest.raises(Unreadable):
                update(World(unreadable=(unread,)), promoting())
            with pytest.raises(Unreadable):
                delete(removing(unreadable=(unread,)), declaration())

    def test_a_failure_is_answered_though_nobody_can_tell_whether_it_is_undone(self) -> None:
        world = World(seen=None, unreadable=("stack",), is_lasting=True)
        assert answers(update(world, promoting())) == (Verb.FAIL, "absent")
        world.seen = experiment()
        with pytest.raises(Unreadable):
            update(world, promoting())

    def test_a_nested_stack_goes_with_its_ancestors(self) -> None:
        for status in ("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"):
            assert update(nested(parent=status, root=status), promoting()).verb is Verb.STOP
        cleaned = nested("DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        assert delete(cleaned, declaration()).verb is Verb.STOP
        above = {PARENT: complete_before(PARENT), ROOT: complete_before(ROOT)}
        gone = nested("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", above=above)
        assert delete(gone, declaration()).verb is Verb.STOP

    @pytest.mark.parametrize(
        ("parent", "root"),
        [
            ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS"),
            ("UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"),
            ("UPDATE_FAILED", "UPDATE_IN_PROGRESS"),
            ("DELETE_IN_PROGRESS", "UPDATE_IN_PROGRESS"),  # never complete: no event says so
        ],
    )
    def test_an_ancestor_that_goes_back_undoes_it(self, parent: str, root: str) -> None:
        torn = nested("DELETE_IN_PROGRESS", parent, root)
        owned = promoting(StackOwnsExperiment="true")
        assert answers(delete(torn, owned)) == (Verb.SUCCEED, "delete_undone")
        restored = nested(parent=parent, root=root)
        assert answers(update(restored, promoting())) == (Verb.SUCCEED, "update_undone")

    def test_a_failure_below_an_ancestor_undoes_it(self) -> None:
        failed = StackEvent(9_999, "Nested", PARENT, "UPDATE_FAILED")
        above = {ROOT: [of_stack("UPDATE_IN_PROGRESS", 9_990, ROOT), failed]}
        assert update(nested(above=above), promoting()).row == "update_undone"
        begun = of_stack("UPDATE_IN_PROGRESS", 9_990, ROOT)
        others = StackEvent(9_999, "Bucket", "a-bucket", "UPDATE_FAILED")
        well = StackEvent(9_999, "Nested", PARENT, "UPDATE_IN_PROGRESS")
        for events in ([failed, begun], [begun, others], [begun, well]):
            assert update(nested(above={ROOT: events}), promoting()).verb is Verb.STOP

    @pytest.mark.parametrize("rest", [PARENT, ROOT])
    def test_parent_at_rest(self, rest: str) -> None:
        statuses: dict[str, Any] = {"parent": "UPDATE_IN_PROGRESS", "root": "UPDATE_IN_PROGRESS"}
        statuses["root" if rest == ROOT else "parent"] = "UPDATE_COMPLETE"
        assert update(nested(**statuses), promoting()).verb is Verb.WAIT
        late = nested(**statuses, is_young=False)
        decision = update(late, promoting())
        assert answers(decision) == (Verb.FAIL, "parent_at_rest")
        assert "deploy the root" in decision.why
        torn = nested("DELETE_IN_PROGRESS", **statuses, is_young=False)
        assert answers(delete(torn, declaration())) == (Verb.SUCCEED, "parent_at_rest")

    def test_an_unreadable_ancestor_stops_nothing(self) -> None:
        with pytest.raises(Unreadable):
            update(nested(unreadable=(ROOT,)), promoting())

    def test_a_promotion_that_was_rolled_back_can_be_deployed_again(self) -> None:
        """Another resource failed; the digest tells that it ended so, whatever the words."""
        ended = ended_by(promoting(Reason="first words"))
        decision = update(World(seen=ended), promoting(Reason="other words"))
        assert answers(decision) == (Verb.SUCCEED, "end_as_declared")

    def test_a_create_that_promotes_finds_what_this_stack_has_promoted(self) -> None:
        ended = ended_by(promoting())
        stopping = promoting(StopOn=EVERY)
        assert create(creating(seen=ended), stopping).verb is Verb.SUCCEED
        others = experiment("Completed", status_reason="by hand")
        assert create(creating(seen=others), stopping).row == "ended_otherwise_promote"
