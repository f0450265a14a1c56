"""Which answers and Stops are true: told from the world, never from what the handler believes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.delivery import as_delivered

from .clock import EPOCH
from .sagemaker import Experiment
from .scenarios import Scenario


def allowed(
    scenario: Scenario, experiment: Experiment | None, *, deleted: bool, tried: bool, repeated: bool
) -> set[str]:
    """The statuses that are true of the world at this moment.

    A deadline that has come and an AccessDenied that lasts allow FAILED beside these.

    Args:
        deleted: Somebody has deleted the experiment.
        tried: A Stop was sent that may have been accepted, for all the handler can know. An end
            as Cancelled that somebody else may have ordered can then be told either way.
        repeated: The request is delivered more than once. A delivery does not know of another's
            Stop, and an error in StatusReason does not tell: to it, an end as Cancelled is
            somebody else's.
    """
    never_looks = scenario.is_left_alone or scenario.name in (
        "cleanup delete",
        "plumbing update",
        "delete, not in StopOn",
        "delete of a marker",
    )
    if not scenario.may_stop and never_looks:
        return {"SUCCESS"}
    if scenario.kind == "Delete":
        return {"SUCCESS"} if experiment is None or experiment.is_settled else set()
    both = {"SUCCESS", "FAILED"}
    if experiment is None:
        return both if deleted else {"FAILED"}
    if not scenario.may_stop:
        return both if deleted else {"SUCCESS"}
    if not experiment.is_settled:
        return set()
    return _of_the_end(scenario, experiment, tried=tried, repeated=repeated)


def _of_the_end(
    scenario: Scenario, experiment: Experiment, *, tried: bool, repeated: bool
) -> set[str]:
    both, is_cancelled = {"SUCCESS", "FAILED"}, experiment.true_status == "Cancelled"
    if experiment.stops:
        if not is_cancelled:
            return {"SUCCESS"}
        return both if repeated and not scenario.promotes else {"FAILED"}
    if scenario.promotes and (scenario.kind == "Update" or experiment.ends_at >= EPOCH):
        return {"FAILED"}
    return both if tried and is_cancelled else {"SUCCESS"}


def is_as_declared(sent: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    """Whether a Stop sends what is declared: every member, and a reason where none is."""
    members = {**declared, "Reason": declared.get("Reason", sent.get("Reason"))}
    for own in ("StopOn", "StackOwnsExperiment"):
        members.pop(own, None)
    return bool(sent.get("Reason")) and as_delivered(sent) == as_delivered(members)
