"""Operations that are called off while a custom resource is in flight."""

from __future__ import annotations

import pytest
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import STACK, create, request_types, requests, resource, settled, template, told

# Prints what it received; answers a slow Create late and a slow Update never.
SLOW = """
import json, time, urllib.request
def handler(event, context):
    print(json.dumps(event))
    slow = "Slow" in event["ResourceProperties"]
    if slow and event["RequestType"] == "Update":
        return
    if slow and event["RequestType"] == "Create":
        time.sleep(2)
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": event.get("PhysicalResourceId", "made"),
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    put = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    urllib.request.urlopen(put)
"""


def is_in_flight(aws: LocalAws, status: str) -> bool:
    """Whether the custom resource waits for its function."""
    return any((name, what) == ("Tried", status) for name, what, _ in told(aws))


@pytest.mark.parametrize("on_failure", ["ROLLBACK", "DO_NOTHING"])
def test_deleting_a_stack_in_creation_deletes_the_resource_in_flight_by_an_invented_id(
    aws: LocalAws, make_function: FunctionMaker, on_failure: str
) -> None:
    arn = make_function(SLOW, Timeout=20)
    cloudformation = aws.client("cloudformation")
    slow = resource(arn, Slow="1")
    slow["DependsOn"] = ["Made"]
    body = template(Made=resource(arn), Tried=slow)
    stack_id = cloudformation.create_stack(
        StackName=STACK, TemplateBody=body, OnFailure=on_failure
    )["StackId"]
    assert eventually(lambda: is_in_flight(aws, "CREATE_IN_PROGRESS"))
    cloudformation.delete_stack(StackName=STACK)

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])

    assert eventually(lambda: status() == "DELETE_COMPLETE")
    assert eventually(lambda: len(requests(aws)) == 4)
    deleted = [item for item in requests(aws) if item["RequestType"] == "Delete"]
    assert {item["LogicalResourceId"] for item in deleted} == {"Made", "Tried"}
    tried = next(item for item in deleted if item["LogicalResourceId"] == "Tried")
    assert tried["PhysicalResourceId"].startswith(f"{STACK}-Tried-")


def test_a_cancelled_update_does_not_wait_for_the_resource_in_flight(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SLOW, Timeout=20)
    assert create(aws, template(Tried=resource(arn))) == "CREATE_COMPLETE"
    cloudformation = aws.client("cloudformation")
    body = template(Tried=resource(arn, Slow="1"))
    cloudformation.update_stack(StackName=STACK, TemplateBody=body)
    assert eventually(lambda: is_in_flight(aws, "UPDATE_IN_PROGRESS"))
    cloudformation.cancel_update_stack(StackName=STACK)
    assert settled(aws) == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Tried", "UPDATE_FAILED", "Resource update cancelled") in told(aws)
    assert (STACK, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated") in told(aws)
    assert eventually(lambda: request_types(aws) == ["Create", "Update", "Update"])
