"""Adds SageMaker's metrics to ministack's CloudWatch, and alarms on them.

ministack's own alarms ignore a metric's dimensions and never go back to INSUFFICIENT_DATA. Here
they are evaluated on every call of CloudWatch.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, TypeAlias

from ministack import app as ministack_app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch

from local_aws.emulator.clock import Clock
from local_aws.emulator.cloudwatch import Metrics, Traffic, alarm_state, metric_data
from local_aws.emulator.cloudwatch.metrics import NAMESPACE
from local_aws.emulator.cloudwatch.traffic import Samples
from local_aws.emulator.iam_requests import json_object
from local_aws.emulator.sagemaker import SageMaker, Scope
from local_aws.settings import Settings

__all__ = ["CloudWatch", "install"]

PassedOn: TypeAlias = Any  # Arguments that are only passed on.
Json = dict[str, Any]
HttpAnswer = tuple[int, dict[str, str], bytes]

_TARGET_PREFIX = "GraniteServiceVersion20100801."
_ALARMS = "DescribeAlarms"
_SEPARATOR = " "


class CloudWatch:
    """CloudWatch for endpoints: metrics, alarms, and faults."""

    def __init__(self, settings: Settings, clock: Clock, sagemaker: SageMaker) -> None:
        """Start without any traffic.

        Args:
            settings: How late metrics are visible, and the page size.
            clock: The local AWS's clock.
            sagemaker: Has the pending faults and the log of calls.
        """
        self._settings = settings
        self._clock = clock
        self._sagemaker = sagemaker
        self.metrics = Metrics()
        self._others = ministack_app.SERVICE_HANDLERS["monitoring"]
        self._empty = cloudwatch.reset

    def configure(self, settings: Settings) -> None:
        """Change how late metrics are visible, and the page size."""
        self._settings = settings

    def reset(self) -> None:
        """Reset together with ministack."""
        self.metrics = Metrics()
        self._empty()

    def tell(self, endpoint: str, traffic: dict[str, Json], hours: float) -> None:
        """Give an endpoint's variants traffic, including some past hours.

        The experiments on the endpoint have started at least as long ago.

        Raises:
            ValueError: The traffic is invalid.
        """
        since = (self._clock.now() - hours * 3600) // 60 * 60
        for variant, told in traffic.items():
            self.metrics.tell(endpoint, variant, Traffic.read(told), since)
        self._sagemaker.backdate_experiments(endpoint, since)

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: PassedOn
    ) -> HttpAnswer:
        """Answer a request that IAM has allowed."""
        self._evaluate_alarms()
        operation = headers.get("x-amz-target", "").removeprefix(_TARGET_PREFIX)
        fault = self._sagemaker.faults.take(operation, self._clock.now())
        error = fault.error() if fault else None
        request = json_object(body)
        scope = Scope(region=get_region(), account=get_account_id())
        self._sagemaker.record(operation, request, scope, error.code if error else None)
        if fault:
            await asyncio.sleep(self._clock.real(fault.delay_seconds))
        if error:
            return _answer(error.http_status, error.to_json())
        if operation == "GetMetricData" and _has_sagemakers(request):
            answer = metric_data(
                self.metrics,
                request,
                now=self._clock.now(),
                delay=self._settings.metrics_delay_seconds,
                page_size=self._settings.metrics_page_size,
                others=_points,
            )
            return _answer(200, answer)
        theirs: HttpAnswer = await self._others(method, path, headers, body, query)
        return theirs

    def _evaluate_alarms(self) -> None:
        for alarm in cloudwatch._alarms.values():
            if not alarm.get("MetricName"):
                continue
            before, state = alarm["StateValue"], self._state(alarm)
            if state != before:
                reason = f"Threshold evaluated by the local AWS: {before} -> {state}"
                alarm["StateValue"], alarm["StateReason"] = state, reason
                alarm["StateUpdatedTimestamp"] = int(self._clock.now())
                cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
                cloudwatch._evaluate_parent_alarms(alarm)

    def _state(self, alarm: Json) -> str:
        dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])

        def measured(begin: float, end: float) -> Samples:
            if alarm["Namespace"] == NAMESPACE:
                return self.metrics.samples(alarm["MetricName"], dimensions, begin, end)
            return _points(alarm["Namespace"], alarm["MetricName"], dimensions, begin, end)

        return alarm_state(alarm, measured, self._clock.now())


def install(settings: Settings, clock: Clock, sagemaker: SageMaker) -> CloudWatch:
    """Put ours in front of ministack's CloudWatch, and return it."""
    service = CloudWatch(settings, clock, sagemaker)
    ministack_app.SERVICE_HANDLERS["monitoring"] = service.handle_request
    cloudwatch.reset = service.reset
    cloudwatch._evaluate_alarm = lambda _alarm: service._evaluate_alarms()
    _install_alarm_arns()
    return service


def _install_alarm_arns() -> None:
    """Tell IAM the alarms of a DescribeAlarms request.

    API reference, DescribeAlarms: composite alarms need a permission on all alarms.
    """
    others, evaluate = iam_actions.extract_resource_arn, iam_evaluator.evaluate

    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: PassedOn
    ) -> str:
        request = json_object(body)
        if service != "monitoring" or not headers.get("x-amz-target", "").endswith(_ALARMS):
            return str(others(service, method, path, headers, body, *rest))
        names = request.get("AlarmNames") or []
        if not names or "CompositeAlarm" in request.get("AlarmTypes", []):
            return "*"
        prefix = f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:"
        return _SEPARATOR.join(prefix + name for name in names)

    def evaluate_each(ctx: Any, *rest: PassedOn) -> Any:  # noqa: ANN401 (ministack's)
        if ctx.action != f"cloudwatch:{_ALARMS}":
            return evaluate(ctx, *rest)
        results = [
            evaluate(replace(ctx, resource_arn=arn), *rest)
            for arn in ctx.resource_arn.split(_SEPARATOR)
        ]
        return next((one for one in results if one.decision != "Allow"), results[0])

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_evaluator.evaluate = evaluate_each


def _answer(status: int, members: Json) -> HttpAnswer:
    # ministack modifies the headers.
    return status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(members).encode()


def _points(namespace: str, name: str, dimensions: Json, begin: float, end: float) -> Samples:
    """The values of a metric that somebody has put."""
    key = (namespace, name, cloudwatch._dims_key(dimensions))
    return [
        (point["Value"], point.get("Count", 1.0))
        for point in cloudwatch._metrics.get(key) or []
        if begin <= point["Timestamp"] < end
    ]


def _has_sagemakers(request: Json) -> bool:
    return any(
        query.get("MetricStat", {}).get("Metric", {}).get("Namespace") == NAMESPACE
        for query in request.get("MetricDataQueries", [])
    )
