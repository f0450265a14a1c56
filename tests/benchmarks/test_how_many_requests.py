"""The guide's numbers are those of the function and of the simulation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks.gate_requests import requests_needed
from benchmarks.report import load

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    Bound,
    BoundKind,
)

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "how-many-requests.md").read_text()
TEXT = " ".join(PAGE.replace("\n> ", " ").split())
GATE: dict[str, Any] = load()["gate"]


def needed(rate: float, increase: float = 0.0005, **others: float) -> str:
    bound = Bound(BoundKind.MAX_INCREASE, increase)
    return f"{requests_needed(rate, bound, **others):,}"


@pytest.mark.parametrize(
    ("rate", "bound", "share", "needed"),
    [
        (0.0005, Bound(BoundKind.MAX_INCREASE, 0.0005), 1, 85_783),
        (0.0005, Bound(BoundKind.MAX_INCREASE, 0.0005), 0.1, 59_068),
        (0.0, Bound(BoundKind.MAX_INCREASE, 0.0005), 1, 28_850),
        (0.0005, Bound(BoundKind.MAX_RATE, 0.001), 1, 56_325),
        (0.001, Bound(BoundKind.MAX_RATE, 0.001), 1, None),
    ],
)
def test_an_equal_shadow_at_5_in_10000_against_as_many_more_needs_86000_requests(
    rate: float, bound: Bound, share: float, needed: int | None
) -> None:
    assert requests_needed(rate, bound, share=share) == needed


def test_the_table_has_the_requests_that_are_needed() -> None:
    rows = re.findall(r"^\| (none|0\.\d+)(?: = [\d.]+ %)? \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 6
    for rate, cells in rows:
        wanted = [
            needed(0 if rate == "none" else float(rate), increase)
            for increase in (0.0001, 0.0005, 0.001, 0.005, 0.01)
        ]
        assert cells.split(" | ") == wanted


def test_the_example_has_the_requests_that_are_needed() -> None:
    assert f"sampling of 10 % needs {needed(0.0005, share=0.1)}" in TEXT
    more = ", ".join(
        f"{confidence} needs {needed(0.0005, confidence=confidence)}"
        for confidence in (0.9, 0.95, 0.99)
    )
    assert more in TEXT
    assert needed(0.0005).startswith("85,") or needed(0.0005).startswith("86,")


def worst(kind: str, group: str) -> str:
    rows = [row for row in GATE["at_the_bound"] if (row["group"], row["kind"]) == (group, kind)]
    return f"{max(row['promoted'] for row in rows):.1f}"


def test_the_table_has_the_worst_simulated_case() -> None:
    rows = re.findall(r"^\| (?:one by one|in b).*? \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    groups = ("independent", "bursts", "bad spells")
    assert rows == [(worst("max_increase", group), worst("max_rate", group)) for group in groups]


def promoted(what: str, kind: str = "max_increase", **others: float) -> str:
    """In the worst case if there are several."""
    rows = [
        row["promoted"]
        for row in GATE["at_the_bound"]
        if (row["what"], row["kind"]) == (what, kind)
        and all(row[name] == value for name, value in others.items())
    ]
    return f"{max(rows):.1f}"


def test_the_limits_are_as_simulated() -> None:
    spells, bursts = "bad spells of {} hours", "bursts of 100 errors, only in the shadow, {}"
    hours = [f"{row['at_the_bound_promoted']:.1f}" for row in GATE["by_the_hour"]]
    days = {
        name: promoted(bursts.format(often), kind)
        for name, often, kind in (
            ("other", "every other day", "max_increase"),
            ("four", "every four days", "max_increase"),
            ("twice", "2 a day", "max_rate"),
        )
    }
    plans = [row["promoted"] for row in GATE["planned"] if row["burst"] == 1]
    (bursty,) = [row["promoted"] for row in GATE["planned"] if row["burst"] == 3]
    for sentence in (
        f"it is {hours[0]} if an hour has nothing to do with the one before, and {hours[2]} if",
        (
            f"{promoted(spells.format(8))} are promoted with bad spells of 8 hours, and "
            f"{promoted(spells.format(24), min_hours=48)} with those of 24 hours"
        ),
        f"with `min_hours=168` it is {promoted(spells.format(24), min_hours=168)}",
        (
            f"every other day is promoted in {days['other']} of 100 tests, every four days in "
            f"{days['four']}; against a `max_rate`, even twice a day in {days['twice']}"
        ),
        (
            f"a day later in {GATE['worsened']['24']:.1f} of 100 tests, and three days later in "
            f"{GATE['worsened']['72']:.1f}"
        ),
        (
            f"in {min(plans):.0f} to {max(plans):.0f} of 100 simulated tests with errors that come "
            f"one by one, and in {bursty:.0f} with bursts of three"
        ),
    ):
        assert sentence in TEXT


def test_the_promise_is_made_for_a_confidence_of_95() -> None:
    assert (GATE["alpha"], GATE["min_hours"]) == (0.05, 48)
    promise = (
        "A shadow that breaks a bound on average over the test so far is promoted in at most 5 of "
        "100 tests, however often you deploy, if errors come in bursts and bad spells of a few "
        "hours at most, several of which fall into the hours measured."
    )
    assert promise in TEXT


@pytest.mark.parametrize("kind", ["max_increase", "max_rate", "values of hours"])
def test_the_promise_holds_in_the_simulation(kind: str) -> None:
    rows = [row for row in GATE["at_the_bound"] if row["group"] != "not covered"]
    found = {
        "max_increase": [row["promoted"] for row in rows if row["kind"] == "max_increase"],
        "max_rate": [row["promoted"] for row in rows if row["kind"] == "max_rate"],
        "values of hours": [row["at_the_bound_promoted"] for row in GATE["by_the_hour"]],
    }
    assert 0 < max(found[kind]) <= 5
