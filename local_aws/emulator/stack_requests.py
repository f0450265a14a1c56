"""CloudFormation requests and answers that ministack lacks.

- A stack in CREATE_FAILED or UPDATE_FAILED can be updated with rollback disabled (user guide,
  "Choose how to handle failures when provisioning resources").
- RollbackStack deletes a stack that never was stable (API reference, RollbackStack).
- ``DeploymentConfig``, express mode: rollback is disabled unless it says otherwise (user guide,
  "Deploy AWS CloudFormation stacks faster with express mode"). CloudFormation still waits for
  custom resources, and nothing else here takes long enough to skip the wait.
- DescribeStacks and ListStacks show ``ParentId``, ``RootId`` and ``LastOperations``.
- A stack in ROLLBACK_COMPLETE can only be deleted (user guide, "Stack status codes").
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers

from local_aws.emulator.deployments import UNDONE
from local_aws.emulator.last_operations import last_operations
from local_aws.emulator.operation import FAILED
from local_aws.settings import Settings

__all__ = ["StackRequests"]

Json = dict[str, Any]
Params: TypeAlias = Any  # A request as ministack has parsed it.
HttpAnswer: TypeAlias = Any  # What ministack's handlers return.
Action = Callable[[Params], HttpAnswer]

_NOT_TERMINAL = (
    "This stack is currently in a non-terminal [{status}] state. To update the stack from this "
    "state, please use the disable-rollback parameter with update-stack API. To rollback to the "
    "last known good state, use the rollback-stack API"
)
_DEPLOYMENT = "_local_aws_deployment"


class StackRequests:
    """Wraps ministack's actions."""

    def __init__(self, settings: Settings) -> None:
        """Put the wrappers into ministack.

        Args:
            settings: How RollbackStack treats a stack that never was complete.
        """
        self.settings = settings
        self._wrap("CreateStack", self._create)
        self._wrap("UpdateStack", self._update)
        self._wrap("CreateChangeSet", self._create_change_set)
        self._wrap("ExecuteChangeSet", self._execute_change_set)
        self._wrap("RollbackStack", self._roll_back)
        self._wrap("DescribeStacks", self._describe)
        self._wrap("ListStacks", self._describe)
        self._wrap("DescribeChangeSet", self._describe_change_set)
        self._wrap("ListStackResources", self._list_resources)
        self._retried: Json | None = None
        self._has_no_updates = handlers._stack_has_no_updates
        handlers._stack_has_no_updates = self._stack_has_no_updates
        self._diff = changesets._diff_resources
        changesets._diff_resources = self._diff_resources

    @staticmethod
    def _wrap(action: str, wrapper: Callable[[Action, Params], HttpAnswer]) -> None:
        inner = handlers._ACTION_HANDLERS[action]
        handlers._ACTION_HANDLERS[action] = lambda params: wrapper(inner, params)

    def _create(self, create: Action, params: Params) -> HttpAnswer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            name = handlers._p(params, "StackName")
            return handlers._error("AlreadyExistsException", f"Stack [{name}] already exists")
        deployment = _deployment(params)
        _disable_rollback(params, deployment)
        answer = create(params)
        if answer[0] == 200:
            handlers._resolve_stack(handlers._p(params, "StackName"))[_DEPLOYMENT] = deployment
        return answer

    def _update(self, update: Action, params: Params) -> HttpAnswer:
        deployment = _deployment(params)
        _disable_rollback(params, deployment)
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if stack is None:
            return update(params)
        status = stack["StackStatus"]
        failed = status in FAILED
        if failed and not _is_true(params, "DisableRollback"):
            return handlers._error("ValidationError", _NOT_TERMINAL.format(status=status))
        answer: HttpAnswer = None
        if failed:
            # ministack would refuse the status; a retry may have the template that failed.
            stack["StackStatus"], self._retried = "UPDATE_COMPLETE", stack
        try:
            answer = update(params)
        finally:
            self._retried = None
            if failed and (answer is None or answer[0] != 200):
                stack["StackStatus"] = status
        if answer[0] == 200:
            stack[_DEPLOYMENT], stack["DisableRollback"] = (
                deployment,
                _is_true(params, "DisableRollback"),
            )
        return answer

    def _create_change_set(self, create: Action, params: Params) -> HttpAnswer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            why = f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
            return handlers._error("ValidationError", why)
        answer = create(params)
        if answer[0] == 200:
            found = _change_set(params)
            if found is not None:
                found[_DEPLOYMENT] = _deployment(params)
        return answer

    def _execute_change_set(self, execute: Action, params: Params) -> HttpAnswer:
        change_set = _change_set(params)
        if change_set is None:
            return execute(params)
        _disable_rollback(params, change_set.get(_DEPLOYMENT))
        stack = cloudformation._stacks.get(change_set["StackName"]) or {}
        status = stack.get("StackStatus", "")
        keeps = _is_true(params, "DisableRollback") or (
            change_set.get("OnStackFailure") == "DO_NOTHING"
        )
        if status in FAILED and not keeps:
            return handlers._error("ValidationError", _NOT_TERMINAL.format(status=status))
        answer = execute(params)
        if answer[0] == 200:
            stack[_DEPLOYMENT] = change_set.get(_DEPLOYMENT)
            stack["DisableRollback"] = keeps
        return answer

    def _roll_back(self, roll_back: Action, params: Params) -> HttpAnswer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        operation = (stack or {}).get("_failed_operation") or {"is_update": True}
        deletes = self.settings.rollback_of_failed_creation == "delete"
        if stack is None or stack["StackStatus"] not in FAILED or operation["is_update"]:
            return roll_back(params)
        if not deletes:
            return roll_back(params)
        stack_id = stack["StackId"]
        handlers._create_stack_task_in_region(
            handlers._delete_stack_async(stack["StackName"], stack_id), stack, stack_id
        )
        return handlers._xml(
            200,
            "RollbackStackResponse",
            f"<RollbackStackResult><StackId>{stack_id}</StackId></RollbackStackResult>",
        )

    @staticmethod
    def _describe(describe: Action, params: Params) -> HttpAnswer:
        """Add each stack's parent and root, how it was last deployed, and its last operations."""
        status, headers, body = describe(params)
        by_id = {stack["StackId"]: stack for stack in cloudformation._stacks.values()}

        def with_more(match: re.Match[str]) -> str:
            stack = by_id.get(match[1], {})
            members = "".join(
                f"<{name}>{stack[name]}</{name}>"
                for name in ("ParentId", "RootId")
                if stack.get(name)
            )
            return match[0] + members + _shown(stack.get(_DEPLOYMENT)) + last_operations(stack)

        text = re.sub(r"<StackId>([^<]+)</StackId>", with_more, body.decode())
        return status, headers, text.encode()

    @staticmethod
    def _list_resources(list_them: Action, params: Params) -> HttpAnswer:
        """Give each resource the time of its last update, which the API always has."""
        status, headers, body = list_them(params)
        stack = handlers._resolve_stack(handlers._p(params, "StackName")) or {}
        at = stack.get("LastUpdatedTime") or stack.get("CreationTime") or ""
        absent, member = "<LastUpdatedTimestamp></Last", f"<LastUpdatedTimestamp>{at}</Last"
        return status, headers, body.replace(absent.encode(), member.encode())

    @staticmethod
    def _describe_change_set(describe: Action, params: Params) -> HttpAnswer:
        status, headers, body = describe(params)
        deployment = (_change_set(params) or {}).get(_DEPLOYMENT)
        end = b"</DescribeChangeSetResult>"
        return status, headers, body.replace(end, _shown(deployment).encode() + end)

    def _stack_has_no_updates(self, stack: Json, *rest: object, **more: object) -> bool:
        """A retry is an update, whatever its template says."""
        return stack is not self._retried and bool(self._has_no_updates(stack, *rest, **more))

    def _diff_resources(
        self, old: Json, new: Json, resources: Json | None = None, *rest: object
    ) -> list[Json]:
        """Include failed resources in a change set: they will be retried, or created."""
        if self.settings.change_set_compares == "templates":
            unchanged: list[Json] = self._diff(old, new, resources, *rest)
            return unchanged
        definitions = dict(old.get("Resources", {}))
        for logical_id, record in (resources or {}).items():
            if logical_id not in definitions:
                continue
            if record.get("ResourceStatus") == "CREATE_FAILED":
                del definitions[logical_id]
            elif record.get("ResourceStatus") == "UPDATE_FAILED":
                definitions[logical_id] = {**definitions[logical_id], "Metadata": "failed"}
            elif record.get(UNDONE):
                undone = {"Properties": record["Properties"]}
                definitions[logical_id] = {**definitions[logical_id], **undone}
        changes: list[Json] = self._diff({**old, "Resources": definitions}, new, resources, *rest)
        return changes


def _change_set(params: Params) -> Json | None:
    name, stack = handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName")
    found: Json | None = changesets._find_change_set(name, stack)[1]
    return found


def _deployment(params: Params) -> Json | None:
    """Return a request's DeploymentConfig, if it has one."""
    mode = handlers._p(params, "DeploymentConfig.Mode")
    disable = handlers._p(params, "DeploymentConfig.DisableRollback")
    found = {"Mode": mode, "DisableRollback": disable}
    return {name: value for name, value in found.items() if value} or None


def _disable_rollback(params: Params, deployment: Json | None) -> None:
    """Disable rollback if a DeploymentConfig does; express mode does so by default."""
    # OnFailure also sets it, and both at once are refused.
    if deployment is None or "OnFailure" in params:
        return
    express = deployment.get("Mode") == "EXPRESS"
    if deployment.get("DisableRollback", str(express)).lower() == "true":
        params["DisableRollback"] = ["true"]


def _is_true(params: Params, name: str) -> bool:
    return bool(handlers._p(params, name, "false").lower() == "true")


def _shown(deployment: Json | None) -> str:
    if not deployment:
        return ""
    members = "".join(f"<{name}>{value}</{name}>" for name, value in deployment.items())
    return f"<DeploymentConfig>{members}</DeploymentConfig>"
