"""AWS CDK construct that ends a SageMaker inference experiment with its stack's life cycle."""

from .enums import DesiredState, ModelVariantAction, StopOn
from .errors import InvalidPropsError, MissingCodeError
from .model_variant import InstanceType, ModelVariantConfig
from .provider import StopInferenceExperimentProvider
from .stop_inference_experiment import StopInferenceExperiment

__all__ = [
    "DesiredState",
    "InstanceType",
    "InvalidPropsError",
    "MissingCodeError",
    "ModelVariantAction",
    "ModelVariantConfig",
    "StopInferenceExperiment",
    "StopInferenceExperimentProvider",
    "StopOn",
]
