"""How often does the gate with a stated error promote a shadow that it must not, or must?

Simulated tests of two weeks, with a look after every hour from the 48th on, judged by the
vectorised copy of the function's statistics in ``gate_looks.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    Bound,
    BoundKind,
    Hour,
    compare_rates,
)

from .gate_looks import Array, Booleans, Counts, Looks, hour_looks, rate_looks
from .gate_requests import requests_needed
from .gate_traffic import Traffic, autocorrelated, counts

__all__ = ["measure"]

Json = dict[str, Any]

ALPHA, MIN_HOURS = 0.05, 48
HOURS = 14 * 24
AT_ONCE = 500
"""Tests in one array."""

INCREASE, RATE = BoundKind.MAX_INCREASE, BoundKind.MAX_RATE
USUAL = Traffic(10_000, 0.0005, 0.001)
"""Exactly at the bound of +0.0005."""


@dataclass(frozen=True)
class Case:
    """A kind of test: its bound, and what happens in it."""

    group: str
    what: str
    traffic: Traffic
    bound: float = 0.0005
    kind: BoundKind = INCREASE
    min_hours: int = MIN_HOURS

    @property
    def ratio(self) -> float:
        """1 where production's rate counts."""
        return 1.0 if self.kind is INCREASE else 0.0


def _limited(requests: float, rate: float, **others: float) -> Traffic:
    """Both variants at a max_rate, which must not drift to be broken on average at any time."""
    return Traffic(requests, rate, rate, drift=0, **others)


ALONE, BURSTS, SPELLS, BEYOND = "independent", "bursts", "bad spells", "not covered"

AT_THE_BOUND = (
    Case(ALONE, "", USUAL),
    Case(ALONE, "few errors", Traffic(1_000, 0.0005, 0.001)),
    Case(ALONE, "many errors", Traffic(10_000, 0.01, 0.0105)),
    Case(ALONE, "production has almost none", Traffic(2_000, 0.00001, 0.00051)),
    Case(ALONE, "sampling 1 %", Traffic(100_000, 0.0005, 0.001, share=0.01)),
    Case(ALONE, "sampling 10 %", Traffic(10_000, 0.0005, 0.001, share=0.1)),
    Case(ALONE, "sampling 50 %", Traffic(300, 0.05, 0.06, share=0.5), 0.01),
    Case(ALONE, "two of five requests fail", Traffic(100, 0.4, 0.5), 0.1),
    Case(ALONE, "", _limited(2_000, 0.001), 0.001, RATE),
    Case(ALONE, "few requests, sampling 10 %", _limited(1_000, 0.05, share=0.1), 0.05, RATE),
    *(
        Case(BURSTS, f"of {size} errors, in both", replace(USUAL, burst=size, shadow_burst=size))
        for size in (3, 10, 30, 100)
    ),
    *(
        Case(BURSTS, f"of {size} errors, only in the shadow", replace(USUAL, shadow_burst=size))
        for size in (10, 30, 100)
    ),
    Case(BURSTS, "of 30 errors, only in production", replace(USUAL, burst=30)),
    Case(BURSTS, "of 10 errors, in both", Traffic(1_000, 0.0005, 0.001, burst=10, shadow_burst=10)),
    Case(
        BURSTS,
        "of 30 errors, in both",
        Traffic(100_000, 0.0005, 0.001, share=0.1, burst=30, shadow_burst=30),
    ),
    *(
        Case(
            BURSTS,
            f"of {size} errors, in both",
            _limited(10_000, 0.001, burst=size, shadow_burst=size),
            0.001,
            RATE,
        )
        for size in (10, 100)
    ),
    Case(
        BURSTS,
        "of 100 errors, only in the shadow, 7 a day",
        _limited(30_000, 0.001, shadow_burst=100),
        0.001,
        RATE,
    ),
    *(
        Case(SPELLS, f"of {length:g} hours", Traffic(requests, 0.0005, 0.001, spell=length))
        for length in (2.5, 4)
        for requests in (10_000, 1_000)
    ),
    *(
        Case(SPELLS, f"of {length:g} hours", _limited(requests, 0.001, spell=length), 0.001, RATE)
        for length in (2.5, 4)
        for requests in (10_000, 1_000)
    ),
    *(
        Case(BEYOND, "bad spells of 8 hours", Traffic(requests, 0.0005, 0.001, spell=8))
        for requests in (10_000, 1_000)
    ),
    Case(BEYOND, "bad spells of 8 hours", _limited(10_000, 0.001, spell=8), 0.001, RATE),
    *(
        Case(BEYOND, "bad spells of 24 hours", replace(USUAL, spell=24), min_hours=least)
        for least in (48, 96, 168)
    ),
    *(
        Case(
            BEYOND,
            f"bursts of 100 errors, only in the shadow, {often}",
            Traffic(requests, 0.0005, 0.001, shadow_burst=100),
        )
        for often, requests in (("every other day", 2_000), ("every four days", 1_000))
    ),
    Case(
        BEYOND,
        "bursts of 100 errors, only in the shadow, 2 a day",
        _limited(10_000, 0.001, shadow_burst=100),
        0.001,
        RATE,
    ),
    Case(BEYOND, "one by one", USUAL, min_hours=24),
    Case(
        BEYOND,
        "bursts of 100 errors, in both, 2 a day",
        Traffic(10_000, 0.0005, 0.001, burst=100, shadow_burst=100),
        min_hours=24,
    ),
    Case(BEYOND, "bad spells of 4 hours", Traffic(1_000, 0.0005, 0.001, spell=4), min_hours=24),
)

POWER = (
    Case("equal", "", Traffic(1_000, 0.0005, 0.0005)),
    Case("equal", "no errors at all", Traffic(1_000, 0, 0)),
    Case("equal", "few requests", Traffic(200, 0.0005, 0.0005)),
    Case("equal", "many errors", Traffic(10_000, 0.01, 0.01)),
    Case("equal", "sampling 10 %", Traffic(10_000, 0.0005, 0.0005, share=0.1)),
    Case("equal", "bursts of 3 errors", Traffic(1_000, 0.0005, 0.0005, burst=3, shadow_burst=3)),
    Case("equal", "bursts of 10 errors", Traffic(1_000, 0.0005, 0.0005, burst=10, shadow_burst=10)),
    Case("equal", "bad spells of 4 hours", Traffic(1_000, 0.0005, 0.0005, spell=4)),
    Case("equal", "half of the allowed rate", _limited(1_000, 0.0005), 0.001, RATE),
    Case("better", "half of production's errors", Traffic(1_000, 0.0005, 0.00025, drift=0)),
    Case("worse", "by half of the bound", Traffic(1_000, 0.0005, 0.00075)),
    Case("worse", "by twice the bound", Traffic(1_000, 0.0005, 0.0015)),
    Case("worse", "by five times the bound", Traffic(1_000, 0.0005, 0.003)),
)

PLANNED = (
    (Traffic(500, 0.0005, 0.0005, daily=0.5), 12),
    (Traffic(500, 0.0005, 0.0005, daily=0.5), 24),
    (Traffic(1_000, 0.0005, 0.0005, daily=0.5), 12),
    (Traffic(1_000, 0.0005, 0.0005, daily=0.5), 24),
    (Traffic(1_000, 0.0005, 0.0005, daily=0.5), 36),
    (Traffic(8_000, 0.0005, 0.0005, share=0.1, daily=0.5), 24),
    (Traffic(1_000, 0.0005, 0.0005, burst=3, shadow_burst=3, daily=0.5), 24),
)
"""An equal shadow, and the hour at which it is asked how many requests it needs."""

CURVES = {
    "half of production's errors": (0.00025, True),
    "as good as production": (0.0005, True),
    "worse by half of the bound": (0.00075, True),
    "exactly at the bound": (0.001, True),
    "exactly at the bound, without confidence": (0.001, False),
}
"""The shadow's rate, and whether the gate has a confidence."""


def measure(tests: int) -> Json:
    """Simulate all cases with so many tests each."""
    needed = requests_needed(0.0005, Bound(INCREASE, 0.0005), confidence=1 - ALPHA)
    return {
        "tests": tests,
        "hours": HOURS,
        "min_hours": MIN_HOURS,
        "alpha": ALPHA,
        "needed": needed,
        "at_the_bound": [
            _at_the_bound(case, tests, seed) for seed, case in enumerate(AT_THE_BOUND)
        ],
        "by_the_hour": [*_by_the_hour(tests)],
        "power": [_power(case, tests, seed) for seed, case in enumerate(POWER)],
        "worsened": _worsened(tests),
        "planned": [_planned(plan, tests, seed) for seed, plan in enumerate(PLANNED)],
        "curves": _curves(tests),
    }


class _Found(NamedTuple):
    """The first look of each test that promotes, fails or compares well; `HOURS` for none."""

    promoted: Array
    failed: Array
    compared: Array


def _first(looks: Booleans) -> Array:
    return np.where(looks.any(axis=1), looks.argmax(axis=1), HOURS).astype(float)


def _looked(looks: Looks, min_hours: int = MIN_HOURS) -> _Found:
    compared = looks.compares.copy()
    compared[:, : min_hours - 1] = False
    return _Found(
        _first(looks.promoted(ALPHA, min_hours)),
        _first(looks.failed(ALPHA, min_hours)),
        _first(compared),
    )


def _drawn(seed: Sequence[int], traffic: Traffic, tests: int, hours: int) -> Iterator[Counts]:
    chance = np.random.default_rng(seed)
    for begin in range(0, tests, AT_ONCE):
        yield counts(chance, traffic, min(AT_ONCE, tests - begin), hours)


def _all_looked(case: Case, seed: Sequence[int], tests: int) -> _Found:
    found = [
        _looked(rate_looks(drawn, case.ratio, case.bound, ALPHA), case.min_hours)
        for drawn in _drawn(seed, case.traffic, tests, HOURS)
    ]
    return _Found(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _share(first: Array, before: int = HOURS) -> float:
    """In 100 tests, those whose first such look is among the first hours."""
    return 100 * float((first < before).mean())


def _described(case: Case) -> Json:
    return {
        "group": case.group,
        "what": case.what,
        "kind": case.kind.value,
        "bound": case.bound,
        "min_hours": case.min_hours,
        "rate": case.traffic.rate,
        "shadow_rate": case.traffic.shadow_rate,
        "requests": case.traffic.requests,
        "share": case.traffic.share,
    }


def _at_the_bound(case: Case, tests: int, seed: int) -> Json:
    found = _all_looked(case, (1, seed), tests)
    return {
        **_described(case),
        "promoted": _share(found.promoted),
        "failed": _share(found.failed),
        "compared": _share(found.compared),
    }


def _power(case: Case, tests: int, seed: int) -> Json:
    found = _all_looked(case, (2, seed), tests)
    return {
        **_described(case),
        "two_days": _share(found.promoted, MIN_HOURS),
        "week": _share(found.promoted, 7 * 24),
        "two_weeks": _share(found.promoted),
        "failed": _share(found.failed),
    }


def _by_the_hour(tests: int) -> Iterator[Json]:
    """Values of hours, each of which remembers the last one, against a bound in their middle."""
    for seed, autocorrelation in enumerate((0.0, 0.5, 0.9)):
        row: Json = {"autocorrelation": autocorrelation}
        for name, margin in (("at_the_bound", 0.0), ("good", 1.2816), ("bad", -1.2816)):
            chance = np.random.default_rng((3, seed))
            promoted, failed = [], []
            for begin in range(0, tests, AT_ONCE):
                shape = (min(AT_ONCE, tests - begin), HOURS)
                series = autocorrelated(chance, shape, autocorrelation) - margin
                found = _looked(hour_looks(series, series > 0))
                promoted.append(found.promoted)
                failed.append(found.failed)
            row[f"{name}_promoted"] = _share(np.concatenate(promoted))
            row[f"{name}_failed"] = _share(np.concatenate(failed))
        yield row


def _worsened(tests: int) -> Json:
    """A shadow that is equal for a week and then breaks the bound by twice: is the gate open?"""
    good, bad = Traffic(1_000, 0.0005, 0.0005), Traffic(1_000, 0.0005, 0.0015)
    week = HOURS // 2
    opened: dict[int, list[Array]] = {0: [], 24: [], 72: [], week - 1: []}
    chance = np.random.default_rng((4, 0))
    for begin in range(0, tests, AT_ONCE):
        many = min(AT_ONCE, tests - begin)
        before, after = counts(chance, good, many, week), counts(chance, bad, many, week)
        both = Counts(*(np.concatenate(pair, axis=1) for pair in zip(before, after, strict=True)))
        promoted = rate_looks(both, 1.0, 0.0005, ALPHA).promoted(ALPHA, MIN_HOURS)
        for hour, found in opened.items():
            found.append(promoted[:, week + hour - 1 if hour else week - 1].astype(float))
    return {str(hour): 100 * float(np.concatenate(found).mean()) for hour, found in opened.items()}


def _planned(plan: tuple[Traffic, int], tests: int, seed: int) -> Json:
    """Ask the function's own forecast after some hours, and look when its number is reached."""
    traffic, asked_at = plan
    bound, hours = Bound(INCREASE, 0.0005), 3 * HOURS
    named, reached, promoted, by_then = [], [], [], []
    for drawn in _drawn((5, seed), traffic, tests, hours):
        looks = rate_looks(drawn, 1.0, bound.value, ALPHA).promoted(ALPHA, MIN_HOURS)
        requests = np.cumsum(drawn.shadow, axis=1)
        for test in range(len(requests)):
            seen = [Hour(*(float(part[test, hour]) for part in drawn)) for hour in range(asked_at)]
            forecast = compare_rates(seen, bound, confidence=1 - ALPHA).forecast
            if forecast is None or forecast.requests is None:
                raise RuntimeError("an equal shadow has a forecast")
            total = float(requests[test, asked_at - 1]) + forecast.requests
            # The forecast names at least the hours that are needed, too.
            at = max(MIN_HOURS - 1, int(np.searchsorted(requests[test], total)))
            named.append(total)
            reached.append(at < hours)
            at = min(at, hours - 1)
            promoted.append(looks[test, at])
            by_then.append(looks[test, : at + 1].any())
    low, middle, high = np.percentile(named, [10, 50, 90])
    return {
        "requests": traffic.requests,
        "share": traffic.share,
        "burst": traffic.shadow_burst,
        "asked_at": asked_at,
        "tests": tests,
        "low": float(low),
        "median": float(middle),
        "high": float(high),
        "not_reached": 100 * (1 - float(np.mean(reached))),
        "promoted": 100 * float(np.mean(promoted)),
        "by_then": 100 * float(np.mean(by_then)),
    }


def _curves(tests: int) -> Json:
    """The chance to be promoted by a number of shadow requests, 800 in a mean hour."""
    steps = [*range(48, HOURS + 1, 12)]
    curves: Json = {"requests": [800.0 * hour for hour in steps]}
    for seed, (name, (rate, has_confidence)) in enumerate(CURVES.items()):
        case = Case("", "", Traffic(800, 0.0005, rate, drift=0))
        found = _all_looked(case, (6, seed), tests)
        first = found.promoted if has_confidence else found.compared
        curves[name] = [_share(first, hour) for hour in steps]
    return curves
