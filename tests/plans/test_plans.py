"""A sample of random histories. ``make plans`` plays hundreds."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .compare import Happened, mistakes
from .play import Tally, play
from .world import KEEP, PROMOTE, Declared, Stack, World, running, shadow_test

SECONDS = 10.0
MANY = 20
"""At most one verdict in this many may say "not known"."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A local AWS with the function."""
    with running() as world:
        yield world


def test_no_plan_of_a_random_history_is_wrong(world: World) -> None:
    tally, begun = Tally(), time.monotonic()
    seed = 10_000
    while time.monotonic() < begun + SECONDS:
        play(world, seed, tally)
        seed += 1
    assert not tally.wrong, tally
    assert tally.said["stop unknown"] <= max(1, tally.verdicts / MANY), tally


def test_a_plan_that_was_wrong_is_found(world: World) -> None:
    """What happened is held against the plan of something else."""
    shadow_test(world, "wrong-a")
    stack = Stack(world, "wrong")
    declared = {"Name": "wrong-a", "ModelVariantActions": KEEP}
    stack.prepare(Declared(ours={"Stop": declared}))
    stack.execute(disable_rollback=False)
    reworded = stack.prepare(Declared(ours={"Stop": {**declared, "Reason": "in other words"}}))
    promotes = stack.prepare(Declared(ours={"Stop": {**declared, "ModelVariantActions": PROMOTE}}))
    happened = stack.execute(disable_rollback=False)
    assert len(happened.stops) == 1
    assert mistakes(promotes, happened) == []
    assert [one[:27] for one in mistakes(reworded, happened)] == ["UNSAFE: an unplanned stop: "]
    nothing = Happened((), (), "UPDATE_COMPLETE")
    assert mistakes(promotes, nothing) == ["a stop that did not happen: wrong-a"]
