"""The stack operation of the current task or thread, and the data that other parts need.

ministack passes stack, resource and properties from function to function, and each of our parts
sees only some of them. An ``Operation`` is in a context variable, which ministack's threads
inherit.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "CUSTOM_TYPE",
    "FAILED",
    "INITIATED",
    "STACK_TYPE",
    "FailedUpdate",
    "Operation",
    "abandon_all",
    "before_end",
    "current",
    "is_custom",
    "under",
]

Json = dict[str, Any]

FAILED = ("CREATE_FAILED", "UPDATE_FAILED")
STACK_TYPE = "AWS::CloudFormation::Stack"
CUSTOM_TYPE = "AWS::CloudFormation::CustomResource"
INITIATED = "Resource creation Initiated"
_epochs = itertools.count()
_epoch = next(_epochs)


@dataclass(frozen=True)
class FailedUpdate:
    """An update of a resource that failed, as it was requested."""

    logical_id: str
    resource_type: str
    physical_id: str
    applied: Json
    previous: Json


@dataclass
class Operation:
    """One operation on one stack.

    Attributes:
        stack_id: The stack's id.
        stack_name: The stack's name.
        previous: The stack's resources before it, by logical id.
        is_update: Whether it updates the stack; else it creates or deletes it.
        disable_rollback: Whether what succeeded is kept when it fails.
        forward: Whether it goes forward; a rollback does not.
        before_end: What to do before the operation ends, however it ends.
        properties: Each resource's last requested properties, for its events.
        held: Events that are not visible yet: ministack adds them before it has the properties.
        unchanged: The resources that an update does not change; they have no events.
        failed: The resources that failed, each with ``create`` or ``update``.
        answered: The physical ids in the answers of resources whose creation failed.
        forced: Whether a rollback skips what it cannot roll back.
        failed_update: The failed resource that existed before.
        end: The rollback's last event, held until its nested stacks have ended.
        silent_failure: Whether the stack's own *_FAILED event is left out.
        epoch: Its epoch; a reset starts a new one.
    """

    stack_id: str
    stack_name: str
    previous: Json = field(default_factory=dict)
    is_update: bool = False
    disable_rollback: bool = False
    forward: bool = True
    before_end: Callable[[], Awaitable[None]] | None = None
    properties: dict[str, Json] = field(default_factory=dict)
    held: dict[str, Callable[[], None]] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
    forced: bool = False
    failed_update: FailedUpdate | None = None
    end: tuple[str, str] | None = None
    silent_failure: bool = False
    epoch: int = field(default_factory=lambda: _epoch)

    def failure_reason(self) -> str:
        """Return a stack's reason for its failed operation."""
        parts = []
        for verb in ("create", "update"):
            names = [name for name, what in self.failed.items() if what == verb]
            if names:
                parts.append(f"The following resource(s) failed to {verb}: [{', '.join(names)}]. ")
        return "".join(parts)


_operation: contextvars.ContextVar[Operation | None] = contextvars.ContextVar(
    "stack_operation", default=None
)


def current(stack_id: str) -> Operation | None:
    """Return the current operation of a stack, if the caller works on it.

    Raises:
        CancelledError: There was a reset, so the caller must end.
    """
    operation = _operation.get()
    if operation is not None and operation.epoch != _epoch:
        raise asyncio.CancelledError("the local AWS was reset")
    return operation if operation is not None and operation.stack_id == stack_id else None


def abandon_all() -> None:
    """Let every operation end at its next step: threads cannot be killed."""
    global _epoch  # noqa: PLW0603 (it belongs to the process, like ministack's state)
    _epoch = next(_epochs)


@contextmanager
def under(operation: Operation) -> Iterator[Operation]:
    """Set the operation for the block and for the threads that it starts."""
    token = _operation.set(operation)
    try:
        yield operation
    finally:
        _operation.reset(token)


async def before_end() -> None:
    """Do what the caller's operation still has to do before it ends."""
    operation = _operation.get()
    if operation is not None and operation.before_end is not None:
        await operation.before_end()


def is_custom(resource_type: str) -> bool:
    """Return whether a resource type is a custom resource."""
    return resource_type.startswith("Custom::") or resource_type == CUSTOM_TYPE
