"""Properties as they come out of CloudFormation."""

from __future__ import annotations

from collections.abc import Mapping


def as_delivered(value: object) -> object:
    """The same properties as CloudFormation delivers them: every scalar as a string."""
    if isinstance(value, Mapping):
        return {key: as_delivered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_delivered(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
