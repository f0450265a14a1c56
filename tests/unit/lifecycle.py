"""Shared by the tests of the three tables: a declaration, an experiment, and facts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse
from cdk_stop_inference_experiment_handler.lifecycle.decide import decide
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Decision,
    Endpoint,
    Experiment,
    Measured,
    Progress,
    Question,
    Request,
    RequestType,
    Stack,
    StackEvent,
    Unreadable,
    Verb,
)

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/fraud-shadow"
OTHER_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/other"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shadow/id"
PARENT = "arn:aws:cloudformation:eu-west-1:123456789012:stack/parent/id"
ROOT = "arn:aws:cloudformation:eu-west-1:123456789012:stack/root/id"
RESOURCE = "Stop"
KEEP = {"production": "Retain", "shadow": "Remove"}
PROMOTE = {"production": "Remove", "shadow": "Promote"}
STOPPABLE = ["Creating", "Created", "Starting", "Running", "Updating"]
ENDED = ["Completed", "Cancelled"]
EVERY = ["Create", "Update", "Delete"]
ISSUED = 10_000.0
DEADLINE = ISSUED + 3300

UNDONE_STATUSES = [
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "REVIEW_IN_PROGRESS",
]


def properties(**changes: Any) -> dict[str, Any]:
    declared = {"Name": "fraud-shadow", "ModelVariantActions": KEEP, **changes}
    return {name: value for name, value in declared.items() if value is not None}


def declaration(**changes: Any) -> Declaration:
    return parse(properties(**changes), stack_name="shadow", logical_id=RESOURCE)


def promoting(**changes: Any) -> Declaration:
    return declaration(ModelVariantActions=PROMOTE, **changes)


def outcome(kind: str = "KeepProduction", **changes: Any) -> Declaration:
    return declaration(ModelVariantActions=None, Outcome=kind, **changes)


def experiment(status: str = "Running", **facts: Any) -> Experiment:
    running = Experiment(
        arn=ARN,
        name="fraud-shadow",
        status=status,
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


def ended_by(declared: Declaration, status: str = "Completed", **facts: Any) -> Experiment:
    return experiment(status, status_reason=declared.reason, **{"variants": {}, **facts})


def of_stack(status: str, at: float = ISSUED - 1, stack_id: str = STACK) -> StackEvent:
    return StackEvent(at, stack_id.split("/")[1], stack_id, status)


def of_resource(
    status: str,
    at: float = ISSUED,
    *,
    declared: Mapping[str, Any] | str = "",
    physical_id: str = ARN,
    logical_id: str = RESOURCE,
) -> StackEvent:
    text = declared if isinstance(declared, str) else json.dumps(declared)
    return StackEvent(at, logical_id, physical_id, status, text)


def created(**changes: Any) -> list[StackEvent]:
    """The events of a successful creation, oldest first."""
    declared = properties(**changes)
    return [
        of_stack("CREATE_IN_PROGRESS", 100),
        of_resource("CREATE_IN_PROGRESS", 110, physical_id=""),
        of_resource("CREATE_COMPLETE", 120, declared=declared),
        of_stack("CREATE_COMPLETE", 130),
    ]


def updating(*before: StackEvent) -> list[StackEvent]:
    """The events of an update of the resource, oldest first."""
    return [
        *(before or created()),
        of_stack("UPDATE_IN_PROGRESS"),
        of_resource("UPDATE_IN_PROGRESS"),
    ]


def rolling_back() -> list[StackEvent]:
    """The events of an update that is rolled back and asks the resource again, oldest first."""
    undo = [of_stack("UPDATE_ROLLBACK_IN_PROGRESS"), of_resource("UPDATE_IN_PROGRESS")]
    return [*updating(), *undo]


def deleting(*before: StackEvent) -> list[StackEvent]:
    """The events of a stack that is being deleted, oldest first."""
    return [
        *(before or created()),
        of_stack("DELETE_IN_PROGRESS"),
        of_resource("DELETE_IN_PROGRESS"),
    ]


@dataclass
class World:
    """The facts that a decision can ask for, and which ones it asked for.

    Attributes:
        events: The events of each stack, oldest first.
        unreadable: Facts that cannot be read: "experiment", "events", a StackId …
    """

    seen: Experiment | None = field(default_factory=experiment)
    counts: Mapping[str, int] | None = field(default_factory=lambda: {"production": 10})
    status: str = "UPDATE_IN_PROGRESS"
    events_of: dict[str, list[StackEvent]] = field(default_factory=lambda: {STACK: updating()})
    parents: dict[str, Stack] = field(default_factory=dict)
    parent: str = ""
    held_by: tuple[str, ...] = ()
    is_young: bool = True
    time: float = ISSUED + 1
    unreadable: tuple[str, ...] = ()
    is_lasting: bool = False
    is_denied: bool = False
    measured: Measured = field(default_factory=Measured)
    questions: list[Question] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.unreadable:
            error = Unreadable(f"{what}: away")
            error.is_transient = not (self.is_lasting or self.is_denied)
            error.is_denied = self.is_denied
            raise error

    def experiment(self) -> Experiment | None:
        self._ask("experiment")
        return self.seen

    def endpoint(self) -> Endpoint | None:
        self._ask("endpoint")
        return None if self.counts is None else Endpoint(self.counts)

    def stack(self, stack_id: str) -> Stack:
        self._ask("stack" if stack_id == STACK else stack_id)
        if stack_id == STACK:
            return Stack(STACK, self.status, self.parent)
        return self.parents[stack_id]

    def events(self, stack_id: str) -> Iterator[StackEvent]:
        self._ask("events" if stack_id == STACK else f"events of {stack_id}")
        return reversed(self.events_of.get(stack_id, []))

    def holders(self) -> tuple[str, ...]:
        self._ask("holders")
        return self.held_by

    def evidence(self, question: Question) -> Measured:
        self.questions.append(question)
        self._ask("evidence")
        return self.measured

    def may_lag(self) -> bool:
        return self.is_young

    def gives_up(self, error: Unreadable) -> bool:
        return not (error.is_transient and self.is_young)

    def now(self) -> float:
        return self.time

    def deadline(self) -> float:
        return DEADLINE


def request(
    kind: RequestType,
    new: Declaration | str,
    old: Declaration | None = None,
    *,
    physical_id: str = ARN,
    issued_at: float | None = ISSUED,
) -> Request:
    return Request(
        type=kind,
        stack_id=STACK,
        stack_name="shadow",
        logical_id=RESOURCE,
        physical_id="" if kind is RequestType.CREATE else physical_id,
        declared_name=new.name if isinstance(new, Declaration) else "fraud-shadow",
        new=new,
        old=old,
        issued_at=issued_at,
    )


def ask(made: Request, world: World, **progress: Any) -> Decision:
    decision = decide(made, world, Progress(ISSUED, **progress))
    assert decision.why, "every decision says why"
    assert "None" not in decision.why, "and names what it is about"
    return decision


def create(world: World, new: Declaration | str, **progress: Any) -> Decision:
    return ask(request(RequestType.CREATE, new), world, **progress)


def update(
    world: World, new: Declaration | str, old: Declaration | None = None, **progress: Any
) -> Decision:
    replaced = declaration() if old is None else old
    return ask(request(RequestType.UPDATE, new, replaced), world, **progress)


def delete(world: World, new: Declaration | str, **progress: Any) -> Decision:
    return ask(request(RequestType.DELETE, new), world, **progress)


def creating(**facts: Any) -> World:
    events = [of_stack("CREATE_IN_PROGRESS"), of_resource("CREATE_IN_PROGRESS", physical_id="")]
    return World(status="CREATE_IN_PROGRESS", events_of={STACK: events}, **facts)


def removing(**facts: Any) -> World:
    return World(**{"status": "DELETE_IN_PROGRESS", "events_of": {STACK: deleting()}, **facts})


def answers(decision: Decision) -> tuple[Verb, str]:
    return decision.verb, decision.row


def variant(
    name: str, count: object = "2", *, model: str = "fraud-v1", of_type: str = "ml.m5.xlarge"
) -> dict[str, object]:
    return {
        "ModelName": model,
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": of_type, "InstanceCount": count},
        },
    }
