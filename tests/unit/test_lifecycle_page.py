"""The tables of docs/concepts/lifecycle.md say what the code decides, cell by cell.

For each row and column there is a Situation. What is decided is put into words, and the cell begins
with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.unit.situations import (
    BY_HAND,
    EVERY,
    ISSUED,
    OTHER_ARN,
    READY,
    Properties,
    R,
    S,
    X,
    at_deadline,
    away,
    clean_up,
    create,
    created,
    decided,
    delete,
    ended_by,
    experiment,
    late,
    outcome,
    promoting,
    properties,
    stack,
    update,
    variant,
    wanted,
    with_stack,
)

from cdk_stop_inference_experiment_handler.lifecycle.decision import Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Kind,
    Measured,
    Prepared,
    Query,
    Situation,
)

PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "lifecycle.md").read_text("utf-8")


class Line(NamedTuple):
    """A line of a table: its cells between the first ones, which name the case, and the row."""

    section: str
    row: str
    cells: tuple[str, ...]


def lines() -> list[Line]:
    found = []
    for section in PAGE.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        for line in text.splitlines():
            *cells, name = (cell.strip() for cell in line.strip("|").split("|"))
            if line.startswith("| ") and re.fullmatch(r"`[a-z_]+`", name):
                first = 2 if title == ORDERS else 1
                found.append(Line(title, name.strip("`"), tuple(cells[first:])))
    return found


ORDERS = "What does the event order?"
KEEPS = "What else keeps it from stopping"
STATES = "What does the experiment's state allow?"
GATE = "Does the evidence allow the promotion?"
ENDS = "How did the experiment end after our stop?"

Column = tuple[Situation | None, ...]
"""The Situations of a line, by column; None where the row cannot be met, and the cell is empty."""


# What does the event order?

UNDOING = "UPDATE_ROLLBACK_IN_PROGRESS"
OTHER = experiment(arn=OTHER_ARN, name="other")
NOT_LISTED = replace(READY, holders=away(Kind.DENIED))

ORDERED: dict[Row, Situation] = {
    Row.CREATE_UNDONE: with_stack(create(), status=UNDOING),
    Row.CREATE_END_NOW: create(properties(EndNow="true")),
    Row.CREATE_ENDS: create(properties(StopOn=EVERY)),
    Row.CREATE_ARMS: create(),
    Row.UPDATE_UNDONE: with_stack(update(promoting()), status=UNDOING),
    Row.UPDATE_RENAMED: update(promoting(Name="other"), seen=OTHER),
    Row.UPDATE_END_NOW: update(properties(EndNow="true", StopOn=["Delete"])),
    Row.UPDATE_CHANGED: update(promoting()),
    Row.UPDATE_CHANGED_NOT_IN_STOP_ON: update(promoting(StopOn=["Delete"])),
    Row.UPDATE_UNCHANGED: update(properties(Reason="other words")),
    Row.DELETE_NOT_HELD: delete(physical_id="Stop-not-created-0123456789abcdef"),
    Row.DELETE_UNDONE: delete(past=(*created()[:-1], S("CREATE_FAILED"))),
    Row.DELETE_NOT_IN_STOP_ON: delete(properties(StopOn=["Update"])),
    Row.DELETE_HELD_ELSEWHERE: clean_up(prepared=replace(READY, holders=("Renamed",))),
    Row.DELETE_HOLDERS_UNKNOWN: clean_up(prepared=NOT_LISTED),
    Row.DELETE_ENDS: delete(),
}


# What else keeps it from stopping?


def delivered_again(s: Situation, status: str) -> Situation:
    """After CloudFormation's own event of the answer."""
    assert s.stacks is not None
    kind = s.request.type.value.upper()
    own = R(f"{kind}_IN_PROGRESS"), R(f"{kind}_{status}", at=ISSUED + 1)
    return replace(s, stacks=(stack(*created(), S(f"{kind}_IN_PROGRESS"), *own),))


def overtaken(s: Situation) -> Situation:
    return replace(s, stacks=(stack(*created(), S("UPDATE_IN_PROGRESS"), last=ISSUED + 60),))


PROMOTION, TEARDOWN = update(promoting()), delete()
DOOMED = update(
    promoting(),
    stacks=(
        stack(
            *created(),
            S("UPDATE_IN_PROGRESS"),
            X("UPDATE_FAILED"),
            R("UPDATE_IN_PROGRESS", promoting()),
        ),
    ),
)

KEPT: list[tuple[Row, Column]] = [
    (
        Row.CLOSED,
        (delivered_again(PROMOTION, "COMPLETE"), delivered_again(TEARDOWN, "COMPLETE")),
    ),
    (Row.CLOSED, (delivered_again(PROMOTION, "FAILED"), delivered_again(TEARDOWN, "FAILED"))),
    (Row.OVERTAKEN, (overtaken(PROMOTION), overtaken(TEARDOWN))),
    (Row.DOOMED, (DOOMED, None)),
    (
        Row.UNCLEAR,
        (
            with_stack(PROMOTION, status="UPDATE_COMPLETE"),
            with_stack(TEARDOWN, status="UPDATE_COMPLETE"),
        ),
    ),
    (
        Row.NOT_READABLE,
        (
            with_stack(PROMOTION, events=away(Kind.DENIED)),
            with_stack(TEARDOWN, events=away(Kind.DENIED)),
        ),
    ),
    (
        Row.NOT_READABLE,
        (
            late(with_stack(PROMOTION, events=away(Kind.TRANSIENT))),
            late(with_stack(TEARDOWN, events=away(Kind.TRANSIENT))),
        ),
    ),
    (Row.DECLARATION_INVALID, (update(promoting(Newer="property")), None)),
]


# What does the experiment's state allow?


def by_column(
    seen: Experiment | None,
    new: Properties | None = None,
    *,
    prepared: Prepared = READY,
    refused_at: float | None = None,
) -> Column:
    """An arming, an Update that ends, and a Delete."""
    new = properties() if new is None else new
    ending = {**new, "DesiredState": "Cancelled"}
    return (
        create(new, seen=seen),
        update(ending, new, seen=seen, prepared=prepared, refused_at=refused_at),
        delete(new, seen=seen, prepared=prepared, refused_at=refused_at),
    )


UNKNOWN = properties(ModelVariantActions={"canary": "Remove"})
ALIKE = experiment(configured={name: variant(name) for name in ("production", "shadow")})
NO_COUNT = replace(READY, counts={})
AS_CHANGED = ended_by(properties(DesiredState="Cancelled"))
KEPT_ARMED = update(promoting(StopOn=["Delete"]), seen=ended_by(properties()))
REFUSED = away(Kind.REFUSED)

STATE: dict[Row, Column] = {
    Row.ABSENT: by_column(None),
    Row.ENDED_UNSETTLED: by_column(experiment("Completed", endpoint_status="Updating")),
    Row.ENDED_AS_NEW: (
        create(seen=ended_by(properties())),
        update(properties(DesiredState="Cancelled"), seen=AS_CHANGED),
        delete(seen=ended_by(properties())),
    ),
    Row.ENDED_AS_OLD: (
        KEPT_ARMED,
        update(properties(DesiredState="Cancelled"), seen=ended_by(properties())),
        delete(promoting(), seen=ended_by(properties())),
    ),
    Row.ENDED_OTHERWISE: by_column(BY_HAND),
    Row.ENDED_OTHERWISE_PROMOTE: by_column(BY_HAND, promoting()),
    Row.STOPPING: by_column(experiment("Stopping")),
    Row.NOT_A_PAIR: by_column(experiment(shadows=()), outcome()),
    Row.VARIANTS_MISMATCH: by_column(experiment(), UNKNOWN),
    Row.STATUS_UNKNOWN: by_column(experiment("Pausing")),
    Row.CREATED_REFUSED: by_column(experiment("Created"), refused_at=ISSUED - 100),
    Row.INSTANCES_UNKNOWN: by_column(ALIKE, outcome("PromoteShadow"), prepared=NO_COUNT),
    Row.STOPPABLE: by_column(experiment()),
    Row.AWS_REFUSED: (
        create(seen=REFUSED),
        update(promoting(), seen=REFUSED),
        delete(seen=REFUSED),
    ),
}


# Does the evidence allow the promotion?

GATED = promoting(PromoteIf={"MinInvocations": "10", "Alarms": ["too-slow"]})


def gated(state: str | None, count: float = 10) -> Column:
    requests = {
        Query(variant, "Invocations", "Sum", 300): {ISSUED: count}
        for variant in ("production", "shadow")
    }
    measured = replace(READY, evidence=Measured(requests, {"too-slow": state} if state else {}))
    seen = experiment(scheduled_start=ISSUED - 7200)
    return (
        update(GATED, seen=seen, prepared=measured),
        delete(GATED, seen=seen, prepared=measured),
    )


BY_DEFAULT = outcome("PromoteShadow", PromoteIf=GATED["PromoteIf"])
VERDICTS: dict[Row, Column] = {
    Row.INSTANCES_DIFFER: (update(BY_DEFAULT), delete(BY_DEFAULT)),
    Row.GATE_OPEN: gated("OK"),
    Row.GATE_INCONCLUSIVE: gated("INSUFFICIENT_DATA"),
    Row.GATE_ERROR: gated(None),
    Row.GATE_FAILED: gated("ALARM"),
}


# How did the experiment end after our Stop?


def sent(seen: Experiment | None) -> Column:
    digest = wanted(promoting()).digest
    return (
        update(promoting(), seen=seen, sent=digest, failure_before=""),
        delete(promoting(), seen=seen, sent=digest, failure_before=""),
    )


BOTH_DEPLOYED = {"production": "InService", "shadow": "InService"}

ENDED: dict[Row, Column] = {
    Row.END_GONE: sent(None),
    Row.END_AWAITED: sent(experiment("Stopping")),
    Row.END_UNSETTLED: sent(ended_by(promoting(), endpoint_status="Updating")),
    Row.END_CANCELLED: sent(experiment("Cancelled", status_reason="no capacity")),
    Row.END_ENDPOINT_FAILED: sent(ended_by(promoting(), endpoint_failure="no capacity")),
    Row.END_CONTRADICTED: sent(ended_by(promoting(), variants=BOTH_DEPLOYED)),
    Row.END_AS_DECLARED: sent(ended_by(promoting())),
    Row.DEADLINE: tuple(at_deadline(s) for s in sent(experiment("Stopping")) if s),
}

OF_THE_RUNTIME = {Row.NO_RULE}
"""Rows that :func:`decide` does not know: runtime/run.py has them."""


# In words.


def in_words(s: Situation) -> str:
    decision = decided(s)
    warned = " with a warning" if decision.warn else ""
    if decision.verb is Verb.WAIT:
        return f"waits a minute, then {in_words(late(s))}" if decision.in_doubt else "waits"
    return {
        Verb.SUCCEED: f"succeeds{warned}",
        Verb.FAIL: "fails",
        Verb.STOP: f"stops{warned}",
        Verb.LEAVE: "no answer",
    }[decision.verb]


def order_in_words(s: Situation, row: Row) -> str:
    decision = decided(s)
    if decision.row is not row:
        assert decision.order is row
        return {Verb.STOP: "end", Verb.SUCCEED: "arm"}[decision.verb]
    text = in_words(s)
    return text.replace("succeeds with", "nothing, with").replace("succeeds", "nothing")


def begins(cell: str, text: str) -> bool:
    """Whether a cell says this, and not something longer that begins alike."""
    rest = cell.removeprefix(text)
    is_other = rest.lstrip(" ,").startswith("with a warning")
    return cell.startswith(text) and not is_other and re.match(r"\w", rest) is None


def cells_of(section: str, rows: Mapping[Row, Column]) -> list[tuple[Row, str, Situation]]:
    """Each cell of a table with its Situation."""
    found = []
    listed = [line for line in lines() if line.section == section]
    assert [line.row for line in listed if Row(line.row) not in OF_THE_RUNTIME] == [*rows]
    for line in listed:
        situations = rows.get(Row(line.row), ())
        for cell, s in zip(line.cells, situations, strict=False):
            assert s is not None
            found.append((Row(line.row), cell, s))
    return found


def test_every_row_has_a_line_and_every_line_is_a_row() -> None:
    assert {line.row for line in lines()} == {row.value for row in Row}
    once = [line.row for line in lines() if line.section != KEEPS]
    assert len(once) == len(set(once))


@pytest.mark.parametrize("row", ORDERED)
def test_an_order_is_what_the_first_table_says(row: Row) -> None:
    [cells] = [line.cells for line in lines() if line.row == row.value]
    assert begins(cells[0], order_in_words(ORDERED[row], row)), order_in_words(ORDERED[row], row)


def test_the_first_table_has_the_rows_of_orders() -> None:
    assert [line.row for line in lines() if line.section == ORDERS] == [
        row.value for row in ORDERED
    ]


def test_what_keeps_from_stopping_is_what_its_table_says() -> None:
    listed = [line for line in lines() if line.section == KEEPS]
    assert [line.row for line in listed] == [row.value for row, _ in KEPT]
    for line, (row, situations) in zip(listed, KEPT, strict=True):
        for cell, s in zip(line.cells, situations, strict=True):
            if s is None:
                assert cell == "", line
            else:
                assert decided(s).row is row
                assert begins(cell, in_words(s)), (line, in_words(s))


@pytest.mark.parametrize(
    ("section", "rows"),
    [(STATES, STATE), (GATE, VERDICTS), (ENDS, ENDED)],
    ids=["states", "gate", "ends"],
)
def test_a_cell_begins_with_what_is_decided(section: str, rows: dict[Row, Column]) -> None:
    met = set()
    for row, cell, s in cells_of(section, rows):
        met |= {row} & {decided(s).row}
        assert begins(cell, in_words(s)), (row, cell, in_words(s))
    assert met == set(rows)
