"""Runs many histories and counts the results."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from loopback.containers import fresh_index
from loopback.function import Handler

from .explorer import play
from .scenarios import Scenario

LEAN_FROM = 2
"""From this step on, faults that differ only in a message or by seconds are left out."""

SHOWN = 5

Letters = tuple[str, ...]


@dataclass
class Tally:
    """The results of many histories.

    Attributes:
        sequences: Different histories that were run and checked.
        same: Histories that were left out because they are equivalent to one of those.
        broken: How many histories violated each invariant.
        examples: The shortest histories for each violated invariant, and how they violated it.
    """

    sequences: int = 0
    same: int = 0
    faults: int = 0
    calls: int = 0
    broken: Counter[int] = field(default_factory=Counter)
    examples: dict[int, list[tuple[str, Letters, str]]] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add another tally; keep the shortest examples."""
        self.sequences += other.sequences
        self.same += other.same
        self.faults += other.faults
        self.calls += other.calls
        self.broken.update(other.broken)
        for number, examples in other.examples.items():
            known = self.examples.setdefault(number, [])
            known.extend(examples)
            known.sort(key=lambda example: len(example[1]))
            del known[SHOWN:]

    def told(self) -> Iterator[str]:
        """The examples, a line each."""
        for number, examples in sorted(self.examples.items()):
            for scenario, letters, what in examples:
                yield f"    {number}: {scenario} > {' > '.join(letters) or 'nothing else'}: {what}"

    def run(
        self, scenario: Scenario, letters: Letters, load: Callable[[], Handler] = fresh_index
    ) -> Letters:
        """Run one history and count it; returns the steps that could follow it."""
        result = play(scenario, letters, load=load, lean=len(letters) + 1 >= LEAN_FROM)
        if result is None:
            self.same += 1
            return ()
        self.sequences += 1
        self.faults += result.faults
        self.calls += result.calls
        self.broken.update({number for number, _ in result.broken})
        for number, what in result.broken:
            examples = self.examples.setdefault(number, [])
            if len(examples) < SHOWN:
                examples.append((scenario.key, letters, what))
        return result.alphabet


@dataclass(frozen=True)
class Subtree:
    """Exhaustive work: a history and all its continuations, up to a depth."""

    scenario: Scenario
    letters: Letters
    depth: int

    def tally(self) -> Tally:
        """Do it."""
        tally = Tally()
        self._walk(tally, self.letters)
        return tally

    def split(self) -> tuple[Tally, list[Subtree]]:
        """Run the history itself; return its continuations as further work."""
        tally = Tally()
        following = tally.run(self.scenario, self.letters)
        if len(self.letters) >= self.depth:
            return tally, []
        return tally, [
            Subtree(self.scenario, (*self.letters, letter), self.depth) for letter in following
        ]

    def _walk(self, tally: Tally, letters: Letters) -> None:
        following = tally.run(self.scenario, letters)
        if len(letters) < self.depth:
            for letter in following:
                self._walk(tally, (*letters, letter))


@dataclass(frozen=True)
class Sample:
    """Sampling work: random histories of a length, until there are enough or time is up."""

    scenarios: tuple[Scenario, ...]
    depth: int
    amount: int
    seconds: float
    seed: str

    def tally(self) -> Tally:
        """Do it; a common beginning of longer histories is run and counted once."""
        chance, tally = random.Random(self.seed), Tally()
        known: dict[tuple[str, Letters], Letters] = {}
        until = time.monotonic() + self.seconds
        while tally.sequences < self.amount and time.monotonic() < until:
            scenario = chance.choice(self.scenarios)
            letters: Letters = ()
            while True:
                key = (scenario.key, letters)
                if key not in known:
                    known[key] = tally.run(scenario, letters)
                if not known[key] or len(letters) >= self.depth:
                    break
                letters = (*letters, chance.choice(known[key]))
        return tally
