"""An outcome for one experiment: its request, and which declarations have the same one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.lifecycle import (
    KEEP,
    PROMOTE,
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
    removing,
    update,
    variant,
)

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse_replaced
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Decision,
    Experiment,
    Unreadable,
    Verb,
)
from cdk_stop_inference_experiment_handler.lifecycle.outcome import fewer_instances

PROMOTE_SHADOW = outcome("PromoteShadow")
RENAMED = experiment(
    variants={"shadow": "InService", "production": "InService"},
    production="shadow",
    shadows=("production",),
)
"""The next shadow test after a promotion: its production variant is named shadow."""


def stops(decision: Decision) -> dict[str, Any]:
    """The request of a decision to stop, without name and reason."""
    assert decision.verb is Verb.STOP, decision
    assert decision.stop is not None
    sent = dict(decision.stop.request)
    assert sent.pop("Reason") == decision.stop.reason
    assert sent.pop("Name") == "fraud-shadow"
    return sent


class TestTheRequest:
    @pytest.mark.parametrize(
        ("kind", "actions"),
        [("KeepProduction", KEEP), ("KeepBoth", {"production": "Retain", "shadow": "Retain"})],
    )
    def test_keeping_names_no_variants_to_deploy_and_asks_nothing(
        self, kind: str, actions: dict[str, str]
    ) -> None:
        world = World()
        assert stops(update(world, outcome(kind), promoting())) == {"ModelVariantActions": actions}
        assert "endpoint" not in world.asked

    def test_a_promotion_gets_the_instances_that_production_runs_now(self) -> None:
        world = World(counts={"production": 10, "shadow": 3})
        assert stops(update(world, PROMOTE_SHADOW)) == {
            "ModelVariantActions": PROMOTE,
            "DesiredModelVariants": [
                variant("shadow", 10, model="fraud-v2", of_type="ml.c5.large"),
            ],
        }
        assert "endpoint" in world.asked

    def test_a_promotion_gets_the_shadows_instances(self) -> None:
        world = World(counts={"production": 10, "shadow": 3})
        sent = stops(update(world, outcome("PromoteShadow", Instances="Shadow")))
        assert sent["DesiredModelVariants"] == [variant("shadow", 1, model="fraud-v2")]
        assert "endpoint" not in world.asked

    def test_a_promotion_gets_the_instances_given(self) -> None:
        given = {"InstanceType": "ml.g5.xlarge", "InstanceCount": "4"}
        world = World()
        sent = stops(update(world, outcome("PromoteShadow", Instances=given)))
        assert sent["DesiredModelVariants"] == [
            variant("shadow", 4, model="fraud-v2", of_type="ml.g5.xlarge")
        ]
        assert "endpoint" not in world.asked

    def test_production_is_the_source_variant_whatever_it_is_called(self) -> None:
        sent = stops(update(World(seen=RENAMED), outcome(), promoting()))
        assert sent == {"ModelVariantActions": {"shadow": "Retain", "production": "Remove"}}

    def test_a_teardown_resolves_it_too(self) -> None:
        assert stops(delete(removing(), PROMOTE_SHADOW))["ModelVariantActions"] == PROMOTE

    def test_the_digest_is_of_what_is_declared(self) -> None:
        few, many = (
            update(World(counts={"production": count}), PROMOTE_SHADOW).stop for count in (1, 10)
        )
        assert few is not None
        assert many is not None
        assert few.request != many.request
        assert few.digest == many.digest == PROMOTE_SHADOW.digest

    def test_the_state_and_the_reason_are_sent(self) -> None:
        declared = outcome(DesiredState="Completed", Reason="v2 wins")
        sent = update(World(), declared, promoting()).stop
        assert sent is not None
        assert sent.request["DesiredState"] == "Completed"
        assert sent.request["Reason"] == f"v2 wins ({declared.digest})"


NO_PAIRS = {
    "no shadow": experiment(shadows=()),
    "no production": experiment(production=""),
    "two shadows": experiment(shadows=("shadow", "canary")),
    "production its own shadow": experiment(shadows=("production",)),
    "a third variant": experiment(
        variants={"production": "InService", "shadow": "InService", "canary": "InService"}
    ),
    "a shadow that is no variant": experiment(variants={"production": "InService"}),
}


class TestRows:
    @pytest.mark.parametrize("seen", NO_PAIRS.values(), ids=NO_PAIRS.keys())
    @pytest.mark.parametrize("declared", [outcome(), PROMOTE_SHADOW], ids=["keep", "promote"])
    def test_not_a_pair(self, seen: Experiment, declared: Declaration) -> None:
        armed = create(creating(seen=seen), declared)
        assert answers(armed) == (Verb.FAIL, "not_a_pair")
        assert "nothing was stopped" in armed.why
        changed = outcome("KeepBoth")
        assert answers(update(World(seen=seen), declared, changed)) == (Verb.FAIL, "not_a_pair")
        assert answers(delete(removing(seen=seen), declared)) == (Verb.FAIL, "not_a_pair")

    def test_not_a_pair_says_what_was_found(self) -> None:
        told = create(creating(seen=NO_PAIRS["no shadow"]), outcome()).why
        assert "production 'production', shadows none, variants 'production', 'shadow'" in told
        assert "'ModelVariantActions'" in told

    @pytest.mark.parametrize("counts", [{}, {"production": 0}, {"shadow": 2}, None])
    def test_instances_unknown(self, counts: dict[str, int] | None) -> None:
        told = update(World(counts=counts, is_young=False), PROMOTE_SHADOW)
        assert answers(told) == (Verb.FAIL, "instances_unknown")
        assert told.order == "update_changed"
        assert "nothing was stopped" in told.why
        found = "CurrentInstanceCount 0" if (counts or {}).get("production") == 0 else "no Current"
        assert f"returns {found}" in told.why
        assert "'InstanceCount' in 'Instances'" in told.why
        torn = delete(removing(counts=counts, is_young=False), PROMOTE_SHADOW)
        assert answers(torn) == (Verb.FAIL, "instances_unknown")

    def test_a_count_that_is_not_known_is_read_again_first(self) -> None:
        with pytest.raises(Unreadable, match="nothing was stopped"):
            update(World(counts={}, is_young=True), PROMOTE_SHADOW)

    def test_arming_does_not_ask_the_endpoint(self) -> None:
        world = creating(counts={})
        assert answers(create(world, PROMOTE_SHADOW)) == (Verb.SUCCEED, "stoppable")
        assert "endpoint" not in world.asked

    def test_an_endpoint_that_cannot_be_read_undone_meanwhile_is_an_undo(self) -> None:
        world = World(unreadable=("endpoint",), status="UPDATE_ROLLBACK_IN_PROGRESS")
        assert update(world, PROMOTE_SHADOW).row == "update_undone"

    def test_ended_otherwise_promote_names_the_shadow(self) -> None:
        by_hand = experiment("Completed", status_reason="by hand")
        told = update(World(seen=by_hand), PROMOTE_SHADOW)
        assert answers(told) == (Verb.FAIL, "ended_otherwise_promote")
        assert "variant 'shadow'" in told.why

    def test_ended_as_new(self) -> None:
        world = World(seen=ended_by(PROMOTE_SHADOW))
        assert answers(update(world, PROMOTE_SHADOW)) == (Verb.SUCCEED, "end_as_declared")

    def test_ended_as_old_where_the_old_one_named_variants(self) -> None:
        world = World(seen=ended_by(promoting()))
        given = outcome("PromoteShadow", DesiredState="Completed")
        assert answers(update(world, given, promoting())) == (Verb.SUCCEED, "ended_as_old")
        kept = World(seen=ended_by(declaration()))
        assert answers(update(kept, PROMOTE_SHADOW)) == (Verb.FAIL, "ended_as_old")

    def test_end_contradicted(self) -> None:
        statuses = {"production": "InService", "shadow": "InService"}
        world = World(seen=ended_by(PROMOTE_SHADOW, variants=statuses))
        told = update(world, PROMOTE_SHADOW)
        assert answers(told) == (Verb.SUCCEED, "end_contradicted")
        assert "'production' is InService, declared Remove" in told.why

    def test_a_creation_that_is_undone_keeps_production(self) -> None:
        owned = outcome("PromoteShadow", StackOwnsExperiment="true")
        told = delete(World(status="ROLLBACK_IN_PROGRESS"), owned)
        assert (told.order, stops(told)) == (
            "delete_creation_undone",
            {"ModelVariantActions": KEEP},
        )


GIVEN = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4}
ON_PRODUCTIONS = [variant("shadow", 2, model="fraud-v2", of_type="ml.c5.large")]
"""Production's configured instances."""


def changes(new: Declaration, old: Declaration, world: World | None = None) -> bool:
    """Whether an update is an order."""
    told = update(world or World(), new, old)
    assert told.order == "update_changed" or told.row in ("update_changed", "update_unchanged")
    return "update_changed" in (told.order, told.row)


class TestChanged:
    @pytest.mark.parametrize("one", ["PromoteShadow", "KeepProduction", "KeepBoth"])
    @pytest.mark.parametrize("other", ["PromoteShadow", "KeepProduction", "KeepBoth"])
    def test_from_one_outcome_to_another(self, one: str, other: str) -> None:
        assert changes(outcome(one), outcome(other)) is (one != other)

    def test_other_instances_are_a_change(self) -> None:
        ways = [None, "Shadow", GIVEN, {**GIVEN, "InstanceCount": 5}]
        for new in ways:
            for old in ways:
                one, other = (outcome("PromoteShadow", Instances=way) for way in (new, old))
                assert changes(one, other) is (new != old)

    def test_the_default_written_out_is_none(self) -> None:
        assert not changes(outcome("PromoteShadow", Instances="Production"), PROMOTE_SHADOW)
        text = {**GIVEN, "InstanceCount": "4"}
        one, other = (outcome("PromoteShadow", Instances=given) for given in (text, GIVEN))
        assert not changes(one, other)

    def test_a_scaled_endpoint_is_none(self) -> None:
        world = World(counts={"production": 11})
        assert not changes(PROMOTE_SHADOW, PROMOTE_SHADOW, world)
        assert "endpoint" not in world.asked

    def test_another_state_is_a_change(self) -> None:
        assert changes(outcome(DesiredState="Cancelled"), outcome())
        assert changes(outcome(DesiredState="Cancelled"), declaration())

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            (declaration(), outcome()),
            (declaration(ModelVariantActions={"shadow": "Remove"}), outcome()),
            (
                declaration(DesiredModelVariants=[variant("production", 2, of_type="ml.c5.large")]),
                outcome(),
            ),
            (
                declaration(
                    DesiredModelVariants=[variant("production", 10, of_type="ml.c5.large")]
                ),
                outcome(),
            ),
            (
                declaration(
                    ModelVariantActions={"production": "Retain", "shadow": "Retain"},
                    DesiredModelVariants=[variant("shadow", 1, model="fraud-v2")],
                ),
                outcome("KeepBoth"),
            ),
            (promoting(), PROMOTE_SHADOW),
            (promoting(DesiredModelVariants=ON_PRODUCTIONS), PROMOTE_SHADOW),
            (
                promoting(
                    DesiredModelVariants=[
                        variant("shadow", 10, model="fraud-v2", of_type="ml.c5.large")
                    ]
                ),
                PROMOTE_SHADOW,
            ),
            (
                promoting(DesiredModelVariants=[variant("shadow", 1, model="fraud-v2")]),
                outcome("PromoteShadow", Instances="Shadow"),
            ),
            (
                promoting(DesiredModelVariants=[variant("shadow", 4, model="fraud-v2")]),
                outcome("PromoteShadow", Instances=GIVEN),
            ),
        ],
    )
    def test_an_outcome_that_makes_the_same_request_is_none(
        self, named: Declaration, said: Declaration
    ) -> None:
        assert not changes(said, named)
        assert not changes(named, said)

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            (declaration(), PROMOTE_SHADOW),
            (declaration(), outcome("KeepBoth")),
            (promoting(), outcome()),
            (
                declaration(DesiredModelVariants=[variant("production", 5, of_type="ml.c5.large")]),
                outcome(),
            ),
            (declaration(DesiredModelVariants=[variant("production", 2)]), outcome()),
            (
                promoting(
                    DesiredModelVariants=[
                        variant("shadow", 5, model="fraud-v2", of_type="ml.c5.large")
                    ]
                ),
                PROMOTE_SHADOW,
            ),
            (promoting(DesiredModelVariants=[variant("shadow", 10)]), PROMOTE_SHADOW),
            (
                promoting(DesiredModelVariants=[variant("shadow", 5, model="fraud-v2")]),
                outcome("PromoteShadow", Instances=GIVEN),
            ),
            (
                promoting(DesiredModelVariants=[variant("shadow", 3, model="fraud-v2")]),
                outcome("PromoteShadow", Instances="Shadow"),
            ),
        ],
    )
    def test_an_outcome_that_makes_another_request_is_a_change(
        self, named: Declaration, said: Declaration
    ) -> None:
        world = World(counts={"production": 10, "shadow": 3})
        assert changes(said, named, world)
        assert changes(named, said, world)

    def test_the_experiment_is_asked_only_between_the_two_ways(self) -> None:
        for one in (outcome(), declaration()):
            world = World()
            assert not changes(one, one, world)
            assert "experiment" not in world.asked

    def test_of_an_experiment_that_has_ended_actions_and_state_are_compared(self) -> None:
        named = declaration(DesiredModelVariants=[variant("production", 5)])
        ended = World(seen=ended_by(named, production="production", shadows=("shadow",)))
        assert not changes(outcome(), named, ended)
        assert changes(outcome("KeepBoth"), named, ended)

    def test_another_instance_type_is_no_doubt_whatever_runs(self) -> None:
        named = declaration(DesiredModelVariants=[variant("production", 5)])
        assert changes(outcome(), named, World(unreadable=("endpoint",), is_lasting=True))

    @pytest.mark.parametrize("seen", [None, experiment()])
    def test_an_outcome_of_another_release_is_a_change(self, seen: Experiment | None) -> None:
        """A rollback sends even what the handler refused."""
        unknown = {"Name": "fraud-shadow", "Outcome": "PromoteBoth"}
        old = parse_replaced(unknown, stack_name="shadow", logical_id="Stop")
        assert update(World(seen=seen), declaration(), old).row == (
            "stoppable" if seen else "absent"
        )

    @pytest.mark.parametrize("seen", [None, experiment(shadows=())])
    def test_in_doubt_it_is_none(self, seen: Experiment | None) -> None:
        assert not changes(outcome(), declaration(), World(seen=seen))

    def test_counts_that_are_denied_for_good_are_a_doubt(self) -> None:
        named = declaration(DesiredModelVariants=[variant("production", 5, of_type="ml.c5.large")])
        world = World(unreadable=("endpoint",), is_lasting=True)
        assert not changes(outcome(), named, world)

    def test_an_experiment_that_is_denied_for_good_is_a_doubt(self) -> None:
        world = World(unreadable=("experiment",), is_lasting=True)
        assert not changes(outcome(), declaration(), world)
        with pytest.raises(Unreadable):
            update(world, PROMOTE_SHADOW, declaration())

    @pytest.mark.parametrize("unread", ["experiment", "endpoint"])
    def test_a_fact_that_cannot_be_read_for_the_moment_is_asked_again(self, unread: str) -> None:
        named = declaration(DesiredModelVariants=[variant("production", 5, of_type="ml.c5.large")])
        with pytest.raises(Unreadable):
            update(World(unreadable=(unread,)), outcome(), named)

    def test_end_now_ends_it_all_the_same(self) -> None:
        told = update(World(), outcome(EndNow="true"), declaration())
        assert (told.verb, told.order) == (Verb.STOP, "update_end_now")


class TestFewerInstances:
    @pytest.mark.parametrize(("count", "warned"), [(9, True), (10, False), (11, False)])
    def test_fewer_than_production_runs(self, count: int, warned: bool) -> None:
        declared = promoting(DesiredModelVariants=[variant("shadow", count, model="fraud-v2")])
        told = fewer_instances(declared, World())
        assert bool(told) is warned
        if warned:
            assert told is not None
            assert told.startswith("variant 'shadow' of ")
            assert "promoted on 9 instances" in told
            assert "now runs 10" in told

    @pytest.mark.parametrize(
        "declared",
        [promoting(), declaration(DesiredModelVariants=[variant("production", 1)]), outcome()],
    )
    def test_nothing_is_asked_where_no_count_is_promoted(self, declared: Declaration) -> None:
        world = World()
        assert fewer_instances(declared, world) is None
        assert world.asked == []

    @pytest.mark.parametrize("counts", [None, {}])
    def test_unknown_instances_are_not_fewer(self, counts: dict[str, int] | None) -> None:
        declared = promoting(DesiredModelVariants=[variant("shadow", 0)])
        assert fewer_instances(declared, World(counts=counts)) is None
