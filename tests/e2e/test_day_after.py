"""The example "The day after a promotion", step by step: what the endpoint serves after each."""

from __future__ import annotations

from examples.the_day_after.app import BLUE, ENDPOINT, GREEN, FraudEndpoint, Variant

from local_aws.shadow_test import endpoint_variants
from local_aws.synthesis import Template, synthesise

from .history import History
from .synthesis import Json


def template(step: str, *, scaled: bool = True) -> Template:
    """A step of the example."""
    return synthesise(lambda stack: FraudEndpoint(stack, "Fraud", step=step, scaled=scaled))


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
