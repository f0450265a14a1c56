"""The command line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..version import installed_version

STOP, PROMOTE, FAIL, NO_CHANGE = "stop", "promote", "fail", "no-change"
FAIL_ON = STOP, PROMOTE, FAIL, NO_CHANGE
TEXT, MARKDOWN, JSON = "text", "markdown", "json"

USAGE = 64
"""The exit status for a wrong argument, as in sysexits.h: 2 says that ``--fail-on`` holds."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print the usage, and exit with a status of its own."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; argparse exits if it is wrong."""
    parser = _Parser(
        prog="stop-inference-experiment",
        description="Shows what a deployment will do to the inference experiments of a stack. "
        "It only reads: it creates and executes no change set.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {installed_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_plan(commands.add_parser("plan", help="show what a deployment or a deletion will do"))
    status = commands.add_parser("status", help="show the state of the experiments of stacks")
    status.add_argument(
        "stacks", metavar="STACK", nargs="+", type=stack_name, help="a stack's name, ARN or path"
    )
    status.add_argument(
        "--fail-on",
        metavar="ends-within=TIME",
        dest="ends_within",
        type=_ends_within,
        help="exit with 2 if an experiment ends by itself within a time such as 90m, 24h or 2d",
    )
    _add_common(status)
    return parser.parse_args(arguments)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stack", metavar="STACK", type=stack_name, help="the stack's name, ARN or path"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--change-set",
        metavar="NAME",
        help="an existing change set, such as one of 'cdk deploy --method=prepare-change-set'",
    )
    what.add_argument("--destroy", action="store_true", help="the stack's deletion")
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        choices=FAIL_ON,
        help="exit with 2 if this will or may happen, or is not known, or with 3 on no-change; "
        "can be repeated",
    )
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--format", choices=(TEXT, MARKDOWN, JSON), default=TEXT, help="default: text"
    )
    output.add_argument(
        "--json", action="store_const", dest="format", const=JSON, help="the same as --format json"
    )
    parser.add_argument("--profile", help="the profile of the AWS configuration to use")
    parser.add_argument("--region", help="the region of the stack")


def stack_name(text: str) -> str:
    """The stack's name or ARN, also from what ``cdk ls`` shows: ``Prod/Test (Prod-Test)``."""
    if text.startswith("arn:"):
        return text
    path, _, name = text.strip().partition(" (")
    return name.rstrip(")") if name else path.strip("/").replace("/", "-")


def _ends_within(text: str) -> float:
    match = re.fullmatch(r"ends-within=(\d{1,9})([mhd])", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"must look like ends-within=24h, got '{text}'")
    return int(match[1]) * {"m": 60.0, "h": 3600.0, "d": 86400.0}[match[2]]
