"""Histories of whole stacks as AWS documents them, written independently of the explorer.

A story is a sequence of stack operations and of CloudFormation's requests in them. It is checked by
the calls to SageMaker and the answers to CloudFormation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loopback.cloudformation import STACK_TYPE, Asked, Event, Stack
from loopback.sagemaker import Pace, arn_of
from loopback.world import LOGICAL_ID, NAME, PROMOTE, World

Declared = Mapping[str, Any]
BRIEF = Pace(stop=60, settle=4, begin=20)
ARMED = {**PROMOTE, "StopOn": ["Delete"], "EndNow": "false"}
NOW = {**ARMED, "EndNow": "true"}
CANCEL = {**PROMOTE, "DesiredState": "Cancelled"}


class Story:
    """A stack without any event yet, and a running experiment.

    Attributes:
        stack: The stack with the resource.
        asked: The requests in order.
    """

    def __init__(self, world: World, *, nested_in: tuple[str, ...] = ()) -> None:
        self.world = world
        self.stack = world.stack
        self.stack.events.clear()
        self.asked: list[Asked] = []
        below = self.stack
        for name in nested_in:
            below.parent = world.cloudformation.new_stack(name)
            below = below.parent
        if NAME not in world.sagemaker.experiments:
            world.experiment("Running", BRIEF)

    def above(self, number: int = 1) -> Stack:
        """A parent stack: the direct one, or the one after ``number`` steps."""
        found = self.stack
        for _ in range(number):
            assert found.parent is not None
            found = found.parent
        return found

    def enters(self, status: str, stack: Stack | None = None, *, after: float = 10) -> Story:
        """A stack gets a status some seconds later."""
        self.world.run(after)
        (stack or self.stack).status = status
        return self

    def says(self, status: str, stack: Stack, *, after: float = 1) -> Story:
        """A stack gets an event about its nested stack."""
        self.world.run(after)
        stacks = self.world.cloudformation.stacks.values()
        below = next(one for one in stacks if one.parent is stack)
        stack.events.append(Event(self.world.clock.now, "Below", below.arn, STACK_TYPE, status))
        return self

    def notes(
        self, status: str, declared: Declared | None = None, *, physical_id: str = arn_of(NAME)
    ) -> Story:
        """An event of the resource without a request in this story."""
        self.world.run(1)
        event = {
            "StackId": self.stack.arn,
            "LogicalResourceId": LOGICAL_ID,
            "ResourceType": "Custom::StopInferenceExperiment",
            "RequestType": status.partition("_")[0],
            "ResourceProperties": {"ServiceToken": "provider", **(declared or {})},
        }
        outcome = status.partition("_")[2]
        self.world.cloudformation.record(event, physical_id, outcome, self.world.clock.now)
        return self

    def sends(
        self,
        kind: str,
        new: Declared,
        old: Declared | None = None,
        *,
        after: float = 1.3,
        dated: bool = True,
        **how: Any,
    ) -> Asked:
        """CloudFormation sends a request, which is processed later."""
        self.world.run(after)
        number = len(self.asked) + 1
        event = self.world.request(kind, new, old, request_id=f"request-{number}", **how)
        if not dated:
            event["ResponseURL"] = event["ResponseURL"].replace("X-Amz-Date", "X-Other-Date")
        self.asked.append(self.world.deliver(event))
        return self.asked[-1]

    def asks(self, kind: str, new: Declared, old: Declared | None = None, **how: Any) -> str:
        """A request and its answer.

        Returns:
            The answer's status.
        """
        asked = self.sends(kind, new, old, **how)
        self.until_answered(asked)
        assert asked.answer is not None
        return str(asked.answer["Status"])

    def until_answered(self, asked: Asked) -> None:
        """Let time pass until the answer, and a little longer for the clean-up."""
        clock = self.world.clock
        clock.run_until(clock.now + 7200, stop=lambda: asked.answer is not None)
        self.world.run(200)
        assert asked.answer is not None, "CloudFormation was not answered"
        assert self.world.leftovers == []

    def created(self, declared: Declared) -> Story:
        """The stack is created successfully."""
        self.enters("CREATE_IN_PROGRESS")
        assert self.asks("Create", declared) == "SUCCESS"
        assert self.stops == []
        return self.enters("CREATE_COMPLETE").rests()

    def rests(self, seconds: float = 1000) -> Story:
        """Nothing happens for a while, and the containers are removed."""
        self.world.run(seconds)
        self.world.function.freeze_out()
        return self

    @property
    def last(self) -> dict[str, Any]:
        """The last answer."""
        answer = self.asked[-1].answer
        assert answer is not None
        return answer

    @property
    def stops(self) -> list[str]:
        """The actions for the shadow in the accepted stops, in order."""
        return [
            stop.detail["request"]["ModelVariantActions"]["shadow"]
            for stop in self.world.journal.calls("StopInferenceExperiment")
            if not stop.detail["code"]
        ]

    @property
    def has_warned(self) -> bool:
        """Whether the function has logged a warning about its decision."""
        return any('"WARNING"' in line and '"row"' in line for line in self.world.journal.lines())

    @property
    def attempts(self) -> int:
        """The attempted stops, including refused ones."""
        return len(list(self.world.journal.calls("StopInferenceExperiment")))
