"""Histories of whole stacks as AWS documents them, written independently of the explorer.

A story is a sequence of stack operations and of CloudFormation's requests in them. It is checked by
the calls to SageMaker and the answers to CloudFormation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loopback.cloudformation import STACK_TYPE, Asked, Event
from loopback.sagemaker import Pace, arn_of
from loopback.world import LOGICAL_ID, NAME, PROMOTE, World

Declared = Mapping[str, Any]
BRIEF = Pace(stop=60, settle=4, begin=20)
ARMED = {**PROMOTE, "StopOn": ["Delete"], "EndNow": "false"}
NOW = {**ARMED, "EndNow": "true"}


class Story:
    """A stack without any event yet, and a running experiment.

    Attributes:
        stack: The stack with the resource.
        asked: The requests in order.
    """

    def __init__(self, world: World, *, is_nested: bool = False) -> None:
        self.world = world
        self.stack = world.stack
        self.stack.events.clear()
        self.asked: list[Asked] = []
        if is_nested:
            self.stack.parent = world.cloudformation.new_stack("root")
        if NAME not in world.sagemaker.experiments:
            world.experiment("Running", BRIEF)

    def enters(self, status: str, *, after: float = 10) -> Story:
        """The stack gets a status some seconds later."""
        self.world.run(after)
        self.stack.status = status
        return self

    def root_enters(self, status: str) -> None:
        """The root gets a status, with an event about its nested stack."""
        root = self.stack.parent
        assert root is not None
        self.world.run(1)
        root.status = status
        self.world.run(1)
        below = self.stack.arn
        root.events.append(Event(self.world.clock.now, "Below", below, STACK_TYPE, status))

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
    def attempts(self) -> int:
        """The attempted stops, including refused ones."""
        return len(list(self.world.journal.calls("StopInferenceExperiment")))
