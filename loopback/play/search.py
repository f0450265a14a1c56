"""Finds stories that break the promise: small ones first, then random ones, made small."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from .story import (
    CHANGES,
    ContinueRollback,
    Create,
    Declaration,
    Delete,
    Deploy,
    Happening,
    Operation,
    RollBack,
    Settings,
    Story,
    Trouble,
)

WAITS = Settings(experiment="Starting", begins_in=60.0)
"""An order has to wait, so that it can be taken back."""

_UNUSUAL: tuple[dict[str, Any], ...] = (
    {"depth": 1},
    {"depth": 2, "parent_lag": 13.0},
    {"masked": True},
    {"same_request_id": True},
    {"event_lag": 15.0},
    {"pages": 18},
    {"pages": 120},
    {"declared": Declaration(end="promote")},
    {"declared": Declaration(stop_on=("Create", "Update", "Delete"))},
    {"declared": Declaration(stop_on=("Delete",))},
)
_UNDOCUMENTED: tuple[dict[str, Any], ...] = (
    {"skipping": "old"},
    {"after_failure": "old"},
    {"restores_failed": True},
    {"event_lag": 90.0},
    {"depth": 1, "parent_lag": 0.0},
)
SETTINGS: tuple[Settings, ...] = (
    WAITS,
    *(replace(WAITS, **change) for change in (*_UNUSUAL, *_UNDOCUMENTED)),
    Settings(),
    *(replace(Settings(), **change) for change in _UNUSUAL),
    Settings(experiment="Created", begins_in=120.0),
    Settings(experiment="Completed"),
    Settings(experiment="absent"),
)
"""Each unusual setting alone, for an order that waits and for one that is carried out at once."""

LONG: tuple[Settings, ...] = (
    Settings(stop_seconds=1500.0),
    Settings(stop_seconds=5000.0),
    replace(WAITS, begins_in=5000.0),
)
"""Waits that a function hands over, and those that CloudFormation does not wait for."""

BEFORE_IT_EXISTS: tuple[Settings, ...] = (
    Settings(deployed=False),
    Settings(deployed=False, depth=1),
    Settings(deployed=False, declared=Declaration(stop_on=("Create", "Update", "Delete"))),
    Settings(deployed=False, experiment="absent"),
)

FAILS: tuple[dict[str, Any], ...] = (
    {},
    {"fails": "before"},
    {"fails": "while"},
    {"fails": "while", "fails_after": 4.0},
    {"fails": "while", "fails_after": 58.0},
    {"fails": "after"},
    {"fails": "while", "level": 1},
)
FAILURES: tuple[dict[str, Any], ...] = (
    *FAILS,
    {"lingers": 600.0},
    {"fails": "while", "undo_fails": True},
    {"fails": "while", "troubles": (Trouble(request=2, kind="never"),)},
    {"fails": "after", "troubles": (Trouble(request=2, kind="never"),)},
    {"meanwhile": (Happening("cancel", 20.0),)},
    {"express": True},
    *({"express": True, **FAILS[number]} for number in range(1, 6)),
)
AFTERWARDS: tuple[Operation, ...] = (
    ContinueRollback(),
    ContinueRollback(how="skip"),
    ContinueRollback(how="forced"),
    RollBack(),
    Delete(),
    Delete(force=True),
)
DEPLOYS: tuple[Operation, ...] = tuple(
    Deploy(change=change, rollback=rollback, **failure)
    for change in CHANGES
    for failure in FAILURES
    for rollback in (True, False)
    if (failure or rollback) and not ("express" in failure and not rollback)
)
CREATIONS: tuple[Operation, ...] = tuple(
    Create(on_failure=on_failure, experiment=experiment, **failure)
    for experiment in ("outside", "created", "imported")
    for on_failure in ("ROLLBACK", "DELETE", "DO_NOTHING")
    for failure in FAILS[:6]
)
CORE: tuple[Operation, ...] = (
    *(Deploy(change=change) for change in ("end", "end now", "release", "remove", "reason")),
    *(Deploy(change=change, fails="while") for change in ("end", "end now")),
    Deploy(change="end", rollback=False, fails="while"),
    Deploy(change="end", express=True, fails="while"),
    Deploy(change="end", fails="while", undo_fails=True),
    *(
        Deploy(change="end", fails=fails, troubles=(Trouble(request=2, kind="never"),))
        for fails in ("after", "while")
    ),
    ContinueRollback(),
    ContinueRollback(how="skip"),
    RollBack(),
    Delete(),
)
"""What is combined with faults, and three at a time."""

HAPPENINGS: tuple[Happening, ...] = tuple(
    Happening(what, after)
    for what in ("cancel", "ends", "expires", "deleted", "recreated")
    for after in (12.0, 25.0, 100.0, 400.0)
)
DELIVERIES: tuple[Trouble, ...] = (
    *(Trouble(kind="twice", seconds=seconds) for seconds in (0.5, 8.0, 70.0)),
    *(Trouble(kind="late", seconds=seconds) for seconds in (30.0, 100.0, 1000.0, 4000.0)),
    Trouble(kind="never"),
    *(Trouble(kind="killed", seconds=seconds) for seconds in (0.5, 10.0, 40.0)),
    *(Trouble(kind="after the answer", seconds=seconds) for seconds in (2.0, 300.0, 2000.0)),
)
FOR_GOOD = 1_000_000
LONG_LASTING = 1000
"""Attempts in a fault that ends after some time."""
CALLS: tuple[Trouble, ...] = (
    *(
        Trouble(
            call="StopInferenceExperiment",
            kind=kind,
            attempts=attempts,
            seconds=100.0 if attempts == LONG_LASTING else 0.0,
        )
        for kind, attempts in (
            ("lost", 1),
            ("lost", 2),
            ("taken", 1),
            ("taken", 0),
            ("slow", 0),
            ("killed", 0),
            ("throttled", 0),
            ("denied", FOR_GOOD),
            ("denied", LONG_LASTING),
            ("refused", 1),
            ("refused", FOR_GOOD),
            ("garbled", 1),
        )
    ),
    *(
        Trouble(
            call=call,
            kind=kind,
            attempts=attempts,
            seconds=100.0 if attempts == LONG_LASTING else 0.0,
        )
        for call in ("DescribeInferenceExperiment", "DescribeStacks", "DescribeStackEvents")
        for kind, attempts in (
            ("lost", 1),
            ("throttled", 0),
            ("throttled", LONG_LASTING),
            ("lost", LONG_LASTING),
            ("denied", LONG_LASTING),
            ("slow", 0),
            ("killed", 0),
            ("denied", 1),
            ("denied", FOR_GOOD),
            ("garbled", 1),
            ("flaky", FOR_GOOD),
        )
    ),
    *(
        Trouble(call=call, kind=kind)
        for call in ("PutRule", "PutTargets", "AddPermission", "RemoveTargets", "DeleteRule")
        for kind in ("lost", "denied", "killed")
    ),
    *(Trouble(call="PUT", kind=kind) for kind in ("lost", "taken", "error", "reset", "killed")),
    *(
        Trouble(call="PUT", kind="error", attempts=LONG_LASTING, seconds=seconds)
        for seconds in (55.0, 100.0, 1000.0)
    ),
)
EVENTS: tuple[Trouble, ...] = (
    Trouble(kind="events lost"),
    *(Trouble(kind="events late", seconds=seconds) for seconds in (20.0, 300.0)),
    *(Trouble(kind="events twice", seconds=seconds) for seconds in (0.5, 90.0)),
    Trouble(kind="events swapped", seconds=40.0),
    Trouble(kind="rules slow", seconds=60.0),
)
"""Each from a request on."""

FAULTS: tuple[Trouble | Happening, ...] = (*DELIVERIES, *EVENTS, *CALLS, *HAPPENINGS)
FREQUENT: tuple[Trouble | Happening, ...] = (*DELIVERIES, *EVENTS, *CALLS[:12], *HAPPENINGS)


def singles() -> Iterator[Story]:
    """Every operation alone, with every setting."""
    for settings in SETTINGS:
        for operation in (*DEPLOYS, *AFTERWARDS):
            yield Story(settings, (operation,))
    for settings, operation in itertools.product(LONG, CORE):
        yield Story(settings, (operation,))
    for settings in BEFORE_IT_EXISTS:
        for operation in CREATIONS:
            yield Story(settings, (operation,))


def singles_with_faults() -> Iterator[Story]:
    """Every operation alone, with each single fault."""
    for settings in (WAITS, Settings()):
        for operation in (*DEPLOYS, Delete()):
            for fault in FAULTS:
                yield Story(settings, (_with(operation, fault),))
    others = [settings for settings in SETTINGS if settings not in (WAITS, Settings())]
    for settings, operation, fault in itertools.product(others, CORE, FAULTS):
        yield Story(settings, (_with(operation, fault),))
    for operation, fault in itertools.product(CREATIONS, FAULTS):
        yield Story(BEFORE_IT_EXISTS[0], (_with(operation, fault),))


def singles_with_two_faults() -> Iterator[Story]:
    """An order, with every two of the faults that matter for one."""
    orders = (
        Deploy(change="end now", lingers=600.0),
        Deploy(change="end now", lingers=600.0, rollback=False),
        Deploy(change="end now", fails="while"),
        Deploy(change="remove"),
        Delete(),
    )
    for settings in (Settings(), Settings(experiment="absent")):
        for operation, (first, second) in itertools.product(
            orders, itertools.combinations(FREQUENT, 2)
        ):
            yield Story(settings, (_with(_with(operation, first), second),))


def pairs() -> Iterator[Story]:
    """Every two operations that matter for each other, with every setting."""
    for settings in SETTINGS:
        for first in DEPLOYS:
            for second in (*CORE, *AFTERWARDS[2:4], AFTERWARDS[5]):
                yield Story(settings, (first, second))
    for settings in BEFORE_IT_EXISTS:
        for first in CREATIONS:
            for second in (*CORE, Create()):
                yield Story(settings, (first, second))


def pairs_with_faults() -> Iterator[Story]:
    """Every two of the core, each single fault in either, at each of three requests."""
    for settings in (WAITS, Settings()):
        for first, second in itertools.product(CORE, CORE):
            for fault in FAULTS:
                for each in _at_requests(fault):
                    yield Story(settings, (_with(first, each), second))
                if settings is WAITS or fault in HAPPENINGS:
                    yield Story(settings, (first, _with(second, fault)))


def _at_requests(fault: Trouble | Happening) -> tuple[Trouble | Happening, ...]:
    """The fault, in the first request and in the second, which is mostly an undo."""
    if isinstance(fault, Happening):
        return (fault,)
    return fault, replace(fault, request=2)


def triples() -> Iterator[Story]:
    """Every three of the core."""
    for settings in SETTINGS:
        for operations in itertools.product(CORE, CORE, CORE):
            yield Story(settings, operations)


KINDS: dict[str, Callable[[], Iterator[Story]]] = {
    "one": singles,
    "one with a fault": singles_with_faults,
    "one with two faults": singles_with_two_faults,
    "two": pairs,
    "two with a fault": pairs_with_faults,
    "three": triples,
}


RARELY = 0.04


def drawn(seed: str) -> Iterator[Story]:
    """Random stories without an end, from one seed."""
    draw = random.Random(seed)
    while True:
        yield _story(draw)


def _story(draw: random.Random) -> Story:
    settings = _settings(draw)
    operations: list[Operation] = []
    if not settings.deployed:
        operations.append(draw.choice(CREATIONS))
    for _ in range(draw.choice((1, 1, 2, 2, 3, 3, 4, 5))):
        operation = draw.choice(draw.choice((DEPLOYS, CORE, AFTERWARDS)))
        if operation.fails == "while":
            after = draw.choice((1.0, 4.0, 9.0, 16.0, 30.0, 58.0, 61.0, 90.0, 250.0))
            operation = replace(operation, fails_after=after)
        if operation.fails:
            operation = replace(operation, level=draw.randrange(settings.depth + 1))
        pause = draw.choice((900.0, 900.0, 10.0, 60.0, 4000.0))
        operations.append(replace(operation, pause=pause))
    for _ in range(draw.choice((0, 0, 1, 1, 1, 2, 3))):
        at = draw.randrange(len(operations))
        fault: Trouble | Happening = draw.choice(FAULTS if draw.random() < 0.5 else FREQUENT)
        if isinstance(fault, Trouble):
            fault = replace(fault, request=draw.choice((1, 1, 2, 2, 3)))
            if fault.seconds:
                fault = replace(fault, seconds=fault.seconds * draw.choice((0.5, 1.0, 1.5)))
            if fault.call:
                fault = replace(fault, skip=draw.choice((0, 0, 0, 1, 2, 5)))
        else:
            fault = replace(fault, after=fault.after * draw.choice((0.5, 1.0, 2.0)))
        operations[at] = _with(operations[at], fault)
    return Story(settings, tuple(operations))


def _settings(draw: random.Random) -> Settings:
    settings = draw.choice((*SETTINGS, *BEFORE_IT_EXISTS))
    if draw.random() < RARELY:
        settings = draw.choice(LONG)
    other = draw.choice(SETTINGS)
    changes = {
        member.name: getattr(other, member.name)
        for member in fields(other)
        if getattr(other, member.name) != getattr(Settings(), member.name)
    }
    if draw.random() < 0.5:
        settings = replace(settings, **changes)
    return settings


def _with(operation: Operation, fault: Trouble | Happening) -> Operation:
    if isinstance(fault, Happening):
        return replace(operation, meanwhile=(*operation.meanwhile, fault))
    return replace(operation, troubles=(*operation.troubles, fault))


# Small.


def shrunk(story: Story, still_breaks: Callable[[Story], bool]) -> Story:
    """The smallest story that can be reached by leaving something out, and still breaks."""
    while True:
        for smaller in _smaller(story):
            if still_breaks(smaller):
                story = smaller
                break
        else:
            return story


def _smaller(story: Story) -> Iterator[Story]:
    operations = story.operations
    for number in range(len(operations)):
        yield replace(story, operations=operations[:number] + operations[number + 1 :])
    for simpler in _simpler(story.settings):
        yield replace(story, settings=simpler)
    for number, operation in enumerate(operations):
        for name in ("troubles", "meanwhile"):
            items = getattr(operation, name)
            for index in range(len(items)):
                left = items[:index] + items[index + 1 :]
                yield _replaced(story, number, replace(operation, **{name: left}))
        for simpler_one in _simpler(operation):
            yield _replaced(story, number, simpler_one)
        for index, trouble in enumerate(operation.troubles):
            if trouble.skip:
                fewer = replace(trouble, skip=0)
                items = (*operation.troubles[:index], fewer, *operation.troubles[index + 1 :])
                yield _replaced(story, number, replace(operation, troubles=items))


def _replaced(story: Story, number: int, operation: Operation) -> Story:
    operations = list(story.operations)
    operations[number] = operation
    return replace(story, operations=tuple(operations))


def _simpler(item: Any) -> Iterator[Any]:
    """The same with one member as it is by default."""
    default = type(item)()
    for member in fields(item):
        if member.name in ("change", "how", "troubles", "meanwhile", "fails"):
            continue
        value, usual = getattr(item, member.name), getattr(default, member.name)
        if value == usual:
            continue
        yield replace(item, **{member.name: usual})
        if isinstance(value, Declaration):
            for simpler in _simpler(value):
                yield replace(item, **{member.name: simpler})
    if isinstance(item, Deploy) and item.change not in ("end now", "nothing"):
        for change in ("nothing", "end now"):
            yield replace(item, change=change)
    if isinstance(item, Operation) and item.fails:
        yield replace(item, fails="", fails_after=Operation().fails_after, level=0)


def is_contained(small: Story, big: Story) -> bool:
    """Whether a story has everything that a smaller one has, so that it says nothing new."""
    if not _has(small.settings, big.settings):
        return False
    position = 0
    for operation in small.operations:
        while position < len(big.operations) and not _has(operation, big.operations[position]):
            position += 1
        if position == len(big.operations):
            return False
        position += 1
    return True


_AMOUNTS = ("fails_after", "pause", "begins_in", "stop_seconds", "event_lag", "lingers")


def _has(small: Any, big: Any) -> bool:
    if type(small) is not type(big):
        return False
    default = type(small)()
    for member in fields(small):
        value, other = getattr(small, member.name), getattr(big, member.name)
        if value == getattr(default, member.name) or value == other:
            continue
        if member.name in ("troubles", "meanwhile"):
            if all(any(_is_like(each, one) for one in other) for each in value):
                continue
            return False
        if member.name in _AMOUNTS and other != getattr(default, member.name):
            continue
        return False
    return True


def _is_like(small: Trouble | Happening, big: Trouble | Happening) -> bool:
    if isinstance(small, Trouble) and isinstance(big, Trouble):
        return (small.kind, small.call) == (big.kind, big.call)
    if isinstance(small, Happening) and isinstance(big, Happening):
        return small.what == big.what
    return False


def sample(stories: Sequence[Story], count: int, seed: str) -> list[Story]:
    """Some of them, the same for a seed."""
    return random.Random(seed).sample(stories, min(count, len(stories)))
