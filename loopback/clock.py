"""Virtual time, and invocations that take turns so that their interleaving is deterministic.

Every invocation is a greenlet; only one runs at a time. It yields only when it sleeps, and every
AWS call and PUT of the model starts with a sleep, so that concurrent invocations can interleave at
each of them. The next one is chosen by time, then by the order of the sleeps, so the same history
always runs the same way. Threads could do that, too, but take twice as long.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from greenlet import getcurrent, greenlet

EPOCH = 1_750_000_000.0
"""When every world begins."""


class Killed(BaseException):
    """Lambda ends an invocation; the handler cannot catch this."""


class Task:
    """One invocation on the clock.

    Attributes:
        limit: When Lambda kills it.
        is_killed: It dies when it wakes up next.
        error: An error of the world itself, not of the handler.
    """

    def __init__(self, clock: Clock, work: Callable[[], None], limit: float) -> None:
        self.limit = limit
        self.is_killed = False
        self.is_done = False
        self.error: BaseException | None = None
        self._clock = clock
        self._work = work
        self._greenlet = greenlet(self._run)

    def resume(self) -> None:
        """Run until it sleeps or ends; called by the driver of the clock."""
        if self.is_done:
            return
        self._clock.current = self
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()
        self._clock.current = None
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def park(self) -> None:
        """Yield to the driver of the clock; return when resumed."""
        driver = self._greenlet.parent
        assert driver is not None
        driver.switch()
        if self.is_killed:
            raise Killed

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever drives the clock
            self.error = error
        finally:
            self.is_done = True


class Clock:
    """Time that passes only when somebody sleeps or drives it."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.current: Task | None = None
        self._thread = threading.get_ident()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._bound = EPOCH

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Schedule an action for a time; the driver of the clock runs it."""
        heapq.heappush(self._events, (max(when, self.now), next(self._order), action))

    def spawn(self, work: Callable[[], None], *, limit: float) -> Task:
        """Start an invocation now, which Lambda kills at ``limit``."""
        task = Task(self, work, limit)
        self.call_at(self.now, task.resume)
        return task

    def time(self) -> float:
        """``time.time`` while a world is installed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """``time.sleep`` while a world is installed."""
        task = self.current
        if task is None:
            self.run_until(self.now + seconds)
            return
        if threading.get_ident() != self._thread:
            # A server's thread, on behalf of the invocation that waits for its answer.
            self.now += seconds
            return
        until = self.now + max(0.0, seconds)
        wake = min(until, task.limit)
        if wake < self._next_event and wake <= self._bound:
            self.now = wake
        else:
            self.call_at(wake, task.resume)
            task.park()
        if until >= task.limit:
            raise Killed

    def run_until(self, when: float, *, stop: Callable[[], bool] | None = None) -> bool:
        """Let everything happen up to a time, or until ``stop`` holds between two events.

        Returns:
            Whether ``stop`` held.
        """
        while True:
            if stop is not None and stop():
                return True
            if self._next_event > when:
                self.now = max(self.now, when)
                return False
            # With a condition to check, every sleep returns to the driver.
            self._happen(when if stop is None else self.now)

    def run_to_quiet(self, horizon: float) -> bool:
        """Let everything happen; True if nothing is left before the horizon."""
        while self._next_event <= horizon:
            self._happen(horizon)
        return not self._events

    def _happen(self, bound: float) -> None:
        moment, _, action = heapq.heappop(self._events)
        self.now = max(self.now, moment)
        self._bound = bound
        action()

    @property
    def _next_event(self) -> float:
        return self._events[0][0] if self._events else float("inf")
