"""A function in a VPC with NAT gateways, as CDK creates it."""

from __future__ import annotations

import pytest
from aws_cdk import Stack
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
