"""An account as the command reads it, without AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cdk_stop_inference_experiment.cli.plan import Plan, Verdict, plan_change_set
from cdk_stop_inference_experiment.cli.reading import (
    STACK_TYPE,
    CannotPlan,
    Change,
    ChangeSet,
    DescribedStack,
    Detail,
    Function,
    Reader,
    Resource,
)
from cdk_stop_inference_experiment.cli.templates import LATER, Json
from cdk_stop_inference_experiment.handler_code import code_sha256
from cdk_stop_inference_experiment.version import function_description
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Events,
    Experiment,
    Measured,
    NotReadable,
    Question,
    Seen,
    StackEvent,
)
from tests.unit.situations import ARN, RESOURCE, STACK, S

from .past import PARENT, TOKEN, created, experiment, ours

CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/verdict/id"
NATIVE = "AWS::SageMaker::InferenceExperiment"
FUNCTION = "AWS::Lambda::Function"
TEST = Resource("Test", "fraud-shadow", NATIVE, "CREATE_COMPLETE")


@dataclass
class Account(Reader):
    """The resources by id; events oldest first; new templates by the change set's ARN."""

    stacks: dict[str, DescribedStack] = field(
        default_factory=lambda: {STACK: DescribedStack(STACK, "shadow", "CREATE_COMPLETE")}
    )
    deployed: dict[str, list[Resource]] = field(
        default_factory=lambda: {STACK: [Resource(RESOURCE, ARN, RESOURCE_TYPE, "CREATE_COMPLETE")]}
    )
    happened: dict[str, list[StackEvent]] = field(default_factory=lambda: {STACK: created()})
    unreadable: dict[str, NotReadable] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    new_templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, Seen[Experiment | None]] = field(
        default_factory=lambda: {"fraud-shadow": experiment()}
    )
    running: dict[str, dict[str, int]] = field(default_factory=dict)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    description: str | None = field(default_factory=function_description)
    code: str = field(default_factory=code_sha256)
    measured: Measured = field(default_factory=Measured)

    def stack(self, name: str) -> DescribedStack:
        found = [one for one in self.stacks.values() if name in (one.stack_id, one.name)]
        if not found:
            raise CannotPlan(f"DescribeStacks: ValidationError: {name} does not exist")
        return found[0]

    def change_set(self, name: str, stack: str | None = None) -> ChangeSet:
        if name not in self.change_sets:
            raise CannotPlan(f"DescribeChangeSet: ChangeSetNotFound: {name} does not exist")
        return self.change_sets[name]

    def resources(self, stack_id: str) -> tuple[Resource, ...]:
        return tuple(self.deployed.get(stack_id, []))

    def template(self, stack_id: str) -> Json:
        return {"Resources": self.templates.get(stack_id, {}), "Parameters": self.parameters}

    def template_of(self, change_set_arn: str) -> Json:
        if change_set_arn not in self.new_templates:
            raise CannotPlan("GetTemplate: AccessDenied")
        return {"Resources": self.new_templates[change_set_arn]}

    def events(self, stack_id: str) -> Seen[Events]:
        found = tuple(reversed(self.happened.get(stack_id, [])))
        return self.unreadable.get(stack_id) or Events(found, is_whole=True)

    def older(self, stack_id: str) -> Seen[Events]:
        return self.events(stack_id)

    def experiment(self, name: str) -> Seen[Experiment | None]:
        return self.experiments.get(name)

    def counts(self, endpoint_name: str) -> Seen[Mapping[str, int]]:
        return self.running.get(endpoint_name, {})

    def evidence(self, question: Question) -> Seen[Measured]:
        return self.measured

    def function(self, arn: str) -> Seen[Function | None]:
        return None if self.description is None else Function(self.description, self.code)

    def of_stack(self, status: str) -> None:
        """Set the stack's status."""
        self.stacks[STACK] = replace(self.stacks[STACK], status=status)


AccountT = TypeVar("AccountT", bound=Account)


def in_parent(account: AccountT) -> AccountT:
    """The account, with our stack nested in another one."""
    account.stacks[PARENT] = DescribedStack(PARENT, "parent", "CREATE_COMPLETE")
    account.stacks[STACK] = replace(account.stacks[STACK], parent_id=PARENT)
    account.deployed[PARENT] = [Resource("Below", STACK, STACK_TYPE, "CREATE_COMPLETE")]
    account.happened[PARENT] = [
        S("CREATE_IN_PROGRESS", at=90, stack_id=PARENT),
        S("CREATE_COMPLETE", at=140, stack_id=PARENT),
    ]
    return account


def nested() -> Account:
    """Our stack in another one."""
    return in_parent(Account())


def after_failed_update(
    account: Account, *events: StackEvent, stack_id: str = STACK, status: str = "UPDATE_FAILED"
) -> Account:
    """The account, after an update without rollback of a stack has failed."""
    account.stacks[stack_id] = replace(account.stacks[stack_id], status=status)
    began = S("UPDATE_IN_PROGRESS", at=200, stack_id=stack_id)
    account.happened[stack_id] += [
        began,
        *events,
        S("UPDATE_FAILED", at=300, stack_id=stack_id),
    ]
    return account


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


def other(
    action: str = "Modify", resource_type: str = "AWS::SSM::Parameter", logical_id: str = "Other"
) -> Change:
    """A resource of somebody else."""
    return Change(action, logical_id, resource_type, scope=("Properties",), replaced="False")


def change_set(*changes: Change, **more: Any) -> ChangeSet:
    """A change set that can be executed."""
    made = ChangeSet(CHANGE_SET, "verdict", STACK, "CREATE_COMPLETE", "", "AVAILABLE", changes)
    return replace(made, **more)


def planned(*changes: Change, account: Account | None = None, **more: Any) -> Plan:
    """The plan of a change set."""
    account = account or Account()
    account.change_sets["verdict"] = change_set(*changes, **more)
    return plan_change_set(account, "shadow", "verdict")


def only(plan: Plan) -> Verdict:
    """The verdict of a plan that has one."""
    (verdict,) = plan.verdicts
    return verdict


def native(action: str = "Modify", **more: Any) -> Change:
    """CloudFormation's own resource of the experiment."""
    change = Change(
        action, "Test", NATIVE, "fraud-shadow", ("Properties",), "False", before={}, after={}
    )
    return replace(change, **more)


def dynamic(name: str, cause: str, source: str = "ResourceAttribute") -> Detail:
    """A property that an attribute of another resource may change."""
    return Detail("Properties", name, source, cause, is_dynamic=True)


__all__ = ["ARN", "LATER", "TOKEN", "Account", "created", "experiment", "ours"]
