"""Evidence decides on a promotion, on the local AWS: with the real CDK CLI, and without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_stop_inference_experiment import Comparison, Evidence, Outcome, StopOn
from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, CdkFailed
from local_aws.shadow_test import create_shadow_test
from local_aws.synthesis import Template, synthesise

from .history import History
from .policies import without
from .synthesis import stop_shadow_test

pytestmark = pytest.mark.slow

APP = Path(__file__).parents[2] / "examples" / "evidence" / "app.py"
PRODUCTION = {"requests": 100, "latency_ms": 50}
GOOD = {"requests": 50, "latency_ms": 52}
PROMOTED = {"production": "Remove", "shadow": "Promote"}


def test_the_example_is_closed_on_update_then_opened_by_traffic(tmp_path: Path) -> None:
    with LocalAws(start_seconds=0.1, stop_seconds=2.0) as aws:
        create_shadow_test(aws.client("sagemaker"))
        cdk = CdkCli(aws, app=APP, output=tmp_path / "cdk.out")
        cdk.bootstrap()
        cdk.deploy()
        aws.traffic(hours=36, production=PRODUCTION, shadow=GOOD)
        with pytest.raises(CdkFailed, match="if it is as good as production, wait until 20"):
            cdk.deploy(context={"end-now": "true"})
        aws.traffic(hours=60, production=PRODUCTION, shadow={**GOOD, "slow_ms": 90})
        with pytest.raises(CdkFailed, match="more than half of the hours break it"):
            cdk.deploy(context={"end-now": "true"})
        assert aws.calls("StopInferenceExperiment") == []
        aws.traffic(hours=62, production=PRODUCTION, shadow=GOOD)
        cdk.deploy(context={"end-now": "true"})
        (stop,) = aws.calls("StopInferenceExperiment")
        assert stop.request["ModelVariantActions"] == PROMOTED
        stacks = aws.client("cloudformation").describe_stacks(StackName="FraudVerdict")["Stacks"]
        told = json.loads(stacks[0]["Outputs"][0]["OutputValue"])
        assert told["verdict"] == "successful"
        assert [one["verdict"] for one in told["comparisons"]] == ["successful"] * 2
        cdk.destroy()
        assert len(aws.calls("StopInferenceExperiment")) == 1


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
