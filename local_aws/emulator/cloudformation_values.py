"""Converts properties of CloudFormation resources for SageMaker's API."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, TypeAlias

from local_aws.emulator.sagemaker.validation import service_model

__all__ = ["physical_name", "request_for"]

# Any value in a template.
Value: TypeAlias = Any
# botocore makes the members of a shape's class depend on its type at run time.
Shape: TypeAlias = Any

_SUFFIX_CHARACTERS = 12


def physical_name(stack_name: str, logical_id: str) -> str:
    """Return a generated name within SageMaker's 63 characters."""
    suffix = hashlib.sha256(f"{stack_name}/{logical_id}".encode()).hexdigest()[:_SUFFIX_CHARACTERS]
    return f"{logical_id[:24]}-{stack_name[:24]}-{suffix}"


def request_for(operation: str, properties: dict[str, Value]) -> dict[str, Value]:
    """Return the members that an operation knows, with the API's types.

    Numbers and booleans from a template's functions arrive as strings, and times in ISO 8601.
    """
    shape: Shape = service_model().operation_model(operation).input_shape
    known = {name: value for name, value in properties.items() if name in shape.members}
    request: dict[str, Value] = _typed(shape, known)
    return request


def _typed(shape: Shape, value: Value) -> Value:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {
            name: _typed(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
        }
    if kind == "list" and isinstance(value, list):
        return [_typed(shape.member, item) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _typed(shape.value, item) for name, item in value.items()}
    return _typed_scalar(kind, value)


def _typed_scalar(kind: str, value: Value) -> Value:
    if not isinstance(value, str):
        return value
    if kind in ("integer", "long") and value.lstrip("-").isdecimal():
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value.lower() == "true"
    if kind == "timestamp":
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return value
