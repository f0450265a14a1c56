"""``PromoteIf`` and ``Otherwise``: validation on both sides of each limit, and parsing."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Declaration,
    InvalidDeclaration,
    parse,
)
from cdk_stop_inference_experiment_handler.contract.validation import problems
from loopback.delivery import as_delivered

PROMOTE = {"production": "Remove", "shadow": "Promote"}
LATENCY = {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1}
RATE = {"Metric": "Invocation5XXErrors", "MaxRate": 0.001}


def promote_if(*comparisons: Any, **members: Any) -> dict[str, Any]:
    declared = {"MinInvocations": 10_000, "Comparisons": list(comparisons or [LATENCY]), **members}
    return {name: value for name, value in declared.items() if value is not None}


def refused(declared: Any, **properties: Any) -> str:
    return "; ".join(
        problems(
            {
                "Name": "fraud-shadow",
                "ModelVariantActions": PROMOTE,
                "PromoteIf": declared,
                **properties,
            }
        )
    )


def read(declared: Any, **properties: Any) -> Declaration:
    """Through CloudFormation, which delivers every scalar as a string."""
    delivered = as_delivered(
        {
            "Name": "fraud-shadow",
            **({} if "Outcome" in properties else {"ModelVariantActions": PROMOTE}),
            **({} if declared is None else {"PromoteIf": declared}),
            **properties,
        }
    )
    assert isinstance(delivered, dict)
    return parse(delivered, stack_name="fraud", logical_id="Stop")


def test_evidence_comes_back_with_its_types() -> None:
    declared = promote_if(
        {**LATENCY, "FailureLimit": 1},
        {"Metric": "ModelLatency", "MaxIncrease": 5000, "MaxValue": 60_000, "DryRun": False},
        {**RATE, "MaxIncrease": 0.0005, "DryRun": True},
        Window=7200,
        Alarms=["too-slow"],
    )
    assert read(declared).promote_if == declared


def test_a_number_that_cloudformation_writes_in_another_form_is_read() -> None:
    evidence = read(promote_if({**RATE, "MaxRate": "5.0E-4"}, MinInvocations="10000")).promote_if
    assert evidence == promote_if({**RATE, "MaxRate": 0.0005})


def test_an_alarm_may_be_named_like_a_number_or_a_flag() -> None:
    declared = promote_if(Alarms=["true", "1.5"])
    assert read(declared).promote_if == declared


def test_a_promotion_by_an_outcome_may_need_evidence() -> None:
    assert refused(promote_if(), ModelVariantActions=None, Outcome="PromoteShadow") == ""
    assert "needs a promotion" in refused(
        promote_if(), ModelVariantActions=None, Outcome="KeepBoth"
    )


def test_evidence_is_no_part_of_the_end() -> None:
    assert read(promote_if()).digest == read(promote_if(RATE), Otherwise="KeepBoth").digest
    assert read(promote_if()).has_the_end_of(read(promote_if(RATE), Otherwise="KeepBoth"))


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
        ("FailureLimit", 0, -1, "FailureLimit' must be a whole number, at least 0, got -1"),
        ("FailureLimit", 1, 0.5, "FailureLimit' must be a whole number, at least 0, got 0.5"),
        ("DryRun", True, "yes", "DryRun' must be one of True, False, got 'yes'"),
        (
            "Statistic",
            "p95",
            "p75",
            "must be one of Average, p50, p90, p95, p99, got 'p75'",
        ),
        ("Statistic", "p99", "P99", "got 'P99'"),
        (
            "Metric",
            "ModelLatency",
            "Latency",
            "must be one of ModelLatency, Invocation4XXErr",
        ),
    ],
)
def test_refuses_of_a_latency(member: str, good: Any, bad: Any, said: str) -> None:
    assert refused(promote_if({**LATENCY, member: good})) == ""
    assert said in refused(promote_if({**LATENCY, member: bad}))


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
            "Comparisons[0]' must have a bound, got none",
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
    assert said in refused(promote_if(comparison))


@pytest.mark.parametrize(
    ("members", "good", "said"),
    [
        (
            {"MinInvocations": None},
            {"MinInvocations": 1},
            "at least 1, got None",
        ),
        ({"MinInvocations": 0}, {"MinInvocations": 1}, "must be a whole number, at least 1, got 0"),
        ({"Window": 3599}, {"Window": 3600}, "needs a 'Window' of at least 3600 seconds, got 3599"),
        (
            {"Window": 2_592_001},
            {"Window": 2_592_000},
            "300 to 2592000 whole seconds, got 2592001",
        ),
        ({"Window": 3600.5}, {"Window": 3600}, "whole seconds, got 3600.5"),
        (
            {"Comparisons": [RATE] * 11},
            {"Comparisons": [RATE] * 10},
            "must be a list of at most 10, got [",
        ),
        (
            {"Alarms": ["a"] * 11},
            {"Alarms": ["a"] * 10},
            "must be a list of at most 10, got [",
        ),
        (
            {"Alarms": ["a" * 256]},
            {"Alarms": ["a" * 255]},
            "must be at most 255 characters, got 256",
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


def test_the_handler_refuses_what_the_check_refuses() -> None:
    with pytest.raises(InvalidDeclaration, match=r"Comparisons\[0\]' must have a bound"):
        read(promote_if({"Metric": "ModelLatency"}))


class TestKept:
    def test_is_production_where_nothing_else_is_declared(self) -> None:
        kept = read(promote_if(), Reason="v2 wins").kept("failed")
        assert (kept.outcome, kept.promotes) == ("KeepProduction", False)
        assert kept.promote_if is None

    def test_is_both_where_that_is_declared(self) -> None:
        assert read(promote_if(), Otherwise="KeepBoth").kept("failed").outcome == "KeepBoth"

    def test_has_words_and_a_digest_of_its_own(self) -> None:
        declared = read(promote_if(), Reason="v2 wins")
        kept = declared.kept("inconclusive")
        assert kept.digest != declared.digest
        assert kept.digest == declared.kept("failed").digest == declared.kept().digest
        keep = read(None, Outcome="KeepProduction")
        assert kept.digest != keep.digest
        assert "v2 wins" not in kept.reason
        assert "evidence: inconclusive (" in kept.reason
