"""SageMaker's resource types in CloudFormation, as AWS's own handlers work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws import LocalAws
from local_aws.shadow_test import (
    endpoint_variants,
    model_variant,
    wait_for_experiment,
)

from .stacks import STACK, create, settled, told, update

Json = dict[str, Any]
ROLE = "arn:aws:iam::000000000000:role/shadow-test"
BOTH = [model_variant("production", "fraud-v1"), model_variant("shadow", "fraud-v2")]


def template(variants: list[Json], state: str | None = None) -> str:
    """A template of a shadow test on an endpoint of its own."""
    experiment: Json = {
        "Name": "fraud-shadow",
        "Type": "ShadowMode",
        "RoleArn": ROLE,
        "EndpointName": {"Fn::GetAtt": ["Endpoint", "EndpointName"]},
        "ModelVariants": variants,
        "ShadowModeConfig": {
            "SourceModelVariantName": "production",
            "ShadowModelVariants": [
                {"ShadowModelVariantName": "shadow", "SamplingPercentage": "50"}
            ],
        },
    }
    if state:
        experiment["DesiredState"] = state
    production = {
        "VariantName": "production",
        "ModelName": {"Fn::GetAtt": ["First", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "1",
        "InitialVariantWeight": "1.0",
    }
    resources = {
        "First": ("Model", {"ModelName": "fraud-v1"}),
        "Second": ("Model", {"ModelName": "fraud-v2"}),
        "Config": ("EndpointConfig", {"ProductionVariants": [production]}),
        "Endpoint": (
            "Endpoint",
            {
                "EndpointName": "fraud",
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            },
        ),
        "Test": ("InferenceExperiment", experiment),
    }
    body: Json = {
        name: {"Type": f"AWS::SageMaker::{kind}", "Properties": properties}
        for name, (kind, properties) in resources.items()
    }
    body["Test"]["DependsOn"] = ["Second"]
    output = {"Value": {"Fn::GetAtt": ["Test", "Arn"]}}
    return json.dumps({"Resources": body, "Outputs": {"Arn": output}})


def test_a_template_holds_endpoint_and_running_experiment(aws: LocalAws) -> None:
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    experiment = aws.client("sagemaker").describe_inference_experiment(Name="fraud-shadow")
    assert experiment["Status"] == "Running"
    assert experiment["EndpointMetadata"]["EndpointStatus"] == "InService"


@pytest.mark.parametrize(
    ("kept", "production"), [(BOTH[:1], "fraud-v1"), (BOTH[1:], "fraud-v2"), (BOTH, "fraud-v1")]
)
def test_a_desired_state_stops_the_experiment_and_keeps_the_variants_that_remain(
    aws: LocalAws, kept: list[Json], production: str
) -> None:
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    assert update(aws, template(kept, "Completed")) == "UPDATE_COMPLETE"
    sagemaker = aws.client("sagemaker")
    assert sagemaker.describe_inference_experiment(Name="fraud-shadow")["Status"] == "Completed"
    serving = endpoint_variants(sagemaker)
    assert [variant["ModelName"] for variant in serving["production"]] == [production]
    assert bool(serving["shadow"]) == (kept == BOTH)


def test_a_deletion_keeps_both_variants_and_takes_cancelled_for_success(aws: LocalAws) -> None:
    aws.configure(stop_seconds=3)
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=STACK)
    wait_for_experiment(aws.client("sagemaker"), "fraud-shadow", "Stopping")
    aws.end_experiment("fraud-shadow", status="Cancelled", status_reason="an error")
    assert settled(aws) == "DELETE_COMPLETE"
    (stop,) = aws.calls("StopInferenceExperiment")
    assert stop.request["ModelVariantActions"] == {"production": "Retain", "shadow": "Retain"}
    assert stop.request["DesiredState"] == "Completed"


def test_an_endpoint_in_flux_refuses_its_deletion(aws: LocalAws) -> None:
    # The type's own handler does not wait for the endpoint to settle after the experiment's end.
    aws.configure(settle_seconds=20)
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=STACK)
    assert settled(aws) == "DELETE_FAILED"
    assert any("in-progress" in reason for name, _, reason in told(aws) if name == "Endpoint")
