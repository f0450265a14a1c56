"""The warnings of synth: it warns about what AWS does not document, and never refuses it."""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk.aws_sagemaker import CfnInferenceExperiment

from cdk_stop_inference_experiment import (
    DesiredState,
    Evidence,
    Instances,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
    StopOn,
)

from .stacks import (
    EVERY_PROP,
    EVIDENCE,
    KEEP_PRODUCTION,
    PROMOTE,
    PROMOTE_SHADOW,
    REMOVE,
    RETAIN,
    SHADOW,
    declare,
    new_stack,
    shadow_test,
    warnings_of,
)

UNDOCUMENTED: dict[str, tuple[dict[str, Any], str]] = {
    "retain and promote": (
        {
            "model_variant_actions": {"production": RETAIN, "shadow": PROMOTE},
            "desired_model_variants": [SHADOW],
        },
        "'model_variant_actions' with both 'Retain' and 'Promote'",
    ),
    "promote and cancel": (
        {
            "model_variant_actions": PROMOTE_SHADOW,
            "desired_model_variants": [SHADOW],
            "desired_state": DesiredState.CANCELLED,
        },
        "'desired_state' 'Cancelled' with 'Promote'",
    ),
    "both of them": (
        {
            "model_variant_actions": {"production": RETAIN, "shadow": PROMOTE},
            "desired_state": DesiredState.CANCELLED,
        },
        "'Promote' or for 'desired_state' 'Cancelled' with 'Promote': try it",
    ),
}


OTHER_TYPE_ID = "cdk-stop-inference-experiment:otherInstanceType"
UNDOCUMENTED_ID = "cdk-stop-inference-experiment:undocumentedCombination"
TOKENS_ID = "cdk-stop-inference-experiment:declaredByTokens"
UNKNOWN_NAME_ID = "cdk-stop-inference-experiment:unknownName"
LONG_REASON_ID = "cdk-stop-inference-experiment:longReason"


@pytest.mark.parametrize(("props", "words"), UNDOCUMENTED.values(), ids=UNDOCUMENTED.keys())
def test_warns_once_of_what_aws_does_not_document(props: dict[str, Any], words: str) -> None:
    stack = new_stack()
    declare(stack, **props)
    (text,) = warnings_of(stack)
    assert words in text


@pytest.mark.parametrize(
    "props",
    [
        {"model_variant_actions": KEEP_PRODUCTION},
        {"model_variant_actions": KEEP_PRODUCTION, "desired_state": DesiredState.CANCELLED},
        {"model_variant_actions": PROMOTE_SHADOW, "desired_model_variants": [SHADOW]},
        # What AWS's own notebook sends.
        {"model_variant_actions": PROMOTE_SHADOW, "desired_state": DesiredState.COMPLETED},
    ],
)
def test_does_not_warn_of_what_aws_documents(props: dict[str, Any]) -> None:
    stack = new_stack()
    declare(stack, **props)
    assert warnings_of(stack) == []


EVERY_KNOWN_PROP: dict[str, Any] = {
    **EVERY_PROP,
    "stop_on": [StopOn.DELETE],
    "end_now": True,
    "timeout": cdk.Duration.minutes(30),
}


CONSTRUCTS: dict[str, Callable[[cdk.Stack], Any]] = {
    "experiment": shadow_test,
    "provider": lambda stack: StopInferenceExperimentProvider(stack, "Provider"),
}


def test_all_props_together_make_cdk_warn_of_nothing() -> None:
    stack = new_stack()
    made = {name: make(stack) for name, make in CONSTRUCTS.items()}
    parameters = inspect.signature(StopInferenceExperiment.__init__).parameters.keys()
    props = parameters - {"self", "scope", "construct_id"}
    # Of the two ways to say how it ends, one is taken.
    evidence: dict[str, Any] = {"promote_if": EVIDENCE, "otherwise": Outcome.keep_both()}
    assert props == {*EVERY_KNOWN_PROP, *CONSTRUCTS, *evidence, "outcome"}
    by_name = {name: value for name, value in EVERY_KNOWN_PROP.items() if name != "experiment_name"}
    declare(stack, **by_name, **made, **evidence)
    assert warnings_of(stack) == []


def _text(stack: cdk.Stack) -> str:
    return cdk.CfnParameter(stack, "Text").value_as_string


def _variant(**changes: Any) -> ModelVariantConfig:
    return dataclasses.replace(SHADOW, **changes)


TOKENS: dict[str, tuple[Callable[[cdk.Stack], dict[str, Any]], str]] = {
    "an action": (
        lambda stack: {"model_variant_actions": {"production": RETAIN, "shadow": _text(stack)}},
        "'model_variant_actions[shadow]' holds a token",
    ),
    "the outcome": (
        lambda stack: {"model_variant_actions": None, "outcome": _text(stack)},
        "'outcome' holds a token",
    ),
    "every desired variant": (
        lambda stack: {"desired_model_variants": cdk.Fn.find_in_map("Map", "a", _text(stack))},
        "'desired_model_variants' holds a token",
    ),
    "a model's name": (
        lambda stack: {"desired_model_variants": [_variant(model_name=_text(stack))]},
        "'desired_model_variants[0].model_name' holds a token",
    ),
    "a number of instances": (
        lambda stack: {
            "desired_model_variants": [
                _variant(instance_count=cdk.CfnParameter(stack, "N", type="Number").value_as_number)
            ]
        },
        "'desired_model_variants[0].instance_count' holds a token",
    ),
    "the desired state": (
        lambda stack: {"desired_state": _text(stack)},
        "'desired_state' holds a token",
    ),
    "two of a variant, and another one": (
        lambda stack: {
            "desired_model_variants": [
                _variant(model_name=(text := _text(stack)), instance_type=text)
            ],
            "desired_state": text,
        },
        (
            "'desired_model_variants[0].model_name', 'desired_model_variants[0].instance_type' and "
            "'desired_state' hold tokens"
        ),
    ),
    "an unknown stop_on": (
        lambda stack: {
            "desired_state": _text(stack),
            "stop_on": cdk.CfnParameter(stack, "On", type="CommaDelimitedList").value_as_list,
        },
        "'desired_state' holds a token",
    ),
}


@pytest.mark.parametrize(("props", "words"), TOKENS.values(), ids=TOKENS.keys())
def test_warns_where_the_declaration_can_change_without_an_edit(
    props: Callable[[cdk.Stack], dict[str, Any]], words: str
) -> None:
    stack = new_stack()
    declare(stack, **{"model_variant_actions": PROMOTE_SHADOW, **props(stack)})
    (text,) = warnings_of(stack)
    assert text.startswith(words)
    assert "the deployment that changes it ends the experiment" in text


def test_does_not_warn_of_tokens_whose_change_ends_nothing() -> None:
    stack = new_stack()
    text = _text(stack)
    declare(stack, "Edited", desired_state=text, stop_on=[StopOn.CREATE, StopOn.DELETE])
    declare(stack, "Reworded", experiment_name="other", reason=text, end_now=text)
    assert warnings_of(stack) == []


@pytest.mark.parametrize(("length", "warned"), [(1013, False), (1014, True), (1024, True)])
def test_warns_of_a_reason_that_the_digest_leaves_no_room_for(length: int, warned: bool) -> None:
    stack = new_stack()
    declare(stack, reason="r" * length)
    words = f"'reason' should be at most 1013 characters, got {length}: the rest is cut off"
    assert [text.startswith(words) for text in warnings_of(stack)] == [True] * warned


def test_warns_of_a_name_that_only_the_deployment_knows() -> None:
    stack = new_stack()
    declare(stack, experiment_name=f"{_text(stack)}-shadow")
    (text,) = warnings_of(stack)
    assert text.startswith("'experiment_name' holds a token: if the name changes, ")


def test_warns_of_an_experiment_whose_name_only_the_deployment_knows() -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack, name=_text(stack)))
    (text,) = warnings_of(stack)
    assert text.startswith("'experiment.name' holds a token")


@pytest.mark.parametrize("name", ["fraud-shadow", "Fraud-Shadow"])
def test_warns_of_two_constructs_for_the_same_experiment(name: str) -> None:
    stack = new_stack()
    declare(stack, "First")
    declare(stack, "Second", experiment_name=name)
    (text,) = warnings_of(stack)
    assert text.startswith("'experiment_name' names an experiment that 'Stack/First' ends too")


def test_warns_of_two_constructs_for_the_same_experiment_of_the_stack() -> None:
    stack = new_stack()
    experiment = shadow_test(stack)
    declare(stack, "First", experiment=experiment)
    declare(stack, "Second")
    declare(stack, "Third", experiment=experiment)
    assert ["'Stack/First' ends too" in text for text in warnings_of(stack)] == [True, True]


def test_does_not_warn_of_the_same_name_in_another_stack_or_app() -> None:
    app = cdk.App()
    stacks = [cdk.Stack(app, "First"), cdk.Stack(app, "Second"), new_stack("First")]
    for stack in stacks:
        declare(stack)
        declare(stack, "Other", experiment_name="another")
    assert [warnings_of(stack) for stack in stacks] == [[], [], []]


def _scheduled(stack: cdk.Stack, end_time: str | None) -> CfnInferenceExperiment:
    schedule = CfnInferenceExperiment.InferenceExperimentScheduleProperty(
        start_time="2020-01-01T00:00:00Z", end_time=end_time
    )
    return shadow_test(stack, schedule=schedule)


def _in(seconds: float, spelled: str) -> str:
    return time.strftime(spelled, time.gmtime(time.time() + seconds))


@pytest.mark.parametrize("spelled", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])
def test_warns_of_an_experiment_whose_schedule_is_over(spelled: str) -> None:
    stack = new_stack()
    end = _in(-60, spelled)
    declare(stack, experiment=_scheduled(stack, end))
    (text,) = warnings_of(stack)
    assert text.startswith(f"'experiment' has a schedule that ended at {end}: ")


@pytest.mark.parametrize("end", ["in an hour", "tomorrow", None])
def test_does_not_warn_of_a_schedule_that_is_not_over_or_not_known(end: str | None) -> None:
    stack = new_stack()
    known = _in(3600, "%Y-%m-%dT%H:%M:%SZ") if end == "in an hour" else end
    declare(stack, experiment=_scheduled(stack, known))
    assert warnings_of(stack) == []


def test_does_not_warn_of_a_schedule_that_only_the_deployment_knows() -> None:
    stack = new_stack()
    declare(stack, experiment=_scheduled(stack, _text(stack)))
    assert warnings_of(stack) == []


@pytest.mark.parametrize(
    ("warning_id", "props"),
    [
        (UNDOCUMENTED_ID, {"model_variant_actions": {"production": RETAIN, "shadow": PROMOTE}}),
        (LONG_REASON_ID, {"reason": "r" * 1014}),
        (TOKENS_ID, {"desired_state": cdk.Fn.import_value("State")}),
        (UNKNOWN_NAME_ID, {"experiment_name": cdk.Fn.import_value("Name")}),
    ],
)
def test_a_warning_can_be_acknowledged_by_its_id(warning_id: str, props: dict[str, Any]) -> None:
    stack = new_stack()
    declare(stack, **props)
    assert len(warnings_of(stack)) == 1
    cdk.Annotations.of(stack).acknowledge_warning(warning_id, "tried in the test account")
    assert warnings_of(stack) == []


@pytest.mark.parametrize(
    ("actions", "is_warned"),
    [
        ({"production": REMOVE}, True),
        ({"production": REMOVE, "shadow": RETAIN}, True),
        ({"production": REMOVE, "shadow": PROMOTE}, False),
        ({"production": RETAIN, "shadow": REMOVE}, False),
        ({"shadow": REMOVE}, False),
        ({"production": REMOVE, "shadow": cdk.Fn.import_value("Action")}, False),
    ],
)
def test_warns_of_an_end_without_a_production_variant_of_a_known_experiment(
    actions: dict[str, Any], is_warned: bool
) -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack), model_variant_actions=actions)
    said = "removes the production variant and promotes no other one: an endpoint needs a"
    assert any(said in text for text in warnings_of(stack)) is is_warned


class TestOtherInstanceType:
    """The shadow of the experiment is tested on ml.m5.xlarge."""

    @staticmethod
    def warned(instances: Instances | None, production: str = "ml.c5.large", **props: Any) -> str:
        stack = new_stack()
        experiment = shadow_test(stack)
        experiment.model_variants = [
            _with_type(variant, production if variant.variant_name == "production" else None)
            for variant in cast("list[Any]", experiment.model_variants)
        ]
        declare(stack, experiment=experiment, outcome=Outcome.promote_shadow(instances), **props)
        return "".join(one for one in warnings_of(stack) if OTHER_TYPE_ID in one)

    @pytest.mark.parametrize(
        ("instances", "wanted"),
        [
            (None, "ml.c5.large"),
            (Instances.production(), "ml.c5.large"),
            (Instances("ml.m5.large", 2), "ml.m5.large"),
            (Instances("ml.m5.xlarge", 2), None),
            (Instances.shadow(), None),
        ],
    )
    def test_what_is_measured_is_not_what_will_be_deployed(
        self, instances: Instances | None, wanted: str | None
    ) -> None:
        text = self.warned(instances)
        assert (f"tested on 'ml.m5.xlarge', but 'outcome' promotes it on '{wanted}'" in text) is (
            wanted is not None
        )
        assert "promote_if" not in text

    @pytest.mark.parametrize("wanted", ["ml.m5.large", "ml.m5.xlarge"])
    @pytest.mark.parametrize("evidence", [None, EVIDENCE])
    def test_the_same_is_said_of_variants_by_name(
        self, wanted: str, evidence: Evidence | None
    ) -> None:
        stack = new_stack()
        declare(
            stack,
            experiment=shadow_test(stack),
            model_variant_actions=PROMOTE_SHADOW,
            desired_model_variants=[dataclasses.replace(SHADOW, instance_type=wanted)],
            promote_if=evidence,
        )
        said = "'ml.m5.xlarge', but 'desired_model_variants' promotes it on 'ml.m5.large': what was"
        text = "".join(warnings_of(stack))
        assert (said in text) is (wanted == "ml.m5.large")
        assert "promote_if" not in text

    def test_evidence_needs_the_instances_to_be_named(self) -> None:
        text = self.warned(None, promote_if=EVIDENCE)
        assert "'promote_if' does not allow it: write Outcome.promote_shadow(Instances.sh" in text
        assert "promote_if" not in self.warned(Instances.production(), promote_if=EVIDENCE)

    def test_the_same_type_passes(self) -> None:
        assert self.warned(None, "ml.m5.xlarge") == ""


def _with_type(variant: Any, instance_type: str | None) -> Any:
    property_of = CfnInferenceExperiment
    real_time = variant.infrastructure_config.real_time_inference_config
    return property_of.ModelVariantConfigProperty(
        model_name=variant.model_name,
        variant_name=variant.variant_name,
        infrastructure_config=property_of.ModelInfrastructureConfigProperty(
            infrastructure_type="RealTimeInference",
            real_time_inference_config=property_of.RealTimeInferenceConfigProperty(
                instance_type=instance_type or real_time.instance_type, instance_count=1
            ),
        ),
    )


@pytest.mark.parametrize("state", ["Completed", "Cancelled"])
def test_warns_of_a_native_resource_that_ends_the_experiment_itself(state: str) -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack, desired_state=state))
    (text,) = warnings_of(stack)
    assert text.startswith(f"'experiment' has a 'desired_state' of '{state}': ")


@pytest.mark.parametrize("state", ["Running", None])
def test_does_not_warn_of_a_native_resource_that_ends_nothing(state: str | None) -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack, desired_state=state))
    assert warnings_of(stack) == []
