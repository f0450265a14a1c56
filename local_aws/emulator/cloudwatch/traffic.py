"""Requests to a variant, and SageMaker's metrics of them.

SageMaker developer guide, "Amazon SageMaker AI metrics in Amazon CloudWatch": metrics are written
each minute; latencies are in microseconds, and error metrics are 1 for each error, otherwise 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Samples", "Traffic"]

Samples = list[tuple[float, float]]
"""Values, each with its number of samples."""

_SLOWEST = 0.02
"""The share of requests that take ``slow_ms``: p99 is that, percentiles below p98 are not."""


@dataclass(frozen=True)
class Traffic:
    """The requests to a variant and their results, from some minute on.

    Attributes:
        requests: Requests per minute. At least 0. Default: 0, which writes no metrics.
        latency_ms: The latency of most of them, in milliseconds. Default: 50.
        slow_ms: The latency of the slowest 2 %, so p99. Default: ``latency_ms``.
        errors_4xx: The share with a 4xx status, 0 to 1. Default: 0.
        errors_5xx: The share with a 5xx status, 0 to 1. Default: 0.
        model_errors: The share with an error of the model, 0 to 1. Default: 0.
        lacks: Names of metrics that are not written. Default: none.
    """

    requests: float = 0.0
    latency_ms: float = 50.0
    slow_ms: float | None = None
    errors_4xx: float = 0.0
    errors_5xx: float = 0.0
    model_errors: float = 0.0
    lacks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        for name in ("requests", "latency_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"'{name}' must be at least 0, got {getattr(self, name)}")
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

    def samples(self, metric: str, minutes: float) -> Samples:
        """Return the values of a metric in some minutes."""
        count = self.requests * minutes
        if not count or metric in self.lacks:
            return []
        if metric == "Invocations":
            return [(1.0, count)]
        if metric == "ModelLatency":
            slow = self.latency_ms if self.slow_ms is None else self.slow_ms
            rest = (self.latency_ms * 1000, count * (1 - _SLOWEST))
            return [rest, (slow * 1000, count * _SLOWEST)]
        errors = {
            "Invocation4XXErrors": self.errors_4xx,
            "Invocation5XXErrors": self.errors_5xx,
            "InvocationModelErrors": self.model_errors,
        }.get(metric)
        if errors is None:
            return []
        return [(value, share * count) for value, share in ((1.0, errors), (0.0, 1 - errors))]
