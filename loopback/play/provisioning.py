"""CloudFormation's dealings with our resource: what it writes, what it asks, what it hears."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..clock import Task
from ..cloudformation import STACK_TYPE, Event, Stack
from ..delivery import as_delivered
from ..sagemaker import Experiment, Pace, arn_of
from ..world import World
from .ledger import CLEANUP, EVENTS, FORWARD, STATUS, Ledger, Order, Request, Sign, Stop
from .story import (
    NAME,
    OF_EVENTS,
    OTHER_NAME,
    Consulted,
    Create,
    Declaration,
    Operation,
    Story,
    Trouble,
)

DAY = 86_400.0
LOGICAL_ID = "StopShadowTest4D1E2F3A"
OTHER_LOGICAL_ID = "StopShadowTest9B8C7D6E"
RESOURCE_TYPE = "Custom::StopInferenceExperiment"
TYPE_IN_A_CLEANUP = "AWS::CloudFormation::CustomResource"
SIBLING_TYPE = "AWS::SQS::Queue"
GIVES_UP_AFTER = 3600.0
SUCCESS, FAILED, ABANDONED = "SUCCESS", "FAILED", "abandoned"
NAMES = ("fraud", "fraud-Tests-1ABC", "fraud-Tests-1ABC-Shadow-2DEF")
NESTED_IDS = ("", "Tests", "Shadow")
EVENTS_PER_PAGE = 4
SECONDS_PER_PAGE = 1.0
CONFIGURED_AFTER = 3.0
"""Seconds until the siblings of a resource are configured, in Express mode."""

AFTER_EVENT = 0.3
"""Seconds between a resource's event and its request."""


@dataclass(frozen=True)
class Replaced:
    """A physical id that a clean-up deletes.

    Attributes:
        declared: The properties of its request.
        meant: What users have declared of the experiment that the id names.
        operation: The number of the operation that replaced it.
    """

    physical_id: str
    declared: Declaration
    meant: tuple[Declaration, ...]
    operation: int


def or_kept(meant: tuple[Declaration, ...]) -> tuple[Declaration, ...]:
    """The same ends, and production kept in place of a promotion that may not be wanted."""
    return (*meant, *(replace(each, end="keep") for each in meant))


@dataclass
class Resource:
    """A resource of ours, as CloudFormation knows it.

    Attributes:
        deployed: What a request would have as old properties.
        before: What the operation found, which a rollback restores.
        is_new: The operation in progress, or one that failed, has created it.
        is_touched: The operation in progress has sent an update, which is not undone yet.
        replaced: Physical ids to delete in the clean-up.
        standing: The declarations that users want, or may want: what a deletion carries out.
        is_skipped: Its undo was skipped, and no request has succeeded since: nothing says whether
            what was taken back has become deployed by an operation that did not change it.
        is_armed: Made by an update that failed and was not rolled back: nothing says whether it
            counts as deployed, so that an order may be carried out.
    """

    logical_id: str
    deployed: Declaration
    before: Declaration
    physical_id: str = ""
    status: str = ""
    is_new: bool = True
    is_touched: bool = False
    is_skipped: bool = False
    is_armed: bool = False
    replaced: list[Replaced] = field(default_factory=list)
    standing: tuple[Declaration, ...] = ()
    attempted: Declaration | None = None


@dataclass(frozen=True)
class _Asking:
    """A request to be."""

    kind: str
    phase: str
    new: Declaration
    old: Declaration | None
    known_id: str


class Provisioning:
    """The stacks of one story in a world, with our resource."""

    """Plays a story in a world."""

    def __init__(self, world: World, story: Story) -> None:
        self.world = world
        self.story = story
        self.settings = Consulted(story.settings)
        self.ledger = Ledger()
        self.clock = world.clock
        self.resources: dict[str, Resource] = {}
        self.template: dict[str, Declaration] = {}
        self.has_nested = self.settings.deployed
        self.is_done = False
        self._stable = (self.template, self.settings.deployed)
        self.operation: Operation = Operation()
        self._levels: list[Stack] = []
        self._incarnation = 0
        self._sent = 0
        self._sent_before = 0
        self._waiting: object | None = None
        self._task: Task | None = None
        self._broken_level: int | None = None
        self._granted: set[str] = set()
        self._has_role = False
        self._sibling_is_due = False
        self._open: list[Order] = []
        self._last_ids: dict[str, str] = {}
        self._is_cancellable = False
        self._kept: list[Experiment] = []
        self._failed_kept = False
        self._is_cancelled = False

    # What a world is.

    def begin(self) -> None:
        """Prepare the world: what exists before the story begins."""
        world, settings = self.world, self.settings
        world.cloudformation.stacks.clear()
        world.cloudformation.records_answers = False
        world.cloudformation.on_answer = lambda _: self._poke()
        world.aws.is_denied = self._is_denied
        world.sagemaker.on_stop = self._on_stop
        if settings.experiment != "absent":
            self._make(NAME, settings.experiment)
        self._make(OTHER_NAME, "Running")
        world.function.is_deleted = True
        if settings.deployed:
            self._was_deployed()

    def _make(self, name: str, status: str) -> Experiment:
        pace = Pace(stop=self.settings.stop_seconds, begin=self.settings.begins_in)
        experiment = self.world.sagemaker.add(name, status, pace)
        if status == "Created":
            experiment.start_in(self.settings.begins_in)
        self.ledger.made[id(experiment)] = self.clock.now
        # It is kept, so that no other one gets its id.
        self._kept.append(experiment)
        return experiment

    def _experiment(self, name: str) -> Experiment | None:
        return self.world.sagemaker.experiments.get(name)

    def _on_stop(self, experiment: Experiment, members: Mapping[str, Any]) -> None:
        number = self.world.function.current()
        sent_at = self.world.aws.sent_at.get(number, self.clock.now)
        self.ledger.stops.append(Stop(experiment, members, self.clock.now, sent_at, number))
        self._note(f"SageMaker accepts a Stop of {experiment.name}: {_said(members)}")

    def _is_denied(self, operation: str, members: Mapping[str, Any]) -> bool:
        if not self._has_role:
            return True
        if operation in ("DescribeInferenceExperiment", "StopInferenceExperiment"):
            return members["Name"] not in self._granted
        return False

    def _grant(self) -> None:
        """Create the function, its role and the policies of the resources."""
        self._has_role = True
        self.world.function.create()

    def _take_away_function(self) -> None:
        self._has_role = False
        self._sleep(1.0)
        self.world.function.delete()
        self.ledger.removed_at.append(self.clock.now)

    def _note(self, line: str) -> None:
        self.ledger.events.append((self.clock.now, line))

    # The past.

    def _was_deployed(self) -> None:
        at = self.clock.now - DAY
        settings = self.settings
        declared = settings.declared
        self._new_stacks(at)
        for stack in self._levels:
            stack.enter("CREATE_IN_PROGRESS", at)
        self._grant()
        self._granted.add(declared.experiment)
        resource = Resource(LOGICAL_ID, declared, declared, is_new=False, standing=(declared,))
        self.resources = {LOGICAL_ID: resource}
        self.template = {LOGICAL_ID: declared}
        self._write(resource, "CREATE_IN_PROGRESS", at=at + 3)
        resource.physical_id = arn_of(declared.experiment)
        self._write(resource, "CREATE_IN_PROGRESS", at=at + 8)
        self._write(resource, "CREATE_COMPLETE", at=at + 8.2)
        for level in reversed(range(len(self._levels))):
            self._levels[level].enter("CREATE_COMPLETE", at + 10 + 3 * (2 - level))
            if level:
                self._write_child(level, "CREATE_COMPLETE", at=at + 10.3 + 3 * (2 - level))
        if settings.pages:
            self._had_long_updates(at + DAY / 2)
        self._list()

    def _had_long_updates(self, at: float) -> None:
        """Older updates of siblings have left many events."""
        self.world.cloudformation.event_page_size = EVENTS_PER_PAGE
        self.world.aws.latency[EVENTS] = SECONDS_PER_PAGE
        self.home.enter("UPDATE_IN_PROGRESS", at)
        for number in range(self.settings.pages * EVENTS_PER_PAGE):
            name = f"Queue{number // 2}"
            status = ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")[number % 2]
            event = Event(at + 1 + number / 10, name, name, SIBLING_TYPE, status)
            self.home.events.append(event)
        done = at + 2 + self.settings.pages * EVENTS_PER_PAGE / 10
        self.home.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", done)
        self.home.enter("UPDATE_COMPLETE", done + 1)

    def _new_stacks(self, at: float, first: int = 0) -> None:
        self._incarnation += 1
        del self._levels[first:]
        for level in range(first, self.settings.depth + 1):
            parent = self._levels[level - 1] if level else None
            name = NAMES[level]
            stacks = self.world.cloudformation.stacks
            if name in stacks:
                former = stacks.pop(name)
                stacks[former.arn] = former
            stack = self.world.cloudformation.new_stack(name, parent)
            stack.unique = f"0a1b2c3d-{self._incarnation}{level}"
            stack.event_lag = self.settings.event_lag
            self._levels.append(stack)

    # Time.

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def _sleep_until(self, when: float) -> None:
        """Sleep until then, or until something happens."""
        token = self._waiting = object()
        self.clock.call_at(when, lambda: self._wake(token))
        assert self._task is not None
        self._task.park()

    def _wake(self, token: object) -> None:
        if self._waiting is token:
            self._waiting = None
            assert self._task is not None
            self._task.resume()

    def _poke(self) -> None:
        """Wake the engine up: something happened that it may wait for."""
        token = self._waiting
        if token is not None:
            self.clock.call_at(self.clock.now, lambda: self._wake(token))

    # What is written.

    @property
    def home(self) -> Stack:
        """Our resource's stack."""
        return self._levels[-1]

    @property
    def root(self) -> Stack:
        """The stack that the user operates."""
        return self._levels[0]

    def _enter(self, level: int, status: str) -> None:
        stack = self._levels[level]
        stack.status = status
        self._note(f"{_place(level)} {status}")
        if "ROLLBACK_IN_PROGRESS" in status:
            self.ledger.undone[-1] = True
            self._sign(level, EVENTS, status)
            self._sign(level, STATUS, status)

    def _sign(self, level: int, read_by: str, what: str) -> None:
        """Orders in progress are taken back."""
        for order in self._open:
            self._sign_of(order, level, read_by, what)

    def _sign_of(self, order: Order, level: int, read_by: str, what: str) -> None:
        now = self.clock.now
        lag = self.settings.event_lag if read_by == EVENTS else 0.0
        order.signs.append(Sign(self._levels[level].arn, read_by, now, now + lag, what))

    def _write(
        self,
        resource: Resource,
        status: str,
        *,
        declared: Declaration | None = None,
        physical_id: str | None = None,
        at: float | None = None,
        in_cleanup: bool = False,
        reason: str = "",
    ) -> None:
        """An event of our resource."""
        said = "" if in_cleanup else self._shown(declared or resource.deployed)
        kind = TYPE_IN_A_CLEANUP if in_cleanup else RESOURCE_TYPE
        event = Event(
            self.clock.now if at is None else at,
            resource.logical_id,
            resource.physical_id if physical_id is None else physical_id,
            kind,
            status,
            said,
            reason,
        )
        self.home.events.append(event)
        resource.status = status
        if at is None:
            self._note(f"our resource {resource.logical_id[-4:]} {status}")

    def _shown(self, declared: Declaration) -> str:
        told = as_delivered(declared.properties())
        assert isinstance(told, dict)
        if self.settings.masked:
            told = {name: _hidden(name, value) for name, value in told.items()}
        return json.dumps(told)

    def _write_child(self, level: int, status: str, *, at: float | None = None) -> None:
        """An event of a nested stack, in its parent."""
        child, parent = self._levels[level], self._levels[level - 1]
        when = self.clock.now if at is None else at
        parent.events.append(Event(when, NESTED_IDS[level], child.arn, STACK_TYPE, status))

    def _write_sibling(self, level: int, status: str) -> None:
        event = Event(self.clock.now, "Queue", "queue-1", SIBLING_TYPE, status)
        self._levels[level].events.append(event)
        self._note(f"a sibling in {_place(level)} {status}")

    def _list(self) -> None:
        """The stack's resources, as ListStackResources has them."""
        self.home.resources.clear()
        for resource in self.resources.values():
            self.home.add(resource.logical_id, resource.physical_id, RESOURCE_TYPE, resource.status)
        self.home.add("Queue", "queue-1", SIBLING_TYPE, "CREATE_COMPLETE")

    # Requests.

    def _ask(
        self,
        kind: str,
        resource: Resource,
        new: Declaration,
        old: Declaration | None = None,
        *,
        phase: str,
        order: Order | None = None,
        physical_id: str | None = None,
    ) -> str:
        """Send a request, and wait until it is answered or CloudFormation goes on."""
        known_id = resource.physical_id if physical_id is None else physical_id
        asking = _Asking(kind, phase, new, old, "" if kind == "Create" else known_id)
        self._write_of(resource, asking, "IN_PROGRESS")
        self._list()
        self._sleep(AFTER_EVENT)
        request = self._send(resource, asking, order)
        if order is not None:
            order.since = self.clock.now
            order.experiment = self._experiment(order.ends[0].experiment)
            self._open.append(order)
            self.ledger.orders.append(order)
        self._deliver(request)
        if phase == FORWARD and self.operation.fails == "while":
            self._fail_sibling_later(self.operation)
        if phase == FORWARD and self.operation.express:
            self._configured_later(self.operation)
        result = self._wait(request)
        answer = request.asked.answer
        if result == ABANDONED:
            self._write_of(resource, asking, "FAILED", reason=f"Resource {kind.lower()} cancelled")
        elif answer is None:
            self._write_of(resource, asking, "FAILED", reason="did not receive a response")
        else:
            self._conclude(resource, asking, answer)
        if order is not None:
            self._open.remove(order)
            self._sign_of(order, len(self._levels) - 1, EVENTS, resource.status)
        self._list()
        return result

    def _conclude(self, resource: Resource, asking: _Asking, answer: Mapping[str, Any]) -> None:
        """Write what an answer means for the resource."""
        kind, known_id = asking.kind, asking.known_id
        is_done = answer["Status"] == SUCCESS
        answered_id = known_id if kind == "Delete" else answer["PhysicalResourceId"]
        is_replaced = kind == "Update" and is_done and answered_id != known_id
        if kind == "Create" or is_replaced:
            first = answered_id if kind == "Create" else known_id
            self._write_of(resource, asking, "IN_PROGRESS", physical_id=first)
        given = answered_id if is_done or kind == "Create" else known_id
        outcome = "COMPLETE" if is_done else "FAILED"
        reason = str(answer.get("Reason", ""))
        self._write_of(resource, asking, outcome, physical_id=given, reason=reason)
        if is_replaced:
            name = known_id.rpartition("/")[2]
            meant = tuple(each for each in resource.standing if each.experiment == name)
            if resource.is_skipped:
                meant = or_kept(meant)
            declared = asking.old or asking.new
            resource.replaced.append(Replaced(known_id, declared, meant, len(self.ledger.began)))
        if kind == "Create" or (kind == "Update" and is_done):
            resource.physical_id, resource.is_skipped = answered_id, False
            # An undo gives the former id back: it is not to be deleted.
            resource.replaced = [
                each for each in resource.replaced if each.physical_id != answered_id
            ]

    def _write_of(
        self,
        resource: Resource,
        asking: _Asking,
        outcome: str,
        *,
        physical_id: str | None = None,
        reason: str = "",
    ) -> None:
        self._write(
            resource,
            f"{asking.kind.upper()}_{outcome}",
            declared=asking.new,
            physical_id=asking.known_id if physical_id is None else physical_id,
            in_cleanup=asking.phase == CLEANUP,
            reason=reason,
        )

    def _send(self, resource: Resource, asking: _Asking, order: Order | None) -> Request:
        self._sent += 1
        request_id = f"request-{self._sent}"
        former = self._last_ids.get(resource.logical_id)
        if asking.phase != FORWARD and former and self.settings.same_request_id:
            request_id = former
        self._last_ids[resource.logical_id] = request_id
        event: dict[str, Any] = {
            "RequestType": asking.kind,
            "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:provider",
            "StackId": self.home.arn,
            "RequestId": request_id,
            "LogicalResourceId": resource.logical_id,
            "ResourceType": RESOURCE_TYPE,
            "ResourceProperties": as_delivered(asking.new.properties()),
        }
        if asking.kind != "Create":
            event["PhysicalResourceId"] = asking.known_id
        if asking.old is not None:
            event["OldResourceProperties"] = as_delivered(asking.old.properties())
        self.world.cloudformation.ask(event)
        request = Request(
            number=self._sent,
            kind=asking.kind,
            phase=asking.phase,
            event=event,
            asked=self.world.cloudformation.asked[request_id],
            sent_at=self.clock.now,
            declared=asking.new,
            order=order,
            experiment=self._experiment(asking.new.experiment),
        )
        self.ledger.requests.append(request)
        was = f", was {asking.old.end}" if asking.old else ""
        self._note(
            f"request {self._sent}: {asking.kind} ({asking.phase}) of "
            f"{resource.logical_id[-4:]}: {asking.new.end}{was}{', ordered' if order else ''}"
        )
        return request

    def _deliver(self, request: Request) -> None:
        number = self._sent - self._sent_before
        delay: float | None = 0.0
        for trouble in self.operation.troubles:
            if trouble.request != number:
                continue
            if trouble.call:
                self._fail_call(trouble)
            elif trouble.kind == "late":
                delay = trouble.seconds
            elif trouble.kind == "never":
                delay = None
            elif trouble.kind in OF_EVENTS:
                self._fail_events(trouble)
            else:
                self._trouble(trouble, request)
        event = request.event
        if delay is not None:
            self.clock.call_at(self.clock.now + delay, lambda: self.world.function.invoke(event))

    def _fail_call(self, trouble: Trouble) -> None:
        self.world.fail(
            trouble.call,
            trouble.kind,
            skip=trouble.skip,
            attempts=trouble.attempts,
            seconds=trouble.seconds,
        )

    def _fail_events(self, trouble: Trouble) -> None:
        events, seconds = self.world.events, trouble.seconds
        if trouble.kind == "events lost":
            events.event_delays = ()
        elif trouble.kind == "events late":
            events.event_delays = (seconds,)
        elif trouble.kind == "events twice":
            events.event_delays = (*events.event_delays, 1.0 + seconds)
        elif trouble.kind == "events swapped":
            events.every_other = seconds
        else:
            events.effective_after = seconds

    def _trouble(self, trouble: Trouble, request: Request) -> None:
        at = self.clock.now + trouble.seconds
        if trouble.kind == "twice":
            self.clock.call_at(at, lambda: self.world.function.invoke(request.event))
        elif trouble.kind == "killed":
            self.clock.call_at(at, lambda: self._kill(request))
        elif trouble.kind == "after the answer":
            self._again(request, trouble.seconds)

    def _kill(self, request: Request) -> None:
        for running in list(self.world.function.running.values()):
            if running.event.get("RequestId") == request.event["RequestId"]:
                running.task.is_killed = True

    def _again(self, request: Request, seconds: float) -> None:
        """Deliver it again once it is answered."""
        until = self.clock.now + 2 * GIVES_UP_AFTER

        def look() -> None:
            if request.asked.answer is not None:
                at = request.asked.answered_at + seconds
                self.clock.call_at(at, lambda: self.world.function.invoke(request.event))
            elif self.clock.now < until:
                self.clock.call_at(self.clock.now + 5.0, look)

        look()

    def _wait(self, request: Request) -> str:
        until = self.clock.now + GIVES_UP_AFTER
        request.times_out_at = until
        while True:
            if request.asked.answer is not None:
                return str(request.asked.answer["Status"])
            if self._broken_level is not None and request.phase == FORWARD:
                self._sleep(0.2)
                return self._abandon(request, ABANDONED)
            if self.clock.now >= until:
                return self._abandon(request, FAILED)
            self._sleep_until(until)

    def _abandon(self, request: Request, result: str) -> str:
        if request.asked.answer is not None:
            return str(request.asked.answer["Status"])
        request.asked.is_abandoned = True
        request.abandoned_at = self.clock.now
        return result

    # Siblings.

    def _fail_sibling_later(self, operation: Operation) -> None:
        if self._sibling_is_due:
            self._sibling_is_due = False
            at = self.clock.now + operation.fails_after
            self.clock.call_at(at, lambda: self._fail_sibling(operation, operation.level))

    def _configured_later(self, operation: Operation) -> None:
        """Stacks say CONFIGURATION_COMPLETE in the middle of an operation."""

        def say() -> None:
            if operation is not self.operation or not self._is_cancellable:
                return
            for stack in self._levels:
                status = stack.status
                if status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
                    event = Event(
                        self.clock.now,
                        stack.name,
                        stack.arn,
                        STACK_TYPE,
                        status,
                        detailed="CONFIGURATION_COMPLETE",
                    )
                    stack.events.append(event)
                    self._note(f"{stack.name} {status}, CONFIGURATION_COMPLETE")

        for after in (CONFIGURED_AFTER, 10 * CONFIGURED_AFTER):
            self.clock.call_at(self.clock.now + after, say)

    def _fail_sibling(self, operation: Operation, level: int) -> None:
        if operation is not self.operation or not self._is_cancellable:
            return
        verb = "CREATE" if isinstance(operation, Create) else "UPDATE"
        self._write_sibling(level, f"{verb}_FAILED")
        self._failed_kept = True
        if operation.express and verb == "UPDATE":
            # The failed resource alone is restored, and that inside the operation.
            for after, status in ((0.2, "UPDATE_IN_PROGRESS"), (0.4, "UPDATE_COMPLETE")):
                at = self.clock.now + after
                self.clock.call_at(at, lambda status=status: self._write_sibling(level, status))  # type: ignore[misc]
        if not operation.keeps:
            self._sign(level, EVENTS, "a sibling failed")
            self._broken_level = level
            self._poke()


def _hidden(name: str, value: object) -> object:
    if name in ("Name", "ServiceToken"):
        return value
    if isinstance(value, dict):
        return dict.fromkeys(value, "****")
    return ["****"] * len(value) if isinstance(value, list) else "****"


def _place(level: int) -> str:
    return ("the root", "the nested stack", "the stack nested twice")[level]


def _said(members: Mapping[str, Any]) -> str:
    return json.dumps(members.get("ModelVariantActions", {}))
