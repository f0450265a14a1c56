"""The real CDK CLI's other ways to deploy: which of them show an end, and which cause one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, CdkFailed
from local_aws.shadow_test import create_shadow_test

pytestmark = pytest.mark.slow

APP = Path(__file__).parent / "apps" / "undone.py"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """One for the module, so that it is bootstrapped once."""
    with LocalAws(start_seconds=1.0, stop_seconds=10.0, clock_scale=30.0) as running:
        yield running


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the synthesised app."""
    return tmp_path_factory.mktemp("cdk") / "cdk.out"


@pytest.fixture(scope="module")
def cdk(aws: LocalAws, output: Path) -> CdkCli:
    cli = CdkCli(aws, app=APP, output=output)
    cli.bootstrap()
    return cli


@pytest.fixture
def synthesised(aws: LocalAws, output: Path) -> CdkCli:
    """The CLI with the app that was synthesised last, which saves seconds."""
    return CdkCli(aws, app=output, output=output)


def armed(aws: LocalAws, cdk: CdkCli, name: str) -> dict[str, str]:
    """Deploy a construct that keeps production; return the context that declares a promotion."""
    create_shadow_test(aws.client("sagemaker"), name, endpoint_name=name)
    declared = {"experiment": name, "permitted": "yes"}
    cdk.deploy(context=declared)
    return {**declared, "promotes": "yes"}


def stopped(aws: LocalAws, experiment: str) -> list[str]:
    """The action for the shadow of every Stop of an experiment."""
    calls = aws.calls("StopInferenceExperiment")
    return [
        call.request["ModelVariantActions"]["shadow"]
        for call in calls
        if call.request["Name"] == experiment
    ]


def test_by_the_template_alone_a_changed_end_counts_as_a_change_and_not_as_destructive(
    aws: LocalAws, cdk: CdkCli, synthesised: CdkCli
) -> None:
    promotion = armed(aws, cdk, "template-alone")
    shown = cdk.run("diff", "--fail-on=destructive", "--method=template", context=promotion)
    assert "Promote" in shown
    with pytest.raises(CdkFailed, match="Promote"):
        synthesised.run("diff", "--fail-on=any-change", "--method=template")
    assert stopped(aws, "template-alone") == []
    synthesised.run("deploy", "--all", "--require-approval=destructive", "--method=direct")
    assert stopped(aws, "template-alone") == ["Promote"]


def test_a_hotswap_passes_a_changed_end_over_and_an_orphan_ends_nothing(
    aws: LocalAws, cdk: CdkCli, synthesised: CdkCli
) -> None:
    promotion = armed(aws, cdk, "orphan")
    cdk.run("deploy", "--all", "--require-approval=never", "--hotswap", context=promotion)
    assert stopped(aws, "orphan") == []
    synthesised.run("orphan", "orphan/Verdict", "--unstable=orphan", "--yes")
    resources = aws.client("cloudformation").describe_stack_resources(StackName="orphan")
    left = {item["LogicalResourceId"] for item in resources["StackResources"]}
    # The permission of the construct is orphaned, too; the role that it is attached to is not.
    assert not [name for name in left if name.startswith("Verdict")]
    assert [name for name in left if "ProviderRole" in name]
    assert stopped(aws, "orphan") == []
