"""The cold start of the function: wall, CPU, memory, where the time goes, and which memory size."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdk_stop_inference_experiment.handler_code import (
    HANDLER,
    MODELS_PATH,
    MODELS_VARIABLE,
    code_archive,
)
from cdk_stop_inference_experiment_handler.runtime.waiting import INSIDE_SECONDS
from local_aws.environment import python_of

from .contestants.code import copy_crhelper_readme
from .prices import waiting_dollars
from .processes import PEAK, Taken, environment, run, run_slowed
from .stats import percentile, ratios, series

__all__ = ["VARIANTS", "composition", "measure", "parts"]

Json = dict[str, Any]
_CHILD = str(Path(__file__).with_name("cold_child.py"))
VCPU_MB = 1769
"""One vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html."""

MEMORY_MB = (128, 192, 256, 384, 512, 1024, 1769)
SLOWED_MB = (128, 256, 512, 1024)
VARIANTS = (
    "empty Python",
    "import boto3",
    "ours, import",
    "crhelper, import",
    "ours, first answer",
    "crhelper, first answer",
    "crhelper without clients, first answer",
)
WITHOUT_CLIENTS = {"AWS_SAM_LOCAL": "true"}
"""If crhelper believes that it runs under SAM local, it creates no clients. A README-style handler
without them is the lower bound: no handler on crhelper can answer sooner."""

PARTS = (
    "Python",
    "boto3 and what it needs",
    "standard library",
    "crhelper",
    "handler",
    "the rest",
)
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_STARTED = "site"
_FLOOR = "crhelper without clients"
COMPARED = (("ours", "import"), ("ours", "first answer"), (_FLOOR, "first answer"))
"""What crhelper is compared with."""


def measure(*, runs: int) -> Json:
    """Measure every variant alternately, ``runs`` times."""
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(Path(folder))
        taken: dict[str, list[Taken]] = defaultdict(list)
        for number in range(runs + 1):
            for name, command in commands.items():
                result = run(command, environment(_variables(name, Path(folder))))
                if number:  # The first round warms the disk cache.
                    taken[name].append(result)
        split = {
            who: composition(
                commands[f"{who}, import"],
                environment(_variables(who, Path(folder))),
                taken[f"{who}, import"],
            )
            for who in ("ours", "crhelper")
        }
        variables = environment(_variables("ours", Path(folder)))
        slowed = _slowed(commands["ours, first answer"], variables, max(1, runs // 7))
    return {
        "variants": {name: _told(taken[name]) for name in commands},
        "ratios": {
            f"crhelper / {who}, {what}": {
                member: ratios(*_pairs(taken, who, what, member))
                for member in ("wall", "cpu", "peak_mb")
            }
            for who, what in COMPARED
        },
        "composition": split,
        "memory": _memory_curve(taken["ours, first answer"], slowed),
    }


def _commands(folder: Path) -> dict[str, list[str]]:
    """Only source files, as deployed: Lambda's disk is read-only, so there is no cache."""
    ours, theirs = folder / "ours", folder / "crhelper"
    ours.mkdir()
    zipfile.ZipFile(io.BytesIO(code_archive())).extractall(ours)
    copy_crhelper_readme(theirs)
    python = [str(python_of("lambda").absolute()), "-s", "-B"]
    module = HANDLER.rpartition(".")[0]
    call = {"ours": [str(ours), module], "crhelper": [str(theirs), "index"]}
    return {
        "empty Python": [*python, "-c", PEAK],
        "import boto3": [*python, "-c", f"import boto3; {PEAK}"],
        **{f"{who}, import": [*python, _CHILD, *rest] for who, rest in call.items()},
        **{
            f"{who}, first answer": [*python, _CHILD, *rest, "answer"]
            for who, rest in {**call, _FLOOR: call["crhelper"]}.items()
        },
    }


def _variables(name: str, folder: Path) -> dict[str, str]:
    """The environment of a contestant's function; each runs as its template says."""
    if name.startswith("ours"):
        return {MODELS_VARIABLE: MODELS_PATH, "LAMBDA_TASK_ROOT": str(folder / "ours")}
    return WITHOUT_CLIENTS if name.startswith(_FLOOR) else {}


def _told(taken: Sequence[Taken]) -> Json:
    return {
        "wall": series([one.wall for one in taken]),
        "cpu": series([one.cpu for one in taken]),
        "peak_mb": series([one.peak_mb for one in taken]),
    }


def _pairs(
    taken: dict[str, list[Taken]], who: str, what: str, member: str
) -> tuple[list[float], list[float]]:
    above, below = (
        [float(getattr(one, member)) for one in taken[f"{name}, {what}"]]
        for name in ("crhelper", who)
    )
    return above, below


def composition(
    command: Sequence[str], variables: Mapping[str, str], taken: Sequence[Taken]
) -> dict[str, float]:
    """Split the median import into parts, in CPU seconds, by ``-X importtime``'s self times.

    The report slows imports down, so only its shares are used. Time outside of imports is what the
    handler does when it is imported, such as creating clients.
    """
    traced = [command[0], "-X", "importtime", *command[1:]]
    runs = [run(traced, variables) for _ in range(3)]
    quickest = min(runs, key=lambda one: one.wall)
    found = parts(quickest.printed)
    total = max(quickest.wall, sum(found.values()))
    shares = {name: seconds / total for name, seconds in found.items()}
    shares["the rest"] = 1.0 - sum(shares.values())
    cpu = percentile([one.cpu for one in taken], 50)
    return {name: shares.get(name, 0.0) * cpu for name in PARTS}


def parts(printed: str) -> dict[str, float]:
    """Add up the self times in ``-X importtime``'s report by part, in seconds."""
    found: dict[str, float] = defaultdict(float)
    is_started = False
    for line in printed.splitlines():
        match = re.fullmatch(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", line)
        if match is None:
            continue
        name = match[2]
        found[_part(name) if is_started else "Python"] += int(match[1]) / 1e6
        is_started = is_started or name == _STARTED
    return dict(found)


def _part(module: str) -> str:
    package = module.partition(".")[0]
    if package in _SDK:
        return "boto3 and what it needs"
    if package == "crhelper":
        return "crhelper"
    if package in ("index", "cdk_stop_inference_experiment_handler"):
        return "handler"
    return "standard library"


def _slowed(
    command: Sequence[str], variables: Mapping[str, str], runs: int
) -> dict[int, list[float]]:
    """Wall seconds with the CPU share of some memory sizes."""
    return {
        memory: [run_slowed(command, variables, memory / VCPU_MB).wall for _ in range(runs)]
        for memory in SLOWED_MB
    }


def _memory_curve(taken: Sequence[Taken], slowed: dict[int, list[float]]) -> list[Json]:
    """Cold start by memory: computed from CPU and share, measured with the process slowed down."""
    cpu = percentile([one.cpu for one in taken], 50)
    curve = []
    for memory in MEMORY_MB:
        share = min(1.0, memory / VCPU_MB)
        computed = cpu / share  # it only waits for the CPU
        curve.append(
            {
                "memory_mb": memory,
                "computed_seconds": computed,
                "slowed": series(slowed[memory]) if memory in slowed else None,
                "stop_dollars": waiting_dollars(memory, INSIDE_SECONDS + computed),
            }
        )
    return curve
