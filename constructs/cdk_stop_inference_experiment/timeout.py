"""How long to wait for an experiment's end, as CloudFormation and the function are told.

CloudFormation stops listening after ``ServiceTimeout``; the function answers at 11/12 of it, so
that its answer is heard. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from aws_cdk import Duration

from cdk_stop_inference_experiment_handler.contract.declaration import DEFAULT_SERVICE_TIMEOUT

MIN_SECONDS = 60
MAX_SECONDS = DEFAULT_SERVICE_TIMEOUT * 11 // 12


def service_timeout(timeout: object) -> float | None:
    """The property ``ServiceTimeout`` in seconds, None where it is the default.

    A template cannot multiply, so that a token's seconds are ``ServiceTimeout`` themselves. What
    :func:`timeout_problems` refuses is None too.
    """
    if not isinstance(timeout, Duration) or any(timeout_problems(timeout)):
        return None
    if timeout.is_unresolved():
        return timeout.to_seconds()
    seconds = math.ceil(math.ceil(timeout.to_seconds(integral=False)) * 12 / 11)
    return None if seconds >= DEFAULT_SERVICE_TIMEOUT else seconds


def timeout_problems(timeout: object) -> Iterator[str]:
    """What is wrong with a construct's ``timeout``."""
    if timeout is None:
        return
    if not isinstance(timeout, Duration):
        yield f"'timeout' must be a Duration such as Duration.minutes(30), got {timeout!r}"
    elif timeout.is_unresolved():
        if timeout.unit_label() != "seconds":
            yield (
                f"'timeout' must be in seconds where it is a token, got {timeout.unit_label()}: "
                f"use Duration.seconds(...)"
            )
    elif not MIN_SECONDS <= timeout.to_seconds(integral=False) <= MAX_SECONDS:
        yield (
            f"'timeout' must be {MIN_SECONDS // 60} to {MAX_SECONDS // 60} minutes, got "
            f"{timeout.to_human_string()}: CloudFormation waits an hour for an answer"
        )
