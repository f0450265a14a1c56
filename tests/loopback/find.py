"""``python -m tests.loopback.find``: play stories of CloudFormation, and print what breaks.

Every small story first, then random ones from a seed. Small ones that are provably the same as
another are left out (``loopback/play/same.py``). A story that breaks the promise is made as
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
from collections.abc import Iterable
from dataclasses import dataclass, replace
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from loopback.play.facts import Facts
from loopback.play.same import Key, Known, Missing, Refused
from loopback.play.search import KINDS, SETTINGS, drawn, is_contained, shrunk
from loopback.play.stage import play
from loopback.play.story import Story

from .stored import stored

CHUNK = 10
PART = 8_000
SHARE = 0.9
"""Of the time is for the small stories, at most."""


@dataclass
class Sum:
    """What was played so far of one kind, or of all.

    Attributes:
        same: Stories that another one stands for.
        refused: Stories in which CloudFormation refuses an operation.
        left: Stories for which there was no time.
    """

    histories: int = 0
    operations: int = 0
    requests: int = 0
    stops: int = 0
    same: int = 0
    refused: int = 0
    left: int = 0
    seconds: float = 0.0

    def add(self, other: Sum) -> None:
        """Add another one."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def __str__(self) -> str:
        return (
            f"{self.histories} histories, {self.operations} operations, {self.requests} requests, "
            f"{self.stops} Stops, {self.seconds:.0f} s; {self.same} more are the same as one of "
            f"them, in {self.refused} CloudFormation refuses an operation; {self.left} left"
        )


@dataclass
class Result:
    """What came of one story in a worker."""

    told: dict[str, Any]
    is_refused: bool
    operations: int
    requests: int
    stops: int
    findings: tuple[tuple[str, str], ...]
    facts: Facts


def played(asked: tuple[dict[str, Any], bool]) -> Result:
    """Play one story in a worker."""
    told, is_beginning = asked
    story = Story.from_json(told)
    try:
        result = play(story, digests=is_beginning)
    except Exception:
        print(story.key, file=sys.stderr)
        raise
    ledger = result.ledger
    left = [each for number, each in enumerate(story.operations) if number not in ledger.refused]
    return Result(
        replace(story, operations=tuple(left)).to_json(),
        len(story.operations) - 1 in ledger.refused,
        ledger.played,
        len(ledger.requests),
        len(ledger.stops),
        tuple((finding.kind, finding.what) for finding in result.findings),
        result.facts,
    )


class Search:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, pool: Pool) -> None:
        self.options = options
        self.pool = pool
        self.known = [
            (kind, history.story)
            for history in stored()
            if history.state == "broken"
            for kind in history.breaks
        ]
        self.new: list[tuple[str, Story]] = []
        self.broken: Counter[str] = Counter()
        self.sums: dict[str, Sum] = {}
        self.same = Known(SETTINGS)
        self._beginnings: set[Key] = set()
        self._started = time.monotonic()

    @property
    def total(self) -> Sum:
        """Of all kinds."""
        found = Sum()
        for each in self.sums.values():
            found.add(each)
        return found

    def run(self) -> None:
        """Play the small stories, and then random ones."""
        options = self.options
        print(f"--seed {options.seed}", flush=True)
        kinds = [kind for kind in options.kind or KINDS if kind in KINDS]
        until = self._started + options.seconds
        spares = options.every == 1
        if spares:
            self._look_ahead(kinds)
        for kind in kinds:
            stories = list(KINDS[kind]())
            random.Random(options.seed).shuffle(stories)
            stories = stories[:: options.every]
            share = self._started + SHARE * options.seconds if options.drawn else until
            self._play(kind, stories, share, spares=spares)
        if options.drawn:
            random_ones = itertools.islice(drawn(options.seed), options.drawn)
            self._play("drawn", random_ones, until, spares=False)

    def _look_ahead(self, kinds: list[str]) -> None:
        """Find the beginnings that stories have in common."""
        for kind in kinds:
            for story in KINDS[kind]():
                if len(story.operations) > 1:
                    before = replace(story, operations=story.operations[:-1])
                    self._beginnings.add(self.same.key(before))
        self.same.forget_met()

    def _play(self, kind: str, stories: Iterable[Story], until: float, *, spares: bool) -> None:
        found = self.sums[kind] = Sum()
        began, rest = time.monotonic(), iter(stories)
        waiting: list[Story] = []
        try:
            while part := [*waiting, *itertools.islice(rest, PART if spares else 20 * CHUNK)]:
                if time.monotonic() > until:
                    waiting = part
                    break
                asked, waiting = self._asked(part, found, spares=spares)
                tasks = ((told.to_json(), is_beginning) for told, is_beginning in asked.values())
                results = self.pool.imap(played, tasks, chunksize=CHUNK)
                for number, (result, (story, _)) in enumerate(
                    zip(results, asked.values(), strict=True), start=1
                ):
                    self._count(result, found, kind)
                    if spares:
                        self.same.learn(story, result.facts)
                    if number % (2 * CHUNK) == 0 and time.monotonic() > until:
                        found.left += len(asked) - number
                        break
        finally:
            found.left += len(waiting) + (0 if kind == "drawn" else sum(1 for _ in rest))
            found.seconds = time.monotonic() - began
            self.same.forget_met()
        print(f"{kind}: {found}", flush=True)

    def _asked(
        self, part: list[Story], found: Sum, *, spares: bool
    ) -> tuple[dict[Key, tuple[Story, bool]], list[Story]]:
        """What to play now, and what has to wait for it."""
        asked: dict[Key, tuple[Story, bool]] = {}
        waiting = []
        for story in part:
            if not spares:
                asked[len(asked),] = story, False
                continue
            try:
                same = self.same.same_as(story)
            except Refused:
                found.refused += 1
                continue
            except Missing as missing:
                same = missing.story
                key = self.same.key(same)
                is_beginning = missing.is_prefix or key in self._beginnings
                asked.setdefault(key, (same, is_beginning))
                waiting.append(story)
                continue
            key = self.same.key(same)
            if key in asked or self.same.is_played(same):
                found.same += 1
                continue
            asked[key] = same, key in self._beginnings
        return asked, waiting

    def _count(self, result: Result, found: Sum, kind: str) -> None:
        if result.is_refused:
            found.refused += 1
            return
        found.histories += 1
        found.operations += result.operations
        found.requests += result.requests
        found.stops += result.stops
        for broken in sorted({each for each, _ in result.findings}):
            self.broken[broken] += 1
            self._break(broken, Story.from_json(result.told), f"{found.histories} of {kind!r}")

    def _is_known(self, kind: str, story: Story) -> bool:
        """Whether a part of a story is known to break the promise in the same way."""
        return any(known == kind and is_contained(small, story) for known, small in self.known)

    def _break(self, kind: str, story: Story, after: str) -> None:
        if self._is_known(kind, story):
            return
        small = shrunk(story, lambda smaller: _breaks(smaller, kind))
        if self._is_known(kind, small):
            return
        again = play(small)
        print(f"\n=== after {after}\n{again.tell()}\n", flush=True)
        self.known.append((kind, small))
        self.new.append((kind, small))
        if self.options.store:
            _store(small, after, self.options)

    def report(self) -> None:
        """Say what was played, and what broke."""
        for kind, found in self.sums.items():
            print(f"{kind}: {found}")
        small = Sum()
        for kind in KINDS:
            small.add(self.sums.get(kind, Sum(left=sum(1 for _ in KINDS[kind]()))))
        complete = "complete" if not small.left and self.options.every == 1 else "NOT complete"
        print(f"The small ones are {complete}: {small}")
        print(f"In all: {self.total}; {len(self.new)} are new")
        for kind, count in self.broken.most_common():
            print(f"{count:6} with {kind}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.processes, initializer=_settle_down) as pool:
        search = Search(options, pool)
        try:
            search.run()
        except KeyboardInterrupt:
            print("interrupted")
    search.report()
    return 1 if search.new else 0


def _breaks(story: Story, kind: str) -> bool:
    result = play(story)
    return not result.ledger.refused and any(each.kind == kind for each in result.findings)


def _store(story: Story, after: str, options: argparse.Namespace) -> None:
    result = play(story)
    folder = Path(options.store)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.json"))) + 1
    history = {
        "state": "broken",
        "reason": "",
        "breaks": sorted({finding.kind for finding in result.findings}),
        "found": f"after {after}, --seed {options.seed}",
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


if __name__ == "__main__":
    sys.exit(main())
