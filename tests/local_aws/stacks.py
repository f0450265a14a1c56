"""Stacks of custom resources whose function answers as its properties tell it."""

from __future__ import annotations

import json
from typing import Any

from tests.waiting import eventually

from local_aws import LocalAws

Json = dict[str, Any]
STACK = "tried"
LOG_GROUP = "/aws/lambda/function"

# No crhelper: what is tried is CloudFormation's side. "Answer" overrides members of a response to
# the request types listed in "On", which are all where it is left out.
SOURCE = """
import json, urllib.request
def handler(event, context):
    print(json.dumps(event))
    wanted = event["ResourceProperties"]
    answer = {
        "Status": "SUCCESS",
        "Reason": "as declared",
        "PhysicalResourceId": event.get("PhysicalResourceId", "resource"),
        "Data": {"Request": event["RequestType"]},
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    if event["RequestType"] in wanted.get("On", event["RequestType"]):
        answer.update(json.loads(wanted.get("Answer", "{}")))
    body = json.dumps(answer).encode()
    put = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    print(urllib.request.urlopen(put).status)
"""


def resource(arn: str, **properties: object) -> Json:
    """A custom resource; a property that is an object is sent as JSON text."""
    spelled = {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in properties.items()
    }
    return {"Type": "Custom::Tried", "Properties": {"ServiceToken": arn, **spelled}}


def template(outputs: Json | None = None, **resources: Json) -> str:
    """A template of resources by their logical ids."""
    body: Json = {"Resources": resources}
    if outputs:
        body["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    return json.dumps(body)


# Fails every request whose Value is the variable FAIL's; prints the stack's status with each.
SWITCHED = """
import json, os, urllib.request
import boto3
def handler(event, context):
    stacks = boto3.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
    print(json.dumps({**event, "Status": stacks[0]["StackStatus"]}))
    fails = event["ResourceProperties"].get("Value", "") == os.environ.get("FAIL")
    answer = {
        "Status": "FAILED" if fails else "SUCCESS",
        "Reason": "as ordered",
        "PhysicalResourceId": event.get("PhysicalResourceId", "made"),
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    put = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    urllib.request.urlopen(put)
"""
MAY_LOOK: list[Json] = [
    {
        "Effect": "Allow",
        "Action": ["logs:*", "cloudformation:DescribeStacks"],
        "Resource": "*",
    }
]


def fail(aws: LocalAws, value: str) -> None:
    """Let the function of ``SWITCHED`` fail every request with this value, and no other."""
    aws.client("lambda").update_function_configuration(
        FunctionName="function", Environment={"Variables": {"FAIL": value}}
    )


def create(aws: LocalAws, body: str, **options: object) -> str:
    """Create the stack; return the status it comes to rest in."""
    aws.client("cloudformation").create_stack(StackName=STACK, TemplateBody=body, **options)
    return settled(aws)


def update(aws: LocalAws, body: str, **options: object) -> str:
    """Update the stack; return the status it comes to rest in."""
    aws.client("cloudformation").update_stack(StackName=STACK, TemplateBody=body, **options)
    return settled(aws)


def settled(aws: LocalAws) -> str:
    """Return the stack's status once nothing is in progress; it may be gone by then."""

    def status() -> str:
        stacks = aws.client("cloudformation").list_stacks()["StackSummaries"]
        return next(str(item["StackStatus"]) for item in stacks if item["StackName"] == STACK)

    assert eventually(lambda: not status().endswith("IN_PROGRESS"))
    return status()


def described(aws: LocalAws) -> Json:
    """What DescribeStacks says of the stack."""
    stacks = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    found: Json = stacks[0]
    return found


def told(aws: LocalAws) -> list[tuple[str, str, str]]:
    """The stack's events, oldest first: logical id, status and reason."""
    events = aws.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    return [
        (
            event["LogicalResourceId"],
            event["ResourceStatus"],
            event.get("ResourceStatusReason", ""),
        )
        for event in reversed(events)
    ]


def events(aws: LocalAws, stack: str = STACK, **options: object) -> list[Json]:
    """The events of a stack as DescribeStackEvents tells them, newest first, one page."""
    found: list[Json] = aws.client("cloudformation").describe_stack_events(
        StackName=stack, **options
    )["StackEvents"]
    return found


def statuses(aws: LocalAws, logical_id: str, stack: str = STACK) -> list[str]:
    """The statuses that a stack's events tell of a resource, oldest first."""
    return [
        item["ResourceStatus"]
        for item in reversed(events(aws, stack))
        if item["LogicalResourceId"] == logical_id
    ]


def requests(aws: LocalAws) -> list[Json]:
    """The requests that the function received, oldest first."""
    logs = aws.client("logs")
    try:
        found = logs.filter_log_events(logGroupName=LOG_GROUP)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []  # It has not run yet.
    return [json.loads(item["message"]) for item in found if item["message"].startswith("{")]


def request_types(aws: LocalAws) -> list[str]:
    """The types of the requests that the function received."""
    return [request["RequestType"] for request in requests(aws)]
