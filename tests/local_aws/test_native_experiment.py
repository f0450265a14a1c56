"""AWS::SageMaker::InferenceExperiment, as AWS's published handler and schema have it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from local_aws import LocalAws
from local_aws.shadow_test import endpoint_variants, wait_for_experiment

from .native import BOTH, template
from .stacks import STACK, create, settled, update

Json = dict[str, Any]
TEST = "fraud-shadow"


def described(aws: LocalAws) -> Json:
    """What SageMaker says of the test."""
    found: Json = aws.client("sagemaker").describe_inference_experiment(Name=TEST)
    return found


def tags(aws: LocalAws) -> dict[str, str]:
    """The test's tags."""
    found = aws.client("sagemaker").list_tags(ResourceArn=described(aws)["Arn"])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def tag(value: str) -> list[Json]:
    """One tag."""
    return [{"Key": "team", "Value": value}]


def later(**time: float) -> str:
    """A time from now on, as in a template."""
    return (datetime.now(timezone.utc) + timedelta(**time)).isoformat()


def test_a_template_holds_endpoint_and_running_experiment(aws: LocalAws) -> None:
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    experiment = aws.client("sagemaker").describe_inference_experiment(Name="fraud-shadow")
    assert experiment["Status"] == "Running"
    assert experiment["EndpointMetadata"]["EndpointStatus"] == "InService"


@pytest.mark.parametrize(
    ("kept", "production"), [(BOTH[:1], "fraud-v1"), (BOTH[1:], "fraud-v2"), (BOTH, "fraud-v1")]
)
def test_a_desired_state_stops_the_experiment_and_keeps_the_variants_that_remain(
    aws: LocalAws, kept: list[Json], production: str
) -> None:
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    assert update(aws, template(kept, "Completed")) == "UPDATE_COMPLETE"
    sagemaker = aws.client("sagemaker")
    assert sagemaker.describe_inference_experiment(Name="fraud-shadow")["Status"] == "Completed"
    serving = endpoint_variants(sagemaker)
    assert [variant["ModelName"] for variant in serving["production"]] == [production]
    assert bool(serving["shadow"]) == (kept == BOTH)


def test_a_deletion_keeps_both_variants_and_takes_cancelled_for_success(aws: LocalAws) -> None:
    aws.configure(stop_seconds=3)
    assert create(aws, template(BOTH)) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=STACK)
    wait_for_experiment(aws.client("sagemaker"), "fraud-shadow", "Stopping")
    aws.end_experiment("fraud-shadow", status="Cancelled", status_reason="an error")
    assert settled(aws) == "DELETE_COMPLETE"
    (stop,) = aws.calls("StopInferenceExperiment")
    assert stop.request["ModelVariantActions"] == {"production": "Retain", "shadow": "Retain"}
    assert stop.request["DesiredState"] == "Completed"


def test_a_running_experiment_stops_although_the_desired_state_did_not_change(
    aws: LocalAws,
) -> None:
    # Its creation takes no notice of the state, so any later update ends it.
    assert create(aws, template(state="Completed")) == "CREATE_COMPLETE"
    assert described(aws)["Status"] == "Running"
    assert update(aws, template(state="Completed", Description="reworded")) == "UPDATE_COMPLETE"
    assert described(aws)["Status"] == "Completed"
    (stop,) = aws.calls("StopInferenceExperiment")
    assert [item["VariantName"] for item in stop.request["DesiredModelVariants"]] == [
        "production",
        "shadow",
    ]


def test_an_update_of_an_ended_experiment_changes_its_tags_only(aws: LocalAws) -> None:
    assert create(aws, template(Tags=tag("a"))) == "CREATE_COMPLETE"
    assert tags(aws) == {"team": "a"}
    aws.end_experiment(TEST)
    changed = template(BOTH[:1], "Completed", Description="other", Tags=tag("b"))
    assert update(aws, changed) == "UPDATE_COMPLETE"
    assert tags(aws) == {"team": "b"}
    assert "Description" not in described(aws)
    assert not aws.calls("StopInferenceExperiment")
    assert not aws.calls("UpdateInferenceExperiment")
    assert update(aws, template(BOTH[:1], "Completed")) == "UPDATE_COMPLETE"
    assert tags(aws) == {}


def test_a_created_experiment_is_stable_and_starts_when_the_template_says_running(
    aws: LocalAws,
) -> None:
    times = {"StartTime": later(days=1), "EndTime": later(days=2)}
    assert create(aws, template(Schedule=times)) == "CREATE_COMPLETE"
    assert described(aws)["Status"] == "Created"
    # Completed does not stop it: it is updated.
    changed = template(state="Completed", Schedule=times, Description="waits")
    assert update(aws, changed) == "UPDATE_COMPLETE"
    assert (described(aws)["Status"], described(aws)["Description"]) == ("Created", "waits")
    assert update(aws, template(state="Running", Schedule=times)) == "UPDATE_COMPLETE"
    assert described(aws)["Status"] == "Running"
    assert not aws.calls("StopInferenceExperiment")


def test_an_update_waits_for_a_stop_that_is_under_way(aws: LocalAws) -> None:
    assert create(aws, template()) == "CREATE_COMPLETE"
    actions = {"production": "Retain", "shadow": "Remove"}
    aws.client("sagemaker").stop_inference_experiment(Name=TEST, ModelVariantActions=actions)
    assert update(aws, template(state="Cancelled")) == "UPDATE_COMPLETE"
    assert described(aws)["Status"] == "Completed"
    assert len(aws.calls("StopInferenceExperiment")) == 1


def test_a_deletion_of_a_created_experiment_does_not_stop_it(aws: LocalAws) -> None:
    times = {"StartTime": later(days=1), "EndTime": later(days=2)}
    assert create(aws, template(Schedule=times)) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=STACK)
    assert settled(aws) == "DELETE_COMPLETE"
    assert not aws.calls("StopInferenceExperiment")
    assert len(aws.calls("DeleteInferenceExperiment")) == 1
