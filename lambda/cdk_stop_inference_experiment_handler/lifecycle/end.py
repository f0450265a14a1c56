"""Table 3: how did the experiment end after our Stop?

Each branch is a row of "How did the experiment end after our stop?" in
docs/concepts/lifecycle.md. Where an Update fails, a Delete mostly warns: a stack must
remain deletable.
"""

from __future__ import annotations

from dataclasses import replace

from ..contract.declaration import Action, Declaration, End
from ..contract.request import RequestType
from . import words
from .decision import Decision, Row, Verb, fail, succeed, wait
from .situation import FAILED_ENDPOINT_STATUSES, Experiment, Situation
from .stop_request import Wanted, actions_of, digest_in, promoted_by, wanted_by


def after_stop(s: Situation, experiment: Experiment | None) -> Decision:
    """What to do after SageMaker has accepted a Stop."""
    if experiment is None:
        return _warn_on_delete(s, fail(Row.END_GONE, words.gone_while_waiting(s.request.name)))
    if not experiment.is_over:
        # Describe may still say Running after SageMaker accepted the Stop: do not stop again.
        return wait(Row.END_AWAITED, words.status(experiment))
    if not experiment.is_settled:
        if s.is_past_deadline:
            return _warn_on_delete(s, fail(Row.END_UNSETTLED, words.unsettled(experiment)))
        return wait(Row.END_UNSETTLED, words.status(experiment))
    return answer_end(s, experiment, s.progress.sent, _sent_end(s))


def _sent_end(s: Situation) -> Wanted | None:
    """What was sent, if the request declares it."""
    if not isinstance(s.request.new, Declaration):
        return None
    return wanted_by(s.request.new, s.request).possible_end(s.progress.sent)


def answer_end(
    s: Situation, experiment: Experiment, digest: str, wanted: Wanted | None
) -> Decision:
    """What to answer about an end that was ordered with a digest."""
    is_cancelled = experiment.status == "Cancelled"
    failure = experiment.endpoint_failure
    promoted = promoted_by(wanted.end, experiment) if wanted else None
    serves = words.serves(promoted, experiment)
    why = words.ended(experiment, s.progress.scheduled_end) + serves
    decision = succeed(Row.END_AS_DECLARED, why)
    if is_cancelled and digest_in(experiment.status_reason) != digest:
        decision = fail(Row.END_CANCELLED, words.cancelled(experiment))
    elif (
        failure not in ("", s.progress.failure_before)
        or experiment.endpoint_status in FAILED_ENDPOINT_STATUSES
    ):
        decision = fail(Row.END_ENDPOINT_FAILED, words.endpoint_failed(experiment))
    elif wanted and (wrong := contradictions(wanted.end, experiment)):
        why = words.contradicted(experiment, wrong)
        decision = succeed(Row.END_CONTRADICTED, why, warn=True)
    elif is_cancelled and wanted and wanted.end.desired_state == "Completed":
        why = words.shows_as_cancelled(experiment) + serves
        decision = succeed(Row.END_AS_DECLARED, why, warn=True)
    return _warn_on_delete(s, decision)


def contradictions(end: End, experiment: Experiment) -> list[str]:
    """Variants whose status contradicts their action."""
    actions = actions_of(end, experiment)
    return [
        f"'{name}' is {status}, declared {actions[name].value}"
        for name, status in experiment.variants.items()
        if name in actions
        and status == ("InService" if actions[name] is Action.REMOVE else "Deleted")
    ]


def _warn_on_delete(s: Situation, decision: Decision) -> Decision:
    if s.request.type is RequestType.DELETE and decision.verb is Verb.FAIL:
        return replace(decision, verb=Verb.SUCCEED, warn=True)
    return decision
