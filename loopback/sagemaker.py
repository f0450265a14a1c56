"""SageMaker's inference experiments: the local AWS's model, on the world's clock.

This module adds answers that lag behind a Stop, and experiments that begin in any status.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws.emulator.sagemaker import ApiError, Scope
from local_aws.emulator.sagemaker import SageMaker as Service
from local_aws.emulator.sagemaker.endpoints import OPERATIONS as ENDPOINTS
from local_aws.emulator.sagemaker.experiments import OPERATIONS as EXPERIMENTS
from local_aws.emulator.sagemaker.lifecycle import begin, owner
from local_aws.emulator.sagemaker.state import Endpoint
from local_aws.emulator.sagemaker.state import Experiment as Record
from local_aws.emulator.sagemaker.stopping import end_at_once, stop
from local_aws.settings import Settings

from .clock import Clock
from .wire import ACCOUNT, REGION, Members, Refused

STATUSES = (
    "Creating",
    "Created",
    "Starting",
    "Running",
    "Updating",
    "Stopping",
    "Completed",
    "Cancelled",
)
ENDED = ("Completed", "Cancelled")
BY_HAND = "Stopped by a person"
ON_SCHEDULE = "The inference experiment has reached the end of its schedule"
UPDATE_FAILED = "The endpoint could not be updated: no capacity"
DAY_SECONDS = 86_400.0
SOON_SECONDS = 3600.0
"""Steps that are due later happen when somebody asks: a world rests in the meantime."""
NEVER = float("inf")
NAME_OF_ENDPOINT = "fraud-shadow-endpoint"

_SCOPE = Scope(REGION, ACCOUNT)
_AT_ONCE = Settings(start_seconds=0, stop_seconds=0, settle_seconds=0)
_VARIANTS = {"production": "fraud-v1", "shadow": "fraud-v2"}
_KEEPS_PRODUCTION = {
    "ModelVariantActions": {"production": "Retain", "shadow": "Remove"},
    "Reason": BY_HAND,
}


def arn_of(name: str) -> str:
    """The ARN of an experiment of the world's account."""
    return _SCOPE.arn("inference-experiment", name)


def endpoint_of(name: str) -> str:
    """The name of an experiment's endpoint."""
    return f"{name}-endpoint"


@dataclass
class Pace:
    """How long SageMaker takes.

    Attributes:
        stop: From Stop to Completed, in seconds.
        settle: From Completed to an endpoint that is InService.
        begin: From Creating, Starting or Updating to the next status.
        lag: How long a describe may still return the status before a Stop.
    """

    stop: float = 240.0
    settle: float = 8.0
    begin: float = 15.0
    lag: float = 3.0


@dataclass
class Experiment:
    """The real state of one experiment; a describe may lag behind.

    Attributes:
        stops: The Stops that SageMaker accepted.
        refuses_created: Stop is a ConflictException until it has started.
        shows_as_cancelled: After a Stop it is Cancelled, with the Stop's reason.
        endpoint_after: The status of its endpoint after it has ended.
        stop_fails_update: A Stop leaves a FailureReason on an endpoint that is InService.
        shows_in_service: A describe returns InService for every variant.
    """

    name: str
    pace: Pace
    _service: Service
    _now: Callable[[], float]
    stops: list[Members] = field(default_factory=list)
    refuses_created: bool = False
    shows_as_cancelled: bool = False
    endpoint_after: str = "InService"
    stop_fails_update: bool = False
    shows_in_service: bool = False
    _before_stop: Members = field(default_factory=dict)
    _lags_until: float = 0.0
    _running: dict[str, int | None] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether the status is final."""
        return self._record.ended

    def was_settled_at(self, when: float) -> bool:
        """Whether it had ended and its endpoint had settled at that time."""
        endpoint = self._endpoint
        return self.has_ended and endpoint.status != "Updating" and endpoint.modified <= when

    @property
    def ends_at(self) -> float:
        """When it ended; infinite if it has not."""
        ended = self._record.completed
        return NEVER if ended is None else ended

    @property
    def reason(self) -> str:
        """Its StatusReason."""
        return self._record.status_reason or ""

    @reason.setter
    def reason(self, words: str) -> None:
        self._record.status_reason = words

    @property
    def failure(self) -> str:
        """A FailureReason that its endpoint had before, and keeps."""
        return self._endpoint.lasting_failure or ""

    @failure.setter
    def failure(self, words: str) -> None:
        self._endpoint.lasting_failure = self._endpoint.failure_reason = words

    def run_instances(self, variant: str, count: int | None) -> None:
        """Run other instances than configured; None if DescribeEndpoint does not give a count."""
        self._running[variant] = count

    def describe_endpoint(self) -> Members:
        """DescribeEndpoint; autoscaling keeps its counts when an update deploys the test."""
        endpoint = self._endpoint
        scaled = {} if self.has_ended else self._running
        endpoint.counts.update({name: (n, n) for name, n in scaled.items() if n is not None})
        request = {"EndpointName": endpoint.name}
        answer = self._service.perform("DescribeEndpoint", request, _SCOPE)
        for variant in answer["ProductionVariants"]:
            if scaled.get(variant["VariantName"], 0) is None:
                del variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]
        return answer

    def start_in(self, seconds: float) -> None:
        """Start an experiment that is Created, later."""
        record, timeline, when = self._record, self._service.state.timeline, self._now() + seconds
        record.request["Schedule"] = _schedule(when)
        timeline.cancel(owner(record))
        timeline.at(when, owner(record), lambda at: begin(self._service.state, record, at))

    def conclude(self, status: str, reason: str | None = None) -> None:
        """End it now; without a reason, as the Stop in progress would end it."""
        record, now = self._record, self._now()
        if record.ended:
            return
        self._prepare()
        if reason is None and record.status == "Stopping":
            self._service.state.timeline.bring_forward(owner(record), now)
        else:
            end_at_once(self._service.state, record, status, reason or BY_HAND, now)
        self._service.state.settle(self._endpoint, now + self.pace.settle)

    def stop(self, request: Members) -> Members:
        """StopInferenceExperiment."""
        before = self.describe()
        self._prepare()
        answer = self._service.perform("StopInferenceExperiment", dict(request), _SCOPE)
        self.stops.append(request)
        self._before_stop, self._lags_until = before, self._now() + self.pace.lag
        return answer

    def describe(self) -> Members:
        """DescribeInferenceExperiment."""
        if self._now() < self._lags_until:
            return self._before_stop
        name = {"Name": self.name}
        answer = self._service.perform("DescribeInferenceExperiment", name, _SCOPE)
        if self.shows_in_service:
            for variant in answer["ModelVariants"]:
                variant["Status"] = "InService"
        return answer

    def place(
        self, status: str, by: Members, ended_seconds_ago: float, *, is_new: bool = False
    ) -> None:
        """Bring it into a status, which may be unknown to SageMaker.

        Past steps take no time; the step in progress takes as long as the pace says.
        """
        now, state = self._now(), self._service.state
        state.own_settings[self.name] = _AT_ONCE
        past = now if is_new and status not in ENDED else now - DAY_SECONDS
        _deploy(self._service, self.name, past - DAY_SECONDS)
        if status == "Creating":
            self._prepare()
        begun = status not in ("Creating", "Created", "Starting")
        request = _creation(self.name, past if begun else now + DAY_SECONDS)
        EXPERIMENTS["CreateInferenceExperiment"](
            state, _SCOPE, request, now if status == "Creating" else past
        )
        state.timeline.advance(past)
        if status in ENDED:
            self._stop_in_the_past({**by, "DesiredState": status}, now - ended_seconds_ago)
        self._prepare()
        if status == "Starting":
            EXPERIMENTS["StartInferenceExperiment"](state, _SCOPE, {"Name": self.name}, now)
        elif status == "Updating":
            EXPERIMENTS["UpdateInferenceExperiment"](state, _SCOPE, {"Name": self.name}, now)
        elif status == "Stopping":
            stop(state, _SCOPE, {"Name": self.name, **by}, now)
        elif status not in STATUSES:
            self._record.status = status

    def _stop_in_the_past(self, request: Members, at: float) -> None:
        state = self._service.state
        stop(state, _SCOPE, {"Name": self.name, **request}, at)
        state.timeline.advance(at)
        state.settle(self._endpoint, at + self.pace.settle)

    def _prepare(self) -> None:
        """Apply the attributes to the model."""
        self._service.state.own_settings[self.name] = Settings(
            start_seconds=self.pace.begin,
            stop_seconds=self.pace.stop,
            settle_seconds=self.pace.settle,
            stop_accepted_from=("Running",) if self.refuses_created else ("Created", "Running"),
            stop_shows_as_cancelled=self.shows_as_cancelled,
        )
        if self.stop_fails_update:
            self._endpoint.next_failure = ("InService", UPDATE_FAILED)
        elif self.endpoint_after != "InService":
            self._endpoint.next_failure = (self.endpoint_after, "")

    @property
    def _record(self) -> Record:
        self._service.state.timeline.advance(self._now())
        return self._service.state.experiments[self.name]

    @property
    def _endpoint(self) -> Endpoint:
        self._service.state.timeline.advance(self._now())
        return self._service.state.endpoints[endpoint_of(self.name)]


def _schedule(start: float) -> dict[str, float]:
    return {"StartTime": start, "EndTime": start + 7 * DAY_SECONDS}


def _creation(name: str, start: float) -> dict[str, Any]:
    instances = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}
    infrastructure = {
        "InfrastructureType": "RealTimeInference",
        "RealTimeInferenceConfig": instances,
    }
    return {
        "Name": name,
        "Type": "ShadowMode",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/experiment",
        "EndpointName": endpoint_of(name),
        "ModelVariants": [
            {"ModelName": model, "VariantName": variant, "InfrastructureConfig": infrastructure}
            for variant, model in _VARIANTS.items()
        ],
        "ShadowModeConfig": {
            "SourceModelVariantName": "production",
            "ShadowModelVariants": [{"ShadowModelVariantName": "shadow", "SamplingPercentage": 50}],
        },
        "Schedule": _schedule(start),
    }


def _deploy(service: Service, name: str, at: float) -> None:
    """Add an endpoint that is InService, for an experiment."""
    state, endpoint = service.state, endpoint_of(name)
    # What an experiment of this name has left behind.
    state.experiments.pop(name, None)
    state.endpoints.pop(endpoint, None)
    state.configs.pop(name, None)
    state.timeline.cancel(f"inference-experiment/{name}")
    state.timeline.cancel(f"endpoint/{endpoint}")
    for model in _VARIANTS.values():
        if model not in state.models:
            ENDPOINTS["CreateModel"](state, _SCOPE, {"ModelName": model}, at)
    variant = {
        "VariantName": "production",
        "ModelName": _VARIANTS["production"],
        "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": 2,
    }
    config = {"EndpointConfigName": name, "ProductionVariants": [variant]}
    ENDPOINTS["CreateEndpointConfig"](state, _SCOPE, config, at)
    request = {"EndpointName": endpoint, "EndpointConfigName": name}
    ENDPOINTS["CreateEndpoint"](state, _SCOPE, request, at)
    state.timeline.advance(at)


class SageMaker:
    """The experiments of the world's account.

    Attributes:
        experiments: By name. The API does not find an experiment that is removed from here.
        service: The model of the local AWS.
        on_stop: Called with every Stop that is accepted.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.on_stop: Callable[[Experiment, Members], None] = lambda _experiment, _members: None
        self.service = Service(_AT_ONCE, now)
        self._now = now
        self._begun = now()
        self._planned = 0.0
        self._is_past = False
        self._plan: Callable[[], None] = lambda: None

    def drive(self, clock: Clock, on_change: Callable[[str, str], None]) -> None:
        """Tell of each status of an endpoint at its time: the model itself only moves when asked.

        Args:
            on_change: Called with the endpoint's name and its status.
        """

        def step() -> None:
            self.service.advance()
            plan()

        def plan() -> None:
            due = self.service.state.timeline.next_due
            if due is not None and due != self._planned and due < clock.now + SOON_SECONDS:
                self._planned = due
                clock.call_at(due, step)

        def tell(endpoint: Endpoint) -> None:
            if not self._is_past:
                on_change(endpoint.name, endpoint.status)

        self.service.watch_endpoints(tell)
        self._plan = plan

    def add(
        self,
        name: str,
        status: str,
        pace: Pace | None = None,
        *,
        by: Members = _KEEPS_PRODUCTION,
        ended_seconds_ago: float = 3600.0,
    ) -> Experiment:
        """Add an experiment in a status.

        Args:
            by: The Stop that is in progress, or has ended it.
        """
        experiment = Experiment(name, pace or Pace(), self.service, self._now)
        # What an endpoint went through before has sent its events long ago. One that comes while a
        # world goes on was created now.
        self._is_past = True
        experiment.place(status, by, ended_seconds_ago, is_new=self._now() > self._begun)
        self._is_past = False
        self._plan()
        self.experiments[name] = experiment
        return experiment

    def describe_inference_experiment(self, request: Members) -> Members:
        """The API's operation."""
        return _answered(lambda: self._find(request).describe())

    def stop_inference_experiment(self, request: Members) -> Members:
        """The API's operation."""
        experiment = self._find(request)
        answer = _answered(lambda: experiment.stop(request))
        self.on_stop(experiment, request)
        self._plan()
        return answer

    def describe_endpoint(self, request: Members) -> Members:
        """The API's operation; each experiment has an endpoint."""
        name = str(request["EndpointName"]).removesuffix(endpoint_of(""))
        return _answered(lambda: self._find({"Name": name}).describe_endpoint())

    def _find(self, request: Members) -> Experiment:
        name = request["Name"]
        if name not in self.experiments:
            raise Refused("ResourceNotFound", f"Inference experiment {name} was not found")
        return self.experiments[name]


def _answered(call: Callable[[], Members]) -> Members:
    """Turn the model's errors into the world's."""
    try:
        return call()
    except ApiError as error:
        raise Refused(error.code, error.message, error.http_status) from None
