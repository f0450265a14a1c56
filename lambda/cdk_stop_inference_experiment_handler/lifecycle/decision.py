"""What to do about a request: one pure function over plain data, the lifecycle table in code.

:func:`decide` either says what it still has to know (``LOOK_AT_…``), so that AWS is asked no more
than a decision needs, or what to do. Each branch is a row of the table in the README.
A stop cannot be undone: where the facts do not order one, there is none.
"""

from __future__ import annotations

from dataclasses import replace

from ..contract.constraints import CANCELLED, COMPLETED
from ..contract.declaration import Declaration
from . import reasons
from .facts import (
    LOOK_AT_EXPERIMENT,
    LOOK_AT_RESOURCES,
    LOOK_AT_STACK,
    Case,
    Decision,
    Experiment,
    Request,
    RequestType,
    Unknown,
    Verb,
    fail,
    succeed,
)


def is_rollback(stack_status: str) -> bool:
    """Whether the stack is undoing something: not "forward" in the table's words."""
    return stack_status.startswith(("ROLLBACK_", "UPDATE_ROLLBACK_", "IMPORT_ROLLBACK_"))


def is_update(stack_status: str) -> bool:
    """Whether a Delete in this status belongs to an update's cleanup."""
    return stack_status.startswith("UPDATE_") and not is_rollback(stack_status)


def decide(case: Case, region: str) -> Decision:
    """Decide about one request; the region is named where an experiment is not found."""
    if case.stop_sent:
        return _after_our_stop(case)
    if case.request.type is RequestType.CREATE:
        return _create(case, region)
    if case.request.type is RequestType.UPDATE:
        return _update(case, region)
    return _delete(case)


def _create(case: Case, region: str) -> Decision:
    new = case.request.new
    if isinstance(new, str):
        return fail(new)
    if isinstance(case.experiment, Unknown):
        return LOOK_AT_EXPERIMENT
    if case.experiment is None:
        return fail(reasons.absent(new.name, region))
    stops = RequestType.CREATE.value in new.stop_on
    if case.experiment.is_over or (case.experiment.has_ended and not stops):
        if stops and (case.experiment.status_reason == new.reason or _may_be_ours(case)):
            return _our_end(case.request, new, case.experiment)
        if stops and new.promoted is not None and _ended_during(case, case.experiment):
            return fail(reasons.too_late_to_promote(new.promoted, case.experiment))
        return succeed(reasons.already_ended(case.experiment), warn=True)
    refusal = _refusal(new, case.experiment)
    if refusal:
        return fail(refusal)
    if not stops:
        return succeed(reasons.armed(case.experiment))
    return _unless_rollback(case, _stop_or_wait(case.experiment))


def _update(case: Case, region: str) -> Decision:
    new, old = case.request.new, case.request.old
    if case.request.is_for_another_experiment:
        return _unless_rollback(case, _create(case, region))
    if isinstance(new, Declaration) and old is not None and new.declares_the_same_end_as(old):
        return succeed(reasons.same_declaration(new.name))
    return _unless_rollback(case, _update_forward(case, region))


def _update_forward(case: Case, region: str) -> Decision:
    new, old = case.request.new, case.request.old
    if isinstance(new, str):
        return fail(new)
    if old is None:
        return fail(reasons.unreadable_old_properties())
    if isinstance(case.experiment, Unknown):
        return LOOK_AT_EXPERIMENT
    if case.experiment is None:
        return fail(reasons.absent(new.name, region))
    if RequestType.UPDATE.value not in new.stop_on:
        refusal = _refusal(new, case.experiment)
        return fail(refusal) if refusal else succeed(reasons.not_ordered("Update"))
    if case.experiment.is_over:
        return _found_ended(case, new, old, case.experiment)
    refusal = _refusal(new, case.experiment)
    return fail(refusal) if refusal else _stop_or_wait(case.experiment)


def _delete(case: Case) -> Decision:
    request, new = case.request, case.request.new
    if not request.holds_its_experiment:
        return succeed(reasons.not_held(request.physical_id or ""))
    if isinstance(new, Declaration) and RequestType.DELETE.value not in new.stop_on:
        return succeed(reasons.not_ordered("Delete"))
    if case.experiment is Unknown.NOT_ASKED:
        return LOOK_AT_EXPERIMENT
    if case.experiment is None:
        return succeed(reasons.gone(request.declared_name))
    if isinstance(case.experiment, Experiment) and case.experiment.is_over:
        return succeed(reasons.already_ended(case.experiment))
    return _delete_unended(case)


def _delete_unended(case: Case) -> Decision:
    request, new, experiment = case.request, case.request.new, _known(case)
    if isinstance(case.stack_status, Unknown):
        return LOOK_AT_STACK
    # Only a stack whose creation is undone surely takes its own experiment along.
    goes_too = isinstance(new, Declaration) and new.stack_owns_experiment
    goes_too = goes_too and case.stack_status.startswith("ROLLBACK_")
    if is_rollback(case.stack_status) and not goes_too:
        return succeed(reasons.rollback(case.stack_status, experiment))
    if experiment is None:
        return LOOK_AT_EXPERIMENT
    if is_update(case.stack_status):
        if isinstance(case.other_holders, Unknown):
            return LOOK_AT_RESOURCES
        if case.other_holders:
            return succeed(reasons.held_elsewhere(request.declared_name, case.other_holders))
    return fail(new) if isinstance(new, str) else _stop_or_wait(experiment)


def _unless_rollback(case: Case, forward: Decision) -> Decision:
    """What holds forward, unless the stack is rolling back: then nothing is stopped or failed."""
    cannot_look = forward is LOOK_AT_EXPERIMENT and case.experiment is Unknown.UNREADABLE
    if forward.verb not in (Verb.STOP, Verb.WAIT, Verb.FAIL) and not cannot_look:
        return forward
    if isinstance(case.stack_status, Unknown):
        return LOOK_AT_STACK
    if is_rollback(case.stack_status) and case.request.type is not RequestType.CREATE:
        return succeed(reasons.rollback(case.stack_status, _known(case)), warn=True)
    if is_rollback(case.stack_status) and forward.verb is not Verb.FAIL:
        return succeed(reasons.rollback(case.stack_status, None))
    return forward


def _known(case: Case) -> Experiment | None:
    return None if isinstance(case.experiment, Unknown) else case.experiment


def _stop_or_wait(experiment: Experiment) -> Decision:
    if experiment.is_stopping or experiment.has_ended:
        return Decision(Verb.WAIT, reasons.waiting(experiment))
    return Decision(Verb.STOP, reasons.stop(experiment))


def _refusal(new: Declaration, experiment: Experiment) -> str | None:
    """Why the declaration cannot be fulfilled on this experiment, as far as it shows."""
    if experiment.has_ended:
        return None
    unknown = [name for name in new.actions if name not in experiment.variants]
    if unknown and experiment.variants:
        return reasons.unknown_variants(unknown, experiment)
    shadows = experiment.shadow_variants
    if new.promoted is not None and shadows is not None and new.promoted not in shadows:
        return reasons.not_a_shadow(new.promoted, experiment)
    return None


def _found_ended(
    case: Case, new: Declaration, old: Declaration, experiment: Experiment
) -> Decision:
    """An Update finds the experiment over without having stopped it in this invocation.

    StatusReason tells whose end it was: the reason this resource sends or somebody else's.
    """
    promotes_anew = new.promoted is not None and new.promoted != old.promoted
    by_new = experiment.status_reason == new.reason
    by_old = experiment.status_reason == old.reason
    is_older = case.older_stop or not _ended_during(case, experiment)
    is_ours = by_new and not (by_old and promotes_anew and is_older)
    if is_ours or _may_be_ours(case):
        return _our_end(case.request, new, experiment)
    if new.promoted is not None and (promotes_anew or not by_old):
        return fail(reasons.too_late_to_promote(new.promoted, experiment))
    return succeed(reasons.not_undone(experiment), warn=True)


def _may_be_ours(case: Case) -> bool:
    """Whether an end as Cancelled may be a Stop of ours that went wrong: in doubt, no success.

    Its answer was lost, or another delivery was faster, and an operation that failed wrote its
    error over our reason.
    """
    experiment = case.experiment
    return case.stop_tried and isinstance(experiment, Experiment) and experiment.status == CANCELLED


def _ended_during(case: Case, experiment: Experiment) -> bool:
    """Whether the end is known to have come after the request: then the request brought it."""
    issued, ended = case.request.issued_at, experiment.completion_time
    return case.seen_unfinished or (issued is not None and ended is not None and ended >= issued)


def is_older_stop(request: Request, seen: Experiment) -> bool:
    """Whether a stop under way was ordered before a request that promotes for the same reason.

    One reason of the user's for two declarations does not tell their ends apart, but time does.
    """
    new, old = request.new, request.old
    if isinstance(new, str) or old is None or new.promoted in (None, old.promoted):
        return False
    modified, issued = seen.last_modified, request.issued_at
    is_before = modified is not None and issued is not None and modified < issued
    return is_before and new.reason == old.reason


def _after_our_stop(case: Case) -> Decision:
    request, new = case.request, case.request.new
    if isinstance(case.experiment, Unknown) or isinstance(new, str):
        return LOOK_AT_EXPERIMENT
    if case.experiment is None:
        if request.type is RequestType.DELETE:
            return succeed(reasons.gone(new.name))
        return fail(reasons.gone_while_waiting(new.name))
    if not case.experiment.is_over:
        # "Running" after an accepted Stop is a describe that lags behind, never a new order.
        return Decision(Verb.WAIT, reasons.waiting(case.experiment))
    return _our_end(request, new, case.experiment)


def _our_end(request: Request, new: Declaration, experiment: Experiment) -> Decision:
    """Judge an end that this resource ordered. A teardown must not brick: Delete only warns."""
    decision = succeed(reasons.over(experiment))
    if experiment.status == CANCELLED and (
        new.desired_state == COMPLETED or experiment.status_reason != new.reason
    ):
        decision = fail(reasons.ended_otherwise(new, experiment))
    elif experiment.endpoint_has_failed:
        decision = fail(reasons.endpoint_failed(experiment))
    if decision.verb is Verb.FAIL and request.type is RequestType.DELETE:
        return replace(decision, verb=Verb.SUCCEED, warn=True)
    return decision
