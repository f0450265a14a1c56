"""What a decision rests on: the request, and the facts that it may ask for.

:class:`Facts` looks a fact up when a decision first asks for it. AWS is asked for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import Any, Protocol

from ..contract.constraints import CANCELLED, COMPLETED
from ..contract.declaration import Declaration
from ..contract.wire import MAX_SERVICE_TIMEOUT

STOPPABLE_STATUSES = frozenset({"Creating", "Created", "Starting", "Running", "Updating"})
ENDED_STATUSES = frozenset({COMPLETED, CANCELLED})

UNSETTLED_ENDPOINT_STATUSES = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
FAILED_ENDPOINT_STATUSES = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})


@dataclass(frozen=True)
class Experiment:
    """What DescribeInferenceExperiment says.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeInferenceExperiment.html

    Attributes:
        scheduled_start: Seconds since the epoch; None where it is not told. The end likewise.
        completion_time: Seconds since the epoch; None while the experiment has not ended.
        variants: The status of each variant by its name; empty where it is not told.
        production: The variant that serves production; empty where it is not told.
        shadows: The shadow variants; empty where they are not told.
    """

    arn: str
    name: str
    status: str
    status_reason: str = ""
    scheduled_start: float | None = None
    scheduled_end: float | None = None
    completion_time: float | None = None
    endpoint_name: str = ""
    endpoint_config_name: str = ""
    endpoint_status: str = ""
    endpoint_failure: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    production: str = ""
    shadows: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether the status is final; its endpoint may still be in flux."""
        return self.status in ENDED_STATUSES

    @property
    def is_stopping(self) -> bool:
        """Whether a stop is under way, the endpoint's update included."""
        return self.status == "Stopping" or (self.has_ended and not self.is_over)

    @property
    def is_over(self) -> bool:
        """Whether it has ended and left its endpoint in a state that another change can follow."""
        return self.has_ended and self.endpoint_status not in UNSETTLED_ENDPOINT_STATUSES


@dataclass(frozen=True)
class Stack:
    """What DescribeStacks says.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html

    Attributes:
        parent_id: The StackId of the stack that this one is nested in; empty for a root.
    """

    stack_id: str
    status: str
    parent_id: str = ""


@dataclass(frozen=True)
class StackEvent:
    """One event of DescribeStackEvents.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html

    Attributes:
        at: Seconds since the epoch.
        properties: The resource's properties as JSON; empty where there are none.
    """

    at: float
    logical_id: str
    physical_id: str
    status: str
    properties: str = ""


class RequestType(str, Enum):
    """CloudFormation's three requests."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True)
class Request:
    """A custom resource request, read.

    Attributes:
        stack_name: The stack's name, as in its id.
        physical_id: Empty on Create.
        declared_name: The experiment's name, also where the rest cannot be read.
        new: The declaration to fulfil, or the sentence that says why it cannot be read.
        old: The declaration an Update replaces; None otherwise and where it cannot be read.
        issued_at: Seconds since the epoch at which CloudFormation made the request, as far as its
            ResponseURL tells; None where it does not.
    """

    type: RequestType
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    declared_name: str
    new: Declaration | str
    old: Declaration | None = None
    issued_at: float | None = None

    @property
    def service_timeout(self) -> int:
        """Seconds after which CloudFormation gives up."""
        timeout = MAX_SERVICE_TIMEOUT
        return timeout if isinstance(self.new, str) else min(self.new.service_timeout, timeout)

    @property
    def holds_its_experiment(self) -> bool:
        """Whether the physical id is the ARN of the declared experiment.

        CloudFormation also deletes resources whose Create failed or was cancelled, under ids that
        the handler marked or that CloudFormation made up. Names are compared without case:
        AWS does not document whether ARNs keep it.
        """
        return self._held == self.declared_name.lower()

    @property
    def holds_another_experiment(self) -> bool:
        """Whether the physical id is the ARN of an experiment of another name."""
        return self._held not in ("", self.declared_name.lower())

    @property
    def _held(self) -> str:
        """The name of the experiment whose ARN the physical id is; empty where it is none."""
        head, _, name = self.physical_id.partition(":inference-experiment/")
        return name.lower() if head.split(":")[2:3] == ["sagemaker"] else ""


@dataclass
class Progress:
    """What outlives an invocation: it travels in the polling rule's input.

    Attributes:
        started_at: Seconds since the epoch of the request, or of its first delivery.
        tried: A Stop was called and may have been accepted.
        sent: The digest of the Stop that SageMaker accepted; empty before.
        refused_at: When a Stop was first refused because the test has not begun.
        failure_before: The endpoint's FailureReason before the Stop; None where not seen.
    """

    started_at: float
    tried: bool = False
    sent: str = ""
    refused_at: float | None = None
    failure_before: str | None = None

    @classmethod
    def read(cls, carried: Mapping[str, Any] | None, *, otherwise: float) -> Progress:
        """What an earlier invocation handed over, or a start at the given time."""
        known = {member.name for member in fields(cls)}
        values = {name: value for name, value in (carried or {}).items() if name in known}
        return cls(**{"started_at": otherwise, **values})

    def carried(self) -> dict[str, object]:
        """The form that :meth:`read` reads."""
        return asdict(self)


class Unreadable(Exception):
    """A fact cannot be read.

    Attributes:
        is_transient: It may be readable later.
        is_denied: IAM refused it, which is transient for as long as a new policy propagates.
    """

    is_transient = False
    is_denied = False


class Facts(Protocol):
    """What can be asked; an answer stays the same for as long as one decision is made.

    Methods that ask AWS raise Unreadable.
    """

    def experiment(self) -> Experiment | None:
        """The experiment that the request names, None where SageMaker does not know it."""

    def stack(self, stack_id: str) -> Stack:
        """A stack as it is now."""

    def events(self, stack_id: str) -> Iterator[StackEvent]:
        """A stack's events, newest first; pages are read as they are needed."""

    def holders(self) -> tuple[str, ...]:
        """Logical ids of the stack's resources, not being deleted, that hold the physical id."""

    def may_lag(self) -> bool:
        """Whether the request is so young that what AWS tells may be older than it."""

    def gives_up(self, error: Unreadable) -> bool:
        """Whether to do without a fact that is not needed to stop: after a minute at most."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def deadline(self) -> float:
        """Seconds since the epoch at which the request has to be answered."""


class Verb(Enum):
    """What a decision says to do."""

    STOP = "stop"
    WAIT = "wait"
    SUCCEED = "succeed"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """What to do and why.

    Attributes:
        row: The row of the table that says so; the log has it, too.
        order: The row of table 1 that led there, where that is another one.
        warn: Logged as a warning, also where the request succeeds.
        stop: What to send, where the verb is STOP; what is being carried out, where it is WAIT.
    """

    verb: Verb
    row: str
    why: str = ""
    warn: bool = False
    stop: Declaration | None = None
    order: str = ""


def succeed(row: str, why: str, *, warn: bool = False) -> Decision:
    """Answer SUCCESS."""
    return Decision(Verb.SUCCEED, row, why, warn)


def fail(row: str, why: str) -> Decision:
    """Answer FAILED."""
    return Decision(Verb.FAIL, row, why, warn=True)


def wait(row: str, why: str) -> Decision:
    """Look again after a pause."""
    return Decision(Verb.WAIT, row, why)
