"""What a story that was played tells of others: the same ones need not be played.

A world is deterministic. So two stories are the same if what makes them different is never asked
for, or if they have led to the same world when the next operation begins.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from ..faults import PUT
from ..journal import CALL, INVOCATION
from ..journal import PUT as PUT_ENTRY
from ..world import World
from .allowed import State
from .engine import Engine
from .ledger import FORWARD
from .story import OF_EVENTS, Deploy, Happening, Operation, Trouble

UNDOCUMENTED = ("skipping", "after_failure", "restores_failed", "parent_lag", "same_request_id")
"""Settings that are asked for at one moment only, which may never come."""


@dataclass(frozen=True)
class Moments:
    """At which times faults could strike the last operation of a story.

    Attributes:
        began: When it began.
        closed: Until when a sibling could fail, or a user cancel it.
        is_undone: Whether it was, or is, a rollback.
        sent: When its requests were sent, and whether they are forward.
        answered: Whether they were answered.
        calls: For each request, when each operation of AWS was called first since it was sent.
        invoked: For each request, from when to when invocations for it ran.
        changed: When an endpoint changed last.
        last: When anything was done last.
    """

    began: float
    closed: float
    is_undone: bool
    sent: tuple[tuple[float, bool], ...]
    answered: tuple[bool, ...]
    calls: tuple[Mapping[str, float], ...]
    invoked: tuple[tuple[tuple[float, float], ...], ...]
    changed: float
    last: float


@dataclass(frozen=True)
class Facts:
    """What is known of a story that was played.

    Attributes:
        state: Of its stack at the end.
        consulted: Which of ``UNDOCUMENTED`` were asked for.
        moments: None if its last operation was refused.
        digest: Of its world, when the next operation would begin; empty if something is still
            going on.
    """

    state: State
    consulted: frozenset[str]
    moments: Moments | None
    digest: str


def facts_of(world: World, engine: Engine, digest: str) -> Facts:
    """What a story tells that has been played."""
    is_refused = len(engine.story.operations) - 1 in engine.ledger.refused
    moments = None if is_refused or not engine.ledger.began else _moments(world, engine)
    consulted = frozenset(engine.settings.names) & frozenset(UNDOCUMENTED)
    return Facts(engine.state, consulted, moments, digest)


def _moments(world: World, engine: Engine) -> Moments:
    ledger, journal = engine.ledger, world.journal
    began = ledger.began[-1]
    requests = [request for request in ledger.requests if request.sent_at >= began]
    acts = [entry for entry in journal if entry.kind in (CALL, PUT_ENTRY) and entry.at >= began]
    ended = {entry.invocation: entry.at for entry in journal if entry.kind == INVOCATION}
    calls, invoked = [], []
    for request in requests:
        first: dict[str, float] = {}
        for entry in acts:
            if entry.at >= request.sent_at:
                first.setdefault(PUT if entry.kind == PUT_ENTRY else entry.name, entry.at)
        calls.append(first)
        asked = request.event["RequestId"]
        spans = [
            (world.function.began[number], ended.get(number, float("inf")))
            for number, told in world.function.told.items()
            if told.get("RequestId") == asked
        ]
        invoked.append(tuple(spans))
    times = [entry.at for entry in acts] + [request.sent_at for request in requests]
    return Moments(
        began,
        ledger.closed[-1],
        ledger.undone[-1],
        tuple((request.sent_at, request.phase == FORWARD) for request in requests),
        tuple(request.asked.answer is not None for request in requests),
        tuple(calls),
        tuple(invoked),
        max(world.events.changed_at, default=0.0),
        max(times, default=began),
    )


# Faults whose moment never comes.


def may_strike(fault: Trouble | Happening, operation: Operation, moments: Moments) -> bool:
    """Whether a fault changes anything in an operation that was played without it."""
    if isinstance(fault, Happening):
        at = moments.began + fault.after
        if fault.what == "cancel":
            return isinstance(operation, Deploy) and at <= moments.closed
        return at <= moments.last
    index = fault.request - 1
    if index >= len(moments.sent):
        return False
    sent_at = moments.sent[index][0]
    if fault.call:
        # Whatever has to be skipped first is only a reason more for none to come.
        return fault.call in moments.calls[index]
    if fault.kind in OF_EVENTS:
        # An event that was under way then can still meet another rule.
        return moments.changed >= sent_at - _EVENTS_UNDER_WAY
    if fault.kind == "killed":
        at = sent_at + fault.seconds
        return any(began <= at <= ended for began, ended in moments.invoked[index])
    if fault.kind == "after the answer":
        return moments.answered[index]
    return True


_EVENTS_UNDER_WAY = 10.0


def may_fail(operation: Operation, moments: Moments) -> bool:
    """Whether a sibling's failure ``while`` our resource is handled changes anything.

    Args:
        moments: Of the operation without it.
    """
    forward = [at for at, is_forward in moments.sent if is_forward]
    strikes = bool(forward) and forward[0] + operation.fails_after <= moments.closed
    return strikes or (operation.undo_fails and moments.is_undone)


# What a world has come to.

_NEXT = frozenset(
    (
        "_broken_level",
        "_sibling_is_due",
        "_is_cancelled",
        "_failed_kept",
        "_sent_before",
        "operation",
    )
)
"""What the engine sets anew when an operation begins."""

_ELSEWHERE = frozenset(
    ("world", "story", "settings", "clock", "states", "_task", "_waiting", "ledger", "_kept")
)
_OVER = ("Provisioning._sleep_until", "SageMaker.drive")
"""Actions to come that do nothing, or only what the rest of the digest says."""


def digest_of(world: World, engine: Engine) -> str:
    """A digest of everything that can matter for what comes next, and for the oracle.

    Empty if something is still going on, so that only the whole world would say what comes of it.
    """
    pending = []
    for at, _, action in sorted(world.clock._events, key=lambda each: each[:2]):
        name = getattr(action, "__qualname__", "")
        if not name.startswith(_OVER):
            return ""
        if name.startswith("SageMaker"):
            pending.append((at, name))
    if world.function.running:
        return ""
    # What has not struck yet waits for the next operation.
    faults = [
        (fault.operation, fault.kind, fault.skip, fault.attempts - fault.hits, fault.passed)
        + ((fault.seconds, *fault.hit_at[:1]) if fault.seconds else ())
        for fault in world.faults
        if fault.is_pending(world.clock.now)
    ]
    told = _Teller(engine)
    parts = (
        world.clock.now,
        pending,
        faults,
        {name: value for name, value in vars(engine).items() if name not in _NEXT | _ELSEWHERE},
        vars(engine.ledger),
        [vars(each) for each in engine._kept],
        world.journal,
        world.function,
        world.events,
        world.cloudformation,
        world.sagemaker.service.state,
        sorted(world.sagemaker.experiments),
        world.aws.latency,
    )
    text = repr(told.told(parts)) + repr(random.getstate())
    return hashlib.sha256(text.encode()).hexdigest()


class _Teller:
    """Values as text that is the same for the same values."""

    def __init__(self, engine: Engine) -> None:
        self._numbers = {id(each): number for number, each in enumerate(engine._kept)}
        self._above: set[int] = set()

    def told(self, value: object) -> object:
        """One value."""
        if value is None or isinstance(value, str | int | float | bytes):
            return value
        if id(value) in self._numbers:
            return f"experiment {self._numbers[id(value)]}"
        if id(value) in self._above:
            return "above"
        self._above.add(id(value))
        try:
            return self._inside(value)
        finally:
            self._above.discard(id(value))

    def _inside(self, value: object) -> object:
        if isinstance(value, Mapping):
            return [(self._key(key), self.told(each)) for key, each in value.items()]
        if isinstance(value, list | tuple):
            return [self.told(each) for each in value]
        if isinstance(value, set | frozenset):
            return sorted(repr(self.told(each)) for each in value)
        if callable(value) and hasattr(value, "__qualname__"):
            return value.__qualname__
        return [type(value).__name__, *self._members(value)]

    def _key(self, key: object) -> object:
        # The ledger knows experiments by their ids.
        return f"experiment {self._numbers[key]}" if key in self._numbers else self.told(key)

    def _members(self, value: object) -> Iterator[object]:
        if is_dataclass(value):
            names = [each.name for each in fields(value)]
        else:
            names = list(getattr(value, "__dict__", ()))
        for name in names:
            if name not in ("_clock", "clock", "journal", "load", "_idle", "_now", "_service"):
                yield name, self.told(getattr(value, name))
