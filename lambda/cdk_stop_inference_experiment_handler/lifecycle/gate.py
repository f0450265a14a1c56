"""The gate: does the evidence allow the promotion that is about to be sent?

Its rows are those of the table "Does the evidence allow the promotion?" in the README. A request
has one verdict: it is remembered, and whether the order stands is asked anew before a Stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import reasons
from .evidence import ERROR, FAILED, INCONCLUSIVE, SUCCESSFUL, judge, question
from .facts import Decision, Facts, Progress, Request, RequestType, Unreadable, Verb, fail, wait

UNREADABLE_SECONDS = 300.0
"""How long evidence that cannot be read is asked for again."""

GATES = {
    FAILED: "gate_failed",
    INCONCLUSIVE: "gate_inconclusive",
    ERROR: "gate_error",
    SUCCESSFUL: "gate_open",
}


def gate(decision: Decision, request: Request, facts: Facts, progress: Progress) -> Decision:
    """A decision, unless it is a promotion that its evidence does not allow.

    Raises:
        Unreadable: The evidence cannot be read, and may be later.
    """
    declared = decision.stop
    if decision.verb is not Verb.STOP or declared is None or declared.promote_if is None:
        return decision
    verdict = progress.evidence.get("verdict")
    if verdict is None and not progress.tried:
        return _judged(declared.promote_if, request, facts, progress)
    experiment = facts.experiment()
    if verdict in (None, SUCCESSFUL) or experiment is None:
        return decision
    kept = declared.kept(experiment.production, experiment.shadows[0], str(verdict))
    return replace(decision, stop=kept)


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
