"""An app that makes no roles: ``iam.Role.customize_roles`` reports what each would have needed."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from cdk_stop_inference_experiment import StopInferenceExperimentProvider

from .stacks import (
    EVERY_PROP,
    EVIDENCE,
    PROMOTION,
    RESOURCE_TYPE,
    Json,
    declare,
    new_stack,
    only,
    statements,
    synthesised,
)

IAM = {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::IAM::RolePolicy"}


def _declared(stack: cdk.Stack) -> None:
    key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:123456789012:key/0")
    provider = StopInferenceExperimentProvider(stack, "Provider", environment_encryption=key)
    declare(stack, "First", **EVERY_PROP, promote_if=EVIDENCE, provider=provider)
    declare(stack, "Second", experiment_name="second", provider=provider, **PROMOTION)


def _actions(statements: list[Json]) -> set[str]:
    actions = (one["Action"] for one in statements)
    return {name for one in actions for name in ([one] if isinstance(one, str) else one)}


def _customised(names: dict[str, str]) -> tuple[Json, Json]:
    """The template and the report of an app whose roles are made elsewhere."""
    app = cdk.App()
    iam.Role.customize_roles(app, use_precreated_roles=names)
    stack = cdk.Stack(app, "Stack")
    _declared(stack)
    folder = Path(app.synth().directory)
    return (
        json.loads((folder / stack.template_file).read_text()),
        json.loads((folder / "iam-policy-report.json").read_text()),
    )


def test_the_report_has_every_action_and_the_template_has_no_policy() -> None:
    plain = new_stack()
    _declared(plain)
    needed = _actions(list(statements(synthesised(plain))))
    template, report = _customised({"Stack/Provider/Role": "StopExperiments"})
    (role,) = report["roles"]
    reported = _actions([*role["identityPolicyStatements"], *role["managedPolicyStatements"]])
    assert reported == needed
    assert "sagemaker:StopInferenceExperiment" in reported
    assert IAM.isdisjoint(body["Type"] for body in template["Resources"].values())
    function = template["Resources"][only(template, "AWS::Lambda::Function")[0]]
    assert function["Properties"]["Role"]["Fn::Join"][1][-1].endswith(":role/StopExperiments")


def test_nothing_waits_for_a_policy_that_the_template_does_not_have() -> None:
    template, _ = _customised({"Stack/Provider/Role": "StopExperiments"})
    assert RESOURCE_TYPE in {body["Type"] for body in template["Resources"].values()}
    for body in template["Resources"].values():
        assert set(body.get("DependsOn", [])) <= set(template["Resources"])
