"""The handler of crhelper's README, which the tests must be able to fail.

It is crhelper's own example with StopInferenceExperiment filled in, without any mistake that its
author could have noticed.
"""

from __future__ import annotations

import logging
from typing import Any

import boto3
from crhelper import CfnResource

logger = logging.getLogger(__name__)
helper = CfnResource()

_OWN = ("ServiceToken", "ServiceTimeout", "StopOn")


def _describe(event: dict[str, Any]) -> Any:
    name = event["ResourceProperties"]["Name"]
    return boto3.client("sagemaker").describe_inference_experiment(Name=name)


@helper.create
def create(event: dict[str, Any], _context: object) -> str:
    """Only describe the experiment."""
    experiment = _describe(event)
    helper.Data.update({"StatusReason": experiment.get("StatusReason", "")})
    return str(experiment["Arn"])


@helper.update
@helper.delete
def stop(event: dict[str, Any], _context: object) -> None:
    """Order the end."""
    properties = event["ResourceProperties"]
    request = {name: value for name, value in properties.items() if name not in _OWN}
    for variant in request.get("DesiredModelVariants", []):
        config = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]
        config["InstanceCount"] = int(config["InstanceCount"])
    client = boto3.client("sagemaker")
    try:
        client.stop_inference_experiment(**request)
    except client.exceptions.ConflictException:
        logger.info("already stopping")


@helper.poll_update
@helper.poll_delete
def has_ended(event: dict[str, Any], _context: object) -> bool:
    """True ends the polling, according to the README."""
    return bool(_describe(event)["Status"] in ("Completed", "Cancelled"))


def handler(event: dict[str, Any], context: object) -> None:
    """AWS Lambda's handler."""
    helper(event, context)
