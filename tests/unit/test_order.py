"""Table 1, what the event orders: a test for each row, under the row's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.situations import (
    BOTH,
    BY_HAND,
    CLEANUP,
    DEADLINE,
    EVERY,
    ISSUED,
    KEEP,
    OTHER_ARN,
    PROMOTE,
    READY,
    ROLLBACKS,
    STOPPABLE,
    Properties,
    R,
    S,
    X,
    answer,
    at_deadline,
    away,
    clean_up,
    create,
    created,
    decided,
    delete,
    experiment,
    late,
    nested,
    order_of,
    outcome,
    promoting,
    properties,
    stack,
    stopped,
    update,
    updated,
    variant,
    with_stack,
)

from cdk_stop_inference_experiment_handler.lifecycle.decide import needs_experiment, needs_stack
from cdk_stop_inference_experiment_handler.lifecycle.decision import Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    NOT_READ,
    Kind,
    Prepared,
    Situation,
    StackEvent,
)

CANCELLED = properties(DesiredState="Cancelled")
"""Another end than ``properties()``, which promotes nothing either."""

ON_PRODUCTIONS = variant("shadow", 2, model="fraud-v2", of_type="ml.c5.large")
"""What ``PromoteShadow`` makes of production's configured instances."""

NEVER_ENDED = [*STOPPABLE, "Stopping"]
ENDED = ["Completed", "Cancelled"]

LEFT = updated(promoting(), ends="UPDATE_FAILED")
"""A promotion completed, something else failed, with rollback disabled."""

FAILED = (
    S("UPDATE_IN_PROGRESS"),
    R("UPDATE_IN_PROGRESS", promoting()),
    R("UPDATE_FAILED", promoting()),
    S("UPDATE_FAILED"),
)
"""A promotion failed with rollback disabled."""


def undo(s: Situation, status: str = "UPDATE_ROLLBACK_IN_PROGRESS") -> Situation:
    return with_stack(s, status=status)


class TestCreate:
    @pytest.mark.parametrize("status", [*ROLLBACKS, "DELETE_IN_PROGRESS"])
    @pytest.mark.parametrize("seen", [experiment(), None, away(Kind.REFUSED)])
    def test_create_undone(self, status: str, seen: Any) -> None:
        for new in (properties(), promoting(StopOn=EVERY), properties(EndNow="true"), {}):
            undone = undo(create(new, seen=seen), status)
            assert answer(undone) == (Verb.SUCCEED, Row.CREATE_UNDONE)

    @pytest.mark.parametrize("status", NEVER_ENDED)
    def test_create_end_now(self, status: str) -> None:
        """EndNow ends what was armed before; perhaps it was left over from another test."""
        seen = experiment(status)
        decision = decided(create(properties(EndNow="true"), seen=seen))
        assert (decision.verb, decision.row) == (Verb.FAIL, Row.CREATE_END_NOW)
        assert "nothing was stopped: set 'end_now' to False" in decision.why
        assert "list CREATE in 'stop_on'" in decision.why
        # A remedy that the declaration already has is not named.
        decision = decided(create(properties(EndNow="true", StopOn=EVERY), seen=seen))
        assert decision.row is Row.CREATE_END_NOW
        assert "'StopOn'" not in decision.why

    @pytest.mark.parametrize("status", ENDED)
    def test_create_end_now_suits_an_experiment_that_has_ended(self, status: str) -> None:
        over = experiment(status, status_reason="by hand", variants={})
        assert order_of(create(properties(EndNow="true"), seen=over)) is Row.CREATE_ENDS
        assert decided(create(properties(EndNow="true"), seen=over)).verb is Verb.SUCCEED
        assert decided(create(promoting(EndNow="true"), seen=over)).verb is Verb.FAIL

    def test_create_end_now_of_one_that_is_not_seen(self) -> None:
        new = properties(EndNow="true")
        assert answer(create(new, seen=None)) == (Verb.FAIL, Row.ABSENT)
        assert answer(create(new, seen=away(Kind.TRANSIENT))) == (Verb.WAIT, Row.AWS_REFUSED)

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_create_ends(self, status: str) -> None:
        ending = create(properties(StopOn=["Create"]), seen=experiment(status))
        assert (order_of(ending), stopped(ending)) == (Row.CREATE_ENDS, KEEP)

    @pytest.mark.parametrize("status", NEVER_ENDED)
    @pytest.mark.parametrize("stop_on", [None, ["Update"], ["Delete"]])
    def test_create_arms(self, status: str, stop_on: Any) -> None:
        arming = create(promoting(StopOn=stop_on), seen=experiment(status))
        assert (decided(arming).verb, order_of(arming)) == (Verb.SUCCEED, Row.CREATE_ARMS)


class TestUpdateUndone:
    @pytest.mark.parametrize("status", [*ROLLBACKS, "DELETE_IN_PROGRESS"])
    @pytest.mark.parametrize("seen", [experiment(), BY_HAND, None])
    @pytest.mark.parametrize(
        "new",
        [
            properties(),
            promoting(),
            properties(EndNow="true"),
            properties(Name="other"),
            properties(Newer="of a newer release"),
            {},
        ],
    )
    def test_update_undone(self, status: str, seen: Any, new: Properties) -> None:
        assert answer(undo(update(new, seen=seen), status)) == (Verb.SUCCEED, Row.UPDATE_UNDONE)

    @pytest.mark.parametrize(
        "seen",
        [
            experiment("Stopping"),
            *(experiment("Completed", endpoint_status=status) for status in ("Updating",)),
        ],
    )
    def test_it_waits_for_a_stop_under_way_but_not_past_the_deadline(self, seen: Any) -> None:
        undone = undo(update(properties(), promoting(), seen=seen))
        assert answer(undone) == (Verb.WAIT, Row.UPDATE_UNDONE)
        decision = decided(replace(undone, now=DEADLINE))
        assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.UPDATE_UNDONE)

    def test_it_says_that_an_end_cannot_be_undone(self) -> None:
        decision = decided(undo(update(properties(), promoting(), seen=BY_HAND)))
        assert decision.warn
        assert "has ended as Completed" in decision.why
        assert "this cannot be undone" in decision.why

    def test_it_looks_for_a_stop_under_way_for_a_minute(self) -> None:
        """What is undone has stopped nothing, but somebody else may have."""
        armed = promoting(StopOn=["Delete"])
        for kind, old in ((Kind.TRANSIENT, None), (Kind.TRANSIENT, armed), (Kind.DENIED, None)):
            unread = undo(update(properties(), old, seen=away(kind)))
            decision = decided(unread)
            assert (decision.verb, decision.row) == (Verb.WAIT, Row.UPDATE_UNDONE)
            assert decision.in_doubt
            assert answer(late(unread)) == (Verb.SUCCEED, Row.UPDATE_UNDONE)
        assert decided(undo(update(properties(), seen=away(Kind.REFUSED)))).verb is Verb.SUCCEED

    @pytest.mark.parametrize(
        "undone", [promoting(), properties(EndNow="true"), properties(Name="other"), {}]
    )
    @pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNFINISHED])
    def test_it_looks_to_the_deadline_for_a_stop_of_what_it_undoes(
        self, kind: Kind, undone: Properties
    ) -> None:
        """Throttling is no answer; at the deadline a failure would stop the rollback."""
        unread = late(undo(update(properties(), undone, seen=away(kind))))
        decision = decided(unread)
        assert (decision.verb, decision.row) == (Verb.WAIT, Row.UPDATE_UNDONE)
        assert (decision.in_doubt, decision.stays) == (False, kind is Kind.UNFINISHED)
        assert answer(at_deadline(unread)) == (Verb.SUCCEED, Row.UPDATE_UNDONE)

    @pytest.mark.parametrize("kind", [Kind.DENIED, Kind.REFUSED])
    def test_it_looks_no_longer_for_a_stop_that_it_may_never_see(self, kind: Kind) -> None:
        unread = late(undo(update(properties(), promoting(), seen=away(kind))))
        assert answer(unread) == (Verb.SUCCEED, Row.UPDATE_UNDONE)

    @pytest.mark.parametrize("name", ["", None, ["fraud"]])
    def test_it_decides_alone_where_the_properties_name_no_experiment(self, name: Any) -> None:
        nameless = undo(update(properties(Name=name), properties(), seen=NOT_READ))
        assert answer(nameless) == (Verb.SUCCEED, Row.UPDATE_UNDONE)


class TestUpdate:
    def test_update_renamed(self) -> None:
        other = experiment(arn=OTHER_ARN, name="other")
        for new, row in (
            (properties(Name="other"), Row.UPDATE_RENAMED),
            (properties(Name="other", EndNow="true"), Row.CREATE_END_NOW),
            (promoting(Name="other", StopOn=EVERY), Row.UPDATE_RENAMED),
        ):
            assert order_of(update(new, properties(EndNow="true"), seen=other)) is row
        renamed = properties(Name="other")
        assert decided(update(renamed, seen=other)).verb is Verb.SUCCEED
        assert answer(update(renamed, seen=None)) == (Verb.FAIL, Row.ABSENT)
        assert stopped(update(promoting(Name="other", StopOn=EVERY), seen=other)) == PROMOTE

    @pytest.mark.parametrize(
        "past",
        [
            stack(*created(), S("UPDATE_IN_PROGRESS")),
            stack(
                *created(promoting(Reason="****")),
                *FAILED,
                S("UPDATE_IN_PROGRESS"),
                R("UPDATE_IN_PROGRESS", properties(Name="other", StopOn=["Delete"])),
            ),
        ],
        ids=["own event missing", "masked"],
    )
    def test_update_renamed_that_cannot_end_anything_is_armed_after_a_minute_of_doubt(
        self, past: Any
    ) -> None:
        """SUCCESS would give the resource the ARN of an experiment that may not exist."""
        new, other = properties(Name="other", StopOn=["Delete"]), experiment(arn=OTHER_ARN)
        for seen, expected in (
            (None, (Verb.FAIL, Row.ABSENT)),
            (replace(other, name="other"), (Verb.SUCCEED, Row.STOPPABLE)),
        ):
            renamed = update(new, seen=seen, stacks=(past,))
            assert decided(renamed).in_doubt, "what was deployed may still turn out to be the same"
            assert answer(late(renamed)) == expected
            assert order_of(late(renamed)) is Row.UPDATE_RENAMED
            kept = update(properties(StopOn=["Delete"]), seen=seen, stacks=(past,))
            assert answer(late(kept)) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)

    def test_another_case_of_the_name_is_no_other_name(self) -> None:
        same = update(properties(Name="Fraud-Shadow"))
        assert answer(same) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)

    @pytest.mark.parametrize("stop_on", [None, ["Create"], ["Delete"]])
    def test_update_end_now(self, stop_on: Any) -> None:
        ending = update(properties(EndNow="true", StopOn=stop_on))
        assert (order_of(ending), stopped(ending)) == (Row.UPDATE_END_NOW, KEEP)

    @pytest.mark.parametrize(
        "change",
        [
            {"ModelVariantActions": PROMOTE},
            {"DesiredState": "Cancelled"},
            {"DesiredModelVariants": [variant("production")]},
            {"ModelVariantActions": None, "Outcome": "KeepBoth"},
        ],
    )
    def test_update_changed(self, change: Properties) -> None:
        ending = update(properties(**change))
        assert (decided(ending).verb, order_of(ending)) == (Verb.STOP, Row.UPDATE_CHANGED)

    def test_update_changed_not_in_stop_on(self) -> None:
        armed = update(promoting(StopOn=["Delete"]))
        assert answer(armed) == (Verb.SUCCEED, Row.STOPPABLE)
        assert order_of(armed) is Row.UPDATE_CHANGED_NOT_IN_STOP_ON
        wrong = properties(ModelVariantActions={"canary": "Remove"}, StopOn=["Delete"])
        assert answer(update(wrong)) == (Verb.FAIL, Row.VARIANTS_MISMATCH)

    @pytest.mark.parametrize(
        ("new", "old"),
        [
            ({"Reason": "reworded"}, {}),
            ({"StopOn": ["Update"]}, {}),
            ({"ServiceToken": "newer"}, {}),
            ({"ServiceTimeout": "1800"}, {}),
            ({"DesiredModelVariants": None}, {}),
            ({}, {"EndNow": "true"}),
            ({"EndNow": "true"}, {"EndNow": "true"}),
            ({"EndNow": "false"}, {}),
        ],
    )
    @pytest.mark.parametrize("seen", [experiment(), None, away(Kind.DENIED)])
    def test_update_unchanged(self, new: Properties, old: Properties, seen: Any) -> None:
        """Nothing is asked of SageMaker but what the attributes need."""
        same = update(properties(**new), properties(**old), seen=seen)
        assert answer(same) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)

    def test_update_unchanged_by_evidence_or_otherwise(self) -> None:
        evidence = {"MinInvocations": "10", "Alarms": ["too-slow"]}
        gated = promoting(PromoteIf=evidence, Otherwise="KeepBoth")
        assert order_of(update(gated, promoting())) is Row.UPDATE_UNCHANGED
        assert order_of(update(promoting(), gated)) is Row.UPDATE_UNCHANGED

    def test_update_unchanged_by_the_other_way_to_say_it(self) -> None:
        """Compared by what both make of this experiment."""
        assert order_of(update(outcome(), properties())) is Row.UPDATE_UNCHANGED
        assert order_of(update(outcome("KeepBoth"), properties())) is Row.UPDATE_CHANGED
        on_nine = {"InstanceType": "ml.m5.large", "InstanceCount": 9}
        on_named = outcome("PromoteShadow", Instances=on_nine)
        assert order_of(update(promoting(), on_named)) is Row.UPDATE_CHANGED
        assert order_of(update(on_named, promoting())) is Row.UPDATE_CHANGED
        unknown = update(outcome(), properties(), seen=away(Kind.TRANSIENT))
        assert answer(unknown) == (Verb.WAIT, Row.AWS_REFUSED)

    def test_declaration_invalid(self) -> None:
        for s in (create({"Name": "fraud-shadow"}), update(promoting(Newer="property"))):
            assert answer(s) == (Verb.FAIL, Row.DECLARATION_INVALID)
        assert "'Newer' is not a property" in decided(update(promoting(Newer="property"))).why


class TestAfterAnUpdateThatFailed:
    """An Update is compared with what is deployed, whatever its old properties are."""

    @pytest.mark.parametrize("told", [promoting(), properties()])
    def test_a_retry_is_an_order(self, told: Properties) -> None:
        retry = update(promoting(), told, past=(*created(), *FAILED))
        assert (order_of(retry), stopped(retry)) == (Row.UPDATE_CHANGED, PROMOTE)

    @pytest.mark.parametrize("told", [promoting(), properties()])
    def test_a_withdrawn_order_is_none(self, told: Properties) -> None:
        withdrawn = update(properties(), told, past=(*created(), *FAILED))
        assert answer(withdrawn) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)

    def test_what_was_tried_since_is_no_change_either(self) -> None:
        """Rollback disabled keeps what succeeded."""
        past = *created(), *LEFT
        for new in (properties(), promoting()):
            assert answer(update(new, past=past)) == (Verb.SUCCEED, Row.UPDATE_UNCHANGED)
        assert order_of(update(CANCELLED, past=past)) is Row.UPDATE_CHANGED

    def test_end_now_that_was_tried_is_an_order(self) -> None:
        tried = updated(properties(EndNow="true"), ends="UPDATE_FAILED")
        again = update(properties(EndNow="true"), past=(*created(), *tried))
        assert order_of(again) is Row.UPDATE_END_NOW

    def test_after_a_cancellation_the_rollbacks_update_is_an_undo(self) -> None:
        """CancelUpdateStack: the same resource again, with old and new exchanged."""
        own = R("UPDATE_IN_PROGRESS", properties())
        tried = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting()), R("UPDATE_FAILED")
        events = stack(*created(), *tried, S("UPDATE_ROLLBACK_IN_PROGRESS"), own)
        cancelled = update(properties(), promoting(), stacks=(events,))
        assert answer(cancelled) == (Verb.SUCCEED, Row.UPDATE_UNDONE)

    def test_express_restores_the_failed_resource_within_the_same_update(self) -> None:
        """Nothing is ordered; the restoring Update waits for a stop under way."""
        tried = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting()), R("UPDATE_FAILED")
        own = R("UPDATE_IN_PROGRESS", properties())
        for seen, verb in ((experiment(), Verb.SUCCEED), (experiment("Stopping"), Verb.WAIT)):
            restoring = update(
                properties(), promoting(), stacks=(stack(*created(), *tried, own),), seen=seen
            )
            assert answer(restoring) == (verb, Row.UPDATE_UNCHANGED)

    def test_an_update_of_what_never_completed_is_as_a_create(self) -> None:
        failed = S("CREATE_IN_PROGRESS"), R("CREATE_IN_PROGRESS"), R("CREATE_FAILED")
        past = *failed, S("CREATE_FAILED")
        assert order_of(update(promoting(), past=past)) is Row.CREATE_ARMS
        assert order_of(update(promoting(StopOn=EVERY), past=past)) is Row.CREATE_ENDS
        assert order_of(update(promoting(EndNow="true"), past=past)) is Row.CREATE_END_NOW


class TestDelete:
    @pytest.mark.parametrize(
        "physical_id",
        [
            "Stop-not-created-0123456789abcdef",
            "shadow-Stop-1ABCDEFGHIJKL",
            "2026/11/22/[$LATEST]0123456789abcdef",
            "arn:aws:s3:eu-west-1:123456789012:inference-experiment/fraud-shadow",
        ],
    )
    def test_delete_not_held(self, physical_id: str) -> None:
        """The id alone says it: nothing is called."""
        never = replace(delete(physical_id=physical_id), stacks=None, described=away(Kind.DENIED))
        assert not needs_experiment(never.request)
        assert needs_experiment(delete().request)
        assert not needs_stack(never)
        assert answer(never) == (Verb.SUCCEED, Row.DELETE_NOT_HELD)

    def test_delete_not_held_of_a_rename_that_was_never_deployed(self) -> None:
        """Its id is another experiment's than the deployed declaration's."""
        other = experiment(arn=OTHER_ARN, name="other")
        renamed = delete(
            properties(Name="other"), past=created(), physical_id=OTHER_ARN, seen=other
        )
        assert decided(renamed).verb is Verb.STOP
        failed = R("UPDATE_IN_PROGRESS", properties(Name="other")), R("UPDATE_FAILED")
        past = *created(), S("UPDATE_IN_PROGRESS"), *failed, S("UPDATE_FAILED")
        renamed = delete(properties(Name="other"), past=past, physical_id=OTHER_ARN, seen=other)
        assert answer(renamed) == (Verb.SUCCEED, Row.DELETE_NOT_HELD)
        assert decided(renamed).warn

    def test_an_id_in_another_case_is_held(self) -> None:
        lowered = delete(properties(Name="Fraud-Shadow"))
        assert decided(lowered).verb is Verb.STOP

    @pytest.mark.parametrize("status", ROLLBACKS)
    @pytest.mark.parametrize("seen", [experiment(), away(Kind.DENIED)])
    def test_delete_undone(self, status: str, seen: Any) -> None:
        """A creation that failed never stops anything, and never promotes."""
        for new in (promoting(), properties(Newer="of a newer release"), {}):
            assert answer(undo(delete(new, seen=seen), status)) == (
                Verb.SUCCEED,
                Row.DELETE_UNDONE,
            )

    def test_delete_not_in_stop_on(self) -> None:
        lacking = delete(properties(StopOn=["Create", "Update"]))
        assert answer(lacking) == (Verb.SUCCEED, Row.DELETE_NOT_IN_STOP_ON)

    def test_delete_not_in_stop_on_of_what_is_deployed_or_was_tried_since(self) -> None:
        lets_go = properties(StopOn=["Update"])
        failed = R("UPDATE_IN_PROGRESS", properties()), R("UPDATE_FAILED"), S("UPDATE_FAILED")
        deployed = *created(lets_go), S("UPDATE_IN_PROGRESS"), *failed
        tried = *created(), *updated(lets_go, ends="UPDATE_FAILED")
        for past, warns in ((deployed, False), (tried, True)):
            decision = decided(delete(past=past))
            assert (decision.verb, decision.row) == (Verb.SUCCEED, Row.DELETE_NOT_IN_STOP_ON)
            # What was only tried may not be what its user wants any more.
            assert bool(decision.warn) is warns
        # The request says what was never deployed.
        failed = R("UPDATE_IN_PROGRESS", lets_go), R("UPDATE_FAILED"), S("UPDATE_FAILED")
        never = delete(lets_go, past=(*created(), S("UPDATE_IN_PROGRESS"), *failed))
        assert order_of(never) is Row.DELETE_ENDS

    def test_delete_held_elsewhere(self) -> None:
        """The construct got another logical id."""
        renamed = clean_up(prepared=replace(READY, holders=("Renamed",)))
        assert answer(renamed) == (Verb.SUCCEED, Row.DELETE_HELD_ELSEWHERE)
        both = clean_up(prepared=replace(READY, holders=("Renamed", "Stop")))
        assert answer(both) == (Verb.SUCCEED, Row.DELETE_HELD_ELSEWHERE)

    def test_delete_held_elsewhere_by_itself_is_looked_at_again_first(self) -> None:
        own = clean_up(prepared=replace(READY, holders=("Stop",)))
        decision = decided(own)
        assert (decision.verb, decision.row) == (Verb.WAIT, Row.DELETE_HELD_ELSEWHERE)
        assert decision.in_doubt
        decision = decided(late(own))
        assert (decision.verb, decision.row, decision.warn) == (
            Verb.SUCCEED,
            Row.DELETE_HELD_ELSEWHERE,
            True,
        )

    def test_delete_holders_unknown(self) -> None:
        for holders in (away(Kind.DENIED), away(Kind.REFUSED)):
            unlisted = clean_up(prepared=replace(READY, holders=holders))
            assert answer(unlisted) == (Verb.WAIT, Row.DELETE_HOLDERS_UNKNOWN)
            decision = decided(late(unlisted))
            assert (decision.verb, decision.warn) == (Verb.SUCCEED, True)
            assert decision.why.endswith(f"; {holders.why}")
        throttled = clean_up(prepared=replace(READY, holders=away(Kind.TRANSIENT)))
        assert answer(late(throttled)) == (Verb.WAIT, Row.DELETE_HOLDERS_UNKNOWN)

    def test_holders_are_asked_only_in_a_clean_up(self) -> None:
        first = decided(clean_up(prepared=None))
        assert first.verb is Verb.PREPARE
        assert first.needs is not None
        assert first.needs.holders
        first = decided(delete(prepared=None))
        assert first.needs is not None
        assert not first.needs.holders
        elsewhere = Prepared(holders=("Renamed",))
        assert decided(delete(prepared=elsewhere)).verb is Verb.STOP
        # The clean-up has begun since they were not asked.
        unasked = clean_up(prepared=Prepared())
        assert answer(unasked) == (Verb.WAIT, Row.DELETE_HOLDERS_UNKNOWN)

    @pytest.mark.parametrize("status", STOPPABLE)
    @pytest.mark.parametrize("asked", [delete, clean_up])
    def test_delete_ends(self, status: str, asked: Any) -> None:
        ending = asked(promoting(), seen=experiment(status))
        assert (order_of(ending), stopped(ending)) == (Row.DELETE_ENDS, PROMOTE)

    def test_delete_ends_as_deployed(self) -> None:
        """The request has the properties of the update that failed."""
        torn = delete(promoting(), past=(*created(), *FAILED))
        assert stopped(torn) == KEEP
        torn = delete(properties(), past=(*created(promoting()), *_failed(properties())))
        assert stopped(torn) == PROMOTE

    def test_what_was_tried_since_can_only_make_it_milder(self) -> None:
        def torn(deployed: Properties, tried: Properties) -> Situation:
            past = *created(deployed), *updated(tried, ends="UPDATE_FAILED")
            return delete(tried, past=past)

        assert stopped(torn(promoting(), properties())) == KEEP
        assert stopped(torn(promoting(), CANCELLED)) == KEEP
        assert stopped(torn(promoting(), promoting(Reason="other words"))) == PROMOTE
        named = promoting(DesiredModelVariants=[ON_PRODUCTIONS])
        assert stopped(torn(named, outcome("PromoteShadow"))) == PROMOTE
        assert stopped(torn(promoting(), outcome("PromoteShadow"))) == KEEP
        assert stopped(torn(properties(), promoting())) == KEEP
        assert stopped(torn(properties(ModelVariantActions=BOTH), promoting())) == BOTH
        renamed = updated(promoting(Name="other"), ends="UPDATE_FAILED")
        assert stopped(delete(promoting(), past=(*created(promoting()), *renamed))) == KEEP
        alarms = {"MinInvocations": "10", "Alarms": ["too-slow"]}
        gated = promoting(PromoteIf=alarms, Otherwise="KeepBoth")
        assert stopped(torn(gated, properties())) == BOTH
        milder = decided(torn(promoting(), properties())).stop
        assert milder is not None
        assert "a declaration that was deployed since does not promote it" in milder.reason

    def test_a_declaration_of_a_newer_release_never_keeps_a_teardown_from_its_answer(self) -> None:
        newer = delete(properties(Newer="property"), past=created())
        assert answer(newer) == (Verb.WAIT, Row.NOT_READABLE)
        decision = decided(late(newer))
        assert (decision.verb, decision.row, decision.warn) == (
            Verb.SUCCEED,
            Row.NOT_READABLE,
            True,
        )

    @pytest.mark.parametrize("seen", [None, BY_HAND, experiment("Cancelled")])
    @pytest.mark.parametrize("new", [properties(), properties(StopOn=["Update"]), {}])
    def test_of_one_that_has_ended_costs_one_describe(self, seen: Any, new: Properties) -> None:
        over = replace(delete(new, seen=seen), stacks=None)
        assert not needs_stack(over)
        assert decided(over).verb is Verb.SUCCEED

    def test_every_other_request_reads_the_stack(self) -> None:
        for s in (create(seen=None), update(properties(), seen=BY_HAND), delete(), clean_up()):
            assert needs_stack(s)
        unread = delete(seen=away(Kind.TRANSIENT))
        assert needs_stack(unread)
        assert not needs_stack(update(promoting(), sent="0123abcd"))


def _failed(new: Properties) -> tuple[StackEvent, ...]:
    own = R("UPDATE_IN_PROGRESS", new), R("UPDATE_FAILED", new)
    return S("UPDATE_IN_PROGRESS"), *own, S("UPDATE_FAILED")


class TestWhichExperiment:
    """A name is not an experiment: one that ends can be made anew under its name."""

    def test_one_that_was_created_after_the_request_is_not_meant(self) -> None:
        young = experiment(created=ISSUED + 5.0)
        assert decided(update(promoting(), seen=young)).verb is Verb.STOP
        anew = experiment(created=ISSUED + 5.5)
        assert answer(update(promoting(), seen=anew)) == (Verb.FAIL, Row.ABSENT)
        assert answer(delete(seen=anew)) == (Verb.SUCCEED, Row.ABSENT)

    def test_what_the_request_has_seen_once_is_the_one_that_it_is_about(self) -> None:
        before = experiment().created
        assert decided(update(promoting(), created=before)).verb is Verb.STOP
        anew = experiment(created=ISSUED - 100)
        assert answer(update(promoting(), seen=anew, created=before)) == (Verb.FAIL, Row.ABSENT)
        assert answer(delete(seen=anew, created=before)) == (Verb.SUCCEED, Row.ABSENT)


class TestAStopTakesTwoLooks:
    """The first finds that one is ordered, the second decides anew."""

    @pytest.mark.parametrize("s", [create(properties(StopOn=EVERY)), update(promoting()), delete()])
    def test_the_first_look_prepares(self, s: Situation) -> None:
        first = decided(replace(s, prepared=None))
        assert first.verb is Verb.PREPARE
        assert decided(s).verb is Verb.STOP

    @pytest.mark.parametrize(
        ("s", "row"),
        [
            (update(promoting()), Row.UPDATE_UNDONE),
            (delete(), Row.DELETE_UNDONE),
        ],
    )
    def test_an_undo_meanwhile_is_an_undo(self, s: Situation, row: Row) -> None:
        assert answer(undo(s)) == (Verb.SUCCEED, row)

    def test_a_failure_meanwhile_is_doomed(self) -> None:
        own = S("UPDATE_IN_PROGRESS"), R("UPDATE_IN_PROGRESS", promoting(), at=ISSUED)
        events = stack(*created(), *own, X("UPDATE_FAILED"), last=ISSUED + 5)
        assert answer(update(promoting(), stacks=(events,))) == (Verb.WAIT, Row.DOOMED)

    def test_nothing_is_stopped_at_the_deadline(self) -> None:
        """Nobody would wait for its end."""
        for s in (update(promoting()), delete(), update(promoting(), prepared=None)):
            assert answer(at_deadline(s)) == (Verb.FAIL, Row.DEADLINE)

    def test_an_experiment_that_ended_meanwhile_is_not_stopped(self) -> None:
        assert decided(update(promoting(), seen=BY_HAND)).verb is Verb.FAIL
        assert decided(delete(seen=experiment("Stopping"))).verb is Verb.WAIT


def test_a_clean_up_is_one_by_the_status_of_its_own_stack() -> None:
    elsewhere = replace(READY, holders=("Renamed",))
    inner = nested(delete(prepared=elsewhere), middle=CLEANUP, root=CLEANUP)
    assert decided(inner).verb is Verb.STOP
