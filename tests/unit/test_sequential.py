"""Evidence with a confidence: which hours are read, and what they say of a promotion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.situations import declared as declaration_of
from tests.unit.situations import experiment, promoting

from cdk_stop_inference_experiment_handler.contract.declaration import Evidence
from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.gate import MAX_REPORT, short_report
from cdk_stop_inference_experiment_handler.lifecycle.sequential import judge, question
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Measured,
    Query,
)

NOON = 1_763_985_600
HOUR = 3600
HOURS = 60
BEGAN = NOON - HOURS * HOUR - 900
"""So that after the warm-up, and without the hour that has just ended, 59 hours count."""
ERRORS = "Invocation5XXErrors"

Series = dict[Query, dict[float, float]]


def seen(sampling: float | None = 50.0) -> Experiment:
    return experiment(scheduled_start=float(BEGAN), sampling=sampling)


def evidence(*comparisons: Mapping[str, Any], **members: Any) -> Evidence:
    given = {"Comparisons": list(comparisons), "Confidence": 0.95, **members}
    found = declaration_of(promoting(PromoteIf=given)).promote_if
    assert found is not None
    return found


def rate(**bounds: float) -> dict[str, Any]:
    return {"Metric": ERRORS, **bounds}


def hours(of: Experiment | None = None) -> range:
    asked = question(evidence(rate(MaxRate=0.01)), of or seen(), NOON)
    return range(asked.begin, asked.end, HOUR)


def counted(
    production: float = 10_000, shadow: float = 5_000, errors: tuple[float, float] = (5, 2)
) -> Series:
    """The same requests and errors in each hour."""
    series: Series = {}
    for name, count, wrong in zip(
        ("production", "shadow"), (production, shadow), errors, strict=True
    ):
        series[Query(name, "Invocations", "Sum", HOUR)] = dict.fromkeys(hours(), count)
        series[Query(name, ERRORS, "SampleCount", HOUR)] = dict.fromkeys(hours(), count)
        # Not the same number in each hour: counts that never vary are no counts of errors.
        series[Query(name, ERRORS, "Sum", HOUR)] = {
            at: wrong + (number % 3 - 1 if wrong else 0) for number, at in enumerate(hours())
        }
    return series


def latencies(statistic: str, shadow: float, *, broken: int = 0) -> Series:
    series: Series = {}
    for name in ("production", "shadow"):
        series[Query(name, "ModelLatency", "SampleCount", HOUR)] = dict.fromkeys(hours(), 5000.0)
        series[Query(name, "ModelLatency", statistic, HOUR)] = {
            at: 100.0 + number % 2 + (0 if name == "production" else shadow)
            for number, at in enumerate(hours())
        }
    for at in list(hours())[::9][:broken]:
        series[Query("shadow", "ModelLatency", statistic, HOUR)][at] = 1e6
    return series


def judged(
    declared: Evidence, *series: Series, of: Experiment | None = None, **alarms: str
) -> dict[str, Any]:
    known = of or seen()
    asked = question(declared, known, NOON)
    merged: dict[Query, Mapping[float, float]] = {query: {} for query in asked.queries}
    for one in series:
        merged.update(one)
    return judge(declared, asked, Measured(merged, alarms), known.sampling)


class TestHours:
    def test_count_from_the_first_whole_hour_after_the_warm_up(self) -> None:
        assert hours().start == NOON - HOURS * HOUR
        assert hours().start >= BEGAN + 600

    def test_do_not_count_before_they_ended_15_minutes_ago(self) -> None:
        assert question(evidence(rate(MaxRate=0.01)), seen(), NOON + 899).end == NOON - HOUR
        assert question(evidence(rate(MaxRate=0.01)), seen(), NOON + 900).end == NOON

    def test_of_production_alone_are_left_out_where_errors_are_missing(self) -> None:
        series = counted()
        for name in ("production", "shadow"):
            del series[Query(name, ERRORS, "SampleCount", HOUR)][hours()[0]]
        (found,) = judged(evidence(rate(MaxIncrease=0.0005)), series)["comparisons"]
        assert found["hours"] == len(hours()) - 1


def test_every_series_is_of_the_hour_and_of_both_variants() -> None:
    metric = {"Namespace": "Quality", "MetricName": "Score", "Statistic": "p50"}
    declared = evidence(
        rate(MaxRate=0.01),
        {"Metric": "ModelLatency", "MaxRatio": 1.1},
        {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1},
        {"ProductionMetric": metric, "ShadowMetric": {**metric, "MetricName": "New"}, "AtLeast": 1},
        Alarms=["slow"],
    )
    asked = question(declared, seen(), NOON)
    assert asked.queries == {
        *(
            Query(variant, name, statistic, HOUR)
            for variant in ("production", "shadow")
            for name, statistics in (
                ("Invocations", ["Sum"]),
                (ERRORS, ["Sum", "SampleCount"]),
                ("ModelLatency", ["Average", "p99", "SampleCount"]),
            )
            for statistic in statistics
        ),
        Query("", "Score", "p50", HOUR, "Quality"),
        Query("", "New", "p50", HOUR, "Quality"),
    }
    assert (asked.pair, asked.alarms) == (("production", "shadow"), ("slow",))


def test_an_equal_shadow_is_successful() -> None:
    report = judged(evidence(rate(MaxIncrease=0.0005)), counted(errors=(5, 2.5)))
    assert report["verdict"] == "successful"
    assert report["samplingPercentage"] == 50
    assert report["invocations"] == {"production": 590_000, "shadow": 295_000}
    assert report["confidence"] == 0.95
    (found,) = report["comparisons"]
    assert found["shadow"] < found["upper"] <= found["bound"]


@pytest.mark.parametrize(
    ("comparison", "series"),
    [
        (rate(MaxIncrease=0.0005), counted(errors=(5, 4.1))),
        ({"Metric": "ModelLatency", "MaxRatio": 1.1}, latencies("Average", 5, broken=7)),
    ],
)
def test_the_confidence_decides(comparison: dict[str, Any], series: Series) -> None:
    if "MaxRatio" in comparison:
        # More of them in a row: the hours must not be too clear.
        slow = Query("shadow", "ModelLatency", "Average", HOUR)
        series[slow] = {**series[slow], **dict.fromkeys(hours()[50:58], 1e6)}
    for confidence, verdict in ((0.8, "successful"), (0.95, "inconclusive")):
        declared = evidence(comparison, Confidence=confidence)
        assert judged(declared, counted(), series)["verdict"] == verdict


def test_an_hour_without_requests_or_with_one_is_no_trouble() -> None:
    series = {**counted(), **latencies("Average", 5)}
    first, second, third = hours()[:3]
    del series[Query("production", "Invocations", "Sum", HOUR)][first]
    series[Query("shadow", "ModelLatency", "SampleCount", HOUR)][second] = 1.0
    series[Query("shadow", "ModelLatency", "SampleCount", HOUR)][third] = 0.0
    declared = evidence(rate(MaxIncrease=0.0005), {"Metric": "ModelLatency", "MaxRatio": 1.1})
    counts = [found["hours"] for found in judged(declared, series)["comparisons"]]
    assert counts == [len(hours()) - 1, len(hours()) - 1]


def test_one_hour_has_rates_but_no_upper_bound() -> None:
    series = {
        query: dict([*found.items()][:1]) for query, found in counted(errors=(50, 25)).items()
    }
    report = judged(evidence(rate(MaxRate=0.01)), series)
    assert report["why"].startswith(
        "Invocation5XXErrors is 0.48 % for the shadow, and 0.49 % for production in 1 hours; it is "
        "not yet known to be at most 1 %; "
    )
    assert "upper" not in report["comparisons"][0]


def test_a_shadow_that_breaks_the_bound_has_failed() -> None:
    report = judged(evidence(rate(MaxIncrease=0.0005)), counted(errors=(5, 20)))
    assert report["verdict"] == "failed"
    assert "it exceeds 0.09983 %" in report["why"]


def test_a_shadow_at_the_bound_is_inconclusive_and_no_number_of_hours_is_stated_wrongly() -> None:
    report = judged(evidence(rate(MaxIncrease=0.0005)), counted(errors=(5, 5)))
    assert report["verdict"] == "inconclusive"
    assert report["forecast"]["requests"] == 154_657
    assert report["why"].endswith(
        "; if it is as good as production, it needs about 150,000 more requests, at this traffic "
        f"by {report['forecast']['at']}"
    )


def test_production_that_breaks_the_bound_itself_makes_no_forecast() -> None:
    slow = {"Metric": "ModelLatency", "MaxRatio": 1.1}
    both = evidence(slow, rate(MaxRate=0.0005), MinHours=72)
    report = judged(both, counted(errors=(10, 2.5)), latencies("Average", 0.0))
    assert report["forecast"] == {"productionBreaksBound": True}
    assert report["why"].startswith("ModelLatency")
    assert "production itself breaks the bound of Invocation5XXErrors" in report["why"]


def test_every_bound_of_a_comparison_has_to_be_kept() -> None:
    both = rate(MaxIncrease=0.0005, MaxRate=0.0001)
    assert judged(evidence(both), counted(errors=(5, 2.5)))["verdict"] == "failed"


def test_errors_that_cloudwatch_does_not_have_are_an_error_and_not_zero() -> None:
    series = counted()
    series[Query("shadow", ERRORS, "SampleCount", HOUR)] = {}
    report = judged(evidence(rate(MaxIncrease=0.0005)), series)
    assert report["verdict"] == "error"
    assert "variant 'shadow'" in report["why"]


@pytest.mark.parametrize(("shadow", "verdict"), [(5_000, "successful"), (4_000, "inconclusive")])
def test_a_share_of_the_requests_that_is_wrong_is_inconclusive(shadow: float, verdict: str) -> None:
    series = counted(shadow=shadow, errors=(5, 2.5 * shadow / 5_000))
    report = judged(evidence(rate(MaxIncrease=0.0005)), series)
    assert report["verdict"] == verdict
    assert ("which is not 50 %" in report["why"]) is (verdict == "inconclusive")
    assert report["missingShare"] == pytest.approx(1 - shadow / 5_000)


def test_sampling_that_was_switched_off_is_a_wrong_share_which_waiting_does_not_cure() -> None:
    report = judged(evidence(rate(MaxIncrease=0.0005), MinHours=72), counted(), of=seen(0.0))
    assert report["verdict"] == "inconclusive"
    assert report["why"] == (
        "the shadow got 295,000 of production's 590,000 requests, which is not 0 %: requests that "
        "never arrived are not in the error rates"
    )
    assert not report.keys() & {"forecast", "missingShare"}


@pytest.mark.parametrize("statistic", ["Average", "p99"])
def test_a_latency_is_judged_by_the_hours_that_break_its_bound(statistic: str) -> None:
    declared = evidence({"Metric": "ModelLatency", "Statistic": statistic, "MaxRatio": 1.1})
    good = judged(declared, counted(), latencies(statistic, 5, broken=6))
    assert good["verdict"] == "successful"
    assert good["comparisons"][0]["hoursFailed"] == 6
    assert judged(declared, counted(), latencies(statistic, 50))["verdict"] == "failed"


def test_hours_with_too_few_requests_for_a_percentile_do_not_count() -> None:
    declared = evidence({"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1})
    series = latencies("p99", 5)
    series[Query("shadow", "ModelLatency", "SampleCount", HOUR)][hours()[3]] = 999
    (found,) = judged(declared, counted(), series)["comparisons"]
    assert found["hours"] == len(hours()) - 1


@pytest.mark.parametrize(("value", "verdict"), [(0.97, "successful"), (0.93, "failed")])
def test_two_metrics_of_any_kind_are_compared_by_the_hour(value: float, verdict: str) -> None:
    def metric(name: str) -> dict[str, Any]:
        return {"Namespace": "Quality", "MetricName": name, "Statistic": "Average"}

    comparison = {
        "ProductionMetric": metric("Agreement"),
        "ShadowMetric": metric("ShadowAgreement"),
        "AtLeast": 0.95,
    }
    series: Series = {
        Query("", name, "Average", HOUR, "Quality"): dict.fromkeys(hours(), value)
        for name in ("Agreement", "ShadowAgreement")
    }
    report = judged(evidence(comparison), counted(), series)
    assert report["verdict"] == verdict
    (found,) = report["comparisons"]
    assert (found["metric"], found["statistic"]) == ("Quality ShadowAgreement", "Average")


def test_a_least_value_does_not_turn_round_another_bound_of_the_same_size() -> None:
    metric = {"Namespace": "Quality", "MetricName": "Score", "Statistic": "Average"}
    shadow = {**metric, "MetricName": "ShadowScore"}
    both = {"ProductionMetric": metric, "ShadowMetric": shadow, "AtLeast": -0.5, "MaxIncrease": 0.5}
    series: Series = {
        Query("", name, "Average", HOUR, "Quality"): dict.fromkeys(hours(), value)
        for name, value in (("Score", 0.0), ("ShadowScore", 0.6))
    }
    assert judged(evidence(both), counted(), series)["verdict"] == "failed"


def test_a_dry_run_is_reported_and_does_not_decide() -> None:
    bad = {**rate(MaxRate=1e-6), "DryRun": True}
    report = judged(evidence(rate(MaxIncrease=0.0005), bad), counted(errors=(5, 2.5)))
    assert report["verdict"] == "successful"
    assert report["comparisons"][1]["verdict"] == "failed"


def test_an_alarm_decides_beside_the_comparisons() -> None:
    declared = evidence(rate(MaxIncrease=0.0005), Alarms=["quality"])
    report = judged(declared, counted(errors=(5, 2.5)), quality="ALARM")
    assert report["verdict"] == "failed"


def test_fewer_hours_than_asked_for_are_inconclusive_with_the_hours_that_are_missing() -> None:
    declared = evidence(rate(MaxIncrease=0.0005), MinHours=72)
    report = judged(declared, counted(errors=(5, 2.5)))
    assert report["verdict"] == "inconclusive"
    assert report["forecast"]["hours"] == 72 - len(hours())


@pytest.mark.parametrize("comparisons", [[], [{**rate(MaxRate=0.5), "DryRun": True}]])
def test_an_alarm_that_is_ok_promotes_nothing_before_the_hours_have_passed(
    comparisons: list[Any],
) -> None:
    def declared(least: int) -> Evidence:
        return evidence(*comparisons, MinHours=least, Alarms=["quality"])

    early = judged(declared(len(hours()) + 7), counted(), quality="OK")
    assert early["verdict"] == "inconclusive"
    assert early["forecast"] == {"hours": 7, "at": "2025-11-24T18:15:00Z"}
    assert early["why"] == (
        f"{len(hours())} whole hours were measured; {len(hours()) + 7} are needed; if it is as "
        f"good as production, wait until 2025-11-24T18:15:00Z"
    )
    assert judged(declared(len(hours())), counted(), quality="OK")["verdict"] == "successful"
    assert judged(declared(720), counted(), quality="ALARM")["verdict"] == "failed"


def test_a_report_on_a_successful_shadow_has_no_forecast() -> None:
    report = judged(evidence(rate(MaxIncrease=0.0005)), counted(errors=(5, 2.5)))
    assert report["verdict"] == "successful"
    assert "forecast" not in report


def test_hours_alone_are_forecast_as_a_time() -> None:
    report = judged(
        evidence({"Metric": "ModelLatency", "MaxRatio": 1.1}, MinHours=72),
        counted(),
        latencies("Average", 0.0),
    )
    assert report["why"].endswith(
        f"; if it is as good as production, wait until {report['forecast']['at']}"
    )


def test_hours_that_are_missing_where_the_requests_are_enough_are_forecast_as_a_time() -> None:
    report = judged(evidence(rate(MaxIncrease=0.0005), MinHours=72), counted(errors=(5, 2.5)))
    assert report["forecast"] == {"requests": 0, "hours": 13, "at": "2025-11-25T00:15:00Z"}
    assert report["why"].endswith(
        "; if it is as good as production, wait until 2025-11-25T00:15:00Z"
    )


def test_a_forecast_beyond_the_calendar_names_no_time() -> None:
    """Each of a few requests fails, in both variants, and hardly any increase is allowed."""
    few = counted(1, 1, (1, 1))
    report = judged(evidence(rate(MaxIncrease=1e-6)), few, of=seen(100))
    assert report["verdict"] == "inconclusive"
    assert report["forecast"]["hours"] > 10**13
    assert "at" not in report["forecast"]
    assert str(report["why"]).endswith("more requests")


def test_requests_that_are_asked_for_are_part_of_the_forecast() -> None:
    declared = evidence(rate(MaxIncrease=0.0005), MinInvocations=1_000_000)
    report = judged(declared, counted(errors=(5, 2.5)))
    assert report["forecast"] == {"requests": 705_000, "hours": 141, "at": "2025-11-30T08:15:00Z"}
    assert report["why"] == (
        "production got 590,000 requests and the shadow 295,000; 1,000,000 are needed; if it is as "
        "good as production, it needs about 700,000 more requests, at this traffic by "
        "2025-11-30T08:15:00Z"
    )


def test_a_comparison_of_which_nothing_is_known_yet_leaves_no_time() -> None:
    slow = latencies("p99", 5)
    slow[Query("shadow", "ModelLatency", "SampleCount", HOUR)] = dict.fromkeys(hours(), 999.0)
    declared = evidence(
        rate(MaxIncrease=0.0005), {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1}
    )
    report = judged(declared, counted(errors=(5, 5)), slow)
    assert report["forecast"] == {"requests": 154_657}
    assert report["why"].endswith("it needs about 150,000 more requests")


def test_ten_comparisons_and_alarms_fit_and_are_understood_without_the_report() -> None:
    rates = [rate(MaxIncrease=0.00049 + number / 1e5, MaxRate=0.0123) for number in range(7)]
    slow = {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1}
    declared = evidence(*rates, slow, slow, slow, Alarms=["alarm"] * 10)
    report = judged(
        declared,
        counted(12_345, 6_172, errors=(7, 3.7)),
        latencies("p99", 3.0, broken=5),
        alarm="INSUFFICIENT_DATA",
    )
    kept = short_report(report)
    assert kept["comparisons"] == report["comparisons"]
    assert len(report["comparisons"]) == 10
    assert len(json.dumps(kept)) <= MAX_REPORT
    message = words.gate("x" * 63, report)
    assert len(message) <= 1024
    assert "..." not in message
