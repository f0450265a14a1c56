"""The operations of a stack: OperationId of its events, and LastOperations of DescribeStacks.

API reference, StackEvent, Stack and OperationEntry (2026). As recorded: after an automatic
rollback, LastOperations is [ROLLBACK, UPDATE_STACK]; an id is a UUID of version 1, made when the
operation begins. Which of the two a rollback's events name is not documented: here, the rollback.
"""

from __future__ import annotations

import uuid
from typing import Any

__all__ = ["begin_if_new", "last_operations", "operation_id"]

Json = dict[str, Any]

_OPERATIONS = "_local_aws_operations"
_BEGINNINGS = {
    "CREATE_IN_PROGRESS": "CREATE_STACK",
    "UPDATE_IN_PROGRESS": "UPDATE_STACK",
    "IMPORT_IN_PROGRESS": "UPDATE_STACK",
    "DELETE_IN_PROGRESS": "DELETE_STACK",
}
_ROLLBACKS = ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS")


def begin_if_new(stack: Json, status: str, previous: str) -> None:
    """Begin an operation, or its rollback, if a stack says so.

    Args:
        stack: The stack.
        status: The status that it says now.
        previous: The one before.
    """
    if status in _BEGINNINGS:
        stack[_OPERATIONS] = [(_BEGINNINGS[status], str(uuid.uuid1()))]
    elif status in _ROLLBACKS:
        kind = "CONTINUE_ROLLBACK" if previous == "UPDATE_ROLLBACK_FAILED" else "ROLLBACK"
        stack[_OPERATIONS] = [(kind, str(uuid.uuid1())), *stack.get(_OPERATIONS, [])]


def operation_id(stack: Json) -> str:
    """Return the id of a stack's last operation."""
    operations: list[tuple[str, str]] = stack.get(_OPERATIONS, [])
    return operations[0][1] if operations else ""


def last_operations(stack: Json) -> str:
    """Return a stack's last operations as XML, the newest first."""
    members = "".join(
        f"<member><OperationType>{kind}</OperationType><OperationId>{name}</OperationId></member>"
        for kind, name in stack.get(_OPERATIONS, [])
    )
    return f"<LastOperations>{members}</LastOperations>" if members else ""
