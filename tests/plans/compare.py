"""What a plan said, held against what SageMaker and CloudFormation then got.

*Will* happens, what is *no* does not, and nothing happens that no verdict has. A rollback is not
planned: only what came before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdk_stop_inference_experiment.cli.plan import (
    FAIL,
    MAY,
    NO,
    PROMOTE,
    STOP,
    UNKNOWN,
    WILL,
    Plan,
    Verdict,
)
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE

Json = dict[str, Any]
_DIGEST = re.compile(r"\([0-9a-f]{8}\)$")
_UNDO = ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")


@dataclass(frozen=True)
class Happened:
    """What happened in an operation.

    Attributes:
        stops: The requests to stop that SageMaker accepted.
        events: The events of the operation, of every stack, oldest first.
        status: How the stack came to rest.
        is_disturbed: Something happened that nobody could know before. Then nothing may happen
            that was not planned, and not everything need have happened.
    """

    stops: tuple[Json, ...]
    events: tuple[Json, ...]
    status: str
    is_disturbed: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether CloudFormation began to undo it, or left it as it failed."""
        return "ROLLBACK" in self.status or self.status.endswith("_FAILED")


def reasons(plan: Plan) -> list[str]:
    """What would have to be known for the verdicts that say "not known"."""
    return [why for one in plan.verdicts if one.effect == UNKNOWN for why in one.because]


def mistakes(plan: Plan, happened: Happened) -> list[str]:
    """Where the plan was wrong; empty if it was right."""
    found = [*_unplanned_stops(plan, happened), *_unplanned_requests(plan, happened)]
    found += _unplanned_failures(plan, happened)
    if not happened.is_disturbed:
        for verdict in plan.verdicts:
            found += _what_did_not_happen(verdict, happened)
    return found


def _unplanned_stops(plan: Plan, happened: Happened) -> Iterator[str]:
    for stop in happened.stops:
        is_ours = _DIGEST.search(stop.get("Reason", "")) is not None
        if not is_ours and happened.is_undone:
            continue  # CloudFormation's own resource, in the rollback.
        about = [one for one in plan.verdicts if one.experiment.lower() == stop["Name"].lower()]
        about += [one for one in plan.verdicts if one.effect == UNKNOWN]
        if all(one.chance(STOP) == NO for one in about):
            yield f"UNSAFE: an unplanned stop: {stop}"
        elif "Promote" in stop["ModelVariantActions"].values() and all(
            one.chance(PROMOTE) == NO for one in about
        ):
            yield f"UNSAFE: an unplanned promotion: {stop}"
        elif happened.is_disturbed and any(one.chance(PROMOTE) == MAY for one in about):
            continue  # Planned, too: as by a gate that does not open.
        elif all(one.chance(STOP) in (NO, WILL) for one in about) and not any(
            one.stop_request == stop for one in about
        ):
            yield f"another stop than planned: {stop}"


def _unplanned_requests(plan: Plan, happened: Happened) -> Iterator[str]:
    """A request that the function got and no verdict has."""
    planned = {(one.place.stack_name, one.place.logical_id, one.request) for one in plan.verdicts}
    unknown = {
        (one.place.stack_name, one.place.logical_id)
        for one in plan.verdicts
        if one.effect == UNKNOWN
    }
    nested = {name for _, name in unknown}
    for event in _forward(plan, happened):
        if not event["ResourceStatus"].endswith("_IN_PROGRESS"):
            continue
        place = (event["StackName"], event["LogicalResourceId"])
        kind = event["ResourceStatus"].partition("_")[0].title()
        is_unknown = place in unknown or any(name in event["StackName"] for name in nested)
        if (*place, kind) not in planned and not is_unknown:
            yield f"UNSAFE: an unplanned {kind} of {place}"


def _unplanned_failures(plan: Plan, happened: Happened) -> Iterator[str]:
    if happened.is_disturbed:
        return
    failed = [
        event
        for event in _forward(plan, happened)
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "")
    ]
    if failed and all(one.chance(FAIL) == NO for one in plan.verdicts):
        yield f"UNSAFE: an unplanned failure: {failed[0].get('ResourceStatusReason')}"


def _what_did_not_happen(verdict: Verdict, happened: Happened) -> Iterator[str]:
    if verdict.chance(STOP) == WILL and verdict.stop_request not in happened.stops:
        yield f"a stop that did not happen: {verdict.experiment}"
    if verdict.chance(FAIL) == WILL:
        is_clean_up = verdict.moment == "clean-up"
        if not is_clean_up and not happened.is_undone:
            yield f"a failure that did not happen: {verdict.why}"


def _forward(plan: Plan, happened: Happened) -> Iterator[Json]:
    """The events of our resources up to the point where a stack is undone."""
    deletes = plan.operation == "destroy"
    undo = _UNDO if deletes else (*_UNDO, "DELETE_IN_PROGRESS")
    for event in happened.events:
        is_stack = event["PhysicalResourceId"] == event["StackId"]
        if is_stack and event["ResourceStatus"] in _UNDO and not deletes:
            return
        # By name: a plan for a creation may be made with a stack that is deleted before.
        is_root = event["StackName"] == plan.stack.name
        if is_stack and is_root and event["ResourceStatus"] in undo:
            return
        if event["ResourceType"] == RESOURCE_TYPE or event["LogicalResourceId"] in _ours(plan):
            yield event


def _ours(plan: Plan) -> set[str]:
    """Our resources by logical id: the deletes of a clean-up have another type in events."""
    return {one.place.logical_id for one in plan.verdicts if not one.is_native}
