"""What each kind of request asks of AWS, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loopback.sagemaker import Pace
from loopback.world import KEEP, PROMOTE

from .loopback import let_succeed, new_world, playing
from .simulation import Outcome

__all__ = ["KINDS", "measure"]

Json = dict[str, Any]
STOP_SECONDS = 60.0
STOP = "StopInferenceExperiment"


@dataclass(frozen=True)
class Kind:
    """A request, and the statuses of its stack and its experiment."""

    request: str
    stack: str
    status: str = "Running"
    new: Mapping[str, Any] = field(default_factory=lambda: KEEP)
    old: Mapping[str, Any] | None = None


KINDS = {
    "Create, which arms": Kind("Create", "CREATE_IN_PROGRESS"),
    "Update that orders nothing": Kind("Update", "UPDATE_IN_PROGRESS"),
    "Update that ends": Kind("Update", "UPDATE_IN_PROGRESS", new=PROMOTE),
    "Delete of an ended experiment": Kind("Delete", "DELETE_IN_PROGRESS", "Completed"),
    "Delete that ends": Kind("Delete", "DELETE_IN_PROGRESS"),
    "undo of an Update": Kind("Update", "UPDATE_ROLLBACK_IN_PROGRESS", old=PROMOTE),
}
"""By what the report says."""


def measure() -> list[Json]:
    """Deliver each kind of request once; count the calls until the Stop, and in all."""
    return [{"what": what, **_counted(kind)} for what, kind in KINDS.items()]


def _counted(kind: Kind) -> Json:
    outcome = Outcome(0.0)
    world = new_world("ours", outcome)
    world.stack.status = kind.stack
    with playing("ours", world):
        world.experiment(kind.status, Pace(stop=STOP_SECONDS, settle=0, lag=0))
        asked = world.deliver(world.request(kind.request, kind.new, kind.old))
        let_succeed(world, asked)
    names = [entry.name for entry in world.journal.calls()]
    return {
        "until_stop": names.index(STOP) + 1 if STOP in names else None,
        "calls": len(names),
        "by_operation": dict(Counter(names)),
        "invocations": outcome.invocations,
    }
