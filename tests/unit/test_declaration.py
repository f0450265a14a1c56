"""The resource's properties as CloudFormation delivers them, read back into the API's types."""

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
    assert declared.request == {**MINIMAL, "DesiredState": "Completed", "Reason": "v2 wins"}
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


def test_the_default_reason_names_the_stack_the_resource_and_the_declaration() -> None:
    keep = read(ModelVariantActions={"shadow": "Remove"})
    assert "stack fraud, resource Stop" in read().reason
    assert read().reason != keep.reason
    assert read().reason == read(StopOn=["Delete"]).reason


def test_the_default_reason_fits_the_longest_names() -> None:
    longest = parse(MINIMAL, stack_name="s" * 128, logical_id="l" * 255)
    assert len(longest.reason) <= 1024


def test_equal_ends_are_equal_whatever_their_spelling() -> None:
    one = read(DesiredModelVariants=[variant("2")])
    assert one.declares_the_same_end_as(read(DesiredModelVariants=[variant(2)]))
    assert one.declares_the_same_end_as(
        read(DesiredModelVariants=[variant("2")], StopOn=["Update"], ServiceTimeout="60")
    )


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "other"},
        {"ModelVariantActions": {"shadow": "Remove"}},
        {"DesiredModelVariants": [variant("2")]},
        {"DesiredState": "Completed"},
        {"Reason": "because"},
    ],
)
def test_each_member_of_the_request_makes_another_end(change: dict[str, object]) -> None:
    assert not read().declares_the_same_end_as(read(**change))


def test_replaced_properties_may_break_every_rule_but_name_an_experiment() -> None:
    named = {"stack_name": "fraud", "logical_id": "Stop"}
    broken = parse_replaced({"Name": "-", "Reason": "x" * 2000, "Typo": "1"}, **named)
    assert broken is not None
    assert broken.reason == "x" * 2000
    assert not broken.declares_the_same_end_as(read())
    assert parse_replaced({"ModelVariantActions": {}}, **named) is None
