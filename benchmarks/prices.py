"""List prices, and the price of a stop.

US East (N. Virginia), on demand, without any free tier, as AWS publishes them:
https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/step-functions/pricing/,
https://aws.amazon.com/eventbridge/pricing/. SageMaker, CloudFormation and IAM calls are free of
charge; logs and the endpoint itself are left out, since every contestant has them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIST", "Usage", "dollars", "waiting_dollars"]

LIST = {
    "Lambda, x86, a GB-second": 0.0000166667,
    "Lambda, a request": 0.20 / 1e6,
    "Step Functions, standard, a state transition": 0.025 / 1000,
    "EventBridge, an event (a rule's firing is counted as one)": 1.00 / 1e6,
}
_GB_SECOND, _REQUEST, _TRANSITION, _FIRING = LIST.values()


@dataclass(frozen=True)
class Usage:
    """What is billed for one stop.

    Attributes:
        gb_seconds: Memory in GB times billed seconds, for all functions.
        requests: Invocations of all functions.
        transitions: State transitions of a standard workflow.
        firings: Of polling rules.
    """

    gb_seconds: float
    requests: int
    transitions: int = 0
    firings: int = 0


def dollars(usage: Usage) -> float:
    """Return the price of the usage at list prices."""
    return (
        usage.gb_seconds * _GB_SECOND
        + usage.requests * _REQUEST
        + usage.transitions * _TRANSITION
        + usage.firings * _FIRING
    )


def waiting_dollars(memory_mb: float, seconds: float) -> float:
    """Return the price of a function with some memory for some seconds."""
    return memory_mb / 1024 * seconds * _GB_SECOND
