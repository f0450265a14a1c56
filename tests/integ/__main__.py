"""Runs the histories in an account: ``python -m tests.integ --account ID``."""

from __future__ import annotations

import sys

from .histories import HISTORIES, History
from .run import Run, main


def run_histories(run: Run) -> None:
    """Make an endpoint, and let each history run on it."""
    run.make_endpoint()
    for name, history in HISTORIES.items():
        run.say(f"{name}: {history.__doc__}")
        history(History(run, name))


if __name__ == "__main__":
    sys.exit(main("Runs the main job of this library in an AWS account.", run_histories))
