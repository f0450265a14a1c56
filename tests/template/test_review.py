"""The tools of a security review, cdk-nag and cfn-lint, find nothing but what a page explains."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from unittest.mock import patch

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from cdk_stop_inference_experiment import StopInferenceExperimentProvider

from .stacks import EVERY_PROP, EVIDENCE, PROMOTE_SHADOW, Json, declare, shadow_test, synthesised
from .test_examples import APPS, ROOT, WANTED

pytestmark = pytest.mark.newest

# CDK's own function depends on its role twice over, by reference and by declaration.
CDKS_OWN = ("W3005",)

KNOWN = cdk.Environment(account="123456789012", region="eu-west-1")


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


@pytest.mark.parametrize(
    ("env", "flags"),
    [(None, {}), (KNOWN, _feature_flags())],
    ids=["any account and region, no flags", "known ones, flags of cdk.json"],
)
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


def test_cfn_lint_finds_nothing_but_cdks_own_without_exceptions() -> None:
    from cfnlint.api import ManualArgs, lint

    template = synthesised(_declared(cdk.App(), None))
    found = lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))
    assert [(match.rule.id, match.path[1]) for match in found] == [
        ("W3005", "CustomStopInferenceExperimentProviderHandler4619F230")
    ]


def _with_every_option(app: cdk.App) -> None:
    """An app that passes to a provider whatever a rule of cdk-nag wants."""
    stack = cdk.Stack(app, "Stack", env=KNOWN)
    arn = "arn:aws:{}:eu-west-1:123456789012:{}"
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        private_subnet_route_table_ids=["rtb-0123456789abcdef0", "rtb-0123456789abcdef1"],
    )
    key_id = "key/1234abcd-12ab-34cd-56ef-1234567890ab"
    provider = StopInferenceExperimentProvider(
        stack,
        "Provider",
        vpc=vpc,
        log_group=logs.LogGroup.from_log_group_name(stack, "Logs", "experiments"),
        environment_encryption=kms.Key.from_key_arn(stack, "Key", arn.format("kms", key_id)),
        dead_letter_queue=sqs.Queue.from_queue_arn(stack, "Failed", arn.format("sqs", "failed")),
        reserved_concurrent_executions=2,
        function_name="stop-experiments",
        memory_size=512,
    )
    declare(stack, **EVERY_PROP, promote_if=EVIDENCE, provider=provider)
    experiment = shadow_test(stack, name="fraud-shadow-2")
    native = {"experiment": experiment, "model_variant_actions": PROMOTE_SHADOW}
    declare(stack, "Native", provider=provider, **native)
    app.synth()


EVERY_OPTION = "every option"
"""The app that is no example."""


def _run(name: str, app: cdk.App) -> None:
    if name == EVERY_OPTION:
        _with_every_option(app)
        return
    with patch("aws_cdk.App", return_value=app):
        run_path(str(ROOT / "examples" / name / "app.py"), run_name="__main__")


def _findings(name: str) -> set[tuple[str, bool]]:
    """The rules of cdk-nag's packs that an app breaks, and whether in the library's constructs."""
    import cdk_nag

    app = cdk.App(context=WANTED.get(name, {}))
    packs = [getattr(cdk_nag, pack) for pack in dir(cdk_nag) if pack.endswith("Checks")]
    assert len(packs) >= 6
    cdk.Validations.of(app).add_plugins(*(pack(app) for pack in packs))
    try:
        _run(name, app)
    except RuntimeError as error:
        if not str(error).startswith("ValidationFailed"):
            raise
    report = json.loads((Path(app.outdir) / "validation-report.json").read_text())
    return {
        (violation["ruleName"].partition("[")[0].rpartition("-")[2], _is_ours(found))
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for found in violation["violatingConstructs"]
    }


def _is_ours(found: Json) -> bool:
    ours = r"/(Handler|LogGroup|Role|Invocation|Permissions(-[\w-]+)?|Experiment(-[\w-]+)?)/"
    return (
        re.search(rf"(Provider|Verdict|StopShadowTest|Native){ours}", found["constructPath"])
        is not None
    )


def _explained(heading: str) -> set[str]:
    """The rules in a table of the page, by the name that they have in each pack."""
    page = (ROOT / "docs" / "guide" / "governance.md").read_text()
    section = page.partition(f"\n{heading}\n")[2].partition("\n##")[0]
    return {
        rule
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for rule in re.findall(r"`(\w+)`", row)
    }


@pytest.fixture(scope="module")
def found() -> dict[str, set[tuple[str, bool]]]:
    return {name: _findings(name) for name in [*APPS, EVERY_OPTION]}


def test_the_page_explains_each_finding_of_any_pack_in_the_construct(
    found: dict[str, set[tuple[str, bool]]],
) -> None:
    rules = {rule for findings in found.values() for rule, ours in findings if ours}
    assert rules == _explained("### Other packs")


def test_options_leave_only_what_the_page_says_no_option_changes(
    found: dict[str, set[tuple[str, bool]]],
) -> None:
    page = (ROOT / "docs" / "guide" / "governance.md").read_text()
    stays = set(re.findall(r"^\| `(\w+)` \| no option", page, re.MULTILINE))
    assert {rule for rule, ours in found[EVERY_OPTION] if ours} == stays


def test_the_page_explains_each_finding_of_any_pack_in_what_the_examples_add(
    found: dict[str, set[tuple[str, bool]]],
) -> None:
    rules = {rule for findings in found.values() for rule, ours in findings if not ours}
    assert rules == _explained("### What the examples add")


def test_cfn_lint_finds_nothing_in_an_app_with_every_option() -> None:
    from cfnlint.api import ManualArgs, lint

    app = cdk.App()
    _with_every_option(app)
    config = ManualArgs(regions=["eu-west-1"], ignore_checks=list(CDKS_OWN))
    for stack in app.synth().stacks_recursively:
        assert lint(json.dumps(stack.template), config=config) == []
