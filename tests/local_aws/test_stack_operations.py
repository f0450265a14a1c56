"""Cleanups, rollbacks and deletions of stacks, as far as custom resources see them."""

from __future__ import annotations

from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import (
    SOURCE,
    STACK,
    create,
    request_types,
    resource,
    settled,
    template,
    told,
    update,
)

CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


def test_a_cleanup_tries_a_resource_three_times_and_completes_the_update_all_the_same(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    kept = resource(arn)
    stuck = resource(arn, On="Delete", Answer={"Status": "FAILED"})
    assert create(aws, template(Kept=kept, Stuck=stuck)) == "CREATE_COMPLETE"
    assert update(aws, template(Kept=kept)) == "UPDATE_COMPLETE"
    assert eventually(lambda: request_types(aws).count("Delete") == 3)
    failures = [status for name, status, _ in told(aws) if name == "Stuck"]
    assert failures.count("DELETE_FAILED") == 3


def test_what_a_resource_that_cannot_be_deleted_depends_on_stays(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    stuck = resource(arn, On="Delete", Answer={"Status": "FAILED"})
    stuck["DependsOn"] = ["Needed"]
    body = template(Needed=resource(arn), Stuck=stuck, Other=resource(arn))
    assert create(aws, body) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=STACK)
    assert settled(aws) == "DELETE_FAILED"
    left = aws.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    assert {item["LogicalResourceId"]: item["ResourceStatus"] for item in left} == {
        "Needed": "CREATE_COMPLETE",
        "Stuck": "DELETE_FAILED",
    }
    assert told(aws)[-1] == (
        STACK,
        "DELETE_FAILED",
        "The following resource(s) failed to delete: [Stuck].",
    )
