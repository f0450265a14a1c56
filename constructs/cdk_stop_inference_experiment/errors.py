"""The errors of this library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The command has an error of these, too, and needs no Node.js.
    from constructs import Construct


class InvalidPropsError(ValueError):
    """The props of a construct are invalid for SageMaker or for this library.

    Raised once per construct, when it is created, with every problem found.

    Attributes:
        construct_path: The path of the construct in the app, such as ``Stack/StopShadowTest``.
        problems: One sentence per problem; each names the prop, the rule and the value it got.
    """

    def __init__(self, kind: str, construct_path: str, problems: Sequence[str]) -> None:
        self.construct_path = construct_path
        self.problems = tuple(problems)
        super().__init__(f"invalid {kind} props of '{construct_path}': {'; '.join(problems)}")


class MissingCodeError(RuntimeError):
    """The Lambda function's code is not installed as source files, or has the wrong version."""


def path_of(scope: Construct, construct_id: str) -> str:
    """The path of a construct that may not exist yet."""
    return "/".join(part for part in (scope.node.path, construct_id) if part)
