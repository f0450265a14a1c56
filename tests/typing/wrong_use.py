"""Mistakes that type checkers find: one on each line that says ``# wrong``."""

from __future__ import annotations

import aws_cdk as cdk

from cdk_stop_inference_experiment import (
    ModelVariantAction,
    ModelVariantConfig,
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
)


def mistaken(stack: cdk.Stack) -> None:
    """Values in other words, of other types, and under other names."""
    StopInferenceExperiment(
        stack,
        "Stop",
        experiment_name="fraud-shadow",
        model_variant_actions={"a": "promote"},  # wrong
        desired_state="Completed",  # wrong
        stop_on=["Delete"],  # wrong
        end_now="true",  # wrong
        timeout=30,  # wrong
    )
    ModelVariantConfig(
        model_name="fraud-v2",
        variant_name="shadow",
        instance_type="ml.m5.xlarge",
        instance_count="2",  # wrong
    )
    StopInferenceExperimentProvider(
        stack,
        "Provider",
        vpc="vpc-1",  # wrong
        role="arn:aws:iam::123456789012:role/given",  # wrong
    )
    promote: dict[str, ModelVariantAction] = {"shadow": ModelVariantAction.PROMOTE}
    StopInferenceExperiment(stack, "Misspelt", model_variant_action=promote)  # wrong
