"""How long an invocation stays, whether Lambda delivers a request again, and the time to answer."""

from __future__ import annotations

import pytest

from cdk_stop_inference_experiment_handler.contract.wire import (
    seconds_to_answer,
    service_timeout_for,
)
from cdk_stop_inference_experiment_handler.runtime.waiting import Invocation, Trigger, Wait

GRANTED = 900.0
"""Seconds that Lambda gives an invocation."""

ISSUED, DEADLINE = 10_000.0, 13_300.0


class Clock:
    """A clock that a test sets, in seconds since the request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0.0
        monkeypatch.setattr("time.time", lambda: ISSUED + self.at)

    def wait(
        self, fired: Trigger = Trigger.REQUEST, *, is_late: bool = False, deadline: float = DEADLINE
    ) -> Wait:
        return Wait(Invocation(fired, lambda: GRANTED, is_late), deadline)


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def leaves(clock: Clock, wait: Wait, after: float) -> bool:
    clock.at = after
    return wait.may_leave


@pytest.mark.parametrize(
    ("fired", "stays"), [(Trigger.REQUEST, 20.0), (Trigger.EVENT, 45.0), (Trigger.SCHEDULE, 0.0)]
)
def test_an_invocation_stays_as_long_as_its_reason_lasts(
    clock: Clock, fired: Trigger, stays: float
) -> None:
    wait = clock.wait(fired)
    if stays:
        assert not leaves(clock, wait, stays - 0.1)
    assert leaves(clock, wait, stays)


def test_after_a_stop_it_stays_for_20_seconds_unless_executions_are_short(clock: Clock) -> None:
    for is_late, stays in ((False, 20.0), (True, 0.0)):
        clock.at = 0.0
        wait = clock.wait(is_late=is_late)
        clock.at = 100.0
        wait.stop_accepted()
        if stays:
            assert not leaves(clock, wait, 100 + stays - 0.1)
        assert leaves(clock, wait, 100 + stays)


@pytest.mark.parametrize("fired", Trigger)
def test_an_invocation_within_70_seconds_of_the_deadline_stays(
    clock: Clock, fired: Trigger
) -> None:
    wait = clock.wait(fired)
    assert leaves(clock, wait, 3229.9)
    assert not leaves(clock, wait, 3230.0)


@pytest.mark.parametrize(("age", "expected"), [(0, True), (1930, True), (1931, False)])
def test_the_third_delivery_is_the_last(clock: Clock, age: float, expected: bool) -> None:
    """It begins after two whole invocations, and pauses of one and of two minutes at most."""
    wait = clock.wait()
    clock.at = age
    assert wait.is_delivered_again(ISSUED) is expected


@pytest.mark.parametrize(("age", "expected"), [(969, True), (970, False), (1200, False)])
def test_a_delivery_after_the_deadline_is_none(clock: Clock, age: float, expected: bool) -> None:
    """Of 1200 seconds the function uses 1100, and a retry may take 130 to begin."""
    wait = clock.wait(deadline=ISSUED + seconds_to_answer(1200))
    clock.at = age
    assert wait.is_delivered_again(ISSUED) is expected


def test_the_function_answers_while_cloudformation_still_waits() -> None:
    assert seconds_to_answer(3600) == 3300


@pytest.mark.parametrize(("wanted", "timeout"), [(3300, 3600), (1, 2), (11, 12), (12, 14)])
def test_a_timeout_is_the_smallest_that_leaves_the_seconds_wanted(
    wanted: int, timeout: int
) -> None:
    assert service_timeout_for(wanted) == timeout
    assert seconds_to_answer(timeout) >= wanted > seconds_to_answer(timeout - 1)
    assert isinstance(service_timeout_for(wanted), int)
