"""Histories in which CloudFormation undoes changes without a rollback of the stack."""

from __future__ import annotations

import pytest

from local_aws.synthesis import Template
from tests.waiting import eventually

from .history import History
from .synthesis import EXPERIMENT, promoting, stopping

pytestmark = pytest.mark.usefixtures("shadow_test")


def failed(history: History, undo: str, old_properties: str, *, undo_events: bool) -> None:
    """A stack that keeps production, after a promotion that failed with rollback disabled.

    AWS does not document when the undo of the failed resource is delivered, if at all, and which
    old properties the next update has. The explorer plays each with each; here, each occurs once.
    """
    history.aws.configure(
        undo_of_failed_update=undo,
        old_properties_after_failure=old_properties,
        undo_events=undo_events,
        events_delay_seconds=2.0,
    )
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.aws.fail("StopInferenceExperiment", "ValidationException", times=1)
    history.disturbed = True
    assert history.deploy(promoting(), DisableRollback=True) == "UPDATE_FAILED"
    history.disturbed = False
    assert eventually(lambda: "was left as it is" in history.reason("UPDATE_FAILED"))
    assert history.experiment()["Status"] == "Running"
    assert not history.stops()


def without_rollback(history: History, template: Template) -> None:
    """Update the stack with rollback disabled."""
    assert history.deploy(template, DisableRollback=True) == "UPDATE_COMPLETE"


def promoted(history: History) -> list[str]:
    """The actions for the shadow of every Stop that SageMaker accepted."""
    return [call.request["ModelVariantActions"]["shadow"] for call in history.stops()]


def test_the_retry_of_an_order_that_failed_is_carried_out(history: History) -> None:
    failed(history, "in_update", "failed", undo_events=False)
    without_rollback(history, promoting())
    assert promoted(history) == ["Promote"]
    without_rollback(history, promoting(reason="other words"))
    history.end(stops=1)


def test_a_teardown_after_it_failed_ends_it_as_last_deployed_well(history: History) -> None:
    failed(history, "never", "failed", undo_events=True)
    assert history.destroy() == "DELETE_COMPLETE"
    assert promoted(history) == ["Remove"]
    history.end(stops=1)


def test_a_rollback_of_what_failed_stops_nothing(history: History) -> None:
    failed(history, "after_update", "stable", undo_events=False)
    history.cloudformation.rollback_stack(StackName=history.stack_id)
    assert history.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert not history.stops()
    assert history.deploy(promoting()) == "UPDATE_COMPLETE"
    assert promoted(history) == ["Promote"]
    history.end(stops=1)


@pytest.mark.parametrize("on_failure", ["DELETE", "ROLLBACK"])
def test_a_creation_that_fails_leaves_an_outside_experiment_running(
    history: History, on_failure: str
) -> None:
    history.aws.configure(events_delay_seconds=2.0)
    failing = stopping().changed(
        lambda body: body["Resources"].update(
            Later={
                "Type": "Custom::Later",
                "Properties": {"ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:x"},
                "DependsOn": [
                    name
                    for name, resource in body["Resources"].items()
                    if resource["Type"] == "Custom::StopInferenceExperiment"
                ],
            }
        )
    )
    ended = {"DELETE": "DELETE_COMPLETE", "ROLLBACK": "ROLLBACK_COMPLETE"}[on_failure]
    assert history.deploy(failing, OnFailure=on_failure) == ended
    assert history.experiment(EXPERIMENT)["Status"] == "Running"
    history.end(stops=0)
