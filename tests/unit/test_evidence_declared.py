"""``PromoteIf`` and ``Otherwise``: validation on both sides of each limit, and parsing."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Comparison,
    Declaration,
    Evidence,
    Metric,
    OutcomeKind,
    Problems,
    parse,
)
from loopback.delivery import as_delivered

PROMOTE = {"production": "Remove", "shadow": "Promote"}
LATENCY = {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1}
RATE = {"Metric": "Invocation5XXErrors", "MaxRate": 0.001}


def promote_if(*comparisons: Any, **members: Any) -> dict[str, Any]:
    declared = {"MinInvocations": 10_000, "Comparisons": list(comparisons or [LATENCY]), **members}
    return {name: value for name, value in declared.items() if value is not None}


def refused(declared: Any, **properties: Any) -> str:
    """Both as written and through CloudFormation, which delivers every scalar as a string."""
    whole = {
        "Name": "fraud-shadow",
        "ModelVariantActions": PROMOTE,
        "PromoteIf": declared,
        **properties,
    }
    given = {name: value for name, value in whole.items() if value is not None}
    problems = [
        "; ".join(parsed.messages) if isinstance(parsed, Problems) else ""
        for parsed in (parse(given), parse(as_delivered(given)))
    ]
    assert bool(problems[0]) == bool(problems[1])
    return problems[0]


def read(declared: Any, **properties: Any) -> Declaration:
    """Through CloudFormation, which delivers every scalar as a string."""
    parsed = parse(
        as_delivered(
            {
                "Name": "fraud-shadow",
                "Outcome": "PromoteShadow",
                **({} if declared is None else {"PromoteIf": declared}),
                **properties,
            }
        )
    )
    assert isinstance(parsed, Declaration), parsed
    return parsed


def test_evidence_comes_back_with_its_types() -> None:
    declared = promote_if(
        {**LATENCY, "FailureLimit": 1},
        {"Metric": "ModelLatency", "MaxIncrease": 5000, "MaxValue": 60_000, "DryRun": False},
        {**RATE, "MaxIncrease": 0.0005, "DryRun": True},
        Window=7200,
        Alarms=["too-slow"],
    )
    assert read(declared).promote_if == Evidence(
        min_invocations=10_000,
        window=7200,
        comparisons=(
            Comparison("ModelLatency", "p99", max_ratio=1.1, failure_limit=1),
            Comparison("ModelLatency", "Average", max_increase=5000, max_value=60_000),
            Comparison("Invocation5XXErrors", max_rate=0.001, max_increase=0.0005, dry_run=True),
        ),
        alarms=("too-slow",),
    )


def test_the_window_is_a_day_and_the_other_end_keeps_production() -> None:
    declared = read(promote_if())
    assert declared.promote_if is not None
    assert declared.promote_if.window == 86_400
    assert (declared.promote_if.confidence, declared.promote_if.min_hours) == (None, None)
    assert declared.otherwise is OutcomeKind.KEEP_PRODUCTION
    assert read(promote_if(), Otherwise="KeepBoth").otherwise is OutcomeKind.KEEP_BOTH


def test_a_number_that_cloudformation_writes_in_another_form_is_read() -> None:
    declared = promote_if({**RATE, "MaxRate": "5.0E-4"}, MinInvocations="10000")
    assert read(declared) == read(promote_if({**RATE, "MaxRate": 0.0005}))


@pytest.mark.parametrize(
    "number", ["1_0", " 1", "\u0661", "0x1", "nan", "inf", "1e400", "9" * 5000]
)
def test_what_only_python_reads_as_a_number_is_none(number: str) -> None:
    assert "MaxRatio' must be a number above 0" in refused(
        promote_if({**LATENCY, "MaxRatio": number})
    )


def test_an_alarm_may_be_named_like_a_number_or_a_flag() -> None:
    evidence = read(promote_if(Alarms=["true", "1.5"])).promote_if
    assert evidence is not None
    assert evidence.alarms == ("true", "1.5")


def test_a_promotion_by_an_outcome_may_need_evidence() -> None:
    assert refused(promote_if(), ModelVariantActions=None, Outcome="PromoteShadow") == ""
    assert "needs a promotion" in refused(
        promote_if(), ModelVariantActions=None, Outcome="KeepBoth"
    )


SEQUENTIAL = {"Confidence": 0.95, "Comparisons": [RATE]}
PAIR = {
    name: {"Namespace": "Fraud", "MetricName": "Recall", "Statistic": "Average"}
    for name in ("ProductionMetric", "ShadowMetric")
}


class TestConfidence:
    def test_takes_the_place_of_the_window_and_of_the_number_of_requests(self) -> None:
        evidence = read(SEQUENTIAL).promote_if
        assert evidence == Evidence(
            min_invocations=1,
            window=None,
            comparisons=(Comparison("Invocation5XXErrors", max_rate=0.001),),
            confidence=0.95,
            min_hours=48,
        )

    @pytest.mark.parametrize(
        ("member", "good", "bad", "said"),
        [
            ("Confidence", 0.8, 0.799, "must be a number from 0.8 to 0.999, got 0.799"),
            ("Confidence", 0.999, 0.9991, "must be a number from 0.8 to 0.999, got 0.9991"),
            ("MinHours", 24, 23, "must be a whole number from 24 to 720, got 23"),
            ("MinHours", 720, 721, "must be a whole number from 24 to 720, got 721"),
            ("MinHours", 48, 48.5, "must be a whole number from 24 to 720, got 48.5"),
        ],
    )
    def test_has_limits(self, member: str, good: Any, bad: Any, said: str) -> None:
        assert refused({**SEQUENTIAL, member: good}) == ""
        assert refused({**SEQUENTIAL, member: bad}) == f"'PromoteIf.{member}' {said}"

    def test_refuses_a_window(self) -> None:
        assert refused({**SEQUENTIAL, "Window": 86_400}) == (
            "'PromoteIf.Window' must be left out with 'Confidence', which takes the whole test"
        )

    def test_refuses_a_number_of_hours_that_may_fail(self) -> None:
        percentile = {**LATENCY, "FailureLimit": 1}
        assert refused({**SEQUENTIAL, "Comparisons": [LATENCY]}) == ""
        assert refused({**SEQUENTIAL, "Comparisons": [percentile]}) == (
            "'PromoteIf.Comparisons[0].FailureLimit' must be left out with 'Confidence', which "
            "counts the hours"
        )

    def test_is_what_a_number_of_hours_needs(self) -> None:
        assert refused(promote_if(MinHours=48)) == (
            "'PromoteIf.MinHours' must be left out without 'Confidence'"
        )

    def test_is_what_two_metrics_need(self) -> None:
        assert refused({**SEQUENTIAL, "Comparisons": [{**PAIR, "AtLeast": 0.9}]}) == ""
        assert refused(promote_if({**PAIR, "AtLeast": 0.9})) == (
            "'PromoteIf.Comparisons[0]' compares two metrics by the hour, which needs 'Confidence'"
        )


class TestTwoMetrics:
    def test_are_read(self) -> None:
        dimensions = [{"Name": "Model", "Value": "v2"}]
        declared = {
            "ProductionMetric": PAIR["ProductionMetric"],
            "ShadowMetric": {**PAIR["ShadowMetric"], "Dimensions": dimensions},
            "MaxRatio": 1.1,
            "MaxIncrease": 0.02,
            "AtLeast": -0.5,
        }
        evidence = read({**SEQUENTIAL, "Comparisons": [declared]}).promote_if
        assert evidence is not None
        assert evidence.comparisons == (
            Comparison(
                (
                    Metric("Fraud", "Recall", (), "Average"),
                    Metric("Fraud", "Recall", (("Model", "v2"),), "Average"),
                ),
                max_ratio=1.1,
                max_increase=0.02,
                at_least=-0.5,
            ),
        )

    @pytest.mark.parametrize(
        ("comparison", "said"),
        [
            (PAIR, "must have a bound, got none: give 'MaxRatio', 'MaxIncrease' or 'AtLeast'"),
            ({**PAIR, "AtLeast": 1, "Metric": "ModelLatency"}, "cannot have 'Metric'"),
            ({**PAIR, "AtLeast": 1, "MaxValue": 1}, "cannot have 'MaxValue'"),
            (
                {"ShadowMetric": PAIR["ShadowMetric"], "AtLeast": 1},
                "'PromoteIf.Comparisons[0].ProductionMetric' must be an object, got None",
            ),
            (
                {**PAIR, "ShadowMetric": {**PAIR["ShadowMetric"], "Namespace": ":"}, "AtLeast": 1},
                "'PromoteIf.Comparisons[0].ShadowMetric.Namespace' must be a namespace",
            ),
            (
                {
                    **PAIR,
                    "ShadowMetric": {**PAIR["ShadowMetric"], "Dimensions": [{"Name": "Model"}]},
                    "AtLeast": 1,
                },
                "ShadowMetric.Dimensions[0].Value' must be a string, got None",
            ),
        ],
    )
    def test_are_refused(self, comparison: dict[str, Any], said: str) -> None:
        found = refused({**SEQUENTIAL, "Comparisons": [comparison]})
        assert found.startswith("'PromoteIf.Comparisons[0]")
        assert said in found


@pytest.mark.parametrize(
    ("member", "good", "bad", "said"),
    [
        ("MaxRatio", 0.001, 0, "MaxRatio' must be a number above 0, got 0"),
        ("MaxRatio", 1, -1, "MaxRatio' must be a number above 0, got -1"),
        ("MaxRatio", 10**6, math.inf, "MaxRatio' must be a number above 0, got inf"),
        ("MaxIncrease", 0.001, 0, "MaxIncrease' must be a number above 0, got 0"),
        ("MaxValue", 1, 0, "MaxValue' must be a number above 0, got 0"),
        ("MaxValue", 1, math.nan, "MaxValue' must be a number above 0, got nan"),
        ("MaxValue", 1, "fast", "MaxValue' must be a number above 0, got 'fast'"),
        ("FailureLimit", 0, -1, "FailureLimit' must be a whole number from 0 to 10^15, got -1"),
        ("FailureLimit", 1, 0.5, "FailureLimit' must be a whole number from 0 to 10^15, got 0.5"),
        ("DryRun", True, "yes", "DryRun' must be 'true' or 'false', got 'yes'"),
        (
            "Statistic",
            "p95",
            "p75",
            "must be 'Average', 'p50', 'p90', 'p95' or 'p99', got 'p75'",
        ),
        ("Statistic", "p99", "P99", "got 'P99'"),
        (
            "Metric",
            "ModelLatency",
            "Latency",
            "must be 'ModelLatency', 'Invocation4XXErrors', ",
        ),
    ],
)
def test_refuses_of_a_latency(member: str, good: Any, bad: Any, said: str) -> None:
    assert refused(promote_if({**LATENCY, member: good})) == ""
    found = refused(promote_if({**LATENCY, member: bad}))
    assert found.startswith(f"'PromoteIf.Comparisons[0].{member}' must be ")
    assert said in found


@pytest.mark.parametrize(
    ("member", "good", "bad", "said"),
    [
        ("MaxRate", 0.000001, 0, "MaxRate' must be a number above 0 and at most 1, got 0"),
        ("MaxRate", 1, 1.001, "MaxRate' must be a number above 0 and at most 1, got 1.001"),
        ("MaxIncrease", 1, 1.001, "MaxIncrease' must be a number above 0 and at most 1, got 1.001"),
    ],
)
def test_refuses_of_a_rate(member: str, good: Any, bad: Any, said: str) -> None:
    assert refused(promote_if({**RATE, member: good})) == ""
    assert f"'PromoteIf.Comparisons[0].{said}" in refused(promote_if({**RATE, member: bad}))


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (
            {"Metric": "ModelLatency"},
            "must have a bound, got none: give 'MaxRatio', 'MaxIncrease' or 'MaxValue'",
        ),
        ({"Metric": "Invocation4XXErrors"}, "must have a bound, got none"),
        ({**LATENCY, "MaxRate": 0.1}, "Comparisons[0]' cannot have 'MaxRate': leave it out"),
        ({**RATE, "MaxRatio": 1.1}, "cannot have 'MaxRatio': leave it out"),
        ({**RATE, "FailureLimit": 1}, "cannot have 'FailureLimit'"),
        ({**RATE, "Statistic": "Average"}, "cannot have 'Statistic'"),
        ({"Metric": "ModelLatency", "MaxRatio": 1.1, "FailureLimit": 1}, "is for percentiles"),
        ({**LATENCY, "MaxRation": 1.1}, "cannot have 'MaxRation'"),
        ("p99", "must be an object, got 'p99'"),
    ],
)
def test_refuses_a_comparison(comparison: Any, said: str) -> None:
    found = refused(promote_if(comparison))
    assert found.startswith(("'PromoteIf.Comparisons[0]' ", "'PromoteIf.Comparisons[0].Fail"))
    assert said in found


@pytest.mark.parametrize(
    ("members", "good", "said"),
    [
        (
            {"MinInvocations": None},
            {"MinInvocations": 1},
            "'PromoteIf.MinInvocations' must be a whole number from 1 to 10^15, got None",
        ),
        (
            {"MinInvocations": 0},
            {"MinInvocations": 1},
            "a whole number from 1 to 10^15, got 0",
        ),
        (
            {"Window": 3599},
            {"Window": 3600},
            "'PromoteIf.Comparisons[0]' needs a 'Window' of at least 3600 seconds, got 3599",
        ),
        (
            {"Window": 2_592_001},
            {"Window": 2_592_000},
            "'PromoteIf.Window' must be 300 to 2592000 whole seconds, got 2592001",
        ),
        ({"Window": 3600.5}, {"Window": 3600}, "whole seconds, got 3600.5"),
        (
            {"Comparisons": [RATE] * 11},
            {"Comparisons": [RATE] * 10},
            "must be a list of at most 10, got 11",
        ),
        (
            {"Alarms": ["a"] * 11},
            {"Alarms": ["a"] * 10},
            "must be a list of at most 10, got 11",
        ),
        (
            {"Alarms": ["a" * 256]},
            {"Alarms": ["a" * 255]},
            "'PromoteIf.Alarms[0]' must be at most 255 characters, got 256",
        ),
        ({"Alarms": [""]}, {"Alarms": ["a"]}, "must be at least 1 character, got an empty"),
        ({"Alarms": "a"}, {"Alarms": ["a"]}, "Alarms' must be a list of at most 10, got 'a'"),
        (
            {"Comparisons": []},
            {"Comparisons": [], "Alarms": ["a"]},
            "a comparison or an alarm, got neither",
        ),
        ({"MinInvocation": 1}, {}, "'PromoteIf' cannot have 'MinInvocation'"),
    ],
)
def test_refuses_evidence(members: dict[str, Any], good: dict[str, Any], said: str) -> None:
    assert refused(promote_if(**good)) == ""
    assert said in refused(promote_if(**members))


def test_a_short_window_is_for_sums_alone() -> None:
    assert refused(promote_if(RATE, Window=300)) == ""
    assert "must be 300 to" in refused(promote_if(RATE, Window=299))


def test_refuses_evidence_that_is_no_object() -> None:
    assert "'PromoteIf' must be an object, got 'yes'" in refused("yes")


def test_refuses_evidence_without_a_promotion() -> None:
    keep = {"production": "Retain", "shadow": "Remove"}
    assert "'PromoteIf' needs a promotion" in refused(promote_if(), ModelVariantActions=keep)


def test_refuses_another_end_without_evidence() -> None:
    assert "'Otherwise' needs 'PromoteIf': leave it out" in refused(None, Otherwise="KeepBoth")


@pytest.mark.parametrize("otherwise", ["PromoteShadow", "Keep"])
def test_refuses_another_end_that_promotes(otherwise: str) -> None:
    assert refused(promote_if(), Otherwise="KeepBoth") == ""
    assert "'Otherwise' must be 'KeepProduction' or 'KeepBoth'" in refused(
        promote_if(), Otherwise=otherwise
    )
