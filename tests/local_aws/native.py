"""A template of AWS's own resource for a shadow test."""

from __future__ import annotations

import json
from typing import Any

from local_aws.shadow_test import model_variant

Json = dict[str, Any]
ROLE = "arn:aws:iam::000000000000:role/shadow-test"
BOTH = [model_variant("production", "fraud-v1"), model_variant("shadow", "fraud-v2")]


def template(variants: list[Json] | None = None, state: str | None = None, **more: object) -> str:
    """A template of a shadow test on an endpoint of its own, with more properties of the test."""
    experiment: Json = {
        "Name": "fraud-shadow",
        "Type": "ShadowMode",
        "RoleArn": ROLE,
        "EndpointName": {"Fn::GetAtt": ["Endpoint", "EndpointName"]},
        "ModelVariants": variants or BOTH,
        "ShadowModeConfig": {
            "SourceModelVariantName": "production",
            "ShadowModelVariants": [
                {"ShadowModelVariantName": "shadow", "SamplingPercentage": "50"}
            ],
        },
    }
    if state:
        experiment["DesiredState"] = state
    experiment.update(more)
    production = {
        "VariantName": "production",
        "ModelName": {"Fn::GetAtt": ["First", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "1",
        "InitialVariantWeight": "1.0",
    }
    resources = {
        "First": ("Model", {"ModelName": "fraud-v1"}),
        "Second": ("Model", {"ModelName": "fraud-v2"}),
        "Config": ("EndpointConfig", {"ProductionVariants": [production]}),
        "Endpoint": (
            "Endpoint",
            {
                "EndpointName": "fraud",
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            },
        ),
        "Test": ("InferenceExperiment", experiment),
    }
    body: Json = {
        name: {"Type": f"AWS::SageMaker::{kind}", "Properties": properties}
        for name, (kind, properties) in resources.items()
    }
    body["Test"]["DependsOn"] = ["Second"]
    output = {"Value": {"Fn::GetAtt": ["Test", "Arn"]}}
    return json.dumps({"Resources": body, "Outputs": {"Arn": output}})
