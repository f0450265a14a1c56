"""How many executions of a function run at a time, and how long all of an account's are taken."""

from __future__ import annotations

from loopback.function import Function, Running

__all__ = ["Executions"]


class Executions(dict[int, Running]):
    """The invocations in progress of a function of the loopback AWS.

    Attributes:
        most: The most of them at a time.
        all_taken_seconds: How long no other could start.
    """

    def __init__(self, function: Function, limit: int | None) -> None:
        super().__init__()
        self.most = 0
        self.all_taken_seconds = 0.0
        self._clock = function.clock
        self._limit = limit
        self._since: float | None = None
        function.running = self
        if limit is not None:
            function.executions = limit

    def __setitem__(self, number: int, running: Running) -> None:
        """An invocation begins."""
        super().__setitem__(number, running)
        self.most = max(self.most, len(self))
        if len(self) == self._limit:
            self._since = self._clock.now

    def pop(self, number: int) -> Running:  # type: ignore[override]
        """An invocation ends."""
        if self._since is not None:
            self.all_taken_seconds += self._clock.now - self._since
            self._since = None
        return super().pop(number)
