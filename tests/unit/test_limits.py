"""Every limit is the API's: botocore's service model is the reference."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest

from cdk_stop_inference_experiment import DesiredState, ModelVariantAction, StopOn
from cdk_stop_inference_experiment.instance_types import INSTANCE_TYPES
from cdk_stop_inference_experiment_handler.contract import declaration, limits
from cdk_stop_inference_experiment_handler.contract.declaration import REQUEST_PROPERTIES, Action
from cdk_stop_inference_experiment_handler.contract.limits import StringLimit

NAMES = [limits.EXPERIMENT_NAME, limits.VARIANT_NAME, limits.MODEL_NAME]
STRINGS = [*NAMES, limits.REASON]


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
        (limits.EXPERIMENT_NAME, ("Name",)),
        (limits.VARIANT_NAME, ("ModelVariantActions", "key")),
        (limits.VARIANT_NAME, ("DesiredModelVariants", "member", "VariantName")),
        (limits.MODEL_NAME, ("DesiredModelVariants", "member", "ModelName")),
        (limits.REASON, ("Reason",)),
        (limits.INSTANCE_TYPE, (*INSTANCE, "InstanceType")),
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
        assert re.fullmatch(limits.REASON.pattern, f"a{line_break}b") is None
    assert re.fullmatch(limits.REASON.pattern, "p99: 41 ms — 勝ち\t!")


def test_the_words_of_a_reason_leave_room_for_the_digest_after_them() -> None:
    assert len("r" * limits.MAX_REASON_TEXT + " (0123abcd)") == limits.REASON.maximum


@pytest.mark.parametrize(
    ("limit", "accepted", "refused"),
    [
        (
            limits.EXPERIMENT_NAME,
            ["x", "X9", "a--b", "x" * 120, "a" + "-" * 118 + "b"],
            ["", "-a", "a-", "a_b", "a b", "x" * 121, "é", "a\n"],
        ),
        (limits.VARIANT_NAME, ["x", "a--b", "x" * 63], ["", "-a", "a-", "a.b", "a\n"]),
        (limits.MODEL_NAME, ["x", "a--b", "x" * 63], ["", "-a", "a-", "a.b", "a\n"]),
        (
            limits.INSTANCE_TYPE,
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
    assert metadata["max"] == limits.MAX_VARIANTS
    # We refuse empty lists; the API's model has no minimum for one of them.
    assert metadata.get("min", 1) == 1


def test_the_least_number_of_instances_is_the_apis(model: Any) -> None:
    assert _shape(model, *INSTANCE, "InstanceCount").metadata["min"] == limits.MIN_INSTANCE_COUNT


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        ("ModelVariantAction", tuple(Action)),
        ("InferenceExperimentStopDesiredState", limits.DESIRED_STATES),
        ("ModelInfrastructureType", (limits.INFRASTRUCTURE_TYPE,)),
    ],
)
def test_a_choice_has_the_values_of_the_api(
    model: Any, shape: str, values: tuple[str, ...]
) -> None:
    assert sorted(model.shape_for(shape).enum) == sorted(values)


def test_the_instance_types_are_those_of_the_api(model: Any) -> None:
    known = set(model.shape_for("ProductionVariantInstanceType").enum)
    assert known == INSTANCE_TYPES
    assert all(re.fullmatch(limits.INSTANCE_TYPE.pattern, name) for name in known)


def test_every_member_of_the_request_is_a_property(model: Any) -> None:
    request = model.operation_model("StopInferenceExperiment").input_shape
    assert set(request.members) == set(REQUEST_PROPERTIES)
    assert set(request.required_members) == {"Name", "ModelVariantActions"}


def test_the_enums_of_the_construct_have_the_values_of_the_handler() -> None:
    assert [member.value for member in ModelVariantAction] == [*Action]
    assert [member.value for member in DesiredState] == [*limits.DESIRED_STATES]
    assert [member.value for member in StopOn] == [*declaration.StopOn]
