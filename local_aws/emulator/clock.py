"""The local AWS's clock, which can run faster than the real one.

It starts at real time, so that nothing is older than its certificate, and then runs ``clock_scale``
times as fast. The minute of EventBridge and of Lambda's asynchronous retries has its own length.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import time

from ministack.services import eventbridge, lambda_svc

from local_aws.limits import ASYNC_RETRY_MINUTES
from local_aws.settings import Settings

__all__ = ["Clock"]


class Clock:
    """The local AWS's time, which ministack's schedules and retries follow."""

    def __init__(self, settings: Settings) -> None:
        """Start at real time, and add the clock to ministack."""
        self.origin = time.time()
        self.scale = settings.clock_scale
        eventbridge._now_ts = self.now
        self._rate_seconds = eventbridge._parse_rate_seconds
        eventbridge._parse_rate_seconds = self._scaled_rate_seconds
        self.configure(settings)

    def now(self) -> float:
        """Return the local AWS's time in seconds since the epoch."""
        return self.origin + (time.time() - self.origin) * self.scale

    def real(self, seconds: float) -> float:
        """Convert seconds of the local AWS to real seconds."""
        return seconds / self.scale

    def configure(self, settings: Settings) -> None:
        """Set the length of a minute, for existing and new rules.

        Raises:
            ValueError: The scale would change, which running functions would not notice.
        """
        if settings.clock_scale != self.scale:
            raise ValueError(f"'clock_scale' is fixed at the start, it is {self.scale}")
        self._minute_seconds = settings.minute_seconds
        real = self.real(settings.minute_seconds)
        # ministack checks every ten seconds; ten checks per minute are accurate to a tenth of it.
        eventbridge._SCHEDULER_TICK_INTERVAL = min(10.0, real / 10)
        first, second = ASYNC_RETRY_MINUTES
        lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = first * real
        lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS = second * real

    def _scaled_rate_seconds(self, expression: str) -> float | None:
        seconds = self._rate_seconds(expression)
        return None if seconds is None else seconds / 60 * self._minute_seconds
