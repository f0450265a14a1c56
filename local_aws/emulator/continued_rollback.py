"""ContinueUpdateRollback, with ResourcesToSkip and ForceRollback, nested stacks included.

API reference, ContinueUpdateRollback; user guide, "Continue rolling back an update". A resource
that is skipped gets UPDATE_COMPLETE without a request. Resources of nested stacks are named
``NestedStack.Resource``; nested stacks themselves cannot be continued. With ForceRollback, what
fails to roll back again is skipped.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, stacks

from local_aws.emulator.nested_stacks import NestedStacks
from local_aws.emulator.operation import STACK_TYPE, Operation, current, under
from local_aws.emulator.stack_events import replace_everywhere

__all__ = ["ContinuedRollbacks"]

Json = dict[str, Any]
Params: TypeAlias = Any  # A request as ministack has parsed it.
HttpAnswer: TypeAlias = Any  # What ministack's handlers return.
PassedOn: TypeAlias = Any  # Arguments that are only passed on.

_SKIP = "ResourcesToSkip"
_FORCED = "_local_aws_forced_rollback"
_SKIPPED = "Resource rollback skipped by user"


class ContinuedRollbacks:
    """Wraps ministack's action and its steps."""

    def __init__(self, nested: NestedStacks) -> None:
        """Add the wrappers to ministack.

        Args:
            nested: The nested stacks, which continue with their roots.
        """
        self._nested = nested
        self._request = handlers._ACTION_HANDLERS["ContinueUpdateRollback"]
        handlers._ACTION_HANDLERS["ContinueUpdateRollback"] = self._continue
        self._run = stacks._continue_update_rollback_async
        replace_everywhere("_continue_update_rollback_async", self._run, self._run_in_operation)
        self._revert: Callable[..., Any] = stacks._revert_update
        stacks._revert_update = self._revert_or_skip
        nested.continue_rollback = self._run_in_operation

    def _continue(self, params: Params) -> HttpAnswer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if stack is None or stack["StackStatus"] != "UPDATE_ROLLBACK_FAILED":
            return self._request(params)
        if stack.get("ParentId"):
            why = f"ContinueUpdateRollback is not supported for nested stack {stack['StackName']}"
            return handlers._error("ValidationError", why)
        skip = _named(params)
        below = [name for name in skip if "." in name]
        for name in below:
            nested, _, rest = name.partition(".")
            if rest not in _pending_below(stack, nested):
                why = f"Resource {name} cannot be skipped: its rollback did not fail"
                return handlers._error("ValidationError", why)
        stack[_FORCED] = handlers._p(params, "ForceRollback", "false").lower() == "true"
        self._nested.skipped_below = {
            nested: [name.partition(".")[2] for name in below if name.startswith(f"{nested}.")]
            for nested in {name.partition(".")[0] for name in below}
        }
        return self._request({**params, _SKIP: [name for name in skip if name not in below]})

    async def _run_in_operation(
        self, stack_name: str, stack_id: str, skip: frozenset[str], *, forced: bool = False
    ) -> None:
        stack = cloudformation._stacks[stack_name]
        operation = Operation(
            *(stack_id, stack_name, dict(stack.get("_resources", {}))),
            is_update=True,
            forward=False,
            forced=bool(stack.pop(_FORCED, False)) or forced,
        )
        with under(operation):
            await self._run(stack_name, stack_id, skip)
            await self._nested.finish_rollback(operation)
            if operation.end is not None:
                stack["StackStatus"], reason = operation.end
                operation.end = None
                place = (stack_id, stack_name, stack_name, STACK_TYPE, stack["StackStatus"])
                stacks._add_event(*place, reason, stack_id)

    async def _revert_or_skip(
        self,
        stack_id: str,
        stack_name: str,
        logical_id: str,
        kind: str,
        physical_id: str,
        *rest: PassedOn,
    ) -> None:
        try:
            await self._revert(stack_id, stack_name, logical_id, kind, physical_id, *rest)
        except Exception:
            operation = current(stack_id)
            if operation is None or not operation.forced:
                raise
            place = (stack_id, stack_name, logical_id, kind, "UPDATE_COMPLETE")
            stacks._add_event(*place, _SKIPPED, physical_id)


def _named(params: Params) -> list[str]:
    """Return a request's ResourcesToSkip."""
    found: list[str] = []
    while name := handlers._p(params, f"{_SKIP}.member.{len(found) + 1}"):
        found.append(str(name))
    return found


def _pending_below(stack: Json, logical_id: str) -> Json:
    """Return what a nested stack could not roll back."""
    record = stack.get("_resources", {}).get(logical_id, {})
    for nested in cloudformation._stacks.values():
        if nested["StackId"] == record.get("PhysicalResourceId"):
            return dict(nested.get("_rollback_failed", {}))
    return {}
