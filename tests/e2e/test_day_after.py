"""The example "The day after a promotion", step by step: what the endpoint serves after each."""

from __future__ import annotations

import functools
from datetime import datetime, timezone

from aws_cdk import CfnResource, Stack
from examples.the_day_after.app import BLUE, ENDPOINT, GREEN, FraudEndpoint, Variant

from local_aws.shadow_test import endpoint_variants, wait_for_experiment
from local_aws.synthesis import Template, synthesise

from .history import History
from .synthesis import Json

TEST = "fraud-green"
CONFIGURATION = "AWS::SageMaker::EndpointConfig"


@functools.cache
def template(step: str, *, scaled: bool = True, breaks: bool = False) -> Template:
    """A step of the example; its last resource may be one that cannot be created."""

    def build(stack: Stack) -> None:
        fraud = FraudEndpoint(stack, "Fraud", step=step, scaled=scaled)
        if breaks:
            token = "arn:aws:lambda:us-east-1:000000000000:function:missing"
            properties = {"ServiceToken": token}
            broken = CfnResource(stack, "Broken", type="Custom::Broken", properties=properties)
            broken.node.add_dependency(fraud.endpoint)

    return synthesise(build)


def promoted(history: History) -> None:
    """Deploy a stack from its creation to the promotion."""
    assert history.deploy(template("test")) == "CREATE_COMPLETE"
    assert history.deploy(template("test", scaled=False)) == "UPDATE_COMPLETE"
    assert history.deploy(template("promote")) == "UPDATE_COMPLETE"
    assert serves(history, GREEN)


def serves(history: History, *variants: Variant) -> bool:
    """Whether the endpoint serves a variant exactly as declared, and the others as shadows."""
    found = endpoint_variants(history.sagemaker, ENDPOINT)
    told = [
        (item["VariantName"], item["ModelName"], item["InstanceType"], item["InitialInstanceCount"])
        for item in (*found["production"], *found["shadow"])
    ]
    declared = [
        (item.name, item.model_name, item.instance_type, item.instance_count) for item in variants
    ]
    return len(found["production"]) == 1 and told == declared


def endpoint(history: History) -> Json:
    """The endpoint as SageMaker describes it."""
    described: Json = history.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    return described


def scaled(history: History) -> list[str]:
    """The variants that are scalable targets."""
    resources = history.cloudformation.describe_stack_resources(StackName=history.stack_id)
    return [
        item["PhysicalResourceId"].split("|")[0].split("/")[3]
        for item in resources["StackResources"]
        if item["ResourceType"].endswith("ScalableTarget")
    ]


def watched(history: History) -> set[str]:
    """The variants with an alarm."""
    alarms = history.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {
        dimension["Value"]
        for alarm in alarms
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "VariantName"
    }


def test_a_promotion_is_brought_in_line_and_taken_back_without_an_outage(history: History) -> None:
    assert history.deploy(template("test")) == "CREATE_COMPLETE"
    born = endpoint(history)["CreationTime"]
    assert serves(history, BLUE, GREEN)
    assert (scaled(history), watched(history)) == (["blue"], {"blue", "green"})

    assert history.deploy(template("test", scaled=False)) == "UPDATE_COMPLETE"
    assert scaled(history) == []
    assert not history.stops()

    assert history.deploy(template("promote")) == "UPDATE_COMPLETE"
    assert serves(history, GREEN)
    made_by_sagemaker = endpoint(history)["EndpointConfigName"]
    assert history.outputs["EndpointConfigName"] == made_by_sagemaker
    assert (scaled(history), watched(history)) == ([], {"blue", "green"})

    assert history.deploy(template("settle")) == "UPDATE_COMPLETE"
    assert serves(history, GREEN)
    assert endpoint(history)["EndpointConfigName"] != made_by_sagemaker
    assert (scaled(history), watched(history)) == (["green"], {"green"})
    assert not history.sagemaker.list_inference_experiments()["InferenceExperiments"]
    history.sagemaker.delete_endpoint_config(EndpointConfigName=made_by_sagemaker)

    assert history.deploy(template("settle", scaled=False)) == "UPDATE_COMPLETE"
    assert serves(history, GREEN)
    assert history.deploy(template("back")) == "UPDATE_COMPLETE"
    assert serves(history, BLUE)
    assert (scaled(history), watched(history)) == (["blue"], {"blue"})

    assert endpoint(history)["CreationTime"] == born
    assert not history.aws.calls("DeleteModel")
    history.end(stops=1)
    for variant in (BLUE, GREEN):
        history.sagemaker.describe_model(ModelName=variant.model_name)


def test_what_leaves_the_declared_endpoint_alone_leaves_the_promotion_alone(
    history: History,
) -> None:
    promoted(history)
    # Another change in the stack, then the code before the promotion.
    other = template("promote").changed(
        lambda body: body["Resources"].update(
            Other={"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
        )
    )
    for later in (other, template("test", scaled=False)):
        assert history.deploy(later) == "UPDATE_COMPLETE"
        assert serves(history, GREEN)
    history.end(stops=1)


def test_an_edit_of_the_old_configuration_takes_the_promotion_back(history: History) -> None:
    promoted(history)

    def edit(body: Json) -> None:
        (config,) = [item for item in body["Resources"].values() if item["Type"] == CONFIGURATION]
        config["Properties"]["ProductionVariants"][0]["InitialInstanceCount"] = 3

    assert history.deploy(template("promote").changed(edit)) == "UPDATE_COMPLETE"
    found = endpoint_variants(history.sagemaker, ENDPOINT)["production"]
    assert [(item["ModelName"], item["InitialInstanceCount"]) for item in found] == [
        (BLUE.model_name, 3)
    ]
    history.end(stops=1)


def test_a_settling_that_is_rolled_back_takes_the_promotion_back(history: History) -> None:
    promoted(history)
    assert history.deploy(template("settle", breaks=True)) == "UPDATE_ROLLBACK_COMPLETE"
    assert serves(history, BLUE)
    history.end(stops=1)


def test_a_settling_that_fails_without_rollback_leaves_the_promotion_and_is_tried_again(
    history: History,
) -> None:
    promoted(history)
    failing = template("settle", scaled=False, breaks=True)
    assert history.deploy(failing, DisableRollback=True) == "UPDATE_FAILED"
    assert serves(history, GREEN)
    assert history.deploy(template("settle"), DisableRollback=True) == "UPDATE_COMPLETE"
    assert serves(history, GREEN)
    assert len(history.stops()) == 1


def test_settling_deploys_the_variant_of_a_test_that_has_ended_by_itself(history: History) -> None:
    assert history.deploy(template("test", scaled=False)) == "CREATE_COMPLETE"
    now = datetime.fromtimestamp(history.aws.calls()[-1].time, timezone.utc)
    history.sagemaker.update_inference_experiment(Name=TEST, Schedule={"EndTime": now})
    wait_for_experiment(history.sagemaker, TEST, "Completed")
    assert history.deploy(template("promote")) == "UPDATE_ROLLBACK_COMPLETE"
    assert serves(history, BLUE)
    assert history.deploy(template("settle")) == "UPDATE_COMPLETE"
    assert serves(history, GREEN)
    history.end(stops=0)
