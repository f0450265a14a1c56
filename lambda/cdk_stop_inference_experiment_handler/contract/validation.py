"""The rules that a single value can break, in the words that synth and the function share.

Synth names the construct's props, the function the API's members.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from .limits import EXPERIMENT_NAME, INSTANCE_TYPE, NumberLimit, StringLimit

Choice = TypeVar("Choice", bound=str)

MAX_SHOWN = 80
"""Characters of a value in an error."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MAX_DIGITS = 400
"""Python refuses to read longer numbers; a float has at most 309 digits before the point."""


@dataclass
class Reader:
    """Reads values, and gathers what is wrong with them.

    What it returns is None if the value is missing, wrong or not known yet.

    Attributes:
        names: The name to show for a member, where it is not the API's.
        is_unresolved: Whether a value is not known yet (a CDK token); such a value is not checked.
        is_delivered: Whether CloudFormation has made text of numbers.
        problems: What is wrong, in the order in which it was found.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    is_unresolved: Callable[[object], bool] = lambda _value: False
    is_delivered: bool = True
    problems: list[str] = field(default_factory=list)

    def name(self, member: str) -> str:
        """The name to show for a member."""
        return self.names.get(member, member)

    def within(self, label: str, member: str) -> str:
        """The name to show for the member of something that has a label."""
        return f"{label}.{self.name(member)}"

    def refuse(self, problem: str) -> None:
        """Add a problem, on one line whatever names it quotes."""
        self.problems.append(
            "".join(
                character if character.isprintable() else repr(character)[1:-1]
                for character in problem
            )
        )

    def text(self, label: str, value: object, limit: StringLimit) -> str | None:
        """A string within its limit."""
        if self.is_unresolved(value):
            return None
        if not isinstance(value, str):
            self.refuse(f"'{label}' must be a string, got {shown(value)}")
        elif len(value) > limit.maximum:
            remedy = _remedy(value, limit)
            self.refuse(
                f"'{label}' must be at most {limit.maximum} characters, got {len(value)}{remedy}"
            )
        elif len(value) < limit.minimum:
            self.refuse(
                f"'{label}' must be at least {limit.minimum} character, got an empty string"
            )
        elif re.fullmatch(limit.pattern, value) is None:
            remedy = _remedy(value, limit)
            self.refuse(f"'{label}' must be {limit.described}, got {shown(value)}{remedy}")
        else:
            return value
        return None

    def choice(
        self, label: str, value: object, allowed: Iterable[Choice], verb: str = "be"
    ) -> Choice | None:
        """One of the allowed values."""
        if self.is_unresolved(value):
            return None
        allowed = tuple(allowed)
        for choice in allowed:
            if isinstance(value, str) and value == choice:
                return choice
        similar = [
            choice
            for choice in allowed
            if isinstance(value, str) and choice.lower() == value.strip().lower()
        ]
        remedy = f": did you mean '{similar[0]}'?" if similar else ""
        self.refuse(f"'{label}' must {verb} {either(allowed)}, got {shown(value)}{remedy}")
        return None

    def number(self, label: str, value: object, limit: NumberLimit) -> float | None:
        """A number within its limit; an ``int`` if the limit is one of whole numbers."""
        if self.is_unresolved(value):
            return None
        number = _number(value) if self.is_delivered else value
        is_of_type = isinstance(number, (int, limit.type)) and not isinstance(number, bool)
        if is_of_type and limit.minimum <= number <= limit.maximum:  # type: ignore[operator]
            return number  # type: ignore[return-value]
        self.refuse(f"'{label}' must be {limit.described}, got {shown(number)}")
        return None

    def count(self, label: str, value: object, minimum: int, maximum: int) -> int | None:
        """A whole number, with a sentence for each end of its range."""
        if self.is_unresolved(value):
            return None
        number = _number(value) if self.is_delivered else value
        if isinstance(number, bool) or not isinstance(number, int):
            self.refuse(f"'{label}' must be a whole number, got {shown(value)}")
        elif number < minimum:
            self.refuse(f"'{label}' must be at least {minimum}, got {shown(number)}")
        elif number > maximum:
            self.refuse(f"'{label}' must be at most {maximum}, got {shown(number)}")
        else:
            return number
        return None

    def flag(self, label: str, value: object) -> bool | None:
        """A flag, or the text that CloudFormation makes of one."""
        if isinstance(value, bool):
            return value
        if self.is_unresolved(value):
            return None
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        self.refuse(f"'{label}' must be 'true' or 'false', got {shown(value)}")
        return None


def as_mapping(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def either(values: Sequence[str]) -> str:
    """The values in quotes, joined by "or"."""
    quoted = [f"'{value}'" for value in values]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def shown(value: object) -> str:
    """The value as Python writes it, cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # A number of thousands of digits, or lists in lists a thousand deep.
        return f"{type(value).__name__} that is too large to show"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _number(value: object) -> object:
    """The number in the text that CloudFormation makes of one; any other value unchanged."""
    if not isinstance(value, str) or len(value) > _MAX_DIGITS or not _NUMBER.fullmatch(value):
        return value
    return int(value) if value.removeprefix("-").isdecimal() else float(value)


def _remedy(value: str, limit: StringLimit) -> str:
    """What to write instead, if that is clear."""
    if limit is EXPERIMENT_NAME and value.startswith("arn:"):
        return f": use the part after the last slash, {shown(value.rpartition('/')[2])}"
    if limit is INSTANCE_TYPE and re.fullmatch(limit.pattern, f"ml.{value}"):
        return f": did you mean 'ml.{value}'?"
    return ""
