"""How long a deployment waits for an experiment's end."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest

from cdk_stop_inference_experiment import InvalidPropsError
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse
from cdk_stop_inference_experiment_handler.contract.wire import (
    MAX_SERVICE_TIMEOUT,
    seconds_to_answer,
    service_timeout_for,
)
from loopback.delivery import as_delivered

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
    read = parse(as_delivered(properties))
    assert isinstance(read, Declaration), read
    seconds = timeout.to_seconds(integral=False)
    assert seconds <= seconds_to_answer(read.service_timeout) < seconds + 2


def test_55_minutes_are_the_default_which_is_not_sent() -> None:
    assert "ServiceTimeout" not in _properties(MINUTES(55))


@pytest.mark.parametrize("seconds", [60, 61, 3299, 3300])
def test_no_shorter_service_timeout_would_do(seconds: int) -> None:
    least = service_timeout_for(seconds)
    assert seconds_to_answer(least - 1) < seconds <= seconds_to_answer(least)
    assert least <= MAX_SERVICE_TIMEOUT


@pytest.mark.parametrize(
    ("timeout", "problem"),
    [
        (SECONDS(59), "'timeout' must be 1 to 55 minutes, got 59 seconds"),
        (SECONDS(3301), "'timeout' must be 1 to 55 minutes, got 55 minutes 1 second"),
        (30, "'timeout' must be a Duration such as Duration.minutes(30), got 30"),
        (
            MINUTES(cdk.Token.as_number({"Ref": "Minutes"})),
            (
                "'timeout' must be known at synth, got a token: write a Duration such as "
                "Duration.minutes(30)"
            ),
        ),
        (
            SECONDS(cdk.Token.as_number({"Ref": "Seconds"})),
            "'timeout' must be known at synth, got a token",
        ),
    ],
)
def test_refuses(timeout: Any, problem: str) -> None:
    with pytest.raises(InvalidPropsError) as error:
        declare(new_stack(), timeout=timeout, reason="two\nlines")
    assert len(error.value.problems) == 2
    assert any(found.startswith(problem) for found in error.value.problems), error.value
