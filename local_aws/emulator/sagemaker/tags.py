"""Tags of SageMaker's resources: AddTags, ListTags and DeleteTags.

API reference, AddTags: a key that the resource already has gets the new value. DeleteTags takes
away keys; keys that the resource does not have are no error.
"""

# ruff: noqa: ARG001 (every operation takes the same arguments)
from __future__ import annotations

from typing import Any

from local_aws.emulator.sagemaker.arns import Scope
from local_aws.emulator.sagemaker.errors import validation
from local_aws.emulator.sagemaker.state import State

__all__ = ["OPERATIONS"]

Json = dict[str, Any]


def add(state: State, scope: Scope, request: Json, now: float) -> Json:
    """AddTags."""
    tags = _of(state, request)
    tags.update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
    return {"Tags": _shown(tags)}


def list_tags(state: State, scope: Scope, request: Json, now: float) -> Json:
    """ListTags: always one page, since a resource has at most 50."""
    return {"Tags": _shown(_of(state, request))}


def delete(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DeleteTags."""
    tags = _of(state, request)
    for key in request["TagKeys"]:
        tags.pop(key, None)
    return {}


OPERATIONS = {"AddTags": add, "ListTags": list_tags, "DeleteTags": delete}


def _of(state: State, request: Json) -> dict[str, str]:
    arn: str = request["ResourceArn"]
    tags = state.tags.get(arn.lower())
    if tags is None:
        raise validation(f'Could not find resource "{arn}".')
    return tags


def _shown(tags: dict[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
