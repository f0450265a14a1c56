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
    """What the evidence says. The worst of several decides; the members are in that order."""

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
    values: Mapping[str, object] = {}


def worst(results: Sequence[Result]) -> Result:
    """The first of the worst results."""
    return max(results, key=lambda result: [*Verdict].index(result.verdict))


def make_report(
    question: Question,
    measured: Measured,
    sampling: float | None,
    invocations: tuple[float, float],
    compared: Sequence[tuple[Comparison, Result]],
    *,
    instead: Result | None = None,
    besides: Sequence[Result] = (),
    more: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, and all measurements.

    ``instead`` decides whatever the comparisons and the alarms say, ``besides`` as one of them;
    ``more`` are further measurements.
    """
    results = [Result(Verdict.SUCCESSFUL)]
    results += [result for comparison, result in compared if not comparison.dry_run]
    for name in question.alarms:
        state = measured.alarms.get(name, "")
        results.append(Result(_ALARMS.get(state, Verdict.ERROR), words.alarm(name, state)))
    result = instead or worst([*results, *besides])
    return {
        "verdict": result.verdict.value,
        "why": result.why,
        "from": words.moment(question.begin),
        "to": words.moment(question.end),
        "samplingPercentage": sampling,
        "invocations": {"production": invocations[0], "shadow": invocations[1]},
        **(more or {}),
        "comparisons": [
            {
                **_named(comparison),
                **{name: _rounded(value) for name, value in result.values.items()},
                **({"dryRun": True} if comparison.dry_run else {}),
                "verdict": result.verdict.value,
            }
            for comparison, result in compared
        ],
        "alarms": {name: measured.alarms.get(name) for name in question.alarms},
    }


def _named(comparison: Comparison) -> dict[str, object]:
    if isinstance(comparison.metric, str):
        return {"metric": comparison.metric, "statistic": comparison.statistic or AVERAGE}
    _, shadow = comparison.metric
    return {"metric": f"{shadow.namespace} {shadow.name}", "statistic": shadow.statistic}


def _rounded(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value
