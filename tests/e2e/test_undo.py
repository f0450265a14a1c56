"""Histories in which CloudFormation undoes changes without a rollback of the stack."""

from __future__ import annotations

import itertools

import pytest

from local_aws.synthesis import Template
from tests.waiting import eventually

from .history import History
from .synthesis import EXPERIMENT, promoting, stopping

pytestmark = pytest.mark.usefixtures("shadow_test")

VARIANTS = list(itertools.product(("in_update", "after_update", "never"), ("stable", "failed")))
"""What AWS does not document: when the undo of a failed resource is delivered, if at all, and which
old properties the next update has. The undo has its own events in every other case."""


@pytest.fixture(params=VARIANTS, ids=["-".join(variant) for variant in VARIANTS])
def failed(history: History, request: pytest.FixtureRequest) -> History:
    """A stack that keeps production, after a promotion that failed with rollback disabled."""
    undo, old_properties = request.param
    history.aws.configure(
        undo_of_failed_update=undo,
        old_properties_after_failure=old_properties,
        undo_events=VARIANTS.index(request.param) % 3 == 0,
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
    return history


def without_rollback(history: History, template: Template) -> None:
    """Update the stack with rollback disabled."""
    assert history.deploy(template, DisableRollback=True) == "UPDATE_COMPLETE"


def promoted(history: History) -> list[str]:
    """The actions for the shadow of every Stop that SageMaker accepted."""
    return [call.request["ModelVariantActions"]["shadow"] for call in history.stops()]


def test_the_retry_of_an_order_that_failed_is_carried_out(failed: History) -> None:
    without_rollback(failed, promoting())
    assert promoted(failed) == ["Promote"]
    without_rollback(failed, promoting(reason="other words"))
    failed.end(stops=1)


def test_an_order_that_is_withdrawn_after_it_failed_is_none(failed: History) -> None:
    without_rollback(failed, stopping())
    assert failed.experiment()["Status"] == "Running"
    assert not failed.stops()
    failed.destroy()
    assert promoted(failed) == ["Remove"]
    failed.end(stops=1)


def test_a_teardown_after_it_failed_ends_it_as_last_deployed_well(failed: History) -> None:
    assert failed.destroy() == "DELETE_COMPLETE"
    assert promoted(failed) == ["Remove"]
    failed.end(stops=1)


def test_a_rollback_of_what_failed_stops_nothing(failed: History) -> None:
    failed.cloudformation.rollback_stack(StackName=failed.stack_id)
    assert failed.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert not failed.stops()
    assert failed.deploy(promoting()) == "UPDATE_COMPLETE"
    assert promoted(failed) == ["Promote"]
    failed.end(stops=1)


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
