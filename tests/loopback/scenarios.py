"""The requests that are explored: each scenario is one request in one situation of its stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .cloudformation import Asked
from .sagemaker import NEVER, Pace, arn_of
from .world import KEEP, LOGICAL_ID, NAME, PROMOTE, RESOURCE_TYPE, World

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
"""Absent, and every status; those that differ most come first."""

RENAMED = "fraud-shadow-2"
IAM_SECONDS = 60.0
"""AccessDenied is transient for this long after the first delivery."""


@dataclass(frozen=True)
class Tempo:
    """How long an invocation and the experiment may take.

    Attributes:
        limit: Seconds of an invocation. Short ones bring the hand-over into every history at a
            fraction of the describes.
        timeout_scale: Of the SDK's time-outs, which are made for an invocation of 15 minutes.
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
"""The rule is made at once, and a poll sees the end."""

BRIEF = Tempo("brief", 900, Pace(stop=20, settle=4, begin=9))
"""The first invocation sees the end, without a rule."""

LONG = Tempo("long", 200, Pace(stop=190, settle=8, begin=20))
"""The rule is made after 50 s; polls overlap with the first invocation and go on after it."""

STUCK = Tempo("stuck", 300, Pace(stop=NEVER, settle=4, begin=9), service_timeout=900)
"""The end never comes: the deadline does."""

TEMPOS = (HANDED, BRIEF, LONG, STUCK)


@dataclass(frozen=True)
class Scenario:
    """One request in one situation.

    Attributes:
        may_stop: The lifecycle table lets this request stop its experiment, if that has not ended.
        promotes: It wants a promotion that was not declared before.
        holder: Another resource of the stack holds the same experiment.
    """

    name: str
    kind: str
    stack: str
    may_stop: bool
    new: Mapping[str, Any] = field(default_factory=lambda: KEEP)
    old: Mapping[str, Any] = field(default_factory=lambda: KEEP)
    holder: bool = False
    physical_id: str = arn_of(NAME)
    start: str = "Running"
    tempo: Tempo = HANDED

    @property
    def promotes(self) -> bool:
        """Whether the new declaration promotes now, which takes an end that it ordered itself."""
        acts_now = self.kind == "Update" or (self.kind == "Create" and self.may_stop)
        return acts_now and "Promote" in self.new["ModelVariantActions"].values()

    @property
    def is_left_alone(self) -> bool:
        """Whether the experiment outlives a rollback, so that its state changes no answer."""
        return "rollback" in self.name and not self.may_stop

    @property
    def is_rename(self) -> bool:
        """Whether an Update names another experiment."""
        return self.kind == "Update" and self.new["Name"] != self.old["Name"]

    @property
    def key(self) -> str:
        """How a person names it."""
        return f"{self.name}/{self.start}/{self.tempo.name}"


def _with(base: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {**base, **more}


_CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_ROLLBACK = "UPDATE_ROLLBACK_IN_PROGRESS"

SIX = (
    Scenario("create", "Create", "CREATE_IN_PROGRESS", may_stop=False, new=PROMOTE),
    Scenario("update", "Update", "UPDATE_IN_PROGRESS", may_stop=True, new=PROMOTE),
    Scenario("delete", "Delete", "DELETE_IN_PROGRESS", may_stop=True),
    Scenario("rollback update", "Update", _ROLLBACK, may_stop=False, old=PROMOTE),
    Scenario("rollback delete", "Delete", "ROLLBACK_IN_PROGRESS", may_stop=False),
    Scenario("cleanup delete", "Delete", _CLEANUP, may_stop=False, holder=True),
)

MORE = (
    Scenario("update that keeps", "Update", "UPDATE_IN_PROGRESS", may_stop=True, old=PROMOTE),
    Scenario("cleanup delete, held by nobody else", "Delete", _CLEANUP, may_stop=True),
    Scenario(
        "rollback delete of what the stack owns",
        "Delete",
        "ROLLBACK_IN_PROGRESS",
        may_stop=True,
        new=_with(KEEP, StackOwnsExperiment="true"),
    ),
    Scenario(
        "rollback delete of what outlives an update's rollback",
        "Delete",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        may_stop=False,
        new=_with(KEEP, StackOwnsExperiment="true"),
        holder=True,
    ),
    Scenario(
        "update for the same reason",
        "Update",
        "UPDATE_IN_PROGRESS",
        may_stop=True,
        new=_with(PROMOTE, Reason="It is time"),
        old=_with(KEEP, Reason="It is time"),
    ),
    Scenario(
        "plumbing update",
        "Update",
        "UPDATE_IN_PROGRESS",
        may_stop=False,
        new=_with(KEEP, StopOn=["Delete", "Update"]),
    ),
    Scenario(
        "update, not in StopOn",
        "Update",
        "UPDATE_IN_PROGRESS",
        may_stop=False,
        new=_with(KEEP, StopOn=["Delete"]),
        old=PROMOTE,
    ),
    Scenario(
        "delete, not in StopOn",
        "Delete",
        "DELETE_IN_PROGRESS",
        may_stop=False,
        new=_with(KEEP, StopOn=["Update"]),
    ),
    Scenario(
        "rename", "Update", "UPDATE_IN_PROGRESS", may_stop=False, new=_with(KEEP, Name=RENAMED)
    ),
    Scenario(
        "create that stops",
        "Create",
        "CREATE_IN_PROGRESS",
        may_stop=True,
        new=_with(KEEP, StopOn=["Create"]),
    ),
    Scenario(
        "create that promotes",
        "Create",
        "CREATE_IN_PROGRESS",
        may_stop=True,
        new=_with(PROMOTE, StopOn=["Create"]),
    ),
    Scenario(
        "delete of a marker", "Delete", "DELETE_IN_PROGRESS", may_stop=False, physical_id="x-marker"
    ),
)


def combinations(
    scenarios: tuple[Scenario, ...], tempos: tuple[Tempo, ...] = TEMPOS
) -> list[Scenario]:
    """Every scenario from every start at every tempo."""
    return [
        replace(scenario, start=start, tempo=tempo)
        for start in STARTS
        for scenario in scenarios
        for tempo in tempos
    ]


def set_up(world: World, scenario: Scenario) -> dict[str, Any]:
    """Put a scenario's situation up; returns its event, not delivered yet."""
    name = scenario.new["Name"]
    if scenario.start != "absent":
        world.sagemaker.add(name, scenario.start, scenario.tempo.pace)
    world.aws.timeout_scale = scenario.tempo.timeout_scale
    world.stack.status = scenario.stack
    world.cloudformation.page_size = 2
    world.stack.add("Bucket", "a-bucket", "AWS::S3::Bucket", "CREATE_COMPLETE")
    world.stack.add(LOGICAL_ID, arn_of(NAME), RESOURCE_TYPE, "DELETE_IN_PROGRESS")
    if scenario.holder:
        world.stack.add("Renamed1", arn_of(NAME), RESOURCE_TYPE, "CREATE_COMPLETE")
    timeout = {"ServiceTimeout": str(scenario.tempo.service_timeout)}
    new = {**scenario.new, **timeout}
    event = world.request(scenario.kind, new, scenario.old, physical_id=scenario.physical_id)
    world.cloudformation.on_answer = lambda asked: _move_on(world, scenario, asked)
    return event


def _move_on(world: World, scenario: Scenario, asked: Asked) -> None:
    """What CloudFormation does with the stack when it has its answer."""
    assert asked.answer is not None
    if asked.event["RequestId"] != "request-1":
        return
    succeeded = asked.answer["Status"] == "SUCCESS"
    if scenario.kind == "Delete":
        world.stack.status = "DELETE_COMPLETE" if succeeded else "DELETE_FAILED"
        if "ROLLBACK" in scenario.stack or "CLEANUP" in scenario.stack:
            world.stack.status = scenario.stack.replace("_CLEANUP", "").replace(
                "IN_PROGRESS", "COMPLETE"
            )
    elif succeeded:
        world.stack.status = scenario.stack.replace("IN_PROGRESS", "COMPLETE")
    else:
        before = scenario.stack.removesuffix("_IN_PROGRESS")
        rolling = {"CREATE": "ROLLBACK_IN_PROGRESS", "UPDATE": "UPDATE_ROLLBACK_IN_PROGRESS"}
        world.stack.status = rolling.get(before, "UPDATE_ROLLBACK_FAILED")
