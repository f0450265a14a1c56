"""Plays one story to its end, with the real handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..clock import EPOCH
from ..containers import fresh_index
from ..function import Handler
from ..world import World
from .allowed import State
from .engine import Engine
from .ledger import Ledger
from .oracle import Finding, judge
from .story import Story

HOURS_PER_OPERATION = 6
AFTERWARDS_SECONDS = 7300.0
"""Rules and late deliveries have this long after the last operation."""


@dataclass(frozen=True)
class Played:
    """What came of a story."""

    story: Story
    findings: tuple[Finding, ...]
    ledger: Ledger
    states: tuple[State, ...]

    def tell(self) -> str:
        """For people: the story, what happened when, and what was wrong with it."""
        lines = [self.story.tell(), ""]
        lines += [f"{at - EPOCH:9.1f} s  {what}" for at, what in self.ledger.events]
        return "\n".join([*lines, "", *(str(finding) for finding in self.findings)])


def play(story: Story, load: Callable[[], Handler] = fresh_index) -> Played:
    """Play a story in a world of its own."""
    with World(load=load).installed() as world:
        engine = Engine(world, story)
        engine.start()
        horizon = EPOCH + HOURS_PER_OPERATION * 3600.0 * (len(story.operations) + 1)
        world.clock.run_until(horizon, stop=lambda: engine.is_done)
        world.clock.run_to_quiet(world.clock.now + AFTERWARDS_SECONDS)
        if not engine.is_done:
            message = f"the engine did not come to its end: {story.key}"
            raise AssertionError(message)
        return Played(story, tuple(judge(world, engine)), engine.ledger, tuple(engine.states))
