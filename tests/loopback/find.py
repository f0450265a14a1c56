"""``python -m tests.loopback.find``: play stories of CloudFormation, and print what breaks.

Every small story first, then random ones from a seed. A story that breaks the promise is made as
small as possible; one that has everything of a known one is only counted. Exits with 1 if
something broke that is not stored in ``histories`` as broken.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback.play.search import KINDS, drawn, is_contained, shrunk
from loopback.play.stage import play
from loopback.play.story import Story

from .stored import stored

CHUNK = 40


@dataclass
class Sum:
    """What was played so far."""

    histories: int = 0
    operations: int = 0
    requests: int = 0
    stops: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    refused: int = 0


Told = tuple[dict[str, Any], int, int, int, tuple[tuple[str, str], ...]]


def played(told: dict[str, Any]) -> Told | None:
    """Play one story in a worker; None if CloudFormation refuses one of its operations."""
    story = Story.from_json(told)
    try:
        result = play(story)
    except Exception as error:
        error.add_note(story.key) if hasattr(error, "add_note") else None
        print(story.key, file=sys.stderr)
        raise
    ledger = result.ledger
    if ledger.refused:
        return None
    findings = tuple((finding.kind, finding.what) for finding in result.findings)
    return told, ledger.played, len(ledger.requests), len(ledger.stops), findings


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    started, total = time.monotonic(), Sum()
    known = [(kind, history.story) for history in stored() for kind in history.breaks]
    new: list[tuple[str, Story]] = []
    until = started + options.seconds
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.processes, initializer=_settle_down) as pool:
        try:
            for name, stories in _stories(options):
                before, at = total.histories, time.monotonic()
                told = (story.to_json() for story in stories)
                for result in pool.imap(played, told, chunksize=CHUNK):
                    _count(result, total, known, new, options)
                    if time.monotonic() > until:
                        pool.terminate()
                        break
                count, seconds = total.histories - before, time.monotonic() - at
                print(f"{name}: {count} histories, {seconds:.0f} s", flush=True)
                if time.monotonic() > until:
                    break
        except KeyboardInterrupt:
            print("interrupted")
    _report(total, new, time.monotonic() - started)
    return 1 if new else 0


def _stories(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[Story]]]:
    for kind in options.kind or [*KINDS]:
        if kind in KINDS:
            yield kind, itertools.islice(KINDS[kind](), 0, None, options.every)
    if options.drawn:
        stories = itertools.islice(drawn(options.seed), options.drawn)
        yield f"drawn with --seed {options.seed}", stories


def _count(
    result: Told | None,
    total: Sum,
    known: list[tuple[str, Story]],
    new: list[tuple[str, Story]],
    options: argparse.Namespace,
) -> None:
    if result is None:
        total.refused += 1
        return
    told, operations, requests, stops, findings = result
    total.histories += 1
    total.operations += operations
    total.requests += requests
    total.stops += stops
    for kind in sorted({kind for kind, _ in findings}):
        total.broken[kind] += 1
        story = Story.from_json(told)
        if any(kind == other and is_contained(small, story) for other, small in known):
            continue
        small = shrunk(story, lambda smaller, kind=kind: _breaks(smaller, kind))  # type: ignore[misc]
        if any(kind == other and is_contained(each, small) for other, each in known):
            continue
        again = play(small)
        print(f"\n=== after {total.histories} histories\n{again.tell()}\n", flush=True)
        known.append((kind, small))
        new.append((kind, small))
        if options.store:
            _store(small, total.histories, options)


def _breaks(story: Story, kind: str) -> bool:
    result = play(story)
    return not result.ledger.refused and any(each.kind == kind for each in result.findings)


def _store(story: Story, after: int, options: argparse.Namespace) -> None:
    result = play(story)
    folder = Path(options.store)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.json"))) + 1
    history = {
        "state": "broken",
        "reason": "",
        "breaks": sorted({finding.kind for finding in result.findings}),
        "found": f"after {after} histories, --seed {options.seed}",
        "story": story.to_json(),
        "told": [*story.tell().splitlines(), *map(str, result.findings)],
    }
    path = folder / f"{number:03}.json"
    path.write_text(json.dumps(history, indent=2) + "\n", encoding="utf-8")


def _settle_down() -> None:
    """Leave Ctrl-C to the parent, and freeze old objects."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.loopback.find", description=__doc__)
    parser.add_argument("--kind", action="append", choices=[*KINDS, "none"], help="default: all")
    parser.add_argument("--every", type=int, default=1, help="only each n-th of the small stories")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="random stories")
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="of the random ones")
    parser.add_argument("--seconds", type=float, default=86_400, help="at most")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--store", default="", metavar="FOLDER", help="where to write what breaks")
    return parser


def _report(total: Sum, new: list[tuple[str, Story]], seconds: float) -> None:
    print(
        f"{total.histories} histories, {total.operations} operations, {total.requests} requests, "
        f"{total.stops} Stops, {seconds:.0f} s; in {total.refused} more, CloudFormation refuses "
        f"an operation; {len(new)} are new"
    )
    for kind, count in total.broken.most_common():
        print(f"{count:6} with {kind}")


if __name__ == "__main__":
    sys.exit(main())
