"""A request of CloudFormation, parsed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_declaration import ANYTHING, damaged

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, Problems
from cdk_stop_inference_experiment_handler.contract.request import (
    Request,
    RequestType,
    issued_at,
    malformation,
    name_in_id,
    read_request,
)

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/"
PROPERTIES = {"Name": "fraud-shadow", "Outcome": "KeepBoth", "ServiceTimeout": "1800"}


def event(kind: str = "Update", **members: Any) -> dict[str, Any]:
    """An event of CloudFormation; None for a member leaves it out."""
    whole = {
        "RequestType": kind,
        "RequestId": "4b1d2c9e",
        "ResponseURL": "https://bucket.example/answer?X-Amz-Date=20261122T101500Z&X-Amz-Expires=7200",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/9c0",
        "LogicalResourceId": "Stop",
        "PhysicalResourceId": None if kind == "Create" else f"{ARN}fraud-shadow",
        "ResourceProperties": PROPERTIES,
        "OldResourceProperties": PROPERTIES if kind == "Update" else None,
        **members,
    }
    return {name: value for name, value in whole.items() if value is not None}


def read(kind: str = "Update", **members: Any) -> Request:
    sent = event(kind, **members)
    assert malformation(sent) is None
    return read_request(sent)


def test_an_update_is_read() -> None:
    old = {**PROPERTIES, "Outcome": "PromoteShadow"}
    request = read("Update", OldResourceProperties=old)
    assert request.type is RequestType.UPDATE
    assert (request.stack_name, request.region) == ("fraud", "eu-west-1")
    assert (request.logical_id, request.name) == ("Stop", "fraud-shadow")
    assert request.service_timeout == 1800
    assert request.issued_at == 1795342500
    assert (request.properties, request.old_properties) == (PROPERTIES, old)
    assert isinstance(request.new, Declaration)
    assert isinstance(request.old, Declaration)
    assert (request.new.end.promotes, request.old.end.promotes) == (False, True)


def test_a_stack_id_that_is_no_arn_names_no_stack() -> None:
    request = read(StackId="fraud/9c0")
    assert (request.stack_name, request.region) == ("", "")


def test_a_create_has_no_physical_id_and_nothing_old() -> None:
    request = read("Create")
    assert (request.physical_id, request.held_name, request.holds_its_experiment) == ("", "", False)
    assert (request.old, request.old_properties) == (None, {})


def test_the_name_is_known_even_if_the_declaration_has_problems() -> None:
    request = read(ResourceProperties={**PROPERTIES, "NewInALaterRelease": "1"})
    assert isinstance(request.new, Problems)
    assert request.name == "fraud-shadow"
    assert request.service_timeout == 1800


@pytest.mark.parametrize(
    ("kind", "name"), [("Delete", "fraud-shadow"), ("Update", "never-deployed")]
)
def test_a_delete_is_about_the_experiment_that_the_physical_id_names(kind: str, name: str) -> None:
    renamed = {**PROPERTIES, "Name": "never-deployed"}
    request = read(kind, ResourceProperties=renamed)
    assert request.name == name
    assert request.holds_its_experiment is (kind == "Delete")


def test_an_arn_may_have_another_case() -> None:
    request = read("Delete", PhysicalResourceId=f"{ARN}FRAUD-shadow")
    assert request.holds_its_experiment
    assert request.name == "fraud-shadow"


@pytest.mark.parametrize(
    ("physical_id", "name"),
    [
        (f"{ARN}fraud", "fraud"),
        ("arn:aws-cn:sagemaker:cn-north-1:1:inference-experiment/fraud", "fraud"),
        ("arn:aws:s3:::inference-experiment/fraud", ""),
        ("stack-Stop-1A2B3C", ""),
        ("", ""),
    ],
)
def test_only_an_experiments_arn_holds_a_name(physical_id: str, name: str) -> None:
    assert name_in_id(physical_id) == name


def test_a_physical_id_that_is_no_arn_holds_no_experiment_even_if_none_is_declared() -> None:
    request = read("Delete", PhysicalResourceId="fraud-Stop-1A2B", ResourceProperties={})
    assert (request.name, request.held_name, request.holds_its_experiment) == ("", "", False)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("X-Amz-Date=19700101T000001Z", 1.0),
        ("Signature=x&X-Amz-Date=20261122T101500Z", 1795342500.0),
        ("X-Amz-Date=today", None),
        ("Expires=1795342500", None),
    ],
)
def test_a_request_is_as_old_as_its_url(date: str, seconds: float | None) -> None:
    assert issued_at(f"https://bucket.example/answer?{date}") == seconds


def test_a_url_that_is_none_says_no_date() -> None:
    assert issued_at("https://[") is None


@pytest.mark.parametrize(
    "properties",
    [
        None,
        [],
        {**PROPERTIES, "Name": ["fraud-shadow"]},
        {**PROPERTIES, "ServiceTimeout": "9" * 5000},
        {**PROPERTIES, "ServiceTimeout": 10**5000},
        {**PROPERTIES, "DesiredState": {}},
        {**PROPERTIES, "PromoteIf": {"Comparisons": [{"Metric": {}, "Statistic": []}]}},
    ],
    ids=["none", "list", "name", "digits", "number", "state", "metric"],
)
def test_an_event_that_cloudformation_never_sends_can_be_answered(properties: object) -> None:
    request = read("Update", ResourceProperties=properties, OldResourceProperties=properties)
    assert isinstance(request.new, Problems)
    assert str(request.new)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"RequestType": "Read"}, "'RequestType' must be 'Create', 'Update' or 'Delete'"),
        ({"RequestType": ["Create"]}, "'RequestType' must be 'Create', 'Update' or 'Delete'"),
        ({"RequestId": None}, "'RequestId' must be a string"),
        ({"StackId": ""}, "'StackId' must be a string"),
        ({"LogicalResourceId": {}}, "'LogicalResourceId' must be a string"),
        ({"PhysicalResourceId": None}, "'PhysicalResourceId' must be a string"),
        ({"StackId": "\ud800"}, "'StackId' must be a string"),
        ({"ResponseURL": "http://bucket.example"}, "'ResponseURL' must be an https URL"),
        ({"ResponseURL": "https://"}, "'ResponseURL' must be an https URL"),
        ({"ResponseURL": "https:///answer"}, "'ResponseURL' must be an https URL"),
        ({"ResponseURL": "https:// "}, "'ResponseURL' must be an https URL"),
        ({"ResponseURL": "https://["}, "'ResponseURL' must be an https URL"),
        ({"ResponseURL": "https://bucket.example:port/"}, "'ResponseURL' must be an https URL"),
    ],
)
def test_an_event_that_cannot_be_answered_is_malformed(members: dict[str, Any], why: str) -> None:
    assert malformation(event(**members)) == why


@pytest.mark.parametrize(("length", "is_malformed"), [(3072, False), (3073, True)])
def test_ids_that_leave_no_room_in_an_answer_are_malformed(length: int, is_malformed: bool) -> None:
    create = event("Create", RequestId="r", StackId="s")
    create["LogicalResourceId"] = "é" * ((length - 2) // 2) + "x" * (length % 2)
    assert (malformation(create) is not None) is is_malformed


def test_what_is_no_object_is_malformed() -> None:
    assert malformation(["Update"]) == "the event is a list, not an object"


MEMBERS = sorted(event())


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(RequestType),
    properties=ANYTHING | damaged(),
    old=ANYTHING | damaged(),
    members=st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=2),
)
def test_any_event_is_malformed_or_read(
    kind: RequestType, properties: object, old: object, members: dict[str, Any]
) -> None:
    sent = {**event(kind), "ResourceProperties": properties, "OldResourceProperties": old}
    sent |= members
    if malformation(sent) is None:
        request = read_request(sent)
        assert 1 <= request.service_timeout <= 3600
        assert isinstance(request.name, str)
        assert isinstance(request.region, str)


@settings(max_examples=100, deadline=None)
@given(sent=ANYTHING)
def test_anything_but_an_event_is_malformed(sent: object) -> None:
    assert malformation(sent)
