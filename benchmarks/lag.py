"""Lag and cost of stops, a Delete with nothing to do, and many stops at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from . import local_lag, requests
from .loopback import HANDLERS, INSIDE, one_request
from .prices import LIST, dollars
from .simulation import CONTESTANTS, Outcome
from .stats import percentile

__all__ = ["STOP_MINUTES", "measure", "measure_idle", "told"]

Json = dict[str, Any]
STOP_MINUTES = (1, 5, 14, 20, 30, 50)
AROUND_SECONDS = 60.0
"""A stop of 14 minutes takes 13 to 15: the lag depends on when in a polling period it ends."""

LONGEST_SECONDS = 54.5 * 60


def measure(*, simulated: int, virtual: int, local: bool, scale: float) -> Json:
    """Measure lag and cost by simulation, in virtual time, and on the local AWS."""
    stops = [(f"{minutes} min", 60.0 * minutes) for minutes in STOP_MINUTES]
    rows = []
    for label, stop in stops:
        for name in CONTESTANTS:
            drawn = _draw(stop, simulated)
            rows.append(_row("simulated", label, stop, name, [_simulated(name, *d) for d in drawn]))
        for name in HANDLERS:
            drawn = _draw(stop, virtual)
            found = [one_request(name, "Update", stop=s, seed=seed)[0] for s, seed in drawn]
            rows.append(_row("virtual time", label, stop, name, found))
    chance = random.Random(4)
    anywhere = [(chance.uniform(5, LONGEST_SECONDS), seed) for seed in range(simulated)]
    for name in CONTESTANTS:
        found = [_simulated(name, *drawn) for drawn in anywhere]
        rows.append(_row("simulated", "up to 55 min", LONGEST_SECONDS, name, found))
    deployed = [name for name in HANDLERS if name != INSIDE]
    measured = [60.0 * minutes for minutes in STOP_MINUTES]
    return {
        "rows": rows,
        "local_scale": scale,
        "local": local_lag.measure(deployed, measured, scale) if local else [],
        "prices": LIST,
    }


def measure_idle() -> Json:
    """Delete of an experiment that has ended, from event to answer, in virtual time."""
    rows = []
    for name in HANDLERS:
        outcome, seconds = one_request(name, "Delete", status="Completed")
        rows.append(
            {
                "contestant": name,
                "seconds": seconds,
                "invocations": outcome.invocations,
                "calls": outcome.calls,
                "made_rule": outcome.invocations > 1,
                "dollars": dollars(outcome.usage),
            }
        )
    return {"rows": rows, "requests": requests.measure()}


def told(outcomes: Sequence[Outcome]) -> Json:
    """Return the statistics of many stops."""
    lags = [outcome.lag for outcome in outcomes]
    return {
        "runs": len(outcomes),
        "lag_p50": percentile(lags, 50),
        "lag_p99": percentile(lags, 99),
        "invocations": percentile([outcome.invocations for outcome in outcomes], 50),
        "calls": percentile([outcome.calls for outcome in outcomes], 50),
        "dollars": percentile([dollars(outcome.usage) for outcome in outcomes], 50),
    }


def _draw(stop: float, times: int) -> list[tuple[float, int]]:
    """Spread evenly around a duration, so that a few runs cover every phase."""
    step = 2 * AROUND_SECONDS / times
    first = stop - AROUND_SECONDS + step / 2
    return [(first + step * number, number) for number in range(times)]


def _simulated(name: str, stop: float, seed: int) -> Outcome:
    return CONTESTANTS[name](stop, random.Random(seed))


def _row(how: str, label: str, stop: float, name: str, outcomes: Sequence[Outcome]) -> Json:
    row = {"how": how, "stop": label, "stop_seconds": stop, "contestant": name}
    return {**row, **told(outcomes)}
