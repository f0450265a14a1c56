"""What CloudFormation allows in which state of a stack, and what an update makes of a template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .provisioning import LOGICAL_ID, OTHER_LOGICAL_ID
from .story import (
    ContinueRollback,
    Create,
    Declaration,
    Delete,
    Deploy,
    Operation,
    RollBack,
    Settings,
    changed,
)

AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
FAILED_WITHOUT_ROLLBACK = ("CREATE_FAILED", "UPDATE_FAILED")
NO_STACK = "DELETE_COMPLETE"


@dataclass(frozen=True)
class State:
    """A stack between two operations.

    Attributes:
        status: Of the root.
        template: What it declares, by logical id.
        has_nested: Whether the nested stacks are there, where the story has any.
    """

    status: str
    template: Mapping[str, Declaration]
    has_nested: bool


def is_allowed(operation: Operation, state: State, settings: Settings) -> bool:
    """Whether CloudFormation carries an operation out, or refuses it."""
    if operation.level > settings.depth:
        return False
    if isinstance(operation, Create):
        return state.status == NO_STACK
    if state.status == NO_STACK:
        return False
    if isinstance(operation, ContinueRollback):
        return state.status == "UPDATE_ROLLBACK_FAILED"
    if isinstance(operation, RollBack):
        return state.status in FAILED_WITHOUT_ROLLBACK
    if isinstance(operation, Deploy):
        # A stack that has failed can only be updated without rollback.
        can = state.status in AT_REST or (
            operation.keeps and state.status in FAILED_WITHOUT_ROLLBACK
        )
        return can and target(operation, state, settings) is not None
    return isinstance(operation, Delete)


def target(operation: Deploy, state: State, settings: Settings) -> dict[str, Declaration] | None:
    """What the new template declares; None if the change is not possible."""
    change, template = operation.change, state.template
    if change == "add":
        return None if template else {LOGICAL_ID: settings.declared}
    if change == "nothing":
        return dict(template)
    if not template or (settings.depth and not state.has_nested):
        return None
    logical_id, declared = next(iter(template.items()))
    if change == "remove nested":
        return {} if settings.depth else None
    if change == "remove":
        return {}
    following = changed(declared, change)
    if change in ("move", "rename"):
        return {_other(logical_id): following}
    return None if following == declared else {logical_id: following}


def _other(logical_id: str) -> str:
    return LOGICAL_ID if logical_id == OTHER_LOGICAL_ID else OTHER_LOGICAL_ID
