"""(a): our construct."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack

from cdk_stop_inference_experiment import (
    ModelVariantAction,
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
)

from .declaration import ACTIONS, UNDECIDED

__all__ = ["fill"]

PER_PROVIDER = 40
"""Experiments per provider."""


def fill(stack: Stack, names: Sequence[str], reason: str) -> None:
    """Add a construct for each experiment, and the providers that they need."""
    actions = {variant: ModelVariantAction(action) for variant, action in ACTIONS.items()}
    for first in range(0, len(names), PER_PROVIDER):
        provider = StopInferenceExperimentProvider(stack, f"Provider{first}") if first else None
        for name in names[first : first + PER_PROVIDER]:
            StopInferenceExperiment(
                stack,
                f"Stop-{name}",
                experiment_name=name,
                model_variant_actions=actions,
                reason=reason,
                # A reworded reason alone ends nothing.
                end_now=reason != UNDECIDED,
                provider=provider,
            )
