"""The physical id of a successful answer."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.situations import experiment
from tests.unit.test_request import ARN, PROPERTIES, read

from cdk_stop_inference_experiment_handler.lifecycle.situation import Experiment
from cdk_stop_inference_experiment_handler.runtime.run import Response, physical_id

RENAMED = {**PROPERTIES, "Name": "other"}
SAGEMAKER = ARN.removesuffix(":inference-experiment/")


def answered(kind: str, seen: Experiment | None = None, **members: Any) -> str:
    response = Response(succeeded=True, why="", experiment=seen)
    return physical_id(read(kind, **members), response, SAGEMAKER)


@pytest.mark.parametrize(
    ("kind", "properties", "name"),
    [
        ("Create", PROPERTIES, "fraud-shadow"),
        ("Create", RENAMED, "other"),
        ("Update", PROPERTIES, "fraud-shadow"),
        ("Update", RENAMED, "other"),
    ],
)
def test_an_experiment_that_is_gone_is_named_as_declared(
    kind: str, properties: dict[str, str], name: str
) -> None:
    assert answered(kind, ResourceProperties=properties) == f"{ARN}{name}"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_an_experiment_that_was_seen_has_sagemakers_arn(kind: str) -> None:
    seen = experiment(arn=f"{ARN}OTHER")
    assert answered(kind, seen, ResourceProperties=RENAMED) == f"{ARN}OTHER"


def test_an_update_of_the_held_experiment_keeps_the_id() -> None:
    seen = experiment(arn=f"{ARN}created-anew")
    assert answered("Update", seen) == f"{ARN}fraud-shadow"


@pytest.mark.parametrize("held", [f"{ARN}fraud-shadow", "Stop-not-created-0123456789abcdef"])
def test_a_delete_keeps_the_id(held: str) -> None:
    assert answered("Delete", PhysicalResourceId=held, ResourceProperties=RENAMED) == held
