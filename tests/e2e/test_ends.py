"""Histories of how experiments really end: by themselves, with errors, or before they start."""

from __future__ import annotations

import functools
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from aws_cdk import CfnOutput, Stack

from cdk_stop_inference_experiment import (
    DesiredState,
    ModelVariantConfig,
    StopInferenceExperimentProvider,
)
from local_aws.shadow_test import create_shadow_test, endpoint_variants, wait_for_experiment
from local_aws.synthesis import Template, synthesise
from tests.waiting import eventually

from .history import History
from .shadow_stack import ENDPOINT
from .synthesis import EXPERIMENT, PROMOTE_SHADOW, stop_shadow_test

STOP = "StopInferenceExperiment"
NO_CAPACITY = "no capacity for ml.m5.xlarge"


@functools.cache
def told(*, promotes: bool = False, instances: int = 2, **props: Any) -> Template:
    """A construct whose attributes are the stack's outputs, with the same provider as ``left``."""
    if promotes:
        shadow = ModelVariantConfig(
            model_name="fraud-v2",
            variant_name="shadow",
            instance_type="ml.m5.xlarge",
            instance_count=instances,
        )
        props = {
            "model_variant_actions": PROMOTE_SHADOW,
            "desired_model_variants": [shadow],
            **props,
        }

    def build(stack: Stack) -> None:
        provider = StopInferenceExperimentProvider(stack, "Provider")
        stop = stop_shadow_test(stack, provider=provider, **props)
        for name, value in {
            "Status": stop.status,
            "ScheduledEnd": stop.scheduled_end,
            "EndpointConfigName": stop.endpoint_config_name,
            "VariantStatuses": stop.variant_statuses,
            "Stopped": stop.stopped_by_this_resource,
        }.items():
            CfnOutput(stack, name, value=value)

    return synthesise(build)


@functools.cache
def left() -> Template:
    """The stack without the construct: its provider stays, and so does the log of the removal."""
    return synthesise(lambda stack: StopInferenceExperimentProvider(stack, "Provider"))


def served(history: History) -> dict[str, list[str]]:
    """The models that the endpoint serves, production and shadow apart."""
    variants = endpoint_variants(history.sagemaker)
    return {kind: [item["ModelName"] for item in items] for kind, items in variants.items()}


def decision(history: History, row: str) -> dict[str, Any]:
    """The log line of a decision, which appears when the invocation ends."""

    def found() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in history.log().splitlines() if '"row"' in line]
        return [line for line in lines if line["row"] == row]

    assert eventually(lambda: bool(found())), history.log()
    return found()[-1]


def spelled(moment: datetime) -> str:
    """A time in the function's format."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def now(history: History) -> datetime:
    """The local AWS's time."""
    history.sagemaker.list_inference_experiments()
    return datetime.fromtimestamp(history.aws.calls()[-1].time, timezone.utc)


def schedule(history: History, **times: datetime) -> None:
    """Change the experiment's schedule, as anybody may at any time."""
    history.sagemaker.update_inference_experiment(Name=EXPERIMENT, Schedule=times)


@pytest.fixture
def to_come(history: History) -> datetime:
    """The start, in days, of a shadow test that SageMaker does not stop before it starts."""
    history.aws.configure(stop_accepted_from=("Running",))
    begins = now(history) + timedelta(days=3)
    create_shadow_test(history.sagemaker, schedule={"StartTime": begins}, wait=False)
    wait_for_experiment(history.sagemaker, EXPERIMENT, "Created")
    return begins


def test_a_promotion_after_the_scheduled_end_says_when_it_ended_and_what_is_left_to_do(
    history: History,
) -> None:
    ends = now(history) + timedelta(days=2)
    create_shadow_test(history.sagemaker, schedule={"EndTime": ends})
    assert served(history) == {"production": ["fraud-v1"], "shadow": ["fraud-v2"]}
    assert history.deploy(told()) == "CREATE_COMPLETE"
    assert history.outputs["ScheduledEnd"] == spelled(ends)
    assert f"it ends by itself at {spelled(ends)}" in decision(history, "stoppable")["message"]

    schedule(history, EndTime=now(history))
    ended = wait_for_experiment(history.sagemaker, EXPERIMENT, "Completed")
    assert eventually(lambda: served(history) == {"production": ["fraud-v1"], "shadow": []})
    assert history.deploy(told(promotes=True)) == "UPDATE_ROLLBACK_COMPLETE"
    reason = history.reason("UPDATE_FAILED")
    when = f"has already ended as Completed at {spelled(ended['CompletionTime'])}"
    # Nobody saw the schedule that ended it: the time in the answer is always that of the end.
    assert f"{when}; SageMaker gives no reason" in reason
    assert "deploy the variant with an endpoint update, or start a new experiment" in reason

    variant = {"VariantName": "shadow", "ModelName": "fraud-v2"}
    size = {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2}
    history.sagemaker.create_endpoint_config(
        EndpointConfigName="late", ProductionVariants=[{**variant, **size}]
    )
    history.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="late")
    assert eventually(lambda: served(history)["production"] == ["fraud-v2"])
    history.end(stops=0)


@pytest.mark.usefixtures("shadow_test")
def test_an_endpoint_that_goes_on_as_before_with_a_failure_reason_fails_an_update(
    history: History,
) -> None:
    assert history.deploy(told()) == "CREATE_COMPLETE"
    history.aws.fail_endpoint_update(ENDPOINT, failure_reason=NO_CAPACITY)
    history.disturbed = True
    assert history.deploy(told(promotes=True)) == "UPDATE_ROLLBACK_COMPLETE"
    history.disturbed = False
    assert NO_CAPACITY in history.reason("UPDATE_FAILED")
    described = history.experiment()
    assert described["Status"] == "Completed"
    assert described["EndpointMetadata"]["EndpointStatus"] == "InService"
    assert served(history)["production"] == ["fraud-v1"]
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_an_endpoint_that_goes_on_as_before_with_a_failure_reason_is_a_warning_on_a_delete(
    history: History,
) -> None:
    assert history.deploy(told(promotes=True)) == "CREATE_COMPLETE"
    history.aws.fail_endpoint_update(ENDPOINT, failure_reason=NO_CAPACITY)
    assert history.deploy(left()) == "UPDATE_COMPLETE"
    line = decision(history, "end_endpoint_failed")
    assert line["level"] == "WARNING"
    assert NO_CAPACITY in line["message"]
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_variants_that_do_not_look_as_declared_are_a_warning_and_no_failure(
    history: History,
) -> None:
    history.aws.configure(stop_seconds=60)
    assert history.deploy(told()) == "CREATE_COMPLETE"
    history.begin(told(promotes=True))
    wait_for_experiment(history.sagemaker, EXPERIMENT, "Stopping")
    history.aws.end_experiment(EXPERIMENT, status="Completed")
    assert history.settled() == "UPDATE_COMPLETE"
    line = decision(history, "end_contradicted")
    assert line["level"] == "WARNING"
    assert "'production' is InService, declared Remove" in line["message"]
    statuses = json.loads(history.outputs["VariantStatuses"])
    assert statuses == {"production": "InService", "shadow": "InService"}
    history.end(stops=1)


def test_a_promotion_of_a_test_that_begins_in_days_fails_within_two_minutes(
    history: History, to_come: datetime
) -> None:
    assert history.deploy(told()) == "CREATE_COMPLETE"
    assert history.deploy(told(promotes=True), timeout_seconds=20) == "UPDATE_ROLLBACK_COMPLETE"
    reason = history.reason("UPDATE_FAILED")
    assert f"deploy again after it has started; it starts at {spelled(to_come)}" in reason
    asked = history.aws.calls(STOP)
    assert {call.error_code for call in asked} == {"ConflictException"}
    assert asked[-1].time - asked[0].time < 120
    assert history.experiment()["Status"] == "Created"

    schedule(history, StartTime=now(history))
    wait_for_experiment(history.sagemaker, EXPERIMENT, "Running")
    assert history.deploy(told(promotes=True)) == "UPDATE_COMPLETE"
    assert served(history) == {"production": ["fraud-v2"], "shadow": []}
    history.end(stops=1)


def test_a_removal_leaves_a_test_that_begins_in_days_as_it_is_with_a_warning(
    history: History, to_come: datetime
) -> None:
    assert history.deploy(told()) == "CREATE_COMPLETE"
    assert history.deploy(left(), timeout_seconds=20) == "UPDATE_COMPLETE"
    asked = history.aws.calls(STOP)
    assert asked[-1].time - asked[0].time < 120
    line = decision(history, "created_refused")
    assert line["level"] == "WARNING"
    assert "delete it with DeleteInferenceExperiment" in line["message"]
    assert f"it starts at {spelled(to_come)}" in line["message"]
    assert history.experiment()["Status"] == "Created"
    history.end(stops=0)


@pytest.mark.usefixtures("to_come")
def test_a_promotion_waits_for_a_test_that_begins_soon_and_stops_it_then(history: History) -> None:
    assert history.deploy(told()) == "CREATE_COMPLETE"
    # More than the two minutes after which the function gives up on a test that starts in days.
    schedule(history, StartTime=now(history) + timedelta(minutes=10))
    assert history.deploy(told(promotes=True)) == "UPDATE_COMPLETE"
    refused = [call for call in history.aws.calls(STOP) if call.error_code]
    assert refused[-1].time - refused[0].time > 120
    assert served(history) == {"production": ["fraud-v2"], "shadow": []}
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
@pytest.mark.parametrize("default", ["Completed", "Cancelled"])
def test_whichever_state_sagemaker_ends_it_in_the_answers_are_the_same(
    history: History, default: str
) -> None:
    history.aws.configure(default_desired_state=default)
    assert history.deploy(told()) == "CREATE_COMPLETE"
    assert history.deploy(told(promotes=True)) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == default
    assert served(history) == {"production": ["fraud-v2"], "shadow": []}
    assert decision(history, "end_as_declared")["level"] == "INFO"
    assert (history.outputs["Status"], history.outputs["Stopped"]) == (default, "true")
    # Later declarations find their own end, or that of the previous one.
    assert history.deploy(told(promotes=True, instances=3)) == "UPDATE_COMPLETE"
    assert decision(history, "ended_as_old")["level"] == "WARNING"
    assert history.deploy(left()) == "UPDATE_COMPLETE"
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_the_attributes_tell_the_endpoints_new_configuration_and_each_variants_status(
    history: History,
) -> None:
    assert history.deploy(told()) == "CREATE_COMPLETE"
    before = history.outputs
    assert json.loads(before["VariantStatuses"]) == {
        "production": "InService",
        "shadow": "InService",
    }
    completed = {"desired_state": DesiredState.COMPLETED}
    assert history.deploy(told(promotes=True, **completed)) == "UPDATE_COMPLETE"
    after = history.outputs
    assert json.loads(after["VariantStatuses"]) == {"production": "Deleted", "shadow": "InService"}
    endpoint = history.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert after["EndpointConfigName"] == endpoint["EndpointConfigName"]
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    history.end(stops=1)
