"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

FAIL_ON = "stop", "promote", "fail"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; argparse exits if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="stop-inference-experiment",
        description="Shows what a deployment will do to the inference experiments of a stack. "
        "It only reads: it creates and executes no change set.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_plan(commands.add_parser("plan", help="show what a deployment or a deletion will do"))
    status = commands.add_parser("status", help="show the state of the experiments of stacks")
    status.add_argument("stacks", metavar="STACK", nargs="+", help="a stack's name or ARN")
    _add_common(status)
    return parser.parse_args(arguments)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name or ARN")
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
        help="exit with 2 if this will or may happen, or is not known; can be repeated",
    )
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--profile", help="the profile of the AWS configuration to use")
    parser.add_argument("--region", help="the region of the stack")
