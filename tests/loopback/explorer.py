"""Runs histories: the first delivery of a request, then up to a few steps, then to quiet.

A step is an event of the world or a fault. Events let the world run for a beat first and then
happen; faults are armed at once and hit the next call of their operation. So a history
reads from left to right, and a fault stands right before the stretch in which it is hit.

Histories that equal a shorter or another one are not counted and not continued: a fault that is
not hit before the next event, an event that changes nothing (the end of what has ended, a rule's
firing where there is none, a cold container where none is idle), and faults of different
operations in another order. That is what makes "all sequences" a number that can be run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .containers import fresh_index
from .faults import CALL_KINDS, PUT, PUT_KINDS
from .function import Handler
from .history import History
from .invariants import violations
from .journal import CALL
from .journal import PUT as PUT_ENTRY
from .player import INSTANT, TIMED, Player, SameAsAnother
from .scenarios import Scenario, learn
from .world import World

TRANSIENT_KINDS = ("unavailable", "unreachable", "lost")
"""Told from ``throttled`` by a message and by seconds only: left out where the alphabet is
``lean``. A read that times out is one of them, whether it had its effect or not."""


@dataclass(frozen=True)
class Result:
    """What came of one history.

    Attributes:
        alphabet: The steps that could follow it.
    """

    letters: tuple[str, ...]
    alphabet: tuple[str, ...]
    broken: tuple[tuple[int, str], ...]
    faults: int
    calls: int


def play(
    scenario: Scenario,
    letters: tuple[str, ...],
    *,
    load: Callable[[], Handler] = fresh_index,
    lean: bool = False,
) -> Result | None:
    """Run one history; None where it equals another one."""
    try:
        history, since = run(scenario, letters, load=load)
    except SameAsAnother:
        return None
    return Result(
        letters,
        tuple(_alphabet(history, since, lean=lean)),
        tuple(violations(history)),
        sum(1 for letter in letters if ":" in letter),
        sum(1 for entry in history.world.journal if entry.kind in (CALL, PUT_ENTRY)),
    )


def run(
    scenario: Scenario, letters: tuple[str, ...], *, load: Callable[[], Handler] = fresh_index
) -> tuple[History, int]:
    """Run one history.

    Returns:
        The history, and how long its journal was after the last step.

    Raises:
        SameAsAnother: It equals a shorter or another one.
    """
    learn(scenario)
    seed = zlib.crc32(f"{scenario.key} {letters}".encode())
    world = World(load=load, limit=scenario.tempo.limit, seed=seed)
    with world.installed():
        player = Player(world, scenario, letters)
        for letter in letters:
            player.step(letter)
        since = len(world.journal)
        player.finish()
        return player.history, since


def _alphabet(history: History, since: int, *, lean: bool) -> Iterator[str]:
    """The steps that could follow: faults only of operations that are called after the last."""
    yield from INSTANT
    yield from (letter for letter in TIMED if letter != "undone" or history.scenario.can_be_undone)
    called = {
        PUT if entry.kind == PUT_ENTRY else entry.name
        for entry in history.world.journal[since:]
        if entry.kind in (CALL, PUT_ENTRY)
    }
    for operation in sorted(called):
        for kind in PUT_KINDS if operation == PUT else CALL_KINDS:
            if not (lean and _is_like_another(operation, kind)):
                yield f"{operation}:{kind}"


def _is_like_another(operation: str, kind: str) -> bool:
    is_read = operation.startswith(("Describe", "List"))
    return kind in (*TRANSIENT_KINDS, "reset") or (is_read and kind == "taken")
