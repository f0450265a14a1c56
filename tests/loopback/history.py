"""A finished history, as the invariants see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from loopback.cloudformation import Asked
from loopback.faults import Fault
from loopback.journal import INVOCATION, Entry
from loopback.sagemaker import NEVER
from loopback.world import World

from .oracle import allowed
from .scenarios import IAM_SECONDS, Scenario


@dataclass
class History:
    """A history that has been run to its end.

    Attributes:
        asked: The explored request.
        prelude: The request that warmed the container up.
        interventions: When others ended or deleted the experiment, or undid the order.
        undone_at: When CloudFormation undid the order while its request waited.
        scaled_at: When production began to run other instances.
        faults: The faults, with the times when they were hit.
        kills: Invocations that a fault killed.
        malformed: Numbers of the invocations with a malformed event.
        truths: For each PUT of the request, the statuses that were true when it was sent.
    """

    scenario: Scenario
    letters: tuple[str, ...]
    world: World
    asked: Asked
    prelude: Asked
    interventions: list[float] = field(default_factory=list)
    undone_at: float = NEVER
    scaled_at: float = NEVER
    faults: list[Fault] = field(default_factory=list)
    kills: int = 0
    malformed: list[int] = field(default_factory=list)
    is_quiet: bool = True
    truths: list[tuple[float, set[str]]] = field(default_factory=list)

    @property
    def puts(self) -> list[Entry]:
        """Attempts to answer the explored request."""
        name = f"/{self.asked.event['RequestId']}?"
        return [put for put in self.world.journal.puts() if name in put.detail["target"]]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The answers in those attempts."""
        return [json.loads(put.detail["body"]) for put in self.puts]

    @property
    def deadline(self) -> float:
        """When the handler gives up."""
        return self.asked.issued_at + self.scenario.tempo.deadline

    def hit(self, kind: str) -> list[Fault]:
        """Faults of a kind that were hit."""
        return [fault for fault in self.faults if fault.kind == kind and fault.hits]

    @property
    def all_kills(self) -> int:
        """Invocations that did not end by themselves."""
        return self.kills + len(self.hit("killed"))

    @property
    def is_delivered_again(self) -> bool:
        """Whether the request is delivered more than once, by a step or by Lambda."""
        raised = any(
            entry.kind == INVOCATION and entry.name.startswith("raised")
            for entry in self.world.journal
        )
        steps = {letter.rpartition(":")[2] for letter in self.letters}
        return raised or bool(steps & {"twin", "deliver", "kill", "killed"})

    @property
    def lasting_denials(self) -> set[str]:
        """The operations whose AccessDenied came too late for IAM propagation."""
        young = self.asked.issued_at + IAM_SECONDS - 1
        return {
            fault.operation
            for fault in self.hit("denied")
            if any(when >= young for when in fault.hit_at)
        }

    @property
    def truth_now(self) -> set[str]:
        """The statuses that are correct answers at this moment."""
        experiment = self.world.sagemaker.experiments.get(self.scenario.new["Name"])
        return allowed(
            self.scenario,
            experiment,
            deleted="deleted" in self.letters,
            accepted=any(
                not call.detail["code"] and not call.detail["is_lost"]
                for call in self.world.journal.calls("StopInferenceExperiment")
            ),
            repeated=self.is_delivered_again,
            undone=self.undone_at <= self.world.clock.now,
            is_late=self.world.clock.now >= self.deadline,
            evidence={word for _, word in self.world.cloudwatch.told[1:]},
        )

    def heard(self) -> Iterator[tuple[Entry, dict[str, Any], set[str]]]:
        """The answers up to the one that CloudFormation accepted, and the correct statuses then."""
        for put, body, (_, truth) in zip(self.puts, self.bodies, self.truths, strict=True):
            if put.at <= self.asked.answered_at:
                yield put, body, truth
