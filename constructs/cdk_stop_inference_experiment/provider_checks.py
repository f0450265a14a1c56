"""What synth refuses in a provider's props: CDK accepts it, but Lambda or the function does not.

CDK itself refuses values of other types, public subnets, subnets without a VPC, and function names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from cdk_stop_inference_experiment_handler.contract.validation import shown

from .tokens import is_unresolved

MIN_MEMORY_MIB = 128
MAX_MEMORY_MIB = 10_240
"""See https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
MAX_CONCURRENCY = 2_147_483_647
MIN_PYTHON = (3, 12)

_LAMBDA = "lambda.amazonaws.com"


def find_provider_problems(
    *,
    security_groups: object,
    log_group: object,
    log_retention: object,
    log_removal_policy: object,
    role: object,
    memory_size: object,
    runtime: object,
    reserved_concurrent_executions: object,
) -> Iterator[str]:
    """Everything wrong with a provider's props, one sentence each."""
    if security_groups is not None and not security_groups:
        yield "'security_groups' must list at least one, or be left out, got an empty list"
    yield from _log_group(
        log_group, log_retention=log_retention, log_removal_policy=log_removal_policy
    )
    yield from _memory_size(memory_size)
    yield from _concurrency(reserved_concurrent_executions)
    yield from _runtime(runtime)
    yield from _trust(role)


def _log_group(log_group: object, **of_a_new_one: object) -> Iterator[str]:
    for name, value in of_a_new_one.items():
        if log_group is not None and value is not None:
            yield (
                f"at most one of 'log_group' and '{name}' may be set, got both: set it on the "
                f"log group itself"
            )
    if of_a_new_one["log_removal_policy"] is RemovalPolicy.SNAPSHOT:
        yield (
            "'log_removal_policy' must not be RemovalPolicy.SNAPSHOT, since a log group has no "
            "snapshots: write RemovalPolicy.RETAIN or RemovalPolicy.DESTROY"
        )


def _memory_size(size: object) -> Iterator[str]:
    if not _is_whole(size, MIN_MEMORY_MIB, MAX_MEMORY_MIB):
        yield (
            f"'memory_size' must be a whole number of {MIN_MEMORY_MIB} to {MAX_MEMORY_MIB} MiB, "
            f"got {shown(size)}"
        )


def _concurrency(executions: object) -> Iterator[str]:
    if not _is_whole(executions, 1, MAX_CONCURRENCY):
        yield (
            f"'reserved_concurrent_executions' must be a whole number of at least 1, got "
            f"{shown(executions)}: leave it out, or reserve ten, which are enough for forty "
            f"experiments"
        )


def _is_whole(value: object, minimum: int, maximum: int) -> bool:
    """Whether a number is whole and in its range; a token and anything else pass."""
    if not isinstance(value, (int, float)) or is_unresolved(value):
        return True
    return minimum <= value <= maximum and float(value).is_integer()


def _runtime(runtime: object) -> Iterator[str]:
    if not isinstance(runtime, lambda_.Runtime):
        return
    version = re.fullmatch(r"python(\d+)\.(\d+)", runtime.name)
    if version is None or tuple(map(int, version.groups())) < MIN_PYTHON:
        yield (
            f"'runtime' must be Python 3.12 or newer, got '{runtime.name}': leave it out, or write "
            f"lambda_.Runtime.PYTHON_3_13"
        )


def _trust(role: object) -> Iterator[str]:
    """Refuse a role of the app whose trust policy does not let Lambda assume it."""
    if not isinstance(role, iam.Role) or role.assume_role_policy is None:
        return
    document = Stack.of(role).resolve(role.assume_role_policy.to_json()) or {}
    trusted = [
        name
        for statement in document.get("Statement", [])
        if statement["Effect"] == "Allow"
        for name in _principals(statement.get("Principal", "*"))
    ]
    if any(name in (None, "*", _LAMBDA) for name in trusted):
        return
    yield (
        f"'role' must be one that Lambda may assume, got one for {', '.join(map(repr, trusted))}: "
        f"create it with assumed_by=iam.ServicePrincipal('{_LAMBDA}')"
    )


def _principals(principal: object) -> Iterator[str | None]:
    """The trusted principals; None for a service that is only known at deployment."""
    if not isinstance(principal, Mapping):
        yield "*"
        return
    for kind, names in principal.items():
        for name in names if isinstance(names, list) else [names]:
            known = name if isinstance(name, str) else None
            # An account or an identity provider is not Lambda, whichever it is.
            yield known if kind == "Service" or known == "*" else f"a principal of kind {kind}"
