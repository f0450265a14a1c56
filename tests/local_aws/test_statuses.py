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


def variants(model: Model) -> dict[str, str]:
    """Return the status of each variant."""
    return {item["VariantName"]: item["Status"] for item in model.experiment()["ModelVariants"]}


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


@pytest.mark.parametrize("state", ["Completed", "Cancelled"])
def test_ends_as_chosen_when_no_desired_state_is_given(state: str) -> None:
    model = Model(stop_seconds=60, default_desired_state=state).running()
    model.stop(PROMOTE)
    model.now += 60
    assert statuses(model)[0] == state
    assert "StatusReason" not in model.experiment()


def test_an_early_conclusion_shows_as_cancelled_if_so_chosen() -> None:
    model = Model(stop_seconds=60, stop_shows_as_cancelled=True).running()
    model.stop(PROMOTE, DesiredState="Completed", Reason="v2 wins")
    model.now += 60
    assert statuses(model)[0] == "Cancelled"
    assert model.experiment()["StatusReason"] == "v2 wins"


DAY = 24 * 3600.0


def test_ends_by_its_schedule_and_the_endpoint_becomes_what_it_was(model: Model) -> None:
    begun = model.now + 10  # The endpoint takes its time to be made.
    model.create(Schedule={"EndTime": begun + 100})
    model.now += 50
    assert [len(kind) for kind in model.served()] == [1, 1]
    model.now += 50
    assert statuses(model) == ("Stopping", "Updating")
    assert variants(model) == {"production": "Updating", "shadow": "Deleting"}
    model.now += 60
    assert statuses(model) == ("Completed", "Updating")
    model.now += 5
    assert statuses(model) == ("Completed", "InService")
    assert variants(model) == {"production": "InService", "shadow": "Deleted"}
    assert [len(kind) for kind in model.served()] == [1, 0]
    assert model.experiment()["EndpointMetadata"]["EndpointConfigName"] == "fraud"


def test_ends_after_seven_days_where_no_end_is_given(model: Model) -> None:
    model.running()
    planned = model.experiment()["Schedule"]
    assert planned["EndTime"] - planned["StartTime"] == 7 * DAY
    model.now = planned["EndTime"] - 1
    assert statuses(model)[0] == "Running"
    model.now += 1
    assert statuses(model)[0] == "Stopping"


def test_moves_only_the_end_of_a_running_experiment(model: Model) -> None:
    planned = model.running().experiment()["Schedule"]
    with pytest.raises(ApiFailure, match="start time"):
        model.call("UpdateInferenceExperiment", Name=NAME, Schedule={"StartTime": model.now})
    model.call("UpdateInferenceExperiment", Name=NAME, Schedule={"EndTime": model.now + 100})
    assert model.experiment()["Schedule"] == {**planned, "EndTime": model.now + 100}
    assert variants(model) == {"production": "Updating", "shadow": "Updating"}
    model.now += 100
    assert statuses(model)[0] == "Stopping"


def test_says_when_it_started_and_ended_once_it_has(model: Model) -> None:
    model.create(Schedule={"StartTime": model.now + 1000})
    model.now += 5
    started = model.now
    model.call("StartInferenceExperiment", Name=NAME)
    model.now += 10
    model.stop(PROMOTE)
    model.now += 60
    assert model.experiment()["Schedule"] == {"StartTime": started, "EndTime": model.now}


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


@pytest.mark.parametrize("operation", ["Describe", "Start", "Stop", "Update", "Delete"])
def test_knows_no_absent_experiment(model: Model, operation: str) -> None:
    more: dict[str, Any] = {"ModelVariantActions": PROMOTE} if operation == "Stop" else {}
    with pytest.raises(ApiFailure, match="ResourceNotFound"):
        model.call(f"{operation}InferenceExperiment", Name="absent", **more)


def test_describes_as_the_service_model_declares(model: Model) -> None:
    model.running().stop(PROMOTE, Reason="v2 wins")
    model.now += 100
    output = service_model().operation_model("DescribeInferenceExperiment").output_shape
    assert output is not None
    report = ParamValidator().validate(model.experiment(), output)
    assert not report.has_errors(), report.generate_report()
