"""What synth refuses if it knows the experiment, since the construct was given its resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from constructs import Construct

from cdk_stop_inference_experiment import InvalidPropsError, Outcome

from .stacks import (
    PROMOTE,
    REMOVE,
    RESOURCE_TYPE,
    RETAIN,
    declare,
    dependencies,
    new_stack,
    only,
    resources,
    shadow_test,
    synthesised,
)


@jsii.implements(cdk.IStableAnyProducer)
class _Nothing:
    def produce(self) -> None:
        return None


def test_both_a_name_and_an_experiment_are_refused() -> None:
    stack = new_stack()
    with pytest.raises(InvalidPropsError, match="is required, got both"):
        declare(stack, experiment=shadow_test(stack), experiment_name="fraud-shadow")


def test_an_action_for_a_variant_the_experiment_does_not_have_is_refused() -> None:
    stack = new_stack()
    actions = {"production": RETAIN, "shadwo": REMOVE}
    with pytest.raises(InvalidPropsError) as error:
        declare(stack, experiment=shadow_test(stack), model_variant_actions=actions)
    (problem,) = error.value.problems
    assert problem == (
        "'model_variant_actions' names variant 'shadwo', but the variants of experiment "
        "'fraud-shadow' are 'production' and 'shadow'"
    )


def test_promoting_the_production_variant_of_a_known_experiment_is_refused() -> None:
    stack = new_stack()
    actions = {"production": PROMOTE, "shadow": REMOVE}
    with pytest.raises(InvalidPropsError, match="'production' is the production variant"):
        declare(stack, experiment=shadow_test(stack), model_variant_actions=actions)


def test_a_wrong_name_of_a_known_experiment_is_called_by_where_it_stands() -> None:
    stack = new_stack()
    with pytest.raises(InvalidPropsError, match=r"'experiment\.name' must be letters"):
        declare(stack, experiment=shadow_test(stack, name="fraud_shadow"))


def test_an_experiment_of_tokens_passes() -> None:
    stack = new_stack()
    token = cdk.CfnParameter(stack, "Token").value_as_string
    experiment = shadow_test(stack, name=token, variants=(token, "shadow"))
    declare(stack, experiment=experiment, model_variant_actions={"any": PROMOTE, "other": REMOVE})


def test_an_outcome_of_an_experiment_without_a_shadow_is_refused() -> None:
    stack = new_stack()
    experiment = shadow_test(stack, shadow_mode_config=None)
    with pytest.raises(InvalidPropsError) as error:
        declare(stack, experiment=experiment, outcome=Outcome.keep_production())
    (problem,) = error.value.problems
    assert problem == "'outcome' needs a shadow variant, but experiment 'fraud-shadow' has none"


@pytest.mark.parametrize(
    "variants", [("production",), ("production", "canary"), ("production", "shadow", "canary")]
)
def test_an_outcome_of_an_experiment_that_is_no_pair_is_refused(variants: tuple[str, ...]) -> None:
    stack = new_stack()
    experiment = shadow_test(stack, variants=variants)
    with pytest.raises(InvalidPropsError) as error:
        declare(stack, experiment=experiment, outcome=Outcome.promote_shadow())
    (problem,) = error.value.problems
    assert "needs one production variant and one shadow variant" in problem
    names = ", ".join(map(repr, variants))
    assert f"production 'production', shadows 'shadow' and variants {names}" in problem


def test_an_outcome_of_an_experiment_of_tokens_passes() -> None:
    stack = new_stack()
    unknown = cdk.Lazy.any(_Nothing())
    experiment = shadow_test(stack, model_variants=unknown, shadow_mode_config=unknown)
    declare(stack, experiment=experiment, outcome=Outcome.promote_shadow())
    declare(stack, "Named", experiment=experiment, model_variant_actions={"any": RETAIN})


@dataclass(frozen=True)
class _Reference:
    inference_experiment_name: str
    inference_experiment_arn: str = "arn"


class _ShadowTest(Construct):
    """A construct that refers to an experiment, as the interface of the newest aws-cdk-lib does."""

    def __init__(self, scope: Construct, name: str, *, resource: bool) -> None:
        super().__init__(scope, "Wrapped")
        self._name = name
        if resource:
            self.node.default_child = shadow_test(self, name=name)

    @property
    def inference_experiment_ref(self) -> _Reference:
        return _Reference(self._name)


@pytest.mark.parametrize("resource", [True, False])
def test_anything_that_refers_to_an_experiment_is_one(resource: bool) -> None:
    stack = new_stack()
    wrapped: Any = _ShadowTest(stack, "fraud-shadow-2", resource=resource)
    assert declare(stack, experiment=wrapped).experiment_name == "fraud-shadow-2"
    template = synthesised(stack)
    name, body = only(template, RESOURCE_TYPE)
    assert body["Properties"]["Name"] == "fraud-shadow-2"
    native = resources(template, "AWS::SageMaker::InferenceExperiment")
    assert set(native) <= dependencies(template, name)
    assert len(native) == resource


def test_what_synth_knows_of_a_wrapped_resource_is_checked() -> None:
    stack = new_stack()
    wrapped: Any = _ShadowTest(stack, "fraud-shadow", resource=True)
    actions = {"production": PROMOTE, "shadow": REMOVE}
    with pytest.raises(InvalidPropsError, match="'production' is the production variant"):
        declare(stack, experiment=wrapped, model_variant_actions=actions)


@pytest.mark.newest
def test_an_imported_experiment_is_one() -> None:
    from aws_cdk.aws_sagemaker import CfnInferenceExperiment

    stack = new_stack(env=cdk.Environment(account="123456789012", region="eu-west-1"))
    by_name = CfnInferenceExperiment.from_inference_experiment_name(stack, "ByName", "by-name")
    assert declare(stack, "First", experiment=by_name).experiment_name == "by-name"
    arn = "arn:aws:sagemaker:{}:123456789012:inference-experiment/by-arn"
    made = CfnInferenceExperiment.from_inference_experiment_arn
    by_arn = made(stack, "ByArn", arn.format("eu-west-1"))
    assert declare(stack, "Second", experiment=by_arn).experiment_name == "by-arn"
    elsewhere = made(stack, "Elsewhere", arn.format("us-east-1"))
    with pytest.raises(InvalidPropsError, match="own region 'eu-west-1', got one in 'us-east-1'"):
        declare(stack, "Third", experiment=elsewhere)


@pytest.mark.parametrize("kind", ["account", "region"])
def test_an_experiment_of_another_account_or_region_is_refused(kind: str) -> None:
    app = cdk.App()
    here = {"account": "123456789012", "region": "eu-west-1"}
    there = {**here, kind: "us-east-1" if kind == "region" else "210987654321"}
    own, other = (
        cdk.Stack(app, name, env=cdk.Environment(**env), cross_region_references=True)
        for name, env in (("Own", here), ("Other", there))
    )
    with pytest.raises(InvalidPropsError) as error:
        declare(own, experiment=shadow_test(other))
    (problem,) = error.value.problems
    assert problem == (
        f"'experiment' must be in the construct's own {kind} '{here[kind]}', got one in "
        f"'{there[kind]}': put the construct in a stack of that {kind}"
    )


def test_an_experiment_of_a_stack_whose_region_is_not_known_passes() -> None:
    app = cdk.App()
    own = cdk.Stack(app, "Own")
    other = cdk.Stack(app, "Other")
    declare(own, experiment=shadow_test(other))
    app.synth()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_override_of_an_experiments_name_is_noticed(when: str) -> None:
    stack = new_stack()
    experiment = shadow_test(stack)
    if when == "before":
        experiment.add_property_override("Name", "other")
    declare(stack, experiment=experiment)
    if when == "after":
        experiment.add_property_override("Name", "other")
    with pytest.raises(RuntimeError) as error:
        synthesised(stack)
    assert "'Stack/ShadowTest' has the name 'other' in the template, but had 'fraud-shadow'" in str(
        error.value
    )


@pytest.mark.parametrize("how", ["assigned", "deleted", "of the construct's own resource"])
def test_any_other_change_of_the_name_is_noticed(how: str) -> None:
    stack = new_stack()
    experiment = shadow_test(stack)
    construct = declare(stack, experiment=experiment)
    if how == "assigned":
        experiment.name = "other"
    elif how == "deleted":
        experiment.add_property_deletion_override("Name")
    else:
        element = construct.custom_resource.node.default_child
        assert isinstance(element, cdk.CfnResource)
        element.add_property_override("Name", "other")
    with pytest.raises(RuntimeError, match="in the template, but had 'fraud-shadow' when"):
        synthesised(stack)


def test_an_override_of_the_name_in_another_stack_is_noticed() -> None:
    app = cdk.App()
    own, other = cdk.Stack(app, "Own"), cdk.Stack(app, "Other")
    experiment = shadow_test(other)
    declare(own, experiment=experiment)
    experiment.add_property_override("Name", "renamed")
    with pytest.raises(RuntimeError, match="'Other/ShadowTest' has the name 'renamed'"):
        app.synth()


def test_other_overrides_pass() -> None:
    stack = new_stack()
    experiment = shadow_test(stack)
    element = declare(stack, experiment=experiment).custom_resource.node.default_child
    assert isinstance(element, cdk.CfnResource)
    element.add_property_override("Reason", "overridden")
    experiment.add_property_override("Name", "fraud-shadow")
    assert only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"]["Reason"] == "overridden"
