"""Evidence decides on a promotion, on the local AWS: with the real CDK CLI, and without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_stop_inference_experiment import Comparison, Evidence, Outcome, StopOn
from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, CdkFailed
from local_aws.shadow_test import create_shadow_test, endpoint_variants
from local_aws.synthesis import Template, synthesise

from .history import History
from .policies import without
from .synthesis import stop_shadow_test

pytestmark = pytest.mark.slow

APP = Path(__file__).parents[2] / "examples" / "evidence" / "app.py"
PRODUCTION = {"requests": 100, "latency_ms": 50}
GOOD = {"requests": 50, "latency_ms": 52}
SLOW = {**GOOD, "slow_ms": 90}
KEPT = {"production": "Retain", "shadow": "Remove"}
PROMOTED = {"production": "Remove", "shadow": "Promote"}


@dataclass
class Account:
    """A bootstrapped account with a running shadow test."""

    aws: LocalAws
    output: Path

    def cli(self, app: Path | None = None) -> CdkCli:
        return CdkCli(self.aws, app=app, output=self.output)

    def stops(self) -> list[Any]:
        return [call.request for call in self.aws.calls("StopInferenceExperiment")]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with LocalAws(start_seconds=0.1, stop_seconds=2.0) as aws:
        create_shadow_test(aws.client("sagemaker"))
        account = Account(aws, tmp_path / "cdk.out")
        account.cli().bootstrap()
        yield account


def test_the_example_is_closed_on_update_then_opened_by_traffic(account: Account) -> None:
    cdk, aws = account.cli(APP), account.aws
    cdk.deploy()
    with pytest.raises(CdkFailed, match="the evidence is inconclusive: the experiment is too yo"):
        cdk.deploy(context={"end-now": "true"})
    aws.traffic(hours=36, production=PRODUCTION, shadow=GOOD)
    with pytest.raises(CdkFailed, match="if it is as good as production, wait until 20"):
        cdk.deploy(context={"end-now": "true"})
    aws.traffic(hours=60, production=PRODUCTION, shadow=SLOW)
    with pytest.raises(CdkFailed, match="more than half of the hours break it"):
        cdk.deploy(context={"end-now": "true"})
    assert account.stops() == []
    aws.traffic(hours=62, production=PRODUCTION, shadow=GOOD)
    cdk.deploy(context={"end-now": "true"})
    (stop,) = account.stops()
    assert stop["ModelVariantActions"] == PROMOTED
    stacks = aws.client("cloudformation").describe_stacks(StackName="FraudVerdict")["Stacks"]
    told = json.loads(stacks[0]["Outputs"][0]["OutputValue"])
    assert told["verdict"] == "successful"
    assert [one["verdict"] for one in told["comparisons"]] == ["successful"] * 2
    cdk.destroy()
    assert len(account.stops()) == 1


def test_a_teardown_of_the_example_with_a_closed_gate_keeps_production(account: Account) -> None:
    cdk, aws = account.cli(APP), account.aws
    cdk.deploy()
    aws.traffic(hours=60, production=PRODUCTION, shadow=SLOW)
    cdk.destroy()
    (stop,) = account.stops()
    assert stop["ModelVariantActions"] == KEPT
    assert "; evidence: failed (" in stop["Reason"]
    serving = endpoint_variants(aws.client("sagemaker"))
    assert [variant["ModelName"] for variant in serving["production"]] == ["fraud-v1"]
    assert serving["shadow"] == []


def test_an_app_of_cdk_json_alone_needs_evidence(account: Account) -> None:
    prefix = "stop-inference-experiment."
    promote_if = {
        "min_invocations": 1000,
        "window": "PT2H",
        "comparisons": [{"metric": "model_latency", "statistic": "p99", "max_ratio": 1.1}],
    }
    armed = {
        f"{prefix}promote_if": json.dumps(promote_if),
        f"{prefix}stop_on": json.dumps(["Delete"]),
    }
    cdk, ordered = account.cli(), {**armed, f"{prefix}end_now": "true"}
    cdk.deploy(context=armed)
    account.aws.traffic(hours=12, production=PRODUCTION, shadow=SLOW)
    with pytest.raises(CdkFailed, match="the evidence is failed"):
        cdk.deploy(context=ordered)
    account.aws.traffic(hours=14, production=PRODUCTION, shadow=GOOD)
    cdk.deploy(context=ordered)
    (stop,) = account.stops()
    assert stop["ModelVariantActions"] == PROMOTED


RATE = Comparison.error_rate_5xx(max_rate=0.01)


def gated(*, end_now: bool = False, **changes: Any) -> Template:
    """A stack that promotes on an order, if few errors and an alarm of the stack allow it."""

    def build(stack: Stack) -> None:
        metric = cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name="ModelLatency",
            dimensions_map={"EndpointName": "fraud", "VariantName": "shadow"},
        )
        alarm = cloudwatch.Alarm(
            stack, "TooSlow", metric=metric, threshold=60_000, evaluation_periods=1
        )
        evidence = {"min_invocations": 1000, "comparisons": [RATE], "alarms": [alarm], **changes}
        stop = stop_shadow_test(
            stack,
            outcome=Outcome.promote_shadow(),
            promote_if=Evidence(**evidence),
            otherwise=Outcome.keep_both(),
            stop_on=[StopOn.DELETE],
            end_now=end_now,
        )
        CfnOutput(stack, "Evidence", value=stop.evidence)

    return synthesise(build)


class TestOneExperiment:
    @pytest.fixture(autouse=True)
    def _armed(self, history: History, shadow_test: str) -> None:
        assert shadow_test
        history.aws.traffic(hours=12, production=PRODUCTION, shadow=GOOD)
        assert history.deploy(gated()) == "CREATE_COMPLETE"

    def test_an_alarm_of_the_stack_that_is_ok_opens(self, history: History) -> None:
        assert history.deploy(gated(end_now=True)) == "UPDATE_COMPLETE"
        (stop,) = history.stops()
        assert stop.request["ModelVariantActions"] == PROMOTED
        told = json.loads(history.outputs["Evidence"])
        assert [*told["alarms"].values()] == ["OK"]
        history.end(stops=1)

    @pytest.mark.parametrize("action", ["cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"])
    def test_without_the_permission_production_and_shadow_are_kept(
        self, history: History, action: str
    ) -> None:
        assert history.deploy(without(gated(min_invocations=2), action)) == "UPDATE_COMPLETE"
        # What the function lacks, a plan does not see: by the evidence, it would promote.
        history.disturbed = True
        assert history.destroy() == "DELETE_COMPLETE"
        (stop,) = history.stops()
        assert stop.request["ModelVariantActions"] == {
            "production": "Retain",
            "shadow": "Retain",
        }
        assert "; evidence: error (" in stop.request["Reason"]
