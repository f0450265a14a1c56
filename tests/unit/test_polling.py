"""The polling rule's input: an event of any size fits, and comes back whole."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.runtime.polling import (
    MAX_INPUT_BYTES,
    event_pattern,
    input_transformer,
    pack,
    trigger_of,
    unpack,
)
from cdk_stop_inference_experiment_handler.runtime.waiting import Trigger

ENDPOINT_EVENT = "SageMaker Endpoint State Change"
PROPERTIES = {"Name": "fraud-shadow", "ModelVariantActions": {"shadow": "Promote"}}


def event(**members: Any) -> dict[str, Any]:
    return {
        "RequestType": "Update",
        "ResponseURL": "https://bucket.example/answer?X-Amz-Date=20261122T101500Z",
        "LogicalResourceId": "Stop",
        "ResourceProperties": PROPERTIES,
        "OldResourceProperties": PROPERTIES,
        **members,
    }


def fired(asked: dict[str, Any], detail_type: str) -> dict[str, Any]:
    """What the function gets: EventBridge puts a value, with its quotes, for a placeholder."""
    rule = input_transformer(asked)
    [(name, path)] = rule["InputPathsMap"].items()
    assert path == "$.detail-type"
    template = rule["InputTemplate"]
    assert len(template.encode()) <= MAX_INPUT_BYTES
    filled = template.replace(f"<{name}>", json.dumps(detail_type))
    got: dict[str, Any] = unpack(json.loads(filled))
    return got


def test_an_event_of_the_usual_size_is_carried_readably() -> None:
    carried = event()
    assert json.loads(pack(carried)) == carried
    assert unpack(json.loads(pack(carried))) == carried


@pytest.mark.parametrize("text", ["lone \ud800", "<Name>", "a <fired> b", 'quote " and \\'])
def test_any_text_comes_back(text: str) -> None:
    """In a template, angle brackets are placeholders; UTF-8 has no lone surrogates."""
    carried = event(LogicalResourceId=text)
    got = fired(carried, "Scheduled Event")
    got.pop("FiredBy")
    assert got == carried


def test_a_reason_that_hardly_compresses_fits_the_rule() -> None:
    """Random characters out of all of Chinese, in the old declaration and in the new one."""
    chance = random.Random(1)
    new, old = ("".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(1024)) for _ in "12")
    carried = event(
        ResourceProperties={**PROPERTIES, "Reason": new},
        OldResourceProperties={**PROPERTIES, "Reason": old},
    )
    assert fired(carried, "Scheduled Event")["OldResourceProperties"]["Reason"] == old


def test_an_event_of_any_size_fits_the_rule() -> None:
    wide = {**PROPERTIES, "Reason": "\x01" * 1024}
    large = event(
        ResourceProperties=wide,
        OldResourceProperties={**wide, "Reason": "\x02" * 1024},
        ResponseURL="https://bucket.example/" + "x" * 1800,
    )
    assert len(json.dumps(large)) > MAX_INPUT_BYTES
    got = fired(large, "Scheduled Event")
    got.pop("FiredBy")
    assert got == large


def test_the_input_says_what_fired() -> None:
    again = {**event(), "CrHelperPoll": True}
    assert trigger_of(event()) is Trigger.REQUEST
    assert trigger_of(fired(again, ENDPOINT_EVENT)) is Trigger.EVENT
    assert trigger_of(fired(again, "Scheduled Event")) is Trigger.SCHEDULE
    # The next input is made of what the last one was.
    assert trigger_of(fired(fired(again, ENDPOINT_EVENT), "Scheduled Event")) is Trigger.SCHEDULE


def test_the_pattern_is_for_an_endpoint_that_has_settled() -> None:
    pattern = json.loads(event_pattern("Fraud"))
    assert pattern["detail-type"] == [ENDPOINT_EVENT]
    assert pattern["detail"]["EndpointName"] == [{"equals-ignore-case": "Fraud"}]
    [excluded] = (rule["anything-but"] for rule in pattern["detail"]["EndpointStatus"])
    assert {"UPDATING", "Updating", "ROLLING_BACK", "RollingBack"} < set(excluded)
    assert "IN_SERVICE" not in excluded
