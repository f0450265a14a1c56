"""Lambda's concurrency limit, for functions of the loopback AWS.

"When an invocation request can't be processed because of throttling, Lambda returns the event to
the queue and attempts to run the function again"; "the retry interval increases exponentially from
1 second after the first attempt to a maximum of 5 minutes", up to the maximum age of an event,
which the template sets to an hour:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

from typing import Any

from loopback.function import Function

__all__ = ["Executions"]

MAX_EVENT_AGE_SECONDS = 3600.0
LONGEST_RETRY_SECONDS = 300.0


class Executions:
    """Counts a function's executions, and throttles those that exceed the limit.

    Attributes:
        most: The most executions at a time.
        all_taken_seconds: How long all of them were taken.
        throttled: Attempts to start one that Lambda put off.
        dropped: Events that grew too old meanwhile.
    """

    def __init__(self, function: Function, limit: int | None) -> None:
        self.most = self.throttled = self.dropped = 0
        self.all_taken_seconds = 0.0
        self._function = function
        self._limit = limit
        self._invoke = function.invoke
        self._run = function._run  # noqa: SLF001
        self._running = 0
        self._all_taken_since: float | None = None
        vars(function).update(invoke=self.invoke, _run=self._counted)

    def invoke(self, event: dict[str, Any], attempt: int = 0) -> None:
        """Invoke the function, now or when an execution is free."""
        self._try(event, attempt, self._function.clock.now, 0)

    def _try(self, event: dict[str, Any], attempt: int, queued_at: float, tries: int) -> None:
        clock = self._function.clock
        if self._limit is None or self._running < self._limit:
            self._take()
            self._invoke(event, attempt)
            return
        self.throttled += 1
        again = clock.now + min(2.0**tries, LONGEST_RETRY_SECONDS)
        if again > queued_at + MAX_EVENT_AGE_SECONDS:
            self.dropped += 1
            return
        clock.call_at(again, lambda: self._try(event, attempt, queued_at, tries + 1))

    def _take(self) -> None:
        self._running += 1
        self.most = max(self.most, self._running)
        if self._running == self._limit:
            self._all_taken_since = self._function.clock.now

    def _counted(self, number: int, event: dict[str, Any], limit: float) -> None:
        try:
            self._run(number, event, limit)
        finally:
            self._running -= 1
            if self._all_taken_since is not None:
                self.all_taken_seconds += self._function.clock.now - self._all_taken_since
                self._all_taken_since = None
