"""Injected failures: of the n-th call of an operation, or of the n-th PUT."""

from __future__ import annotations

from dataclasses import dataclass, field

PUT = "PUT"

SLOW = "slow"
"""The call reaches AWS late, but in time for its client."""

FLAKY = "flaky"
"""Every so many attempts, one is throttled."""

FLAKY_EVERY = 5

CALL_KINDS = (
    *("throttled", "unavailable", "unreachable", "lost", "taken", "denied", "refused"),
    *("garbled", "killed", FLAKY),
)
"""What can happen to an AWS call.

``lost``: it times out without effect. ``taken``: it times out, but took effect. ``refused``: a
ValidationException. ``garbled``: a response that is not AWS's, such as that of a proxy. ``killed``:
it takes effect, and the invocation is killed before it sees the answer.
"""

PUT_KINDS = ("expired", "error", "reset", "lost", "taken", "killed")
"""What can happen to a PUT: 403, 500, a connection reset, a timeout without or with effect."""

_ONCE = ("denied", "refused", "garbled", "killed", SLOW)

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
        seconds: From the first attempt that fails on, it lasts no longer; 0 for no such limit.
        hit_at: When attempts failed.
    """

    operation: str
    kind: str
    skip: int = 0
    attempts: int = 0
    seconds: float = 0.0
    passed: int = 0
    hit_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = PUT_KINDS if self.operation == PUT else CALL_KINDS
        if self.kind not in (*kinds, SLOW):
            raise ValueError(f"a fault of {self.operation} is one of {kinds}, got '{self.kind}'")
        if not self.attempts:
            repeats = self.operation != PUT and self.kind not in _ONCE
            self.attempts = SDK_ATTEMPTS if repeats else 1

    @property
    def hits(self) -> int:
        """How many attempts have failed."""
        return len(self.hit_at)

    def is_pending(self, now: float) -> bool:
        """Whether attempts may still fail."""
        is_over = self.seconds and self.hit_at and now >= self.hit_at[0] + self.seconds
        return self.hits < self.attempts and not is_over

    def __str__(self) -> str:
        return f"{self.operation} {self.kind}"


class Faults(list[Fault]):
    """The pending failures."""

    def wait_for(self, operation: str, now: float) -> bool:
        """Whether a failure is pending for the operation."""
        return any(
            fault.operation.partition(" ")[0] == operation and fault.is_pending(now)
            for fault in self
        )

    def due(self, operation: str, now: float) -> str | None:
        """The kind of failure for this attempt."""
        for fault in self:
            if fault.operation != operation or not fault.is_pending(now):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.kind == FLAKY:
                fault.passed += 1
                if fault.passed % FLAKY_EVERY:
                    continue
            fault.hit_at.append(now)
            return "throttled" if fault.kind == FLAKY else fault.kind
        return None
