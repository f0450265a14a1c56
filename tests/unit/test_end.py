"""Table 3, how the experiment ended after our Stop: a test for each row."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.lifecycle import (
    STOPPABLE,
    World,
    answers,
    ask,
    declaration,
    ended_by,
    experiment,
    promoting,
    request,
)

from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Decision,
    Experiment,
    RequestType,
    Verb,
)

KINDS = list(RequestType)


def after(
    kind: RequestType, seen: Experiment | None, failure_before: str | None = "", **declared: Any
) -> Decision:
    made = request(kind, promoting(**declared), declaration())
    sent = promoting(**declared).digest
    return ask(made, World(seen=seen), sent=sent, failure_before=failure_before)


def bad(kind: RequestType) -> tuple[Verb, bool]:
    return (Verb.SUCCEED if kind is RequestType.DELETE else Verb.FAIL), True


@pytest.mark.parametrize("status", [*STOPPABLE, "Stopping", "Pausing"])
@pytest.mark.parametrize("kind", KINDS)
def test_end_awaited_and_never_stopped_again(kind: RequestType, status: str) -> None:
    assert answers(after(kind, experiment(status))) == (Verb.WAIT, "end_awaited")


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_end_awaited_until_the_endpoint_has_settled(status: str) -> None:
    ended = ended_by(promoting(), endpoint_status=status)
    assert after(RequestType.UPDATE, ended).verb is Verb.WAIT


@pytest.mark.parametrize("kind", KINDS)
def test_end_cancelled_with_another_reason_than_ours(kind: RequestType) -> None:
    ended = experiment("Cancelled", status_reason="no capacity", endpoint_failure="quota exceeded")
    told = after(kind, ended)
    assert ((told.verb, told.warn), told.row) == (bad(kind), "end_cancelled")
    assert told.why.endswith("because 'no capacity'; endpoint: quota exceeded")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", ["Completed", "Cancelled"])
def test_end_endpoint_failed_although_in_service(kind: RequestType, status: str) -> None:
    ended = ended_by(promoting(), status, endpoint_failure="quota exceeded")
    for failure_before in ("", "an older one", None):
        told = after(kind, ended, failure_before)
        assert ((told.verb, told.warn), told.row) == (bad(kind), "end_endpoint_failed")
    assert after(kind, ended, "quota exceeded").verb is Verb.SUCCEED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settled", ["Failed", "OutOfService", "UpdateRollbackFailed"])
def test_end_endpoint_failed_and_out_of_service(kind: RequestType, settled: str) -> None:
    told = after(kind, ended_by(promoting(), endpoint_status=settled))
    assert ((told.verb, told.warn), told.row) == (bad(kind), "end_endpoint_failed")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "variants",
    [
        {"production": "InService", "shadow": "InService"},
        {"production": "Deleted", "shadow": "Deleted"},
    ],
)
def test_end_contradicted(kind: RequestType, variants: dict[str, str]) -> None:
    told = after(kind, ended_by(promoting(), variants=variants))
    assert answers(told) == (Verb.SUCCEED, "end_contradicted")
    assert told.warn
    assert "declared" in told.why


@pytest.mark.parametrize(
    "variants",
    [
        {"production": "Deleted", "shadow": "InService"},
        {"production": "Deleting", "shadow": "Updating"},
        {"production": "", "shadow": ""},
        {},
    ],
)
def test_statuses_that_fit_are_no_contradiction(variants: dict[str, str]) -> None:
    told = after(RequestType.UPDATE, ended_by(promoting(), variants=variants))
    assert answers(told) == (Verb.SUCCEED, "end_as_declared")
    assert not told.warn


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "asked", "warns"),
    [
        ("Completed", None, False),
        ("Completed", "Completed", False),
        ("Cancelled", None, False),
        ("Cancelled", "Cancelled", False),
        ("Cancelled", "Completed", True),
    ],
)
def test_end_as_declared(kind: RequestType, status: str, asked: str | None, warns: bool) -> None:
    ended = ended_by(promoting(DesiredState=asked), status)
    told = after(kind, ended, DesiredState=asked)
    assert answers(told) == (Verb.SUCCEED, "end_as_declared")
    assert told.warn is warns


@pytest.mark.parametrize("kind", KINDS)
def test_end_gone(kind: RequestType) -> None:
    told = after(kind, None)
    assert ((told.verb, told.warn), told.row) == (bad(kind), "end_gone")


def test_an_end_other_than_declared_is_not_held_against_the_declaration() -> None:
    kept = promoting().with_shadow_removed("production", "shadow")
    seen = ended_by(kept, variants={"production": "InService", "shadow": "Deleted"})
    for declared in (promoting(), "'Name' is wrong"):
        told = ask(request(RequestType.DELETE, declared), World(seen=seen), sent=kept.digest)
        assert (*answers(told), told.warn) == (Verb.SUCCEED, "end_as_declared", False)


def test_what_a_failed_creation_sent_is_judged_by_its_own_digest() -> None:
    kept = promoting().with_shadow_removed("production", "shadow")
    made = request(RequestType.DELETE, promoting())
    told = ask(made, World(seen=ended_by(kept, "Cancelled")), sent=kept.digest)
    assert answers(told) == (Verb.SUCCEED, "end_as_declared")
