"""Every bug that is seeded is caught: the tests and the explorer can fail."""

from __future__ import annotations

import pytest

from loopback.play.stage import play
from loopback.play.story import Story
from loopback.world import World

from .seeded_bugs import SEEDED_BUGS, SeededBug, found, is_caught

EXPLORED = [bug for bug in SEEDED_BUGS if bug.kind]
TESTED = [bug for bug in SEEDED_BUGS if bug.test]


@pytest.mark.parametrize("bug", EXPLORED, ids=lambda bug: bug.name)
def test_a_story_that_the_explorer_found_catches_a_bug(bug: SeededBug) -> None:
    story = Story.from_json(found()[bug.name]["story"])

    assert is_caught(bug, story)
    assert play(story).findings == ()


@pytest.mark.parametrize("bug", TESTED, ids=lambda bug: bug.name)
def test_a_test_catches_a_bug(bug: SeededBug) -> None:
    assert bug.test is not None
    with World().installed() as world:
        bug.test(world)
    with bug.patch(), World().installed() as world, pytest.raises((AssertionError, ValueError)):
        bug.test(world)


def test_each_bug_is_caught_in_one_way_and_has_a_name_of_its_own() -> None:
    assert len(EXPLORED) + len(TESTED) == len({bug.name for bug in SEEDED_BUGS})
    assert set(found()) == {bug.name for bug in EXPLORED}
