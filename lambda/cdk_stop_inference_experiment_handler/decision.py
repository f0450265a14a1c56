"""What to do about a request: one pure function over plain data, the lifecycle table in code.

:func:`decide` either says what it still has to know (``LOOK_AT_…``), so that AWS is asked no more
than a decision needs, or what to do. Each branch is a row of the table in the README.
A stop cannot be undone: where the facts do not order one, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from . import reasons
from .constraints import CANCELLED, COMPLETED
from .declaration import Declaration
from .facts import STOPPING, Case, Experiment, Request, RequestType, Unknown


class Verb(Enum):
    """The handful of things a decision can order."""

    LOOK_AT_EXPERIMENT = "look at the experiment"
    LOOK_AT_STACK = "look at the stack's status"
    LOOK_AT_RESOURCES = "look at the stack's resources"
    STOP = "stop"
    WAIT = "wait"
    SUCCEED = "succeed"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """What to do and why.

    Attributes:
        warn: A person should see it although the request succeeds.
    """

    verb: Verb
    why: str = ""
    warn: bool = False


_LOOK_AT_EXPERIMENT = Decision(Verb.LOOK_AT_EXPERIMENT)
_LOOK_AT_STACK = Decision(Verb.LOOK_AT_STACK)
_LOOK_AT_RESOURCES = Decision(Verb.LOOK_AT_RESOURCES)


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
        return _fail(new)
    if isinstance(case.experiment, Unknown):
        return _LOOK_AT_EXPERIMENT
    if case.experiment is None:
        return _fail(reasons.absent(new.name, region))
    stops = RequestType.CREATE.value in new.stop_on
    if case.experiment.is_over or (case.experiment.has_ended and not stops):
        if stops and (case.experiment.status_reason == new.reason or _may_be_ours(case)):
            return _our_end(case.request, new, case.experiment)
        return _succeed(reasons.already_ended(case.experiment), warn=True)
    refusal = _refusal(new, case.experiment)
    if refusal:
        return _fail(refusal)
    if not stops:
        return _succeed(reasons.armed(case.experiment))
    return _unless_rollback(case, _stop_or_wait(case.experiment))


def _update(case: Case, region: str) -> Decision:
    new, old = case.request.new, case.request.old
    if case.request.is_for_another_experiment:
        return _unless_rollback(case, _create(case, region))
    if isinstance(new, Declaration) and old is not None and new.declares_the_same_end_as(old):
        return _succeed(reasons.same_declaration(new.name))
    return _unless_rollback(case, _update_forward(case, region))


def _update_forward(case: Case, region: str) -> Decision:
    new, old = case.request.new, case.request.old
    if isinstance(new, str):
        return _fail(new)
    if old is None:
        return _fail(reasons.unreadable_old_properties())
    if isinstance(case.experiment, Unknown):
        return _LOOK_AT_EXPERIMENT
    if case.experiment is None:
        return _fail(reasons.absent(new.name, region))
    if RequestType.UPDATE.value not in new.stop_on:
        refusal = None if case.experiment.has_ended else _refusal(new, case.experiment)
        return _fail(refusal) if refusal else _succeed(reasons.not_ordered("Update"))
    if case.experiment.is_over:
        return _found_ended(case, new, old, case.experiment)
    refusal = None if case.experiment.has_ended else _refusal(new, case.experiment)
    return _fail(refusal) if refusal else _stop_or_wait(case.experiment)


def _delete(case: Case) -> Decision:
    request, new = case.request, case.request.new
    if not request.holds_its_experiment:
        return _succeed(reasons.not_held(request.physical_id or ""))
    if isinstance(new, Declaration) and RequestType.DELETE.value not in new.stop_on:
        return _succeed(reasons.not_ordered("Delete"))
    if isinstance(case.experiment, Unknown):
        return _LOOK_AT_EXPERIMENT
    if case.experiment is None:
        return _succeed(reasons.gone(request.declared_name))
    if case.experiment.is_over:
        return _succeed(reasons.already_ended(case.experiment))
    return _delete_unended(case, case.experiment)


def _delete_unended(case: Case, experiment: Experiment) -> Decision:
    request, new = case.request, case.request.new
    if isinstance(case.stack_status, Unknown):
        return _LOOK_AT_STACK
    owned = isinstance(new, Declaration) and new.stack_owns_experiment
    if is_rollback(case.stack_status) and not owned:
        return _succeed(reasons.rollback(case.stack_status, experiment))
    if is_update(case.stack_status):
        if isinstance(case.other_holders, Unknown):
            return _LOOK_AT_RESOURCES
        if case.other_holders:
            return _succeed(reasons.held_elsewhere(request.declared_name, case.other_holders))
    return _fail(new) if isinstance(new, str) else _stop_or_wait(experiment)


def _unless_rollback(case: Case, forward: Decision) -> Decision:
    """What holds forward, unless the stack is rolling back: then nothing is stopped or failed."""
    if forward.verb not in (Verb.STOP, Verb.WAIT, Verb.FAIL):
        return forward
    if isinstance(case.stack_status, Unknown):
        return _LOOK_AT_STACK
    if is_rollback(case.stack_status) and case.request.type is not RequestType.CREATE:
        known = None if isinstance(case.experiment, Unknown) else case.experiment
        return _succeed(reasons.rollback(case.stack_status, known), warn=True)
    if is_rollback(case.stack_status) and forward.verb is not Verb.FAIL:
        return _succeed(reasons.rollback(case.stack_status, None))
    return forward


def _stop_or_wait(experiment: Experiment) -> Decision:
    if experiment.status == STOPPING or experiment.has_ended:
        return Decision(Verb.WAIT, reasons.waiting(experiment))
    return Decision(Verb.STOP, reasons.stop(experiment))


def _refusal(new: Declaration, experiment: Experiment) -> str | None:
    """Why the declaration cannot be fulfilled on this experiment, as far as it shows."""
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
    if by_new and not (by_old and promotes_anew and not _ended_during(case, experiment)):
        return _our_end(case.request, new, experiment)
    if _may_be_ours(case):
        return _our_end(case.request, new, experiment)
    if new.promoted is not None and (promotes_anew or not by_old):
        return _fail(reasons.too_late_to_promote(new.promoted, experiment))
    return _succeed(reasons.not_undone(experiment), warn=True)


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


def _after_our_stop(case: Case) -> Decision:
    request, new = case.request, case.request.new
    if isinstance(case.experiment, Unknown) or isinstance(new, str):
        return _LOOK_AT_EXPERIMENT
    if case.experiment is None:
        if request.type is RequestType.DELETE:
            return _succeed(reasons.gone(new.name))
        return _fail(reasons.gone_while_waiting(new.name))
    if not case.experiment.is_over:
        # "Running" after an accepted Stop is a describe that lags behind, never a new order.
        return Decision(Verb.WAIT, reasons.waiting(case.experiment))
    return _our_end(request, new, case.experiment)


def _our_end(request: Request, new: Declaration, experiment: Experiment) -> Decision:
    """Judge an end that this resource ordered. A teardown must not brick: Delete only warns."""
    decision = _succeed(reasons.over(experiment))
    if experiment.status == CANCELLED and (
        new.desired_state == COMPLETED or experiment.status_reason != new.reason
    ):
        decision = _fail(reasons.ended_otherwise(new, experiment))
    elif experiment.endpoint_has_failed:
        decision = _fail(reasons.endpoint_failed(experiment))
    if decision.verb is Verb.FAIL and request.type is RequestType.DELETE:
        return replace(decision, verb=Verb.SUCCEED, warn=True)
    return decision


def _succeed(why: str, *, warn: bool = False) -> Decision:
    return Decision(Verb.SUCCEED, why, warn)


def _fail(why: str) -> Decision:
    return Decision(Verb.FAIL, why)
