"""The gate: a test for each row, and what comes before and after it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.lifecycle import (
    ISSUED,
    PROMOTE,
    UNDONE_STATUSES,
    World,
    answers,
    create,
    creating,
    declaration,
    delete,
    ended_by,
    experiment,
    outcome,
    promoting,
    properties,
    removing,
    update,
)

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse_replaced
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Decision,
    Experiment,
    Measured,
    Query,
    Verb,
)
from cdk_stop_inference_experiment_handler.lifecycle.gate import MAX_REPORT, fitted

ALARM = {"MinInvocations": "10", "Alarms": ["too-slow"]}


def gated(**changes: Any) -> Declaration:
    return promoting(PromoteIf=ALARM, **changes)


def running(**facts: Any) -> Experiment:
    return experiment(**{"scheduled_start": ISSUED - 7200.0, **facts})


def measured(state: str | None = "OK", count: float = 10) -> Measured:
    requests = {
        Query(variant, "Invocations", "Sum", 300): {9000.0: count}
        for variant in ("production", "shadow")
    }
    return Measured(requests, {"too-slow": state} if state else {})


VERDICTS = {
    "failed": measured("ALARM"),
    "inconclusive": measured(count=9),
    "error": measured(None),
}


def told(**facts: Any) -> World:
    return World(**{"seen": running(), "measured": measured(), **facts})


def updated(world: World, **progress: Any) -> Decision:
    return update(world, gated(), **progress)


def test_gate_open() -> None:
    decision = updated(told())
    assert answers(decision) == (Verb.WAIT, "gate_open")
    assert "can be promoted: the evidence is successful; measured from" in decision.why
    assert decision.evidence["verdict"] == "successful"


def test_what_is_open_is_sent_after_a_look_whether_the_order_stands() -> None:
    world = told()
    again = updated(world, evidence=updated(world).evidence)
    assert (again.verb, again.stop) == (Verb.STOP, gated())
    assert world.asked.count("evidence") == 1
    undone = told(status="UPDATE_ROLLBACK_IN_PROGRESS")
    assert answers(updated(undone, evidence={"verdict": "successful"})) == (
        Verb.SUCCEED,
        "update_undone",
    )


@pytest.mark.parametrize(
    ("verdict", "row"),
    [
        ("failed", "gate_failed"),
        ("inconclusive", "gate_inconclusive"),
        ("error", "gate_error"),
    ],
)
class TestClosed:
    def test_update(self, verdict: str, row: str) -> None:
        decision = updated(told(measured=VERDICTS[verdict]))
        assert answers(decision) == (Verb.FAIL, row)
        assert f"was not promoted: the evidence is {verdict}: " in decision.why
        assert "; measured from 1970-01-01T01:00:00Z to 1970-01-01T02:40:00Z" in decision.why

    def test_create(self, verdict: str, row: str) -> None:
        world = creating(seen=running(), measured=VERDICTS[verdict])
        assert answers(create(world, gated(StopOn=["Create"]))) == (Verb.FAIL, row)

    def test_delete(self, verdict: str, row: str) -> None:
        world = removing(seen=running(), measured=VERDICTS[verdict])
        decision = delete(world, gated())
        assert (*answers(decision), decision.warn) == (Verb.WAIT, row, True)
        again = delete(world, gated(), evidence=decision.evidence)
        assert again.verb is Verb.STOP
        assert again.stop is not None
        assert again.stop.actions == {"production": "Retain", "shadow": "Remove"}
        assert f"; evidence: {verdict} (" in again.stop.reason

    def test_delete_after_a_stop_that_may_have_been_sent(self, verdict: str, row: str) -> None:
        world = removing(seen=running())
        again = delete(world, gated(), tried=True, evidence={"verdict": verdict, "row": row})
        assert again.stop is not None
        assert not again.stop.promotes
        assert "evidence" not in world.asked


class TestNotAsked:
    @pytest.mark.parametrize("status", UNDONE_STATUSES)
    def test_in_an_undo(self, status: str) -> None:
        world = told(status=status)
        updated(world)
        assert "evidence" not in world.asked

    def test_where_nothing_is_promoted(self) -> None:
        world = told()
        assert update(world, declaration(DesiredState="Cancelled")).verb is Verb.STOP
        assert "evidence" not in world.asked

    def test_where_no_evidence_is_declared(self) -> None:
        world = told()
        assert update(world, promoting()).verb is Verb.STOP
        assert "evidence" not in world.asked

    def test_where_the_stack_is_about_to_delete_the_experiment(self) -> None:
        world = removing(seen=running(), status="ROLLBACK_IN_PROGRESS")
        decision = delete(world, gated(StackOwnsExperiment="true"))
        assert decision.verb is Verb.STOP
        assert "evidence" not in world.asked

    def test_once_a_stop_may_have_been_sent(self) -> None:
        world = told()
        assert updated(world, tried=True).stop == gated()
        assert updated(world, tried=True, evidence={"verdict": "successful"}).stop == gated()
        assert "evidence" not in world.asked

    @pytest.mark.parametrize("status", ["Stopping", "Completed"])
    @pytest.mark.parametrize("reason", ["by hand", gated().reason])
    def test_where_it_ends_already(self, status: str, reason: str) -> None:
        world = told(seen=running(status=status, status_reason=reason))
        updated(world)
        assert "evidence" not in world.asked

    def test_where_the_evidence_alone_has_changed(self) -> None:
        world = told()
        loose = promoting(PromoteIf={**ALARM, "MinInvocations": "1"}, Otherwise="KeepBoth")
        assert answers(update(world, loose, gated())) == (Verb.SUCCEED, "update_unchanged")
        assert answers(update(world, promoting(), gated())) == (Verb.SUCCEED, "update_unchanged")
        assert "evidence" not in world.asked


class TestUnreadable:
    SINCE = ISSUED + 100

    def at(self, seconds: float, **facts: Any) -> Decision:
        world = told(unreadable=("evidence",), time=self.SINCE + seconds, **facts)
        return updated(world, unmeasured_since=self.SINCE)

    def test_is_asked_for_again_for_5_minutes(self) -> None:
        with pytest.raises(Exception, match="evidence: away"):
            updated(told(unreadable=("evidence",)))
        with pytest.raises(Exception, match="evidence: away"):
            self.at(299)

    def test_is_an_error_then(self) -> None:
        decision = self.at(300)
        assert answers(decision) == (Verb.FAIL, "gate_error")
        assert "the evidence is error: evidence: away" in decision.why

    def test_is_an_error_at_once_where_asking_again_changes_nothing(self) -> None:
        assert answers(self.at(1, is_lasting=True)) == (Verb.FAIL, "gate_error")

    def test_a_denial_is_asked_again_in_the_first_minute(self) -> None:
        with pytest.raises(Exception, match="evidence: away"):
            self.at(1, is_denied=True)
        assert answers(self.at(1, is_denied=True, is_young=False)) == (Verb.FAIL, "gate_error")

    def test_ends_a_teardown_by_what_keeps_production(self) -> None:
        world = removing(seen=running(), unreadable=("evidence",), is_lasting=True)
        assert answers(delete(world, gated())) == (Verb.WAIT, "gate_error")


class TestWithoutAQuestion:
    def test_evidence_that_breaks_a_rule_is_an_error(self) -> None:
        deployed = properties(ModelVariantActions=PROMOTE, PromoteIf={"MinInvocations": "any"})
        broken = parse_replaced(deployed, stack_name="shadow", logical_id="Stop")
        assert broken is not None
        decision = delete(removing(seen=running()), broken)
        assert answers(decision) == (Verb.WAIT, "gate_error")
        assert "'PromoteIf' is invalid" in decision.why

    @pytest.mark.parametrize(("before", "counts_from"), [(600.0, "02:50:00Z"), (1000, "02:40:00Z")])
    def test_an_experiment_that_has_just_begun_is_inconclusive(
        self, before: float, counts_from: str
    ) -> None:
        world = told(seen=running(scheduled_start=ISSUED - before))
        decision = updated(world)
        assert answers(decision) == (Verb.FAIL, "gate_inconclusive")
        assert f"too young: measurements count from 1970-01-01T{counts_from}" in decision.why
        assert "evidence" not in world.asked

    def test_variants_that_are_not_told_are_an_error(self) -> None:
        decision = updated(told(seen=running(shadows=())))
        assert answers(decision) == (Verb.FAIL, "gate_error")
        assert "the production variant, the shadow variant" in decision.why

    def test_a_beginning_that_is_not_told_is_an_error(self) -> None:
        decision = updated(told(seen=running(scheduled_start=None)))
        assert answers(decision) == (Verb.FAIL, "gate_error")
        assert "the start time" in decision.why


def test_a_deletion_without_a_pair_sends_nothing() -> None:
    alone = running(shadows=(), variants={"production": "InService"})
    closed = delete(removing(seen=alone), gated(), evidence={"verdict": "error"})
    assert answers(closed) == (Verb.FAIL, "not_a_pair")


def test_the_window_is_anchored_to_the_request() -> None:
    world = told(time=ISSUED + 2000)
    updated(world)
    assert world.questions[0].end == 9600


def test_a_share_of_the_requests_is_noted() -> None:
    world = told(seen=running(sampling=20.0), measured=VERDICTS["failed"])
    why = updated(world).why
    assert why.startswith("the shadow of inference experiment 'fraud-shadow' was not promoted")
    assert why.endswith("; the shadow got 20 % of the requests")
    world = told(seen=running(sampling=100.0), measured=VERDICTS["failed"])
    assert "%" not in updated(world).why


def test_a_deletion_finds_the_end_that_it_ordered_instead_of_a_promotion() -> None:
    kept = gated().kept("failed")
    stopping = running(status="Stopping", status_reason=kept.reason)
    decision = delete(removing(seen=stopping), gated())
    assert answers(decision) == (Verb.WAIT, "stopping")
    assert decision.stop is not None
    assert decision.stop.digest == kept.digest
    assert answers(delete(removing(seen=ended_by(kept)), gated())) == (
        Verb.SUCCEED,
        "ended_as_new",
    )


def test_an_update_does_not_take_that_end_for_its_promotion() -> None:
    kept = gated().kept("failed")
    assert answers(update(told(seen=ended_by(kept)), gated())) == (
        Verb.FAIL,
        "ended_otherwise_promote",
    )


def test_an_update_does_not_take_a_deletes_stop_for_its_own_either() -> None:
    seen = running(status="Stopping", status_reason=gated().kept("failed").reason)
    assert updated(told(seen=seen)).stop is None


def test_what_is_kept_instead_has_nothing_of_the_promotion() -> None:
    kept = outcome("PromoteShadow", Instances="Shadow", PromoteIf=ALARM, Reason="v2 wins").kept()
    assert (kept.actions, kept.variants, kept.instances, kept.promote_if) == ({}, None, None, None)
    assert kept.reason.startswith("Deleted with CloudFormation stack shadow; evidence:  (")


@pytest.mark.parametrize("length", [MAX_REPORT, MAX_REPORT + 1])
def test_a_report_loses_its_alarms_only_where_it_is_too_long(length: int) -> None:
    report = {"verdict": "failed", "alarms": {"too-slow": "ALARM"}, "why": ""}
    report["why"] = "x" * (length - len(json.dumps(report)))
    kept = set(report) if length == MAX_REPORT else {"verdict", "why"}
    assert set(fitted(report)) == kept
