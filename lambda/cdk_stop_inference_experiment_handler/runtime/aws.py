"""The handler's conversation with AWS: three questions and one order, failures told apart.

boto3's own retry mode repeats what is worth repeating at once; what is left comes out as one of
three exceptions, so that nobody else has to know botocore.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from ..contract.declaration import RESOURCE_TYPE
from ..lifecycle.facts import Experiment, Request, read_experiment

SDK_CONFIG = Config(
    connect_timeout=5,
    read_timeout=15,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Time-outs of the SDK's calls: without them one lost packet costs the 60 s of botocore."""

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
_TRANSIENT = frozenset({"RequestTimeout", "RequestTimeoutException", "ServiceUnavailable"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_GONE_WORDS = ("not found", "does not exist", "could not find")


class AwsError(Exception):
    """An AWS call failed.

    Attributes:
        is_transient: The same call may succeed later.
        is_denied: IAM refused it, which is transient for as long as a new policy propagates.
        may_be_done: It may have been carried out all the same.
    """

    def __init__(
        self,
        cause: str,
        *,
        is_transient: bool = False,
        is_denied: bool = False,
        was_repeated: bool = False,
    ) -> None:
        super().__init__(cause)
        self.is_transient = is_transient
        self.is_denied = is_denied
        self.may_be_done = is_transient or was_repeated


class ExperimentGone(Exception):
    """SageMaker does not know the experiment."""


class NotNow(Exception):
    """ConflictException: the experiment's state does not allow the call at the moment.

    Attributes:
        was_repeated: The SDK had sent the call before, and that attempt may have been accepted.
    """

    def __init__(self, cause: str, *, was_repeated: bool) -> None:
        super().__init__(cause)
        self.was_repeated = was_repeated


class Aws:
    """SageMaker and CloudFormation as the handler needs them; clients are made on first use."""

    def describe(self, name: str) -> Experiment | None:
        """The experiment, None where SageMaker does not know it.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeInferenceExperiment.html

        Raises:
            AwsError: The call failed.
        """
        try:
            answer: Mapping[str, object] = self._sagemaker.describe_inference_experiment(Name=name)
        except (ClientError, BotoCoreError) as error:
            told_apart = _told_apart(error)
            if isinstance(told_apart, ExperimentGone):
                return None
            raise told_apart from error
        return read_experiment(answer)

    def stop(self, request: Mapping[str, object]) -> None:
        """Order the end of the experiment; it comes minutes later.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html

        Raises:
            NotNow: ConflictException; nothing was ordered.
            ExperimentGone: There is no such experiment.
            AwsError: The call failed; after a time-out it may have been carried out all the same.
        """
        try:
            self._sagemaker.stop_inference_experiment(**request)
        except (ClientError, BotoCoreError) as error:
            raise _told_apart(error) from error

    def stack_status(self, stack_id: str) -> str:
        """CloudFormation's status of the stack, such as ``UPDATE_ROLLBACK_IN_PROGRESS``.

        Raises:
            AwsError: The call failed; always transient. Without the status nothing says whether a
                stop was ordered: it is asked for until the deadline, and in doubt nothing stops.
        """
        try:
            answer = self._cloudformation.describe_stacks(StackName=stack_id)
        except (ClientError, BotoCoreError) as error:
            raise AwsError(str(_as_aws_error(error)), is_transient=True) from error
        return str(answer["Stacks"][0]["StackStatus"])

    def other_holders(self, request: Request) -> tuple[str, ...]:
        """Logical ids of the stack's other resources of our type with the request's physical id.

        Raises:
            AwsError: A call failed.
        """
        paginator = self._cloudformation.get_paginator("list_stack_resources")
        try:
            resources = [
                resource
                for page in paginator.paginate(StackName=request.stack_id)
                for resource in page["StackResourceSummaries"]
            ]
        except (ClientError, BotoCoreError) as error:
            raise _as_aws_error(error) from error
        return tuple(
            resource["LogicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == RESOURCE_TYPE
            and resource.get("PhysicalResourceId") == request.physical_id
            and resource["LogicalResourceId"] != request.logical_id
            and not resource["ResourceStatus"].startswith("DELETE_")
        )

    @cached_property
    def _sagemaker(self) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        return boto3.client("sagemaker", config=SDK_CONFIG)

    @cached_property
    def _cloudformation(self) -> Any:  # noqa: ANN401
        return boto3.client("cloudformation", config=SDK_CONFIG)


def _told_apart(error: ClientError | BotoCoreError) -> Exception:
    """The exception that says what a failed SageMaker call means for an experiment."""
    if isinstance(error, ClientError):
        code, message = _code(error), _message(error).lower()
        if code == "ConflictException":
            return NotNow(_message(error), was_repeated=_was_repeated(error))
        # Older SageMaker calls say "gone" as a ValidationException.
        if code in ("ResourceNotFound", "ResourceNotFoundException") or (
            code == "ValidationException" and any(words in message for words in _GONE_WORDS)
        ):
            return ExperimentGone(_message(error))
    return _as_aws_error(error)


def _as_aws_error(error: ClientError | BotoCoreError) -> AwsError:
    if not isinstance(error, ClientError):
        lost = isinstance(error, HTTPClientError | BotoConnectionError)
        return AwsError(f"{type(error).__name__}: {error}", is_transient=lost)
    code = _code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return AwsError(
        f"{error.operation_name}: {code}: {_message(error)}",
        is_transient=code in _THROTTLED | _TRANSIENT or status >= 500 or status == 429,
        is_denied=code in _DENIED,
        was_repeated=_was_repeated(error),
    )


def _was_repeated(error: ClientError) -> bool:
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


@contextmanager
def no_clients_yet() -> Iterator[None]:
    """Keep crhelper from making three clients at import: half of a cold start, seldom needed.

    crhelper leaves them out where it believes to run under SAM local.
    """
    before = os.environ.get("AWS_SAM_LOCAL")
    os.environ["AWS_SAM_LOCAL"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_SAM_LOCAL"]
        else:
            os.environ["AWS_SAM_LOCAL"] = before
