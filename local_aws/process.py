"""Starts the emulator as a child process, and ends it with everything that it started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from pathlib import Path

__all__ = ["EmulatorProcess", "LocalAwsError"]

_ROOT = Path(__file__).resolve().parent.parent
_LOG_TAIL_CHARACTERS = 3000


class LocalAwsError(RuntimeError):
    """The local AWS could not be started, or refused a request."""


class EmulatorProcess:
    """A process in its own process group, which prints its port when it is ready.

    Its standard input stays open as long as this process lives; when it is closed, the child knows
    that this process has ended, even if it was killed.
    """

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        """Start the process.

        Args:
            command: The program and its arguments.
            environment: The whole environment.
            log: The file for its standard error.
        """
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its group."""
        return self._process.pid

    def wait_until_ready(self, timeout_seconds: float) -> int:
        """Return the port it serves on.

        Raises:
            LocalAwsError: It ended or took too long; the message has the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        line = b""
        while not line.endswith(b"\n"):
            part = self._read(deadline - time.monotonic())
            if not part:
                what = "ended" if part is not None else f"was not ready in {timeout_seconds:g} s"
                raise LocalAwsError(f"the local AWS {what}; its log ends with:\n{self.log_tail()}")
            line += part
        return int(line)

    def log_tail(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def stop(self, grace_seconds: float = 1.0) -> None:
        """End the process and everything it started: first with SIGTERM, then with SIGKILL.

        The process is only reaped after its group has been killed, so that its id cannot have been
        reused by then.
        """
        if self._process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while self._read(deadline - time.monotonic()):
            pass  # Its standard output ends when it does.
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, timeout_seconds: float) -> bytes | None:
        """Return what its standard output has: empty at its end, None if the time is up."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        readable, _, _ = select.select([descriptor], [], [], max(0.0, timeout_seconds))
        return os.read(descriptor, 1024) if readable else None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
