"""Shared code of several contestants."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .declaration import ACTIONS

__all__ = ["arn", "custom_resources", "python_function", "statement"]


def python_function(
    stack: Stack,
    construct_id: str,
    handler: str,
    code: lambda_.Code,
    timeout: Duration | None = None,
) -> lambda_.Function:
    """Return a function with Lambda's defaults, except for its timeout."""
    return lambda_.Function(
        stack,
        construct_id,
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler=handler,
        code=code,
        timeout=timeout or Duration.minutes(1),
    )


def custom_resources(stack: Stack, names: Sequence[str], reason: str, service_token: str) -> None:
    """Add a custom resource for each experiment."""
    for name in names:
        CustomResource(
            stack,
            f"Stop-{name}",
            resource_type="Custom::StopExperiment",
            service_token=service_token,
            properties={"Name": name, "ModelVariantActions": ACTIONS, "Reason": reason},
        )


def statement(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    """Return a statement that allows some actions."""
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))


def arn(stack: Stack, name: str) -> str:
    """Return an experiment's ARN."""
    resource = "inference-experiment"
    return stack.format_arn(service="sagemaker", resource=resource, resource_name=name)
