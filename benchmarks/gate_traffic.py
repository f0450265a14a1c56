"""Traffic and errors of simulated tests: a row for each test, a column for each hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .gate_looks import Array, Counts

__all__ = ["Traffic", "autocorrelated", "bursts", "counts", "spells"]

Chance: TypeAlias = np.random.Generator
BAD_SHARE, CALM = 0.3, 0.2


@dataclass(frozen=True)
class Traffic:
    """What a simulated test is like.

    Attributes:
        requests: To production in a mean hour.
        rate: Production's rate of errors.
        shadow_rate: The shadow's.
        share: The sampling, 0 to 1.
        burst: The mean number of production's errors in a burst; 1: each comes alone.
        shadow_burst: The shadow's.
        spell: The mean length of a bad spell in hours; 0: there are none. Errors are 14 times as
            frequent in them, and they are 30 % of the time; the variants have their own.
        daily: How far the traffic follows the day: at 0.8 from a fifth of the mean to nine fifths.
        drift: How far production's rate of errors does; the shadow's increase stays the same.
    """

    requests: float
    rate: float
    shadow_rate: float
    share: float = 1.0
    burst: float = 1.0
    shadow_burst: float = 1.0
    spell: float = 0.0
    daily: float = 0.8
    drift: float = 0.8


def counts(chance: Chance, traffic: Traffic, tests: int, hours: int) -> Counts:
    """Draw tests. Each begins at its own hour of the day."""
    at = np.arange(hours) + chance.integers(0, 24, (tests, 1))
    day = 2 * np.pi * at / 24
    production = np.maximum(1.0, np.round(traffic.requests * (1 + traffic.daily * np.sin(day))))
    shadow = production.copy()
    if traffic.share < 1:
        shadow = chance.binomial(production.astype(np.int64), traffic.share).astype(float)
        shadow[:, 0] = np.maximum(1.0, shadow[:, 0])  # every look has a request
    # Errors have their own time of the day, so that their rate drifts against the traffic.
    drift = 1 + traffic.drift * np.cos(day + np.pi / 4)
    drift /= (production * drift).sum(axis=1, keepdims=True) / production.sum(axis=1, keepdims=True)
    expected = production * traffic.rate * drift
    # The increase is the same at any hour: what the shadow adds does not follow production.
    own = shadow * np.maximum(0.0, traffic.rate * drift + (traffic.shadow_rate - traffic.rate))
    if traffic.spell:
        expected = expected * spells(chance, expected.shape, traffic.spell)
        own = own * spells(chance, own.shape, traffic.spell)
    return Counts(
        production,
        shadow,
        bursts(chance, expected, traffic.burst),
        bursts(chance, own, traffic.shadow_burst),
    )


def bursts(chance: Chance, expected: Array, size: float) -> Array:
    """Draw errors that come in bursts of geometric size: alone, they are independent."""
    if size <= 1:
        return chance.poisson(expected).astype(float)
    number = chance.poisson(expected / size)
    more = chance.negative_binomial(np.maximum(number, 1), 1 / size)
    return np.asarray(number + np.where(number > 0, more, 0), dtype=float)


def spells(chance: Chance, shape: tuple[int, int], length: float) -> Array:
    """Draw what multiplies the rate of errors: calm hours and bad spells, 1 in the mean."""
    tests, hours = shape
    ends, begins = 1 / length, BAD_SHARE / (1 - BAD_SHARE) / length
    is_bad = np.zeros(shape, dtype=bool)
    is_bad[:, 0] = chance.random(tests) < BAD_SHARE
    for hour in range(1, hours):
        drawn = chance.random(tests)
        is_bad[:, hour] = np.where(is_bad[:, hour - 1], drawn > ends, drawn < begins)
    return np.asarray(CALM + is_bad * (1 - CALM) / BAD_SHARE, dtype=float)


def autocorrelated(chance: Chance, shape: tuple[int, int], autocorrelation: float) -> Array:
    """Draw normal values, each of which remembers the last one; 0 in the mean, variance 1."""
    series: np.ndarray[Any, np.dtype[np.float64]] = chance.standard_normal(shape)
    fresh = np.sqrt(1 - autocorrelation**2)
    for hour in range(1, shape[1]):
        series[:, hour] = autocorrelation * series[:, hour - 1] + fresh * series[:, hour]
    return series
