"""The emulator's command line, written by the parent process and read here."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from local_aws.settings import Settings

__all__ = ["Options", "parse_options"]


@dataclass(frozen=True)
class Options:
    """The emulator's options."""

    port: int
    certificate: Path
    key: Path
    ca_bundle: Path
    lambda_python: Path
    settings: Settings


def parse_options(arguments: list[str] | None = None) -> Options:
    """Return the options given on the command line."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose a free one")
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--ca-bundle", type=Path, required=True)
    parser.add_argument("--lambda-python", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON")
    given = vars(parser.parse_args(arguments))
    settings = Settings().changed(given.pop("settings"))
    return Options(settings=settings, **given)
