"""Props of wrong types at synth: a problem that names the remedy, never another exception."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Duration

from cdk_stop_inference_experiment import Comparison, Evidence, Outcome
from cdk_stop_inference_experiment.checks import find_problems
from cdk_stop_inference_experiment.enums import StopOn
from cdk_stop_inference_experiment.template.properties import resource_properties

SOUND: dict[str, Any] = {
    "outcome": Outcome.promote_shadow(),
    "model_variant_actions": None,
    "desired_model_variants": None,
    "desired_state": None,
    "reason": None,
    "stop_on": None,
    "end_now": False,
    "promote_if": None,
    "otherwise": None,
}
CHECKED = ("outcome", "desired_model_variants", "end_now", "promote_if", "otherwise")
LATENCY = Comparison.model_latency(max_value=Duration.millis(60))


def refused(**props: Any) -> list[str]:
    given = {**SOUND, **props}
    return find_problems(
        resource_properties(name="fraud-shadow", **given),
        experiment_name="fraud-shadow",
        experiment=None,
        **{name: given[name] for name in CHECKED},
    )


def test_the_props_are_sound() -> None:
    assert refused() == []
    assert refused(promote_if=Evidence(min_invocations=1, comparisons=[LATENCY])) == []


@pytest.mark.parametrize(
    ("props", "remedy"),
    [
        ({"outcome": {"kind": "KeepBoth"}}, "write Outcome.keep_both()"),
        ({"outcome": {"kind": ["KeepBoth"]}}, "use one of Outcome.promote_shadow(), "),
        ({"outcome": ["KeepBoth"]}, "use one of Outcome.promote_shadow(), "),
        ({"outcome": "KeepBoth"}, "write Outcome.keep_both()"),
        ({"outcome": Outcome.keep_production}, ": write Outcome.keep_production()"),
        ({"otherwise": Outcome.keep_both}, "write Outcome.keep_production() or Outcome.keep_both"),
        ({"end_now": "true"}, "'end_now' must be a bool, got 'true': write True or False"),
        ({"end_now": None}, "'end_now' must be a bool, got None: write True or False"),
        ({"stop_on": StopOn.DELETE}, "got StopOn.DELETE: write [StopOn.DELETE]"),
        ({"stop_on": [["Delete"]]}, "'stop_on' must list 'Create', 'Update' or 'Delete', got ["),
        ({"desired_state": ["Completed"]}, "'desired_state' must be 'Completed' or 'Cancelled'"),
        ({"reason": ["v2 wins"]}, "'reason' must be a string, got ['v2 wins']"),
        ({"promote_if": {"MinInvocations": 1}}, "write Evidence(...)"),
    ],
)
def test_a_prop_of_a_wrong_type_has_a_remedy(props: dict[str, Any], remedy: str) -> None:
    assert remedy in "; ".join(refused(**props))


@pytest.mark.parametrize(
    ("evidence", "remedy"),
    [
        (
            Evidence(min_invocations=1, comparisons=LATENCY),  # type: ignore[arg-type]
            "'promote_if.comparisons' must be a list, got ",
        ),
        (
            Evidence(min_invocations=1, alarms=object()),  # type: ignore[arg-type]
            ": write [Alarm.from_alarm_name(...)]",
        ),
        (
            Evidence(
                min_invocations=1,
                comparisons=[Comparison(metric="ModelLatency", statistic=["p99"])],  # type: ignore[arg-type]
            ),
            "statistic' must be 'Average', 'p50', 'p90', 'p95' or 'p99', got ['p99']",
        ),
        (
            Evidence(
                min_invocations=1,
                comparisons=[Comparison(metric={}, max_ratio=1.1)],  # type: ignore[arg-type]
            ),
            "metric' must be 'ModelLatency', ",
        ),
        (
            Evidence(
                min_invocations=1,
                comparisons=[Comparison.error_rate_5xx(max_rate=0.1, dry_run="yes")],  # type: ignore[arg-type]
            ),
            "dry_run' must be a bool, got 'yes': write True or False",
        ),
    ],
    ids=["one comparison", "one alarm", "statistic", "metric", "dry run"],
)
def test_evidence_of_a_wrong_type_has_a_remedy(evidence: Evidence, remedy: str) -> None:
    assert remedy in "; ".join(refused(promote_if=evidence))
