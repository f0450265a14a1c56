"""The model of CloudFormation's stacks answers like AWS's API, with events in order."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from loopback.aws import OF_AN_ANCESTOR
from loopback.cloudformation import STACK_TYPE
from loopback.world import LOGICAL_ID, World

from .past import status_of
from .scenarios import CORE, MORE, Scenario, learn, named, set_up


def events(world: World) -> list[dict[str, Any]]:
    client = boto3.client("cloudformation")
    pages = client.get_paginator("describe_stack_events").paginate(StackName=world.stack.arn)
    return [event for page in pages for event in page["StackEvents"]]


def situation(world: World, name: str) -> Scenario:
    scenario = named(name)
    set_up(world, scenario)
    return scenario


def test_events_come_newest_first_and_page_by_page(world: World) -> None:
    situation(world, "update")
    world.run(60)

    told = events(world)
    assert [event["ResourceStatus"] for event in told if event["LogicalResourceId"] == "fraud"] == [
        "UPDATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "CREATE_IN_PROGRESS",
    ]
    assert told == sorted(told, key=lambda event: event["Timestamp"], reverse=True)
    assert len({event["EventId"] for event in told}) == len(told)
    assert len(list(world.journal.calls("DescribeStackEvents"))) > 1


def test_an_event_that_comes_between_two_pages_shifts_none(world: World) -> None:
    situation(world, "update")
    world.run(60)
    client = boto3.client("cloudformation")
    before = events(world)
    first = client.describe_stack_events(StackName=world.stack.arn)
    world.stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    world.run(60)
    second = client.describe_stack_events(StackName=world.stack.arn, NextToken=first["NextToken"])

    assert [*first["StackEvents"], *second["StackEvents"]] == before[:10]


def test_an_event_shows_a_few_seconds_late(world: World) -> None:
    situation(world, "update")
    assert events(world)[0]["ResourceStatus"] == "UPDATE_IN_PROGRESS"
    assert events(world)[0]["ResourceType"] == STACK_TYPE

    world.run(world.stack.event_lag)
    newest = events(world)[0]
    assert (newest["LogicalResourceId"], newest["ResourceStatus"]) == (
        LOGICAL_ID,
        "UPDATE_IN_PROGRESS",
    )
    assert '"shadow": "Promote"' in newest["ResourceProperties"]


def test_an_answer_becomes_an_event_of_the_resource(world: World) -> None:
    world.experiment("Running")
    world.deliver(world.request("Create"))
    world.run(60)

    statuses = [e["ResourceStatus"] for e in events(world) if e["LogicalResourceId"] == LOGICAL_ID]
    assert statuses == ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"]


def test_a_nested_stack_names_its_parent_and_its_root(world: World) -> None:
    situation(world, "nested update in a stack in between")
    client = boto3.client("cloudformation")
    [stack] = client.describe_stacks(StackName=world.stack.arn)["Stacks"]
    [parent] = client.describe_stacks(StackName=stack["ParentId"])["Stacks"]
    [root] = client.describe_stacks(StackName=stack["RootId"])["Stacks"]

    assert parent["ParentId"] == root["StackId"]
    assert "ParentId" not in root
    names = [call.name for call in world.journal.calls()]
    assert names == ["DescribeStacks"] + 2 * ["DescribeStacks" + OF_AN_ANCESTOR]


def test_a_fault_of_an_ancestor_leaves_the_stack_itself_alone(world: World) -> None:
    situation(world, "nested update")
    world.fail("DescribeStacks" + OF_AN_ANCESTOR, "denied")
    client = boto3.client("cloudformation")
    [stack] = client.describe_stacks(StackName=world.stack.arn)["Stacks"]

    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.describe_stacks(StackName=stack["ParentId"])


def test_the_date_of_a_request_is_a_whole_second_and_not_later_than_it(world: World) -> None:
    world.run(0.7)
    world.request("Update")
    asked = world.cloudformation.asked["request-1"]
    assert asked.issued_at == int(asked.issued_at) <= world.clock.now


def test_a_request_that_is_delivered_late_is_older_than_what_followed_it(world: World) -> None:
    situation(world, "update that is delivered late")
    sent_at = world.cloudformation.asked["request-1"].issued_at
    later = [event.status for event in world.stack.events if event.at > sent_at + 60]
    assert later[-1] == "UPDATE_IN_PROGRESS"
    assert "UPDATE_ROLLBACK_IN_PROGRESS" in later


@pytest.mark.parametrize("scenario", CORE + MORE, ids=lambda scenario: scenario.name)
def test_a_past_ends_with_the_status_that_the_stack_has(world: World, scenario: Scenario) -> None:
    learn(scenario)
    set_up(world, scenario)
    assert world.stack.status == status_of(scenario.past)
    times = [event.at for event in world.stack.events]
    assert times == sorted(times)
    assert times[-1] <= world.clock.now


def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.name for scenario in CORE + MORE]
    assert len(names) == len(set(names))
