"""Injected failures: of the n-th call of an operation, or of the n-th PUT."""

from __future__ import annotations

from dataclasses import dataclass, field

PUT = "PUT"

SLOW = "slow"
"""The call reaches AWS late, but in time for its client."""

CALL_KINDS = ("throttled", "unavailable", "unreachable", "lost", "taken", "denied", "killed")
"""What can happen to an AWS call.

``lost``: it times out without effect. ``taken``: it times out, but took effect. ``killed``: it
takes effect, and the invocation is killed before it sees the answer.
"""

PUT_KINDS = ("expired", "error", "reset", "lost", "taken", "killed")
"""What can happen to a PUT: 403, 500, a connection reset, a timeout without or with effect."""

SDK_ATTEMPTS = 3
"""The SDK makes this many attempts to make or remove a rule. Each other call is one attempt, and
the next one that fails is the function's."""


@dataclass
class Fault:
    """One failure.

    Attributes:
        operation: An AWS operation or ``PUT``.
        kind: One of the constants above.
        skip: Calls of the operation that succeed before it.
        attempts: HTTP attempts that fail. Default: as many as the SDK makes for one call.
        hit_at: When attempts failed.
    """

    operation: str
    kind: str
    skip: int = 0
    attempts: int = 0
    hit_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = PUT_KINDS if self.operation == PUT else CALL_KINDS
        if self.kind not in (*kinds, SLOW):
            raise ValueError(f"a fault of {self.operation} is one of {kinds}, got '{self.kind}'")
        if not self.attempts:
            repeats = self.operation != PUT and self.kind not in ("denied", "killed", SLOW)
            self.attempts = SDK_ATTEMPTS if repeats else 1

    @property
    def hits(self) -> int:
        """How many attempts have failed."""
        return len(self.hit_at)

    def __str__(self) -> str:
        return f"{self.operation} {self.kind}"


class Faults(list[Fault]):
    """The pending failures."""

    def wait_for(self, operation: str) -> bool:
        """Whether a failure is pending for the operation."""
        return any(
            fault.operation.partition(" ")[0] == operation and fault.hits < fault.attempts
            for fault in self
        )

    def due(self, operation: str, now: float) -> str | None:
        """The kind of failure for this attempt."""
        for fault in self:
            if fault.operation != operation or fault.hits >= fault.attempts:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hit_at.append(now)
            return fault.kind
        return None
