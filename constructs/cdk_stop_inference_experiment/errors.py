"""What the constructs of this library raise."""

from __future__ import annotations

from collections.abc import Sequence

from constructs import Construct


class InvalidPropsError(ValueError):
    """The props of a construct break rules of SageMaker or of this library.

    Raised once per construct, while it is constructed, with every problem found.

    Attributes:
        construct_path: The path of the construct in the app, such as ``Stack/StopShadowTest``.
        problems: One sentence per problem; each names the prop, the rule and the value it got.
    """

    def __init__(self, kind: str, construct_path: str, problems: Sequence[str]) -> None:
        self.construct_path = construct_path
        self.problems = tuple(problems)
        super().__init__(f"invalid {kind} props of '{construct_path}': {'; '.join(problems)}")


class MissingCodeError(RuntimeError):
    """What the Lambda function's code is made of is not installed as it must be."""


def path_of(scope: Construct, construct_id: str) -> str:
    """The path that a construct has, or would have."""
    return "/".join(part for part in (scope.node.path, construct_id) if part)
