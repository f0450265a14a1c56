"""What a stack's events say: operations, the base, what is deployed. Contract, section 3.2."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.recordings import NAMES, Event, Recording, load
from tests.recordings.expected import (
    BEFORE,
    COMPLETIONS,
    NOTHING,
    OPERATIONS,
    REQUEST,
    REQUESTS,
    UNDER_A_ROLLBACK,
)
from tests.recordings.expected import Request as Recorded
from tests.unit.situations import (
    CLEANUP,
    ISSUED,
    MIDDLE,
    ROOT,
    STACK,
    Properties,
    R,
    S,
    X,
    away,
    created,
    declared,
    hooked,
    played,
    promoting,
    properties,
    request,
    rolled_back,
    stack,
    updated,
)

from cdk_stop_inference_experiment_handler.lifecycle.history import (
    OLDER_EVENTS,
    AsCreate,
    History,
    OperationOutcome,
    OwnEvent,
    operations,
)
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Description,
    Events,
    Kind,
    NotReadable,
    Stack,
    StackEvent,
)

KEPT, PROMOTED, BOTH = properties(), promoting(), properties(DesiredState="Cancelled")
"""Three declarations that end the experiment in different ways."""

UPDATING = (S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", PROMOTED))


def of_update(
    *events: StackEvent, new: Properties = PROMOTED, old: Properties = KEPT, **facts: Any
) -> History:
    """The history of an Update whose own event, if it is given, is the last one."""
    return History(request("Update", new, old), (stack(*events),), ISSUED, **facts)


def of_delete(*events: StackEvent, new: Properties = KEPT) -> History:
    return History(request("Delete", new), (stack(*events),), ISSUED)


def outcomes(*events: StackEvent) -> list[tuple[str, OperationOutcome]]:
    found = operations(played(*events), STACK)
    return [(operation.status.partition("_")[0], operation.outcome) for operation in found]


def is_unread(seen: object, why: str = "") -> bool:
    assert isinstance(seen, NotReadable), seen
    return seen.kind is Kind.REFUSED and why in seen.why


class TestOperations:
    @pytest.mark.parametrize("kind", ["CREATE", "UPDATE", "DELETE", "IMPORT"])
    def test_begin_with_an_event_of_the_stack_itself(self, kind: str) -> None:
        begun = S(f"{kind}_IN_PROGRESS")
        assert outcomes(*created(), begun) == [
            ("CREATE", OperationOutcome.SUCCEEDED),
            (kind, OperationOutcome.UNDER_WAY),
        ]
        assert len(outcomes(*created(), X(f"{kind}_IN_PROGRESS"))) == 1

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("CREATE_COMPLETE", OperationOutcome.SUCCEEDED),
            (CLEANUP, OperationOutcome.SUCCEEDED),
            ("UPDATE_COMPLETE", OperationOutcome.SUCCEEDED),
            ("IMPORT_COMPLETE", OperationOutcome.SUCCEEDED),
            ("ROLLBACK_COMPLETE", OperationOutcome.UNDONE),
            ("UPDATE_ROLLBACK_COMPLETE", OperationOutcome.UNDONE),
            ("IMPORT_ROLLBACK_COMPLETE", OperationOutcome.UNDONE),
            ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", OperationOutcome.UNDONE),
            ("CREATE_FAILED", OperationOutcome.BROKEN),
            ("UPDATE_FAILED", OperationOutcome.BROKEN),
            ("DELETE_FAILED", OperationOutcome.BROKEN),
            ("ROLLBACK_FAILED", OperationOutcome.BROKEN),
            ("UPDATE_ROLLBACK_FAILED", OperationOutcome.BROKEN),
            ("UPDATE_ROLLBACK_IN_PROGRESS", OperationOutcome.BROKEN),
        ],
    )
    def test_end_as_their_stack_said_last(self, status: str, outcome: OperationOutcome) -> None:
        told = outcomes(S("UPDATE_IN_PROGRESS"), S(status), S("UPDATE_IN_PROGRESS"))
        assert told == [("UPDATE", outcome), ("UPDATE", OperationOutcome.UNDER_WAY)]

    def test_an_older_one_without_a_last_word_is_broken(self) -> None:
        told = outcomes(S("UPDATE_IN_PROGRESS"), S("UPDATE_IN_PROGRESS"))
        assert told[0] == ("UPDATE", OperationOutcome.BROKEN)

    @pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS"])
    def test_the_newest_one_is_under_way_while_its_last_word_is_in_progress(
        self, status: str
    ) -> None:
        assert outcomes(S("UPDATE_IN_PROGRESS"), S(status))[-1][1] is OperationOutcome.UNDER_WAY

    @pytest.mark.parametrize(
        "undo",
        [
            ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
            # Continued, or forced, after it failed.
            (
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "UPDATE_ROLLBACK_FAILED",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                "UPDATE_ROLLBACK_COMPLETE",
            ),
            # Ordered by RollbackStack after the update was left as it failed.
            ("UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ],
        ids=["at once", "continued", "ordered later"],
    )
    def test_a_rollback_belongs_to_the_operation_that_it_undoes(self, undo: tuple[str]) -> None:
        assert outcomes(S("UPDATE_IN_PROGRESS"), *map(S, undo)) == [
            ("UPDATE", OperationOutcome.UNDONE)
        ]

    def test_a_rollback_undoes_the_broken_ones_before_its_own(self) -> None:
        """RollbackStack goes back to the last stable state, over two updates that failed."""
        broken = S("UPDATE_IN_PROGRESS"), S("UPDATE_FAILED")
        undone = S("UPDATE_ROLLBACK_IN_PROGRESS"), S("UPDATE_ROLLBACK_COMPLETE")
        assert [outcome for _, outcome in outcomes(*broken, *created(), *broken, *broken)] == [
            OperationOutcome.BROKEN,
            OperationOutcome.SUCCEEDED,
            OperationOutcome.BROKEN,
            OperationOutcome.BROKEN,
        ]
        told = outcomes(*broken, *created(), *broken, *broken, *undone, *broken)
        assert [outcome for _, outcome in told] == [
            OperationOutcome.BROKEN,
            OperationOutcome.SUCCEEDED,
            OperationOutcome.UNDONE,
            OperationOutcome.UNDONE,
            OperationOutcome.BROKEN,
        ]


class TestOwnEvent:
    """The request's own event: without it the history may be older than the request."""

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("Create", "CREATE_IN_PROGRESS"),
            ("Update", "UPDATE_IN_PROGRESS"),
            ("Delete", "DELETE_IN_PROGRESS"),
        ],
    )
    def test_is_an_in_progress_of_the_requests_kind(self, kind: str, status: str) -> None:
        for other in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            read = stack(*created(), S("UPDATE_IN_PROGRESS"), R(other))
            history = History(request(kind, KEPT), (read,), ISSUED)
            expected = OwnEvent.PRESENT if other == status else OwnEvent.MISSING
            assert history.own_event is expected

    def test_is_the_newest_event_of_the_resource(self) -> None:
        own = R("UPDATE_IN_PROGRESS", PROMOTED, at=ISSUED)
        assert of_update(own, X("UPDATE_IN_PROGRESS")).own_event is OwnEvent.PRESENT
        assert of_update(*UPDATING, R("UPDATE_COMPLETE")).own_event is OwnEvent.MISSING
        assert of_update(*UPDATING, R("UPDATE_FAILED")).own_event is OwnEvent.MISSING
        assert of_update(S("UPDATE_IN_PROGRESS")).own_event is OwnEvent.MISSING

    def test_is_not_one_that_a_hook_wrote(self) -> None:
        """A hook writes *_IN_PROGRESS of a resource, before and after the resource's own."""
        history = of_update(*UPDATING[:1], hooked(R("UPDATE_IN_PROGRESS", PROMOTED)))
        assert history.own_event is OwnEvent.MISSING
        own = R("UPDATE_IN_PROGRESS", PROMOTED, at=ISSUED)
        assert of_update(own, hooked(R("UPDATE_COMPLETE"))).own_event is OwnEvent.PRESENT

    def test_is_not_one_of_a_stack_that_has_the_resources_name(self) -> None:
        own = R("UPDATE_IN_PROGRESS", PROMOTED, at=ISSUED)
        same_name = replace(S("UPDATE_COMPLETE"), logical_id="Stop")
        assert of_update(own, same_name).own_event is OwnEvent.PRESENT

    @pytest.mark.parametrize(("before", "is_own"), [(3.0, True), (3.5, False)])
    def test_is_at_most_3_seconds_older_than_the_request(self, before: float, is_own: bool) -> None:
        early = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", PROMOTED, at=ISSUED - before)
        expected = OwnEvent.PRESENT if is_own else OwnEvent.MISSING
        assert of_update(*created(), *early).own_event is expected

    def test_after_a_minute_an_older_one_counts(self) -> None:
        early = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", PROMOTED, at=ISSUED - 100)
        assert of_update(*early, is_past_doubt=True).own_event is OwnEvent.PRESENT
        assert of_update(*early[:1], is_past_doubt=True).own_event is OwnEvent.MISSING

    @pytest.mark.parametrize("text", [json.dumps(KEPT), "{", "[]", '{"Name": "****"}'])
    def test_has_the_requests_declaration_or_counts_as_masked_after_a_minute(
        self, text: str
    ) -> None:
        """A failed update and its undo may be seconds apart."""
        events = *created(), S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", text)
        assert of_update(*events).own_event is OwnEvent.MISSING
        late = of_update(*events, is_past_doubt=True)
        assert late.own_event is OwnEvent.MASKED

    def test_is_no_older_one_with_other_properties(self) -> None:
        """It is that of an update which failed, if its undo's own event is late."""
        early = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", KEPT, at=ISSUED - 100)
        assert of_update(*created(), *early, is_past_doubt=True).own_event is OwnEvent.MISSING

    @pytest.mark.parametrize(
        "shown",
        [
            "",
            promoting(ServiceToken="another", ServiceTimeout=60),
            promoting(Reason="****"),
            {"ModelVariantActions": "****", "Name": "****", "Reason": "v2"},
        ],
    )
    def test_may_be_masked_or_have_no_properties(self, shown: Any) -> None:
        given = shown if shown == "" else json.dumps(shown)
        history = of_update(*UPDATING[:1], R("UPDATE_IN_PROGRESS", given), new=PROMOTED)
        reworded = of_update(
            *UPDATING[:1], R("UPDATE_IN_PROGRESS", given), new=promoting(Reason="v2")
        )
        assert OwnEvent.PRESENT in (history.own_event, reworded.own_event)


class TestCompletions:
    def completed(self, *events: StackEvent) -> int:
        return len(of_update(*events, *UPDATING).completions)

    def test_follow_their_own_in_progress_directly(self) -> None:
        assert self.completed(*created()) == 1
        assert self.completed(*created(), *updated(PROMOTED)) == 2
        assert self.completed(R("UPDATE_IN_PROGRESS"), X("UPDATE_COMPLETE"), R("UPDATE_COMPLETE"))

    @pytest.mark.parametrize("between", ["UPDATE_FAILED", "UPDATE_COMPLETE", "DELETE_IN_PROGRESS"])
    def test_what_is_skipped_or_forced_completes_nothing(self, between: str) -> None:
        """ResourcesToSkip and ForceRollback write UPDATE_COMPLETE without any request."""
        skipped = R("UPDATE_IN_PROGRESS"), R(between), R("UPDATE_COMPLETE")
        assert self.completed(*skipped) == (between == "UPDATE_COMPLETE")
        assert self.completed(R("UPDATE_COMPLETE")) == 0

    def test_are_of_the_kind_that_was_in_progress(self) -> None:
        assert self.completed(R("CREATE_IN_PROGRESS"), R("UPDATE_COMPLETE")) == 0
        assert self.completed(R("DELETE_IN_PROGRESS"), R("DELETE_COMPLETE")) == 0

    def test_hooks_between_are_passed_over(self) -> None:
        hook = hooked(R("UPDATE_FAILED"))
        assert self.completed(R("UPDATE_IN_PROGRESS"), hook, R("UPDATE_COMPLETE")) == 1


class TestNeverDeployed:
    def test_without_a_base_from_the_stacks_first_event_on(self) -> None:
        failed = *created()[:-1], S("CREATE_FAILED")
        removed = S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", KEPT)
        assert of_delete(*failed, *removed).is_never_deployed is True
        assert of_delete(*created(), *removed).is_never_deployed is False
        reviewed = S("REVIEW_IN_PROGRESS"), *failed
        assert of_delete(*reviewed, *removed).is_never_deployed is True

    def test_nothing_is_deployed_then(self) -> None:
        """Nobody asks: its Delete is an undo, whoever deletes it."""
        empty = S("CREATE_IN_PROGRESS"), S("CREATE_FAILED"), S("DELETE_IN_PROGRESS")
        history = of_delete(*empty, R("DELETE_IN_PROGRESS", KEPT))
        assert history.is_never_deployed is True
        failed = *created()[:-1], S("CREATE_FAILED"), S("DELETE_IN_PROGRESS")
        assert is_unread(of_delete(*failed, R("DELETE_IN_PROGRESS", KEPT)).deployed)

    def test_without_a_base_and_without_that_event_it_is_not_readable(self) -> None:
        removed = S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", KEPT)
        assert is_unread(of_delete(*removed).is_never_deployed, "oldest events are gone")
        assert is_unread(of_delete(*removed).deployed, "oldest events are gone")

    def test_an_import_is_the_creation_of_a_stack_only_after_a_review(self) -> None:
        """Otherwise it changes a stack that exists, and whose older events are gone."""
        failed = S("IMPORT_IN_PROGRESS"), S("IMPORT_ROLLBACK_IN_PROGRESS")
        undone = *failed, S("IMPORT_ROLLBACK_COMPLETE")
        removed = S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", KEPT)
        assert is_unread(of_delete(*undone, *removed).is_never_deployed, "oldest events are gone")
        reviewed = S("REVIEW_IN_PROGRESS"), *undone
        assert of_delete(*reviewed, *removed).is_never_deployed is True

    def test_where_it_was_created_after_the_base(self) -> None:
        added = S("UPDATE_IN_PROGRESS"), R("CREATE_IN_PROGRESS", KEPT), R("CREATE_COMPLETE", KEPT)
        undo = S("UPDATE_ROLLBACK_IN_PROGRESS"), R("DELETE_IN_PROGRESS", KEPT)
        past = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE")
        assert of_delete(*past, *added, *undo).is_never_deployed is True
        kept = *past, *added, S("UPDATE_COMPLETE")
        gone = S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", KEPT)
        assert of_delete(*kept, *gone).is_never_deployed is False

    def test_a_hooks_event_creates_nothing(self) -> None:
        hook = hooked(R("CREATE_IN_PROGRESS", KEPT))
        assert of_update(*created(), hook, *UPDATING).is_never_deployed is False

    def test_a_stack_says_in_the_middle_that_its_configuration_is_complete(self) -> None:
        """CREATE_COMPLETE comes later, if at all: DetailedStatus CONFIGURATION_COMPLETE."""
        early = *created()[:-1], hooked(S("CREATE_COMPLETE")), S("CREATE_FAILED")
        history = of_delete(*early, S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", KEPT))
        assert history.base is None
        assert history.is_never_deployed is True


FAILED = (
    S("UPDATE_IN_PROGRESS"),
    R("UPDATE_IN_PROGRESS", PROMOTED),
    R("UPDATE_FAILED", PROMOTED),
    S("UPDATE_FAILED"),
)
"""The resource failed, with rollback disabled."""

LEFT = updated(PROMOTED, ends="UPDATE_FAILED")
"""The resource completed, something else failed, with rollback disabled."""


class TestDeployed:
    """``of_update`` compares with KEPT, which was created, and says that PROMOTED was before."""

    def deployed(self, *past: StackEvent, told: Properties = BOTH) -> Any:
        """What is deployed when an Update comes whose old properties are ``told``."""
        return of_update(*past, *UPDATING, old=told).deployed

    def test_the_request_says_it_where_nothing_happened_since_the_base(self) -> None:
        assert self.deployed(*created()) == declared(BOTH)
        assert self.deployed(*created(), *updated(PROMOTED)) == declared(BOTH)
        removed = S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", PROMOTED)
        assert of_delete(*created(), *removed, new=PROMOTED).deployed == declared(PROMOTED)

    def test_a_clean_up_is_still_the_operation_under_way(self) -> None:
        """It says already that it succeeded, but it is not the base."""
        begun = S("UPDATE_IN_PROGRESS"), S(CLEANUP), R("DELETE_IN_PROGRESS")
        assert of_delete(*created(), *LEFT, *begun, new=PROMOTED).deployed == declared(KEPT)

    def test_a_delete_that_is_tried_again_goes_by_what_the_request_says(self) -> None:
        """A failed clean-up is tried three times."""
        begun = S("UPDATE_IN_PROGRESS"), S(CLEANUP)
        tries = R("DELETE_IN_PROGRESS"), R("DELETE_FAILED"), R("DELETE_IN_PROGRESS")
        history = of_delete(*created(properties(Reason="****")), *begun, *tries)
        assert history.deployed == declared(KEPT)

    def test_what_the_request_says_may_not_be_a_declaration(self) -> None:
        assert is_unread(self.deployed(*created(), told={"Name": "fraud-shadow"}), "Outcome")
        lost = History(request("Update", PROMOTED), (stack(*created(), *UPDATING),), ISSUED)
        assert is_unread(lost.deployed, "no OldResourceProperties")

    def test_an_operation_without_the_resource_changes_nothing(self) -> None:
        others = S("UPDATE_IN_PROGRESS"), X("UPDATE_FAILED"), S("UPDATE_FAILED")
        assert self.deployed(*created(), *others) == declared(BOTH)

    def test_what_completed_in_a_creation_that_was_left_as_it_failed(self) -> None:
        """A first deployment without rollback: the next update is compared with what succeeded."""
        left = *created(KEPT)[:-1], S("CREATE_FAILED")
        assert self.deployed(*left) == declared(KEPT)
        again = *left, *updated(PROMOTED, ends="UPDATE_FAILED")
        assert self.deployed(*again) == declared(PROMOTED)

    def test_never_completed_makes_the_update_a_create(self) -> None:
        failed = S("CREATE_IN_PROGRESS"), R("CREATE_IN_PROGRESS"), R("CREATE_FAILED")
        assert self.deployed(*failed, S("CREATE_FAILED")) is AsCreate.AS_CREATE

    def test_what_completed_before_it_was_removed_is_another_resource(self) -> None:
        """An update added it and was rolled back; then it was added without rollback, and failed.

        Nobody knows whether an Update or a Create follows that. An Update is no order to end.
        """
        stack_alone = S("CREATE_IN_PROGRESS"), S("CREATE_COMPLETE")
        added = R("CREATE_IN_PROGRESS", KEPT, physical_id=""), *created(KEPT)[2:4]
        removed = R("DELETE_IN_PROGRESS", KEPT), R("DELETE_COMPLETE", KEPT)
        undone = (
            S("UPDATE_IN_PROGRESS"),
            *added,
            S("UPDATE_ROLLBACK_IN_PROGRESS"),
            *removed,
            S("UPDATE_ROLLBACK_COMPLETE"),
        )
        again = S("UPDATE_IN_PROGRESS"), R("CREATE_IN_PROGRESS", PROMOTED, physical_id="")
        failed = *again, R("CREATE_FAILED", PROMOTED), S("UPDATE_FAILED")
        assert self.deployed(*stack_alone, *undone, *failed) is AsCreate.AS_CREATE
        completed = *again, *created(PROMOTED)[2:4], S("UPDATE_FAILED")
        assert self.deployed(*stack_alone, *undone, *completed) == declared(PROMOTED)

    def test_masked_in_such_a_creation_it_is_not_readable(self) -> None:
        masked = properties(Reason="****")
        assert is_unread(self.deployed(*created(masked)[:-1], S("CREATE_FAILED")), "masked")

    def test_a_rollback_restored_it(self) -> None:
        past = *created(), *rolled_back(PROMOTED, KEPT)
        assert self.deployed(*past) == declared(KEPT)
        assert self.deployed(*past, *rolled_back(BOTH, PROMOTED)) == declared(PROMOTED)

    @pytest.mark.parametrize("text", ["", "{", json.dumps(properties(Reason="****"))])
    def test_after_an_ordinary_rollback_masked_properties_are_what_the_request_says(
        self, text: str
    ) -> None:
        restored = [
            replace(event, properties=text) if event.logical_id == "Stop" else event
            for event in rolled_back(PROMOTED, KEPT)
        ]
        assert self.deployed(*created(), *restored) == declared(BOTH)

    def test_in_a_rollback_what_completed_before_it_was_not_deployed(self) -> None:
        """This request is the undo: the base's completion is what is deployed."""
        undo = S("UPDATE_ROLLBACK_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", KEPT)
        history = of_update(*created(), *updated(PROMOTED)[:-1], *undo, new=KEPT, old=PROMOTED)
        assert history.deployed == declared(KEPT)

    @pytest.mark.parametrize(
        "undo",
        [
            # It failed.
            (R("UPDATE_IN_PROGRESS", KEPT), R("UPDATE_FAILED", KEPT), S("UPDATE_ROLLBACK_FAILED")),
            # It failed, and was skipped or forced: UPDATE_COMPLETE without a request.
            (
                R("UPDATE_IN_PROGRESS", KEPT),
                R("UPDATE_FAILED", KEPT),
                S("UPDATE_ROLLBACK_FAILED"),
                S("UPDATE_ROLLBACK_IN_PROGRESS"),
                R("UPDATE_COMPLETE", PROMOTED),
                S("UPDATE_ROLLBACK_COMPLETE"),
            ),
            # It never came.
            (S("UPDATE_ROLLBACK_FAILED"),),
            (S("UPDATE_ROLLBACK_COMPLETE"),),
        ],
        ids=["failed", "skipped", "never came, failed", "never came"],
    )
    def test_a_completion_whose_undo_did_not_complete_was_not_deployed(
        self, undo: tuple[StackEvent, ...]
    ) -> None:
        tried = updated(PROMOTED, ends="UPDATE_ROLLBACK_IN_PROGRESS")
        assert self.deployed(*created(), *tried, *undo) == declared(KEPT)

    def test_each_operation_must_have_restored_it(self) -> None:
        past = *created(), *rolled_back(PROMOTED, BOTH)
        assert self.deployed(*past, *FAILED) == declared(KEPT)
        assert self.deployed(*created(), *FAILED, *rolled_back(PROMOTED, BOTH)) == declared(KEPT)

    def test_a_failed_operation_without_rollback_deployed_nothing(self) -> None:
        assert self.deployed(*created(), *FAILED) == declared(KEPT)
        assert self.deployed(*created(), *LEFT) == declared(KEPT)

    def test_express_restores_the_failed_resource_within_the_same_update(self) -> None:
        """With old and new exchanged, no rollback: that completion does not count."""
        exchanged = R("UPDATE_IN_PROGRESS", BOTH), R("UPDATE_COMPLETE", BOTH)
        past = *created(), *FAILED[:-1], *exchanged, S("UPDATE_FAILED")
        assert self.deployed(*past) == declared(KEPT)
        undo = of_update(
            *created(), *FAILED[:-1], R("UPDATE_IN_PROGRESS", KEPT), new=KEPT, old=PROMOTED
        )
        assert undo.deployed == declared(KEPT)

    def test_rollback_stack_over_two_broken_operations_deploys_the_base(self) -> None:
        undo = S("UPDATE_ROLLBACK_IN_PROGRESS"), R("UPDATE_IN_PROGRESS"), R("UPDATE_FAILED")
        past = *created(), *LEFT, *updated(BOTH, ends="UPDATE_FAILED"), *undo
        assert self.deployed(*past, S("UPDATE_ROLLBACK_COMPLETE")) == declared(KEPT)
        restored = S("UPDATE_ROLLBACK_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", KEPT)
        history = of_update(*created(), *LEFT, *LEFT, *restored, new=KEPT, old=PROMOTED)
        assert history.deployed == declared(KEPT)

    def test_operations_that_were_undone_do_not_count_before_the_base_either(self) -> None:
        others = S("UPDATE_IN_PROGRESS"), S("UPDATE_COMPLETE")
        skipped = *updated(PROMOTED, ends="UPDATE_ROLLBACK_IN_PROGRESS"), R("UPDATE_COMPLETE")
        undone = *skipped, S("UPDATE_ROLLBACK_COMPLETE")
        past = *created(), *updated(BOTH), *undone, *others, *FAILED
        assert self.deployed(*past) == declared(BOTH)
        kept = *created(), *LEFT, *others, *FAILED
        assert self.deployed(*kept) == declared(PROMOTED)

    def test_it_is_not_readable_where_the_bases_completion_is_masked(self) -> None:
        assert is_unread(self.deployed(*created(properties(Reason="****")), *FAILED), "masked")
        assert is_unread(self.deployed(*created({"Name": "x"}), *FAILED), "exactly one of")

    def test_it_is_not_readable_where_no_completion_shows_it(self) -> None:
        moved = S("IMPORT_IN_PROGRESS"), S("IMPORT_COMPLETE")
        assert is_unread(self.deployed(*moved, *FAILED), "do not show what was deployed")

    def test_properties_count_as_masked_where_the_requests_own_event_has_others(self) -> None:
        """NoEcho may show something else than what the request says."""
        own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", KEPT)
        assert of_update(*created(), *own, old=BOTH, is_past_doubt=True).deployed == declared(BOTH)
        assert is_unread(of_update(*created(), *FAILED, *own, is_past_doubt=True).deployed)


class TestTriedSince:
    def tried(self, *past: StackEvent) -> list[Any]:
        return [*of_update(*past, *UPDATING).tried_since]

    def test_is_what_completed_in_broken_operations(self) -> None:
        assert self.tried(*created()) == []
        assert self.tried(*created(), *FAILED) == []
        assert self.tried(*created(), *LEFT) == [declared(PROMOTED)]
        both = self.tried(*created(), *LEFT, *updated(BOTH, ends="UPDATE_FAILED"), *FAILED)
        assert both == [declared(PROMOTED), declared(BOTH)]

    def test_counts_from_the_last_that_succeeded_or_was_undone(self) -> None:
        assert self.tried(*created(), *LEFT, *updated(BOTH)) == []
        assert self.tried(*created(), *LEFT, *rolled_back(BOTH, KEPT)) == []
        again = *created(), *LEFT, *rolled_back(BOTH, KEPT), *LEFT
        assert self.tried(*again) == [declared(PROMOTED)]

    def test_may_not_be_readable(self) -> None:
        [unread] = self.tried(*created(), *updated(promoting(Reason="****"), ends="UPDATE_FAILED"))
        assert is_unread(unread, "masked")


def of_nested(
    own: tuple[StackEvent, ...], root: tuple[StackEvent, ...], kind: str = "Update"
) -> History:
    """A resource three levels down; the stack between says what its own stack says."""
    between = [replace(e, physical_id=MIDDLE) for e in own if e.physical_id == STACK]
    stacks = (
        stack(*own, parent=MIDDLE),
        stack(*between, parent=ROOT, stack_id=MIDDLE),
        stack(*root, stack_id=ROOT),
    )
    asked = request(kind, PROMOTED, KEPT if kind == "Update" else None)
    return History(asked, stacks, ISSUED)


def at(begin: float, *events: StackEvent) -> tuple[StackEvent, ...]:
    """Events from so many seconds before the request on, a second apart."""
    return tuple(replace(event, at=ISSUED - begin + number) for number, event in enumerate(events))


class TestNested:
    """The operations and their outcomes are the root's."""

    def test_a_child_says_complete_while_its_root_fails(self) -> None:
        """Nested at three levels: both children say UPDATE_COMPLETE, the root rolls back."""
        own = *at(900, *created()), *at(490, *updated(PROMOTED)), *at(1, *UPDATING)
        root = (
            *at(901, S("CREATE_IN_PROGRESS", ROOT)),
            *at(890, S("CREATE_COMPLETE", ROOT)),
            *at(491, S("UPDATE_IN_PROGRESS", ROOT)),
            *at(480, S("UPDATE_FAILED", ROOT)),
            *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
        )
        history = of_nested(own, root)
        assert history.base is not None
        assert history.base.began == ISSUED - 901
        assert history.deployed == declared(KEPT)
        assert history.tried_since == (declared(PROMOTED),)

    def test_a_childs_failure_is_none_where_the_root_succeeded(self) -> None:
        own = (
            *at(900, *created()),
            *at(490, *updated(PROMOTED, ends="UPDATE_FAILED")),
            *at(1, *UPDATING),
        )
        root = (
            *at(901, S("CREATE_IN_PROGRESS", ROOT)),
            *at(890, S("CREATE_COMPLETE", ROOT)),
            *at(491, S("UPDATE_IN_PROGRESS", ROOT)),
            *at(480, S("UPDATE_COMPLETE", ROOT)),
            *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
        )
        history = of_nested(own, root)
        assert history.deployed == declared(KEPT)  # nothing since: as the request says
        assert history.tried_since == ()

    @pytest.mark.parametrize("level", ["own", "middle"])
    def test_a_new_nested_stack_was_never_deployed(self, level: str) -> None:
        """Of a stack that a failed update added, even if the resource's creation is not shown."""
        own = *at(400, *created()[:1]), *at(1, R("DELETE_IN_PROGRESS", PROMOTED))
        root = (
            *at(901, S("CREATE_IN_PROGRESS", ROOT)),
            *at(890, S("CREATE_COMPLETE", ROOT)),
            *at(491, S("UPDATE_IN_PROGRESS", ROOT)),
            *at(2, S("UPDATE_ROLLBACK_IN_PROGRESS", ROOT)),
        )
        history = of_nested(own, root, "Delete")
        index = 0 if level == "own" else 1
        stacks = [*history.stacks]
        other = stacks[1 - index]
        stacks[1 - index] = replace(other, events=Events((), is_whole=True))
        assert replace(history, stacks=tuple(stacks)).is_never_deployed is True

    def test_an_event_outside_of_any_operation_is_a_broken_one(self) -> None:
        """The nested stack was updated alone, between two deployments of its root."""
        own = *at(900, *created()), *at(490, *updated(PROMOTED)), *at(1, *UPDATING)
        root = (
            *at(901, S("CREATE_IN_PROGRESS", ROOT)),
            *at(890, S("CREATE_COMPLETE", ROOT)),
            *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
        )
        history = of_nested(own, root)
        assert history.tried_since == (declared(PROMOTED),)
        assert history.deployed == declared(KEPT)

    def test_a_roots_time_ends_with_its_last_word(self) -> None:
        """What lies in the root's time is its own, up to that word."""
        own = (
            *at(900, *created()),
            *at(491, R("UPDATE_IN_PROGRESS", PROMOTED)),
            *at(480, R("UPDATE_COMPLETE", PROMOTED)),
            *at(1, *UPDATING),
        )
        for last, tried in (
            (S("UPDATE_COMPLETE", ROOT, at=ISSUED - 480), ()),
            (S(CLEANUP, ROOT, at=ISSUED - 485), ()),
            (S("UPDATE_COMPLETE", ROOT, at=ISSUED - 485), (declared(PROMOTED),)),
        ):
            root = (
                *at(901, S("CREATE_IN_PROGRESS", ROOT)),
                *at(890, S("CREATE_COMPLETE", ROOT)),
                *at(491, S("UPDATE_IN_PROGRESS", ROOT)),
                last,
                *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
            )
            # The completion follows its *_IN_PROGRESS, whichever operation that is in.
            assert of_nested(own, root).tried_since == tried

    def test_a_roots_time_without_a_last_word_ends_where_the_next_one_begins(self) -> None:
        """The nested stack was updated alone, after both."""
        own = *at(900, *created()), *at(300, *updated(PROMOTED)), *at(1, *UPDATING)
        root = (
            *at(901, S("CREATE_IN_PROGRESS", ROOT)),
            *at(800, S("UPDATE_IN_PROGRESS", ROOT)),
            *at(790, S("UPDATE_COMPLETE", ROOT)),
            *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
        )
        history = of_nested(own, root)
        assert history.tried_since == (declared(PROMOTED),)
        assert history.deployed == declared(KEPT)


class TestPages:
    """What is lacking, page by page; a History decides nothing before it is there."""

    @staticmethod
    def lacks(*events: StackEvent, kind: str = "Update", is_whole: bool = False) -> bool:
        old = KEPT if kind == "Update" else None
        read = stack(*events, is_whole=is_whole)
        history = History(request(kind, PROMOTED, old), (read,), ISSUED)
        if history.lacks:
            assert kind == "Create" or history.deployed == OLDER_EVENTS
            assert history.lacks == {STACK}
        return bool(history.lacks)

    def test_a_create_needs_where_its_operation_began(self) -> None:
        begun = S("CREATE_IN_PROGRESS"), R("CREATE_IN_PROGRESS", PROMOTED)
        assert self.lacks(begun[1], kind="Create")
        assert not self.lacks(*begun, kind="Create")
        assert not self.lacks(begun[1], kind="Create", is_whole=True)

    @pytest.mark.parametrize("kind", ["Update", "Delete"])
    def test_reading_ends_at_the_base(self, kind: str) -> None:
        begun = S(f"{kind.upper()}_IN_PROGRESS"), R(f"{kind.upper()}_IN_PROGRESS", PROMOTED)
        assert self.lacks(*begun[1:], kind=kind)
        assert self.lacks(*begun, kind=kind)
        assert self.lacks(S("CREATE_COMPLETE"), *begun, kind=kind)
        assert not self.lacks(*created(), *begun, kind=kind)
        assert not self.lacks(S("UPDATE_IN_PROGRESS"), S("UPDATE_COMPLETE"), *begun, kind=kind)

    def test_reading_goes_on_past_what_did_not_succeed(self) -> None:
        begun = S("UPDATE_IN_PROGRESS"), S("UPDATE_ROLLBACK_COMPLETE")
        assert self.lacks(*begun, *UPDATING)
        assert self.lacks(*FAILED, *UPDATING)

    def test_reading_goes_on_to_the_completion_that_is_deployed(self) -> None:
        others = S("UPDATE_IN_PROGRESS"), S("UPDATE_COMPLETE")
        assert self.lacks(*others, *FAILED, *UPDATING)
        assert not self.lacks(*created(), *others, *FAILED, *UPDATING)
        # The operation in which it completed may have been undone.
        assert self.lacks(*created()[1:], *others, *FAILED, *UPDATING)
        assert not self.lacks(*others, *rolled_back(PROMOTED, KEPT), *UPDATING)

    def test_the_oldest_events_may_be_gone_before_the_base(self) -> None:
        others = S("UPDATE_IN_PROGRESS"), S("UPDATE_COMPLETE")
        assert of_update(*others, *UPDATING, old=BOTH).deployed == declared(BOTH)
        assert of_update(*others, *UPDATING).is_never_deployed is False

    @pytest.mark.parametrize("has_completion", [True, False])
    def test_of_nested_stacks_the_own_and_the_root_are_searched_for_the_completion(
        self, has_completion: bool
    ) -> None:
        own = (
            *at(900, S("UPDATE_COMPLETE")),
            *(at(899, *updated(BOTH)[1:3]) if has_completion else ()),
            *at(600, S("UPDATE_COMPLETE")),
            *at(300, *FAILED[1:3]),
            *at(1, *UPDATING),
        )
        root = (
            *at(501, S("UPDATE_IN_PROGRESS", ROOT)),
            *at(490, S("UPDATE_COMPLETE", ROOT)),
            *at(301, S("UPDATE_IN_PROGRESS", ROOT)),
            *at(280, S("UPDATE_FAILED", ROOT)),
            *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
        )
        history = _partly_read(of_nested(own, root))
        assert history.lacks == ({ROOT} if has_completion else {STACK, ROOT})
        before = *at(901, S("UPDATE_IN_PROGRESS", ROOT)), *at(880, S("UPDATE_COMPLETE", ROOT))
        if has_completion:
            found = _partly_read(of_nested(own, (*before, *root)))
            assert not found.lacks
            assert found.deployed == declared(BOTH)

    def test_a_whole_history_lacks_nothing(self) -> None:
        assert not self.lacks(*UPDATING, is_whole=True)
        assert not self.lacks(*FAILED, *UPDATING, is_whole=True)

    @pytest.mark.parametrize("since", [900, 902])
    def test_a_nested_stack_must_reach_back_to_the_roots_base(self, since: float) -> None:
        """Which began 901 s before."""
        own = *at(since, S("CREATE_COMPLETE")), *at(1, *UPDATING)
        root = (
            *at(901, S("CREATE_IN_PROGRESS", ROOT)),
            *at(890, S("CREATE_COMPLETE", ROOT)),
            *at(2, S("UPDATE_IN_PROGRESS", ROOT)),
        )
        history = _partly_read(of_nested(own, root))
        assert history.lacks == ({STACK, MIDDLE} if since == 900 else set())

    def test_what_cannot_be_read_is_not_lacking_but_not_readable(self) -> None:
        for unread in (
            replace(stack(), events=away(Kind.DENIED)),
            replace(stack(*created(), *UPDATING), description=away(Kind.DENIED)),
        ):
            history = History(request("Update", PROMOTED, KEPT), (unread,), ISSUED)
            assert not history.lacks
            assert history.deployed == away(Kind.DENIED)
            assert history.is_never_deployed == away(Kind.DENIED)


def _partly_read(history: History) -> History:
    """The same, with older events than those that were read."""
    stacks = [
        replace(one, events=replace(one.events, is_whole=False))
        for one in history.stacks
        if isinstance(one.events, Events)
    ]
    return replace(history, stacks=tuple(stacks))


# The recordings.


def recorded_properties(label: str) -> str:
    """Properties of which the recording says only which they are."""
    return json.dumps(properties(Reason=label)) if label else ""


def as_stacks(recording: Recording, until: float = float("inf"), stack_id: str = "root") -> Any:
    """What a look would have read at a time, of a stack and those that it is nested in."""
    stacks, name = [], stack_id
    while name:
        events = [
            _read(event)
            for event in recording.with_past()
            if event.stack == name and event.at <= until
        ]
        parent = recording.stacks[name] or ""
        stacks.append(
            Stack(
                name, Description("UPDATE_IN_PROGRESS", parent), Events(tuple(events[::-1]), True)
            )
        )
        name = parent
    return tuple(stacks)


def _read(event: Event) -> StackEvent:
    physical_id = event.stack if event.is_of_stack else event.physical_id
    text = recorded_properties(event.properties)
    return StackEvent(
        event.at, event.logical_id, physical_id, event.status, text, is_aside=bool(event.hook)
    )


def operations_of(stacks: tuple[Stack, ...]) -> list[tuple[str, str]]:
    root = stacks[-1]
    assert isinstance(root.events, Events)
    found = operations(root.events.newest_first[::-1], root.stack_id)
    return [(one.status.partition("_")[0], one.outcome.value) for one in found]


def expected_operations(listed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A DELETE that completed is no outcome of the contract: nothing is asked after it."""
    return [(begun, "broken" if said == "deleted" else said) for begun, said in listed]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_operations(name: str) -> None:
    recording = load(name)
    for stack_id, listed in OPERATIONS[name].items():
        stacks = as_stacks(recording, stack_id=stack_id)
        # Hooks write *_IN_PROGRESS, too.
        read = [replace(s, events=_without_asides(s)) for s in stacks]
        assert operations_of(tuple(read)) == expected_operations(listed)


def _without_asides(seen: Stack) -> Events:
    assert isinstance(seen.events, Events)
    return Events(tuple(e for e in seen.events.newest_first if not e.is_aside), True)


@pytest.mark.parametrize(
    ("name", "stack_id", "logical_id"),
    [(name, *key) for name in COMPLETIONS for key in COMPLETIONS[name]],
)
def test_recorded_completions(name: str, stack_id: str, logical_id: str) -> None:
    stacks = as_stacks(load(name), stack_id=stack_id)
    asked = request("Update", PROMOTED, KEPT, logical_id=logical_id)
    history = History(asked, stacks, float("inf"))
    recorded = [event.at for event in history.completions if event.at >= 0]
    assert recorded == COMPLETIONS[name][stack_id, logical_id]
    root = stacks[-1].events.newest_first[::-1]
    for at in recorded:
        [within] = [one for one in operations(root, "root") if one.has(at)]
        is_undo = within.rolled_back is not None and at >= within.rolled_back
        assert is_undo == ((name, stack_id, logical_id, at) in UNDER_A_ROLLBACK)


@pytest.mark.parametrize(
    "recorded", REQUESTS, ids=lambda one: f"{one.recording}-{one.logical_id}-{one.at}"
)
def test_recorded_requests(recorded: Recorded) -> None:
    recording = load(recorded.recording)
    own = next(
        event
        for event in recording.of_stack(recorded.stack)
        if (event.logical_id, event.at) == (recorded.logical_id, recorded.at)
    )
    kind = own.status.partition("_")[0].capitalize()
    new = json.loads(recorded_properties(own.properties) or "{}") or promoting(Reason="told")
    old = promoting(Reason="told") if kind == "Update" else None
    stacks = as_stacks(recording, recorded.at, recorded.stack)
    asked = request(kind, new, old, logical_id=recorded.logical_id)
    history = History(asked, stacks, recorded.at)
    assert history.own_event is OwnEvent.PRESENT
    assert operations_of(stacks) == expected_operations(recorded.operations)
    found = operations(stacks[-1].events.newest_first[::-1], "root")
    assert history.base == (None if recorded.base is None else found[recorded.base])
    assert history.is_never_deployed is recorded.never_deployed
    if recorded.deployed == BEFORE:
        assert history.deployed == declared(properties(Reason="before"))
    elif recorded.deployed == REQUEST:
        said = old if kind == "Update" else new
        assert said is not None
        assert history.deployed == declared(said)
    else:
        assert recorded.deployed == NOTHING
        assert kind == "Delete"  # which is an undo: nobody asks what is deployed
