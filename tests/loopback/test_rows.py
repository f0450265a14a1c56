"""Every row of the tables: the answer, what is stopped, and the row in the log."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from loopback.journal import Journal
from loopback.sagemaker import UPDATE_FAILED
from loopback.world import NAME, PROMOTE, World
from tests.test_tables import _coded

from .asking import SHORT, answered, stops
from .explorer import run
from .invariants import violations
from .scenarios import HANDED, named, reason_of


@dataclass(frozen=True)
class Row:
    """A history that ends by a row.

    Attributes:
        scenario: A request in its situation.
        answer: The answer to CloudFormation.
        stops: Stops that SageMaker accepted.
        order: The row of table 1 that led there, if that is another one.
    """

    scenario: str
    start: str = "Running"
    answer: str = "SUCCESS"
    stops: int = 0
    order: str = ""
    letters: tuple[str, ...] = ()


def id_of(case: tuple[str, Row]) -> str:
    row, told = case
    return f"{row}, {told.scenario}, {told.start}"


ORDERS = [
    ("create_undone", Row("create that stops, in a rollback")),
    ("create_undone", Row("create that stops, after it failed in this operation")),
    ("create_end_now", Row("create with end now", answer="FAILED")),
    ("update_undone", Row("rollback update")),
    ("update_undone", Row("rollback update", "Stopping")),
    ("update_undone", Row("undo without rollback")),
    ("update_undone", Row("rename undone")),
    ("update_old_unreadable", Row("retry, no event holds the stable properties", answer="FAILED")),
    ("update_unchanged", Row("plumbing update")),
    ("update_unchanged", Row("end now left true")),
    ("update_unchanged", Row("withdrawn order, old properties are the failed ones")),
    ("delete_not_held", Row("delete of a marker")),
    ("delete_not_in_stop_on", Row("delete, not in StopOn")),
    (
        "delete_old_unreadable",
        Row("teardown after a failed update, no event holds the stable properties"),
    ),
    ("delete_undone", Row("rollback delete")),
    ("delete_undone", Row("nested delete, the root rolls back")),
    ("delete_undone", Row("failed creation is deleted")),
    ("delete_held_elsewhere", Row("cleanup delete")),
    ("overtaken", Row("update that is delivered late", answer="FAILED")),
    ("stack_unclear", Row("update, the stack stays at rest", answer="FAILED")),
    ("stack_unclear", Row("delete, the stack stays at rest")),
    ("parent_at_rest", Row("nested update from the nested stack", answer="FAILED")),
    ("parent_at_rest", Row("nested delete from the nested stack")),
]

STATES = [
    ("absent", Row("create", "absent", "FAILED", order="create_arms")),
    ("absent", Row("update", "absent", "FAILED", order="update_changed")),
    ("absent", Row("delete", "absent")),
    ("ended_unsettled", Row("create that promotes", "Completed, not settled", "FAILED")),
    ("ended_unsettled", Row("delete, found ended", "Completed, not settled")),
    ("ended_as_new", Row("delete, found ended", "Completed, as declared")),
    ("ended_as_old", Row("update that keeps, found ended", "Completed, as before")),
    ("ended_as_old", Row("update, found ended", "Completed, as before", "FAILED")),
    ("ended_otherwise", Row("update that keeps", "Cancelled", order="update_changed")),
    ("ended_otherwise_promote", Row("update", "Completed", "FAILED", order="update_changed")),
    ("ended_otherwise_promote", Row("create", "Completed", order="create_arms")),
    ("stopping", Row("create", "Stopping", order="create_arms")),
    ("stopping", Row("update that keeps", "Stopping", order="update_changed")),
    ("stopping", Row("delete", "Stopping", order="delete_ends")),
    ("variants_mismatch", Row("create of unknown variants", answer="FAILED")),
    ("variants_mismatch", Row("update of unknown variants", answer="FAILED")),
    ("created_refused", Row("update, found ended", "Created, refuses", "FAILED")),
    ("created_refused", Row("delete, found ended", "Created, refuses")),
    ("stoppable", Row("create", order="create_arms")),
    ("stoppable", Row("rename", order="create_arms")),
    ("stoppable", Row("update, not in StopOn", order="update_changed_not_in_stop_on")),
    ("stoppable", Row("create that stops", stops=1, order="create_ends")),
    ("stoppable", Row("update", stops=1, order="update_changed")),
    ("stoppable", Row("end now", stops=1, order="update_end_now")),
    ("stoppable", Row("delete", stops=1, order="delete_ends")),
    (
        "stoppable",
        Row("rollback delete of what the stack owns", stops=1, order="delete_creation_undone"),
    ),
]

GATES = [
    ("gate_open", Row("gated update", stops=1, order="update_changed")),
    ("gate_open", Row("gated update", "Updating", stops=1, order="update_changed")),
    ("gate_open", Row("gated delete", stops=1, order="delete_ends")),
    ("gate_failed", Row("gated update, closed", answer="FAILED", order="update_changed")),
    ("gate_failed", Row("gated create that stops, closed", answer="FAILED", order="create_ends")),
    ("gate_inconclusive", Row("gated update, few", answer="FAILED", order="update_changed")),
    ("gate_inconclusive", Row("gated delete, closed", stops=1, order="delete_ends")),
    ("gate_error", Row("gated update, unmeasured", answer="FAILED", order="update_changed")),
    ("gate_error", Row("gated delete, closed, keeps both", stops=1, order="delete_ends")),
]

ENDS = [
    ("end_awaited", Row("update", stops=1)),
    ("end_as_declared", Row("update", stops=1)),
    ("end_as_declared", Row("update, found ended", "Running, shows as Cancelled", stops=1)),
    ("end_as_declared", Row("update, found ended", "Running, failed before", stops=1)),
    (
        "end_endpoint_failed",
        Row("update, found ended", "Running, fails the endpoint's update", "FAILED", stops=1),
    ),
    (
        "end_endpoint_failed",
        Row("delete, found ended", "Running, fails the endpoint's update", stops=1),
    ),
    (
        "end_cancelled",
        Row("end now", answer="FAILED", stops=1, letters=("ends Cancelled",)),
    ),
    ("end_cancelled", Row("delete", stops=1, letters=("ends Cancelled",))),
    ("end_gone", Row("end now", answer="FAILED", stops=1, letters=("deleted",))),
    ("end_gone", Row("delete", stops=1, letters=("deleted",))),
]


def decisions(journal: Journal) -> list[tuple[str, str]]:
    """The rows that the handler logs, each with the order that led there."""
    messages = [json.loads(line)["message"] for line in journal.lines()]
    told = [one for one in messages if isinstance(one, dict) and "row" in one]
    return [(one["row"], one["order"]) for one in told]


@pytest.mark.parametrize("case", [*ORDERS, *STATES, *GATES, *ENDS], ids=id_of)
def test_a_row_is_carried_out(case: tuple[str, Row]) -> None:
    row, expected = case
    # The events show at once: an undo that they do not show yet may look like another row.
    scenario = replace(named(expected.scenario), start=expected.start, tempo=HANDED, event_lag=0)
    history, _ = run(scenario, expected.letters)

    found = decisions(history.world.journal)
    assert row in {name for name, _ in found}
    if expected.order:
        assert (row, expected.order) in found
    assert {body["Status"] for body in history.bodies} == {expected.answer}
    taken = [
        stop
        for stop in history.world.journal.calls("StopInferenceExperiment")
        if not stop.detail["code"]
    ]
    assert len(taken) == expected.stops
    assert violations(history) == []


def last_row(world: World) -> str:
    return decisions(world.journal)[-1][0]


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_declaration_invalid(world: World, kind: str) -> None:
    world.experiment("Running")
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"

    answer = answered(world, world.request(kind, {**PROMOTE, "Reason": "two\nlines"}))

    assert (answer["Status"], last_row(world)) == ("FAILED", "declaration_invalid")
    assert "'Reason'" in answer["Reason"]
    assert stops(world) == 0


@pytest.mark.parametrize(
    ("kind", "status", "row"),
    [
        ("Create", "SUCCESS", "status_unknown"),
        ("Update", "FAILED", "deadline"),
        ("Delete", "FAILED", "deadline"),
    ],
)
def test_status_unknown(world: World, kind: str, status: str, row: str) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"
    world.experiment("Pausing")

    answer = answered(world, world.request(kind))

    assert answer["Status"] == status
    rows = [name for name, _ in decisions(world.journal)]
    assert rows[-1] == row
    assert "status_unknown" in rows
    assert stops(world) == 0
    assert world.elapsed < 1 or 3290 < world.elapsed < 3400


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_end_contradicted(world: World, kind: str) -> None:
    """It only warns: how the statuses behave after a stop has not been seen on AWS."""
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"
    world.experiment("Running", SHORT)

    world.sagemaker.experiments[NAME].shows_in_service = True

    answer = answered(world, world.request(kind))

    assert (answer["Status"], last_row(world)) == ("SUCCESS", "end_contradicted")
    assert stops(world) == 1


@pytest.mark.parametrize("settled", ["Failed", "OutOfService", "UpdateRollbackFailed"])
@pytest.mark.parametrize(("kind", "status"), [("Update", "FAILED"), ("Delete", "SUCCESS")])
def test_end_endpoint_failed(world: World, kind: str, status: str, settled: str) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"
    world.experiment("Running", SHORT)
    world.sagemaker.experiments[NAME].endpoint_after = settled

    answer = answered(world, world.request(kind))

    assert (answer["Status"], last_row(world)) == (status, "end_endpoint_failed")


def test_end_endpoint_failed_in_an_end_that_was_first_seen_while_it_settled(world: World) -> None:
    """Another delivery stopped it: the failure that this one finds is no older one."""
    world.stack.status = "UPDATE_IN_PROGRESS"
    stop = {"ModelVariantActions": PROMOTE["ModelVariantActions"], "Reason": reason_of(PROMOTE)}
    ended = world.sagemaker.add(NAME, "Completed", SHORT, by=stop, ended_seconds_ago=1)
    ended.failure = UPDATE_FAILED

    answer = answered(world, world.request("Update"))

    assert (answer["Status"], last_row(world)) == ("FAILED", "end_endpoint_failed")
    assert "ended_unsettled" in [row for row, _ in decisions(world.journal)]


SHADOW = {"Name": NAME, "Outcome": "PromoteShadow"}


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_not_a_pair(world: World, kind: str) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"
    world.experiment("Running")
    world.sagemaker.experiments[NAME].add_variant("canary")

    answer = answered(world, world.request(kind, SHADOW))

    assert (answer["Status"], last_row(world)) == ("FAILED", "not_a_pair")
    assert "variants 'production', 'canary', 'shadow'" in answer["Reason"]
    assert stops(world) == 0


@pytest.mark.parametrize("kind", ["Update", "Delete"])
@pytest.mark.parametrize("count", [None, 0])
def test_instances_unknown(world: World, kind: str, count: int | None) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"
    world.experiment("Running")
    world.sagemaker.experiments[NAME].run_instances("production", count)

    answer = answered(world, world.request(kind, SHADOW))

    assert (answer["Status"], last_row(world)) == ("FAILED", "instances_unknown")
    assert "'InstanceCount' in 'Instances'" in answer["Reason"]
    assert stops(world) == 0


def test_every_row_is_carried_out_here() -> None:
    by_name = {
        "declaration_invalid",
        "status_unknown",
        "end_contradicted",
        "not_a_pair",
        "instances_unknown",
    }
    orders = {row.order for _, row in [*ORDERS, *STATES, *GATES, *ENDS] if row.order}
    rows = {name for name, _ in [*ORDERS, *STATES, *GATES, *ENDS]}
    assert by_name | orders | rows == _coded()
