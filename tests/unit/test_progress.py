"""The data that an invocation hands over to the next one."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.lifecycle.situation import Progress

FULL: dict[str, Any] = {
    "started_at": 1_795_342_500.25,
    "created": 1_795_256_100.5,
    "scheduled_end": 1_795_947_300.0,
    "in_doubt_since": 1_795_342_510.5,
    "tried": True,
    "sent": "0123abcd",
    "refused_at": 1_795_342_600.5,
    "failure_before": "no capacity",
    "evidence": {"verdict": "failed", "comparisons": [{"shadow": 1.5}]},
    "unmeasured_since": 1_795_342_601.5,
    "request": '{"Name": "fraud-shadow"}',
    "refusal": "StopInferenceExperiment: ConflictException",
}


def test_everything_is_carried_over_as_json() -> None:
    assert [*FULL] == [member.name for member in fields(Progress)]
    progress = Progress(**FULL)
    carried = json.loads(json.dumps(progress.as_input()))
    assert Progress.read(carried, otherwise=0.0) == progress


def test_without_anything_carried_it_starts_now() -> None:
    assert Progress.read(None, otherwise=7.0) == Progress(started_at=7.0)


def test_what_a_newer_version_carried_is_read_as_far_as_it_is_known() -> None:
    assert Progress.read({"Newer": 5.0, "started_at": 5.0}, otherwise=7.0) == Progress(5.0)


@pytest.mark.parametrize("missing", FULL)
def test_what_an_older_version_did_not_carry_starts_as_usual(missing: str) -> None:
    carried = {name: value for name, value in FULL.items() if name != missing}
    usual = {**FULL, missing: Progress(9.0).as_input()[missing]}
    assert Progress.read(carried, otherwise=9.0) == Progress(**usual)
