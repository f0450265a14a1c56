"""SageMaker as a client meets it: boto3, HTTPS, IAM, faults and the log of calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAws, LocalAwsError
from local_aws.shadow_test import (
    create_shadow_test,
)

NAME = "fraud-shadow"
ARN = f"arn:aws:sagemaker:us-east-1:000000000000:inference-experiment/{NAME}"
PROMOTE = {"production": "Remove", "shadow": "Promote"}


def test_logs_every_call_with_its_request_and_error(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    with pytest.raises(ClientError):
        sagemaker.stop_inference_experiment(Name="absent", ModelVariantActions=PROMOTE)
    sagemaker.list_inference_experiments()
    (stop,) = aws.calls("StopInferenceExperiment")
    assert stop.request == {"Name": "absent", "ModelVariantActions": PROMOTE}
    assert stop.error_code == "ResourceNotFound"
    assert [call.operation for call in aws.calls()] == [
        "StopInferenceExperiment",
        "ListInferenceExperiments",
    ]


def test_denies_what_a_policy_does_not_allow_in_sagemakers_words(aws: LocalAws) -> None:
    create_shadow_test(aws.client("sagemaker"))
    caller = _caller_allowed(aws, "sagemaker:DescribeInferenceExperiment", ARN)
    assert caller.describe_inference_experiment(Name=NAME)["Status"] == "Running"
    with pytest.raises(ClientError) as error:
        caller.stop_inference_experiment(Name=NAME, ModelVariantActions=PROMOTE)
    assert error.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": (
            "User: arn:aws:iam::000000000000:user/narrow is not authorized to perform: "
            f"sagemaker:StopInferenceExperiment on resource: {ARN} because no identity-based "
            "policy allows the sagemaker:StopInferenceExperiment action"
        ),
    }
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    (refused,) = aws.calls("StopInferenceExperiment")
    assert (refused.request["Name"], refused.error_code) == (NAME, "AccessDeniedException")


def test_allows_an_action_on_the_named_experiment_only(aws: LocalAws) -> None:
    caller = _caller_allowed(aws, "sagemaker:*", ARN)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        caller.describe_inference_experiment(Name=NAME)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        caller.describe_inference_experiment(Name="another")


def test_fails_the_next_calls_of_an_operation_on_order(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker)
    aws.fail("StopInferenceExperiment", "ServiceUnavailable", http_status=503, times=2)
    # boto3 tries a 503 again by itself; the third try gets through.
    sagemaker.stop_inference_experiment(Name=NAME, ModelVariantActions=PROMOTE)
    errors = [call.error_code for call in aws.calls("StopInferenceExperiment")]
    assert errors == ["ServiceUnavailable", "ServiceUnavailable", None]


def test_changes_its_clock_while_it_runs_and_refuses_unknown_settings(aws: LocalAws) -> None:
    before = aws.configure()
    assert aws.configure(stop_seconds=7).stop_seconds == 7
    with pytest.raises(LocalAwsError, match="unknown settings"):
        aws.configure(speed=3)
    assert aws.configure(stop_seconds=before.stop_seconds) == before


def test_forgets_everything_on_reset(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker)
    aws.reset()
    assert aws.calls() == []
    assert sagemaker.list_inference_experiments()["InferenceExperiments"] == []


def test_reads_no_profile_of_the_user(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert aws.client("sts").get_caller_identity()["Account"] == "000000000000"
    environment = aws.environment({"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "x", "HOME": "/"})
    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["HOME"] == "/"


def _caller_allowed(aws: LocalAws, action: str, resource: str) -> Any:
    """Return a SageMaker client of a user who may do one thing."""
    iam = aws.client("iam")
    iam.create_user(UserName="narrow")
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="narrow", PolicyName="inline", PolicyDocument=document)
    key = iam.create_access_key(UserName="narrow")["AccessKey"]
    return aws.client(
        "sagemaker",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
