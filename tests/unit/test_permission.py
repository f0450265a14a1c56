"""May the experiment be stopped now? Each line of the contract's section 3.3, and their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.situations import (
    CLEANUP,
    DEADLINE,
    EVERY,
    ISSUED,
    MIDDLE,
    ROLLBACKS,
    ROOT,
    R,
    S,
    X,
    answer,
    at_deadline,
    away,
    clean_up,
    create,
    created,
    decided,
    delete,
    denied,
    experiment,
    hooked,
    late,
    nested,
    order_of,
    outcome,
    promoting,
    properties,
    request,
    situation,
    stack,
    update,
    updated,
    with_stack,
)

from cdk_stop_inference_experiment_handler.contract.request import RequestType
from cdk_stop_inference_experiment_handler.lifecycle.decision import Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.history import History
from cdk_stop_inference_experiment_handler.lifecycle.permission import Answer, check_permission
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Events,
    Kind,
    NotReadable,
    Situation,
    StackEvent,
)

ENDING_CREATE = create(properties(StopOn=EVERY))
PROMOTION = update(promoting())
TEARDOWN = delete()
ORDERS = {"create": ENDING_CREATE, "update": PROMOTION, "delete": TEARDOWN}
orders = pytest.mark.parametrize("s", ORDERS.values(), ids=ORDERS.keys())
changes = pytest.mark.parametrize("s", [ENDING_CREATE, PROMOTION], ids=["create", "update"])

UNDONE = {
    RequestType.CREATE: Row.CREATE_UNDONE,
    RequestType.UPDATE: Row.UPDATE_UNDONE,
    RequestType.DELETE: Row.DELETE_UNDONE,
}


def may(s: Situation) -> Answer:
    assert s.stacks is not None
    history = History(s.request, s.stacks, s.issued_at, s.is_past_doubt)
    return check_permission(s, history).answer


def with_event(s: Situation, event: StackEvent, after: float = 5.0) -> Situation:
    """The same with one event more, so many seconds after the request."""
    assert s.stacks is not None
    events = s.stacks[0].events
    assert isinstance(events, Events)
    newest = replace(event, at=ISSUED + after)
    return with_stack(s, events=replace(events, newest_first=(newest, *events.newest_first)))


def without_own_event(s: Situation) -> Situation:
    assert s.stacks is not None
    events = s.stacks[0].events
    assert isinstance(events, Events)
    return with_stack(s, events=replace(events, newest_first=events.newest_first[1:]))


def refuses(s: Situation) -> tuple[Verb, bool]:
    """What is answered if there is no Stop: only a teardown goes on, with a warning."""
    return (Verb.SUCCEED if s.request.type is RequestType.DELETE else Verb.FAIL), True


def is_doubted(s: Situation, row: Row) -> None:
    """Looked at again for a minute, in the same invocation; then nothing is stopped."""
    decision = decided(s)
    assert (decision.verb, decision.row) == (Verb.WAIT, row)
    assert (decision.in_doubt, decision.stays) == (True, True)
    decision = decided(late(s))
    assert ((decision.verb, decision.warn), decision.row) == (refuses(s), row)
    almost = replace(s.progress, in_doubt_since=s.now - 59)
    assert decided(replace(s, progress=almost)).verb is Verb.WAIT


@orders
def test_allowed(s: Situation) -> None:
    assert may(s) is Answer.ALLOWED
    assert decided(s).verb is Verb.STOP


class TestClosed:
    """Lambda delivers more than once: a duplicate after the answer."""

    @orders
    def test_by_success_nothing_is_answered(self, s: Situation) -> None:
        again = with_event(s, R(f"{s.request.type.value.upper()}_COMPLETE"))
        assert may(again) is Answer.CLOSED_COMPLETE
        assert answer(again) == (Verb.LEAVE, Row.CLOSED)

    @orders
    def test_by_failure_it_fails(self, s: Situation) -> None:
        """The answer, or a cancellation: CancelUpdateStack tells the running request nothing."""
        again = with_event(s, R(f"{s.request.type.value.upper()}_FAILED"))
        assert may(again) is Answer.CLOSED_FAILED
        assert answer(again) == (Verb.FAIL, Row.CLOSED)

    @pytest.mark.parametrize(
        ("now", "expected"),
        [(9.5, (Verb.WAIT, Row.CLOSED)), (10.0, (Verb.LEAVE, Row.CLOSED))],
    )
    def test_younger_than_10_seconds_it_is_looked_at_again(self, now: float, expected: Any) -> None:
        """It may be the last word of the request before: this one's own event may not show yet."""
        again = with_event(PROMOTION, R("UPDATE_COMPLETE"), after=0.0)
        assert answer(replace(again, now=ISSUED + now)) == expected

    def test_an_older_word_is_none(self) -> None:
        """The X-Amz-Date is cut to whole seconds, so nothing older can be the answer."""
        before = with_event(without_own_event(PROMOTION), R("UPDATE_COMPLETE"), after=-0.1)
        assert may(before) is Answer.UNCLEAR

    def test_another_kinds_word_is_none(self) -> None:
        assert may(with_event(TEARDOWN, R("UPDATE_COMPLETE"))) is Answer.UNCLEAR
        assert may(with_event(TEARDOWN, X("DELETE_COMPLETE"))) is Answer.ALLOWED
        assert may(with_event(TEARDOWN, hooked(R("DELETE_COMPLETE")))) is Answer.ALLOWED

    def test_comes_before_everything_else(self) -> None:
        answered = with_event(
            with_event(PROMOTION, R("UPDATE_COMPLETE")), S("UPDATE_IN_PROGRESS"), 9
        )
        rolled_back = with_stack(answered, status="UPDATE_ROLLBACK_IN_PROGRESS")
        assert answer(rolled_back) == (Verb.LEAVE, Row.CLOSED)


class TestOvertaken:
    @orders
    @pytest.mark.parametrize(("after", "is_overtaken"), [(5.0, False), (5.5, True)])
    def test_by_an_operation_that_began_5_seconds_later(
        self, s: Situation, after: float, is_overtaken: bool
    ) -> None:
        later = with_event(s, S("UPDATE_IN_PROGRESS"), after)
        assert (may(later) is Answer.OVERTAKEN) is is_overtaken
        if is_overtaken:
            assert answer(later) == (Verb.FAIL, Row.OVERTAKEN)

    def test_by_the_stacks_own_events_not_the_roots(self) -> None:
        begun = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE"), S("UPDATE_IN_PROGRESS")
        events = [replace(event, physical_id=ROOT) for event in begun]
        events[-1] = replace(events[-1], at=ISSUED + 60)
        assert may(nested(PROMOTION, root_events=events)) is not Answer.OVERTAKEN

    def test_not_by_a_rollback_of_its_own_operation(self) -> None:
        undone = with_event(PROMOTION, S("UPDATE_ROLLBACK_IN_PROGRESS"), 60)
        assert may(undone) is Answer.UNDO

    def test_comes_before_an_undo(self) -> None:
        later = with_event(PROMOTION, S("UPDATE_IN_PROGRESS"), 60)
        rolled_back = with_stack(later, status="UPDATE_ROLLBACK_IN_PROGRESS")
        assert answer(rolled_back) == (Verb.FAIL, Row.OVERTAKEN)


class TestUndo:
    @orders
    @pytest.mark.parametrize("status", ROLLBACKS)
    def test_by_the_status_or_by_the_newest_event_of_the_stack(
        self, s: Situation, status: str
    ) -> None:
        row = UNDONE[s.request.type]
        assert answer(with_stack(s, status=status)) == (Verb.SUCCEED, row)
        assert answer(with_event(s, S(status))) == (Verb.SUCCEED, row)

    @orders
    @pytest.mark.parametrize("above", ["middle", "root"])
    def test_by_the_status_of_an_ancestor(self, s: Situation, above: str) -> None:
        for status in ROLLBACKS:
            facts: dict[str, Any] = {above: status}
            inner = nested(s, **facts)
            assert answer(inner) == (Verb.SUCCEED, UNDONE[s.request.type])

    def test_not_by_the_events_of_an_ancestor(self) -> None:
        """Only DescribeStacks says so of an ancestor."""
        past = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE")
        undone = S("UPDATE_IN_PROGRESS"), S("UPDATE_ROLLBACK_IN_PROGRESS")
        events = [replace(event, physical_id=MIDDLE) for event in (*past, *undone)]
        assert may(nested(PROMOTION, middle_events=events)) is not Answer.UNDO

    @changes
    def test_by_a_deletion_of_the_stack_or_of_an_ancestor(self, s: Situation) -> None:
        row = UNDONE[s.request.type]
        assert answer(with_stack(s, status="DELETE_IN_PROGRESS")) == (Verb.SUCCEED, row)
        assert answer(nested(s, root="DELETE_IN_PROGRESS")) == (Verb.SUCCEED, row)
        began = S("DELETE_IN_PROGRESS")
        assert answer(with_event(s, began, 3)) == (Verb.SUCCEED, row)

    def test_a_rollback_that_has_ended_is_none(self) -> None:
        for status in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"):
            assert may(with_stack(PROMOTION, status=status)) is Answer.UNCLEAR

    @pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", CLEANUP, "UPDATE_IN_PROGRESS"])
    def test_of_what_was_never_deployed_whoever_deletes_it(self, status: str) -> None:
        """OnFailure, RollbackStack, StackSets, `cdk destroy`: of a creation that failed."""
        failed = delete(past=(*created()[:-1], S("CREATE_FAILED")))
        assert answer(with_stack(failed, status=status)) == (Verb.SUCCEED, Row.DELETE_UNDONE)

    def test_of_a_construct_that_a_failed_update_added(self) -> None:
        added = R("CREATE_IN_PROGRESS", properties()), R("CREATE_COMPLETE", properties())
        past = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE"), S("UPDATE_IN_PROGRESS"), *added
        assert order_of(delete(past=(*past, S("UPDATE_FAILED")))) is Row.DELETE_UNDONE
        assert order_of(delete(past=(*past, S("UPDATE_COMPLETE")))) is Row.DELETE_ENDS

    def test_never_deployed_counts_only_where_the_requests_own_event_is_present(self) -> None:
        """Without it the events may not show yet that the stack was complete."""
        past = *created()[:-1], S("CREATE_FAILED")
        unseen = without_own_event(delete(past=past))
        assert answer(unseen) == (Verb.WAIT, Row.UNCLEAR)

    @orders
    @pytest.mark.parametrize("kind", list(Kind))
    def test_decides_alone_whatever_else_is_not_readable(self, s: Situation, kind: Kind) -> None:
        row = UNDONE[s.request.type]
        rolled_back = with_stack(s, status="UPDATE_ROLLBACK_IN_PROGRESS")
        assert answer(with_stack(rolled_back, events=away(kind))) == (Verb.SUCCEED, row)
        shown = with_stack(with_event(s, S("ROLLBACK_IN_PROGRESS")), description=away(kind))
        assert answer(shown) == (Verb.SUCCEED, row)

    def test_comes_before_doomed(self) -> None:
        failed = with_event(PROMOTION, X("UPDATE_FAILED"))
        assert may(failed) is Answer.DOOMED
        assert may(with_stack(failed, status="UPDATE_ROLLBACK_IN_PROGRESS")) is Answer.UNDO


class TestDoomed:
    @changes
    @pytest.mark.parametrize("status", ["CREATE_FAILED", "UPDATE_FAILED"])
    def test_by_any_resource_of_the_stack_in_this_operation(
        self, s: Situation, status: str
    ) -> None:
        failed = with_event(s, X(status))
        is_doubted(failed, Row.DOOMED)
        assert order_of(failed) in (Row.CREATE_ENDS, Row.UPDATE_CHANGED)

    def test_by_its_own_failure_earlier_in_this_operation(self) -> None:
        """Express: old and new exchanged, inside the same update, without a rollback."""
        tried = R("UPDATE_IN_PROGRESS", properties()), R("UPDATE_FAILED", properties())
        past = *created(), S("UPDATE_IN_PROGRESS"), *tried
        own = R("UPDATE_IN_PROGRESS", promoting())
        asked = update(promoting(), stacks=(stack(*past, own),))
        assert may(asked) is Answer.DOOMED

    @pytest.mark.parametrize("above", ["middle_events", "root_events"])
    def test_by_a_resource_of_an_ancestor(self, above: str) -> None:
        past = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE"), S("UPDATE_IN_PROGRESS")
        own = MIDDLE if above == "middle_events" else ROOT
        events = [replace(event, physical_id=own) for event in past]
        facts: dict[str, Any] = {above: [*events, X("UPDATE_FAILED")]}
        assert may(nested(PROMOTION, **facts)) is Answer.DOOMED

    def test_not_by_what_failed_in_an_earlier_operation(self) -> None:
        past = *created(), S("UPDATE_IN_PROGRESS"), X("UPDATE_FAILED"), S("UPDATE_FAILED")
        assert may(update(promoting(), past=past)) is Answer.ALLOWED

    @pytest.mark.parametrize("ended", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"])
    def test_not_by_what_failed_in_the_last_operation_of_an_ancestor_that_is_at_rest(
        self, ended: str
    ) -> None:
        """A nested stack that is operated directly: there is nothing to fix in its root."""
        past = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE"), S("UPDATE_IN_PROGRESS")
        failed = *past, X("UPDATE_FAILED"), S(ended)
        root = stack(
            *(replace(e, physical_id=ROOT) if e.logical_id != "Other" else e for e in failed),
            last=ISSUED - 600,
        )
        assert not isinstance(root.events, NotReadable)
        alone = nested(PROMOTION, root=ended, root_events=root.events.newest_first[::-1])
        is_doubted(alone, Row.UNCLEAR)
        assert "parent of this nested stack is not being deployed" in decided(late(alone)).why

    def test_by_what_failed_in_an_operation_that_ended_after_the_request(self) -> None:
        own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting(), at=ISSUED)
        events = stack(*created(), *own, X("UPDATE_FAILED"), S("UPDATE_FAILED"), last=ISSUED + 5)
        assert may(update(promoting(), stacks=(events,))) is Answer.DOOMED

    def test_not_by_what_a_hook_says(self) -> None:
        assert may(with_event(PROMOTION, hooked(X("UPDATE_FAILED")))) is Answer.ALLOWED

    def test_a_delete_is_never_doomed(self) -> None:
        assert may(with_event(TEARDOWN, X("UPDATE_FAILED"))) is Answer.ALLOWED

    def test_an_update_that_orders_nothing_waits_for_a_stop_under_way(self) -> None:
        for seen in (experiment("Stopping"), experiment("Completed", endpoint_status="Updating")):
            nothing = with_event(update(properties(), seen=seen), X("UPDATE_FAILED"))
            assert answer(nothing) == (Verb.WAIT, Row.UPDATE_UNCHANGED)
            assert answer(at_deadline(nothing)) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)
        for seen in (experiment(), experiment("Completed")):
            nothing = with_event(update(properties(), seen=seen), X("UPDATE_FAILED"))
            assert answer(nothing) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)
        assert decided(update(properties(), seen=experiment("Stopping"))).verb is Verb.SUCCEED

    def test_without_the_requests_own_event_nothing_of_its_history_is_decided(self) -> None:
        is_doubted(
            with_event(without_own_event(update(properties())), X("UPDATE_FAILED")), Row.DOOMED
        )

    def test_an_arming_succeeds(self) -> None:
        assert decided(with_event(create(), X("CREATE_FAILED"))).verb is Verb.SUCCEED

    def test_comes_before_what_is_unclear_or_not_readable(self) -> None:
        failed = with_event(PROMOTION, X("UPDATE_FAILED"))
        assert may(with_stack(failed, status="UPDATE_COMPLETE")) is Answer.DOOMED
        assert may(with_stack(failed, description=away(Kind.DENIED))) is Answer.DOOMED


class TestUnclear:
    @orders
    @pytest.mark.parametrize(
        "status",
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "IMPORT_IN_PROGRESS", "NEWER"],
    )
    def test_a_stack_at_rest_or_in_another_status(self, s: Situation, status: str) -> None:
        resting = with_stack(s, status=status)
        is_doubted(resting, Row.UNCLEAR)
        assert f"the stack is in {status}" in decided(late(resting)).why

    @pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", CLEANUP])
    def test_a_delete_is_expected_in_a_deletion_or_a_clean_up(self, status: str) -> None:
        assert may(with_stack(TEARDOWN, status=status)) is Answer.ALLOWED

    @pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"])
    def test_a_delete_is_not_expected_in_an_update(self, status: str) -> None:
        is_doubted(with_stack(TEARDOWN, status=status), Row.UNCLEAR)

    def test_a_delete_while_an_ancestor_is_updated(self) -> None:
        """The nested stack's clean-up may begin before its root has said that it succeeded."""
        for above in ({"middle": "UPDATE_IN_PROGRESS"}, {"root": "UPDATE_IN_PROGRESS"}):
            statuses: dict[str, Any] = {"middle": CLEANUP, "root": CLEANUP, **above}
            is_doubted(nested(TEARDOWN, **statuses), Row.UNCLEAR)
        assert may(nested(TEARDOWN, middle=CLEANUP, root=CLEANUP)) is Answer.ALLOWED

    @pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"])
    def test_an_update_is_expected_in_an_update_or_a_creation(self, status: str) -> None:
        assert may(with_stack(PROMOTION, status=status)) is Answer.ALLOWED
        assert may(nested(PROMOTION, middle=status, root=status)) is Answer.ALLOWED

    def test_an_update_is_not_expected_in_a_clean_up(self) -> None:
        is_doubted(with_stack(PROMOTION, status=CLEANUP), Row.UNCLEAR)

    @pytest.mark.parametrize("above", ["middle", "root"])
    @pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_FAILED"])
    @orders
    def test_an_ancestor_at_rest(self, s: Situation, status: str, above: str) -> None:
        """A nested stack that is operated directly."""
        expected: dict[str, Any] = {"middle": CLEANUP, "root": CLEANUP} if s is TEARDOWN else {}
        alone = nested(s, **{**expected, above: status})
        is_doubted(alone, Row.UNCLEAR)
        assert "parent of this nested stack is not being deployed" in decided(late(alone)).why

    @orders
    def test_the_requests_own_event_is_missing(self, s: Situation) -> None:
        is_doubted(without_own_event(s), Row.UNCLEAR)
        assert "do not show this request" in decided(late(without_own_event(s))).why

    def test_after_a_minute_an_older_event_counts(self) -> None:
        own = R("UPDATE_IN_PROGRESS", promoting(), at=ISSUED - 4)
        early = update(promoting(), stacks=(stack(*created(), S("UPDATE_IN_PROGRESS"), own),))
        assert answer(early) == (Verb.WAIT, Row.UNCLEAR)
        assert decided(late(early)).verb is Verb.STOP

    @pytest.mark.parametrize(
        "s",
        [
            create(),
            update(properties(Reason="other words")),
            update(promoting(StopOn=["Delete"])),
            delete(properties(StopOn=["Update"])),
        ],
        ids=["arm", "unchanged", "changed, not in StopOn", "delete, not in StopOn"],
    )
    def test_is_asked_only_where_the_tables_say_end(self, s: Situation) -> None:
        resting = with_stack(s, status="UPDATE_COMPLETE")
        assert may(resting) is Answer.UNCLEAR
        assert decided(resting).verb is Verb.SUCCEED

    def test_is_asked_where_they_could_say_end_with_what_is_not_known(self) -> None:
        """The deployed declaration is not known without the request's own event."""
        is_doubted(without_own_event(update(properties())), Row.UNCLEAR)
        harmless = without_own_event(update(properties(StopOn=["Delete"])))
        assert answer(late(harmless)) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)
        assert decided(late(harmless)).warn
        for left in ({"EndNow": "true", "StopOn": ["Delete"]}, {"StopOn": ["Create"]}):
            is_doubted(without_own_event(update(properties(**left))), Row.UNCLEAR)
        is_doubted(without_own_event(delete(properties(StopOn=["Update"]))), Row.UNCLEAR)


class TestNotReadable:
    @orders
    @pytest.mark.parametrize("kind", [Kind.DENIED, Kind.REFUSED])
    @pytest.mark.parametrize("fact", ["description", "events"])
    def test_what_is_refused_is_doubted(self, s: Situation, kind: Kind, fact: str) -> None:
        is_doubted(with_stack(s, **{fact: away(kind)}), Row.NOT_READABLE)

    @orders
    @pytest.mark.parametrize("level", [0, 1, 2])
    @pytest.mark.parametrize("fact", ["description", "events"])
    def test_an_ancestor_that_is_refused_is_doubted(
        self, s: Situation, level: int, fact: str
    ) -> None:
        expected: dict[str, Any] = {"middle": CLEANUP, "root": CLEANUP} if s is TEARDOWN else {}
        stacks = [*(nested(s, **expected).stacks or ())]
        facts: dict[str, Any] = {fact: away(Kind.DENIED)}
        stacks[level] = replace(stacks[level], **facts)
        is_doubted(replace(s, stacks=tuple(stacks)), Row.NOT_READABLE)

    @orders
    @pytest.mark.parametrize("fact", ["description", "events"])
    def test_throttling_and_timeouts_are_no_answer_up_to_the_deadline(
        self, s: Situation, fact: str
    ) -> None:
        throttled = with_stack(s, **{fact: away(Kind.TRANSIENT)})
        for look in (throttled, late(throttled)):
            decision = decided(look)
            assert (decision.verb, decision.row) == (Verb.WAIT, Row.NOT_READABLE)
            assert not decision.in_doubt
        decision = decided(at_deadline(throttled))
        assert (decision.verb, decision.warn) == refuses(s)

    def test_an_unfinished_look_is_no_answer_and_goes_on_in_the_same_invocation(self) -> None:
        own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting())
        unfinished = update(promoting(), stacks=(stack(*own, is_whole=False),))
        for look in (unfinished, late(unfinished)):
            decision = decided(look)
            assert (decision.verb, decision.row) == (Verb.WAIT, Row.NOT_READABLE)
            assert (decision.in_doubt, decision.stays) == (False, True)
        assert decided(at_deadline(unfinished)).verb is Verb.FAIL

    def test_the_base_is_gone(self) -> None:
        own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting())
        is_doubted(update(promoting(), stacks=(stack(*own),)), Row.NOT_READABLE)

    def test_the_properties_that_decide_are_masked(self) -> None:
        masked = created(properties(Reason="****"))
        failed = R("UPDATE_IN_PROGRESS", promoting()), R("UPDATE_FAILED", promoting())
        past = *masked, S("UPDATE_IN_PROGRESS"), *failed, S("UPDATE_FAILED")
        is_doubted(update(promoting(), past=past), Row.NOT_READABLE)
        is_doubted(delete(past=past), Row.NOT_READABLE)

    def test_what_was_tried_is_masked(self) -> None:
        tried = updated(promoting(Reason="****"), ends="UPDATE_FAILED")
        is_doubted(update(promoting(), past=(*created(), *tried)), Row.NOT_READABLE)
        is_doubted(delete(past=(*created(), *tried)), Row.NOT_READABLE)

    def test_it_does_not_matter_where_nothing_could_be_an_end(self) -> None:
        own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting())
        harmless = update(promoting(StopOn=["Delete"]), past=own)
        assert answer(late(harmless)) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)

    @pytest.mark.parametrize("new", [properties(), properties(StopOn=EVERY)])
    @pytest.mark.parametrize("fact", ["description", "events"])
    def test_a_denial_fails_the_arming_not_the_verdict(self, new: Any, fact: str) -> None:
        unread = denied(description=fact == "description", events=fact == "events")
        is_doubted(create(new, stacks=(unread,)), Row.NOT_READABLE)

    def test_both_reads_denied(self) -> None:
        """Every update and its undo fail, which nobody can tell apart; a teardown goes on."""
        unread = (denied(),)
        is_doubted(create(stacks=unread), Row.NOT_READABLE)
        for new in (properties(), promoting(), properties(StopOn=["Delete"])):
            is_doubted(update(new, stacks=unread), Row.NOT_READABLE)
        is_doubted(delete(stacks=unread), Row.NOT_READABLE)


class TestIsAskedOfEveryCreateAndUpdate:
    """*Closed*, *overtaken* and *undo*, also where nothing would be ended, or the answer fails."""

    EVERY_ORDER = (
        create(),
        create(properties(EndNow="true")),
        create({"Name": "fraud-shadow"}),
        create(seen=None),
        update(properties()),
        update(promoting(StopOn=["Delete"])),
        update({"Name": "fraud-shadow"}),
        update(promoting(Newer="property")),
        update(promoting(), seen=None),
        update(promoting(), seen=away(Kind.REFUSED)),
        update(outcome("PromoteShadow"), seen=experiment(shadows=())),
    )

    @pytest.mark.parametrize("s", EVERY_ORDER)
    def test_undo(self, s: Situation) -> None:
        """A newer release's unknown properties never keep an undo from its answer."""
        rolled_back = with_stack(s, status="UPDATE_ROLLBACK_IN_PROGRESS")
        assert answer(rolled_back) == (Verb.SUCCEED, UNDONE[s.request.type])

    @pytest.mark.parametrize("s", EVERY_ORDER)
    def test_overtaken(self, s: Situation) -> None:
        assert answer(with_event(s, S("UPDATE_IN_PROGRESS"), 60)) == (Verb.FAIL, Row.OVERTAKEN)

    @pytest.mark.parametrize("s", EVERY_ORDER)
    def test_closed(self, s: Situation) -> None:
        again = with_event(s, R(f"{s.request.type.value.upper()}_COMPLETE"))
        assert answer(again) == (Verb.LEAVE, Row.CLOSED)


def test_doubt_ends_at_the_deadline_too() -> None:
    resting = with_stack(PROMOTION, status="UPDATE_COMPLETE")
    young = replace(resting.progress, in_doubt_since=DEADLINE - 1)
    assert decided(replace(at_deadline(resting), progress=young)).verb is Verb.FAIL


def test_a_request_without_a_date_is_as_old_as_its_first_delivery() -> None:
    asked = request("Update", promoting(), properties(), issued_at=None)
    own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting())
    assert may(situation(asked, (stack(*created(), *own),))) is Answer.ALLOWED
    later = stack(*created(), *own, S("UPDATE_IN_PROGRESS"), last=ISSUED + 6)
    assert may(situation(asked, (later,))) is Answer.OVERTAKEN


def test_a_request_is_as_old_as_its_date_however_late_it_is_delivered() -> None:
    asked = request("Update", promoting(), properties())
    own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting())
    s = situation(asked, (stack(*created(), *own),))
    assert replace(s, progress=replace(s.progress, started_at=ISSUED + 600)).issued_at == ISSUED


def test_the_clean_up_of_an_update_is_no_undo() -> None:
    assert may(clean_up()) is Answer.ALLOWED
