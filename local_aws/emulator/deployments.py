"""Creations and updates, and what happens to failed ones if rollback is disabled.

CloudFormation user guide, "Choose how to handle failures when provisioning resources": what
succeeded is kept, a resource whose update failed is rolled back to its last known stable state and
stays UPDATE_FAILED, one that never was stable is deleted by the next stack operation, and the next
update retries a resource that failed. AWS does not document how the resource is rolled back, nor
the next request to it: ``Settings`` has every variant.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from ministack.core.concurrency import run_reentrant
from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners, stacks

from local_aws.emulator.custom_resources import CustomResources, ResponseError
from local_aws.emulator.operation import (
    FAILED,
    INITIATED,
    STACK_TYPE,
    FailedUpdate,
    Operation,
    before_end,
    current,
    is_custom,
    under,
)
from local_aws.emulator.stack_events import StackEvents, replace_everywhere

__all__ = ["UNDONE", "Deployments"]

Json = dict[str, Any]
PassedOn: TypeAlias = Any  # Arguments that are only passed on.

_logger = logging.getLogger("local_aws")
_DELETE_ON_FAILURE = "_local_aws_delete_on_failure"
_OPERATION = "_failed_operation"
_STABLE = "_local_aws_stable"
UNDONE = "_local_aws_undone"
"""Marks a resource that is no more what the stack's template, which failed, declares."""
_REMOVED = "_local_aws_removed"
"""Resources that a failed update removed from the template; the next operation deletes them."""


class Deployments:
    """Runs creations and updates in an ``Operation``, and leaves failed ones as AWS does."""

    def __init__(self, events: StackEvents, custom: CustomResources) -> None:
        """Add them to ministack.

        Args:
            events: The stacks' events.
            custom: The custom resources, one of which may have failed to be created.
        """
        self._events = events
        self._custom = custom
        # Called when a failed operation is left as it is; a deletion may be waiting for that.
        self.on_left_failed: Callable[[str], object] | None = None
        # A stack's operation waits for this before it ends: its nested stacks end first.
        self.finish_nested: Callable[[Operation], Awaitable[None]] | None = None
        self._deploy = stacks._deploy_stack_async
        replace_everywhere("_deploy_stack_async", self._deploy, self.deploy)
        self._create_then_delete = stacks._create_then_delete_on_failure
        replace_everywhere(
            "_create_then_delete_on_failure", self._create_then_delete, self._delete_on_failure
        )
        self._update = stacks._update_resource
        stacks._update_resource = self._update_resource
        self._provision = stacks._provision_resource
        stacks._provision_resource = self._provision_resource
        stacks.asyncio = _Pausing()

    async def deploy(  # noqa: PLR0917 (ministack's parameters)
        self,
        stack_name: str,
        stack_id: str,
        template: Json,
        param_values: Json,
        disable_rollback: bool,
        tags: list[Json],
        is_update: bool = False,
        previous_stack: Json | None = None,
        retain_except_on_create: bool = False,
        imports: Json | None = None,
    ) -> None:
        """Create or update a stack."""
        stack = cloudformation._stacks[stack_name]
        stack["StackStatusReason"] = ""
        earlier = stack.get(_OPERATION)
        silent = bool(stack.get(_DELETE_ON_FAILURE))
        operation = Operation(
            *(stack_id, stack_name, {}, is_update, disable_rollback or silent),
            silent_failure=silent,
        )
        operation.before_end = lambda: self._before_end(operation)
        with under(operation):
            if is_update and previous_stack is not None:
                await self._delete_what_never_was_stable(operation, stack, previous_stack)
                operation.previous = previous_stack.get("_resources", {})
                previous_stack["_template"] = _with_removed(stack, previous_stack["_template"])
            await self._deploy(
                *(stack_name, stack_id, template, param_values, operation.disable_rollback, tags),
                *(is_update, previous_stack, retain_except_on_create, imports),
            )
            if stack["StackStatus"] in FAILED and operation.disable_rollback:
                await self._leave_failed(operation, stack, earlier)
                if self.on_left_failed is not None:
                    self.on_left_failed(stack_id)
            else:
                stack.pop(_REMOVED, None)

    async def _delete_on_failure(
        self, stack_name: str, stack_id: str, deployment: Awaitable[None]
    ) -> None:
        """Create a stack and delete it if that fails, without any ROLLBACK status.

        API reference, CreateStack (OnFailure) and CreateChangeSet (OnStackFailure). The reason of
        the DELETE_IN_PROGRESS event is what real events say.
        """
        stack = cloudformation._stacks[stack_name]
        stack[_DELETE_ON_FAILURE] = True
        try:
            await self._create_then_delete(stack_name, stack_id, deployment)
        finally:
            stack.pop(_DELETE_ON_FAILURE, None)

    async def _before_end(self, operation: Operation) -> None:
        """Roll back a failed resource within the update, and wait for nested stacks."""
        if self.finish_nested is not None:
            await self.finish_nested(operation)
        if operation.disable_rollback and operation.forward:
            await self._undo(operation, "in_update")

    async def _undo(self, operation: Operation, now: str) -> None:
        """Restore a custom resource whose update failed, if it is time for that."""
        failed, settings = operation.failed_update, self._events.settings
        if failed is None or settings.undo_of_failed_update != now:
            return
        if not is_custom(failed.resource_type) or failed.applied == failed.previous:
            return
        place = (operation.stack_id, operation.stack_name, failed.logical_id, failed.resource_type)
        rest = ("", failed.physical_id)
        if settings.undo_events:
            stacks._add_event(*place, "UPDATE_IN_PROGRESS", *rest)
            self._events.begin(operation, failed.logical_id, failed.previous)
        try:
            await run_reentrant(self._send_back, operation.stack_name, failed)
        except Exception:
            # Not documented; the resource already counts as failed.
            _logger.exception("the undo of %s failed", failed.logical_id)
        else:
            if settings.undo_events:
                stacks._add_event(*place, "UPDATE_COMPLETE", *rest)
                operation.failed_update = None
                record = cloudformation._stacks[operation.stack_name]["_resources"]
                record[failed.logical_id].update(
                    **{UNDONE: True}, ResourceStatus="UPDATE_COMPLETE", Properties=failed.previous
                )

    @staticmethod
    def _send_back(stack_name: str, failed: FailedUpdate) -> None:
        provisioners._custom_resource_update(
            *(failed.physical_id, failed.applied, failed.previous, stack_name),
            logical_id=failed.logical_id,
            resource_type=failed.resource_type,
        )

    async def _leave_failed(self, operation: Operation, stack: Json, earlier: Json | None) -> None:
        """Leave a failed stack as it is, with the data for its next operation."""
        failed_operation = stack[_OPERATION]
        resources = stack["_resources"]
        logical_id = failed_operation.get("failed_logical_id")
        record = self._custom.failed_creations.take(operation.stack_id, str(logical_id))
        if record is not None:
            resources[logical_id] = record
            failed_operation["created"].append(logical_id)
        # The next update without a template, and the order of a deletion, use the failed one.
        template = failed_operation["template"] or stack["_template"]
        before = _with_removed(stack, stack["_template"])["Resources"]
        stack[_REMOVED] = {
            name: before[name]
            for name in resources
            if name in before and name not in template["Resources"]
        }
        stack["_template"] = template
        stack["_resolved_params"] = failed_operation["param_values"]
        undone = operation.failed_update is None
        if not undone:
            self._mark_failed(operation, resources)
            await self._undo(operation, "after_update")
            undone = self._events.settings.undo_of_failed_update != "never"
        if failed_operation["failed_update"] is not None:
            if undone:
                # It is already stable: a later rollback only adds events.
                failed_operation["failed_update"][3:] = [None, None, None]
            elif operation.failed_update is not None:
                failed_operation["failed_update"][4] = operation.failed_update.previous
        if earlier is not None:
            _join(failed_operation, earlier)

    def _mark_failed(self, operation: Operation, resources: Json) -> None:
        failed = operation.failed_update
        if failed is None or failed.logical_id not in resources:
            return
        record = resources[failed.logical_id]
        record.update(ResourceStatus="UPDATE_FAILED", Timestamp=stacks.now_iso())
        record[_STABLE] = failed.previous
        if self._events.settings.old_properties_after_failure == "failed":
            record["Properties"] = failed.applied

    async def _delete_what_never_was_stable(
        self, operation: Operation, stack: Json, previous_stack: Json
    ) -> None:
        """Delete the resources whose creation failed in the previous operation."""
        for logical_id, record in list(stack["_resources"].items()):
            if record.get("ResourceStatus") != "CREATE_FAILED":
                continue
            kind, physical_id = record["ResourceType"], record["PhysicalResourceId"]
            place = (operation.stack_id, operation.stack_name, logical_id, kind)
            rest = (kind, physical_id, record["Properties"], operation.stack_name, logical_id)
            stacks._add_event(*place, "DELETE_IN_PROGRESS", physical_id=physical_id)
            try:
                await run_reentrant(stacks._delete_resource, *rest)
            except Exception as error:  # noqa: BLE001 (whatever a resource's handler raises)
                stacks._add_event(*place, "DELETE_FAILED", str(error), physical_id)
            else:
                stacks._add_event(*place, "DELETE_COMPLETE", physical_id=physical_id)
            for resources in (stack["_resources"], previous_stack["_resources"]):
                resources.pop(logical_id, None)

    def _provision_resource(
        self, resource_type: str, logical_id: str, properties: Json, stack_name: str
    ) -> PassedOn:
        stack_id = (cloudformation._stacks.get(stack_name) or {}).get("StackId", "")
        operation = current(stack_id)
        if operation is None:
            return self._provision(resource_type, logical_id, properties, stack_name)
        self._events.begin(operation, logical_id, properties)
        place = (stack_id, stack_name, logical_id, resource_type, "CREATE_IN_PROGRESS")
        try:
            made = self._provision(resource_type, logical_id, properties, stack_name)
        except ResponseError as error:
            if error.physical_id:
                operation.answered[logical_id] = error.physical_id
                stacks._add_event(*place, INITIATED, error.physical_id)
            raise
        if resource_type != STACK_TYPE:
            stacks._add_event(*place, INITIATED, made[0])
            if self._events.settings.detailed_status and not is_custom(resource_type):
                why = "Eventual consistency check initiated"
                stacks._add_event(*place, why, made[0], "CONFIGURATION_COMPLETE")
        return made

    def _update_resource(  # noqa: PLR0917 (ministack's parameters)
        self,
        resource_type: str,
        physical_id: str,
        old: Json,
        new: Json,
        stack_name: str,
        logical_id: str | None = None,
        attributes: Json | None = None,
    ) -> PassedOn:
        """Update a resource; its event is added before its function is called."""
        stack_id = (cloudformation._stacks.get(stack_name) or {}).get("StackId", "")
        operation = current(stack_id)
        if operation is None or logical_id is None:
            rest = (stack_name, logical_id, attributes)
            return self._update(resource_type, physical_id, old, new, *rest)
        arguments = (resource_type, physical_id, old, new, stack_name, logical_id, attributes)
        retried = operation.forward and self._is_retried(operation, logical_id)
        if old == new and operation.forward and not retried:
            operation.unchanged.add(logical_id)
            return self._update(*arguments)
        self._events.begin(operation, logical_id, new)
        try:
            answer = self._retry(*arguments) if retried else self._update(*arguments)
        except Exception:
            if operation.forward:
                stable = operation.previous.get(logical_id, {}).get(_STABLE, old)
                failed = FailedUpdate(logical_id, resource_type, physical_id, new, stable)
                operation.failed_update = failed
            raise
        if answer[0] != physical_id and is_custom(resource_type):
            place = (stack_id, stack_name, logical_id, resource_type, "UPDATE_IN_PROGRESS")
            reason = "Requested update required the provider to create a new physical resource"
            stacks._add_event(*place, reason, answer[0])
        return answer

    @staticmethod
    def _is_retried(operation: Operation, logical_id: str) -> bool:
        previous = operation.previous.get(logical_id, {})
        return bool(previous.get("ResourceStatus") == "UPDATE_FAILED")

    def _retry(  # noqa: PLR0917 (ministack's parameters)
        self,
        resource_type: str,
        physical_id: str,
        old: Json,
        new: Json,
        stack_name: str,
        logical_id: str,
        attributes: Json | None,
    ) -> PassedOn:
        """Update a resource that failed, even if its properties do not change."""
        if old != new:
            rest = (stack_name, logical_id, attributes)
            return self._update(resource_type, physical_id, old, new, *rest)
        if is_custom(resource_type):
            return provisioners._custom_resource_update(
                *(physical_id, old, new, stack_name),
                logical_id=logical_id,
                resource_type=resource_type,
            )
        if resource_type == STACK_TYPE:
            update = provisioners._RESOURCE_HANDLERS[STACK_TYPE]["update"]
            return update(physical_id, old, new, stack_name)
        return physical_id, attributes or {}


class _Pausing:
    """``asyncio`` for ministack's stacks: our code runs when they yield before they end.

    ministack yields to the event loop exactly once in a creation, an update or a deletion: when all
    resources are done, and before it sets the stack's last status.
    """

    def __getattr__(self, name: str) -> PassedOn:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await before_end()
        await asyncio.sleep(seconds)


def _with_removed(stack: Json, template: Json) -> Json:
    """Return a template with what failed updates removed, for the order of deletions."""
    resources = {**stack.get(_REMOVED, {}), **template.get("Resources", {})}
    return {**template, "Resources": resources}


def _join(operation: Json, earlier: Json) -> None:
    """Make a rollback restore the state before the first of several failed operations."""
    for name in ("created", "replaced_ids"):
        operation[name] = _once([*earlier[name], *operation[name]])
    operation["is_update"] = earlier["is_update"]
    operation["previous_stack"] = earlier["previous_stack"]
    operation["previous_tags"] = earlier["previous_tags"]


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
