"""The data that an invocation hands over to the next one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.lifecycle.facts import Progress


@pytest.mark.parametrize(
    "member",
    [
        {"tried": True},
        {"sent": "0123abcd"},
        {"refused_at": 1_795_342_600.5},
        {"failure_before": "no capacity"},
        {"evidence": {"verdict": "failed", "comparisons": [{"shadow": 1.5}]}},
        {"unmeasured_since": 1_795_342_600.5},
        {"request": '{"Name": "fraud-shadow"}'},
    ],
)
def test_everything_is_carried_over_as_json(member: dict[str, Any]) -> None:
    progress = Progress(started_at=1_795_342_500.25, **member)
    carried = json.loads(json.dumps(progress.carried()))
    assert Progress.read(carried, otherwise=0.0) == progress


def test_without_anything_carried_it_starts_now() -> None:
    assert Progress.read(None, otherwise=7.0) == Progress(started_at=7.0)


def test_what_another_version_carried_is_read_as_far_as_it_is_known() -> None:
    assert Progress.read({"StartedAt": 5.0, "OlderStop": True}, otherwise=7.0) == Progress(7.0)
    assert Progress.read({"started_at": 5.0}, otherwise=7.0) == Progress(5.0)


@pytest.mark.parametrize("missing", sorted(Progress(0.0).carried()))
def test_what_an_older_version_did_not_carry_starts_as_usual(missing: str) -> None:
    full = Progress(5.0, True, "0123abcd", 6.0, "no capacity", {"verdict": "failed"}, 7.0, "{}")
    carried = {name: value for name, value in full.carried().items() if name != missing}
    usual = {**full.carried(), missing: Progress(9.0).carried()[missing]}
    assert Progress.read(carried, otherwise=9.0).carried() == usual
