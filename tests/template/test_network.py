"""Synth checks whether a function in a VPC can reach the services that it calls."""

from __future__ import annotations

import re

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from cdk_stop_inference_experiment import (
    Outcome,
    StopInferenceExperimentProvider,
)
from cdk_stop_inference_experiment.network import SERVICES

from .stacks import (
    EVIDENCE,
    RESOURCE_TYPE,
    Json,
    declare,
    dependencies,
    new_stack,
    only,
    resources,
    synthesised,
    warnings_of,
)

PUBLIC, ISOLATED, EGRESS = (
    ec2.SubnetType.PUBLIC,
    ec2.SubnetType.PRIVATE_ISOLATED,
    ec2.SubnetType.PRIVATE_WITH_EGRESS,
)


def _vpc(stack: cdk.Stack, *types: ec2.SubnetType, name: str = "Vpc") -> ec2.Vpc:
    subnets = [
        ec2.SubnetConfiguration(name=f"subnet{number}", subnet_type=one)
        for number, one in enumerate(types)
    ]
    return ec2.Vpc(stack, name, subnet_configuration=subnets)


def _selection(subnet_type: ec2.SubnetType) -> ec2.SubnetSelection:
    return ec2.SubnetSelection(subnet_type=subnet_type)


def _add_endpoints(vpc: ec2.Vpc, *services: str) -> None:
    for service in services:
        if service == "s3":
            vpc.add_gateway_endpoint(service, service=ec2.GatewayVpcEndpointAwsService.S3)
        else:
            vpc.add_interface_endpoint(service, service=ec2.InterfaceVpcEndpointAwsService(service))


@pytest.mark.parametrize("chosen", [None, _selection(EGRESS)])
def test_private_subnets_with_a_way_out_pass_without_a_warning(
    chosen: ec2.SubnetSelection | None,
) -> None:
    stack = new_stack()
    vpc = _vpc(stack, PUBLIC, EGRESS, ISOLATED)
    StopInferenceExperimentProvider(stack, "Provider", vpc=vpc, vpc_subnets=chosen)
    assert warnings_of(stack) == []


def test_warns_of_isolated_subnets_without_endpoints_and_names_each() -> None:
    stack = new_stack()
    StopInferenceExperimentProvider(stack, "Provider", vpc=_vpc(stack, ISOLATED))
    (text,) = warnings_of(stack)
    assert "no endpoints for sagemaker.api and cloudformation and events and s3" in text
    warning_id = "cdk-stop-inference-experiment:noWayOut"
    cdk.Annotations.of(stack).acknowledge_warning(warning_id, "they are shared by another account")
    assert warnings_of(stack) == []


@pytest.mark.parametrize("missing", SERVICES)
def test_warns_of_a_single_endpoint_that_is_missing(missing: str) -> None:
    stack = new_stack()
    vpc = _vpc(stack, ISOLATED)
    StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    _add_endpoints(vpc, *(one for one in SERVICES if one != missing))
    (text,) = warnings_of(stack)
    assert f"no endpoints for {missing}: " in text


def test_warns_of_an_endpoint_for_metrics_only_if_a_promotion_needs_evidence() -> None:
    stack = new_stack()
    vpc = _vpc(stack, ISOLATED)
    provider = StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    _add_endpoints(vpc, *SERVICES)
    declare(stack, "Armed", provider=provider)
    assert warnings_of(stack) == []
    judged = {"outcome": Outcome.promote_shadow(), "promote_if": EVIDENCE}
    declare(stack, "Judged", experiment_name="other", provider=provider, **judged)
    (text,) = warnings_of(stack)
    assert "no endpoints for monitoring: " in text


@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_does_not_warn_where_every_endpoint_is_added_later_or_elsewhere(region: str | None) -> None:
    app = cdk.App()
    env = cdk.Environment(account="123456789012", region=region) if region else None
    stack, other = cdk.Stack(app, "Stack", env=env), cdk.Stack(app, "Other", env=env)
    vpc = _vpc(stack, ISOLATED)
    StopInferenceExperimentProvider(stack, "Provider", vpc=vpc, vpc_subnets=_selection(ISOLATED))
    _add_endpoints(vpc, *(one for one in SERVICES if one != "events"))
    ec2.InterfaceVpcEndpoint(
        other, "Events", vpc=vpc, service=ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE
    )
    assert warnings_of(stack) == []


def test_an_endpoint_of_another_vpc_is_none() -> None:
    stack = new_stack()
    StopInferenceExperimentProvider(stack, "Provider", vpc=_vpc(stack, ISOLATED))
    _add_endpoints(_vpc(stack, ISOLATED, name="Other"), *SERVICES)
    (text,) = warnings_of(stack)
    assert "sagemaker.api and cloudformation" in text


def test_an_imported_vpc_is_not_warned_of_since_its_endpoints_are_not_known() -> None:
    stack = new_stack()
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a"],
        isolated_subnet_ids=["subnet-1"],
        isolated_subnet_route_table_ids=["rtb-1"],
    )
    StopInferenceExperimentProvider(stack, "Provider", vpc=vpc, vpc_subnets=_selection(ISOLATED))
    assert warnings_of(stack) == []
    synthesised(stack)


def test_a_vpc_that_is_looked_up_passes_before_the_lookup() -> None:
    stack = new_stack(env=cdk.Environment(account="123456789012", region="eu-west-1"))
    vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="vpc-1")
    StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    assert warnings_of(stack) == []


def _deleted_at_the_same_time(template: Json, resource_type: str) -> list[str]:
    """The types of the endpoints and rules that a resource does not keep until it is deleted."""
    name, _ = only(template, resource_type)
    kept = dependencies(template, name)
    return sorted(
        resource["Type"].removeprefix("AWS::EC2::")
        for other, resource in template["Resources"].items()
        if other not in kept and re.search("VPCEndpoint|SecurityGroup", resource["Type"])
    )


@pytest.mark.parametrize("subnet_types", [[ISOLATED], [PUBLIC, EGRESS]])
def test_endpoints_of_the_stack_and_their_rules_stay_until_the_resource_is_deleted(
    subnet_types: list[ec2.SubnetType],
) -> None:
    stack = new_stack()
    vpc = _vpc(stack, *subnet_types)
    provider = StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    declare(stack, provider=provider)
    _add_endpoints(vpc, "s3", "events", "monitoring")
    for service in ("sagemaker.api", "cloudformation"):
        ec2.InterfaceVpcEndpoint(
            stack,
            service,
            vpc=vpc,
            service=ec2.InterfaceVpcEndpointAwsService(service),
            open=False,
        ).connections.allow_default_port_from(provider)
    template = synthesised(stack)
    assert len(resources(template, "AWS::EC2::VPCEndpoint")) == 5
    assert len(resources(template, "AWS::EC2::SecurityGroupIngress")) == 2
    assert _deleted_at_the_same_time(template, RESOURCE_TYPE) == []


def test_an_endpoint_for_a_service_that_the_function_does_not_call_is_not_kept() -> None:
    stack = new_stack()
    vpc = _vpc(stack, ISOLATED)
    provider = StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    declare(stack, provider=provider)
    _add_endpoints(vpc, *SERVICES, "execute-api")
    left = _deleted_at_the_same_time(synthesised(stack), RESOURCE_TYPE)
    assert left == ["SecurityGroup", "VPCEndpoint"]


def test_what_the_functions_security_group_lets_out_stays_until_the_resource_is_deleted() -> None:
    stack = new_stack()
    vpc = _vpc(stack, PUBLIC, EGRESS)
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc, allow_all_outbound=False)
    proxy = ec2.SecurityGroup(stack, "Proxy", vpc=vpc)
    provider = StopInferenceExperimentProvider(stack, "Provider", vpc=vpc, security_groups=[group])
    declare(stack, provider=provider)
    provider.connections.allow_to(proxy, ec2.Port.tcp(443))
    template = synthesised(stack)
    assert resources(template, "AWS::EC2::SecurityGroupEgress")
    assert _deleted_at_the_same_time(template, RESOURCE_TYPE) == []


def test_a_nested_stack_is_deleted_before_the_endpoints_of_its_parent() -> None:
    parent = new_stack()
    vpc = _vpc(parent, ISOLATED)
    nested = cdk.NestedStack(parent, "Nested")
    provider = StopInferenceExperimentProvider(nested, "Provider", vpc=vpc)
    declare(nested, provider=provider)
    _add_endpoints(vpc, *SERVICES)
    template = synthesised(parent)
    assert _deleted_at_the_same_time(template, "AWS::CloudFormation::Stack") == []


def test_endpoints_beside_a_nested_stack_with_the_vpc_wait_for_it_and_not_the_other_way() -> None:
    parent = new_stack()
    nested = cdk.NestedStack(parent, "Nested")
    vpc = _vpc(nested, ISOLATED)
    declare(nested, provider=StopInferenceExperimentProvider(nested, "Provider", vpc=vpc))
    for service in SERVICES[:3]:
        ec2.InterfaceVpcEndpoint(
            parent, service, vpc=vpc, service=ec2.InterfaceVpcEndpointAwsService(service)
        )
    template = synthesised(parent)
    endpoint = next(iter(resources(template, "AWS::EC2::VPCEndpoint")))
    name, _ = only(template, "AWS::CloudFormation::Stack")
    assert name in dependencies(template, endpoint)


@pytest.mark.parametrize("has_endpoints", [True, False])
def test_endpoints_of_a_vpc_of_the_same_id_in_another_stack_are_none(has_endpoints: bool) -> None:
    app = cdk.App()
    stack, other = cdk.Stack(app, "Prod"), cdk.Stack(app, "Test")
    StopInferenceExperimentProvider(stack, "Provider", vpc=_vpc(stack, ISOLATED))
    if has_endpoints:
        _add_endpoints(_vpc(other, ISOLATED), *SERVICES)
    assert len(warnings_of(stack)) == 1
