"""(b): ``AwsCustomResource``.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.custom_resources-readme.html
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import custom_resources as cr

from .common import arn
from .declaration import ACTIONS

__all__ = ["fill"]


def fill(stack: Stack, names: Sequence[str], reason: str) -> None:
    """Add a resource for each experiment.

    Without ``on_create``, ``on_update`` would also be called on Create, and stop it then.
    """
    for name in names:
        physical_id = cr.PhysicalResourceId.of(name)
        parameters = {"Name": name, "ModelVariantActions": ACTIONS, "Reason": reason}
        cr.AwsCustomResource(
            stack,
            f"Stop-{name}",
            install_latest_aws_sdk=False,
            on_create=cr.AwsSdkCall(
                service="SageMaker",
                action="describeInferenceExperiment",
                parameters={"Name": name},
                physical_resource_id=physical_id,
                output_paths=["Status"],
            ),
            on_update=cr.AwsSdkCall(
                service="SageMaker",
                action="stopInferenceExperiment",
                parameters=parameters,
                physical_resource_id=physical_id,
            ),
            on_delete=cr.AwsSdkCall(
                service="SageMaker",
                action="stopInferenceExperiment",
                parameters=parameters,
                ignore_error_codes_matching="ConflictException|ResourceNotFound",
            ),
            policy=cr.AwsCustomResourcePolicy.from_sdk_calls(resources=[arn(stack, name)]),
        )
