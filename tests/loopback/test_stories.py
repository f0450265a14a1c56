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

from .stories import ARMED, BRIEF, CANCEL, NOW, Declared, Story

RENAMED = {**KEEP, "Name": "fraud-shadow-2"}
OUTCOME = {"Name": NAME, "Outcome": "PromoteShadow"}
EVIDENCE = {
    "MinInvocations": "1000",
    "Window": "3600",
    "Comparisons": [{"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": "1.1"}],
}
GATED = {**OUTCOME, "PromoteIf": EVIDENCE}
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


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


@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", CLEANUP])
def test_a_delete_that_failed_is_tried_again(world: World, status: str) -> None:
    story = Story(world).created(PROMOTE)
    if status == CLEANUP:
        story.enters("UPDATE_IN_PROGRESS")
    story.enters(status)
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Delete", PROMOTE) == "FAILED"
    fault.attempts = 0
    if status == "DELETE_IN_PROGRESS":
        story.enters("DELETE_FAILED").rests().enters(status)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Promote"]


def test_a_delete_that_timed_out_is_tried_again_and_finds_its_own_end(world: World) -> None:
    world.experiment("Running", Pace(stop=5000))
    story = Story(world).created(PROMOTE).enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", PROMOTE) == "FAILED"
    story.enters("DELETE_FAILED").rests().enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Promote"]


# Renames


def renamed(world: World) -> Story:
    world.sagemaker.add("fraud-shadow-2", "Running", BRIEF)
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", RENAMED, KEEP) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of("fraud-shadow-2")
    assert story.stops == []
    return story


def test_a_rename_that_is_rolled_back_restores_the_id_and_ends_nothing(world: World) -> None:
    story = renamed(world).enters("UPDATE_ROLLBACK_IN_PROGRESS")
    new_id = arn_of("fraud-shadow-2")
    assert story.asks("Update", KEEP, RENAMED, physical_id=new_id) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of(NAME)
    story.enters("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    assert story.asks("Delete", RENAMED, physical_id=new_id) == "SUCCESS"
    assert story.attempts == 0
    story.enters("UPDATE_ROLLBACK_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, KEEP) == "SUCCESS"
    assert story.stops == ["Promote"]


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


def test_a_cancelled_update_waits_in_its_rollback_for_the_stop_that_it_cannot_undo(
    world: World,
) -> None:
    """The next rollback may need the endpoint, even if only EndNow is undone."""
    story = Story(world).created(ARMED).enters("UPDATE_IN_PROGRESS")
    story.sends("Update", NOW, ARMED).is_abandoned = True
    world.run(20)
    assert story.stops == ["Promote"]
    story.notes("UPDATE_FAILED", NOW).enters("UPDATE_ROLLBACK_IN_PROGRESS", after=1)
    undo = story.sends("Update", ARMED, NOW, after=0.4)
    story.until_answered(undo)
    assert world.sagemaker.experiments[NAME].was_settled_at(undo.answered_at)
    assert story.stops == ["Promote"]


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


def nested(world: World, declared: Declared, *names: str) -> Story:
    """A nested stack that was created successfully, with its parents."""
    story = Story(world, nested_in=names or ("root",))
    levels = range(len(names) or 1, 0, -1)
    for level in levels:
        story.enters("CREATE_IN_PROGRESS", story.above(level), after=1)
        story.says("CREATE_IN_PROGRESS", story.above(level))
    story.enters("CREATE_IN_PROGRESS", after=1)
    assert story.asks("Create", declared) == "SUCCESS"
    story.enters("CREATE_COMPLETE", after=1)
    for level in reversed(levels):
        story.says("CREATE_COMPLETE", story.above(level))
        story.enters("CREATE_COMPLETE", story.above(level), after=1)
    return story.rests()


def descends(story: Story, levels: int, status: str) -> Story:
    """Every parent gets a status, the root first, with an event about its nested stack."""
    for level in range(levels, 0, -1):
        story.enters(status, story.above(level), after=1)
        story.says(status, story.above(level))
    return story


def test_the_middle_one_rolls_back_while_the_root_goes_on(world: World) -> None:
    story = nested(world, KEEP, "middle", "root")
    descends(story, 2, "UPDATE_IN_PROGRESS").enters("UPDATE_IN_PROGRESS", after=1)
    story.notes("UPDATE_IN_PROGRESS", CANCEL).notes("UPDATE_COMPLETE", CANCEL)
    story.enters("UPDATE_COMPLETE", after=1).says("UPDATE_COMPLETE", story.above())
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS", story.above())
    story.says("UPDATE_IN_PROGRESS", story.above()).enters("UPDATE_IN_PROGRESS", after=1)
    assert story.asks("Update", KEEP, CANCEL) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_nested_stack_that_is_operated_directly(world: World, kind: str) -> None:
    story = nested(world, KEEP).enters(f"{kind.upper()}_IN_PROGRESS")
    answer = story.asks(kind, PROMOTE if kind == "Update" else KEEP, KEEP)
    assert answer == ("FAILED" if kind == "Update" else "SUCCESS")
    assert story.attempts == 0


# What cannot be read


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeStackEvents"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_nothing_is_stopped_without_what_allows_it(world: World, kind: str, operation: str) -> None:
    story = Story(world).created(KEEP).enters(f"{kind.upper()}_IN_PROGRESS")
    world.fail(operation, "denied", attempts=10**6)
    answer = story.asks(kind, PROMOTE if kind == "Update" else KEEP, KEEP)
    assert answer == ("FAILED" if kind == "Update" else "SUCCESS")
    assert story.has_warned
    assert story.attempts == 0


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


def test_rules_that_fire_twice_and_invocations_that_are_killed_stop_once(world: World) -> None:
    world.experiment("Running", Pace(stop=2000))
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    asked = story.sends("Update", PROMOTE, KEEP)
    world.run(30)
    for running in world.function.running.values():
        running.task.is_killed = True
    for _ in range(30):
        world.events.fires = 2
        world.run(60)
    story.until_answered(asked)
    assert story.last["Status"] == "SUCCESS"
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
