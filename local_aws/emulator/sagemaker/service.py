"""SageMaker's JSON 1.1 protocol: one call in, one answer out.

It is independent of ministack, and can be used on its own.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from local_aws.emulator.sagemaker import endpoints, experiments, stopping, tags
from local_aws.emulator.sagemaker.arns import Scope
from local_aws.emulator.sagemaker.errors import ApiError
from local_aws.emulator.sagemaker.records import Fault, Faults, Record
from local_aws.emulator.sagemaker.state import Endpoint, State
from local_aws.emulator.sagemaker.validation import check_request, service_model
from local_aws.settings import Settings

__all__ = ["TARGET_PREFIX", "Answer", "SageMaker"]

TARGET_PREFIX = "SageMaker."
_ARN = "arn:aws:sagemaker:"
Method = TypeVar("Method", bound=Callable[..., Any])
PassedOn: TypeAlias = Any  # Arguments that are only passed on.
Value: TypeAlias = Any  # Any JSON value.

Operation = Callable[[State, Scope, dict[str, Any], float], dict[str, Any]]
_OPERATIONS: dict[str, Operation] = {
    **endpoints.OPERATIONS,
    **experiments.OPERATIONS,
    **stopping.OPERATIONS,
    **tags.OPERATIONS,
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and its delay."""

    status: int
    body: bytes
    delay_seconds: float = 0.0


def _locked(method: Method) -> Method:
    """Let one thread at a time carry out a method."""

    @functools.wraps(method)
    def locked(self: SageMaker, *args: PassedOn, **more: PassedOn) -> PassedOn:
        with self._lock:
            return method(self, *args, **more)

    return cast("Method", locked)


class SageMaker:
    """The service: its state, its clock, the received calls and the pending faults."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Start without any resource.

        Args:
            settings: Durations and choices; ``configure`` changes them later.
            clock: The time in seconds since the epoch. Default: real time.
        """
        self._clock = clock
        self._settings = settings
        self._on_endpoint_change: Callable[[Endpoint], object] | None = None
        # Calls come from the event loop, from stacks' threads and from the pump of events.
        self._lock = threading.RLock()
        self.reset()

    def watch_endpoints(self, on_change: Callable[[Endpoint], object]) -> None:
        """Call a function with every endpoint whose status changes, from now on."""
        self._on_endpoint_change = self.state.on_endpoint_change = on_change

    @_locked
    def advance(self) -> None:
        """Let everything happen that is due by now."""
        self.state.timeline.advance(self._clock())

    def reset(self) -> None:
        """Delete every resource, call and fault; keep the settings."""
        self.state = State(self._settings, on_endpoint_change=self._on_endpoint_change)
        self.calls: list[Record] = []
        self.faults = Faults()

    def configure(self, settings: Settings) -> None:
        """Change durations and choices; steps in progress keep their times."""
        self._settings = self.state.settings = settings

    def call(self, operation: str, body: bytes, scope: Scope) -> Answer:
        """Answer one call.

        Args:
            operation: The part after ``SageMaker.`` in the ``X-Amz-Target`` header.
            body: The request as sent.
            scope: The region and account it was signed for.
        """
        fault = self.faults.take(operation, self._clock())
        delay = fault.delay_seconds if fault else 0.0
        request: dict[str, Any] = {}
        try:
            request = parse(body)
            if fault and (error := fault.error()):
                raise error
            answer = self.perform(operation, request, scope)
        except ApiError as error:
            self.record(operation, request, scope, error.code)
            return Answer(error.http_status, json.dumps(error.to_json()).encode(), delay)
        self.record(operation, request, scope, None)
        # An operation without an output shape has no body in its answer.
        has_output = service_model().operation_model(operation).output_shape is not None
        return Answer(200, json.dumps(answer).encode() if has_output else b"", delay)

    @_locked
    def perform(self, operation: str, request: dict[str, Any], scope: Scope) -> dict[str, Any]:
        """Carry out an operation, without the protocol, the faults and the log around it.

        Raises:
            ApiError: The request is invalid, or refused.
        """
        perform = _OPERATIONS.get(operation)
        if perform is None:
            text = f"The local AWS has no SageMaker operation {operation}."
            raise ApiError("UnknownOperationException", text)
        check_request(operation, request)
        now = self._clock()
        self.state.timeline.advance(now)
        answer = perform(self.state, scope, request, now)
        return _with_lower_arns(answer) if self._settings.lower_case_arns else answer

    @_locked
    def end_experiment(self, name: str, status: str, reason: str | None) -> None:
        """End an experiment now, but not by a Stop.

        Raises:
            ApiError: There is no such experiment.
            ValueError: The status is not a final one.
        """
        if status not in ("Completed", "Cancelled"):
            raise ValueError(f"'status' must be Completed or Cancelled, got {status!r}")
        now = self._clock()
        self.state.timeline.advance(now)
        experiment = self.state.experiment(name, name)
        stopping.end_at_once(self.state, experiment, status, reason, now)

    def order_fault(self, fault: Fault) -> None:
        """Add a fault for future calls."""
        self.faults.add(fault, self._clock())

    @_locked
    def end_endpoint_in(self, name: str, status: str, reason: str | None) -> None:
        """Set an endpoint to a final status now, whatever it was doing.

        Raises:
            ApiError: There is no such endpoint.
        """
        now = self._clock()
        self.state.timeline.advance(now)
        endpoint = self.state.endpoint(name, name)
        self.state.timeline.cancel(f"endpoint/{name}")
        endpoint.status, endpoint.failure_reason, endpoint.modified = status, reason, now
        self.state.tell_of(endpoint)

    @_locked
    def fail_endpoint_update(self, name: str, status: str, reason: str) -> None:
        """Make the next update of an endpoint fail: it keeps its variants, with a FailureReason.

        Raises:
            ApiError: There is no such endpoint.
        """
        self.state.timeline.advance(self._clock())
        self.state.endpoint(name, name).next_failure = (status, reason)

    @_locked
    def scale_variant(self, name: str, variant: str, current: int, desired: int) -> None:
        """Make a variant run another number of instances than configured, like autoscaling.

        Raises:
            ApiError: There is no such endpoint.
            ValueError: The endpoint does not serve such a variant.
        """
        self.state.timeline.advance(self._clock())
        endpoint = self.state.endpoint(name, name)
        served = [item.name for item in (*endpoint.production, *endpoint.shadow)]
        if variant not in served:
            raise ValueError(f"endpoint {name!r} serves the variants {served}, not {variant!r}")
        endpoint.counts[variant] = (current, desired)

    @_locked
    def backdate_experiments(self, endpoint: str, since: float) -> None:
        """Set the start of the experiments on an endpoint, unless they started earlier."""
        self.state.timeline.advance(self._clock())
        for experiment in self.state.experiments.values():
            if experiment.endpoint_name == endpoint:
                begun = min(experiment.request["Schedule"]["StartTime"], since)
                experiment.created = min(experiment.created, since)
                experiment.request["Schedule"] = {
                    **experiment.request["Schedule"],
                    "StartTime": begun,
                }

    def record(
        self, operation: str, request: dict[str, Any], scope: Scope, error_code: str | None
    ) -> None:
        """Add a call to the log; IAM's denials never reach ``call``, so they are added here."""
        self.calls.append(Record(operation, request, self._clock(), scope.region, error_code))


def _with_lower_arns(value: Value) -> Value:
    """Return an answer whose ARNs of SageMaker's resources are in lower case."""
    if isinstance(value, dict):
        return {key: _with_lower_arns(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_lower_arns(item) for item in value]
    return value.lower() if str(value).startswith(_ARN) else value


def parse(body: bytes) -> dict[str, Any]:
    """Return the request in a body.

    Raises:
        ApiError: SerializationException if it is not a JSON object.
    """
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "The request body is not a JSON object.")
    return request
