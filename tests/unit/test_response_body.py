"""The body of an answer: within CloudFormation's 4096 bytes, with everything important."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_stop_inference_experiment_handler.runtime.answer import MAX_BODY_BYTES, encode

IDS = {
    "Status": "FAILED",
    "PhysicalResourceId": "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/e",
    "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/9c0",
    "RequestId": "0a1b",
    "LogicalResourceId": "Stop",
    "NoEcho": False,
}


def test_a_small_body_is_sent_as_it_is() -> None:
    body = {**IDS, "Reason": "because", "Data": {"Status": "Running"}}
    assert json.loads(encode(body)) == body


@pytest.mark.parametrize("member", ["StatusReason", "StopRequest"])
def test_a_body_of_exactly_4096_bytes_is_sent_as_it_is(member: str) -> None:
    def sized(size: int) -> dict[str, object]:
        request = json.dumps({"Name": "e", "Reason": ""})
        start = request[:-2] if member == "StopRequest" else ""
        end = request[-2:] if member == "StopRequest" else ""
        body = {**IDS, "Reason": "because", "Data": {member: start + end}}
        padding = "r" * (size - len(json.dumps(body)))
        return {**body, "Data": {member: start + padding + end}}

    assert len(json.dumps(sized(4096))) == 4096
    assert json.loads(encode(sized(4096))) == sized(4096)
    shortened = json.loads(encode(sized(4097)))
    assert shortened["Reason"] == "because"
    assert shortened["Data"] != sized(4097)["Data"]


@pytest.mark.parametrize("size", [1023, 1024])
def test_a_status_reason_of_the_longest_kind_is_shortened(size: int) -> None:
    body = {**IDS, "Reason": "the cause", "Data": {"StatusReason": "\U0001f600" * size}}
    answer = json.loads(encode(body))
    assert answer["Reason"] == "the cause"
    assert answer["Data"]["StatusReason"].startswith("\U0001f600" * 100)


def test_the_reason_keeps_its_end_where_the_cause_stands() -> None:
    answer = json.loads(encode({**IDS, "Reason": "x" * 9000 + "the cause", "Data": {}}))
    assert answer["Reason"].endswith("the cause")


@pytest.mark.parametrize("character", ["r", "\U0001f600", '"'])
def test_a_stop_request_stays_json_and_loses_its_reason_first(character: str) -> None:
    reason = character * 1024
    infrastructure = {"RealTimeInferenceConfig": {"InstanceType": "t" * 63, "InstanceCount": 10}}
    variant = {"ModelName": "m" * 63, "VariantName": "v" * 63}
    request = {
        "Name": "n" * 120,
        "ModelVariantActions": {"p" * 63: "Remove", "v" * 63: "Promote"},
        "DesiredModelVariants": [{**variant, "InfrastructureConfig": infrastructure}] * 2,
        "DesiredState": "Completed",
    }
    data = {
        "InferenceExperimentArn": "a" * 256,
        "StatusReason": reason,
        "EndpointName": "e" * 63,
        "EndpointConfigName": "c" * 63,
        "VariantStatuses": "s" * 190,
        "StopRequest": json.dumps({**request, "Reason": reason}, ensure_ascii=False),
    }
    encoded = encode({**IDS, "Reason": "", "Data": data})
    assert len(encoded) <= MAX_BODY_BYTES
    sent = json.loads(json.loads(encoded)["Data"]["StopRequest"])
    assert sent == ({**request, "Reason": reason} if "Reason" in sent else request)
    assert "Reason" not in sent


def test_a_json_object_is_kept_whole_while_another_value_can_be_shortened() -> None:
    told = json.dumps({"comparisons": ["x" * 1900]})
    body = {**IDS, "Reason": "", "Data": {"Evidence": told, "StatusReason": "r" * 3000}}
    assert json.loads(encode(body))["Data"]["Evidence"] == told


@given(
    st.text(max_size=6000),
    st.dictionaries(
        st.sampled_from(["Status", "StatusReason", "EndpointName"]), st.text(max_size=6000)
    ),
)
def test_any_body_fits_and_keeps_status_and_ids(reason: str, data: dict[str, str]) -> None:
    encoded = encode({**IDS, "Reason": reason, "Data": data})
    assert len(encoded) <= MAX_BODY_BYTES
    answer = json.loads(encoded)
    assert {name: answer[name] for name in IDS} == IDS
    assert set(answer["Data"]) == set(data)
