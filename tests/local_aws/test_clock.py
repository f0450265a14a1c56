"""A clock that runs faster than the real one, for services and functions alike."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import LocalAws, LocalAwsError

from . import functions

SCALE = 100.0
CLOCK = """
import json, time, urllib.request
def handler(event, context):
    began, monotonic = time.time(), time.monotonic()
    time.sleep(50)
    print("done")
    return {
        "time": began,
        "slept": time.time() - began,
        "monotonic": time.monotonic() - monotonic,
        "left": context.get_remaining_time_in_millis() / 1000,
    }
"""
ENDLESS = """
import time
def handler(event, context):
    while True:
        time.sleep(1)
"""


@pytest.fixture(scope="module")
def fast_aws() -> Iterator[LocalAws]:
    """A local AWS on which a minute and forty seconds pass in a second."""
    with LocalAws(clock_scale=SCALE, start_seconds=1, stop_seconds=100) as aws:
        yield aws


@pytest.fixture
def aws(fast_aws: LocalAws) -> LocalAws:
    """The fast local AWS without any resource."""
    fast_aws.reset()
    return fast_aws


def invoke(aws: LocalAws) -> dict[str, Any]:
    """What the function returned."""
    answer = aws.client("lambda").invoke(FunctionName="function")
    returned: dict[str, Any] = json.load(answer["Payload"])
    return returned


def test_a_function_sees_and_spends_scaled_time(aws: LocalAws) -> None:
    functions.make_function(aws, CLOCK, Timeout=900)
    seen = invoke(aws)
    assert 50 <= seen["slept"] < 300
    assert 50 <= seen["monotonic"] < 300
    assert 500 < seen["left"] <= 850
    assert seen["time"] > time.time()


def test_a_function_is_ended_when_its_scaled_time_is_over(aws: LocalAws) -> None:
    functions.make_function(aws, ENDLESS, Timeout=120)
    assert invoke(aws)["errorType"] == "Sandbox.Timedout"


def test_the_scale_is_fixed_once_the_local_aws_has_started(aws: LocalAws) -> None:
    with pytest.raises(LocalAwsError, match="'clock_scale' is fixed at the start"):
        aws.configure(clock_scale=2.0)


@pytest.mark.parametrize(
    ("name", "scaled"), [("stop-inference-experiment", True), ("other-command", False)]
)
def test_the_projects_command_sees_the_scaled_time_and_others_do_not(
    aws: LocalAws, tmp_path: Path, name: str, scaled: bool
) -> None:
    script = tmp_path / name
    script.write_text("import time\nprint(time.time())", encoding="utf-8")
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("print('the one of the user')", encoding="utf-8")
    environment = aws.environment({"PYTHONPATH": str(tmp_path)})
    before = now_on(aws)
    said = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[0] == "the one of the user"
    # The local AWS's time is ahead of the real one.
    assert (before <= float(said[1]) <= now_on(aws)) == scaled


def now_on(aws: LocalAws) -> float:
    """The local AWS's time."""
    aws.client("sagemaker").list_models()
    return aws.calls("ListModels")[-1].time
