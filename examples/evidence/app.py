"""A promotion that needs evidence: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_stop_inference_experiment import (
    Comparison,
    Evidence,
    Outcome,
    StopInferenceExperiment,
    StopOn,
)


class Verdict(Stack):
    """Promotes the shadow when it is ordered, if the evidence allows it."""

    def __init__(self, scope: Construct, construct_id: str, *, end_now: bool) -> None:
        super().__init__(scope, construct_id)
        errors = cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name="InvocationModelErrors",
            dimensions_map={"EndpointName": "fraud", "VariantName": "shadow"},
            statistic="Average",
            period=Duration.minutes(5),
        )
        alarm = cloudwatch.Alarm(
            self, "ModelErrors", metric=errors, threshold=0.01, evaluation_periods=3
        )
        verdict = StopInferenceExperiment(
            self,
            "Verdict",
            experiment_name="fraud-shadow",
            outcome=Outcome.promote_shadow(),
            promote_if=Evidence(
                confidence=0.95,
                comparisons=[
                    Comparison.error_rate_5xx(max_increase=0.0005),
                    Comparison.model_latency("p99", max_ratio=1.1),
                ],
                alarms=[alarm],
            ),
            otherwise=Outcome.keep_production(),
            stop_on=[StopOn.DELETE],
            end_now=end_now,
        )
        CfnOutput(self, "Evidence", value=verdict.evidence)


def build(app: App) -> None:
    """``-c end-now=true`` orders the promotion."""
    Verdict(app, "FraudVerdict", end_now=app.node.try_get_context("end-now") == "true")


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
