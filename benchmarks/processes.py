"""Runs a process and measures wall time, CPU and peak memory, at full speed or slowed down."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEAK", "Taken", "environment", "run", "run_slowed"]

PERIOD_SECONDS = 0.02
PEAK = "print(open('/proc/self/status').read())"
"""The last statement of a measured process, which prints its peak memory."""


@dataclass(frozen=True)
class Taken:
    """The measurements of a process.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of user and system time, including its children.
        peak_mb: Its peak memory in MiB; 0 unless it printed ``PEAK``'s line at its end, since the
            kernel's value for a child starts with that of its parent.
        printed: Its output, including errors.
    """

    wall: float
    cpu: float
    peak_mb: float
    printed: str = ""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return Lambda's variables that Python and botocore read, and none of the user's."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "stop",
        "POLLING_RULE_PREFIX": "stop-ie-0a1b-",
        **(extra or {}),
    }


def run(
    command: Sequence[str],
    variables: Mapping[str, str],
    cwd: Path | None = None,
) -> Taken:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; the message is its output.
    """
    return _measured(command, variables, cwd, share=1.0)


def run_slowed(command: Sequence[str], variables: Mapping[str, str], share: float) -> Taken:
    """Run a command with a share of one CPU: it is paused for the rest of each 20 ms.

    The pauses depend on its CPU time so far, so that a late pause is compensated.
    """
    return _measured(command, variables, None, share=share)


def _measured(
    command: Sequence[str], variables: Mapping[str, str], cwd: Path | None, *, share: float
) -> Taken:
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        env=dict(variables),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        if share < 1.0:
            _slow_down(process.pid, share)
        printed = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    text = printed.decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{list(command)} failed: {text[-3000:]}")
    peak = re.search(r"VmHWM:\s+(\d+) kB", text)
    peak_mb = int(peak[1]) / 1024 if peak else 0.0
    return Taken(wall, usage.ru_utime + usage.ru_stime, peak_mb, text)


def _slow_down(pid: int, share: float) -> None:
    """Pause and continue a process until it has ended; it is not reaped."""
    started = time.perf_counter()
    while (used := _cpu_seconds(pid)) is not None:
        ahead = used / share - (time.perf_counter() - started)
        if ahead > PERIOD_SECONDS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(min(ahead, 0.5))
                os.kill(pid, signal.SIGCONT)
        time.sleep(PERIOD_SECONDS * min(share, 0.1))


def _cpu_seconds(pid: int) -> float | None:
    """The CPU time of a process in nanosecond steps; None after it has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state in ("Z", "X"):
            return None
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return None
