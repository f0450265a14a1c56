"""Whether Lambda delivers a request again, and how the time to answer is divided."""

from __future__ import annotations

import pytest

from cdk_stop_inference_experiment_handler.contract.wire import (
    seconds_to_answer,
    service_timeout_for,
)
from cdk_stop_inference_experiment_handler.runtime import waiting

GRANTED = 900.0
"""Seconds that Lambda gives an invocation."""


def is_delivered_again(
    monkeypatch: pytest.MonkeyPatch, age: float, *, service_timeout: float = 3600.0
) -> bool:
    monkeypatch.setattr("time.time", lambda: 10_000.0 + age)
    invocation = waiting.Invocation(lambda: GRANTED, is_poll=False, hand_over=lambda: None)
    return waiting.Wait(invocation, 10_000.0, service_timeout).is_delivered_again


@pytest.mark.parametrize(("age", "expected"), [(0, True), (1930, True), (1931, False)])
def test_the_third_delivery_is_the_last(
    monkeypatch: pytest.MonkeyPatch, age: float, expected: bool
) -> None:
    """It begins after two whole invocations, and pauses of one and of two minutes at most."""
    assert is_delivered_again(monkeypatch, age) is expected


@pytest.mark.parametrize(("age", "expected"), [(969, True), (970, False), (1200, False)])
def test_a_delivery_after_the_deadline_is_none(
    monkeypatch: pytest.MonkeyPatch, age: float, expected: bool
) -> None:
    """Of 1200 seconds the function uses 1100, and a retry may take 130 to begin."""
    assert is_delivered_again(monkeypatch, age, service_timeout=1200.0) is expected


def test_the_function_answers_while_cloudformation_still_waits() -> None:
    assert seconds_to_answer(3600) == 3300


@pytest.mark.parametrize(("wanted", "timeout"), [(3300, 3600), (1, 2), (11, 12), (12, 14)])
def test_a_timeout_is_the_smallest_that_leaves_the_seconds_wanted(
    wanted: int, timeout: int
) -> None:
    assert service_timeout_for(wanted) == timeout
    assert seconds_to_answer(timeout) >= wanted > seconds_to_answer(timeout - 1)
    assert isinstance(service_timeout_for(wanted), int)
