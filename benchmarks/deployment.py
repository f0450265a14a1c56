"""Deploy, update and destroy through the real CDK CLI on the local AWS, in real time.

Our stack and AwsCustomResource's alternate. crhelper's waits for more than ten minutes, so it runs
on a faster clock: it polls, it sleeps for two minutes before each answer to a Delete, and it gets a
Delete after its update, since it gives the resource a new physical id.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, CdkFailed
from local_aws.shadow_test import create_shadow_test

from .contestants.__main__ import EXPERIMENT, NODE_VARIABLES, REASON, STACK_NAME
from .contestants.declaration import UNDECIDED
from .stats import Series, ratios, series
from .synth import synthesise

__all__ = ["measure"]

Json = dict[str, Any]
STOP_SECONDS = 3.0
CRHELPER_SCALE = 20.0
PHASES = ("deploy", "update", "destroy")
NODE = Path(__file__).with_name("node")
IN_TURN = ("ours", "AwsCustomResource")


def measure(*, runs: int, with_crhelper: bool) -> Json:
    """Run every contestant's deployments, ``runs`` times if it does not wait."""
    _install_node_sdk()
    lives: dict[str, list[Json]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        with LocalAws(stop_seconds=STOP_SECONDS) as aws:
            _bootstrap(aws, Path(folder))
            for number in range(1, runs + 1):
                for contestant in IN_TURN:
                    lives[contestant].append(_life(aws, Path(folder), contestant, number))
        if with_crhelper:
            with LocalAws(stop_seconds=STOP_SECONDS, clock_scale=CRHELPER_SCALE) as aws:
                _bootstrap(aws, Path(folder))
                label = f"crhelper, clock {CRHELPER_SCALE:g} times as fast"
                lives[label].append(_life(aws, Path(folder), "crhelper", 0))
    return {
        "stop_seconds": STOP_SECONDS,
        "rows": [_told(contestant, found) for contestant, found in lives.items()],
        "ratios": {phase: _ratio(lives, phase) for phase in PHASES},
    }


def _bootstrap(aws: LocalAws, root: Path) -> None:
    app = _synthesised(aws, root, "ours", 0, UNDECIDED)
    CdkCli(aws, app=app, output=root / "bootstrap").bootstrap()


def _install_node_sdk() -> None:
    """Install the SDK of AWS's Node runtimes from the lock file, once."""
    if not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True)


def _life(aws: LocalAws, root: Path, contestant: str, number: int) -> Json:
    """Deploy, update and destroy one stack; return seconds and final status by phase."""
    name = _name(contestant, number)
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker, name, endpoint_name=name)
    before = _synthesised(aws, root, contestant, number, UNDECIDED)
    after = _synthesised(aws, root, contestant, number, "now")
    arguments = ("--all", "--require-approval=never")
    life: Json = {}
    for phase, app in (("deploy", before), ("update", after), ("destroy", after)):
        # The CLI waits as it does for AWS: a user would, too.
        cli = CdkCli(aws, app=app, output=root / f"{name}-cli", short_waits=False)
        started = time.perf_counter()
        try:
            _ = cli.destroy() if phase == "destroy" else cli.run("deploy", *arguments)
            life[f"{phase} outcome"] = "ok"
        except CdkFailed as error:
            life[f"{phase} outcome"] = str(error)[-300:]
        life[phase] = time.perf_counter() - started
        status = sagemaker.describe_inference_experiment(Name=name)["Status"]
        life[f"{phase} status"] = status
    return life


def _synthesised(aws: LocalAws, root: Path, contestant: str, number: int, reason: str) -> Path:
    output = root / f"{contestant}-{number}-{reason}"
    # ministack uses the leaf certificate for Node, which Node refuses.
    trusted = aws.environment()["NODE_EXTRA_CA_CERTS"]
    variables = {"NODE_PATH": str(NODE / "node_modules"), "NODE_EXTRA_CA_CERTS": trusted}
    name = _name(contestant, number)
    extra = {
        STACK_NAME: name,
        EXPERIMENT: name,
        REASON: reason,
        NODE_VARIABLES: json.dumps(variables),
    }
    synthesise(contestant, 1, output, extra)
    return output


def _name(contestant: str, number: int) -> str:
    return f"{contestant}-{number}".replace(" ", "-")


def _told(contestant: str, lives: list[Json]) -> Json:
    row: Json = {"contestant": contestant}
    for phase in PHASES:
        row[phase] = series([float(life[phase]) for life in lives])
        row[f"{phase} outcome"] = sorted({str(life[f"{phase} outcome"]) for life in lives})
        row[f"{phase} status"] = sorted({str(life[f"{phase} status"]) for life in lives})
    return row


def _ratio(lives: dict[str, list[Json]], phase: str) -> Series:
    theirs, ours = ([float(life[phase]) for life in lives[name]] for name in IN_TURN[::-1])
    return ratios(theirs, ours)
