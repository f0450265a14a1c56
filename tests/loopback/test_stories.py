"""Stories of whole stacks, as AWS documents them; see :mod:`.stories`.

The decisions have pure tests in tests/unit, and the explorer plays such stories by the thousand.
Here are those that catch a seeded bug, and what the explorer does not play: requests without a
date, clocks that differ, ids in another case, imports, and outcomes.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loopback.cloudformation import Event
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, NAME, PROMOTE, World

from .stories import ARMED, BRIEF, NOW, Declared, Story

OUTCOME = {"Name": NAME, "Outcome": "PromoteShadow"}
EVIDENCE = {
    "MinInvocations": "1000",
    "Window": "3600",
    "Comparisons": [{"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": "1.1"}],
}
GATED = {**OUTCOME, "PromoteIf": EVIDENCE}


# Rollback disabled:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html


def failed_promotion(world: World, *, undo: bool) -> Story:
    """A promotion that IAM denies, without rollback."""
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", PROMOTE, KEEP) == "FAILED"
    if undo:
        assert story.asks("Update", KEEP, PROMOTE) == "SUCCESS"
    story.enters("UPDATE_FAILED", after=2).rests()
    fault.attempts = 0
    assert story.stops == []
    return story


@pytest.mark.parametrize("old", [KEEP, PROMOTE], ids=["stable", "failed"])
@pytest.mark.parametrize("undo", [True, False], ids=["undone", "left"])
def test_a_failed_promotion_that_is_withdrawn_is_none(
    world: World, old: Declared, undo: bool
) -> None:
    story = failed_promotion(world, undo=undo)
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", KEEP, old) == "SUCCESS"
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**KEEP, "Reason": "tidy"}, KEEP) == "SUCCESS"
    assert story.attempts > 0
    assert story.stops == []


@pytest.mark.parametrize("told", ["old", "new"])
@pytest.mark.parametrize("then", ["deleted", "skipped, then upgraded"])
def test_an_undo_that_fails_leaves_the_former_declaration_deployed(
    world: World, told: str, then: str
) -> None:
    """The withdrawn one has completed, but its stack's operation has not succeeded."""
    old, new = {**KEEP, "StopOn": ["Delete"]}, {**PROMOTE, "StopOn": ["Delete"]}
    story = Story(world).created(old).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", new, old) == "SUCCESS"
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS").notes("UPDATE_IN_PROGRESS", old)
    story.notes("UPDATE_FAILED", old).enters("UPDATE_ROLLBACK_FAILED").rests()
    said = old if told == "old" else new
    if then == "deleted":
        story.enters("DELETE_IN_PROGRESS")
        assert story.asks("Delete", said) == "SUCCESS"
        assert story.stops == ["Remove"]
        return
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS").notes("UPDATE_COMPLETE", said)
    story.enters("UPDATE_ROLLBACK_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    upgraded = {"StopOn": ["Update", "Delete"]}
    assert story.asks("Update", {**old, **upgraded}, said) == "SUCCESS"
    assert story.attempts == 0


def test_masked_properties_of_events_stop_nothing(world: World) -> None:
    """What the request says of the old declaration may be the failed one."""
    story = failed_promotion(world, undo=False)
    masked = json.dumps({"Name": NAME, "ModelVariantActions": {"production": "****"}})
    world.stack.events[:] = [
        replace(event, properties=masked) if event.properties else event
        for event in world.stack.events
    ]
    before = story.attempts
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", KEEP, PROMOTE) == "FAILED"
    assert "masked" in story.last["Reason"]
    assert story.attempts == before


# Creations


@pytest.mark.parametrize("between", ["CREATE_FAILED", "ROLLBACK_FAILED", "UPDATE_FAILED"])
def test_a_stack_that_never_was_complete_is_deleted(world: World, between: str) -> None:
    """OnFailure=DELETE, OnStackFailure=DELETE, StackSets, and a user who cleans up."""
    story = Story(world).enters("CREATE_IN_PROGRESS")
    assert story.asks("Create", PROMOTE) == "SUCCESS"
    story.enters("CREATE_FAILED", after=3)
    if between == "ROLLBACK_FAILED":
        story.enters("ROLLBACK_IN_PROGRESS").enters("ROLLBACK_FAILED").rests()
    if between == "UPDATE_FAILED":
        story.rests().enters("UPDATE_IN_PROGRESS").enters("UPDATE_FAILED").rests()
    story.enters("DELETE_IN_PROGRESS", after=1)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
@pytest.mark.parametrize("declared", [PROMOTE, OUTCOME, GATED], ids=["named", "outcome", "gated"])
def test_a_creation_that_is_undone_ends_nothing(
    world: World, status: str, declared: Declared
) -> None:
    story = Story(world).enters("CREATE_IN_PROGRESS")
    assert story.asks("Create", declared) == "SUCCESS"
    story.enters(status, after=2)
    assert story.asks("Delete", declared) == "SUCCESS"
    assert story.attempts == 0


def test_an_import_does_not_create_anything_that_stops(world: World) -> None:
    """A custom resource cannot be imported."""
    story = Story(world).enters("REVIEW_IN_PROGRESS").enters("IMPORT_IN_PROGRESS")
    declared = {**PROMOTE, "StopOn": ["Create", "Delete"]}
    assert story.asks("Create", declared) == "FAILED"
    marker = story.last["PhysicalResourceId"]
    story.enters("IMPORT_ROLLBACK_IN_PROGRESS", after=2)
    assert story.asks("Delete", declared, physical_id=marker) == "SUCCESS"
    assert story.attempts == 0


# Deletions


# Renames


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_an_id_in_another_case_is_the_same_and_is_kept(world: World, kind: str) -> None:
    own = arn_of(NAME.upper())
    story = Story(world).enters("CREATE_IN_PROGRESS").notes("CREATE_IN_PROGRESS", KEEP)
    story.notes("CREATE_COMPLETE", KEEP, physical_id=own).enters("CREATE_COMPLETE").rests()
    story.enters("UPDATE_IN_PROGRESS" if kind == "Update" else "DELETE_IN_PROGRESS")
    assert story.asks(kind, PROMOTE, KEEP, physical_id=own) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == own
    assert story.stops == ["Promote"]


# EndNow


def test_end_now_taken_back_ends_no_other_test(world: World) -> None:
    declared = {**ARMED, "StopOn": ["Update", "Delete"]}
    story = Story(world).created(declared).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**declared, "EndNow": "true"}, declared) == "SUCCESS"
    story.enters("UPDATE_COMPLETE").rests()
    world.sagemaker.experiments.clear()
    world.experiment("Running", BRIEF)
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", declared, {**declared, "EndNow": "true"}) == "SUCCESS"
    assert story.attempts == 1


def test_end_now_left_true_ends_no_other_change(world: World) -> None:
    armed = {**KEEP, "StopOn": ["Delete"], "EndNow": "true"}
    story = Story(world).enters("CREATE_IN_PROGRESS")
    world.sagemaker.experiments[NAME].conclude("Completed", "by hand")
    world.run(30)
    assert story.asks("Create", armed) == "SUCCESS"
    world.sagemaker.experiments.clear()
    world.experiment("Running", BRIEF)
    story.enters("CREATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", NOW, armed) == "SUCCESS"
    assert story.attempts == 0


# Late and repeated deliveries


@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize("how", ["rolled back", "next update"])
def test_a_delivery_an_hour_late_stops_nothing(world: World, how: str, dated: bool) -> None:
    """Lambda queues asynchronous invocations for up to six hours."""
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    world.run(1.3)
    event = world.request("Update", PROMOTE, KEEP, request_id="request-late")
    if not dated:
        event["ResponseURL"] = event["ResponseURL"].replace("X-Amz-Date", "X-Other-Date")
    world.cloudformation.asked["request-late"].is_abandoned = True
    world.run(3600)
    story.notes("UPDATE_FAILED", PROMOTE).enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", KEEP, PROMOTE) == "SUCCESS"
    story.enters("UPDATE_ROLLBACK_COMPLETE")
    if how == "next update":
        story.rests().enters("UPDATE_IN_PROGRESS")
    late = world.deliver(event)
    world.run(1000)
    assert story.attempts == 0
    assert world.leftovers == []
    # With a date it is known that CloudFormation has all that it waits for.
    assert (late.answer is None) is dated


def test_a_second_delivery_an_hour_after_the_stop_stops_nothing_more(world: World) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, KEEP) == "SUCCESS"
    world.run(3600)
    world.deliver(story.asked[-1].event)
    world.run(1000)
    assert story.attempts == 1
    assert world.leftovers == []
    # One for the Create, one for the Update: CloudFormation has its answer.
    assert len(list(world.journal.puts())) == 2


@pytest.mark.parametrize("gap", [0.004, 0.3, 0.999])
def test_an_undo_in_the_second_of_its_failure(world: World, gap: float) -> None:
    """UPDATE_FAILED and the following undo may have the same second, in both variants."""
    world.stack.event_lag = 4
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    story.notes("UPDATE_IN_PROGRESS", PROMOTE)
    story.notes("UPDATE_FAILED", PROMOTE)
    assert story.asks("Update", KEEP, PROMOTE, after=gap) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("ahead", [-1.5, -0.02, 0.02, 3.0])
def test_clocks_that_differ_a_little_change_nothing(world: World, ahead: float) -> None:
    """The stack's events and the request's date come from different clocks."""
    story = Story(world).created(KEEP)
    world.run(10)
    world.stack.enter("UPDATE_IN_PROGRESS", world.clock.now + ahead)
    assert story.asks("Update", PROMOTE, KEEP, after=0.01) == "SUCCESS"
    assert story.stops == ["Promote"]


# Nested stacks


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_nested_stack_that_is_operated_directly(world: World, kind: str) -> None:
    story = Story(world, is_nested=True)
    story.root_enters("CREATE_IN_PROGRESS")
    story.created(KEEP)
    story.root_enters("CREATE_COMPLETE")
    story.rests().enters(f"{kind.upper()}_IN_PROGRESS")
    answer = story.asks(kind, PROMOTE if kind == "Update" else KEEP, KEEP)
    assert answer == ("FAILED" if kind == "Update" else "SUCCESS")
    assert story.attempts == 0


# What cannot be read


# What goes on while a request waits


def test_an_order_that_waits_while_a_sibling_fails_without_rollback_fails(world: World) -> None:
    """CloudFormation may restore what failed inside the same update. A retry is an order."""
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    world.experiment("Updating", BRIEF)
    asked = story.sends("Update", PROMOTE, KEEP)
    world.run(5)
    now = world.clock.now
    world.stack.events.append(Event(now, "Bucket", "a", "AWS::S3::Bucket", "UPDATE_FAILED"))
    story.until_answered(asked)
    assert story.last["Status"] == "FAILED"
    assert story.stops == []
    story.enters("UPDATE_FAILED").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, KEEP) == "SUCCESS"
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("lost", ["answer", "invocation"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_stop_of_which_no_answer_came_is_waited_for_whatever_cannot_be_told_then(
    world: World, kind: str, lost: str
) -> None:
    """SageMaker took it. For a Delete the events are denied; of an Update a sibling fails."""
    world.experiment("Running", Pace(stop=600, lag=8))
    story = Story(world).created(PROMOTE if kind == "Delete" else KEEP)
    story.enters(f"{kind.upper()}_IN_PROGRESS")
    if lost == "answer":
        world.fail("StopInferenceExperiment", "taken", attempts=1)
    asked = story.sends(kind, PROMOTE, KEEP if kind == "Update" else None)
    while not story.stops:
        world.run(0.5)
    if lost == "invocation":
        [running] = world.function.running.values()
        running.task.is_killed = True
    if kind == "Delete":
        world.fail("DescribeStackEvents", "denied", attempts=10**6)
    else:
        sibling = Event(world.clock.now, "Bucket", "a", "AWS::S3::Bucket", "UPDATE_FAILED")
        world.stack.events.append(sibling)
    story.until_answered(asked)
    assert story.last["Status"] == "SUCCESS"
    assert asked.answered_at - asked.issued_at > 590
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("old", [KEEP, PROMOTE], ids=["stable", "failed"])
@pytest.mark.parametrize("again", [True, False], ids=["again", "withdrawn"])
def test_requests_without_a_date_are_told_apart_by_the_events(
    world: World, old: Declared, again: bool
) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", PROMOTE, KEEP, dated=False) == "FAILED"
    fault.attempts = 0
    assert story.asks("Update", KEEP, PROMOTE, dated=False) == "SUCCESS"
    assert story.stops == []
    story.enters("UPDATE_FAILED").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE if again else KEEP, old, dated=False) == "SUCCESS"
    assert story.stops == (["Promote"] if again else [])
