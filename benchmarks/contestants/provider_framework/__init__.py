"""(c): the provider framework.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.custom_resources-readme.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr

from benchmarks.contestants.code import copy_provider_handlers
from benchmarks.contestants.common import arn, custom_resources, python_function, statement
from benchmarks.contestants.declaration import DESCRIBE, STOP

__all__ = ["fill"]


def fill(stack: Stack, names: Sequence[str], reason: str) -> None:
    """Add the provider, and a resource for each experiment."""
    with tempfile.TemporaryDirectory() as folder:
        copy_provider_handlers(Path(folder))
        code = lambda_.Code.from_asset(folder)
        on_event = python_function(stack, "OnEvent", "handlers.on_event", code)
        is_complete = python_function(stack, "IsComplete", "handlers.is_complete", code)
    on_event.add_to_role_policy(statement([STOP], [arn(stack, name) for name in names]))
    is_complete.add_to_role_policy(statement([DESCRIBE], [arn(stack, name) for name in names]))
    provider = cr.Provider(
        stack,
        "Provider",
        on_event_handler=on_event,
        is_complete_handler=is_complete,
        # The default is half an hour.
        total_timeout=Duration.minutes(55),
    )
    custom_resources(stack, names, reason, provider.service_token)
