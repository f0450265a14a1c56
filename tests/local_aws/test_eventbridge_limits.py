"""What EventBridge refuses, and whom its rules may invoke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.waiting import eventually

from local_aws import LocalAws

from .conftest import FunctionMaker

FIRED = """
def handler(event, context):
    print("fired")
"""


def refused(call: Callable[..., object], code: str = "ValidationException", **request: Any) -> bool:
    """Whether a call is refused with a code."""
    with pytest.raises(ClientError) as failure:
        call(**request)
    return bool(failure.value.response["Error"]["Code"] == code)


def has_fired(aws: LocalAws) -> bool:
    """Whether the function was invoked."""
    logs = aws.client("logs")
    if not logs.describe_log_groups()["logGroups"]:
        return False
    events = logs.filter_log_events(logGroupName="/aws/lambda/function")["events"]
    return any(event["message"].startswith("fired") for event in events)


@pytest.mark.parametrize(("name", "fits"), [("n" * 64, True), ("n" * 65, False), ("a b", False)])
def test_a_rule_has_a_name_of_at_most_64_characters(aws: LocalAws, name: str, fits: bool) -> None:
    put_rule = aws.client("events").put_rule
    request = {"Name": name, "ScheduleExpression": "rate(1 minute)"}
    assert put_rule(**request) if fits else refused(put_rule, **request)


@pytest.mark.parametrize("rate", ["rate(0 minutes)", "rate(1 minutes)", "rate(2 minute)"])
def test_a_rate_is_one_minute_or_several_minutes(aws: LocalAws, rate: str) -> None:
    put_rule = aws.client("events").put_rule
    assert refused(put_rule, Name="rule", ScheduleExpression=rate)
    put_rule(Name="rule", ScheduleExpression="rate(2 minutes)")


def test_a_target_has_an_input_of_at_most_8192_characters(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    events, arn = aws.client("events"), make_function(FIRED)
    events.put_rule(Name="rule", ScheduleExpression="rate(5 minutes)")
    fitting = {"Id": "1", "Arn": arn, "Input": '"' + "x" * 8190 + '"'}
    events.put_targets(Rule="rule", Targets=[fitting])
    too_long = {**fitting, "Input": '"' + "x" * 8191 + '"'}
    assert refused(events.put_targets, Rule="rule", Targets=[too_long])


def test_a_rule_with_targets_cannot_be_deleted(aws: LocalAws, make_function: FunctionMaker) -> None:
    events, arn = aws.client("events"), make_function(FIRED)
    events.put_rule(Name="rule", ScheduleExpression="rate(5 minutes)")
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    assert refused(events.delete_rule, Name="rule")
    events.remove_targets(Rule="rule", Ids=["1"])
    events.delete_rule(Name="rule")


@pytest.mark.parametrize(("source", "is_permitted"), [("ru*", True), ("an*", False)])
def test_a_rule_invokes_a_function_only_with_its_permission(
    aws: LocalAws, make_function: FunctionMaker, source: str, is_permitted: bool
) -> None:
    events, arn = aws.client("events"), make_function(FIRED)
    rule = events.put_rule(Name="rule", ScheduleExpression="rate(1 minute)")["RuleArn"]
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    assert not eventually(lambda: has_fired(aws), timeout_seconds=2.5)
    aws.client("lambda").add_permission(
        FunctionName="function",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule.replace("rule/rule", f"rule/{source}"),
    )
    fires = eventually(lambda: has_fired(aws), timeout_seconds=15 if is_permitted else 2.5)
    assert fires == is_permitted


def test_a_rule_invokes_nothing_by_a_permission_with_a_source_account(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    """Others report it of AWS: https://github.com/awsdocs/aws-cloudformation-user-guide/pull/481."""
    events, arn = aws.client("events"), make_function(FIRED)
    rule = events.put_rule(Name="rule", ScheduleExpression="rate(1 minute)")["RuleArn"]
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    aws.client("lambda").add_permission(
        FunctionName="function",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
        SourceAccount=arn.split(":")[4],
    )
    assert not eventually(lambda: has_fired(aws), timeout_seconds=2.5)
