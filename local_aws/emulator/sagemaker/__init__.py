"""SageMaker's inference experiments as a separate service, validated with botocore's model."""

from local_aws.emulator.sagemaker.arns import Scope, resource_arn
from local_aws.emulator.sagemaker.errors import ApiError
from local_aws.emulator.sagemaker.records import Fault
from local_aws.emulator.sagemaker.service import TARGET_PREFIX, Answer, SageMaker, parse

__all__ = [
    "TARGET_PREFIX",
    "Answer",
    "ApiError",
    "Fault",
    "SageMaker",
    "Scope",
    "parse",
    "resource_arn",
]
