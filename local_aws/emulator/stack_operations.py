"""Parts of stack operations that AWS documents and ministack lacks.

- The cleanup after an update has its own status, UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, and events
and
  three attempts for each resource (CloudFormation user guide, "Update behaviors of stack resources"
  and "Stack status codes").
- A resource whose creation failed is deleted in the rollback like any other (user guide, "Custom
  resource request and response reference": a Delete follows a failed Create).
- If a resource could not be deleted, its dependencies are not deleted either: dependents are
deleted
  first (user guide, "DependsOn attribute").
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.services import cloudformation
from ministack.services.cloudformation import stacks

from local_aws.emulator.cancellation import Cancellation
from local_aws.emulator.change_sets import ChangeSets
from local_aws.emulator.clock import Clock
from local_aws.emulator.continued_rollback import ContinuedRollbacks
from local_aws.emulator.custom_resources import CustomResources
from local_aws.emulator.deployments import Deployments
from local_aws.emulator.nested_stacks import NestedStacks
from local_aws.emulator.operation import STACK_TYPE, Operation, current, under
from local_aws.emulator.stack_events import StackEvents, replace_everywhere
from local_aws.emulator.stack_requests import StackRequests
from local_aws.settings import Settings

__all__ = ["StackOperations"]

Json = dict[str, Any]
PassedOn: TypeAlias = Any  # Arguments that are only passed on.

CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_TRIES = 3
_MASK = "*****"


class HeldBack(Exception):
    """A resource is not deleted because one that depends on it is still there."""


_deletion: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar(
    "failed_deletions", default=None
)
"""The resources that a stack's deletion could not delete so far, and their dependencies."""


class StackOperations:
    """Creations, updates, rollbacks and deletions, of roots and of nested stacks.

    Attributes:
        nested: The nested stacks.
    """

    def __init__(self, custom: CustomResources, clock: Clock, settings: Settings) -> None:
        """Add the missing parts to ministack.

        Args:
            custom: The custom resources.
            clock: The clock for the events.
            settings: Choices for what AWS does not document; ``configure`` changes them later.
        """
        self._custom = custom
        self._events = StackEvents(clock, settings)
        self._cancellation = Cancellation(custom)
        self.nested = NestedStacks(custom.failed_creations, clock, settings)
        self._events.on_rollback = self.nested.on_rollback
        self._events.rolls_back_below = self.nested.rolls_back_below
        self._deployments = Deployments(self._events, custom)
        self._deployments.finish_nested = self.nested.finish
        self._deployments.on_left_failed = self._cancellation.takes_over
        ContinuedRollbacks(self.nested)
        self._requests = StackRequests(settings)
        self._change_sets = ChangeSets(settings, clock)
        _install_outputs(custom, self._cancellation, self.nested)
        _install_deletes(self._events, self.nested)
        _install_rollback(custom, self._cancellation, self.nested)
        _install_deletion(self._cancellation)

    def configure(self, settings: Settings) -> None:
        """Change the choices, also for operations in progress."""
        for part in (self._events, self.nested, self._requests, self._change_sets):
            part.settings = settings

    def reset(self) -> None:
        """End the wait of every operation for another one."""
        self.nested.reset()


def _install_outputs(
    custom: CustomResources, cancellation: Cancellation, nested: NestedStacks
) -> None:
    """Start an update's cleanup when ministack resolves the outputs: then everything is updated.

    The outputs mask the attributes of a custom resource with NoEcho.
    """
    resolve = stacks._resolve_stack_outputs

    def resolve_stack_outputs(  # noqa: PLR0917 (ministack's parameters)
        outputs_defs: Json,
        conditions: Json,
        resources: Json,
        param_values: Json,
        mappings: Json,
        stack_name: str,
        stack_id: str,
    ) -> PassedOn:
        cancellation.check(stack_id)
        shown = {
            name: _masked(record) if custom.is_masked(stack_id, name) else record
            for name, record in resources.items()
        }
        rest = (param_values, mappings, stack_name, stack_id)
        resolved = resolve(outputs_defs, conditions, shown, *rest)
        stack = cloudformation._stacks.get(stack_name)
        if stack is not None and stack["StackStatus"] == "UPDATE_IN_PROGRESS":
            stack["StackStatus"] = CLEANUP
            stacks._add_event(
                stack_id, stack_name, stack_name, STACK_TYPE, CLEANUP, physical_id=stack_id
            )
            nested.hold(stack, resolved[0])
        return resolved

    stacks._resolve_stack_outputs = resolve_stack_outputs


def _masked(record: Json) -> Json:
    """Return a resource with masked attributes ("Custom resource ... reference")."""
    return {**record, "Attributes": dict.fromkeys(record.get("Attributes", {}), _MASK)}


def _install_deletes(events: StackEvents, nested: NestedStacks) -> None:
    delete = stacks._delete_resource
    others_block = stacks._runs_on_worker_thread

    def delete_resource(
        resource_type: str,
        physical_id: str,
        properties: Json,
        stack_name: str,
        logical_id: str,
    ) -> None:
        arguments = (resource_type, physical_id, properties, stack_name, logical_id)
        stack = cloudformation._stacks.get(stack_name) or {}
        operation = current(stack.get("StackId", ""))
        if operation is not None:
            operation.properties[logical_id] = properties
        if stack.get("StackStatus") == CLEANUP:
            nested.wait_below(stack["StackId"])
            _clean_up(begun, stack, arguments)
        elif (failed := _deletion.get()) is not None:
            _delete_unless_held(begun, stack, arguments, failed)
        else:
            begun(*arguments)

    def begun(
        resource_type: str, physical_id: str, properties: Json, stack_name: str, logical_id: str
    ) -> None:
        """Delete a resource; DELETE_IN_PROGRESS is added before its function is called."""
        operation = current((cloudformation._stacks.get(stack_name) or {}).get("StackId", ""))
        if operation is not None:
            events.begin(operation, logical_id, properties)
        delete(resource_type, physical_id, properties, stack_name, logical_id)

    def runs_on_worker_thread(resource_type: str) -> bool:
        """Also if the deletion waits for a nested stack's cleanup, which blocks."""
        return others_block(resource_type) or nested.is_awaited()

    stacks._delete_resource = delete_resource
    stacks._runs_on_worker_thread = runs_on_worker_thread


def _clean_up(delete: Callable[..., None], stack: Json, arguments: tuple[Any, ...]) -> None:
    """Try to delete a resource in a cleanup three times, with events for each attempt."""
    resource_type, physical_id, _, stack_name, logical_id = arguments
    event = (stack["StackId"], stack_name, logical_id, resource_type)
    record = stack.get("_resources", {}).get(logical_id, {})
    if record.get("PhysicalResourceId") == physical_id:
        # So ListStackResources differs from a resource with the same physical id.
        record.update(ResourceStatus="DELETE_IN_PROGRESS", Timestamp=stacks.now_iso())
    for tries_left in reversed(range(_TRIES)):
        stacks._add_event(*event, "DELETE_IN_PROGRESS", physical_id=physical_id)
        try:
            delete(*arguments)
        except Exception as error:
            if tries_left == 0:
                raise  # ministack adds the last DELETE_FAILED.
            stacks._add_event(*event, "DELETE_FAILED", str(error), physical_id)
        else:
            stacks._add_event(*event, "DELETE_COMPLETE", physical_id=physical_id)
            return


def _delete_unless_held(
    delete: Callable[..., None], stack: Json, arguments: tuple[Any, ...], failed: set[str]
) -> None:
    logical_id = arguments[4]
    resources = set(stack.get("_resources", {}))
    definitions = (stack.get("_template") or {}).get("Resources", {})
    for other in failed:
        if logical_id in stacks._with_dependencies([other], definitions, resources) - {other}:
            failed.add(logical_id)
            raise HeldBack(other)
    try:
        delete(*arguments)
    except Exception:
        failed.add(logical_id)
        raise


def _install_deletion(cancellation: Cancellation) -> None:
    """Track the deletion of a stack; dependencies that were kept do not count as failed."""
    delete_stack = stacks._delete_stack_async

    async def delete_stack_async(
        stack_name: str, stack_id: str, *args: PassedOn, **more: PassedOn
    ) -> None:
        stack = cloudformation._stacks.get(stack_name)
        if stack is not None and stack["StackStatus"] == "CREATE_IN_PROGRESS":
            await cancellation.end_creation(stack)
        resources = (stack or {}).get("_resources", {})
        operation = Operation(stack_id, stack_name, dict(resources))
        token = _deletion.set(set())
        before = _statuses(stack_name)
        try:
            with under(operation):
                await delete_stack(stack_name, stack_id, *args, **more)
        finally:
            _deletion.reset(token)
        _forget_held_back(stack_name, stack_id, before)

    replace_everywhere("_delete_stack_async", delete_stack, delete_stack_async)


def _forget_held_back(stack_name: str, stack_id: str, before: dict[str, str]) -> None:
    stack = cloudformation._stacks.get(stack_name) or {}
    events = cloudformation._stack_events.get(stack_id, [])
    failed = [
        item["LogicalResourceId"]
        for item in events
        if item["ResourceStatus"] == "DELETE_FAILED" and item["ResourceType"] != STACK_TYPE
    ]
    held = {
        logical_id
        for logical_id, resource in stack.get("_resources", {}).items()
        if resource.get("ResourceStatus") == "DELETE_FAILED"
        and resource.get("ResourceStatusReason") in failed
    }
    if not held:
        return
    for logical_id in held:
        resource = stack["_resources"][logical_id]
        resource["ResourceStatus"] = before.get(logical_id, "CREATE_COMPLETE")
        resource.pop("ResourceStatusReason", None)
    events[:] = [
        item
        for item in events
        if item["LogicalResourceId"] not in held
        or item["ResourceStatus"] not in ("DELETE_IN_PROGRESS", "DELETE_FAILED")
    ]
    names = ", ".join(sorted(set(failed) - held))
    stack["StackStatusReason"] = f"The following resource(s) failed to delete: [{names}]."
    events[-1]["ResourceStatusReason"] = stack["StackStatusReason"]


def _statuses(stack_name: str) -> dict[str, str]:
    resources = (cloudformation._stacks.get(stack_name) or {}).get("_resources", {})
    return {name: resource.get("ResourceStatus", "") for name, resource in resources.items()}


def _install_rollback(
    custom: CustomResources, cancellation: Cancellation, nested: NestedStacks
) -> None:
    """Pass a resource whose creation failed to the rollback, which then deletes it.

    If a deletion waits for the failure, it continues instead of the rollback.
    """
    roll_back = stacks._roll_back_operation

    async def roll_back_operation(
        stack_name: str,
        stack_id: str,
        stack: Json,
        operation: Json,
        *rest: PassedOn,
        **more: PassedOn,
    ) -> None:
        logical_id = operation.get("failed_logical_id")
        record = custom.failed_creations.take(stack_id, str(logical_id))
        if record is not None and operation.get("failed_update") is None:
            stack.setdefault("_resources", {})[logical_id] = record
            operation["created"] = [*operation.get("created", []), logical_id]
        if cancellation.takes_over(stack_id):
            return
        under_way = current(stack_id) or Operation(
            *(stack_id, stack_name, dict(stack.get("_resources", {}))),
            is_update=bool(operation.get("is_update")),
        )
        under_way.forward = False
        with under(under_way):
            await roll_back(stack_name, stack_id, stack, operation, *rest, **more)
            await nested.finish_rollback(under_way)
            if under_way.end is not None:
                stack["StackStatus"], reason = under_way.end
                under_way.end = None
                place = (stack_id, stack_name, stack_name, STACK_TYPE, stack["StackStatus"])
                stacks._add_event(*place, reason, stack_id)

    replace_everywhere("_roll_back_operation", roll_back, roll_back_operation)
