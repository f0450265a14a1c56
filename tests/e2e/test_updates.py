"""Histories of updates of a stack whose experiment was created outside of it."""

from __future__ import annotations

import json

import pytest
from aws_cdk import CfnResource, Stack

from local_aws.shadow_test import create_shadow_test, wait_for_experiment
from local_aws.synthesis import Template, synthesise
from tests.waiting import eventually

from .history import History
from .synthesis import (
    KEEP_PRODUCTION,
    PROMOTE_SHADOW,
    stop_shadow_test,
    stopping,
)


def followed_by(*, actions: object, breaks: bool) -> Template:
    """A stack with a resource after ours, which can be created or not."""

    def build(stack: Stack) -> None:
        stop = stop_shadow_test(stack, model_variant_actions=actions)
        if breaks:
            properties = {"ServiceToken": f"{stop.provider.service_token}-missing"}
            later = CfnResource(stack, "Later", type="Custom::Later", properties=properties)
        else:
            properties = {"Type": "String", "Value": "later"}
            later = CfnResource(stack, "Kept", type="AWS::SSM::Parameter", properties=properties)
        later.node.add_dependency(stop)

    return synthesise(build)


@pytest.mark.usefixtures("shadow_test")
def test_history_5_a_later_failure_rolls_back_without_a_second_stop_and_the_log_says_so(
    history: History,
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    failing = followed_by(actions=PROMOTE_SHADOW, breaks=True)
    assert history.deploy(failing) == "UPDATE_ROLLBACK_COMPLETE"
    assert history.experiment()["Status"] == "Completed"
    assert eventually(lambda: "this cannot be undone" in history.log())
    lines = [line for line in history.log().splitlines() if '"row"' in line]
    assert lines
    for line in map(json.loads, lines):
        assert line["stackId"] == history.stack_id
        assert line["logicalResourceId"].startswith("StopExperiment")
        assert line["cloudFormationRequestId"]
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_history_16_an_update_cancelled_in_flight_stops_no_second_time(history: History) -> None:
    assert history.deploy(followed_by(actions=KEEP_PRODUCTION, breaks=False)) == "CREATE_COMPLETE"
    history.aws.configure(stop_seconds=120)
    history.disturbed = True
    history.begin(followed_by(actions=PROMOTE_SHADOW, breaks=False))
    assert eventually(lambda: history.experiment()["Status"] == "Stopping")
    history.cloudformation.cancel_update_stack(StackName=history.stack_id)
    assert history.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert eventually(lambda: history.experiment()["Status"] == "Completed")
    history.end(stops=1)


def test_history_18_forty_experiments_are_all_stopped_by_one_update_and_destroyed(
    history: History,
) -> None:
    names = [f"shadow-{number:02d}" for number in range(40)]
    for name in names:
        create_shadow_test(history.sagemaker, name, endpoint_name=name, wait=False)
    for name in names:
        wait_for_experiment(history.sagemaker, name, "Running")

    def build(*, end_now: bool) -> Template:
        def fill(stack: Stack) -> None:
            for name in names:
                stop_shadow_test(stack, f"Stop-{name}", experiment_name=name, end_now=end_now)

        return synthesise(fill)

    assert history.deploy(build(end_now=False)) == "CREATE_COMPLETE"
    assert not history.stops()
    assert history.deploy(build(end_now=True), timeout_seconds=120) == "UPDATE_COMPLETE"
    assert sorted(call.request["Name"] for call in history.stops()) == names
    assert {history.experiment(name)["Status"] for name in names} == {"Completed"}
    history.end(stops=40)
