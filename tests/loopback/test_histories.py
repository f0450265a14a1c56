"""Histories of stacks that were found by searching, and a sample of the search itself."""

from __future__ import annotations

import functools
import itertools
import json

import pytest

from loopback.containers import fresh_everything
from loopback.play.oracle import UNORDERED
from loopback.play.search import KINDS, drawn, is_contained, shrunk
from loopback.play.stage import play
from loopback.play.story import (
    ContinueRollback,
    Create,
    Declaration,
    Delete,
    Deploy,
    Happening,
    Settings,
    Story,
    Trouble,
)

from .stored import FOLDER, History, stored

SEED = "histories"
DRAWN = 150
SMALL = {
    "one": 100,
    "one with a fault": 200,
    "one with two faults": 150,
    "two": 200,
    "two with a fault": 200,
    "three": 100,
}


@pytest.mark.parametrize("history", stored(), ids=lambda history: history.name)
def test_a_stored_history_breaks_what_its_file_says_and_nothing_else(history: History) -> None:
    found = play(history.story)
    broken = sorted({finding.kind for finding in found.findings})

    expected = list(history.breaks) if history.state == "broken" else []
    assert broken == expected, f"{FOLDER.name}/{history.name}.json says otherwise\n{found.tell()}"


@pytest.mark.parametrize("history", stored(), ids=lambda history: history.name)
def test_a_stored_history_says_why_it_breaks(history: History) -> None:
    assert history.reason
    assert history.state in ("broken", "held")


def _check(stories: list[Story]) -> None:
    known = [history.story for history in stored() if history.state == "broken"]
    for story in stories:
        found = play(story)
        if found.findings and not any(is_contained(small, story) for small in known):
            pytest.fail(f"new: {found.tell()}\n{json.dumps(story.to_json())}")


@pytest.mark.parametrize("kind", SMALL)
def test_a_sample_of_the_small_histories_keeps_the_promise(kind: str) -> None:
    stories = list(KINDS[kind]())
    _check(stories[:: len(stories) // SMALL[kind]])


def test_random_histories_keep_the_promise() -> None:
    _check(list(itertools.islice(drawn(SEED), DRAWN)))


def _created_anew_before_a_failed_undo(change: str) -> Story:
    """A promotion is changed, and the undo of the change is never delivered."""
    update = Deploy(
        change=change,
        fails="after",
        troubles=(Trouble(2, "never"),),
        meanwhile=(Happening("recreated", 400.0),),
    )
    return Story(Settings(declared=Declaration(end="promote")), (update, Delete()))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(
            Story(
                Settings(declared=Declaration(end="promote")),
                (Deploy(change="rename in place", rollback=False, fails="before"), Deploy()),
            ),
            id="the update that renamed it failed, so its promotion may no longer be wanted",
        ),
        pytest.param(
            Story(
                Settings(),
                (
                    Deploy(
                        change="rename in place",
                        rollback=False,
                        meanwhile=(Happening("cancel", 20.0),),
                    ),
                    Deploy(rollback=False),
                ),
            ),
            id="the properties are those of the update that failed",
        ),
        pytest.param(
            Story(
                Settings(declared=Declaration(stop_on=("Create", "Update", "Delete"))),
                (
                    Deploy(
                        change="rename in place",
                        fails="after",
                        troubles=(Trouble(kind="never", request=2),),
                    ),
                    Delete(),
                ),
            ),
            id="the deletion only names the new experiment, which has ended",
        ),
        pytest.param(
            Story(
                Settings(),
                (
                    Deploy(change="move", rollback=False, fails="after"),
                    Deploy(change="remove", rollback=False),
                ),
            ),
            id="another resource, which the failed update has made, holds the experiment",
        ),
        pytest.param(
            Story(
                Settings(declared=Declaration(stop_on=("Delete",))),
                (
                    Deploy(change="end", fails="after", troubles=(Trouble(2, "never"),)),
                    ContinueRollback(how="skip"),
                    Deploy(change="end"),
                    Deploy(change="rename in place"),
                ),
            ),
            id="an undo was skipped, and the update after it did not change the resource",
        ),
        pytest.param(
            _created_anew_before_a_failed_undo("end"),
            id="the undo of a milder end failed, and the experiment is another one by now",
        ),
        pytest.param(
            _created_anew_before_a_failed_undo("outcome"),
            id="the undo of the same end in another form failed, and the experiment is another one",
        ),
        pytest.param(
            Story(
                Settings(declared=Declaration(end="promote")),
                (
                    Deploy(change="rename in place", rollback=False, fails="after"),
                    Deploy(change="rename in place", rollback=False, fails="after"),
                    Delete(),
                ),
            ),
            id="it was renamed and renamed back by updates that failed",
        ),
    ],
)
def test_what_a_failed_update_has_left_is_judged_by_what_users_meant(story: Story) -> None:
    assert not play(story).findings


def test_a_stop_may_hit_an_experiment_that_was_made_after_the_look_behind_it() -> None:
    starting = Settings(depth=2, experiment="Starting", begins_in=60.0)
    recreated = Deploy(change="remove", meanwhile=(Happening("recreated", 24.0),))

    found = play(Story(starting, (recreated,)))

    assert len(found.ledger.stops) == 1
    assert not found.findings


def test_an_end_may_be_of_an_experiment_that_is_made_right_after_the_request() -> None:
    made = Happening("recreated", 6.0)
    late = Trouble(kind="late", seconds=50.0)
    update = Deploy(change="end now", meanwhile=(made,), troubles=(late,))

    found = play(Story(Settings(experiment="absent"), (update,)))

    assert len(found.ledger.stops) == 1
    assert not found.findings


@pytest.mark.parametrize("end", ["keep", "promote"])
def test_an_earlier_stop_that_ends_otherwise_is_told_where_no_promotion_is_ordered(
    end: str,
) -> None:
    """The first order is withdrawn; its Stop goes on until the second one waits for it."""
    withdrawn = Deploy(change="end", fails="while")
    story = Story(
        Settings(stop_seconds=5000.0, declared=Declaration(end=end)),
        (withdrawn, Deploy(change="end now")),
    )

    found = play(story)

    answer = found.ledger.requests[2].asked.answer
    assert answer is not None
    assert answer["Status"] == ("SUCCESS" if end == "keep" else "FAILED")
    assert not found.findings


def test_the_handler_of_crhelpers_readme_breaks_the_promise() -> None:
    story = Story(Settings(), (Deploy(change="reason"),))

    found = play(story, functools.partial(fresh_everything, "loopback.stock"))

    assert UNORDERED in {finding.kind for finding in found.findings}


def test_a_story_is_the_same_after_a_way_through_json() -> None:
    story = Story(
        Settings(depth=1, masked=True, declared=Declaration(end="promote", stop_on=("Delete",))),
        (
            Create(on_failure="DELETE", experiment="imported"),
            Deploy(change="end now", rollback=False, troubles=(Trouble(call="PUT", kind="lost"),)),
            ContinueRollback(how="skip"),
            Delete(force=True, meanwhile=(Happening("ends", 3.0),)),
        ),
    )

    assert Story.from_json(json.loads(json.dumps(story.to_json()))) == story


def test_the_same_seed_draws_the_same_stories() -> None:
    first, second = (list(itertools.islice(drawn("7"), 50)) for _ in range(2))

    assert first == second


def test_shrinking_leaves_only_what_breaks() -> None:
    story = Story(Settings(masked=True), (Deploy(change="release"), Delete(), Delete(force=True)))

    small = shrunk(story, lambda each: any(isinstance(one, Delete) for one in each.operations))

    assert small == Story(Settings(), (Delete(),))
