"""The real CDK CLI against a running local AWS."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

__all__ = ["Account", "CdkCli", "CdkFailed", "with_short_waits"]

_ROOT = Path(__file__).resolve().parent.parent
_SHORT_WAITS = Path(__file__).with_name("short_waits.cjs")


class CdkFailed(RuntimeError):
    """The CLI ended with an error; the message is its output."""


def with_short_waits(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the CLI does not wait longer than the local AWS takes."""
    options = f"{environment.get('NODE_OPTIONS', '')} --require {_SHORT_WAITS}"
    return {**environment, "NODE_OPTIONS": options.strip()}


class Account(Protocol):
    """The account that the CLI deploys to, such as a running ``LocalAws``."""

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a program that uses it."""


class CdkCli:
    """Runs ``cdk`` like a user.

    Args:
        aws: The account.
        app: The app, or a folder with a synthesised app. Default: the repository's ``app.py``.
        output: Where the app is synthesised to.
        cwd: Where the CLI runs and looks for ``cdk.json``. Default: the repository.
        short_waits: Whether it asks more often how a deployment stands. Default: True.
    """

    def __init__(
        self,
        aws: Account,
        *,
        output: Path,
        app: Path | None = None,
        cwd: Path | None = None,
        short_waits: bool = True,
    ) -> None:
        environment = aws.environment(os.environ)
        self._environment = with_short_waits(environment) if short_waits else environment
        self._output = output
        self._cwd = cwd or _ROOT
        app = app or _ROOT / "app.py"
        command = [sys.executable, str(app)] if app.suffix == ".py" else [str(app)]
        self._app = shlex.join(command) if len(command) > 1 else command[0]

    def bootstrap(self) -> str:
        """Prepare the account for deployments, without an app, which would be synthesised."""
        with tempfile.TemporaryDirectory() as folder:
            options = ("--no-notices", "--no-version-reporting")
            return self._run(Path(folder), "bootstrap", "aws://000000000000/us-east-1", *options)

    def deploy(self, *, context: Mapping[str, str] | None = None) -> str:
        """Deploy every stack of the app."""
        return self.run("deploy", "--all", "--require-approval=never", context=context)

    def destroy(self, *, context: Mapping[str, str] | None = None) -> str:
        """Delete every stack of the app."""
        return self.run("destroy", "--all", "--force", context=context)

    def run(self, *arguments: str, context: Mapping[str, str] | None = None) -> str:
        """Run a command of the CLI.

        Args:
            arguments: The command and its options.
            context: Entries of the app's context, as ``-c`` passes them.

        Returns:
            Its output.

        Raises:
            CdkFailed: It ended with an error.
        """
        command = [*arguments, "--app", self._app, "--output", str(self._output)]
        for key, value in (context or {}).items():
            command += ["--context", f"{key}={value}"]
        return self._run(self._cwd, *command)

    def _run(self, cwd: Path, *arguments: str) -> str:
        ran = subprocess.run(
            [str(_ROOT / "node_modules" / ".bin" / "cdk"), *arguments, "--ci"],
            cwd=cwd,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if ran.returncode != 0:
            raise CdkFailed(f"'cdk {' '.join(arguments)}' failed:\n{ran.stdout}")
        return ran.stdout
