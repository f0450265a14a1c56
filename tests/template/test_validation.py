"""What synth refuses and what it accepts: both sides of each limit."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from cdk_stop_inference_experiment import (
    DesiredState,
    Instances,
    InstanceType,
    InvalidPropsError,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
    StopOn,
)

from .stacks import PROMOTE, PROMOTE_SHADOW, REMOVE, RETAIN, SHADOW, declare, new_stack

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/"


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


PASSES: dict[str, dict[str, Any]] = {
    "a name of one character": {"experiment_name": "x"},
    "a name of 120 characters": {"experiment_name": "x" * 120},
    "a name with inner hyphens": {"experiment_name": "a--b-c"},
    "a single action": {"model_variant_actions": {"production": RETAIN}},
    "two actions": {"model_variant_actions": {"a": RETAIN, "b": RETAIN}},
    "a variant name of 63 characters": {"model_variant_actions": {"v" * 63: RETAIN}},
    "one promoted variant": {"model_variant_actions": PROMOTE_SHADOW},
    "one desired variant": {"desired_model_variants": [_variant()]},
    "two desired variants": {
        "model_variant_actions": {"production": RETAIN, "shadow": RETAIN},
        "desired_model_variants": [_variant(), SHADOW],
    },
    "a model name of 63 characters": {"desired_model_variants": [_variant(model_name="m" * 63)]},
    "desired variants that are tokens": {
        "desired_model_variants": [
            cdk.Fn.find_in_map("Map", "a", "b"),
            cdk.Fn.get_att("Made", "Variant"),
        ]
    },
    "no instances": {"desired_model_variants": [_variant(instance_count=0)]},
    "a new instance type by name": {
        "desired_model_variants": [_variant(instance_type=InstanceType.of("ml.z9.huge"))]
    },
    "promoting the shadow": {"outcome": Outcome.promote_shadow()},
    "promoting the shadow on its own instances": {
        "outcome": Outcome.promote_shadow(Instances.shadow())
    },
    "promoting the shadow on one instance": {
        "outcome": Outcome.promote_shadow(instances=Instances("ml.m5.xlarge", 1))
    },
    "promoting the shadow on a new instance type": {
        "outcome": Outcome.promote_shadow(Instances(InstanceType.of("ml.z9.huge"), 2))
    },
    "keeping production": {"outcome": Outcome.keep_production()},
    "keeping both": {"outcome": Outcome.keep_both()},
    "each desired state": {"desired_state": DesiredState.CANCELLED},
    "an empty reason": {"reason": ""},
    "a reason of 1024 characters": {"reason": "r" * 1024},
    "a reason in any script": {"reason": "v2 gewinnt — 勝ち"},
    "a single event": {"stop_on": [StopOn.CREATE]},
    "every event": {"stop_on": list(StopOn)},
}


@pytest.mark.parametrize("props", PASSES.values(), ids=PASSES.keys())
def test_passes(props: dict[str, Any]) -> None:
    declare(new_stack(), **props)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an empty name": (
        {"experiment_name": ""},
        "'experiment_name' must be at least 1 character, got an empty string",
    ),
    "a name of 121 characters": (
        {"experiment_name": "x" * 121},
        "'experiment_name' must be at most 120 characters, got 121",
    ),
    "a name that ends in a line break": (
        {"experiment_name": "fraud\n"},
        "'experiment_name' must be letters, digits and inner hyphens, got 'fraud\\n'",
    ),
    "a name that is no string": (
        {"experiment_name": 7},
        "'experiment_name' must be a string, got 7",
    ),
    "a name that is a token of anything": (
        {"experiment_name": cdk.Fn.get_att("Made", "Name")},
        "'experiment_name' must be a string, got <",
    ),
    "an ARN for a name": (
        {"experiment_name": f"{ARN}fraud-shadow"},
        (
            f"'experiment_name' must be letters, digits and inner hyphens, got "
            f"'{ARN}fraud-shadow': use the part after the last slash, 'fraud-shadow'"
        ),
    ),
    "a long ARN for a name": (
        {"experiment_name": f"{ARN}{'x' * 60}"},
        f"got {len(ARN) + 60}: use the part after the last slash, '{'x' * 60}'",
    ),
    "no actions": (
        {"model_variant_actions": {}},
        "'model_variant_actions' must name 1 to 2 variants with an action each, got {}",
    ),
    "neither an outcome nor actions": (
        {"model_variant_actions": None},
        "exactly one of 'outcome' and 'model_variant_actions' is required, got neither",
    ),
    "both an outcome and actions": (
        {"outcome": Outcome.keep_production(), "model_variant_actions": PROMOTE_SHADOW},
        "exactly one of 'outcome' and 'model_variant_actions' is required, got both",
    ),
    "desired variants with an outcome": (
        {"outcome": Outcome.keep_both(), "desired_model_variants": [_variant()]},
        (
            "'desired_model_variants' must be left out with 'outcome': to name the instances of a "
            "promoted variant, use 'outcome.instances'"
        ),
    ),
    "an outcome made by hand": (
        {"outcome": Outcome("Promote")},
        "'outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got 'Promote'",
    ),
    "a method for an outcome": (
        {"outcome": Outcome.keep_both},
        "'outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got <bound method",
    ),
    "an outcome in the form of cdk.json": (
        {"outcome": {"kind": ["KeepBoth"]}},
        "'outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got {'kind'",
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
    "a promotion on no instances": (
        {"outcome": Outcome.promote_shadow(Instances("ml.m5.xlarge", 0))},
        "'outcome.instances.instance_count' must be at least 1, got 0",
    ),
    "a promotion on a misspelt instance type": (
        {"outcome": Outcome.promote_shadow(Instances("ml.m5.xlrge", 1))},
        "'outcome.instances.instance_type' must be an instance type that SageMaker endpoints know",
    ),
    "a promotion on an instance type of EC2's class": (
        {"outcome": Outcome.promote_shadow(Instances(ec2.InstanceType("m5.xlarge"), 1))},  # type: ignore[arg-type]
        "'outcome.instances.instance_type' must be a string, got <aws_cdk.aws_ec2.InstanceType",
    ),
    "three actions": (
        {"model_variant_actions": {"a": RETAIN, "b": REMOVE, "c": REMOVE}},
        "'model_variant_actions' must have at most 2 entries, got 3",
    ),
    "an action in other words": (
        {"model_variant_actions": {"a": "promote"}},
        (
            "'model_variant_actions[a]' must be 'Retain', 'Remove' or 'Promote', got 'promote': "
            "did you mean 'Promote'?"
        ),
    ),
    "an action of another enum": (
        {"model_variant_actions": {"a": DesiredState.COMPLETED}},
        "'model_variant_actions[a]' must be 'Retain', 'Remove' or 'Promote', got 'Completed'",
    ),
    "a variant name of 64 characters": (
        {"model_variant_actions": {"v" * 64: RETAIN}},
        "'model_variant_actions: variant name' must be at most 63 characters, got 64",
    ),
    "two promoted variants": (
        {"model_variant_actions": {"a": PROMOTE, "b": PROMOTE}},
        "'model_variant_actions' must promote at most one variant, got 2",
    ),
    "both variants removed": (
        {"model_variant_actions": {"a": REMOVE, "b": REMOVE}},
        "'model_variant_actions' must leave the endpoint a production variant",
    ),
    "no desired variants": (
        {"desired_model_variants": []},
        "'desired_model_variants' must list 1 to 2 variants, or be left out, got []",
    ),
    "a desired variant that is none": (
        {"desired_model_variants": ["shadow"]},
        "'desired_model_variants[0]' must be a ModelVariantConfig, got 'shadow'",
    ),
    "a desired variant without an action": (
        {"desired_model_variants": [_variant(variant_name="other")]},
        (
            "'desired_model_variants' names variant 'other', which has no action in "
            "'model_variant_actions'"
        ),
    ),
    "a desired variant that is removed": (
        {"desired_model_variants": [SHADOW]},
        "'desired_model_variants' names variant 'shadow', which 'model_variant_actions' removes",
    ),
    "a model name of 64 characters": (
        {"desired_model_variants": [_variant(model_name="m" * 64)]},
        "'desired_model_variants[0].model_name' must be at most 63 characters, got 64",
    ),
    "fewer than no instances": (
        {"desired_model_variants": [_variant(instance_count=-1)]},
        "'desired_model_variants[0].instance_count' must be at least 0, got -1",
    ),
    "a number of instances in words": (
        {"desired_model_variants": [_variant(instance_count="2")]},
        "'desired_model_variants[0].instance_count' must be a whole number, got '2'",
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
    "an EC2 instance type": (
        {"desired_model_variants": [_variant(instance_type="m5.xlarge")]},
        (
            "'desired_model_variants[0].instance_type' must be a SageMaker instance type such as "
            "'ml.m5.xlarge', got 'm5.xlarge': did you mean 'ml.m5.xlarge'?"
        ),
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
    "a reason of two lines": (
        {"reason": "v2\nwins"},
        "'reason' must be one line, got 'v2\\nwins'",
    ),
    "a reason in a list": (
        {"reason": ["v2 wins"]},
        "'reason' must be a string, got ['v2 wins']",
    ),
    "no events": (
        {"stop_on": []},
        "'stop_on' must list at least one of 'Create', 'Update' or 'Delete', got []",
    ),
    "an event that is not in a list": (
        {"stop_on": StopOn.DELETE},
        "'stop_on' must list at least one of 'Create', 'Update' or 'Delete'",
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


def test_refuses_three_desired_variants(stack: cdk.Stack) -> None:
    with pytest.raises(InvalidPropsError, match="must list at most 2 variants, got 3"):
        declare(stack, desired_model_variants=[_variant()] * 3)


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


def test_a_type_checker_refuses_an_action_in_other_words(stack: cdk.Stack) -> None:
    with pytest.raises(InvalidPropsError):
        StopInferenceExperiment(
            stack,
            "Wrong",
            experiment_name="fraud-shadow",
            model_variant_actions={"a": "promote"},  # type: ignore[dict-item]
        )
