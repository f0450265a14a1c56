"""Events of endpoints at EventBridge, and rules that have a schedule and a pattern."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import eventually

from local_aws import LocalAws
from local_aws.environment import python_of
from local_aws.shadow_test import create_shadow_test

from .conftest import FunctionMaker
from .stacks import create, template
from .test_eventbridge_limits import refused

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


def test_an_event_reaches_a_function_through_a_rule_of_a_stack(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    arn = make_function(PRINTS)
    targets = [{"Id": "1", "Arn": arn}]
    body = template(
        Rule={
            "Type": "AWS::Events::Rule",
            "Properties": {"EventPattern": PATTERN, "Targets": targets},
        },
        Permission={
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": "function",
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
            },
        },
    )
    assert create(aws, body) == "CREATE_COMPLETE"
    stop(aws)
    assert eventually(lambda: bool(received(aws)))


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


def test_a_rule_has_a_schedule_or_a_pattern(aws: LocalAws) -> None:
    assert refused(aws.client("events").put_rule, Name="rule")


def test_lambda_invokes_a_function_again_that_raises(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    source = f"{PRINTS}    raise RuntimeError('tried')\n"
    rule(aws, make_function(source), EventPattern=json.dumps(PATTERN))
    stop(aws)
    assert eventually(lambda: len(received(aws)) == 3)
    assert len({item["id"] for item in received(aws)}) == 1


FAILS_AT_FIRST = """
import time
from types import SimpleNamespace
from local_aws.emulator.endpoint_events import EndpointEvents
from local_aws.settings import Settings

calls = []

def advance():
    calls.append(1)
    if len(calls) == 1:
        raise RuntimeError("something has moved")

service = SimpleNamespace(advance=advance, watch_endpoints=lambda note: None)
EndpointEvents(service, SimpleNamespace(now=time.time), Settings())
while len(calls) < 3:
    time.sleep(0.01)
"""


def test_the_thread_that_sends_them_says_what_failed_and_goes_on() -> None:
    command = [str(python_of("emulator")), "-c", FAILS_AT_FIRST]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "RuntimeError: something has moved" in ended.stderr
