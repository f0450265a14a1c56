"""The local AWS's clock and the choices AWS leaves undocumented, settable while it runs.

Both halves read this module: the parent (which offers the settings as keyword arguments) and the
emulator (which obeys them), so it imports the standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How fast the local AWS's clock runs, and how it decides what AWS does not document.

    Attributes:
        start_seconds: Creating or Starting until Running, and an endpoint's Creating until
            InService. Seconds, at least 0. Default: 0.5.
        stop_seconds: Stopping until Completed or Cancelled. Seconds, at least 0. Default: 3.
        settle_seconds: How long the endpoint is still Updating after the experiment has ended.
            Seconds, at least 0. Default: 0.
        minute_seconds: The length of one minute of an EventBridge rate and of the delay before
            Lambda's asynchronous retries. Seconds, above 0. Default: 60.
        clock_scale: How many seconds of the local AWS pass in a real one: for SageMaker, for the
            functions and their time-outs, for CloudFormation's patience and for the minute. Every
            other duration here is in the local AWS's seconds. Above 0, and fixed once it has
            started. Default: 1, real time.
        stop_accepted_from: The statuses StopInferenceExperiment is accepted from; from any other
            it answers ConflictException. AWS does not document them.
            Default: Created and Running.
    """

    start_seconds: float = 0.5
    stop_seconds: float = 3.0
    settle_seconds: float = 0.0
    minute_seconds: float = 60.0
    clock_scale: float = 1.0
    stop_accepted_from: tuple[str, ...] = ("Created", "Running")

    def __post_init__(self) -> None:
        """Refuse durations that no clock can follow."""
        for name in ("start_seconds", "stop_seconds", "settle_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"'{name}' must be at least 0, got {getattr(self, name)}")
        for name in ("minute_seconds", "clock_scale"):
            if getattr(self, name) <= 0:
                raise ValueError(f"'{name}' must be above 0, got {getattr(self, name)}")
        # JSON has no tuples, and a frozen dataclass should stay hashable.
        object.__setattr__(self, "stop_accepted_from", tuple(self.stop_accepted_from))

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return these settings with some of them changed.

        Raises:
            ValueError: A name is unknown or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise ValueError(f"unknown settings {unknown}, allowed are {known}")
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON carries them."""
        return dataclasses.asdict(self)
