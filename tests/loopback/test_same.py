"""The explorer leaves out only stories that are the same as one that it plays."""

from __future__ import annotations

import random

import pytest

from loopback.play.facts import Facts
from loopback.play.same import Known, Refused
from loopback.play.search import KINDS, SETTINGS, WAITS
from loopback.play.stage import Played, play
from loopback.play.story import (
    ContinueRollback,
    Create,
    Delete,
    Deploy,
    Happening,
    RollBack,
    Settings,
    Story,
    Trouble,
)

SEED = "same"
ENOUGH = {
    "one": 8,
    "one with a fault": 10,
    "one with two faults": 5,
    "two": 5,
    "two with a fault": 5,
    "three": 2,
}
"""How many stories of each kind are played although the explorer leaves them out."""


def settled(known: Known, story: Story, met: dict[Story, Played]) -> Story:
    """The story that is played instead of one, once all is played that has to be known."""

    def first(missing: Story) -> Facts:
        met[missing] = play(missing, digests=True)
        return met[missing].facts

    return known.settle(story, first)


def seen(found: Played) -> tuple[object, ...]:
    """What a story has shown: all but happenings that came when everything was over."""
    ledger = found.ledger
    lines = [each for each in ledger.events if not each[1].startswith("the experiment: ")]
    requests = [
        (each.sent_at, each.event, each.phase, each.asked.answer, each.asked.answered_at)
        for each in ledger.requests
    ]
    stops = [(each.at, each.members) for each in ledger.stops]
    orders = [
        (each.since, each.ends, each.is_due, each.is_doubtful, each.signs) for each in ledger.orders
    ]
    return lines, requests, stops, orders, found.facts.state


@pytest.mark.parametrize("kind", ENOUGH)
def test_what_is_left_out_is_the_same_as_what_is_played(kind: str) -> None:
    known, met, count = Known(SETTINGS), dict[Story, Played](), 0
    few = [Settings(), *random.Random(SEED).sample(SETTINGS, 1)]
    # Those whose undocumented settings are never asked for.
    few += [WAITS, *(each for each in SETTINGS if each.restores_failed)]
    stories = [story for story in KINDS[kind]() if story.settings in few]
    random.Random(SEED).shuffle(stories)
    for story in stories:
        try:
            other = settled(known, story, met)
        except Refused:
            continue
        if other == story:
            continue
        left_out, instead = play(story), met.get(other) or play(other)
        assert seen(left_out) == seen(instead), f"{story.tell()}\n\n{other.tell()}"
        assert set(left_out.findings) <= set(instead.findings)
        count += 1
        if count == ENOUGH[kind]:
            return
    pytest.fail(f"only {count} are left out")


def test_what_is_refused_is_refused_when_it_is_played() -> None:
    known, met, count = Known(SETTINGS), dict[Story, Played](), 0
    stories = list(KINDS["two"]())
    for story in random.Random(SEED).sample(stories, 25):
        try:
            settled(known, story, met)
        except Refused:  # noqa: PERF203 - it is what is asked
            assert play(story).ledger.refused, story.tell()
            count += 1
    assert count > 5


NO_STOP = Trouble(call="StopInferenceExperiment", kind="denied", attempts=1_000_000)
ONCE = Story(WAITS, (Deploy(change="end"),))


@pytest.mark.parametrize(
    "story",
    [
        Story(WAITS, (Deploy(change="end", troubles=(Trouble(kind="never"),)),)),
        Story(WAITS, (Deploy(change="end", troubles=(Trouble(call="PUT", kind="lost"),)),)),
        Story(WAITS, (Deploy(change="end", meanwhile=(Happening("cancel", 12.0),)),)),
        Story(WAITS, (Deploy(change="end", troubles=(Trouble(kind="events lost"),)),)),
        Story(WAITS, (Deploy(change="end", fails="while"),)),
        Story(Settings(restores_failed=True), (Deploy(change="end", fails="while"),)),
        Story(WAITS, (Deploy(change="end now"), Delete())),
        # It waits for a call of the next operation.
        Story(WAITS, (Deploy(change="reason", troubles=(NO_STOP,)), Deploy(change="end now"))),
        # It comes when the first operation is over, but matters for the next one.
        Story(Settings(), (Deploy(meanwhile=(Happening("recreated", 400.0),)), Delete())),
    ],
    ids=lambda story: story.tell().replace("\n", " "),
)
def test_what_makes_a_difference_is_played(story: Story) -> None:
    known = Known(SETTINGS)

    assert settled(known, story, {}).operations == story.operations


@pytest.mark.parametrize(
    ("story", "instead"),
    [
        (ONCE, Deploy(change="end")),
        (
            Story(WAITS, (Deploy(change="end", troubles=(Trouble(request=2, kind="twice"),)),)),
            Deploy(change="end"),
        ),
        (Story(WAITS, (Deploy(change="reason", fails="while"),)), Deploy(change="reason")),
    ],
)
def test_a_fault_whose_moment_never_comes_is_left_out(story: Story, instead: Deploy) -> None:
    assert settled(Known(SETTINGS), story, {}) == Story(WAITS, (instead,))


def test_two_beginnings_that_lead_to_the_same_world_are_one() -> None:
    known, met = Known(SETTINGS), dict[Story, Played]()
    stories = [
        Story(WAITS, (Deploy(change="reason", **failure), Delete()))
        for failure in ({}, {"fails": "while"}, {"meanwhile": (Happening("cancel", 100.0),)})
    ]

    assert {settled(known, story, met) for story in stories} == {stories[0]}


def test_a_beginning_that_excuses_more_stands_for_none_that_excuses_less() -> None:
    known, met = Known(SETTINGS), dict[Story, Played]()
    calm, excused = (
        Story(WAITS, (Deploy(change="nothing", troubles=troubles), Delete()))
        for troubles in ((), (Trouble(request=2, kind="denied", call="DescribeStacks"),))
    )

    # In another order than the search's, so that the other one is met first.
    first = Story(WAITS, excused.operations[:1])
    known.learn(first, play(first, digests=True).facts)

    assert settled(known, calm, met) == calm


def test_an_operation_on_a_stack_that_is_gone_is_refused() -> None:
    known = Known(SETTINGS)

    for operation in (Deploy(change="end"), ContinueRollback(), RollBack(), Delete()):
        with pytest.raises(Refused):
            settled(known, Story(WAITS, (Delete(), operation)), {})
    assert settled(known, Story(WAITS, (Delete(), Create())), {}).operations == (Delete(), Create())
