"""The ledger: what was ordered of which experiment, what was taken back, and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cloudformation import Asked
from ..sagemaker import Experiment
from .story import ACTIONS, Declaration

EVENTS = "DescribeStackEvents"
STATUS = "DescribeStacks"
FORWARD, UNDO, CLEANUP, DELETION = "forward", "undo", "clean-up", "deletion"


@dataclass(frozen=True)
class Sign:
    """Something that CloudFormation wrote, which says that an order is over.

    Attributes:
        stack: The StackId of the stack where it stands.
        read_by: The API's operation that returns it.
        written_at: When it was written.
        visible_at: Since when the operation returns it.
    """

    stack: str
    read_by: str
    written_at: float
    visible_at: float
    what: str


@dataclass
class Order:
    """An end of one experiment that somebody has ordered.

    Attributes:
        experiment: The experiment itself; another one can get its name.
        ends: The declarations of which any may be carried out.
        is_due: Whether it has to be carried out, or answered FAILED; else it may be.
        is_doubtful: The request does not say what its user wants.
        signs: What says that it is over, oldest first.
    """

    experiment: Experiment | None
    ends: tuple[Declaration, ...]
    since: float
    is_due: bool
    is_doubtful: bool = False
    signs: list[Sign] = field(default_factory=list)


@dataclass
class Request:
    """A request that the engine has sent.

    Attributes:
        number: Which of the story's requests, from 1.
        kind: Create, Update or Delete.
        phase: ``forward``, ``undo``, ``clean-up`` or ``deletion``.
        order: What it asks for, if its user ordered an end.
        abandoned_at: When CloudFormation went on without an answer.
        experiment: The experiment under its name when it was sent.
    """

    number: int
    kind: str
    phase: str
    event: dict[str, Any]
    asked: Asked
    sent_at: float
    declared: Declaration
    order: Order | None
    experiment: Experiment | None
    abandoned_at: float = float("inf")
    times_out_at: float = float("inf")


@dataclass(frozen=True)
class Stop:
    """A Stop that SageMaker has accepted."""

    experiment: Experiment
    members: Mapping[str, Any]
    at: float
    sent_at: float
    invocation: int


@dataclass
class Ledger:
    """Everything that the oracle has to know of a story.

    Attributes:
        gone: Experiments that were deleted, with the time.
        refused: Operations that CloudFormation did not allow.
        played: Operations that it carried out.
        began: When each of those began.
        closed: When each could no longer be cancelled, and no sibling could fail in it any more;
            when it began, if it never could.
        undone: Whether each had a rollback, or was one.
        events: Lines for people: what happened when.
    """

    requests: list[Request] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    gone: dict[int, float] = field(default_factory=dict)
    made: dict[int, float] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    played: int = 0
    events: list[tuple[float, str]] = field(default_factory=list)
    removed_at: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    undone: list[bool] = field(default_factory=list)


def is_end_of(members: Mapping[str, Any], declared: Declaration) -> bool:
    """Whether a Stop asks for the declared end."""
    return bool(members.get("ModelVariantActions") == ACTIONS[declared.end])
