"""Requests to a variant, and SageMaker's metrics of them.

SageMaker developer guide, "Amazon SageMaker AI metrics in Amazon CloudWatch": metrics are written
each minute; latencies are in microseconds, and error metrics are 1 for each error, otherwise 0.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

__all__ = ["Samples", "Traffic"]

Samples = list[tuple[float, float]]
"""Values, each with its number of samples."""

_SLOWEST = 0.02
"""The share of requests that take ``slow_ms``: p99 is that, percentiles below p98 are not."""

_STEPS = 49
"""How many latencies stand for a distribution, each for as many requests."""
_DISTRIBUTION = [NormalDist().inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS)]
_MINUTE = 60


@dataclass(frozen=True)
class Traffic:
    """The requests to a variant and their results, from some minute on.

    Attributes:
        requests: Requests per minute. At least 0. Default: 0, which writes no metrics.
        latency_ms: The median latency of most of them, in milliseconds. Default: 50.
        latency_spread: How much their latencies differ, at least 0: the standard deviation of the
            logarithm, so that a third differ by more than this share. Default: 0, not at all.
        slow_ms: The latency of the slowest 2 %, so p99. Default: that of the others.
        errors_4xx: The share with a 4xx status, 0 to 1. Default: 0.
        errors_5xx: The share with a 5xx status, 0 to 1. Default: 0.
        model_errors: The share with an error of the model, 0 to 1. Default: 0.
        burst: How many errors come at once, at least 1. The minutes in which they come look random,
            and are the same each time. Default: 1, and every minute has its share of errors.
        lacks: Names of metrics that are not written. Default: none.
    """

    requests: float = 0.0
    latency_ms: float = 50.0
    latency_spread: float = 0.0
    slow_ms: float | None = None
    errors_4xx: float = 0.0
    errors_5xx: float = 0.0
    model_errors: float = 0.0
    burst: float = 1.0
    lacks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        for name, least in {
            "requests": 0,
            "latency_ms": 0,
            "latency_spread": 0,
            "burst": 1,
        }.items():
            if getattr(self, name) < least:
                raise ValueError(f"'{name}' must be at least {least}, got {getattr(self, name)}")
        for name in ("errors_4xx", "errors_5xx", "model_errors"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"'{name}' must be 0 to 1, got {getattr(self, name)}")
        # JSON has no tuples.
        object.__setattr__(self, "lacks", tuple(self.lacks))

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Traffic:
        """Read traffic from JSON.

        Raises:
            ValueError: A name is unknown or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(told) - set(known)):
            raise ValueError(f"unknown traffic {unknown}, allowed are {known}")
        return cls(**told)

    def samples(self, metric: str, begin: float, end: float, *, variant: str = "") -> Samples:
        """Return the values of a metric between two times, in seconds since the epoch.

        The bursts of two variants come at different times.
        """
        count = self.requests * (end - begin) / _MINUTE
        if not count or metric in self.lacks:
            return []
        if metric == "Invocations":
            return [(1.0, count)]
        if metric == "ModelLatency":
            return self._latencies(count)
        share = {
            "Invocation4XXErrors": self.errors_4xx,
            "Invocation5XXErrors": self.errors_5xx,
            "InvocationModelErrors": self.model_errors,
        }.get(metric)
        if share is None:
            return []
        errors = (
            share * count
            if self.burst == 1
            else self._in_bursts(f"{variant} {metric}", share, begin, end)
        )
        return [(1.0, errors), (0.0, count - errors)]

    def _latencies(self, count: float) -> Samples:
        steps = _DISTRIBUTION if self.latency_spread else [0.0]
        slowest = 0.0 if self.slow_ms is None else _SLOWEST
        each = count * (1 - slowest) / len(steps)
        found = [
            (self.latency_ms * 1000 * math.exp(self.latency_spread * step), each) for step in steps
        ]
        return found if self.slow_ms is None else [*found, (self.slow_ms * 1000, count * slowest)]

    def _in_bursts(self, of: str, share: float, begin: float, end: float) -> float:
        """The errors of the minutes that begin in this time."""
        bursts = self.requests * share / self.burst
        found = 0.0
        for minute in range(math.ceil(begin / _MINUTE), math.ceil(end / _MINUTE)):
            chance = zlib.crc32(f"{of} {minute}".encode()) / 2**32
            count = math.floor(bursts) + (chance < bursts % 1)
            found += min(count * self.burst, self.requests)
        return found
