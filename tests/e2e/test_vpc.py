"""A function in a VPC with NAT gateways, as CDK creates it."""

from __future__ import annotations

import pytest
from aws_cdk import CfnResource, Stack
from aws_cdk import aws_ec2 as ec2

from cdk_stop_inference_experiment import StopInferenceExperimentProvider
from local_aws.synthesis import synthesise

from .history import History
from .synthesis import stop_shadow_test


def in_a_vpc(stack: Stack) -> None:
    """CDK's default VPC, with the function in its private subnets."""
    vpc = ec2.Vpc(stack, "Network")
    provider = StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    stop_shadow_test(stack, provider=provider)


@pytest.mark.usefixtures("shadow_test")
def test_a_vpc_with_nat_gateways_is_deployed_and_destroyed_with_the_function_in_it(
    history: History,
) -> None:
    network = history.aws.client("ec2")
    before = network.describe_vpcs()["Vpcs"]
    assert history.deploy(synthesise(in_a_vpc)) == "CREATE_COMPLETE"
    gateways = {item["NatGatewayId"] for item in network.describe_nat_gateways()["NatGateways"]}
    assert len(gateways) == len(network.describe_addresses()["Addresses"]) == 2
    targets = [
        route.get("NatGatewayId")
        for table in network.describe_route_tables()["RouteTables"]
        for route in table["Routes"]
    ]
    assert gateways <= set(targets)
    history.end(stops=1)
    left = network.describe_nat_gateways()["NatGateways"]
    assert {item["State"] for item in left} == {"deleted"}
    assert not network.describe_addresses()["Addresses"]
    assert network.describe_vpcs()["Vpcs"] == before


@pytest.mark.usefixtures("shadow_test")
def test_an_isolated_vpc_with_interface_endpoints_is_deployed_and_destroyed(
    history: History,
) -> None:
    """CDK's security group of an endpoint refers to the VPC's CidrBlock."""

    def build(stack: Stack) -> None:
        isolated = ec2.SubnetConfiguration(
            name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
        )
        vpc = ec2.Vpc(stack, "Network", nat_gateways=0, subnet_configuration=[isolated])
        service = ec2.InterfaceVpcEndpointAwsService("sagemaker.api")
        vpc.add_interface_endpoint("SageMaker", service=service)
        stop_shadow_test(
            stack, provider=StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
        )

    network = history.aws.client("ec2")
    before = network.describe_vpcs()["Vpcs"]
    assert history.deploy(synthesise(build)) == "CREATE_COMPLETE"
    (made,) = (vpc for vpc in network.describe_vpcs()["Vpcs"] if vpc not in before)
    groups = network.describe_security_groups()["SecurityGroups"]
    ranges = [
        entry["CidrIp"]
        for group in groups
        if group["VpcId"] == made["VpcId"]
        for permission in group["IpPermissions"]
        for entry in permission["IpRanges"]
    ]
    assert made["CidrBlock"] in ranges
    history.end(stops=1)
    assert network.describe_vpcs()["Vpcs"] == before


def test_a_resource_type_that_is_not_known_is_refused_by_name_before_anything_is_made(
    history: History,
) -> None:
    def build(stack: Stack) -> None:
        in_a_vpc(stack)
        CfnResource(stack, "Later", type="AWS::EC2::NoSuchThing")

    with pytest.raises(history.cloudformation.exceptions.ClientError, match="EC2::NoSuchThing"):
        history.begin(synthesise(build))
    assert not history.cloudformation.describe_stacks()["Stacks"]
    assert not history.aws.client("ec2").describe_nat_gateways()["NatGateways"]
