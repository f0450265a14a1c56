"""Table 3, how the experiment ended after our Stop: a test for each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.situations import (
    ISSUED,
    STOPPABLE,
    UNSETTLED,
    Properties,
    answer,
    at_deadline,
    away,
    create,
    decided,
    delete,
    ended_by,
    experiment,
    promoting,
    properties,
    update,
    wanted,
)

from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import Kind, Situation

KINDS: dict[str, Callable[..., Situation]] = {"create": create, "update": update, "delete": delete}
kinds = pytest.mark.parametrize("kind", KINDS)


def waiting(kind: str, seen: Any, new: Properties | None = None, **progress: Any) -> Situation:
    """A request whose Stop SageMaker has accepted. Its stack is not looked at any more."""
    new = promoting() if new is None else new
    digest = progress.pop("sent", "") or wanted(new).digest
    facts = {"sent": digest, "tried": True, "failure_before": "", **progress}
    return replace(KINDS[kind](new, seen=seen, **facts), stacks=None, prepared=None)


def after(kind: str, seen: Any, new: Properties | None = None, **progress: Any) -> Decision:
    return decided(waiting(kind, seen, new, **progress))


def bad(kind: str) -> tuple[Verb, bool]:
    """FAILED, but a teardown must not brick."""
    return (Verb.SUCCEED if kind == "delete" else Verb.FAIL), True


@pytest.mark.parametrize("status", [*STOPPABLE, "Stopping", "Pausing"])
@kinds
def test_end_awaited_and_never_stopped_again(kind: str, status: str) -> None:
    """After our Stop, a describe that still says Running is "not yet"."""
    pending = waiting(kind, experiment(status))
    assert answer(pending) == (Verb.WAIT, Row.END_AWAITED)


@kinds
def test_deadline_not_over(kind: str) -> None:
    decision = decided(at_deadline(waiting(kind, experiment("Stopping"))))
    assert (decision.verb, decision.row) == (Verb.FAIL, Row.DEADLINE)
    assert "has not ended after 3300 s: deploy or delete again" in decision.why
    assert decision.why.endswith("is Stopping, its endpoint InService")


@pytest.mark.parametrize("status", UNSETTLED)
@kinds
def test_end_unsettled(kind: str, status: str) -> None:
    """Over, but the endpoint is in a change: a teardown that deletes it now would fail."""
    pending = waiting(kind, ended_by(promoting(), endpoint_status=status))
    assert answer(pending) == (Verb.WAIT, Row.END_UNSETTLED)
    decision = decided(at_deadline(pending))
    assert ((decision.verb, decision.warn), decision.row) == (bad(kind), Row.END_UNSETTLED)
    assert f"its endpoint 'fraud' is still {status}: check it" in decision.why


@kinds
def test_end_gone(kind: str) -> None:
    """Deleted, or another one under its name."""
    for seen in (None, experiment(created=ISSUED + 600)):
        decision = after(kind, seen, created=ISSUED - 86_400)
        assert ((decision.verb, decision.warn), decision.row) == (bad(kind), Row.END_GONE)


@kinds
def test_end_cancelled_with_another_reason_than_ours(kind: str) -> None:
    ended = experiment("Cancelled", status_reason="no capacity", endpoint_failure="quota exceeded")
    decision = after(kind, ended)
    assert ((decision.verb, decision.warn), decision.row) == (bad(kind), Row.END_CANCELLED)
    assert decision.why.endswith("because 'no capacity'; endpoint: quota exceeded")


@pytest.mark.parametrize("status", ["Completed", "Cancelled"])
@kinds
def test_end_endpoint_failed_although_in_service(kind: str, status: str) -> None:
    """A FailureReason that it did not have before the Stop, or that came with this end."""
    ended = ended_by(promoting(), status, endpoint_failure="quota exceeded")
    for before in ("", "an older one", None):
        decision = after(kind, ended, failure_before=before)
        assert (decision.verb, decision.warn) == bad(kind)
        assert decision.row is Row.END_ENDPOINT_FAILED
        assert "quota exceeded" in decision.why
    assert after(kind, ended, failure_before="quota exceeded").row is Row.END_AS_DECLARED


@pytest.mark.parametrize("settled", ["Failed", "OutOfService", "UpdateRollbackFailed"])
@kinds
def test_end_endpoint_failed_and_out_of_service(kind: str, settled: str) -> None:
    decision = after(kind, ended_by(promoting(), endpoint_status=settled))
    assert (decision.verb, decision.warn) == bad(kind)
    assert decision.row is Row.END_ENDPOINT_FAILED


@pytest.mark.parametrize(
    "variants",
    [
        {"production": "InService", "shadow": "InService"},
        {"production": "Deleted", "shadow": "Deleted"},
    ],
)
@kinds
def test_end_contradicted_warns_until_somebody_has_seen_how_aws_behaves(
    kind: str, variants: dict[str, str]
) -> None:
    decision = after(kind, ended_by(promoting(), variants=variants))
    assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.END_CONTRADICTED)
    assert decision.warn
    assert "declared" in decision.why


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
    decision = after("update", ended_by(promoting(), variants=variants))
    assert (decision.row, decision.warn) == (Row.END_AS_DECLARED, False)


@pytest.mark.parametrize(
    ("status", "asked", "warns"),
    [
        ("Completed", None, False),
        ("Completed", "Completed", False),
        ("Completed", "Cancelled", False),
        ("Cancelled", None, False),
        ("Cancelled", "Cancelled", False),
        ("Cancelled", "Completed", True),
    ],
)
@kinds
def test_end_as_declared(kind: str, status: str, asked: str | None, warns: bool) -> None:
    """An early conclusion "shows as cancelled"."""
    new = promoting(DesiredState=asked)
    decision = after(kind, ended_by(new, status), new)
    assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.END_AS_DECLARED)
    assert decision.warn is warns
    assert "; variant 'shadow' serves production now" in decision.why


def test_an_end_that_a_gate_kept_is_judged_by_what_was_sent() -> None:
    alarms = {"MinInvocations": "10", "Alarms": ["too-slow"]}
    gated = promoting(PromoteIf=alarms)
    kept = wanted(gated).without_promotion("evidence: failed")
    seen = experiment("Cancelled", status_reason=kept.reason)
    for variants, row in (
        ({"production": "InService", "shadow": "Deleted"}, Row.END_AS_DECLARED),
        ({"production": "InService", "shadow": "InService"}, Row.END_CONTRADICTED),
    ):
        decision = after("delete", replace(seen, variants=variants), gated, sent=kept.digest)
        assert (decision.verb, decision.row) == (Verb.SUCCEED, row)
        assert "serves production" not in decision.why


def test_an_end_that_the_request_does_not_declare_is_judged_by_its_digest() -> None:
    """The deployed declaration was ended, not the one in the Delete: a failed update left that."""
    seen = ended_by(properties(), variants={"production": "InService", "shadow": "Deleted"})
    decision = after("delete", seen, promoting(), sent=wanted(properties()).digest)
    assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.END_AS_DECLARED)
    broken = after("delete", seen, promoting(Newer="property"), sent=wanted(properties()).digest)
    assert broken.row is Row.END_AS_DECLARED


@kinds
def test_a_describe_that_fails_is_tried_again_and_the_failure_says_that_a_stop_was_sent(
    kind: str,
) -> None:
    assert answer(waiting(kind, away(Kind.TRANSIENT))) == (Verb.WAIT, Row.AWS_REFUSED)
    decision = after(kind, away(Kind.REFUSED))
    assert (decision.verb, decision.row) == (Verb.FAIL, Row.AWS_REFUSED)
    assert decision.why.startswith("a stop of inference experiment 'fraud-shadow' was sent")
