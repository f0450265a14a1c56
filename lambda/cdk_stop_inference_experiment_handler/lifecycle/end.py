"""Table 3: how did the experiment end after our Stop?

Each branch is a row of "How did the experiment end after our stop?" in
docs/concepts/lifecycle.md. Where an Update fails, a Delete mostly warns: a stack must
remain deletable.
"""

from __future__ import annotations

import json
from dataclasses import replace

from ..contract.declaration import Action, Declaration, End, parse
from ..contract.request import RequestType
from . import words
from .decision import Decision, Row, Verb, fail, succeed, wait
from .situation import FAILED_ENDPOINT_STATUSES, Experiment, Situation
from .stop_request import actions_of, digest_in, promoted_by, wanted_by


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


def _sent_end(s: Situation) -> End | None:
    """The end that was sent; None if it is not known.

    That is not the request's own declaration where a Delete ends what is deployed.
    """
    sent = parse(json.loads(s.progress.request)) if s.progress.request else None
    if isinstance(sent, Declaration) and digest_in(sent.reason or "") == s.progress.sent:
        return sent.end
    if not isinstance(s.request.new, Declaration):
        return None
    adopted = wanted_by(s.request.new, s.request).possible_end(s.progress.sent)
    return adopted.end if adopted else None


def answer_end(s: Situation, experiment: Experiment, digest: str, end: End | None) -> Decision:
    """What to answer about an end that was ordered with a digest."""
    failure, before = experiment.endpoint_failure, s.progress.failure_before
    is_ours = digest_in(experiment.status_reason) == digest
    if experiment.status == "Cancelled" and not is_ours:
        decision = fail(Row.END_CANCELLED, words.cancelled(experiment))
    elif experiment.endpoint_status in FAILED_ENDPOINT_STATUSES or (
        failure and before not in (None, failure)
    ):
        decision = fail(Row.END_ENDPOINT_FAILED, words.endpoint_failed(experiment))
    else:
        decision = _succeed(s, experiment, end, is_ours=is_ours)
        if failure and before is None:
            why = decision.why + words.failure_unknown(experiment)
            decision = replace(decision, why=why, warn=True)
    return _warn_on_delete(s, decision)


def _succeed(s: Situation, experiment: Experiment, end: End | None, *, is_ours: bool) -> Decision:
    scheduled_end = s.progress.scheduled_end
    why = words.ended(experiment, scheduled_end)
    if end is None:
        return succeed(Row.END_AS_DECLARED, why)
    if wrong := contradictions(end, experiment):
        return succeed(Row.END_CONTRADICTED, words.contradicted(experiment, wrong), warn=True)
    has_another_cause = not is_ours and (
        experiment.status_reason != "" or experiment.is_ended_by_schedule(scheduled_end)
    )
    warn = end.promotes and has_another_cause
    if experiment.status == "Cancelled" and end.desired_state == "Completed":
        why, warn = words.shows_as_cancelled(experiment), True
    is_sure = is_ours and experiment.endpoint_failure in ("", s.progress.failure_before)
    why += promotion(end, experiment, is_known=is_sure)
    return succeed(Row.END_AS_DECLARED, why, warn=warn)


def promotion(end: End, experiment: Experiment, *, is_known: bool) -> str:
    """What to add about a promotion: what serves now, if the experiment ended by it."""
    if not end.promotes:
        return ""
    promoted = promoted_by(end, experiment)
    if is_known and experiment.status == "Completed":
        return words.serves(promoted, experiment)
    return words.promotion_unknown(promoted, experiment)


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
