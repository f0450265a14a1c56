"""Histories that were found, as data: each is a file in the folder ``histories``.

``state`` says what a test expects. ``broken``: the handler breaks exactly these promises today, and
the test fails as soon as it does not. ``held``: it breaks none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from loopback.play.story import Story

FOLDER = Path(__file__).parent / "histories"


@dataclass(frozen=True)
class History:
    """One stored history.

    Attributes:
        breaks: The kinds of findings, if it is broken.
        reason: Why it breaks, or once broke, in a sentence.
        found: How it was found.
    """

    name: str
    state: str
    breaks: tuple[str, ...]
    reason: str
    found: str
    story: Story


def stored(folder: Path = FOLDER) -> list[History]:
    """Every stored history, by name."""
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> History:
    told = json.loads(path.read_text(encoding="utf-8"))
    return History(
        path.stem,
        told["state"],
        tuple(told["breaks"]),
        told["reason"],
        told["found"],
        Story.from_json(told["story"]),
    )
