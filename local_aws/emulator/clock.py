"""Lets a minute of EventBridge and of Lambda's asynchronous retries pass faster than a minute."""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

from ministack.services import eventbridge, lambda_svc

from local_aws.settings import Settings

__all__ = ["Clock"]


class Clock:
    """Makes ministack's schedules and retries follow a minute of a length of our own."""

    def __init__(self, settings: Settings) -> None:
        """Put the clock into ministack."""
        self._rate_seconds = eventbridge._parse_rate_seconds
        eventbridge._parse_rate_seconds = self._scaled_rate_seconds
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Set how long a minute is, for the rules that exist as for those to come."""
        self._minute_seconds = settings.minute_seconds
        # ministack looks every ten seconds; ten looks a minute keep a firing within a tenth of it.
        eventbridge._SCHEDULER_TICK_INTERVAL = min(10.0, self._minute_seconds / 10)
        # Lambda tries an asynchronous invocation again after one and after two minutes
        # (Lambda developer guide, "How Lambda handles errors with asynchronous invocation").
        lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = self._minute_seconds
        lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS = 2 * self._minute_seconds

    def _scaled_rate_seconds(self, expression: str) -> float | None:
        seconds = self._rate_seconds(expression)
        return None if seconds is None else seconds / 60 * self._minute_seconds
