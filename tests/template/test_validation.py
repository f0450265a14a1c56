"""What synth refuses in the words of its props, and what only synth can tell.

tests/unit/test_validation.py has both sides of each limit.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from cdk_stop_inference_experiment import (
    Instances,
    InstanceType,
    InvalidPropsError,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
)

from .stacks import declare, new_stack


@pytest.fixture(scope="module")
def stack() -> cdk.Stack:
    """A stack for constructs that are refused: they leave nothing in it."""
    return new_stack()


def _variant(**changes: Any) -> ModelVariantConfig:
    values: dict[str, Any] = {
        "model_name": "fraud-v1",
        "variant_name": "production",
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
    }
    return ModelVariantConfig(**{**values, **changes})


def test_desired_variants_may_be_tokens() -> None:
    tokens: list[Any] = [cdk.Fn.find_in_map("Map", "a", "b"), cdk.Fn.get_att("Made", "Variant")]
    declare(new_stack(), desired_model_variants=tokens)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a name of 121 characters": (
        {"experiment_name": "x" * 121},
        "'experiment_name' must be at most 120 characters, got 121",
    ),
    "a name that is a token of anything": (
        {"experiment_name": cdk.Fn.get_att("Made", "Name")},
        "'experiment_name' must be a string, got <",
    ),
    "desired variants with an outcome": (
        {"outcome": Outcome.keep_both(), "desired_model_variants": [_variant()]},
        (
            "'desired_model_variants' must be left out with 'outcome': to name the instances of a "
            "promoted variant, use 'outcome.instances'"
        ),
    ),
    "instances of what is kept": (
        {"outcome": Outcome("KeepBoth", Instances.shadow())},
        "'outcome.instances' must be left out unless 'outcome' is 'PromoteShadow', got 'Shadow'",
    ),
    "instances of another type": (
        {"outcome": Outcome.promote_shadow("ml.m5.xlarge")},  # type: ignore[arg-type]
        (
            "'outcome.instances' must be 'Production' or 'Shadow', or an object of "
            "'instance_type' and 'instance_count', got 'ml.m5.xlarge'"
        ),
    ),
    "a promotion on an instance type of EC2's class": (
        {"outcome": Outcome.promote_shadow(Instances(ec2.InstanceType("m5.xlarge"), 1))},  # type: ignore[arg-type]
        "'outcome.instances.instance_type' must be a string, got <aws_cdk.aws_ec2.InstanceType",
    ),
    "an action in other words": (
        {"model_variant_actions": {"a": "promote"}},
        (
            "'model_variant_actions[a]' must be 'Retain', 'Remove' or 'Promote', got 'promote': "
            "did you mean 'Promote'?"
        ),
    ),
    "a desired variant that is none": (
        {"desired_model_variants": ["shadow"]},
        "'desired_model_variants[0]' must be a ModelVariantConfig, got 'shadow'",
    ),
    "a misspelt instance type": (
        {"desired_model_variants": [_variant(instance_type="ml.m5.xlrge")]},
        (
            "'desired_model_variants[0].instance_type' must be an instance type that SageMaker "
            "endpoints know, got 'ml.m5.xlrge': did you mean 'ml.m5.xlarge'"
        ),
    ),
    "an instance type that resembles none": (
        {"desired_model_variants": [_variant(instance_type="ml.quantum.enormous")]},
        "write InstanceType.of('ml.quantum.enormous')",
    ),
    "an instance type of EC2's class": (
        {"desired_model_variants": [_variant(instance_type=ec2.InstanceType("m5.xlarge"))]},
        "'desired_model_variants[0].instance_type' must be a string, got <aws_cdk.aws_ec2.Inst",
    ),
    "an instance type of no form even by name": (
        {"desired_model_variants": [_variant(instance_type=InstanceType.of("huge"))]},
        "'desired_model_variants[0].instance_type' must be a SageMaker instance type",
    ),
    "a desired state in other words": (
        {"desired_state": "done"},
        "'desired_state' must be 'Completed' or 'Cancelled', got 'done'",
    ),
    "a reason of 1025 characters": (
        {"reason": "r" * 1025},
        "'reason' must be at most 1024 characters, got 1025",
    ),
    "an event in other words": (
        {"stop_on": ["destroy"]},
        "'stop_on' must list 'Create', 'Update' or 'Delete', got 'destroy'",
    ),
    "end_now as a number": ({"end_now": 0}, "'end_now' must be 'true' or 'false', got 0"),
    "neither a name nor an experiment": (
        {"experiment_name": None},
        "exactly one of 'experiment_name' and 'experiment' is required, got neither",
    ),
    "an experiment of a wrong type": (
        {"experiment": "fraud-shadow"},
        "'experiment' must be a CfnInferenceExperiment, got 'fraud-shadow'",
    ),
    "a provider of a wrong type": (
        {"provider": "provider"},
        "'provider' must be a StopInferenceExperimentProvider, got 'provider'",
    ),
}


@pytest.mark.parametrize(("props", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(stack: cdk.Stack, props: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidPropsError) as error:
        declare(stack, **props)
    assert len(error.value.problems) == 1, error.value
    assert problem in error.value.problems[0]
    assert str(error.value) == (
        f"invalid StopInferenceExperiment props of 'Stack/StopShadowTest': "
        f"{error.value.problems[0]}"
    )
    assert error.value.construct_path == "Stack/StopShadowTest"


def test_a_refused_construct_leaves_nothing_in_the_stack() -> None:
    stack = new_stack()
    with pytest.raises(InvalidPropsError):
        declare(stack, reason="r" * 1025)
    assert stack.node.children == []


def test_every_problem_is_told_at_once(stack: cdk.Stack) -> None:
    with pytest.raises(InvalidPropsError) as error:
        StopInferenceExperiment(
            stack,
            "Wrong",
            model_variant_actions={},
            desired_model_variants=[_variant(instance_type="ml.m5.xlrge"), _variant(model_name="")],
            reason="r" * 1500,
            stop_on=[],
        )
    named = [problem.split(" must ")[0].split(" names ")[0] for problem in error.value.problems]
    assert sorted(named) == [
        "'desired_model_variants'",
        "'desired_model_variants'",
        "'desired_model_variants[0].instance_type'",
        "'desired_model_variants[1].model_name'",
        "'model_variant_actions'",
        "'reason'",
        "'stop_on'",
        "exactly one of 'experiment_name' and 'experiment' is required, got neither",
    ]


def test_an_error_names_the_construct_by_its_path() -> None:
    app = cdk.App()
    scope = Construct(cdk.Stack(cdk.Stage(app, "Prod"), "Fraud"), "Tests")
    with pytest.raises(InvalidPropsError, match="props of 'Prod/Fraud/Tests/Stop': 'reason'"):
        declare(scope, "Stop", reason="r" * 1025)
