"""What a stack says of experiments that ended by themselves, have yet to begin, or were stopped."""

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


@functools.cache
def told(*, promotes: bool = False, **props: Any) -> Template:
    """A construct whose attributes are the stack's outputs."""
    if promotes:
        shadow = ModelVariantConfig(
            model_name="fraud-v2",
            variant_name="shadow",
            instance_type="ml.m5.xlarge",
            instance_count=2,
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
    # What docs/guide/failed-verdict.md says: as before the verdict, with whatever else is edited.
    assert history.deploy(told(reason="too late")) == "UPDATE_COMPLETE"

    variant = {"VariantName": "shadow", "ModelName": "fraud-v2"}
    size = {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2}
    history.sagemaker.create_endpoint_config(
        EndpointConfigName="late", ProductionVariants=[{**variant, **size}]
    )
    history.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="late")
    assert eventually(lambda: served(history)["production"] == ["fraud-v2"])
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
    assert (after["Status"], after["Stopped"]) == ("Completed", "true")
    endpoint = history.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert after["EndpointConfigName"] == endpoint["EndpointConfigName"]
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    history.end(stops=1)
