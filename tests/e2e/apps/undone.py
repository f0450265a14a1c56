"""An app whose stacks CloudFormation rolls back or deletes, controlled by the context.

``experiment`` names the experiment, ``promotes`` declares a promotion, ``permitted`` lets the
function stop, ``nested`` puts the construct into a nested stack, ``denied`` names an action that it
may not call on the parent stack, ``alone`` leaves the construct out, and ``breaks`` adds a resource
that cannot be created.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_stop_inference_experiment import ModelVariantAction, StopInferenceExperiment

app = cdk.App()
NAME = str(app.node.get_context("experiment"))


def said(key: str) -> bool:
    """Whether a context entry is set."""
    return str(app.node.try_get_context(key)) == "yes"


def verdict(scope: Construct) -> StopInferenceExperiment:
    """The construct, with or without the permission that its promotion needs."""
    promote = {"production": ModelVariantAction.REMOVE, "shadow": ModelVariantAction.PROMOTE}
    keep = {"production": ModelVariantAction.RETAIN, "shadow": ModelVariantAction.REMOVE}
    stop = StopInferenceExperiment(
        scope,
        "Verdict",
        experiment_name=NAME,
        model_variant_actions=promote if said("promotes") else keep,
    )
    if not said("permitted"):
        for policy in stop.node.find_all():
            if isinstance(policy, iam.CfnPolicy):
                policy.add_property_override(
                    "PolicyDocument.Statement.0.Action", "sagemaker:DescribeInferenceExperiment"
                )
    denied = app.node.try_get_context("denied")
    policies = (one for one in scope.node.find_all() if isinstance(one, iam.CfnManagedPolicy))
    for policy in policies if denied else ():
        statements = cdk.Stack.of(scope).resolve(policy.policy_document)["Statement"]
        for number, statement in enumerate(statements):
            if statement.get("Sid") == "ReadParentStacks":
                kept = [action for action in statement["Action"] if action != denied]
                policy.add_property_override(f"PolicyDocument.Statement.{number}.Action", kept)
    return stop


stack = cdk.Stack(app, NAME)
cdk.CfnResource(
    stack, "Bystander", type="AWS::SSM::Parameter", properties={"Type": "String", "Value": "x"}
)
last: Construct = stack
if said("nested"):
    last = cdk.NestedStack(stack, "Nested")
    verdict(last)
elif not said("alone"):
    last = verdict(stack)
if said("breaks"):
    token = "arn:aws:lambda:us-east-1:000000000000:function:missing"
    broken = cdk.CfnResource(
        stack, "Broken", type="Custom::Broken", properties={"ServiceToken": token}
    )
    broken.node.add_dependency(last)
app.synth()
