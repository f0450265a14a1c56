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
from .verdict import WARM_UP_SECONDS, Result, Verdict, make_report, worst

METRIC_DELAY_SECONDS = 900
"""An hour counts from this long after its end, since metrics arrive late."""

LAST_MOMENT = 253_402_300_799
"""The last second of the year 9999: ``gmtime`` refuses times that are much later."""

_Series = Mapping[float, float]


def question(evidence: Evidence, experiment: Experiment, at: float) -> Question:
    """The metrics and alarms to read: all whole hours since the start, for any request of the test.

    A window that slides would void the stated error, so there is none.
    """
    begin = math.ceil(((experiment.began or 0) + WARM_UP_SECONDS) / HOUR) * HOUR
    end = math.floor((at - METRIC_DELAY_SECONDS) / HOUR) * HOUR
    pair = experiment.production, experiment.shadows[0]
    queries = frozenset(_queries(evidence.comparisons, pair))
    return Question(experiment.endpoint_name, pair, begin, end, queries, evidence.alarms)


def _queries(comparisons: Sequence[Comparison], pair: tuple[str, str]) -> Iterator[Query]:
    for variant in pair:
        yield Query(variant, "Invocations", "Sum", HOUR)
    for comparison in comparisons:
        if isinstance(comparison.metric, str):
            statistic = (
                "Sum" if comparison.metric in ERROR_METRICS else comparison.statistic or AVERAGE
            )
            for variant in pair:
                yield Query(variant, comparison.metric, statistic, HOUR)
                yield Query(variant, comparison.metric, "SampleCount", HOUR)
        else:
            yield from map(_of_metric, comparison.metric)


def _of_metric(metric: Metric) -> Query:
    return Query("", metric.name, metric.statistic, HOUR, metric.namespace, metric.dimensions)


def judge(
    evidence: Evidence, question: Question, measured: Measured, sampling: float | None
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, all measurements and a forecast."""
    requests = [
        measured.series[Query(variant, "Invocations", "Sum", HOUR)] for variant in question.pair
    ]
    production, shadow = (math.fsum(series.values()) for series in requests)
    judges = _Judge(
        evidence.confidence or 0.0, evidence.min_hours or 0, question, measured, requests
    )
    compared = [(comparison, judges.result(comparison)) for comparison in evidence.comparisons]
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
    judges.needs_invocations(evidence.min_invocations, production, shadow)
    besides = judges.needs_hours()
    # No number of further requests makes a wrong share right.
    forecast = {} if ratio.is_wrong else _forecast(judges.forecasts, question.end)
    if forecast:
        more["forecast"] = forecast
    report = make_report(
        question,
        measured,
        sampling,
        (production, shadow),
        compared,
        instead=instead,
        besides=besides,
        more=more,
    )
    if forecast and report["verdict"] == Verdict.INCONCLUSIVE.value:
        report["why"] = words.with_forecast(str(report["why"]), forecast, judges.breaks)
    return report


@dataclass
class _Judge:
    """Judges the comparisons of one report.

    Attributes:
        forecasts: What each requirement still needs; None for one of which nothing is known yet.
        breaks: The metric of which production itself breaks a bound; empty if there is none.
    """

    confidence: float
    min_hours: int
    question: Question
    measured: Measured
    requests: Sequence[_Series]

    def __post_init__(self) -> None:
        self.forecasts: list[Forecast | None] = []
        self.breaks = ""

    def needs_invocations(self, minimum: int, production: float, shadow: float) -> None:
        """Forecast when both variants have the requests that the declaration asks for."""
        fewest = min(production, shadow)
        if 0 < fewest < minimum:
            hours = (self.question.end - self.question.begin) // HOUR
            share = (minimum - fewest) / fewest
            self.forecasts.append(Forecast(math.ceil(share * shadow), math.ceil(share * hours)))

    def needs_hours(self) -> list[Result]:
        """What alarms alone, and dry runs, would pass without: the hours of the declaration."""
        hours = (self.question.end - self.question.begin) // HOUR
        if hours >= self.min_hours:
            return []
        self.forecasts.append(Forecast(None, self.min_hours - hours))
        return [Result(Verdict.INCONCLUSIVE, words.too_few_hours(hours, self.min_hours))]

    def result(self, comparison: Comparison) -> Result:
        """The verdict on a comparison: each of its bounds has to be kept."""
        if isinstance(comparison.metric, str) and comparison.metric in ERROR_METRICS:
            results = self._rates(comparison, comparison.metric)
        else:
            results = self._hours(comparison)
        return worst(results)

    def _rates(self, comparison: Comparison, metric: str) -> list[Result]:
        errors, counts = (
            [
                self.measured.series[Query(name, metric, statistic, HOUR)]
                for name in self.question.pair
            ]
            for statistic in ("Sum", "SampleCount")
        )
        for name, samples, requests in zip(self.question.pair, counts, self.requests, strict=True):
            if requests and not samples:
                return [Result(Verdict.ERROR, words.not_measured(metric, name))]
        hours = [
            # An hour whose errors are missing does not count: they are not zero.
            Hour(*(series.get(at, 0.0) for series in (*self.requests, *errors)))
            if all(at in samples for samples in counts)
            else Hour(0.0, 0.0, 0.0, 0.0)
            for at in range(self.question.begin, self.question.end, HOUR)
        ]
        results = []
        for bound in _bounds(comparison):
            result = statistics.compare_rates(
                hours, bound, confidence=self.confidence, min_hours=self.min_hours
            )
            self._note(comparison, result.forecast)
            values = {
                "production": result.production_rate,
                "shadow": result.shadow_rate,
                "bound": bound.limit(result.production_rate or 0.0),
                "upper": result.upper,
                "hours": result.hours,
            }
            if bound.kind is BoundKind.MAX_INCREASE and result.upper is not None:
                values["upper"] = result.upper + (result.production_rate or 0.0)
            why = words.judged_rate(comparison, values, result.verdict.value)
            results.append(Result(result.verdict, why, _known(values)))
        return results

    def _hours(self, comparison: Comparison) -> list[Result]:
        production, shadow = (self.measured.series[query] for query in self._queries(comparison))
        hours = [at for at in sorted(production) if at in shadow and self._counts(comparison, at)]
        dropped = (self.question.end - self.question.begin) // HOUR - len(hours)
        results = []
        for bound in _bounds(comparison):
            is_minimum = comparison.at_least is not None and bound.kind is BoundKind.MAX_VALUE
            sign = -1.0 if is_minimum else 1.0
            pairs = [HourlyValues(sign * production[at], sign * shadow[at]) for at in hours]
            result = statistics.compare_hours(
                pairs,
                bound,
                dropped=dropped,
                confidence=self.confidence,
                min_hours=self.min_hours,
            )
            self._note(comparison, result.forecast)
            values: dict[str, object] = {"hours": result.hours, "hoursFailed": result.broken}
            why = words.judged_hours(comparison, values, result.verdict.value)
            results.append(Result(result.verdict, why, values))
        return results

    def _queries(self, comparison: Comparison) -> tuple[Query, Query]:
        if isinstance(comparison.metric, str):
            name, statistic = comparison.metric, comparison.statistic or AVERAGE
            production, shadow = (
                Query(variant, name, statistic, HOUR) for variant in self.question.pair
            )
            return production, shadow
        production, shadow = map(_of_metric, comparison.metric)
        return production, shadow

    def _counts(self, comparison: Comparison, at: float) -> bool:
        """Whether both variants had enough requests in an hour for the statistic."""
        if not isinstance(comparison.metric, str):
            return True
        enough = PERCENTILES.get(comparison.statistic or AVERAGE, 1)
        return all(
            self.measured.series[Query(name, comparison.metric, "SampleCount", HOUR)].get(at, 0)
            >= enough
            for name in self.question.pair
        )

    def _note(self, comparison: Comparison, forecast: Forecast | None) -> None:
        if comparison.dry_run:
            return
        self.forecasts.append(forecast)
        if forecast is not None and forecast.production_breaks_bound:
            self.breaks = self.breaks or str(comparison.metric)


def _bounds(comparison: Comparison) -> list[Bound]:
    """The bounds of a comparison. "At least" is "at most" with the signs turned round."""
    given = {
        BoundKind.MAX_INCREASE: comparison.max_increase,
        BoundKind.MAX_RATE: comparison.max_rate,
        BoundKind.MAX_RATIO: comparison.max_ratio,
        BoundKind.MAX_VALUE: comparison.max_value,
    }
    bounds = [Bound(kind, value) for kind, value in given.items() if value is not None]
    return bounds + (
        [] if comparison.at_least is None else [Bound(BoundKind.MAX_VALUE, -comparison.at_least)]
    )


def _forecast(forecasts: Sequence[Forecast | None], end: float) -> dict[str, object]:
    """What the slowest requirement still needs; a time only if it is known of all."""
    known = [forecast for forecast in forecasts if forecast is not None]
    if any(forecast.production_breaks_bound for forecast in known):
        return {"productionBreaksBound": True}
    if not any(forecast.requests or forecast.hours for forecast in known):
        return {}
    requests = [forecast.requests for forecast in known if forecast.requests is not None]
    hours = [forecast.hours for forecast in known if forecast.hours is not None]
    slowest: dict[str, object] = {}
    if requests:
        slowest["requests"] = max(requests)
    if hours and len(hours) == len(forecasts):
        slowest["hours"] = max(hours)
        if (at := end + max(hours) * HOUR + METRIC_DELAY_SECONDS) <= LAST_MOMENT:
            slowest["at"] = words.moment(at)
    return slowest


def _known(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
