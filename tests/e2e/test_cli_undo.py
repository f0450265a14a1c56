"""The real CDK CLI when CloudFormation undoes a deployment."""

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
    """One for the module; on a fast clock, since IAM's denials are retried for a minute."""
    with LocalAws(start_seconds=1.0, stop_seconds=10.0, clock_scale=30.0) as running:
        yield running


@pytest.fixture(scope="module")
def cdk(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> CdkCli:
    cli = CdkCli(aws, app=APP, output=tmp_path_factory.mktemp("cdk") / "cdk.out")
    cli.bootstrap()
    return cli


def promoted(aws: LocalAws, experiment: str) -> list[str]:
    """The action for the shadow of every Stop that SageMaker accepted."""
    return [
        call.request["ModelVariantActions"]["shadow"]
        for call in aws.calls("StopInferenceExperiment")
        if call.request["Name"] == experiment and call.error_code is None
    ]


def status(aws: LocalAws, stack: str) -> str:
    stacks = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(stacks[0]["StackStatus"])


def told_below(aws: LocalAws, stack: str) -> str:
    """Every reason in the events of the nested stack."""
    client = aws.client("cloudformation")
    resources = client.describe_stack_resources(StackName=stack)["StackResources"]
    [nested] = [one for one in resources if one["ResourceType"] == "AWS::CloudFormation::Stack"]
    events = client.describe_stack_events(StackName=nested["PhysicalResourceId"])["StackEvents"]
    return " ".join(event.get("ResourceStatusReason", "") for event in events)


def test_a_promotion_that_fails_in_express_mode_is_promoted_by_the_next_deployment(
    aws: LocalAws, cdk: CdkCli
) -> None:
    """The same with ``--no-rollback`` is a history of tests/integ."""
    name = "express"
    create_shadow_test(aws.client("sagemaker"), name, endpoint_name=name)
    declared = {"experiment": name, "permitted": "yes"}
    deploy = ("deploy", "--all", "--require-approval=never", "--express")
    cdk.run(*deploy, context=declared)
    with pytest.raises(CdkFailed, match="StopInferenceExperiment"):
        cdk.run(*deploy, context={"experiment": name, "promotes": "yes"})
    assert status(aws, name) == "UPDATE_FAILED"
    assert promoted(aws, name) == []
    cdk.run(*deploy, context={**declared, "promotes": "yes"})
    assert status(aws, name) == "UPDATE_COMPLETE"
    assert promoted(aws, name) == ["Promote"]


def test_a_nested_stack_of_a_root_that_rolls_back_stops_nothing(aws: LocalAws, cdk: CdkCli) -> None:
    name = "nested"
    create_shadow_test(aws.client("sagemaker"), name, endpoint_name=name)
    declared = {"experiment": name, "permitted": "yes", "promotes": "yes"}
    cdk.deploy(context={**declared, "alone": "yes"})
    with pytest.raises(CdkFailed):
        cdk.deploy(context={**declared, "nested": "yes", "breaks": "yes"})
    assert status(aws, name) == "UPDATE_ROLLBACK_COMPLETE"
    assert promoted(aws, name) == []
    cdk.deploy(context={**declared, "nested": "yes"})
    assert promoted(aws, name) == []
    cdk.destroy(context={**declared, "nested": "yes"})
    assert promoted(aws, name) == ["Promote"]


def test_a_nested_stack_stops_nothing_unless_it_can_read_its_parent(
    aws: LocalAws, cdk: CdkCli
) -> None:
    name = "below"
    create_shadow_test(aws.client("sagemaker"), name, endpoint_name=name)
    armed = {"experiment": name, "permitted": "yes", "nested": "yes"}
    cdk.deploy(context=armed)
    for action in ("DescribeStackEvents", "DescribeStacks"):
        denied = {"denied": f"cloudformation:{action}", "promotes": "yes"}
        with pytest.raises(CdkFailed):
            cdk.deploy(context={**armed, **denied})
        assert f"{action}: AccessDenied" in told_below(aws, name)
    assert promoted(aws, name) == []
    cdk.deploy(context={**armed, "promotes": "yes"})
    assert promoted(aws, name) == ["Promote"]
