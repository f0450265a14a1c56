"""Histories in which SageMaker or the endpoint fails."""

from __future__ import annotations

import pytest

from local_aws.shadow_test import wait_for_experiment
from tests.waiting import eventually

from .history import History
from .shadow_stack import ENDPOINT
from .synthesis import EXPERIMENT, promoting, stopping

pytestmark = pytest.mark.usefixtures("shadow_test")
DESCRIBE, STOP = "DescribeInferenceExperiment", "StopInferenceExperiment"


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 400), ("ServiceUnavailable", 503), ("InternalFailure", 500)],
)
def test_a_busy_sagemaker_is_asked_again(history: History, code: str, status: int) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    for operation in (DESCRIBE, STOP):
        history.aws.fail(operation, code, http_status=status, times=8)
    assert history.deploy(promoting()) == "UPDATE_COMPLETE"
    assert len(history.aws.calls(STOP)) == 9
    history.end(stops=1)


@pytest.mark.parametrize("operation", [DESCRIBE, STOP])
def test_a_permission_that_takes_half_a_minute_to_propagate_is_waited_for(
    history: History, operation: str
) -> None:
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.aws.fail(operation, "AccessDeniedException", seconds=30)
    assert history.deploy(promoting()) == "UPDATE_COMPLETE"
    history.end(stops=1)


def test_an_endpoint_that_fails_to_settle_fails_the_update_with_its_reason(
    history: History,
) -> None:
    history.aws.configure(stop_seconds=60)
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.disturbed = True
    history.begin(promoting())
    assert eventually(lambda: history.experiment()["Status"] == "Stopping")
    history.aws.end_endpoint(ENDPOINT, failure_reason="no capacity for ml.m5.xlarge")
    assert history.settled() == "UPDATE_ROLLBACK_COMPLETE"
    history.disturbed = False
    assert "no capacity for ml.m5.xlarge" in history.reason("UPDATE_FAILED")
    history.end(stops=1)


def test_an_endpoint_that_fails_to_settle_does_not_hold_up_a_destruction(
    history: History,
) -> None:
    history.aws.configure(stop_seconds=60)
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.cloudformation.delete_stack(StackName=history.stack_id)
    assert eventually(lambda: history.experiment()["Status"] == "Stopping")
    history.aws.end_endpoint(ENDPOINT, failure_reason="no capacity for ml.m5.xlarge")
    assert history.settled() == "DELETE_COMPLETE"
    history.end(stops=1)


def test_an_experiment_that_ends_as_cancelled_with_an_error_fails_the_update_with_it(
    history: History,
) -> None:
    history.aws.configure(stop_seconds=60)
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.disturbed = True
    history.begin(promoting())
    wait_for_experiment(history.sagemaker, EXPERIMENT, "Stopping")
    history.aws.end_experiment(EXPERIMENT, status_reason="the model could not be loaded")
    assert history.settled() == "UPDATE_ROLLBACK_COMPLETE"
    history.disturbed = False
    assert "the model could not be loaded" in history.reason("UPDATE_FAILED")
    history.end(stops=1)
