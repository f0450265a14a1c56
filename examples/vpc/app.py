"""The function in a VPC without internet access: see README.md in this folder."""

from __future__ import annotations

from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from cdk_stop_inference_experiment import (
    Outcome,
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
)


class FraudVerdict(Stack):
    """The VPC has an endpoint for each service that the function calls."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        isolated = ec2.SubnetType.PRIVATE_ISOLATED
        subnets = ec2.SubnetConfiguration(name="isolated", subnet_type=isolated)
        vpc = ec2.Vpc(self, "Vpc", nat_gateways=0, subnet_configuration=[subnets])
        for service in ("sagemaker.api", "cloudformation", "events"):
            vpc.add_interface_endpoint(service, service=ec2.InterfaceVpcEndpointAwsService(service))
        vpc.add_gateway_endpoint("s3", service=ec2.GatewayVpcEndpointAwsService.S3)
        StopInferenceExperiment(
            self,
            "Verdict",
            experiment_name="fraud-shadow-vpc",
            outcome=Outcome.keep_production(),
            provider=StopInferenceExperimentProvider(self, "Provider", vpc=vpc),
        )


def build(app: App) -> None:
    """The stack with the VPC."""
    FraudVerdict(app, "FraudVerdictInVpc")


if __name__ == "__main__":
    the_app = App()
    build(the_app)
    the_app.synth()
