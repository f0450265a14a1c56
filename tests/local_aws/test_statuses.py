"""An experiment's statuses over the clock, and what is refused in each."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.validate import ParamValidator

from local_aws.emulator.sagemaker.validation import service_model

from .model import NAME, ApiFailure, Model

PROMOTE = {"production": "Remove", "shadow": "Promote"}


@pytest.fixture
def model() -> Model:
    return Model(start_seconds=2, stop_seconds=60, settle_seconds=5)


def statuses(model: Model) -> tuple[str, str]:
    """Return the status of the experiment and of its endpoint."""
    experiment = model.experiment()
    return experiment["Status"], experiment["EndpointMetadata"]["EndpointStatus"]


def test_creates_then_runs(model: Model) -> None:
    model.create()
    assert statuses(model) == ("Creating", "Updating")
    model.now += 1.9
    assert statuses(model) == ("Creating", "Updating")
    model.now += 0.1
    assert statuses(model) == ("Running", "InService")
    assert model.served()[1] == [("shadow", "fraud-v2", "ml.m5.large", 1)]


def test_waits_as_created_for_its_scheduled_start(model: Model) -> None:
    model.create(Schedule={"StartTime": model.now + 100})
    assert statuses(model) == ("Creating", "InService")
    model.now += 5
    assert statuses(model) == ("Created", "InService")
    model.now += 86
    assert statuses(model) == ("Starting", "Updating")
    model.now += 2
    assert statuses(model) == ("Running", "InService")


def test_starts_early_when_told_to(model: Model) -> None:
    model.create(Schedule={"StartTime": model.now + 1000})
    model.now += 5
    model.call("StartInferenceExperiment", Name=NAME)
    assert statuses(model) == ("Starting", "Updating")
    model.now += 2
    assert statuses(model) == ("Running", "InService")
    with pytest.raises(ApiFailure, match="ConflictException"):
        model.call("StartInferenceExperiment", Name=NAME)


def test_updates_then_runs_again(model: Model) -> None:
    model.running().call("UpdateInferenceExperiment", Name=NAME, Description="longer")
    assert statuses(model) == ("Updating", "Updating")
    model.now += 2
    assert statuses(model) == ("Running", "InService")
    assert model.experiment()["Description"] == "longer"


@pytest.mark.parametrize("desired", ["Completed", "Cancelled"])
def test_stops_over_time_and_the_endpoint_settles_later(model: Model, desired: str) -> None:
    model.running().stop(PROMOTE, DesiredState=desired, Reason="v2 wins")
    assert statuses(model) == ("Stopping", "Updating")
    assert model.served()[0][0][0] == "production"
    model.now += 59.9
    assert statuses(model) == ("Stopping", "Updating")
    model.now += 0.1
    assert statuses(model) == (desired, "Updating")
    model.now += 5
    assert statuses(model) == (desired, "InService")
    experiment = model.experiment()
    assert experiment["StatusReason"] == "v2 wins"
    assert experiment["CompletionTime"] == model.now - 5


def test_is_completed_when_no_desired_state_is_given(model: Model) -> None:
    model.running().stop(PROMOTE)
    model.now += 60
    assert statuses(model)[0] == "Completed"
    assert "StatusReason" not in model.experiment()


def test_ends_by_its_schedule_and_leaves_the_endpoint_as_it_was(model: Model) -> None:
    model.create(Schedule={"EndTime": model.now + 100})
    model.now += 90
    assert statuses(model) == ("Stopping", "InService")
    model.now += 60
    assert statuses(model) == ("Completed", "InService")
    assert [len(kind) for kind in model.served()] == [1, 1]


@pytest.mark.parametrize("seconds", [0, 60])
def test_refuses_a_second_stop_while_stopping_and_once_ended(model: Model, seconds: int) -> None:
    model.running().stop(PROMOTE)
    model.now += seconds
    with pytest.raises(ApiFailure, match="ConflictException"):
        model.stop(PROMOTE)


def test_refuses_a_stop_while_creating(model: Model) -> None:
    model.create()
    with pytest.raises(ApiFailure, match="ConflictException"):
        model.stop(PROMOTE)


@pytest.mark.parametrize("accepted", [True, False])
def test_accepts_a_stop_from_created_only_as_set(accepted: bool) -> None:
    model = Model(stop_accepted_from=["Created", "Running"] if accepted else ["Running"])
    model.create(Schedule={"StartTime": model.now + 1000})
    model.now += 5
    if accepted:
        model.stop(PROMOTE)
        assert model.experiment()["Status"] == "Stopping"
    else:
        with pytest.raises(ApiFailure, match="ConflictException"):
            model.stop(PROMOTE)


def test_is_deleted_only_when_it_is_not_active(model: Model) -> None:
    model.running()
    with pytest.raises(ApiFailure, match="ConflictException"):
        model.call("DeleteInferenceExperiment", Name=NAME)
    model.stop(PROMOTE)
    model.now += 60
    model.call("DeleteInferenceExperiment", Name=NAME)
    with pytest.raises(ApiFailure, match="ResourceNotFound"):
        model.experiment()


def test_keeps_an_endpoint_from_being_deleted_while_it_is_updating(model: Model) -> None:
    model.running().stop(PROMOTE)
    with pytest.raises(ApiFailure, match="Cannot update in-progress endpoint"):
        model.call("DeleteEndpoint", EndpointName="fraud")
    model.now += 65
    model.call("DeleteEndpoint", EndpointName="fraud")


@pytest.mark.parametrize("operation", ["Describe", "Start", "Stop", "Update", "Delete"])
def test_knows_no_absent_experiment(model: Model, operation: str) -> None:
    more: dict[str, Any] = {"ModelVariantActions": PROMOTE} if operation == "Stop" else {}
    with pytest.raises(ApiFailure, match="ResourceNotFound"):
        model.call(f"{operation}InferenceExperiment", Name="absent", **more)


def test_lists_by_status_and_page(model: Model) -> None:
    model.running()
    for status, count in (("Running", 1), ("Stopping", 0)):
        found = model.call("ListInferenceExperiments", StatusEquals=status)
        assert len(found["InferenceExperiments"]) == count
    page = model.call("ListInferenceExperiments", MaxResults=1)
    assert "NextToken" not in page


def test_describes_as_the_service_model_declares(model: Model) -> None:
    model.running().stop(PROMOTE, Reason="v2 wins")
    model.now += 100
    output = service_model().operation_model("DescribeInferenceExperiment").output_shape
    assert output is not None
    report = ParamValidator().validate(model.experiment(), output)
    assert not report.has_errors(), report.generate_report()
