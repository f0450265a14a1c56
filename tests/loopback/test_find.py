"""The command that searches says what it has played, and what not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loopback.play import oracle
from loopback.play.search import WAITS
from loopback.play.story import ContinueRollback, Delete, Deploy, Story, Trouble

from . import find
from .stored import History

FIRST = (Deploy(change="end"), Deploy(change="reason"), ContinueRollback())
THEN = (Delete(), Deploy(change="reason", fails="while"))


def _ones() -> Iterator[Story]:
    for operation in FIRST:
        yield Story(WAITS, (operation,))
    # There is no second request.
    yield Story(WAITS, (Deploy(change="end", troubles=(Trouble(request=2),)),))


def _twos() -> Iterator[Story]:
    for first in FIRST:
        for second in THEN:
            yield Story(WAITS, (first, second))


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "KINDS", {"one": _ones, "two": _twos})


@pytest.mark.usefixtures("kinds")
def test_every_small_story_is_played_or_left_out_for_a_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert find.main(["--seed", "1", "--seconds", "300", "--processes", "1", "--drawn", "3"]) == 0

    one, two, _, *end = capsys.readouterr().out.splitlines()[1:]
    assert one.startswith("one: 2 histories, 2 operations, 2 requests, 1 Stops")
    assert "1 more are the same as one of them, in 1 CloudFormation refuses" in one
    # For the second one after a reason, one without a failure has to be played first.
    assert two.startswith("two: ")
    assert "in 2 CloudFormation refuses an operation; 0 left" in two
    assert any(line.startswith("The small ones are complete: ") for line in end)
    assert any(line.startswith("drawn: ") and "; 0 left" in line for line in end)


@pytest.mark.usefixtures("kinds")
def test_what_there_was_no_time_for_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert find.main(["--seconds", "0", "--processes", "1"]) == 0

    assert "The small ones are NOT complete: 0 histories" in (said := capsys.readouterr().out)
    assert "10 left" in said


@pytest.mark.parametrize(
    ("state", "kind", "is_new"),
    [
        ("broken", oracle.LOST, False),
        ("broken", oracle.UNORDERED, True),
        # What the handler once broke and holds now is a finding if it breaks again.
        ("held", oracle.LOST, True),
    ],
)
def test_only_what_is_known_to_break_in_the_same_way_is_no_finding(
    monkeypatch: pytest.MonkeyPatch, state: str, kind: str, *, is_new: bool
) -> None:
    story = Story(WAITS, (Deploy(change="end"),))
    history = History("known", state, (oracle.LOST,), "", "", story)
    monkeypatch.setattr(find, "stored", lambda: [history])
    monkeypatch.setattr(find, "_breaks", lambda _story, _kind: True)
    search = find.Search(find._parser().parse_args([]), pool=None)  # type: ignore[arg-type]

    search._break(kind, story, "1 of 'one'")

    assert bool(search.new) is is_new
