"""Histories of updates of a stack whose experiment was created outside of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from aws_cdk import CfnResource, Stack

from cdk_stop_inference_experiment import DesiredState, StopOn
from local_aws.shadow_test import create_shadow_test, endpoint_variants, wait_for_experiment
from local_aws.synthesis import Template, synthesise
from tests.waiting import eventually

from .history import History
from .policies import without
from .synthesis import (
    EXPERIMENT,
    KEEP_PRODUCTION,
    PROMOTE_SHADOW,
    promoting,
    stop_shadow_test,
    stopping,
)

BY_HAND = "stopped in the console"


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


def stop_by_hand(history: History) -> None:
    """Stop the experiment like a user in the console."""
    history.sagemaker.stop_inference_experiment(
        Name=EXPERIMENT,
        ModelVariantActions={"production": "Retain", "shadow": "Remove"},
        Reason=BY_HAND,
    )


@pytest.mark.usefixtures("shadow_test")
def test_history_3_an_update_promotes_the_shadow_of_an_outside_experiment(history: History) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    assert not history.stops()
    assert history.deploy(promoting()) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Completed"
    serving = endpoint_variants(history.sagemaker)
    assert [variant["ModelName"] for variant in serving["production"]] == ["fraud-v2"]
    assert not serving["shadow"]
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_history_4_an_update_that_iam_refuses_is_rolled_back_without_a_stop(
    history: History,
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    forbidden = without(promoting(), "sagemaker:StopInferenceExperiment")
    # What the function lacks, a plan does not see.
    history.disturbed = True
    assert history.deploy(forbidden) == "UPDATE_ROLLBACK_COMPLETE"
    history.disturbed = False
    assert "sagemaker:StopInferenceExperiment" in history.reason("UPDATE_FAILED")
    assert history.experiment()["Status"] == "Running"
    assert not history.stops()
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_history_4_an_update_with_a_wrong_variant_is_rolled_back_without_a_stop(
    history: History,
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    wrong = {"production": KEEP_PRODUCTION["production"], "nobody": KEEP_PRODUCTION["shadow"]}
    assert history.deploy(stopping(model_variant_actions=wrong)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "has no variant 'nobody'" in history.reason("UPDATE_FAILED")
    assert history.experiment()["Status"] == "Running"
    assert not history.stops()
    history.end(stops=1)


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
def test_history_6_a_failing_creation_leaves_an_outside_experiment_running(
    history: History,
) -> None:
    failing = followed_by(actions=KEEP_PRODUCTION, breaks=True)
    assert history.deploy(failing) == "ROLLBACK_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    history.end(stops=0)


@pytest.mark.usefixtures("shadow_test")
def test_history_11_a_promotion_after_the_scheduled_end_fails_with_a_reason(
    history: History,
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    # The scheduled end has passed when the experiment runs again.
    passed = {"EndTime": history.experiment()["CreationTime"]}
    history.sagemaker.update_inference_experiment(Name=EXPERIMENT, Schedule=passed)
    wait_for_experiment(history.sagemaker, EXPERIMENT, "Completed")
    assert history.deploy(promoting()) == "UPDATE_ROLLBACK_COMPLETE"
    reason = history.reason("UPDATE_FAILED")
    assert "variant 'shadow' of" in reason
    assert "cannot be promoted any more: deploy the variant with an endpoint update" in reason
    assert "has already ended as Completed" in reason
    # What docs/guide/failed-verdict.md says: as before the verdict, with whatever else is edited.
    assert history.deploy(stopping(reason="too late")) == "UPDATE_COMPLETE"
    history.end(stops=0)


after_somebody_elses_end = pytest.mark.parametrize(
    ("wanted", "status"),
    [(promoting, "UPDATE_ROLLBACK_COMPLETE"), (stopping, "UPDATE_COMPLETE")],
)


@pytest.mark.usefixtures("shadow_test")
@after_somebody_elses_end
def test_history_12_an_experiment_stopped_by_hand_while_the_update_waits(
    history: History, wanted: Callable[..., Template], status: str
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.disturbed = True
    history.aws.fail("StopInferenceExperiment", "ConflictException", times=1000)
    history.begin(wanted(desired_state=DesiredState.COMPLETED))
    assert eventually(lambda: bool(history.aws.calls("StopInferenceExperiment")))
    # Quickly: the update describes every few seconds, on a clock that is sixty times as fast.
    history.aws.configure(stop_accepted_from=())
    history.aws.clear_faults()
    history.aws.end_experiment(EXPERIMENT, status="Completed", status_reason=BY_HAND)
    assert history.settled() == status
    if status == "UPDATE_ROLLBACK_COMPLETE":
        assert BY_HAND in history.reason("UPDATE_FAILED")
    history.end(stops=0)


@pytest.mark.usefixtures("shadow_test")
@after_somebody_elses_end
def test_history_12_an_update_waits_for_a_stop_that_somebody_else_made(
    history: History, wanted: Callable[..., Template], status: str
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.aws.configure(stop_seconds=120)
    history.sagemaker.stop_inference_experiment(
        Name=EXPERIMENT,
        ModelVariantActions={"production": "Retain", "shadow": "Remove"},
        Reason=BY_HAND,
    )
    assert history.deploy(wanted(desired_state=DesiredState.COMPLETED)) == status
    assert history.experiment()["Status"] == "Completed"
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


@pytest.mark.usefixtures("shadow_test")
def test_an_update_of_an_untouched_declaration_stops_nothing(history: History) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    assert history.deploy(stopping(stop_on=[StopOn.DELETE])) == "UPDATE_COMPLETE"
    assert not history.stops()
    history.end(stops=1)
