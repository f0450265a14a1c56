"""A function's VPC and KMS key, and the permissions without which it cannot be in a VPC."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import create, update

Json = dict[str, Any]
SOURCE = "def handler(event, context):\n    return {}"
KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ACTIONS = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")


def statements(*actions: str) -> list[Json]:
    """A policy's statements that allow actions of EC2."""
    allowed = [f"ec2:{action}" for action in actions] or ["logs:PutLogEvents"]
    return [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]


@pytest.fixture
def network(aws: LocalAws) -> Json:
    """A VpcConfig."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="tried", Description="tried", VpcId=vpc)
    return {"SubnetIds": [subnet], "SecurityGroupIds": [group["GroupId"]]}


def in_stack(network: Json | None, *actions: str, key: str | None = None) -> str:
    """A template of a function and its role."""
    trusted = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": statements(*actions)}
    function: Json = {
        "FunctionName": "function",
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": SOURCE},
        **({"VpcConfig": network} if network else {}),
        **({"KmsKeyArn": key} if key else {}),
    }
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [{"PolicyName": "inline", "PolicyDocument": policy}],
    }
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
    }
    return json.dumps({"Resources": resources})


def configuration(aws: LocalAws) -> Json:
    """What Lambda says of the function."""
    found: Json = aws.client("lambda").get_function_configuration(FunctionName="function")
    return found


IAM: Json = {"Capabilities": ["CAPABILITY_IAM"]}


def test_a_template_gives_a_function_its_vpc_and_its_key(aws: LocalAws, network: Json) -> None:
    assert create(aws, in_stack(network, *ACTIONS, key=KEY), **IAM) == "CREATE_COMPLETE"
    found = configuration(aws)
    assert found["KMSKeyArn"] == KEY
    assert {**network, "VpcId": found["VpcConfig"]["VpcId"]} == found["VpcConfig"]
    assert found["VpcConfig"]["VpcId"].startswith("vpc-")
    assert update(aws, in_stack(None, *ACTIONS), **IAM) == "UPDATE_COMPLETE"
    assert configuration(aws)["VpcConfig"]["SubnetIds"] == []


@pytest.mark.parametrize("missing", ACTIONS)
def test_a_function_whose_role_may_not_manage_interfaces_cannot_be_in_a_vpc(
    aws: LocalAws, network: Json, make_function: FunctionMaker, missing: str
) -> None:
    actions = [action for action in ACTIONS if action != missing]
    match = f"does not have permissions to call {missing} on EC2"
    with pytest.raises(ClientError, match=match) as failure:
        make_function(SOURCE, statements=statements(*actions), VpcConfig=network)
    assert failure.value.response["Error"]["Code"] == "InvalidParameterValueException"
