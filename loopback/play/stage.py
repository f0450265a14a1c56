"""Plays one story to its end, with the real handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..clock import EPOCH
from ..containers import fresh_index
from ..function import Handler
from ..world import World
from .engine import Engine
from .facts import Facts, digest_of, facts_of
from .ledger import Ledger
from .oracle import Finding, judge
from .story import Operation, Story

HOURS_PER_OPERATION = 6
AFTERWARDS_SECONDS = 7300.0
"""Rules and late deliveries have this long after the last operation."""


@dataclass(frozen=True)
class Played:
    """What came of a story."""

    story: Story
    findings: tuple[Finding, ...]
    ledger: Ledger
    facts: Facts

    def tell(self) -> str:
        """For people: the story, what happened when, and what was wrong with it."""
        lines = [self.story.tell(), ""]
        lines += [f"{at - EPOCH:9.1f} s  {what}" for at, what in self.ledger.events]
        return "\n".join([*lines, "", *(str(finding) for finding in self.findings)])


def play(
    story: Story, load: Callable[[], Handler] = fresh_index, *, digests: bool = False
) -> Played:
    """Play a story in a world of its own.

    Args:
        digests: Say what its world has come to when another operation could begin.
    """
    with World(load=load).installed() as world:
        engine = Engine(world, story)
        engine.start()
        horizon = EPOCH + HOURS_PER_OPERATION * 3600.0 * (len(story.operations) + 1)
        world.clock.run_until(horizon, stop=lambda: engine.is_done)
        quiet = world.clock.now + AFTERWARDS_SECONDS
        if digests:
            world.clock.run_until(world.clock.now + Operation().pause)
        digest = digest_of(world, engine) if digests else ""
        world.clock.run_to_quiet(quiet)
        if not engine.is_done:
            message = f"the engine did not come to its end: {story.key}"
            raise AssertionError(message)
        facts = facts_of(world, engine, digest)
        return Played(story, tuple(judge(world, engine)), engine.ledger, facts)
