"""The first example of the README: see README.md in this folder."""

import aws_cdk as cdk

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment

app = cdk.App()
stack = cdk.Stack(app, "FraudShadowTest")
StopInferenceExperiment(
    stack,
    "StopShadowTest",
    experiment_name="fraud-shadow",
    outcome=Outcome.keep_production(),  # or promote_shadow(), or keep_both()
)
app.synth()
