"""An account as the command reads it, without AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from cdk_stop_inference_experiment.cli.reading import (
    CannotPlan,
    Change,
    ChangeSet,
    Deployed,
    Reader,
    StackSeen,
)
from cdk_stop_inference_experiment.version import function_description
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Endpoint,
    Experiment,
    Measured,
    Question,
    StackEvent,
    Unreadable,
)
from tests.unit.lifecycle import (
    ARN,
    RESOURCE,
    STACK,
    created,
    experiment,
    properties,
)

TOKEN = "arn:aws:lambda:eu-west-1:123456789012:function:stopper"
CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/verdict/id"
LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"


def ours(**changes: Any) -> dict[str, Any]:
    """The properties of a resource, with its function."""
    return {"ServiceToken": TOKEN, **properties(**changes)}


@dataclass
class Account(Reader):
    """The resources by id; events oldest first."""

    stacks: dict[str, StackSeen] = field(
        default_factory=lambda: {STACK: StackSeen(STACK, "shadow", "CREATE_COMPLETE")}
    )
    deployed: dict[str, list[Deployed]] = field(
        default_factory=lambda: {STACK: [Deployed(RESOURCE, ARN, RESOURCE_TYPE, "CREATE_COMPLETE")]}
    )
    happened: dict[str, list[StackEvent]] = field(
        default_factory=lambda: {STACK: created(ServiceToken=TOKEN)}
    )
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, Experiment | Unreadable] = field(
        default_factory=lambda: {"fraud-shadow": experiment()}
    )
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    function: str = field(default_factory=function_description)
    measured: Measured = field(default_factory=Measured)

    def __post_init__(self) -> None:
        self.aws = cast("Any", self)  # AWS calls that do not go through the reader.

    def stack(self, name: str) -> Any:
        found = [one for one in self.stacks.values() if name in (one.stack_id, one.name)]
        if not found:
            raise CannotPlan(f"DescribeStacks: ValidationError: {name} does not exist")
        return found[0]

    def change_set(self, name: str, stack: str | None = None) -> ChangeSet:
        return self.change_sets[name]

    def resources(self, stack_id: str) -> tuple[Deployed, ...]:
        return tuple(self.deployed.get(stack_id, []))

    def template(self, stack_id: str) -> Mapping[str, Any]:
        return {"Resources": self.templates.get(stack_id, {})}

    def events(self, stack_id: str) -> tuple[StackEvent, ...]:
        return tuple(reversed(self.happened.get(stack_id, [])))

    def experiment(self, name: str) -> Experiment | None:
        found = self.experiments.get(name)
        if isinstance(found, Unreadable):
            raise found
        return found

    def endpoint(self, name: str) -> Endpoint | None:
        return self.endpoints.get(name)

    def evidence(self, question: Question) -> Measured:
        return self.measured

    def description(self, function_arn: str) -> str:
        return self.function

    def of_stack(self, status: str) -> None:
        """Set the stack's status."""
        self.stacks[STACK] = replace(self.stacks[STACK], status=status)


def modified(
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None, **more: Any
) -> Change:
    """A change of our resource."""
    change = Change(
        action="Modify",
        logical_id=RESOURCE,
        resource_type=RESOURCE_TYPE,
        physical_id=ARN,
        scope=("Properties",),
        replaced="False",
        before=ours() if before is None else before,
        after=after,
    )
    return replace(change, **more)


def added(after: Mapping[str, Any], logical_id: str = RESOURCE, **more: Any) -> Change:
    """Our resource, added."""
    return replace(Change("Add", logical_id, RESOURCE_TYPE, after=after), **more)


def removed(logical_id: str = RESOURCE, **more: Any) -> Change:
    """Our resource, removed."""
    change = Change("Remove", logical_id, RESOURCE_TYPE, ARN, policy="Delete", before=ours())
    return replace(change, **more)


def other(action: str = "Modify", resource_type: str = "AWS::SSM::Parameter") -> Change:
    """A resource of somebody else."""
    return Change(action, "Other", resource_type, scope=("Properties",))


def change_set(*changes: Change, **more: Any) -> ChangeSet:
    """A change set that can be executed."""
    made = ChangeSet(CHANGE_SET, "verdict", STACK, "CREATE_COMPLETE", "", "AVAILABLE", changes)
    return replace(made, **more)


def as_event(declared: Mapping[str, Any]) -> str:
    """Properties as in an event."""
    return json.dumps(declared)
