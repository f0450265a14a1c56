"""Change sets: values of properties, what is known only later, pages, and nested stacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import (
    STACK,
    create,
    fail,
    requests,
    resource,
    settled,
    template,
    update,
)
from .test_nested_stacks import MAY_SEE, SEEING, nested, nested_id

Json = dict[str, Any]
KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
NAME = "tried-change-set"
WITH_VALUES: Json = {"IncludePropertyValues": True}


@pytest.fixture
def arn(aws: LocalAws, make_function: FunctionMaker) -> str:
    aws.client("s3").create_bucket(Bucket="templates")
    return make_function(SEEING, Timeout=20, statements=MAY_SEE)


def change_set(aws: LocalAws, body: str, kind: str = "UPDATE", **options: object) -> None:
    """Make a change set of the stack."""
    aws.client("cloudformation").create_change_set(
        StackName=STACK, ChangeSetName=NAME, ChangeSetType=kind, TemplateBody=body, **options
    )


def describe(aws: LocalAws, name: str = NAME, **options: object) -> Json:
    """What DescribeChangeSet answers."""
    place = {} if name.startswith("arn:") else {"StackName": STACK}
    found: Json = aws.client("cloudformation").describe_change_set(
        ChangeSetName=name, **place, **options
    )
    return found


def changes(answer: Json) -> dict[str, Json]:
    """The changes of an answer by logical id."""
    found = [change["ResourceChange"] for change in answer["Changes"]]
    return {change["LogicalResourceId"]: change for change in found}


def properties(change: Json, context: str) -> Json:
    """The properties in a change's context."""
    found: Json = json.loads(change[context])["Properties"]
    return found


def reading(arn: str, other: str) -> Json:
    """A resource with a property that is an attribute of another one."""
    found = resource(arn)
    found["Properties"]["Value"] = {"Fn::GetAtt": [other, "Value"]}
    return found


def test_a_change_shows_the_values_before_and_after_if_asked_for(aws: LocalAws, arn: str) -> None:
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    change_set(aws, template(Tried=resource(arn, Value="<2>")))
    change = changes(describe(aws, **WITH_VALUES))["Tried"]
    assert properties(change, "BeforeContext") == {"ServiceToken": arn, "Value": "1"}
    assert properties(change, "AfterContext") == {"ServiceToken": arn, "Value": "<2>"}
    (detail,) = change["Details"]
    target = detail["Target"]
    assert (target["Path"], target["AttributeChangeType"]) == ("/Properties/Value", "Modify")
    assert (target["BeforeValue"], target["AfterValue"]) == ("1", "<2>")
    assert "BeforeContext" not in changes(describe(aws))["Tried"]


def test_what_is_added_has_no_context_before_and_what_is_removed_none_after(
    aws: LocalAws, arn: str
) -> None:
    assert create(aws, template(Old=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    change_set(aws, template(New=resource(arn, Value="2")))
    found = changes(describe(aws, **WITH_VALUES))
    assert "AfterContext" not in found["Old"]
    assert "BeforeContext" not in found["New"]
    assert properties(found["Old"], "BeforeContext")["Value"] == "1"
    assert properties(found["New"], "AfterContext")["Value"] == "2"


def test_what_depends_on_a_resource_that_is_added_is_known_only_later(
    aws: LocalAws, arn: str
) -> None:
    names = [{"Fn::Sub": "a-${Made}"}, {"Ref": "AWS::StackName"}]
    body = template(
        Made=resource(arn, Value="1"), Read=reading(arn, "Made"), Named=resource(arn, Names=names)
    )
    change_set(aws, body, "CREATE")
    found = changes(describe(aws, **WITH_VALUES))
    assert properties(found["Made"], "AfterContext")["Value"] == "1"
    assert properties(found["Read"], "AfterContext")["Value"] == KNOWN_AFTER_APPLY
    assert properties(found["Named"], "AfterContext")["Names"] == [KNOWN_AFTER_APPLY, STACK]


def test_a_change_by_an_attribute_is_listed_only_without_values(aws: LocalAws, arn: str) -> None:
    def body(value: str) -> str:
        return template(Made=resource(arn, Value=value), Read=reading(arn, "Made"))

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    change_set(aws, body("2"))
    assert set(changes(describe(aws, **WITH_VALUES))) == {"Made"}
    assert set(changes(describe(aws))) == {"Made", "Read"}
    aws.client("cloudformation").execute_change_set(StackName=STACK, ChangeSetName=NAME)
    assert settled(aws) == "UPDATE_COMPLETE"
    assert [item["ResourceProperties"]["Value"] for item in requests(aws)][-2:] == ["2", "2"]


def test_changes_come_a_page_at_a_time(aws: LocalAws, arn: str) -> None:
    aws.configure(changes_page_size=2)
    change_set(aws, template(A=resource(arn), B=resource(arn), C=resource(arn)), "CREATE")
    first = describe(aws)
    assert list(changes(first)) == ["A", "B"]
    last = describe(aws, NextToken=first["NextToken"])
    assert list(changes(last)) == ["C"]
    assert "NextToken" not in last


def test_a_nested_stack_has_a_change_set_of_its_own(aws: LocalAws, arn: str) -> None:
    def body(value: str) -> str:
        leaf = template(Tried=resource(arn, Value=value))
        return template(Below=nested(aws, template(Lower=nested(aws, leaf))))

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    change_set(aws, body("2"), IncludeNestedStacks=True)
    root = describe(aws)
    assert root["IncludeNestedStacks"] is True
    below = describe(aws, changes(root)["Below"]["ChangeSetId"])
    assert below["StackId"] == nested_id(aws)
    assert (below["ExecutionStatus"], below["StatusReason"]) == (
        "UNAVAILABLE",
        "Executable from root change set",
    )
    lower = describe(aws, changes(below)["Lower"]["ChangeSetId"], **WITH_VALUES)
    assert lower["ParentChangeSetId"] == below["ChangeSetId"]
    assert lower["RootChangeSetId"] == root["ChangeSetId"]
    change = changes(lower)["Tried"]
    assert properties(change, "BeforeContext")["Value"] == "1"
    assert properties(change, "AfterContext")["Value"] == "2"


def test_a_resource_whose_condition_is_false_is_no_part_of_the_template(
    aws: LocalAws, arn: str
) -> None:
    def body(wanted: str) -> str:
        found = json.loads(template(Kept=resource(arn), Tried=resource(arn)))
        found["Conditions"] = {"Wanted": {"Fn::Equals": [wanted, "yes"]}}
        found["Resources"]["Tried"]["Condition"] = "Wanted"
        return json.dumps(found)

    assert create(aws, body("no")) == "CREATE_COMPLETE"
    change_set(aws, body("yes"))
    assert {name: item["Action"] for name, item in changes(describe(aws)).items()} == {
        "Tried": "Add"
    }
    aws.client("cloudformation").execute_change_set(StackName=STACK, ChangeSetName=NAME)
    assert settled(aws) == "UPDATE_COMPLETE"
    aws.client("cloudformation").delete_change_set(StackName=STACK, ChangeSetName=NAME)
    change_set(aws, body("no"))
    assert changes(describe(aws))["Tried"]["Action"] == "Remove"


def test_an_attribute_of_another_resource_is_a_change_the_service_token_included(
    aws: LocalAws, arn: str
) -> None:
    token = {"ServiceToken": {"Fn::GetAtt": ["One", "Value"]}}
    other = {"ServiceToken": {"Fn::GetAtt": ["Two", "Value"]}}
    both = {"One": resource(arn, Value=arn), "Two": resource(arn, Value=arn)}

    def reads(properties: Json) -> str:
        return template(**both, Read={"Type": "Custom::Tried", "Properties": properties})

    assert create(aws, reads(token)) == "CREATE_COMPLETE"
    change_set(aws, reads(other))
    (detail,) = changes(describe(aws))["Read"]["Details"]
    assert detail["Target"]["Name"] == "ServiceToken"


@pytest.mark.parametrize("later", [False, True])
def test_an_attribute_of_a_modified_resource_can_be_known_only_later(
    aws: LocalAws, arn: str, later: bool
) -> None:
    aws.configure(modified_attributes_known_after_apply=later)

    def body(value: str) -> str:
        named = resource(arn)
        named["Properties"]["Name"] = {"Fn::Sub": "a-${Made.Value}-${Made}"}
        return template(Made=resource(arn, Value=value), Read=reading(arn, "Made"), Named=named)

    assert create(aws, body("1")) == "CREATE_COMPLETE"
    change_set(aws, body("2"))
    found = changes(describe(aws, **WITH_VALUES))
    assert ("Read" in found, "Named" in found) == (later, later)
    if later:
        assert properties(found["Read"], "AfterContext")["Value"] == KNOWN_AFTER_APPLY
        assert properties(found["Named"], "AfterContext")["Name"] == KNOWN_AFTER_APPLY


@pytest.mark.parametrize(("compares", "tells"), [("resources", {"Tried"}), ("templates", set())])
def test_after_a_failure_without_rollback_resources_or_templates_are_compared(
    aws: LocalAws, arn: str, compares: str, tells: set[str]
) -> None:
    aws.configure(change_set_compares=compares)
    assert create(aws, template(Tried=resource(arn, Value="1"))) == "CREATE_COMPLETE"
    fail(aws, "2")
    body = template(Tried=resource(arn, Value="2"))
    assert update(aws, body, DisableRollback=True) == "UPDATE_FAILED"
    change_set(aws, body)
    assert set(changes(describe(aws))) == tells
