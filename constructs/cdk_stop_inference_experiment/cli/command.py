"""Runs the command, and chooses its exit status."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Sequence

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from .arguments import JSON, MARKDOWN, parse_arguments
from .arguments import NO_CHANGE as ON_NO_CHANGE
from .document import of_plan, of_status
from .plan import Plan, plan_change_set, plan_destroy
from .printing import print_json, print_markdown, print_text
from .reading import CannotPlan, Reader
from .status import StackStatus, status_of

OK, ERROR, HOLDS, NO_CHANGE = 0, 1, 2, 3


def run(arguments: Sequence[str] | None) -> int:
    """Run the command; print an error on one line."""
    options = parse_arguments(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal may lack a character that a reason or a name has.
            stream.reconfigure(errors="replace")
    session: boto3.Session | None = None
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        if not session.region_name:
            raise NoRegionError
        if options.command == "status":
            return _status(session, options)
        return _plan(Reader(session), options)
    # OSError: a credential_process that is missing.
    except (BotoCoreError, CannotPlan, OSError) as error:
        print(f"error: {_line(error, session)}", file=sys.stderr)
        return ERROR


def _plan(reader: Reader, options: argparse.Namespace) -> int:
    plan = (
        plan_destroy(reader, options.stack)
        if options.change_set is None
        else plan_change_set(reader, options.stack, options.change_set)
    )
    _print(options.format, plan)
    if not plan.changes and ON_NO_CHANGE in options.fail_on:
        return NO_CHANGE
    wanted = [what for what in options.fail_on if what != ON_NO_CHANGE]
    return HOLDS if any(plan.may(what) for what in wanted) else OK


def _status(session: boto3.Session, options: argparse.Namespace) -> int:
    if len(options.stacks) == 1:
        stacks = [status_of(Reader(session), options.stacks[0])]
    else:
        stacks = [_status_or_error(session, name) for name in options.stacks]
    _print(options.format, stacks)
    if any(stack.error for stack in stacks):
        return ERROR
    soon = options.ends_within
    if soon is None:
        return OK
    at = time.time() + soon
    resources = (resource for stack in stacks for resource in stack.resources)
    return HOLDS if any(resource.may_end_before(at) for resource in resources) else OK


def _status_or_error(session: boto3.Session, name: str) -> StackStatus:
    try:
        return status_of(Reader(session), name)
    except CannotPlan as error:
        return StackStatus.failed(name, _line(error, session))


def _print(form: str, result: Plan | list[StackStatus]) -> None:
    if form == JSON:
        if isinstance(result, Plan):
            print_json(result.to_json())
        else:
            print_json([stack.to_json() for stack in result])
        return
    blocks = of_plan(result) if isinstance(result, Plan) else of_status(result)
    print_markdown(blocks) if form == MARKDOWN else print_text(blocks)


def _line(error: Exception, session: boto3.Session | None) -> str:
    """What went wrong, where, and what to do, on one line."""
    text = " ".join(str(error).split()).rstrip(".")
    if session is None:
        return f"{text}: use --profile with a name from the AWS configuration"
    place = [f"region {session.region_name or 'not set'}"]
    if isinstance(error, CannotPlan) and isinstance(error.__cause__, Exception):
        place.append(f"account {_account(session)}")
    place.append(f"profile {session.profile_name}")
    return f"{text} ({', '.join(place)}){_remedy(text, error)}"


_REMEDIES = {
    "does not exist": "check the name, the region and the account",
    "could not be found": "check the name, the region and the account",
    "ExpiredToken": "sign in again",
    "sso": "sign in with 'aws sso login'",
    "Unable to locate credentials": "sign in, or name a profile with --profile",
    "specify a region": "name one with --region",
    "AccessDenied": "the page 'The command' lists the permissions that it needs",
    "not authorized": "the page 'The command' lists the permissions that it needs",
    "Throttling": "run it again in a minute",
    "Rate exceeded": "run it again in a minute",
    "Could not connect": "check the network, the proxy and the region",
    "timeout": "check the network, the proxy and the region",
}


def _remedy(text: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return ": check 'credential_process' in the AWS configuration"
    remedies = (remedy for part, remedy in _REMEDIES.items() if part.lower() in text.lower())
    remedy = next(remedies, "")
    return f": {remedy}" if remedy else ""


def _account(session: boto3.Session) -> str:
    """The account of the credentials, if it can be asked in a moment."""
    config = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})
    try:
        return str(session.client("sts", config=config).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError, OSError):
        return "not known"
