"""What the construct adds to ``python app.py``, the template and the policies."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .processes import Taken, run
from .stats import Series, ratios, series

__all__ = ["COUNTS", "measure", "template_facts"]

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
COUNTS = (1, 10, 40, 200)
COMPARED = (
    "empty",
    "function alone",
    "ours",
    "AwsCustomResource",
    "provider framework",
    "crhelper",
    "native",
)


def measure(*, runs: int, runs_by_count: int) -> Json:
    """Synthesise one experiment with each contestant, and more experiments with ours."""
    with tempfile.TemporaryDirectory() as folder:
        taken: dict[str, list[Taken]] = defaultdict(list)
        for number in range(runs + 1):
            for contestant in COMPARED:
                result = synthesise(contestant, 1, Path(folder) / f"{contestant}-1")
                if number:  # The first round warms the caches.
                    taken[contestant].append(result)
        by_count: dict[int, list[Taken]] = defaultdict(list)
        for _ in range(runs_by_count):
            for count in COUNTS:
                by_count[count].append(synthesise("ours", count, Path(folder) / f"ours-{count}"))
        facts = {name: template_facts(Path(folder) / f"{name}-1") for name in COMPARED}
        grown = {count: template_facts(Path(folder) / f"ours-{count}") for count in COUNTS}
    base = taken["empty"]
    return {
        "one": [
            {
                "contestant": name,
                **facts[name],
                "wall": series([one.wall for one in taken[name]]),
                "wall_ratio": _ratio(taken[name], base, "wall"),
                "cpu_ratio": _ratio(taken[name], base, "cpu"),
            }
            for name in COMPARED
        ],
        "many": [
            {
                "experiments": count,
                **grown[count],
                "wall": series([one.wall for one in by_count[count]]),
                "wall_ratio": _ratio(by_count[count], by_count[1], "wall"),
            }
            for count in COUNTS
        ],
    }


def synthesise(
    contestant: str, count: int, output: Path, extra: Mapping[str, str] | None = None
) -> Taken:
    """Run a contestant's app like the CDK CLI, and measure it."""
    variables = {
        **os.environ,
        # pip compiles what it installs, so an app finds its libraries compiled; an editable install
        # must be allowed to keep what the first round compiled.
        "PYTHONDONTWRITEBYTECODE": "",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        **(extra or {}),
    }
    command = [sys.executable, "-m", "benchmarks.contestants", contestant, str(count), str(output)]
    return run(command, variables, ROOT)


def template_facts(folder: Path) -> Json:
    """Return the sizes of the stack's template as it is sent, without white space."""
    body = json.loads((folder / "Stack.template.json").read_text())
    resources = {
        name: resource
        for name, resource in body.get("Resources", {}).items()
        if resource["Type"] != "AWS::CDK::Metadata"
    }
    policies = [
        resource["Properties"]["PolicyDocument"]
        for resource in resources.values()
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    ]
    return {
        "resources": len(resources),
        "template_bytes": _bytes(body),
        "policy_bytes": sum(_bytes(policy) for policy in policies),
    }


def _bytes(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")).encode())


def _ratio(above: list[Taken], below: list[Taken], member: str) -> Series:
    values = [[float(getattr(one, member)) for one in taken] for taken in (above, below)]
    return ratios(*values)
