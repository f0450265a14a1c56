"""The requests that are explored: each scenario is one request in one situation of its stack.

The expected order of each follows from table 1 of the lifecycle, not from the handler.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from loopback.cloudformation import Asked
from loopback.cloudwatch import EVIDENCE, OPEN
from loopback.sagemaker import NEVER, UPDATE_FAILED, Experiment, Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, RESOURCE_TYPE, World

from .past import Lines, status_of, tell

STARTS = (
    "Running",
    "Stopping",
    "Creating",
    "absent",
    "Completed",
    "Cancelled",
    "Updating",
    "Created",
    "Starting",
)
"""Absent, and every status; the most different ones first."""

FOUND_ENDED = (
    "Completed, as declared",
    "Cancelled, as declared",
    "Completed, as before",
    "Completed, not settled",
)
"""Ended by this stack, as newly or as previously declared; or not settled yet."""

ENDINGS = (
    "Running, shows as Cancelled",
    "Running, fails the endpoint's update",
    "Running, failed before",
)
"""How a Stop ends: Cancelled with the Stop's own reason, or with a FailureReason on an endpoint
that is InService. A FailureReason that the endpoint had before does not count."""

NOT_BEGUN = ("Created, refuses", "Created, begins soon")
"""Stop is refused until the experiment starts: in a week, or in two minutes."""

RENAMED = "fraud-shadow-2"
SHADOW_MODEL = "fraud-v2"
IAM_SECONDS = 60.0
"""AccessDenied is transient for this long after the request."""


NO_PAIR = "a third variant"
NO_COUNT = "no count"
SCALED, SCALED_AGAIN = 10, 13
"""Instances that production runs, and after the step ``scales``."""

OUTCOMES = {
    "PromoteShadow": {"production": "Remove", "shadow": "Promote"},
    "KeepProduction": {"production": "Retain", "shadow": "Remove"},
}


@dataclass(frozen=True)
class Tempo:
    """How long an invocation and the experiment may take.

    Attributes:
        limit: Seconds of an invocation. Short ones make every history hand over, with a fraction
            of the describe calls.
        timeout_scale: Factor for the SDK's timeouts, which fit an invocation of 15 minutes.
    """

    name: str
    limit: float
    pace: Pace
    service_timeout: int = 3600
    timeout_scale: float = 1.0

    @property
    def deadline(self) -> float:
        """Seconds after the first delivery at which the handler gives up."""
        return self.service_timeout * 11 / 12


HANDED = Tempo("handed", 45, Pace(stop=61, settle=2, begin=5), timeout_scale=0.05)
"""The rule is created at once, and a poll sees the end."""

BRIEF = Tempo("brief", 900, Pace(stop=20, settle=4, begin=9))
"""The first invocation sees the end, without a rule."""

LONG = Tempo("long", 200, Pace(stop=190, settle=8, begin=20))
"""The rule is created after 50 s; polls overlap with the first invocation and continue after it."""

STUCK = Tempo("stuck", 300, Pace(stop=NEVER, settle=4, begin=9), service_timeout=900)
"""The experiment never ends, so the deadline passes."""

TEMPOS = (HANDED, BRIEF, LONG, STUCK)

Order = Literal["end", "arm", "nothing", "refused"]
Declared = Mapping[str, Any]

RETAINED: Declared = {
    "Name": NAME,
    "ModelVariantActions": {"production": "Retain", "shadow": "Remove"},
}
"""How a failed creation ends its own experiment, whatever is declared."""


@dataclass(frozen=True)
class Scenario:
    """One request in one situation.

    Attributes:
        past: The stack's events until the request.
        order: What the request orders according to table 1. ``refused``: FAILED, and nothing is
            stopped.
        sent: What a Stop sends. Default: the declaration that the request carries.
        above: The events of the parent stacks, the nearest first.
        holders: Logical id, physical id, type and status of other resources of the stack.
        stale: The status that DescribeStacks returns instead, and for how many seconds.
        step: Seconds between the events of one operation.
        event_lag: Seconds until an event is visible. With 0, the first Stop comes before the first
            step, and the undo comes between two attempts.
        by_change_set: The stack has a LastUpdatedTime.
        waits: Nothing is ordered, but a stop in progress is waited for.
        running: The instances that production runs, if autoscaling has changed them.
        evidence: What CloudWatch tells, if a promotion needs evidence.
        starts: The situations of the experiment that matter.
    """

    name: str
    kind: str
    past: Lines
    order: Order
    new: Declared = field(default_factory=lambda: KEEP)
    old: Declared = field(default_factory=lambda: KEEP)
    sent: Declared | None = None
    above: tuple[Lines, ...] = ()
    holders: tuple[tuple[str, str, str, str], ...] = ()
    stale: tuple[str, float] = ("", 0)
    step: float = 20.0
    event_lag: float = 2.0
    by_change_set: bool = False
    waits: bool = False
    running: int | None = None
    evidence: str = OPEN
    physical_id: str = arn_of(NAME)
    starts: tuple[str, ...] = STARTS
    start: str = "Running"
    tempo: Tempo = HANDED

    @property
    def may_stop(self) -> bool:
        """Whether the request stops its experiment, if that has not ended."""
        return self.order == "end"

    @property
    def stack(self) -> str:
        """The stack's status when the request is delivered."""
        return status_of(self.past)

    @property
    def declared(self) -> Declared:
        """What a Stop sends."""
        return self.new if self.sent is None else self.sent

    @property
    def is_failed_creation(self) -> bool:
        """Whether a failed creation ends its own experiment."""
        return self.sent == RETAINED

    @property
    def is_gated(self) -> bool:
        """Whether what is ordered is a promotion that needs evidence."""
        return self.may_stop and "PromoteIf" in self.declared

    @property
    def promotes(self) -> bool:
        """Whether the ordered end is a promotion."""
        return _promotes(self.declared)

    @property
    def promoted_before(self) -> bool:
        """Whether the old declaration is a promotion."""
        return _promotes(self.old)

    @property
    def names_unknown_variants(self) -> bool:
        """Whether the experiment does not have the variants that the declaration needs."""
        if "Outcome" in self.new:
            return self.start.endswith(NO_PAIR) or (self.may_stop and self.start.endswith(NO_COUNT))
        return not set(self.declared["ModelVariantActions"]) <= {"production", "shadow"}

    @property
    def can_be_undone(self) -> bool:
        """Whether CloudFormation can undo the order while the request waits."""
        return self.may_stop and (self.kind != "Delete" or bool(self.above))

    @property
    def asks_nobody(self) -> bool:
        """Whether nothing is ordered whatever the stack's state, so that no fact can be missing."""
        return self.order == "nothing" and (
            self.name in ("plumbing update", "reworded reason")
            or "StopOn" in self.name
            or (self.kind == "Delete" and self.physical_id != arn_of(NAME))
        )

    @property
    def looks_unchanged(self) -> bool:
        """Whether the properties of an Update alone show no change."""
        return self.kind == "Update" and self.new == self.old

    @property
    def is_rename(self) -> bool:
        """Whether an Update names another experiment."""
        return self.kind == "Update" and self.new["Name"] != self.old["Name"]

    @property
    def key(self) -> str:
        """Its name for people."""
        return f"{self.name}/{self.start}/{self.tempo.name}"


def _actions(declared: Declared) -> Mapping[str, str]:
    if "Outcome" in declared:
        return OUTCOMES[declared["Outcome"]]
    actions: Mapping[str, str] = declared["ModelVariantActions"]
    return actions


def _promotes(declared: Declared) -> bool:
    return "Promote" in _actions(declared).values()


def _with(base: Declared, **more: Any) -> dict[str, Any]:
    return {**base, **more}


GATED = _with(PROMOTE, PromoteIf=EVIDENCE)
CANCEL = _with(KEEP, DesiredState="Cancelled")
_DELETE_ONLY = {"StopOn": ["Delete"]}
_OWNED = {"StackOwnsExperiment": "true"}
_WRONG = _with(KEEP, ModelVariantActions={"blue": "Retain", "green": "Remove"})


def _created(declared: str = "keep") -> Lines:
    """A stack whose creation succeeded."""
    return (
        "stack CREATE_IN_PROGRESS",
        "bucket CREATE_IN_PROGRESS",
        "bucket CREATE_COMPLETE",
        f"ours CREATE_IN_PROGRESS {declared}",
        f"ours CREATE_COMPLETE {declared}",
        "stack CREATE_COMPLETE",
    )


def _updating(past: Lines, declared: str = "new") -> Lines:
    return (*past, "stack UPDATE_IN_PROGRESS", f"ours UPDATE_IN_PROGRESS {declared}")


def _deleting(past: Lines, status: str = "DELETE_IN_PROGRESS") -> Lines:
    return (*past, f"stack {status}", "ours DELETE_IN_PROGRESS new")


CREATED = _created("old")
CREATING = ("stack CREATE_IN_PROGRESS", "bucket CREATE_IN_PROGRESS", "ours CREATE_IN_PROGRESS new")
UPDATING = _updating(CREATED)
DELETING = _deleting(_created("new"))
ROLLING_BACK = (
    *_updating(_created("new"), "old"),
    "ours UPDATE_COMPLETE old",
    "bucket UPDATE_FAILED",
    "stack UPDATE_ROLLBACK_IN_PROGRESS",
    "ours UPDATE_IN_PROGRESS new",
)
CLEANING = (
    *_created("new"),
    "stack UPDATE_IN_PROGRESS",
    "stack UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "ours DELETE_IN_PROGRESS new",
)

CREATION_FAILED = (
    *CREATING,
    "ours CREATE_COMPLETE new",
    "bucket CREATE_FAILED",
)
"""OnFailure=DELETE and ROLLBACK continue from here."""

_FAILS = (*_updating(_created("keep"), "promote"), "ours UPDATE_FAILED promote")
UNDONE_IN_THE_UPDATE = (*_FAILS, "ours UPDATE_IN_PROGRESS new")
UNDONE_AFTER_THE_UPDATE = (*_FAILS, "stack UPDATE_FAILED", "ours UPDATE_IN_PROGRESS new")

UPDATE_FAILED_ONLY = (*_FAILS, "stack UPDATE_FAILED")
"""The failed update without rollback, if no undo was delivered."""

UPDATE_UNDONE = (
    *_FAILS,
    "ours UPDATE_IN_PROGRESS keep",
    "ours UPDATE_COMPLETE keep",
    "stack UPDATE_FAILED",
)
"""The same, if the undo was delivered and succeeded."""

UPDATE_HALF_UNDONE = (*_FAILS, "ours UPDATE_IN_PROGRESS keep", "stack UPDATE_FAILED")
"""The same, if it was delivered and no event shows its result."""

SKIPPED = (
    *_FAILS,
    "stack UPDATE_ROLLBACK_IN_PROGRESS",
    "ours UPDATE_IN_PROGRESS keep",
    "ours UPDATE_FAILED keep",
    "stack UPDATE_ROLLBACK_FAILED",
    "stack UPDATE_ROLLBACK_IN_PROGRESS",
    "ours UPDATE_COMPLETE promote",
    "stack UPDATE_ROLLBACK_COMPLETE",
)
"""ContinueUpdateRollback with ResourcesToSkip: an UPDATE_COMPLETE without any request."""

ROOT_CREATED = (
    "stack CREATE_IN_PROGRESS",
    "below CREATE_IN_PROGRESS",
    "below CREATE_COMPLETE",
    "stack CREATE_COMPLETE",
)
ROOT_UPDATING = (*ROOT_CREATED, "stack UPDATE_IN_PROGRESS", "below UPDATE_IN_PROGRESS")
ROOT_DELETING = (*ROOT_CREATED, "stack DELETE_IN_PROGRESS", "below DELETE_IN_PROGRESS")
ROOT_CLEANING = (
    *ROOT_CREATED,
    "stack UPDATE_IN_PROGRESS",
    "stack UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "below DELETE_IN_PROGRESS",
)
ROOT_ROLLING_BACK = (
    *ROOT_CREATED,
    "stack UPDATE_IN_PROGRESS",
    "below CREATE_IN_PROGRESS",
    "below CREATE_COMPLETE",
    "stack UPDATE_ROLLBACK_IN_PROGRESS",
    "below DELETE_IN_PROGRESS",
)
ROOT_CREATION_UNDONE = (
    "stack CREATE_IN_PROGRESS",
    "below CREATE_IN_PROGRESS",
    "below CREATE_COMPLETE",
    "bucket CREATE_FAILED",
    "stack ROLLBACK_IN_PROGRESS",
    "below DELETE_IN_PROGRESS",
)
ROOT_NEVER_COMPLETE = (*ROOT_CREATION_UNDONE[:4], *ROOT_DELETING[-2:])
ROOT_RESTORES = (
    *ROOT_UPDATING,
    "below UPDATE_FAILED",
    "below UPDATE_IN_PROGRESS",
)
ROOT_FAILED_BEFORE = (
    *ROOT_UPDATING,
    "below UPDATE_FAILED",
    "stack UPDATE_FAILED",
    "stack UPDATE_IN_PROGRESS",
    "below UPDATE_IN_PROGRESS",
)


def _held_by(
    logical_id: str = "Renamed1",
    physical_id: str = arn_of(NAME),
    kind: str = RESOURCE_TYPE,
    status: str = "CREATE_COMPLETE",
) -> tuple[tuple[str, str, str, str], ...]:
    return ((logical_id, physical_id, kind, status),)


ALONE = ("Running",)
"""For requests that never describe the experiment."""

A_FEW = ("Running", "Stopping", "Updating", "absent", "Completed")

CORE = (
    Scenario("create", "Create", CREATING, "arm", new=PROMOTE, starts=A_FEW),
    Scenario("update", "Update", UPDATING, "end", new=PROMOTE),
    Scenario("delete", "Delete", DELETING, "end"),
    Scenario(
        "rollback update",
        "Update",
        ROLLING_BACK,
        "nothing",
        old=PROMOTE,
        waits=True,
        starts=("Running", "Stopping"),
    ),
    Scenario(
        "rollback delete",
        "Delete",
        _deleting(CREATION_FAILED, "ROLLBACK_IN_PROGRESS"),
        "nothing",
        starts=ALONE,
    ),
    Scenario("cleanup delete", "Delete", CLEANING, "nothing", holders=_held_by(), starts=ALONE),
    Scenario(
        "undo without rollback",
        "Update",
        UNDONE_IN_THE_UPDATE,
        "nothing",
        old=PROMOTE,
        waits=True,
        starts=("Running", "Stopping"),
    ),
    Scenario(
        "retry, old properties are the failed ones",
        "Update",
        _updating(UPDATE_FAILED_ONLY),
        "end",
        new=PROMOTE,
        old=PROMOTE,
        starts=("Running", "Updating"),
    ),
    Scenario(
        "withdrawn order, old properties are the failed ones",
        "Update",
        _updating(UPDATE_FAILED_ONLY),
        "nothing",
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "nested update",
        "Update",
        UPDATING,
        "end",
        new=PROMOTE,
        above=(ROOT_UPDATING,),
        event_lag=0,
        starts=("Running", "Updating"),
    ),
    Scenario(
        "nested delete, the root rolls back",
        "Delete",
        DELETING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_ROLLING_BACK,),
        starts=ALONE,
    ),
    Scenario(
        "failed creation is deleted",
        "Delete",
        _deleting(CREATION_FAILED),
        "nothing",
        new=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "rollback delete of what the stack owns",
        "Delete",
        _deleting(CREATION_FAILED, "ROLLBACK_IN_PROGRESS"),
        "end",
        new=_with(PROMOTE, **_OWNED),
        sent=RETAINED,
        starts=("Running", "Creating"),
    ),
    Scenario(
        "end now",
        "Update",
        UPDATING,
        "end",
        new=_with(PROMOTE, EndNow="true", **_DELETE_ONLY),
        old=_with(PROMOTE, EndNow="false", **_DELETE_ONLY),
        event_lag=0,
        starts=("Running", "Updating"),
    ),
)

_CHANGES = (
    Scenario("update that keeps", "Update", UPDATING, "end", old=PROMOTE),
    Scenario(
        "update, found ended",
        "Update",
        UPDATING,
        "end",
        new=PROMOTE,
        starts=(*FOUND_ENDED, *ENDINGS, *NOT_BEGUN),
    ),
    Scenario(
        "update that keeps, found ended",
        "Update",
        UPDATING,
        "end",
        old=PROMOTE,
        starts=(*FOUND_ENDED, *ENDINGS),
    ),
    Scenario(
        "update to cancel, found ended as before",
        "Update",
        UPDATING,
        "end",
        new=CANCEL,
        starts=("Completed, as before", "Running"),
    ),
    Scenario(
        "update of a promotion, found ended as before",
        "Update",
        UPDATING,
        "end",
        new=PROMOTE,
        old=_with(PROMOTE, DesiredState="Cancelled"),
        starts=("Completed, as before",),
    ),
    Scenario(
        "delete, found ended",
        "Delete",
        DELETING,
        "end",
        starts=(*FOUND_ENDED[:2], FOUND_ENDED[3], *ENDINGS, *NOT_BEGUN),
    ),
    Scenario(
        "update for the same reason",
        "Update",
        UPDATING,
        "end",
        new=_with(PROMOTE, Reason="It is time"),
        old=_with(KEEP, Reason="It is time"),
        starts=(*A_FEW, "Completed, in the old words"),
    ),
    Scenario(
        "plumbing update",
        "Update",
        UPDATING,
        "nothing",
        new=_with(KEEP, StopOn=["Delete", "Update"]),
        starts=ALONE,
    ),
    Scenario(
        "reworded reason",
        "Update",
        UPDATING,
        "nothing",
        new=_with(PROMOTE, Reason="Tidy wording"),
        old=_with(PROMOTE, Reason="It is time"),
        starts=A_FEW,
    ),
    Scenario(
        "update, not in StopOn",
        "Update",
        UPDATING,
        "arm",
        new=_with(PROMOTE, **_DELETE_ONLY),
        starts=A_FEW,
    ),
    Scenario(
        "delete, not in StopOn",
        "Delete",
        DELETING,
        "nothing",
        new=_with(KEEP, StopOn=["Update"]),
        starts=ALONE,
    ),
    Scenario("update of unknown variants", "Update", UPDATING, "end", new=_WRONG, starts=A_FEW),
    Scenario("create of unknown variants", "Create", CREATING, "arm", new=_WRONG, starts=A_FEW),
    Scenario("delete of unknown variants", "Delete", DELETING, "end", new=_WRONG, starts=A_FEW),
    Scenario("rename", "Update", UPDATING, "arm", new=_with(KEEP, Name=RENAMED), starts=A_FEW),
    Scenario(
        "rename undone",
        "Update",
        ROLLING_BACK,
        "nothing",
        old=_with(KEEP, Name=RENAMED),
        physical_id=arn_of(RENAMED),
        waits=True,
        starts=A_FEW,
    ),
)

_END_NOW = (
    Scenario(
        "end now and change",
        "Update",
        UPDATING,
        "end",
        new=_with(PROMOTE, EndNow="true", **_DELETE_ONLY),
        old=_with(KEEP, **_DELETE_ONLY),
        starts=A_FEW,
    ),
    Scenario(
        "end now left true",
        "Update",
        UPDATING,
        "nothing",
        new=_with(PROMOTE, EndNow="true", StopOn=["Update"]),
        old=_with(PROMOTE, EndNow="true"),
        starts=ALONE,
    ),
    Scenario(
        "end now left true and changed",
        "Update",
        UPDATING,
        "arm",
        new=_with(PROMOTE, EndNow="true", **_DELETE_ONLY),
        old=_with(KEEP, EndNow="true", **_DELETE_ONLY),
        starts=A_FEW,
    ),
    Scenario(
        "end now taken back",
        "Update",
        UPDATING,
        "nothing",
        new=_with(PROMOTE, EndNow="false"),
        old=_with(PROMOTE, EndNow="true"),
        starts=ALONE,
    ),
    Scenario(
        "create with end now",
        "Create",
        CREATING,
        "refused",
        new=_with(PROMOTE, EndNow="true"),
        starts=(*A_FEW, *FOUND_ENDED[:2]),
    ),
    Scenario(
        "end now again after it failed, old properties are the failed ones",
        "Update",
        (
            *_updating(_created("armed"), "new"),
            "ours UPDATE_FAILED new",
            "stack UPDATE_FAILED",
            "stack UPDATE_IN_PROGRESS",
            "ours UPDATE_IN_PROGRESS new",
        ),
        "end",
        new=_with(PROMOTE, EndNow="true", **_DELETE_ONLY),
        old=_with(PROMOTE, EndNow="true", **_DELETE_ONLY),
        starts=ALONE,
    ),
)

_CREATES = (
    Scenario("create that stops", "Create", CREATING, "end", new=_with(KEEP, StopOn=["Create"])),
    Scenario(
        "create that promotes",
        "Create",
        CREATING,
        "end",
        new=_with(PROMOTE, StopOn=["Create"]),
        starts=(*STARTS, *FOUND_ENDED[:2], FOUND_ENDED[3], *ENDINGS, *NOT_BEGUN),
    ),
    Scenario(
        "create that stops, in a rollback",
        "Create",
        (*_created(), "stack UPDATE_ROLLBACK_IN_PROGRESS", "ours CREATE_IN_PROGRESS new"),
        "nothing",
        new=_with(PROMOTE, StopOn=["Create"]),
        starts=("Running", "absent"),
    ),
    Scenario(
        "create that stops, after it failed in this operation",
        "Create",
        (*CREATING, "ours CREATE_FAILED new", "ours CREATE_IN_PROGRESS new"),
        "nothing",
        new=_with(PROMOTE, StopOn=["Create"]),
        starts=("Running", "absent"),
    ),
    Scenario(
        "create that stops, an import",
        "Create",
        (*_created(), "stack IMPORT_IN_PROGRESS", "ours CREATE_IN_PROGRESS new"),
        "nothing",
        new=_with(PROMOTE, StopOn=["Create"]),
        starts=ALONE,
    ),
)

_DELETES = (
    Scenario("cleanup delete, held by nobody else", "Delete", CLEANING, "end", starts=A_FEW),
    Scenario(
        "cleanup delete, held by what is being deleted",
        "Delete",
        CLEANING,
        "end",
        holders=_held_by(status="DELETE_IN_PROGRESS"),
        starts=ALONE,
    ),
    Scenario(
        "cleanup delete, held by another type",
        "Delete",
        CLEANING,
        "nothing",
        holders=_held_by(kind="Custom::EndTest"),
        starts=ALONE,
    ),
    Scenario(
        "cleanup delete, held in capitals",
        "Delete",
        CLEANING,
        "nothing",
        holders=_held_by(physical_id=arn_of(NAME.upper())),
        starts=ALONE,
    ),
    Scenario(
        "cleanup delete, held under the same logical id",
        "Delete",
        CLEANING,
        "nothing",
        holders=_held_by(logical_id=LOGICAL_ID, status="UPDATE_COMPLETE"),
        starts=ALONE,
    ),
    Scenario(
        "delete in an update without a clean-up status",
        "Delete",
        _deleting(_created("new"), "UPDATE_IN_PROGRESS"),
        "end",
        starts=A_FEW,
    ),
    Scenario(
        "delete in an update, held by another",
        "Delete",
        _deleting(_created("new"), "UPDATE_IN_PROGRESS"),
        "nothing",
        holders=_held_by(),
        starts=ALONE,
    ),
    Scenario(
        "delete in an update of what never was stable",
        "Delete",
        (
            *_created("new"),
            "stack UPDATE_IN_PROGRESS",
            "ours UPDATE_IN_PROGRESS new",
            "ours UPDATE_FAILED new",
            "stack UPDATE_FAILED",
            "stack UPDATE_IN_PROGRESS",
            "ours DELETE_IN_PROGRESS new",
        ),
        "nothing",
        starts=ALONE,
    ),
    Scenario(
        "rollback delete of what outlives an update's rollback",
        "Delete",
        (
            *_created("new"),
            "stack UPDATE_IN_PROGRESS",
            "stack UPDATE_ROLLBACK_IN_PROGRESS",
            "stack UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "ours DELETE_IN_PROGRESS new",
        ),
        "nothing",
        new=_with(KEEP, **_OWNED),
        starts=ALONE,
    ),
    Scenario(
        "failed creation by change set is deleted",
        "Delete",
        _deleting(("stack REVIEW_IN_PROGRESS", *CREATION_FAILED)),
        "nothing",
        by_change_set=True,
        starts=ALONE,
    ),
    Scenario(
        "failed creation that the stack said is deleted",
        "Delete",
        _deleting((*CREATION_FAILED, "stack CREATE_FAILED")),
        "nothing",
        starts=ALONE,
    ),
    Scenario(
        "failed creation that was rolled back is deleted",
        "Delete",
        _deleting((*CREATION_FAILED, "stack ROLLBACK_IN_PROGRESS", "stack ROLLBACK_FAILED")),
        "nothing",
        starts=ALONE,
    ),
    Scenario(
        "failed creation of what the stack owns is deleted",
        "Delete",
        _deleting(CREATION_FAILED),
        "end",
        new=_with(PROMOTE, **_OWNED),
        sent=RETAINED,
        starts=A_FEW,
    ),
    Scenario(
        "delete of a stack that was imported",
        "Delete",
        _deleting(
            (
                "stack REVIEW_IN_PROGRESS",
                "stack IMPORT_IN_PROGRESS",
                "stack IMPORT_COMPLETE",
                "stack UPDATE_IN_PROGRESS",
                "ours CREATE_IN_PROGRESS new",
                "ours CREATE_COMPLETE new",
                "bucket UPDATE_FAILED",
                "stack UPDATE_FAILED",
            )
        ),
        "end",
        starts=ALONE,
    ),
    Scenario(
        "delete of a marker", "Delete", DELETING, "nothing", physical_id="x-marker", starts=ALONE
    ),
)

_AFTER_A_FAILURE = (
    Scenario(
        "undo without rollback, after the stack has failed",
        "Update",
        UNDONE_AFTER_THE_UPDATE,
        "nothing",
        old=PROMOTE,
        waits=True,
        starts=("Running", "Stopping"),
    ),
    Scenario(
        "undo without rollback, at once",
        "Update",
        UNDONE_IN_THE_UPDATE,
        "nothing",
        old=PROMOTE,
        step=1.1,
        waits=True,
        starts=ALONE,
    ),
    Scenario(
        "undo without rollback to a promotion",
        "Update",
        (
            *_updating(_created("promote"), "keep"),
            "ours UPDATE_FAILED keep",
            "ours UPDATE_IN_PROGRESS promote",
        ),
        "nothing",
        new=PROMOTE,
        waits=True,
        starts=ALONE,
    ),
    Scenario(
        "update, another resource has failed without rollback",
        "Update",
        (*_created("old"), "stack UPDATE_IN_PROGRESS", "bucket UPDATE_FAILED", UPDATING[-1]),
        "end",
        new=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "retry, old properties are the stable ones",
        "Update",
        _updating(UPDATE_FAILED_ONLY),
        "end",
        new=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "retry after the undo",
        "Update",
        _updating(UPDATE_UNDONE),
        "end",
        new=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "retry after the undo, old properties are the failed ones",
        "Update",
        _updating(UPDATE_UNDONE),
        "end",
        new=PROMOTE,
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "withdrawn order after the undo, old properties are the failed ones",
        "Update",
        _updating(UPDATE_UNDONE),
        "nothing",
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "retry after an undo without an outcome",
        "Update",
        _updating(UPDATE_HALF_UNDONE),
        "end",
        new=PROMOTE,
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "retry of something else, old properties are the failed ones",
        "Update",
        _updating(UPDATE_FAILED_ONLY),
        "end",
        new=CANCEL,
        old=PROMOTE,
        starts=A_FEW,
    ),
    Scenario(
        "retry after a skipped rollback",
        "Update",
        _updating(SKIPPED),
        "end",
        new=PROMOTE,
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "retry, no event holds the stable properties",
        "Update",
        (
            *_updating(_created("nothing"), "promote"),
            "ours UPDATE_FAILED promote",
            "stack UPDATE_FAILED",
            "stack UPDATE_IN_PROGRESS",
            "ours UPDATE_IN_PROGRESS new",
        ),
        "refused",
        new=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "withdrawn order, old properties are the stable ones",
        "Update",
        _updating(UPDATE_FAILED_ONLY),
        "nothing",
        starts=ALONE,
    ),
    Scenario(
        "withdrawn order after an undo without an outcome",
        "Update",
        _updating(UPDATE_HALF_UNDONE),
        "nothing",
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "withdrawn order after the undo",
        "Update",
        _updating(UPDATE_UNDONE),
        "nothing",
        starts=ALONE,
    ),
    Scenario(
        "withdrawn order after a skipped rollback",
        "Update",
        _updating(SKIPPED),
        "nothing",
        old=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "teardown after a failed update, with the failed properties",
        "Delete",
        _deleting(UPDATE_FAILED_ONLY),
        "end",
        new=PROMOTE,
        sent=KEEP,
        starts=A_FEW,
    ),
    Scenario(
        "teardown after a failed update, with the stable properties",
        "Delete",
        _deleting(UPDATE_FAILED_ONLY),
        "end",
        starts=A_FEW,
    ),
    Scenario(
        "teardown after a failed update, no event holds the stable properties",
        "Delete",
        (
            *_updating(_created("nothing"), "promote"),
            "ours UPDATE_FAILED promote",
            "stack UPDATE_FAILED",
            "stack DELETE_IN_PROGRESS",
            "ours DELETE_IN_PROGRESS new",
        ),
        "nothing",
        new=PROMOTE,
        starts=ALONE,
    ),
    Scenario(
        "plumbing update after a later success",
        "Update",
        (
            *_updating(UPDATE_FAILED_ONLY, "promote"),
            "ours UPDATE_COMPLETE promote",
            "stack UPDATE_COMPLETE",
            "stack UPDATE_IN_PROGRESS",
            "ours UPDATE_IN_PROGRESS new",
        ),
        "nothing",
        new=_with(PROMOTE, StopOn=["Update"]),
        old=PROMOTE,
        starts=ALONE,
    ),
)

_NESTED = (
    Scenario(
        "nested update in a stack in between",
        "Update",
        UPDATING,
        "end",
        new=PROMOTE,
        above=(ROOT_UPDATING, ROOT_UPDATING),
        starts=ALONE,
    ),
    Scenario(
        "nested update, the root rolls back",
        "Update",
        UPDATING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_ROLLING_BACK,),
        waits=True,
        starts=("Running", "Stopping"),
    ),
    Scenario(
        "nested update, a root without rollback restores it",
        "Update",
        UPDATING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_RESTORES,),
        waits=True,
        starts=ALONE,
    ),
    Scenario(
        "nested update, the root had failed before",
        "Update",
        UPDATING,
        "end",
        new=PROMOTE,
        above=(ROOT_FAILED_BEFORE,),
        starts=ALONE,
    ),
    Scenario(
        "nested update from the nested stack",
        "Update",
        UPDATING,
        "refused",
        new=PROMOTE,
        above=(ROOT_CREATED,),
        starts=ALONE,
    ),
    Scenario(
        "nested create that stops, from the nested stack",
        "Create",
        _updating(_created(), "new")[:-1] + CREATING[-1:],
        "refused",
        new=_with(KEEP, StopOn=["Create"]),
        above=(ROOT_CREATED,),
        starts=ALONE,
    ),
    Scenario(
        "nested create that stops",
        "Create",
        CREATING,
        "end",
        new=_with(KEEP, StopOn=["Create"]),
        above=(("stack CREATE_IN_PROGRESS", "below CREATE_IN_PROGRESS"),),
        starts=ALONE,
    ),
    Scenario(
        "nested delete, the root's creation is undone",
        "Delete",
        DELETING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_CREATION_UNDONE,),
        starts=ALONE,
    ),
    Scenario(
        "nested delete, the root's creation has failed",
        "Delete",
        DELETING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_NEVER_COMPLETE,),
        starts=ALONE,
    ),
    Scenario(
        "nested delete, a stack in between rolls back",
        "Delete",
        DELETING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_ROLLING_BACK, ROOT_UPDATING),
        starts=ALONE,
    ),
    Scenario(
        "nested delete, a stack in between is deleted by a root that rolls back",
        "Delete",
        DELETING,
        "nothing",
        new=PROMOTE,
        above=(ROOT_DELETING, ROOT_ROLLING_BACK),
        starts=ALONE,
    ),
    Scenario(
        "nested delete, the root is deleted",
        "Delete",
        DELETING,
        "end",
        above=(ROOT_DELETING,),
        starts=A_FEW,
    ),
    Scenario(
        "nested delete, the root cleans up",
        "Delete",
        DELETING,
        "end",
        new=PROMOTE,
        above=(ROOT_CLEANING,),
        starts=A_FEW,
    ),
    Scenario(
        "nested cleanup delete",
        "Delete",
        CLEANING,
        "end",
        above=(ROOT_CLEANING,),
        starts=ALONE,
    ),
    Scenario(
        "nested cleanup delete, the root rolls back",
        "Delete",
        CLEANING,
        "nothing",
        above=(ROOT_ROLLING_BACK,),
        starts=ALONE,
    ),
    Scenario(
        "nested delete from the nested stack",
        "Delete",
        DELETING,
        "nothing",
        above=(ROOT_CREATED,),
        starts=ALONE,
    ),
)

_AT_REST = (
    Scenario(
        "update, the stack's status is stale",
        "Update",
        UPDATING,
        "end",
        new=PROMOTE,
        stale=("CREATE_COMPLETE", 5),
        starts=ALONE,
    ),
    Scenario(
        "update, the stack stays at rest",
        "Update",
        UPDATING,
        "refused",
        new=PROMOTE,
        stale=("CREATE_COMPLETE", NEVER),
        starts=ALONE,
    ),
    Scenario(
        "update, the stack's status is unknown",
        "Update",
        UPDATING,
        "refused",
        new=PROMOTE,
        stale=("QUIESCED", NEVER),
        starts=ALONE,
    ),
    Scenario(
        "delete, the stack's status is stale",
        "Delete",
        DELETING,
        "end",
        stale=("UPDATE_COMPLETE", 5),
        starts=ALONE,
    ),
    Scenario(
        "delete, the stack stays at rest",
        "Delete",
        DELETING,
        "nothing",
        stale=("UPDATE_COMPLETE", NEVER),
        starts=ALONE,
    ),
    Scenario(
        "update that is delivered late",
        "Update",
        (
            *UPDATING,
            "request",
            "ours UPDATE_FAILED new",
            "stack UPDATE_ROLLBACK_IN_PROGRESS",
            "stack UPDATE_ROLLBACK_COMPLETE",
            "stack UPDATE_IN_PROGRESS",
        ),
        "refused",
        new=PROMOTE,
        starts=("Running", "Completed"),
    ),
    Scenario(
        "delete that is delivered late",
        "Delete",
        (*DELETING, "request", "ours DELETE_FAILED new", "stack DELETE_FAILED", DELETING[-2]),
        "refused",
        starts=ALONE,
    ),
)

SAID_PROMOTE = {"Name": NAME, "Outcome": "PromoteShadow", "DesiredState": "Completed"}
SAID_KEEP = _with(SAID_PROMOTE, Outcome="KeepProduction")
_AS_IT_RUNS = _with(
    PROMOTE,
    DesiredModelVariants=[
        {
            "ModelName": SHADOW_MODEL,
            "VariantName": "shadow",
            "InfrastructureConfig": {
                "InfrastructureType": "RealTimeInference",
                "RealTimeInferenceConfig": {
                    "InstanceType": "ml.m5.xlarge",
                    "InstanceCount": str(SCALED),
                },
            },
        }
    ],
)
_WITHOUT = (f"Running, {NO_PAIR}", f"Running, {NO_COUNT}")

_OUTCOMES = (
    Scenario(
        "outcome update",
        "Update",
        UPDATING,
        "end",
        new=SAID_PROMOTE,
        old=SAID_KEEP,
        sent=_AS_IT_RUNS,
        running=SCALED,
        event_lag=0,
        starts=(*A_FEW, *FOUND_ENDED, *ENDINGS, *_WITHOUT),
    ),
    Scenario(
        "outcome update that keeps",
        "Update",
        UPDATING,
        "end",
        new=SAID_KEEP,
        old=SAID_PROMOTE,
        sent=KEEP,
        running=SCALED,
        starts=(*A_FEW, *FOUND_ENDED, f"Running, {NO_PAIR}"),
    ),
    Scenario(
        "outcome delete",
        "Delete",
        DELETING,
        "end",
        new=SAID_PROMOTE,
        sent=_AS_IT_RUNS,
        running=SCALED,
        starts=(*A_FEW, *_WITHOUT),
    ),
    Scenario(
        "outcome create",
        "Create",
        CREATING,
        "arm",
        new=SAID_PROMOTE,
        sent=_AS_IT_RUNS,
        running=SCALED,
        starts=(*A_FEW, f"Running, {NO_PAIR}"),
    ),
    Scenario(
        "outcome in place of named variants that promotes",
        "Update",
        UPDATING,
        "end",
        new=SAID_PROMOTE,
        sent=_AS_IT_RUNS,
        running=SCALED,
        starts=("Running", "Updating", "Completed, as before"),
    ),
    *(
        Scenario(
            name, "Update", UPDATING, "nothing", new=new, old=old, running=SCALED, starts=A_FEW
        )
        for name, new, old in (
            ("outcome of the named variants", SAID_KEEP, KEEP),
            ("named variants of the outcome", KEEP, SAID_KEEP),
            ("named instances that run now, of the outcome", _AS_IT_RUNS, SAID_PROMOTE),
            ("outcome that resolves differently", SAID_PROMOTE, _with(SAID_PROMOTE, Reason="x")),
        )
    ),
)

_GATED = (
    Scenario("gated update", "Update", UPDATING, "end", new=GATED, starts=A_FEW),
    Scenario(
        "gated update, closed",
        "Update",
        UPDATING,
        "end",
        new=GATED,
        evidence="slow",
        starts=("Running", "Updating"),
    ),
    *(
        Scenario(
            f"gated update, {word}",
            "Update",
            UPDATING,
            "end",
            new=GATED,
            evidence=word,
            starts=ALONE,
        )
        for word in ("few", "unmeasured", "alarming")
    ),
    Scenario("gated delete", "Delete", DELETING, "end", new=GATED, starts=("Running", "Updating")),
    Scenario(
        "gated delete, closed",
        "Delete",
        DELETING,
        "end",
        new=GATED,
        evidence="few",
        starts=("Running", "Updating"),
    ),
    Scenario(
        "gated delete, closed, keeps both",
        "Delete",
        DELETING,
        "end",
        new=_with(GATED, Otherwise="KeepBoth"),
        evidence="unmeasured",
        starts=ALONE,
    ),
    Scenario(
        "gated create that stops, closed",
        "Create",
        CREATING,
        "end",
        new=_with(GATED, StopOn=["Create"]),
        evidence="alarming",
        starts=ALONE,
    ),
    Scenario(
        "gated rollback update",
        "Update",
        ROLLING_BACK,
        "nothing",
        new=GATED,
        evidence="slow",
        waits=True,
        starts=ALONE,
    ),
    Scenario(
        "other evidence alone",
        "Update",
        UPDATING,
        "nothing",
        new=_with(GATED, Otherwise="KeepBoth"),
        old=PROMOTE,
        starts=ALONE,
    ),
)

MORE = (
    *_OUTCOMES,
    *_GATED,
    *_CHANGES,
    *_END_NOW,
    *_CREATES,
    *_DELETES,
    *_AFTER_A_FAILURE,
    *_NESTED,
    *_AT_REST,
)


DEEP = (
    ("create", "Running"),
    ("rollback update", "Running"),
    ("rollback delete", "Running"),
    ("cleanup delete", "Running"),
    ("undo without rollback", "Running"),
    ("retry, old properties are the failed ones", "Running"),
    ("withdrawn order, old properties are the failed ones", "Running"),
    ("nested update", "Updating"),
    ("gated update", "Updating"),
    ("gated delete, closed", "Updating"),
    ("nested delete, the root rolls back", "Running"),
    ("failed creation is deleted", "Running"),
    ("rollback delete of what the stack owns", "Running"),
)
"""Situations with all histories of three steps: an order waits and can be undone, by the stack or
by its parents; or an order is undone, retried or withdrawn; or the stack never was complete."""


LIKE_OTHERS = ("Created", "Starting", "Cancelled")
"""Statuses that are handled like Creating, Updating and Completed."""


def is_in(group: str, scenario: Scenario) -> bool:
    """Whether a situation belongs to a group; groups exclude what is explored deeper."""
    is_deep = (scenario.name, scenario.start) in DEEP
    is_core = any(scenario.name == one.name for one in CORE)
    is_first = scenario.start == scenario.starts[0]
    is_wide = (is_first or (is_core and scenario.start not in LIKE_OTHERS)) and not is_deep
    return {
        "deep": is_deep,
        "wide": is_wide,
        "rest": not is_deep and not is_wide,
        "core": is_core,
        "more": not is_core,
        "all": True,
    }.get(group, scenario.name == group)


GROUPS = ("deep", "wide", "rest", "core", "more", "all")


def named(name: str) -> Scenario:
    """The scenario with a name."""
    return next(scenario for scenario in CORE + MORE if scenario.name == name)


def combinations(
    scenarios: tuple[Scenario, ...], tempos: tuple[Tempo, ...] = TEMPOS
) -> list[Scenario]:
    """Every scenario from each of its starts at every tempo."""
    starts = (*STARTS, *dict.fromkeys(start for one in scenarios for start in one.starts))
    return [
        replace(scenario, start=start, tempo=tempo)
        for start in dict.fromkeys(starts)
        for scenario in scenarios
        if start in scenario.starts
        for tempo in tempos
    ]


def set_up(world: World, scenario: Scenario) -> dict[str, Any]:
    """Set up a scenario's situation; return its event, which is not delivered yet."""
    _set_up_experiment(world, scenario)
    world.cloudwatch.tell(scenario.evidence)
    world.aws.timeout_scale = scenario.tempo.timeout_scale
    world.cloudformation.page_size = 2
    world.cloudformation.event_page_size = 5
    stack, now = world.stack, world.clock.now
    physical_id = scenario.physical_id
    declared: dict[str, Declared] = {
        "keep": KEEP,
        "promote": PROMOTE,
        "new": scenario.new,
        "old": scenario.old,
        "armed": _with(scenario.new, EndNow="false"),
        "nothing": {},
    }
    sent_at = tell(
        stack, scenario.past, declared, now=now, physical_id=physical_id, step=scenario.step
    )
    below = stack
    for number, lines in enumerate(scenario.above):
        below.parent = above = world.cloudformation.new_stack(f"above-{number + 1}")
        tell(above, lines, declared, now=now - 1, physical_id=below.arn, step=scenario.step)
        below = above
    stack.stale, stack.stale_until = scenario.stale[0], now + scenario.stale[1]
    stack.event_lag = scenario.event_lag
    stack.last_updated = now - 60 if scenario.by_change_set else 0
    stack.add("Bucket", "a-bucket", "AWS::S3::Bucket", "CREATE_COMPLETE")
    if not any(holder[0] == LOGICAL_ID for holder in scenario.holders):
        stack.add(LOGICAL_ID, arn_of(NAME), RESOURCE_TYPE, "DELETE_IN_PROGRESS")
    for holder in scenario.holders:
        stack.add(*holder)
    timeout = {"ServiceTimeout": str(scenario.tempo.service_timeout)}
    new = {**scenario.new, **timeout}
    world.cloudformation.on_answer = lambda asked: _move_on(world, scenario, asked)
    return world.request(scenario.kind, new, scenario.old, physical_id=physical_id, at=sent_at)


def _set_up_experiment(world: World, scenario: Scenario) -> None:
    status, _, how = scenario.start.partition(", ")
    if status == "absent":
        return
    add, name, pace = world.sagemaker.add, scenario.new["Name"], scenario.tempo.pace
    if how in _WORDS:
        by = scenario.declared if how == "as declared" else scenario.old
        stop = {"ModelVariantActions": dict(_actions(by)), "Reason": _WORDS[how](scenario)}
        add(name, status, pace, by=stop)
    elif how == "not settled":
        add(name, status, pace, ended_seconds_ago=1)
    else:
        experiment = add(name, status, pace)
        if scenario.running is not None:
            experiment.run_instances("production", scenario.running)
        if how:
            _VARIED[how](experiment)


_WORDS: Mapping[str, Callable[[Scenario], str]] = {
    "as declared": lambda scenario: reason_of(
        scenario.new if "Outcome" in scenario.new else scenario.declared
    ),
    "as before": lambda scenario: reason_of(scenario.old),
    "in the old words": lambda scenario: str(scenario.old["Reason"]),
}


def _varied(**attributes: Any) -> Callable[[Experiment], None]:
    def vary(experiment: Experiment) -> None:
        for name, value in attributes.items():
            setattr(experiment, name, value)

    return vary


def _begins_soon(experiment: Experiment) -> None:
    experiment.refuses_created = True
    experiment.start_in(120)


_VARIED: Mapping[str, Callable[[Experiment], None]] = {
    "shows as Cancelled": _varied(shows_as_cancelled=True),
    "fails the endpoint's update": _varied(stop_fails_update=True),
    "failed before": _varied(failure=UPDATE_FAILED),
    "refuses": _varied(refuses_created=True),
    "begins soon": _begins_soon,
    NO_PAIR: lambda experiment: experiment.add_variant("canary"),
    NO_COUNT: lambda experiment: experiment.run_instances("production", None),
}


def reason_of(declared: Declared) -> str:
    """The Reason with which the handler ends an experiment as declared.

    Taken from a Stop in a separate world, so that this module does not compute the digest.
    """
    return _learned(json.dumps({name: declared[name] for name in _MEMBERS if name in declared}))


_MEMBERS = (
    "Name",
    "Outcome",
    "Instances",
    "ModelVariantActions",
    "DesiredModelVariants",
    "DesiredState",
    "Reason",
)


@cache
def _learned(declared: str) -> str:
    new = json.loads(declared)
    kept = {"production": "Retain", "shadow": "Retain"}
    old = {"Name": new["Name"], "ModelVariantActions": kept}
    world = World()
    with world.installed():
        world.stack.event_lag = 0
        world.sagemaker.add(new["Name"], "Running", Pace(stop=1))
        world.deliver(world.request("Update", new, old))
        world.run_to_quiet()
    return str(world.sagemaker.experiments[new["Name"]].stops[0]["Reason"])


def learn(scenario: Scenario) -> None:
    """Get the Reasons that a scenario's situation needs, before its world is installed."""
    how = scenario.start.partition(", ")[2]
    if how in _WORDS:
        _WORDS[how](scenario)


def _move_on(world: World, scenario: Scenario, asked: Asked) -> None:
    """What CloudFormation does with the stack after the answer."""
    assert asked.answer is not None
    if asked.event["RequestId"] != "request-1":
        return
    succeeded, status = asked.answer["Status"] == "SUCCESS", scenario.stack
    if status == "DELETE_IN_PROGRESS":
        world.stack.status = "DELETE_COMPLETE" if succeeded else "DELETE_FAILED"
    elif succeeded or scenario.kind == "Delete":
        # A resource that cannot be deleted does not stop a rollback or a clean-up.
        world.stack.status = status.replace("_CLEANUP", "").replace("IN_PROGRESS", "COMPLETE")
    else:
        rolling = {
            "CREATE_IN_PROGRESS": "ROLLBACK_IN_PROGRESS",
            "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_IN_PROGRESS",
        }
        world.stack.status = rolling.get(status, "UPDATE_ROLLBACK_FAILED")
