"""What a decision may know about a request: one look at AWS, frozen.

A fact is a value, or :class:`NotReadable`, or None if it was not needed and not read. Nothing in a
Situation changes, its time included, and nothing in this package reads anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, Union

from ..contract.request import Request
from ..contract.wire import seconds_to_answer

STOPPABLE_STATUSES = frozenset({"Creating", "Created", "Starting", "Running", "Updating"})
ENDED_STATUSES = frozenset({"Completed", "Cancelled"})
UNSETTLED_ENDPOINT_STATUSES = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
FAILED_ENDPOINT_STATUSES = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})

CLOCK_SECONDS = 5.0
"""Tolerance between a request's date, in whole seconds, and times of other services."""

DOUBT_SECONDS = 60.0
"""How long to look again if a look cannot tell: AWS is eventually consistent."""

T = TypeVar("T")


class Kind(Enum):
    """Why a fact is not readable."""

    UNFINISHED = "the look ended before it was read"
    TRANSIENT = "a later attempt may succeed"
    DENIED = "the function may not read it"
    REFUSED = "it is not there, or AWS refuses the call for good"


@dataclass(frozen=True)
class NotReadable:
    """A fact that this look did not read; ``why`` names the call and AWS's words."""

    kind: Kind
    why: str


Seen = Union[T, NotReadable]  # noqa: UP007 - mypy takes no other form on Python 3.10
"""A fact, or why a look could not read it."""

NOT_READ = NotReadable(Kind.TRANSIENT, "it was not read")


@dataclass(frozen=True)
class Experiment:
    """What DescribeInferenceExperiment says.

    Times are seconds since the epoch. What is not given is empty or None.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeInferenceExperiment.html

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
    def is_over(self) -> bool:
        """Whether the status is final; the endpoint may still be in a change."""
        return self.status in ENDED_STATUSES

    @property
    def is_settled(self) -> bool:
        """Whether the endpoint is in no change."""
        return self.endpoint_status not in UNSETTLED_ENDPOINT_STATUSES

    @property
    def has_ended(self) -> bool:
        """Whether it is over and its endpoint has settled, so that another change can follow."""
        return self.is_over and self.is_settled

    def is_ended_by_schedule(self, scheduled_end: float | None) -> bool:
        """Whether it ended at the end of its schedule, as that was known before, and not earlier.

        After an end, Schedule.EndTime is the real end.
        """
        is_late = scheduled_end is not None and scheduled_end <= (self.completion_time or 0)
        return is_late and self.is_over and self.status_reason == ""

    @property
    def is_stopping(self) -> bool:
        """Whether a stop is under way, the endpoint's update included."""
        return self.status == "Stopping" or (self.is_over and not self.is_settled)


@dataclass(frozen=True)
class Description:
    """What DescribeStacks says of a stack; a root stack has no ``parent_id``."""

    status: str
    parent_id: str = ""


@dataclass(frozen=True)
class StackEvent:
    """One event of DescribeStackEvents.

    Attributes:
        at: Seconds since the epoch.
        properties: The resource's properties as JSON; empty if there are none.
        is_aside: Written in the middle of an operation: by a hook, or with a DetailedStatus.
    """

    at: float
    logical_id: str
    physical_id: str
    status: str
    properties: str = ""
    is_aside: bool = False
    event_id: str = ""


@dataclass(frozen=True)
class Events:
    """A stack's events, as far as they were read.

    Attributes:
        newest_first: Without gaps, from the newest on.
        is_whole: They go back to the oldest event that the stack has.
    """

    newest_first: tuple[StackEvent, ...] = ()
    is_whole: bool = False

    @cached_property
    def steps(self) -> tuple[StackEvent, ...]:
        """Those that are steps of an operation, oldest first."""
        return tuple([event for event in reversed(self.newest_first) if not event.is_aside])


@dataclass(frozen=True)
class Stack:
    """A stack as one look saw it."""

    stack_id: str
    description: Seen[Description]
    events: Seen[Events]


class Query(NamedTuple):
    """A time series in CloudWatch, with a period in seconds.

    By default a metric of a variant of the experiment's endpoint; with a ``namespace``, any metric.
    """

    variant: str
    metric: str
    statistic: str
    period: int
    namespace: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()


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


@dataclass(frozen=True)
class Needs:
    """What a Stop needs to know besides the experiment and the stack.

    Attributes:
        counts: The current instance counts of the endpoint's variants.
        holders: The resources of the stack that hold the experiment's ARN.
        evidence: What CloudWatch measured.
    """

    counts: bool = False
    holders: bool = False
    evidence: Question | None = None


@dataclass(frozen=True)
class Prepared:
    """What was read because a Stop is ordered, before the look that decides anew.

    Attributes:
        counts: The current instance count of each variant of the endpoint, by its name.
        holders: Logical ids of the stack's resources that hold the experiment's ARN and are not
            being deleted.
    """

    counts: Seen[Mapping[str, int]] | None = None
    holders: Seen[tuple[str, ...]] | None = None
    evidence: Seen[Measured] | None = None


@dataclass(frozen=True)
class Progress:
    """What is kept across invocations, in the polling rule's input.

    Attributes:
        started_at: Seconds since the epoch of the request, or of its first delivery.
        created: The CreationTime of the experiment that the request has seen.
        scheduled_end: Its scheduled end before it ended, when Schedule.EndTime becomes the real
            one.
        in_doubt_since: Since when no look could tell whether a Stop is allowed.
        tried: Stop was called and may have been accepted.
        sent: The digest of the Stop that SageMaker accepted; empty before that.
        refused_at: When a Stop was first refused because the test has not started.
        failure_before: The endpoint's FailureReason before the Stop, or empty if a look during the
            end found none; None if neither is known.
        evidence: The report of the verdict on a promotion; empty before that.
        unmeasured_since: Since when the evidence could not be read.
        request: The last Stop that was tried, as JSON.
        refusal: The error with which a Stop failed last; empty if none did.
    """

    started_at: float
    created: float | None = None
    scheduled_end: float | None = None
    in_doubt_since: float | None = None
    tried: bool = False
    sent: str = ""
    refused_at: float | None = None
    failure_before: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unmeasured_since: float | None = None
    request: str = ""
    refusal: str = ""

    @classmethod
    def read(cls, handed_over: Mapping[str, Any] | None, *, otherwise: float) -> Progress:
        """Read what an earlier invocation handed over, or start at the given time."""
        known = {member.name for member in fields(cls)}
        values = {name: value for name, value in (handed_over or {}).items() if name in known}
        return cls(**{"started_at": otherwise, **values})

    def as_input(self) -> dict[str, object]:
        """The member of the polling rule's input that :meth:`read` reads."""
        return asdict(self)


@dataclass(frozen=True)
class Situation:
    """One look: everything that a decision may know.

    Attributes:
        now: Seconds since the epoch.
        described: The experiment that now has the name; None if there is none.
        stacks: The request's stack, then those that it is nested in, the root last. The last one
            that could be described may have a parent that could not.
        prepared: What a Stop needs besides; None in a first look.
    """

    request: Request
    progress: Progress
    now: float
    described: Seen[Experiment | None] = NOT_READ
    stacks: tuple[Stack, ...] | None = None
    prepared: Prepared | None = None

    @property
    def experiment(self) -> Seen[Experiment | None]:
        """The experiment that the request is about; None if there is none any more.

        A name is not an experiment: one that was created after the request, or at another time
        than the one that the request has seen before, is not meant.
        """
        described, known = self.described, self.progress.created
        if not isinstance(described, Experiment) or described.created is None:
            return described
        is_later = described.created > self.issued_at + CLOCK_SECONDS
        return None if is_later or known not in (None, described.created) else described

    @property
    def issued_at(self) -> float:
        """When CloudFormation made the request, or when it was delivered first."""
        issued = self.request.issued_at
        return self.progress.started_at if issued is None else issued

    @property
    def deadline(self) -> float:
        """When the request must be answered."""
        return self.progress.started_at + seconds_to_answer(self.request.service_timeout)

    @property
    def is_past_deadline(self) -> bool:
        """Whether the request must be answered now."""
        return self.now >= self.deadline

    @property
    def is_past_doubt(self) -> bool:
        """Whether looks have been in doubt for a minute, or the deadline has come."""
        since = self.progress.in_doubt_since
        return self.is_past_deadline or (since is not None and self.now >= since + DOUBT_SECONDS)
