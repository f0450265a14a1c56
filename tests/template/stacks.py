"""Stacks to synthesise, and helpers to read their templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
from aws_cdk import Duration
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.aws_sagemaker import CfnInferenceExperiment
from constructs import Construct

from cdk_stop_inference_experiment import (
    Comparison,
    DesiredState,
    Evidence,
    ModelVariantAction,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
)

Json = dict[str, Any]

RESOURCE_TYPE = "Custom::StopInferenceExperiment"

RETAIN, REMOVE, PROMOTE = (
    ModelVariantAction.RETAIN,
    ModelVariantAction.REMOVE,
    ModelVariantAction.PROMOTE,
)
KEEP_PRODUCTION = {"production": RETAIN, "shadow": REMOVE}
PROMOTE_SHADOW = {"production": REMOVE, "shadow": PROMOTE}
SHADOW = ModelVariantConfig(
    model_name="fraud-v2", variant_name="shadow", instance_type="ml.m5.xlarge", instance_count=2
)
EVERY_PROP: Json = {
    "experiment_name": "fraud-shadow",
    "model_variant_actions": PROMOTE_SHADOW,
    "desired_model_variants": [SHADOW],
    "desired_state": DesiredState.COMPLETED,
    "reason": "v2 wins: p99 41 ms against 55 ms",
}
PROMOTION: Json = {"outcome": Outcome.promote_shadow()}
EVIDENCE = Evidence(
    min_invocations=10_000,
    comparisons=[
        Comparison.model_latency("p99", max_ratio=1.1, failure_limit=1),
        Comparison.model_latency(
            max_increase=Duration.millis(5), max_value=Duration.millis(60), dry_run=True
        ),
        Comparison.error_rate_5xx(max_rate=0.001, max_increase=0.0005),
    ],
    window=Duration.hours(12),
)


def new_stack(name: str = "Stack", **props: Any) -> cdk.Stack:
    """An empty stack in a new app."""
    return cdk.Stack(cdk.App(), name, **props)


def declare(
    scope: Construct,
    construct_id: str = "StopShadowTest",
    **props: Any,
) -> StopInferenceExperiment:
    """The construct with the minimum of props, plus the given ones."""
    if "experiment" not in props:
        props.setdefault("experiment_name", "fraud-shadow")
    if "outcome" not in props:
        props.setdefault("model_variant_actions", KEEP_PRODUCTION)
    return StopInferenceExperiment(scope, construct_id, **props)


def shadow_test(scope: Construct, **props: Any) -> CfnInferenceExperiment:
    """The native resource: a shadow test of 'shadow' against 'production'."""
    variants = props.pop("variants", ("production", "shadow"))
    values: Json = {
        "name": "fraud-shadow",
        "endpoint_name": "fraud",
        "role_arn": "arn:aws:iam::123456789012:role/experiment",
        "type": "ShadowMode",
        "model_variants": [_variant(name) for name in variants],
        "shadow_mode_config": CfnInferenceExperiment.ShadowModeConfigProperty(
            source_model_variant_name="production",
            shadow_model_variants=[
                CfnInferenceExperiment.ShadowModelVariantConfigProperty(
                    shadow_model_variant_name="shadow", sampling_percentage=50
                )
            ],
        ),
    }
    return CfnInferenceExperiment(scope, "ShadowTest", **{**values, **props})


def _variant(name: str) -> CfnInferenceExperiment.ModelVariantConfigProperty:
    return CfnInferenceExperiment.ModelVariantConfigProperty(
        model_name="fraud",
        variant_name=name,
        infrastructure_config=CfnInferenceExperiment.ModelInfrastructureConfigProperty(
            infrastructure_type="RealTimeInference",
            real_time_inference_config=CfnInferenceExperiment.RealTimeInferenceConfigProperty(
                instance_type="ml.m5.xlarge", instance_count=1
            ),
        ),
    )


def synthesised(stack: cdk.Stack) -> Json:
    """The stack's template."""
    template: Json = dict(Template.from_stack(stack).to_json())
    return template


def resources(template: Json, resource_type: str) -> Json:
    """The resources of one type, by logical id."""
    found: Json = template["Resources"]
    return {name: body for name, body in found.items() if body["Type"] == resource_type}


def only(template: Json, resource_type: str) -> tuple[str, Json]:
    """The logical id and the body of the one resource of its type."""
    ((name, body),) = resources(template, resource_type).items()
    return name, body


def statements(template: Json) -> Iterator[Json]:
    """Every statement of every policy."""
    for resource_type in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for policy in resources(template, resource_type).values():
            yield from policy["Properties"]["PolicyDocument"]["Statement"]


def warnings_of(stack: cdk.Stack) -> list[str]:
    """Every warning of a stack."""
    found = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [str(warning.entry.data) for warning in found]


def dependencies(template: Json, name: str) -> set[str]:
    """Everything that a resource depends on, directly or indirectly, by reference or DependsOn."""
    found: set[str] = set()
    pending = [name]
    while pending:
        body = template["Resources"][pending.pop()]
        for other in _referred(body):
            if other in template["Resources"] and other not in found:
                found.add(other)
                pending.append(other)
    return found


def _referred(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _referred(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            elif key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0]
            else:
                yield from _referred(item)
