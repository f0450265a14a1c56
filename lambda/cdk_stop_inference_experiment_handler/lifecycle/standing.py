"""Whether a Stop is allowed, as read from the stack, its events and its ancestors.

CloudFormation undoes operations in more ways than its rollback statuses show. So this module lists
what allows a Stop, and everything else that is in progress is an undo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise, takewhile

from ..contract.declaration import Declaration, parse_replaced
from .facts import Facts, Request, RequestType, StackEvent, Unreadable

FORWARD_STATUSES = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"})
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
DELETE = "DELETE_IN_PROGRESS"
ROLLBACK = "ROLLBACK_IN_PROGRESS"
REMOVING_STATUSES = frozenset({DELETE, CLEANUP, "UPDATE_IN_PROGRESS"})
COMPLETE_STATUSES = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)

LATER_SECONDS = 5.0
"""Tolerance: a request's date and an event's come from different clocks, the first in seconds."""

OWN_EVENT_SECONDS = 2.0
"""CloudFormation writes a resource's *_IN_PROGRESS at most this long before its request."""


class Standing(Enum):
    """Whether CloudFormation still wants what a request asks for; what comes first decides."""

    OVERTAKEN = "CloudFormation has gone on"
    UNDO = "undo"
    UNCLEAR = "the stack's status does not fit the request"
    PARENT_AT_REST = "the nested stack is operated directly"
    CREATION_UNDONE = "the stack's creation is undone, and its own experiment with it"
    ALLOWED = "allowed"


def standing(request: Request, facts: Facts) -> Standing:
    """Whether the request may stop an experiment at this moment.

    A fact that proves an undo decides alone, whatever else cannot be read.

    Raises:
        Unreadable: A fact that decides cannot be read.
    """
    found: set[Standing] = set()
    unread: Unreadable | None = None
    may_end = isinstance(request.new, Declaration) and request.new.stack_owns_experiment
    for look in (by_events, _by_status, _from_above):
        try:
            found.add(look(request, facts))
        except Unreadable as error:
            unread = unread or error
        if found & {Standing.OVERTAKEN, Standing.UNDO}:
            break
        if Standing.CREATION_UNDONE in found and not may_end:
            return Standing.UNDO
    decides = next((one for one in Standing if one in found), None)
    if unread is None or decides in (Standing.OVERTAKEN, Standing.UNDO):
        assert decides is not None  # noqa: S101 - a look answers or raises
        return decides
    if decides is Standing.CREATION_UNDONE and facts.gives_up(unread):
        return Standing.UNDO
    raise unread


def is_undo(request: Request, facts: Facts) -> bool:
    """Whether an undo is proved, by the facts that can be read."""
    try:
        return standing(request, facts) is Standing.UNDO
    except Unreadable:
        return False


def by_events(request: Request, facts: Facts) -> Standing:
    """What the events of the stack prove.

    Raises:
        Unreadable: They cannot be read.
    """
    operation = list(_operation(request.stack_id, facts))
    of_stack = [event for event in operation if event.physical_id == request.stack_id]
    issued = request.issued_at
    if of_stack and issued is not None and of_stack[0].at > issued + LATER_SECONDS:
        return Standing.OVERTAKEN
    own = [event for event in operation if event.logical_id == request.logical_id]
    is_shown = bool(own) and _is_begin_of(request, own[0])
    if is_shown and of_stack and is_in_progress(of_stack[-1].status):
        found = _of_status(of_stack[-1].status, request)
        if found is not Standing.ALLOWED:
            return found
    if request.type is RequestType.DELETE:
        return _removal(request, facts, is_shown=is_shown)
    if not is_shown and facts.may_lag():
        return Standing.UNCLEAR
    if any(event.status in ("CREATE_FAILED", "UPDATE_FAILED") for event in own):
        return Standing.UNDO
    return Standing.ALLOWED if any(is_in_progress(e.status) for e in own) else Standing.UNCLEAR


def _is_begin_of(request: Request, event: StackEvent) -> bool:
    """Whether CloudFormation wrote the resource's event right before it sent the request."""
    if not is_in_progress(event.status):
        return False
    if request.issued_at is not None and event.at < request.issued_at - OWN_EVENT_SECONDS:
        return False
    # An undo follows a failure within seconds; what it declares tells the two apart.
    said = _parsed(event.properties, request)
    if said is None or not isinstance(request.new, Declaration):
        return True
    return said.end_now == request.new.end_now and said.is_same_as(request.new)


def _removal(request: Request, facts: Facts, *, is_shown: bool) -> Standing:
    """Whether a Delete removes something from a stack that once was complete."""
    status = facts.stack(request.stack_id).status
    if not _was_complete(request.stack_id, facts):
        if not is_shown and facts.may_lag():
            return Standing.UNCLEAR
        return Standing.CREATION_UNDONE if status in (DELETE, ROLLBACK) else Standing.UNDO
    if status == "UPDATE_IN_PROGRESS":
        since = takewhile(lambda event: not is_complete(event.status), _own(request, facts))
        if any(event.status.endswith("_FAILED") for event in since):
            return Standing.UNDO
    return Standing.ALLOWED


def _by_status(request: Request, facts: Facts) -> Standing:
    """What DescribeStacks says."""
    status = facts.stack(request.stack_id).status
    if request.type is not RequestType.DELETE and status.endswith("_FAILED"):
        newest = next(
            (e for e in facts.events(request.stack_id) if e.physical_id == request.stack_id), None
        )
        # The next operation may have begun, and DescribeStacks not know it yet.
        if newest is None or not is_in_progress(newest.status):
            return Standing.UNDO
    return _of_status(status, request)


def _of_status(status: str, request: Request) -> Standing:
    is_removal = request.type is RequestType.DELETE
    if is_removal and status == ROLLBACK:
        return Standing.CREATION_UNDONE
    if status in (REMOVING_STATUSES if is_removal else FORWARD_STATUSES):
        return Standing.ALLOWED
    return Standing.UNDO if is_in_progress(status) else Standing.UNCLEAR


def _from_above(request: Request, facts: Facts) -> Standing:
    """What the stacks above a nested stack allow."""
    child, found = facts.stack(request.stack_id), Standing.ALLOWED
    while child.parent_id:
        parent = facts.stack(child.parent_id)
        if parent.status not in FORWARD_STATUSES | {CLEANUP, DELETE}:
            if is_in_progress(parent.status) or parent.status.endswith("_FAILED"):
                return Standing.UNDO
            found = Standing.PARENT_AT_REST
        elif (parent.status == DELETE and not _was_complete(parent.stack_id, facts)) or any(
            event.physical_id == child.stack_id and event.status.endswith("_FAILED")
            for event in _operation(parent.stack_id, facts)
        ):
            return Standing.UNDO
        child = parent
    return found


def last_deployed(request: Request, facts: Facts) -> Declaration | str | None:
    """The last declaration that was deployed successfully: an Update replaces it, a Delete ends it.

    Usually the event has it. After a failed update of this resource it is what the resource last
    completed with, since AWS does not document whether CloudFormation then sends the failed
    properties as the old ones. ResourcesToSkip writes UPDATE_COMPLETE without any request, so only
    a completion that directly follows an *_IN_PROGRESS of the resource counts. The same holds if
    that completion was itself the undo of a failed update.

    Returns:
        None if it cannot be read; a sentence if the event's own declaration is invalid.

    Raises:
        Unreadable: The stack's events cannot be read.
    """
    has_failed = False
    own = _own(request, facts)
    for event, before in pairwise(own):
        has_failed = has_failed or event.status == "UPDATE_FAILED"
        if (
            event.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            and event.physical_id.lower() == request.physical_id.lower()
            and is_in_progress(before.status)
        ):
            if has_failed:
                return _parsed(event.properties, request)
            earlier = next((one.status for one in own if not is_in_progress(one.status)), "")
            undone = _parsed(event.properties, request) if earlier == "UPDATE_FAILED" else None
            return undone or _told(request)
    return None if has_failed else _told(request)


def _told(request: Request) -> Declaration | str | None:
    return request.new if request.type is RequestType.DELETE else request.old


def _parsed(properties: str, request: Request) -> Declaration | None:
    try:
        members = json.loads(properties)
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    return parse_replaced(members, stack_name=request.stack_name, logical_id=request.logical_id)


def is_in_progress(status: str) -> bool:
    """Whether an operation has started and not ended."""
    return status.endswith("_IN_PROGRESS")


def is_complete(status: str) -> bool:
    """Whether a resource's operation has succeeded."""
    return status.endswith("_COMPLETE")


def _own(request: Request, facts: Facts) -> Iterator[StackEvent]:
    """The events of the request's resource."""
    return (e for e in facts.events(request.stack_id) if e.logical_id == request.logical_id)


def _operation(stack_id: str, facts: Facts) -> Iterator[StackEvent]:
    """The events of the current operation, back to the stack's own *_IN_PROGRESS."""
    for event in facts.events(stack_id):
        yield event
        if event.physical_id == stack_id and is_in_progress(event.status):
            return


def _was_complete(stack_id: str, facts: Facts) -> bool:
    """Whether the stack was ever complete; LastUpdatedTime does not prove it."""
    return any(
        event.physical_id == stack_id and event.status in COMPLETE_STATUSES
        for event in facts.events(stack_id)
    )
