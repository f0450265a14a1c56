"""Table 1: what does the event order?

Each branch is a row of "What does the event order?" in docs/concepts/lifecycle.md. A row that
answers the request by itself is a Decision, any other one an Order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..contract.declaration import Declaration, Problems, StopOn
from ..contract.request import RequestType
from . import words
from .decision import Decision, Row, Verb, doubt, fail, succeed, wait
from .history import CLEANUP_STATUS, AsCreate, History, OwnEvent
from .permission import Answer, Permission
from .situation import Description, Experiment, Kind, Needs, NotReadable, Situation
from .stop_request import Wanted, digest_in, ends_alike, wanted_by

UNDONE = {
    RequestType.CREATE: Row.CREATE_UNDONE,
    RequestType.UPDATE: Row.UPDATE_UNDONE,
    RequestType.DELETE: Row.DELETE_UNDONE,
}


DOUBTS = frozenset({Row.DOOMED, Row.UNCLEAR, Row.NOT_READABLE})
"""The rows of a look that cannot tell whether a Stop is ordered, or still is."""


@dataclass(frozen=True)
class Order:
    """What the event orders, if it does not answer the request by itself.

    Attributes:
        ends: Whether to end the experiment; otherwise it is armed.
        old: What was deployed, on an Update.
    """

    row: Row
    ends: bool
    wanted: Wanted
    old: Wanted | None = None


def answer_withdrawn(s: Situation, permission: Permission) -> Decision | None:
    """The answer if CloudFormation has withdrawn the order; None if it still stands."""
    if permission.answer is Answer.CLOSED_COMPLETE:
        return Decision(Verb.LEAVE, Row.CLOSED, words.closed(s))
    if permission.answer is Answer.CLOSED_FAILED:
        return fail(Row.CLOSED, words.closed(s))
    if permission.answer is Answer.CLOSED_PERHAPS:
        return wait(Row.CLOSED, words.closed(s))
    if permission.answer is Answer.OVERTAKEN:
        return fail(Row.OVERTAKEN, words.overtaken(s))
    if permission.answer is Answer.UNDO:
        return _answer_undone(s)
    return None


def _answer_undone(s: Situation) -> Decision:
    row, new = UNDONE[s.request.type], s.request.new
    experiment = s.experiment if isinstance(s.experiment, Experiment) else None
    if s.request.type is RequestType.UPDATE:
        if waiting := _stop_under_way(s, row):
            return waiting
        return succeed(row, words.undone(s, experiment), warn=True)
    is_ours = (
        experiment is not None
        and isinstance(new, Declaration)
        and wanted_by(new, s.request).possible_end(digest_in(experiment.status_reason)) is not None
    )
    return succeed(row, words.undone(s, experiment if is_ours else None), warn=is_ours)


def _stop_under_way(s: Situation, row: Row) -> Decision | None:
    """Wait for a stop that is under way: what CloudFormation undoes next may need the endpoint.

    A look that was throttled says nothing, so it is repeated to the deadline; for a minute where
    the undone operation stopped nothing, and only somebody else can have.
    """
    seen = s.experiment
    if isinstance(seen, NotReadable):
        is_lasting = seen.kind is Kind.REFUSED or s.request.name == ""
        if is_lasting or s.is_past_deadline:
            return None
        if seen.kind in (Kind.TRANSIENT, Kind.UNFINISHED) and _may_undo_a_stop(s):
            return replace(wait(row, seen.why), stays=seen.kind is Kind.UNFINISHED)
        return None if s.is_past_doubt else replace(wait(row, seen.why), in_doubt=True, stays=True)
    if seen is None or not seen.is_stopping or s.is_past_deadline:
        return None
    return wait(row, words.status(seen))


def _may_undo_a_stop(s: Situation) -> bool:
    """Whether the declaration that an Update takes back may have ended the experiment."""
    new, old = s.request.new, s.request.old
    if not isinstance(new, Declaration) or not isinstance(old, Declaration):
        return True
    is_said_outright = old.end_now and not new.end_now
    is_other_end = not old.is_of(new.name) or not ends_alike(new, old, None)
    return _may_end(old) and (is_said_outright or is_other_end)


def find_order(s: Situation, history: History, permission: Permission) -> Order | Decision:
    """What the request orders, unless it is withdrawn."""
    if s.request.type is RequestType.DELETE:
        return _delete(s, history, permission)
    new = s.request.new
    if isinstance(new, Problems):
        return fail(Row.DECLARATION_INVALID, str(new))
    if permission.answer is Answer.NOT_READABLE:
        # Also where nothing would be stopped: if a policy denies the function's reads, the arming
        # is to fail, not the verdict.
        why = words.not_readable(s, permission.why)
        return doubt(s, Row.NOT_READABLE, why, permission.kind)
    if s.request.type is RequestType.CREATE:
        return _create(s, new)
    return _update(s, history, permission, new)


def find_possible_order(s: Situation, row: Row) -> Order | None:
    """The end that a request may order whose history does not tell; None if it can order none."""
    new, kind = s.request.new, s.request.type
    if isinstance(new, Problems):
        return None
    if kind is RequestType.CREATE:
        order = _create(s, new)
        return order if isinstance(order, Order) and order.ends else None
    ends = StopOn.DELETE in new.stop_on if kind is RequestType.DELETE else _may_end(new)
    may_be_ordered = ends or s.progress.tried
    return Order(row, True, wanted_by(new, s.request)) if may_be_ordered else None


def _may_end(new: Declaration) -> bool:
    """Whether an Update to a declaration ends the experiment, with something that is deployed."""
    return new.end_now or bool(new.stop_on & {StopOn.CREATE, StopOn.UPDATE})


def _create(s: Situation, new: Declaration) -> Order | Decision:
    wanted = wanted_by(new, s.request)
    if new.end_now and isinstance(s.experiment, Experiment) and not s.experiment.is_over:
        has_create = StopOn.CREATE in new.stop_on
        why = words.not_armed_before(s.experiment, may_stop_on_create=not has_create)
        return fail(Row.CREATE_END_NOW, why)
    if new.end_now or StopOn.CREATE in new.stop_on:
        return Order(Row.CREATE_ENDS, True, wanted)
    return Order(Row.CREATE_ARMS, False, wanted)


def _update(
    s: Situation, history: History, permission: Permission, new: Declaration
) -> Order | Decision:
    wanted = wanted_by(new, s.request)
    if history.own_event is OwnEvent.MISSING:
        return _unless_it_ends(s, new, look_again(s, permission))
    old = history.deployed
    if isinstance(old, NotReadable):
        return _unless_it_ends(s, new, _answer_unreadable(s, old))
    if isinstance(old, AsCreate):
        return _create(s, new)
    if not new.is_of(old.name):
        renamed = _create(s, new)
        return replace(renamed, row=Row.UPDATE_RENAMED) if isinstance(renamed, Order) else renamed
    old_wanted = wanted_by(old, s.request)
    if new.end_now and not old.end_now:
        return Order(Row.UPDATE_END_NOW, True, wanted, old_wanted)
    experiment = s.experiment if isinstance(s.experiment, Experiment) else None
    tried = history.tried_since
    known = [old, *(each for each in tried if isinstance(each, Declaration))]
    if any(ends_alike(new, declaration, experiment) for declaration in known):
        return _answer_unchanged(s, permission, Row.UPDATE_UNCHANGED)
    if StopOn.UPDATE not in new.stop_on:
        return Order(Row.UPDATE_CHANGED_NOT_IN_STOP_ON, False, wanted, old_wanted)
    unread = next((each for each in tried if isinstance(each, NotReadable)), None)
    if unread is not None:
        return _answer_unreadable(s, unread)
    return Order(Row.UPDATE_CHANGED, True, wanted, old_wanted)


def look_again(s: Situation, permission: Permission) -> Decision:
    """Look again: the operation is doomed or unclear, or its history older than the request."""
    if permission.answer is Answer.DOOMED:
        return doubt(s, Row.DOOMED, words.doomed(s))
    return doubt(s, Row.UNCLEAR, permission.why)


def _unless_it_ends(s: Situation, new: Declaration, decision: Decision) -> Order | Decision:
    """The doubt; but no failure if nothing that may be deployed makes this Update an end.

    If the physical id is not the experiment's, it is armed: the answer has the id of the new one.
    """
    if _may_end(new) or decision.verb is not Verb.FAIL:
        return decision
    if not s.request.holds_its_experiment:
        return Order(Row.UPDATE_RENAMED, False, wanted_by(new, s.request))
    return succeed(Row.UPDATE_UNCHANGED, decision.why, warn=True)


def _answer_unchanged(s: Situation, permission: Permission, row: Row) -> Decision:
    """Answer an Update that orders nothing; like an undo, it waits for a stop under way."""
    if permission.answer is Answer.DOOMED and (waiting := _stop_under_way(s, row)):
        return waiting
    return succeed(row, words.unchanged(s.request.name))


def _delete(s: Situation, history: History, permission: Permission) -> Order | Decision:
    request = s.request
    if permission.answer is Answer.NOT_READABLE:
        why = words.not_readable(s, permission.why)
        return doubt(s, Row.NOT_READABLE, why, permission.kind)
    if history.own_event is OwnEvent.MISSING:
        return look_again(s, permission)
    deployed = history.deployed
    if isinstance(deployed, NotReadable):
        return _answer_unreadable(s, deployed)
    if isinstance(deployed, AsCreate) or not deployed.is_of(request.held_name):
        return succeed(Row.DELETE_NOT_HELD, words.not_held(request.physical_id), warn=True)
    tried = history.tried_since
    known = [deployed, *(each for each in tried if isinstance(each, Declaration))]
    if any(StopOn.DELETE not in declaration.stop_on for declaration in known):
        # The user may no longer want what was only tried.
        is_tried = StopOn.DELETE in deployed.stop_on
        why = words.not_in_stop_on(s, "Delete")
        return succeed(Row.DELETE_NOT_IN_STOP_ON, why, warn=is_tried)
    if unread := next((each for each in tried if isinstance(each, NotReadable)), None):
        return _answer_unreadable(s, unread)
    if decision := _held_elsewhere(s):
        return decision
    wanted = wanted_by(deployed, request)
    if deployed.end.promotes and any(
        not _promotes_the_same(declaration, deployed, s) for declaration in known
    ):
        wanted = wanted.without_promotion(words.NOT_EVERY_DECLARATION_PROMOTES)
    return Order(Row.DELETE_ENDS, True, wanted)


def _promotes_the_same(tried: Declaration, deployed: Declaration, s: Situation) -> bool:
    experiment = s.experiment if isinstance(s.experiment, Experiment) else None
    return tried.is_of(deployed.name) and ends_alike(tried, deployed, experiment)


def _held_elsewhere(s: Situation) -> Decision | None:
    """The answer if the construct got another logical id: its old resource is cleaned up."""
    if not is_cleanup(s) or s.prepared is None:
        return None
    holders = s.prepared.holders
    if holders is None or isinstance(holders, NotReadable):
        why = words.holders_unknown(s, holders.why if holders else "not read")
        kind = holders.kind if isinstance(holders, NotReadable) else None
        return doubt(s, Row.DELETE_HOLDERS_UNKNOWN, why, kind)
    if not holders:
        return None
    why = words.held_by_another(s, holders)
    if set(holders) == {s.request.logical_id}:
        return doubt(s, Row.DELETE_HELD_ELSEWHERE, why)
    return succeed(Row.DELETE_HELD_ELSEWHERE, why)


def is_cleanup(s: Situation) -> bool:
    """Whether the stack cleans up after an update."""
    own = s.stacks[0].description if s.stacks else None
    return isinstance(own, Description) and own.status == CLEANUP_STATUS


def needs_of(s: Situation, needs: Needs) -> Needs:
    """What a Stop needs, with the stack's resources in a clean-up."""
    return Needs(needs.counts, is_cleanup(s), needs.evidence)


def _answer_unreadable(s: Situation, unread: NotReadable) -> Decision:
    why = words.unreadable_old_declaration(s, unread.why)
    return doubt(s, Row.NOT_READABLE, why, unread.kind)
