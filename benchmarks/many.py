"""Many experiments, stopped at once by the updates of their stacks, with SageMaker throttling.

AWS does not publish the rate limits of these two calls, so several are tried. The handlers are the
real ones, in concurrent invocations on the loopback AWS. A token bucket throttles all of them
together, as AWS limits an account. That forty of ours share a function changes nothing here.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import isfinite
from typing import Any

from loopback.faults import Faults
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, STACK, World

from .executions import Executions
from .loopback import HANDLERS, INSIDE, new_world, playing, updating
from .prices import dollars
from .simulation import Outcome
from .stats import percentile

__all__ = ["COUNTS", "RATES", "Bucket", "Crowd", "measure", "stop_all"]

Json = dict[str, Any]
COUNTS = (1, 10, 40, 200)
STOP_SECONDS, LONG_SECONDS = 323.0, 1223.0
"""Not whole minutes, so that an end does not fall on a firing of the schedule."""

RATES = (None, 20.0, 10.0, 5.0)
INSIDE_RATES = (20.0, 5.0)
ALL_UP_TO = 40
"""With more, crhelper is left out: its rules are on one function, whose policy has no room for 200
rules."""

_WITHOUT_CRHELPER = ("ours", INSIDE)
STACK_OF = 40
"""Experiments of a stack: as many as one provider has policies for."""

AN_HOUR = 3600.0
"""CloudFormation waits no longer."""

BURST_SECONDS = 2.0
_THROTTLED = ("DescribeInferenceExperiment", "StopInferenceExperiment")


class Bucket(Faults):
    """Throttles SageMaker's calls with a token bucket."""

    def __init__(self, rate: float | None) -> None:
        super().__init__()
        self.asked: list[float] = []
        self.refused = 0
        self._rate = rate
        self._tokens = self._most = (rate or 0) * BURST_SECONDS
        self._filled_at = 0.0

    def due(self, operation: str, now: float) -> str | None:
        """Take a token, or throttle the call."""
        if operation not in _THROTTLED:
            return None
        self.asked.append(now)
        if self._rate is None:
            return None
        self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            self.refused += 1
            return "throttled"
        self._tokens -= 1
        return None

    @property
    def busiest_second(self) -> int:
        """The most calls in a second of the clock."""
        return max(Counter(int(moment) for moment in self.asked).values())


@dataclass(frozen=True)
class Crowd:
    """Many stops at once.

    Attributes:
        rate: At which SageMaker throttles, in calls a second; None for never.
        executions: The concurrent executions that the account has; None for enough.
        is_cold: No container is left when the experiments end.
    """

    contestant: str
    count: int
    stop_seconds: float
    rate: float | None = None
    executions: int | None = None
    is_cold: bool = False


def measure() -> Json:
    """Stop each number of experiments at once, at each rate."""
    crowds = [
        Crowd(name, count, STOP_SECONDS, rate)
        for count in COUNTS
        for rate in RATES
        for name in (HANDLERS if count <= ALL_UP_TO else _WITHOUT_CRHELPER)
        if name != INSIDE or rate in INSIDE_RATES
    ] + [
        Crowd(name, 200, LONG_SECONDS, rate) for rate in INSIDE_RATES for name in _WITHOUT_CRHELPER
    ]
    # In virtual time it does not matter that another process computes, too. The longest come first.
    with ProcessPoolExecutor() as processes:
        rows = list(processes.map(stop_all, reversed(crowds)))[::-1]
    return {"rows": rows}


def stop_all(crowd: Crowd) -> Json:
    """Stop them, and let everything happen."""
    outcome, bucket = Outcome(0.0), Bucket(crowd.rate)
    world = new_world(crowd.contestant, outcome)
    world.aws._faults = bucket  # noqa: SLF001 (the loopback's own part)
    executions = Executions(world.function, crowd.executions)

    def freeze() -> None:
        world.function.freeze_out()

    if crowd.is_cold:
        world.clock.call_at(world.clock.now + crowd.stop_seconds - 1, freeze)
    with playing(crowd.contestant, world):
        asked = []
        for number in range(crowd.count):
            if number and number % STACK_OF == 0:
                world.stack = updating(world, f"{STACK}-{number // STACK_OF}")
            asked.append(_deliver(world, f"shadow-{number:03}", crowd.stop_seconds))
        world.run_to_quiet(AN_HOUR)
        lags = [
            request.answered_at - world.sagemaker.experiments[name].ends_at
            for name, request in asked
        ]
    failed = sum(
        request.answer is None or request.answer["Status"] != "SUCCESS" for _, request in asked
    )
    # What was not stopped has no end, and what was not answered no answer.
    answered = [lag for lag in lags if isfinite(lag)] or [0.0]
    outcome.firings = outcome.invocations - crowd.count
    elapsed = max(bucket.asked) - min(bucket.asked)
    return {
        "contestant": crowd.contestant,
        "experiments": crowd.count,
        "stop_seconds": crowd.stop_seconds,
        "rate": crowd.rate,
        "calls": len(bucket.asked),
        "calls_a_second": len(bucket.asked) / elapsed,
        "busiest_second": bucket.busiest_second,
        "throttled": bucket.refused,
        "lag_p50": percentile(answered, 50),
        "lag_p99": percentile(answered, 99),
        "lag_max": max(answered),
        "failed": failed,
        "invocations": outcome.invocations,
        "most_executions": executions.most,
        "executions": crowd.executions,
        "all_taken_seconds": executions.all_taken_seconds,
        "put_off": world.function.throttles,
        "dropped": world.function.dropped,
        "dollars": dollars(outcome.usage),
        "left_behind": len(world.leftovers),
    }


def _deliver(world: World, name: str, stop_seconds: float) -> tuple[str, Any]:
    world.sagemaker.add(name, "Running", Pace(stop=stop_seconds, settle=0, lag=0))
    event = world.request(
        "Update",
        {**KEEP, "Name": name},
        {**KEEP, "Name": name, "DesiredState": "Cancelled"},
        request_id=f"request-{name}",
        logical_id=f"Stop{name.replace('-', '')}",
        physical_id=arn_of(name),
    )
    return name, world.deliver(event)
