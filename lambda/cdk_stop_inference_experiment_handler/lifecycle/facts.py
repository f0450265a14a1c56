"""The plain data around a decision: what it is made from, what it orders, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from ..contract.constraints import CANCELLED, COMPLETED
from ..contract.declaration import DEFAULT_SERVICE_TIMEOUT, Declaration

ENDED_STATUSES = frozenset({COMPLETED, CANCELLED})
BEGINNING = ("Creating", "Starting", "Updating")

UNSETTLED_ENDPOINT_STATUSES = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
FAILED_ENDPOINT_STATUSES = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})


class Unknown(Enum):
    """A fact nobody has asked AWS for yet, or AWS did not tell; a decision says if it needs it."""

    NOT_ASKED = "not asked"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Experiment:
    """What DescribeInferenceExperiment says.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeInferenceExperiment.html

    Attributes:
        completion_time: Seconds since the epoch, None while the experiment has not ended.
        last_modified: Seconds since the epoch; while it is Stopping, when that was ordered.
        shadow_variants: None where the experiment does not say which variants are shadows.
    """

    arn: str
    name: str
    status: str
    status_reason: str = ""
    completion_time: float | None = None
    last_modified: float | None = None
    endpoint_name: str = ""
    endpoint_status: str = ""
    endpoint_failure: str = ""
    variants: tuple[str, ...] = ()
    shadow_variants: tuple[str, ...] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the status is final; its endpoint may still be in flux."""
        return self.status in ENDED_STATUSES

    @property
    def is_stopping(self) -> bool:
        """Whether its end has been ordered."""
        return self.status == "Stopping"

    @property
    def is_over(self) -> bool:
        """Whether it has ended and left its endpoint in a state that another change can follow."""
        return self.has_ended and self.endpoint_status not in UNSETTLED_ENDPOINT_STATUSES

    @property
    def endpoint_has_failed(self) -> bool:
        """Whether the endpoint came to rest in a state that needs a person."""
        return self.endpoint_status in FAILED_ENDPOINT_STATUSES


class RequestType(str, Enum):
    """CloudFormation's three requests."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True)
class Request:
    """A custom resource request, read.

    Attributes:
        physical_id: None on Create.
        new: The declaration to fulfil, or the sentence that says why it cannot be read.
        old: The declaration an Update replaces; None otherwise and where it cannot be read.
        issued_at: Seconds since the epoch at which CloudFormation made the request, as far as its
            ResponseURL tells; None where it does not.
    """

    type: RequestType
    stack_id: str
    logical_id: str
    physical_id: str | None
    declared_name: str
    new: Declaration | str
    old: Declaration | None = None
    issued_at: float | None = None

    @property
    def has_attributes(self) -> bool:
        """Whether the answer's Data is read: ``Fn::GetAtt`` has no use for a deleted resource."""
        return self.type is not RequestType.DELETE

    @property
    def service_timeout(self) -> int:
        """Seconds after which CloudFormation gives up."""
        timeout = DEFAULT_SERVICE_TIMEOUT
        return timeout if isinstance(self.new, str) else min(self.new.service_timeout, timeout)

    @property
    def is_for_another_experiment(self) -> bool:
        """Whether an Update names another experiment than the resource had."""
        return (
            isinstance(self.new, Declaration)
            and self.old is not None
            and self.new.name != self.old.name
        )

    @property
    def holds_its_experiment(self) -> bool:
        """Whether the physical id is the ARN of the declared experiment.

        CloudFormation also deletes resources whose Create failed or was cancelled, under ids that
        the handler marked or that CloudFormation made up. Names are compared without case:
        AWS does not document whether ARNs keep it.
        """
        head, _, name = (self.physical_id or "").partition(":inference-experiment/")
        service = head.split(":")[2:3]
        return service == ["sagemaker"] and name.lower() == self.declared_name.lower()


@dataclass(frozen=True)
class Case:
    """Everything one decision rests on.

    Attributes:
        experiment: None where SageMaker knows no such experiment.
        stack_status: CloudFormation's status of the stack.
        other_holders: Logical ids of other resources of the stack with the same physical id.
        stop_tried: A Stop was called for this very request and may have been accepted.
        stop_sent: It was accepted, as far as SageMaker told.
        seen_unfinished: This very request saw the experiment before its end.
        older_stop: It saw it Stopping by an order from before the request, for the same reason.
    """

    request: Request
    experiment: Experiment | Unknown | None = Unknown.NOT_ASKED
    stack_status: str | Unknown = Unknown.NOT_ASKED
    other_holders: tuple[str, ...] | Unknown = Unknown.NOT_ASKED
    stop_tried: bool = False
    stop_sent: bool = False
    seen_unfinished: bool = False
    older_stop: bool = False


class Verb(Enum):
    """The handful of things a decision can order."""

    LOOK_AT_EXPERIMENT = "look at the experiment"
    LOOK_AT_STACK = "look at the stack's status"
    LOOK_AT_RESOURCES = "look at the stack's resources"
    STOP = "stop"
    WAIT = "wait"
    SUCCEED = "succeed"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """What to do and why.

    Attributes:
        warn: A person should see it although the request succeeds.
    """

    verb: Verb
    why: str = ""
    warn: bool = False


LOOK_AT_EXPERIMENT = Decision(Verb.LOOK_AT_EXPERIMENT)
LOOK_AT_STACK = Decision(Verb.LOOK_AT_STACK)
LOOK_AT_RESOURCES = Decision(Verb.LOOK_AT_RESOURCES)


def succeed(why: str, *, warn: bool = False) -> Decision:
    """Answer SUCCESS."""
    return Decision(Verb.SUCCEED, why, warn)


def fail(why: str) -> Decision:
    """Answer FAILED."""
    return Decision(Verb.FAIL, why)


@dataclass(frozen=True)
class Answer:
    """What to tell CloudFormation.

    Attributes:
        experiment: As last seen; None where it does not exist or could not be looked at.
        stopped_by_this_resource: Its end was ordered by this resource, now or earlier.
    """

    succeeded: bool
    why: str
    experiment: Experiment | None = None
    stopped_by_this_resource: bool = False


def read_experiment(answer: Mapping[str, object]) -> Experiment:
    """Read the answer of DescribeInferenceExperiment as botocore parses it."""
    endpoint = _mapping(answer.get("EndpointMetadata"))
    shadow_mode = _mapping(answer.get("ShadowModeConfig"))
    shadows = _names(shadow_mode.get("ShadowModelVariants"), "ShadowModelVariantName")
    return Experiment(
        arn=str(answer["Arn"]),
        name=str(answer["Name"]),
        status=str(answer["Status"]),
        status_reason=str(answer.get("StatusReason") or ""),
        completion_time=_seconds(answer.get("CompletionTime")),
        last_modified=_seconds(answer.get("LastModifiedTime")),
        endpoint_name=str(endpoint.get("EndpointName") or ""),
        endpoint_status=str(endpoint.get("EndpointStatus") or ""),
        endpoint_failure=str(endpoint.get("FailureReason") or ""),
        variants=_names(answer.get("ModelVariants"), "VariantName"),
        shadow_variants=shadows or None,
    )


def _seconds(value: object) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _names(members: object, key: str) -> tuple[str, ...]:
    if not isinstance(members, list):
        return ()
    return tuple(str(_mapping(member).get(key)) for member in members)
