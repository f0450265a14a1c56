"""What CloudFormation takes for a response of a custom resource, and what it does without one."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request

import pytest
from tests.waiting import eventually

from local_aws import LocalAws

from . import functions
from .conftest import FunctionMaker
from .stacks import (
    SOURCE,
    STACK,
    create,
    described,
    request_types,
    requests,
    resource,
    settled,
    template,
    told,
    update,
)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"Data": {"Long": "x" * 4096}}, "Response object is too long"),
        ({"RequestId": "another"}, "RequestId not as in the request"),
        ({"StackId": "another"}, "StackId not as in the request"),
        ({"LogicalResourceId": "another"}, "LogicalResourceId not as in the request"),
        ({"PhysicalResourceId": ""}, "Invalid PhysicalResourceId"),
        ({"PhysicalResourceId": "x" * 1025}, "Invalid PhysicalResourceId"),
        ({"Status": "DONE"}, "Status must be SUCCESS or FAILED"),
    ],
)
def test_refuses_a_response(
    aws: LocalAws, make_function: FunctionMaker, answer: dict[str, object], reason: str
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    body = template(Tried=resource(arn, On="Create", Answer=answer))
    assert create(aws, body) == "ROLLBACK_COMPLETE"
    assert any(reason in text for _, status, text in told(aws) if status == "CREATE_FAILED")


def test_deletes_what_failed_to_be_created_by_the_id_it_answered(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    answer = {"Status": "FAILED", "PhysicalResourceId": "half-made"}
    body = template(Tried=resource(arn, On="Create", Answer=answer))
    assert create(aws, body) == "ROLLBACK_COMPLETE"
    assert eventually(lambda: request_types(aws) == ["Create", "Delete"])
    assert requests(aws)[1]["PhysicalResourceId"] == "half-made"


def test_deletes_what_failed_to_be_created_by_an_invented_id_where_none_was_answered(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    answer = {"Status": "FAILED", "PhysicalResourceId": ""}
    body = template(Tried=resource(arn, On="Create", Answer=answer))
    assert create(aws, body) == "ROLLBACK_COMPLETE"
    assert eventually(lambda: request_types(aws) == ["Create", "Delete"])
    assert requests(aws)[1]["PhysicalResourceId"].startswith(f"{STACK}-Tried-")


def test_masks_the_attributes_of_a_response_with_no_echo(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    secret = resource(arn, Answer={"NoEcho": True, "Data": {"Word": "secret"}})
    body = template({"Shown": {"Fn::GetAtt": ["Tried", "Word"]}}, Tried=secret)
    assert create(aws, body) == "CREATE_COMPLETE"
    assert described(aws)["Outputs"][0]["OutputValue"] == "*****"


def test_refuses_another_service_token_for_an_existing_resource(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arns = [make_function(SOURCE, name=name, Timeout=20) for name in ("function", "another")]
    assert create(aws, template(Tried=resource(arns[0]))) == "CREATE_COMPLETE"
    assert update(aws, template(Tried=resource(arns[1]))) == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Tried", "UPDATE_FAILED", "Modifying service token is not allowed.") in told(aws)


def test_takes_a_second_put_to_a_response_url_and_lets_the_first_count(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    assert create(aws, template(Tried=resource(arn))) == "CREATE_COMPLETE"
    assert eventually(lambda: len(requests(aws)) == 1)
    assert put(aws, requests(aws)[0]["ResponseURL"]) == 200
    assert settled(aws) == "CREATE_COMPLETE"


def test_a_response_url_is_not_valid_for_another_signature(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(SOURCE, Timeout=20)
    assert create(aws, template(Tried=resource(arn))) == "CREATE_COMPLETE"
    assert eventually(lambda: len(requests(aws)) == 1)
    assert put(aws, requests(aws)[0]["ResponseURL"][:-4] + "0000") == 403


def test_a_response_url_expires_after_two_hours() -> None:
    with LocalAws(clock_scale=7200.0) as aws:
        arn = functions.make_function(aws, SOURCE, Timeout=900)
        assert create(aws, template(Tried=resource(arn, ServiceTimeout=3600))) in {
            "CREATE_COMPLETE",
            "ROLLBACK_COMPLETE",
        }
        assert eventually(lambda: len(requests(aws)) >= 1)
        url = requests(aws)[0]["ResponseURL"]
        assert eventually(lambda: put(aws, url) == 403)


def put(aws: LocalAws, url: str) -> int:
    """PUT a response; return the HTTP status."""
    context = ssl.create_default_context(cafile=aws.environment()["AWS_CA_BUNDLE"])
    body = json.dumps({"Status": "FAILED"}).encode()
    request = urllib.request.Request(url, data=body, method="PUT")
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
