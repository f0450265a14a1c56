"""What IAM decides a request on: resources and condition keys as AWS names them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAws

from .conftest import FunctionMaker

Json = dict[str, Any]
RULE = "arn:aws:events:us-east-1:000000000000:rule/mine-*"


def user(aws: LocalAws, *statements: Json) -> Callable[[str], Any]:
    """Return clients of a user who may do what the statements say."""
    iam = aws.client("iam")
    iam.create_user(UserName="someone")
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName="someone", PolicyName="inline", PolicyDocument=document)
    key = iam.create_access_key(UserName="someone")["AccessKey"]
    return lambda service: aws.client(
        service,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def allow(*actions: str, resource: str = "*", **condition: Json) -> Json:
    """A statement that allows actions."""
    statement: Json = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def is_allowed(call: Callable[..., object], **request: Any) -> bool:
    """Whether IAM lets a call through."""
    try:
        call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
            raise
        return False
    return True


@pytest.mark.parametrize(("name", "allowed"), [("mine-1", True), ("another", False)])
def test_a_rule_of_the_default_bus_goes_by_its_name_alone(
    aws: LocalAws, name: str, allowed: bool
) -> None:
    aws.client("events").put_rule(Name=name, ScheduleExpression="rate(5 minutes)")
    actions = ("events:PutRule", "events:RemoveTargets", "events:DeleteRule")
    events = user(aws, allow(*actions, resource=RULE))("events")
    request = {"Name": name, "ScheduleExpression": "rate(5 minutes)"}
    assert is_allowed(events.put_rule, **request) == allowed
    assert is_allowed(events.remove_targets, Rule=name, Ids=["1"]) == allowed
    assert is_allowed(events.delete_rule, Name=name) == allowed


def test_put_targets_goes_by_the_arns_of_every_target(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    mine, another = (make_function("", name=name) for name in ("mine", "another"))
    aws.client("events").put_rule(Name="mine-1", ScheduleExpression="rate(5 minutes)")
    condition = {
        "ForAllValues:ArnEquals": {"events:TargetArn": mine},
        "Null": {"events:TargetArn": "false"},
    }
    events = user(aws, allow("events:PutTargets", resource=RULE, **condition))("events")

    def targets(*arns: str) -> Json:
        listed = [{"Id": str(number), "Arn": arn} for number, arn in enumerate(arns)]
        return {"Rule": "mine-1", "Targets": listed}

    assert is_allowed(events.put_targets, **targets(mine))
    assert not is_allowed(events.put_targets, **targets(another))
    assert not is_allowed(events.put_targets, **targets(mine, another))


@pytest.mark.parametrize(
    ("principal", "allowed"), [("events.amazonaws.com", True), ("s3.amazonaws.com", False)]
)
def test_add_permission_goes_by_the_principal_it_lets_in(
    aws: LocalAws, make_function: FunctionMaker, principal: str, allowed: bool
) -> None:
    arn = make_function("")
    condition = {"StringEquals": {"lambda:Principal": "events.amazonaws.com"}}
    client = user(aws, allow("lambda:AddPermission", resource=arn, **condition))("lambda")
    request = {
        "FunctionName": "function",
        "StatementId": "one",
        "Action": "lambda:InvokeFunction",
        "Principal": principal,
    }
    assert is_allowed(client.add_permission, **request) == allowed


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeStackEvents"])
def test_a_stack_is_described_by_whom_its_id_is_allowed(aws: LocalAws, operation: str) -> None:
    owner = aws.client("cloudformation")
    body = '{"Resources": {"Kept": {"Type": "AWS::SSM::Parameter", "Properties": '
    body += '{"Type": "String", "Value": "kept"}}}}'
    mine, another = (
        owner.create_stack(StackName=name, TemplateBody=body)["StackId"]
        for name in ("mine", "another")
    )
    client = user(aws, allow(f"cloudformation:{operation}", resource=mine))("cloudformation")
    method = (
        client.describe_stacks if operation == "DescribeStacks" else (client.describe_stack_events)
    )
    assert is_allowed(method, StackName=mine)
    assert not is_allowed(method, StackName=another)
