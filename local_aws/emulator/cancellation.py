"""Stacks whose operation is cancelled while a resource is in progress.

A DeleteStack during a creation, and a CancelUpdateStack during an update, do not wait for a custom
resource's response: the resource counts as cancelled, the Delete of one that was being created has
a generated id, and a later response is ignored. That a stack in creation can be deleted is
documented (API reference, DeleteStack); what happens to the resource in progress is modelled on
stack events ("Resource creation cancelled").
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, stacks

from local_aws.emulator.custom_resources import CustomResources, ResponseError
from local_aws.emulator.nested_stacks import parents

__all__ = ["Cancellation"]

Json = dict[str, Any]
PassedOn: TypeAlias = Any  # Arguments that are only passed on.

_CANCELLED = "Resource creation cancelled"


class Cancellation:
    """Cancels creations for deletions, and updates on request."""

    def __init__(self, custom: CustomResources) -> None:
        """Add the cancellation to ministack.

        Args:
            custom: The custom resources, one of which may be in progress.
        """
        self._custom = custom
        self._called_off: dict[str, asyncio.Event] = {}
        self._install_creations()
        self._install_update_cancellation()

    async def end_creation(self, stack: Json) -> None:
        """Cancel a stack's creation, and wait until nothing of it is in progress."""
        stack_id = stack["StackId"]
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
        over = self._called_off[stack_id] = asyncio.Event()
        for nested in _with_nested(stack):
            self._custom.cancel(nested["StackId"], _CANCELLED)
        try:
            await over.wait()
        finally:
            del self._called_off[stack_id]

    def takes_over(self, stack_id: str) -> bool:
        """Return whether a deletion waits for a failed creation; if so, let it continue."""
        over = self._called_off.get(stack_id)
        if over is not None:
            over.set()
        return over is not None

    def check(self, stack_id: str) -> None:
        """Raise if the creation of a stack was cancelled."""
        if stack_id in self._called_off:
            raise ResponseError(_CANCELLED)

    def _install_creations(self) -> None:
        """Keep a cancelled creation from starting further resources."""
        provision: Callable[..., Any] = stacks._provision_resource

        def provision_resource(
            resource_type: str, logical_id: str, props: Json, stack_name: str
        ) -> PassedOn:
            self.check((cloudformation._stacks.get(stack_name) or {}).get("StackId", ""))
            return provision(resource_type, logical_id, props, stack_name)

        stacks._provision_resource = provision_resource

    def _install_update_cancellation(self) -> None:
        cancel = handlers._ACTION_HANDLERS["CancelUpdateStack"]

        def cancel_update_stack(params: PassedOn) -> PassedOn:
            answer = cancel(params)
            if answer[0] == 200:
                stack = handlers._resolve_stack(handlers._p(params, "StackName"))
                for nested in _with_nested(stack):
                    nested["_cancel_requested"] = True
                    self._custom.cancel(nested["StackId"], "Resource update cancelled")
            return answer

        handlers._ACTION_HANDLERS["CancelUpdateStack"] = cancel_update_stack


def _with_nested(stack: Json) -> list[Json]:
    """Return a stack and its nested stacks that are in progress."""
    below = [
        item
        for item in cloudformation._stacks.values()
        if stack["StackId"] in parents(item) and item["StackStatus"].endswith("IN_PROGRESS")
    ]
    return [stack, *below]
