"""What synth refuses if it knows the experiment, since the construct was given its resource."""

from __future__ import annotations

import aws_cdk as cdk
import jsii
import pytest

from cdk_stop_inference_experiment import InvalidPropsError, Outcome

from .stacks import PROMOTE, REMOVE, RETAIN, declare, new_stack, shadow_test


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


def test_an_experiment_whose_parts_are_tokens_passes() -> None:
    stack = new_stack()
    unknown = cdk.Lazy.any(_Nothing())
    experiment = shadow_test(stack, model_variants=unknown, shadow_mode_config=unknown)
    declare(stack, experiment=experiment, model_variant_actions={"any": RETAIN})


@pytest.mark.parametrize("outcome", [Outcome.promote_shadow(), Outcome.keep_production()])
def test_an_outcome_fits_a_pair(outcome: Outcome) -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack), outcome=outcome)


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
    assert "production 'production', shadows 'shadow' and variants 'production'" in problem


def test_an_outcome_of_an_experiment_of_tokens_passes() -> None:
    stack = new_stack()
    unknown = cdk.Lazy.any(_Nothing())
    experiment = shadow_test(stack, model_variants=unknown, shadow_mode_config=unknown)
    declare(stack, experiment=experiment, outcome=Outcome.promote_shadow())
