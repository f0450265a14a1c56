"""Not a contestant but a baseline: a function that does nothing, and custom resources."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_

from .common import custom_resources, python_function

__all__ = ["fill"]


def fill(stack: Stack, names: Sequence[str], reason: str) -> None:
    """Add the function, and a resource for each experiment."""
    code = lambda_.Code.from_inline("def handler(event, context): ...")
    function = python_function(stack, "Function", "index.handler", code, Duration.minutes(15))
    custom_resources(stack, names, reason, function.function_arn)
