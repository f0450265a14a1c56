"""Table 2: what does the experiment's state allow?

Each branch is a row of the table "What does the experiment's state allow?" in
docs/concepts/lifecycle.md, under the same name.
"""

from __future__ import annotations

from ..contract.declaration import Declaration
from . import reasons
from .end import end
from .facts import (
    STOPPABLE_STATUSES,
    Decision,
    Experiment,
    Facts,
    Progress,
    Request,
    RequestType,
    Verb,
    fail,
    succeed,
    wait,
)
from .order import Order
from .outcome import not_a_pair, promoted_by

BEGIN_AND_STOP_SECONDS = 25 * 60
"""A test that has not started has to start and to stop; each takes an endpoint update."""

REFUSED_SECONDS = 90.0
"""How long a Stop of a test that has not started is retried before it counts as refused."""


def state(order: Order, request: Request, facts: Facts, progress: Progress) -> Decision:
    """What to do about the experiment, according to table 2.

    Raises:
        Unreadable: The experiment cannot be described.
    """
    declared, experiment = order.declared, facts.experiment()
    is_delete = request.type is RequestType.DELETE
    if is_delete and (over := found_over(declared, request, experiment)):
        return over
    if experiment is None:
        return fail("absent", reasons.absent(declared.name, request.region))
    if experiment.has_ended:
        return _found_ended(order, request, experiment, progress)
    if experiment.status == "Stopping":
        return _stopping(order, experiment, is_delete=is_delete)
    if declared.outcome and not_a_pair(experiment):
        return fail("not_a_pair", reasons.not_a_pair(experiment))
    if not is_delete and (mismatch := _mismatch(declared, experiment)):
        return fail("variants_mismatch", mismatch)
    if order.ends and _is_refused(experiment, facts, progress):
        if is_delete:
            return succeed("created_refused", reasons.not_begun_on_delete(experiment), warn=True)
        starts = experiment.scheduled_start
        if starts is None or starts > facts.deadline() - BEGIN_AND_STOP_SECONDS:
            return fail("created_refused", reasons.not_begun(experiment))
    is_known = experiment.status in STOPPABLE_STATUSES
    if not order.ends:
        row = "stoppable" if is_known else "status_unknown"
        return succeed(row, reasons.armed(experiment), warn=not is_known)
    if not is_known:
        return wait("status_unknown", reasons.standing(experiment))
    return Decision(Verb.STOP, "stoppable", reasons.stop(experiment), stop=declared)


def found_over(
    declared: Declaration | str, request: Request, experiment: Experiment | None
) -> Decision | None:
    """The answer to a Delete if there is nothing to stop, whatever was ordered."""
    if experiment is None:
        return succeed("absent", reasons.absent_on_delete(request.declared_name))
    if not experiment.is_over:
        return None
    row = "ended_otherwise"
    if isinstance(declared, Declaration):
        is_ours = _ordered_by_delete(declared, experiment) is not None
        row = "ended_as_new" if is_ours else _row_of_end(experiment, declared)
    return succeed(row, reasons.ended(experiment))


def _row_of_end(experiment: Experiment, new: Declaration, old: Declaration | None = None) -> str:
    """The row for an experiment that has already ended: who ended it, and is a promotion wanted?"""
    if not experiment.is_over:
        return "ended_unsettled"
    if new.ended(experiment.status_reason):
        return "ended_as_new"
    if old is not None and old.may_have_ended(experiment.status_reason):
        return "ended_as_old"
    return "ended_otherwise_promote" if new.promotes else "ended_otherwise"


def _found_ended(
    order: Order, request: Request, experiment: Experiment, progress: Progress
) -> Decision:
    new, old = order.declared, order.old
    row = _row_of_end(experiment, new, old)
    if not order.ends:
        return succeed(row, reasons.ended(experiment), warn=True)
    if row == "ended_unsettled":
        return wait(row, reasons.standing(experiment))
    if row == "ended_as_new":
        return end(request, experiment, new.digest, progress.failure_before)
    promoted = promoted_by(new, experiment)
    promotes_anew = old is not None and promoted not in (None, promoted_by(old, experiment))
    if row == "ended_as_old" and not promotes_anew:
        return succeed(row, reasons.ended_as_before(experiment), warn=True)
    if row == "ended_otherwise":
        return succeed(row, reasons.ended(experiment))
    return fail(row, reasons.too_late(promoted, experiment))


def _stopping(order: Order, experiment: Experiment, *, is_delete: bool) -> Decision:
    """Wait for a stop in progress; with our reason it is ours, whichever delivery sent it."""
    if not order.ends:
        return succeed("stopping", reasons.armed(experiment), warn=True)
    ours = _ordered_by_delete(order.declared, experiment) if is_delete else None
    if order.declared.ended(experiment.status_reason):
        ours = order.declared
    return Decision(Verb.WAIT, "stopping", reasons.standing(experiment), stop=ours)


def _ordered_by_delete(declared: Declaration, experiment: Experiment) -> Declaration | None:
    """What a Delete ordered, by the digest: the end declared, or what a closed gate makes of it."""
    ends = [declared, declared if declared.promote_if is None else declared.kept()]
    return next((one for one in ends if one.ended(experiment.status_reason)), None)


def _is_refused(experiment: Experiment, facts: Facts, progress: Progress) -> bool:
    refused = progress.refused_at
    is_lasting = refused is not None and facts.now() >= refused + REFUSED_SECONDS
    return experiment.status == "Created" and is_lasting


def _mismatch(declared: Declaration, experiment: Experiment) -> str | None:
    """Why the declaration does not match the experiment's variants, if SageMaker lists them."""
    unknown = [name for name in declared.actions if name not in experiment.variants]
    if unknown and experiment.variants:
        return reasons.unknown_variants(unknown, experiment)
    promoted = promoted_by(declared, experiment)
    if promoted is not None and experiment.shadows and promoted not in experiment.shadows:
        return reasons.not_a_shadow(promoted, experiment)
    return None
