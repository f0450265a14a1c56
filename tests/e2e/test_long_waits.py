"""Histories that take longer than an invocation, on a clock of two minutes per second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_aws import LocalAws
from tests.waiting import eventually

from .conftest import QUICK
from .history import History
from .synthesis import promoting, stopping

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shadow_test")]


@pytest.fixture(scope="module")
def running_aws() -> Iterator[LocalAws]:
    """A local AWS on which an hour passes in half a minute."""
    with LocalAws(**{**QUICK, "clock_scale": 120.0}) as aws:
        yield aws


def test_history_14_a_stop_longer_than_a_function_may_run_is_waited_for_by_polling(
    history: History,
) -> None:
    history.aws.configure(stop_seconds=20 * 60)
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    history.begin(promoting())
    assert eventually(lambda: bool(history.polling()))
    assert history.settled() == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Completed"
    assert eventually(lambda: not history.polling())
    history.end(stops=1)


def test_history_15_a_stop_longer_than_55_minutes_fails_in_time_and_the_next_update_succeeds(
    history: History,
) -> None:
    history.aws.configure(stop_seconds=58 * 60)
    assert history.deploy(stopping()) == "CREATE_COMPLETE"
    # How long a stop takes, no plan knows.
    history.disturbed = True
    assert history.deploy(promoting(), timeout_seconds=90) == "UPDATE_ROLLBACK_COMPLETE"
    history.disturbed = False
    assert "has not ended after 3300 s" in history.reason("UPDATE_FAILED")
    assert eventually(lambda: not history.polling())
    assert history.deploy(promoting()) == "UPDATE_COMPLETE"
    assert history.experiment()["Status"] == "Completed"
    history.end(stops=1)
