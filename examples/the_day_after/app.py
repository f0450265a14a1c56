"""A stack that owns models, endpoint and shadow test, and follows a promotion.

A promotion gives the endpoint a configuration that is in no template. These steps, each a
deployment of its own, lead from the test to a template that declares what the endpoint serves, and
back again if the new model turns out to be wrong::

    cdk deploy -c step=test                 # the test runs, the construct is armed
    cdk deploy -c step=test -c scaled=no    # nothing scales while the endpoint changes
    cdk deploy -c step=promote              # ends the test: green serves
    cdk deploy -c step=settle               # the template declares green; the test is removed

    cdk deploy -c step=settle -c scaled=no  # if green turns out to be wrong ...
    cdk deploy -c step=back                 # ... blue serves again

In your own app, a step is an edit of the code instead of a context entry.
"""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from cdk_stop_inference_experiment import (
    ModelVariantAction,
    ModelVariantConfig,
    StopInferenceExperiment,
    StopOn,
)

ENDPOINT = "fraud"
ROLE_ARN = "arn:aws:iam::000000000000:role/fraud"  # yours, for the models and the test
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/fraud:latest"  # yours


@dataclass(frozen=True)
class Variant:
    """A variant as the endpoint, the test and the promotion declare it."""

    name: str
    model_name: str
    instance_type: str
    instance_count: int


# Colours, not roles: a variant called "shadow" would keep that name in production.
BLUE = Variant("blue", "fraud-blue", "ml.m5.large", 1)
# After the promotion it serves alone: declare the instances for that, not those of the test.
GREEN = Variant("green", "fraud-green", "ml.m5.xlarge", 2)

STEPS = ("test", "promote", "settle", "back")


class FraudEndpoint(Construct):
    """The endpoint and everything that refers to the names of its variants."""

    def __init__(
        self, scope: Construct, construct_id: str, *, step: str | None, scaled: bool = True
    ) -> None:
        """Declare one step.

        Args:
            scope: The stack.
            construct_id: The id in the scope.
            step: One of ``STEPS``. There is no default, in case the entry is forgotten.
            scaled: Whether the serving variant scales. Never during ``promote``: SageMaker refuses
                updates that change the instance type of a scalable target, and the target's variant
                would be gone.
        """
        if step not in STEPS:
            raise ValueError(f"'step' must be one of {', '.join(STEPS)}, got '{step}'")
        super().__init__(scope, construct_id)
        # Both in every step: one model is in use, and the other one is needed to go back.
        models = {variant.name: self._model(variant) for variant in (BLUE, GREEN)}
        # The template's configuration, which the promotion does not change. Each has another id:
        # CloudFormation updates the endpoint only if the template changes.
        declared = GREEN if step == "settle" else BLUE
        revision = {"settle": "Green", "back": "BlueAgain"}.get(step, "Blue")
        config = self._configuration(revision, declared, models[declared.name])
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=ENDPOINT,
            endpoint_config_name=config.attr_endpoint_config_name,
        )
        if step in ("test", "promote"):
            self._end_test(self._test(models), promote=step == "promote")
            watched = [BLUE, GREEN]
        else:
            watched = [declared]
        for variant in watched:
            self._alarm(variant)
        if scaled and step != "promote":
            self._scale(declared)

    def _model(self, variant: Variant) -> sagemaker.CfnModel:
        model = sagemaker.CfnModel(
            self,
            f"Model-{variant.name}",
            model_name=variant.model_name,
            execution_role_arn=ROLE_ARN,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(image=IMAGE),
        )
        # SageMaker does not refuse to delete a model that is in use.
        model.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return model

    def _configuration(
        self, revision: str, variant: Variant, model: sagemaker.CfnModel
    ) -> sagemaker.CfnEndpointConfig:
        return sagemaker.CfnEndpointConfig(
            self,
            f"Configuration{revision}",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=variant.name,
                    model_name=model.attr_model_name,
                    instance_type=variant.instance_type,
                    initial_instance_count=variant.instance_count,
                    initial_variant_weight=1,
                )
            ],
        )

    def _test(self, models: dict[str, sagemaker.CfnModel]) -> sagemaker.CfnInferenceExperiment:
        kind = sagemaker.CfnInferenceExperiment
        return kind(
            self,
            "Test",
            name="fraud-green",
            type="ShadowMode",
            role_arn=ROLE_ARN,
            endpoint_name=self.endpoint.attr_endpoint_name,
            model_variants=[
                kind.ModelVariantConfigProperty(
                    model_name=models[variant.name].attr_model_name,
                    variant_name=variant.name,
                    infrastructure_config=kind.ModelInfrastructureConfigProperty(
                        infrastructure_type="RealTimeInference",
                        real_time_inference_config=kind.RealTimeInferenceConfigProperty(
                            instance_type=variant.instance_type,
                            instance_count=variant.instance_count,
                        ),
                    ),
                )
                for variant in (BLUE, GREEN)
            ],
            shadow_mode_config=kind.ShadowModeConfigProperty(
                source_model_variant_name=BLUE.name,
                shadow_model_variants=[
                    kind.ShadowModelVariantConfigProperty(
                        shadow_model_variant_name=GREEN.name, sampling_percentage=50
                    )
                ],
            ),
        )

    def _end_test(self, test: sagemaker.CfnInferenceExperiment, *, promote: bool) -> None:
        keep = {BLUE.name: ModelVariantAction.RETAIN, GREEN.name: ModelVariantAction.REMOVE}
        replace = {BLUE.name: ModelVariantAction.REMOVE, GREEN.name: ModelVariantAction.PROMOTE}
        serves = ModelVariantConfig(
            variant_name=GREEN.name,
            model_name=GREEN.model_name,
            instance_type=GREEN.instance_type,
            instance_count=GREEN.instance_count,
        )
        stop = StopInferenceExperiment(
            self,
            "EndTest",
            experiment=test,
            model_variant_actions=replace if promote else keep,
            desired_model_variants=[serves] if promote else None,
            stop_on=[StopOn.DELETE],
            end_now=promote,
        )
        # The endpoint's configuration until "settle"; delete it afterwards.
        cdk.CfnOutput(cdk.Stack.of(self), "EndpointConfigName", value=stop.endpoint_config_name)

    def _alarm(self, variant: Variant) -> None:
        metric = cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name="Invocation5XXErrors",
            dimensions_map={"EndpointName": ENDPOINT, "VariantName": variant.name},
            statistic="Sum",
            period=cdk.Duration.minutes(1),
        )
        metric.create_alarm(self, f"Errors-{variant.name}", threshold=10, evaluation_periods=5)

    def _scale(self, variant: Variant) -> None:
        target = autoscaling.CfnScalableTarget(
            self,
            f"Scaling-{variant.name}",
            service_namespace="sagemaker",
            resource_id=f"endpoint/{ENDPOINT}/variant/{variant.name}",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            min_capacity=variant.instance_count,
            max_capacity=10,
        )
        # Only after the endpoint serves the variant.
        target.node.add_dependency(self.endpoint)
        kind = autoscaling.CfnScalingPolicy
        kind(
            self,
            f"ScalingPolicy-{variant.name}",
            policy_name=f"{ENDPOINT}-{variant.name}",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=(
                kind.TargetTrackingScalingPolicyConfigurationProperty(
                    target_value=1000,
                    predefined_metric_specification=kind.PredefinedMetricSpecificationProperty(
                        predefined_metric_type="SageMakerVariantInvocationsPerInstance"
                    ),
                )
            ),
        )


def build(app: cdk.App) -> None:
    """The step that the context names."""
    FraudEndpoint(
        cdk.Stack(app, "Fraud"),
        "Fraud",
        step=app.node.try_get_context("step"),
        scaled=app.node.try_get_context("scaled") != "no",
    )


if __name__ == "__main__":
    the_app = cdk.App()
    build(the_app)
    the_app.synth()
