"""AWS CDK construct that ends a SageMaker inference experiment as declared in its stack."""

from .enums import DesiredState, ModelVariantAction, StopOn
from .errors import InvalidPropsError, MissingCodeError
from .model_variant import InstanceType as InstanceType
from .model_variant import ModelVariantConfig
from .outcome import Instances, Outcome
from .provider import StopInferenceExperimentProvider
from .stop_inference_experiment import StopInferenceExperiment

# Without InstanceType, which would hide aws_ec2.InstanceType after "import *".
__all__ = [
    "DesiredState",
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
