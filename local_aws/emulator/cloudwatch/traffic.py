"""Requests to a variant, and what SageMaker measures of them.

SageMaker developer guide, "Amazon SageMaker AI metrics in Amazon CloudWatch": metrics are written
by the minute; latencies are microseconds, the error metrics are 1 for each error and else 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Samples", "Traffic"]

Samples = list[tuple[float, float]]
"""Values, each with how many times it was measured."""

_SLOWEST = 0.02
"""The share of requests that take ``slow_ms``, so that p99 and nothing below p98 is that."""


@dataclass(frozen=True)
class Traffic:
    """What a variant gets and how it answers, from some minute on.

    Attributes:
        requests: Requests in a minute. At least 0. Default: 0, with which nothing is written.
        latency_ms: What most of them take, in milliseconds. Default: 50.
        slow_ms: What the slowest two in a hundred take, so p99. Default: ``latency_ms``.
        errors_4xx: The share with a 4xx status, 0 to 1. Default: 0.
        errors_5xx: The share with a 5xx status, 0 to 1. Default: 0.
        model_errors: The share with an error of the model, 0 to 1. Default: 0.
        lacks: Metrics that are not written, by name. Default: none.
    """

    requests: float = 0.0
    latency_ms: float = 50.0
    slow_ms: float | None = None
    errors_4xx: float = 0.0
    errors_5xx: float = 0.0
    model_errors: float = 0.0
    lacks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no traffic can be."""
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
        """Return what is written of a metric in some minutes."""
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
