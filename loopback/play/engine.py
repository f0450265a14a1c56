"""CloudFormation, played in virtual time.

From what users do, the engine makes what a custom resource and its function get to see: requests,
the statuses of stacks, and events with times and properties. It is written from AWS's pages and
from recordings of real stacks; what neither says is a setting of the story.

One greenlet of the clock plays the user, who waits for the stack to be at rest before the next
operation, and CloudFormation, which handles one resource after another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..clock import Task
from ..cloudformation import STACK_TYPE, Asked, Event, Stack
from ..delivery import as_delivered
from ..sagemaker import ON_SCHEDULE, Experiment, Pace, arn_of
from ..world import World
from .ledger import (
    CLEANUP,
    DELETION,
    EVENTS,
    FORWARD,
    STATUS,
    UNDO,
    Ledger,
    Order,
    Request,
    Sign,
    Stop,
)
from .story import (
    NAME,
    OTHER_NAME,
    ContinueRollback,
    Create,
    Declaration,
    Delete,
    Deploy,
    Happening,
    Operation,
    RollBack,
    Story,
    Trouble,
    changed,
)

DAY = 86_400.0
LOGICAL_ID = "StopShadowTest4D1E2F3A"
OTHER_LOGICAL_ID = "StopShadowTest9B8C7D6E"
RESOURCE_TYPE = "Custom::StopInferenceExperiment"
TYPE_IN_A_CLEANUP = "AWS::CloudFormation::CustomResource"
SIBLING_TYPE = "AWS::SQS::Queue"
GIVES_UP_AFTER = 3600.0
CLEANUP_TRIES = 3
SUCCESS, FAILED = "SUCCESS", "FAILED"
ABANDONED = "abandoned"
NAMES = ("fraud", "fraud-Tests-1ABC", "fraud-Tests-1ABC-Shadow-2DEF")
NESTED_IDS = ("", "Tests", "Shadow")

AFTER_EVENT = 0.3
"""Seconds between a resource's event and its request."""

AT_REST = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)


@dataclass
class Resource:
    """A resource of ours, as CloudFormation knows it.

    Attributes:
        deployed: What a request would have as old properties.
        before: What the operation found, which a rollback restores.
        is_new: The operation in progress, or one that failed, has created it.
        is_touched: The operation in progress has sent an update, which is not undone yet.
        replaced: Physical ids to delete in the clean-up, with what was deployed there.
        standing: The declarations that users want, or may want: what a deletion carries out.
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
    is_armed: bool = False
    replaced: list[tuple[str, Declaration]] = field(default_factory=list)
    standing: tuple[Declaration, ...] = ()
    before_id: str = ""
    attempted: Declaration | None = None


class Engine:
    """Plays a story in a world."""

    def __init__(self, world: World, story: Story) -> None:
        self.world = world
        self.story = story
        self.settings = story.settings
        self.ledger = Ledger()
        self.clock = world.clock
        self.resources: dict[str, Resource] = {}
        self.template: dict[str, Declaration] = {}
        self.has_nested = self.settings.deployed
        self.is_done = False
        self.operation: Operation = Operation()
        self._levels: list[Stack] = []
        self._incarnation = 0
        self._sent = 0
        self._sent_before = 0
        self._waiting: object | None = None
        self._task: Task | None = None
        self._broken_level: int | None = None
        self._rolled_back: list[Order] = []
        self._granted: set[str] = set()
        self._has_role = False
        self._sibling_is_due = False
        self._open: list[Order] = []
        self._last_ids: dict[str, str] = {}
        self._is_cancellable = False
        self._names = dict.fromkeys((NAME, OTHER_NAME))

    # What a world is.

    def begin(self) -> None:
        """Prepare the world, and schedule the first operation."""
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
        self._task = self.clock.spawn(self._play, limit=float("inf"))

    def _make(self, name: str, status: str) -> Experiment:
        pace = Pace(stop=self.settings.stop_seconds, begin=self.settings.begins_in)
        experiment = self.world.sagemaker.add(name, status, pace)
        if status == "Created":
            experiment.start_in(self.settings.begins_in)
        self.ledger.made[id(experiment)] = self.clock.now
        self._kept_alive.append(experiment)
        return experiment

    @property
    def _kept_alive(self) -> list[Experiment]:
        """Every experiment of the story, so that ids stay theirs."""
        kept: list[Experiment] = self.__dict__.setdefault("_kept", [])
        return kept

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
        declared = self.settings.declared
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
        self._list()

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
        status = f"{kind.upper()}_IN_PROGRESS"
        known_id = resource.physical_id if physical_id is None else physical_id
        if kind == "Create":
            known_id = ""
        in_cleanup = phase == CLEANUP
        self._write(resource, status, declared=new, physical_id=known_id, in_cleanup=in_cleanup)
        self._list()
        self._sleep(AFTER_EVENT)
        request = self._send(kind, resource, new, old, phase, order, known_id)
        if order is not None:
            order.since = self.clock.now
            order.experiment = self._experiment(order.ends[0].experiment)
            self._open.append(order)
            self.ledger.orders.append(order)
        self._deliver(request)
        if phase == FORWARD and self.operation.fails == "while":
            self._fail_sibling_later(self.operation)
        result = self._wait(request)
        if order is not None:
            self._open.remove(order)
        answer = request.asked.answer
        if result == ABANDONED:
            outcome = f"{kind.upper()}_FAILED"
            self._write(
                resource,
                outcome,
                declared=new,
                in_cleanup=in_cleanup,
                physical_id=known_id,
                reason=f"Resource {kind.lower()} cancelled",
            )
        elif answer is None:
            self._write(
                resource,
                f"{kind.upper()}_FAILED",
                declared=new,
                physical_id=known_id,
                in_cleanup=in_cleanup,
                reason="did not receive a response",
            )
        else:
            answered_id = answer["PhysicalResourceId"]
            if kind == "Create":
                self._write(resource, "CREATE_IN_PROGRESS", declared=new, physical_id=answered_id)
            if kind == "Update" and result == SUCCESS and answered_id != known_id:
                self._write(resource, "UPDATE_IN_PROGRESS", declared=new, physical_id=known_id)
            if kind == "Delete":
                answered_id = known_id
            outcome = "COMPLETE" if result == SUCCESS else "FAILED"
            self._write(
                resource,
                f"{kind.upper()}_{outcome}",
                declared=new,
                in_cleanup=in_cleanup,
                physical_id=answered_id if result == SUCCESS or kind == "Create" else known_id,
                reason=str(answer.get("Reason", "")),
            )
            if kind == "Update" and result == SUCCESS and answered_id != known_id:
                resource.replaced.append((known_id, old or new))
            if kind == "Create" or (kind == "Update" and result == SUCCESS):
                resource.physical_id = answered_id
                # An undo gives the former id back: it is not to be deleted.
                resource.replaced = [each for each in resource.replaced if each[0] != answered_id]
        if order is not None:
            order.withdrawn_at = min(order.withdrawn_at, self.clock.now)
            self._sign_of(order, len(self._levels) - 1, EVENTS, resource.status)
        self._list()
        return SUCCESS if result == SUCCESS else result

    def _send(
        self,
        kind: str,
        resource: Resource,
        new: Declaration,
        old: Declaration | None,
        phase: str,
        order: Order | None,
        known_id: str,
    ) -> Request:
        self._sent += 1
        request_id = f"request-{self._sent}"
        former = self._last_ids.get(resource.logical_id)
        if self.settings.same_request_id and phase in (UNDO, CLEANUP, DELETION) and former:
            request_id = former
        self._last_ids[resource.logical_id] = request_id
        event: dict[str, Any] = {
            "RequestType": kind,
            "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:provider",
            "StackId": self.home.arn,
            "RequestId": request_id,
            "LogicalResourceId": resource.logical_id,
            "ResourceType": RESOURCE_TYPE,
            "ResourceProperties": as_delivered(new.properties()),
        }
        if kind != "Create":
            event["PhysicalResourceId"] = known_id
        if kind == "Update":
            assert old is not None
            event["OldResourceProperties"] = as_delivered(old.properties())
        self.world.cloudformation.ask(event)
        asked = self.world.cloudformation.asked[request_id]
        request = Request(
            self._sent,
            kind,
            phase,
            event,
            asked,
            self.clock.now,
            new,
            order,
            self._experiment(new.experiment),
        )
        self.ledger.requests.append(request)
        self._note(
            f"request {self._sent}: {kind} ({phase}) of {resource.logical_id[-4:]}: {new.end}"
            + (f", was {old.end}" if old else "")
            + (", ordered" if order else "")
        )
        return request

    def _deliver(self, request: Request) -> None:
        number = self._sent - self._sent_before
        delay: float | None = 0.0
        for trouble in self.operation.troubles:
            if trouble.request != number:
                continue
            if trouble.call:
                self.world.fail(
                    trouble.call, trouble.kind, skip=trouble.skip, attempts=trouble.attempts
                )
            elif trouble.kind == "late":
                delay = trouble.seconds
            elif trouble.kind == "never":
                delay = None
            else:
                self._trouble(trouble, request)
        event = request.event
        if delay is not None:
            self.clock.call_at(self.clock.now + delay, lambda: self.world.function.invoke(event))

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

    def _fail_sibling(self, operation: Operation, level: int) -> None:
        if operation is not self.operation or not self._is_cancellable:
            return
        verb = "CREATE" if isinstance(operation, Create) else "UPDATE"
        self._write_sibling(level, f"{verb}_FAILED")
        self._failed_kept = True
        if not operation.keeps:
            self._sign(level, EVENTS, "a sibling failed")
            self._broken_level = level
            self._poke()

    _failed_kept = False

    # Happenings.

    def _happen(self, happening: Happening) -> None:
        experiment = self._experiment(NAME)
        if happening.what == "cancel":
            if self._is_cancellable and isinstance(self.operation, Deploy):
                self._note("the user cancels the update")
                self._broken_level = 0
                self._is_cancelled = True
                self._poke()
            return
        if experiment is None:
            return
        self._note(f"the experiment: {happening.what}")
        if happening.what == "ends":
            experiment.conclude("Completed")
        elif happening.what == "expires":
            experiment.conclude("Completed", ON_SCHEDULE)
        else:
            experiment.conclude("Completed")
            self.ledger.gone[id(experiment)] = self.clock.now
            del self.world.sagemaker.experiments[NAME]
            if happening.what == "recreated":
                self._make(NAME, "Running")

    _is_cancelled = False

    # Operations.

    def _play(self) -> None:
        for number, operation in enumerate(self.story.operations):
            self._sleep(operation.pause if number else 5.0)
            play = self._allowed(operation)
            if play is None:
                self.ledger.refused.append(number)
                continue
            self._sent_before = self._sent
            self.operation = operation
            self._broken_level, self._sibling_is_due = None, True
            self._is_cancelled = self._failed_kept = False
            self.ledger.played += 1
            self._note(f"operation {number + 1}: {type(operation).__name__}")
            for happening in operation.meanwhile:
                at = self.clock.now + happening.after
                self.clock.call_at(at, lambda happening=happening: self._happen(happening))  # type: ignore[misc]
            play(operation)
            self._is_cancellable = False
        self.is_done = True

    def _allowed(self, operation: Operation) -> Callable[[Any], None] | None:
        """How an operation is played; None if CloudFormation refuses it."""
        status = self._levels[0].status if self._levels else "DELETE_COMPLETE"
        if operation.level > self.settings.depth:
            return None
        if isinstance(operation, Create):
            return self._create if status == "DELETE_COMPLETE" else None
        if status == "DELETE_COMPLETE":
            return None
        if isinstance(operation, Delete):
            return self._delete
        if isinstance(operation, ContinueRollback):
            return self._continue if status == "UPDATE_ROLLBACK_FAILED" else None
        if isinstance(operation, RollBack):
            can = status in ("CREATE_FAILED", "UPDATE_FAILED")
            return self._roll_back_stack if can else None
        assert isinstance(operation, Deploy)
        can = status in AT_REST or (
            operation.keeps and status in ("CREATE_FAILED", "UPDATE_FAILED")
        )
        return self._update if can and self._target(operation) is not None else None

    def _target(self, operation: Deploy) -> dict[str, Declaration] | None:
        """What the new template declares; None if the change is not possible."""
        change, template = operation.change, self.template
        has_nested = self.has_nested or not self.settings.depth
        if change == "add":
            if template:
                return None
            return {LOGICAL_ID: self.settings.declared}
        if change == "nothing":
            return dict(template)
        if not template or not has_nested:
            return None
        logical_id, declared = next(iter(template.items()))
        if change == "remove nested":
            return {} if self.settings.depth else None
        if change == "remove":
            return {}
        if change == "move":
            return {_other(logical_id): declared}
        if change == "rename":
            return {_other(logical_id): changed(declared, change)}
        following = changed(declared, change)
        return None if following == declared else {logical_id: following}

    # Create.

    def _create(self, operation: Create) -> None:
        declared = replace(self.settings.declared, owns=operation.experiment != "outside")
        self._new_stacks(self.clock.now)
        self.has_nested = True
        self.resources = {}
        self.template = {LOGICAL_ID: declared}
        if operation.experiment == "created":
            if self._experiment(NAME) is None:
                self._make(NAME, "Running")
        self._is_cancellable = True
        self._enter(0, "CREATE_IN_PROGRESS")
        if operation.experiment != "outside" and self._experiment(NAME) is not None:
            verb = "IMPORT" if operation.experiment == "imported" else "CREATE"
            event = Event(
                self.clock.now,
                "ShadowTest",
                NAME,
                "AWS::SageMaker::InferenceExperiment",
                f"{verb}_COMPLETE",
            )
            self.home.events.append(event)
        ok = self._create_level(0, operation)
        self._is_cancellable = False
        if ok:
            self._settle_creation("CREATE_COMPLETE")
            return
        if operation.on_failure == "DO_NOTHING":
            return
        self._sleep(0.4)
        if operation.on_failure == "DELETE":
            self._enter(0, "DELETE_IN_PROGRESS")
            for order in self._open:
                self._sign_of(order, 0, STATUS, "DELETE_IN_PROGRESS")
            self._delete_levels(0, of_a_creation=True)
            return
        if self.root.status != "ROLLBACK_IN_PROGRESS":
            self._enter(0, "ROLLBACK_IN_PROGRESS")
        self._sleep(4.0)
        self._undo_creation()

    def _undo_creation(self) -> None:
        if self._delete_content(0, of_a_creation=True):
            self._enter(0, "ROLLBACK_COMPLETE")
            self.template = {}
        else:
            self._enter(0, "ROLLBACK_FAILED")

    def _create_level(self, level: int, operation: Operation) -> bool:
        self._sleep(2.5)
        if operation.fails == "before" and operation.level == self._from_home(level):
            self._sibling_is_due = False
            self._fail_sibling(operation, level)
            return self._creation_failed(level, operation)
        if level < self.settings.depth:
            parent_waits = level + 1
            self._write_child(parent_waits, "CREATE_IN_PROGRESS")
            self._sleep(0.5)
            self._enter(parent_waits, "CREATE_IN_PROGRESS")
            ok = self._create_level(parent_waits, operation)
            if self._broken_level is not None and self._broken_level <= level:
                return self._creation_failed(level, operation)
            if not ok:
                self._sleep(self.settings.parent_lag)
                self._write_child(parent_waits, "CREATE_FAILED")
                self._sign(level, EVENTS, "CREATE_FAILED of the nested stack")
                return self._creation_failed(level, operation)
            self._write_child(parent_waits, "CREATE_COMPLETE")
        else:
            for logical_id, declared in self.template.items():
                if not self._create_resource(logical_id, declared):
                    return self._creation_failed(level, operation)
        if operation.fails == "after" and operation.level == self._from_home(level):
            self._sleep(operation.fails_after)
            self._fail_sibling(operation, level)
        if self._broken_level is not None or self._failed_kept:
            return self._creation_failed(level, operation)
        self._sleep(0.5)
        self._enter(level, "CREATE_COMPLETE")
        return True

    def _creation_failed(self, level: int, operation: Operation) -> bool:
        if self._broken_level is not None and self._broken_level < level:
            return False  # the stack above failed; it says what happens next
        self._sleep(0.7)
        is_kept = operation.keeps or level > 0
        if is_kept or getattr(operation, "on_failure", "") == "DELETE":
            if is_kept:
                self._enter(level, "CREATE_FAILED")
        else:
            self._enter(level, "ROLLBACK_IN_PROGRESS")
        return False

    def _from_home(self, level: int) -> int:
        """How many stacks are between ours and the one at a level."""
        return self.settings.depth - level

    def _create_resource(self, logical_id: str, declared: Declaration) -> bool:
        self._grant()
        self._granted.add(declared.experiment)
        resource = self.resources[logical_id] = Resource(logical_id, declared, declared)
        order = None
        if "Create" in declared.stop_on:
            order = Order(None, (declared,), self.clock.now, is_due=True)
        result = self._ask("Create", resource, declared, phase=FORWARD, order=order)
        if not resource.physical_id:
            # What CloudFormation makes up if nobody tells it.
            resource.physical_id = f"{self.home.name}-{logical_id}-1A2B3C4D5E6F"
        return result == SUCCESS

    def _settle_creation(self, _status: str) -> None:
        for resource in self.resources.values():
            resource.is_new = resource.is_touched = resource.is_armed = False
            resource.standing = (resource.deployed,)
            resource.before = resource.deployed

    # Update.

    def _update(self, operation: Deploy) -> None:
        target = self._target(operation)
        assert target is not None
        was_failed = self.root.status in ("UPDATE_FAILED", "CREATE_FAILED")
        self._former = (dict(self.template), self.has_nested)
        if not was_failed:
            for resource in self.resources.values():
                resource.before, resource.before_id = resource.deployed, resource.physical_id
                resource.is_new = resource.is_touched = resource.is_armed = False
                resource.replaced = []
            self._stable = (dict(self.template), self.has_nested)
        nested = self.has_nested
        if self.settings.depth:
            nested = operation.change != "remove nested" and (
                self.has_nested or operation.change == "add"
            )
        self.root.last_updated = self.clock.now
        self._is_cancellable = True
        self._enter(0, "UPDATE_IN_PROGRESS")
        ok = self._update_level(0, operation, target, nested=nested)
        self._is_cancellable = False
        self.template = target
        if ok:
            self._finish_update(target, nested=nested)
        elif operation.keeps:
            self._keep_failure(target)
        else:
            self._roll_back()

    def _update_level(
        self, level: int, operation: Deploy, target: dict[str, Declaration], *, nested: bool
    ) -> bool:
        self._sleep(2.5)
        here = operation.level == self._from_home(level)
        if operation.fails == "before" and here:
            self._sibling_is_due = False
            self._fail_sibling(operation, level)
            if not operation.keeps:
                return False
        if self._broken_level is not None:
            return False
        if level < self.settings.depth:
            if nested:
                below = level + 1
                is_new = not self.has_nested
                verb = "CREATE" if is_new else "UPDATE"
                if is_new and below == 1:
                    self._new_stacks(self.clock.now, 1)
                self._write_child(below, f"{verb}_IN_PROGRESS")
                self._sleep(0.5)
                self._enter(below, f"{verb}_IN_PROGRESS")
                ok = self._update_level(below, operation, target, nested=nested)
                if self._broken_level is not None and self._broken_level <= level:
                    return False
                if not ok:
                    return self._child_failed(level, operation, verb)
                self._write_child(below, f"{verb}_COMPLETE")
        elif not self._update_resources(target, operation):
            self._own_failed(level, operation)
            return False
        if operation.fails == "after" and here:
            self._sleep(operation.fails_after)
            self._fail_sibling(operation, level)
        if self._broken_level is not None or self._failed_kept:
            if self._failed_kept and operation.keeps:
                self._sleep(0.5)
                self._enter(
                    level, "UPDATE_FAILED" if self.has_nested or not level else "CREATE_FAILED"
                )
            return False
        self._sleep(0.5)
        if level and not self.has_nested:
            self._enter(level, "CREATE_COMPLETE")
        else:
            self._enter(level, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        return True

    def _own_failed(self, level: int, operation: Deploy) -> None:
        """Our resource failed: its stack fails with it."""
        if self._broken_level is not None:
            return
        if operation.keeps:
            self._sleep(0.5)
            self._enter(level, "UPDATE_FAILED" if self.has_nested or not level else "CREATE_FAILED")
            return
        self._broken_level = level

    def _child_failed(self, level: int, operation: Deploy, verb: str) -> bool:
        """A nested stack failed by itself; its parent gets to know."""
        if operation.keeps:
            self._sleep(self.settings.parent_lag)
            self._write_child(level + 1, f"{verb}_FAILED")
            self._enter(level, "UPDATE_FAILED")
        return False

    def _update_resources(self, target: dict[str, Declaration], operation: Deploy) -> bool:
        for logical_id, declared in target.items():
            resource = self.resources.get(logical_id)
            if resource is None:
                if not self._create_resource(logical_id, declared):
                    return False
                continue
            is_failed = resource.status in ("UPDATE_FAILED", "CREATE_FAILED")
            if resource.deployed.properties() == declared.properties() and not is_failed:
                continue
            if resource.status == "CREATE_FAILED":
                # A failed creation is made anew by a retry.
                if not self._create_resource(logical_id, declared):
                    return False
                continue
            if not self._update_resource(resource, declared):
                if operation.keeps:
                    self._keep_resource(resource, declared)
                return False
        return True

    def _update_resource(self, resource: Resource, declared: Declaration) -> bool:
        old = resource.deployed
        self._granted.add(declared.experiment)
        order = None
        standing = resource.standing or (old,)
        acts = "Update" in declared.stop_on
        wanted = [
            former
            for former in standing
            if declared.says_another_end(former)
            and (acts or (declared.end_now and not former.end_now))
        ]
        shown = declared.is_due_after(old)
        if wanted and (resource.is_armed or not resource.is_new):
            order = Order(None, (declared,), self.clock.now, is_due=shown and not resource.is_new)
        if declared.experiment != old.experiment and "Create" in declared.stop_on:
            # A rename replaces the resource: the new one is created.
            order = Order(None, (declared,), self.clock.now, is_due=False)
        resource.is_touched = True
        resource.attempted = declared
        result = self._ask("Update", resource, declared, old, phase=FORWARD, order=order)
        resource.deployed = declared
        if result == SUCCESS and self.operation.keeps and not resource.is_new:
            resource.standing = (declared,)
        return result == SUCCESS

    def _keep_resource(self, resource: Resource, declared: Declaration) -> None:
        """Without rollback, our resource failed."""
        before = resource.before
        if self.settings.restores_failed:
            self._sleep(2.0)
            if self._ask("Update", resource, before, declared, phase=UNDO) == SUCCESS:
                resource.deployed = before
                resource.standing = _both(resource.standing, declared)
                resource.status = "UPDATE_FAILED"
                return
        if not resource.is_new:
            resource.standing = _both(resource.standing, declared)
        if self.settings.after_failure == "old":
            resource.deployed = before

    def _keep_failure(self, target: dict[str, Declaration]) -> None:
        for resource in self.resources.values():
            if resource.is_new and resource.status.endswith("_COMPLETE"):
                resource.is_armed, resource.standing = True, (resource.deployed,)
        if self.root.status != "UPDATE_FAILED":
            self._enter(0, "UPDATE_FAILED")

    def _finish_update(self, target: dict[str, Declaration], *, nested: bool) -> None:
        """The clean-up of an update, which nothing takes back."""
        for logical_id, declared in target.items():
            self.resources[logical_id].standing = (declared,)
        self.has_nested, had_nested = nested, self.has_nested
        self._sleep(1.0)
        if had_nested and not nested and self.settings.depth:
            self._remove_nested()
        elif had_nested or not self.settings.depth:
            self._clean_up(target)
        for level in range(1, self.settings.depth + 1):
            if nested and self._levels[level].status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
                self._enter(level, "UPDATE_COMPLETE")
                self._sleep(0.6)
                self._write_child(level, "UPDATE_COMPLETE")
        self._sleep(0.5)
        self._enter(0, "UPDATE_COMPLETE")
        for resource in self.resources.values():
            resource.is_new = resource.is_touched = resource.is_armed = False
            resource.before = resource.deployed

    def _clean_up(self, target: dict[str, Declaration]) -> None:
        for resource in list(self.resources.values()):
            for physical_id, declared in resource.replaced:
                order = self._deletion_order((declared,), is_due=False)
                self._delete_in_cleanup(resource, declared, physical_id, order)
                if declared.experiment not in [each.experiment for each in target.values()]:
                    self._granted.discard(declared.experiment)
            resource.replaced = []
            if resource.logical_id not in target:
                shared = [each.experiment for each in target.values()]
                is_due = resource.deployed.experiment not in shared and not resource.is_new
                order = self._deletion_order(resource.standing, resource.deployed, is_due=is_due)
                self._delete_in_cleanup(resource, resource.deployed, resource.physical_id, order)
                del self.resources[resource.logical_id]
                if resource.deployed.experiment not in shared:
                    self._granted.discard(resource.deployed.experiment)
        if not self.resources and self._has_role:
            self._sleep(1.0)
            self._take_away_function()
        self._list()

    def _deletion_order(
        self,
        standing: tuple[Declaration, ...],
        told: Declaration | None = None,
        *,
        is_due: bool = True,
    ) -> Order | None:
        ends = tuple(declared for declared in standing if "Delete" in declared.stop_on)
        if not ends:
            return None
        one_end = len(ends) == len(standing) and len({each.end for each in ends}) == 1
        is_doubtful = told is not None and told.end != ends[0].end
        due = is_due and one_end
        return Order(None, ends, self.clock.now, is_due=due, is_doubtful=is_doubtful)

    def _delete_in_cleanup(
        self, resource: Resource, declared: Declaration, physical_id: str, order: Order | None
    ) -> bool:
        for _ in range(CLEANUP_TRIES):
            again = replace(order, signs=[]) if order else None
            result = self._ask(
                "Delete", resource, declared, phase=CLEANUP, order=again, physical_id=physical_id
            )
            if result == SUCCESS:
                return True
            self._sleep(5.0)
        return False

    def _remove_nested(self) -> None:
        """The clean-up deletes the nested stack, with everything in it."""
        self._write_child(1, "DELETE_IN_PROGRESS")
        for attempt in range(CLEANUP_TRIES):
            self._sleep(0.4)
            self._enter(1, "DELETE_IN_PROGRESS")
            if self._delete_content(1, of_a_creation=False):
                self._enter(1, "DELETE_COMPLETE")
                self._write_child(1, "DELETE_COMPLETE")
                return
            self._enter(1, "DELETE_FAILED")
            if attempt + 1 < CLEANUP_TRIES:
                self._sleep(5.0)
        self._write_child(1, "DELETE_FAILED")
        self.resources = {}

    # Rollback.

    def _roll_back(self) -> None:
        """From the stack where something failed to the root, and then down again."""
        failed = self._broken_level if self._broken_level is not None else self.settings.depth
        in_new = failed > 0 and not self.has_nested
        if not self._is_cancelled:
            self._sleep(0.3)
        if in_new:
            for level in range(self.settings.depth, 0, -1):
                self._enter(level, "CREATE_FAILED")
                self._sleep(self.settings.parent_lag)
                self._write_child(level, "CREATE_FAILED")
                self._sign(level - 1, EVENTS, "CREATE_FAILED")
            self._sleep(0.3)
            self._enter(0, "UPDATE_ROLLBACK_IN_PROGRESS")
        else:
            self._enter(failed, "UPDATE_ROLLBACK_IN_PROGRESS")
            for level in range(failed + 1, self.settings.depth + 1):
                if self._exists(level) and self._levels[level].status == "UPDATE_IN_PROGRESS":
                    self._sleep(0.3)
                    self._enter(level, "UPDATE_ROLLBACK_IN_PROGRESS")
            for level in range(failed - 1, -1, -1):
                self._sleep(self.settings.parent_lag)
                self._write_child(level + 1, "UPDATE_FAILED")
                self._sleep(0.3)
                self._enter(level, "UPDATE_ROLLBACK_IN_PROGRESS")
        self._undo()

    def _exists(self, level: int) -> bool:
        return level < len(self._levels)

    def _undo(self) -> None:
        ok = self._undo_level(0)
        if not ok:
            return
        self._sleep(1.0)
        stable, had_nested = self._stable
        if (
            self.settings.depth
            and not had_nested
            and self._levels[1:]
            and (self._levels[1].status not in ("DELETE_COMPLETE", ""))
        ):
            self._write_child(1, "DELETE_IN_PROGRESS")
            self._sleep(0.4)
            self._enter(1, "DELETE_IN_PROGRESS")
            self._delete_content(1, of_a_creation=True)
            self._enter(1, "DELETE_COMPLETE")
            self._write_child(1, "DELETE_COMPLETE")
        else:
            for resource in list(self.resources.values()):
                for physical_id, declared in resource.replaced:
                    self._delete_in_cleanup(resource, declared, physical_id, None)
                    if declared.experiment not in [each.experiment for each in stable.values()]:
                        self._granted.discard(declared.experiment)
                resource.replaced = []
                if resource.is_new:
                    self._delete_in_cleanup(resource, resource.deployed, resource.physical_id, None)
                    del self.resources[resource.logical_id]
                    if resource.deployed.experiment not in [s.experiment for s in stable.values()]:
                        self._granted.discard(resource.deployed.experiment)
        if not self.resources and self._has_role:
            self._take_away_function()
        self.template, self.has_nested = dict(stable), had_nested
        for level in range(1, self.settings.depth + 1):
            if had_nested:
                self._enter(level, "UPDATE_ROLLBACK_COMPLETE")
                self._write_child(level, "UPDATE_COMPLETE")
                self._sleep(0.6)
        self._enter(0, "UPDATE_ROLLBACK_COMPLETE")
        for resource in self.resources.values():
            resource.is_new = resource.is_touched = resource.is_armed = False

    def _undo_level(self, level: int) -> bool:
        ok = True
        if level < self.settings.depth:
            below = level + 1
            if self._stable[1] and self._exists(below):
                self._sleep(2.0)
                self._write_child(below, "UPDATE_IN_PROGRESS")
                self._sleep(0.5)
                if self._levels[below].status != "UPDATE_ROLLBACK_IN_PROGRESS":
                    self._enter(below, "UPDATE_ROLLBACK_IN_PROGRESS")
                ok = self._undo_level(below)
                self._write_child(below, "UPDATE_COMPLETE" if ok else "UPDATE_FAILED")
        else:
            self._sleep(4.0)
            for resource in list(self.resources.values()):
                ok = self._undo_resource(resource) and ok
        if self.operation.undo_fails and self.operation.level == self._from_home(level):
            self._write_sibling(level, "UPDATE_FAILED")
            ok = False
        self._sleep(0.5)
        self._enter(
            level,
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" if ok else "UPDATE_ROLLBACK_FAILED",
        )
        return ok

    def _undo_resource(self, resource: Resource) -> bool:
        if resource.is_new or not resource.is_touched:
            return True
        operation = self.operation
        if isinstance(operation, ContinueRollback) and operation.how != "plain":
            self._write(resource, "UPDATE_COMPLETE", declared=resource.before)
            if self.settings.skipping == "old":
                resource.deployed = resource.before
            resource.is_touched = False
            return True
        self._granted.add(resource.before.experiment)
        old = resource.attempted or resource.deployed
        if self._ask("Update", resource, resource.before, old, phase=UNDO) != SUCCESS:
            return False
        resource.deployed = resource.before
        resource.is_touched = False
        return True

    def _continue(self, _operation: ContinueRollback) -> None:
        self._enter(0, "UPDATE_ROLLBACK_IN_PROGRESS")
        self._sleep(1.0)
        self._undo()

    def _roll_back_stack(self, _operation: RollBack) -> None:
        if self.root.status == "CREATE_FAILED":
            self._enter(0, "ROLLBACK_IN_PROGRESS")
            self._sleep(3.0)
            self._undo_creation()
            return
        for resource in self.resources.values():
            if not resource.is_new:
                resource.standing = (resource.before,)
        self._enter(0, "UPDATE_ROLLBACK_IN_PROGRESS")
        self._sleep(2.0)
        self._undo()

    # Delete.

    def _delete(self, operation: Delete) -> None:
        self._enter(0, "DELETE_IN_PROGRESS")
        self._delete_levels(0, of_a_creation=False, force=operation.force)

    def _delete_levels(self, level: int, *, of_a_creation: bool, force: bool = False) -> bool:
        ok = self._delete_content(level, of_a_creation=of_a_creation, force=force)
        self._enter(level, "DELETE_COMPLETE" if ok else "DELETE_FAILED")
        if ok and level == 0:
            self.template, self.has_nested = {}, False
        return ok

    def _delete_content(self, level: int, *, of_a_creation: bool, force: bool = False) -> bool:
        self._sleep(2.0)
        if level < self.settings.depth and self._exists(level + 1):
            below = level + 1
            if self._levels[below].status in ("", "DELETE_COMPLETE"):
                return True
            self._write_child(below, "DELETE_IN_PROGRESS")
            self._sleep(0.5)
            self._enter(below, "DELETE_IN_PROGRESS")
            ok = self._delete_content(below, of_a_creation=of_a_creation, force=force)
            self._enter(below, "DELETE_COMPLETE" if ok else "DELETE_FAILED")
            self._write_child(below, "DELETE_COMPLETE" if ok else "DELETE_FAILED")
            return ok
        ok = True
        for resource in list(self.resources.values()):
            order = None
            if not of_a_creation and (resource.is_armed or not resource.is_new):
                is_due = not resource.is_new
                order = self._deletion_order(resource.standing, resource.deployed, is_due=is_due)
            elif isinstance(self.operation, Create) and self.operation.experiment == "created":
                # The rollback takes down the experiment itself.
                order = self._deletion_order((resource.deployed,), is_due=False)
            result = self._ask("Delete", resource, resource.deployed, phase=DELETION, order=order)
            if result == SUCCESS or force:
                del self.resources[resource.logical_id]
                self._sleep(0.5)
                if resource.deployed.experiment not in [
                    other.deployed.experiment for other in self.resources.values()
                ]:
                    self._granted.discard(resource.deployed.experiment)
            else:
                ok = False
        if ok and self._has_role:
            self._sleep(1.0)
            self._take_away_function()
            self._sleep(15.0)
        return ok


def _other(logical_id: str) -> str:
    return LOGICAL_ID if logical_id == OTHER_LOGICAL_ID else OTHER_LOGICAL_ID


def _both(standing: tuple[Declaration, ...], declared: Declaration) -> tuple[Declaration, ...]:
    return standing if declared in standing else (*standing, declared)


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


__all__ = ["Asked", "Engine", "Resource"]
