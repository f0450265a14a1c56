"""What a decision depends on: the request, and facts about the experiment and the stack.

:class:`Facts` reads a fact when a decision first asks for it. Nothing else is read from AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import Any, NamedTuple, Protocol

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

    Times are seconds since the epoch. What is not given is empty or None.

    Attributes:
        variants: The status of each variant by its name.
        configured: Each variant as a ModelVariantConfig of the API, by its name. Autoscaling does
            not change it.
        sampling: Percent of production's requests that the shadow gets.
    """

    arn: str
    name: str
    status: str
    status_reason: str = ""
    created: float | None = None
    scheduled_start: float | None = None
    scheduled_end: float | None = None
    completion_time: float | None = None
    endpoint_name: str = ""
    endpoint_config_name: str = ""
    endpoint_status: str = ""
    endpoint_failure: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    configured: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    production: str = ""
    shadows: tuple[str, ...] = ()
    sampling: float | None = None

    @property
    def began(self) -> float | None:
        """When it started, in seconds since the epoch; None if not given."""
        return self.created if self.scheduled_start is None else self.scheduled_start

    @property
    def has_ended(self) -> bool:
        """Whether the status is final; the endpoint may still be updating."""
        return self.status in ENDED_STATUSES

    @property
    def is_stopping(self) -> bool:
        """Whether a stop is in progress, including the endpoint's update."""
        return self.status == "Stopping" or (self.has_ended and not self.is_over)

    @property
    def is_over(self) -> bool:
        """Whether it has ended and its endpoint has settled, so that another change can follow."""
        return self.has_ended and self.endpoint_status not in UNSETTLED_ENDPOINT_STATUSES


@dataclass(frozen=True)
class Endpoint:
    """What DescribeEndpoint says.

    Attributes:
        counts: The current instance count of each variant, shadows included, by its name; without
            variants that have no count, such as serverless ones.
    """

    counts: Mapping[str, int]


@dataclass(frozen=True)
class Stack:
    """What DescribeStacks says; a root stack has no ``parent_id``."""

    stack_id: str
    status: str
    parent_id: str = ""


@dataclass(frozen=True)
class StackEvent:
    """One event of DescribeStackEvents.

    Attributes:
        at: Seconds since the epoch.
        properties: The resource's properties as JSON; empty if there are none.
    """

    at: float
    logical_id: str
    physical_id: str
    status: str
    properties: str = ""


class Query(NamedTuple):
    """A time series in CloudWatch: a metric of a variant, with a period in seconds."""

    variant: str
    metric: str
    statistic: str
    period: int


class Question(NamedTuple):
    """What to read from CloudWatch about an endpoint's production and shadow variant."""

    endpoint_name: str
    pair: tuple[str, str]
    begin: int
    end: int
    queries: frozenset[Query]
    alarms: tuple[str, ...]


class Measured(NamedTuple):
    """Values by the start of their period, for whole periods only, and states of alarms."""

    series: Mapping[Query, Mapping[float, float]] = {}
    alarms: Mapping[str, str] = {}


class RequestType(str, Enum):
    """CloudFormation's three request types."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True)
class Request:
    """A custom resource request, parsed.

    Attributes:
        stack_name: The stack's name, from its id.
        declared_name: The experiment's name, even if the declaration is invalid. On a Delete, the
            name in the physical id if that is another: a failed change of name leaves the
            properties of a declaration that was never in force.
        new: The declaration to fulfil, or a sentence that says what is wrong with it.
        old: The declaration that an Update replaces, if it can be read.
        issued_at: When CloudFormation made the request, if its ResponseURL says so.
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
    def region(self) -> str:
        """The stack's region: a function is called in it, and its experiments are in it, too."""
        return self.stack_id.split(":")[3]

    @property
    def service_timeout(self) -> int:
        """Seconds after which CloudFormation gives up."""
        timeout = MAX_SERVICE_TIMEOUT
        return timeout if isinstance(self.new, str) else min(self.new.service_timeout, timeout)

    @property
    def holds_its_experiment(self) -> bool:
        """Whether the physical id is the ARN of the declared experiment.

        CloudFormation also deletes resources whose Create failed or was cancelled, under ids that
        the handler marked or that CloudFormation generated. Names are compared ignoring case:
        AWS does not document whether ARNs keep it.
        """
        return self.held.lower() == self.declared_name.lower()

    @property
    def holds_another_experiment(self) -> bool:
        """Whether the physical id is the ARN of an experiment with another name."""
        return self.held != "" and not self.holds_its_experiment

    @property
    def held(self) -> str:
        """The name in the physical id, if that is an experiment's ARN; otherwise empty."""
        head, _, name = self.physical_id.partition(":inference-experiment/")
        return name if head.split(":")[2:3] == ["sagemaker"] else ""


@dataclass
class Progress:
    """What is kept across invocations, in the polling rule's input.

    Attributes:
        started_at: Seconds since the epoch of the request, or of its first delivery.
        tried: Stop was called and may have been accepted.
        sent: The digest of the Stop that SageMaker accepted; empty before that.
        refused_at: When a Stop was first refused because the test has not started.
        failure_before: The endpoint's FailureReason before the Stop; None if it was not read.
        evidence: The report of the verdict on a promotion; empty before that.
        unmeasured_since: Since when the evidence could not be read.
        request: The last Stop that was tried, as JSON.
    """

    started_at: float
    tried: bool = False
    sent: str = ""
    refused_at: float | None = None
    failure_before: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unmeasured_since: float | None = None
    request: str = ""

    @classmethod
    def read(cls, carried: Mapping[str, Any] | None, *, otherwise: float) -> Progress:
        """Read what an earlier invocation handed over, or start at the given time."""
        known = {member.name for member in fields(cls)}
        values = {name: value for name, value in (carried or {}).items() if name in known}
        return cls(**{"started_at": otherwise, **values})

    def carried(self) -> dict[str, object]:
        """What :meth:`read` reads."""
        return asdict(self)


class Unreadable(Exception):
    """A fact cannot be read; if that is transient, a later attempt may succeed.

    A denial by IAM is, too, while a new policy propagates.
    """

    is_transient = False
    is_denied = False


class Facts(Protocol):
    """The facts that a decision can ask for; they do not change during one decision.

    Methods that call AWS raise Unreadable.
    """

    def experiment(self) -> Experiment | None:
        """The experiment that the request names; None if SageMaker does not know it."""

    def endpoint(self) -> Endpoint | None:
        """The experiment's endpoint; None if SageMaker does not know it."""

    def stack(self, stack_id: str) -> Stack:
        """A stack as it is now."""

    def events(self, stack_id: str) -> Iterator[StackEvent]:
        """A stack's events, newest first; pages are read when needed."""

    def holders(self) -> tuple[str, ...]:
        """Logical ids of the resources with this physical id that are not being deleted."""

    def may_lag(self) -> bool:
        """Whether the request is so recent that AWS may still return older data."""

    def gives_up(self, error: Unreadable) -> bool:
        """Whether to continue without a fact that no stop depends on: after a minute at most."""

    def evidence(self, question: Question) -> Measured:
        """What CloudWatch measured, and the states of alarms."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def deadline(self) -> float:
        """When the request must be answered, in seconds since the epoch."""


class Verb(Enum):
    """What to do."""

    STOP = "stop"
    WAIT = "wait"
    SUCCEED = "succeed"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """What to do and why.

    Attributes:
        row: The row of the table that applies; the log has it, too.
        order: The row of table 1 that led there, if that is another one.
        warn: Log it as a warning, even if the request succeeds.
        stop: With STOP, the declaration to send; with WAIT, the one that is being carried out.
        evidence: The report of a new verdict, to be remembered.
    """

    verb: Verb
    row: str
    why: str = ""
    warn: bool = False
    stop: Declaration | None = None
    order: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def succeed(row: str, why: str, *, warn: bool = False) -> Decision:
    """Answer SUCCESS."""
    return Decision(Verb.SUCCEED, row, why, warn)


def fail(row: str, why: str) -> Decision:
    """Answer FAILED."""
    return Decision(Verb.FAIL, row, why, warn=True)


def wait(row: str, why: str) -> Decision:
    """Look again after a pause."""
    return Decision(Verb.WAIT, row, why)


def experiment_if_readable(facts: Facts) -> Experiment | None:
    """The experiment; None if it does not exist, or could not be read for a minute."""
    try:
        return facts.experiment()
    except Unreadable as error:
        if not facts.gives_up(error):
            raise
        return None
