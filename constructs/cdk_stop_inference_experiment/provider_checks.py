"""The validation of a provider's props; it reports all problems at once.

The limits are those of Lambda's CreateFunction; botocore's model has wider ones. See
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from cdk_stop_inference_experiment_handler.contract.validation import shown

from .network import public_subnet_problems
from .tokens import is_of_jsii, is_unresolved

MAX_FUNCTION_NAME = 64
FUNCTION_NAME_PATTERN = r"[a-zA-Z0-9_-]+"
MIN_MEMORY_MIB = 128
MAX_MEMORY_MIB = 10_240
MAX_CONCURRENCY = 2_147_483_647
MIN_PYTHON = (3, 12)

_INTERFACES = {
    "vpc": ("vpc_id", "an ec2.IVpc", "ec2.Vpc.from_lookup(...)"),
    "log_group": ("log_group_arn", "a logs.ILogGroup", "logs.LogGroup.from_log_group_name(...)"),
    "role": ("role_arn", "an iam.IRole", "iam.Role.from_role_arn(...)"),
    "environment_encryption": ("key_arn", "a kms.IKey", "kms.Key.from_key_arn(...)"),
    "dead_letter_queue": ("queue_arn", "an sqs.IQueue", "sqs.Queue.from_queue_arn(...)"),
}
"""By prop: an attribute that only its type has, the type's name, and how to import one."""

_CLASSES = {
    "vpc_subnets": (
        ec2.SubnetSelection,
        "an ec2.SubnetSelection",
        "ec2.SubnetSelection(subnets=[...])",
    ),
    "log_retention": (
        logs.RetentionDays,
        "a logs.RetentionDays",
        "logs.RetentionDays.ONE_WEEK",
    ),
    "log_removal_policy": (
        RemovalPolicy,
        "a RemovalPolicy",
        "RemovalPolicy.DESTROY",
    ),
}

_LAMBDA = "lambda.amazonaws.com"


def find_provider_problems(**props: object) -> list[str]:
    """Everything wrong with a provider's props, one sentence each.

    Args:
        props: All of them, by name; None for one that is left out.
    """
    return [
        *_wrong_types(props),
        *_security_groups(props["security_groups"]),
        *_contradictions(props),
        *_snapshot(props["log_removal_policy"]),
        *_function_name(props["function_name"]),
        *_memory_size(props["memory_size"]),
        *_concurrency(props["reserved_concurrent_executions"]),
        *_runtime(props["runtime"]),
        *_subnets(props["vpc"], props["vpc_subnets"]),
        *_trust(props["role"]),
    ]


def _wrong_types(props: Mapping[str, object]) -> Iterator[str]:
    for name, (attribute, kind, remedy) in _INTERFACES.items():
        value = props[name]
        if value is not None and not (is_of_jsii(value) and hasattr(value, attribute)):
            yield f"'{name}' must be {kind}, got {shown(value)}: write {remedy}"
    for name, (of_type, kind, remedy) in _CLASSES.items():
        value = props[name]
        if value is not None and not isinstance(value, of_type):
            yield f"'{name}' must be {kind}, got {shown(value)}: write {remedy}"


def _snapshot(policy: object) -> Iterator[str]:
    if policy is RemovalPolicy.SNAPSHOT:
        yield (
            "'log_removal_policy' must not be RemovalPolicy.SNAPSHOT, since a log group has no "
            "snapshots: write RemovalPolicy.RETAIN or RemovalPolicy.DESTROY"
        )


def _security_groups(groups: object) -> Iterator[str]:
    if groups is None:
        return
    if isinstance(groups, str) or not isinstance(groups, Sequence) or not groups:
        yield (
            f"'security_groups' must list at least one ec2.ISecurityGroup, or be left out, "
            f"got {shown(groups)}"
        )
        return
    for index, group in enumerate(groups):
        if not (is_of_jsii(group) and hasattr(group, "security_group_id")):
            yield (
                f"'security_groups[{index}]' must be an ec2.ISecurityGroup, got {shown(group)}: "
                f"write ec2.SecurityGroup.from_security_group_id(...)"
            )


def _contradictions(props: Mapping[str, object]) -> Iterator[str]:
    if props["vpc"] is None:
        for name in ("vpc_subnets", "security_groups"):
            if props[name] is not None:
                yield f"'{name}' needs 'vpc': pass the VPC it belongs to, or leave it out"
    for name in ("log_retention", "log_removal_policy"):
        if props["log_group"] is not None and props[name] is not None:
            yield (
                f"at most one of 'log_group' and '{name}' may be set, got both: set it on the "
                f"log group itself"
            )


def _function_name(name: object) -> Iterator[str]:
    if name is None or (isinstance(name, str) and is_unresolved(name)):
        return
    if not isinstance(name, str):
        yield f"'function_name' must be a string, got {shown(name)}"
    elif len(name) > MAX_FUNCTION_NAME:
        yield f"'function_name' must be at most {MAX_FUNCTION_NAME} characters, got {len(name)}"
    elif re.fullmatch(FUNCTION_NAME_PATTERN, name) is None:
        yield f"'function_name' must be letters, digits, hyphens and underscores, got {shown(name)}"


def _is_number_token(value: object) -> bool:
    """CDK takes no other token where it wants a number: ``Token.as_number()`` makes one."""
    return isinstance(value, (int, float)) and is_unresolved(value)


def _memory_size(size: object) -> Iterator[str]:
    if size is None or _is_number_token(size):
        return
    if isinstance(size, bool) or not isinstance(size, int):
        yield f"'memory_size' must be a whole number of MiB, got {shown(size)}"
    elif not MIN_MEMORY_MIB <= size <= MAX_MEMORY_MIB:
        yield f"'memory_size' must be {MIN_MEMORY_MIB} to {MAX_MEMORY_MIB} MiB, got {shown(size)}"


def _concurrency(executions: object) -> Iterator[str]:
    if executions is None or _is_number_token(executions):
        return
    if (
        isinstance(executions, bool)
        or not isinstance(executions, int)
        or not 1 <= executions <= MAX_CONCURRENCY
    ):
        yield (
            f"'reserved_concurrent_executions' must be a whole number of at least 1, got "
            f"{shown(executions)}: leave it out, or reserve one for each experiment that may end "
            f"at the same time"
        )


def _runtime(runtime: object) -> Iterator[str]:
    if runtime is None:
        return
    if not isinstance(runtime, lambda_.Runtime):
        yield (
            f"'runtime' must be a lambda_.Runtime, got {shown(runtime)}: write "
            f"lambda_.Runtime.PYTHON_3_13"
        )
        return
    version = re.fullmatch(r"python(\d+)\.(\d+)", runtime.name)
    if version is None or tuple(map(int, version.groups())) < MIN_PYTHON:
        yield (
            f"'runtime' must be Python 3.12 or newer, got '{runtime.name}': leave it out, or write "
            f"lambda_.Runtime.PYTHON_3_13"
        )


def _subnets(vpc: object, vpc_subnets: object) -> Iterator[str]:
    if vpc is None or not hasattr(vpc, "select_subnets"):
        return
    if vpc_subnets is None or isinstance(vpc_subnets, ec2.SubnetSelection):
        yield from public_subnet_problems(cast("ec2.IVpc", vpc), vpc_subnets)


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
