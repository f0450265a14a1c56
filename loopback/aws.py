"""The entry to the model: an HTTP request in, an HTTP response out, and a journal entry."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from .clock import Clock, Killed
from .cloudformation import CloudFormation
from .cloudwatch import CloudWatch
from .eventbridge import EventBridge
from .faults import PUT, Faults
from .function import Function
from .journal import CALL, Entry, Journal
from .journal import PUT as PUT_ENTRY
from .query import members_of, result_of
from .sagemaker import SageMaker
from .wire import (
    HttpRequest,
    HttpResponse,
    Members,
    Refused,
    json_answer,
    json_error,
    xml_answer,
    xml_error,
)

LATENCY_SECONDS = 0.04
SLOW_SECONDS = 12.0
"""A slow call reaches AWS this late, but before the client gives up."""

CALL_TIMEOUT_SECONDS = 15.0
PUT_TIMEOUT_SECONDS = 10.0
"""The settings of the handler's clients; a test compares them."""

OF_AN_ANCESTOR = " of an ancestor"

SENT_BACK = {
    "throttled": Refused("ThrottlingException", "Rate exceeded"),
    "unavailable": Refused("ServiceUnavailable", "Service is unavailable", 503),
    "denied": Refused("AccessDeniedException", "User is not authorized to perform this"),
    "refused": Refused("ValidationException", "This cannot be done now"),
}


class TimedOut(Exception):
    """The answer never came."""


class Unreachable(Exception):
    """The connection was refused or reset."""


class Aws:
    """Every service of the world behind one function.

    Attributes:
        timeout_scale: Factor for timeouts, for invocations shorter than Lambda's 15 minutes.
        is_denied: Whether the function's role lacks the permission for a call.
        sent_at: When the call that an invocation is making left it.
        latency: Seconds that an operation takes, where they are not the usual ones.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        faults: Faults,
        function: Function,
        events: EventBridge,
        sagemaker: SageMaker,
        cloudformation: CloudFormation,
        cloudwatch: CloudWatch,
    ) -> None:
        self.timeout_scale = 1.0
        self.is_denied: Callable[[str, Members], bool] = lambda _operation, _members: False
        self.sent_at: dict[int, float] = {}
        self.latency: dict[str, float] = {}
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._function = function
        self._cloudformation = cloudformation
        self._queries: dict[str, Callable[[Members], str]] = {
            "DescribeStacks": cloudformation.describe_stacks,
            "DescribeStackEvents": cloudformation.describe_stack_events,
            "ListStackResources": cloudformation.list_stack_resources,
        }
        self._operations: dict[str, Callable[[Members], Members]] = {
            "DescribeInferenceExperiment": sagemaker.describe_inference_experiment,
            "DescribeEndpoint": sagemaker.describe_endpoint,
            "StopInferenceExperiment": sagemaker.stop_inference_experiment,
            "GetMetricData": cloudwatch.get_metric_data,
            "DescribeAlarms": cloudwatch.describe_alarms,
            "PutRule": events.put_rule,
            "PutTargets": events.put_targets,
            "ListTargetsByRule": events.list_targets_by_rule,
            "RemoveTargets": events.remove_targets,
            "DeleteRule": events.delete_rule,
        }

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of the handler.

        Raises:
            TimedOut: A fault; the transport turns it into a timeout.
            Unreachable: A fault; the transport turns it into a connection error.
        """
        if request.method == "PUT":
            return self._put(request)
        operation, members = told(request)
        self.sent_at[self._function.current()] = self._clock.now
        self._clock.sleep(self.latency.get(operation, LATENCY_SECONDS))
        kind = self._faults.due(self._name(operation, members), self._clock.now)
        if kind == "slow":
            self._clock.sleep(SLOW_SECONDS)
            kind = None
        if kind is None and self.is_denied(operation, members):
            kind = "denied"
        if kind in (None, "taken", "killed"):
            response = self._carry_out(operation, members, request, is_lost=kind is not None)
        else:
            response = self._refuse(operation, kind, members, request)
        self._after(kind, CALL_TIMEOUT_SECONDS)
        return response

    def is_to_fail(self, operation: str) -> bool:
        """Whether a fault is pending for the next calls of the operation."""
        return self._faults.wait_for(operation, self._clock.now)

    def _name(self, operation: str, members: Members) -> str:
        """The name of an operation for faults and the journal; calls for parents have their own."""
        if operation in _OF_STACKS and self._cloudformation.is_ancestor(members):
            return operation + OF_AN_ANCESTOR
        return operation

    def _after(self, kind: str | None, seconds: float) -> None:
        if kind == "killed":
            raise Killed
        if kind in ("unreachable", "reset"):
            raise Unreachable
        if kind in ("lost", "taken"):
            self._clock.sleep(seconds * self.timeout_scale)
            raise TimedOut

    def _carry_out(
        self, operation: str, members: Members, request: HttpRequest, *, is_lost: bool
    ) -> HttpResponse:
        is_query = _is_query(request)
        rendered = xml_error if is_query else json_error
        try:
            if operation == "AddPermission":
                response = self._function.add_permission(request)
            elif operation == "RemovePermission":
                response = self._function.remove_permission(request)
            elif operation in self._queries:
                response = xml_answer(operation, self._queries[operation](members))
            else:
                answer = self._operations[operation](members)
                response = (
                    xml_answer(operation, result_of(operation, answer))
                    if is_query
                    else json_answer(answer)
                )
        except Refused as error:
            self._record(CALL, operation, members, f"{error.code}: {error}", is_lost=is_lost)
            return rendered(error)
        self._record(CALL, operation, members, "", is_lost=is_lost)
        return response

    def _refuse(
        self, operation: str, kind: str | None, members: Members, request: HttpRequest
    ) -> HttpResponse:
        self._record(CALL, operation, members, f"fault: {kind}")
        error = SENT_BACK.get(kind or "")
        if error is None:
            return (
                HttpResponse(503, b"upstream connect error")
                if kind == "garbled"
                else HttpResponse(500)
            )
        if not _is_query(request):
            return json_error(error)
        if kind == "denied":
            error = Refused("AccessDenied", str(error), 403)
        return xml_error(error)

    def _put(self, request: HttpRequest) -> HttpResponse:
        self._clock.sleep(LATENCY_SECONDS)
        kind = self._faults.due(PUT, self._clock.now)
        if kind in (None, "taken", "killed"):
            response = self._cloudformation.put(request)
        elif kind == "slow":
            response = HttpResponse(400, b"<Error><Code>RequestTimeout</Code></Error>")
        else:
            response = HttpResponse(403 if kind == "expired" else 500)
        detail: dict[str, Any] = {
            "body": request.body,
            "fault": kind,
            "target": request.target,
            "timeout": request.timeout,
        }
        self._record(PUT_ENTRY, str(response.status), detail, "")
        self._after(kind, PUT_TIMEOUT_SECONDS)
        return response

    def _record(
        self, kind: str, name: str, members: Members, code: str, *, is_lost: bool = False
    ) -> None:
        detail = dict(members)
        if kind == CALL:
            name = self._name(name, members)
            detail = {"request": members, "code": code, "is_lost": is_lost}
        self._journal.append(Entry(self._clock.now, kind, name, self._function.current(), detail))


_OF_STACKS = ("DescribeStacks", "DescribeStackEvents")
_OF_CLOUDWATCH = ("GetMetricData", "DescribeAlarms")


def told(request: HttpRequest) -> tuple[str, Members]:
    """The operation and its members, from any of the three protocols."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2], json.loads(request.body)
    if "/2015-03-31/functions/" in request.target:
        operation = "AddPermission" if request.method == "POST" else "RemovePermission"
        return operation, json.loads(request.body or b"{}") | {"path": request.target}
    return _of_a_query(request.body)


def _is_query(request: HttpRequest) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


@functools.lru_cache(maxsize=1000)
def _of_a_query(body: bytes) -> tuple[str, Members]:
    members = dict(parse_qsl(body.decode()))
    operation = members.pop("Action")
    return operation, members_of(operation, members) if operation in _OF_CLOUDWATCH else members
