"""A declaration, an experiment and a stack's events, as the tests of the command need them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_stop_inference_experiment_handler.lifecycle.situation import Experiment, StackEvent
from tests.unit import situations
from tests.unit.situations import ARN, RESOURCE, STACK, properties

PARENT = "arn:aws:cloudformation:eu-west-1:123456789012:stack/parent/id"
TOKEN = "arn:aws:lambda:eu-west-1:123456789012:function:stopper"


def ours(**changes: Any) -> dict[str, Any]:
    """The properties of a resource, with its function."""
    return {"ServiceToken": TOKEN, **properties(**changes)}


def experiment(status: str = "Running", **facts: Any) -> Experiment:
    """An experiment that is older than the events."""
    return situations.experiment(status, **{"created": 50.0, **facts})


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
