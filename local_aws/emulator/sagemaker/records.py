"""The log of calls, and injected faults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from local_aws.emulator.sagemaker.errors import ApiError

__all__ = ["Fault", "Faults", "Record"]


@dataclass(frozen=True)
class Record:
    """A received call and its answer; ``error_code`` is None if it succeeded."""

    operation: str
    request: dict[str, Any]
    time: float
    region: str
    error_code: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the record for the control routes."""
        return asdict(self)


@dataclass
class Fault:
    """A fault: the next calls of an operation are answered late, with an error, or both.

    Attributes:
        operation: The operation, such as ``StopInferenceExperiment``.
        error_code: The error of the answer; None for none. Default: None.
        message: The error's text. Default: empty.
        http_status: The error's HTTP status. Default: 400.
        delay_seconds: How long the answer is delayed. Default: 0.
        times: The number of remaining calls. Default: 1.
        seconds: How long it applies, to any number of calls. Default: not set, ``times`` counts.
        until: When it ends, set when it is added.
    """

    operation: str
    error_code: str | None = None
    message: str = ""
    http_status: int = 400
    delay_seconds: float = 0.0
    times: int = 1
    seconds: float | None = None
    until: float | None = None

    @classmethod
    def from_json(cls, order: dict[str, Any]) -> Fault:
        """Return the fault of a control request.

        Raises:
            ValueError: A member is unknown or the operation is missing.
        """
        known = [item.name for item in fields(cls) if item.name != "until"]
        unknown = sorted(set(order) - set(known))
        if unknown or "operation" not in order:
            raise ValueError(f"a fault has the members {known}, got {sorted(order)}")
        return cls(**order)

    def error(self) -> ApiError | None:
        """Return the error of the answer, if any."""
        if self.error_code is None:
            return None
        return ApiError(self.error_code, self.message, self.http_status)


class Faults:
    """The pending faults, in the order in which they were added."""

    def __init__(self) -> None:
        """Start with none."""
        self._pending: list[Fault] = []

    def add(self, fault: Fault, now: float) -> None:
        """Add a fault for future calls."""
        fault.until = None if fault.seconds is None else now + fault.seconds
        self._pending.append(fault)

    def take(self, operation: str, now: float) -> Fault | None:
        """Return the fault for a call, and count it down."""
        self._pending = [item for item in self._pending if item.until is None or now < item.until]
        for fault in self._pending:
            if fault.operation == operation:
                if fault.until is None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._pending.remove(fault)
                return fault
        return None
