"""Validates a request against SageMaker's service model, like AWS.

botocore's own validator only checks types, required members and minimums. Patterns, maxima and
enums are in the model, too, so this module walks over its shapes and checks them: it has no limits
itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from local_aws.emulator.sagemaker.errors import ApiError

__all__ = ["check_request", "service_model"]

# Any JSON value: values of the wrong type are checked, too.
Value: TypeAlias = Any
# The members of a shape's class in botocore depend on its type at run time.
Shape: TypeAlias = Any


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of SageMaker; it is loaded once, since that is slow."""
    # Not a session's: AWS_DATA_PATH may name the function's model, which is only a part.
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def check_request(operation: str, request: dict[str, Any]) -> None:
    """Raise if a request breaks a constraint of its operation's input shape.

    Raises:
        ApiError: ValidationException with every violated constraint in AWS's wording, or
            SerializationException if a value has the wrong type.
    """
    shape = service_model().operation_model(operation).input_shape
    if shape is None:
        return
    problems = list(_problems(shape, request, ""))
    if problems:
        plural = "" if len(problems) == 1 else "s"
        text = f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}"
        raise ApiError("ValidationException", text)
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ApiError("SerializationException", report.generate_report())


def _problems(shape: Shape, value: Value, path: str) -> Iterator[str]:
    """Yield the constraints that a value and its members violate."""
    for constraint in _broken(shape, value):
        yield f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {constraint}"
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in shape.required_members:
            if value.get(name) is None:
                yield (
                    f"Value null at '{_joined(path, name)}' failed to satisfy constraint: "
                    "Member must not be null"
                )
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _problems(member, value[name], _joined(path, name))
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield from _problems(shape.member, item, f"{path}.{number}.member")
    elif shape.type_name == "map" and isinstance(value, dict):
        yield from _map_problems(shape, value, path)


def _map_problems(shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    """Yield a map's problems; AWS reports the whole map, not the entry."""
    for what, part, items in (
        ("keys", shape.key, list(value)),
        ("value", shape.value, list(value.values())),
    ):
        broken = [text for item in items for text in _broken(part, item)]
        if broken:
            yield (
                f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: "
                f"Map {what} must satisfy constraint: [{', '.join(_all_of(part))}]"
            )


def _broken(shape: Shape, value: Value) -> Iterator[str]:
    """Yield the constraints of one shape that a value violates, without its members."""
    rules = shape.metadata
    kind, size = _size(shape, value)
    if size is not None:
        if "min" in rules and size < rules["min"]:
            yield f"Member must have {kind} greater than or equal to {rules['min']}"
        if "max" in rules and size > rules["max"]:
            yield f"Member must have {kind} less than or equal to {rules['max']}"
    if isinstance(value, str):
        if "pattern" in rules and not _matches(rules["pattern"], value):
            yield f"Member must satisfy regular expression pattern: {rules['pattern']}"
        if rules.get("enum") and value not in rules["enum"]:
            yield f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]"


def _all_of(shape: Shape) -> list[str]:
    """Return every constraint of a map's key or value: AWS lists all of them."""
    rules = shape.metadata
    texts = []
    if "max" in rules:
        texts.append(f"Member must have length less than or equal to {rules['max']}")
    if "min" in rules:
        texts.append(f"Member must have length greater than or equal to {rules['min']}")
    if "pattern" in rules:
        texts.append(f"Member must satisfy regular expression pattern: {rules['pattern']}")
    if rules.get("enum"):
        texts.append(f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]")
    return texts


def _size(shape: Shape, value: Value) -> tuple[str, float | None]:
    """Return what a shape's minimum and maximum measure, and the value's measure."""
    if shape.type_name in ("string", "blob") and isinstance(value, str):
        return "length", len(value)
    if shape.type_name in ("list", "map") and isinstance(value, list | dict):
        return "length", len(value)
    numeric = shape.type_name in ("integer", "long", "float", "double")
    if numeric and isinstance(value, int | float) and not isinstance(value, bool):
        return "value", value
    return "", None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    r"""Return a pattern of the model, or None for Java's own syntax (``\p{L}`` in tags)."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _matches(pattern: str, value: str) -> bool:
    """Return whether the whole value matches: AWS does not match parts."""
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def _joined(path: str, name: str) -> str:
    """Return a member's path; in AWS's messages it starts in lower case."""
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


def _shown(value: Value) -> str:
    """Return a value in AWS's format: maps as ``{a=b}``, lists as ``[a, b]``."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return str(value)
