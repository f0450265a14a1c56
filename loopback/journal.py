"""What happened in a world, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CALL = "call"
PUT = "put"
LOG = "log"
INVOCATION = "invocation"


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: Virtual seconds since the epoch.
        kind: One of the constants above.
        name: The operation, the PUT's status, the logger, or the result of an invocation.
        invocation: The invocation it belongs to; 0 for the world itself.
        detail: Depends on the kind: the request's members, the response's code, or the line.
    """

    at: float
    kind: str
    name: str
    invocation: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


class Journal(list[Entry]):
    """Every entry of a world."""

    def calls(self, *operations: str) -> Iterator[Entry]:
        """AWS calls of the named operations, or of all."""
        return (
            entry
            for entry in self
            if entry.kind == CALL and (not operations or entry.name in operations)
        )

    def puts(self) -> Iterator[Entry]:
        """Attempts to answer CloudFormation."""
        return (entry for entry in self if entry.kind == PUT)

    def lines(self) -> Iterator[str]:
        """Log lines as Lambda would store them."""
        return (entry.detail["line"] for entry in self if entry.kind == LOG)
