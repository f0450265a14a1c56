"""Many experiments of one stack, stopped by one update, with SageMaker throttling.

AWS does not publish the rate limits of these two calls, so several are tried. The handlers are the
real ones, in concurrent invocations on the loopback AWS. A token bucket throttles all of them
together, as AWS limits an account. That forty of ours share a function changes nothing here.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from loopback.faults import Faults
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, World

from .loopback import HANDLERS, new_world
from .prices import dollars
from .simulation import Outcome
from .stats import percentile

__all__ = ["COUNTS", "RATES", "Bucket", "measure"]

Json = dict[str, Any]
COUNTS = (1, 10, 40, 200)
STOP_SECONDS = 300.0
RATES = (None, 20.0, 10.0, 5.0)
ALL_RATES_UP_TO = 40
"""With more, only ours are stopped, and not at the lowest rate: crhelper's are on one function,
whose policy has no room for 200 rules, and the lowest rate would take half an hour to compute."""

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


def measure() -> Json:
    """Stop each number of experiments at once, at each rate."""
    stops = [
        (name, count, rate)
        for count in COUNTS
        for rate in (RATES if count <= ALL_RATES_UP_TO else RATES[:-1])
        for name in (HANDLERS if count <= ALL_RATES_UP_TO else ("ours",))
    ]
    # In virtual time it does not matter that another process computes, too. The longest come first.
    with ProcessPoolExecutor() as processes:
        rows = list(processes.map(_stop_all, *zip(*reversed(stops), strict=True)))[::-1]
    return {"stop_seconds": STOP_SECONDS, "rows": rows}


def _stop_all(contestant: str, count: int, rate: float | None) -> Json:
    outcome, bucket = Outcome(0.0), Bucket(rate)
    world = new_world(contestant, outcome)
    world.aws._faults = bucket  # noqa: SLF001 (the loopback's own part)
    with world.installed():
        asked = [_deliver(world, f"shadow-{number:03}") for number in range(count)]
        world.run_to_quiet()
        lags = [
            request.answered_at - world.sagemaker.experiments[name].ends_at
            for name, request in asked
        ]
    failed = [
        request.answer["Reason"] if request.answer else "no answer"
        for _, request in asked
        if request.answer is None or request.answer["Status"] != "SUCCESS"
    ]
    answered = [lag for lag in lags if lag < float("inf")] or [0.0]
    outcome.firings = outcome.invocations - count
    elapsed = max(bucket.asked) - min(bucket.asked)
    return {
        "contestant": contestant,
        "experiments": count,
        "rate": rate,
        "calls": len(bucket.asked),
        "calls_a_second": len(bucket.asked) / elapsed,
        "busiest_second": bucket.busiest_second,
        "throttled": bucket.refused,
        "lag_p50": percentile(answered, 50),
        "lag_max": max(answered),
        "failed": len(failed),
        "invocations": outcome.invocations,
        "dollars": dollars(outcome.usage),
        "left_behind": len(world.leftovers),
    }


def _deliver(world: World, name: str) -> tuple[str, Any]:
    world.sagemaker.add(name, "Running", Pace(stop=STOP_SECONDS, settle=0, lag=0))
    event = world.request(
        "Update",
        {**KEEP, "Name": name},
        {**KEEP, "Name": name, "DesiredState": "Cancelled"},
        request_id=f"request-{name}",
        logical_id=f"Stop{name.replace('-', '')}",
        physical_id=arn_of(name),
    )
    return name, world.deliver(event)
