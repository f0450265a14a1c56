"""Table 2: what does the experiment's state allow?

Each branch is a row of the table "What does the experiment's state allow?" in the README, under the
same name.
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


def state(
    order: Order, request: Request, facts: Facts, progress: Progress, region: str
) -> Decision:
    """What to do about the experiment, according to table 2.

    Raises:
        Unreadable: The experiment cannot be described.
    """
    experiment = facts.experiment()
    if not order.ends:
        return _arm(order.declared, experiment, region)
    if request.type is RequestType.DELETE:
        return _end_by_delete(order, experiment, facts, progress)
    return _end(order, request, experiment, facts, progress, region)


def found_over(request: Request, facts: Facts) -> Decision | None:
    """The answer to a Delete if there is nothing to stop, whatever was ordered."""
    experiment = facts.experiment()
    if experiment is None:
        return succeed("absent", reasons.absent_on_delete(request.declared_name))
    if experiment.is_over:
        new = request.new if isinstance(request.new, Declaration) else None
        return succeed(_row_of_deleted(experiment, new), reasons.ended(experiment))
    return None


def _arm(declared: Declaration, experiment: Experiment | None, region: str) -> Decision:
    if experiment is None:
        return fail("absent", reasons.absent(declared.name, region))
    if experiment.has_ended:
        return succeed(_row_of_end(experiment, declared), reasons.ended(experiment), warn=True)
    if experiment.status == "Stopping":
        return succeed("stopping", reasons.armed(experiment), warn=True)
    if misfit := _misfit(declared, experiment):
        return misfit
    is_known = experiment.status in STOPPABLE_STATUSES
    row = "stoppable" if is_known else "status_unknown"
    return succeed(row, reasons.armed(experiment), warn=not is_known)


def _end(
    order: Order,
    request: Request,
    experiment: Experiment | None,
    facts: Facts,
    progress: Progress,
    region: str,
) -> Decision:
    new, old = order.declared, order.old
    if experiment is None:
        return fail("absent", reasons.absent(new.name, region))
    if experiment.has_ended:
        return _found_ended(request, experiment, new, old, progress)
    if experiment.status == "Stopping":
        return _stopping(new if new.ended(experiment.status_reason) else None, experiment)
    if misfit := _misfit(new, experiment):
        return misfit
    if _is_refused(experiment, facts, progress):
        starts = experiment.scheduled_start
        if starts is None or starts > facts.deadline() - BEGIN_AND_STOP_SECONDS:
            return fail("created_refused", reasons.not_begun(experiment))
    if experiment.status not in STOPPABLE_STATUSES:
        return wait("status_unknown", reasons.standing(experiment))
    return Decision(Verb.STOP, "stoppable", reasons.stop(experiment), stop=new)


def _end_by_delete(
    order: Order, experiment: Experiment | None, facts: Facts, progress: Progress
) -> Decision:
    declared = order.declared
    if experiment is None:
        return succeed("absent", reasons.absent_on_delete(declared.name))
    if experiment.has_ended:
        row = _row_of_deleted(experiment, declared)
        if row == "ended_unsettled":
            return wait(row, reasons.standing(experiment))
        return succeed(row, reasons.ended(experiment))
    if experiment.status == "Stopping":
        return _stopping(_ordered_by_delete(declared, experiment), experiment)
    if declared.outcome and not_a_pair(experiment):
        return fail("not_a_pair", reasons.not_a_pair(experiment))
    if _is_refused(experiment, facts, progress):
        return succeed("created_refused", reasons.not_begun_on_delete(experiment), warn=True)
    if experiment.status not in STOPPABLE_STATUSES:
        return wait("status_unknown", reasons.standing(experiment))
    return Decision(Verb.STOP, "stoppable", reasons.stop(experiment), stop=declared)


def _row_of_end(
    experiment: Experiment, new: Declaration | None, old: Declaration | None = None
) -> str:
    """The row for an experiment that has already ended: who ended it, and is a promotion wanted?"""
    if not experiment.is_over:
        return "ended_unsettled"
    if new is not None and new.ended(experiment.status_reason):
        return "ended_as_new"
    if old is not None and old.may_have_ended(experiment.status_reason):
        return "ended_as_old"
    return "ended_otherwise_promote" if new is not None and new.promotes else "ended_otherwise"


def _row_of_deleted(experiment: Experiment, declared: Declaration | None) -> str:
    """The same for a Delete, which ends by another end where the gate is closed."""
    row = _row_of_end(experiment, declared)
    is_ours = declared is not None and _ordered_by_delete(declared, experiment) is not None
    return "ended_as_new" if is_ours and row != "ended_unsettled" else row


def _found_ended(
    request: Request,
    experiment: Experiment,
    new: Declaration,
    old: Declaration | None,
    progress: Progress,
) -> Decision:
    """An Update, or a Create that stops, finds an experiment that has ended."""
    row = _row_of_end(experiment, new, old)
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
    return fail(row, reasons.too_late(str(promoted), experiment))


def _stopping(ours: Declaration | None, experiment: Experiment) -> Decision:
    """Wait for a stop in progress; with our reason it is ours, whichever delivery sent it."""
    return Decision(Verb.WAIT, "stopping", reasons.standing(experiment), stop=ours)


def _ordered_by_delete(declared: Declaration, experiment: Experiment) -> Declaration | None:
    """What a Delete ordered, by the digest: the end declared, or what a closed gate makes of it."""
    ends = [declared, declared if declared.promote_if is None else declared.kept()]
    return next((one for one in ends if one.ended(experiment.status_reason)), None)


def _is_refused(experiment: Experiment, facts: Facts, progress: Progress) -> bool:
    refused = progress.refused_at
    is_lasting = refused is not None and facts.now() >= refused + REFUSED_SECONDS
    return experiment.status == "Created" and is_lasting


def _misfit(declared: Declaration, experiment: Experiment) -> Decision | None:
    """Why the declaration does not match the experiment's variants, if SageMaker lists them."""
    if declared.outcome:
        if not_a_pair(experiment):
            return fail("not_a_pair", reasons.not_a_pair(experiment))
        return None
    unknown = [name for name in declared.actions if name not in experiment.variants]
    if unknown and experiment.variants:
        return fail("variants_mismatch", reasons.unknown_variants(unknown, experiment))
    promoted = promoted_by(declared, experiment)
    if promoted is not None and experiment.shadows and promoted not in experiment.shadows:
        return fail("variants_mismatch", reasons.not_a_shadow(promoted, experiment))
    return None
