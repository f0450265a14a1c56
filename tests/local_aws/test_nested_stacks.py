"""Nested stacks: their place, their statuses beside their root's, and how they are undone."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import (
    STACK,
    create,
    described,
    events,
    fail,
    requests,
    resource,
    statuses,
    template,
    update,
)

Json = dict[str, Any]
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
ROLLBACK = "UPDATE_ROLLBACK_IN_PROGRESS"

# Prints the statuses of the stack and of those above it, nearest first; fails as SWITCHED does.
SEEING = """
import json, os, urllib.request
import boto3
def handler(event, context):
    statuses, stack_id = [], event["StackId"]
    while stack_id:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
        statuses.append(stack["StackStatus"])
        stack_id = stack.get("ParentId")
    print(json.dumps({**event, "Statuses": statuses}))
    fails = event["ResourceProperties"].get("Value", "") == os.environ.get("FAIL")
    answer = {
        "Status": "FAILED" if fails else "SUCCESS",
        "Reason": "as ordered",
        "PhysicalResourceId": event["ResourceProperties"].get("Id", "made"),
        "Data": {"Value": event["ResourceProperties"].get("Value", "")},
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    put = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    urllib.request.urlopen(put)
"""
MAY_SEE: list[Json] = [
    {"Effect": "Allow", "Action": ["logs:*", "cloudformation:*"], "Resource": "*"}
]


@pytest.fixture
def arn(aws: LocalAws, make_function: FunctionMaker) -> str:
    aws.client("s3").create_bucket(Bucket="templates")
    return make_function(SEEING, Timeout=20, statements=MAY_SEE)


def nested(aws: LocalAws, body: str, *, after: str | None = None) -> Json:
    """A nested stack with this template, whose address depends on its content as CDK's does."""
    key = hashlib.sha256(body.encode()).hexdigest()
    aws.client("s3").put_object(Bucket="templates", Key=key, Body=body.encode())
    url = f"https://s3.us-east-1.amazonaws.com/templates/{key}"
    found: Json = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    return {**found, "DependsOn": [after]} if after else found


def broken(arn: str, after: str) -> Json:
    """A resource that can never be made."""
    return {**resource(f"{arn}-missing"), "DependsOn": [after]}


def nested_id(aws: LocalAws, logical_id: str = "Below", stack: str = STACK) -> str:
    """The id of a nested stack."""
    found = [
        item["PhysicalResourceId"]
        for item in events(aws, stack)
        if item["LogicalResourceId"] == logical_id and item["PhysicalResourceId"]
    ]
    return str(found[0])


def seen(aws: LocalAws, logical_id: str = "Tried") -> list[tuple[str, str, list[str]]]:
    """The requests to a resource: type, value, and the statuses from its stack to the root."""
    return [
        (item["RequestType"], item["ResourceProperties"].get("Value", ""), item["Statuses"])
        for item in requests(aws)
        if item["LogicalResourceId"] == logical_id
    ]


def test_a_nested_stack_names_the_stacks_above_it_and_gives_its_outputs(
    aws: LocalAws, arn: str
) -> None:
    leaf = template({"Value": {"Fn::GetAtt": ["Tried", "Value"]}}, Tried=resource(arn, Value="1"))
    middle = template(Lower=nested(aws, leaf))
    outputs = {"Found": {"Fn::GetAtt": ["Below", "Outputs.Value"]}}
    body = template(outputs, Below=nested(aws, leaf), Middle=nested(aws, middle))
    assert create(aws, body) == "CREATE_COMPLETE"
    root = described(aws)
    assert root["Outputs"][0]["OutputValue"] == "1"
    assert "ParentId" not in root
    client = aws.client("cloudformation")
    middle_id = nested_id(aws, "Middle")
    lower_id = nested_id(aws, "Lower", middle_id)
    (lower,) = client.describe_stacks(StackName=lower_id)["Stacks"]
    assert (lower["ParentId"], lower["RootId"]) == (middle_id, root["StackId"])
    assert statuses(aws, "Below") == ["CREATE_IN_PROGRESS"] * 2 + ["CREATE_COMPLETE"]
    below_id = nested_id(aws)
    name = below_id.split("/")[1]
    assert statuses(aws, name, below_id) == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    assert statuses(aws, "Tried", below_id)[-1] == "CREATE_COMPLETE"


def test_a_root_that_rolls_back_deletes_the_nested_stack_that_it_has_made(
    aws: LocalAws, arn: str
) -> None:
    assert create(aws, template(Kept=resource(arn))) == "CREATE_COMPLETE"
    leaf = template(Tried=resource(arn, Value="1"))
    body = template(Kept=resource(arn), Below=nested(aws, leaf), Last=broken(arn, "Below"))
    assert update(aws, body) == "UPDATE_ROLLBACK_COMPLETE"
    above = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    expected = [
        ("Create", "1", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"]),
        ("Delete", "1", ["DELETE_IN_PROGRESS", above]),
    ]
    assert eventually(lambda: seen(aws) == expected)


def test_a_stack_in_between_rolls_back_with_its_root(aws: LocalAws, arn: str) -> None:
    def body(value: str, *, breaks: bool = False) -> str:
        leaf = template(Tried=resource(arn, Value=value))
        last = {"Last": broken(arn, "Lower")} if breaks else {}
        return template(Middle=nested(aws, template(Lower=nested(aws, leaf), **last)))

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    assert update(aws, body("2", breaks=True)) == "UPDATE_ROLLBACK_COMPLETE"
    assert eventually(lambda: len(seen(aws)) == 3)
    assert seen(aws)[2] == ("Update", "1", [ROLLBACK] * 3)
    reasons = [
        item["ResourceStatusReason"]
        for item in events(aws)
        if (item["LogicalResourceId"], item["ResourceStatus"]) == ("Middle", "UPDATE_FAILED")
    ]
    assert len(reasons) == 1
    assert f"was not successfully updated. Currently in {ROLLBACK} with reason" in reasons[0]
    middle_id = nested_id(aws, "Middle")
    lower_id = nested_id(aws, "Lower", middle_id)
    whys = {
        item["ResourceStatus"]: item.get("ResourceStatusReason")
        for item in events(aws, lower_id)
        if item["PhysicalResourceId"] == lower_id
    }
    assert whys[ROLLBACK] == "Initiated by parent stack"


def test_a_parent_learns_of_a_failure_below_some_time_later(aws: LocalAws, arn: str) -> None:
    aws.configure(nested_failure_seconds=2)

    def body(value: str) -> str:
        return template(Below=nested(aws, template(Tried=resource(arn, Value=value))))

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    fail(aws, "2")
    assert update(aws, body("2")) == "UPDATE_ROLLBACK_COMPLETE"
    below_id = nested_id(aws)
    times = {
        (item["LogicalResourceId"], item["ResourceStatus"]): item["Timestamp"]
        for item in [*events(aws, below_id), *events(aws)]
    }
    begins = times[below_id.split("/")[1], ROLLBACK]
    assert 2 <= (times["Below", "UPDATE_FAILED"] - begins).total_seconds() < 3
    # Nothing is undone before the parent rolls back.
    assert seen(aws)[-1] == ("Update", "1", [ROLLBACK] * 2)


def test_a_nested_stack_whose_creation_fails_is_deleted_by_the_stack_above(
    aws: LocalAws, arn: str
) -> None:
    leaf = template(Tried=resource(arn, Value="1"), Last=broken(arn, "Tried"))
    assert create(aws, template(Below=nested(aws, leaf))) == "ROLLBACK_COMPLETE"
    below_id = nested_id(aws)
    name = below_id.split("/")[1]
    assert statuses(aws, name, below_id)[:3] == [
        *("CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_IN_PROGRESS"),
    ]
    expected = ("Delete", "1", ["DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
    assert eventually(lambda: seen(aws)[-1] == expected)


def test_a_nested_stack_can_roll_its_own_creation_back(aws: LocalAws, arn: str) -> None:
    aws.configure(nested_creation_rolls_back=True)
    leaf = template(Tried=resource(arn, Value="1"), Last=broken(arn, "Tried"))
    assert create(aws, template(Below=nested(aws, leaf))) == "ROLLBACK_COMPLETE"
    expected = ("Delete", "1", ["ROLLBACK_IN_PROGRESS", "CREATE_IN_PROGRESS"])
    assert eventually(lambda: seen(aws)[-1] == expected)


@pytest.mark.parametrize(
    ("undo", "ends", "last"),
    [
        ("rollback", "UPDATE_ROLLBACK_COMPLETE", [ROLLBACK, "UPDATE_IN_PROGRESS"]),
        ("update", "UPDATE_COMPLETE", ["UPDATE_IN_PROGRESS"] * 2),
        ("never", "UPDATE_FAILED", None),
    ],
)
def test_a_root_without_rollback_leaves_a_failed_nested_stack_as_was_chosen(
    aws: LocalAws, arn: str, undo: str, ends: str, last: list[str] | None
) -> None:
    aws.configure(nested_undo=undo, undo_of_failed_update="never")

    def body(value: str) -> str:
        tried = resource(arn, Value=value)
        other = {**resource(arn, Value=value), "DependsOn": ["First"]}
        return template(Below=nested(aws, template(First=tried, Tried=other)))

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    below_id = nested_id(aws)
    fail(aws, "2")

    # The first resource fails already, so only that one is sent back.
    assert update(aws, body("2"), DisableRollback=True) == "UPDATE_FAILED"
    client = aws.client("cloudformation")
    (below,) = client.describe_stacks(StackName=below_id)["Stacks"]
    assert below["StackStatus"] == ends
    if last is not None:
        assert eventually(lambda: seen(aws, "First")[-1] == ("Update", "1", last))
    assert statuses(aws, "Below")[-1] == "UPDATE_FAILED"
    fail(aws, "nothing")
    assert update(aws, body("3"), DisableRollback=True) == "UPDATE_COMPLETE"
    assert eventually(lambda: seen(aws)[-1][:2] == ("Update", "3"))


def test_rollback_stack_takes_the_nested_stacks_along(aws: LocalAws, arn: str) -> None:
    leaf = template(Tried=resource(arn, Value="1"))
    assert create(aws, template(Below=nested(aws, leaf))) == "CREATE_COMPLETE"
    below = nested(aws, template(Tried=resource(arn, Value="2")))
    body = template(Below=below, Last=broken(arn, "Below"))
    assert update(aws, body, DisableRollback=True) == "UPDATE_FAILED"
    assert statuses(aws, nested_id(aws).split("/")[1], nested_id(aws))[-1] == "UPDATE_COMPLETE"
    aws.client("cloudformation").rollback_stack(StackName=STACK)
    assert eventually(lambda: described(aws)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")
    assert eventually(lambda: seen(aws)[-1] == ("Update", "1", [ROLLBACK] * 2))


def test_a_cancelled_update_takes_the_nested_stacks_along(
    aws: LocalAws, arn: str, make_function: FunctionMaker
) -> None:
    silent = make_function(
        "def handler(event, context):\n    pass", name="silent", Timeout=20, statements=MAY_SEE
    )
    leaf = template(Tried=resource(arn, Value="1"))
    assert create(aws, template(Below=nested(aws, leaf))) == "CREATE_COMPLETE"
    below_id = nested_id(aws)
    waits = {**resource(silent, ServiceTimeout="2"), "DependsOn": ["Tried"]}
    leaf = template(Tried=resource(arn, Value="2"), Waits=waits)
    client = aws.client("cloudformation")
    client.update_stack(StackName=STACK, TemplateBody=template(Below=nested(aws, leaf)))
    assert eventually(lambda: "CREATE_IN_PROGRESS" in statuses(aws, "Waits", below_id))
    client.cancel_update_stack(StackName=STACK)
    assert eventually(lambda: described(aws)["StackStatus"].startswith("UPDATE_ROLLBACK_"))
    own = [item for item in events(aws) if item["ResourceStatus"] == ROLLBACK]
    assert own[-1]["ResourceStatusReason"] == "User Initiated"
    assert eventually(lambda: described(aws)["StackStatus"].endswith("ROLLBACK_COMPLETE"))
    assert statuses(aws, "Waits", below_id)[1] == "CREATE_FAILED"
    assert seen(aws)[-1][:2] == ("Update", "1")
