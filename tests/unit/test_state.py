"""Table 2, what the experiment's state makes of the order: a test for each row and column."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.situations import (
    BY_HAND,
    DEADLINE,
    EVERY,
    ISSUED,
    KEEP,
    PROMOTE,
    READY,
    STOPPABLE,
    UNSETTLED,
    Properties,
    R,
    S,
    X,
    answer,
    at_deadline,
    away,
    create,
    created,
    decided,
    delete,
    ended_by,
    experiment,
    late,
    order_of,
    outcome,
    promoting,
    properties,
    stack,
    stopped,
    update,
    variant,
    wanted,
    with_stack,
)

from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.decision import Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Kind,
    Prepared,
    Situation,
)

CANCELLED = properties(DesiredState="Cancelled")
"""Differs from ``properties()`` without a promotion."""

PENDING = experiment("Completed", endpoint_status="Updating")


def arm(seen: Experiment | None, new: Properties | None = None) -> tuple[Verb, Row, bool]:
    decision = decided(create(new, seen=seen))
    return decision.verb, decision.row, decision.warn


class TestArm:
    def test_absent(self) -> None:
        assert arm(None) == (Verb.FAIL, Row.ABSENT, True)
        why = decided(create(seen=None)).why
        assert "'fraud-shadow' does not exist in eu-west-1: check its name" in why

    def test_ended_unsettled(self) -> None:
        assert arm(PENDING) == (Verb.SUCCEED, Row.ENDED_UNSETTLED, True)

    @pytest.mark.parametrize(
        ("seen", "new", "row"),
        [
            (ended_by(properties()), properties(), Row.ENDED_AS_NEW),
            (BY_HAND, properties(), Row.ENDED_OTHERWISE),
            (BY_HAND, promoting(), Row.ENDED_OTHERWISE_PROMOTE),
        ],
    )
    def test_ended(self, seen: Experiment, new: Properties, row: Row) -> None:
        assert arm(seen, new) == (Verb.SUCCEED, row, True)

    def test_ended_as_old(self) -> None:
        changed = promoting(StopOn=["Delete"])
        decision = decided(update(changed, seen=ended_by(properties())))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.ENDED_AS_OLD)
        assert decision.warn

    def test_stopping(self) -> None:
        assert arm(experiment("Stopping")) == (Verb.SUCCEED, Row.STOPPING, True)

    def test_variants_mismatch_names_both_sides(self) -> None:
        unknown = properties(ModelVariantActions={"canary": "Remove"})
        assert arm(experiment(), unknown) == (Verb.FAIL, Row.VARIANTS_MISMATCH, True)
        why = decided(create(unknown)).why
        assert "no variant 'canary'; nothing was stopped" in why
        assert "'production', 'shadow'" in why
        wrong_way = properties(ModelVariantActions={"production": "Promote", "shadow": "Remove"})
        assert arm(experiment(), wrong_way)[:2] == (Verb.FAIL, Row.VARIANTS_MISMATCH)
        assert "which is 'shadow'" in decided(create(wrong_way)).why

    def test_variants_that_sagemaker_does_not_list_are_no_mismatch(self) -> None:
        bare = experiment(variants={}, shadows=())
        assert arm(bare, promoting())[:2] == (Verb.SUCCEED, Row.STOPPABLE)

    def test_created(self) -> None:
        seen = experiment("Created", scheduled_end=ISSUED + 86_400)
        decision = decided(create(seen=seen, refused_at=ISSUED))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.STOPPABLE)
        assert "ends by itself at 2026-11-23T10:15:00Z" in decision.why

    def test_status_unknown(self) -> None:
        assert arm(experiment("Pausing")) == (Verb.SUCCEED, Row.STATUS_UNKNOWN, True)

    @pytest.mark.parametrize(
        ("new", "warns"),
        [
            (outcome("PromoteShadow"), True),
            (outcome("PromoteShadow", Instances="Production"), True),
            (outcome("PromoteShadow", Instances="Shadow"), False),
            (promoting(), False),
            (promoting(DesiredModelVariants=[variant("shadow", of_type="ml.m5.large")]), True),
            (outcome("KeepBoth"), False),
        ],
    )
    def test_a_promotion_on_other_instances_than_the_tested_is_a_warning(
        self, new: Properties, warns: bool
    ) -> None:
        decision = decided(create(new))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.STOPPABLE)
        assert decision.warn is warns
        assert ("; the shadow is tested on ml.m5.xlarge, but is" in decision.why) is warns

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stoppable(self, status: str) -> None:
        assert arm(experiment(status)) == (Verb.SUCCEED, Row.STOPPABLE, False)


ENDING = pytest.mark.parametrize(
    "ending",
    [
        lambda new, **facts: create({**new, "StopOn": EVERY}, **facts),
        lambda new, **facts: update(new, properties(DesiredState="Completed"), **facts),
    ],
    ids=["create", "update"],
)


@ENDING
class TestEndByCreateOrUpdate:
    def test_absent(self, ending: Any) -> None:
        assert answer(ending(promoting(), seen=None)) == (Verb.FAIL, Row.ABSENT)

    @pytest.mark.parametrize("status", UNSETTLED)
    def test_ended_unsettled_waits_and_never_stops(self, ending: Any, status: str) -> None:
        pending = ending(promoting(), seen=replace(PENDING, endpoint_status=status))
        assert answer(pending) == (Verb.WAIT, Row.ENDED_UNSETTLED)
        assert answer(at_deadline(pending)) == (Verb.FAIL, Row.DEADLINE)

    @pytest.mark.parametrize("status", ["Completed", "Cancelled"])
    def test_ended_as_new_is_judged_by_the_third_table(self, ending: Any, status: str) -> None:
        over = ended_by(promoting(), status)
        assert answer(ending(promoting(), seen=over)) == (Verb.SUCCEED, Row.END_AS_DECLARED)
        reworded = promoting(Reason="other words")
        assert answer(ending(reworded, seen=over)) == (Verb.SUCCEED, Row.END_AS_DECLARED)
        failed = replace(over, endpoint_failure="quota")
        new = ending(promoting(), seen=failed, failure_before="")
        assert answer(new) == (Verb.FAIL, Row.END_ENDPOINT_FAILED)
        unknown = decided(ending(promoting(), seen=failed))
        assert (unknown.row, unknown.warn) == (Row.END_AS_DECLARED, True)
        known = ending(promoting(), seen=failed, failure_before="quota")
        assert decided(known).verb is Verb.SUCCEED

    @pytest.mark.parametrize("status", ["Completed", "Cancelled"])
    def test_ended_otherwise(self, ending: Any, status: str) -> None:
        decision = decided(ending(CANCELLED, seen=replace(BY_HAND, status=status)))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.ENDED_OTHERWISE)
        assert not decision.warn
        both = replace(BY_HAND, variants={"production": "InService", "shadow": "InService"})
        decision = decided(ending(CANCELLED, seen=both))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.ENDED_OTHERWISE)
        assert decision.warn

    @pytest.mark.parametrize("status", ["Completed", "Cancelled"])
    def test_ended_otherwise_promote(self, ending: Any, status: str) -> None:
        over = replace(BY_HAND, status=status, completion_time=ISSUED - 60)
        decision = decided(ending(promoting(), seen=over))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.ENDED_OTHERWISE_PROMOTE)
        for said in ("'shadow'", "an endpoint update", "a new experiment"):
            assert said in decision.why
        assert decision.why.endswith(
            f"as {status} at 2026-11-22T10:14:00Z, because 'stopped in the console'"
        )

    def test_ended_otherwise_promote_of_what_sagemaker_no_longer_names(self, ending: Any) -> None:
        new = outcome("PromoteShadow", DesiredState="Cancelled")
        decision = decided(ending(new, seen=replace(BY_HAND, production="", shadows=())))
        assert decision.row is Row.ENDED_OTHERWISE_PROMOTE
        assert decision.why.startswith("the shadow of inference experiment 'fraud-shadow'")

    def test_by_its_schedule_is_said_only_of_an_end_that_an_earlier_look_expected(
        self, ending: Any
    ) -> None:
        """After an end, Schedule.EndTime is the real end."""
        over = replace(BY_HAND, status_reason="", scheduled_end=9.0, completion_time=ISSUED - 9)
        for before, said in (
            (None, "; SageMaker gives no reason"),
            (ISSUED - 8, "; SageMaker gives no reason"),
            (ISSUED - 9, ", by its schedule, which ended it at 2026-11-22T10:14:51Z"),
        ):
            for late_order in (promoting(), outcome("KeepBoth")):
                late = ending(late_order, seen=over, scheduled_end=before)
                assert decided(late).why.endswith(said)

    def test_stopping_is_adopted(self, ending: Any) -> None:
        adopted = ending(promoting(), seen=experiment("Stopping", status_reason="by hand"))
        assert answer(adopted) == (Verb.WAIT, Row.STOPPING)
        assert decided(adopted).stop is None
        assert answer(at_deadline(adopted)) == (Verb.FAIL, Row.DEADLINE)
        ours = experiment("Stopping", status_reason=wanted(promoting()).reason)
        sent = decided(ending(promoting(), seen=ours)).stop
        assert sent is not None
        assert sent.digest == wanted(promoting()).digest

    def test_a_stop_that_a_deletion_sent_in_place_of_a_promotion_is_not_adopted(
        self, ending: Any
    ) -> None:
        """It keeps production: as the end of this order it would be called the promotion."""
        kept = wanted(promoting()).without_promotion("evidence: failed").reason
        stopping = ending(promoting(), seen=experiment("Stopping", status_reason=kept))
        assert answer(stopping) == (Verb.WAIT, Row.STOPPING)
        assert decided(stopping).stop is None
        over = ending(promoting(), seen=experiment("Completed", status_reason=kept))
        assert answer(over) == (Verb.FAIL, Row.ENDED_OTHERWISE_PROMOTE)

    def test_variants_mismatch(self, ending: Any) -> None:
        for actions in ({"canary": "Remove"}, {"production": "Promote", "shadow": "Remove"}):
            wrong = ending(properties(ModelVariantActions=actions))
            assert answer(wrong) == (Verb.FAIL, Row.VARIANTS_MISMATCH)

    @pytest.mark.parametrize(
        ("starts", "verb"),
        [
            (None, Verb.FAIL),
            (DEADLINE - 1500, Verb.STOP),
            (DEADLINE - 1499, Verb.FAIL),
            (ISSUED - 60, Verb.STOP),
        ],
    )
    def test_created_refused(self, ending: Any, starts: float | None, verb: Verb) -> None:
        """It has to start and to stop before the deadline, 25 minutes; else it fails in two."""
        seen = experiment("Created", scheduled_start=starts)
        refused = ending(
            promoting(),
            seen=seen,
            now=ISSUED + 100,
            refused_at=ISSUED + 10,
            refusal="Stop: ValidationException: no such instances",
        )
        decision = decided(refused)
        assert decision.verb is verb
        if verb is Verb.FAIL:
            assert decision.row is Row.CREATED_REFUSED
            assert "has not started and cannot be stopped yet" in decision.why
            assert ("it starts at" in decision.why) is (starts is not None)
            assert decision.why.endswith("; Stop: ValidationException: no such instances")
        young = ending(promoting(), seen=seen, now=ISSUED + 100, refused_at=ISSUED + 11)
        assert decided(young).verb is Verb.STOP
        begun = replace(seen, status="Running")
        again = ending(promoting(), seen=begun, now=ISSUED + 100, refused_at=ISSUED)
        assert decided(again).verb is Verb.STOP

    @pytest.mark.parametrize(
        ("new", "needs_counts"),
        [
            (outcome("PromoteShadow"), True),
            (outcome("PromoteShadow", Instances="Shadow"), False),
            (promoting(), False),
            (outcome("KeepBoth"), False),
            (CANCELLED, False),
        ],
    )
    def test_what_a_stop_needs(self, ending: Any, new: Properties, needs_counts: bool) -> None:
        """Fewer instances than now are warned of after the Stop, which that must not delay."""
        first = decided(ending(new, prepared=None))
        assert first.verb is Verb.PREPARE
        assert first.needs is not None
        assert (first.needs.counts, first.needs.evidence) == (needs_counts, None)
        unread = decided(ending(new, prepared=Prepared(counts=away(Kind.REFUSED))))
        unasked = decided(ending(new, prepared=Prepared()))
        assert decided(ending(new)).verb is Verb.STOP
        expected = (Verb.FAIL, Verb.PREPARE) if needs_counts else (Verb.STOP, Verb.STOP)
        assert (unread.verb, unasked.verb) == expected

    def test_status_unknown(self, ending: Any) -> None:
        unknown = ending(promoting(), seen=experiment("Pausing"))
        assert answer(unknown) == (Verb.WAIT, Row.STATUS_UNKNOWN)
        assert answer(at_deadline(unknown)) == (Verb.FAIL, Row.DEADLINE)

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stoppable(self, ending: Any, status: str) -> None:
        ordered = ending(promoting(), seen=experiment(status))
        assert answer(ordered) == (Verb.STOP, Row.STOPPABLE)
        assert stopped(ordered) == PROMOTE

    def test_not_a_pair(self, ending: Any) -> None:
        for seen in NO_PAIRS.values():
            decision = decided(ending(outcome("KeepBoth"), seen=seen))
            assert (decision.verb, decision.row) == (Verb.FAIL, Row.NOT_A_PAIR)
            assert "nothing was stopped: use 'ModelVariantActions'" in decision.why

    @pytest.mark.parametrize("counts", [{}, {"production": 0}, {"shadow": 2}])
    def test_instances_unknown(self, ending: Any, counts: dict[str, int]) -> None:
        """Looked at again for a minute: the experiment may have ended since it was described."""
        new = outcome("PromoteShadow")
        unknown = ending(new, prepared=replace(READY, counts=counts))
        assert answer(unknown) == (Verb.WAIT, Row.INSTANCES_UNKNOWN)
        decision = decided(late(unknown))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.INSTANCES_UNKNOWN)
        assert "nothing was stopped: set 'InstanceType'" in decision.why
        found = "CurrentInstanceCount 0" if 0 in counts.values() else "no CurrentInstanceCount"
        assert decision.why.endswith(found)
        for instances in ("Shadow", {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4}):
            named = ending({**new, "Instances": instances}, prepared=replace(READY, counts=counts))
            assert decided(named).verb is Verb.STOP

    def test_instances_unknown_at_once_where_the_endpoint_does_not_exist(self, ending: Any) -> None:
        gone = replace(READY, counts=away(Kind.REFUSED, "DescribeEndpoint"))
        new = outcome("PromoteShadow")
        assert answer(ending(new, prepared=gone)) == (Verb.FAIL, Row.INSTANCES_UNKNOWN)
        throttled = replace(READY, counts=away(Kind.TRANSIENT))
        assert answer(late(ending(new, prepared=throttled))) == (
            Verb.WAIT,
            Row.INSTANCES_UNKNOWN,
        )

    def test_aws_refused(self, ending: Any) -> None:
        unread = ending(promoting(), seen=away(Kind.REFUSED))
        assert answer(unread) == (Verb.FAIL, Row.AWS_REFUSED)
        said = "this delivery did not stop inference experiment 'fraud-shadow': DescribeIt: away"
        assert said in decided(unread).why
        assert "a stop of" in decided(ending(promoting(), seen=away(Kind.REFUSED), tried=True)).why


def test_aws_refused_is_retried_while_that_can_help() -> None:
    throttled = update(promoting(), seen=away(Kind.TRANSIENT))
    assert answer(throttled) == (Verb.WAIT, Row.AWS_REFUSED)
    assert answer(at_deadline(throttled)) == (Verb.FAIL, Row.DEADLINE)
    for after, verb in ((59, Verb.WAIT), (60, Verb.FAIL)):
        # IAM may not know a new policy yet.
        refused = update(promoting(), seen=away(Kind.DENIED), now=ISSUED + after)
        assert answer(refused) == (verb, Row.AWS_REFUSED)


class TestEndByUpdateOnly:
    """What was deployed before is known of an Update only."""

    def test_ended_as_old_is_too_late_for_another_end(self) -> None:
        decision = decided(update(CANCELLED, seen=ended_by(properties())))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.ENDED_AS_OLD)
        assert decision.warn
        assert "the new declaration comes too late" in decision.why
        end_now = update(properties(**{**CANCELLED, "EndNow": "true"}), seen=ended_by(properties()))
        assert answer(end_now) == (Verb.SUCCEED, Row.ENDED_AS_OLD)

    def test_ended_as_old_fails_what_promotes_what_the_old_one_did_not(self) -> None:
        late_promotion = update(promoting(), seen=ended_by(properties()))
        assert answer(late_promotion) == (Verb.FAIL, Row.ENDED_AS_OLD)

    @pytest.mark.parametrize("end_now", [None, "true"])
    @pytest.mark.parametrize("new", [promoting(), outcome("PromoteShadow")])
    def test_ended_as_old_fails_a_promotion_also_where_sagemaker_no_longer_names_the_pair(
        self, new: Properties, end_now: str | None
    ) -> None:
        new = {**new, "EndNow": end_now}
        over = ended_by(outcome(), production="", shadows=())
        assert answer(update(new, outcome(), seen=over)) == (Verb.FAIL, Row.ENDED_AS_OLD)

    @pytest.mark.parametrize("names", [{}, {"production": "", "shadows": ()}])
    @pytest.mark.parametrize(
        "new", [promoting(DesiredState="Completed"), outcome("PromoteShadow", Instances="Shadow")]
    )
    def test_ended_as_old_which_promoted_the_shadow_too(
        self, new: Properties, names: dict[str, Any]
    ) -> None:
        old = outcome("PromoteShadow")
        over = ended_by(old, **names)
        assert answer(update(new, old, seen=over)) == (Verb.SUCCEED, Row.ENDED_AS_OLD)

    @pytest.mark.parametrize("old", [promoting(), outcome("PromoteShadow")])
    def test_ended_as_old_which_promoted_the_same(self, old: Properties) -> None:
        again = update(promoting(DesiredState="Completed"), old, seen=ended_by(old))
        assert answer(again) == (Verb.SUCCEED, Row.ENDED_AS_OLD)


class TestEndByDelete:
    def test_absent(self) -> None:
        assert answer(delete(seen=None)) == (Verb.SUCCEED, Row.ABSENT)

    def test_ended_unsettled_succeeds_at_the_deadline_the_test_is_over(self) -> None:
        assert answer(delete(seen=PENDING)) == (Verb.WAIT, Row.ENDED_UNSETTLED)
        decision = decided(at_deadline(delete(seen=PENDING)))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.ENDED_UNSETTLED)
        assert decision.warn
        assert "its endpoint 'fraud' is still Updating" in decision.why

    @pytest.mark.parametrize(
        ("seen", "row"),
        [(ended_by(promoting()), Row.ENDED_AS_NEW), (BY_HAND, Row.ENDED_OTHERWISE)],
    )
    def test_ended(self, seen: Experiment, row: Row) -> None:
        assert answer(delete(promoting(), seen=seen)) == (Verb.SUCCEED, row)

    def test_stopping(self) -> None:
        assert answer(delete(seen=experiment("Stopping"))) == (Verb.WAIT, Row.STOPPING)

    def test_stopping_in_place_of_a_promotion_is_adopted(self) -> None:
        kept = wanted(promoting()).without_promotion("evidence: failed")
        sent = decided(
            delete(promoting(), seen=experiment("Stopping", status_reason=kept.reason))
        ).stop
        assert sent is not None
        assert sent.digest == kept.digest

    def test_variants_mismatch_is_sent_all_the_same(self) -> None:
        unknown = delete(properties(ModelVariantActions={"canary": "Remove"}))
        assert stopped(unknown) == {"canary": "Remove"}

    def test_variants_mismatch_that_is_refused_fails_also_before_the_test_has_started(self) -> None:
        refused = delete(
            properties(ModelVariantActions={"canary": "Remove"}),
            seen=experiment("Created"),
            now=ISSUED + 100,
            refused_at=ISSUED + 10,
            refusal="Stop: ValidationException: no variant canary",
        )
        decision = decided(refused)
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.VARIANTS_MISMATCH)
        assert "has no variant 'canary'; nothing was stopped" in decision.why
        assert decision.why.endswith("; Stop: ValidationException: no variant canary")

    def test_not_a_pair(self) -> None:
        alone = experiment(shadows=())
        assert answer(delete(outcome(), seen=alone)) == (Verb.FAIL, Row.NOT_A_PAIR)

    def test_created_refused(self) -> None:
        seen = experiment("Created", scheduled_start=ISSUED + 600)
        refused = delete(
            seen=seen, now=ISSUED + 100, refused_at=ISSUED + 10, refusal="Stop: Conflict: busy"
        )
        decision = decided(refused)
        assert decision.why.endswith("; Stop: Conflict: busy")
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.CREATED_REFUSED)
        assert decision.warn
        assert "it starts at 2026-11-22T10:25:00Z" in decision.why
        assert "DeleteInferenceExperiment" in decision.why
        young = delete(seen=seen, now=ISSUED + 100, refused_at=ISSUED + 11)
        assert decided(young).verb is Verb.STOP

    def test_status_unknown(self) -> None:
        assert answer(delete(seen=experiment("Pausing"))) == (Verb.WAIT, Row.STATUS_UNKNOWN)

    def test_instances_unknown_fails_the_experiment_would_go_on(self) -> None:
        unknown = delete(outcome("PromoteShadow"), prepared=Prepared(counts={}, holders=()))
        assert answer(late(unknown)) == (Verb.FAIL, Row.INSTANCES_UNKNOWN)

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stoppable(self, status: str) -> None:
        assert stopped(delete(seen=experiment(status))) == KEEP


NO_PAIRS = {
    "no shadow": experiment(shadows=()),
    "no production": experiment(production=""),
    "two shadows": experiment(shadows=("shadow", "canary")),
    "production its own shadow": experiment(shadows=("production",)),
    "a third variant": experiment(variants=dict.fromkeys(("production", "shadow", "canary"), "")),
    "a shadow that is no variant": experiment(variants={"production": "InService"}),
}


@pytest.mark.parametrize("seen", NO_PAIRS.values(), ids=NO_PAIRS.keys())
@pytest.mark.parametrize("kind", ["KeepProduction", "PromoteShadow"])
def test_not_a_pair_is_said_when_it_is_armed(seen: Experiment, kind: str) -> None:
    assert arm(seen, outcome(kind)) == (Verb.FAIL, Row.NOT_A_PAIR, True)


def test_not_a_pair_says_what_was_found() -> None:
    why = decided(create(outcome(), seen=NO_PAIRS["no shadow"])).why
    assert "production 'production', shadows none, variants 'production', 'shadow'" in why


@pytest.mark.parametrize("new", [promoting(), outcome("PromoteShadow")])
def test_nothing_is_refused_while_an_experiment_that_is_over_settles(new: Properties) -> None:
    """It is too late for a refusal: what SageMaker lists of its variants is on the way out."""
    going = replace(PENDING, shadows=(), variants={})
    for given in ({**new, "StopOn": EVERY}, {**new, "EndNow": "true"}):
        assert answer(create(given, seen=going)) == (Verb.WAIT, Row.ENDED_UNSETTLED)


def test_every_decision_names_the_order_that_led_to_it() -> None:
    def seen(s: Situation) -> Row:
        return order_of(replace(s, described=experiment("Stopping")))

    assert seen(create()) is Row.CREATE_ARMS
    assert seen(update(promoting())) is Row.UPDATE_CHANGED
    assert seen(delete()) is Row.DELETE_ENDS


def sibling_failed(s: Situation) -> Situation:
    own = R("UPDATE_IN_PROGRESS", dict(s.request.properties), at=ISSUED)
    events = *created(), S("UPDATE_IN_PROGRESS"), own, X("UPDATE_FAILED")
    return with_stack(s, events=stack(*events, last=ISSUED + 5).events)


def unreadable_stack(s: Situation) -> Situation:
    return with_stack(s, events=away(Kind.DENIED))


IN_DOUBT = {
    "doomed": lambda **facts: sibling_failed(update(promoting(), **facts)),
    "unreadable update": lambda **facts: unreadable_stack(update(promoting(), **facts)),
    "unreadable create": lambda **facts: unreadable_stack(create(promoting(StopOn=EVERY), **facts)),
    "unreadable delete": lambda **facts: unreadable_stack(delete(promoting(), **facts)),
    "unclear": lambda **facts: with_stack(update(promoting(), **facts), status="CREATE_COMPLETE"),
    "own event missing": lambda **facts: update(
        promoting(), stacks=(stack(*created(), S("UPDATE_IN_PROGRESS")),), **facts
    ),
}
in_doubt = pytest.mark.parametrize("doubtful", IN_DOUBT.values(), ids=IN_DOUBT)


class TestOwnStopInDoubt:
    """Nothing that is in doubt can lead to another Stop where one is behind the request."""

    @in_doubt
    def test_stopping_with_our_digest_is_adopted(self, doubtful: Any) -> None:
        seen = experiment("Stopping", status_reason=wanted(promoting()).reason)
        first = decided(doubtful(seen=seen))
        # Another look may still show what is ordered.
        may_tell = doubtful not in (IN_DOUBT["doomed"], IN_DOUBT["unclear"])
        assert (first.verb, first.in_doubt) == (Verb.WAIT, may_tell)
        for s in (doubtful(seen=seen, tried=True), late(doubtful(seen=seen))):
            decision = decided(s)
            assert (decision.verb, decision.row) == (Verb.WAIT, Row.STOPPING)
            assert decision.stop is not None
            assert decision.stop.digest == wanted(promoting()).digest

    @in_doubt
    def test_over_with_our_digest_is_waited_for_and_judged(self, doubtful: Any) -> None:
        over = ended_by(promoting(), endpoint_status="Updating")
        assert answer(late(doubtful(seen=over))) == (Verb.WAIT, Row.ENDED_UNSETTLED)
        settled = decided(late(doubtful(seen=ended_by(promoting()))))
        assert settled.verb is Verb.SUCCEED
        assert settled.row in (Row.END_AS_DECLARED, Row.ENDED_AS_NEW)

    @in_doubt
    def test_a_stop_that_was_tried_is_waited_for_whatever_its_reason(self, doubtful: Any) -> None:
        tried = late(doubtful(seen=experiment("Stopping"), tried=True))
        assert answer(tried) == (Verb.WAIT, Row.STOPPING)
        assert decided(tried).stop is None

    @in_doubt
    def test_another_ones_stop_is_not_adopted(self, doubtful: Any) -> None:
        for seen in (experiment("Stopping", status_reason="by hand"), PENDING):
            s = late(doubtful(seen=seen))
            decision = decided(s)
            assert decision.row in (Row.DOOMED, Row.UNCLEAR, Row.NOT_READABLE)
            assert f"{seen.name}' is {seen.status}" in decision.why or (
                f"{seen.name}', which is {seen.status}" in decision.why
            )
            assert "not stop" not in decision.why

    @in_doubt
    def test_nothing_is_said_to_be_not_stopped_after_a_stop_whose_answer_was_lost(
        self, doubtful: Any
    ) -> None:
        """A describe that still says Running does not tell."""
        decision = decided(late(doubtful(tried=True)))
        assert decision.row in (Row.DOOMED, Row.UNCLEAR, Row.NOT_READABLE)
        assert "a stop " in decision.why
        assert "was sent, and it is not known whether SageMaker accepted it" in decision.why
        assert "not stopped" not in decision.why
        assert "not stopped" in decided(late(doubtful())).why

    def test_an_undo_still_comes_first(self) -> None:
        seen = experiment("Stopping", status_reason=wanted(promoting()).reason)
        for tried in (False, True):
            back = with_stack(
                update(promoting(), seen=seen, tried=tried), status="UPDATE_ROLLBACK_IN_PROGRESS"
            )
            assert answer(back) == (Verb.WAIT, Row.UPDATE_UNDONE)
        lost = with_stack(delete(tried=True), status="UPDATE_ROLLBACK_IN_PROGRESS")
        assert decided(lost).row is Row.DELETE_UNDONE
        assert "was not stopped" not in decided(lost).why

    def test_what_cannot_be_an_order_waits_for_nothing(self) -> None:
        seen = experiment("Stopping", status_reason=wanted(promoting()).reason)
        new = promoting(StopOn=["Delete"])
        for s in (create(new, seen=seen), update(new, seen=seen)):
            assert answer(late(unreadable_stack(s))) == (Verb.FAIL, Row.NOT_READABLE)
        for declared in (promoting(StopOn=["Update"]), promoting(Newer="property")):
            s = late(unreadable_stack(delete(declared, seen=seen)))
            assert answer(s) == (Verb.SUCCEED, Row.NOT_READABLE)

    def test_end_now_on_a_create_is_refused_as_before(self) -> None:
        seen = experiment("Stopping", status_reason=wanted(promoting()).reason)
        refused = create(promoting(EndNow="true"), seen=seen)
        assert answer(late(unreadable_stack(refused))) == (Verb.FAIL, Row.NOT_READABLE)


class TestSentences:
    """None says that nothing was stopped where that is not so."""

    @pytest.mark.parametrize("seen", [experiment("Stopping"), PENDING])
    def test_an_undo_at_the_deadline_says_how_the_experiment_stands(self, seen: Experiment) -> None:
        undone = with_stack(update(promoting(), seen=seen), status="UPDATE_ROLLBACK_IN_PROGRESS")
        decision = decided(at_deadline(undone))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.UPDATE_UNDONE)
        assert f"is undoing the operation, but {words.status(seen)}; this" in decision.why

    def test_an_undo_of_a_delivery_that_was_killed_after_its_stop_says_so(self) -> None:
        """Somebody else's stop is none of the request, but nobody says that there is none."""
        back = "UPDATE_ROLLBACK_IN_PROGRESS"
        for reason in (wanted(promoting()).reason, "by hand"):
            seen, is_ours = experiment("Stopping", status_reason=reason), reason != "by hand"
            for asked in (
                create(promoting(StopOn=EVERY), seen=seen),
                delete(promoting(), seen=seen),
            ):
                decision = decided(with_stack(asked, status=back))
                assert decision.row in (Row.CREATE_UNDONE, Row.DELETE_UNDONE)
                assert (decision.verb, decision.warn) == (Verb.SUCCEED, is_ours)
                assert ("is Stopping, its endpoint InService; this" in decision.why) is is_ours
                assert "is Stopping, its endpoint InService" in decision.why

    def test_an_adopted_stop_whose_experiment_cannot_be_described_was_sent(self) -> None:
        adopted = update(promoting(), seen=away(Kind.REFUSED), sent=wanted(promoting()).digest)
        decision = decided(adopted)
        assert decision.row is Row.AWS_REFUSED
        assert decision.why.startswith("a stop of inference experiment 'fraud-shadow' was sent")

    @pytest.mark.parametrize("seen", [experiment(), experiment("Pausing"), away(Kind.TRANSIENT)])
    def test_the_deadline_without_a_stop_says_that_nothing_was_stopped(self, seen: Any) -> None:
        why = decided(at_deadline(update(promoting(), seen=seen))).why
        is_seen = isinstance(seen, Experiment)
        assert ("was not stopped" in why) is is_seen
        assert ("this delivery did not stop" in why) is not is_seen
        assert " within 3300 s: deploy or delete again; last seen: " in why
        assert "ending it now" not in why
        refused = update(promoting(), seen=seen, refusal="Stop: ConflictException: busy")
        is_ready = seen == experiment()
        assert (
            decided(at_deadline(refused)).why.endswith("; Stop: ConflictException: busy")
            is is_ready
        )
        lost = decided(at_deadline(update(promoting(), seen=seen, tried=True))).why
        assert "has not ended after 3300 s: deploy or delete again to continue" in lost
        assert "it is not known whether SageMaker accepted it" in lost

    def test_the_deadline_of_one_that_is_over_names_its_endpoint(self) -> None:
        decision = decided(at_deadline(update(promoting(), seen=PENDING)))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.DEADLINE)
        assert decision.why == words.unsettled(PENDING)
