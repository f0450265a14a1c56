"""Histories in which the resource or its stack is deleted: renames, moves, removals, deletions."""

from __future__ import annotations

import pytest
from aws_cdk import CfnResource, Stack

from local_aws.shadow_test import create_shadow_test
from local_aws.synthesis import Template, synthesise

from .history import History
from .synthesis import stop_shadow_test, stopping


def bystander(stack: Stack) -> None:
    """A resource in every template of a history: a stack needs at least one."""
    properties = {"Type": "String", "Value": "unchanged"}
    CfnResource(stack, "Bystander", type="AWS::SSM::Parameter", properties=properties)


def with_bystander(construct_id: str = "Stop", **props: object) -> Template:
    """The construct, and a resource that stays."""

    def build(stack: Stack) -> None:
        bystander(stack)
        stop_shadow_test(stack, construct_id, **props)

    return synthesise(build)


def test_history_7_renaming_the_experiment_ends_the_old_one_by_its_own_policy(
    history: History,
) -> None:
    for name in ("old", "new"):
        create_shadow_test(history.sagemaker, name, endpoint_name=name)
    assert history.deploy(stopping(experiment_name="old")) == "CREATE_COMPLETE"
    assert history.deploy(stopping(experiment_name="new")) == "UPDATE_COMPLETE"
    assert [call.request["Name"] for call in history.stops()] == ["old"]
    assert history.experiment("old")["Status"] == "Completed"
    assert history.experiment("new")["Status"] == "Running"
    history.end(stops=2)


@pytest.mark.usefixtures("shadow_test")
def test_history_8_renaming_the_construct_does_not_stop_its_experiment(history: History) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    renamed = synthesise(lambda stack: stop_shadow_test(stack, "Halt"))
    assert history.deploy(renamed) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    assert not history.stops()
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_history_9_removing_the_construct_ends_its_experiment_as_declared(
    history: History,
) -> None:
    assert history.deploy(with_bystander(reason="removed")) == "CREATE_COMPLETE"
    assert history.deploy(synthesise(bystander)) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Completed"
    assert history.experiment()["StatusReason"].startswith("removed (")
    assert not history.left_behind()
    history.end(stops=1)
