"""Table 3, how the experiment ended after our Stop: a test for each row."""

from __future__ import annotations

import json
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
    outcome,
    promoting,
    properties,
    update,
    wanted,
)

from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import Kind, Situation
from cdk_stop_inference_experiment_handler.lifecycle.stop_request import members_of

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
    for before in ("", "an older one"):
        decision = after(kind, ended, failure_before=before)
        assert (decision.verb, decision.warn) == bad(kind)
        assert decision.row is Row.END_ENDPOINT_FAILED
        assert "quota exceeded" in decision.why
    assert after(kind, ended, failure_before="quota exceeded").row is Row.END_AS_DECLARED


@pytest.mark.parametrize("before", [None, "", "quota exceeded"])
@kinds
def test_without_a_failure_it_is_known_what_serves(kind: str, before: str | None) -> None:
    decision = after(kind, ended_by(promoting()), failure_before=before)
    assert (decision.row, decision.warn) == (Row.END_AS_DECLARED, False)
    assert "it is not known" not in decision.why


@pytest.mark.parametrize("status", ["Completed", "Cancelled"])
@kinds
def test_a_failure_that_may_be_older_than_the_stop_is_a_warning(kind: str, status: str) -> None:
    """First seen Stopping or ended: by a second delivery, or by a deployment after a rollback."""
    ended = ended_by(promoting(), status, endpoint_failure="quota exceeded")
    decision = after(kind, ended, failure_before=None)
    assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.END_AS_DECLARED)
    assert decision.warn
    assert decision.why.endswith(
        "; it is not known whether variant 'shadow' serves production now: check endpoint 'fraud'; "
        "it is not known whether the last failure of endpoint 'fraud' came with this end: check "
        "what it serves; endpoint: quota exceeded"
    )
    broken = replace(ended, endpoint_status="UpdateRollbackFailed")
    assert after(kind, broken, failure_before=None).row is Row.END_ENDPOINT_FAILED
    contradicted = replace(ended, variants={"production": "InService"})
    decision = after(kind, contradicted, failure_before=None)
    assert (decision.row, decision.warn) == (Row.END_CONTRADICTED, True)
    assert "quota exceeded" in decision.why


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
    serves = "; variant 'shadow' serves production now"
    unknown = "; it is not known whether variant 'shadow' serves production now"
    assert (serves if status == "Completed" else unknown) in decision.why


@pytest.mark.parametrize("new", [promoting(), outcome("PromoteShadow")])
@kinds
def test_a_promotion_is_not_said_to_serve_where_the_test_ended_for_another_reason(
    kind: str, new: Properties
) -> None:
    """Somebody else, or its schedule, ended it in the moment of the stop."""
    by_hand = experiment("Completed", status_reason="stopped in the console (0badc0de)")
    at_its_end = experiment("Completed", completion_time=ISSUED + 60)
    for seen, said in (
        (by_hand, "because 'stopped in the console (0badc0de)'"),
        (at_its_end, "by its schedule"),
    ):
        ended = replace(seen, variants={})
        decision = after(kind, ended, new, scheduled_end=ISSUED + 60)
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.END_AS_DECLARED)
        assert decision.warn
        assert said in decision.why
        assert decision.why.endswith(
            "; it is not known whether variant 'shadow' serves production now: check endpoint "
            "'fraud'"
        )
        unnamed = after(kind, replace(ended, production="", shadows=()), new, scheduled_end=ISSUED)
        assert unnamed.warn
        assert "is not known whether " in unnamed.why


@kinds
def test_an_end_for_another_reason_that_promotes_nothing_or_has_none_needs_no_warning(
    kind: str,
) -> None:
    by_hand = experiment("Completed", status_reason="by hand", variants={})
    decision = after(kind, by_hand, properties())
    assert (decision.row, decision.warn) == (Row.END_AS_DECLARED, False)
    unsaid = experiment("Completed", completion_time=ISSUED + 60, variants={})
    decision = after(kind, unsaid, scheduled_end=ISSUED + 3600)
    assert (decision.row, decision.warn) == (Row.END_AS_DECLARED, False)
    assert "serves production now: check endpoint 'fraud'" in decision.why


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


def test_a_delete_of_another_declaration_is_judged_by_what_was_sent() -> None:
    """Where an update failed before, it ends what is deployed, not what it is asked with."""
    given = properties(DesiredState="Completed")
    both = {"production": "InService", "shadow": "InService"}
    members = json.dumps(members_of(wanted(given), experiment(), {}))

    def deleted(seen: Any, **progress: Any) -> Decision:
        sent = {"sent": wanted(given).digest, "request": members, **progress}
        return after("delete", seen, promoting(), **sent)

    decision = deleted(ended_by(given, variants=both))
    assert (decision.row, decision.warn) == (Row.END_CONTRADICTED, True)
    decision = deleted(ended_by(given, "Cancelled"))
    assert (decision.row, decision.warn) == (Row.END_AS_DECLARED, True)
    assert "was declared to end as Completed, and ended as Cancelled" in decision.why
    # The last Stop that was tried is not the one that was accepted.
    other = deleted(ended_by(promoting(), variants=both), sent=wanted(promoting()).digest)
    assert (other.row, other.warn) == (Row.END_CONTRADICTED, True)


def test_what_was_sent_names_the_variants_that_sagemaker_no_longer_names() -> None:
    new = outcome("PromoteShadow")
    members = json.dumps(members_of(wanted(new), experiment(), {"production": 3}))
    seen = ended_by(new, production="", shadows=())
    assert "serves production" not in after("update", seen, new).why
    named = after("update", seen, new, request=members)
    assert "; variant 'shadow' serves production now" in named.why


@kinds
def test_a_describe_that_fails_is_tried_again_and_the_failure_says_that_a_stop_was_sent(
    kind: str,
) -> None:
    assert answer(waiting(kind, away(Kind.TRANSIENT))) == (Verb.WAIT, Row.AWS_REFUSED)
    decision = after(kind, away(Kind.REFUSED))
    assert (decision.verb, decision.row) == (Verb.FAIL, Row.AWS_REFUSED)
    assert decision.why.startswith("a stop of inference experiment 'fraud-shadow' was sent")
