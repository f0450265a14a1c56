"""From CloudWatch's measurements to a verdict: both sides of each bound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.situations import declared as declaration_of
from tests.unit.situations import experiment, promoting

from cdk_stop_inference_experiment_handler.contract.declaration import Evidence
from cdk_stop_inference_experiment_handler.contract.limits import ERROR_METRICS, PERCENTILES
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Measured,
    Query,
    Question,
)
from cdk_stop_inference_experiment_handler.lifecycle.windowed import judge, question

HOUR = 3600
NOON = 20_000 * 24 * HOUR + 12 * HOUR
"""A whole hour."""

BEGAN = NOON - 7 * 24 * HOUR


def seen(**facts: Any) -> Experiment:
    return experiment(**{"scheduled_start": float(BEGAN), "sampling": 100.0, **facts})


Declared = Mapping[str, Any]


def evidence(
    *comparisons: Declared, least: int = 100, window: int = 86_400, alarms: tuple[str, ...] = ()
) -> Evidence:
    """What PromoteIf declares, parsed."""
    members = {"Comparisons": list(comparisons), "Alarms": list(alarms)}
    given = {name: value for name, value in members.items() if value}
    return parsed({"MinInvocations": least, "Window": window, **given})


def parsed(given: Declared) -> Evidence:
    evidence = declaration_of(promoting(PromoteIf=given)).promote_if
    assert evidence is not None
    return evidence


def latency(statistic: str = "Average", **members: Any) -> Declared:
    return {"Metric": "ModelLatency", "Statistic": statistic, **members}


def rate(metric: str = "Invocation5XXErrors", **bounds: float) -> Declared:
    return {"Metric": metric, **bounds}


def requests(production: float = 1000, shadow: float = 1000) -> dict[Query, dict[float, float]]:
    """Half of the requests in each of two periods."""
    return {
        Query(variant, "Invocations", "Sum", 300): {NOON: count / 2, NOON + 300: count / 2}
        for variant, count in [("production", production), ("shadow", shadow)]
    }


def sums(
    metric: str, production: tuple[float, float], shadow: tuple[float, float]
) -> dict[Query, dict[float, float]]:
    """Sum and sample count of each variant, uneven over two periods."""
    series: dict[Query, dict[float, float]] = {}
    for variant, (total, count) in [("production", production), ("shadow", shadow)]:
        series[Query(variant, metric, "Sum", 300)] = {NOON: total / 4, NOON + 300: total * 3 / 4}
        series[Query(variant, metric, "SampleCount", 300)] = {NOON: count}
    return series


def hours(
    statistic: str, *told: tuple[float, float], counts: tuple[float, float] = (5000, 5000)
) -> dict[Query, dict[float, float]]:
    """Production's and the shadow's percentile, hour after hour."""
    series: dict[Query, dict[float, float]] = {}
    for index, variant in enumerate(["production", "shadow"]):
        at = [NOON + HOUR * hour for hour in range(len(told))]
        series[Query(variant, "ModelLatency", statistic, HOUR)] = {
            when: values[index] for when, values in zip(at, told, strict=True)
        }
        series[Query(variant, "ModelLatency", "SampleCount", HOUR)] = dict.fromkeys(
            at, counts[index]
        )
    return series


def verdict(
    declared: Evidence,
    *series: Mapping[Query, Mapping[float, float]],
    alarms: Mapping[str, str] | None = None,
    of: Experiment | None = None,
) -> tuple[Any, str, dict[str, Any]]:
    known = of or seen()
    asked = question(declared, known, NOON)
    merged: dict[Query, Mapping[float, float]] = {query: {} for query in asked.queries}
    for one in (requests(), *series):
        merged.update(one)
    report = judge(declared, asked, Measured(merged, alarms or {}), known.sampling)
    return report["verdict"], str(report["why"]), report


class TestWindow:
    @staticmethod
    def asked(at: float = NOON, window: int = 86_400, **facts: Any) -> Question:
        return question(evidence(latency(MaxRatio=2.0), window=window), seen(**facts), at)

    @pytest.mark.parametrize(
        ("at", "end"), [(NOON, -300), (NOON + 299, -300), (NOON + 300, 0), (NOON - 1, -600)]
    )
    def test_ends_5_minutes_before_the_request_on_5_minutes(self, at: float, end: int) -> None:
        assert self.asked(at).end == NOON + end

    def test_begins_the_window_before(self) -> None:
        asked = self.asked(window=7200)
        assert asked.end - asked.begin == 7200

    @pytest.mark.parametrize(("before", "begin"), [(3600, -3000), (3599, -2700), (3601, -3000)])
    def test_begins_10_minutes_after_the_experiment_or_later(self, before: int, begin: int) -> None:
        assert self.asked(scheduled_start=float(NOON - before)).begin == NOON + begin

    def test_counts_from_the_creation_where_no_start_is_told(self) -> None:
        assert self.asked(scheduled_start=None, created=NOON - 3600.0).begin == NOON - 3000

    def test_what_is_not_declared_is_not_asked_for(self) -> None:
        asked = question(parsed({"MinInvocations": 1, "Alarms": ["a"]}), seen(), NOON)
        assert (asked.endpoint_name, asked.alarms) == ("fraud", ("a",))
        assert {query.metric for query in asked.queries} == {"Invocations"}
        assert asked.end - asked.begin == 86_400

    def test_is_empty_for_an_experiment_that_has_just_begun(self) -> None:
        asked = self.asked(scheduled_start=float(NOON - 900))
        assert asked.begin == asked.end

    def test_asks_for_everything_in_one_call_of_each_period(self) -> None:
        declared = [rate(metric, MaxIncrease=1.0) for metric in (*ERROR_METRICS, "ModelLatency")]
        declared += [latency(one, MaxRatio=1.0) for one in PERCENTILES]
        queries = question(evidence(*declared), seen(), NOON).queries
        assert Query("shadow", "Invocations", "Sum", 300) in queries
        assert len(queries) == 28
        assert len(set(queries)) == 28


class TestRequests:
    @pytest.mark.parametrize(("production", "shadow"), [(100, 99), (99, 100), (0, 0)])
    def test_fewer_than_declared_are_inconclusive_whatever_the_rest_says(
        self, production: float, shadow: float
    ) -> None:
        bad = sums("ModelLatency", (1, 1), (9, 1))
        alarms = {"a": "ALARM"}
        declared = evidence(latency(MaxRatio=2.0), alarms=("a",))
        got, why, _ = verdict(declared, bad, requests(production, shadow), alarms=alarms)
        assert got == "inconclusive"
        assert why == (
            f"production got {production} requests and the shadow {shadow}; 100 are needed"
        )

    def test_as_many_as_declared_are_enough(self) -> None:
        good = sums("ModelLatency", (1, 1), (1, 1))
        assert verdict(evidence(latency(MaxRatio=2.0)), good, requests(100, 100))[0] == "successful"


class TestAverage:
    @pytest.mark.parametrize(
        ("bounds", "holds", "breaks"),
        [
            ({"MaxRatio": 1.1}, 55_000.0, 55_001.0),
            ({"MaxIncrease": 5000.0}, 55_000.0, 55_001.0),
            ({"MaxValue": 40_000.0}, 40_000.0, 40_001.0),
            ({"MaxRatio": 2.0, "MaxIncrease": 1000.0}, 51_000.0, 51_001.0),
            ({"MaxRatio": 1.01, "MaxIncrease": 10_000.0}, 50_500.0, 50_501.0),
        ],
    )
    def test_keeps_to_every_bound(
        self, bounds: dict[str, Any], holds: float, breaks: float
    ) -> None:
        """Production's average is 50 ms, with other counts than the shadow's."""
        for shadow, expected in [(holds, "successful"), (breaks, "failed")]:
            series = sums("ModelLatency", (50_000.0 * 2000, 2000), (shadow * 100, 100))
            assert verdict(evidence(latency(**bounds)), series)[0] == expected

    def test_a_bound_is_met_in_spite_of_rounding(self) -> None:
        series = sums("ModelLatency", (3, 1), (3.6, 1))
        assert 3 * 1.2 < 3.6
        assert verdict(evidence(latency(MaxRatio=1.2)), series)[0] == "successful"

    def test_a_shadow_that_takes_no_time_keeps_to_any_bound(self) -> None:
        series = sums("ModelLatency", (0, 1), (0, 1))
        assert verdict(evidence(latency(MaxRatio=2.0)), series)[0] == "successful"

    def test_is_a_sum_over_the_window_not_an_average_of_averages(self) -> None:
        series = sums("ModelLatency", (1000, 100), (1000, 100))
        quiet = Query("shadow", "ModelLatency", "Sum", 300)
        counts = Query("shadow", "ModelLatency", "SampleCount", 300)
        series[quiet], series[counts] = {NOON: 90.0, NOON + 300: 910.0}, {NOON: 1, NOON + 300: 99}
        assert verdict(evidence(latency(MaxIncrease=0.001)), series)[0] == "successful"

    def test_says_both_values_and_the_bound(self) -> None:
        series = sums("ModelLatency", (50_000.0, 1), (61_000.0, 1))
        declared = latency(MaxRatio=1.1, MaxValue=90_000.0)
        _, why, report = verdict(evidence(declared), series)
        assert why == (
            "ModelLatency Average is 61 ms for the shadow and 50 ms for production; at most 55 ms "
            "is allowed"
        )
        assert report["comparisons"] == [
            {
                "metric": "ModelLatency",
                "statistic": "Average",
                "production": 50_000.0,
                "shadow": 61_000.0,
                "bound": 55_000.0,
                "verdict": "failed",
            }
        ]


class TestRate:
    @pytest.mark.parametrize("metric", ERROR_METRICS)
    @pytest.mark.parametrize(
        ("bounds", "holds", "breaks"),
        [
            ({"MaxRate": 0.003}, 3, 4),
            ({"MaxIncrease": 0.002}, 4, 5),
            ({"MaxRate": 0.003, "MaxIncrease": 0.002}, 3, 4),
        ],
    )
    def test_keeps_to_every_bound(
        self, metric: str, bounds: dict[str, float], holds: int, breaks: int
    ) -> None:
        """Production has 20 errors in 10,000 requests, the shadow had 1,000."""
        for errors, expected in [(holds, "successful"), (breaks, "failed")]:
            series = sums(metric, (20, 10_000), (errors, 1000))
            declared = evidence(rate(metric, **bounds))
            assert verdict(declared, series)[0] == expected

    def test_says_a_rate_in_percent(self) -> None:
        series = sums("Invocation5XXErrors", (0, 1000), (2, 1000))
        _, why, report = verdict(evidence(rate(MaxRate=0.001)), series)
        assert report["comparisons"][0]["statistic"] == "Average"
        assert why == (
            "Invocation5XXErrors Average is 0.2 % for the shadow and 0 % for production; at most "
            "0.1 % is allowed"
        )

    @pytest.mark.parametrize("missing", ["production", "shadow"])
    def test_a_missing_metric_is_an_error_never_zero(self, missing: str) -> None:
        series = sums("Invocation5XXErrors", (0, 1000), (0, 1000))
        series[Query(missing, "Invocation5XXErrors", "SampleCount", 300)] = {}
        got, why, _ = verdict(evidence(rate(MaxRate=0.5)), series)
        assert got == "error"
        assert why == f"CloudWatch has no Invocation5XXErrors of variant '{missing}'"


class TestPercentile:
    @pytest.mark.parametrize("statistic", PERCENTILES)
    def test_needs_enough_requests_of_both_in_the_hour(self, statistic: str) -> None:
        declared, enough = evidence(latency(statistic, MaxRatio=1.1)), PERCENTILES[statistic]
        for counts, expected in [
            ((enough, enough), "successful"),
            ((enough - 1, enough), "inconclusive"),
            ((enough, enough - 1), "inconclusive"),
        ]:
            got, why, _ = verdict(declared, hours(statistic, (10.0, 11.0), counts=counts))
            assert got == expected
            said = f"{statistic} needs a whole hour with {enough} requests of each variant"
            assert why == (said if expected == "inconclusive" else "")

    @pytest.mark.parametrize("variant", ["production", "shadow"])
    def test_an_hour_that_only_one_variant_had_does_not_count(self, variant: str) -> None:
        series = hours("p99", (10.0, 11.0), (10.0, 99.0))
        for metric in ("p99", "SampleCount"):
            del series[Query(variant, "ModelLatency", metric, HOUR)][NOON + HOUR]
        told = verdict(evidence(latency("p99", MaxRatio=1.1)), series)[2]["comparisons"][0]
        assert told == {
            "metric": "ModelLatency",
            "statistic": "p99",
            "production": 10.0,
            "shadow": 11.0,
            "bound": 11.0,
            "hours": 1,
            "hoursFailed": 0,
            "verdict": "successful",
        }

    def test_a_window_without_such_an_hour_is_reported_as_none(self) -> None:
        series = hours("p99", (10.0, 11.0), counts=(0, 0))
        told = verdict(evidence(latency("p99", MaxRatio=1.1)), series)[2]["comparisons"][0]
        assert told["hours"] == 0

    def test_every_hour_keeps_to_the_bound(self) -> None:
        declared = evidence(latency("p99", MaxRatio=1.1))
        good = hours("p99", (10_000.0, 11_000.0), (20_000.0, 22_000.0))
        assert verdict(declared, good)[0] == "successful"
        bad = hours("p99", (10_000.0, 10_000.0), (20_000.0, 22_001.0), (10_000.0, 10_000.0))
        got, why, report = verdict(declared, bad)
        assert got == "failed"
        assert why.startswith(
            "ModelLatency p99 is 22.001 ms for the shadow and 20 ms for production in the hour from"
        )
        assert why.endswith("from 2024-10-04T13:00:00Z; at most 22 ms is allowed")
        assert report["comparisons"][0]["hours"] == 3
        assert report["comparisons"][0]["hoursFailed"] == 1

    @pytest.mark.parametrize(
        ("limit", "expected"), [(0, "failed"), (1, "failed"), (2, "successful")]
    )
    def test_but_for_as_many_hours_as_declared(self, limit: int, expected: str) -> None:
        series = hours("p99", (10.0, 20.0), (10.0, 10.0), (10.0, 30.0))
        declared = evidence(latency("p99", MaxRatio=1.1, FailureLimit=limit))
        assert verdict(declared, series)[0] == expected

    def test_the_worst_hour_is_told(self) -> None:
        series = hours("p99", (10.0, 20.0), (10.0, 90.0), (10.0, 30.0))
        told = verdict(evidence(latency("p99", MaxRatio=1.1)), series)[2]["comparisons"][0]
        assert told["shadow"] == 90.0

    def test_an_hour_without_the_percentile_is_an_error(self) -> None:
        series = hours("p99", (10.0, 10.0), (10.0, 10.0))
        del series[Query("shadow", "ModelLatency", "p99", HOUR)][NOON]
        got, why, _ = verdict(evidence(latency("p99", MaxRatio=1.1)), series)
        assert got == "error"
        assert "no ModelLatency p99 of variant 'shadow'" in why


class TestAlarm:
    @pytest.mark.parametrize(
        ("state", "expected"),
        [("OK", "successful"), ("ALARM", "failed"), ("INSUFFICIENT_DATA", "inconclusive")],
    )
    def test_by_its_state(self, state: str, expected: str) -> None:
        got, why, report = verdict(evidence(alarms=("a",)), alarms={"a": state})
        assert got == expected
        assert why == ("" if state == "OK" else f"alarm 'a' is {state}")
        assert report["alarms"] == {"a": state}

    def test_that_cloudwatch_does_not_show_is_an_error(self) -> None:
        got, why, _ = verdict(evidence(alarms=("a", "b")), alarms={"a": "OK"})
        assert got == "error"
        assert "alarm 'b' is missing" in why


class TestWorst:
    """successful, inconclusive, error, failed."""

    FAILS = latency(MaxValue=1.0)
    HOLDS = latency(MaxValue=99.0)
    MISSING = rate(MaxRate=0.5)
    NO_HOUR = latency("p50", MaxRatio=1.1)

    @pytest.mark.parametrize(
        ("comparisons", "expected"),
        [
            ([HOLDS, HOLDS], "successful"),
            ([HOLDS, NO_HOUR], "inconclusive"),
            ([NO_HOUR, MISSING], "error"),
            ([MISSING, FAILS], "failed"),
            ([FAILS, NO_HOUR, HOLDS], "failed"),
        ],
    )
    def test_wins(self, comparisons: list[Declared], expected: str) -> None:
        series = sums("ModelLatency", (2, 1), (2, 1))
        assert verdict(evidence(*comparisons), series)[0] == expected

    def test_dry_runs_are_measured_and_reported_not_judged(self) -> None:
        dry = latency(MaxValue=1.0, DryRun=True)
        got, _, report = verdict(evidence(dry), sums("ModelLatency", (2, 1), (2, 1)))
        assert got == "successful"
        assert report["comparisons"][0]["verdict"] == "failed"
        assert report["comparisons"][0]["dryRun"] is True


def test_the_report_can_be_written_as_json() -> None:
    declared = evidence(latency(MaxRatio=2.0), alarms=("a",))
    told = verdict(declared, sums("ModelLatency", (2, 3), (1, 3)), alarms={"a": "OK"})[2]
    assert json.loads(json.dumps(told)) == told
    assert told["from"] == "2024-10-03T11:55:00Z"
    assert told["to"] == "2024-10-04T11:55:00Z"
    assert told["samplingPercentage"] == 100.0
    assert told["invocations"] == {"production": 1000.0, "shadow": 1000.0}
