"""The state of a metric alarm, from the measurements.

CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing
data": without any data an alarm is INSUFFICIENT_DATA, unless it treats missing data otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from local_aws.emulator.cloudwatch.metrics import statistic
from local_aws.emulator.cloudwatch.traffic import Samples

__all__ = ["alarm_state"]

_OPERATORS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def alarm_state(
    alarm: dict[str, Any], measured: Callable[[float, float], Samples], now: float
) -> str:
    """Return the state of an alarm.

    Args:
        alarm: The alarm, as in DescribeAlarms.
        measured: Returns its metric's values between two times.
        now: The time.
    """
    period, count = int(alarm["Period"]), int(alarm["EvaluationPeriods"])
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    breaks = _OPERATORS[alarm["ComparisonOperator"]]
    end = now // period * period
    broken: list[bool | None] = []
    for index in range(count):
        samples = measured(end - (index + 1) * period, end - index * period)
        value = statistic(samples, name) if samples else None
        broken.append(None if value is None else breaks(value, float(alarm["Threshold"])))
    missing = alarm.get("TreatMissingData") or "missing"
    if missing in ("breaching", "notBreaching"):
        broken = [missing == "breaching" if one is None else one for one in broken]
    if all(one is None for one in broken):
        return str(alarm["StateValue"]) if missing == "ignore" else "INSUFFICIENT_DATA"
    needed = int(alarm.get("DatapointsToAlarm") or count)
    return "ALARM" if sum(one is True for one in broken) >= needed else "OK"
