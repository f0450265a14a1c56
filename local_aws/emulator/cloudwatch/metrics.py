"""The metrics of every variant, and GetMetricData over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from local_aws.emulator.cloudwatch.traffic import Samples, Traffic

__all__ = ["NAMESPACE", "Metrics", "metric_data", "statistic"]

NAMESPACE = "AWS/SageMaker"
_MINUTE = 60
Json = dict[str, Any]


class Metrics:
    """The traffic of each variant over time."""

    def __init__(self) -> None:
        """Start without any traffic."""
        self._told: dict[tuple[str, str], list[tuple[float, Traffic]]] = {}

    def tell(self, endpoint: str, variant: str, traffic: Traffic, since: float) -> None:
        """Set a variant's traffic from a time on."""
        told = self._told.setdefault((endpoint, variant), [])
        told[:] = [(at, other) for at, other in told if at < since]
        told.append((since, traffic))

    def samples(self, name: str, dimensions: Json, begin: float, end: float) -> Samples:
        """Return the values between two times."""
        if set(dimensions) != {"EndpointName", "VariantName"}:
            return []
        told = self._told.get((dimensions["EndpointName"], dimensions["VariantName"]), [])
        found: Samples = []
        for index, (since, traffic) in enumerate(told):
            until = told[index + 1][0] if index + 1 < len(told) else math.inf
            if min(end, until) > max(begin, since):
                first, last = max(begin, since), min(end, until)
                found += traffic.samples(name, first, last, variant=dimensions["VariantName"])
        return found


def metric_data(
    metrics: Metrics,
    request: Json,
    *,
    now: float,
    delay: float,
    page_size: int,
    others: Callable[[str, str, Json, float, float], Samples] | None = None,
) -> Json:
    """GetMetricData, of SageMaker's own metrics and of others.

    API reference, GetMetricData: the newest values come first; a page that is too small for
    everything has the status PartialData and a NextToken.

    Args:
        metrics: The measurements.
        request: The API's request, with times in seconds since the epoch.
        now: The time.
        delay: How late a minute is visible, in seconds.
        page_size: The maximum number of values on a page.
        others: The values of a metric of another namespace: by the namespace, the name, the
            dimensions and two times. Default: there are none.
    """
    seen = math.floor((now - delay) / _MINUTE) * _MINUTE
    ascending = request.get("ScanBy") == "TimestampAscending"
    first = int(request.get("NextToken") or 0)
    last, position, results = first + page_size, 0, []
    for query in request["MetricDataQueries"]:
        stat = query["MetricStat"]
        dimensions = {one["Name"]: one["Value"] for one in stat["Metric"].get("Dimensions", [])}
        values = []
        begin = request["StartTime"] // stat["Period"] * stat["Period"]
        while begin < request["EndTime"]:
            namespace, name = stat["Metric"]["Namespace"], stat["Metric"]["MetricName"]
            end = min(begin + stat["Period"], seen)
            if namespace == NAMESPACE:
                samples = metrics.samples(name, dimensions, begin, end)
            else:
                samples = others(namespace, name, dimensions, begin, end) if others else []
            if samples:
                values.append((begin, statistic(samples, stat["Stat"])))
            begin += stat["Period"]
        values = values if ascending else values[::-1]
        here = values[max(0, first - position) : max(0, last - position)]
        position += len(values)
        if here or not values or position > last:
            results.append(
                {
                    "Id": query["Id"],
                    "Label": stat["Metric"]["MetricName"],
                    "Timestamps": [at for at, _ in here],
                    "Values": [value for _, value in here],
                    "StatusCode": "PartialData" if position > last else "Complete",
                }
            )
    answer: Json = {"MetricDataResults": results}
    if position > last:
        answer["NextToken"] = str(last)
    return answer


def statistic(samples: Samples, name: str) -> float:
    """Return a statistic of the values.

    Raises:
        ValueError: There is no such statistic.
    """
    count = math.fsum(weight for _, weight in samples)
    total = math.fsum(value * weight for value, weight in samples)
    plain: dict[str, Callable[[], float]] = {
        "SampleCount": lambda: count,
        "Sum": lambda: total,
        "Average": lambda: total / count,
        "Minimum": lambda: min(value for value, _ in samples),
        "Maximum": lambda: max(value for value, _ in samples),
    }
    if name in plain:
        return plain[name]()
    wanted, below = count * float(name.removeprefix("p")) / 100, 0.0
    for value, weight in sorted(samples):
        below += weight
        if below >= wanted:
            return value
    return max(value for value, _ in samples)
