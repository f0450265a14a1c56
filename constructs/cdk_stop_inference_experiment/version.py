"""The library's version, in the description of the function that it deploys.

A plan is judged by the installed version, and a stack runs the deployed one: the description says
whether they differ.
"""

from __future__ import annotations

import re
from importlib.metadata import version

_DISTRIBUTION = "cdk-stop-inference-experiment"

PURPOSE = "Stops SageMaker inference experiments for CloudFormation"
"""What the function is for."""


def installed_version() -> str:
    """The version of this library."""
    return version(_DISTRIBUTION)


def function_description() -> str:
    """The function's description: what it is for, and the version that created it."""
    return f"{PURPOSE} ({_DISTRIBUTION} {installed_version()})"


def version_in(description: str) -> str | None:
    """The version in a function's description; None if there is none."""
    match = re.search(rf"\({_DISTRIBUTION} ([^)]+)\)", description)
    return match[1] if match else None
