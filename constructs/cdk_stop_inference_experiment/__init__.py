"""AWS CDK construct that ends a SageMaker inference experiment as declared in its stack."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .enums import DesiredState, ModelVariantAction, StopOn
    from .errors import InvalidPropsError, MissingCodeError
    from .evidence import Comparison, Evidence
    from .model_variant import InstanceType as InstanceType
    from .model_variant import ModelVariantConfig
    from .outcome import Instances, Outcome
    from .provider import StopInferenceExperimentProvider
    from .stop_inference_experiment import StopInferenceExperiment
else:
    # Loaded on first use: the command is in this package, and needs neither aws_cdk nor Node.js.
    _MODULES = {
        "Comparison": "evidence",
        "DesiredState": "enums",
        "Evidence": "evidence",
        "InstanceType": "model_variant",
        "Instances": "outcome",
        "InvalidPropsError": "errors",
        "MissingCodeError": "errors",
        "ModelVariantAction": "enums",
        "ModelVariantConfig": "model_variant",
        "Outcome": "outcome",
        "StopInferenceExperiment": "stop_inference_experiment",
        "StopInferenceExperimentProvider": "provider",
        "StopOn": "enums",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)

    def __dir__() -> list[str]:
        return list(_MODULES)


# Without InstanceType, which would hide aws_ec2.InstanceType after "import *".
__all__ = [
    "Comparison",
    "DesiredState",
    "Evidence",
    "Instances",
    "InvalidPropsError",
    "MissingCodeError",
    "ModelVariantAction",
    "ModelVariantConfig",
    "Outcome",
    "StopInferenceExperiment",
    "StopInferenceExperimentProvider",
    "StopOn",
]
