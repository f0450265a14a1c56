"""Evidence without a confidence: the two variants' values in a window, compared once."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..contract.declaration import Comparison, Evidence
from ..contract.limits import AVERAGE, DEFAULT_WINDOW, HOUR, PERCENTILES, PERIOD
from . import words
from .situation import Experiment, Measured, Query, Question
from .verdict import WARM_UP_SECONDS, Result, Verdict, make_report

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
    statistics = [*_statistics(evidence.comparisons)]
    queries = frozenset(Query(variant, *statistic) for variant in pair for statistic in statistics)
    return Question(experiment.endpoint_name, pair, begin, end, queries, evidence.alarms)


def _statistics(comparisons: tuple[Comparison, ...]) -> Iterator[tuple[str, str, int]]:
    """Averages and rates are computed from sums and counts; percentiles cannot be combined."""
    yield "Invocations", "Sum", PERIOD
    for comparison in comparisons:
        metric, statistic = str(comparison.metric), comparison.statistic or AVERAGE
        period = PERIOD if statistic == AVERAGE else HOUR
        yield metric, "Sum" if statistic == AVERAGE else statistic, period
        yield metric, "SampleCount", period


def judge(
    evidence: Evidence, question: Question, measured: Measured, sampling: float | None
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, and all measurements."""
    production, shadow = (
        _total(Query(variant, "Invocations", "Sum", PERIOD), measured) for variant in question.pair
    )
    minimum = evidence.min_invocations
    too_few = None
    if min(production, shadow) < minimum:
        why = words.too_few_requests(production, shadow, minimum)
        too_few = Result(Verdict.INCONCLUSIVE, why)
    compared = [
        (comparison, _compared(comparison, question.pair, measured))
        for comparison in evidence.comparisons
    ]
    return make_report(
        question, measured, sampling, (production, shadow), compared, instead=too_few
    )


def _compared(comparison: Comparison, pair: tuple[str, str], measured: Measured) -> Result:
    """Compare the worst hour, or the whole window."""
    metric, statistic = str(comparison.metric), comparison.statistic or AVERAGE
    if statistic == AVERAGE:
        by_hour: dict[float, list[float]] = {0.0: []}
        for name in pair:
            total, count = (
                _total(Query(name, metric, sum_or_count, PERIOD), measured)
                for sum_or_count in ("Sum", "SampleCount")
            )
            if not count:
                return Result(Verdict.ERROR, words.not_measured(metric, name))
            by_hour[0.0].append(total / count)
    else:
        series, counts = (
            [measured.series[Query(name, metric, value_or_count, HOUR)] for name in pair]
            for value_or_count in (statistic, "SampleCount")
        )
        enough = PERCENTILES[statistic]
        hours = [
            hour for hour in counts[0] if all(count.get(hour, 0) >= enough for count in counts)
        ]
        for name, values_by_hour in zip(pair, series, strict=True):
            if not values_by_hour.keys() >= set(hours):
                return Result(Verdict.ERROR, words.not_measured(f"{metric} {statistic}", name))
        if not hours:
            return Result(Verdict.INCONCLUSIVE, words.no_hour(statistic, enough), {"hours": 0})
        by_hour = {hour: [values_by_hour[hour] for values_by_hour in series] for hour in hours}
    excess = {
        at: shadow - _bound(comparison, production) for at, (production, shadow) in by_hour.items()
    }
    worst_hour = max(excess, key=lambda at: excess[at])
    production, shadow = by_hour[worst_hour]
    broken = sum(beyond > _ROUNDING * shadow for beyond in excess.values())
    values = {"production": production, "shadow": shadow, "bound": _bound(comparison, production)}
    if worst_hour:
        values |= {"hours": len(by_hour), "hoursFailed": broken}
    if broken <= comparison.failure_limit:
        return Result(Verdict.SUCCESSFUL, "", values)
    return Result(Verdict.FAILED, words.out_of_bound(comparison, values, worst_hour), values)


def _bound(comparison: Comparison, production: float) -> float:
    """The lowest bound of the comparison."""
    bounds = [value for value in (comparison.max_value, comparison.max_rate) if value is not None]
    bounds += [production * comparison.max_ratio] if comparison.max_ratio is not None else []
    bounds += [production + comparison.max_increase] if comparison.max_increase is not None else []
    return min(bounds)


def _total(query: Query, measured: Measured) -> float:
    return math.fsum(measured.series[query].values())
