"""Lets a function log only what its role permits, as on AWS.

ministack creates a missing log group for every function. On AWS, Lambda writes with the function's
role: without ``logs:CreateLogGroup`` a deleted group stays deleted, and a role without
``logs:PutLogEvents`` logs nothing. A stack that leaves nothing behind depends on that.

ministack writes the log when an invocation has ended. By then a stack may have deleted the role:
only the answer to its last request was missing. AWS does not document when it asks the role. Here
that is when the invocation begins, so that the last lines of a teardown are not lost.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeAlias

from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import cloudwatch_logs, lambda_svc

__all__ = ["install", "log_group", "permissions"]

PassedOn: TypeAlias = Any  # Arguments that are only passed on.

_may_create: ContextVar[bool] = ContextVar("may_create", default=True)
"""Whether this thread may create a log group."""

_permitted: ContextVar[tuple[bool, bool] | None] = ContextVar("permitted", default=None)
"""What the function that this thread executes was allowed when it began."""


def install() -> None:
    """Ask IAM before ministack writes a function's log."""
    write, execute = lambda_svc._emit_lambda_logs, lambda_svc._execute_function
    _refuse_new_groups()

    def execute_function(func: dict[str, Any], event: object) -> PassedOn:
        before = _permitted.set(_permissions_of(func))
        try:
            return execute(func, event)
        finally:
            _permitted.reset(before)

    def emit_lambda_logs(func: dict[str, Any], *args: PassedOn, **details: PassedOn) -> None:
        may_write, may_create = _permitted.get() or _permissions_of(func)
        if not may_write:
            return
        before = _may_create.set(may_create)
        try:
            write(func, *args, **details)
        finally:
            _may_create.reset(before)

    lambda_svc._execute_function = execute_function
    lambda_svc._emit_lambda_logs = emit_lambda_logs


def _permissions_of(func: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether a function may write its log, and whether it may create the group."""
    config = func.get("config") or func
    account, region = lambda_runtime._account_region_from_function_config(config)
    arn = f"arn:aws:logs:{region}:{account}:log-group:{log_group(config)}"
    allowed = permissions(config, account, region)
    may_write = allowed("logs:CreateLogStream", f"{arn}:*") and allowed(
        "logs:PutLogEvents", f"{arn}:log-stream:any"
    )
    return may_write, allowed("logs:CreateLogGroup", arn)


def _refuse_new_groups() -> None:
    """Let ministack's creation of a group fail, which it ignores, where the role may not create it.

    A check before would be too early: another thread may delete the group in between.
    """
    kind = type(cloudwatch_logs._log_groups)

    class Groups(kind):  # type: ignore[misc, valid-type] # untyped base
        __slots__ = ()

        def __setitem__(self, name: str, group: object) -> None:
            if not _may_create.get():
                raise PermissionError(f"logs:CreateLogGroup on {name}")
            super().__setitem__(name, group)

    cloudwatch_logs._log_groups.__class__ = Groups


def log_group(config: dict[str, Any]) -> str:
    """Return a function's log group."""
    named = (config.get("LoggingConfig") or {}).get("LogGroup")
    return str(named or f"/aws/lambda/{config.get('FunctionName', '')}")


def permissions(config: dict[str, Any], account: str, region: str) -> Callable[[str, str], bool]:
    """Return a check whether the function's role permits an action on a resource."""
    key = lambda_runtime.execution_credentials(config)["AWS_ACCESS_KEY_ID"]
    principal = iam_evaluator.resolve_principal(key, account)

    def allowed(action: str, resource: str) -> bool:
        if isinstance(principal, iam_evaluator.AuthError):
            return False
        context = iam_evaluator.EvalContext(
            principal_arn=principal.arn,
            principal_type=principal.type,
            principal_account=principal.account,
            action=action,
            resource_arn=resource,
            region=region,
            principal_keys=principal.keys,
        )
        result = iam_evaluator.evaluate(context, principal.policies, *principal.limits)
        return bool(result.decision == "Allow")

    return allowed
