"""What the constructs of this library raise."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidPropsError(ValueError):
    """The props of a construct break rules of SageMaker or of this library.

    Raised once per construct, while it is constructed, with every problem found.

    Attributes:
        problems: One sentence per problem; each names the prop, the rule and the value it got.
    """

    def __init__(self, construct: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"invalid {construct} props: {'; '.join(problems)}")
