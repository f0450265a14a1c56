"""The facts of one step: each is read from AWS when a decision first needs it, then cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ..lifecycle.facts import (
    Endpoint,
    Experiment,
    Measured,
    Question,
    Request,
    Stack,
    StackEvent,
    Unreadable,
)
from .aws import Aws
from .waiting import Wait

LAG_SECONDS = 60.0
"""For this long after a request, AWS may still return data that is older than it."""

Fact = TypeVar("Fact")


class Lookup:
    """Facts about one request; see :class:`~..lifecycle.facts.Facts`.

    Args:
        unread_since: Since when steps could not read a fact; None if the last one could.
    """

    def __init__(self, request: Request, aws: Aws, wait: Wait, unread_since: float | None) -> None:
        self._request = request
        self._aws = aws
        self._wait = wait
        self._unread_since = unread_since
        self._known: dict[str, object] = {}
        self._pages: dict[str, _Pages] = {}

    @property
    def seen(self) -> Experiment | None:
        """The experiment, if this step has described it."""
        found = self._known.get("experiment")
        return found if isinstance(found, Experiment) else None

    def experiment(self) -> Experiment | None:
        """The experiment that the request names; None if SageMaker does not know it."""
        name = self._request.declared_name
        return self._once("experiment", lambda: self._aws.describe(name))

    def endpoint(self) -> Endpoint | None:
        """The experiment's endpoint, None where SageMaker does not know it."""
        experiment = self.experiment()
        name = experiment.endpoint_name if experiment else ""
        return self._once("endpoint", lambda: self._aws.endpoint(name) if name else None)

    def stack(self, stack_id: str) -> Stack:
        """A stack as it is now."""
        return self._once(stack_id, lambda: self._aws.stack(stack_id))

    def events(self, stack_id: str) -> Iterator[StackEvent]:
        """A stack's events, newest first; pages are read when needed."""
        pages = self._pages.setdefault(stack_id, _Pages(self._aws.event_pages(stack_id)))
        return iter(pages)

    def holders(self) -> tuple[str, ...]:
        """Logical ids of the resources with this physical id that are not being deleted."""
        return self._once("holders", lambda: self._aws.holders(self._request))

    def evidence(self, question: Question) -> Measured:
        """What CloudWatch measured, and the states of alarms."""
        return self._once("evidence", lambda: self._aws.evidence(question))

    @property
    def is_unmeasured(self) -> bool:
        """Whether this step asked for evidence that cannot be read."""
        return isinstance(self._known.get("evidence"), Unreadable)

    def may_lag(self) -> bool:
        """Whether the request is so recent that AWS may still return older data."""
        return self._wait.age < LAG_SECONDS

    def gives_up(self, error: Unreadable) -> bool:
        """Whether to continue without a fact that no stop depends on: after a minute at most."""
        if not self._wait.is_worth_repeating(error):
            return True
        return self._unread_since is not None and self._wait.now >= self._unread_since + LAG_SECONDS

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._wait.now

    def deadline(self) -> float:
        """When the request must be answered, in seconds since the epoch."""
        return self._wait.deadline

    def _once(self, key: str, look: Callable[[], Fact]) -> Fact:
        if key not in self._known:
            try:
                self._known[key] = look()
            except Unreadable as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, Unreadable):
            raise found
        return found  # type: ignore[return-value]


class _Pages:
    """A list that is read page by page and can be iterated any number of times."""

    def __init__(self, pages: Iterator[list[StackEvent]]) -> None:
        self._pages = pages
        self._read: list[StackEvent] = []
        self._failure: Unreadable | None = None

    def __iter__(self) -> Iterator[StackEvent]:
        position = 0
        while True:
            while position >= len(self._read):
                if not self._read_on():
                    return
            yield self._read[position]
            position += 1

    def _read_on(self) -> bool:
        if self._failure:
            raise self._failure
        try:
            page = next(self._pages, None)
        except Unreadable as error:
            self._failure = error
            raise
        self._read.extend(page or [])
        return page is not None
