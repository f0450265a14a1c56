"""Table 1: what does the event order?

Each branch is a row of the table "What does the event order?" in
docs/concepts/lifecycle.md, under the same name.
The "undo" rows of Create and Update are checked last: reading the stack costs calls, and an undo
only matters where another row would stop or fail. See :func:`unless_undone`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.constraints import CREATE, DELETE, UPDATE
from ..contract.declaration import Declaration
from . import reasons
from .facts import (
    Decision,
    Facts,
    Request,
    RequestType,
    Unreadable,
    Verb,
    experiment_if_readable,
    fail,
    succeed,
    wait,
)
from .outcome import make_the_same_request
from .standing import Standing, by_events, last_deployed, standing

UNDONE = {
    RequestType.CREATE: "create_undone",
    RequestType.UPDATE: "update_undone",
    RequestType.DELETE: "delete_undone",
}


@dataclass(frozen=True)
class Order:
    """What the event orders, if it does not answer the request by itself.

    Attributes:
        ends: Whether to end the experiment; otherwise it is armed.
        old: The declaration that an Update replaces.
    """

    row: str
    ends: bool
    declared: Declaration
    old: Declaration | None = None


def order(request: Request, facts: Facts) -> Order | Decision:
    """What the request orders, according to table 1.

    Raises:
        Unreadable: A fact that the order depends on cannot be read.
    """
    if request.type is RequestType.CREATE:
        return _create(request.new, facts)
    if request.type is RequestType.UPDATE:
        return _update(request, facts)
    return _delete(request, facts)


def _create(new: Declaration | str, facts: Facts) -> Order | Decision:
    if isinstance(new, str):
        return fail("declaration_invalid", new)
    experiment = facts.experiment()
    if new.end_now and experiment is not None and not experiment.has_ended:
        return fail("create_end_now", reasons.not_armed_before(experiment))
    if new.end_now or CREATE in new.stop_on:
        return Order("create_ends", True, new)
    return Order("create_arms", False, new)


def _update(request: Request, facts: Facts) -> Order | Decision:
    new = request.new
    try:
        old = last_deployed(request, facts)
    except Unreadable as error:
        if _is_same(new, request.old, facts) and facts.gives_up(error):
            why = reasons.unchanged_as_far_as_known(request.declared_name, error)
            return succeed("update_unchanged", why, warn=True)
        raise
    if isinstance(new, str):
        return fail("declaration_invalid", new)
    if not isinstance(old, Declaration):
        return fail("update_old_unreadable", reasons.unreadable_old_declaration(new.name))
    if not new.is_of(old.name):
        return _create(new, facts)
    if new.end_now and not old.end_now:
        return Order("update_end_now", True, new, old)
    if _is_same(new, old, facts):
        return succeed("update_unchanged", reasons.unchanged(new.name))
    if UPDATE in new.stop_on:
        return Order("update_changed", True, new, old)
    return Order("update_changed_not_in_stop_on", False, new, old)


def _delete(request: Request, facts: Facts) -> Order | Decision:
    if not request.holds_its_experiment:
        return succeed("delete_not_held", reasons.not_held(request.physical_id))
    try:
        declared = last_deployed(request, facts)
    except Unreadable as error:
        told = request.new
        if isinstance(told, str) or DELETE in told.stop_on or not facts.gives_up(error):
            raise
        declared = None  # As far as is known, nothing would be stopped.
    if declared is None:
        remedy = "if it is still running, stop it yourself"
        why = reasons.unreadable_old_declaration(request.declared_name, remedy)
        return succeed("delete_old_unreadable", why, warn=True)
    if isinstance(declared, Declaration) and not declared.is_of(request.declared_name):
        return succeed("delete_not_held", reasons.not_held(request.physical_id))
    if isinstance(declared, Declaration) and DELETE not in declared.stop_on:
        return succeed("delete_not_in_stop_on", reasons.not_in_stop_on(declared.name, DELETE))
    found = standing(request, facts)
    if found is Standing.CREATION_UNDONE:
        return _delete_creation_undone(request, declared, facts)
    if found is not Standing.ALLOWED:
        return _not_allowed(found, request, facts)
    is_cleanup = facts.stack(request.stack_id).status.startswith("UPDATE_")
    if is_cleanup and (holders := facts.holders()):
        if request.logical_id in holders and facts.may_lag():
            return wait("delete_held_elsewhere", reasons.held(request.declared_name, holders))
        return succeed("delete_held_elsewhere", reasons.held(request.declared_name, holders))
    if isinstance(declared, str):
        return fail("declaration_invalid", declared)
    return Order("delete_ends", True, declared)


def _delete_creation_undone(
    request: Request, declared: Declaration | str, facts: Facts
) -> Order | Decision:
    """End the stack's own experiment, which is about to be deleted; keep production."""
    if isinstance(declared, Declaration) and declared.stack_owns_experiment:
        experiment = facts.experiment()
        if experiment is not None and experiment.shadows:
            kept = declared.with_shadow_removed(experiment.production, experiment.shadows[0])
            return Order("delete_creation_undone", True, kept)
    return _not_allowed(Standing.UNDO, request, facts)


def unless_undone(decision: Decision, request: Request, facts: Facts) -> Decision:
    """The decision about a Create or an Update, or nothing if CloudFormation undoes it.

    Raises:
        Unreadable: A fact that proves or rules out an undo cannot be read.
    """
    if request.type is RequestType.DELETE or not _is_in_doubt(decision, request, facts):
        return decision
    try:
        found = standing(request, facts)
    except Unreadable as error:
        if decision.verb is Verb.STOP or not facts.gives_up(error):
            raise
        return decision
    if found is Standing.ALLOWED:
        return decision
    refusal = _not_allowed(found, request, facts)
    # Only a Stop is refused; other decisions are answered by their own row.
    return refusal if decision.verb is Verb.STOP or refusal.verb is not Verb.FAIL else decision


def _is_in_doubt(decision: Decision, request: Request, facts: Facts) -> bool:
    """Whether an undo would have another answer: finding that out costs calls."""
    if decision.verb in (Verb.STOP, Verb.FAIL):
        return True
    if request.type is RequestType.CREATE:
        return False
    try:
        found = by_events(request, facts)
        if found is not Standing.UNCLEAR:
            return found is Standing.UNDO
        # Nothing is stopped either way, but an undo waits for a stop, and says that an end is
        # final.
        experiment = facts.experiment()
    except Unreadable as error:
        if not facts.gives_up(error):
            raise
        return False
    return experiment is not None and (experiment.has_ended or experiment.is_stopping)


def _not_allowed(found: Standing, request: Request, facts: Facts) -> Decision:
    name = request.declared_name
    if found in (Standing.UNDO, Standing.CREATION_UNDONE):
        return undone(request, facts)
    if found is Standing.OVERTAKEN:
        return fail("overtaken", reasons.overtaken(name))
    status = facts.stack(request.stack_id).status
    row, why = "stack_unclear", reasons.unclear(name, status)
    if found is Standing.PARENT_AT_REST:
        row, why = "parent_at_rest", reasons.parent_at_rest(name)
    if facts.may_lag():
        return wait(row, why)
    return succeed(row, why, warn=True) if request.type is RequestType.DELETE else fail(row, why)


def undone(request: Request, facts: Facts) -> Decision:
    """The "undo" rows: nothing is stopped. An Update first waits for a stop in progress."""
    row = UNDONE[request.type]
    if request.type is not RequestType.UPDATE:
        return succeed(row, reasons.undone(request.declared_name))
    experiment = experiment_if_readable(facts)
    if experiment and experiment.is_stopping and facts.now() < facts.deadline():
        return wait(row, reasons.standing(experiment))
    return succeed(row, reasons.undone(request.declared_name, experiment), warn=True)


def _is_same(new: Declaration | str, old: Declaration | str | None, facts: Facts) -> bool:
    return (
        isinstance(new, Declaration)
        and isinstance(old, Declaration)
        and new.end_now <= old.end_now
        and make_the_same_request(new, old, facts)
    )
