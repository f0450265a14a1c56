"""The resource's properties as CloudFormation delivers them, parsed to the API's types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_stop_inference_experiment_handler.contract.declaration import (
    CLOUDFORMATION_PROPERTIES,
    OWN_PROPERTIES,
    REQUEST_PROPERTIES,
    Action,
    Declaration,
    End,
    Instances,
    InstancesOf,
    Outcome,
    OutcomeKind,
    Problems,
    StopOn,
    Variant,
    VariantActions,
    is_masked,
    parse,
    same_properties,
)

MINIMAL = {"Name": "fraud-shadow", "ModelVariantActions": {"shadow": "Promote"}}
ON_TWO = Instances("ml.m5.xlarge", 2)


def read(**properties: Any) -> Declaration:
    """The declaration of actions; None for a property leaves it out."""
    declared = {**MINIMAL, **properties}
    parsed = parse({name: value for name, value in declared.items() if value is not None})
    assert isinstance(parsed, Declaration), parsed
    return parsed


def read_outcome(kind: str, **properties: Any) -> Declaration:
    return read(ModelVariantActions=None, Outcome=kind, **properties)


def refused(**properties: Any) -> tuple[str, ...]:
    parsed = parse({**MINIMAL, **properties})
    assert isinstance(parsed, Problems)
    return parsed.messages


def variant(count: object, name: str = "shadow") -> dict[str, Any]:
    return {
        "ModelName": "fraud-v2",
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": count},
        },
    }


def test_every_property_has_a_value_with_a_type() -> None:
    declared = read(
        ServiceToken="arn:aws:lambda:eu-west-1:123456789012:function:f",
        ServiceTimeout="1800",
        DesiredModelVariants=[variant("2")],
        DesiredState="Completed",
        Reason="v2 wins",
        StopOn=["Delete"],
        EndNow="true",
    )
    assert declared == Declaration(
        name="fraud-shadow",
        end=End(
            VariantActions({"shadow": Action.PROMOTE}, (Variant("fraud-v2", "shadow", ON_TWO),)),
            "Completed",
        ),
        reason="v2 wins",
        stop_on=frozenset({StopOn.DELETE}),
        end_now=True,
        promote_if=None,
        otherwise=OutcomeKind.KEEP_PRODUCTION,
        service_timeout=1800,
    )


def test_what_is_left_out_has_its_default() -> None:
    declared = read()
    assert declared.end == End(VariantActions({"shadow": Action.PROMOTE}, None), None)
    assert declared.stop_on == {StopOn.UPDATE, StopOn.DELETE}
    assert declared.service_timeout == 3600
    assert (declared.reason, declared.end_now, declared.promote_if) == (None, False, None)


def test_an_empty_reason_is_none() -> None:
    assert read(Reason="").reason is None


def test_a_variant_makes_the_request_that_declares_it() -> None:
    how = read(DesiredModelVariants=[variant("2")]).end.how
    assert isinstance(how, VariantActions)
    assert [each.as_request() for each in how.desired or ()] == [variant(2)]
    assert json.loads(json.dumps(how.actions)) == MINIMAL["ModelVariantActions"]


@pytest.mark.parametrize("count", ["2.5", "-1", "two", "", "²", "2147483648", "9" * 5000])
def test_an_instance_count_that_is_no_count_is_refused(count: str) -> None:
    (problem,) = refused(DesiredModelVariants=[variant(count)])
    assert problem.startswith("'DesiredModelVariants[0].InstanceCount' must be ")
    assert len(problem) < 200


@pytest.mark.parametrize("count", [0, 2**31 - 1])
def test_both_ends_of_an_instance_count_are_accepted(count: int) -> None:
    assert read(DesiredModelVariants=[variant(str(count))])


@pytest.mark.parametrize(
    ("kind", "actions", "promotes"),
    [
        ("PromoteShadow", (Action.REMOVE, Action.PROMOTE), True),
        ("KeepProduction", (Action.RETAIN, Action.REMOVE), False),
        ("KeepBoth", (Action.RETAIN, Action.RETAIN), False),
    ],
)
def test_an_outcome_is_read(kind: str, actions: tuple[Action, Action], promotes: bool) -> None:
    end = read_outcome(kind).end
    assert isinstance(end.how, Outcome)
    assert end.how.kind == kind
    assert end.how.kind.actions == actions
    assert end.promotes is promotes


def test_actions_promote_if_one_of_them_does() -> None:
    assert read().end.promotes
    assert not read(ModelVariantActions={"shadow": "Remove"}).end.promotes


def test_the_instances_of_a_promotion_are_read_and_default_to_productions() -> None:
    def instances(**properties: Any) -> object:
        how = read_outcome("PromoteShadow", **properties).end.how
        assert isinstance(how, Outcome)
        return how.instances

    assert instances() == InstancesOf.PRODUCTION
    assert instances(Instances="Production") == InstancesOf.PRODUCTION
    assert instances(Instances="Shadow") == InstancesOf.SHADOW
    assert instances(Instances={"InstanceType": "ml.m5.xlarge", "InstanceCount": "2"}) == ON_TWO
    assert read_outcome("KeepBoth").end.how == Outcome(OutcomeKind.KEEP_BOTH, None)


def test_a_name_is_the_same_in_whatever_case() -> None:
    assert read(Name="Fraud-Shadow").is_of("fraud-shadow")
    assert not read().is_of("fraud")


@pytest.mark.parametrize(
    "change",
    [
        {"ModelVariantActions": {"shadow": "Remove"}},
        {"DesiredModelVariants": [variant("2")]},
        {"DesiredState": "Completed"},
        {"ModelVariantActions": None, "Outcome": "KeepBoth"},
        {"ModelVariantActions": None, "Outcome": "PromoteShadow"},
    ],
)
def test_actions_outcome_variants_and_state_make_another_end(change: dict[str, object]) -> None:
    assert read().end != read(**change).end


def test_other_instances_are_another_end_of_an_outcome() -> None:
    ends = {read_outcome("PromoteShadow", Instances=of).end for of in ("Production", "Shadow")}
    assert len(ends) == 2


def test_productions_instances_are_the_same_end_whether_declared_or_the_default() -> None:
    default, named = (
        read_outcome("PromoteShadow", **of) for of in ({}, {"Instances": "Production"})
    )
    assert default.end == named.end
    assert isinstance(default.end.how, Outcome)
    assert isinstance(named.end.how, Outcome)
    assert not default.end.how.names_instances
    assert named.end.how.names_instances


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "other"},
        {"Reason": "because"},
        {"StopOn": ["Update"]},
        {"EndNow": "true"},
        {"ServiceTimeout": "60"},
        {"PromoteIf": {"MinInvocations": "1", "Alarms": ["slow"]}, "Otherwise": "KeepBoth"},
    ],
)
def test_nothing_else_makes_another_end(change: dict[str, object]) -> None:
    assert read().end == read(**change).end


def test_an_end_is_the_same_in_whatever_order_and_spelling_it_is_declared() -> None:
    def kept(names: tuple[str, str], count: object, *variants: str) -> End:
        return read(
            ModelVariantActions=dict.fromkeys(names, "Retain"),
            DesiredModelVariants=[variant(count, name) for name in variants],
        ).end

    one = kept(("production", "shadow"), "2", "shadow", "production")
    other = kept(("shadow", "production"), 2, "production", "shadow")
    assert one == other
    assert len({one, other}) == 1
    assert one != kept(("production", "shadow"), "3", "shadow", "production")


def test_unknown_properties_are_refused_by_name() -> None:
    assert refused(Names="typo", StackOwnsExperiment="true") == (
        "'Names' is not a property of Custom::StopInferenceExperiment: leave it out",
        "'StackOwnsExperiment' is not a property of Custom::StopInferenceExperiment: leave it out",
    )


def test_all_problems_are_one_sentence() -> None:
    parsed = parse({"Name": "-", "DesiredState": "Done"})
    assert str(parsed) == (
        "invalid Custom::StopInferenceExperiment properties: "
        "'Name' must be letters, digits and inner hyphens, got '-'; "
        "exactly one of 'Outcome' and 'ModelVariantActions' is required, got neither; "
        "'DesiredState' must be 'Completed' or 'Cancelled', got 'Done'"
    )


@pytest.mark.parametrize("properties", [None, [], "Name", 7])
def test_properties_that_are_no_object_have_one_problem(properties: object) -> None:
    parsed = parse(properties)
    assert isinstance(parsed, Problems)
    assert parsed.messages == (f"the properties must be an object, got {properties!r}",)


@pytest.mark.parametrize(
    ("written", "is_true"), [(True, True), ("true", True), ("True", True), ("false", False)]
)
def test_end_now_may_be_a_bool_or_what_cloudformation_makes_of_one(
    written: object, is_true: bool
) -> None:
    assert read(EndNow=written).end_now is is_true


@pytest.mark.parametrize("value", ["", "yes", "1", 1, ["true"]])
def test_end_now_may_be_nothing_else(value: object) -> None:
    assert refused(EndNow=value) == (f"'EndNow' must be 'true' or 'false', got {value!r}",)


@pytest.mark.parametrize("seconds", ["1", "3600", 3600])
def test_both_ends_of_a_service_timeout_are_accepted(seconds: object) -> None:
    assert read(ServiceTimeout=seconds).service_timeout == int(str(seconds))


@pytest.mark.parametrize("seconds", ["0", "3601", "soon", "1.5", "9" * 5000])
def test_another_service_timeout_is_refused(seconds: str) -> None:
    (problem,) = refused(ServiceTimeout=seconds)
    assert problem.startswith("'ServiceTimeout' must be ")


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


def too_large(kind: str) -> object:
    """Values that Hypothesis cannot show, so that it must not hold them itself."""
    return 10**5000 if kind == "integer" else DEEP


TOO_LARGE = st.sampled_from(["integer", "lists"]).map(too_large)
TEXTS = ["9" * 5000, "1e400", "nan", "inf", "****", "true", "1", "\ud800"]
# JSON's scalars, and what only Python has.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.sampled_from(TEXTS),
    TOO_LARGE,
)
JSON_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
WORDS = st.sampled_from(
    [
        *[*REQUEST_PROPERTIES, *OWN_PROPERTIES, *CLOUDFORMATION_PROPERTIES],
        *["ModelName", "VariantName", "InstanceType", "InstanceCount", "InfrastructureConfig"],
        *["MinInvocations", "Window", "Confidence", "MinHours", "Comparisons", "Alarms"],
        *["Metric", "Statistic", "DryRun", "FailureLimit", "ProductionMetric", "ShadowMetric"],
        *["MaxRatio", "MaxIncrease", "MaxValue", "MaxRate", "AtLeast", "Dimensions", "Namespace"],
        *["PromoteShadow", "KeepBoth", "Shadow", "Promote", "Retain", "Remove", "Delete"],
        *["ModelLatency", "Invocation5XXErrors", "p99", "ml.m5.xlarge"],
    ]
)
ANYTHING = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
SOUND: dict[str, Any] = {
    "Name": "fraud-shadow",
    "ModelVariantActions": {"production": "Remove", "shadow": "Promote"},
    "DesiredModelVariants": [variant("2")],
    "DesiredState": "Completed",
    "Reason": "v2 wins",
    "StopOn": ["Delete"],
    "EndNow": "true",
    "PromoteIf": {
        "MinInvocations": "100",
        "Window": "3600",
        "Comparisons": [
            {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": "1.1", "FailureLimit": "1"},
            {"Metric": "Invocation5XXErrors", "MaxRate": "0.001", "DryRun": "true"},
        ],
        "Alarms": ["slow"],
    },
    "Otherwise": "KeepBoth",
    "ServiceTimeout": "1800",
}


@st.composite
def damaged(draw: st.DrawFn, anything: st.SearchStrategy[Any] = ANYTHING) -> Any:
    """Sound properties of which one value, at any depth, is replaced by anything."""
    properties = json.loads(json.dumps(SOUND))
    holder: Any = properties
    key: Any = draw(st.sampled_from(sorted(properties)))
    while isinstance(holder[key], (dict, list)) and holder[key] and draw(st.booleans()):
        holder = holder[key]
        keys = sorted(holder) if isinstance(holder, dict) else range(len(holder))
        key = draw(st.sampled_from(list(keys)))
    holder[key] = draw(anything)
    return properties


def test_the_properties_that_are_damaged_are_sound() -> None:
    assert isinstance(parse(SOUND), Declaration)


@settings(max_examples=400, deadline=None)
@given(properties=ANYTHING | damaged())
def test_any_properties_are_a_declaration_or_problems(properties: object) -> None:
    parsed = parse(properties)
    if isinstance(parsed, Problems):
        assert parsed.messages
        assert all(message and len(message) < 1000 for message in parsed.messages)
        assert str(parsed)
    else:
        assert hash(parsed.end) == hash(parsed.end)
        assert 1 <= parsed.service_timeout <= 3600


@settings(max_examples=200, deadline=None)
@given(event=ANYTHING, request=ANYTHING)
def test_any_properties_can_be_compared(event: object, request: object) -> None:
    same_properties(event, request)
    is_masked(event)


class TestPropertiesOfAnEvent:
    def test_are_those_of_a_request_in_whatever_order(self) -> None:
        event = {"Name": "a", "StopOn": ["Update", "Delete"], "EndNow": "true"}
        request = {"EndNow": True, "StopOn": ["Update", "Delete"], "Name": "a"}
        assert same_properties(event, request)
        assert not same_properties({**event, "StopOn": ["Delete", "Update"]}, request)

    def test_are_compared_as_cloudformation_delivers_scalars(self) -> None:
        assert same_properties({"Count": "2", "Share": "0.5"}, {"Count": 2, "Share": 0.5})
        assert not same_properties({"Count": "2"}, {"Count": 3})

    def test_may_differ_in_the_function_and_its_timeout_alone(self) -> None:
        event = {"Name": "a", "ServiceToken": "v1", "ServiceTimeout": "60"}
        assert same_properties(event, {"Name": "a", "ServiceToken": "v2"})
        nested = {"Name": {"ServiceToken": "v1"}}
        assert not same_properties(nested, {"Name": {"ServiceToken": "v2"}})

    @pytest.mark.parametrize(
        "other", [{}, {"Name": "b"}, {"Name": "a", "Reason": "x"}, {"Name": ["a"]}, "a", None]
    )
    def test_are_others_if_anything_else_differs(self, other: object) -> None:
        assert not same_properties({"Name": "a"}, other)
        assert not same_properties(other, {"Name": "a"})

    def test_that_are_masked_equal_any_value_but_not_its_absence(self) -> None:
        event = {"Name": "a", "Reason": "****"}
        assert same_properties(event, {"Name": "a", "Reason": "secret"})
        assert same_properties({"StopOn": ["****"]}, {"StopOn": ["Delete"]})
        assert not same_properties(event, {"Name": "a"})
        assert not same_properties({"Name": "a"}, {"Name": "****"})

    def test_are_masked_if_any_value_is(self) -> None:
        assert is_masked({"ModelVariantActions": {"a": ["****"]}})
        assert is_masked("****")
        assert not is_masked({"****": "a", "Reason": "*****"})

    def test_may_be_nested_deeply(self) -> None:
        assert same_properties(DEEP, DEEP)
        assert not is_masked(DEEP)
