"""A world: the loopback AWS, the function in it, and a stack with one resource."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

from .aws import Aws
from .clock import EPOCH, Clock
from .cloudformation import Asked, CloudFormation
from .cloudwatch import CloudWatch
from .containers import fresh_index, lambda_runtime
from .eventbridge import EventBridge
from .faults import Fault, Faults
from .function import Function, Handler
from .journal import LOG, Entry, Journal
from .sagemaker import Pace, SageMaker, arn_of
from .transport import in_process

STACK = "fraud"
NAME = "fraud-shadow"
LOGICAL_ID = "StopShadowTest4D1E2F3A"
RESOURCE_TYPE = "Custom::StopInferenceExperiment"
DAY_SECONDS = 86_400.0
TWO_HOURS = 7200.0
HOST = "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com"

KEEP = {
    "Name": NAME,
    "ModelVariantActions": {"production": "Retain", "shadow": "Remove"},
    "DesiredState": "Completed",
}
PROMOTE = {
    "Name": NAME,
    "ModelVariantActions": {"production": "Remove", "shadow": "Promote"},
    "DesiredModelVariants": [
        {
            "ModelName": "fraud-v2",
            "VariantName": "shadow",
            "InfrastructureConfig": {
                "InfrastructureType": "RealTimeInference",
                "RealTimeInferenceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": "2"},
            },
        }
    ],
    "DesiredState": "Completed",
}


class World:
    """Everything, under one clock.

    Its stack was created a day ago and is being updated; other tests set the stack's status.

    Args:
        load: Creates a cold container.
        limit: Seconds an invocation may take.
        seed: The seed of the jitter.
        connect: The transport. Default: in process.
        host: The host of the ResponseURL.
    """

    def __init__(
        self,
        *,
        load: Callable[[], Handler] = fresh_index,
        limit: float = 900.0,
        seed: int = 0,
        connect: Callable[[Aws], AbstractContextManager[None]] = in_process,
        host: str = HOST,
    ) -> None:
        self.clock = Clock()
        self.journal = Journal()
        self.faults = Faults()
        self.sagemaker = SageMaker(lambda: self.clock.now)
        self.cloudformation = CloudFormation(lambda: self.clock.now, host)
        self.cloudwatch = CloudWatch(lambda: self.clock.now)
        self.function = Function(self.clock, self.journal, load, limit)
        self.events = EventBridge(self.clock, self.function.invoke_from)
        self.sagemaker.drive(self.clock, self._endpoint_changed)
        self.aws = Aws(
            clock=self.clock,
            journal=self.journal,
            faults=self.faults,
            function=self.function,
            events=self.events,
            sagemaker=self.sagemaker,
            cloudformation=self.cloudformation,
            cloudwatch=self.cloudwatch,
        )
        self.stack = self.cloudformation.new_stack(STACK)
        self.stack.enter("CREATE_IN_PROGRESS", self.clock.now - DAY_SECONDS)
        self.stack.enter("CREATE_COMPLETE", self.clock.now - DAY_SECONDS + 60)
        self.stack.enter("UPDATE_IN_PROGRESS", self.clock.now - 5)
        self._connect = connect
        self._seed = seed

    @contextmanager
    def installed(self) -> Iterator[World]:
        """Make this the world that the handler runs in."""
        random.seed(self._seed)
        with (
            mock.patch.object(time, "time", self.clock.time),
            mock.patch.object(time, "sleep", self.clock.sleep),
            lambda_runtime(self._log),
            self._connect(self.aws),
        ):
            try:
                yield self
            finally:
                self.end()

    def end(self) -> None:
        """Kill what still runs, so that nothing of it outlives its world.

        An invocation that has not started yet starts, and dies at its first sleep.
        """
        for running in list(self.function.running.values()):
            running.attempt = len("two")
            running.task.is_killed = True
            while not running.task.is_done:
                running.task.resume()

    def experiment(self, status: str, pace: Pace | None = None) -> None:
        """Set the experiment's status; ``absent`` for no experiment."""
        if status != "absent":
            self.sagemaker.add(NAME, status, pace)

    def request(
        self,
        kind: str,
        new: Mapping[str, Any] = PROMOTE,
        old: Mapping[str, Any] | None = None,
        *,
        request_id: str = "request-1",
        logical_id: str = LOGICAL_ID,
        physical_id: str | None = None,
        at: float | None = None,
    ) -> dict[str, Any]:
        """A request as CloudFormation sends it, not delivered yet.

        Args:
            at: When it was sent, if the stack's events are already there. Default: now, and the
                resource's event is added right before.
        """
        event: dict[str, Any] = {
            "RequestType": kind,
            "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:provider",
            "StackId": self.stack.arn,
            "RequestId": request_id,
            "LogicalResourceId": logical_id,
            "ResourceType": RESOURCE_TYPE,
            "ResourceProperties": {"ServiceToken": "provider", **new},
        }
        if kind != "Create":
            event["PhysicalResourceId"] = physical_id or arn_of(NAME)
        if kind == "Update":
            event["OldResourceProperties"] = {"ServiceToken": "provider", **(old or KEEP)}
        if at is None:
            known_id = event.get("PhysicalResourceId", "")
            self.cloudformation.record(event, known_id, "IN_PROGRESS", self.clock.now)
        return self.cloudformation.ask(event, at)

    def deliver(self, event: dict[str, Any]) -> Asked:
        """Deliver a request now; it runs when time passes."""
        self.function.invoke(event)
        return self.cloudformation.asked[event["RequestId"]]

    def fail(
        self, operation: str, kind: str, *, skip: int = 0, attempts: int = 0, seconds: float = 0.0
    ) -> Fault:
        """Add a failure."""
        fault = Fault(operation, kind, skip, attempts, seconds)
        self.faults.append(fault)
        return fault

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run_until(self.clock.now + seconds)

    def run_to_quiet(self, seconds: float = TWO_HOURS) -> bool:
        """Let everything happen; whether it came to an end."""
        return self.clock.run_to_quiet(EPOCH + seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the world began."""
        return self.clock.now - EPOCH

    @property
    def leftovers(self) -> list[str]:
        """Rules, targets and permissions that are still there."""
        rules = [f"rule {rule}" for rule in self.events.rules]
        targets = [f"target of {rule.name}" for rule in self.events.rules.values() if rule.targets]
        return rules + targets + [f"permission {sid}" for sid in self.function.statements]

    def _endpoint_changed(self, name: str, status: str) -> None:
        # Events have the status in capitals: RollingBack is ROLLING_BACK.
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", status)
        self.events.endpoint_changed(name, words.upper())

    def _log(self, name: str, line: str) -> None:
        detail = {"line": line}
        self.journal.append(Entry(self.clock.now, LOG, name, self.function.current(), detail))
