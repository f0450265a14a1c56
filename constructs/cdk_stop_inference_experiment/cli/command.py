"""Runs the command, and chooses its exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import boto3
from botocore.exceptions import BotoCoreError

from .arguments import parse_arguments
from .plan import Plan, plan_change_set, plan_destroy
from .printing import print_json, print_plan, print_status
from .reading import CannotPlan, Reader
from .status import status_of

FAILED_ON = 2


def run(arguments: Sequence[str] | None) -> int:
    """Run the command; print a wrong argument or an error of AWS on one line."""
    options = parse_arguments(arguments)
    try:
        reader = Reader(boto3.Session(profile_name=options.profile, region_name=options.region))
        if options.command == "status":
            states = [status_of(reader, stack) for stack in options.stacks]
            print_json([state.to_json() for state in states]) if options.json else print_status(
                states
            )
            return 0
        plan = _plan(reader, options.stack, options.change_set)
    except (BotoCoreError, CannotPlan) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print_json(plan.to_json()) if options.json else print_plan(plan)
    return FAILED_ON if any(plan.may(what) for what in options.fail_on) else 0


def _plan(reader: Reader, stack: str, change_set: str | None) -> Plan:
    if change_set is None:
        return plan_destroy(reader, stack)
    return plan_change_set(reader, stack, change_set)
