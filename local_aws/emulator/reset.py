# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
"""A complete reset: it also ends stack operations, running functions and pending retries.

ministack's own reset empties its services, but operations in progress continue: a stack that waits
for a response rolls back into the new state, and a function that the reset killed is retried
minutes later. Here each invocation belongs to an epoch, and a reset starts a new one.
"""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

from ministack import app as ministack_app
from ministack.services import cloudformation, lambda_svc

from local_aws.emulator import deployments, stack_operations
from local_aws.emulator.custom_resources import CustomResources
from local_aws.emulator.endpoint_events import EndpointEvents
from local_aws.emulator.stack_operations import StackOperations

__all__ = ["Reset"]

_EPOCH = "local_aws_epoch"


class Reset:
    """Ends everything that is in progress, and empties every service."""

    def __init__(
        self, custom: CustomResources, operations: StackOperations, endpoint_events: EndpointEvents
    ) -> None:
        """Add the epochs to ministack.

        Args:
            custom: The custom resources, whose responses stacks wait for.
            operations: The stacks' operations, which may wait for each other.
            endpoint_events: Events that have not arrived yet.
        """
        self._endpoint_events = endpoint_events
        self._custom = custom
        self._operations = operations
        self._epoch = 0
        self._execute = lambda_svc._execute_function
        self._invoke_async = lambda_svc.invoke_async_with_retry
        self._write_log = lambda_svc._emit_lambda_logs
        lambda_svc._execute_function = self._execute_in_epoch
        lambda_svc.invoke_async_with_retry = self._invoke_async_in_epoch
        lambda_svc._emit_lambda_logs = self._write_log_in_epoch

    async def __call__(self) -> None:
        """Reset; requests to ministack wait in the meantime."""
        self._epoch += 1
        stacks = [task for task in asyncio.all_tasks() if _drives_a_stack(task)]
        for task in stacks:
            task.cancel()
        self._custom.reset()
        self._operations.reset()
        self._endpoint_events.reset()
        await asyncio.gather(*stacks, return_exceptions=True)
        async with ministack_app._get_reset_lock():
            await asyncio.to_thread(ministack_app._reset_all_state)

    def _execute_in_epoch(self, func: dict[str, Any], event: object) -> dict[str, Any]:
        """Run a function, unless it was invoked before the last reset."""
        if func.get(_EPOCH, self._epoch) != self._epoch:
            return {"body": None}
        result: dict[str, Any] = self._execute({_EPOCH: self._epoch, **func}, event)
        return result

    def _invoke_async_in_epoch(self, func: dict[str, Any], event: object) -> None:
        self._invoke_async({_EPOCH: self._epoch, **func}, event)

    def _write_log_in_epoch(self, func: dict[str, Any], *rest: object, **more: object) -> None:
        if func.get(_EPOCH, self._epoch) == self._epoch:
            self._write_log(func, *rest, **more)


def _drives_a_stack(task: asyncio.Task[Any]) -> bool:
    """Return whether a task is a stack operation of ministack's CloudFormation."""
    code = getattr(task.get_coro(), "cr_code", None)
    if code is None:
        return False
    theirs = Path(code.co_filename).parent == Path(inspect.getfile(cloudformation)).parent
    return theirs or code.co_filename in map(inspect.getfile, (stack_operations, deployments))
