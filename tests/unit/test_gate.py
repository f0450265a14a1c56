"""The gate: a test for each row, and what comes before and after it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.situations import (
    BOTH,
    EVERY,
    ISSUED,
    KEEP,
    PROMOTE,
    READY,
    ROLLBACKS,
    answer,
    away,
    create,
    decided,
    delete,
    ended_by,
    experiment,
    outcome,
    promoting,
    properties,
    stopped,
    update,
    variant,
    wanted,
    with_stack,
)

from cdk_stop_inference_experiment_handler.contract.declaration import Outcome, OutcomeKind
from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.gate import MAX_REPORT, short_report
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Kind,
    Measured,
    Prepared,
    Query,
    Seen,
)

ALARM = {"MinInvocations": "10", "Alarms": ["too-slow"]}
GATED = promoting(PromoteIf=ALARM)
BEGUN = ISSUED - 7200.0


def running(**facts: Any) -> Experiment:
    return experiment(**{"scheduled_start": BEGUN, **facts})


def measured(state: str | None = "OK", count: float = 10) -> Prepared:
    """What was read because a promotion is ordered."""
    requests = {
        Query(variant, "Invocations", "Sum", 300): {ISSUED - 1000: count}
        for variant in ("production", "shadow")
    }
    return replace(READY, evidence=Measured(requests, {"too-slow": state} if state else {}))


def unread(kind: Kind) -> Prepared:
    return replace(READY, evidence=away(kind, "GetMetricData"))


VERDICTS = {
    "failed": measured("ALARM"),
    "inconclusive": measured(count=9),
    "error": measured(None),
}
ROWS = {
    "failed": Row.GATE_FAILED,
    "inconclusive": Row.GATE_INCONCLUSIVE,
    "error": Row.GATE_ERROR,
}


def promote(
    prepared: Prepared | None = None, *, seen: Seen[Experiment | None] | None = None, **facts: Any
) -> Decision:
    """An Update that orders a promotion with evidence."""
    found = running() if seen is None else seen
    return decided(update(GATED, seen=found, prepared=prepared or measured(), **facts))


def test_gate_open() -> None:
    decision = promote()
    assert (decision.verb, decision.row) == (Verb.STOP, Row.GATE_OPEN)
    assert decision.order is Row.UPDATE_CHANGED
    assert "can be promoted: the evidence is successful; measured from" in decision.why
    assert decision.evidence["verdict"] == "successful"
    again = promote(READY, evidence=decision.evidence)
    assert (again.verb, again.row) == (Verb.STOP, Row.STOPPABLE)


def test_evidence_is_read_because_a_promotion_is_ordered() -> None:
    first = decided(update(GATED, seen=running(), prepared=None))
    assert first.verb is Verb.PREPARE
    assert first.needs is not None
    assert first.needs.evidence is not None
    # The window is anchored to the request, in whole periods of five minutes.
    late = decided(update(GATED, seen=running(), prepared=None, now=ISSUED + 2000))
    assert late.needs is not None
    assert late.needs.evidence == first.needs.evidence
    assert first.needs.evidence.end == ISSUED - 300


@pytest.mark.parametrize("verdict", ROWS)
class TestClosed:
    def test_update(self, verdict: str) -> None:
        decision = promote(VERDICTS[verdict])
        assert (decision.verb, decision.row) == (Verb.FAIL, ROWS[verdict])
        assert f"was not promoted: the evidence is {verdict}: " in decision.why
        assert decision.evidence["verdict"] == verdict

    def test_create(self, verdict: str) -> None:
        ending = create({**GATED, "StopOn": EVERY}, seen=running(), prepared=VERDICTS[verdict])
        assert answer(ending) == (Verb.FAIL, ROWS[verdict])

    def test_delete_keeps_production_or_what_otherwise_says(self, verdict: str) -> None:
        for new, kept in ((GATED, KEEP), ({**GATED, "Otherwise": "KeepBoth"}, BOTH)):
            torn = delete(new, seen=running(), prepared=VERDICTS[verdict])
            decision = decided(torn)
            assert (decision.verb, decision.row, decision.warn) == (
                Verb.STOP,
                ROWS[verdict],
                True,
            )
            assert stopped(torn) == kept
            assert decision.stop is not None
            assert f"; evidence: {verdict} (" in decision.stop.reason

    def test_delete_later(self, verdict: str) -> None:
        """The verdict is remembered; a request has one."""
        torn = delete(GATED, seen=running(), evidence={"verdict": verdict}, tried=True)
        assert stopped(torn) == KEEP


class TestNotAsked:
    @pytest.mark.parametrize("status", ROLLBACKS)
    def test_in_an_undo(self, status: str) -> None:
        for s in (update(GATED, prepared=None), delete(GATED, prepared=None)):
            assert decided(with_stack(s, status=status)).verb is Verb.SUCCEED

    @pytest.mark.parametrize(
        "new", [promoting(), properties(DesiredState="Cancelled"), outcome("KeepBoth")]
    )
    def test_where_nothing_is_promoted_or_no_evidence_is_declared(self, new: Any) -> None:
        first = decided(update(new, prepared=None))
        assert first.needs is not None
        assert first.needs.evidence is None
        assert decided(update(new)).verb is Verb.STOP

    def test_once_a_stop_may_have_been_sent(self) -> None:
        for evidence in ({}, {"verdict": "successful"}):
            again = update(GATED, seen=running(), tried=True, evidence=evidence)
            assert stopped(again) == PROMOTE

    @pytest.mark.parametrize("status", ["Stopping", "Completed"])
    @pytest.mark.parametrize("reason", ["by hand", wanted(GATED).reason])
    def test_where_it_ends_already(self, status: str, reason: str) -> None:
        ending = update(GATED, seen=running(status=status, status_reason=reason), prepared=None)
        assert decided(ending).verb is not Verb.PREPARE


class TestUnreadable:
    @pytest.mark.parametrize(("after", "verb"), [(299, Verb.WAIT), (300, Verb.FAIL)])
    def test_is_asked_again_for_5_minutes(self, after: float, verb: Verb) -> None:
        since, throttled = ISSUED + 100, unread(Kind.TRANSIENT)
        decision = promote(throttled, now=since + after, unmeasured_since=since)
        assert (decision.verb, decision.row) == (verb, Row.GATE_ERROR)
        assert "GetMetricData: away" in decision.why
        assert decision.is_unmeasured is (verb is Verb.WAIT)
        assert promote(throttled, now=since + after).verb is Verb.WAIT

    @pytest.mark.parametrize(("after", "verb"), [(59, Verb.WAIT), (60, Verb.FAIL)])
    def test_a_denial_is_asked_again_in_the_first_minute(self, after: float, verb: Verb) -> None:
        decision = promote(unread(Kind.DENIED), now=ISSUED + after)
        assert (decision.verb, decision.row) == (verb, Row.GATE_ERROR)

    def test_is_an_error_at_once_where_asking_again_changes_nothing(self) -> None:
        decision = promote(unread(Kind.REFUSED))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.GATE_ERROR)

    def test_ends_a_teardown_by_what_keeps_production(self) -> None:
        torn = delete(GATED, seen=running(), prepared=unread(Kind.REFUSED))
        assert (answer(torn), stopped(torn)) == ((Verb.STOP, Row.GATE_ERROR), KEEP)


class TestWithoutAQuestion:
    @pytest.mark.parametrize(("before", "counts_from"), [(600.0, "15:00Z"), (1000.0, "10:00Z")])
    def test_an_experiment_that_has_just_begun_is_inconclusive(
        self, before: float, counts_from: str
    ) -> None:
        young = running(scheduled_start=ISSUED - before)
        decision = decided(update(GATED, seen=young, prepared=None))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.GATE_INCONCLUSIVE)
        assert f"too young: measurements count from 2026-11-22T10:{counts_from}" in decision.why

    @pytest.mark.parametrize(
        "seen", [running(shadows=()), running(scheduled_start=None, created=None)]
    )
    def test_what_sagemaker_does_not_return_is_an_error(self, seen: Experiment) -> None:
        decision = promote(seen=seen)
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.GATE_ERROR)
        assert "the production variant, the shadow variant and the start time" in decision.why

    def test_a_deletion_without_a_pair_sends_nothing(self) -> None:
        alone = running(shadows=(), variants={"production": "InService"})
        assert answer(delete(GATED, seen=alone)) == (Verb.FAIL, Row.NOT_A_PAIR)


def test_a_share_of_the_requests_is_noted() -> None:
    why = promote(VERDICTS["failed"], seen=running(sampling=20.0)).why
    assert why.startswith("the shadow of inference experiment 'fraud-shadow' was not promoted")
    assert why.endswith("; the shadow got 20 % of the requests")
    assert "%" not in promote(VERDICTS["failed"], seen=running(sampling=100.0)).why


class TestWhatIsKeptInstead:
    KEPT = wanted(GATED).without_promotion("evidence: failed")
    ENDED = experiment("Completed", status_reason=KEPT.reason, variants={})
    STOPPING = experiment("Stopping", status_reason=KEPT.reason)

    def test_a_deletion_finds_the_end_that_it_ordered_instead_of_a_promotion(self) -> None:
        adopted = decided(delete(GATED, seen=self.STOPPING))
        assert (adopted.verb, adopted.row) == (Verb.WAIT, Row.STOPPING)
        assert adopted.stop is not None
        assert adopted.stop.digest == self.KEPT.digest
        assert answer(delete(GATED, seen=self.ENDED)) == (Verb.SUCCEED, Row.ENDED_AS_NEW)

    def test_an_update_does_not_take_it_for_its_promotion(self) -> None:
        late = update(GATED, seen=self.ENDED)
        assert answer(late) == (Verb.FAIL, Row.ENDED_OTHERWISE_PROMOTE)
        again = update(GATED, seen=ended_by(GATED))
        assert answer(again) == (Verb.SUCCEED, Row.END_AS_DECLARED)

    def test_it_has_nothing_of_the_promotion(self) -> None:
        given = outcome("PromoteShadow", Instances="Shadow", PromoteIf=ALARM, Reason="v2 wins")
        kept = wanted(given).without_promotion("evidence: error")
        assert kept.end.how == Outcome(OutcomeKind.KEEP_PRODUCTION)
        assert kept.promote_if is None
        assert kept.reason_text == "Deleted with CloudFormation stack shadow; evidence: error"
        assert kept.digest != wanted(given).digest


class TestOtherInstances:
    """Production runs on ml.c5.large here, and the shadow is tested on ml.m5.xlarge."""

    @staticmethod
    def declared(instances: object = None) -> dict[str, Any]:
        return outcome("PromoteShadow", PromoteIf=ALARM, Instances=instances)

    def test_instances_differ_fails_an_update_before_anything_is_read(self) -> None:
        decision = decided(update(self.declared(), seen=running(), prepared=None))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.INSTANCES_DIFFER)
        assert (
            "was not promoted: the evidence is inconclusive: it was measured on ml.m5.xlarge, and "
            "would be promoted on ml.c5.large: set 'Instances' to 'Shadow', or to 'Production'"
        ) in decision.why
        assert decision.evidence["verdict"] == "inconclusive"

    def test_instances_differ_ends_a_teardown_by_what_keeps_production(self) -> None:
        torn = delete(self.declared(), seen=running())
        decision = decided(torn)
        assert (decision.verb, decision.row) == (Verb.STOP, Row.INSTANCES_DIFFER)
        assert decision.warn
        assert stopped(torn) == KEEP
        later = delete(self.declared(), seen=running(), evidence=decision.evidence, tried=True)
        assert stopped(later) == KEEP

    @pytest.mark.parametrize(
        ("instances", "warns"),
        [
            ("Shadow", False),
            ("Production", True),
            ({"InstanceType": "ml.m5.xlarge", "InstanceCount": 4}, False),
            ({"InstanceType": "ml.m5.large", "InstanceCount": 4}, True),
        ],
    )
    def test_instances_that_are_declared_are_promoted(self, instances: object, warns: bool) -> None:
        ordered = update(self.declared(instances), seen=running(), prepared=measured())
        decision = decided(ordered)
        assert (decision.verb, decision.row) == (Verb.STOP, Row.GATE_OPEN)
        assert decision.warn is warns
        assert ("what was measured is not what will be deployed" in decision.why) is warns

    def test_the_same_type_and_one_that_is_not_known_pass(self) -> None:
        of_pools = {**variant("shadow"), "InfrastructureConfig": {}}
        for shadow in (variant("shadow", of_type="ml.c5.large"), of_pools):
            configured = {**running().configured, "shadow": shadow}
            ordered = update(
                self.declared(), seen=running(configured=configured), prepared=measured()
            )
            assert answer(ordered) == (Verb.STOP, Row.GATE_OPEN)

    def test_without_evidence_it_is_only_a_warning(self) -> None:
        decision = decided(update(outcome("PromoteShadow"), seen=running()))
        assert (decision.verb, decision.row, decision.warn) == (Verb.STOP, Row.STOPPABLE, True)
        assert "tested on ml.m5.xlarge, but is to be promoted on ml.c5.large" in decision.why


@pytest.mark.parametrize("length", [MAX_REPORT, MAX_REPORT + 1])
def test_a_report_loses_its_alarms_only_where_it_is_too_long(length: int) -> None:
    report = {"verdict": "failed", "alarms": {"too-slow": "ALARM"}, "why": ""}
    report["why"] = "x" * (length - len(json.dumps(report)))
    kept = set(report) if length == MAX_REPORT else {"verdict", "why"}
    assert set(short_report(report)) == kept
