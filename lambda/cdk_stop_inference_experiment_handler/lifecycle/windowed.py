"""Evidence without a confidence: the two variants' values in a window, compared once."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..contract.declaration import Comparison, Evidence
from ..contract.limits import AVERAGE, DEFAULT_WINDOW, HOUR, PERCENTILES, PERIOD
from . import words
from .situation import Experiment, Measured, Query, Question
from .verdict import WARM_UP_SECONDS, Result, Verdict, report

METRIC_DELAY_SECONDS = 300
"""The window ends this long before the request, since metrics arrive late."""

_ROUNDING = 1e-9


def question(evidence: Evidence, experiment: Experiment, at: float) -> Question:
    """The metrics and alarms to read for a request that was made at a time."""
    end = math.floor((at - METRIC_DELAY_SECONDS) / PERIOD) * PERIOD
    earliest = (experiment.began or 0) + WARM_UP_SECONDS
    window = DEFAULT_WINDOW if evidence.window is None else evidence.window
    begin = math.ceil(max(end - window, earliest) / PERIOD) * PERIOD
    pair = experiment.production, experiment.shadows[0]
    asked = [*_asked(evidence.comparisons)]
    queries = frozenset(Query(variant, *one) for variant in pair for one in asked)
    return Question(experiment.endpoint_name, pair, begin, end, queries, evidence.alarms)


def _asked(comparisons: tuple[Comparison, ...]) -> Iterator[tuple[str, str, int]]:
    """Averages and rates are computed from sums and counts; percentiles cannot be combined."""
    yield "Invocations", "Sum", PERIOD
    for one in comparisons:
        metric, statistic = str(one.metric), one.statistic or AVERAGE
        period = PERIOD if statistic == AVERAGE else HOUR
        yield metric, "Sum" if statistic == AVERAGE else statistic, period
        yield metric, "SampleCount", period


def judge(
    evidence: Evidence, asked: Question, measured: Measured, sampling: float | None
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, and all measurements."""
    production, shadow = (
        _total(Query(variant, "Invocations", "Sum", PERIOD), measured) for variant in asked.pair
    )
    least = evidence.min_invocations
    too_few = None
    if min(production, shadow) < least:
        why = words.too_few_requests(production, shadow, least)
        too_few = Result(Verdict.INCONCLUSIVE, why)
    compared = [(one, _compared(one, asked.pair, measured)) for one in evidence.comparisons]
    return report(asked, measured, sampling, (production, shadow), compared, instead=too_few)


def _compared(one: Comparison, pair: tuple[str, str], measured: Measured) -> Result:
    """Compare the worst hour, or the whole window."""
    metric, statistic = str(one.metric), one.statistic or AVERAGE
    if statistic == AVERAGE:
        values: dict[float, list[float]] = {0.0: []}
        for name in pair:
            total, count = (
                _total(Query(name, metric, of, PERIOD), measured) for of in ("Sum", "SampleCount")
            )
            if not count:
                return Result(Verdict.ERROR, words.not_measured(metric, name))
            values[0.0].append(total / count)
    else:
        series, counts = (
            [measured.series[Query(name, metric, of, HOUR)] for name in pair]
            for of in (statistic, "SampleCount")
        )
        enough = PERCENTILES[statistic]
        hours = [hour for hour in counts[0] if all(of.get(hour, 0) >= enough for of in counts)]
        for name, of in zip(pair, series, strict=True):
            if not of.keys() >= set(hours):
                return Result(Verdict.ERROR, words.not_measured(f"{metric} {statistic}", name))
        if not hours:
            return Result(Verdict.INCONCLUSIVE, words.no_hour(statistic, enough), {"hours": 0})
        values = {hour: [of[hour] for of in series] for hour in hours}
    excess = {at: shadow - _bound(one, production) for at, (production, shadow) in values.items()}
    worst = max(excess, key=lambda at: excess[at])
    production, shadow = values[worst]
    broken = sum(beyond > _ROUNDING * shadow for beyond in excess.values())
    told = {"production": production, "shadow": shadow, "bound": _bound(one, production)}
    if worst:
        told |= {"hours": len(values), "hoursFailed": broken}
    if broken <= one.failure_limit:
        return Result(Verdict.SUCCESSFUL, "", told)
    return Result(Verdict.FAILED, words.out_of_bound(one, told, worst), told)


def _bound(one: Comparison, production: float) -> float:
    """The lowest bound of the comparison."""
    bounds = [value for value in (one.max_value, one.max_rate) if value is not None]
    bounds += [production * one.max_ratio] if one.max_ratio is not None else []
    bounds += [production + one.max_increase] if one.max_increase is not None else []
    return min(bounds)


def _total(query: Query, measured: Measured) -> float:
    return math.fsum(measured.series[query].values())
