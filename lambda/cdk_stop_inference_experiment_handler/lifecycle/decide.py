"""Decides what to do next about a request: order, then state, then the end."""

from __future__ import annotations

from dataclasses import replace

from ..contract.constraints import DELETE
from ..contract.declaration import Declaration
from .end import after_stop
from .facts import Decision, Facts, Progress, Request, RequestType, Unreadable
from .gate import gate
from .order import Order, order, undone, unless_undone
from .outcome import resolved
from .standing import is_undo
from .state import found_over, state


def decide(request: Request, facts: Facts, progress: Progress) -> Decision:
    """What to do next about a request, by facts that are new for each call.

    Raises:
        Unreadable: A fact that the decision depends on cannot be read.
    """
    if progress.sent:
        return after_stop(request, facts.experiment(), progress)
    try:
        decision = _over(request, facts) or order(request, facts)
        if isinstance(decision, Order):
            decision = replace(state(decision, request, facts, progress), order=decision.row)
        decision = unless_undone(decision, request, facts)
    except Unreadable:
        if not is_undo(request, facts):
            raise
        return undone(request, facts)
    return resolved(gate(decision, request, facts, progress), facts)


def _over(request: Request, facts: Facts) -> Decision | None:
    """Answer a Delete with nothing left to stop, without reading the stack."""
    new = request.new
    may_end = not isinstance(new, Declaration) or DELETE in new.stop_on
    if request.type is RequestType.DELETE and request.holds_its_experiment and may_end:
        try:
            return found_over(new, request, facts.experiment())
        except Unreadable:
            return None  # the order may not need the experiment
    return None
