"""Runs the histories in an account: ``python -m tests.integ --account ID``."""

from __future__ import annotations

import argparse
import sys

from .histories import HISTORIES, History
from .run import Run, argument_parser, main


def run_histories(run: Run, _options: argparse.Namespace) -> None:
    """Make an endpoint, and let each history run on it."""
    run.make_endpoint()
    for name, history in HISTORIES.items():
        run.say(f"{name}: {history.__doc__}")
        history(History(run, name))


if __name__ == "__main__":
    description = "Runs the main job of this library in an AWS account."
    sys.exit(main(argument_parser(description), run_histories))
