"""The real handlers, ours and crhelper's, on the loopback AWS under its virtual clock."""

# ruff: noqa: SLF001 (the loopback's own parts)
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from loopback.cloudformation import Asked, Stack
from loopback.containers import fresh_everything, fresh_index
from loopback.function import Context, Handler
from loopback.sagemaker import Pace
from loopback.world import DAY_SECONDS, NAME, World

from .simulation import DEFAULT_MEMORY_MB, OUR_MEMORY_MB, Outcome
from .waiting_inside import waiting_inside

__all__ = [
    "HANDLERS",
    "INSIDE",
    "OUR_COLD_SECONDS",
    "let_succeed",
    "new_world",
    "one_request",
    "playing",
    "updating",
]

STOCK = "loopback.stock"
INSIDE = "waiting inside"
OUR_COLD_SECONDS = 4.8
"""Until ours answers from a cold start, as the benchmark of cold starts measures it with the memory
of the template; all of it is spent, and billed, before the handler's first call."""

_Load = Callable[[], Handler]


def _ours() -> Handler:
    time.sleep(OUR_COLD_SECONDS)
    return fresh_index()


def _stock() -> Handler:
    return fresh_everything(STOCK)


HANDLERS: dict[str, tuple[_Load, int]] = {
    "ours": (_ours, OUR_MEMORY_MB),
    INSIDE: (_ours, OUR_MEMORY_MB),
    "crhelper": (_stock, DEFAULT_MEMORY_MB),
}
"""How to create a container of each, and its memory."""


def new_world(contestant: str, outcome: Outcome, seed: int = 0) -> World:
    """Return a world that runs a contestant's function and counts its invocations."""
    load, memory = HANDLERS[contestant]

    def timed() -> Handler:
        started = world.clock.now
        handler = load()
        outcome.busy[memory] = outcome.busy.get(memory, 0.0) + world.clock.now - started
        return _timed(handler, memory, outcome)

    world = World(load=timed, seed=seed)
    if contestant == "crhelper":
        # The loopback's rules fire every minute; crhelper's default is rate(2 minutes).
        world.events._invoke = _every_second_time(world.events._invoke)
    if contestant != "ours":
        world.events.event_delays = ()
    world.stack.status = "UPDATE_IN_PROGRESS"
    world.stack.event_lag = 0.0
    return world


def updating(world: World, name: str) -> Stack:
    """Return a further stack of a world, which is being updated like its first one."""
    stack = world.cloudformation.new_stack(name)
    stack.enter("CREATE_IN_PROGRESS", world.clock.now - DAY_SECONDS)
    stack.enter("CREATE_COMPLETE", world.clock.now - DAY_SECONDS)
    stack.enter("UPDATE_IN_PROGRESS", world.clock.now)
    stack.event_lag = 0.0
    return stack


@contextmanager
def playing(contestant: str, world: World) -> Iterator[None]:
    """Let the contestant's function run in a world."""
    with waiting_inside() if contestant == INSIDE else nullcontext(), world.installed():
        yield


def one_request(
    contestant: str, kind: str, *, status: str = "Running", stop: float = 60.0, seed: int = 0
) -> tuple[Outcome, float]:
    """Deliver one request and let everything happen.

    Returns:
        Its cost, its lag after the experiment's end, and the seconds from the request to the
        answer.

    Raises:
        RuntimeError: It was not answered SUCCESS, or something was left behind.
    """
    outcome = Outcome(0.0)
    world = new_world(contestant, outcome, seed)
    if kind == "Delete":
        world.stack.status = "DELETE_IN_PROGRESS"
    with playing(contestant, world):
        world.experiment(status, Pace(stop=stop, settle=0, lag=0))
        asked = world.deliver(world.request(kind))
        let_succeed(world, asked)
    outcome.lag = asked.answered_at - world.sagemaker.experiments[NAME].ends_at
    outcome.calls = sum(1 for _ in world.journal.calls())
    outcome.firings = max(0, outcome.invocations - 1)
    return outcome, asked.answered_at - asked.issued_at


def let_succeed(world: World, asked: Asked) -> None:
    """Let everything happen.

    Raises:
        RuntimeError: The request was not answered SUCCESS, or something was left behind.
    """
    world.run_to_quiet()
    if asked.answer is None or asked.answer["Status"] != "SUCCESS" or world.leftovers:
        raise RuntimeError(f"{asked.event}: {asked.answer}, left: {world.leftovers}")


def _timed(handler: Handler, memory: int, outcome: Outcome) -> Handler:
    """Count the virtual time of an invocation."""

    def timed(event: dict[str, Any], context: Context) -> object:
        started = context.clock.now
        try:
            return handler(event, context)
        finally:
            outcome.run(memory, context.clock.now - started)

    return timed


def _every_second_time(
    invoke: Callable[[str, dict[str, Any]], None],
) -> Callable[[str, Mapping[str, Any]], None]:
    fired: dict[str, int] = {}

    def every_second_time(rule: str, event: Mapping[str, Any]) -> None:
        fired[rule] = fired.get(rule, 0) + 1
        if fired[rule] % 2 == 0:
            invoke(rule, dict(event))

    return every_second_time
