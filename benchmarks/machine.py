"""The machine and the versions, without anything that identifies its owner."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from local_aws.environment import python_of

__all__ = ["describe"]

PACKAGES = ("aws-cdk-lib", "constructs", "jsii", "crhelper", "boto3")


def describe() -> dict[str, str]:
    """Return the data for the tables."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    lambda_python = subprocess.run(
        [str(python_of("lambda")), "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Python of the functions": lambda_python.stdout.strip(),
        "Node": node.stdout.strip().removeprefix("v"),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
