"""SageMaker's inference experiments: describe and stop, on a clock.

Stop is accepted from Running, and from Created unless a test says otherwise; from any other status
it is a ConflictException. SageMaker does not document more, and the handler depends on no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

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
BEGINNING = ("Creating", "Starting", "Updating")
STOPPABLE = ("Created", "Running")
BY_HAND = "Stopped by a person"
UNEXPECTED = "An unexpected error occurred while the endpoint was updated"
ON_SCHEDULE = "The inference experiment has reached the end of its schedule"
UPDATE_FAILED = "The endpoint could not be updated: no capacity"
WEEK_SECONDS = 7 * 86_400.0
NEVER = float("inf")
NAME_OF_ENDPOINT = "fraud-shadow-endpoint"


def arn_of(name: str) -> str:
    """The ARN of an experiment of the world's account."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:inference-experiment/{name}"


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
        starts_at: When a Created experiment starts.
        refuses_created: Stop is a ConflictException until it has started.
        shows_as_cancelled: After a Stop it is Cancelled, with the Stop's reason.
        failure: The endpoint's FailureReason; the endpoint can be InService anyway.
        ended_as: The actions of a Stop that ended it before the history.
        stop_fails_update: A Stop leaves a FailureReason on an endpoint that is InService.
        running: The instances that a variant runs, if autoscaling has changed them; None if
            DescribeEndpoint does not give a count.
    """

    name: str
    status: str
    pace: Pace
    now: Callable[[], float]
    variants: tuple[str, ...] = ("production", "shadow")
    shadow: str = "shadow"
    endpoint_after: str = "InService"
    reason: str = ""
    stopped_at: float = -NEVER
    modified_at: float = 0.0
    ends_at: float = NEVER
    end: str = "Completed"
    settled_at: float = NEVER
    begins_at: float = NEVER
    before_stop: str = ""
    stops: list[Members] = field(default_factory=list)
    starts_at: float = NEVER
    refuses_created: bool = False
    shows_as_cancelled: bool = False
    failure: str = ""
    stop_fails_update: bool = False
    ended_as: Members = field(default_factory=dict)
    running: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._scheduled_at = self.now() + (86_400 if self.status == "Created" else -86_400)
        self.modified_at = self.now() - 60
        if self.status in BEGINNING:
            self.begins_at = self.now() + self.pace.begin
        if self.status == "Stopping":
            self.reason = self.reason or BY_HAND
            self.before_stop = "Running"
            self.ends_at = self.now() + self.pace.stop
        if self.status in ENDED:
            self.reason = self.reason or BY_HAND
            self.ends_at, self.end = self.now() - 3600, self.status
            self.settled_at = self.now() - 3000

    @property
    def true_status(self) -> str:
        """The status now."""
        if self.now() >= self.ends_at:
            return self.end
        if self.status == "Created" and self.now() >= self.starts_at:
            self.status, self.begins_at = "Starting", self.starts_at + self.pace.begin
        if self.now() >= self.begins_at:
            self.status = "Created" if self.status == "Creating" else "Running"
            self.begins_at = NEVER
        return self.status

    @property
    def endpoint_name(self) -> str:
        """The endpoint that it runs on."""
        return f"{self.name}-endpoint"

    @property
    def has_ended(self) -> bool:
        """Whether the status is final."""
        return self.true_status in ENDED

    @property
    def is_settled(self) -> bool:
        """Whether its endpoint has settled."""
        return self.has_ended and self.now() >= self._settles_at

    def was_settled_at(self, when: float) -> bool:
        """Whether it had ended and its endpoint had settled at that time."""
        return self._settles_at <= when

    @property
    def _settles_at(self) -> float:
        return self.ends_at + self.pace.settle if self.settled_at == NEVER else self.settled_at

    def conclude(self, status: str, reason: str | None = None) -> None:
        """End it now, whoever ordered it."""
        if self.has_ended:
            return
        if self.true_status != "Stopping":
            self.reason = BY_HAND
        self.reason = self.reason if reason is None else reason
        self.end, self.ends_at = status, self.now()

    def stop(self, request: Members) -> None:
        """Order the end.

        Raises:
            Refused: ConflictException, or ValidationException for a variant that it does not have.
        """
        status = self.true_status
        if status not in STOPPABLE or (status == "Created" and self.refuses_created):
            raise Refused("ConflictException", f"Inference experiment is in status {status}")
        unknown = sorted(set(request["ModelVariantActions"]) - set(self.variants))
        if unknown:
            raise Refused("ValidationException", f"There is no variant {', '.join(unknown)}")
        self.stops.append(request)
        self.before_stop, self.status = status, "Stopping"
        self.reason = str(request.get("Reason", ""))
        self.stopped_at = self.modified_at = self.now()
        self.end = str(request.get("DesiredState", "Completed"))
        if self.shows_as_cancelled:
            self.end = "Cancelled"
        self.ends_at = self.now() + self.pace.stop

    def describe(self) -> dict[str, Any]:
        """The answer of DescribeInferenceExperiment."""
        lagging = self.now() < self.stopped_at + self.pace.lag
        status = self.before_stop if lagging else self.true_status
        in_flux = status in ("Stopping", "Creating", "Updating", "Starting") or (
            self.has_ended and not self.is_settled
        )
        settled = self.endpoint_after if self.has_ended else "InService"
        ended = status in ENDED
        start = min(self.starts_at, self._scheduled_at)
        answer: dict[str, Any] = {
            "Arn": arn_of(self.name),
            "Name": self.name,
            "Type": "ShadowMode",
            "Schedule": {"StartTime": start, "EndTime": start + WEEK_SECONDS},
            "Status": status,
            "EndpointMetadata": {
                "EndpointName": self.endpoint_name,
                "EndpointConfigName": f"{self.name}-{'after' if ended else 'before'}",
                "EndpointStatus": "Updating" if in_flux and not lagging else settled,
            },
            "ModelVariants": [
                {
                    "ModelName": f"model-{name}",
                    "VariantName": name,
                    "InfrastructureConfig": {
                        "InfrastructureType": "RealTimeInference",
                        "RealTimeInferenceConfig": _INSTANCES,
                    },
                    "Status": self._variant_status(name, status),
                }
                for name in self.variants
            ],
            "ShadowModeConfig": {
                "SourceModelVariantName": self.variants[0],
                "ShadowModelVariants": [
                    {"ShadowModelVariantName": self.shadow, "SamplingPercentage": 50}
                ],
            },
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/experiment",
        }
        failure = self.failure or (UPDATE_FAILED if ended and self._has_failed_update else "")
        if failure:
            answer["EndpointMetadata"]["FailureReason"] = failure
        if self.reason and not lagging:
            answer["StatusReason"] = self.reason
        if not lagging:
            answer["LastModifiedTime"] = self.ends_at if self.has_ended else self.modified_at
        if self.has_ended and not lagging:
            answer["CompletionTime"] = self.ends_at
        return answer

    def describe_endpoint(self) -> dict[str, Any]:
        """The answer of DescribeEndpoint: the experiment's endpoint is its own."""
        told = self.describe()["EndpointMetadata"]
        variants = {name: self._running(name) for name in self.variants}
        shadow = variants.pop(self.shadow, None)
        return {
            "EndpointName": told["EndpointName"],
            "EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{told['EndpointName']}",
            "EndpointStatus": told["EndpointStatus"],
            "CreationTime": 0,
            "LastModifiedTime": 0,
            "ProductionVariants": list(variants.values()),
            "ShadowProductionVariants": [shadow] if shadow else [],
        }

    def _running(self, name: str) -> dict[str, Any]:
        count = self.running.get(name, _INSTANCES["InstanceCount"])
        counts = ("CurrentInstanceCount", "DesiredInstanceCount")
        return {"VariantName": name, **({} if count is None else dict.fromkeys(counts, count))}

    @property
    def _has_failed_update(self) -> bool:
        return self.stop_fails_update and bool(self.stops)

    def _variant_status(self, name: str, status: str) -> str:
        if status not in ENDED:
            return "Updating" if status == "Stopping" else "InService"
        actions = self.ended_as or {self.shadow: "Remove"}
        if self.stops:
            actions = self.stops[0]["ModelVariantActions"]
        if not self.is_settled:
            return "Updating"
        return "Deleted" if actions.get(name) == "Remove" else "InService"


_INSTANCES: dict[str, Any] = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}


class SageMaker:
    """The experiments of the world's account."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.experiments: dict[str, Experiment] = {}
        self._now = now

    def add(self, name: str, status: str, pace: Pace | None = None) -> Experiment:
        """Add an experiment in a status."""
        experiment = Experiment(name, status, pace or Pace(), self._now)
        self.experiments[name] = experiment
        return experiment

    def describe_inference_experiment(self, request: Members) -> Members:
        """The API's operation."""
        return self._find(request).describe()

    def stop_inference_experiment(self, request: Members) -> Members:
        """The API's operation."""
        self._find(request).stop(request)
        return {"InferenceExperimentArn": arn_of(request["Name"])}

    def describe_endpoint(self, request: Members) -> Members:
        """The API's operation."""
        for experiment in self.experiments.values():
            if experiment.endpoint_name == request["EndpointName"]:
                return experiment.describe_endpoint()
        name = request["EndpointName"]
        raise Refused("ValidationException", f'Could not find endpoint "{name}".')

    def _find(self, request: Members) -> Experiment:
        name = request["Name"]
        if name not in self.experiments:
            raise Refused("ResourceNotFound", f"Inference experiment {name} was not found")
        return self.experiments[name]
