"""What the tests of the lifecycle table share: a declaration, an experiment, a world to ask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse
from cdk_stop_inference_experiment_handler.lifecycle.decision import decide
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Case,
    Experiment,
    Request,
    RequestType,
    Verb,
)

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/fraud-shadow"
OTHER_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/other"
KEEP = {"production": "Retain", "shadow": "Remove"}
PROMOTE = {"production": "Remove", "shadow": "Promote"}
FORWARD = "UPDATE_IN_PROGRESS"
ROLLBACKS = [
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
]
STOPPABLE = ["Creating", "Created", "Starting", "Running", "Updating"]
STOP_ON_CREATE = ["Create", "Update", "Delete"]


def declaration(**properties: Any) -> Declaration:
    declared = {"Name": "fraud-shadow", "ModelVariantActions": KEEP, "Reason": "ours", **properties}
    return parse(
        {name: value for name, value in declared.items() if value is not None},
        stack_name="shadow",
        logical_id="Stop",
    )


def experiment(status: str = "Running", **facts: Any) -> Experiment:
    running = Experiment(
        arn=ARN,
        name="fraud-shadow",
        status=status,
        endpoint_name="fraud",
        endpoint_status="InService",
        variants=("production", "shadow"),
        shadow_variants=("shadow",),
    )
    return replace(running, **facts)


@dataclass(frozen=True)
class World:
    """What AWS answers when a decision asks, and what it was asked."""

    experiment: Experiment | None = field(default_factory=experiment)
    stack_status: str = FORWARD
    holders: tuple[str, ...] = ()
    asked: list[Verb] = field(default_factory=list)


def settle(case: Case, world: World) -> tuple[Verb, str]:
    """Decide as the handler does: answer each look, until something is to be done."""
    for _ in range(5):
        decision = decide(case, "eu-west-1")
        if decision.verb is Verb.LOOK_AT_EXPERIMENT:
            case = replace(case, experiment=world.experiment)
        elif decision.verb is Verb.LOOK_AT_STACK:
            case = replace(case, stack_status=world.stack_status)
        elif decision.verb is Verb.LOOK_AT_RESOURCES:
            case = replace(case, other_holders=world.holders)
        else:
            return decision.verb, decision.why
        world.asked.append(decision.verb)
    raise AssertionError("the decision keeps asking")


def create(world: World, new: Declaration | str, **facts: Any) -> tuple[Verb, str]:
    return settle(request(RequestType.CREATE, new, physical_id=None, **facts), world)


def update(
    world: World, new: Declaration | str, old: Declaration | None, **facts: Any
) -> tuple[Verb, str]:
    return settle(request(RequestType.UPDATE, new, old=old, **facts), world)


def delete(world: World, new: Declaration | str, **facts: Any) -> tuple[Verb, str]:
    return settle(request(RequestType.DELETE, new, **facts), world)


def request(
    kind: RequestType,
    new: Declaration | str,
    *,
    old: Declaration | None = None,
    physical_id: str | None = ARN,
    issued_at: float | None = None,
    **progress: Any,
) -> Case:
    made = Request(
        type=kind,
        stack_id="arn:aws:cloudformation:eu-west-1:123456789012:stack/shadow/id",
        logical_id="Stop",
        physical_id=physical_id,
        declared_name=new.name if isinstance(new, Declaration) else "fraud-shadow",
        new=new,
        old=old,
        issued_at=issued_at,
    )
    return Case(made, **progress)


def changed(**properties: Any) -> Declaration:
    """A declaration that differs from ``declaration()`` without a promotion."""
    return declaration(DesiredState="Cancelled", Reason="changed", **properties)


def variant(name: str) -> dict[str, object]:
    return {
        "ModelName": "fraud-v1",
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": "2"},
        },
    }
