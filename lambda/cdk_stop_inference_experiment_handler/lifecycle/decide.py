"""Decides what to do next about a request, by one look at AWS."""

from __future__ import annotations

from dataclasses import replace

from ..contract.request import Request, RequestType
from . import words
from .decision import Decision, Row, Verb, fail, succeed
from .end import after_stop
from .history import History
from .order import DOUBTS, Order, answer_withdrawn, find_order, find_possible_order, look_again
from .permission import Answer, check_permission
from .situation import NotReadable, Situation
from .state import decide_by_state, is_stopped_already, nothing_left, unreadable

_LATER = (Verb.WAIT, Verb.PREPARE, Verb.STOP)
"""What may not follow any more at the deadline: CloudFormation is about to stop waiting."""


def decide(s: Situation) -> Decision:
    """What to do next. It depends on nothing but the Situation."""
    decision = _waiting(s) if s.progress.sent else _decide(s)
    if decision.verb in _LATER and s.is_past_deadline:
        trouble = decision.why if decision.verb is Verb.WAIT else s.progress.refusal
        return fail(Row.DEADLINE, words.out_of_time(s, trouble))
    return decision


def needs_experiment(request: Request) -> bool:
    """Whether the decision depends on the experiment: it has a name, and may be stopped."""
    return request.name != "" and not _is_delete_of_another(request)


def needs_stack(s: Situation) -> bool:
    """Whether the decision depends on the stack: the experiment could still be stopped."""
    if s.progress.sent:
        return False
    return s.request.type is not RequestType.DELETE or _delete_at_once(s) is None


def _waiting(s: Situation) -> Decision:
    if isinstance(s.experiment, NotReadable):
        return unreadable(s.experiment, s)
    return after_stop(s, s.experiment)


def _decide(s: Situation) -> Decision:
    if s.request.type is RequestType.DELETE and (decision := _delete_at_once(s)):
        return decision
    stacks = s.stacks
    assert stacks is not None  # noqa: S101 - needs_stack
    history = History(s.request, stacks, s.issued_at, s.is_past_doubt)
    permission = check_permission(s, history)
    if decision := answer_withdrawn(s, permission):
        return decision
    found = find_order(s, history, permission)
    order = found if isinstance(found, Order) else None
    if order is not None and order.ends and permission.answer is not Answer.ALLOWED:
        found = replace(look_again(s, permission), order=order.row)
    if isinstance(found, Decision):
        # While another look may tell what is ordered, that is waited for; a tried Stop was ordered.
        is_last = found.verb is not Verb.WAIT or s.progress.tried
        if order is None and found.row in DOUBTS and is_last:
            order = find_possible_order(s, found.row)
        if order is None or not is_stopped_already(order.wanted, s):
            return found
    assert order is not None  # noqa: S101 - it was found, or is possible
    return replace(decide_by_state(order, s), order=order.row)


def _delete_at_once(s: Situation) -> Decision | None:
    """The answer to a Delete that does not depend on the stack."""
    if _is_delete_of_another(s.request):
        return succeed(Row.DELETE_NOT_HELD, words.not_held(s.request.physical_id))
    return nothing_left(s)


def _is_delete_of_another(request: Request) -> bool:
    """Whether it deletes a resource whose physical id is not the ARN of an experiment."""
    return request.type is RequestType.DELETE and not request.held_name
