"""A declaration, an experiment and a stack's events, as the tests of the command need them."""

from __future__ import annotations

from typing import Any

from cdk_stop_inference_experiment_handler.lifecycle.situation import Experiment, StackEvent
from tests.unit import situations
from tests.unit.situations import RESOURCE, R, S, properties

PARENT = "arn:aws:cloudformation:eu-west-1:123456789012:stack/parent/id"
TOKEN = "arn:aws:lambda:eu-west-1:123456789012:function:stopper"


def ours(**changes: Any) -> dict[str, Any]:
    """The properties of a resource, with its function."""
    return {"ServiceToken": TOKEN, **properties(**changes)}


def experiment(status: str = "Running", **facts: Any) -> Experiment:
    """An experiment that is older than the events."""
    return situations.experiment(status, **{"created": 50.0, **facts})


def created(logical_id: str = RESOURCE, **changes: Any) -> list[StackEvent]:
    """The events of a successful creation, oldest first."""
    return [
        S("CREATE_IN_PROGRESS", at=100),
        R("CREATE_IN_PROGRESS", at=110, physical_id="", logical_id=logical_id),
        R("CREATE_COMPLETE", at=120, given=ours(**changes), logical_id=logical_id),
        S("CREATE_COMPLETE", at=130),
    ]
