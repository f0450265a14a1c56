"""A stack with models, endpoint, shadow test and our construct."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_sagemaker as sagemaker

from local_aws.synthesis import Template, synthesise

from .synthesis import EXPERIMENT, stop_shadow_test

ROLE = "arn:aws:iam::000000000000:role/shadow-test"
ENDPOINT = "fraud"


def shadow_stack(*, with_stop: bool = True, breaks: bool = False, **props: Any) -> Template:
    """The template, with our construct or without.

    Args:
        with_stop: Whether the construct is in it.
        breaks: Whether the last resource cannot be created.
        props: The construct's props.
    """

    def build(stack: Stack) -> None:
        experiment = shadow_test(stack)
        if with_stop:
            stop = stop_shadow_test(stack, experiment=experiment, **props)
            if breaks:
                token = f"{stop.provider.service_token}-missing"
                later = CfnResource(
                    stack, "Later", type="Custom::Later", properties={"ServiceToken": token}
                )
                later.node.add_dependency(stop)

    return synthesise(build)


def shadow_test(stack: Stack) -> sagemaker.CfnInferenceExperiment:
    """The endpoint and the experiment on it, as a CDK user writes them."""
    models = [model(stack, "Production", "fraud-v1"), model(stack, "Shadow", "fraud-v2")]
    config = sagemaker.CfnEndpointConfig(
        stack,
        "EndpointConfig",
        production_variants=[
            sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                variant_name="production",
                model_name=models[0].attr_model_name,
                instance_type="ml.m5.large",
                initial_instance_count=1,
                initial_variant_weight=1,
            )
        ],
    )
    endpoint = sagemaker.CfnEndpoint(
        stack,
        "Endpoint",
        endpoint_name=ENDPOINT,
        endpoint_config_name=config.attr_endpoint_config_name,
    )
    kind = sagemaker.CfnInferenceExperiment
    return kind(
        stack,
        "ShadowTest",
        name=EXPERIMENT,
        type="ShadowMode",
        role_arn=ROLE,
        endpoint_name=endpoint.attr_endpoint_name,
        model_variants=[
            variant("production", models[0].attr_model_name),
            variant("shadow", models[1].attr_model_name),
        ],
        shadow_mode_config=kind.ShadowModeConfigProperty(
            source_model_variant_name="production",
            shadow_model_variants=[
                kind.ShadowModelVariantConfigProperty(
                    shadow_model_variant_name="shadow", sampling_percentage=50
                )
            ],
        ),
    )


def model(stack: Stack, construct_id: str, name: str) -> sagemaker.CfnModel:
    """A model; its container never runs."""
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/fraud:latest"
    container = sagemaker.CfnModel.ContainerDefinitionProperty(image=image)
    return sagemaker.CfnModel(
        stack,
        construct_id,
        model_name=name,
        execution_role_arn=ROLE,
        primary_container=container,
    )


def variant(
    name: str, model_name: str
) -> sagemaker.CfnInferenceExperiment.ModelVariantConfigProperty:
    """A variant of the experiment."""
    kind = sagemaker.CfnInferenceExperiment
    return kind.ModelVariantConfigProperty(
        model_name=model_name,
        variant_name=name,
        infrastructure_config=kind.ModelInfrastructureConfigProperty(
            infrastructure_type="RealTimeInference",
            real_time_inference_config=kind.RealTimeInferenceConfigProperty(
                instance_type="ml.m5.large", instance_count=1
            ),
        ),
    )
