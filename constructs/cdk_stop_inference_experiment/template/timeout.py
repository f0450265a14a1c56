"""The prop ``timeout``: how long to wait for an experiment's end.

CloudFormation gives up after ``ServiceTimeout``; the function answers at 11/12 of it, while
CloudFormation still waits. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from aws_cdk import Duration

from cdk_stop_inference_experiment_handler.contract.validation import shown
from cdk_stop_inference_experiment_handler.contract.wire import (
    MAX_SERVICE_TIMEOUT,
    seconds_to_answer,
    service_timeout_for,
)

MIN_SECONDS = 60
MAX_SECONDS = int(seconds_to_answer(MAX_SERVICE_TIMEOUT))


def service_timeout(timeout: object) -> int | None:
    """The property ``ServiceTimeout`` in seconds; None if it is the default or invalid."""
    if not isinstance(timeout, Duration) or any(timeout_problems(timeout)):
        return None
    seconds = service_timeout_for(math.ceil(timeout.to_seconds(integral=False)))
    return None if seconds >= MAX_SERVICE_TIMEOUT else seconds


def timeout_problems(timeout: object) -> Iterator[str]:
    """What is wrong with a construct's ``timeout``."""
    if timeout is None:
        return
    if not isinstance(timeout, Duration):
        yield f"'timeout' must be a Duration such as Duration.minutes(30), got {shown(timeout)}"
    elif timeout.is_unresolved():
        yield (
            "'timeout' must be known at synth, got a token: write a Duration such as "
            "Duration.minutes(30)"
        )
    elif not MIN_SECONDS <= timeout.to_seconds(integral=False) <= MAX_SECONDS:
        yield (
            f"'timeout' must be {MIN_SECONDS // 60} to {MAX_SECONDS // 60} minutes, got "
            f"{timeout.to_human_string()}: CloudFormation waits an hour for an answer"
        )
