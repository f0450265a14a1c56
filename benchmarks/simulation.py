"""A discrete-event simulation of one stop by each other contestant, from Update to answer.

It follows each contestant's documentation and shares no code with any of them. Ours is not
simulated: its real handler runs in virtual time. Time 0 is CloudFormation's request; the experiment
ends ``stop`` seconds after its Stop was accepted.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .prices import Usage

__all__ = ["CONTESTANTS", "LATENCY", "OUR_MEMORY_MB", "Outcome", "crhelper", "provider"]

LATENCY = 0.04
"""Seconds for any AWS call, the delivery of an invocation, and the PUT: an assumption."""

COLD_SECONDS = 0.5
"""Billed for the cold start of any simulated function: an assumption. Ours is measured."""

OUR_MEMORY_MB = 256
"""The function's memory; a test compares it with the template."""

DEFAULT_MEMORY_MB = 128
"""Lambda's default, which the other contestants' documentation does not change."""

MINUTE = 60.0


@dataclass
class Outcome:
    """The result of a stop.

    Attributes:
        lag: Seconds from the end to the answer; negative if the answer did not wait for it.
        invocations: Invocations of all functions.
        calls: AWS calls of all functions.
        busy: Billed seconds by the memory of the function, cold starts included.
    """

    lag: float
    invocations: int = 0
    calls: int = 0
    transitions: int = 0
    firings: int = 0
    busy: dict[int, float] = field(default_factory=dict)

    def run(self, memory_mb: int, seconds: float) -> None:
        """Count one invocation."""
        self.invocations += 1
        self.busy[memory_mb] = self.busy.get(memory_mb, 0.0) + seconds

    @property
    def usage(self) -> Usage:
        """What is billed."""
        gb_seconds = sum(memory / 1024 * seconds for memory, seconds in self.busy.items())
        return Usage(gb_seconds, self.invocations, self.transitions, self.firings)


def crhelper(stop: float, _chance: random.Random, *, interval: float = 2 * MINUTE) -> Outcome:
    """(d): a rule from the first second on, which fires every two minutes by default."""
    end = LATENCY + stop
    rule = 2 * LATENCY  # stop, then PutRule, AddPermission, PutTargets
    outcome = Outcome(0.0, calls=4)
    outcome.run(DEFAULT_MEMORY_MB, 4 * LATENCY + COLD_SECONDS)
    fires = rule
    while True:
        fires += interval
        outcome.firings += 1
        outcome.calls += 1
        if fires + LATENCY < end:
            outcome.run(DEFAULT_MEMORY_MB, LATENCY)
            continue
        outcome.calls += 3
        outcome.run(DEFAULT_MEMORY_MB, 5 * LATENCY)  # the rule is removed before the answer
        outcome.lag = fires + 5 * LATENCY - end
        return outcome


def provider(stop: float, _chance: random.Random, *, interval: float = 5.0) -> Outcome:
    """(c): Step Functions polls through two functions, every ``interval``."""
    end = 3 * LATENCY + stop  # to onEvent, to the user's onEvent, its Stop
    outcome = Outcome(0.0, calls=3, transitions=1)
    outcome.run(DEFAULT_MEMORY_MB, 3 * LATENCY + COLD_SECONDS)  # framework: invoke, StartExecution
    outcome.run(DEFAULT_MEMORY_MB, LATENCY + COLD_SECONDS)
    now = 4 * LATENCY
    is_first = True
    while True:
        asked = now + LATENCY  # the framework's isComplete begins
        seen = asked + 2 * LATENCY  # the user's isComplete, its describe
        cold = COLD_SECONDS if is_first else 0.0
        is_first = False
        outcome.transitions += 1
        outcome.calls += 2
        outcome.run(DEFAULT_MEMORY_MB, LATENCY + cold)
        if seen >= end:
            outcome.run(DEFAULT_MEMORY_MB, seen + LATENCY - asked + cold)
            outcome.lag = seen + LATENCY - end
            return outcome
        outcome.run(DEFAULT_MEMORY_MB, seen - asked + cold)
        now = seen + interval


def aws_custom_resource(stop: float, _chance: random.Random) -> Outcome:
    """(b): one call, answered as soon as it is accepted."""
    outcome = Outcome(LATENCY - stop, calls=1)
    outcome.run(DEFAULT_MEMORY_MB, 2 * LATENCY + COLD_SECONDS)
    return outcome


CONTESTANTS: dict[str, Callable[[float, random.Random], Outcome]] = {
    "AwsCustomResource": aws_custom_resource,
    "provider framework": provider,
    "crhelper": crhelper,
}
"""By name. (e) is CloudFormation's own code: how often it polls is not known."""
