"""Table 2, what the experiment's state allows: a test for each row and column."""

from __future__ import annotations

import pytest
from tests.unit.lifecycle import (
    DEADLINE,
    ENDED,
    EVERY,
    ISSUED,
    STOPPABLE,
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
)

from cdk_stop_inference_experiment_handler.lifecycle.facts import Experiment, Verb

CHANGED = declaration(DesiredState="Cancelled")
"""Differs from ``declaration()`` without a promotion."""

BY_HAND = experiment("Completed", status_reason="stopped in the console")


def arm(seen: Experiment | None) -> tuple[Verb, str, bool]:
    decision = create(creating(seen=seen), declaration())
    return decision.verb, decision.row, decision.warn


class TestArm:
    def test_absent(self) -> None:
        assert arm(None)[:2] == (Verb.FAIL, "absent")
        assert "does not exist in eu-west-1" in create(creating(seen=None), declaration()).why

    def test_ended_unsettled(self) -> None:
        ended = experiment("Completed", endpoint_status="Updating")
        assert arm(ended) == (Verb.SUCCEED, "ended_unsettled", True)

    @pytest.mark.parametrize(
        ("ended", "row"),
        [(ended_by(declaration()), "ended_as_new"), (BY_HAND, "ended_otherwise")],
    )
    def test_ended(self, ended: Experiment, row: str) -> None:
        assert arm(ended) == (Verb.SUCCEED, row, True)
        told = create(creating(seen=ended), promoting())
        assert answers(told) == (Verb.SUCCEED, "ended_otherwise_promote")

    def test_stopping(self) -> None:
        assert arm(experiment("Stopping")) == (Verb.SUCCEED, "stopping", True)

    def test_variants_mismatch(self) -> None:
        unknown = declaration(ModelVariantActions={"canary": "Remove"})
        told = create(creating(), unknown)
        assert answers(told) == (Verb.FAIL, "variants_mismatch")
        assert "no variant 'canary'" in told.why
        assert "'production', 'shadow'" in told.why
        wrong_way = declaration(ModelVariantActions={"production": "Promote", "shadow": "Remove"})
        told = create(creating(), wrong_way)
        assert answers(told) == (Verb.FAIL, "variants_mismatch")
        assert "promote its shadow variant, which is 'shadow'" in told.why

    def test_status_unknown(self) -> None:
        assert arm(experiment("Pausing")) == (Verb.SUCCEED, "status_unknown", True)

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stoppable(self, status: str) -> None:
        assert arm(experiment(status)) == (Verb.SUCCEED, "stoppable", False)

    def test_says_when_the_experiment_ends_by_itself(self) -> None:
        told = create(creating(seen=experiment(scheduled_end=86_400.0)), declaration())
        assert "ends by itself at 1970-01-02T00:00:00Z" in told.why


class TestEndByUpdate:
    def test_absent(self) -> None:
        assert answers(update(World(seen=None), CHANGED)) == (Verb.FAIL, "absent")

    @pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
    def test_ended_unsettled(self, status: str) -> None:
        world = World(seen=experiment("Completed", endpoint_status=status))
        assert answers(update(world, promoting())) == (Verb.WAIT, "ended_unsettled")

    def test_ended_as_new(self) -> None:
        world = World(seen=ended_by(promoting()))
        assert answers(update(world, promoting())) == (Verb.SUCCEED, "end_as_declared")
        bad = World(seen=ended_by(promoting(), endpoint_failure="quota"))
        assert answers(update(bad, promoting())) == (Verb.FAIL, "end_endpoint_failed")
        assert update(bad, promoting(), failure_before="quota").verb is Verb.SUCCEED

    @pytest.mark.parametrize("reason", ["by digest", "of 0.1.0", "of 0.1.0, the user's"])
    def test_ended_as_old(self, reason: str) -> None:
        old = declaration(Reason="ours" if "user" in reason else None)
        said = old.reason if reason == "by digest" else old.reason_of_0_1_0
        world = World(seen=experiment("Completed", status_reason=said))
        told = update(world, CHANGED, old)
        assert answers(told) == (Verb.SUCCEED, "ended_as_old")
        assert told.warn
        assert answers(update(world, promoting(Reason="x"), old)) == (Verb.FAIL, "ended_as_old")
        for change in ({"EndNow": "true"}, {"StopOn": ["Delete"]}):
            changed = declaration(DesiredState="Cancelled", **change)
            assert update(world, changed, old).row == "ended_as_old"

    def test_ended_as_old_which_promoted_the_same(self) -> None:
        world = World(seen=ended_by(promoting()))
        told = update(world, promoting(DesiredState="Completed"), promoting())
        assert answers(told) == (Verb.SUCCEED, "ended_as_old")
        promoted = outcome("PromoteShadow")
        told = update(World(seen=ended_by(promoted)), promoting(DesiredState="Cancelled"), promoted)
        assert answers(told) == (Verb.SUCCEED, "ended_as_old")

    @pytest.mark.parametrize("status", ENDED)
    def test_ended_otherwise(self, status: str) -> None:
        world = World(seen=experiment(status, status_reason="by hand"))
        assert answers(update(world, CHANGED)) == (Verb.SUCCEED, "ended_otherwise")

    @pytest.mark.parametrize("status", ENDED)
    def test_ended_otherwise_promote(self, status: str) -> None:
        seen = experiment(status, status_reason="by hand", completion_time=86_400.0)
        told = update(World(seen=seen), promoting())
        assert answers(told) == (Verb.FAIL, "ended_otherwise_promote")
        assert "'shadow'" in told.why
        assert "an endpoint update" in told.why
        assert "a new experiment" in told.why
        assert told.why.endswith(f"as {status} at 1970-01-02T00:00:00Z, because 'by hand'")

    def test_ended_otherwise_promote_of_variants_that_sagemaker_no_longer_names(self) -> None:
        seen = experiment("Completed", variants={}, production="", shadows=())
        told = update(World(seen=seen), outcome("PromoteShadow"))
        assert answers(told) == (Verb.FAIL, "ended_otherwise_promote")
        assert told.why.startswith("the shadow of inference experiment 'fraud-shadow'")

    def test_stopping_is_adopted(self) -> None:
        told = update(World(seen=experiment("Stopping", status_reason="by hand")), promoting())
        assert answers(told) == (Verb.WAIT, "stopping")
        assert told.stop is None
        ours = experiment("Stopping", status_reason=promoting().reason)
        assert update(World(seen=ours), promoting()).stop == promoting()

    def test_variants_mismatch(self) -> None:
        unknown = declaration(ModelVariantActions={"canary": "Remove"})
        assert answers(update(World(), unknown)) == (Verb.FAIL, "variants_mismatch")

    @pytest.mark.parametrize(
        ("starts", "verb"),
        [
            (None, Verb.FAIL),
            (DEADLINE - 1500, Verb.STOP),
            (DEADLINE - 1499, Verb.FAIL),
            (ISSUED - 60, Verb.STOP),
        ],
    )
    def test_created_refused(self, starts: float | None, verb: Verb) -> None:
        seen = experiment("Created", scheduled_start=starts)
        world = World(seen=seen, time=ISSUED + 100)
        told = update(world, promoting(), refused_at=ISSUED + 10)
        assert told.verb is verb
        if verb is Verb.FAIL:
            assert told.row == "created_refused"
            assert "has not started" in told.why
        assert update(world, promoting(), refused_at=ISSUED + 11).verb is Verb.STOP

    def test_status_unknown(self) -> None:
        world = World(seen=experiment("Pausing"))
        assert answers(update(world, promoting())) == (Verb.WAIT, "status_unknown")

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stoppable(self, status: str) -> None:
        world = World(seen=experiment(status))
        told = update(world, promoting())
        assert answers(told) == (Verb.STOP, "stoppable")
        assert told.stop == promoting()
        assert "stack" in world.asked
        assert "events" in world.asked


class TestEndByDelete:
    def test_absent(self) -> None:
        assert answers(delete(removing(seen=None), declaration())) == (Verb.SUCCEED, "absent")

    def test_ended_unsettled(self) -> None:
        world = removing(seen=experiment("Completed", endpoint_status="Updating"))
        assert answers(delete(world, declaration())) == (Verb.WAIT, "ended_unsettled")

    @pytest.mark.parametrize(
        ("ended", "row"),
        [(ended_by(promoting()), "ended_as_new"), (BY_HAND, "ended_otherwise_promote")],
    )
    def test_ended(self, ended: Experiment, row: str) -> None:
        assert answers(delete(removing(seen=ended), promoting())) == (Verb.SUCCEED, row)

    def test_stopping(self) -> None:
        world = removing(seen=experiment("Stopping"))
        assert answers(delete(world, declaration())) == (Verb.WAIT, "stopping")

    def test_a_mismatch_is_sent_all_the_same(self) -> None:
        unknown = declaration(ModelVariantActions={"canary": "Remove"})
        assert delete(removing(), unknown).verb is Verb.STOP

    def test_created_refused(self) -> None:
        seen = experiment("Created", scheduled_start=86_400.0)
        world = removing(seen=seen, time=ISSUED + 100)
        told = delete(world, declaration(), refused_at=ISSUED + 10)
        assert answers(told) == (Verb.SUCCEED, "created_refused")
        assert told.warn
        assert "it starts at 1970-01-02T00:00:00Z" in told.why
        assert "DeleteInferenceExperiment" in told.why
        assert delete(world, declaration(), refused_at=ISSUED + 11).verb is Verb.STOP

    def test_status_unknown(self) -> None:
        world = removing(seen=experiment("Pausing"))
        assert answers(delete(world, declaration())) == (Verb.WAIT, "status_unknown")

    @pytest.mark.parametrize("status", STOPPABLE)
    def test_stoppable(self, status: str) -> None:
        told = delete(removing(seen=experiment(status)), declaration())
        assert answers(told) == (Verb.STOP, "stoppable")


@pytest.mark.parametrize("refused", [{"EndNow": "true"}, {"Outcome": "KeepBoth"}])
def test_nothing_is_refused_while_an_experiment_that_has_ended_settles(
    refused: dict[str, str],
) -> None:
    """It is too late for a refusal: what SageMaker lists of its variants is on the way out."""
    actions = {"ModelVariantActions": None} if "Outcome" in refused else {}
    new = declaration(StopOn=EVERY, **actions, **refused)
    unsettled = experiment("Completed", endpoint_status="Updating", shadows=(), variants={})
    assert answers(create(creating(seen=unsettled), new)) == (Verb.WAIT, "ended_unsettled")
    settled = experiment("Completed", shadows=(), variants={})
    assert create(creating(seen=settled), new).verb is Verb.SUCCEED


def test_create_with_stop_on_create_ends_by_the_same_rows() -> None:
    stopping = declaration(StopOn=EVERY)
    for seen, verb in (
        (None, Verb.FAIL),
        (BY_HAND, Verb.SUCCEED),
        (experiment("Stopping"), Verb.WAIT),
        (experiment("Running"), Verb.STOP),
    ):
        assert create(creating(seen=seen), stopping).verb is verb
    assert create(creating(seen=BY_HAND), promoting(StopOn=EVERY)).verb is Verb.FAIL
