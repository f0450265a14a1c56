"""The stack operation that the running task or thread works on, and what others must know of it.

ministack hands stack, resource and properties from function to function, and each of our parts sees
only one of them. An ``Operation`` travels along in a context variable, which ministack's own
threads inherit.
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
    "FAILED",
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
_epochs = itertools.count()
_epoch = next(_epochs)


@dataclass(frozen=True)
class FailedUpdate:
    """An update of a resource that failed, as it was asked for."""

    logical_id: str
    resource_type: str
    physical_id: str
    applied: Json
    previous: Json


@dataclass
class Operation:
    """One operation on one stack.

    Attributes:
        stack_id: The stack's.
        stack_name: The stack's.
        previous: The resources that the stack had before, by logical id.
        is_update: Whether it updates the stack; else it creates or deletes it.
        disable_rollback: Whether what succeeded is kept when it fails.
        forward: Whether it goes on as ordered; a rollback is not.
        before_end: What is to happen before the operation ends, whichever way.
        properties: What each resource was last asked to be; its events show them.
        held: Events not shown yet: ministack tells them before it knows the properties.
        unchanged: The resources that an update does not touch; they have no events.
        failed: The resources that failed, each with ``create`` or ``update``.
        failed_update: The one of them that was there before.
        silent_failure: Whether the stack's own *_FAILED event is left out.
        epoch: What it belongs to; a reset begins a new one.
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
    failed_update: FailedUpdate | None = None
    silent_failure: bool = False
    epoch: int = field(default_factory=lambda: _epoch)

    def failure_reason(self) -> str:
        """Return what a stack says of the resources that made its operation fail."""
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
    """Return the operation under way on a stack, if the caller works on that.

    Raises:
        CancelledError: A reset has come in between, and the caller must end.
    """
    operation = _operation.get()
    if operation is not None and operation.epoch != _epoch:
        raise asyncio.CancelledError("the local AWS was reset")
    return operation if operation is not None and operation.stack_id == stack_id else None


def abandon_all() -> None:
    """Let every operation under way end at its next step: threads cannot be ended from outside."""
    global _epoch  # noqa: PLW0603 (it belongs to the process, like ministack's state)
    _epoch = next(_epochs)


@contextmanager
def under(operation: Operation) -> Iterator[Operation]:
    """Let what runs in the block, and the threads it starts, work on an operation."""
    token = _operation.set(operation)
    try:
        yield operation
    finally:
        _operation.reset(token)


async def before_end() -> None:
    """Do what the operation of the caller still has to do before it ends."""
    operation = _operation.get()
    if operation is not None and operation.before_end is not None:
        await operation.before_end()


def is_custom(resource_type: str) -> bool:
    """Return whether a resource type is one of custom resources."""
    return resource_type.startswith("Custom::") or resource_type == (
        "AWS::CloudFormation::CustomResource"
    )
