"""CloudFormation's events: validated, parsed, and packed for the polling rule."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.runtime.protocol import (
    MAX_INPUT_BYTES,
    issued_at,
    malformation,
    pack,
    read_request,
    unpack,
)

SIGNED = "https://bucket.example/answer?X-Amz-Date=20261122T101500Z&X-Amz-Expires=7200"


def event(**members: Any) -> dict[str, Any]:
    made = {
        "RequestType": "Update",
        "RequestId": "0a1b",
        "ResponseURL": SIGNED,
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/9c0",
        "LogicalResourceId": "Stop",
        "PhysicalResourceId": "arn:aws:sagemaker:eu-west-1:1:inference-experiment/fraud-shadow",
        "ResourceProperties": {
            "Name": "fraud-shadow",
            "ModelVariantActions": {"shadow": "Promote"},
        },
        "OldResourceProperties": {
            "Name": "fraud-shadow",
            "ModelVariantActions": {"shadow": "Remove"},
        },
    }
    made.update(members)
    return {name: value for name, value in made.items() if value is not None}


def test_a_request_of_cloudformation_is_well_formed() -> None:
    assert malformation(event()) is None
    assert malformation(event(RequestType="Create", PhysicalResourceId=None)) is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        event(RequestType="Read"),
        event(RequestId=None),
        event(StackId=7),
        event(LogicalResourceId=""),
        event(ResponseURL="http://bucket.example/answer"),
        event(PhysicalResourceId=None),
        event(ResourceProperties="none"),
    ],
)
def test_anything_else_is_not(broken: object) -> None:
    assert malformation(broken) is not None


def test_a_request_is_read() -> None:
    request = read_request(event())
    assert request.declared_name == "fraud-shadow"
    assert not isinstance(request.new, str)
    assert request.old is not None
    assert not request.old.promotes
    assert "stack fraud, resource Stop" in request.new.reason
    assert request.holds_its_experiment


def test_properties_that_break_a_rule_become_the_sentence_to_answer() -> None:
    request = read_request(event(ResourceProperties={"Name": "fraud-shadow"}))
    assert isinstance(request.new, str)
    assert "'ModelVariantActions'" in request.new


@pytest.mark.parametrize("name", ["fraud-shadow", "Fraud-Shadow"])
def test_an_arn_holds_its_experiment_whatever_its_case(name: str) -> None:
    arn = f"arn:aws-cn:sagemaker:cn-north-1:123456789012:inference-experiment/{name}"
    assert read_request(event(PhysicalResourceId=arn)).holds_its_experiment


def test_a_presigned_url_tells_when_it_was_made() -> None:
    assert issued_at(SIGNED) == 1795342500.0


@pytest.mark.parametrize(
    "url",
    [
        "https://bucket.example/answer",
        "https://bucket.example/answer?Expires=1795349700&Signature=x",
        "https://bucket.example/answer?X-Amz-Date=yesterday",
    ],
)
def test_any_other_url_tells_nothing(url: str) -> None:
    assert issued_at(url) is None


def test_an_event_of_the_usual_size_is_carried_readably() -> None:
    carried = event()
    assert json.loads(pack(carried)) == carried
    assert unpack(json.loads(pack(carried))) == carried


def test_an_event_that_is_no_utf_8_is_carried_too() -> None:
    broken = event(LogicalResourceId="lone \ud800")
    assert unpack(json.loads(pack(broken))) == broken


def test_a_reason_that_hardly_compresses_fits_the_rule() -> None:
    """Random characters out of all of Chinese, in the old declaration and in the new one."""
    chance = random.Random(1)
    new, old = ("".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(1024)) for _ in "12")
    properties = event()["ResourceProperties"]
    carried = event(
        ResourceProperties={**properties, "Reason": new},
        OldResourceProperties={**properties, "Reason": old},
        ResponseURL=SIGNED + "x" * 300,
    )
    assert len(pack(carried).encode()) <= MAX_INPUT_BYTES
    assert unpack(json.loads(pack(carried))) == carried


def test_an_event_of_any_size_fits_the_rule_and_comes_back_whole() -> None:
    wide = {**event()["ResourceProperties"], "Reason": "\x01" * 1024}
    large = event(
        ResourceProperties=wide,
        OldResourceProperties={**wide, "Reason": "\x02" * 1024},
        ResponseURL=SIGNED + "x" * 1800,
    )
    packed = pack(large)
    assert len(json.dumps(large)) > MAX_INPUT_BYTES >= len(packed.encode())
    assert unpack(json.loads(packed)) == large
    assert malformation(json.loads(packed)) is None


def test_a_delete_is_about_the_experiment_in_its_id() -> None:
    """A failed change of name leaves the properties of a declaration that was never in force."""
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/before"
    asked = {"PhysicalResourceId": arn, "OldResourceProperties": None}
    assert read_request(event(RequestType="Delete", **asked)).declared_name == "before"
    assert read_request(event(RequestType="Update", **asked)).declared_name == "fraud-shadow"
    marked = event(RequestType="Delete", PhysicalResourceId="Stop-not-created-0123456789abcdef")
    assert read_request(marked).declared_name == "fraud-shadow"


@pytest.mark.parametrize(
    ("declared", "seconds"), [("1800", 1800), ("3600", 3600), (None, 3600), ("86400", 3600)]
)
def test_cloudformation_gives_up_after_an_hour_at_most(declared: str | None, seconds: int) -> None:
    changed = {**event()["ResourceProperties"], "ServiceTimeout": declared}
    known = {name: value for name, value in changed.items() if value is not None}
    assert read_request(event(ResourceProperties=known)).service_timeout == seconds
    assert read_request(event(ResourceProperties={"Name": ""})).service_timeout == 3600
