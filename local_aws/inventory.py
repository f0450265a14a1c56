"""The resources in an account that a custom resource could leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from local_aws.server import LocalAws

__all__ = ["inventory"]

# boto3 creates its clients at run time, without types.
Client: TypeAlias = Any

_BOOTSTRAP = "cdk-hnb659fds-"
"""What ``cdk bootstrap`` creates belongs to the account, not to our stacks."""


def inventory(aws: LocalAws) -> dict[str, list[str]]:
    """List the resources by kind; the lists are empty if a stack left nothing behind.

    Permissions are the statements of the functions' resource policies; targets those of rules;
    policies the roles' own, as ``role/policy``, and the account's managed ones. Log groups are not
    listed: the function's outlives its stack.
    """
    events, functions, iam = aws.client("events"), aws.client("lambda"), aws.client("iam")
    rules = [rule["Name"] for rule in events.list_rules()["Rules"]]
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    return {
        "rules": rules,
        "targets": [target for rule in rules for target in _targets(events, rule)],
        "functions": names,
        "permissions": [sid for name in names for sid in _permissions(functions, name)],
        "roles": [role for role in roles if not role.startswith(_BOOTSTRAP)],
        "policies": [*_inline_policies(iam, roles), *_managed_policies(iam)],
    }


def _inline_policies(iam: Client, roles: list[str]) -> Iterator[str]:
    for role in roles:
        if not role.startswith(_BOOTSTRAP):
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                yield f"{role}/{policy}"


def _managed_policies(iam: Client) -> Iterator[str]:
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        if not policy["PolicyName"].startswith(_BOOTSTRAP):
            yield policy["PolicyName"]


def _targets(events: Client, rule: str) -> Iterator[str]:
    for target in events.list_targets_by_rule(Rule=rule)["Targets"]:
        yield f"{rule}/{target['Id']}"


def _permissions(functions: Client, name: str) -> Iterator[str]:
    try:
        policy = functions.get_policy(FunctionName=name)["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return
    for statement in json.loads(policy)["Statement"]:
        yield f"{name}/{statement['Sid']}"
