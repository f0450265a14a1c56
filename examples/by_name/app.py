"""The end of a test that somebody else started: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, Stack
from constructs import Construct

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment, StopOn


class FraudVerdict(Stack):
    """Ends the test with a teardown, or as soon as ``end_now`` is true."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, termination_protection=True)
        StopInferenceExperiment(
            self,
            "Verdict",
            experiment_name="fraud-shadow",
            outcome=Outcome.keep_production(),
            stop_on=[StopOn.DELETE],
            end_now=False,
        )


def build(app: App) -> None:
    """One stack, which may be deployed long after the test was started."""
    FraudVerdict(app, "FraudVerdictByName")


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
