"""The handler's AWS calls, and what their errors mean.

boto3's own retry mode retries at once; what still fails is raised as one of three exceptions, so
that no other module needs to know botocore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from ..lifecycle.facts import (
    Endpoint,
    Experiment,
    Measured,
    Query,
    Question,
    Request,
    Stack,
    StackEvent,
    Unreadable,
)

SDK_CONFIG = Config(
    connect_timeout=5,
    read_timeout=15,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Timeouts of the SDK's calls: with botocore's defaults, one lost packet costs 60 s."""


def client(service: str, session: boto3.Session | None = None) -> Any:  # noqa: ANN401
    """A client, whose type boto3 creates at run time."""
    return (session or boto3).client(service, config=SDK_CONFIG)  # type: ignore[call-overload]


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
_CONFIGURED = ("ModelName", "VariantName", "InfrastructureConfig")
_GONE_WORDS = ("not found", "does not exist", "could not find")


class AwsError(Unreadable):
    """An AWS call failed; ``may_be_done``: AWS may have carried it out anyway."""

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
    """ConflictException: the experiment's state does not allow the call right now.

    Attributes:
        was_repeated: The SDK had retried the call, and an earlier attempt may have been accepted.
    """

    def __init__(self, cause: str, *, was_repeated: bool) -> None:
        super().__init__(cause)
        self.was_repeated = was_repeated


class Aws:
    """The calls to SageMaker and CloudFormation; clients are created on first use."""

    def __init__(self, session: boto3.Session | None = None) -> None:
        self._session = session

    def describe(self, name: str) -> Experiment | None:
        """The experiment; None if SageMaker does not know it.

        Raises:
            AwsError: The call failed.
        """
        found = _found(partial(self._sagemaker.describe_inference_experiment, Name=name))
        return read_experiment(found) if found else None

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint; None if SageMaker does not know it.

        Raises:
            AwsError: The call failed.
        """
        found = _found(partial(self._sagemaker.describe_endpoint, EndpointName=name))
        return read_endpoint(found) if found else None

    def stop(self, request: Mapping[str, object]) -> str:
        """Order the end of the experiment, which comes minutes later.

        Returns:
            The experiment's ARN, from SageMaker's answer.

        Raises:
            NotNow: ConflictException; nothing was ordered.
            ExperimentGone: There is no such experiment.
            AwsError: The call failed; after a timeout SageMaker may have carried it out anyway.
        """
        try:
            answer = self._sagemaker.stop_inference_experiment(**request)
        except (ClientError, BotoCoreError) as error:
            raise _told_apart(error) from error
        return str(answer.get("InferenceExperimentArn", ""))

    def stack(self, stack_id: str) -> Stack:
        """A stack as CloudFormation describes it.

        Raises:
            AwsError: The call failed.
        """
        answer = self._ask(lambda: self._cloudformation.describe_stacks(StackName=stack_id))
        found = answer["Stacks"][0]
        return Stack(stack_id, str(found["StackStatus"]), str(found.get("ParentId") or ""))

    def event_pages(self, stack_id: str) -> Iterator[list[StackEvent]]:
        """A stack's events, newest first, a page at a time.

        Raises:
            AwsError: A call failed.
        """
        token: dict[str, str] = {}
        while True:
            answer = self._ask(
                partial(self._cloudformation.describe_stack_events, StackName=stack_id, **token)
            )
            yield [read_event(event) for event in answer["StackEvents"]]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def holders(self, request: Request) -> tuple[str, ...]:
        """Logical ids of the resources with this physical id that are not being deleted.

        Raises:
            AwsError: A call failed.
        """
        paginator = self._cloudformation.get_paginator("list_stack_resources")
        resources = self._ask(
            lambda: [
                resource
                for page in paginator.paginate(StackName=request.stack_id)
                for resource in page["StackResourceSummaries"]
            ]
        )
        return tuple(
            resource["LogicalResourceId"]
            for resource in resources
            if str(resource.get("PhysicalResourceId")).lower() == request.physical_id.lower()
            and not resource["ResourceStatus"].startswith("DELETE_")
        )

    def evidence(self, question: Question) -> Measured:
        """What CloudWatch measured, and the states of alarms.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

        Raises:
            AwsError: A call failed, or CloudWatch did not read everything.
        """
        series: dict[Query, dict[float, float]] = {query: {} for query in question.queries}
        # At most 28 queries; one call may have 500.
        queries = {f"q{index}": query for index, query in enumerate(series)}
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate
        for period in {query.period for query in series}:
            stats = [
                {"Id": name, "MetricStat": _metric_stat(question.endpoint_name, query)}
                for name, query in queries.items()
                if query.period == period
            ]
            begin = -(-question.begin // period) * period
            end = question.end // period * period
            if begin >= end:
                continue
            statuses = {str(stat["Id"]): "missing" for stat in stats}
            read = partial(_all, pages, MetricDataQueries=stats, StartTime=begin, EndTime=end)
            for page in self._ask(read):
                for result in page["MetricDataResults"]:
                    statuses[result["Id"]] = result.get("StatusCode")
                    times = (at.timestamp() for at in result["Timestamps"])
                    series[queries[result["Id"]]].update(zip(times, result["Values"], strict=True))
            for name, status in statuses.items():
                if status != "Complete":
                    why = f"GetMetricData: {queries[name]} is {status}"
                    raise AwsError(why, is_transient=True)
        return Measured(series, self._alarm_states(question.alarms))

    def _alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        """Read composite alarms last: they need a permission for all alarms."""
        states: dict[str, str] = {}
        for kind in ("MetricAlarm", "CompositeAlarm"):
            rest = [name for name in names if name not in states]
            if rest:
                ask = partial(self._cloudwatch.describe_alarms, AlarmNames=rest, AlarmTypes=[kind])
                found = self._ask(ask).get(f"{kind}s", [])
                states |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
        return states

    @staticmethod
    def _ask(call: Callable[[], Any]) -> Any:  # noqa: ANN401
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            raise as_aws_error(error) from error

    @cached_property
    def _sagemaker(self) -> Any:  # noqa: ANN401
        return client("sagemaker", self._session)

    @cached_property
    def _cloudformation(self) -> Any:  # noqa: ANN401
        return client("cloudformation", self._session)

    @cached_property
    def _cloudwatch(self) -> Any:  # noqa: ANN401
        return client("cloudwatch", self._session)


def _found(describe: Callable[[], Mapping[str, object]]) -> Mapping[str, object] | None:
    """SageMaker's answer; None if the resource does not exist."""
    try:
        return describe()
    except (ClientError, BotoCoreError) as error:
        told_apart = _told_apart(error)
        if isinstance(told_apart, ExperimentGone):
            return None
        raise told_apart from error


def _all(pages: Callable[..., Iterable[Any]], **request: object) -> list[Any]:
    return [*pages(**request)]


def _metric_stat(endpoint_name: str, query: Query) -> dict[str, object]:
    dimensions = {"EndpointName": endpoint_name, "VariantName": query.variant}
    metric = {
        "Namespace": "AWS/SageMaker",
        "MetricName": query.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    return {"Metric": metric, "Period": query.period, "Stat": query.statistic}


def _told_apart(error: ClientError | BotoCoreError) -> Exception:
    """The exception for a failed SageMaker call about an experiment."""
    if isinstance(error, ClientError):
        code, message = _code(error), _message(error).lower()
        if code == "ConflictException":
            return NotNow(_message(error), was_repeated=_was_repeated(error))
        # Older SageMaker calls report a missing resource as a ValidationException.
        if code in ("ResourceNotFound", "ResourceNotFoundException") or (
            code == "ValidationException" and any(words in message for words in _GONE_WORDS)
        ):
            return ExperimentGone(_message(error))
    return as_aws_error(error)


def as_aws_error(error: ClientError | BotoCoreError) -> AwsError:
    """The exception for any failed call."""
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


def read_experiment(answer: Mapping[str, object]) -> Experiment:
    """Read the answer of DescribeInferenceExperiment as botocore parses it."""
    endpoint = _mapping(answer.get("EndpointMetadata"))
    schedule = _mapping(answer.get("Schedule"))
    shadow_mode = _mapping(answer.get("ShadowModeConfig"))
    shadows = _mappings(shadow_mode.get("ShadowModelVariants"))
    share = shadows[0].get("SamplingPercentage") if shadows else None
    return Experiment(
        arn=str(answer["Arn"]),
        name=str(answer["Name"]),
        status=str(answer["Status"]),
        status_reason=str(answer.get("StatusReason") or ""),
        created=_seconds(answer.get("CreationTime")),
        scheduled_start=_seconds(schedule.get("StartTime")),
        scheduled_end=_seconds(schedule.get("EndTime")),
        completion_time=_seconds(answer.get("CompletionTime")),
        endpoint_name=str(endpoint.get("EndpointName") or ""),
        endpoint_config_name=str(endpoint.get("EndpointConfigName") or ""),
        endpoint_status=str(endpoint.get("EndpointStatus") or ""),
        endpoint_failure=str(endpoint.get("FailureReason") or ""),
        variants={
            str(variant.get("VariantName")): str(variant.get("Status") or "")
            for variant in _mappings(answer.get("ModelVariants"))
        },
        configured={
            str(variant.get("VariantName")): {member: variant.get(member) for member in _CONFIGURED}
            for variant in _mappings(answer.get("ModelVariants"))
        },
        production=str(shadow_mode.get("SourceModelVariantName") or ""),
        shadows=tuple(str(shadow.get("ShadowModelVariantName")) for shadow in shadows),
        sampling=float(share) if isinstance(share, int | float) else None,
    )


def read_endpoint(answer: Mapping[str, object]) -> Endpoint:
    """Read the answer of DescribeEndpoint as botocore parses it."""
    variants = (
        variant
        for kind in ("ProductionVariants", "ShadowProductionVariants")
        for variant in _mappings(answer.get(kind))
    )
    return Endpoint(
        {
            str(variant.get("VariantName")): count
            for variant in variants
            if isinstance(count := variant.get("CurrentInstanceCount"), int)
            and not variant.get("CurrentServerlessConfig")
        }
    )


def read_event(event: Mapping[str, object]) -> StackEvent:
    """Read one event of DescribeStackEvents' answer."""
    return StackEvent(
        at=_seconds(event.get("Timestamp")) or 0.0,
        logical_id=str(event.get("LogicalResourceId") or ""),
        physical_id=str(event.get("PhysicalResourceId") or ""),
        status=str(event.get("ResourceStatus") or ""),
        properties=str(event.get("ResourceProperties") or ""),
    )


def _seconds(value: object) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [_mapping(member) for member in value] if isinstance(value, list) else []
