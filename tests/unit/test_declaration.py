"""The resource's properties as CloudFormation delivers them, parsed to the API's types."""

from __future__ import annotations

from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Declaration,
    InvalidDeclaration,
    parse,
    parse_replaced,
)

MINIMAL = {"Name": "fraud-shadow", "ModelVariantActions": {"shadow": "Promote"}}


def read(**properties: Any) -> Declaration:
    return parse({**MINIMAL, **properties}, stack_name="fraud", logical_id="Stop")


def variant(count: object) -> dict[str, object]:
    return {
        "ModelName": "fraud-v2",
        "VariantName": "shadow",
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": count},
        },
    }


def test_the_request_holds_the_api_members_and_nothing_else() -> None:
    declared = read(
        ServiceToken="arn:aws:lambda:eu-west-1:123456789012:function:f",
        ServiceTimeout="3600",
        DesiredState="Completed",
        Reason="v2 wins",
        StopOn=["Delete"],
        StackOwnsExperiment="true",
    )
    assert declared.request == {
        **MINIMAL,
        "DesiredState": "Completed",
        "Reason": f"v2 wins ({declared.digest})",
    }
    assert declared.stop_on == {"Delete"}
    assert declared.stack_owns_experiment is True
    assert declared.service_timeout == 3600


def test_an_instance_count_comes_back_as_a_number() -> None:
    declared = read(DesiredModelVariants=[variant("2")])
    assert declared.request["DesiredModelVariants"] == [variant(2)]


@pytest.mark.parametrize("count", ["2.5", "-1", "two", "", "²"])
def test_an_instance_count_that_is_no_count_is_refused(count: str) -> None:
    with pytest.raises(InvalidDeclaration, match=r"DesiredModelVariants\[0\].InstanceCount"):
        read(DesiredModelVariants=[variant(count)])


def said(**properties: Any) -> Declaration:
    named = {"Name": "fraud-shadow", **properties}
    return parse(named, stack_name="fraud", logical_id="Stop")


@pytest.mark.parametrize(
    ("outcome", "promotes"),
    [("PromoteShadow", True), ("KeepProduction", False), ("KeepBoth", False)],
)
def test_an_outcome_is_read(outcome: str, promotes: bool) -> None:
    declared = said(Outcome=outcome)
    assert (declared.outcome, declared.actions, declared.variants) == (outcome, {}, None)
    assert declared.promotes is promotes


def test_the_instances_of_a_promotion_are_read_and_default_to_productions() -> None:
    assert said(Outcome="PromoteShadow").instances == "Production"
    assert said(Outcome="PromoteShadow", Instances="Shadow").instances == "Shadow"
    given = {"InstanceType": "ml.m5.xlarge", "InstanceCount": "2"}
    declared = said(Outcome="PromoteShadow", Instances=given)
    assert declared.instances == {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}
    assert said(Outcome="KeepBoth").instances is None


GIVEN = {"InstanceType": "ml.m5.xlarge", "InstanceCount": "1"}


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({}, "exactly one of 'Outcome' and 'ModelVariantActions' is required, got neither"),
        (
            {"Outcome": "KeepBoth", "ModelVariantActions": {"a": "Retain"}},
            "exactly one of 'Outcome' and 'ModelVariantActions' is required, got both",
        ),
        (
            {"Outcome": "KeepBoth", "DesiredModelVariants": [variant("2")]},
            "'DesiredModelVariants' must be left out with 'Outcome'",
        ),
        (
            {"Outcome": "Promote"},
            "'Outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got 'Promote'",
        ),
        (
            {"Outcome": "KeepBoth", "Instances": "Shadow"},
            "'Instances' must be left out unless 'Outcome' is 'PromoteShadow', got 'Shadow'",
        ),
        (
            {"ModelVariantActions": {"a": "Retain"}, "Instances": "Shadow"},
            "'Instances' must be left out unless 'Outcome' is 'PromoteShadow', got 'Shadow'",
        ),
        (
            {"Outcome": "PromoteShadow", "Instances": "Canary"},
            (
                "'Instances' must be 'Production' or 'Shadow', or an object of 'InstanceType' and "
                "'InstanceCount', got 'Canary'"
            ),
        ),
        (
            {"Outcome": "PromoteShadow", "Instances": {**GIVEN, "InstanceCount": "0"}},
            "'Instances.InstanceCount' must be at least 1, got 0",
        ),
        (
            {"Outcome": "PromoteShadow", "Instances": {"InstanceCount": "1"}},
            "'Instances.InstanceType' must be a string, got None",
        ),
        (
            {"Outcome": "PromoteShadow", "Instances": {**GIVEN, "Count": "1"}},
            "'Instances' may hold 'InstanceType' or 'InstanceCount', got 'Count'",
        ),
    ],
)
def test_an_outcome_that_breaks_a_rule_is_refused(
    properties: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidDeclaration) as refused:
        said(**properties)
    assert f" properties: {problem}" in str(refused.value)
    assert "; " not in str(refused.value)


def test_one_instance_is_enough_for_a_promotion() -> None:
    assert said(Outcome="PromoteShadow", Instances=GIVEN).promotes


def test_an_end_of_0_1_0_is_never_an_outcomes() -> None:
    for reason in ({}, {"Reason": "v2 wins"}):
        declared = said(Outcome="KeepBoth", **reason)
        assert not declared.may_have_ended("")
        assert not declared.may_have_ended("v2 wins")


def test_unknown_properties_are_refused_by_name() -> None:
    with pytest.raises(InvalidDeclaration, match="'Names' is not a property"):
        read(Names="typo")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidDeclaration) as refused:
        read(Name="-", Reason="x" * 1025, DesiredState="Done")
    for named in ("'Name'", "'Reason'", "'DesiredState'"):
        assert named in str(refused.value)


def test_the_defaults_are_update_and_delete_and_an_hour() -> None:
    assert read().stop_on == {"Update", "Delete"}
    assert read().stack_owns_experiment is False
    assert read().service_timeout == 3600


def test_end_now_comes_as_text() -> None:
    assert read().end_now is False
    assert [read(EndNow=value).end_now for value in ("true", "True", "false")] == [
        True,
        True,
        False,
    ]


def test_the_default_reason_names_the_stack_and_the_resource() -> None:
    assert (
        read().reason == f"Stopped by CloudFormation stack fraud, resource Stop ({read().digest})"
    )
    assert read(Reason="").reason == read().reason


@pytest.mark.parametrize("length", [1013, 1014, 1024])
def test_a_reason_is_cut_where_the_digest_would_not_fit(length: int) -> None:
    declared = read(Reason="x" * length)
    assert declared.reason == f"{'x' * 1013} ({declared.digest})"
    assert len(declared.reason) == 1024


def test_the_default_reason_fits_the_longest_names() -> None:
    longest = parse(MINIMAL, stack_name="s" * 128, logical_id="l" * 255)
    assert len(longest.reason) <= 1024
    assert len(str(longest.reason_of_0_1_0)) <= 1024


END_CHANGES: list[dict[str, object]] = [
    {"ModelVariantActions": {"shadow": "Remove"}},
    {"DesiredModelVariants": [variant("2")]},
    {"DesiredState": "Completed"},
]
NO_CHANGES: list[dict[str, object]] = [
    {"Reason": "because"},
    {"StopOn": ["Update"]},
    {"EndNow": "true"},
    {"ServiceTimeout": "60"},
    {"StackOwnsExperiment": "true"},
]


@pytest.mark.parametrize("change", END_CHANGES)
def test_actions_variants_and_state_make_another_end_and_digest(change: dict[str, object]) -> None:
    assert not read().has_the_end_of(read(**change))
    assert read().digest != read(**change).digest


@pytest.mark.parametrize("change", NO_CHANGES)
def test_nothing_else_makes_another_end_or_digest(change: dict[str, object]) -> None:
    assert read().has_the_end_of(read(**change))
    assert read().digest == read(**change).digest


def test_a_digest_is_of_the_stack_and_the_name_but_not_of_the_logical_id() -> None:
    other_id = parse(MINIMAL, stack_name="fraud", logical_id="Renamed")
    other_stack = parse(MINIMAL, stack_name="fraud-2", logical_id="Stop")
    assert read().digest == other_id.digest == read(Name="Fraud-Shadow").digest
    assert len({read().digest, other_stack.digest, read(Name="other").digest}) == 3


def test_equal_ends_are_equal_whatever_their_spelling() -> None:
    one = read(DesiredModelVariants=[variant("2")])
    assert one.has_the_end_of(read(DesiredModelVariants=[variant(2)]))
    assert one.digest == read(DesiredModelVariants=[variant(2)]).digest


def test_other_variants_to_deploy_are_another_end_in_whatever_order_they_are_written() -> None:
    def kept(*variants: object) -> Declaration:
        actions = {"production": "Retain", "shadow": "Retain"}
        return read(ModelVariantActions=actions, DesiredModelVariants=list(variants))

    shadow, production = variant("2"), {**variant("3"), "VariantName": "production"}
    both = kept(shadow, production)
    for variants in [
        (production, shadow),
        (dict(reversed(shadow.items())), production),
        (shadow, dict(reversed(production.items()))),
    ]:
        assert kept(*variants).digest == both.digest
    assert kept(shadow, {**production, "ModelName": "fraud-v1"}).digest != both.digest


def test_a_later_release_recognises_what_this_one_has_ended() -> None:
    assert said(Outcome="KeepBoth").digest == "4b85e108"
    assert said(Outcome="PromoteShadow", DesiredState="Completed").digest == "d7e28b57"


def test_an_end_is_told_by_the_last_digest_in_the_status_reason() -> None:
    keep = read(ModelVariantActions={"shadow": "Remove"})
    assert read().ended(read().reason)
    assert read().ended(f"{read().reason}.")
    assert not read().ended("v2 wins")
    assert not read().ended(keep.reason)
    assert not read().ended(f"{read().reason} was wrong ({keep.digest})")


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("v2 wins", "v2 wins"),
        (None, "Stopped by CloudFormation stack fraud, resource Stop (79e20616)"),
    ],
)
def test_what_release_0_1_0_sent_is_known(reason: str | None, sent: str) -> None:
    declared = read(**({"Reason": reason} if reason else {}))
    assert declared.reason_of_0_1_0 == sent
    assert declared.may_have_ended(sent)
    assert not declared.ended(sent)


def test_what_a_failed_creation_ends_keeps_production() -> None:
    declared = read(DesiredModelVariants=[variant("2")], Reason="v2 wins")
    kept = declared.with_shadow_removed("production", "shadow")
    assert kept.request["ModelVariantActions"] == {"production": "Retain", "shadow": "Remove"}
    assert "DesiredModelVariants" not in kept.request
    assert "v2 wins" not in kept.reason
    assert kept.digest != declared.digest


def test_replaced_properties_may_break_every_rule_but_name_an_experiment() -> None:
    named = {"stack_name": "fraud", "logical_id": "Stop"}
    both = {"Outcome": 7, "Instances": [], "ModelVariantActions": {"a": "Promote"}}
    nonsense = parse_replaced({"Name": "x", **both}, **named)
    assert nonsense is not None
    assert not nonsense.promotes
    assert not nonsense.has_the_end_of(read())
    broken = parse_replaced({"Name": "-", "Reason": "x" * 2000, "Typo": "1"}, **named)
    assert broken is not None
    assert len(broken.reason) == 1024
    assert not broken.has_the_end_of(read())
    assert parse_replaced({"ModelVariantActions": {}}, **named) is None


def test_what_was_replaced_is_read_like_any_other() -> None:
    properties = {
        **MINIMAL,
        "DesiredModelVariants": [variant("2")],
        "PromoteIf": {"MinInvocations": "10", "Alarms": ["too-slow"]},
    }
    names = {"stack_name": "fraud", "logical_id": "Stop"}
    assert parse_replaced(properties, **names) == parse(properties, **names)
    broken = parse_replaced({**MINIMAL, "StopOn": ["Never"]}, **names)
    assert broken is not None
    assert broken.promote_if is None
