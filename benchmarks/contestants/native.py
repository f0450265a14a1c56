"""(e): ``AWS::SageMaker::InferenceExperiment``."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_sagemaker as sagemaker

__all__ = ["fill"]


def fill(stack: Stack, names: Sequence[str], reason: str) -> None:
    """Add the experiments themselves."""
    kind = sagemaker.CfnInferenceExperiment
    for name in names:
        kind(
            stack,
            f"Experiment-{name}",
            name=name,
            type="ShadowMode",
            role_arn=f"arn:aws:iam::{stack.account}:role/shadow-test",
            endpoint_name=name,
            status_reason=reason,
            model_variants=[_variant("production", "fraud-v1"), _variant("shadow", "fraud-v2")],
            shadow_mode_config=kind.ShadowModeConfigProperty(
                source_model_variant_name="production",
                shadow_model_variants=[
                    kind.ShadowModelVariantConfigProperty(
                        shadow_model_variant_name="shadow", sampling_percentage=50
                    )
                ],
            ),
        )


def _variant(name: str, model: str) -> sagemaker.CfnInferenceExperiment.ModelVariantConfigProperty:
    kind = sagemaker.CfnInferenceExperiment
    return kind.ModelVariantConfigProperty(
        variant_name=name,
        model_name=model,
        infrastructure_config=kind.ModelInfrastructureConfigProperty(
            infrastructure_type="RealTimeInference",
            real_time_inference_config=kind.RealTimeInferenceConfigProperty(
                instance_type="ml.m5.large", instance_count=1
            ),
        ),
    )
