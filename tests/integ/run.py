"""A run in one account: what it costs, what it makes, and how that is removed."""

from __future__ import annotations

import argparse
import contextlib
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.cdk_cli import CdkCli, CdkFailed

from .app import TAG, Plan, image_for, synthesise_endpoint
from .clean_up import left_of, remove

__all__ = ["INTERRUPTIONS", "CheckFailed", "Run", "Work", "argument_parser", "main"]

Json = dict[str, Any]
# boto3 creates its clients at run time, without types.
Client: TypeAlias = Any

HOURS = 4
"""A run that has not ended by then ends itself: what it costs has an upper bound."""

_INSTANCES = 6
"""At most: one and two of two variants, and twice as many while SageMaker updates the endpoint."""

_USD = 0.10
"""Per instance and hour. An assumption above what ml.t2.medium costs in most regions."""

_PRICES = "https://aws.amazon.com/sagemaker/ai/pricing/"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PREFIX = re.compile("stop-integ-[0-9a-f]{8}")
_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"


Work: TypeAlias = Callable[["Run", argparse.Namespace], None]


class CheckFailed(AssertionError):
    """Something is not as this library says."""


class TimeIsUp(RuntimeError):
    """Something took longer than it may."""


class Run:
    """One run in one account.

    Attributes:
        plan: Its names, account and region.
        session: The user's.
        folder: For what is synthesised.
        poll_seconds: Between two looks.
        configs: The endpoint configurations that the endpoint has had.
    """

    def __init__(
        self, plan: Plan, session: boto3.Session, *, folder: Path, poll_seconds: float
    ) -> None:
        self.plan = plan
        self.session = session
        self.folder = folder
        self.sagemaker: Client = session.client("sagemaker")
        self.cloudformation: Client = session.client("cloudformation")
        self.configs: set[str] = set()
        self.poll_seconds = poll_seconds
        self._began = time.monotonic()
        self._apps = 0

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment of the CDK CLI: the user's."""
        return dict(base)

    def say(self, text: str) -> None:
        """Print a line, with the time since the beginning."""
        # A terminal that has gone must not keep what was made from being removed.
        with contextlib.suppress(OSError):
            print(f"{time.monotonic() - self._began:7.0f} s  {text}", flush=True)

    def check(self, holds: bool, text: str) -> None:
        """Print what holds; raise if it does not."""
        if not holds:
            raise CheckFailed(text)
        self.say(f"ok  {text}")

    def wait(self, done: Callable[[], bool], what: str, *, every: float | None = None) -> None:
        """Wait until something is done.

        Args:
            done: Whether it is.
            what: In words.
            every: Seconds between two looks. Default: ``poll_seconds``.

        Raises:
            TimeIsUp: The run has taken longer than it may.
        """
        while not done():
            self._in_time(what)
            time.sleep(self.poll_seconds if every is None else every)

    def pause(self) -> None:
        """Give AWS a minute for what comes late; less where it is looked at more often."""
        time.sleep(6 * self.poll_seconds)

    def new_folder(self) -> Path:
        """A folder for the next app."""
        self._apps += 1
        return self.folder / str(self._apps)

    def cdk(self, app: Path, *arguments: str) -> str:
        """Run the CDK CLI on a synthesised app, and return its output."""
        self._in_time(arguments[0])
        self.say(f"cdk {' '.join(arguments)}")
        return CdkCli(self, app=app, output=app, short_waits=False).run(*arguments)

    def deploy(self, app: Path, stacks: str, *options: str) -> None:
        """Deploy a stack, or ``--all`` of them, with the CDK CLI."""
        self.cdk(app, "deploy", stacks, "--require-approval=never", *options)

    def make_endpoint(self) -> None:
        """Deploy the endpoint of the run."""
        app = self.new_folder()
        self.deploy(app, synthesise_endpoint(self.plan, app))

    def endpoint(self) -> Json:
        """The endpoint as SageMaker describes it."""
        found: Json = self.sagemaker.describe_endpoint(EndpointName=self.plan.endpoint)
        self.configs.add(found["EndpointConfigName"])
        return found

    def serving(self) -> dict[str, list[str]]:
        """The variants that the endpoint serves, production and shadow apart."""
        name = self.endpoint()["EndpointConfigName"]
        config = self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        lists = {"production": "ProductionVariants", "shadow": "ShadowProductionVariants"}
        return {
            kind: [variant["VariantName"] for variant in config.get(member, [])]
            for kind, member in lists.items()
        }

    def settle(self) -> None:
        """Wait until the endpoint is not being updated."""
        flux = ("Creating", "Updating", "SystemUpdating", "RollingBack")
        self.wait(lambda: self.endpoint()["EndpointStatus"] not in flux, "the endpoint")

    def _in_time(self, what: str) -> None:
        if time.monotonic() - self._began > HOURS * 3600:
            raise TimeIsUp(f"{HOURS} hours are over; the next was {what}")


def main(parser: argparse.ArgumentParser, work: Work, arguments: list[str] | None = None) -> int:
    """Ask, do the work, and remove everything that was made, whatever happens.

    Args:
        parser: Of ``argument_parser``.
        work: What to do.
        arguments: Of the command line. Default: this process's.

    Returns:
        0 if everything was as it should be, 1 if not, 2 for a refusal, 130 for an interruption.
    """
    options = parser.parse_args(arguments)
    session = boto3.Session()
    try:
        plan = _plan(options, session)
    except (BotoCoreError, ClientError) as error:
        plan = str(error)
    if isinstance(plan, str):
        print(f"error: {plan}", file=sys.stderr)
        return 2
    if not options.clean_up and not _agreed(plan):
        print("Nothing was made.")
        return 2
    # SIGTERM and the end of the terminal interrupt like Ctrl-C.
    for number in INTERRUPTIONS:
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(plan, session, folder=Path(folder), poll_seconds=options.poll_seconds)
        return _removed(run) if options.clean_up else _worked(run, work, options)


def _worked(run: Run, work: Work, options: argparse.Namespace) -> int:
    ended = 1
    try:
        work(run, options)
        ended = 0
    except CheckFailed as error:
        run.say(f"NOT AS DECLARED  {error}")
    except (CdkFailed, TimeIsUp, BotoCoreError, ClientError) as error:
        run.say(f"FAILED  {error}")
    except KeyboardInterrupt:
        run.say("interrupted")
        ended = 130
    finally:
        removed = _removed(run)
    return ended or removed


def _removed(run: Run) -> int:
    """Remove what the run has made, and say what is left."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    prefix = run.plan.prefix
    run.say(f"removing everything that {prefix} has made; this cannot be interrupted")
    try:
        remove(run.session, prefix, run.configs, run.say, poll_seconds=run.poll_seconds)
        left = ", ".join(left_of(run.session, prefix))
    except (BotoCoreError, ClientError) as error:
        # Such as credentials that have expired.
        left = f"unknown: {error}"
    run.say(f"left behind: {left or 'nothing'}")
    if left:
        run.say(f"remove it: {_clean_up_command(run.plan)}")
    return 1 if left else 0


def _clean_up_command(plan: Plan) -> str:
    return f"python -m tests.integ --account {plan.account} --clean-up {plan.prefix}"


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every script."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog="It uses the credentials and the region of boto3: AWS_PROFILE, AWS_REGION. "
        "tests/integ/README.md has the rest.",
    )
    parser.add_argument(
        "--account", required=True, help="the account's id: nothing is made in any other"
    )
    parser.add_argument(
        "--instance-type", default="ml.t2.medium", help="of both variants (default: %(default)s)"
    )
    parser.add_argument(
        "--image", help="the container of both models (default: AWS's scikit-learn container)"
    )
    parser.add_argument(
        "--poll-seconds", type=float, default=10.0, help="between two looks (default: 10)"
    )
    parser.add_argument(
        "--clean-up",
        metavar="PREFIX",
        help="only remove what a run has made that was killed, by the prefix that it printed",
    )
    return parser


def _plan(options: argparse.Namespace, session: boto3.Session) -> Plan | str:
    """The run's plan, or why there is none."""
    region = session.region_name
    if region is None:
        return "no region: set AWS_REGION"
    caller = session.client("sts").get_caller_identity()
    if caller["Account"] != options.account:
        return f"'--account' is {options.account}, and the credentials are of {caller['Account']}"
    image = options.image or image_for(region)
    if image is None:
        return f"AWS does not say where its containers are in {region}: pass one with '--image'"
    prefix = options.clean_up or f"stop-integ-{secrets.token_hex(4)}"
    if not _PREFIX.fullmatch(prefix):
        return f"'--clean-up' is {prefix!r}, which is no prefix of a run"
    ssm = session.client("ssm")
    try:
        ssm.get_parameter(Name=_BOOTSTRAP)
    except ssm.exceptions.ParameterNotFound:
        return f"{region} is not bootstrapped: run 'cdk bootstrap aws://{options.account}/{region}'"
    return Plan(prefix, options.account, region, image, options.instance_type)


def _agreed(plan: Plan) -> bool:
    most = f"{HOURS * _INSTANCES * _USD:.2f} USD"
    product = f"{HOURS} hours x {_INSTANCES} instances x {_USD:.2f} USD"
    print(
        f"""\
In account {plan.account}, region {plan.region}, this makes roles, two models, an endpoint on one
{plan.instance_type}, shadow tests on one or two more, one after the other, and Lambda functions.
Their names begin with {plan.prefix}, and they have the tag {TAG}.
At the end they are removed, except what 'cdk deploy' uploads to the bootstrap bucket. If this
process is killed: {_clean_up_command(plan)}
An estimate: about 2 hours, and at most {most}: {product}.
{_PRICES} has the price in your region.
Type yes to go on: """,
        end="",
        flush=True,
    )
    return sys.stdin.readline().strip() == "yes"
