"""The verdict on the evidence, in the terms of Argo Rollouts, and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from ..contract.declaration import Comparison
from ..contract.limits import AVERAGE
from . import words
from .situation import Measured, Question

WARM_UP_SECONDS = 600
"""Measurements count from this long after the experiment's start."""


class Verdict(str, Enum):
    """What the evidence says. The worst one of several wins; it is last here."""

    SUCCESSFUL = "successful"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAILED = "failed"

    __str__ = str.__str__


_ALARMS = {
    "OK": Verdict.SUCCESSFUL,
    "ALARM": Verdict.FAILED,
    "INSUFFICIENT_DATA": Verdict.INCONCLUSIVE,
}


class Result(NamedTuple):
    """The verdict of a comparison or an alarm, its reason, and its values for the report."""

    verdict: Verdict
    why: str = ""
    told: Mapping[str, object] = {}


def worst(results: Sequence[Result]) -> Result:
    """The first of the worst results."""
    return max(results, key=lambda result: [*Verdict].index(result.verdict))


def report(
    asked: Question,
    measured: Measured,
    sampling: float | None,
    invocations: tuple[float, float],
    compared: Sequence[tuple[Comparison, Result]],
    *,
    instead: Result | None = None,
    more: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, and all measurements.

    ``instead`` decides whatever the comparisons and the alarms say; ``more`` are further
    measurements.
    """
    judged = [Result(Verdict.SUCCESSFUL)]
    judged += [result for one, result in compared if not one.dry_run]
    for name in asked.alarms:
        state = measured.alarms.get(name, "")
        judged.append(Result(_ALARMS.get(state, Verdict.ERROR), words.alarm(name, state)))
    result = instead or worst(judged)
    return {
        "verdict": result.verdict.value,
        "why": result.why,
        "from": words.moment(asked.begin),
        "to": words.moment(asked.end),
        "samplingPercentage": sampling,
        "invocations": {"production": invocations[0], "shadow": invocations[1]},
        **(more or {}),
        "comparisons": [
            {
                **_named(one),
                **{name: _rounded(value) for name, value in result.told.items()},
                **({"dryRun": True} if one.dry_run else {}),
                "verdict": result.verdict.value,
            }
            for one, result in compared
        ],
        "alarms": {name: measured.alarms.get(name) for name in asked.alarms},
    }


def _named(one: Comparison) -> dict[str, object]:
    if isinstance(one.metric, str):
        return {"metric": one.metric, "statistic": one.statistic or AVERAGE}
    _, shadow = one.metric
    return {"metric": f"{shadow.namespace} {shadow.name}", "statistic": shadow.statistic}


def _rounded(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value
