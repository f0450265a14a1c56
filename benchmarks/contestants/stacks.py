"""The contestants as stacks: the same declaration, written five ways.

Each is a separate module that is imported on demand: what an app has to import is part of a
contestant's cost.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from aws_cdk import Stack

from .declaration import UNDECIDED

__all__ = ["MODULES", "build", "local_node"]

MODULES = {
    "ours": ".ours",
    "AwsCustomResource": ".aws_custom_resource",
    "provider framework": ".provider_framework",
    "crhelper": ".crhelper_readme",
    "native": ".native",
    "function alone": ".function_alone",
}
"""The contestants' modules; ``empty`` is an app without any, ``function alone`` the baseline."""


def build(stack: Stack, contestant: str, names: Sequence[str], reason: str = UNDECIDED) -> None:
    """Fill a stack.

    Args:
        stack: An empty stack.
        contestant: ``empty`` or a key of ``MODULES``.
        names: The experiments to stop.
        reason: ``UNDECIDED``, or the reason to stop the experiments for, with the next update.
    """
    if contestant != "empty":
        importlib.import_module(MODULES[contestant], __package__).fill(stack, names, reason)


def local_node(stack: Stack, variables: Mapping[str, str]) -> None:
    """Give Node functions the SDK, which AWS's runtimes have and the local AWS's do not."""
    from aws_cdk import aws_lambda as lambda_  # noqa: PLC0415 - no app but a local one needs it

    for child in stack.node.find_all():
        if isinstance(child, lambda_.CfnFunction) and str(child.runtime).startswith("nodejs"):
            child.add_property_override("Environment.Variables", dict(variables))
