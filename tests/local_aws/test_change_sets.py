"""Change sets: values of properties, what is known only later, pages, and nested stacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws import LocalAws

from .conftest import FunctionMaker
from .stacks import STACK, create, described, requests, resource, settled, template
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


def test_a_nested_stack_has_no_change_set_unless_asked_for(aws: LocalAws, arn: str) -> None:
    body = template(Below=nested(aws, template(Tried=resource(arn))))
    change_set(aws, body, "CREATE")
    answer = describe(aws)
    assert answer["IncludeNestedStacks"] is False
    assert "ChangeSetId" not in changes(answer)["Below"]


def test_nested_change_sets_go_with_their_root(aws: LocalAws, arn: str) -> None:
    body = template(Below=nested(aws, template(Tried=resource(arn, Value="1"))))
    change_set(aws, body, "CREATE", IncludeNestedStacks=True)
    child = changes(describe(aws))["Below"]["ChangeSetId"]
    found = changes(describe(aws, child, **WITH_VALUES))["Tried"]
    assert properties(found, "AfterContext")["Value"] == "1"
    client = aws.client("cloudformation")
    client.execute_change_set(StackName=STACK, ChangeSetName=NAME)
    assert settled(aws) == "CREATE_COMPLETE"
    assert described(aws)["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(client.exceptions.ChangeSetNotFoundException):
        describe(aws, child)
