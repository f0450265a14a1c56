"""Events of stacks and resources, as DescribeStackEvents tells them."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from tests.recordings import load
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import (
    MAY_LOOK,
    SOURCE,
    STACK,
    SWITCHED,
    create,
    described,
    events,
    fail,
    requests,
    resource,
    settled,
    statuses,
    template,
    told,
    update,
)


def test_a_creation_tells_of_the_resource_before_its_function_is_called(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    silent = make_function("def handler(event, context):\n    print('{}')", Timeout=20)
    body = template(Tried=resource(silent, Value="1", ServiceTimeout="1"))
    aws.client("cloudformation").create_stack(StackName=STACK, TemplateBody=body)
    assert eventually(lambda: bool(requests(aws)))
    newest = events(aws)[0]
    assert (newest["LogicalResourceId"], newest["ResourceStatus"]) == (
        "Tried",
        "CREATE_IN_PROGRESS",
    )
    assert json.loads(newest["ResourceProperties"])["Value"] == "1"
    assert newest["PhysicalResourceId"] == ""
    assert settled(aws) == "ROLLBACK_FAILED"  # Nor does it answer the Delete.


def test_a_creation_has_the_events_that_aws_writes_newest_first(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    stack_id = described(aws)["StackId"]
    found = [
        (item["LogicalResourceId"], item["ResourceStatus"], item["PhysicalResourceId"])
        for item in events(aws)
    ]
    assert found == [
        (STACK, "CREATE_COMPLETE", stack_id),
        ("Tried", "CREATE_COMPLETE", "resource"),
        ("Tried", "CREATE_IN_PROGRESS", "resource"),
        ("Tried", "CREATE_IN_PROGRESS", ""),
        (STACK, "CREATE_IN_PROGRESS", stack_id),
    ]
    assert ("Tried", "CREATE_IN_PROGRESS", "Resource creation Initiated") in told(aws)


def test_an_update_is_silent_of_what_it_leaves_and_creates_what_it_adds(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    kept, changed = resource(arn), resource(arn, Value="1")
    assert create(aws, template(Kept=kept, Changed=changed)) == "CREATE_COMPLETE"
    changed = resource(arn, Value="2")
    body = template(Kept=kept, Changed=changed, Added=resource(arn))
    assert update(aws, body) == "UPDATE_COMPLETE"
    assert statuses(aws, "Kept") == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    assert statuses(aws, "Changed")[3:] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    assert statuses(aws, "Added")[-1] == "CREATE_COMPLETE"
    assert statuses(aws, STACK)[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]


def test_each_event_has_the_properties_of_its_own_operation(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SWITCHED, Timeout=20, statements=MAY_LOOK)
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    fail(aws, "2")
    assert update(aws, template(Tried=resource(arn, Value="2"))) == "UPDATE_ROLLBACK_COMPLETE"
    found = [
        (item["ResourceStatus"], json.loads(item["ResourceProperties"])["Value"])
        for item in reversed(events(aws))
        if item["LogicalResourceId"] == "Tried"
    ]
    assert found[3:] == [
        ("UPDATE_IN_PROGRESS", "2"),
        ("UPDATE_FAILED", "2"),
        ("UPDATE_IN_PROGRESS", "1"),
        ("UPDATE_COMPLETE", "1"),
    ]
    assert all("ResourceProperties" not in item for item in events(aws, STACK)[-1:])
    failed = next(item for item in events(aws) if item["ResourceStatus"] == "UPDATE_FAILED")
    assert failed["PhysicalResourceId"] == "made"


def test_a_page_goes_on_where_the_last_one_ended_whatever_happens_in_between(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    aws.configure(events_page_size=2)
    assert create(aws, template(Tried=resource(arn))) == "CREATE_COMPLETE"
    client = aws.client("cloudformation")
    first = client.describe_stack_events(StackName=STACK)
    assert len(first["StackEvents"]) == 2
    assert update(aws, template(Tried=resource(arn, Value="2"))) == "UPDATE_COMPLETE"
    second = client.describe_stack_events(StackName=STACK, NextToken=first["NextToken"])
    third = client.describe_stack_events(StackName=STACK, NextToken=second["NextToken"])
    found = [item["EventId"] for page in (first, second, third) for item in page["StackEvents"]]
    assert len(set(found)) == 5
    assert "NextToken" not in third
    with pytest.raises(ClientError, match="Invalid NextToken"):
        client.describe_stack_events(StackName=STACK, NextToken="of another stack")


def test_events_can_be_seen_late(aws: LocalAws, make_function: FunctionMaker) -> None:
    arn = make_function(SOURCE, Timeout=20)
    aws.configure(events_delay_seconds=60)
    assert create(aws, template(Tried=resource(arn))) == "CREATE_COMPLETE"
    assert not events(aws)


def test_a_hook_can_write_events_of_a_resource_without_properties(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    recorded = load("hook-events").events
    aws.configure(hook_type=recorded[0].hook)
    arn = make_function(SOURCE, Timeout=20)
    assert create(aws, template(Tried=resource(arn))) == "CREATE_COMPLETE"
    found = [
        (item["ResourceStatus"], item["PhysicalResourceId"], "ResourceProperties" in item)
        for item in reversed(events(aws))
        if item.get("HookType") == recorded[0].hook
    ]
    assert found == [
        (event.status, event.physical_id, bool(event.properties)) for event in recorded
    ]
    hooks = [item.get("HookStatus") for item in reversed(events(aws))]
    assert hooks[1:4] == ["HOOK_IN_PROGRESS", "HOOK_COMPLETE_SUCCEEDED", None]


def test_a_stack_can_say_that_it_is_configured_before_it_is_complete(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    aws.configure(detailed_status=True)
    arn = make_function(SOURCE, Timeout=20)
    group = {"Type": "AWS::Logs::LogGroup"}
    assert create(aws, template(Tried=resource(arn), Group=group)) == "CREATE_COMPLETE"
    configured = [
        (item["LogicalResourceId"], item["ResourceStatus"])
        for item in events(aws)
        if item.get("DetailedStatus") == "CONFIGURATION_COMPLETE"
    ]
    assert configured == [(STACK, "CREATE_IN_PROGRESS"), ("Group", "CREATE_IN_PROGRESS")]
    assert update(aws, template(Tried=resource(arn, Value="2"))) == "UPDATE_COMPLETE"
    told_of = [(item["ResourceStatus"], item.get("DetailedStatus")) for item in events(aws)]
    cleanup = told_of.index(("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None))
    assert told_of[cleanup + 1] == ("UPDATE_IN_PROGRESS", "CONFIGURATION_COMPLETE")


def test_a_cleanup_that_could_not_delete_everything_says_so(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    kept = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    gone = resource(arn, On="Delete", Answer={"Status": "FAILED"})
    assert create(aws, template(Kept=kept, Gone=gone)) == "CREATE_COMPLETE"
    assert update(aws, template(Kept=kept)) == "UPDATE_COMPLETE"
    recorded = load("cleanup-delete-is-abandoned").events[-1]
    assert told(aws)[-1] == (STACK, recorded.status, recorded.reason)
