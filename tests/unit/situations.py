"""Small builders of what a decision may know: requests, experiments, events, Situations.

Everything happens around ``ISSUED``, the second in which CloudFormation made the request. The
events of a stack are written oldest first, ten seconds apart; the last one is the request's own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse
from cdk_stop_inference_experiment_handler.contract.request import Request, read_request
from cdk_stop_inference_experiment_handler.lifecycle.decide import decide
from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Description,
    Events,
    Experiment,
    Kind,
    NotReadable,
    Prepared,
    Progress,
    Seen,
    Situation,
    Stack,
    StackEvent,
)
from cdk_stop_inference_experiment_handler.lifecycle.stop_request import Wanted, wanted_by

_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/"
ARN, OTHER_ARN = f"{_ARN}fraud-shadow", f"{_ARN}other"
_STACKS = "arn:aws:cloudformation:eu-west-1:123456789012:stack/"
STACK, MIDDLE, ROOT = f"{_STACKS}shadow/id", f"{_STACKS}middle/id", f"{_STACKS}root/id"
RESOURCE = "Stop"

KEEP = {"production": "Retain", "shadow": "Remove"}
PROMOTE = {"production": "Remove", "shadow": "Promote"}
BOTH = {"production": "Retain", "shadow": "Retain"}
EVERY = ["Create", "Update", "Delete"]

STOPPABLE = ("Creating", "Created", "Starting", "Running", "Updating")
UNSETTLED = ("Creating", "Updating", "SystemUpdating", "RollingBack")
ROLLBACKS = (
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
)
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"

ISSUED = 1_795_342_500.0
DEADLINE = ISSUED + 3300
Properties = dict[str, Any]


def properties(**changes: Any) -> Properties:
    """The resource's properties; None leaves one out."""
    declared = {"Name": "fraud-shadow", "ModelVariantActions": KEEP, **changes}
    return {name: value for name, value in declared.items() if value is not None}


def promoting(**changes: Any) -> Properties:
    return properties(ModelVariantActions=PROMOTE, **changes)


def outcome(kind: str = "KeepProduction", **changes: Any) -> Properties:
    return properties(ModelVariantActions=None, Outcome=kind, **changes)


def declared(given: Properties) -> Declaration:
    declaration = parse(given)
    assert isinstance(declaration, Declaration), declaration
    return declaration


def request(
    kind: str,
    new: Properties,
    old: Properties | None = None,
    *,
    physical_id: str = ARN,
    issued_at: float | None = ISSUED,
    logical_id: str = RESOURCE,
) -> Request:
    """A request as the function and the command parse it."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(issued_at))
    event: dict[str, Any] = {
        "RequestType": kind,
        "ResponseURL": f"https://answer/{'' if issued_at is None else f'?X-Amz-Date={date}'}",
        "StackId": STACK,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": "" if kind == "Create" else physical_id,
        "ResourceProperties": new,
    }
    return read_request(event if old is None else {**event, "OldResourceProperties": old})


def wanted(given: Properties) -> Wanted:
    """The end that a declaration of the resource wants."""
    return wanted_by(declared(given), request("Create", given))


def variant(
    name: str, count: object = 2, *, model: str = "fraud-v1", of_type: str = "ml.m5.xlarge"
) -> dict[str, object]:
    """A ModelVariantConfig."""
    return {
        "ModelName": model,
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": of_type, "InstanceCount": count},
        },
    }


def experiment(status: str = "Running", **facts: Any) -> Experiment:
    running = Experiment(
        arn=ARN,
        name="fraud-shadow",
        status=status,
        created=ISSUED - 86_400,
        endpoint_name="fraud",
        endpoint_status="InService",
        variants={"production": "InService", "shadow": "InService"},
        configured={
            "production": variant("production", 2, of_type="ml.c5.large"),
            "shadow": variant("shadow", 1, model="fraud-v2"),
        },
        production="production",
        shadows=("shadow",),
    )
    return replace(running, **facts)


def ended_by(given: Properties, status: str = "Completed", **facts: Any) -> Experiment:
    """An experiment that ended as a declaration of the stack says."""
    return experiment(status, status_reason=wanted(given).reason, **{"variants": {}, **facts})


BY_HAND = experiment("Completed", status_reason="stopped in the console", variants={})


def away(kind: Kind, what: str = "DescribeIt") -> NotReadable:
    return NotReadable(kind, f"{what}: away")


# Events. Each is made without a time; ``played`` says when it was written.


def S(status: str, stack_id: str = STACK, at: float = 0.0) -> StackEvent:  # noqa: N802 - short
    """An event of a stack itself."""
    return StackEvent(at, stack_id.split("/")[1], stack_id, status)


def R(status: str, given: Properties | str = "", **changes: Any) -> StackEvent:  # noqa: N802
    """An event of the request's resource."""
    text = given if isinstance(given, str) else json.dumps(given)
    return replace(StackEvent(0.0, RESOURCE, ARN, status, text), **changes)


def X(status: str, logical_id: str = "Other") -> StackEvent:  # noqa: N802
    """An event of another resource."""
    return StackEvent(0.0, logical_id, f"{logical_id}-1", status)


def hooked(event: StackEvent) -> StackEvent:
    """The same as an event of a hook, or with DetailedStatus CONFIGURATION_COMPLETE."""
    return replace(event, is_aside=True)


def played(*events: StackEvent, last: float = ISSUED) -> tuple[StackEvent, ...]:
    """The events with times; those that have one keep it."""
    times = (last - 10.0 * age for age in range(len(events) - 1, -1, -1))
    return tuple(
        event if event.at else replace(event, at=at)
        for event, at in zip(events, times, strict=True)
    )


def created(given: Properties | None = None) -> tuple[StackEvent, ...]:
    """A stack's creation with the resource, which succeeded."""
    given = properties() if given is None else given
    return (
        S("CREATE_IN_PROGRESS"),
        R("CREATE_IN_PROGRESS", given, physical_id=""),
        R("CREATE_IN_PROGRESS", given),
        R("CREATE_COMPLETE", given),
        S("CREATE_COMPLETE"),
    )


def updated(given: Properties, *, ends: str = "UPDATE_COMPLETE") -> tuple[StackEvent, ...]:
    """An update of the stack in which the resource completed."""
    began = S("UPDATE_IN_PROGRESS")
    return began, R("UPDATE_IN_PROGRESS", given), R("UPDATE_COMPLETE", given), S(ends)


def rolled_back(new: Properties, old: Properties) -> tuple[StackEvent, ...]:
    """An update that something else failed, and that was undone."""
    return (
        *updated(new, ends="UPDATE_ROLLBACK_IN_PROGRESS"),
        R("UPDATE_IN_PROGRESS", old),
        R("UPDATE_COMPLETE", old),
        S("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        S("UPDATE_ROLLBACK_COMPLETE"),
    )


def stack(
    *events: StackEvent,
    status: Seen[Description] | str = "UPDATE_IN_PROGRESS",
    parent: str = "",
    stack_id: str = STACK,
    is_whole: bool = True,
    last: float = ISSUED,
) -> Stack:
    """A stack that a look saw, from its events, oldest first."""
    description = Description(status, parent) if isinstance(status, str) else status
    read = Events(played(*events, last=last)[::-1], is_whole)
    return Stack(stack_id, description, read)


def denied(*, description: bool = True, events: bool = True) -> Stack:
    """A stack that the function may not read."""
    seen = stack()
    return replace(
        seen,
        description=away(Kind.DENIED, "DescribeStacks") if description else seen.description,
        events=away(Kind.DENIED, "DescribeStackEvents") if events else seen.events,
    )


# Situations.

READY = Prepared(counts={"production": 10}, holders=())


def situation(
    asked: Request,
    stacks: tuple[Stack, ...] | None,
    *,
    seen: Seen[Experiment | None] = experiment(),  # noqa: B008 - frozen
    now: float = ISSUED + 15,
    prepared: Prepared | None = READY,
    **progress: Any,
) -> Situation:
    return Situation(asked, Progress(ISSUED, **progress), now, seen, stacks, prepared)


def create(
    new: Properties | None = None, *, stacks: tuple[Stack, ...] | None = None, **facts: Any
) -> Situation:
    """A Create in a stack that is being created."""
    new = properties() if new is None else new
    begun = S("CREATE_IN_PROGRESS"), R("CREATE_IN_PROGRESS", new, physical_id="")
    default = (stack(*begun, status="CREATE_IN_PROGRESS"),)
    return situation(request("Create", new), stacks or default, **facts)


def update(
    new: Properties,
    old: Properties | None = None,
    *,
    past: Sequence[StackEvent] | None = None,
    stacks: tuple[Stack, ...] | None = None,
    **facts: Any,
) -> Situation:
    """An Update. ``past``: what the stack did before; by default it was created as ``old``."""
    old = properties() if old is None else old
    begun = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", new)
    default = (stack(*(created(old) if past is None else past), *begun),)
    return situation(request("Update", new, old), stacks or default, **facts)


def delete(
    new: Properties | None = None,
    *,
    past: Sequence[StackEvent] | None = None,
    stacks: tuple[Stack, ...] | None = None,
    physical_id: str = ARN,
    **facts: Any,
) -> Situation:
    """A Delete in a stack that is being deleted."""
    new = properties() if new is None else new
    begun = S("DELETE_IN_PROGRESS"), R("DELETE_IN_PROGRESS", new)
    past = created(new) if past is None else past
    default = (stack(*past, *begun, status="DELETE_IN_PROGRESS"),)
    asked = request("Delete", new, physical_id=physical_id)
    return situation(asked, stacks or default, **facts)


def clean_up(
    new: Properties | None = None, *, past: Sequence[StackEvent] | None = None, **facts: Any
) -> Situation:
    """A Delete in the clean-up of an update; its own event has no properties."""
    new = properties() if new is None else new
    begun = S("UPDATE_IN_PROGRESS"), S(CLEANUP), R("DELETE_IN_PROGRESS")
    past = created(new) if past is None else past
    return situation(request("Delete", new), (stack(*past, *begun, status=CLEANUP),), **facts)


def nested(
    s: Situation,
    *,
    middle: str = "UPDATE_IN_PROGRESS",
    root: str = "UPDATE_IN_PROGRESS",
    root_events: Sequence[StackEvent] | None = None,
    middle_events: Sequence[StackEvent] | None = None,
) -> Situation:
    """The same request in a stack that is nested in two others.

    By default both say at the same time what the stack itself says.
    """
    assert s.stacks is not None
    own = s.stacks[0]
    assert isinstance(own.description, Description)
    assert isinstance(own.events, Events)
    said = [e for e in reversed(own.events.newest_first) if e.physical_id == STACK]
    above = []
    for stack_id, status, parent, events in (
        (MIDDLE, middle, ROOT, middle_events),
        (ROOT, root, "", root_events),
    ):
        same = [replace(e, logical_id="", physical_id=stack_id, at=e.at - 1) for e in said]
        seen = same if events is None else events
        above.append(stack(*seen, status=status, parent=parent, stack_id=stack_id))
    described = replace(own.description, parent_id=MIDDLE)
    return replace(s, stacks=(replace(own, description=described), *above))


def with_stack(s: Situation, **changes: Any) -> Situation:
    """The same with other facts of the stack: its ``status`` or its ``events``."""
    assert s.stacks is not None
    own, *above = s.stacks
    if "status" in changes:
        assert isinstance(own.description, Description)
        own = replace(own, description=replace(own.description, status=changes.pop("status")))
    return replace(s, stacks=(replace(own, **changes), *above))


def late(s: Situation) -> Situation:
    """The same after a minute of doubt."""
    return replace(s, progress=replace(s.progress, in_doubt_since=s.now - 60))


def at_deadline(s: Situation) -> Situation:
    return replace(s, now=DEADLINE)


# Decisions.


def decided(s: Situation) -> Decision:
    decision = decide(s)
    assert decision.why, "every decision says why"
    assert "None" not in decision.why, "and names what it is about"
    return decision


def answer(s: Situation) -> tuple[Verb, Row]:
    """What is decided, and by which row."""
    decision = decided(s)
    return decision.verb, decision.row


def order_of(s: Situation) -> Row:
    """The row of table 1 that leads to the decision."""
    decision = decided(s)
    return decision.order or decision.row


def stopped(s: Situation) -> Mapping[str, str]:
    """The actions of the Stop that is decided."""
    decision = decided(s)
    assert decision.verb is Verb.STOP, decision
    assert decision.stop is not None
    how = decision.stop.end.how
    if hasattr(how, "actions"):
        return {name: str(action) for name, action in how.actions.items()}
    return dict(zip(("production", "shadow"), map(str, how.kind.actions), strict=True))
