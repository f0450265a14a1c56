"""How long a deployment waits for an experiment's end."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest

from cdk_stop_inference_experiment import InvalidPropsError
from cdk_stop_inference_experiment_handler.contract.declaration import parse
from cdk_stop_inference_experiment_handler.runtime.waiting import DEADLINE_SHARE

from .stacks import RESOURCE_TYPE, Json, declare, new_stack, only, synthesised

SECONDS = cdk.Duration.seconds
MINUTES = cdk.Duration.minutes


def _properties(timeout: cdk.Duration, stack: cdk.Stack | None = None) -> Json:
    stack = stack or new_stack()
    declare(stack, timeout=timeout)
    properties: Json = only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"]
    return {name: value for name, value in properties.items() if name != "ServiceToken"}


@pytest.mark.parametrize(
    ("timeout", "sent"),
    [
        (SECONDS(60), 66),
        (MINUTES(11), 720),
        (SECONDS(3299), 3599),
        (cdk.Duration.millis(60_500), 67),
    ],
)
def test_the_function_waits_at_least_as_long_as_told_and_not_two_seconds_longer(
    timeout: cdk.Duration, sent: int
) -> None:
    properties = _properties(timeout)
    assert properties["ServiceTimeout"] == sent
    delivered = {**properties, "ServiceTimeout": str(sent)}
    read = parse(delivered, stack_name="Stack", logical_id="Resource")
    seconds = timeout.to_seconds(integral=False)
    assert seconds <= read.service_timeout * DEADLINE_SHARE < seconds + 2


def test_55_minutes_are_the_default_which_is_not_sent() -> None:
    assert "ServiceTimeout" not in _properties(MINUTES(55))


@pytest.mark.newest
def test_a_token_is_cloudformations_own_limit() -> None:
    stack = new_stack()
    seconds = cdk.CfnParameter(stack, "Seconds", type="Number").value_as_number
    assert _properties(SECONDS(seconds), stack)["ServiceTimeout"] == {"Ref": "Seconds"}


@pytest.mark.parametrize(
    ("timeout", "problem"),
    [
        (SECONDS(59), "'timeout' must be 1 to 55 minutes, got 59 seconds"),
        (SECONDS(3301), "'timeout' must be 1 to 55 minutes, got 55 minutes 1 second"),
        (30, "'timeout' must be a Duration such as Duration.minutes(30), got 30"),
        (
            MINUTES(cdk.Token.as_number({"Ref": "Minutes"})),
            "'timeout' must be in seconds where it is a token, got minutes",
        ),
    ],
)
def test_refuses(timeout: Any, problem: str) -> None:
    with pytest.raises(InvalidPropsError) as error:
        declare(new_stack(), timeout=timeout, reason="two\nlines")
    assert len(error.value.problems) == 2
    assert any(found.startswith(problem) for found in error.value.problems), error.value
