"""``python -m tests.loopback.explore``: run histories, check the invariants, print the results.

Exhaustive by default; ``--sample`` draws that many random histories instead. Exits with 1 if an
invariant was violated.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import multiprocessing.pool
import os
import random
import signal
import sys
import time
from collections.abc import Iterable, Iterator

from .invariants import INVARIANTS
from .scenarios import CORE, GROUPS, MORE, TEMPOS, Scenario, combinations, is_in
from .tally import Sample, Subtree, Tally


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    scenarios = _chosen(options)
    started = time.monotonic()
    total = Tally()
    context = multiprocessing.get_context("spawn")
    how = f"sampled with --seed {options.seed}" if options.sample else "all"
    with context.Pool(options.processes, initializer=_settle_down) as pool:
        try:
            for tally in (_sampled if options.sample else _all)(pool, scenarios, options):
                for example in tally.told():
                    print(example, file=sys.stderr)
                total.add(tally)
        except KeyboardInterrupt:
            how += ", but interrupted"
    _report(total, len(scenarios), f"{options.depth} ({how})", time.monotonic() - started)
    return 1 if total.broken else 0


def _settle_down() -> None:
    """Leave Ctrl-C to the parent, which reports the progress, and freeze old objects."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.loopback.explore", description=__doc__)
    names = [scenario.name for scenario in CORE + MORE]
    parser.add_argument("--depth", type=int, default=3, help="steps after the first delivery")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="histories to draw")
    parser.add_argument("--seconds", type=float, default=86_400, help="at most, for --sample")
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="of --sample")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scenario", action="append", choices=[*GROUPS, *names])
    starts = sorted({start for scenario in CORE + MORE for start in scenario.starts})
    parser.add_argument("--start", action="append", choices=starts, help="default: every one")
    parser.add_argument(
        "--tempo", action="append", choices=[tempo.name for tempo in TEMPOS], help="default: handed"
    )
    return parser


def _chosen(options: argparse.Namespace) -> tuple[Scenario, ...]:
    groups = options.scenario or ["deep"]
    tempos = tuple(tempo for tempo in TEMPOS if tempo.name in (options.tempo or ["handed"]))
    return tuple(
        scenario
        for scenario in combinations(CORE + MORE, tempos)
        if any(is_in(group, scenario) for group in groups)
        and scenario.start in (options.start or scenario.starts)
    )


def _all(
    pool: multiprocessing.pool.Pool, scenarios: Iterable[Scenario], options: argparse.Namespace
) -> Iterator[Tally]:
    """Run the situations one after another, and print each when it is done."""
    for scenario in scenarios:
        started, total = time.monotonic(), Tally()
        work = [Subtree(scenario, (), options.depth)]
        # Two levels are split off, so that every unit of work is small.
        for _ in range(min(2, options.depth)):
            following: list[Subtree] = []
            for tally, more in pool.imap_unordered(Subtree.split, work, chunksize=4):
                total.add(tally)
                following.extend(more)
            work = following
        for tally in pool.imap_unordered(Subtree.tally, work, chunksize=4):
            total.add(tally)
        seconds, broken = time.monotonic() - started, sum(total.broken.values())
        print(f"{scenario.key}: {total.sequences} sequences, {broken} broken, {seconds:.0f} s")
        yield total


def _sampled(
    pool: multiprocessing.pool.Pool, scenarios: tuple[Scenario, ...], options: argparse.Namespace
) -> Iterator[Tally]:
    share = -(-options.sample // options.processes)
    work = [
        Sample(scenarios, options.depth, share, options.seconds, f"{options.seed}-{number}")
        for number in range(options.processes)
    ]
    yield from pool.imap_unordered(Sample.tally, work)


def _report(total: Tally, scenarios: int, depth: str, seconds: float) -> None:
    print(
        f"explored to depth {depth} from {scenarios} situations: "
        f"{total.sequences} sequences, {total.faults} faults injected, {total.calls} calls, "
        f"{seconds:.0f} s; {total.same} more equal one of these"
    )
    for number, check in INVARIANTS.items():
        sentence = (check.__doc__ or "").strip().splitlines()[0]
        print(f"{number:3} broken by {total.broken[number]:5}: {sentence}")
    for example in total.told():
        print(example)


if __name__ == "__main__":
    sys.exit(main())
