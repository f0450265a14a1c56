"""Nested stacks, whose updates wait for the root's and are rolled back with it.

CloudFormation user guide, "Split a template into reusable pieces using nested stacks" and "Stack
status codes". A nested stack's update is not cleaned up before the root's is done; until then its
status is UPDATE_COMPLETE_CLEANUP_IN_PROGRESS ("Troubleshooting CloudFormation": nested stacks are
stuck in that status). When the root rolls back, a nested stack that it has just created is deleted,
and one that it has updated rolls back. The failure messages are those of real events.

ministack deploys nested stacks differently from roots: without rollback, cleanup and most events.
Here they are deployed like roots, each on its own thread with its own event loop.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import asyncio
import contextvars
import copy
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudformation
from ministack.services.cloudformation import engine, helpers, provisioners, stacks

from local_aws.emulator.clock import Clock
from local_aws.emulator.custom_resources import FailedCreations
from local_aws.emulator.operation import INITIATED, STACK_TYPE, Operation, current
from local_aws.settings import Settings

__all__ = ["RESERVED", "NestedStackError", "NestedStacks", "Run", "new_name", "parents"]

Json = dict[str, Any]
Made = tuple[str, Json]
PassedOn: TypeAlias = Any  # Arguments that are only passed on.

_BY_PARENT = "Initiated by parent stack"
RESERVED: dict[str, dict[str, tuple[str, str]]] = {}
"""Names and ids that change sets have shown, by the parent's id and the logical id."""
_KEPT = (
    *("_resources", "_template", "_template_body", "_resolved_params", "_conditions"),
    *("Parameters", "Tags", "Outputs"),
)


class NestedStackError(RuntimeError):
    """The error of a nested stack, as its parent reports it."""


class _AbandonedError(BaseException):
    """Ends an update that waits for its root; no handler of Exception catches it."""


@dataclass
class Run:
    """One deployment of a nested stack.

    Attributes:
        stack_id: The nested stack's id.
        parent_id: The parent's id.
        previous: The nested stack before an update; None for a creation.
        follows: Whether the parent decides when it rolls back, and is cleaned up after that.
        told: Set when the parent may know the outcome.
        may_go_on: Set when the update may be cleaned up, or must be abandoned.
        undone: Set when it has rolled back, except for the cleanup.
        may_clean_up: Set when it may be cleaned up after its rollback.
        over: Set at the end of the thread.
        abandoned: Whether the update must be rolled back.
        ended: Whether the parent's events have its end.
        attributes: The outputs for ``Fn::GetAtt``.
    """

    stack_id: str
    parent_id: str
    previous: Json | None
    follows: bool = False
    told: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)
    undone: threading.Event = field(default_factory=threading.Event)
    may_clean_up: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    abandoned: bool = False
    ended: bool = False
    attributes: Json = field(default_factory=dict)


_run: contextvars.ContextVar[Run | None] = contextvars.ContextVar("nested_run", default=None)


class NestedStacks:
    """The handlers of AWS::CloudFormation::Stack, and the deployments that wait for their roots."""

    def __init__(self, failed_creations: FailedCreations, clock: Clock, settings: Settings) -> None:
        """Add the handlers to ministack.

        Args:
            failed_creations: Stores nested stacks whose creation failed, for their deletion.
            clock: The clock on which a failure travels up.
            settings: Choices for what AWS does not document.
        """
        self._failed_creations = failed_creations
        self._clock = clock
        self.settings = settings
        self._runs: dict[str, Run] = {}
        # Continues a rollback that failed; the resources to skip are by the nested stack's name.
        self.continue_rollback: Callable[..., Coroutine[Any, Any, None]] | None = None
        self.skipped_below: dict[str, list[str]] = {}
        provisioners._RESOURCE_HANDLERS[STACK_TYPE] = {
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }

    def reset(self) -> None:
        """End every wait; the next step of the deployment ends it."""
        for run in self._runs.values():
            run.abandoned = True
            for event in (run.may_go_on, run.told, run.undone, run.may_clean_up):
                event.set()
        self._runs.clear()
        RESERVED.clear()

    def hold(self, stack: Json, outputs: list[Json]) -> None:
        """Wait, at the end of a nested stack's update, for the parent; then for its nested stacks.

        A root does not wait here: it runs on the main event loop.
        """
        run = _run.get()
        if run is None or run.stack_id != stack["StackId"]:
            self.release(stack["StackId"])
            return
        run.attributes = _attributes(outputs)
        run.told.set()
        run.may_go_on.wait()
        if run.abandoned:
            raise _AbandonedError
        self.release(stack["StackId"])
        self.wait_below(stack["StackId"])

    def on_rollback(self, stack_id: str, status: str) -> None:
        """Take the parent's part in a nested stack's rollback, which says it has this status.

        As recorded: the nested stack says UPDATE_ROLLBACK_IN_PROGRESS at once, its parent learns of
        that some seconds later, and nothing is undone before the parent rolls back, too. The
        nested stack's cleanup comes after the parent's.
        """
        run = _run.get()
        if run is None or run.stack_id != stack_id or run.previous is None:
            return
        if status.endswith("CLEANUP_IN_PROGRESS"):
            run.undone.set()
            if run.follows:
                run.may_clean_up.wait()
        elif not run.told.is_set():
            late = self._clock.real(self.settings.nested_failure_seconds)
            timer = threading.Timer(late, run.told.set)
            timer.daemon = True
            timer.start()
            if run.follows:
                run.may_go_on.wait()

    def release(self, parent_id: str) -> None:
        """Let the updates of a stack's direct nested stacks be cleaned up."""
        for run in list(self._runs.values()):
            if run.parent_id == parent_id:
                run.may_go_on.set()

    def wait_below(self, stack_id: str) -> None:
        """Wait until no direct nested stack is in progress; on a thread, not on the event loop."""
        for run in list(self._runs.values()):
            if run.parent_id == stack_id:
                run.over.wait()

    def is_awaited(self) -> bool:
        """Return whether a direct nested stack of the caller's stack is in progress."""
        return any(
            not run.over.is_set() and current(run.parent_id) is not None
            for run in list(self._runs.values())
        )

    async def finish(self, operation: Operation) -> None:
        """Wait, before an operation ends, for the nested stacks that it does not roll back."""
        status = cloudformation._stacks[operation.stack_name]["StackStatus"]
        failed = not status.endswith("CLEANUP_IN_PROGRESS")
        if not operation.is_update or (failed and not operation.disable_rollback):
            return
        self.release(operation.stack_id)
        await run_reentrant(self.wait_below, operation.stack_id)
        self._tell_of_ends(operation)
        failed_update = operation.failed_update
        restores = failed_update is not None and failed_update.resource_type == STACK_TYPE
        if failed_update is None or not restores or self.settings.nested_undo != "update":
            return
        await run_reentrant(
            self._restore, operation.stack_name, failed_update.physical_id, failed_update.previous
        )

    async def finish_rollback(self, operation: Operation) -> None:
        """Clean up the nested stacks that an operation has rolled back, before it ends."""
        below = [run for run in self._runs.values() if run.parent_id == operation.stack_id]
        for run in below:
            run.may_clean_up.set()
        await run_reentrant(self.wait_below, operation.stack_id)
        if operation.end is not None:  # Otherwise the rollback has failed, and may be continued.
            self._tell_of_ends(operation)

    def rolls_back_below(self, stack_id: str) -> bool:
        """Return whether a nested stack of this one has rolled back with it."""
        below = [run for run in self._runs.values() if run.parent_id == stack_id]
        return any(run.previous is not None and not run.ended for run in below)

    def _tell_of_ends(self, operation: Operation) -> None:
        """Add a second UPDATE_COMPLETE for each nested stack whose cleanup has ended, too."""
        resources = cloudformation._stacks[operation.stack_name]["_resources"]
        for run in list(self._runs.values()):
            if run.parent_id != operation.stack_id or run.previous is None or run.ended:
                continue
            run.ended = True
            ends = _found(run.stack_id)["StackStatus"].endswith("_COMPLETE")
            for logical_id, record in resources.items():
                failed = operation.forward and logical_id in operation.failed
                if record["PhysicalResourceId"] == run.stack_id and ends and not failed:
                    operation.properties[logical_id] = record["Properties"]
                    place = (operation.stack_id, operation.stack_name, logical_id, STACK_TYPE)
                    stacks._add_event(*place, "UPDATE_COMPLETE", physical_id=run.stack_id)

    def _create(self, logical_id: str, properties: Json, parent_name: str) -> Made:
        parent = cloudformation._stacks[parent_name]
        reserved = RESERVED.get(parent["StackId"], {}).pop(logical_id, None)
        name, stack_id = reserved or new_name(parent_name, logical_id)
        stack: Json = {
            "StackName": name,
            "StackId": stack_id,
            "StackStatus": "CREATE_IN_PROGRESS",
            "StackStatusReason": "",
            "CreationTime": stacks.now_iso(),
            "LastUpdatedTime": stacks.now_iso(),
            "Outputs": [],
            "DisableRollback": True,
            "_region": get_region(),
            "_resources": {},
            "ParentId": parent["StackId"],
            "RootId": parent.get("RootId") or parent["StackId"],
            "Capabilities": provisioners._inherited_capabilities(parent_name),
            "_local_aws_deployment": parent.get("_local_aws_deployment"),
        }
        _declare(stack, properties, parent_name)
        cloudformation._stacks[name] = stack
        cloudformation._stack_events[stack_id] = []
        run = Run(stack_id, parent["StackId"], None)
        place = (parent["StackId"], parent_name, logical_id, STACK_TYPE, "CREATE_IN_PROGRESS")
        stacks._add_event(*place, INITIATED, stack_id)
        self._begin(run, stack, disable_rollback=not self.settings.nested_creation_rolls_back)
        run.over.wait()
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return stack_id, _attributes(stack["Outputs"])
        self._failed_creations.note(
            *(parent["StackId"], logical_id, STACK_TYPE, stack_id, properties)
        )
        reason = stack["StackStatusReason"]
        raise NestedStackError(f"Embedded stack {stack_id} was not successfully created: {reason}")

    def _update(self, stack_id: str, _old: Json, new: Json, parent_name: str) -> Made:
        stack = _found(stack_id)
        parent = cloudformation._stacks[parent_name]
        operation = current(parent["StackId"])
        if operation is not None and not operation.forward:
            if stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
                self._continue(stack, parent, operation)
            else:
                self._undo(stack)
            return stack_id, _attributes(stack["Outputs"])
        keeps = operation is not None and operation.disable_rollback
        return self._change(
            *(stack, parent, new),
            disable_rollback=keeps and self.settings.nested_undo != "rollback",
            follows=not keeps,
        )

    def _restore(self, parent_name: str, stack_id: str, previous: Json) -> None:
        """Update a nested stack with its old template, as part of the parent's failed update."""
        parent, stack = cloudformation._stacks[parent_name], _found(stack_id)
        try:
            self._change(stack, parent, previous, disable_rollback=False, follows=False)
        except NestedStackError:
            return  # Not documented; the parent has already reported the failure.
        run = self._runs[stack_id]
        run.may_go_on.set()
        run.over.wait()

    def _change(
        self, stack: Json, parent: Json, properties: Json, *, disable_rollback: bool, follows: bool
    ) -> Made:
        """Update a nested stack, until its parent may know the outcome."""
        run = Run(stack["StackId"], parent["StackId"], copy.deepcopy(_kept(stack)), follows)
        template = stack["_template"]
        _declare(stack, properties, parent["StackName"])
        wanted = stack["_template"], stack["_resolved_params"]
        # Until the update succeeds, the stack's template is the previous one.
        stack["_template"] = template
        stack["StackStatus"], stack["StackStatusReason"] = "UPDATE_IN_PROGRESS", ""
        stack["LastUpdatedTime"] = stacks.now_iso()
        self._begin(run, stack, disable_rollback=disable_rollback, wanted=wanted)
        run.told.wait()
        if stack["StackStatus"].startswith("UPDATE_COMPLETE"):
            return stack["StackId"], run.attributes
        current(parent["StackId"])  # A reset ends the deployment here.
        status, reason = stack["StackStatus"], stack["StackStatusReason"]
        raise NestedStackError(
            f"Embedded stack {stack['StackId']} was not successfully updated. "
            f"Currently in {status} with reason: {reason}"
        )

    def _undo(self, stack: Json) -> None:
        """Restore a nested stack to its state before the operation that is rolled back."""
        run = self._runs.get(stack["StackId"])
        if run is None or run.previous is None:
            return
        run.abandoned = True
        run.may_go_on.set()
        run.undone.wait()
        if not stack["StackStatus"].startswith("UPDATE_ROLLBACK"):
            # It did not fail itself.
            operation = stack.get("_failed_operation") or _undone(stack, run.previous)
            name, stack_id = stack["StackName"], stack["StackId"]
            steps = stacks._roll_back_operation(name, stack_id, stack, operation, _BY_PARENT)
            self._roll_back(run, stack, steps)
            run.undone.wait()
        _require_rolled_back(stack)

    def _continue(self, stack: Json, parent: Json, operation: Operation) -> None:
        """Continue the rollback of a nested stack, as part of its parent's."""
        assert self.continue_rollback is not None
        run, stack_id = self._runs[stack["StackId"]], stack["StackId"]
        names = [
            name
            for name, record in parent["_resources"].items()
            if record["PhysicalResourceId"] == stack_id
        ]
        skip = frozenset(self.skipped_below.pop(names[0], []) if names else [])
        steps = self.continue_rollback(stack["StackName"], stack_id, skip, forced=operation.forced)
        self._roll_back(run, stack, steps)
        run.undone.wait()
        _require_rolled_back(stack)

    @staticmethod
    def _roll_back(run: Run, stack: Json, steps: Coroutine[Any, Any, PassedOn]) -> None:
        """Start the thread of a rollback that the parent orders."""
        run.follows, run.ended = True, False
        run.told.set()
        for event in (run.over, run.undone, run.may_clean_up):
            event.clear()

        def roll_back() -> None:
            _run.set(run)
            try:
                asyncio.run(steps)
            except asyncio.CancelledError:
                pass
            finally:
                run.over.set()
                run.undone.set()

        context = contextvars.copy_context()
        name = stack["StackName"]
        threading.Thread(target=context.run, args=(roll_back,), daemon=True, name=name).start()

    def _delete(self, stack_id: str, _properties: Json) -> None:
        stack = next(
            (item for item in cloudformation._stacks.values() if item["StackId"] == stack_id), None
        )
        if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
            return
        run = self._runs.get(stack_id)
        if run is not None:
            run.abandoned = True
            run.may_go_on.set()
            run.may_clean_up.set()
            run.over.wait()
        _in_a_loop(stacks._delete_stack_async(stack["StackName"], stack_id))
        if stack["StackStatus"] != "DELETE_COMPLETE":
            reason = stack["StackStatusReason"]
            raise NestedStackError(
                f"Embedded stack {stack_id} was not successfully deleted: {reason}"
            )

    def _begin(
        self,
        run: Run,
        stack: Json,
        *,
        disable_rollback: bool,
        wanted: tuple[Json, Json] | None = None,
    ) -> None:
        """Start the thread of a deployment."""
        name, stack_id = stack["StackName"], stack["StackId"]
        template, parameters = wanted or (stack["_template"], stack["_resolved_params"])
        self._runs[stack_id] = run
        stacks._add_event(
            *(stack_id, name, name, STACK_TYPE, stack["StackStatus"]), "User Initiated", stack_id
        )

        def deploy() -> None:
            _run.set(run)
            previous = copy.deepcopy(run.previous)
            try:
                asyncio.run(
                    stacks._deploy_stack_async(
                        *(name, stack_id, template, parameters, disable_rollback, stack["Tags"]),
                        is_update=run.previous is not None,
                        previous_stack=previous,
                    )
                )
            except (_AbandonedError, asyncio.CancelledError):
                pass
            finally:
                run.over.set()
                run.undone.set()
                run.told.set()

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(deploy,), daemon=True, name=name).start()


def new_name(parent_name: str, logical_id: str) -> tuple[str, str]:
    """Return the name and the id of a new nested stack."""
    name = f"{parent_name}-{logical_id}-{new_uuid().replace('-', '')[:12].upper()}"
    place = f"arn:aws:cloudformation:{get_region()}:{get_account_id()}"
    return name, f"{place}:stack/{name}/{new_uuid()}"


def parents(stack: Json) -> list[str]:
    """Return the ids of a stack's parents, the nearest first."""
    found = []
    by_id = {item["StackId"]: item for item in cloudformation._stacks.values()}
    while stack.get("ParentId"):
        found.append(stack["ParentId"])
        stack = by_id.get(stack["ParentId"], {})
    return found


def _require_rolled_back(stack: Json) -> None:
    """Raise what the parent reports if a nested stack could not roll back."""
    if stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
        raise NestedStackError(
            f"Embedded stack {stack['StackId']} was not successfully updated. "
            f"Currently in {stack['StackStatus']} with reason: {stack['StackStatusReason']}"
        )


def _undone(stack: Json, previous: Json) -> Json:
    """Return what ministack needs to roll back an update that succeeded."""
    return {
        "is_update": True,
        "previous_stack": previous,
        "created": list(stack["_resources"]),
        "failed_update": None,
        "failed_logical_id": None,
        "replaced_ids": [],
        "template": stack["_template"],
        "param_values": stack["_resolved_params"],
        "stack_tags": stack["Tags"],
        "previous_tags": previous["Tags"],
    }


def _declare(stack: Json, properties: Json, parent_name: str) -> None:
    """Set a stack's template and parameters from its parent's properties."""
    url = properties.get("TemplateURL")
    body, error = helpers._resolve_template({"TemplateURL": [url]})
    if error is not None or not body:
        raise NestedStackError(f"TemplateURL must reference a valid S3 object: {url}")
    template = engine._parse_template(body)
    provisioners._check_nested_stack_capabilities(parent_name, template)
    given = [
        {"Key": key, "Value": str(value)}
        for key, value in (properties.get("Parameters") or {}).items()
    ]
    parameters = engine._resolve_parameters(template, given)
    stack.update(
        {
            "Description": template.get("Description", ""),
            "Tags": [
                tag
                for tag in properties.get("Tags") or []
                if not str(tag.get("Key", "")).startswith("aws:")
            ],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": item["Value"], "NoEcho": item["NoEcho"]}
                for key, item in parameters.items()
            ],
            "_template": template,
            "_template_body": body,
            "_resolved_params": parameters,
            "_conditions": engine._evaluate_conditions(template, parameters),
        }
    )


def _kept(stack: Json) -> Json:
    """Return what a rollback restores."""
    return {name: stack[name] for name in _KEPT if name in stack}


def _found(stack_id: str) -> Json:
    for stack in cloudformation._stacks.values():
        if stack["StackId"] == stack_id and stack["StackStatus"] != "DELETE_COMPLETE":
            found: Json = stack
            return found
    raise NestedStackError(f"Stack [{stack_id}] does not exist")


def _attributes(outputs: list[Json]) -> Json:
    return {f"Outputs.{item['OutputKey']}": item["OutputValue"] for item in outputs}


def _in_a_loop(steps: Coroutine[Any, Any, PassedOn]) -> None:
    """Run a stack's operation to its end; the caller has its own thread."""
    asyncio.run(steps)
