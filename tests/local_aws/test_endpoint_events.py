"""Events of endpoints at EventBridge, and rules that have a schedule and a pattern."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import eventually

from local_aws import LocalAws
from local_aws.shadow_test import create_shadow_test

from .conftest import FunctionMaker

Json = dict[str, Any]
ENDPOINT = "fraud"
ROOT = Path(__file__).resolve().parents[2]
PATTERN: Json = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Endpoint State Change"],
    "detail": {
        "EndpointName": [{"equals-ignore-case": ENDPOINT.upper()}],
        "EndpointStatus": [{"anything-but": ["CREATING", "UPDATING"]}],
    },
}
KEEP = {"production": "Retain", "shadow": "Remove"}
PRINTS = """
import json
def handler(event, context):
    print(json.dumps(event))
"""


@pytest.fixture(autouse=True)
def test_on_an_endpoint(aws: LocalAws) -> None:
    """A running test, whose events are over."""
    create_shadow_test(aws.client("sagemaker"), "fraud-shadow")
    time.sleep(0.2)


def rule(aws: LocalAws, arn: str, target: Json | None = None, **members: str) -> None:
    """Make a rule that may invoke the function."""
    events = aws.client("events")
    rule_arn = events.put_rule(Name="rule", **members)["RuleArn"]
    aws.client("lambda").add_permission(
        FunctionName="function",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn, **(target or {})}])


def received(aws: LocalAws) -> list[Json]:
    """What the function received, oldest first."""
    logs = aws.client("logs")
    if not logs.describe_log_groups()["logGroups"]:
        return []
    events = logs.filter_log_events(logGroupName="/aws/lambda/function")["events"]
    return [json.loads(item["message"]) for item in events if item["message"].startswith("{")]


def stop(aws: LocalAws) -> None:
    """Stop the test, which updates the endpoint."""
    sagemaker = aws.client("sagemaker")
    sagemaker.stop_inference_experiment(Name="fraud-shadow", ModelVariantActions=KEEP)


def test_an_event_has_the_members_of_sagemakers_page(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    rule(aws, make_function(PRINTS), EventPattern=json.dumps(PATTERN))
    stop(aws)
    assert eventually(lambda: bool(received(aws)))
    (event,) = received(aws)
    assert event["resources"] == [event["detail"]["EndpointArn"]]
    assert (event["source"], event["detail-type"], event["region"]) == (
        "aws.sagemaker",
        "SageMaker Endpoint State Change",
        "us-east-1",
    )
    assert sorted(event["detail"]) == [
        *("CreationTime", "EndpointArn", "EndpointConfigName", "EndpointName", "EndpointStatus"),
        *("LastModifiedTime", "ProductionVariants", "Tags"),
    ]
    assert event["detail"]["EndpointStatus"] == "IN_SERVICE"
    assert event["detail"]["LastModifiedTime"] == pytest.approx(time.time() * 1000, abs=5000)
    described = aws.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
    assert event["detail"]["EndpointConfigName"] == described["EndpointConfigName"]


@pytest.mark.parametrize("copies", [0, 2])
def test_an_event_can_be_lost_or_come_twice(
    aws: LocalAws, make_function: FunctionMaker, copies: int
) -> None:
    aws.configure(endpoint_events_copies=copies)
    rule(aws, make_function(PRINTS), EventPattern=json.dumps(PATTERN))
    stop(aws)
    assert eventually(lambda: len(received(aws)) == copies)
    time.sleep(1.5)
    assert len(received(aws)) == copies


def test_an_event_can_be_late(aws: LocalAws, make_function: FunctionMaker) -> None:
    aws.configure(endpoint_events_delay_seconds=2)
    rule(aws, make_function(PRINTS), EventPattern=json.dumps(PATTERN))
    began = time.monotonic()
    stop(aws)  # Which takes half a second.
    assert eventually(lambda: bool(received(aws)))
    assert time.monotonic() - began >= 2.5


def test_events_can_come_out_of_order(aws: LocalAws, make_function: FunctionMaker) -> None:
    pattern = {name: PATTERN[name] for name in ("source", "detail-type")}
    rule(aws, make_function(PRINTS), EventPattern=json.dumps(pattern))
    aws.configure(endpoint_events_delay_seconds=2)
    stop(aws)
    aws.configure(endpoint_events_delay_seconds=0)
    assert eventually(lambda: len(received(aws)) == 2)
    statuses = [item["detail"]["EndpointStatus"] for item in received(aws)]
    assert statuses == ["IN_SERVICE", "UPDATING"]


def test_a_rule_can_take_a_while_to_be_effective(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    aws.configure(rule_effective_seconds=2.5)
    arn = make_function(PRINTS)
    rule(aws, arn, EventPattern=json.dumps(PATTERN), ScheduleExpression="rate(1 minute)")
    stop(aws)
    assert eventually(lambda: bool(received(aws)))
    assert received(aws)[0]["detail-type"] == "Scheduled Event"


def test_a_rule_with_a_schedule_and_a_pattern_fires_on_both_and_can_say_which(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    template = '{"kind": <kind>, "name": "fraud-shadow"}'
    transformer = {"InputPathsMap": {"kind": "$.detail-type"}, "InputTemplate": template}
    rule(
        aws,
        make_function(PRINTS),
        {"InputTransformer": transformer},
        EventPattern=json.dumps(PATTERN),
        ScheduleExpression="rate(1 minute)",
    )
    stop(aws)
    kinds = {"Scheduled Event", "SageMaker Endpoint State Change"}
    assert eventually(lambda: {item["kind"] for item in received(aws)} == kinds)
    assert all(item["name"] == "fraud-shadow" for item in received(aws))
