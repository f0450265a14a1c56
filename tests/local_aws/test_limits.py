"""SageMaker's request limits, both sides of each, as botocore's own model states them."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.emulator.sagemaker.errors import ApiError
from local_aws.emulator.sagemaker.validation import check_request, service_model
from local_aws.shadow_test import model_variant
from loopback.containers import ENVIRONMENT

STOP = "StopInferenceExperiment"
KEEP = {"production": "Retain", "shadow": "Remove"}


def stop_request(**changes: object) -> dict[str, Any]:
    """Return a request that keeps production, with some members changed."""
    return {"Name": "fraud-shadow", "ModelVariantActions": KEEP, **changes}


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        pytest.param({"Name": "a"}, {"Name": ""}, id="name-min"),
        pytest.param({"Name": "a" * 120}, {"Name": "a" * 121}, id="name-max"),
        pytest.param({"Name": "ab"}, {"Name": "ab\n"}, id="name-is-matched-whole"),
        pytest.param({"DesiredState": "Cancelled"}, {"DesiredState": "Running"}, id="state"),
        pytest.param(
            {"ModelVariantActions": {"a": "Retain", "b": "Remove"}},
            {"ModelVariantActions": {"a": "Retain", "b": "Remove", "c": "Remove"}},
            id="actions-max",
        ),
        pytest.param(
            {"ModelVariantActions": {"a-b": "Retain"}},
            {"ModelVariantActions": {"a_b": "Retain"}},
            id="variant-key-pattern",
        ),
        pytest.param(
            {"DesiredModelVariants": [model_variant("a", "m"), model_variant("b", "m")]},
            {"DesiredModelVariants": [model_variant("a", "m")] * 3},
            id="desired-max",
        ),
        pytest.param(
            {"DesiredModelVariants": [model_variant("a", "m", instance_count=0)]},
            {"DesiredModelVariants": [model_variant("a", "m", instance_count=-1)]},
            id="instance-count-min",
        ),
    ],
)
def test_accepts_one_side_of_a_limit_and_refuses_the_other(
    allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    check_request(STOP, stop_request(**allowed))
    with pytest.raises(ApiError, match=r"validation errors? detected") as error:
        check_request(STOP, stop_request(**refused))
    assert error.value.code == "ValidationException"


def test_tells_every_broken_constraint_at_once_with_its_path() -> None:
    variants = [{**model_variant("a", "m"), "ModelName": "m_"}]
    with pytest.raises(ApiError) as error:
        check_request(STOP, {"Reason": "r" * 1025, "DesiredModelVariants": variants})
    message = error.value.message
    assert message.startswith("4 validation errors detected: ")
    assert "Value null at 'name' failed to satisfy constraint: Member must not be null" in message
    assert "at 'desiredModelVariants.1.member.modelName'" in message
    assert "at 'reason' failed to satisfy constraint: Member must have length less" in message


def test_limits_come_from_all_of_botocores_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's environment, in which loopback tests run, names a part of it."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert len(service_model.__wrapped__().operation_names) > 400
