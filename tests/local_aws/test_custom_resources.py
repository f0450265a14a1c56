"""Custom resources of a CloudFormation stack, answered by a PUT over verified TLS."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker

# No crhelper: what is tried is CloudFormation's side.
SOURCE = """
import json, time, urllib.request
def handler(event, context):
    print(json.dumps(event))
    wanted = event["ResourceProperties"]
    if event["RequestType"] == "Delete" and "Always" not in wanted:
        wanted = {"Id": event["PhysicalResourceId"]}
    answer = {
        "Status": wanted.get("Status", "SUCCESS"),
        "Reason": "as declared",
        "PhysicalResourceId": wanted.get("Id", "resource"),
        "Data": {"Request": event["RequestType"]},
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    if "Silent" not in wanted:
        body = json.dumps(answer).encode()
        urllib.request.urlopen(
            urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
        )
    time.sleep(float(wanted.get("Linger", "0")))
    if "Raise" in wanted:
        raise ValueError("after the response")
"""


def template(arn: str, **properties: object) -> str:
    """Return a template with one custom resource, which outputs its Request attribute."""
    resource = {"Type": "Custom::Tried", "Properties": {"ServiceToken": arn, **properties}}
    output = {"Value": {"Fn::GetAtt": ["Tried", "Request"]}}
    return json.dumps({"Resources": {"Tried": resource}, "Outputs": {"Request": output}})


def settled(aws: LocalAws) -> dict[str, Any]:
    """Return the stack once nothing is in progress."""
    cloudformation = aws.client("cloudformation")

    def stack() -> dict[str, Any]:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName="tried")["Stacks"][0]
        return found

    assert eventually(lambda: not stack()["StackStatus"].endswith("IN_PROGRESS"))
    return stack()


def events(aws: LocalAws) -> list[dict[str, Any]]:
    """Return the events that the function logged, oldest first."""
    found = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/function")["events"]
    return [json.loads(item["message"]) for item in found if item["message"].startswith("{")]


def test_is_created_updated_and_deleted(aws: LocalAws, make_function: FunctionMaker) -> None:
    arn = make_function(SOURCE, Timeout=20)
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName="tried", TemplateBody=template(arn, Number=1))
    created = settled(aws)
    assert created["StackStatus"] == "CREATE_COMPLETE"
    assert created["Outputs"][0]["OutputValue"] == "Create"
    cloudformation.update_stack(StackName="tried", TemplateBody=template(arn, Number=2))
    assert settled(aws)["Outputs"][0]["OutputValue"] == "Update"
    cloudformation.delete_stack(StackName="tried")
    assert eventually(lambda: len(events(aws)) == 3)
    create, update, delete = events(aws)
    assert [event["RequestType"] for event in (create, update, delete)] == [
        "Create",
        "Update",
        "Delete",
    ]
    assert create["ResourceProperties"] == {"ServiceToken": arn, "Number": "1"}
    assert update["OldResourceProperties"] == create["ResourceProperties"]
    assert delete["PhysicalResourceId"] == update["PhysicalResourceId"] == "resource"
    assert create["ResponseURL"].startswith("https://127.0.0.1:")
    assert "X-Amz-Signature=" in create["ResponseURL"]


def test_fails_the_stack_with_the_reason_given(aws: LocalAws, make_function: FunctionMaker) -> None:
    arn = make_function(SOURCE, Timeout=20)
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName="tried", TemplateBody=template(arn, Status="FAILED"))
    assert settled(aws)["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloudformation.describe_stack_events(StackName="tried")["StackEvents"]
    ]
    assert any("Message returned: as declared" in reason for reason in reasons)


def test_does_not_wait_for_a_function_that_has_answered(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=90)
    began = time.monotonic()
    aws.client("cloudformation").create_stack(
        StackName="tried", TemplateBody=template(arn, Linger=80)
    )
    assert settled(aws)["StackStatus"] == "CREATE_COMPLETE"
    assert time.monotonic() - began < 80, "it waited for the function"


def test_gives_up_at_the_service_timeout_while_the_function_still_runs(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    began = time.monotonic()
    aws.client("cloudformation").create_stack(
        StackName="tried", TemplateBody=template(arn, Silent=1, Linger=10, ServiceTimeout=1)
    )
    assert settled(aws)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert time.monotonic() - began < 6


def test_tries_a_function_that_raised_again_after_one_and_two_minutes(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    aws.client("cloudformation").create_stack(
        StackName="tried", TemplateBody=template(arn, Raise=1)
    )
    assert settled(aws)["StackStatus"] == "CREATE_COMPLETE"
    assert eventually(lambda: len(events(aws)) == 3)
    assert len({event["RequestId"] for event in events(aws)}) == 1


def test_answers_other_stacks_and_calls_while_some_wait(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    cloudformation = aws.client("cloudformation")
    for number in range(3):
        cloudformation.create_stack(
            StackName=f"waiting-{number}", TemplateBody=template(arn, Silent=1, Linger=5)
        )
    cloudformation.create_stack(StackName="tried", TemplateBody=template(arn))
    assert settled(aws)["StackStatus"] == "CREATE_COMPLETE"
    began = time.monotonic()
    aws.reset()  # Lets those that wait go, and ends their functions.
    assert time.monotonic() - began < 5


def test_lets_nothing_that_was_under_way_survive_a_reset(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName="tried", TemplateBody=template(arn, Silent=1, Linger=10))
    time.sleep(0.5)  # Its function is running, and would be tried again in a "minute" and in two.
    aws.reset()
    make_function(SOURCE, Timeout=20)
    time.sleep(1.5)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []
    assert cloudformation.describe_stacks()["Stacks"] == []
