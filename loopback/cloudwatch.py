"""CloudWatch: SageMaker's metrics of the experiment's variants, and one alarm.

The metrics are those of the local AWS, with the world's clock. A keyword sets what is measured,
also for the past, since metrics arrive late.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.emulator.cloudwatch import Metrics, Traffic, metric_data

from .sagemaker import NAME_OF_ENDPOINT
from .wire import Members

OPEN = "open"
CLOSED = ("slow", "few", "unmeasured", "alarming")
"""A bound is exceeded; too few requests; a metric is missing; the alarm is in ALARM."""

ALARM = "too-slow"
EVIDENCE: dict[str, Any] = {
    "MinInvocations": "1000",
    "Window": "7200",
    "Comparisons": [
        {"Metric": "ModelLatency", "Statistic": "p95", "MaxRatio": "1.1"},
        {"Metric": "Invocation5XXErrors", "MaxRate": "0.01", "MaxIncrease": "0.005"},
    ],
    "Alarms": [ALARM],
}
"""The evidence that the keyword affects: ``PromoteIf`` as CloudFormation delivers it."""

PAGE_SIZE = 40
"""Values per page of GetMetricData, so that every reading needs several pages."""

A_WEEK = 7 * 86_400.0


class CloudWatch:
    """The service.

    Attributes:
        told: Each keyword, with the time when it was set.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.told: list[tuple[float, str]] = []
        self.tell(OPEN)

    def tell(self, word: str) -> None:
        """Set the keyword, for now and the past."""
        self.told.append((self._now(), word))
        production = Traffic(requests=100, latency_ms=50, errors_5xx=0.001)
        shadow = {
            "slow": Traffic(requests=50, latency_ms=56),
            "few": Traffic(requests=5, latency_ms=50),
            "unmeasured": Traffic(requests=50, lacks=("Invocation5XXErrors",)),
        }.get(word, Traffic(requests=50, latency_ms=54))
        self._metrics = Metrics()
        for variant, traffic in (("production", production), ("shadow", shadow)):
            self._metrics.tell(NAME_OF_ENDPOINT, variant, traffic, self._now() - A_WEEK)

    def said(self, at: float) -> str:
        """The keyword at a time."""
        return next(word for when, word in reversed(self.told) if when <= at)

    def get_metric_data(self, members: Members) -> Members:
        """GetMetricData."""
        return metric_data(
            self._metrics, dict(members), now=self._now(), delay=120, page_size=PAGE_SIZE
        )

    def describe_alarms(self, members: Members) -> Members:
        """DescribeAlarms."""
        state = "ALARM" if self.told[-1][1] == "alarming" else "OK"
        known = [{"AlarmName": ALARM, "StateValue": state}]
        is_asked = ALARM in members["AlarmNames"] and "MetricAlarm" in members["AlarmTypes"]
        return {"MetricAlarms": known if is_asked else [], "CompositeAlarms": []}
