"""(d): a function as crhelper's README shows it.

https://github.com/aws-cloudformation/custom-resource-helper
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_lambda as lambda_

from .code import copy_crhelper_readme
from .common import arn, custom_resources, python_function, statement
from .declaration import DESCRIBE, STOP

__all__ = ["fill"]


def fill(stack: Stack, names: Sequence[str], reason: str) -> None:
    """Add the function, and a resource for each experiment."""
    with tempfile.TemporaryDirectory() as folder:
        copy_crhelper_readme(Path(folder))
        code = lambda_.Code.from_asset(folder)
        function = python_function(stack, "Function", "index.handler", code, Duration.minutes(15))
    function.add_to_role_policy(statement([DESCRIBE, STOP], [arn(stack, name) for name in names]))
    polling = ["lambda:AddPermission", "lambda:RemovePermission", "events:PutRule"]
    polling += ["events:DeleteRule", "events:PutTargets", "events:RemoveTargets"]
    function.add_to_role_policy(statement(polling, ["*"]))
    custom_resources(stack, names, reason, function.function_arn)
    for resource in stack.node.children:
        if isinstance(resource, CustomResource):
            # Otherwise a teardown deletes the role's policy before the resource.
            resource.node.add_dependency(function)
