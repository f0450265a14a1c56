"""SageMaker's request limits, both sides of each, as botocore's own model states them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.emulator.sagemaker.errors import ApiError
from local_aws.emulator.sagemaker.service import _OPERATIONS
from local_aws.emulator.sagemaker.validation import Shape, check_request, service_model
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
        pytest.param({"Name": "a-b"}, {"Name": "a-b-"}, id="name-pattern"),
        pytest.param({"Name": "ab"}, {"Name": "ab\n"}, id="name-is-matched-whole"),
        pytest.param({"Reason": "r" * 1024}, {"Reason": "r" * 1025}, id="reason-max"),
        pytest.param({"Reason": "one line"}, {"Reason": "two\nlines"}, id="reason-line-break"),
        pytest.param({"DesiredState": "Cancelled"}, {"DesiredState": "Running"}, id="state"),
        pytest.param(
            {"ModelVariantActions": {"a": "Retain", "b": "Remove"}},
            {"ModelVariantActions": {"a": "Retain", "b": "Remove", "c": "Remove"}},
            id="actions-max",
        ),
        pytest.param(
            {"ModelVariantActions": {"a": "Retain"}}, {"ModelVariantActions": {}}, id="actions-min"
        ),
        pytest.param(
            {"ModelVariantActions": {"a": "Promote"}},
            {"ModelVariantActions": {"a": "promote"}},
            id="action-enum",
        ),
        pytest.param(
            {"ModelVariantActions": {"a" * 63: "Retain"}},
            {"ModelVariantActions": {"a" * 64: "Retain"}},
            id="variant-key-max",
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
        pytest.param(
            {"DesiredModelVariants": [model_variant("a", "m", "ml.m5.xlarge")]},
            {"DesiredModelVariants": [model_variant("a", "m", "ml.m5.huge")]},
            id="instance-type-enum",
        ),
        pytest.param(
            {"DesiredModelVariants": [model_variant("a", "m" * 63)]},
            {"DesiredModelVariants": [model_variant("a", "m" * 64)]},
            id="model-name-max",
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


def test_words_a_broken_pattern_as_aws_does() -> None:
    with pytest.raises(ApiError) as error:
        check_request(STOP, stop_request(Name="a_b"))
    assert error.value.message == (
        "1 validation error detected: Value 'a_b' at 'name' failed to satisfy constraint: Member "
        "must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}"
    )


def test_tells_every_broken_constraint_at_once_with_its_path() -> None:
    variants = [{**model_variant("a", "m"), "ModelName": "m_"}]
    with pytest.raises(ApiError) as error:
        check_request(STOP, {"Reason": "r" * 1025, "DesiredModelVariants": variants})
    message = error.value.message
    assert message.startswith("4 validation errors detected: ")
    assert "Value null at 'name' failed to satisfy constraint: Member must not be null" in message
    assert "at 'desiredModelVariants.1.member.modelName'" in message
    assert "at 'reason' failed to satisfy constraint: Member must have length less" in message


def test_words_a_broken_enum_in_a_map_as_aws_does() -> None:
    with pytest.raises(ApiError) as error:
        check_request(STOP, stop_request(ModelVariantActions={"shadow": "Stop"}))
    assert error.value.message.endswith(
        "Value '{shadow=Stop}' at 'modelVariantActions' failed to satisfy constraint: Map value "
        "must satisfy constraint: [Member must satisfy enum value set: [Retain, Remove, Promote]]"
    )


def test_refuses_a_value_of_another_type() -> None:
    variant = model_variant("a", "m")
    instances = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]
    instances["InstanceCount"] = "2"
    with pytest.raises(ApiError) as error:
        check_request(STOP, stop_request(DesiredModelVariants=[variant]))
    assert error.value.code == "SerializationException"


@pytest.mark.parametrize("operation", sorted(_OPERATIONS))
def test_can_check_every_pattern_of_an_operation_but_those_of_tags(operation: str) -> None:
    for pattern in set(_patterns(service_model().operation_model(operation).input_shape, ())):
        if r"\p{" not in pattern:
            re.compile(pattern)


def _patterns(shape: Shape, seen: tuple[str, ...]) -> Iterator[str]:
    if shape.name in seen:
        return
    seen = (*seen, shape.name)
    if "pattern" in shape.metadata:
        yield shape.metadata["pattern"]
    parts = {
        "structure": lambda: list(shape.members.values()),
        "list": lambda: [shape.member],
        "map": lambda: [shape.key, shape.value],
    }
    for part in parts.get(shape.type_name, list)():
        yield from _patterns(part, seen)


def test_limits_come_from_all_of_botocores_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's environment, in which loopback tests run, names a part of it."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert len(service_model.__wrapped__().operation_names) > 400
