"""One verdict for two stages, one after the other: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, Environment, Stack, Stage
from constructs import Construct

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment, StopOn

PLACES = {
    "Beta": Environment(account="111111111111", region="eu-west-1"),
    "Prod": Environment(account="222222222222", region="us-east-1"),
}
"""Yours. A place is an account and a region, and has a test of its own."""


class FraudVerdict(Stack):
    """Ends the stage's test when the stage's verdict is in."""

    def __init__(
        self, scope: Construct, construct_id: str, *, experiment_name: str, end_now: bool
    ) -> None:
        super().__init__(scope, construct_id)
        StopInferenceExperiment(
            self,
            "Verdict",
            experiment_name=experiment_name,
            # Until the verdict, a teardown keeps production.
            outcome=Outcome.promote_shadow() if end_now else Outcome.keep_production(),
            stop_on=[StopOn.DELETE],
            end_now=end_now,
        )


class FraudStage(Stage):
    """What is deployed to one place."""

    def __init__(
        self, scope: Construct, construct_id: str, *, env: Environment, end_now: bool
    ) -> None:
        super().__init__(scope, construct_id, env=env)
        name = f"fraud-shadow-{construct_id.lower()}"
        FraudVerdict(self, "FraudVerdict", experiment_name=name, end_now=end_now)


def build(app: App) -> None:
    """``-c end-now=beta,prod`` names the stages whose test ends with a promotion."""
    ends = str(app.node.try_get_context("end-now") or "").split(",")
    for name, env in PLACES.items():
        FraudStage(app, name, env=env, end_now=name.lower() in ends)


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
