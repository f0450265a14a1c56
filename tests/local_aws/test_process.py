"""The local AWS ends with everything it started, however it is ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.waiting import eventually

from local_aws import LocalAws, LocalAwsError
from local_aws.environment import python_of

from .helpers import package

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import time\ndef handler(event, context): time.sleep(60)"


def alive(group: int) -> list[int]:
    """Return the living processes of a process group; zombies are dead."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def refuses(endpoint_url: str) -> bool:
    """Return whether nobody listens on a port any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(endpoint_url).port)) != 0


def run_function(aws: LocalAws) -> None:
    """Set a function going that would run for a minute."""
    role = aws.client("iam").create_role(
        RoleName="role", AssumeRolePolicyDocument=json.dumps({"Statement": []})
    )
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="sleeper",
        Runtime="python3.12",
        Handler="index.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": package(SLEEPER)},
        Timeout=60,
    )
    functions.invoke(FunctionName="sleeper", InvocationType="Event")
    assert eventually(lambda: len(alive(aws.pid)) > 1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("failing", [False, True])
def test_leaves_no_process_port_or_file_behind(failing: bool) -> None:
    with contextlib.suppress(ZeroDivisionError), LocalAws() as aws:
        run_function(aws)
        group, url = aws.pid, aws.endpoint_url
        folder = Path(aws.environment()["AWS_CA_BUNDLE"]).parent
        if failing:
            raise ZeroDivisionError
    assert alive(group) == []
    assert refuses(url)
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_runs_alone_until_its_parent_is_told_to_end_or_killed(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "local_aws", "--shadow-test", "fraud-shadow"]
    alone = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert alone.stdout is not None
    printed = {}
    for line in alone.stdout:
        if line.startswith("export "):
            name, value = line.removeprefix("export ").rstrip().split("=", 1)
            printed[name] = value.strip("'")
        if line.startswith("# running: "):
            break
    url = printed["AWS_ENDPOINT_URL"]
    group = next(
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _parent(stat) == alone.pid
    )
    os.kill(alone.pid, number)
    alone.wait(60)
    alone.stdout.close()
    assert alone.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert eventually(lambda: alive(group) == [] and refuses(url), 5)
    assert not Path(printed["AWS_CA_BUNDLE"]).exists()


def test_listens_on_loopback_only(aws: LocalAws) -> None:
    port = urlsplit(aws.endpoint_url).port
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as outward:
        try:
            outward.connect(("192.0.2.1", 9))  # Sends nothing; only chooses an address.
            address = outward.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but loopback")
    with socket.socket() as probe:
        assert probe.connect_ex((address, port)) != 0


def test_tells_why_it_did_not_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(LocalAwsError, match=r"its log ends with:[\s\S]*in use"),
            LocalAws(port=port),
        ):
            pass


def test_tells_how_to_make_a_missing_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_AWS_EMULATOR_PYTHON", "/absent/python")
    with pytest.raises(FileNotFoundError, match=r"make local-aws.*requirements-emulator\.txt"):
        python_of("emulator")


def test_refuses_an_unknown_setting_at_once() -> None:
    with pytest.raises(ValueError, match=r"unknown settings \['speed'\]"):
        LocalAws(speed=2)


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0
