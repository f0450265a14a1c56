"""Sequences of events that were recorded on AWS come out of the local AWS.

Compared by role (the stack, its resources), status, whether there is a physical id, whether there
are properties, and whether a custom resource has the general type. The local AWS works on one
resource after another, so siblings that AWS works on at once are compared one by one, between two
events of their stack.
"""

from __future__ import annotations

import json
from itertools import groupby, pairwise
from typing import Any

import pytest
from tests.recordings import Event, load
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import SOURCE, STACK, create, described, events, fail, resource, template, update
from .test_nested_stacks import MAY_SEE, SEEING, nested, nested_id

Json = dict[str, Any]
Row = tuple[str, str, bool, bool, bool]
Phases = list[tuple[str, dict[str, list[Row]]]]
CUSTOM = "AWS::CloudFormation::CustomResource"


@pytest.fixture
def arn(aws: LocalAws, make_function: FunctionMaker) -> str:
    """The function of the custom resources, and a bucket for templates."""
    aws.client("s3").create_bucket(Bucket="templates")
    return make_function(SEEING, Timeout=20, statements=MAY_SEE)


def phases(rows: list[Row], stack: str) -> Phases:
    """A stack's events from each of its own events to the next, by role."""
    found: Phases = []
    for row in rows:
        if row[0] == stack:
            found.append((row[1], {}))
        elif found:
            found[-1][1].setdefault(row[0], []).append(row)
    return found


def recorded(name: str, stack: str = "root") -> Phases:
    """What was recorded of a stack."""
    return phases([_row(event) for event in load(name).of_stack(stack)], stack)


def _row(event: Event) -> Row:
    has = (bool(event.physical_id), bool(event.properties))
    return (event.logical_id, event.status, *has, event.type == CUSTOM)


def told(aws: LocalAws, stack: str = STACK, since: int = 0, name: str = "root") -> Phases:
    """What the local AWS tells of a stack after its first events.

    Args:
        aws: The local AWS.
        stack: The stack's name or id.
        since: How many events to leave out.
        name: What the stack is called in the recording.
    """
    found = list(reversed(events(aws, stack)))
    own = found[0]["LogicalResourceId"]
    rows: list[Row] = [
        (
            name if item["LogicalResourceId"] == own else item["LogicalResourceId"],
            item["ResourceStatus"],
            bool(item["PhysicalResourceId"]),
            "ResourceProperties" in item,
            item["ResourceType"] == CUSTOM,
        )
        for item in found[since:]
    ]
    return phases(rows, name)


def test_an_update_of_a_nested_stack_fails_and_rolls_back(aws: LocalAws, arn: str) -> None:
    def body(value: str) -> str:
        other = nested(aws, template(Other=resource(arn, Value=f"other-{value}")))
        auth = nested(aws, template(UserPool=resource(arn, Value=value)), after="MyCustomResources")
        return template(MyCustomResources=other, auth=auth)

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    auth = nested_id(aws, "auth")
    since = len(events(aws)), len(events(aws, auth))
    fail(aws, "2")
    assert update(aws, body("2")) == "UPDATE_ROLLBACK_COMPLETE"
    name = "nested-update-fails-and-rolls-back"
    assert told(aws, since=since[0]) == recorded(name)
    assert told(aws, auth, since[1], "auth") == recorded(name, "auth")
    # What the two stacks say of themselves is in the recorded order, too.
    times = {
        (stack, item["ResourceStatus"]): item["Timestamp"]
        for stack, place, count in (("root", STACK, since[0]), ("auth", auth, since[1]))
        for item in list(reversed(events(aws, place)))[count:]
        if item["PhysicalResourceId"] == item["StackId"]
    }
    own = [(event.stack, event.status) for event in load(name).events if event.is_of_stack]
    assert set(times) == set(own)
    assert all(times[first] <= times[then] for first, then in pairwise(own))


def test_a_nested_update_is_cleaned_up(aws: LocalAws, arn: str) -> None:
    def leaf(value: str) -> Json:
        return nested(aws, template(Leaf=resource(arn, Value=value)))

    def body(value: str) -> str:
        below = {name: leaf(value + name) for name in ("tables", "person", "post", "connection")}
        data = nested(aws, template(**below))
        return template(auth=leaf(value), MyCustomResources=leaf(f"other-{value}"), data=data)

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    data = nested_id(aws, "data")
    since = len(events(aws)), len(events(aws, data))
    assert update(aws, body("2")) == "UPDATE_COMPLETE"
    name = "nested-update-with-cleanup"
    assert told(aws, since=since[0]) == recorded(name)
    assert told(aws, data, since[1], "data") == recorded(name, "data")


def test_a_nested_update_removes_nested_stacks(aws: LocalAws, arn: str) -> None:
    def leaf(value: str) -> Json:
        return nested(aws, template(Leaf=resource(arn, Value=value)))

    def body(value: str, **more: Json) -> str:
        below = {name: leaf(value + name) for name in ("tables", "person", "post", "connection")}
        data = nested(aws, template(**below))
        other = leaf(f"other-{value}")
        return template(auth=leaf(value), MyCustomResources=other, data=data, **more)

    buckets = {name: resource(arn) for name in ("BucketNotifications", "BucketAutoDelete")}
    gone = {"storage": nested(aws, template(**buckets)), "function": leaf("function")}
    assert create(aws, body("1", **gone)) == "CREATE_COMPLETE"
    ids = {name: nested_id(aws, name) for name in ("data", "storage")}
    since = {name: len(events(aws, stack)) for name, stack in [("root", STACK), *ids.items()]}
    assert update(aws, body("2")) == "UPDATE_COMPLETE"
    name = "nested-update-removes-resources-cleanup"
    assert told(aws, since=since["root"]) == recorded(name)
    for below, stack_id in ids.items():
        assert told(aws, stack_id, since[below], below) == recorded(name, below)


def test_a_creation_fails_and_is_deleted(aws: LocalAws, make_function: FunctionMaker) -> None:
    arn = make_function(SOURCE, Timeout=20)
    grant = resource(arn, On="Create", Answer={"Status": "FAILED"})
    grant["DependsOn"] = ["AuthApplication"]
    body = template(AuthApplication=resource(arn), AuthGrant=grant)
    client = aws.client("cloudformation")
    stack_id = client.create_stack(StackName=STACK, TemplateBody=body, OnFailure="DELETE")[
        "StackId"
    ]
    assert eventually(lambda: told(aws, stack_id)[-1][0] == "DELETE_COMPLETE")
    assert told(aws, stack_id) == recorded("create-fails-on-failure-delete")


@pytest.mark.parametrize("on_failure", ["rollback", "do-nothing", "delete"])
def test_a_creation_fails_in_three_ways(
    aws: LocalAws, make_function: FunctionMaker, on_failure: str
) -> None:
    fails = resource(make_function(SOURCE, Timeout=20), On="Create", Answer={"Status": "FAILED"})
    made = aws.client("cloudformation").create_stack(
        StackName=STACK,
        TemplateBody=template(ECRRepo=fails),
        OnFailure=on_failure.upper().replace("-", "_"),
    )
    name = f"ansible-on-create-failure-{on_failure}"
    assert eventually(lambda: len(told(aws, made["StackId"])) == len(recorded(name)))
    assert eventually(lambda: told(aws, made["StackId"]) == recorded(name))
    reasons = [
        item.get("ResourceStatusReason", "")
        for item in reversed(events(aws, made["StackId"]))
        if item["LogicalResourceId"] == STACK
    ]
    assert reasons == [event.reason for event in load(name).events if event.is_of_stack]


def test_an_update_adds_resources_one_of_which_fails(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    kept = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    assert create(aws, template(Kept=kept)) == "CREATE_COMPLETE"
    grant = resource(arn, On="Create", Answer={"Status": "FAILED"})
    grant["DependsOn"] = ["AuthApplication"]
    body = template(Kept=kept, AuthApplication=resource(arn), AuthGrant=grant)
    assert update(aws, body) == "UPDATE_ROLLBACK_COMPLETE"
    found = told(aws)
    found[0][1].pop("Kept")  # A stack cannot be empty here.
    assert found == recorded("update-adds-resource-create-fails-rollback")


def test_an_update_replaces_a_resource(aws: LocalAws, arn: str) -> None:
    assert create(aws, template(MyQueue=resource(arn, Id="one"))) == "CREATE_COMPLETE"
    assert update(aws, template(MyQueue=resource(arn, Id="two"))) == "UPDATE_COMPLETE"
    ids = {"one": "id-1", "two": "id-2"}
    found = [
        (item["ResourceStatus"], ids.get(item["PhysicalResourceId"], ""))
        for item in reversed(events(aws))
        if item["LogicalResourceId"] == "MyQueue"
    ]
    # The recording has the last event of each status.
    last = [list(group)[-1] for _, group in groupby(found, key=lambda item: item[0])]
    assert last == [(event.status, event.physical_id) for event in load("replacement-order").events]


def test_an_update_is_answered_with_another_physical_id(aws: LocalAws, arn: str) -> None:
    assert create(aws, template(Resource=resource(arn, Id="one"))) == "CREATE_COMPLETE"
    since = len(events(aws))
    assert update(aws, template(Resource=resource(arn, Id="two"))) == "UPDATE_COMPLETE"
    ids = {"one": "id-1", "two": "id-2"}
    found = [
        (item["ResourceStatus"], ids[item["PhysicalResourceId"]], item.get("ResourceStatusReason"))
        for item in list(reversed(events(aws)))[since:]
        if item["LogicalResourceId"] == "Resource" and item["ResourceStatus"].startswith("UPDATE")
    ]
    expected = load("update-answers-another-physical-id").events
    assert found == [(event.status, event.physical_id, event.reason or None) for event in expected]


def test_the_properties_of_a_deleted_stacks_resources_are_told(aws: LocalAws, arn: str) -> None:
    # Unlike those of a cleanup.
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    stack_id = described(aws)["StackId"]
    aws.client("cloudformation").delete_stack(StackName=STACK)
    assert eventually(lambda: events(aws, stack_id)[0]["ResourceStatus"] == "DELETE_COMPLETE")
    of_resource = [item for item in events(aws, stack_id) if item["LogicalResourceId"] == "Tried"]
    begins = next(item for item in of_resource if item["ResourceStatus"] == "DELETE_IN_PROGRESS")
    assert json.loads(begins["ResourceProperties"])["Value"] == "1"
    assert begins["ResourceType"] == "Custom::Tried"
