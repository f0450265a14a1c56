"""What AWS did, with this project's resource in the place of a recorded one.

A forward request may stop the experiment, and does where nothing has failed yet; an undo never
does, and every request that CloudFormation waits for is answered.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from loopback.cloudformation import Event as StackEvent
from loopback.world import World
from tests.recordings import NAMES, STACK_ID, STACK_TYPE, Event, Recording, load

from .replay import Mode, Pace, Replay

UNDONE_UPDATE = ("Update", "undo Update")
UNDONE_CREATION = ("Create", "undo Delete")

Put = tuple[float, str, str, str]
PUT_IN: dict[str, tuple[tuple[str, str], tuple[Put, ...]]] = {
    "nested-siblings-told-to-roll-back": (
        ("Voucher", "Ours"),
        (
            (0.5, "Voucher", "Ours", "UPDATE_IN_PROGRESS"),
            (14.0, "Voucher", "Ours", "UPDATE_IN_PROGRESS"),
        ),
    ),
    "nested-failure-travels-up": (
        ("middle", "Ours"),
        (
            (-6.0, "middle", "Ours", "UPDATE_IN_PROGRESS"),
            (20.0, "middle", "Ours", "UPDATE_IN_PROGRESS"),
        ),
    ),
    "nested-siblings-cancelled": (
        ("root", "JetsPublicController"),
        (
            (3.0, "root", "JetsPublicController", "UPDATE_IN_PROGRESS"),
            (19.0, "root", "root", "UPDATE_ROLLBACK_IN_PROGRESS"),
            (25.0, "root", "JetsPublicController", "UPDATE_IN_PROGRESS"),
        ),
    ),
    "nested-creation-fails-in-update": (
        ("root", "api"),
        ((-8.0, "root", "api", "CREATE_IN_PROGRESS"),),
    ),
}
"""Logs that show a rollback, but not how a resource was asked: the place, and what is put in.

A resource of ours is put where a sibling failed or was cancelled.
"""

WITHOUT_A_REQUEST = {
    "cleanup-delete-is-abandoned",
    "delete-fails-then-deleted",
    "hook-events",
    "replacement-order",
}
"""They have no times, or only the end of a request, so nothing can be put in its place."""

ORDINARY = ("ECRRepo", "MyBucket", "UserPool")
"""Neither custom resources nor nested stacks; ours takes their places, too."""


def _places(recording: Recording) -> dict[tuple[str, str], tuple[str, ...]]:
    """What is asked of each resource whose place ours takes; ``undo`` after a rollback began."""
    undone: set[str] = set()
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for event in recording.events:
        place = event.stack, event.logical_id
        if event.is_of_stack:
            begun = recording.of_stack(event.stack)[0].status
            if event.status.endswith("ROLLBACK_IN_PROGRESS") or (
                event.status == "DELETE_IN_PROGRESS" != begun
            ):
                undone.add(event.stack)
        elif event.begins_request and (place in found or _is_taken(event)):
            kind = event.status.partition("_")[0].title()
            asked = f"undo {kind}" if event.stack in undone else kind
            found[place] = (*found.get(place, ()), asked)
    return found


def _is_taken(event: Event) -> bool:
    is_custom = event.type.startswith("Custom::")
    return event.is_of_child or is_custom or event.logical_id in ORDINARY


PLACES = {name: _places(load(name)) for name in NAMES if name not in {*PUT_IN, *WITHOUT_A_REQUEST}}
IN_TIME = {"at once": Pace(delay=0.0, lag=0.2), "a second late": Pace(delay=1.0, lag=1.0)}
LATE = {f"{late} s late": Pace(delay=0.5, lag=1.0, late=late) for late in (4, 8, 30, 200)}
LONGEST_LOOK = 10.0
"""Seconds from a look to the Stop that it allows."""
TURNS = [
    pytest.param(name, place, id=f"{name}: {'/'.join(place)}")
    for name, places in PLACES.items()
    for place in places
]


def _fails(name: str, place: tuple[str, str]) -> bool:
    """Whether the resource itself failed there."""
    return any(
        (event.stack, event.logical_id) == place and event.status.endswith("_FAILED")
        for event in load(name).events
    )


UNDONE = [
    pytest.param(name, place, id=f"{name}: {'/'.join(place)}")
    for name, places in PLACES.items()
    for place, requests in places.items()
    if len(requests) > 1
]
FAILED = [
    pytest.param(name, place, id=f"{name}: {'/'.join(place)}")
    for name, places in PLACES.items()
    for place, requests in places.items()
    if len(requests) > 1 and _fails(name, place)
]


def replayed(world: World, name: str, place: tuple[str, str], mode: Mode, pace: Pace) -> Replay:
    return played(world, load(name), place, PLACES[name][place], mode=mode, pace=pace)


def played(
    world: World,
    recording: Recording,
    place: tuple[str, str],
    requests: tuple[str, ...],
    *,
    mode: Mode,
    pace: Pace,
) -> Replay:
    replay = Replay(world, recording, place, requests, mode=mode, pace=pace)
    assert [sent.kind for sent in replay.sent] == [told.rpartition(" ")[2] for told in requests]
    # Once CloudFormation has cancelled an order, it has all that it waits for.
    waited_for = replay.sent[1:] if mode is Mode.CANCELLED else replay.sent
    assert all(sent.asked.answer is not None for sent in waited_for)
    assert world.leftovers == []
    return replay


@pytest.mark.parametrize("pace", IN_TIME)
@pytest.mark.parametrize(("name", "place"), TURNS)
def test_an_order_is_carried_out_once_and_its_undo_stops_nothing(
    world: World, name: str, place: tuple[str, str], pace: str
) -> None:
    replay = replayed(world, name, place, Mode.ANSWERED, IN_TIME[pace])
    order = replay.sent[0]
    assert [sent.status for sent in replay.sent] == ["SUCCESS"] * len(replay.sent)
    assert len(replay.accepted(order)) == len(replay.stops) == 1


@pytest.mark.parametrize("pace", IN_TIME)
@pytest.mark.parametrize(("name", "place"), UNDONE)
def test_the_undo_of_an_order_that_stops_nothing_yet_stops_nothing(
    world: World, name: str, place: tuple[str, str], pace: str
) -> None:
    replay = replayed(world, name, place, Mode.ARMED, IN_TIME[pace])
    assert [sent.status for sent in replay.sent] == ["SUCCESS", "SUCCESS"]
    assert replay.stops == []


@pytest.mark.parametrize("pace", IN_TIME)
@pytest.mark.parametrize(("name", "place"), FAILED)
def test_the_undo_of_an_order_that_sagemaker_refused_stops_nothing(
    world: World, name: str, place: tuple[str, str], pace: str
) -> None:
    replay = replayed(world, name, place, Mode.REFUSED, IN_TIME[pace])
    order, undo = replay.sent
    assert (order.status, undo.status) == ("FAILED", "SUCCESS")
    assert [stop for stop in replay.stops if stop.at > order.asked.answered_at] == []


@pytest.mark.parametrize(("name", "place"), FAILED)
def test_an_order_that_failed_and_is_delivered_again_after_its_undo_stops_nothing(
    world: World, name: str, place: tuple[str, str]
) -> None:
    replay = replayed(world, name, place, Mode.REFUSED, IN_TIME["at once"])
    before = len(replay.stops)
    replay.deliver_again()
    assert len(replay.stops) == before
    assert world.leftovers == []


@pytest.mark.parametrize("pace", [*IN_TIME, *LATE])
@pytest.mark.parametrize(("name", "place"), UNDONE)
def test_an_order_that_is_undone_before_its_answer_stops_nothing_after_that(
    world: World, name: str, place: tuple[str, str], pace: str
) -> None:
    """CloudFormation cancels it; where Lambda was late, it comes when all is over."""
    how = {**IN_TIME, **LATE}[pace]
    replay = replayed(world, name, place, Mode.CANCELLED, how)
    order, undo = replay.sent
    assert undo.status == "SUCCESS"
    assert [stop for stop in replay.stops if stop.at > replay.undone_at + LONGEST_LOOK] == []
    if order.at + how.delay + how.late > replay.undone_at:
        assert replay.stops == []


@pytest.mark.parametrize(("name", "place"), UNDONE)
def test_an_order_whose_stack_shows_a_failure_already_stops_nothing(
    world: World, name: str, place: tuple[str, str]
) -> None:
    """The rollback follows within a second or two; Lambda delivers the order in between."""
    events = load(name).of_stack(place[0])
    asked = next(e for e in events if e.logical_id == place[1] and e.begins_request)
    failed = next(e for e in events if e.status.endswith("_FAILED"))
    late = failed.at - asked.at + 0.05
    replay = replayed(world, name, place, Mode.CANCELLED, Pace(delay=0.0, lag=0.0, late=late))
    assert replay.stops == []


@pytest.mark.parametrize("pace", IN_TIME)
@pytest.mark.parametrize("mode", [Mode.CANCELLED, Mode.ARMED])
@pytest.mark.parametrize("name", PUT_IN)
def test_nothing_is_stopped_once_a_sibling_or_a_parent_has_taken_the_stack_back(
    world: World, name: str, mode: Mode, pace: str
) -> None:
    place, put_in = PUT_IN[name]
    recording = load(name)
    added = tuple(
        Event(
            at,
            stack,
            logical_id,
            STACK_TYPE,
            status,
            STACK_ID if stack == logical_id else "id-1",
            "" if stack == logical_id else "put in",
            "",
        )
        for at, stack, logical_id, status in put_in
    )
    events = sorted([*recording.events, *added], key=lambda event: event.at)
    requests = UNDONE_CREATION if name == "nested-creation-fails-in-update" else UNDONE_UPDATE
    replay = played(
        world,
        replace(recording, events=tuple(events)),
        place,
        requests,
        mode=mode,
        pace=IN_TIME[pace],
    )
    assert replay.sent[-1].status == "SUCCESS"
    assert [stop for stop in replay.stops if stop.at > replay.undone_at + LONGEST_LOOK] == []
    if mode is Mode.ARMED:
        assert replay.stops == []


@pytest.mark.parametrize("name", [name for name in NAMES if load(name).polls])
def test_the_model_shows_an_event_as_soon_as_aws_did(world: World, name: str) -> None:
    """Within a second; one event was dated 0.18 s later than the response that had it, or more."""
    recording = load(name)
    stack = world.stack
    stack.events.clear()
    begin = world.clock.now
    for event in recording.events:
        stack.events.append(StackEvent(begin + event.at, event.logical_id, "", "", event.status))
    for poll in recording.polls:
        if poll.operation != "DescribeStackEvents":
            continue
        # The Date of a response is cut to whole seconds.
        world.clock.run_until(begin + poll.at)
        stack.event_lag = 1.0
        assert stack.shown() <= poll.count
        world.clock.run_until(begin + poll.at + 1)
        stack.event_lag = -0.2
        assert stack.shown() >= poll.count


def test_every_custom_resource_and_nested_stack_has_its_turn() -> None:
    assert all(PLACES.values())
    assert (len(TURNS), len(UNDONE), len(FAILED)) == (78, 9, 6)
