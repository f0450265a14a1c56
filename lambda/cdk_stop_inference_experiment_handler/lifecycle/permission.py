"""May the experiment be stopped now? Asked anew for every Stop.

The answers are those of "What else keeps it from stopping" in docs/concepts/lifecycle.md; the first
one that holds counts. An undo that is proved counts whatever else is not readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..contract.request import RequestType
from . import words
from .history import (
    CLEANUP_STATUS,
    OLDER_EVENTS,
    History,
    OwnEvent,
    begin_of,
    is_rollback,
    newest_of,
    under_way,
)
from .situation import CLOCK_SECONDS, Description, Kind, NotReadable, Situation, Stack

SHOWN_SECONDS = 10.0
"""After this long, the request's own event must be visible."""

_DELETE = "DELETE_IN_PROGRESS"
_UPDATE = "UPDATE_IN_PROGRESS"
_FORWARD = frozenset({"CREATE_IN_PROGRESS", _UPDATE})
_REMOVING = frozenset({_DELETE, CLEANUP_STATUS})
_FAILED = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})


class Answer(Enum):
    """Whether the experiment may be stopped."""

    CLOSED_COMPLETE = "CloudFormation has its answer"
    CLOSED_FAILED = "CloudFormation has its answer, or has cancelled the request"
    CLOSED_PERHAPS = "the same, but the request's own event may not be visible yet"
    OVERTAKEN = "CloudFormation has gone on"
    UNDO = "CloudFormation undoes the operation"
    DOOMED = "something else in the operation failed: CloudFormation is about to undo it"
    UNCLEAR = "the stack does not show that it waits for this request"
    NOT_READABLE = "what decides is not readable"
    ALLOWED = "allowed"


@dataclass(frozen=True)
class Permission:
    """An answer; ``why`` says which case it was.

    Attributes:
        kind: Why something is not readable.
    """

    answer: Answer
    why: str = ""
    kind: Kind | None = None


def check_permission(s: Situation, history: History) -> Permission:
    """Whether the request may stop the experiment at the moment of the look."""
    if closed := _closed(s, history):
        return Permission(closed)
    begin = begin_of(history.stacks[0])
    if begin is not None and begin.at > s.issued_at + CLOCK_SECONDS:
        return Permission(Answer.OVERTAKEN)
    if _is_undo(s, history):
        return Permission(Answer.UNDO)
    is_delete = s.request.type is RequestType.DELETE
    if not is_delete and any(
        event.status in _FAILED
        for stack in history.stacks
        for event in under_way(stack, s.issued_at)
    ):
        return Permission(Answer.DOOMED)
    if unread := _not_readable(history):
        return Permission(Answer.NOT_READABLE, unread.why, unread.kind)
    if why := _unclear(s, history):
        return Permission(Answer.UNCLEAR, why)
    return Permission(Answer.ALLOWED)


def _closed(s: Situation, history: History) -> Answer | None:
    newest, kind = history.newest, s.request.type.value.upper()
    if newest is None or newest.at < s.issued_at:
        return None
    if newest.status not in (f"{kind}_COMPLETE", f"{kind}_FAILED"):
        return None
    if s.now < s.issued_at + SHOWN_SECONDS:
        return Answer.CLOSED_PERHAPS
    is_complete = newest.status.endswith("_COMPLETE")
    return Answer.CLOSED_COMPLETE if is_complete else Answer.CLOSED_FAILED


def _is_undo(s: Situation, history: History) -> bool:
    statuses = [status for stack in history.stacks if (status := _status(stack))]
    newest = newest_of(history.stacks[0])
    if newest and (newest.at >= s.issued_at or history.own_event is OwnEvent.PRESENT):
        # Without the request's own event, this may be an event of the operation before: an undo
        # would then report an order as carried out.
        statuses.append(newest.status)
    if any(map(is_rollback, statuses)):
        return True
    if s.request.type is RequestType.DELETE:
        return history.own_event is not OwnEvent.MISSING and history.is_never_deployed is True
    return _DELETE in statuses


def _not_readable(history: History) -> NotReadable | None:
    for stack in history.stacks:
        for seen in (stack.description, stack.events):
            if isinstance(seen, NotReadable):
                return seen
    return OLDER_EVENTS if history.lacks else None


def _unclear(s: Situation, history: History) -> str:
    """Which case of an unclear stack it is; empty if none."""
    own, *above = history.stacks
    expected = _REMOVING if s.request.type is RequestType.DELETE else _FORWARD
    if _status(own) not in expected:
        return words.unclear(s, _status(own))
    for stack in above:
        if not _status(stack).endswith("_IN_PROGRESS"):
            return words.parent_at_rest(s)
        if _status(stack) not in expected:
            return words.unclear(s, _status(stack))
    if history.own_event is OwnEvent.MISSING:
        return words.own_event_missing(s)
    return ""


def _status(stack: Stack) -> str:
    """What DescribeStacks says; empty if it could not be read."""
    return stack.description.status if isinstance(stack.description, Description) else ""
