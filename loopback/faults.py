"""Failures on order: of the n-th call of an operation, or of the n-th PUT."""

from __future__ import annotations

from dataclasses import dataclass, field

PUT = "PUT"

CALL_KINDS = ("throttled", "unavailable", "unreachable", "lost", "taken", "denied", "killed")
"""What can happen to an AWS call.

``lost``: it times out and had no effect. ``taken``: it times out and had its effect.
``killed``: it has its effect and the invocation is killed before it learns so.
"""

PUT_KINDS = ("expired", "error", "reset", "lost", "taken", "killed")
"""What can happen to a PUT: 403, 500, a connection reset, a time-out without and with effect."""

SDK_ATTEMPTS = 3
"""The SDK repeats a call this often; a call has failed when every attempt has."""


@dataclass
class Fault:
    """One failure.

    Attributes:
        operation: An AWS operation or ``PUT``.
        kind: Out of the constants above.
        skip: Calls of the operation that go well before it.
        attempts: HTTP attempts it lasts for. Default: as many as the SDK makes for one call.
        hit_at: When it failed an attempt.
    """

    operation: str
    kind: str
    skip: int = 0
    attempts: int = 0
    hit_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.attempts:
            repeats = self.operation != PUT and self.kind not in ("denied", "killed")
            self.attempts = SDK_ATTEMPTS if repeats else 1

    @property
    def hits(self) -> int:
        """Attempts it has failed."""
        return len(self.hit_at)

    def __str__(self) -> str:
        return f"{self.operation} {self.kind}"


class Faults(list[Fault]):
    """What is to fail."""

    def wait_for(self, operation: str) -> bool:
        """Whether a call of the operation is yet to fail."""
        return any(
            fault.operation.partition(" ")[0] == operation and fault.hits < fault.attempts
            for fault in self
        )

    def due(self, operation: str, now: float) -> str | None:
        """The kind of failure that this attempt meets."""
        for fault in self:
            if fault.operation != operation or fault.hits >= fault.attempts:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hit_at.append(now)
            return fault.kind
        return None
