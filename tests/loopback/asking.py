"""Helpers for the tests of single requests."""

from __future__ import annotations

from typing import Any

from loopback.cloudformation import Asked
from loopback.cloudwatch import EVIDENCE
from loopback.sagemaker import Pace
from loopback.world import PROMOTE, World

FORWARD = "UPDATE_IN_PROGRESS"
SHORT = Pace(stop=120)
GATED = {**PROMOTE, "PromoteIf": EVIDENCE}


def answered(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """Deliver a request, let everything happen, and return the answer to CloudFormation."""
    asked = world.deliver(event)
    assert world.run_to_quiet(), "something goes on for ever"
    return told(asked)


def seconds(asked: Asked) -> float:
    """From the request to its answer; the date of a request is cut to whole seconds."""
    return asked.answered_at - asked.issued_at


def told(asked: Asked) -> dict[str, Any]:
    assert asked.answer is not None, "CloudFormation was not answered"
    return asked.answer


def stops(world: World) -> int:
    return len(list(world.journal.calls("StopInferenceExperiment")))


def operations(world: World) -> list[str]:
    return [call.name for call in world.journal.calls()]
