"""Statistics of a series of runs: median, spread, percentiles, and ratios of pairs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TypedDict

__all__ = ["Series", "percentile", "ratios", "series"]


class Series(TypedDict):
    """A series of runs; the spread is from the first to the third quartile."""

    runs: int
    median: float
    low: float
    high: float


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which a share of the values lies, interpolated between ranks.

    Args:
        values: At least one.
        percent: From 0 (the smallest) to 100 (the largest).

    Raises:
        ValueError: There are no values, or ``percent`` is out of range.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError(f"'percent' must be 0 to 100 of at least one value, got {percent}")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def series(values: Sequence[float]) -> Series:
    """Return median and quartiles of a series."""
    return Series(
        runs=len(values),
        median=statistics.median(values),
        low=percentile(values, 25),
        high=percentile(values, 75),
    )


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Series:
    """Return median and quartiles of the ratios of alternating runs.

    Pairs are divided first, so that a slower machine affects both runs of a pair.

    Raises:
        ValueError: The runs are not pairs.
    """
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} and {len(denominators)} runs are not pairs")
    return series([above / below for above, below in zip(numerators, denominators, strict=True)])
