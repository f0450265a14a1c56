"""Rollbacks that fail, and are continued, forced or ordered later, as the API reference says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import (
    STACK,
    create,
    described,
    resource,
    settled,
    statuses,
    template,
    update,
)
from .test_nested_stacks import MAY_SEE, SEEING, broken, nested, nested_id, seen

Json = dict[str, Any]
CLEANUP = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
ROLLBACK = "UPDATE_ROLLBACK_IN_PROGRESS"


@pytest.fixture
def arn(aws: LocalAws, make_function: FunctionMaker) -> str:
    """The function, which fails every request with the value \"1\" once it is told so."""
    aws.client("s3").create_bucket(Bucket="templates")
    return make_function(SEEING, Timeout=20, statements=MAY_SEE)


def fail(aws: LocalAws, value: str) -> None:
    """Let the function fail every request with this value."""
    variables = {"Variables": {"FAIL": value}}
    client = aws.client("lambda")
    client.update_function_configuration(FunctionName="function", Environment=variables)


def stuck(aws: LocalAws, arn: str, *, below: bool = False) -> None:
    """Leave the stack in UPDATE_ROLLBACK_FAILED: its resource cannot go back from 2 to 1."""

    def body(value: str, **more: Json) -> str:
        tried = {"Tried": resource(arn, Value=value)}
        return template(**({"Below": nested(aws, template(**tried))} if below else tried), **more)

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    fail(aws, "1")
    last = broken(arn, "Below" if below else "Tried")
    assert update(aws, body("2", Last=last)) == "UPDATE_ROLLBACK_FAILED"


def go_on(aws: LocalAws, **options: object) -> str:
    """Continue the rollback; return the status that the stack comes to rest in."""
    aws.client("cloudformation").continue_update_rollback(StackName=STACK, **options)
    assert eventually(lambda: statuses(aws, STACK).count(ROLLBACK) == 2)
    return settled(aws)


def test_a_rollback_is_continued_once_the_cause_is_gone(aws: LocalAws, arn: str) -> None:
    stuck(aws, arn)
    asked = len(seen(aws))
    assert go_on(aws) == "UPDATE_ROLLBACK_FAILED"
    fail(aws, "nothing")
    aws.client("cloudformation").continue_update_rollback(StackName=STACK)
    assert eventually(lambda: described(aws)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")
    assert [item[:2] for item in seen(aws)[asked:]] == [("Update", "1")] * 2
    assert statuses(aws, STACK)[-3:] == [ROLLBACK, CLEANUP, "UPDATE_ROLLBACK_COMPLETE"]
    kinds = [item["OperationType"] for item in described(aws)["LastOperations"]]
    assert kinds == ["CONTINUE_ROLLBACK", "CONTINUE_ROLLBACK", "ROLLBACK", "UPDATE_STACK"]


def test_a_resource_that_is_skipped_is_complete_without_a_request(aws: LocalAws, arn: str) -> None:
    stuck(aws, arn)
    asked = len(seen(aws))
    since = len(statuses(aws, "Tried"))
    assert go_on(aws, ResourcesToSkip=["Tried"]) == "UPDATE_ROLLBACK_COMPLETE"
    assert statuses(aws, "Tried")[since:] == ["UPDATE_COMPLETE"]
    assert len(seen(aws)) == asked


def test_a_forced_rollback_skips_what_fails_again(aws: LocalAws, arn: str) -> None:
    stuck(aws, arn)
    since = len(statuses(aws, "Tried"))
    assert go_on(aws, ForceRollback=True) == "UPDATE_ROLLBACK_COMPLETE"
    expected = ["UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_COMPLETE"]
    assert statuses(aws, "Tried")[since:] == expected


@pytest.mark.parametrize(
    "options", [{}, {"ResourcesToSkip": ["Below.Tried"]}, {"ForceRollback": True}]
)
def test_a_nested_stack_is_continued_with_its_root(aws: LocalAws, arn: str, options: Json) -> None:
    stuck(aws, arn, below=True)
    below_id = nested_id(aws)
    name = below_id.split("/")[1]
    assert statuses(aws, name, below_id)[-1] == "UPDATE_ROLLBACK_FAILED"
    if not options:
        fail(aws, "nothing")
    assert go_on(aws, **options) == "UPDATE_ROLLBACK_COMPLETE"
    assert statuses(aws, name, below_id)[-3:] == [ROLLBACK, CLEANUP, "UPDATE_ROLLBACK_COMPLETE"]
    assert statuses(aws, "Tried", below_id)[-1] == "UPDATE_COMPLETE"
