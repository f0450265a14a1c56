"""The waits that are measured are those of the handler, under the faults that the report names."""

from __future__ import annotations

import pytest
from benchmarks.executions import Executions
from benchmarks.loopback import INSIDE, OUR_COLD_SECONDS, new_world, one_request
from benchmarks.many import Crowd, stop_all
from benchmarks.report import load
from benchmarks.requests import measure
from benchmarks.simulation import OUR_MEMORY_MB, Outcome
from benchmarks.wait import measure_story


def test_the_shipped_handler_stays_for_twenty_seconds_and_waits_by_its_rule() -> None:
    found, _ = one_request("ours", "Update", stop=600.0)
    assert found.lag < 2
    # The request, nine or ten firings of the schedule, and the event.
    assert found.invocations in {11, 12}
    assert 20 < found.busy[OUR_MEMORY_MB] - OUR_COLD_SECONDS < 25


def test_waiting_inside_holds_one_execution_to_the_end_and_hands_over_late() -> None:
    short, _ = one_request(INSIDE, "Update", stop=600.0)
    assert short.invocations == 1
    assert short.busy[OUR_MEMORY_MB] > 600
    long, _ = one_request(INSIDE, "Update", stop=1200.0)
    # The rule is made at about 752 s and fires from 812 s on: at 812, 872, … 1172.
    assert 8 <= long.invocations <= 9
    assert 0 < long.lag < 3


def test_forty_that_wait_inside_starve_each_other_where_ten_may_run() -> None:
    # The figures of the issue: ten of forty stops of 14 minutes fail.
    inside = stop_all(Crowd(INSIDE, 40, 840.0, executions=10))
    assert inside["failed"] == 10
    assert inside["all_taken_seconds"] > 2500


def test_more_than_forty_are_stopped_in_several_stacks() -> None:
    found = stop_all(Crowd("ours", 42, 83.0))
    assert (found["failed"], found["left_behind"]) == (0, 0)


def test_a_lag_is_counted_only_of_what_has_ended() -> None:
    # No call comes through, so nothing ends, and each request is answered FAILED.
    found = stop_all(Crowd("ours", 1, 83.0, rate=0.1))
    assert (found["failed"], found["lag_p50"], found["lag_max"]) == (1, 0.0, 0.0)


def test_the_calls_of_each_kind_of_request_are_those_of_the_report() -> None:
    assert measure() == load()["idle"]["requests"]


def test_the_time_for_which_all_executions_are_taken_is_counted() -> None:
    world = new_world("ours", Outcome(0.0))
    executions = Executions(world.function, 1)
    with world.installed():
        world.experiment("Running")
        world.deliver(world.request("Update"))
        world.run(10)
        assert (executions.most, executions.all_taken_seconds) == (1, 0.0)
        world.run(60)
    # The cold start, and a little more than twenty seconds inside.
    assert OUR_COLD_SECONDS + 20 < executions.all_taken_seconds < OUR_COLD_SECONDS + 24


@pytest.mark.parametrize(
    ("story", "at_least", "at_most"),
    [
        ("never", 2.0, 60.0),
        ("after ten seconds", 9.0, 11.0),
        ("a describe is 5 s behind the event", 5.0, 8.0),
    ],
)
def test_a_story_delays_what_it_says(story: str, at_least: float, at_most: float) -> None:
    found = measure_story(story, runs=6)
    assert at_least <= found["lag_p50"] <= found["lag_max"] <= at_most


def test_the_cold_start_that_ours_is_charged_is_the_measured_one() -> None:
    (row,) = (row for row in load()["cold"]["memory"] if row["memory_mb"] == OUR_MEMORY_MB)
    assert row["slowed"]["median"] <= OUR_COLD_SECONDS
