"""What `make local-aws` prints works in another shell: anywhere, and more than once."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_aws.environment import python_of

ROOT = Path(__file__).resolve().parents[2]
RUNNING = "# running: arn:aws:sagemaker:us-east-1:000000000000:inference-experiment/{}"
Ran = subprocess.CompletedProcess[str]


@contextmanager
def printed(*options: str, last: str = "# Ctrl-C") -> Iterator[list[str]]:
    """The lines that a local AWS prints, up to the last one; it ends with the block."""
    command = [sys.executable, "-m", "local_aws", *options]
    alone = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert alone.stdout is not None
    lines = []
    try:
        for line in alone.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith(last):
                break
        yield lines
    finally:
        alone.terminate()
        alone.wait(60)
        alone.stdout.close()


def pasted(lines: list[str], command: str, folder: Path) -> Ran:
    """Run a command in a shell of a folder, with no Python on its path, after pasting lines."""
    return subprocess.run(
        ["/bin/sh", "-c", "\n".join([*lines, command])],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "AWS_PROFILE": "mine"},
        text=True,
        capture_output=True,
        check=False,
    )


def hint(lines: list[str]) -> str:
    """The command that the lines recommend."""
    (found,) = [line.removeprefix("#   ") for line in lines if line.startswith("#   ")]
    return found


def experiment(ran: Ran) -> str:
    """The one experiment that a command made."""
    assert ran.returncode == 0, ran.stderr
    (arn,) = ran.stdout.split()
    return arn.rpartition("/")[2]


def test_the_hint_makes_one_shadow_test_after_another_from_any_folder(tmp_path: Path) -> None:
    with printed() as lines:
        command = hint(lines)
        made = [experiment(pasted(lines, command, tmp_path)) for _ in range(3)]
        assert made == ["fraud-shadow", "fraud-shadow-2", "fraud-shadow-3"]
        several = pasted(lines, f"{command} one two", tmp_path)
        assert [arn.rpartition("/")[2] for arn in several.stdout.split()] == ["one", "two"]
        taken = pasted(lines, f"{command} one", tmp_path)
        assert taken.returncode == 1
        assert taken.stderr.startswith("error: ")
        assert "one" in taken.stderr
        assert "Traceback" not in taken.stderr


def test_a_shadow_test_has_the_traffic_of_the_options(tmp_path: Path) -> None:
    options = ("--shadow-test", "other", "--requests", "100", "--latency-ms", "40", "60")
    ask = """
import time, boto3
cloudwatch, end = boto3.client("cloudwatch"), time.time() // 3600 * 3600
for variant in ("production", "shadow"):
    names = [{"Name": "EndpointName", "Value": "other"}, {"Name": "VariantName", "Value": variant}]
    answer = cloudwatch.get_metric_data(
        StartTime=end - 3600, EndTime=end, MetricDataQueries=[{"Id": "a", "MetricStat": {
            "Period": 3600, "Stat": "p99", "Metric": {"Namespace": "AWS/SageMaker",
            "MetricName": "ModelLatency", "Dimensions": names}}}])
    print(answer["MetricDataResults"][0]["Values"])
"""
    with printed(*options, last=RUNNING.format("other")) as lines:
        told = pasted(lines, shlex.join([sys.executable, "-c", ask]), tmp_path)
        assert told.stdout.splitlines() == ["[40000.0]", "[60000.0]"], told.stderr
        # And so have those that the printed command creates.
        assert experiment(pasted(lines, f"{hint(lines)} another", tmp_path)) == "another"
        ask = ask.replace("other", "another")
        told = pasted(lines, shlex.join([sys.executable, "-c", ask]), tmp_path)
        assert told.stdout.splitlines() == ["[40000.0]", "[60000.0]"], told.stderr


@pytest.mark.parametrize("endpoint", [None, "https://sagemaker.us-east-1.amazonaws.com"])
def test_makes_no_shadow_test_in_a_shell_that_is_not_set_up_for_the_local_aws(
    endpoint: str | None,
) -> None:
    environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
    command = shlex.join([sys.executable, "-m", "local_aws.shadow_test"])
    ran = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env={**environment, **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})},
        text=True,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "paste the lines that 'make local-aws' printed" in ran.stderr


def test_tells_when_the_local_aws_has_ended(tmp_path: Path) -> None:
    with printed() as lines:
        pass
    ran = pasted(lines, hint(lines), tmp_path)
    assert ran.returncode == 1
    assert "error: no local AWS listens on https://127.0.0.1:" in ran.stderr


def test_an_interpreter_of_another_environment_is_told_which_one_to_use() -> None:
    ran = subprocess.run(
        [python_of("lambda"), "-m", "local_aws"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "has no module 'trustme': run 'make environments'" in ran.stderr
    assert "Traceback" not in ran.stderr
