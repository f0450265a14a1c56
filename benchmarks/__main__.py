"""``python -m benchmarks [NAME …] [--quick]``: measure, save the results, write the report."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from . import asset, cold_start, deployment, gate, lag, machine, many, plan, report, synth, wait

Json = dict[str, Any]

BENCHMARKS: dict[str, Callable[[bool], Json]] = {
    "lag": lambda quick: lag.measure(
        simulated=200 if quick else 2000,
        virtual=4 if quick else 32,
        local=not quick,
        scale=30.0,
    ),
    "wait": lambda quick: wait.measure(runs=12 if quick else 300),
    "idle": lambda _: lag.measure_idle(),
    "many": lambda _: many.measure(),
    "plan": lambda _: plan.measure(),
    "cold": lambda quick: cold_start.measure(runs=3 if quick else 15),
    "synth": lambda quick: synth.measure(runs=1 if quick else 4, runs_by_count=1),
    "asset": lambda _: asset.measure(),
    "gate": lambda quick: gate.measure(tests=200 if quick else 10_000),
    "deployment": lambda quick: deployment.measure(runs=1 if quick else 2, with_crhelper=not quick),
}


def main() -> None:
    """Run the given benchmarks; keep the results of the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="few runs, to see that it works")
    parser.add_argument("--report", action="store_true", help="only write the report again")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}, allowed are {list(BENCHMARKS)}")
    results = report.load()
    names = [] if arguments.report else arguments.names or list(BENCHMARKS)
    for name in names:
        started = time.monotonic()
        results[name] = {**BENCHMARKS[name](arguments.quick), "quick": arguments.quick}
        results["machine"] = machine.describe()
        report.save(results)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    report.write(results)


if __name__ == "__main__":
    main()
