"""What a stack's events say about one resource: operations, and what is deployed.

docs/design/orders.md defines the terms. Everything here is a pure function of the events that were
read, so it can also say which older events it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from itertools import pairwise

from ..contract.declaration import Declaration, Problems, is_masked, parse, same_properties
from ..contract.request import Request, RequestType
from .situation import Kind, NotReadable, Seen, Stack, StackEvent

_BEGINS = ("CREATE", "UPDATE", "DELETE", "IMPORT")
BEGIN_STATUSES = frozenset(f"{kind}_IN_PROGRESS" for kind in _BEGINS)
CLEANUP_STATUS = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_CREATION = ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS")

OWN_EVENT_SECONDS = 3.0
"""CloudFormation writes a resource's *_IN_PROGRESS up to 2 s before its request, whose date is cut
to whole seconds."""

OLDER_EVENTS = NotReadable(Kind.UNFINISHED, "DescribeStackEvents: there are older events to read")


class OperationOutcome(Enum):
    """How an operation of a stack ended, by the last status that the stack wrote in it."""

    SUCCEEDED = "succeeded"
    UNDONE = "undone"
    BROKEN = "broken"
    UNDER_WAY = "under way"


_SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", CLEANUP_STATUS})


@dataclass(frozen=True)
class Operation:
    """One operation of a stack.

    Attributes:
        status: The status with which it began; empty for events outside of any operation.
        began: Seconds since the epoch.
        ended: When the stack wrote its last status. If that is an *_IN_PROGRESS, when the next
            operation began; None if there is none.
        rolled_back: When its rollback began; None if there was none.
    """

    status: str
    began: float
    ended: float | None
    outcome: OperationOutcome
    rolled_back: float | None = None

    def has(self, at: float) -> bool:
        """Whether a time lies in it; the next operation begins later."""
        return self.began <= at and (self.ended is None or at <= self.ended)


def operations(events: Sequence[StackEvent], stack_id: str) -> tuple[Operation, ...]:
    """The operations of a stack, oldest first, from its events, oldest first.

    A rollback belongs to the operation that it undoes, whenever it was ordered.
    """
    groups: list[list[StackEvent]] = []
    for event in events:
        if event.physical_id != stack_id:
            continue
        if event.status in BEGIN_STATUSES:
            groups.append([event])
        elif groups:
            groups[-1].append(event)
    next_begins = [*(group[0].at for group in groups[1:]), None]
    return _with_undone([_operation(*each) for each in zip(groups, next_begins, strict=False)])


def _operation(events: Sequence[StackEvent], next_began: float | None) -> Operation:
    last, is_newest = events[-1], next_began is None
    is_open = last.status.endswith("_IN_PROGRESS")
    rollbacks = [event.at for event in events if is_rollback(event.status)]
    if last.status in _SUCCEEDED:
        outcome = OperationOutcome.SUCCEEDED
    elif "ROLLBACK_COMPLETE" in last.status:
        outcome = OperationOutcome.UNDONE
    else:
        outcome = OperationOutcome.UNDER_WAY if is_open and is_newest else OperationOutcome.BROKEN
    return Operation(
        status=events[0].status,
        began=events[0].at,
        ended=next_began if is_open else last.at,
        outcome=outcome,
        rolled_back=rollbacks[0] if rollbacks else None,
    )


def _with_undone(oldest_first: Sequence[Operation]) -> tuple[Operation, ...]:
    """A rollback also undoes the broken operations right before its own."""
    result: list[Operation] = []
    undoes = False
    for operation in reversed(oldest_first):
        if undoes and operation.outcome is OperationOutcome.BROKEN:
            result.append(replace(operation, outcome=OperationOutcome.UNDONE))
        else:
            result.append(operation)
            undoes = operation.outcome is OperationOutcome.UNDONE
    return tuple(reversed(result))


def is_rollback(status: str) -> bool:
    """Whether a stack undoes something at this moment, the clean-up after it included."""
    return "ROLLBACK" in status and status.endswith("_IN_PROGRESS")


class OwnEvent(Enum):
    """Whether the event that CloudFormation wrote for the request itself is there."""

    MISSING = "missing"
    MASKED = "there, with properties that are not the request's"
    PRESENT = "there"


class AsCreate(Enum):
    """The value of :meth:`History.deployed` if nothing of the resource ever completed."""

    AS_CREATE = "the Update is as a Create"


Deployed = Seen[Declaration | AsCreate]


@dataclass(frozen=True)
class History:
    """What the events say about the resource of a request.

    Attributes:
        stacks: The resource's stack, then those that it is nested in, the root last.
        is_past_doubt: Looks have been in doubt for a minute. An older event of the request's kind
            then counts as its own.
    """

    request: Request
    stacks: tuple[Stack, ...]
    issued_at: float
    is_past_doubt: bool = False

    @cached_property
    def own_event(self) -> OwnEvent:
        """The request's own event: without it the history may be older than the request."""
        newest = self._own[-1] if self._own else None
        if newest is None or newest.status != f"{self.request.type.value.upper()}_IN_PROGRESS":
            return OwnEvent.MISSING
        is_old = newest.at < self.issued_at - OWN_EVENT_SECONDS
        members = _members(newest.properties)
        is_same = not newest.properties or (
            members is not None and same_properties(members, self.request.properties)
        )
        if is_same and (not is_old or self.is_past_doubt):
            return OwnEvent.PRESENT
        # An older one with other properties is that of another request, such as the one that a
        # failed resource is restored from.
        return OwnEvent.MASKED if self.is_past_doubt and not is_old else OwnEvent.MISSING

    @cached_property
    def newest(self) -> StackEvent | None:
        """The newest event of the resource."""
        return self._own[-1] if self._own else None

    @cached_property
    def base(self) -> Operation | None:
        """The newest operation that succeeded before the one under way."""
        older = reversed(self._timeline[:-1])
        return next(
            (operation for operation in older if operation.outcome is OperationOutcome.SUCCEEDED),
            None,
        )

    @cached_property
    def is_never_deployed(self) -> Seen[bool]:
        """Whether the resource has not been part of a stack that succeeded."""
        if (gap := self.gap) is not None:
            return gap
        of_stacks = (event for stack in self.stacks[:-1] for event in _of_stack(stack))
        return self.base is None or any(
            event.status == "CREATE_IN_PROGRESS" and self._is_after_base(event)
            for event in (*self._own, *of_stacks)
        )

    @cached_property
    def deployed(self) -> Deployed:
        """What the stack's operations left deployed, before this request."""
        is_new = self.is_never_deployed
        if isinstance(is_new, NotReadable):
            return is_new
        since = self._since_base
        if is_new and self.request.type is RequestType.UPDATE:
            completions = self._completions_since_created(since)
            return self._declared(completions[-1]) if completions else AsCreate.AS_CREATE
        by_request = self._deployed_by_request()
        if not since:
            return by_request
        if self._is_all_restored(since):
            restored = [event for event in self.completions if event in since]
            restored_to = self._declared(restored[-1])
            return by_request if isinstance(restored_to, NotReadable) else restored_to
        completion = self._completion_of_base()
        if completion is None:
            return NotReadable(Kind.REFUSED, "the stack's events do not show what was deployed")
        return self._declared(completion)

    @cached_property
    def tried_since(self) -> tuple[Seen[Declaration], ...]:
        """What completed in broken operations after the last that succeeded or was undone."""
        older = self._timeline[:-1]
        broken: list[Operation] = []
        for operation in reversed(older):
            if operation.outcome is not OperationOutcome.BROKEN:
                break
            broken.append(operation)
        return tuple(
            self._declared(event)
            for event in self.completions
            if self._operation_of(event.at) in broken
        )

    @cached_property
    def gap(self) -> NotReadable | None:
        """Why the history does not go back far enough; None if it does."""
        for stack in self.stacks:
            if isinstance(stack.events, NotReadable):
                return stack.events
        if isinstance(self.stacks[-1].description, NotReadable):
            return self.stacks[-1].description
        if self.lacks:
            return OLDER_EVENTS
        if self.base is None and not _is_from_creation(self.stacks[-1]):
            return NotReadable(Kind.REFUSED, "DescribeStackEvents: the oldest events are gone")
        return None

    @cached_property
    def lacks(self) -> frozenset[str]:
        """The stacks whose older events have to be read before this history tells what it can."""
        lacking = {stack.stack_id for stack in self.stacks if not _has_begin(stack)}
        if self.request.type is RequestType.CREATE:
            return frozenset(lacking)
        *nested, root = self.stacks
        if self.base is None and not _is_whole(root):
            lacking.add(root.stack_id)
        began = self.base.began if self.base else float("-inf")
        lacking |= {stack.stack_id for stack in nested if not _reaches(stack, began)}
        return frozenset(lacking or self._lacks_completion())

    def _lacks_completion(self) -> set[str]:
        """What is missing if what is deployed has to be found before the base."""
        since = self._since_base
        if self.base is None or self._is_all_restored(since):
            return set()
        completion = self._completion_of_base()
        if completion and any(operation.began <= completion.at for operation in self._operations):
            return set()
        searched = self.stacks[-1:] if completion else (self.stacks[0], self.stacks[-1])
        return {stack.stack_id for stack in searched if not _is_whole(stack)}

    @cached_property
    def _operations(self) -> tuple[Operation, ...]:
        """The root's operations, which are those of a nested stack, too."""
        root = self.stacks[-1]
        return operations(_oldest_first(root), root.stack_id)

    @cached_property
    def _timeline(self) -> tuple[Operation, ...]:
        """The operations, and broken ones for events that lie outside of any."""
        timeline = list(self._operations)
        for event in self._own:
            if not any(operation.has(event.at) for operation in timeline):
                ends = [other.began for other in self._operations if other.began > event.at]
                end = min(ends) if ends else None
                timeline.append(Operation("", event.at, end, OperationOutcome.BROKEN))
        return _with_undone(sorted(timeline, key=lambda operation: operation.began))

    def _operation_of(self, at: float) -> Operation:
        """The operation in whose time an event was written."""
        outside = Operation("", at, at, OperationOutcome.BROKEN)
        return next(
            (operation for operation in reversed(self._timeline) if operation.has(at)), outside
        )

    @cached_property
    def _own(self) -> tuple[StackEvent, ...]:
        """The events of the resource, oldest first."""
        own = self.stacks[0]
        return tuple(
            event
            for event in _oldest_first(own)
            if event.logical_id == self.request.logical_id and event.physical_id != own.stack_id
        )

    @cached_property
    def _before(self) -> tuple[StackEvent, ...]:
        """The events of the resource before the request's own."""
        return self._own[:-1] if self.own_event is not OwnEvent.MISSING else self._own

    @cached_property
    def _since_base(self) -> tuple[StackEvent, ...]:
        """Its CREATE_ and UPDATE_ events after the base, before the request."""
        return tuple(
            event
            for event in self._before
            if event.status.startswith(("CREATE_", "UPDATE_")) and self._is_after_base(event)
        )

    def _is_after_base(self, event: StackEvent) -> bool:
        """Whether an event belongs to a later operation than the base."""
        return self.base is None or self._operation_of(event.at).began > self.base.began

    @cached_property
    def completions(self) -> tuple[StackEvent, ...]:
        """Its completions of requests, oldest first.

        ResourcesToSkip and ForceRollback write UPDATE_COMPLETE without any request:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
        """
        return tuple(
            event
            for before, event in pairwise(self._before)
            if event.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            and before.status == event.status.replace("COMPLETE", "IN_PROGRESS")
        )

    def _completions_since_created(self, since: Sequence[StackEvent]) -> list[StackEvent]:
        """Its completions since its newest creation: an earlier resource of its id was removed."""
        creations = [event.at for event in since if event.status == "CREATE_IN_PROGRESS"]
        began = creations[-1] if creations else float("-inf")
        return [event for event in self.completions if event in since and event.at >= began]

    def _is_all_restored(self, since: Sequence[StackEvent]) -> bool:
        """Whether its last event in each operation since the base completes an undo."""
        for operation in self._timeline:
            own = [event for event in since if self._operation_of(event.at) == operation]
            if own and not (
                own[-1] in self.completions
                and operation.rolled_back is not None
                and own[-1].at >= operation.rolled_back
            ):
                return False
        return True

    def _completion_of_base(self) -> StackEvent | None:
        """Its newest completion up to the base's end, in operations that were not undone."""
        base = self.base
        if base is None:
            return None
        for event in reversed(self.completions):
            operation = self._operation_of(event.at)
            if operation.began <= base.began and operation.outcome is not OperationOutcome.UNDONE:
                return event
        return None

    def _deployed_by_request(self) -> Deployed:
        """What the request itself says was deployed."""
        request = self.request
        declared = request.new if request.type is RequestType.DELETE else request.old
        if declared is None:
            return NotReadable(Kind.REFUSED, "the request has no OldResourceProperties")
        return _or_not_readable(declared)

    def _declared(self, event: StackEvent) -> Seen[Declaration]:
        """The declaration in an event's properties."""
        members = _members(event.properties)
        if members is None or is_masked(members) or self.own_event is OwnEvent.MASKED:
            why = f"the properties in {event.status} of {event.logical_id} are masked or missing"
            return NotReadable(Kind.REFUSED, why)
        return _or_not_readable(parse(members))


def _or_not_readable(declared: Declaration | Problems) -> Seen[Declaration]:
    return NotReadable(Kind.REFUSED, str(declared)) if isinstance(declared, Problems) else declared


def _oldest_first(stack: Stack) -> tuple[StackEvent, ...]:
    """A stack's events that are steps of an operation."""
    return () if isinstance(stack.events, NotReadable) else stack.events.steps


def _of_stack(stack: Stack) -> tuple[StackEvent, ...]:
    """The events of the stack itself, oldest first."""
    return tuple(event for event in _oldest_first(stack) if event.physical_id == stack.stack_id)


def _of_stack_newest_first(stack: Stack) -> Iterator[StackEvent]:
    newest_first = reversed(_oldest_first(stack))
    return (event for event in newest_first if event.physical_id == stack.stack_id)


def begin_of(stack: Stack) -> StackEvent | None:
    """The event with which the stack's newest operation began."""
    own = _of_stack_newest_first(stack)
    return next((event for event in own if event.status in BEGIN_STATUSES), None)


def newest_of(stack: Stack) -> StackEvent | None:
    """The newest event of the stack itself."""
    return next(_of_stack_newest_first(stack), None)


def under_way(stack: Stack, at: float) -> tuple[StackEvent, ...]:
    """The events of the stack's newest operation, oldest first; empty if it ended before a time."""
    newest, begin, events = newest_of(stack), begin_of(stack), _oldest_first(stack)
    if newest is not None and newest.at < at and not newest.status.endswith("_IN_PROGRESS"):
        return ()
    return events if begin is None else events[events.index(begin) :]


def _is_whole(stack: Stack) -> bool:
    return isinstance(stack.events, NotReadable) or stack.events.is_whole


def _has_begin(stack: Stack) -> bool:
    return _is_whole(stack) or begin_of(stack) is not None


def _reaches(stack: Stack, at: float) -> bool:
    """Whether a stack's events go back to a time."""
    if isinstance(stack.events, NotReadable) or stack.events.is_whole:
        return True
    return bool(stack.events.newest_first) and stack.events.newest_first[-1].at < at


def _is_from_creation(stack: Stack) -> bool:
    """Whether the events begin with the stack's own creation.

    A stack that an import creates is in REVIEW_IN_PROGRESS before, like any stack that a change set
    creates. Any other import changes a stack that exists, whose older events are then gone.
    """
    own = _of_stack(stack)
    return bool(own) and own[0].status in _CREATION


def _members(properties: str) -> Mapping[str, object] | None:
    """An event's properties; None if they are absent or do not parse."""
    try:
        members = json.loads(properties)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None
