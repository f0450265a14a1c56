"""onEvent and isComplete for the CDK's provider framework.

As "Asynchronous Providers: isComplete" describes them:
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.custom_resources-readme.html
"""

from __future__ import annotations

import logging
from typing import Any

import boto3

logger = logging.getLogger(__name__)
sagemaker = boto3.client("sagemaker")


def on_event(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Order the end on Update and Delete; the physical id is the experiment's name."""
    properties = event["ResourceProperties"]
    if event["RequestType"] != "Create":
        try:
            sagemaker.stop_inference_experiment(
                Name=properties["Name"],
                ModelVariantActions=properties["ModelVariantActions"],
                Reason=properties["Reason"],
            )
        except sagemaker.exceptions.ConflictException:
            logger.info("it is stopping, or has ended, already")
    return {"PhysicalResourceId": properties["Name"]}


def is_complete(event: dict[str, Any], _context: object) -> dict[str, bool]:
    """Whether it has ended; the framework calls this every five seconds."""
    if event["RequestType"] == "Create":
        return {"IsComplete": True}
    name = event["ResourceProperties"]["Name"]
    status = sagemaker.describe_inference_experiment(Name=name)["Status"]
    return {"IsComplete": status in ("Completed", "Cancelled")}
