"""The stack that is recorded for each release.

``python -m tests.compatibility.recorded`` records the version in pyproject.toml. Run it again until
that version is released; then add it to :data:`RELEASED` and never change its record, since users
have deployed it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template
from aws_cdk.aws_cloudwatch import Metric
from aws_cdk.aws_sagemaker import CfnInferenceExperiment

from cdk_stop_inference_experiment import (
    Comparison,
    DesiredState,
    Evidence,
    Instances,
    ModelVariantAction,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
    StopOn,
)

Json = dict[str, Any]

HERE = Path(__file__).parent
RELEASED: tuple[str, ...] = ()
RESOURCE_TYPE = "Custom::StopInferenceExperiment"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:handler"
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/9c0"

KEEP = {"production": ModelVariantAction.RETAIN, "shadow": ModelVariantAction.REMOVE}
PROMOTE = {"production": ModelVariantAction.REMOVE, "shadow": ModelVariantAction.PROMOTE}

OUTCOMES = {
    "Promotes": Outcome.promote_shadow(),
    "PromotesOnShadows": Outcome.promote_shadow(Instances.shadow()),
    "PromotesOnGiven": Outcome.promote_shadow(Instances("ml.m5.xlarge", 2)),
    "Keeps": Outcome.keep_production(),
    "KeepsBoth": Outcome.keep_both(),
}


def declared() -> cdk.Stack:
    """A stack with every prop of the resource; later versions add resources.

    Recorded ids and props must not change.
    """
    stack = cdk.Stack(cdk.App(), "Fraud")
    StopInferenceExperiment(
        stack, "Least", experiment_name="least", model_variant_actions={"shadow": KEEP["shadow"]}
    )
    StopInferenceExperiment(
        stack,
        "Most",
        experiment_name="most",
        model_variant_actions=PROMOTE,
        desired_model_variants=[
            ModelVariantConfig(
                model_name="fraud-v2",
                variant_name="shadow",
                instance_type="ml.m5.xlarge",
                instance_count=2,
            )
        ],
        desired_state=DesiredState.COMPLETED,
        reason="v2 wins: p99 41 ms against 55 ms",
        stop_on=[StopOn.DELETE],
        timeout=cdk.Duration.minutes(30),
    )
    name = cdk.CfnParameter(stack, "Name").value_as_string
    StopInferenceExperiment(stack, "Token", experiment_name=name, model_variant_actions=KEEP)
    StopInferenceExperiment(stack, "Native", experiment=_native(stack), model_variant_actions=KEEP)
    StopInferenceExperiment(
        stack, "Now", experiment_name="now", model_variant_actions=KEEP, end_now=True
    )
    for name, outcome in OUTCOMES.items():
        StopInferenceExperiment(stack, name, experiment_name=name.lower(), outcome=outcome)
    StopInferenceExperiment(
        stack,
        "Gated",
        experiment_name="gated",
        outcome=Outcome.promote_shadow(),
        promote_if=Evidence(
            min_invocations=10_000,
            comparisons=[
                Comparison.model_latency("p99", max_ratio=1.1, failure_limit=1),
                Comparison.model_latency(
                    max_increase=cdk.Duration.millis(5), max_value=cdk.Duration.millis(60)
                ),
                Comparison.error_rate_5xx(max_rate=0.001, max_increase=0.0005, dry_run=True),
            ],
            window=cdk.Duration.hours(12),
        ),
        otherwise=Outcome.keep_both(),
    )
    recall, shadow_recall = (
        Metric(namespace="Fraud", metric_name=name, dimensions_map={"Model": "v2"})
        for name in ("Recall", "ShadowRecall")
    )
    StopInferenceExperiment(
        stack,
        "Sure",
        experiment_name="sure",
        outcome=Outcome.promote_shadow(Instances.production()),
        promote_if=Evidence(
            confidence=0.95,
            min_hours=72,
            comparisons=[
                Comparison.error_rate_5xx(max_increase=0.0005),
                Comparison.of_metrics(
                    production=recall, shadow=shadow_recall, max_ratio=1.1, at_least=0.9
                ),
            ],
        ),
    )
    return stack


def _native(stack: cdk.Stack) -> CfnInferenceExperiment:
    return CfnInferenceExperiment(
        stack,
        "ShadowTest",
        name="native",
        endpoint_name="fraud",
        role_arn="arn:aws:iam::123456789012:role/experiment",
        type="ShadowMode",
        model_variants=[],
    )


def resources(template: Json) -> Json:
    """The template's resources without what depends on the release of aws-cdk-lib."""
    kept = ("Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy")
    found = {
        name: {part: body[part] for part in kept if part in body}
        for name, body in template["Resources"].items()
    }
    for body in found.values():
        body["Properties"].pop("Code", None)
    return found


def custom_resources(found: Json) -> Json:
    """The resources of this library among them."""
    return {name: body for name, body in found.items() if body["Type"] == RESOURCE_TYPE}


def synthesised() -> Json:
    """The stack's current template."""
    return resources(dict(Template.from_stack(declared()).to_json()))


def delivered(properties: Json) -> Json:
    """The properties as CloudFormation sends them: resolved, with every scalar as a string."""
    resolved: Json = _delivered({**properties, "ServiceToken": FUNCTION_ARN})
    return resolved


def _delivered(value: Any) -> Any:
    match value:
        case {"Ref": str(name)}:
            return name.lower()
        case dict():
            return {key: _delivered(item) for key, item in value.items()}
        case list():
            return [_delivered(item) for item in value]
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def event(kind: str, logical_id: str, new: Json, old: Json | None = None) -> Json:
    """The event of one resource."""
    made: Json = {
        "RequestType": kind,
        "RequestId": "4b1d2c9e-0000-4000-8000-000000000000",
        "ResponseURL": "https://bucket.example/answer?X-Amz-Date=20261122T101500Z",
        "ServiceToken": FUNCTION_ARN,
        "ResourceType": RESOURCE_TYPE,
        "LogicalResourceId": logical_id,
        "StackId": STACK_ID,
        "ResourceProperties": new,
    }
    if kind != "Create":
        experiment = f"inference-experiment/{new['Name']}"
        made["PhysicalResourceId"] = f"arn:aws:sagemaker:eu-west-1:123456789012:{experiment}"
    return made if old is None else {**made, "OldResourceProperties": old}


def _events(found: Json) -> Json:
    """The events of each resource: created, updated with another reason, deleted."""
    events: Json = {}
    for name, body in custom_resources(found).items():
        properties = delivered(body["Properties"])
        changed = {**properties, "DesiredState": "Cancelled"}
        events[name] = [
            event("Create", name, properties),
            event("Update", name, changed, properties),
            event("Delete", name, properties),
        ]
    return events


def version() -> str:
    """The version in pyproject.toml."""
    project = (HERE.parents[1] / "pyproject.toml").read_text()
    (found,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    return str(found)


def main() -> None:
    """Record the version in pyproject.toml."""
    if version() in RELEASED:
        sys.exit(
            f"error: {version()} is released and its record must not change: name the next version "
            f"in pyproject.toml"
        )
    folder = HERE / version()
    folder.mkdir(exist_ok=True)
    found = synthesised()
    for name, record in {"resources": found, "events": _events(found)}.items():
        text = json.dumps(record, indent=2, sort_keys=True)
        (folder / f"{name}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
