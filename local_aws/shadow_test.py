"""Makes a shadow test to stop: models, endpoint configuration, endpoint and running experiment."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

from local_aws.environment import ACCOUNT

__all__ = ["create_shadow_test", "endpoint_variants", "model_variant", "wait_for_experiment"]

Json = dict[str, Any]
# boto3 makes its clients at run time, without types.
Client: TypeAlias = Any
_POLL_SECONDS = 0.05


def create_shadow_test(
    client: Client,
    name: str = "fraud-shadow",
    *,
    endpoint_name: str = "fraud",
    production_model: str = "fraud-v1",
    shadow_model: str = "fraud-v2",
    schedule: Json | None = None,
    wait: bool = True,
) -> str:
    """Create an endpoint and a shadow test on it, and wait until the test is running.

    The variants are ``production`` and ``shadow``, each on one ml.m5.large. Models that exist
    are shared.

    Args:
        client: A SageMaker client.
        name: The experiment's name. Default: fraud-shadow.
        endpoint_name: The endpoint's. Default: fraud.
        production_model: The model that serves. Default: fraud-v1.
        shadow_model: The model on trial. Default: fraud-v2.
        schedule: The experiment's ``Schedule``. Default: starts now, ends after 7 days.
        wait: Whether to wait until it is running. Default: True.

    Returns:
        The experiment's ARN.
    """
    role = f"arn:aws:iam::{ACCOUNT}:role/shadow-test"
    for model in (production_model, shadow_model):
        _ensure_model(client, model, role)
    variant = {
        "VariantName": "production",
        "ModelName": production_model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(EndpointConfigName=endpoint_name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=endpoint_name, EndpointConfigName=endpoint_name)
    while client.describe_endpoint(EndpointName=endpoint_name)["EndpointStatus"] == "Creating":
        time.sleep(_POLL_SECONDS)
    shadows = [{"ShadowModelVariantName": "shadow", "SamplingPercentage": 50}]
    arn: str = client.create_inference_experiment(
        Name=name,
        Type="ShadowMode",
        RoleArn=role,
        EndpointName=endpoint_name,
        ModelVariants=[
            model_variant("production", production_model),
            model_variant("shadow", shadow_model),
        ],
        ShadowModeConfig={"SourceModelVariantName": "production", "ShadowModelVariants": shadows},
        **({"Schedule": schedule} if schedule else {}),
    )["InferenceExperimentArn"]
    if wait:
        wait_for_experiment(client, name, "Running")
    return arn


def _ensure_model(client: Client, name: str, role: str) -> None:
    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/fraud:latest"
    try:
        client.create_model(
            ModelName=name, PrimaryContainer={"Image": image}, ExecutionRoleArn=role
        )
    except client.exceptions.ClientError as error:
        if "already existing" not in error.response["Error"]["Message"]:
            raise


def wait_for_experiment(
    client: Client,
    name: str,
    *statuses: str,
    timeout_seconds: float = 30.0,
) -> Json:
    """Return an experiment's description once it has one of some statuses.

    Raises:
        TimeoutError: It has not within ``timeout_seconds``.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        experiment: Json = client.describe_inference_experiment(Name=name)
        if experiment["Status"] in statuses:
            return experiment
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} is {experiment['Status']}, waited for {statuses}")
        time.sleep(_POLL_SECONDS)


def endpoint_variants(client: Client, endpoint_name: str = "fraud") -> dict[str, list[Json]]:
    """Return what an endpoint serves: its configuration's variants, production and shadow apart."""
    endpoint = client.describe_endpoint(EndpointName=endpoint_name)
    config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    return {
        "production": config["ProductionVariants"],
        "shadow": config.get("ShadowProductionVariants", []),
    }


def model_variant(
    name: str, model: str, instance_type: str = "ml.m5.large", instance_count: int = 1
) -> Json:
    """Return a ``ModelVariantConfig``."""
    return {
        "ModelName": model,
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {
                "InstanceType": instance_type,
                "InstanceCount": instance_count,
            },
        },
    }
