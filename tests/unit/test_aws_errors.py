"""What a failed call of AWS means, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
)

from cdk_stop_inference_experiment_handler.lifecycle.situation import Kind
from cdk_stop_inference_experiment_handler.runtime.errors import (
    AwsError,
    Conflict,
    Denied,
    Gone,
    NotSent,
    Refused,
    Throttled,
    Transient,
    error_of,
)

STOP = "StopInferenceExperiment"
ENDPOINT = '"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/fraud"'


def failed(code: str, message: str = "no", operation: str = STOP, status: int = 400) -> AwsError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return error_of(ClientError(answer, operation))


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("ThrottlingException", "Rate exceeded", Throttled),
        ("ServiceUnavailable", "later", Transient),
        ("AccessDenied", "no", Denied),
        ("ConflictException", "", Conflict),
        # As Stop answers while the endpoint is in a change.
        ("ValidationException", f"Cannot update in-progress endpoint {ENDPOINT}.", Conflict),
        ("ValidationException", "The endpoint is being updated.", Conflict),
        ("ValidationException", f"Could not find endpoint {ENDPOINT}.", Gone),
        ("ResourceNotFound", "Could not find the experiment", Gone),
        # The words alone decide nothing.
        ("InternalFailure", "Cannot update in-progress endpoint", Refused),
        ("ValidationException", "", Refused),
        ("", "", Refused),
    ],
)
def test_a_failed_call_is_of_the_type_that_its_code_says(
    code: str, message: str, kind: type[AwsError]
) -> None:
    assert type(failed(code, message)) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (429, Throttled), (500, Transient), (503, Transient)]
)
def test_the_http_status_decides_where_the_code_is_not_known(
    status: int, kind: type[AwsError]
) -> None:
    assert type(failed("Unheard", status=status)) is kind


def test_a_conflict_of_describe_is_transient() -> None:
    error = failed("ConflictException", operation="DescribeInferenceExperiment")
    assert error.as_not_readable.kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("ValidationException", "no endpoint", f"{STOP}: ValidationException: no endpoint"),
        ("ValidationException", "", f"{STOP}: ValidationException"),
        ("", "", STOP),
    ],
)
def test_what_aws_leaves_out_is_left_out(code: str, message: str, said: str) -> None:
    assert str(failed(code, message)) == failed(code, message).as_not_readable.why == said


def test_a_call_that_botocore_refuses_names_the_remedy() -> None:
    error = error_of(ParamValidationError(report="Unknown parameter: Outcome"))
    assert type(error) is NotSent
    assert "Unknown parameter: Outcome" in str(error)
    assert str(error).endswith("; deploy properties that this release of the library makes")


@pytest.mark.parametrize(
    ("error", "kind", "may_be_done"),
    [
        (ConnectTimeoutError(endpoint_url="https://sagemaker"), Transient, True),
        (NoCredentialsError(), NotSent, False),
    ],
)
def test_only_a_lost_answer_may_hide_a_call_that_was_carried_out(
    error: BotoCoreError, kind: type[AwsError], may_be_done: bool
) -> None:
    found = error_of(error)
    assert (type(found), found.may_be_done) == (kind, may_be_done)
