"""The model of CloudFormation's stacks answers like AWS's API, with events in order."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from loopback.aws import OF_AN_ANCESTOR
from loopback.cloudformation import STACK_TYPE, Stack
from loopback.world import LOGICAL_ID, World


@pytest.fixture(autouse=True)
def _busy(world: World) -> None:
    """Fill more than two pages of events, the last one now."""
    world.cloudformation.event_page_size = 10
    for number in range(25):
        world.stack.enter("UPDATE_IN_PROGRESS", world.clock.now - 4 + number / 10)


def events(stack: Stack) -> list[dict[str, Any]]:
    client = boto3.client("cloudformation")
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack.arn)
    return [event for page in pages for event in page["StackEvents"]]


def test_events_come_newest_first_and_page_by_page(world: World) -> None:
    world.run(60)

    told = events(world.stack)
    assert told == sorted(told, key=lambda event: event["Timestamp"], reverse=True)
    assert len({event["EventId"] for event in told}) == len(told) == len(world.stack.events)
    assert told[-1]["ResourceStatus"] == "CREATE_IN_PROGRESS"
    assert len(list(world.journal.calls("DescribeStackEvents"))) == 3


def test_an_event_that_comes_between_two_pages_shifts_none(world: World) -> None:
    world.run(60)
    client = boto3.client("cloudformation")
    before = events(world.stack)
    first = client.describe_stack_events(StackName=world.stack.arn)
    world.stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    world.run(60)
    token = first["NextToken"]
    second = client.describe_stack_events(StackName=world.stack.arn, NextToken=token)

    assert [*first["StackEvents"], *second["StackEvents"]] == before[:20]


def test_an_event_shows_a_few_seconds_late(world: World) -> None:
    world.run(60)
    world.request("Update")
    assert events(world.stack)[0]["ResourceType"] == STACK_TYPE

    world.run(world.stack.event_lag)
    newest = events(world.stack)[0]
    assert newest["LogicalResourceId"] == LOGICAL_ID
    assert newest["ResourceStatus"] == "UPDATE_IN_PROGRESS"
    assert '"shadow": "Promote"' in newest["ResourceProperties"]


@pytest.fixture
def root(world: World) -> Stack:
    """The root of a stack that is nested two deep."""
    root = world.cloudformation.new_stack("root")
    world.stack.parent = world.cloudformation.new_stack("middle", root)
    return root


def test_a_nested_stack_names_its_parent_and_its_root(world: World, root: Stack) -> None:
    client = boto3.client("cloudformation")
    [stack] = client.describe_stacks(StackName=world.stack.arn)["Stacks"]
    [parent] = client.describe_stacks(StackName=stack["ParentId"])["Stacks"]
    [top] = client.describe_stacks(StackName=stack["RootId"])["Stacks"]

    assert parent["ParentId"] == top["StackId"] == root.arn
    assert "ParentId" not in top
    names = [call.name for call in world.journal.calls()]
    assert names == ["DescribeStacks"] + 2 * ["DescribeStacks" + OF_AN_ANCESTOR]


@pytest.mark.usefixtures("root")
def test_a_fault_of_an_ancestor_leaves_the_stack_itself_alone(world: World) -> None:
    world.fail("DescribeStacks" + OF_AN_ANCESTOR, "denied")
    client = boto3.client("cloudformation")
    [stack] = client.describe_stacks(StackName=world.stack.arn)["Stacks"]

    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.describe_stacks(StackName=stack["ParentId"])
