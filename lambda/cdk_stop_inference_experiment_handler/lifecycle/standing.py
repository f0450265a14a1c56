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
    """Whether CloudFormation still wants what a request asks for."""

    ALLOWED = "allowed"
    UNDO = "undo"
    CREATION_UNDONE = "the stack's creation is undone"
    OVERTAKEN = "CloudFormation has moved on"
    UNCLEAR = "the stack's status does not match the request"
    PARENT_AT_REST = "a parent stack is not being deployed"


def standing(request: Request, facts: Facts) -> Standing:
    """Whether the request may stop an experiment now.

    One fact that proves an undo is enough, even if others cannot be read.

    Raises:
        Unreadable: A fact that the result depends on cannot be read.
    """
    seen: list[Standing] = []
    unread: Unreadable | None = None
    for look in (_own_status, _own_events, _from_above):
        try:
            seen.append(look(request, facts))
        except Unreadable as error:
            unread = unread or error
        if Standing.UNDO in seen:
            break
    if Standing.OVERTAKEN in seen:
        return Standing.OVERTAKEN
    if Standing.CREATION_UNDONE in seen:
        return Standing.UNDO if unread else Standing.CREATION_UNDONE
    if Standing.UNDO in seen:
        return Standing.UNDO
    if unread:
        raise unread
    return next((found for found in seen if found is not Standing.ALLOWED), Standing.ALLOWED)


def _own_status(request: Request, facts: Facts) -> Standing:
    status = facts.stack(request.stack_id).status
    if request.type is RequestType.DELETE:
        if status == ROLLBACK:
            return Standing.CREATION_UNDONE
        allowed, failed = REMOVING_STATUSES, Standing.UNCLEAR
    else:
        allowed, failed = FORWARD_STATUSES, Standing.UNDO
    if status in allowed:
        return Standing.ALLOWED
    if status.endswith("_IN_PROGRESS"):
        return Standing.UNDO
    if not status.endswith("_FAILED"):
        return Standing.UNCLEAR
    # The next operation may have started without DescribeStacks showing it yet.
    return Standing.UNCLEAR if is_in_progress(_latest_status(request, facts)) else failed


def _own_events(request: Request, facts: Facts) -> Standing:
    operation = list(_operation(request.stack_id, facts))
    begun = next((event for event in operation if event.physical_id == request.stack_id), None)
    issued = request.issued_at
    if begun and issued is not None and begun.at > issued + LATER_SECONDS:
        return Standing.OVERTAKEN
    if request.type is RequestType.DELETE:
        return _removal(request, facts, operation)
    if not any(_is_own_begin(event, request) for event in operation) and facts.may_lag():
        return Standing.UNCLEAR
    return Standing.UNDO if _has_failed(request, operation) else Standing.ALLOWED


def _is_own_begin(event: StackEvent, request: Request) -> bool:
    """Whether CloudFormation wrote this event right before it sent the request."""
    if event.logical_id != request.logical_id or not is_in_progress(event.status):
        return False
    if request.issued_at is not None and event.at < request.issued_at - OWN_EVENT_SECONDS:
        return False
    # An undo follows a failure within seconds; it declares something else.
    said = _parsed(event.properties, request)
    if said is None or not isinstance(request.new, Declaration):
        return True
    return said.end_now == request.new.end_now and said.is_same_as(request.new)


def _removal(request: Request, facts: Facts, operation: list[StackEvent]) -> Standing:
    """Whether a Delete removes a resource from a stack that was complete before."""
    status = facts.stack(request.stack_id).status
    if status == ROLLBACK:
        return Standing.CREATION_UNDONE
    if not _was_complete(request.stack_id, facts):
        if not any(_is_own_begin(event, request) for event in operation) and facts.may_lag():
            return Standing.UNCLEAR
        return Standing.CREATION_UNDONE if status == DELETE else Standing.UNDO
    if status == "UPDATE_IN_PROGRESS":
        since = takewhile(lambda event: not is_complete(event.status), _own(request, facts))
        if any(event.status.endswith("_FAILED") for event in since):
            return Standing.UNDO
    return Standing.ALLOWED


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


def looks_undone(request: Request, facts: Facts) -> bool:
    """Whether the events alone suggest an undo of an Update.

    Every Update reads the events anyway, so this check costs no further call.
    """
    operation = list(_operation(request.stack_id, facts))
    begun = _latest_status(request, facts)
    return (is_in_progress(begun) and begun not in FORWARD_STATUSES) or _has_failed(
        request, operation
    )


def _latest_status(request: Request, facts: Facts) -> str:
    """The stack's status according to its newest event; empty if there is none."""
    return next(
        (e.status for e in facts.events(request.stack_id) if e.physical_id == request.stack_id), ""
    )


def _has_failed(request: Request, operation: list[StackEvent]) -> bool:
    """Whether this resource has failed in the operation."""
    return any(
        event.logical_id == request.logical_id
        and event.status in ("CREATE_FAILED", "UPDATE_FAILED")
        for event in operation
    )


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
