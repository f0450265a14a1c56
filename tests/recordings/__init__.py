"""Events of stacks that others recorded on real AWS and published, reduced to what matters.

Each file names its source. An event is a row: seconds since the first event, stack, logical id,
type, status, physical id, properties, reason and, for the event of a hook, its type. Stacks have
the names of ``stacks``, which also gives the parent of each; a nested stack's logical id in its
parent is its own name, and the stack's own events have its name as their logical id. Ids and
properties are not kept, but which is which: the first physical id of a resource is ``id-1``, its
first properties are ``a``. ``not noted`` is what AWS had and the publisher left out.

A file has what was printed of one operation, so the rest of the history may be missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(file.stem for file in FOLDER.glob("*.json")))
STACK_TYPE = "AWS::CloudFormation::Stack"
STACK_ID = "StackId"
INITIATED = "Resource creation Initiated"
ANSWERED = (INITIATED, "Requested update required the provider to create a new physical resource")
"""Reasons of a second *_IN_PROGRESS, which is written once the resource has answered."""


@dataclass(frozen=True)
class Event:
    """One event of a stack.

    Attributes:
        at: Seconds since the recording's first event.
        stack: The stack that has the event.
        physical_id: Empty, ``StackId`` for the stack's own events, or which of the resource's.
        properties: Empty if there are none, or which of the resource's.
        hook: The HookType of an event that a hook wrote.
    """

    at: float
    stack: str
    logical_id: str
    type: str
    status: str
    physical_id: str
    properties: str
    reason: str
    hook: str = ""

    @property
    def is_of_stack(self) -> bool:
        """Whether it is an event of the stack itself."""
        return self.physical_id == STACK_ID

    @property
    def is_of_child(self) -> bool:
        """Whether it is the parent's event of a nested stack."""
        return self.type == STACK_TYPE and not self.is_of_stack

    @property
    def begins_request(self) -> bool:
        """Whether the resource is asked for something right after it."""
        return (
            self.status.endswith("_IN_PROGRESS")
            and not self.is_of_stack
            and not self.hook
            and self.reason not in ANSWERED
        )


@dataclass(frozen=True)
class Poll:
    """One response to a program that waited for the stack.

    Attributes:
        at: Its HTTP Date, in whole seconds, as seconds since the recording's first event.
        status: The newest event's, or the stack's.
        count: How many events it had; 0 for DescribeStacks.
    """

    at: float
    operation: str
    status: str
    count: int


@dataclass(frozen=True)
class Recording:
    """What was recorded of one sequence.

    Attributes:
        source: Where it was published.
        stacks: The parent of each stack, parents first.
        events: Oldest first.
        fraction: Of the second in which the first event was written.
    """

    name: str
    source: str
    title: str
    stacks: dict[str, str | None]
    events: tuple[Event, ...]
    polls: tuple[Poll, ...]
    fraction: float

    def of_stack(self, stack: str) -> tuple[Event, ...]:
        """The events that DescribeStackEvents gives for one stack, oldest first."""
        return tuple(event for event in self.events if event.stack == stack)

    def with_past(self) -> tuple[Event, ...]:
        """The events with what a replay has to put in: none of that was recorded.

        A stack whose creation is not in the file was created a day before, with the resources that
        it updates or deletes. A nested stack whose first own event is missing (the CDK did not
        print it) begins where its parent does.
        """
        added: list[Event] = []
        for stack, parent in self.stacks.items():
            events = self.of_stack(stack)
            begin = next((event.status for event in events if event.is_of_stack), "UPDATE")
            if begin not in BEGINNINGS:
                begin = f"{begin.partition('_')[0]}_IN_PROGRESS"
                added.append(_own(stack, begin, _beginning(self, stack, parent)))
            if not begin.startswith(("CREATE", "REVIEW")):
                added += _creation(stack, 20.0 * self.depth(stack), events)
        # Sorting is stable: what was recorded keeps its order.
        return tuple(sorted([*added, *self.events], key=lambda event: event.at))

    def depth(self, stack: str) -> int:
        """How many stacks it is nested in."""
        parent = self.stacks[stack]
        return 0 if parent is None else 1 + self.depth(parent)


BEGINNINGS = (
    "CREATE_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "REVIEW_IN_PROGRESS",
)
DAY_SECONDS = 86_400.0


def load(name: str) -> Recording:
    """One of ``NAMES``."""
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    begins = data.get("begins", "2025-06-15T00:00:00.000Z").replace("Z", "+00:00")
    return Recording(
        name=name,
        source=data["source"],
        title=data["title"],
        stacks=data["stacks"],
        events=tuple(Event(*row) for row in data["events"]),
        polls=tuple(Poll(*row) for row in data.get("polls", ())),
        fraction=datetime.fromisoformat(begins).microsecond / 1e6,
    )


def _own(stack: str, status: str, at: float) -> Event:
    return Event(at, stack, stack, STACK_TYPE, status, STACK_ID, "", "put in")


def _beginning(recording: Recording, stack: str, parent: str | None) -> float:
    """When an operation began whose first event is missing."""
    for event in recording.events:
        if event.stack == parent and event.logical_id == stack and event.begins_request:
            return event.at + 0.5
    return -10.0


def _creation(stack: str, late: float, events: tuple[Event, ...]) -> list[Event]:
    """The creation of a stack and of what its first events say was there."""
    begin, end = late - DAY_SECONDS, 600 - late - DAY_SECONDS
    first: dict[str, Event] = {}
    for event in events:
        if not event.is_of_stack:
            first.setdefault(event.logical_id, event)
    added = [_own(stack, "CREATE_IN_PROGRESS", begin)]
    for event in first.values():
        if not event.status.startswith("CREATE"):
            known = replace(event, properties="before", reason="put in")
            added += [
                replace(known, at=begin + 2, status="CREATE_IN_PROGRESS", physical_id=""),
                replace(known, at=end - 2, status="CREATE_COMPLETE", physical_id="id-1"),
            ]
    return [*added, _own(stack, "CREATE_COMPLETE", end)]
