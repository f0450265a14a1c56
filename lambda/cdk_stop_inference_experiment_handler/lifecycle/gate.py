"""The gate: does the evidence allow the promotion that is ordered?

Its rows are those of "Does the evidence allow the promotion?" in docs/concepts/lifecycle.md. A
request has one verdict, in the terms of Argo Rollouts, which is remembered. Whether the order still
holds is decided before it, in the same look.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..contract.declaration import Comparison, Evidence
from ..contract.limits import (
    AVERAGE,
    DEFAULT_WINDOW,
    HOUR,
    PERCENTILES,
    PERIOD,
)
from ..contract.request import RequestType
from . import words
from .decision import Decision, Row, Verb, fail
from .order import Order, needs_of
from .situation import (
    DOUBT_SECONDS,
    Experiment,
    Kind,
    Measured,
    Needs,
    NotReadable,
    Query,
    Question,
    Situation,
)
from .stop_request import takes_production_counts

SUCCESSFUL, INCONCLUSIVE, ERROR, FAILED = "successful", "inconclusive", "error", "failed"

LATE_SECONDS = 300
"""The window ends this long before the request, since metrics arrive late."""

WARM_UP_SECONDS = 600
"""The window starts at least this long after the experiment."""

MAX_REPORT = 2000
"""Characters. Ten comparisons need fewer, ten alarms with long names may need more."""

_ALARMS = {"OK": SUCCESSFUL, "ALARM": FAILED, "INSUFFICIENT_DATA": INCONCLUSIVE}
_ROUNDING = 1e-9

UNREADABLE_SECONDS = 300.0
"""How long to retry evidence that cannot be read."""

GATES = {
    SUCCESSFUL: Row.GATE_OPEN,
    INCONCLUSIVE: Row.GATE_INCONCLUSIVE,
    ERROR: Row.GATE_ERROR,
    FAILED: Row.GATE_FAILED,
}
"""The row for each verdict. The worst one, which wins, is last."""


def gate(order: Order, s: Situation, experiment: Experiment) -> Decision:
    """STOP as wanted, or what the evidence makes of it."""
    wanted = order.wanted
    stop = Decision(Verb.STOP, Row.STOPPABLE, words.stop(experiment), order=order.row, stop=wanted)
    if wanted.promote_if is None or not wanted.end.promotes:
        return stop
    verdict = s.progress.evidence.get("verdict")
    if verdict is None and not s.progress.tried:
        return _judged(stop, order, s, experiment)
    if verdict in (None, SUCCESSFUL):
        return stop
    return replace(stop, stop=wanted.kept(f"evidence: {verdict}"))


def _judged(stop: Decision, order: Order, s: Situation, experiment: Experiment) -> Decision:
    evidence = order.wanted.promote_if
    assert evidence is not None  # noqa: S101 - asked before
    report: Mapping[str, object]
    if experiment.began is None or not experiment.shadows:
        report = {"verdict": ERROR, "why": words.NO_PAIR}
    else:
        asked = question(evidence, experiment, s.progress.started_at)
        if asked.begin >= asked.end:
            report = {"verdict": INCONCLUSIVE, "why": words.too_young(asked.begin)}
        elif s.prepared is None or s.prepared.evidence is None:
            needs = needs_of(s, Needs(takes_production_counts(order.wanted.end), False, asked))
            return replace(stop, verb=Verb.PREPARE, needs=needs)
        elif isinstance(s.prepared.evidence, NotReadable):
            unread = s.prepared.evidence
            if _may_pass(unread, s):
                return Decision(
                    Verb.WAIT, Row.GATE_ERROR, unread.why, order=order.row, is_unmeasured=True
                )
            report = {"verdict": ERROR, "why": unread.why}
        else:
            report = judge(evidence, asked, s.prepared.evidence, experiment.sampling)
    row, is_open = GATES[str(report["verdict"])], report["verdict"] == SUCCESSFUL
    why = words.gate(s.request.name, report)
    if is_open:
        return replace(stop, row=row, why=why, evidence=report)
    if s.request.type is RequestType.DELETE:
        kept = order.wanted.kept(f"evidence: {report['verdict']}")
        return replace(stop, row=row, why=why, warn=True, stop=kept, evidence=report)
    return replace(fail(row, why), order=order.row, evidence=report)


def _may_pass(unread: NotReadable, s: Situation) -> bool:
    """Whether to try to read the evidence again: for five minutes at most."""
    since = s.progress.unmeasured_since
    if s.is_past_deadline or (since is not None and s.now >= since + UNREADABLE_SECONDS):
        return False
    is_young = s.now < s.issued_at + DOUBT_SECONDS
    return unread.kind is Kind.TRANSIENT or (unread.kind is Kind.DENIED and is_young)


def question(evidence: Evidence, experiment: Experiment, at: float) -> Question:
    """The metrics and alarms to read for a request that was made at a time."""
    end = math.floor((at - LATE_SECONDS) / PERIOD) * PERIOD
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


class Result(NamedTuple):
    """The verdict of a comparison or an alarm, its reason, and its values for the report."""

    verdict: str
    why: str = ""
    told: Mapping[str, float] = {}


def judge(
    evidence: Evidence, asked: Question, measured: Measured, sampling: float | None
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, and all measurements."""
    production, shadow = (
        _total(Query(variant, "Invocations", "Sum", PERIOD), measured) for variant in asked.pair
    )
    least = evidence.min_invocations
    judged, comparisons = [Result(SUCCESSFUL)], []
    for one in evidence.comparisons:
        result = _compared(one, asked.pair, measured)
        named = {"metric": one.metric, "statistic": one.statistic or AVERAGE}
        told = {name: float(f"{value:.6g}") for name, value in result.told.items()}
        dry_run = {"dryRun": True} if one.dry_run else {}
        comparisons.append({**named, **told, **dry_run, "verdict": result.verdict})
        judged += [] if dry_run else [result]
    for name in asked.alarms:
        state = measured.alarms.get(name, "")
        judged.append(Result(_ALARMS.get(state, ERROR), words.alarm(name, state)))
    if min(production, shadow) < least:
        judged = [Result(INCONCLUSIVE, words.too_few_requests(production, shadow, least))]
    worst = max(judged, key=lambda result: [*GATES].index(result.verdict))
    return {
        "verdict": worst.verdict,
        "why": worst.why,
        "from": words.moment(asked.begin),
        "to": words.moment(asked.end),
        "samplingPercentage": sampling,
        "invocations": {"production": production, "shadow": shadow},
        "comparisons": comparisons,
        "alarms": {name: measured.alarms.get(name) for name in asked.alarms},
    }


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
                return Result(ERROR, words.not_measured(metric, name))
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
                return Result(ERROR, words.not_measured(f"{metric} {statistic}", name))
        if not hours:
            return Result(INCONCLUSIVE, words.no_hour(statistic, enough), {"hours": 0})
        values = {hour: [of[hour] for of in series] for hour in hours}
    excess = {at: shadow - _bound(one, production) for at, (production, shadow) in values.items()}
    worst = max(excess, key=lambda at: excess[at])
    production, shadow = values[worst]
    broken = sum(beyond > _ROUNDING * shadow for beyond in excess.values())
    told = {"production": production, "shadow": shadow, "bound": _bound(one, production)}
    if worst:
        told |= {"hours": len(values), "hoursFailed": broken}
    if broken <= one.failure_limit:
        return Result(SUCCESSFUL, "", told)
    return Result(FAILED, words.out_of_bound(one, told, worst), told)


def _bound(one: Comparison, production: float) -> float:
    """The lowest bound of the comparison."""
    bounds = [value for value in (one.max_value, one.max_rate) if value is not None]
    bounds += [production * one.max_ratio] if one.max_ratio is not None else []
    bounds += [production + one.max_increase] if one.max_increase is not None else []
    return min(bounds)


def fitted(report: Mapping[str, object]) -> Mapping[str, object]:
    """A report short enough for an attribute and the polling rule; the log has all of it."""
    without_alarms = {name: value for name, value in report.items() if name != "alarms"}
    return report if len(json.dumps(report)) <= MAX_REPORT else without_alarms


def _total(query: Query, measured: Measured) -> float:
    return math.fsum(measured.series[query].values())
