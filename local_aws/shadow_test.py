"""Creates a shadow test: models, endpoint configuration, endpoint and a running experiment.

python -m local_aws.shadow_test [--requests 0] [--latency-ms 50 50] [NAME ...]
"""

from __future__ import annotations

import argparse
import itertools
import os
import ssl
import sys
import time
from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from local_aws.control import Control
from local_aws.environment import ACCOUNT

__all__ = [
    "TRAFFIC_HOURS",
    "add_traffic_options",
    "create_shadow_test",
    "create_shadow_tests",
    "endpoint_variants",
    "model_variant",
    "traffic_of",
    "wait_for_experiment",
]

Json = dict[str, Any]
# boto3 creates its clients at run time, without types.
Client: TypeAlias = Any
_POLL_SECONDS = 0.05
_NAME = "fraud-shadow"
TRAFFIC_HOURS = 24
"""How long shadow tests have already had the traffic of the options."""


def create_shadow_test(
    client: Client,
    name: str = _NAME,
    *,
    endpoint_name: str = "fraud",
    production_model: str = "fraud-v1",
    shadow_model: str = "fraud-v2",
    schedule: Json | None = None,
    wait: bool = True,
) -> str:
    """Create an endpoint and a shadow test on it, and wait until the test is running.

    The variants are ``production`` and ``shadow``, each on one ml.m5.large. Existing models are
    reused.

    Args:
        client: A SageMaker client.
        name: The experiment's name. Default: fraud-shadow.
        endpoint_name: The endpoint's. Default: fraud.
        production_model: The model that serves. Default: fraud-v1.
        shadow_model: The model under test. Default: fraud-v2.
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


def create_shadow_tests(client: Client, names: list[str] | None = None) -> Iterator[str]:
    """Create shadow tests, each on its own endpoint with the same name.

    Args:
        client: A SageMaker client.
        names: Their names. Default: one test, with the first of fraud-shadow, fraud-shadow-2, …
            that is free for an experiment and an endpoint.

    Yields:
        The ARN of each, as soon as it is running.
    """
    for name in names or [_free_name(client)]:
        yield create_shadow_test(client, name, endpoint_name=name)


def _free_name(client: Client) -> str:
    numbered = (f"{_NAME}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([_NAME], numbered) if _is_free(client, name))


def _is_free(client: Client, name: str) -> bool:
    """Whether no part of a shadow test has the name yet."""
    described = (
        (client.describe_inference_experiment, "Name"),
        (client.describe_endpoint, "EndpointName"),
        # It is left when its endpoint is deleted.
        (client.describe_endpoint_config, "EndpointConfigName"),
    )
    for describe, member in described:
        try:
            describe(**{member: name})
        except client.exceptions.ClientError:
            continue
        return False
    return True


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
        TimeoutError: It does not get there within ``timeout_seconds``.
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


def add_traffic_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the traffic that shadow tests have."""
    parser.add_argument(
        "--requests",
        type=float,
        default=0.0,
        help="how many requests a minute the shadow tests have had for a day (default: none)",
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        nargs=2,
        metavar=("PRODUCTION", "SHADOW"),
        default=[50.0, 50.0],
        help="what a request takes (default: 50 50)",
    )


def traffic_of(options: argparse.Namespace) -> dict[str, Json]:
    """Return the traffic of the variants in the options, if any."""
    if not options.requests:
        return {}
    return {
        name: {"requests": options.requests, "latency_ms": latency}
        for name, latency in zip(("production", "shadow"), options.latency_ms, strict=True)
    }


def main(arguments: list[str] | None = None) -> int:
    """Create shadow tests on the local AWS in the environment, and print their ARNs."""
    parser = argparse.ArgumentParser(
        prog="python -m local_aws.shadow_test",
        description="Creates running shadow tests on the local AWS, each with an endpoint.",
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="default: fraud-shadow, or the next that is free"
    )
    add_traffic_options(parser)
    options = parser.parse_args(arguments)
    # Otherwise it would be a real account, with endpoints that cost money.
    if urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname != "127.0.0.1":
        sys.exit(
            "error: this shell is not set up for the local AWS: paste the lines that "
            "'make local-aws' printed first"
        )
    # Not at the top: boto3 takes half a second to load, and the emulator does not have it.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import ClientError, EndpointConnectionError  # noqa: PLC0415

    try:
        for arn in create_shadow_tests(boto3.client("sagemaker"), options.names):
            _let_have_traffic(arn.rpartition("/")[2], traffic_of(options))
            print(arn, flush=True)
    except ClientError as error:
        sys.exit(f"error: {error}")
    except EndpointConnectionError:
        sys.exit(
            f"error: no local AWS listens on {os.environ['AWS_ENDPOINT_URL']}: paste the lines "
            "of the one that runs"
        )
    return 0


def _let_have_traffic(endpoint_name: str, variants: dict[str, Json]) -> None:
    """Tell the local AWS in the environment of a test's traffic."""
    if variants:
        context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        order = {"endpoint": endpoint_name, "variants": variants, "hours": TRAFFIC_HOURS}
        Control(os.environ["AWS_ENDPOINT_URL"], context).send("POST", "traffic", order)


if __name__ == "__main__":
    sys.exit(main())
