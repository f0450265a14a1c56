"""The tools of a security review, cdk-nag and cfn-lint, find nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch

from .stacks import EVERY_PROP, EVIDENCE, PROMOTE_SHADOW, Json, declare, shadow_test, synthesised

pytestmark = pytest.mark.newest

# CDK's own function depends on its role twice over, by reference and by declaration.
CDKS_OWN = ("W3005",)

ENVIRONMENTS = {
    "any account and region": None,
    "a known account and region": cdk.Environment(account="123456789012", region="eu-west-1"),
}


def _declared(app: cdk.App, env: cdk.Environment | None) -> cdk.Stack:
    stack = cdk.Stack(app, "Stack", env=env)
    metric = cloudwatch.Metric(namespace="AWS/SageMaker", metric_name="ModelLatency")
    alarm = cloudwatch.Alarm(stack, "Alarm", metric=metric, threshold=1, evaluation_periods=1)
    declare(stack, **EVERY_PROP, promote_if=replace(EVIDENCE, alarms=[alarm]))
    experiment = shadow_test(stack, name="fraud-shadow-2")
    declare(stack, "Native", experiment=experiment, model_variant_actions=PROMOTE_SHADOW)
    return stack


def _feature_flags() -> Json:
    context: Json = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]
    return {key: value for key, value in context.items() if key.startswith("@")}


@pytest.mark.parametrize("flags", [{}, _feature_flags()], ids=["no flags", "flags of cdk.json"])
@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_cdk_nag_finds_nothing(
    env: cdk.Environment | None, flags: Json, capfd: pytest.CaptureFixture[str]
) -> None:
    from cdk_nag import AwsSolutionsChecks

    app = cdk.App(context=flags)
    _declared(app, env)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    app.synth()
    assert "AwsSolutions" not in capfd.readouterr().err


def test_cdk_nag_finds_what_the_stack_adds_itself() -> None:
    from cdk_nag import AwsSolutionsChecks

    app = cdk.App()
    stack = _declared(app, None)
    cdk.aws_s3.Bucket(stack, "Bucket")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()


@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_cfn_lint_finds_nothing(env: cdk.Environment | None) -> None:
    from cfnlint.api import ManualArgs, lint

    template = synthesised(_declared(cdk.App(), env))
    config = ManualArgs(regions=["eu-west-1", "us-east-1"], ignore_checks=list(CDKS_OWN))
    assert lint(json.dumps(template), config=config) == []


def test_cfn_lint_finds_nothing_but_cdks_own_without_exceptions() -> None:
    from cfnlint.api import ManualArgs, lint

    template = synthesised(_declared(cdk.App(), None))
    found = lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))
    assert [(match.rule.id, match.path[1]) for match in found] == [
        ("W3005", "CustomStopInferenceExperimentProviderHandler4619F230")
    ]
