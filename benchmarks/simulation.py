"""A discrete-event simulation of one stop by each contestant, from Update to answer.

It follows each contestant's documentation and shares no code with any of them; ``lag.py`` compares
it with the real handlers. Time 0 is CloudFormation's request; the experiment ends ``stop`` seconds
after its Stop was accepted.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from cdk_stop_inference_experiment_handler.runtime.waiting import (
    HAND_OVER_SECONDS,
    LEAVE_SECONDS,
    POLL_WINDOW_SECONDS,
)

from .prices import Usage

__all__ = ["CONTESTANTS", "LATENCY", "OUR_MEMORY_MB", "Outcome", "crhelper", "ours", "provider"]

LATENCY = 0.04
"""Seconds for any AWS call, the delivery of an invocation, and the PUT: an assumption."""

COLD_SECONDS = 0.5
"""Billed for the cold start of any function: an assumption, the same for every contestant."""

OUR_MEMORY_MB = 256
"""The function's memory; a test compares it with the template."""

DEFAULT_MEMORY_MB = 128
"""Lambda's default, which the other contestants' documentation does not change."""

LIMIT = 900.0
MINUTE = 60.0
BEFORE_STOP = 4 * LATENCY
"""Our calls: stack events, describe, stack status, stop. Events are assumed to show at once."""


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


@dataclass
class _Watch:
    """One of our invocations that waits: when it saw the end, if at all, and when it left."""

    saw_end_at: float | None
    left_at: float
    looks: int
    made_rule_at: float | None = None


def _watch(entered: float, end: float, chance: random.Random, *, is_poll: bool) -> _Watch:
    """Describe, pause and describe again; the first pauses are short, and grow.

    An invocation that is not a poll has ordered the Stop before.
    """
    now, pause, looks = entered, 0.5, 0
    rule: float | None = None
    if not is_poll:
        now += BEFORE_STOP
        now += min(pause, chance.uniform(2.0, 2.8))  # the Stop itself was its first step
        pause *= 1.5
    while True:
        now += LATENCY
        looks += 1
        if now >= end:
            return _Watch(now, now, looks, rule)
        left = LIMIT - (now - entered)
        if not is_poll and rule is None and left <= HAND_OVER_SECONDS:
            rule = now + LATENCY
            now += 3 * LATENCY
        if left <= LEAVE_SECONDS or (is_poll and now - entered >= POLL_WINDOW_SECONDS):
            return _Watch(None, now, looks, rule)
        now += min(pause, chance.uniform(2.0, 2.8))
        pause = min(pause * 1.5, 2.8)


def ours(stop: float, chance: random.Random) -> Outcome:
    """(a): waits inside the invocation; from its 750th second a rule fires every minute."""
    end = BEFORE_STOP + stop
    first = _watch(0.0, end, chance, is_poll=False)
    outcome = Outcome(float("inf"))
    outcome.calls = 4
    _count(outcome, first, 0.0, end, outcome.lag)
    cold = 1
    firing = 0
    rule_ends = _rule_ends(first)
    while first.made_rule_at is not None:
        firing += 1
        fires = first.made_rule_at + firing * MINUTE
        if fires >= rule_ends:
            break
        poll = _watch(fires, end, chance, is_poll=True)
        outcome.firings += 1
        cold = max(cold, 1 + (firing == 1) + (firing == 2))
        _count(outcome, poll, fires, end, outcome.lag)
        rule_ends = min(rule_ends, _rule_ends(poll))
    outcome.busy[OUR_MEMORY_MB] += cold * COLD_SECONDS
    return outcome


def _rule_ends(watch: _Watch) -> float:
    """When an invocation that saw the end has removed the rule's target."""
    return float("inf") if watch.saw_end_at is None else watch.saw_end_at + 2 * LATENCY


def _count(outcome: Outcome, watch: _Watch, started: float, end: float, lag: float) -> None:
    """Add one of our invocations: each one that sees the end answers and cleans up."""
    outcome.calls += watch.looks + (3 if watch.made_rule_at is not None else 0)
    left = watch.left_at
    if watch.saw_end_at is not None:
        outcome.lag = min(lag, watch.saw_end_at + LATENCY - end)
        has_rule = started > 0 or watch.made_rule_at is not None
        outcome.calls += 3 if has_rule else 0
        left += LATENCY + (3 * LATENCY if has_rule else 0)
    outcome.run(OUR_MEMORY_MB, left - started)


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
    "ours": ours,
    "AwsCustomResource": aws_custom_resource,
    "provider framework": provider,
    "crhelper": crhelper,
}
"""By name. (e) is CloudFormation's own code: how often it polls is not known."""
