"""Operations without rollback, what comes after them, and creations that are deleted."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import (
    MAY_LOOK,
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
    update,
)

Json = dict[str, Any]
Seen = tuple[str, str | None, str | None, str]


@pytest.fixture
def arn(aws: LocalAws, make_function: FunctionMaker) -> str:
    return make_function(SWITCHED, Timeout=20, statements=MAY_LOOK)


def seen(aws: LocalAws) -> list[Seen]:
    """Each request: its type, its value, the old value, and the stack's status meanwhile."""
    return [
        (
            item["RequestType"],
            item["ResourceProperties"].get("Value"),
            item.get("OldResourceProperties", {}).get("Value"),
            item["Status"],
        )
        for item in requests(aws)
    ]


def fails_from_1_to_2(aws: LocalAws, arn: str) -> None:
    """A stack whose resource did not get from 1 to 2, without rollback."""
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    fail(aws, "2")
    body = template(Tried=resource(arn, Value="2"))
    assert update(aws, body, DisableRollback=True) == "UPDATE_FAILED"


@pytest.mark.parametrize(
    ("undo", "delivered"),
    [
        ("in_update", [("Update", "1", "2", "UPDATE_IN_PROGRESS")]),
        ("after_update", [("Update", "1", "2", "UPDATE_FAILED")]),
        ("never", []),
    ],
)
def test_a_failed_update_is_undone_in_the_chosen_way_and_stays_failed(
    aws: LocalAws, arn: str, undo: str, delivered: list[Seen]
) -> None:
    aws.configure(undo_of_failed_update=undo)
    fails_from_1_to_2(aws, arn)
    expected = [
        ("Create", "1", None, "CREATE_IN_PROGRESS"),
        ("Update", "2", "1", "UPDATE_IN_PROGRESS"),
        *delivered,
    ]
    assert eventually(lambda: seen(aws) == expected)
    assert statuses(aws, "Tried")[3:] == ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"]
    assert statuses(aws, STACK)[2:] == ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"]
    reason = "The following resource(s) failed to update: [Tried]."
    assert described(aws)["StackStatusReason"] == reason
    (left,) = aws.client("cloudformation").describe_stack_resources(StackName=STACK)[
        "StackResources"
    ]
    assert left["ResourceStatus"] == "UPDATE_FAILED"


@pytest.mark.parametrize(("choice", "old"), [("stable", "1"), ("failed", "2")])
@pytest.mark.parametrize("value", ["1", "3"])
def test_the_next_update_tries_again_whatever_it_declares(
    aws: LocalAws, arn: str, choice: str, old: str, value: str
) -> None:
    aws.configure(old_properties_after_failure=choice)
    fails_from_1_to_2(aws, arn)
    fail(aws, "nothing")
    body = template(Tried=resource(arn, Value=value))
    assert update(aws, body, DisableRollback=True) == "UPDATE_COMPLETE"
    assert eventually(lambda: seen(aws)[-1] == ("Update", value, old, "UPDATE_IN_PROGRESS"))
    assert update(aws, template(Tried=resource(arn, Value="4"))) == "UPDATE_COMPLETE"
    assert eventually(lambda: seen(aws)[-1] == ("Update", "4", value, "UPDATE_IN_PROGRESS"))


@pytest.mark.parametrize("value", ["1", "2"])
def test_a_change_set_tries_again_whatever_it_declares(aws: LocalAws, arn: str, value: str) -> None:
    fails_from_1_to_2(aws, arn)
    fail(aws, "nothing")
    client = aws.client("cloudformation")
    body = template(Tried=resource(arn, Value=value))
    client.create_change_set(StackName=STACK, ChangeSetName="again", TemplateBody=body)
    with pytest.raises(ClientError, match="please use the disable-rollback parameter"):
        client.execute_change_set(StackName=STACK, ChangeSetName="again")
    client.execute_change_set(StackName=STACK, ChangeSetName="again", DisableRollback=True)
    assert eventually(lambda: settled(aws) == "UPDATE_COMPLETE")
    assert eventually(lambda: seen(aws)[-1][:2] == ("Update", value))


@pytest.mark.parametrize(("undo", "choice"), [("in_update", "stable"), ("never", "failed")])
def test_rollback_stack_goes_back_to_before_the_first_of_two_failures(
    aws: LocalAws, arn: str, undo: str, choice: str
) -> None:
    aws.configure(undo_of_failed_update=undo, old_properties_after_failure=choice)
    first = resource(arn, Value="a")
    second = {**resource(arn, Value="1"), "DependsOn": ["First"]}
    assert create(aws, template(First=first, Tried=second)) == "CREATE_COMPLETE"
    fail(aws, "2")
    for value in ("b", "c"):
        second = {**resource(arn, Value="2"), "DependsOn": ["First"]}
        body = template(First=resource(arn, Value=value), Tried=second)
        assert update(aws, body, DisableRollback=True) == "UPDATE_FAILED"
    fail(aws, "nothing")
    before = len(requests(aws))
    aws.client("cloudformation").rollback_stack(StackName=STACK)
    assert settled(aws) == "UPDATE_ROLLBACK_COMPLETE"
    under = "UPDATE_ROLLBACK_IN_PROGRESS"
    expected = [("Update", "a", "c", under)]
    if undo == "never":
        expected.append(("Update", "1", "2", under))
    assert eventually(lambda: seen(aws)[before:] == expected)
    assert update(aws, template(First=resource(arn, Value="a"))) == "UPDATE_COMPLETE"


def test_what_never_was_stable_is_deleted_by_the_next_update_and_made_anew(
    aws: LocalAws, arn: str
) -> None:
    kept = resource(arn, Value="1")
    assert create(aws, template(Kept=kept)) == "CREATE_COMPLETE"
    fail(aws, "2")
    body = template(Kept=kept, Added=resource(arn, Value="2"))
    assert update(aws, body, DisableRollback=True) == "UPDATE_FAILED"
    assert statuses(aws, "Added") == ["CREATE_IN_PROGRESS"] * 2 + ["CREATE_FAILED"]
    assert described(aws)["StackStatusReason"].endswith("failed to create: [Added].")
    fail(aws, "nothing")
    assert update(aws, body, DisableRollback=True) == "UPDATE_COMPLETE"
    assert eventually(
        lambda: (
            [item[0] for item in seen(aws)[1:]] == ["Create", "Delete", "Create"]
            and seen(aws)[2][3] == "UPDATE_IN_PROGRESS"
        )
    )


@pytest.mark.parametrize(
    ("choice", "status", "under"),
    [
        ("delete", "DELETE_COMPLETE", "DELETE_IN_PROGRESS"),
        ("rollback", "ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS"),
    ],
)
def test_a_failed_creation_is_kept_until_it_is_rolled_back_in_the_chosen_way(
    aws: LocalAws, arn: str, choice: str, status: str, under: str
) -> None:
    aws.configure(rollback_of_failed_creation=choice)
    fail(aws, "2")
    tried = {**resource(arn, Value="2"), "DependsOn": ["Kept"]}
    body = template(Kept=resource(arn, Value="1"), Tried=tried)
    assert create(aws, body, OnFailure="DO_NOTHING") == "CREATE_FAILED"
    assert eventually(lambda: [item[0] for item in seen(aws)] == ["Create", "Create"])
    fail(aws, "nothing")
    aws.client("cloudformation").rollback_stack(StackName=STACK)
    assert settled(aws) == status
    assert eventually(lambda: [item[3] for item in seen(aws)[2:]] == [under, under])


def test_a_creation_that_fails_is_deleted_without_any_rollback_status(
    aws: LocalAws, arn: str
) -> None:
    fail(aws, "2")
    tried = {**resource(arn, Value="2"), "DependsOn": ["Kept"]}
    body = template(Kept=resource(arn, Value="1"), Tried=tried)
    client = aws.client("cloudformation")
    stack_id = client.create_stack(StackName=STACK, TemplateBody=body, OnFailure="DELETE")[
        "StackId"
    ]
    # Its function fails the Delete, too, and what it depends on is kept for that.
    assert eventually(lambda: statuses(aws, STACK, stack_id)[-1] == "DELETE_FAILED")
    own = [item for item in reversed(events(aws, stack_id)) if item["LogicalResourceId"] == STACK]
    assert [item["ResourceStatus"] for item in own][:2] == [
        "CREATE_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
    ]
    assert own[1]["ResourceStatusReason"] == (
        "The following resource(s) failed to create: [Tried]. . Delete requested by user."
    )
    statuses_seen = ["CREATE_IN_PROGRESS"] * 2 + ["DELETE_IN_PROGRESS"]
    assert eventually(lambda: [item[3] for item in seen(aws)] == statuses_seen)


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"Mode": "EXPRESS"}, "UPDATE_FAILED"),
        ({"Mode": "EXPRESS", "DisableRollback": False}, "UPDATE_ROLLBACK_COMPLETE"),
        ({"Mode": "STANDARD"}, "UPDATE_ROLLBACK_COMPLETE"),
        ({"DisableRollback": True}, "UPDATE_FAILED"),
    ],
)
def test_express_mode_disables_rollback_unless_it_says_otherwise(
    aws: LocalAws, arn: str, config: Json, status: str
) -> None:
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    fail(aws, "2")
    client = aws.client("cloudformation")
    body = template(Tried=resource(arn, Value="2"))
    client.create_change_set(
        StackName=STACK, ChangeSetName="express", TemplateBody=body, DeploymentConfig=config
    )
    answer = client.describe_change_set(StackName=STACK, ChangeSetName="express")
    assert answer["DeploymentConfig"] == config
    client.execute_change_set(StackName=STACK, ChangeSetName="express")
    assert eventually(lambda: settled(aws) == status)
    assert described(aws)["DeploymentConfig"] == config
