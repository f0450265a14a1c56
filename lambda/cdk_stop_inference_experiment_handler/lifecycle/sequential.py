"""Evidence with a confidence: every whole hour of the test, and a verdict with a stated error.

The statistics are in :mod:`.statistics`; here are the metrics that they need, and the report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..contract.declaration import Comparison, Evidence, Metric
from ..contract.limits import AVERAGE, ERROR_METRICS, HOUR, PERCENTILES
from . import statistics, words
from .situation import Experiment, Measured, Query, Question
from .statistics import Bound, BoundKind, Forecast, Hour, HourlyValues
from .verdict import WARM_UP_SECONDS, Result, Verdict, report

LATE_SECONDS = 900
"""An hour counts from this long after its end, since metrics arrive late."""

_VERDICTS = {
    statistics.Verdict.SUCCESSFUL: Verdict.SUCCESSFUL,
    statistics.Verdict.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    statistics.Verdict.FAILED: Verdict.FAILED,
}
_Series = Mapping[float, float]


def question(evidence: Evidence, experiment: Experiment, at: float) -> Question:
    """The metrics and alarms to read: all whole hours since the start, for any request of the test.

    A window that slides would void the stated error, so there is none.
    """
    begin = math.ceil(((experiment.began or 0) + WARM_UP_SECONDS) / HOUR) * HOUR
    end = math.floor((at - LATE_SECONDS) / HOUR) * HOUR
    pair = experiment.production, experiment.shadows[0]
    queries = frozenset(_queries(evidence.comparisons, pair))
    return Question(experiment.endpoint_name, pair, begin, end, queries, evidence.alarms)


def _queries(comparisons: Sequence[Comparison], pair: tuple[str, str]) -> Iterator[Query]:
    for variant in pair:
        yield Query(variant, "Invocations", "Sum", HOUR)
    for one in comparisons:
        if isinstance(one.metric, str):
            statistic = "Sum" if one.metric in ERROR_METRICS else one.statistic or AVERAGE
            for variant in pair:
                yield Query(variant, one.metric, statistic, HOUR)
                yield Query(variant, one.metric, "SampleCount", HOUR)
        else:
            yield from map(_of_metric, one.metric)


def _of_metric(metric: Metric) -> Query:
    return Query("", metric.name, metric.statistic, HOUR, metric.namespace, metric.dimensions)


def judge(
    evidence: Evidence, asked: Question, measured: Measured, sampling: float | None
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, all measurements and a forecast."""
    requests = [
        measured.series[Query(variant, "Invocations", "Sum", HOUR)] for variant in asked.pair
    ]
    production, shadow = (math.fsum(of.values()) for of in requests)
    judges = _Judge(evidence.confidence or 0.0, evidence.min_hours or 0, asked, measured, requests)
    compared = [(one, judges.result(one)) for one in evidence.comparisons]
    ratio = statistics.sample_ratio(production, shadow, (sampling or 0) / 100)
    instead = None
    if min(production, shadow) < evidence.min_invocations:
        why = words.too_few_requests(production, shadow, evidence.min_invocations)
        instead = Result(Verdict.INCONCLUSIVE, why)
    elif ratio.is_wrong:
        why = words.wrong_sample_ratio(production, shadow, sampling)
        instead = Result(Verdict.INCONCLUSIVE, why)
    more: dict[str, object] = {"confidence": evidence.confidence}
    if ratio.missing_share is not None:
        more["missingShare"] = float(f"{ratio.missing_share:.3g}")
    judges.needs_invocations(evidence.min_invocations)
    # No number of further requests makes a wrong share right.
    forecast = {} if ratio.is_wrong else _forecast(judges.forecasts, asked.end)
    if forecast:
        more["forecast"] = forecast
    made = report(
        asked, measured, sampling, (production, shadow), compared, instead=instead, more=more
    )
    if forecast and made["verdict"] == Verdict.INCONCLUSIVE.value:
        made["why"] = words.with_forecast(str(made["why"]), forecast, judges.breaks)
    return made


@dataclass
class _Judge:
    """Judges the comparisons of one report.

    Attributes:
        forecasts: What each requirement still needs; None for one of which nothing is known yet.
        breaks: The metric of which production itself breaks a bound; empty if there is none.
    """

    confidence: float
    min_hours: int
    asked: Question
    measured: Measured
    requests: Sequence[_Series]

    def __post_init__(self) -> None:
        self.forecasts: list[Forecast | None] = []
        self.breaks = ""

    def needs_invocations(self, least: int) -> None:
        """Forecast when both variants have the requests that the declaration asks for."""
        production, shadow = (math.fsum(of.values()) for of in self.requests)
        fewest = min(production, shadow)
        if 0 < fewest < least:
            hours = (self.asked.end - self.asked.begin) // HOUR
            share = (least - fewest) / fewest
            self.forecasts.append(Forecast(math.ceil(share * shadow), math.ceil(share * hours)))

    def result(self, one: Comparison) -> Result:
        """The verdict on a comparison: each of its bounds has to be kept."""
        if isinstance(one.metric, str) and one.metric in ERROR_METRICS:
            results = self._rates(one, one.metric)
        else:
            results = self._hours(one)
        return max(results, key=lambda result: [*Verdict].index(result.verdict))

    def _rates(self, one: Comparison, metric: str) -> list[Result]:
        errors, counts = (
            [self.measured.series[Query(name, metric, of, HOUR)] for name in self.asked.pair]
            for of in ("Sum", "SampleCount")
        )
        for name, of, requests in zip(self.asked.pair, counts, self.requests, strict=True):
            if requests and not of:
                return [Result(Verdict.ERROR, words.not_measured(metric, name))]
        hours = [
            # An hour whose errors are missing does not count: they are not zero.
            Hour(*(of.get(at, 0.0) for of in (*self.requests, *errors)))
            if all(at in of for of in counts)
            else Hour(0.0, 0.0, 0.0, 0.0)
            for at in range(self.asked.begin, self.asked.end, HOUR)
        ]
        results = []
        for bound in _bounds(one):
            found = statistics.compare_rates(
                hours, bound, confidence=self.confidence, min_hours=self.min_hours
            )
            self._note(one, found.forecast)
            told = {
                "production": found.production_rate,
                "shadow": found.shadow_rate,
                "bound": bound.limit(found.production_rate or 0.0),
                "upper": found.upper,
                "hours": found.hours,
            }
            if bound.kind is BoundKind.MAX_INCREASE and found.upper is not None:
                told["upper"] = found.upper + (found.production_rate or 0.0)
            verdict = _VERDICTS[found.verdict]
            results.append(
                Result(verdict, words.judged_rate(one, told, verdict.value), _known(told))
            )
        return results

    def _hours(self, one: Comparison) -> list[Result]:
        values = [self.measured.series[query] for query in self._values(one)]
        hours = [at for at in sorted(values[0]) if at in values[1] and self._counts(one, at)]
        dropped = (self.asked.end - self.asked.begin) // HOUR - len(hours)
        results = []
        for bound in _bounds(one):
            is_least = one.at_least is not None and bound.kind is BoundKind.MAX_VALUE
            sign = -1.0 if is_least else 1.0
            pairs = [HourlyValues(sign * values[0][at], sign * values[1][at]) for at in hours]
            found = statistics.compare_hours(
                pairs,
                bound,
                dropped=dropped,
                confidence=self.confidence,
                min_hours=self.min_hours,
            )
            self._note(one, found.forecast)
            told: dict[str, object] = {"hours": found.hours, "hoursFailed": found.broken}
            verdict = _VERDICTS[found.verdict]
            results.append(Result(verdict, words.judged_hours(one, told, verdict.value), told))
        return results

    def _values(self, one: Comparison) -> tuple[Query, Query]:
        if isinstance(one.metric, str):
            name, statistic = one.metric, one.statistic or AVERAGE
            production, shadow = (Query(of, name, statistic, HOUR) for of in self.asked.pair)
            return production, shadow
        production, shadow = map(_of_metric, one.metric)
        return production, shadow

    def _counts(self, one: Comparison, at: float) -> bool:
        """Whether both variants had enough requests in an hour for the statistic."""
        if not isinstance(one.metric, str):
            return True
        enough = PERCENTILES.get(one.statistic or AVERAGE, 1)
        return all(
            self.measured.series[Query(name, one.metric, "SampleCount", HOUR)].get(at, 0) >= enough
            for name in self.asked.pair
        )

    def _note(self, one: Comparison, forecast: Forecast | None) -> None:
        if one.dry_run:
            return
        self.forecasts.append(forecast)
        if forecast is not None and forecast.production_breaks_bound:
            self.breaks = self.breaks or str(one.metric)


def _bounds(one: Comparison) -> list[Bound]:
    """The bounds of a comparison. "At least" is "at most" with the signs turned round."""
    given = {
        BoundKind.MAX_INCREASE: one.max_increase,
        BoundKind.MAX_RATE: one.max_rate,
        BoundKind.MAX_RATIO: one.max_ratio,
        BoundKind.MAX_VALUE: one.max_value,
    }
    bounds = [Bound(kind, value) for kind, value in given.items() if value is not None]
    return bounds + ([] if one.at_least is None else [Bound(BoundKind.MAX_VALUE, -one.at_least)])


def _forecast(forecasts: Sequence[Forecast | None], end: float) -> dict[str, object]:
    """What the slowest requirement still needs; a time only if it is known of all."""
    known = [one for one in forecasts if one is not None]
    if any(one.production_breaks_bound for one in known):
        return {"productionBreaksBound": True}
    if not any(one.requests or one.hours for one in known):
        return {}
    requests = [one.requests for one in known if one.requests is not None]
    hours = [one.hours for one in known if one.hours is not None]
    made: dict[str, object] = {}
    if requests:
        made["requests"] = max(requests)
    if hours and len(hours) == len(forecasts):
        made["hours"] = max(hours)
        made["at"] = words.moment(end + max(hours) * HOUR + LATE_SECONDS)
    return made


def _known(told: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in told.items() if value is not None}
