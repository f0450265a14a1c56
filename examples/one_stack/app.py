"""Models, endpoint, shadow test and its end in one stack: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/fraud"  # yours
INSTANCE_TYPE = "ml.m5.large"


class FraudInOneStack(Stack):
    """Version 1 serves, version 2 is its shadow until the verdict."""

    def __init__(self, scope: Construct, construct_id: str, *, outcome: Outcome) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSageMakerFullAccess")
            ],
        )
        models = [
            sagemaker.CfnModel(
                self,
                f"Model{version}",
                execution_role_arn=role.role_arn,
                primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                    image=f"{IMAGE}:v{version}"
                ),
            )
            for version in (1, 2)
        ]
        configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name="v1",
                    model_name=models[0].attr_model_name,
                    instance_type=INSTANCE_TYPE,
                    initial_instance_count=1,
                    initial_variant_weight=1,
                )
            ],
        )
        endpoint = sagemaker.CfnEndpoint(
            self, "Endpoint", endpoint_config_name=configuration.attr_endpoint_config_name
        )
        kind = sagemaker.CfnInferenceExperiment
        shadow_test = kind(
            self,
            "ShadowTest",
            name="fraud-v2",
            type="ShadowMode",
            role_arn=role.role_arn,
            endpoint_name=endpoint.attr_endpoint_name,
            model_variants=[
                kind.ModelVariantConfigProperty(
                    model_name=model.attr_model_name,
                    variant_name=f"v{version}",
                    infrastructure_config=kind.ModelInfrastructureConfigProperty(
                        infrastructure_type="RealTimeInference",
                        real_time_inference_config=kind.RealTimeInferenceConfigProperty(
                            instance_type=INSTANCE_TYPE, instance_count=1
                        ),
                    ),
                )
                for version, model in enumerate(models, 1)
            ],
            shadow_mode_config=kind.ShadowModeConfigProperty(
                source_model_variant_name="v1",
                shadow_model_variants=[
                    kind.ShadowModelVariantConfigProperty(
                        shadow_model_variant_name="v2", sampling_percentage=50
                    )
                ],
            ),
        )
        verdict = StopInferenceExperiment(self, "Verdict", experiment=shadow_test, outcome=outcome)
        CfnOutput(self, "EndpointConfigName", value=verdict.endpoint_config_name)


def build(app: App) -> None:
    """``-c verdict=promote`` ends the test and promotes version 2."""
    promotes = app.node.try_get_context("verdict") == "promote"
    outcome = Outcome.promote_shadow() if promotes else Outcome.keep_production()
    FraudInOneStack(app, "FraudInOneStack", outcome=outcome)


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
