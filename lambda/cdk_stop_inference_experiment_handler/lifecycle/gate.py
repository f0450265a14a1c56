"""The gate: does the evidence allow the promotion that is about to be sent?

Its rows are those of the table "Does the evidence allow the promotion?" in
docs/concepts/lifecycle.md. A request has one verdict, in the terms of Argo Rollouts, which is
remembered. Whether the order still holds is checked again before a Stop.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..contract.constraints import (
    AVERAGE,
    BOUNDS,
    DEFAULT_WINDOW,
    HOUR,
    MAX_INCREASE,
    MAX_RATIO,
    PERCENTILES,
    PERIOD,
)
from . import reasons
from .facts import (
    Decision,
    Experiment,
    Facts,
    Measured,
    Progress,
    Query,
    Question,
    Request,
    RequestType,
    Unreadable,
    Verb,
    fail,
    wait,
)

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
    SUCCESSFUL: "gate_open",
    INCONCLUSIVE: "gate_inconclusive",
    ERROR: "gate_error",
    FAILED: "gate_failed",
}
"""The row for each verdict. The worst one, which wins, is last."""


def gate(decision: Decision, request: Request, facts: Facts, progress: Progress) -> Decision:
    """The decision, unless it is a promotion that the evidence does not allow.

    Raises:
        Unreadable: The evidence cannot be read, but a later attempt may succeed.
    """
    declared = decision.stop
    if decision.verb is not Verb.STOP or declared is None or declared.promote_if is None:
        return decision
    verdict = progress.evidence.get("verdict")
    if verdict is None and not progress.tried:
        judged = _judged(declared.promote_if, request, facts, progress)
        return replace(judged, order=decision.order)
    if verdict in (None, SUCCESSFUL):
        return decision
    return replace(decision, stop=declared.kept(verdict))


def _judged(
    evidence: Mapping[str, Any], request: Request, facts: Facts, progress: Progress
) -> Decision:
    try:
        report = _report(evidence, facts, progress.started_at)
    except Unreadable as error:
        since = progress.unmeasured_since or facts.now()
        may_pass = error.is_transient or (error.is_denied and facts.may_lag())
        if may_pass and facts.now() < since + UNREADABLE_SECONDS:
            raise
        report = {"verdict": ERROR, "why": str(error)}
    why = reasons.gate(request.declared_name, report)
    row, is_open = GATES[str(report["verdict"])], report["verdict"] == SUCCESSFUL
    goes_on = is_open or request.type is RequestType.DELETE
    decision = wait(row, why) if goes_on else fail(row, why)
    return replace(decision, evidence=report, warn=not is_open)


def _report(evidence: Mapping[str, Any], facts: Facts, at: float) -> Mapping[str, object]:
    experiment = facts.experiment()
    if not evidence:
        return {"verdict": ERROR, "why": reasons.BROKEN_EVIDENCE}
    if experiment is None or experiment.began is None or not experiment.shadows:
        return {"verdict": ERROR, "why": reasons.NO_PAIR}
    asked = question(evidence, experiment, at)
    if asked.begin >= asked.end:
        return {"verdict": INCONCLUSIVE, "why": reasons.too_young(asked.begin)}
    return judge(evidence, asked, facts.evidence(asked), experiment.sampling)


class Result(NamedTuple):
    """The verdict of a comparison or an alarm, its reason, and its values for the report."""

    verdict: str
    why: str = ""
    told: Mapping[str, float] = {}


def question(evidence: Mapping[str, Any], experiment: Experiment, at: float) -> Question:
    """The metrics and alarms to read for a request that was made at a time."""
    end = math.floor((at - LATE_SECONDS) / PERIOD) * PERIOD
    earliest = (experiment.began or 0) + WARM_UP_SECONDS
    begin = max(end - evidence.get("Window", DEFAULT_WINDOW), earliest)
    pair = experiment.production, experiment.shadows[0]
    asked = [*_asked(evidence.get("Comparisons", ()))]
    queries = frozenset(Query(variant, *one) for variant in pair for one in asked)
    begin = math.ceil(begin / PERIOD) * PERIOD
    alarms = tuple(evidence.get("Alarms", ()))
    return Question(experiment.endpoint_name, pair, begin, end, queries, alarms)


def _asked(comparisons: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Averages and rates are computed from sums and counts; percentiles cannot be combined."""
    yield "Invocations", "Sum", PERIOD
    for one in comparisons:
        statistic = one.get("Statistic", AVERAGE)
        period = PERIOD if statistic == AVERAGE else HOUR
        yield one["Metric"], "Sum" if statistic == AVERAGE else statistic, period
        yield one["Metric"], "SampleCount", period


def judge(
    evidence: Mapping[str, Any], asked: Question, measured: Measured, sampling: float | None
) -> dict[str, object]:
    """A report with the verdict, the first reason for it, and all measurements."""
    production, shadow = (
        _total(Query(variant, "Invocations", "Sum", PERIOD), measured) for variant in asked.pair
    )
    least = evidence["MinInvocations"]
    judged, comparisons = [Result(SUCCESSFUL)], []
    for one in evidence.get("Comparisons", ()):
        result = _compared(one, asked.pair, measured)
        named = {"metric": one["Metric"], "statistic": one.get("Statistic", AVERAGE)}
        told = {name: float(f"{value:.6g}") for name, value in result.told.items()}
        dry_run = {"dryRun": True} if one.get("DryRun") else {}
        comparisons.append({**named, **told, **dry_run, "verdict": result.verdict})
        judged += [] if dry_run else [result]
    for name in asked.alarms:
        state = measured.alarms.get(name, "")
        judged.append(Result(_ALARMS.get(state, ERROR), reasons.alarm(name, state)))
    if min(production, shadow) < least:
        judged = [Result(INCONCLUSIVE, reasons.too_few_requests(production, shadow, least))]
    worst = max(judged, key=lambda result: [*GATES].index(result.verdict))
    return {
        "verdict": worst.verdict,
        "why": worst.why,
        "from": reasons.moment(asked.begin),
        "to": reasons.moment(asked.end),
        "samplingPercentage": sampling,
        "invocations": {"production": production, "shadow": shadow},
        "comparisons": comparisons,
        "alarms": {name: measured.alarms.get(name) for name in asked.alarms},
    }


def _compared(one: Mapping[str, Any], pair: tuple[str, str], measured: Measured) -> Result:
    """Compare the worst hour, or the whole window."""
    metric, statistic = one["Metric"], one.get("Statistic", AVERAGE)
    if statistic == AVERAGE:
        values: dict[float, list[float]] = {0.0: []}
        for name in pair:
            total, count = (
                _total(Query(name, metric, of, PERIOD), measured) for of in ("Sum", "SampleCount")
            )
            if not count:
                return Result(ERROR, reasons.not_measured(metric, name))
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
                return Result(ERROR, reasons.not_measured(f"{metric} {statistic}", name))
        if not hours:
            return Result(INCONCLUSIVE, reasons.no_hour(statistic, enough), {"hours": 0})
        values = {hour: [of[hour] for of in series] for hour in hours}
    excess = {at: shadow - _bound(one, production) for at, (production, shadow) in values.items()}
    worst = max(excess, key=lambda at: excess[at])
    production, shadow = values[worst]
    broken = sum(beyond > _ROUNDING * shadow for beyond in excess.values())
    told = {"production": production, "shadow": shadow, "bound": _bound(one, production)}
    if worst:
        told |= {"hours": len(values), "hoursFailed": broken}
    if broken <= one.get("FailureLimit", 0):
        return Result(SUCCESSFUL, "", told)
    return Result(FAILED, reasons.out_of_bound(one, told, worst), told)


def _bound(one: Mapping[str, Any], production: float) -> float:
    """The lowest bound of the comparison."""
    bounds = {name: float(one[name]) for name in BOUNDS if name in one}
    for name, value in bounds.items():
        relative = {MAX_RATIO: production * value, MAX_INCREASE: production + value}
        bounds[name] = relative.get(name, value)
    return min(bounds.values())


def fitted(report: Mapping[str, object]) -> Mapping[str, object]:
    """A report short enough for an attribute and the polling rule; the log has all of it."""
    without_alarms = {name: value for name, value in report.items() if name != "alarms"}
    return report if len(json.dumps(report)) <= MAX_REPORT else without_alarms


def _total(query: Query, measured: Measured) -> float:
    return math.fsum(measured.series[query].values())
