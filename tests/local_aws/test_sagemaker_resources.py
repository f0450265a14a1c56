"""SageMaker's resource types in CloudFormation, as AWS's own handlers work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws import LocalAws
from local_aws.shadow_test import endpoint_variants

from .native import BOTH, template
from .stacks import STACK, create, settled, told, update

Json = dict[str, Any]


def test_an_endpoint_in_flux_refuses_its_deletion(aws: LocalAws) -> None:
    # The type's own handler does not wait for the endpoint to settle after the experiment's end.
    aws.configure(settle_seconds=20)
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=STACK)
    assert settled(aws) == "DELETE_FAILED"
    assert any("in-progress" in reason for name, _, reason in told(aws) if name == "Endpoint")


def serving_template(model: str, *, config: str = "Config", scaled: str | None = None) -> str:
    """A template of an endpoint that serves one of two models, without any test on it."""
    variant = {"VariantName": model, "ModelName": model, "InstanceType": "ml.m5.large"}
    declared: Json = {"ProductionVariants": [{**variant, "InitialInstanceCount": 1}]}
    link = {"Fn::GetAtt": [config, "EndpointConfigName"]}
    resources = {
        "First": ("SageMaker::Model", {"ModelName": "fraud-v1"}),
        "Second": ("SageMaker::Model", {"ModelName": "fraud-v2"}),
        config: ("SageMaker::EndpointConfig", declared),
        "Endpoint": (
            "SageMaker::Endpoint",
            {"EndpointName": "fraud", "EndpointConfigName": link},
        ),
    }
    if scaled:
        target = {
            "ResourceId": f"endpoint/fraud/variant/{scaled}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "ServiceNamespace": "sagemaker",
        }
        resources["Target"] = ("ApplicationAutoScaling::ScalableTarget", target)
    body: Json = {
        name: {"Type": f"AWS::{kind}", "Properties": properties}
        for name, (kind, properties) in resources.items()
    }
    body[config]["DependsOn"] = ["First", "Second"]
    if scaled:
        body["Target"]["DependsOn"] = ["Endpoint"]
    return json.dumps({"Resources": body})


def models(aws: LocalAws) -> list[str]:
    """The models that the endpoint serves."""
    variants = endpoint_variants(aws.client("sagemaker"))
    return [item["ModelName"] for item in variants["production"]]


def accepted(aws: LocalAws, *operations: str) -> list[str]:
    """The calls of some operations that went through, oldest first."""
    calls = [call.operation for call in aws.calls() if call.error_code is None]
    return [operation for operation in calls if operation in operations]


@pytest.mark.parametrize("config", ["Config", "Another"])
def test_another_configuration_updates_the_endpoint_before_the_old_one_is_deleted(
    aws: LocalAws, config: str
) -> None:
    assert create(aws, serving_template("fraud-v1")) == "CREATE_COMPLETE"
    sagemaker = aws.client("sagemaker")
    (before,) = sagemaker.list_endpoints()["Endpoints"]
    old = sagemaker.describe_endpoint(EndpointName="fraud")["EndpointConfigName"]
    assert update(aws, serving_template("fraud-v2", config=config)) == "UPDATE_COMPLETE"
    assert models(aws) == ["fraud-v2"]
    (after,) = sagemaker.list_endpoints()["Endpoints"]
    assert (after["EndpointStatus"], after["CreationTime"]) == ("InService", before["CreationTime"])
    assert accepted(aws, "UpdateEndpoint", "DeleteEndpointConfig") == [
        "UpdateEndpoint",
        "DeleteEndpointConfig",
    ]
    with pytest.raises(sagemaker.exceptions.ClientError, match="Could not find"):
        sagemaker.describe_endpoint_config(EndpointConfigName=old)


def test_an_untouched_template_leaves_an_endpoint_with_what_it_was_given_since(
    aws: LocalAws,
) -> None:
    assert create(aws, serving_template("fraud-v1")) == "CREATE_COMPLETE"
    sagemaker = aws.client("sagemaker")
    variant = {"VariantName": "new", "ModelName": "fraud-v2"}
    size = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="by-hand", ProductionVariants=[{**variant, **size}]
    )
    sagemaker.update_endpoint(EndpointName="fraud", EndpointConfigName="by-hand")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="fraud", WaiterConfig={"Delay": 1}
    )
    # Something else changes, and the endpoint does not.
    scaled = serving_template("fraud-v1", scaled="new")
    assert update(aws, scaled) == "UPDATE_COMPLETE"
    assert models(aws) == ["fraud-v2"]
    assert len(aws.calls("UpdateEndpoint")) == 1


def test_an_endpoint_update_that_fails_in_service_fails_the_stack_and_is_rolled_back(
    aws: LocalAws,
) -> None:
    assert create(aws, serving_template("fraud-v1")) == "CREATE_COMPLETE"
    aws.fail_endpoint_update("fraud", failure_reason="no capacity")
    assert update(aws, serving_template("fraud-v2")) == "UPDATE_ROLLBACK_COMPLETE"
    assert any("no capacity" in reason for name, _, reason in told(aws) if name == "Endpoint")
    assert models(aws) == ["fraud-v1"]
