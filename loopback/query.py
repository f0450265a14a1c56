"""The Query protocol by botocore's model of CloudWatch.

The oldest supported boto3 sends CloudWatch's calls by this protocol, later releases as JSON. The
services only know the latter's members.
"""

from __future__ import annotations

import functools
from datetime import datetime, timezone
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from botocore.utils import parse_timestamp

from .wire import Members


def members_of(operation: str, told: Members) -> Members:
    """A call's members as JSON has them, from names such as ``AlarmNames.member.1``."""
    tree: dict[str, Any] = {}
    for name, value in told.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    members: Members = _read(_model().operation_model(operation).input_shape, tree)
    return members


def result_of(operation: str, members: Members) -> str:
    """The XML of an answer."""
    return _written(_model().operation_model(operation).output_shape, members)


@functools.cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("cloudwatch")


def _read(shape: Any, node: Any) -> Any:
    if shape.type_name == "structure":
        # Version, which is no member, is left out.
        return {
            name: _read(shape.members[name], value)
            for name, value in node.items()
            if name in shape.members
        }
    if shape.type_name == "list":
        return [_read(shape.member, value) for value in node["member"].values()]
    if shape.type_name == "timestamp":
        return int(parse_timestamp(node).timestamp())
    return int(node) if shape.type_name == "integer" else node


def _written(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{name}>{_written(shape.members[name], member)}</{name}>"
            for name, member in value.items()
            if member is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_written(shape.member, one)}</member>" for one in value)
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, timezone.utc).isoformat()
    return escape(str(value))
