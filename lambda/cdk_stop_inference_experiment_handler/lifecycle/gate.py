"""The gate: does the evidence allow the promotion that is ordered?

Its rows are those of "Does the evidence allow the promotion?" in docs/concepts/lifecycle.md. A
request has one verdict, in the terms of Argo Rollouts, which is remembered. Whether the order still
holds is decided before it, in the same look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from ..contract.request import RequestType
from . import sequential, windowed, words
from .decision import Decision, Row, Verb, can_retry, fail
from .order import Order, needs_of
from .situation import Experiment, Needs, NotReadable, Situation
from .stop_request import names_instances, other_instance_type, takes_production_counts
from .verdict import Verdict

MAX_REPORT = 2000
"""Characters. Ten comparisons need fewer, ten alarms with long names may need more."""

UNREADABLE_SECONDS = 300.0
"""How long to retry evidence that cannot be read."""

GATES = {
    Verdict.SUCCESSFUL: Row.GATE_OPEN,
    Verdict.INCONCLUSIVE: Row.GATE_INCONCLUSIVE,
    Verdict.ERROR: Row.GATE_ERROR,
    Verdict.FAILED: Row.GATE_FAILED,
}
"""The row for each verdict."""


def apply_gate(order: Order, s: Situation, experiment: Experiment) -> Decision:
    """STOP as wanted, or what the evidence makes of it."""
    wanted = order.wanted
    differ = other_instance_type(wanted.end, experiment)
    stop = Decision(
        Verb.STOP,
        Row.STOPPABLE,
        words.stop(experiment) + words.on_other_instances(differ),
        warn=differ is not None,
        stop=wanted,
    )
    if wanted.promote_if is None or not wanted.end.promotes:
        return stop
    verdict = s.progress.evidence.get("verdict")
    if verdict is None and not s.progress.tried:
        return _judge(stop, order, s, experiment, differ)
    if verdict in (None, Verdict.SUCCESSFUL.value):
        return stop
    return replace(stop, stop=wanted.without_promotion(f"evidence: {verdict}"))


def _judge(
    stop: Decision,
    order: Order,
    s: Situation,
    experiment: Experiment,
    differ: tuple[str, str] | None,
) -> Decision:
    """The verdict. ``differ`` is what :func:`other_instance_type` says."""
    evidence = order.wanted.promote_if
    assert evidence is not None  # noqa: S101 - the caller has asked
    report: Mapping[str, object]
    row = None
    if differ and not names_instances(order.wanted.end):
        row = Row.INSTANCES_DIFFER
        report = {"verdict": Verdict.INCONCLUSIVE.value, "why": words.instances_differ(*differ)}
    elif experiment.began is None or not experiment.shadows:
        report = {"verdict": Verdict.ERROR.value, "why": words.NO_PAIR}
    else:
        judges = windowed if evidence.confidence is None else sequential
        question = judges.question(evidence, experiment, s.progress.started_at)
        if question.begin >= question.end:
            report = {"verdict": Verdict.INCONCLUSIVE.value, "why": words.too_young(question.begin)}
        elif s.prepared is None or s.prepared.evidence is None:
            needs = needs_of(s, Needs(takes_production_counts(order.wanted.end), False, question))
            return replace(stop, verb=Verb.PREPARE, needs=needs)
        elif isinstance(s.prepared.evidence, NotReadable):
            unread = s.prepared.evidence
            if _can_read_later(unread, s):
                return Decision(Verb.WAIT, Row.GATE_ERROR, unread.why, is_unmeasured=True)
            report = {"verdict": Verdict.ERROR.value, "why": unread.why}
        else:
            report = judges.judge(evidence, question, s.prepared.evidence, experiment.sampling)
    verdict = Verdict(report["verdict"])
    row = row or GATES[verdict]
    why = words.gate(s.request.name, report)
    if verdict is Verdict.SUCCESSFUL:
        why += words.on_other_instances(differ)
        return replace(stop, row=row, why=why, evidence=report)
    if s.request.type is RequestType.DELETE:
        ending = order.wanted.without_promotion(f"evidence: {verdict.value}")
        return replace(stop, row=row, why=why, warn=True, stop=ending, evidence=report)
    return replace(fail(row, why), evidence=report)


def _can_read_later(unread: NotReadable, s: Situation) -> bool:
    """Whether to try to read the evidence again: for five minutes at most."""
    since = s.progress.unmeasured_since
    if s.is_past_deadline or (since is not None and s.now >= since + UNREADABLE_SECONDS):
        return False
    return can_retry(unread, s)


def short_report(report: Mapping[str, object]) -> Mapping[str, object]:
    """A report short enough for an attribute and the polling rule; the log has all of it."""
    without_alarms = {name: value for name, value in report.items() if name != "alarms"}
    return report if len(json.dumps(report)) <= MAX_REPORT else without_alarms
