"""What an invocation hands over to the next one."""

from __future__ import annotations

import json

import pytest

from cdk_stop_inference_experiment_handler.runtime.waiting import Progress


@pytest.mark.parametrize("member", ["stop_tried", "stop_sent", "seen_unfinished", "older_stop"])
def test_everything_is_carried_over_as_json(member: str) -> None:
    progress = Progress(started_at=1_795_342_500.25, **{member: True})
    carried = json.loads(json.dumps(progress.carried()))
    assert Progress.read(carried, otherwise=0.0) == progress


def test_without_anything_carried_it_starts_now() -> None:
    assert Progress.read(None, otherwise=7.0) == Progress(started_at=7.0)
