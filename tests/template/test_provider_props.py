"""The props of a provider, and their effect on the template."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from cdk_stop_inference_experiment import StopInferenceExperimentProvider

from .stacks import (
    RESOURCE_TYPE,
    Json,
    declare,
    dependencies,
    new_stack,
    only,
    resources,
    statements,
    synthesised,
    warnings_of,
)

IMMUTABLE = "cdk-stop-inference-experiment:immutableRole"
ROLE_ARN = "arn:aws:iam::123456789012:role/given"


def _served(stack: cdk.Stack, **props: Any) -> Json:
    """The template of an experiment whose provider has these props."""
    provider = StopInferenceExperimentProvider(stack, "Provider", **props)
    declare(stack, provider=provider)
    return synthesised(stack)


def _vpc(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        private_subnet_route_table_ids=["rtb-1", "rtb-2"],
        isolated_subnet_ids=["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
        isolated_subnet_route_table_ids=["rtb-3", "rtb-4"],
    )


def _function(template: Json) -> Json:
    properties: Json = only(template, "AWS::Lambda::Function")[1]["Properties"]
    return properties


@pytest.fixture(scope="module")
def in_vpc() -> Json:
    """A function in a VPC, with every other prop of a provider."""
    stack = new_stack(env=cdk.Environment(account="123456789012", region="eu-west-1"))
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")
    return _served(
        stack,
        vpc=_vpc(stack),
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        security_groups=[group],
        log_retention=logs.RetentionDays.ONE_YEAR,
        function_name="stop-experiments",
        memory_size=512,
        environment_encryption=kms.Key(stack, "Key"),
    )


def test_the_function_is_placed_and_named_as_told(in_vpc: Json) -> None:
    function = _function(in_vpc)
    assert function["VpcConfig"] == {
        "SecurityGroupIds": ["sg-0123456789abcdef0"],
        "SubnetIds": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
    }
    assert function["FunctionName"] == "stop-experiments"
    assert function["MemorySize"] == 512


def test_the_function_runs_on_the_runtime_it_is_given() -> None:
    template = _served(new_stack(), runtime=lambda_.Runtime.PYTHON_3_12)
    assert _function(template)["Runtime"] == "python3.12"
    # Users who choose an older runtime suppress the finding themselves.
    assert "cdk_nag" not in only(template, "AWS::Lambda::Function")[1].get("Metadata", {})


def test_a_function_in_a_vpc_waits_for_the_permission_to_make_network_interfaces(
    in_vpc: Json,
) -> None:
    name, _ = only(in_vpc, "AWS::Lambda::Function")
    (network,) = (policy for policy in in_vpc["Resources"] if "Network" in policy)
    assert network in dependencies(in_vpc, name)
    (statement,) = in_vpc["Resources"][network]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == "*"
    assert statement["Action"] == [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]


def test_the_role_of_a_function_in_a_vpc_has_no_policy_that_aws_manages(in_vpc: Json) -> None:
    assert "ManagedPolicyArns" not in only(in_vpc, "AWS::IAM::Role")[1]["Properties"]


def test_the_role_may_decrypt_with_the_given_key_and_do_nothing_else_with_it(in_vpc: Json) -> None:
    key, _ = only(in_vpc, "AWS::KMS::Key")
    assert _function(in_vpc)["KmsKeyArn"] == {"Fn::GetAtt": [key, "Arn"]}
    assert [one for one in statements(in_vpc) if "kms:" in str(one["Action"])] == [
        {"Action": "kms:Decrypt", "Effect": "Allow", "Resource": {"Fn::GetAtt": [key, "Arn"]}}
    ]


def test_the_function_exists_only_while_its_role_may_decrypt(in_vpc: Json) -> None:
    name, _ = only(in_vpc, "AWS::Lambda::Function")
    (policy,) = (name for name in in_vpc["Resources"] if "RoleDefaultPolicy" in name)
    assert policy in dependencies(in_vpc, name)


def test_everything_the_deletion_needs_outlives_the_resource_in_a_vpc_too(in_vpc: Json) -> None:
    name, _ = only(in_vpc, RESOURCE_TYPE)
    assert dependencies(in_vpc, name) == set(in_vpc["Resources"]) - {name}
    assert all(other not in dependencies(in_vpc, other) for other in in_vpc["Resources"])


def test_a_new_log_group_keeps_what_is_logged_as_long_as_told(in_vpc: Json) -> None:
    assert only(in_vpc, "AWS::Logs::LogGroup")[1]["Properties"] == {"RetentionInDays": 365}


@pytest.mark.parametrize(
    ("policy", "written"),
    [(cdk.RemovalPolicy.DESTROY, "Delete"), (cdk.RemovalPolicy.RETAIN, "Retain")],
)
def test_a_new_log_group_goes_or_stays_as_told(policy: cdk.RemovalPolicy, written: str) -> None:
    template = _served(new_stack(), log_removal_policy=policy)
    assert only(template, "AWS::Logs::LogGroup")[1]["DeletionPolicy"] == written


def test_what_a_provider_is_given_changes_no_logical_id_of_what_it_has_by_default(
    in_vpc: Json,
) -> None:
    stack = new_stack()
    StopInferenceExperimentProvider(stack, "Provider")
    assert set(synthesised(stack)["Resources"]) < set(in_vpc["Resources"])


def test_a_given_log_group_is_the_only_one_and_the_only_one_written_to() -> None:
    stack = new_stack()
    given = logs.LogGroup.from_log_group_name(stack, "Given", "experiments")
    template = _served(stack, log_group=given)
    assert resources(template, "AWS::Logs::LogGroup") == {}
    assert _function(template)["LoggingConfig"]["LogGroup"] == "experiments"
    (statement,) = (one for one in statements(template) if one.get("Sid") == "Log")
    assert statement["Resource"]["Fn::Join"][1][-1] == ":log-group:experiments:*"


def test_a_given_role_gets_every_permission_and_no_other_role_is_made() -> None:
    stack = new_stack()
    role = iam.Role(stack, "Given", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    template = _served(stack, role=role)
    name, _ = only(template, "AWS::IAM::Role")
    assert _function(template)["Role"] == {"Fn::GetAtt": [name, "Arn"]}
    assert _attached_to(template) == [{"Ref": name}] * 2


def test_an_imported_role_gets_every_permission() -> None:
    stack = new_stack()
    template = _served(stack, role=iam.Role.from_role_arn(stack, "Given", ROLE_ARN))
    assert resources(template, "AWS::IAM::Role") == {}
    assert _attached_to(template) == ["given"] * 2
    assert warnings_of(stack) == []


def _attached_to(template: Json) -> list[Any]:
    return [
        role
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        for policy in resources(template, kind).values()
        for role in policy["Properties"]["Roles"]
    ]


@pytest.mark.parametrize("kind", ["imported as immutable", "without policy updates"])
def test_a_role_that_takes_no_policies_gets_none_and_a_warning_that_can_be_acknowledged(
    kind: str,
) -> None:
    stack = new_stack()
    role: iam.IRole = iam.Role.from_role_arn(stack, "Given", ROLE_ARN, mutable=False)
    if kind == "without policy updates":
        trusted = iam.ServicePrincipal("lambda.amazonaws.com")
        role = iam.Role(stack, "Own", assumed_by=trusted).without_policy_updates()
    provider = StopInferenceExperimentProvider(stack, "Provider", role=role, vpc=_vpc(stack))
    for number in range(41):
        declare(stack, f"E{number}", experiment_name=f"e-{number}", provider=provider)
    template = synthesised(stack)
    assert _attached_to(template) == []
    assert len(resources(template, RESOURCE_TYPE)) == 41
    (warning,) = warnings_of(stack)
    assert "'role' accepts no policies" in warning
    cdk.Annotations.of(stack).acknowledge_warning(IMMUTABLE, "its permissions are kept elsewhere")
    assert warnings_of(stack) == []


def test_tokens_pass() -> None:
    stack = new_stack()
    name = cdk.CfnParameter(stack, "Name").value_as_string
    size = cdk.CfnParameter(stack, "Size", type="Number").value_as_number
    function = _function(_served(stack, function_name=name, memory_size=size))
    assert (function["FunctionName"], function["MemorySize"]) == ({"Ref": "Name"}, {"Ref": "Size"})
