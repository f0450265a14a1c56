"""The function's AWS calls, one attempt each; a failed one raises an error of :mod:`.errors`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import boto3
from botocore.config import Config

from ..contract.validation import as_mapping
from ..lifecycle.situation import (
    Description,
    Experiment,
    Measured,
    Query,
    Question,
    StackEvent,
)
from .errors import CALL_FAILED, Gone, Transient, error_of

SDK_CONFIG = Config(
    connect_timeout=5,
    read_timeout=15,
    retries={"mode": "standard", "total_max_attempts": 1},
)
"""One attempt, with timeouts: with botocore's defaults, one lost packet costs 60 s.

The function retries itself, by a new look: the SDK would send a Stop again up to 45 s after the
look that allowed it."""


def client(service: str, session: boto3.Session | None = None, attempts: int = 1) -> Any:  # noqa: ANN401
    """A client, whose type boto3 creates at run time."""
    config = SDK_CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": attempts}))
    return (session or boto3).client(service, config=config)  # type: ignore[call-overload]


_ARN = "InferenceExperimentArn"
_CONFIGURED = ("ModelName", "VariantName", "InfrastructureConfig")


class Aws:
    """The calls to SageMaker, CloudFormation and CloudWatch; clients are created on first use.

    Args:
        session: The credentials and the region. Default: those of the function.
        attempts: How often the SDK tries each call.
    """

    def __init__(self, session: boto3.Session | None = None, attempts: int = 1) -> None:
        self._session = session
        self._attempts = attempts

    def describe(self, name: str) -> Experiment | None:
        """The experiment; None if SageMaker does not know it.

        Raises:
            AwsError: The call failed.
        """
        describe = self._sagemaker.describe_inference_experiment
        try:
            return read_experiment(ask(partial(describe, Name=name), "Arn", "Name", "Status"))
        except Gone:
            return None

    def counts(self, endpoint_name: str) -> dict[str, int]:
        """The current instance count of each variant of an endpoint, shadows included.

        Variants that have no one count are left out: serverless ones, and those with instance
        pools.

        Raises:
            AwsError: The call failed.
        """
        describe = self._sagemaker.describe_endpoint
        return read_counts(ask(partial(describe, EndpointName=endpoint_name)))

    def stop(self, request: Mapping[str, object]) -> str:
        """Order the end of the experiment, which comes minutes later.

        Returns:
            The experiment's ARN, from SageMaker's response.

        Raises:
            AwsError: The call failed; if its response was lost, it may have been carried out.
        """
        stop = self._sagemaker.stop_inference_experiment
        return str(ask(partial(stop, **request), _ARN)[_ARN])

    def stack(self, stack_id: str) -> Description:
        """A stack as CloudFormation describes it.

        Raises:
            AwsError: The call failed.
        """
        describe = self._cloudformation.describe_stacks
        stacks = ask(partial(describe, StackName=stack_id), "Stacks")["Stacks"]
        if not stacks or "StackStatus" not in stacks[0]:
            raise Transient("DescribeStacks: the response has no StackStatus")
        stack = stacks[0]
        return Description(str(stack["StackStatus"]), str(stack.get("ParentId") or ""))

    def event_page(self, stack_id: str, token: str = "") -> tuple[tuple[StackEvent, ...], str]:
        """A page of a stack's events, newest first, and the token of the next; empty for the last.

        Raises:
            AwsError: The call failed.
        """
        page = {"NextToken": token} if token else {}
        describe = self._cloudformation.describe_stack_events
        response = ask(partial(describe, StackName=stack_id, **page), "StackEvents")
        return tuple(map(read_event, response["StackEvents"])), str(response.get("NextToken") or "")

    def holders(self, stack_id: str, physical_id: str) -> tuple[str, ...]:
        """Logical ids of a stack's resources with a physical id that are not being deleted.

        Raises:
            AwsError: A call failed.
        """
        paginator = self._cloudformation.get_paginator("list_stack_resources")
        read = partial(_all, paginator.paginate, StackName=stack_id)
        pages = ask(read, "StackResourceSummaries")
        return tuple(
            resource["LogicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if str(resource.get("PhysicalResourceId")).lower() == physical_id.lower()
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
            for page in ask(read, "MetricDataResults"):
                for result in page["MetricDataResults"]:
                    statuses[result["Id"]] = result.get("StatusCode")
                    times = (at.timestamp() for at in result["Timestamps"])
                    series[queries[result["Id"]]].update(zip(times, result["Values"], strict=True))
            for name, status in statuses.items():
                if status != "Complete":
                    why = f"GetMetricData: {queries[name]} is {status}"
                    raise Transient(why)
        return Measured(series, self._alarm_states(question.alarms))

    def _alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        """Read composite alarms last: they need a permission for all alarms."""
        states: dict[str, str] = {}
        for kind in ("MetricAlarm", "LogAlarm", "CompositeAlarm"):
            rest = [name for name in names if name not in states]
            if rest:
                describe = partial(
                    self._cloudwatch.describe_alarms, AlarmNames=rest, AlarmTypes=[kind]
                )
                alarms = ask(describe).get(f"{kind}s", [])
                states |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
        return states

    @cached_property
    def _sagemaker(self) -> Any:  # noqa: ANN401
        return client("sagemaker", self._session, self._attempts)

    @cached_property
    def _cloudformation(self) -> Any:  # noqa: ANN401
        return client("cloudformation", self._session, self._attempts)

    @cached_property
    def _cloudwatch(self) -> Any:  # noqa: ANN401
        return client("cloudwatch", self._session, self._attempts)


def ask(call: Callable[[], Any], *required: str) -> Any:  # noqa: ANN401
    """Make a call; its failure is one of the errors of :mod:`.errors`.

    A response, or one of its pages, that lacks a required member is not AWS's: botocore parses
    anything that JSON can be as an empty response.
    """
    try:
        response = call()
    except CALL_FAILED as error:
        raise error_of(error) from error
    for page in response if isinstance(response, list) else [response]:
        if missing := [member for member in required if member not in page]:
            why = f"the response has no {' and no '.join(missing)}"
            raise Transient(why, may_be_done=True)
    return response


def _all(pages: Callable[..., Iterable[Any]], **request: object) -> list[Any]:
    return [*pages(**request)]


def _metric_stat(endpoint_name: str, query: Query) -> dict[str, object]:
    of_variant = (("EndpointName", endpoint_name), ("VariantName", query.variant))
    dimensions = query.dimensions if query.namespace else of_variant
    metric = {
        "Namespace": query.namespace or "AWS/SageMaker",
        "MetricName": query.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
    }
    return {"Metric": metric, "Period": query.period, "Stat": query.statistic}


def read_experiment(response: Mapping[str, object]) -> Experiment:
    """Read the response of DescribeInferenceExperiment as botocore parses it."""
    endpoint = as_mapping(response.get("EndpointMetadata"))
    schedule = as_mapping(response.get("Schedule"))
    shadow_mode = as_mapping(response.get("ShadowModeConfig"))
    shadows = _mappings(shadow_mode.get("ShadowModelVariants"))
    share = shadows[0].get("SamplingPercentage") if shadows else None
    return Experiment(
        arn=str(response["Arn"]),
        name=str(response["Name"]),
        status=str(response["Status"]),
        status_reason=str(response.get("StatusReason") or ""),
        created=_seconds(response.get("CreationTime")),
        scheduled_start=_seconds(schedule.get("StartTime")),
        scheduled_end=_seconds(schedule.get("EndTime")),
        completion_time=_seconds(response.get("CompletionTime")),
        endpoint_name=str(endpoint.get("EndpointName") or ""),
        endpoint_config_name=str(endpoint.get("EndpointConfigName") or ""),
        endpoint_status=str(endpoint.get("EndpointStatus") or ""),
        endpoint_failure=str(endpoint.get("FailureReason") or ""),
        variants={
            str(variant.get("VariantName")): str(variant.get("Status") or "")
            for variant in _mappings(response.get("ModelVariants"))
        },
        configured={
            str(variant.get("VariantName")): {member: variant.get(member) for member in _CONFIGURED}
            for variant in _mappings(response.get("ModelVariants"))
        },
        production=str(shadow_mode.get("SourceModelVariantName") or ""),
        shadows=tuple(str(shadow.get("ShadowModelVariantName")) for shadow in shadows),
        sampling=float(share) if isinstance(share, int | float) else None,
    )


def read_counts(response: Mapping[str, object]) -> dict[str, int]:
    """Read the response of DescribeEndpoint as botocore parses it.

    Serverless variants and those of instance pools have no count of one instance type. The model
    that the function uses knows that they are there, not what is in them.
    """
    variants = (
        variant
        for kind in ("ProductionVariants", "ShadowProductionVariants")
        for variant in _mappings(response.get(kind))
    )
    return {
        str(variant.get("VariantName")): count
        for variant in variants
        if isinstance(count := variant.get("CurrentInstanceCount"), int)
        and variant.get("CurrentServerlessConfig") is None
        and variant.get("InstancePools") is None
    }


def read_event(event: Mapping[str, object]) -> StackEvent:
    """Read one event of a response of DescribeStackEvents."""
    return StackEvent(
        at=_seconds(event.get("Timestamp")) or 0.0,
        logical_id=str(event.get("LogicalResourceId") or ""),
        physical_id=str(event.get("PhysicalResourceId") or ""),
        status=str(event.get("ResourceStatus") or ""),
        properties=str(event.get("ResourceProperties") or ""),
        is_aside=bool(event.get("HookType"))
        or event.get("DetailedStatus") == "CONFIGURATION_COMPLETE",
        event_id=str(event.get("EventId") or ""),
    )


def _seconds(value: object) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else None


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [as_mapping(member) for member in value] if isinstance(value, list) else []
