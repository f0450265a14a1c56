"""The permissions in a synthesised template, and the template without one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.synthesis import Template

PERMISSION = "AWS::Lambda::Permission"


def actions(value: Any) -> Iterator[str]:
    """Every action that a policy in a template allows the function, or with it."""
    if isinstance(value, dict):
        if value.get("Type") == PERMISSION:
            yield value["Properties"]["Action"]
        for statement in value.get("PolicyDocument", {}).get("Statement", []):
            named = statement["Action"]
            yield from named if isinstance(named, list) else [named]
        for item in value.values():
            yield from actions(item)
    elif isinstance(value, list):
        for item in value:
            yield from actions(item)


def without(template: Template, action: str) -> Template:
    """The template with one action removed from every policy, the function's own included."""

    def change(body: dict[str, Any]) -> None:
        _remove(body, action)
        _remove_permissions(body["Resources"], action)

    return template.changed(change)


def _remove_permissions(resources: dict[str, Any], action: str) -> None:
    gone = [
        name
        for name, body in resources.items()
        if body["Type"] == PERMISSION and body["Properties"]["Action"] == action
    ]
    for name in gone:
        del resources[name]
        for body in resources.values():
            if name in body.get("DependsOn", []):
                body["DependsOn"].remove(name)


def _remove(value: Any, action: str) -> None:
    if isinstance(value, dict):
        document = value.get("PolicyDocument")
        if isinstance(document, dict):
            document["Statement"] = [
                kept for item in document["Statement"] if (kept := _kept(item, action))
            ]
        for item in value.values():
            _remove(item, action)
    elif isinstance(value, list):
        for item in value:
            _remove(item, action)


def _kept(statement: dict[str, Any], action: str) -> dict[str, Any] | None:
    """A statement without an action; None if it has no other."""
    named = statement["Action"]
    kept = [item for item in (named if isinstance(named, list) else [named]) if item != action]
    return {**statement, "Action": kept} if kept else None
