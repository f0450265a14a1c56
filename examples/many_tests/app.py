"""Several tests in one stack, with one function: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, Stack
from constructs import Construct

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment

VERDICTS = {
    "churn": Outcome.keep_production(),
    "credit": Outcome.promote_shadow(),
    "pricing": Outcome.keep_both(),
}
"""The outcome of each model's test. Change one, and the deployment ends that test."""


class Verdicts(Stack):
    """Ends the test ``MODEL-shadow`` of each model."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        for model, outcome in VERDICTS.items():
            StopInferenceExperiment(
                self, f"Verdict-{model}", experiment_name=f"{model}-shadow", outcome=outcome
            )


def build(app: App) -> None:
    """One stack for all tests."""
    Verdicts(app, "Verdicts")


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
