"""Looks at AWS: every read, and what becomes of one that fails.

Nothing is retried within a look. The next look is the retry; what a look could not read is a value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..contract.request import Request
from ..lifecycle.decide import needs_experiment, needs_stack
from ..lifecycle.history import History
from ..lifecycle.situation import (
    NOT_READ,
    Description,
    Events,
    Experiment,
    Needs,
    NotReadable,
    Prepared,
    Progress,
    Seen,
    Situation,
    Stack,
    StackEvent,
)
from .aws import Aws
from .errors import AwsError, Refused, Throttled

LOOK_SECONDS = 10.0
"""A look does not begin to read older events after this long; it reads one older page anyway."""

PROGRESS_SECONDS = 60.0
"""Reading older events has come to nothing after this long without a page."""

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """A Situation, and how it was read.

    Attributes:
        stack_asked_at: When the newest events and the status of the first stack were asked for.
        is_throttled: AWS throttled one of the calls.
        is_unfinished: There are older events to read, and the last minute has got some: another
            invocation would have to begin anew.
    """

    situation: Situation
    stack_asked_at: float
    is_throttled: bool
    is_unfinished: bool


class Looker:
    """Looks for one request; keeps older events of a stack between the looks of an invocation."""

    def __init__(self, request: Request, aws: Aws) -> None:
        self._request = request
        self._aws = aws
        self._readers: dict[str, _EventReader] = {}
        self._is_throttled = False
        self._reads_until = 0.0

    def look(self, progress: Progress, prepared: Prepared | None = None) -> Look:
        """Look at the experiment, and at the stack if the decision depends on it."""
        self._is_throttled = prepared is not None and self._is_throttled
        request, now = self._request, time.time()
        described: Seen[Experiment | None] = NOT_READ
        if needs_experiment(request):
            described = self._seen(lambda: self._aws.describe(request.name))
        first = Situation(request, progress, now, described, None, prepared)
        situation = replace(first, progress=_remembering(first))
        asked_at = time.time()
        if needs_stack(situation):
            situation = replace(situation, stacks=self._stacks(situation))
        is_unfinished = situation.stacks is not None and time.time() < self._reads_until
        return Look(situation, asked_at, self._is_throttled, is_unfinished)

    def prepare(self, needs: Needs, experiment: Experiment) -> Prepared:
        """Read what a Stop needs besides."""
        request, aws, question = self._request, self._aws, needs.evidence
        counts = holders = evidence = None
        if needs.counts:
            counts = self.counts(experiment.endpoint_name)
        if needs.holders:
            holders = self._seen(lambda: aws.holders(request.stack_id, request.physical_id))
        if question is not None:
            evidence = self._seen(lambda: aws.evidence(question))
        return Prepared(counts, holders, evidence)

    def counts(self, endpoint_name: str) -> Seen[Mapping[str, int]]:
        """The current instance counts of an endpoint's variants."""
        return self._seen(lambda: self._aws.counts(endpoint_name))

    def _stacks(self, situation: Situation) -> tuple[Stack, ...]:
        """The request's stack and those that it is nested in, with the events that decide."""
        began, stacks, stack_id = time.time(), list[Stack](), self._request.stack_id
        while stack_id:
            stack = self._seen_stack(stack_id)
            stacks.append(stack)
            description = stack.description
            stack_id = description.parent_id if isinstance(description, Description) else ""
        until, has_read = began + LOOK_SECONDS, False
        while not has_read or time.time() < until:
            history = History(self._request, tuple(stacks), situation.issued_at)
            if not (lacking := history.lacks):
                if not any(isinstance(stack.events, NotReadable) for stack in stacks):
                    self._reads_until = 0.0
                break
            has_read = True
            older = {
                each: self._seen(partial(self._readers[each].older, until)) for each in lacking
            }
            if any(isinstance(events, Events) for events in older.values()):
                self._reads_until = time.time() + PROGRESS_SECONDS
            stacks = [
                replace(stack, events=older.get(stack.stack_id, stack.events)) for stack in stacks
            ]
        return tuple(stacks)

    def _seen_stack(self, stack_id: str) -> Stack:
        reader = self._readers.setdefault(
            stack_id, _EventReader(self._aws, stack_id, self._request.logical_id)
        )
        description = self._seen(lambda: self._aws.stack(stack_id))
        return Stack(stack_id, description, self._seen(reader.newest))

    def _seen(self, read: Callable[[], T]) -> Seen[T]:
        try:
            return read()
        except AwsError as error:
            self._is_throttled = self._is_throttled or isinstance(error, Throttled)
            return error.as_not_readable


class _EventReader:
    """The events of one stack, without gaps from the newest one on.

    Only those of the request's resource keep their properties, which decide: those of a thousand
    pages would fill the function's memory.
    """

    def __init__(self, aws: Aws, stack_id: str, logical_id: str) -> None:
        self._aws = aws
        self._stack_id = stack_id
        self._logical_id = logical_id
        self._known: list[StackEvent] = []
        self._pages = 0
        self._token = ""

    def newest(self) -> Events:
        """Read the newest page, and keep the older events that it joins."""
        page, token = self._page()
        oldest = page[-1].event_id if page else ""
        joints = (at for at, event in enumerate(self._known) if event.event_id == oldest)
        joint = next(joints, None)
        if token and joint is not None:
            self._known = [*page, *self._known[joint + 1 :]]
        else:
            self._known, self._token, self._pages = [*page], token, 1
        return self._events

    def older(self, until: float) -> Events:
        """Read older pages: one, then up to a tenth of those that are known, until a time.

        What is decided from all events after each reading then takes a time that grows as they do.
        A page that could not be read is the first of the next reading. After a token that is
        refused, the next look begins anew.
        """
        ids = {event.event_id for event in self._known}
        for _ in range(max(1, self._pages // 10)):
            try:
                page, self._token = self._page(self._token)
            except Refused:
                self._known, self._token = [], ""
                raise
            # AWS does not document whether a token stands for an event or for a number of events.
            self._known += [event for event in page if event.event_id not in ids]
            ids.update(event.event_id for event in page)
            self._pages += 1
            if not self._token or time.time() >= until:
                break
        return self._events

    def _page(self, token: str = "") -> tuple[list[StackEvent], str]:
        page, following = self._aws.event_page(self._stack_id, token)
        own = self._logical_id
        return [
            event if event.logical_id == own else replace(event, properties="") for event in page
        ], following

    @property
    def _events(self) -> Events:
        return Events(tuple(self._known), is_whole=not self._token)


def _remembering(s: Situation) -> Progress:
    """The progress with what the request has seen of its experiment for the first time."""
    experiment, progress = s.experiment, s.progress
    if not isinstance(experiment, Experiment):
        return progress
    failure, failure_before = experiment.endpoint_failure, progress.failure_before
    # While it ends, a failure may be new already. Without one, what comes later is new.
    is_before = not experiment.is_stopping or failure == ""
    if failure_before is None and is_before and not experiment.has_ended:
        failure_before = failure
    return replace(
        progress,
        created=experiment.created if progress.created is None else progress.created,
        scheduled_end=progress.scheduled_end if experiment.is_over else experiment.scheduled_end,
        failure_before=failure_before,
    )
