"""Every limit is the API's: botocore's service model is the reference."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest

from cdk_stop_inference_experiment import DesiredState, ModelVariantAction, StopOn
from cdk_stop_inference_experiment.instance_types import INSTANCE_TYPES
from cdk_stop_inference_experiment_handler.contract import constraints
from cdk_stop_inference_experiment_handler.contract.constraints import StringLimit
from cdk_stop_inference_experiment_handler.contract.declaration import MAX_WORDS, REQUEST_PROPERTIES
from cdk_stop_inference_experiment_handler.contract.validation import problems

NAMES = [constraints.EXPERIMENT_NAME, constraints.VARIANT_NAME, constraints.MODEL_NAME]
STRINGS = [*NAMES, constraints.REASON]


@pytest.fixture(scope="module")
def model() -> Any:
    """SageMaker's API in botocore; the attributes of a shape depend on its kind."""
    return botocore.session.get_session().get_service_model("sagemaker")


def _shape(model: Any, *path: str) -> Any:
    """A member of StopInferenceExperiment's request, by its path."""
    shape = model.operation_model("StopInferenceExperiment").input_shape
    for name in path:
        shape = shape.members[name] if shape.type_name == "structure" else getattr(shape, name)
    return shape


INSTANCE = ("DesiredModelVariants", "member", "InfrastructureConfig", "RealTimeInferenceConfig")


@pytest.mark.parametrize(
    ("limit", "path"),
    [
        (constraints.EXPERIMENT_NAME, ("Name",)),
        (constraints.VARIANT_NAME, ("ModelVariantActions", "key")),
        (constraints.VARIANT_NAME, ("DesiredModelVariants", "member", "VariantName")),
        (constraints.MODEL_NAME, ("DesiredModelVariants", "member", "ModelName")),
        (constraints.REASON, ("Reason",)),
        (constraints.INSTANCE_TYPE, (*INSTANCE, "InstanceType")),
    ],
)
def test_a_limit_is_of_the_shape_that_the_request_has_there(
    model: Any, limit: StringLimit, path: tuple[str, ...]
) -> None:
    assert _shape(model, *path).name == limit.shape


@pytest.mark.parametrize("limit", STRINGS, ids=lambda limit: limit.shape)
def test_a_string_has_the_lengths_of_the_api(model: Any, limit: StringLimit) -> None:
    metadata = model.shape_for(limit.shape).metadata
    assert metadata["max"] == limit.maximum
    # The model has no minimum, or 0, if the pattern alone refuses an empty string.
    by_pattern = 0 if re.fullmatch(metadata["pattern"], "") else 1
    assert max(metadata.get("min", 0), by_pattern) == limit.minimum


@pytest.mark.parametrize("limit", NAMES, ids=lambda limit: limit.shape)
def test_a_name_matches_the_pattern_of_the_api(model: Any, limit: StringLimit) -> None:
    pattern = model.shape_for(limit.shape).metadata["pattern"]
    assert pattern.lstrip("^").rstrip("$") == limit.pattern


def test_a_reason_is_one_line_as_the_pattern_of_the_api_says(model: Any) -> None:
    assert model.shape_for("InferenceExperimentStatusReason").metadata["pattern"] == ".*"
    for line_break in ("\n", "\r", "\u0085", "\u2028", "\u2029"):
        assert re.fullmatch(constraints.REASON.pattern, f"a{line_break}b") is None
    assert re.fullmatch(constraints.REASON.pattern, "p99: 41 ms — 勝ち\t!")


def test_the_words_of_a_reason_leave_room_for_the_digest_after_them() -> None:
    assert len("r" * MAX_WORDS + " (0123abcd)") == constraints.REASON.maximum


@pytest.mark.parametrize("value", [True, False, "true", "False", "TRUE"])
def test_end_now_may_be_a_bool_or_what_cloudformation_makes_of_one(value: object) -> None:
    declared = {"Name": "x", "ModelVariantActions": {"a": "Retain"}, "EndNow": value}
    assert problems(declared) == []


@pytest.mark.parametrize("value", ["", "yes", "1", 1, ["true"]])
def test_end_now_may_be_nothing_else(value: object) -> None:
    declared = {"Name": "x", "ModelVariantActions": {"a": "Retain"}, "EndNow": value}
    assert problems(declared) == [f"'EndNow' must be 'true' or 'false', got {value!r}"]


@pytest.mark.parametrize(
    ("limit", "accepted", "refused"),
    [
        (
            constraints.EXPERIMENT_NAME,
            ["x", "X9", "a--b", "x" * 120, "a" + "-" * 118 + "b"],
            ["", "-a", "a-", "a_b", "a b", "x" * 121, "é", "a\n"],
        ),
        (constraints.VARIANT_NAME, ["x", "a--b", "x" * 63], ["", "-a", "a-", "a.b", "a\n"]),
        (constraints.MODEL_NAME, ["x", "a--b", "x" * 63], ["", "-a", "a-", "a.b", "a\n"]),
        (
            constraints.INSTANCE_TYPE,
            ["ml.m5.xlarge", "ml.g6e.48xlarge", "ml.p6-b200.48xlarge"],
            ["", "m5.xlarge", "ml.m5", "ml.m5.xlarge.x", "ML.m5.xlarge", "ml.m5.xlarge\n"],
        ),
    ],
    ids=["experiment", "variant", "model", "instance type"],
)
def test_a_pattern_is_matched_whole(
    limit: StringLimit, accepted: list[str], refused: list[str]
) -> None:
    assert [text for text in accepted if not re.fullmatch(limit.pattern, text)] == []
    assert [text for text in refused if re.fullmatch(limit.pattern, text)] == []


@pytest.mark.parametrize("path", ["ModelVariantActions", "DesiredModelVariants"])
def test_one_or_two_variants_as_the_api_says(model: Any, path: str) -> None:
    metadata = _shape(model, path).metadata
    assert metadata["max"] == constraints.MAX_VARIANTS
    # We refuse empty lists; the API's model has no minimum for one of them.
    assert metadata.get("min", 1) == 1


def test_the_least_number_of_instances_is_the_apis(model: Any) -> None:
    assert (
        _shape(model, *INSTANCE, "InstanceCount").metadata["min"] == constraints.MIN_INSTANCE_COUNT
    )


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        ("ModelVariantAction", constraints.MODEL_VARIANT_ACTIONS),
        ("InferenceExperimentStopDesiredState", constraints.DESIRED_STATES),
        ("ModelInfrastructureType", (constraints.INFRASTRUCTURE_TYPE,)),
    ],
)
def test_a_choice_has_the_values_of_the_api(
    model: Any, shape: str, values: tuple[str, ...]
) -> None:
    assert sorted(model.shape_for(shape).enum) == sorted(values)


def test_the_instance_types_are_those_of_the_api(model: Any) -> None:
    known = set(model.shape_for("ProductionVariantInstanceType").enum)
    assert known == INSTANCE_TYPES
    assert all(re.fullmatch(constraints.INSTANCE_TYPE.pattern, name) for name in known)


def test_every_member_of_the_request_is_a_property(model: Any) -> None:
    request = model.operation_model("StopInferenceExperiment").input_shape
    assert set(request.members) == set(REQUEST_PROPERTIES)
    assert set(request.required_members) == {"Name", "ModelVariantActions"}


def test_the_enums_of_the_construct_have_the_values_of_the_handler() -> None:
    assert [member.value for member in ModelVariantAction] == [*constraints.MODEL_VARIANT_ACTIONS]
    assert [member.value for member in DesiredState] == [*constraints.DESIRED_STATES]
    assert [member.value for member in StopOn] == [*constraints.STOP_ON]
