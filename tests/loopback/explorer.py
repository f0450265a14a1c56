"""Runs histories: the first delivery of a request, then a few steps, then until nothing happens.

A step is an event of the world or a fault. Before an event, the world runs for a moment; a fault is
armed immediately and hits the next call of its operation. So a history reads from left to right,
and a fault comes right before the part in which it is hit.

Histories that are equivalent to another one are not counted and not continued: a fault that is not
hit before the next event, an event that changes nothing (the end of an ended experiment, a firing
without a rule, a cold container without an idle one), and faults of different operations in another
order. This keeps the number of sequences small enough to run all of them.
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
"""These differ from ``throttled`` only in a message or by seconds; a ``lean`` alphabet leaves them
out. A read that times out is one of them, whether it took effect or not."""

OF_THE_STACK = ("DescribeStack", "ListStackResources")
"""Reads right before or after the describe call of the experiment, with no write in between: a kill
there is equivalent to a kill at the describe call."""

OF_THE_RULE = (
    "PutRule",
    "AddPermission",
    "PutTargets",
    "RemoveTargets",
    "DeleteRule",
    "RemovePermission",
)
"""Steps that are retried after any error, so that ``denied`` is equivalent to ``throttled``."""


@dataclass(frozen=True)
class Result:
    """The result of one history.

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
    """Run one history; None if it is equivalent to another one."""
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
        entries: The length of the journal.
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
        SameAsAnother: It is equivalent to a shorter one or another one.
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
    """The steps that could follow, judged by what happened without one.

    Only faults of operations that are called after the last step, and in one order.
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
    """Whether a timed step changes anything, judged by the history without it."""
    world, then = history.world, since.at + BEAT_SECONDS
    if letter.startswith("fire"):
        return world.events.fired > since.fired
    if letter == "turns":
        return history.scenario.is_gated and history.asked.answered_at >= then
    if letter == "scales":
        is_scaled = history.scenario.running is not None and history.scenario.may_stop
        return is_scaled and history.asked.answered_at >= then
    if letter == "undone":
        return history.scenario.can_be_undone and history.asked.answered_at >= then
    if letter.startswith("ends"):
        experiment = world.sagemaker.experiments.get(history.scenario.new["Name"])
        return experiment is not None and experiment.ends_at >= then
    return True


def _last_armed(letters: tuple[str, ...]) -> str:
    """The operation of the last fault since the last timed step."""
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
