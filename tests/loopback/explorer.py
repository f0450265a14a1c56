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

from loopback.containers import fresh_index
from loopback.faults import CALL_KINDS, PUT, PUT_KINDS
from loopback.function import Handler
from loopback.journal import CALL
from loopback.journal import PUT as PUT_ENTRY
from loopback.world import World

from .history import History
from .invariants import violations
from .player import BEAT_SECONDS, INSTANT, TIMED, Player, SameAsAnother, in_order
from .scenarios import Scenario, learn

TRANSIENT_KINDS = ("unavailable", "unreachable", "lost", "reset")
"""Told from ``throttled`` by a message and by seconds only: left out where the alphabet is
``lean``. A read that times out is one of them, whether it had its effect or not."""

OF_THE_STACK = ("DescribeStack", "ListStackResources")
"""Reads before or after a look at the experiment, with nothing written in between: to be killed
there is to be killed at that look."""

OF_THE_RULE = (
    "PutRule",
    "AddPermission",
    "PutTargets",
    "RemoveTargets",
    "DeleteRule",
    "RemovePermission",
)
"""Steps that are tried again whatever error they end with: ``denied`` is ``throttled``."""


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


@dataclass(frozen=True)
class Moment:
    """When the last step of a history was taken.

    Attributes:
        entries: How long the journal was.
        fired: How often a rule had fired.
    """

    at: float
    entries: int
    fired: int


def run(
    scenario: Scenario, letters: tuple[str, ...], *, load: Callable[[], Handler] = fresh_index
) -> tuple[History, Moment]:
    """Run one history.

    Returns:
        The history, and when its last step was taken.

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
        moment = Moment(world.clock.now, len(world.journal), world.events.fired)
        player.finish()
        return player.history, moment


def _alphabet(history: History, since: Moment, *, lean: bool) -> Iterator[str]:
    """The steps that could follow, as far as what happened without one can tell.

    Faults only of operations that are called after the last step, and in one order.
    """
    yield from INSTANT
    yield from (letter for letter in TIMED if _may_come(letter, history, since))
    called = {
        PUT if entry.kind == PUT_ENTRY else entry.name
        for entry in history.world.journal[since.entries :]
        if entry.kind in (CALL, PUT_ENTRY)
    }
    armed = _last_armed(history.letters)
    for operation in sorted(called):
        if not in_order(armed, operation):
            continue
        for kind in PUT_KINDS if operation == PUT else CALL_KINDS:
            if not (lean and _is_like_another(operation, kind)):
                yield f"{operation}:{kind}"


def _may_come(letter: str, history: History, since: Moment) -> bool:
    """Whether a timed step changes anything, as far as the history without it tells."""
    world, then = history.world, since.at + BEAT_SECONDS
    if letter.startswith("fire"):
        return world.events.fired > since.fired
    if letter == "undone":
        return history.scenario.can_be_undone and history.asked.answered_at >= then
    if letter.startswith("ends"):
        experiment = world.sagemaker.experiments.get(history.scenario.new["Name"])
        return experiment is not None and experiment.ends_at >= then
    return True


def _last_armed(letters: tuple[str, ...]) -> str:
    """The operation of the last fault that no timed step has come after."""
    for letter in reversed(letters):
        if ":" in letter:
            return letter.partition(":")[0]
        if letter in TIMED:
            break
    return ""


def _is_like_another(operation: str, kind: str) -> bool:
    if kind in TRANSIENT_KINDS:
        return True
    if kind == "taken":
        return operation.startswith(("Describe", "List"))
    if kind == "killed":
        return operation.startswith(OF_THE_STACK)
    return kind == "denied" and operation in OF_THE_RULE
