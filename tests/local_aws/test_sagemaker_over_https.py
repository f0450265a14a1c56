"""SageMaker as a client meets it: boto3, HTTPS, IAM, faults and the log of calls."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAws, LocalAwsError
from local_aws.shadow_test import (
    create_shadow_test,
    endpoint_variants,
    model_variant,
    wait_for_experiment,
)

NAME = "fraud-shadow"
ARN = f"arn:aws:sagemaker:us-east-1:000000000000:inference-experiment/{NAME}"
PROMOTE = {"production": "Remove", "shadow": "Promote"}


def test_promotes_a_shadow_variant_from_start_to_end(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    assert create_shadow_test(sagemaker) == ARN
    answer = sagemaker.stop_inference_experiment(
        Name=NAME,
        ModelVariantActions=PROMOTE,
        DesiredModelVariants=[model_variant("shadow", "fraud-v2", "ml.m5.xlarge", 2)],
        DesiredState="Completed",
        Reason="v2 wins",
    )
    assert answer["InferenceExperimentArn"] == ARN
    stopping = sagemaker.describe_inference_experiment(Name=NAME)
    assert stopping["Status"] == "Stopping"
    assert stopping["EndpointMetadata"]["EndpointStatus"] == "Updating"
    ended = wait_for_experiment(sagemaker, NAME, "Completed")
    assert ended["StatusReason"] == "v2 wins"
    assert ended["CompletionTime"] > ended["CreationTime"]
    served = endpoint_variants(sagemaker)
    assert [item["ModelName"] for item in served["production"]] == ["fraud-v2"]
    assert served["production"][0]["InstanceType"] == "ml.m5.xlarge"
    assert served["shadow"] == []


def test_answers_errors_that_boto3_knows_by_name(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.stop_inference_experiment(Name="absent", ModelVariantActions=PROMOTE)
    create_shadow_test(sagemaker)
    sagemaker.stop_inference_experiment(Name=NAME, ModelVariantActions=PROMOTE)
    with pytest.raises(sagemaker.exceptions.ConflictException):
        sagemaker.stop_inference_experiment(Name=NAME, ModelVariantActions=PROMOTE)


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


def test_speaks_json_1_1(aws: LocalAws) -> None:
    headers = {"X-Amz-Target": "SageMaker.Unheard", "Authorization": _any_signature()}
    context = ssl.create_default_context(cafile=aws.environment()["AWS_CA_BUNDLE"])
    request = urllib.request.Request(aws.endpoint_url, data=b"{}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, context=context, timeout=10)
    with error.value as answer:
        assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
        assert json.load(answer)["__type"] == "UnknownOperationException"


def test_is_refused_by_a_client_that_does_not_trust_its_certificate(aws: LocalAws) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(aws.endpoint_url, timeout=10)


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


def test_ends_an_experiment_on_order(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker)
    aws.end_experiment(NAME, status_reason="Internal error")
    experiment = sagemaker.describe_inference_experiment(Name=NAME)
    assert (experiment["Status"], experiment["StatusReason"]) == ("Cancelled", "Internal error")
    with pytest.raises(LocalAwsError, match="absent"):
        aws.end_experiment("absent")


def test_scales_a_variant_and_fails_an_update_on_order(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker, "fraud-shadow")
    aws.scale_variant("fraud", "production", current=10)
    (served,) = sagemaker.describe_endpoint(EndpointName="fraud")["ProductionVariants"]
    assert (served["CurrentInstanceCount"], served["DesiredInstanceCount"]) == (10, 10)
    aws.fail_endpoint_update("fraud", failure_reason="no capacity")
    sagemaker.stop_inference_experiment(
        Name="fraud-shadow", ModelVariantActions={"production": "Remove", "shadow": "Promote"}
    )
    ended = wait_for_experiment(sagemaker, "fraud-shadow", "Completed")
    assert ended["EndpointMetadata"]["FailureReason"] == "no capacity"
    assert ended["EndpointMetadata"]["EndpointStatus"] == "InService"
    with pytest.raises(LocalAwsError, match="Could not find endpoint"):
        aws.scale_variant("nowhere", "production", current=1)


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


def _any_signature() -> str:
    credential = "Credential=test/20300101/us-east-1/sagemaker/aws4_request"
    return f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=00"
