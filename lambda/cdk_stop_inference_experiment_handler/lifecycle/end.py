"""Table 3: how did the experiment end after our Stop?

Each branch is a row of the table "How did the experiment end after our stop?" in
docs/concepts/lifecycle.md, under the same name. Where an Update fails, a Delete warns, so that a
teardown does not get stuck.
"""

from __future__ import annotations

from dataclasses import replace

from ..contract.constraints import CANCELLED, COMPLETED, REMOVE
from ..contract.declaration import Declaration, digest_in
from . import reasons
from .facts import (
    FAILED_ENDPOINT_STATUSES,
    Decision,
    Experiment,
    Progress,
    Request,
    RequestType,
    Verb,
    fail,
    succeed,
    wait,
)
from .outcome import actions_of


def after_stop(request: Request, seen: Experiment | None, progress: Progress) -> Decision:
    """What to do after SageMaker has accepted a Stop."""
    if seen is None:
        gone = fail("end_gone", reasons.gone_while_waiting(request.declared_name))
        return _warn_on_delete(request, gone)
    if not seen.is_over:
        # Describe may still say Running after SageMaker accepted the Stop: do not stop again.
        return wait("end_awaited", reasons.standing(seen))
    return end(request, seen, progress.sent, progress.failure_before)


def end(
    request: Request, experiment: Experiment, digest: str, failure_before: str | None
) -> Decision:
    """What to answer about an end that this resource ordered, by the digest that was sent.

    ``failure_before`` is the endpoint's FailureReason before the Stop; None if it was not read.
    """
    new = request.new
    declared = new if isinstance(new, Declaration) and new.digest == digest else None
    is_cancelled = experiment.status == CANCELLED
    decision = succeed("end_as_declared", reasons.ended(experiment))
    if is_cancelled and digest_in(experiment.status_reason) != digest:
        decision = fail("end_cancelled", reasons.cancelled(experiment))
    elif (
        experiment.endpoint_failure not in ("", failure_before)
        or experiment.endpoint_status in FAILED_ENDPOINT_STATUSES
    ):
        decision = fail("end_endpoint_failed", reasons.endpoint_failed(experiment))
    elif declared and (wrong := _contradictions(declared, experiment)):
        decision = succeed("end_contradicted", reasons.contradicted(experiment, wrong), warn=True)
    elif is_cancelled and declared and declared.desired_state == COMPLETED:
        why = reasons.shows_as_cancelled(experiment)
        decision = succeed("end_as_declared", why, warn=True)
    return _warn_on_delete(request, decision)


def _contradictions(declared: Declaration, experiment: Experiment) -> list[str]:
    """Variants whose status contradicts their action."""
    actions = actions_of(declared, experiment)
    return [
        f"'{name}' is {status}, declared {actions[name]}"
        for name, status in experiment.variants.items()
        if name in actions and status == ("InService" if actions[name] == REMOVE else "Deleted")
    ]


def _warn_on_delete(request: Request, decision: Decision) -> Decision:
    if request.type is RequestType.DELETE and decision.verb is Verb.FAIL:
        return replace(decision, verb=Verb.SUCCEED, warn=True)
    return decision
