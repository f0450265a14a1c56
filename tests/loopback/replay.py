"""Plays what was recorded on AWS in virtual time, with this project's resource in one place.

The stacks get the recorded events at their recorded times. Where the resource whose place ours has
taken is asked for something, ours gets a request of that kind instead. How that one ended is only
kept where CloudFormation does not wait for ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from loopback.clock import EPOCH
from loopback.cloudformation import Asked, Stack
from loopback.cloudformation import Event as StackEvent
from loopback.delivery import as_delivered
from loopback.journal import Entry
from loopback.sagemaker import arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, RESOURCE_TYPE, World
from tests.recordings import ANSWERED, INITIATED, Event, Recording

from .stories import BRIEF

TYPE_IN_CLEAN_UP = "AWS::CloudFormation::CustomResource"
LONGEST_REQUEST = 3600.0
LIVE = -15.0
"""Events from here on are played when it is time for them; older ones are there already."""


class Mode(Enum):
    """What happens to the request that a rollback undoes, or to one that nothing undoes."""

    ANSWERED = "CloudFormation waits for the answer; another resource fails where ours did"
    CANCELLED = "CloudFormation goes on as recorded, and cancels the request if it has no answer"
    REFUSED = "SageMaker refuses the Stop, so ours is what fails"
    ARMED = "the declaration orders no Stop, so the undo finds a running experiment"


@dataclass(frozen=True)
class Pace:
    """What the recordings leave open.

    Attributes:
        delay: Seconds from the *_IN_PROGRESS to the request.
        lag: Seconds until an event is visible.
        late: Seconds that Lambda keeps an order, but not its undo, in its queue.
    """

    delay: float
    lag: float
    late: float = 0.0


@dataclass
class Sent:
    """A request that took the place of a recorded one."""

    kind: str
    is_undo: bool
    at: float
    asked: Asked
    is_pending: bool = True

    @property
    def status(self) -> str:
        """The answer's."""
        assert self.asked.answer is not None, f"{self.kind} was not answered"
        return str(self.asked.answer["Status"])


class Replay:
    """One recording, played to its end.

    Args:
        place: The stack and the logical id that ours has there.
        requests: What the recording asks of the resource: ``Create``, ``undo Update``, ...

    Attributes:
        sent: The requests in order.
        undone_at: When a look can see that the stack of the resource undoes something.
    """

    def __init__(
        self,
        world: World,
        recording: Recording,
        place: tuple[str, str],
        requests: tuple[str, ...],
        *,
        mode: Mode,
        pace: Pace,
    ) -> None:
        self.world = world
        self.sent: list[Sent] = []
        self.undone_at = float("inf")
        self._mode, self._pace, self._place, self._requests = mode, pace, place, requests
        self._begin = EPOCH + 20 + recording.fraction
        self._shift = 0.0
        self._physical_id = ""
        self._stacks = _stacks(world, recording, place, pace.lag)
        world.experiment("Running", BRIEF)
        self._fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
        if mode is not Mode.REFUSED:
            self._fault.attempts = 0
        for event in recording.with_past():
            if event.stack in self._stacks:
                self._play(event)
        world.run_to_quiet(4 * LONGEST_REQUEST)

    @property
    def stops(self) -> list[Entry]:
        """Every attempt to stop the experiment."""
        return list(self.world.journal.calls("StopInferenceExperiment"))

    def accepted(self, sent: Sent) -> list[Entry]:
        """The Stops that SageMaker accepted from a request on, and before the next one."""
        later = [other.at for other in self.sent if other.at > sent.at]
        until = min(later, default=float("inf"))
        return [
            stop for stop in self.stops if not stop.detail["code"] and sent.at <= stop.at < until
        ]

    def deliver_again(self) -> None:
        """Lambda delivers the order once more, after everything."""
        self.world.run(60)
        self.world.function.freeze_out()
        self.world.function.invoke(self.sent[0].asked.event)
        self.world.run_to_quiet(8 * LONGEST_REQUEST)

    def _play(self, event: Event) -> None:
        when = self._begin + event.at + self._shift
        if event.at >= LIVE:
            self.world.clock.run_until(when)
        stack = self._stacks[event.stack]
        if event.is_of_stack:
            self._enters(stack, event, when)
        elif (event.stack, event.logical_id) != self._place:
            physical_id = self._id_of(event)
            stack.events.append(
                StackEvent(
                    when,
                    event.logical_id,
                    physical_id,
                    event.type,
                    event.status,
                    json.dumps({"Which": event.properties}) if event.properties else "",
                    event.reason,
                )
            )
        elif event.at < LIVE:
            self._was(event, when)
        elif event.begins_request:
            self._asks(event, when)
        elif event.reason not in ANSWERED and self.sent and self.sent[-1].is_pending:
            self._ends(event, when)

    def _enters(self, stack: Stack, event: Event, when: float) -> None:
        """The stack's own event; CloudFormation cancels what has no answer before it goes back."""
        is_back = "ROLLBACK" in event.status or event.status == "DELETE_IN_PROGRESS"
        if is_back and stack is self.world.stack and event.at >= LIVE:
            self.undone_at = min(self.undone_at, when + self._pace.lag)
            if self.sent and self.sent[-1].is_pending and not self.sent[-1].is_undo:
                self._settles(when)
        stack.enter(event.status, when)

    def _settles(self, when: float) -> None:
        """CloudFormation does not wait for an answer: it takes the one that is there, or none."""
        sent = self.sent[-1]
        if sent.asked.answer is not None:
            self._takes(sent, when)
            return
        sent.is_pending = False
        self._says(f"{sent.kind.upper()}_FAILED", when, sent, reason="Resource update cancelled")

    def _was(self, event: Event, when: float) -> None:
        """The resource was created before the recording begins."""
        self._physical_id = arn_of(NAME) if event.physical_id else ""
        sent = self.world.request("Create", self._deployed, at=when)
        del self.world.cloudformation.asked[sent["RequestId"]]
        self._record(event.status, when, self._deployed)

    @property
    def _deployed(self) -> Mapping[str, Any]:
        """What the resource had before: an update changes it, a deletion carries it out."""
        return PROMOTE if self._requests[0] == "Delete" else KEEP

    @property
    def _ordered(self) -> Mapping[str, Any]:
        """What the recorded operation declares."""
        stop_on = ["Delete"] if self._mode is Mode.ARMED else ["Create", "Update", "Delete"]
        return {**PROMOTE, "StopOn": stop_on}

    def _asks(self, event: Event, when: float) -> None:
        world, number = self.world, len(self.sent)
        told = self._requests[number]
        kind, is_undo = told.rpartition(" ")[2], told.startswith("undo ")
        new, old = self._ordered, self._deployed
        if kind == "Update" and is_undo:
            new, old = old, new
        elif kind == "Delete" and not is_undo:
            new = old
        if kind == "Create":
            self._physical_id = ""
        sent = world.request(
            kind, new, old, request_id=f"request-{number}", physical_id=self._physical_id, at=when
        )
        asked = world.cloudformation.asked[sent["RequestId"]]
        # The recording has its events; the model adds none.
        asked.is_abandoned = True
        self.sent.append(Sent(kind, is_undo, when, asked))
        self._record(event.status, when, new if event.properties else None)
        delay = self._pace.delay + (0 if is_undo else self._pace.late)
        world.clock.call_at(when + delay, lambda: world.function.invoke(sent))

    def _ends(self, event: Event, when: float) -> None:
        sent = self.sent[-1]
        if self._mode is Mode.CANCELLED and not sent.is_undo and sent.asked.answer is None:
            if event.status.endswith("_FAILED"):
                self._settles(when)
            return
        self._waits(sent)
        now = self.world.clock.now
        self._shift += now - when
        self._takes(sent, now)
        if sent.status == "SUCCESS" and event.status.endswith("_FAILED"):
            stack = self.world.stack
            stack.events.append(StackEvent(now, "Other", "other", "Some::Type", event.status, "{}"))

    def _takes(self, sent: Sent, now: float) -> None:
        """CloudFormation takes the answer."""
        sent.is_pending = False
        assert sent.asked.answer is not None, f"{sent.kind} was not answered"
        self._physical_id = sent.asked.answer["PhysicalResourceId"]
        if sent.kind == "Create":
            self._says("CREATE_IN_PROGRESS", now, sent, reason=INITIATED)
        outcome = "COMPLETE" if sent.status == "SUCCESS" else "FAILED"
        self._says(f"{sent.kind.upper()}_{outcome}", now, sent)
        self._fault.attempts = 0

    def _waits(self, sent: Sent) -> None:
        clock = self.world.clock
        clock.run_until(clock.now + LONGEST_REQUEST, stop=lambda: sent.asked.answer is not None)

    def _says(self, status: str, when: float, sent: Sent, reason: str = "") -> None:
        declared = sent.asked.event["ResourceProperties"]
        self._record(status, when, declared, reason)

    def _record(
        self, status: str, when: float, declared: Mapping[str, Any] | None, reason: str = ""
    ) -> None:
        properties = {"ServiceToken": "provider", **(declared or {})}
        self.world.stack.resources[:] = []
        kind = TYPE_IN_CLEAN_UP if declared is None else RESOURCE_TYPE
        self.world.stack.add(LOGICAL_ID, self._physical_id, RESOURCE_TYPE, status)
        self.world.stack.events.append(
            StackEvent(
                when,
                LOGICAL_ID,
                self._physical_id,
                kind,
                status,
                "" if declared is None else json.dumps(as_delivered(properties)),
                reason,
            )
        )

    def _id_of(self, event: Event) -> str:
        if event.is_of_child and event.physical_id and event.logical_id in self._stacks:
            return self._stacks[event.logical_id].arn
        return event.physical_id


def _stacks(
    world: World, recording: Recording, place: tuple[str, str], lag: float
) -> dict[str, Stack]:
    """The recorded stacks, the resource's one being the world's; none below the resource itself."""
    found: dict[str, Stack] = {}
    for name, parent in recording.stacks.items():
        if parent is not None and ((parent, name) == place or parent not in found):
            continue
        above = None if parent is None else found[parent]
        if name == place[0]:
            world.stack.parent = above
            found[name] = world.stack
        else:
            found[name] = world.cloudformation.new_stack(f"{name}-stack", above)
        found[name].events.clear()
        found[name].event_lag = lag
    return found
