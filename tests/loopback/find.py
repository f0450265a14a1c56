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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loopback.play.allowed import State, is_allowed
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
_MOST_REMEMBERED = 20_000
_states: dict[Story, State] = {}
"""In which state stories have left their stack, so that a worker need not play them again."""


def played(told: dict[str, Any]) -> Told | None:
    """Play one story in a worker; None if CloudFormation refuses its last operation."""
    story = Story.from_json(told)
    before = _states.get(replace(story, operations=story.operations[:-1]))
    if before is not None and not is_allowed(story.operations[-1], before, story.settings):
        return None
    try:
        result = play(story)
    except Exception:
        print(story.key, file=sys.stderr)
        raise
    if len(_states) > _MOST_REMEMBERED:
        _states.clear()
    for number, state in enumerate(result.states):
        _states[replace(story, operations=story.operations[:number])] = state
    ledger = result.ledger
    if len(story.operations) - 1 in ledger.refused:
        return None
    left = [each for number, each in enumerate(story.operations) if number not in ledger.refused]
    findings = tuple((finding.kind, finding.what) for finding in result.findings)
    told = replace(story, operations=tuple(left)).to_json()
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
            batches = _batches(options)
            for number, (name, stories) in enumerate(batches):
                before, at, end = total.histories, time.monotonic(), "all"
                # What one kind leaves of its share is for the others.
                share = (until - at) / (len(batches) - number)
                for part in _parts(stories):
                    told = [story.to_json() for story in part]
                    for result in pool.imap(played, told, chunksize=CHUNK):
                        _count(result, total, known, new, options)
                    if time.monotonic() > at + share:
                        end = "not all"
                        break
                count, seconds = total.histories - before, time.monotonic() - at
                print(f"{name} ({end}): {count} histories, {seconds:.0f} s", flush=True)
        except KeyboardInterrupt:
            print("interrupted")
    _report(total, new, time.monotonic() - started)
    return 1 if new else 0


def _batches(options: argparse.Namespace) -> list[tuple[str, Iterable[Story]]]:
    """The stories of each kind, in an order that depends on the seed, and the random ones."""
    kinds = [kind for kind in options.kind or KINDS if kind in KINDS]
    batches: list[tuple[str, Iterable[Story]]] = [
        (kind, _shuffled(kind, options)) for kind in kinds
    ]
    if options.drawn:
        batches.append(("drawn", itertools.islice(drawn(options.seed), options.drawn)))
    print(f"--seed {options.seed}", flush=True)
    return batches


def _shuffled(kind: str, options: argparse.Namespace) -> Iterator[Story]:
    stories = list(KINDS[kind]())
    random.Random(options.seed).shuffle(stories)
    yield from stories[:: options.every]


def _parts(stories: Iterable[Story]) -> Iterator[list[Story]]:
    """Some hundred stories at a time."""
    rest = iter(stories)
    while part := list(itertools.islice(rest, CHUNK * 10)):
        yield part


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
        if any(is_contained(small, story) for _, small in known):
            continue
        small = shrunk(story, lambda smaller, kind=kind: _breaks(smaller, kind))  # type: ignore[misc]
        if any(is_contained(each, small) for _, each in known):
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
