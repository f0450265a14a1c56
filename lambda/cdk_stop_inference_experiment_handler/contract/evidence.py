"""What must be measured before a shadow variant is promoted: the property ``PromoteIf``.

https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

PROMOTE_IF = "PromoteIf"
OTHERWISE = "Otherwise"

MODEL_LATENCY = "ModelLatency"
ERROR_METRICS = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")

AVERAGE = "Average"
PERCENTILES = {"p50": 100, "p90": 200, "p95": 200, "p99": 1000}
"""The requests that an hour needs in each variant for its percentile to count.

At least what CloudWatch's alarms ask for, 10 / (1 - percentile):
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
"""
STATISTICS = (AVERAGE, *PERCENTILES)

MAX_RATIO, MAX_INCREASE, MAX_VALUE, MAX_RATE = "MaxRatio", "MaxIncrease", "MaxValue", "MaxRate"
BOUNDS = (MAX_RATIO, MAX_INCREASE, MAX_VALUE, MAX_RATE)

MAX_LISTED = 10
"""Comparisons, and alarms."""
MAX_ALARM_NAME = 255

PERIOD = 300
"""Seconds, of sums and sample counts: CloudWatch keeps them for longer than any experiment runs."""
HOUR = 3600
MAX_WINDOW = 30 * 24 * HOUR
DEFAULT_WINDOW = 24 * HOUR

Rule = tuple[Callable[[object], bool], str]
"""Whether a value keeps to it, and what a value must be."""


_FLAGS = {"true": True, "false": False}


def _number(kind: type, least: float, most: float) -> Callable[[object], bool]:
    return lambda value: type(value) in (int, kind) and least <= value <= most  # type: ignore[operator]


_BOUND: Rule = (_number(float, sys.float_info.min, sys.float_info.max), "a number above 0")
_SHARE: Rule = (_number(float, sys.float_info.min, 1), "a number above 0 and at most 1")
_FLAG: Rule = (lambda value: isinstance(value, bool), "true or false")
_METRICS = (MODEL_LATENCY, *ERROR_METRICS)
_METRIC: Rule = (_METRICS.__contains__, f"one of {', '.join(_METRICS)}")
_LISTED: Rule = (
    lambda value: isinstance(value, list) and len(value) <= MAX_LISTED,
    f"a list of at most {MAX_LISTED}",
)
OF_EVIDENCE: Mapping[str, Rule] = {
    "MinInvocations": (_number(int, 1, math.inf), "a whole number, at least 1"),
    "Window": (_number(int, PERIOD, MAX_WINDOW), f"{PERIOD} to {MAX_WINDOW} whole seconds"),
    "Comparisons": _LISTED,
    "Alarms": _LISTED,
}
OF_LATENCY: Mapping[str, Rule] = {
    "Metric": _METRIC,
    "Statistic": (STATISTICS.__contains__, f"one of {', '.join(STATISTICS)}"),
    **dict.fromkeys((MAX_RATIO, MAX_INCREASE, MAX_VALUE), _BOUND),
    "FailureLimit": (_number(int, 0, math.inf), "a whole number, at least 0"),
    "DryRun": _FLAG,
}
OF_ERRORS: Mapping[str, Rule] = {
    "Metric": _METRIC,
    **dict.fromkeys((MAX_RATE, MAX_INCREASE), _SHARE),
    "DryRun": _FLAG,
}


def typed_evidence(value: object, name: str = "") -> object:
    """``PromoteIf`` with the types of its members: CloudFormation delivers scalars as strings."""
    if isinstance(value, list):
        return [typed_evidence(item) for item in value]
    if isinstance(value, Mapping):
        return {member: typed_evidence(item, member) for member, item in value.items()}
    try:
        if name in ("MinInvocations", "Window", "FailureLimit"):
            return int(str(value))
        return float(str(value)) if name in BOUNDS else _FLAGS.get(str(value), value)
    except ValueError:
        return value


def read_evidence(declared: object) -> Mapping[str, Any] | None:
    """``PromoteIf`` with its types; empty where it breaks a rule, by which nothing is promoted."""
    if declared is None:
        return None
    is_broken = any(problems_of_evidence(declared, str, lambda _value: False))
    return {} if is_broken or not isinstance(declared, Mapping) else declared


def problems_of_evidence(
    declared: object, name: Callable[[str], str], is_unresolved: Callable[[object], bool]
) -> Iterator[str]:
    """What is wrong with ``PromoteIf``, one sentence each.

    Args:
        declared: With its types, see :func:`typed_evidence`.
        name: What to call a member.
        is_unresolved: Tells a value that is not known yet, which passes.
    """
    label = name(PROMOTE_IF)
    check = partial(_problems_of_members, name=name, is_unresolved=is_unresolved)
    found = check(label, declared, OF_EVIDENCE, "MinInvocations")
    yield from found
    if found or not isinstance(declared, Mapping):
        return
    comparisons, alarms = declared.get("Comparisons", []), declared.get("Alarms", [])
    if not (comparisons or alarms):
        yield f"'{label}' must hold a comparison or an alarm, got neither"
    for index, alarm in enumerate(alarms):
        if not isinstance(alarm, str) or not 1 <= len(alarm) <= MAX_ALARM_NAME:
            where = f"{label}.{name('Alarms')}[{index}]"
            yield f"'{where}' must be a name of 1 to {MAX_ALARM_NAME} characters, got {alarm!r:.80}"
    for index, one in enumerate(comparisons):
        where = f"{label}.{name('Comparisons')}[{index}]"
        is_rate = isinstance(one, Mapping) and one.get("Metric") in ERROR_METRICS
        found = check(where, one, OF_ERRORS if is_rate else OF_LATENCY, "Metric")
        yield from found or _problems_together(where, one, declared.get("Window", HOUR), name)


def _problems_of_members(
    label: str,
    members: object,
    rules: Mapping[str, Rule],
    required: str,
    *,
    name: Callable[[str], str],
    is_unresolved: Callable[[object], bool],
) -> list[str]:
    if not isinstance(members, Mapping):
        return [f"'{label}' must be an object, got {members!r:.80}"]
    found = []
    for member, value in {required: None, **members}.items():
        fits, must_be = rules.get(member, (None, ""))
        if fits is None:
            # A bound that is misspelled would not bind.
            found.append(f"'{label}' cannot have '{name(member)}': leave it out")
        elif not is_unresolved(value) and not fits(value):
            found.append(f"'{label}.{name(member)}' must be {must_be}, got {value!r:.80}")
    return found


def _problems_together(
    label: str, one: Mapping[str, object], window: int, name: Callable[[str], str]
) -> Iterator[str]:
    is_hourly = one.get("Statistic") in PERCENTILES
    if not any(bound in one for bound in BOUNDS):
        yield f"'{label}' must have a bound, got none"
    if is_hourly and window < HOUR:
        yield f"'{label}' needs a '{name('Window')}' of at least {HOUR} seconds, got {window}"
    if one.get("FailureLimit") and not is_hourly:
        yield f"'{label}.{name('FailureLimit')}' is for percentiles: leave it out"
