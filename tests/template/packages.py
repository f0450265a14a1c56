"""The packages of the Lambda function's code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("cdk_stop_inference_experiment_handler", "crhelper")


def folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])
