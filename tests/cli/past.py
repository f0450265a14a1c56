"""A declaration, an experiment and a stack's events, as the tests of the command need them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cdk_stop_inference_experiment_handler.lifecycle.situation import Experiment, StackEvent

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/fraud-shadow"
OTHER_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/other"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shadow/id"
PARENT = "arn:aws:cloudformation:eu-west-1:123456789012:stack/parent/id"
RESOURCE = "Stop"
TOKEN = "arn:aws:lambda:eu-west-1:123456789012:function:stopper"
KEEP = {"production": "Retain", "shadow": "Remove"}
PROMOTE = {"production": "Remove", "shadow": "Promote"}


def properties(**changes: Any) -> dict[str, Any]:
    """The properties of a resource, without its function."""
    declared = {"Name": "fraud-shadow", "ModelVariantActions": KEEP, **changes}
    return {name: value for name, value in declared.items() if value is not None}


def ours(**changes: Any) -> dict[str, Any]:
    """The properties of a resource, with its function."""
    return {"ServiceToken": TOKEN, **properties(**changes)}


def experiment(status: str = "Running", **facts: Any) -> Experiment:
    """An experiment with a production variant and a shadow."""
    running = Experiment(
        arn=ARN,
        name="fraud-shadow",
        status=status,
        created=50.0,
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


def variant(
    name: str, count: object = "2", *, model: str = "fraud-v1", of_type: str = "ml.m5.xlarge"
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


def of_stack(status: str, at: float, stack_id: str = STACK) -> StackEvent:
    """An event of the stack itself."""
    return StackEvent(at, stack_id.split("/")[1], stack_id, status)


def of_resource(
    status: str,
    at: float,
    *,
    declared: Mapping[str, Any] | None = None,
    physical_id: str = ARN,
    logical_id: str = RESOURCE,
) -> StackEvent:
    """An event of a resource."""
    text = "" if declared is None else json.dumps(declared)
    return StackEvent(at, logical_id, physical_id, status, text)


def created(logical_id: str = RESOURCE, **changes: Any) -> list[StackEvent]:
    """The events of a successful creation, oldest first."""
    return [
        of_stack("CREATE_IN_PROGRESS", 100),
        of_resource("CREATE_IN_PROGRESS", 110, physical_id="", logical_id=logical_id),
        of_resource("CREATE_COMPLETE", 120, declared=ours(**changes), logical_id=logical_id),
        of_stack("CREATE_COMPLETE", 130),
    ]
