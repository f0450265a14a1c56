"""Stack events as CloudFormation writes them, and DescribeStackEvents.

ministack's events lack what AWS's have (API reference, StackEvent): the properties of the resource,
CREATE_* for a resource that an update adds, and no events for one that does not change. Here the
*_IN_PROGRESS event of a resource is held until its properties are known, right before its function
is called.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

from local_aws.emulator.clock import Clock
from local_aws.emulator.last_operations import begin_if_new, operation_id
from local_aws.emulator.operation import (
    CUSTOM_TYPE,
    FAILED,
    STACK_TYPE,
    Operation,
    current,
    is_custom,
)
from local_aws.settings import Settings

__all__ = ["StackEvents", "replace_everywhere"]

Json = dict[str, Any]
Params: TypeAlias = Any  # A request as ministack has parsed it.
HttpAnswer: TypeAlias = Any  # What ministack's handlers return.

_SAID_BEFORE = {
    "CREATE_COMPLETE": "CREATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_IN_PROGRESS",
}
"""What a stack says with DetailedStatus CONFIGURATION_COMPLETE before it says this."""
_OF_OTHERS = ("User Initiated", "Initiated by parent stack")
_CLEANUP = "COMPLETE_CLEANUP_IN_PROGRESS"
_HELD = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
_SHOWN = (
    *("StackId", "EventId", "StackName", "LogicalResourceId", "PhysicalResourceId"),
    *("ResourceType", "Timestamp", "ResourceStatus", "ResourceStatusReason"),
    *("ResourceProperties", "ClientRequestToken", "DetailedStatus", "OperationId"),
    *("HookType", "HookStatus", "HookInvocationPoint", "HookInvocationId", "HookFailureMode"),
)
_CONFIGURED = ("CONFIGURATION_COMPLETE", "Eventual consistency check initiated")
_ALWAYS_SHOWN = ("PhysicalResourceId",)
_SHOWN_AT = "_local_aws_shown_at"
_WHY_DELETED = "_local_aws_why_deleted"


class StackEvents:
    """Writes the events of stacks and their resources, and returns them."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        """Add the events to ministack.

        Args:
            clock: The clock for their timestamps.
            settings: How many a page has, and how late they are visible.
        """
        self._clock = clock
        self.settings = settings
        # Called with a stack's id and status when it rolls back, and when it is cleaned up then.
        self.on_rollback: Callable[[str, str], None] | None = None
        # Says whether nested stacks of a stack have rolled back with it, and end before it.
        self.rolls_back_below: Callable[[str], bool] = lambda _stack_id: False
        for module in (stacks, changesets, handlers):
            module.now_iso = self._now
        self._record: Callable[..., None] = stacks._add_event
        replace_everywhere("_add_event", stacks._add_event, self.add)
        self._describe = handlers._ACTION_HANDLERS["DescribeStackEvents"]
        handlers._ACTION_HANDLERS["DescribeStackEvents"] = self.describe

    def add(  # noqa: PLR0917 (ministack's parameters)
        self,
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        """Record an event now, or when the resource's properties are known."""
        operation = current(stack_id)
        if resource_type == STACK_TYPE and logical_id == stack_name:
            self._add_of_stack(operation, stack_id, stack_name, status, reason, detailed_status)
            return
        if operation is None:
            self._write(
                stack_id, stack_name, logical_id, resource_type, status, reason, physical_id
            )
            return
        if not reason and status in _HELD:
            operation.held[logical_id] = lambda: self._add_of_resource(
                operation, logical_id, resource_type, status, "", physical_id
            )
            return
        if logical_id in operation.unchanged:
            operation.held.pop(logical_id, None)
            return
        self.release(operation, logical_id)
        parts = (resource_type, status, reason, physical_id, detailed_status)
        self._add_of_resource(operation, logical_id, *parts)

    def begin(self, operation: Operation, logical_id: str, properties: Json) -> None:
        """Add the event for the start of work on a resource, with its requested properties.

        A hook's two events come before it, as recorded: with its status, and without properties.
        """
        operation.properties[logical_id] = properties
        self.release(operation, logical_id)
        written = cloudformation._stack_events[operation.stack_id]
        if not self.settings.hook_type or written[-1]["LogicalResourceId"] != logical_id:
            return
        newest = written.pop()
        invocation = str(uuid.uuid4())
        place = (operation.stack_id, operation.stack_name, logical_id, newest["ResourceType"])
        for hook_status in ("HOOK_IN_PROGRESS", "HOOK_COMPLETE_SUCCEEDED"):
            status, physical_id = newest["ResourceStatus"], newest["PhysicalResourceId"]
            self._write(*place, status, physical_id=physical_id)
            written[-1].update(
                HookType=self.settings.hook_type,
                HookStatus=hook_status,
                HookInvocationPoint="PRE_PROVISION",
                HookInvocationId=invocation,
                HookFailureMode="FAIL",
            )
        written.append(newest)

    @staticmethod
    def release(operation: Operation, logical_id: str) -> None:
        """Add the held event of a resource, if any."""
        held = operation.held.pop(logical_id, None)
        if held is not None:
            held()

    def describe(self, params: Params) -> HttpAnswer:
        """DescribeStackEvents: newest first, a page at a time.

        A token is the last event of its page, so that new events do not shift pages.
        """
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if not stack:
            return self._describe(params)
        now = time.monotonic()
        found = [
            event
            for event in reversed(cloudformation._stack_events.get(stack["StackId"], []))
            if event.get(_SHOWN_AT, 0) <= now
        ]
        if token := handlers._p(params, "NextToken"):
            ids = [event["EventId"] for event in found]
            if token not in ids:
                return handlers._error("ValidationError", "Invalid NextToken")
            found = found[ids.index(token) + 1 :]
        page = found[: self.settings.events_page_size]
        members = "".join(f"<member>{_members(event)}</member>" for event in page)
        more = f"<NextToken>{page[-1]['EventId']}</NextToken>" if len(page) < len(found) else ""
        return handlers._xml(
            200,
            "DescribeStackEventsResponse",
            f"<DescribeStackEventsResult><StackEvents>{members}</StackEvents>{more}"
            "</DescribeStackEventsResult>",
        )

    def _add_of_stack(  # noqa: PLR0917 (an event's parts)
        self,
        operation: Operation | None,
        stack_id: str,
        stack_name: str,
        status: str,
        reason: str,
        detailed: str,
    ) -> None:
        """Record an event of the stack itself, with the reason in AWS's words."""
        stack = cloudformation._stacks.get(stack_name) or {}
        if operation is not None and operation.failed and status in FAILED:
            if operation.silent_failure:
                stack[_WHY_DELETED] = operation.failure_reason() + ". Delete requested by user."
                return
            reason = stack["StackStatusReason"] = operation.failure_reason().strip()
        else:
            reason = _reason(operation, stack, status, reason)
        if status == "UPDATE_COMPLETE" and _left_something(stack):
            reason = "Update successful. One or more resources could not be deleted."
        if (
            status == "UPDATE_ROLLBACK_COMPLETE"
            and operation is not None
            and self.rolls_back_below(stack_id)
        ):
            operation.end = (status, reason)
            stack["StackStatus"] = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
            return
        place = (stack_id, stack_name, stack_name, STACK_TYPE)
        previous = self._last_status(stack_id, stack_name)
        if (status, previous) == ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS"):
            # ministack leaves this out after a rollback that is continued.
            cleanup = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
            self._add_of_stack(operation, stack_id, stack_name, cleanup, "", "")
        begin_if_new(stack, status, previous)
        if self.settings.detailed_status and status in _SAID_BEFORE:
            detailed_status, why = _CONFIGURED
            self._write(*place, _SAID_BEFORE[status], why, stack_id, detailed_status)
        self._write(*place, status, reason, stack_id, detailed)
        if "ROLLBACK" in status and "IN_PROGRESS" in status and self.on_rollback is not None:
            self.on_rollback(stack_id, status)

    def _add_of_resource(  # noqa: PLR0917 (an event's parts)
        self,
        operation: Operation,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str,
        physical_id: str,
        detailed: str = "",
    ) -> None:
        previous = operation.previous.get(logical_id)
        properties = operation.properties.get(logical_id)
        stack = cloudformation._stacks.get(operation.stack_name) or {}
        if status.startswith("DELETE_") and stack.get("StackStatus", "").endswith(_CLEANUP):
            # As recorded: nothing but the ids of what a cleanup deletes.
            properties = None
            resource_type = CUSTOM_TYPE if is_custom(resource_type) else resource_type
        if operation.is_update and previous is None and operation.forward:
            status = status.replace("UPDATE_", "CREATE_")
        if operation.forward and status in ("CREATE_FAILED", "UPDATE_FAILED"):
            operation.failed[logical_id] = "create" if status.startswith("CREATE") else "update"
        if not physical_id and previous is not None:
            physical_id = previous.get("PhysicalResourceId", "")
        if not physical_id and status == "CREATE_FAILED":
            physical_id = operation.answered.get(logical_id, "")
        self._write(
            *(operation.stack_id, operation.stack_name, logical_id, resource_type, status),
            *(reason, physical_id, detailed),
            properties=properties,
        )

    def _write(  # noqa: PLR0917 (an event's parts)
        self,
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed: str = "",
        *,
        properties: Json | None = None,
    ) -> None:
        place = (stack_id, stack_name, logical_id, resource_type)
        self._record(*place, status, reason, physical_id, detailed)
        event = cloudformation._stack_events[stack_id][-1]
        event["OperationId"] = operation_id(cloudformation._stacks.get(stack_name) or {})
        event[_SHOWN_AT] = time.monotonic() + self._clock.real(self.settings.events_delay_seconds)
        if properties is not None:
            event["ResourceProperties"] = json.dumps(properties)

    @staticmethod
    def _last_status(stack_id: str, stack_name: str) -> str:
        own = [
            item["ResourceStatus"]
            for item in cloudformation._stack_events.get(stack_id, [])
            if item["LogicalResourceId"] == stack_name
        ]
        return own[-1] if own else ""

    def _now(self) -> str:
        """Return the local AWS's time in CloudFormation's format, with milliseconds."""
        now = datetime.fromtimestamp(self._clock.now(), tz=timezone.utc)
        return now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _left_something(stack: Json) -> bool:
    """Return whether an update's cleanup could not delete a resource."""
    resources = stack.get("_resources", {}).values()
    return any(item.get("ResourceStatus") == "DELETE_FAILED" for item in resources)


def _reason(operation: Operation | None, stack: Json, status: str, reason: str) -> str:
    """Return the reason of a stack's event, in AWS's words."""
    if operation is not None and operation.failed and reason not in _OF_OTHERS:
        if status == "ROLLBACK_IN_PROGRESS":
            reason = operation.failure_reason() + ". Rollback requested by user."
        elif status == "UPDATE_ROLLBACK_IN_PROGRESS":
            reason = operation.failure_reason()
    if status == "UPDATE_ROLLBACK_IN_PROGRESS" and stack.pop("_cancel_requested", False):
        reason = "User Initiated"
    if status.endswith("ROLLBACK_IN_PROGRESS"):
        stack["StackStatusReason"] = reason
    if status == "ROLLBACK_COMPLETE":
        reason = ""  # As recorded.
    if status == "DELETE_IN_PROGRESS":
        reason = stack.pop(_WHY_DELETED, reason or "User Initiated")
    return reason


def replace_everywhere(name: str, old: Callable[..., Any], new: Callable[..., Any]) -> None:
    """Replace a function in every module of ministack's CloudFormation that imported it."""
    for module in (stacks, changesets, handlers):
        if getattr(module, name, None) is old:
            setattr(module, name, new)


def _members(event: Json) -> str:
    return "".join(
        f"<{name}>{escape(str(event.get(name, '')))}</{name}>"
        for name in _SHOWN
        if event.get(name) or name in _ALWAYS_SHOWN
    )
