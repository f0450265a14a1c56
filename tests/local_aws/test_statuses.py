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


@pytest.mark.parametrize(("days", "allowed"), [(30, True), (30.1, False)])
def test_lasts_thirty_days_at_most(model: Model, days: float, allowed: bool) -> None:
    planned = {"StartTime": model.now, "EndTime": model.now + days * DAY}
    if allowed:
        model.create(Schedule=planned)
        return
    with pytest.raises(ApiFailure, match="ValidationException: The maximum duration"):
        model.create(Schedule=planned)


def test_moves_only_the_end_of_a_running_experiment(model: Model) -> None:
    planned = model.running().experiment()["Schedule"]
    with pytest.raises(ApiFailure, match="start time"):
        model.call("UpdateInferenceExperiment", Name=NAME, Schedule={"StartTime": model.now})
    model.call("UpdateInferenceExperiment", Name=NAME, Schedule={"EndTime": model.now + 100})
    assert model.experiment()["Schedule"] == {**planned, "EndTime": model.now + 100}
    assert variants(model) == {"production": "Updating", "shadow": "Updating"}
    model.now += 100
    assert statuses(model)[0] == "Stopping"


def test_moves_the_start_of_an_experiment_that_has_not_begun(model: Model) -> None:
    model.create(Schedule={"StartTime": model.now + 1000})
    model.now += 5
    model.call("UpdateInferenceExperiment", Name=NAME, Schedule={"StartTime": model.now + 10})
    model.now += 10
    assert statuses(model)[0] == "Starting"


def test_says_when_it_started_and_ended_once_it_has(model: Model) -> None:
    model.create(Schedule={"StartTime": model.now + 1000})
    model.now += 5
    started = model.now
    model.call("StartInferenceExperiment", Name=NAME)
    model.now += 10
    model.stop(PROMOTE)
    model.now += 60
    assert model.experiment()["Schedule"] == {"StartTime": started, "EndTime": model.now}


def test_goes_back_to_before_the_test_after_an_update_of_it(model: Model) -> None:
    model.running().call("UpdateInferenceExperiment", Name=NAME, Description="longer")
    model.now = model.experiment()["Schedule"]["EndTime"] + 100
    assert [len(kind) for kind in model.served()] == [1, 0]


def test_goes_back_to_a_shadow_that_the_endpoint_had_before(model: Model) -> None:
    model.running().stop({"production": "Retain", "shadow": "Retain"})
    model.now += 100
    begun = model.experiment()
    again = {key: begun[key] for key in ("Type", "RoleArn", "ShadowModeConfig")}
    planned = {"EndTime": model.now + 50}
    model.call(
        "CreateInferenceExperiment",
        **{**again, "Name": "second", "EndpointName": "fraud", "Schedule": planned},
        ModelVariants=[
            {key: item[key] for key in ("ModelName", "VariantName", "InfrastructureConfig")}
            for item in begun["ModelVariants"]
        ],
    )
    model.now += 200
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


def test_lists_models_and_endpoint_configurations_by_name(model: Model) -> None:
    model.running()
    (found,) = model.call("ListModels", NameContains="v2")["Models"]
    assert found["ModelName"] == "fraud-v2"
    names = [
        config["EndpointConfigName"]
        for config in model.call("ListEndpointConfigs", NameContains="fraud")["EndpointConfigs"]
    ]
    # The test has given its endpoint another one.
    assert names == ["fraud", "fraud-0000"]


def test_describes_as_the_service_model_declares(model: Model) -> None:
    model.running().stop(PROMOTE, Reason="v2 wins")
    model.now += 100
    output = service_model().operation_model("DescribeInferenceExperiment").output_shape
    assert output is not None
    report = ParamValidator().validate(model.experiment(), output)
    assert not report.has_errors(), report.generate_report()
