"""A stack for each way to end a shadow test: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Stack
from constructs import Construct

from cdk_stop_inference_experiment import Instances, Outcome, StopInferenceExperiment, StopOn

CHOICES = {
    "Promote": Outcome.promote_shadow(),
    "PromoteOnShadows": Outcome.promote_shadow(Instances.shadow()),
    "PromoteOnGiven": Outcome.promote_shadow(Instances("ml.c5.2xlarge", 3)),
    "KeepProduction": Outcome.keep_production(),
    "KeepBoth": Outcome.keep_both(),
}


class Verdict(Stack):
    """Ends an experiment with one of the choices as soon as it is deployed."""

    def __init__(
        self, scope: Construct, construct_id: str, *, experiment_name: str, outcome: Outcome
    ) -> None:
        super().__init__(scope, construct_id)
        verdict = StopInferenceExperiment(
            self,
            "Verdict",
            experiment_name=experiment_name,
            outcome=outcome,
            stop_on=[StopOn.CREATE],
        )
        CfnOutput(self, "StopRequest", value=verdict.stop_request)


def build(app: App) -> None:
    """A stack for each choice; it ends the experiment that has its name."""
    for name, outcome in CHOICES.items():
        Verdict(app, name, experiment_name=f"fraud-{name}", outcome=outcome)


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
