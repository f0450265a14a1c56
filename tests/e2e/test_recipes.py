"""The guide's recipes, and what the lifecycle says about two changes in one deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import CfnResource, Stack

from cdk_stop_inference_experiment import ModelVariantAction, StopOn
from local_aws.shadow_test import endpoint_variants, model_variant, wait_for_experiment
from local_aws.synthesis import Template, synthesise

from .history import CAPABILITIES, History
from .synthesis import EXPERIMENT, PROMOTE_SHADOW, promoting, stop_shadow_test, stopping

pytestmark = pytest.mark.usefixtures("shadow_test")

NEXT = "fraud-shadow-2"
NEXT_ACTIONS = {"shadow": ModelVariantAction.RETAIN, "challenger": ModelVariantAction.REMOVE}


def beside_another(*, construct: bool = True, **props: Any) -> Template:
    """A stack with or without the construct, and with a resource that stays: it needs one."""

    def build(stack: Stack) -> None:
        properties = {"Type": "String", "Value": "stays"}
        CfnResource(stack, "Stays", type="AWS::SSM::Parameter", properties=properties)
        if construct:
            stop_shadow_test(stack, **props)

    return synthesise(build)


def renamed(**props: Any) -> Template:
    """The construct under another id."""
    return synthesise(lambda stack: stop_shadow_test(stack, "Renamed", **props))


def test_letting_go_takes_a_deployment_of_its_own_before_the_removal(history: History) -> None:
    assert history.deploy(beside_another()) == "CREATE_COMPLETE"
    assert history.deploy(beside_another(stop_on=[StopOn.UPDATE])) == "UPDATE_COMPLETE"
    assert history.deploy(beside_another(construct=False)) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    history.end(stops=0)


def test_moving_the_construct_to_another_stack_hands_the_experiment_over(history: History) -> None:
    assert history.deploy(beside_another()) == "CREATE_COMPLETE"
    assert history.deploy(beside_another(stop_on=[StopOn.UPDATE])) == "UPDATE_COMPLETE"
    cloudformation = history.cloudformation
    cloudformation.create_stack(
        StackName="Other", TemplateBody=json.dumps(stopping().body), Capabilities=CAPABILITIES
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="Other", WaiterConfig={"Delay": 1}
    )
    assert history.deploy(beside_another(construct=False)) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    cloudformation.delete_stack(StackName="Other")
    wait_for_experiment(history.sagemaker, EXPERIMENT, "Completed")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="Other", WaiterConfig={"Delay": 1}
    )
    history.end(stops=1)


def test_the_next_test_after_a_promotion_takes_its_name_new_actions_and_end_now_false(
    history: History,
) -> None:
    assert history.deploy(promoting()) == "CREATE_COMPLETE"
    assert history.deploy(promoting(end_now=True)) == "UPDATE_COMPLETE"
    # The promoted variant keeps its name: "shadow" is now production.
    serving = endpoint_variants(history.sagemaker)["production"]
    assert [item["VariantName"] for item in serving] == ["shadow"]
    begin_next_test(history)

    following = {"experiment_name": NEXT, "model_variant_actions": NEXT_ACTIONS}
    assert history.deploy(stopping(**following, end_now=True)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "'end_now' is true, but this resource is new" in history.reason("CREATE_FAILED")
    assert history.deploy(stopping(**following)) == "UPDATE_COMPLETE"
    assert history.experiment(NEXT)["Status"] == "Running"
    assert [call.request["Name"] for call in history.stops()] == [EXPERIMENT]
    history.end(stops=2)


def begin_next_test(history: History) -> None:
    """Start a test of a third model on the endpoint after the promotion."""
    third = history.sagemaker.describe_model(ModelName="fraud-v2")
    third.update(ModelName="fraud-v3")
    members = ("ModelName", "PrimaryContainer", "ExecutionRoleArn")
    history.sagemaker.create_model(**{name: third[name] for name in members})
    history.sagemaker.create_inference_experiment(
        Name=NEXT,
        Type="ShadowMode",
        RoleArn=third["ExecutionRoleArn"],
        EndpointName="fraud",
        ModelVariants=[
            model_variant("shadow", "fraud-v2", "ml.m5.xlarge", 2),
            model_variant("challenger", "fraud-v3"),
        ],
        ShadowModeConfig={
            "SourceModelVariantName": "shadow",
            "ShadowModelVariants": [
                {"ShadowModelVariantName": "challenger", "SamplingPercentage": 50}
            ],
        },
    )
    wait_for_experiment(history.sagemaker, NEXT, "Running")


def test_a_verdict_together_with_a_rename_of_the_construct_is_armed_and_not_applied(
    history: History,
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    assert history.deploy(renamed(model_variant_actions=PROMOTE_SHADOW)) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    assert not history.stops()
    # As the lifecycle says: the same declaration, with end_now.
    verdict = renamed(model_variant_actions=PROMOTE_SHADOW, end_now=True)
    assert history.deploy(verdict) == "UPDATE_COMPLETE"
    (stop,) = history.stops()
    assert stop.request["ModelVariantActions"]["shadow"] == "Promote"
    history.end(stops=1)
