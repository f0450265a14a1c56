"""Templates of the real construct."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from cdk_stop_inference_experiment import (
    ModelVariantAction,
    ModelVariantConfig,
    StopInferenceExperiment,
)
from local_aws.synthesis import Template, synthesise

Json = dict[str, Any]

EXPERIMENT = "fraud-shadow"

KEEP_PRODUCTION = {
    "production": ModelVariantAction.RETAIN,
    "shadow": ModelVariantAction.REMOVE,
}
PROMOTE_SHADOW = {
    "production": ModelVariantAction.REMOVE,
    "shadow": ModelVariantAction.PROMOTE,
}


_known: dict[str, Template] = {}


def stop_shadow_test(
    scope: Construct, construct_id: str = "Stop", **props: Any
) -> StopInferenceExperiment:
    """The construct for the default experiment, which keeps production by default."""
    declared: Json = dict(props)
    if "outcome" not in declared:
        declared.setdefault("model_variant_actions", KEEP_PRODUCTION)
    if "experiment" not in declared:
        declared.setdefault("experiment_name", EXPERIMENT)
    return StopInferenceExperiment(scope, construct_id, **declared)


def stopping(**props: Any) -> Template:
    """The template of a stack with one construct; the same declaration is synthesised once."""
    key = repr(sorted(props.items()))
    if key not in _known:
        _known[key] = synthesise(lambda stack: stop_shadow_test(stack, **props))
    return _known[key]


def promoting(**props: Any) -> Template:
    """The template of a stack whose construct promotes the shadow."""
    verdict: Json = {
        "model_variant_actions": PROMOTE_SHADOW,
        "desired_model_variants": [
            ModelVariantConfig(
                model_name="fraud-v2",
                variant_name="shadow",
                instance_type="ml.m5.xlarge",
                instance_count=2,
            )
        ],
    }
    return stopping(**{**verdict, **props})
