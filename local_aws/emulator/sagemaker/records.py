"""What a test can see and order: the log of calls, and faults to answer with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from local_aws.emulator.sagemaker.errors import ApiError

__all__ = ["Fault", "Faults", "Record"]


@dataclass(frozen=True)
class Record:
    """One call as it was received and answered; ``error_code`` is None if it succeeded."""

    operation: str
    request: dict[str, Any]
    time: float
    region: str
    error_code: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the record as the control routes send it."""
        return asdict(self)


@dataclass
class Fault:
    """An order to answer the next calls of an operation late, with an error, or both.

    Attributes:
        operation: The operation it applies to, such as ``StopInferenceExperiment``.
        error_code: The error to answer with; None lets the call through. Default: None.
        message: The error's text. Default: empty.
        http_status: The error's HTTP status. Default: 400.
        delay_seconds: How long the answer is held back. Default: 0.
        times: How many calls it still applies to. Default: 1.
        seconds: How long it applies, to however many calls. Default: not set, ``times`` counts.
        until: The time it ends, known once it is noted.
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
        """Return the fault that a control request orders.

        Raises:
            ValueError: A member is unknown or the operation is missing.
        """
        known = [item.name for item in fields(cls) if item.name != "until"]
        unknown = sorted(set(order) - set(known))
        if unknown or "operation" not in order:
            raise ValueError(f"a fault has the members {known}, got {sorted(order)}")
        return cls(**order)

    def error(self) -> ApiError | None:
        """Return the error to answer with, if any."""
        if self.error_code is None:
            return None
        return ApiError(self.error_code, self.message, self.http_status)


class Faults:
    """The faults that are still to come, in the order they were given."""

    def __init__(self) -> None:
        """Start with none."""
        self._pending: list[Fault] = []

    def add(self, fault: Fault, now: float) -> None:
        """Note a fault for the calls to come."""
        fault.until = None if fault.seconds is None else now + fault.seconds
        self._pending.append(fault)

    def clear(self) -> None:
        """Forget every fault."""
        self._pending.clear()

    def take(self, operation: str, now: float) -> Fault | None:
        """Return the fault for a call that arrives now, counting it down."""
        self._pending = [item for item in self._pending if item.until is None or now < item.until]
        for fault in self._pending:
            if fault.operation == operation:
                if fault.until is None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._pending.remove(fault)
                return fault
        return None
