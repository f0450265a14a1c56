"""Stories of whole stacks, as AWS documents them; see :mod:`.stories`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loopback.cloudformation import Event
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, RESOURCE_TYPE, World

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


def failed_promotion(
    world: World, *, undo: bool, denied: str = "StopInferenceExperiment"
) -> tuple[Story, object]:
    """A promotion that IAM denies, without rollback."""
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail(denied, "denied", attempts=10**6)
    assert story.asks("Update", PROMOTE, KEEP) == "FAILED"
    if undo:
        assert story.asks("Update", KEEP, PROMOTE) == "SUCCESS"
    story.enters("UPDATE_FAILED", after=2).rests()
    fault.attempts = 0
    assert story.stops == []
    return story, fault


@pytest.mark.parametrize("old", [KEEP, PROMOTE], ids=["stable", "failed"])
@pytest.mark.parametrize("undo", [True, False], ids=["undone", "left"])
def test_the_retry_of_a_failed_promotion_promotes(world: World, old: Declared, undo: bool) -> None:
    story, _ = failed_promotion(world, undo=undo)
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, old) == "SUCCESS"
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("old", [KEEP, PROMOTE], ids=["stable", "failed"])
@pytest.mark.parametrize("undo", [True, False], ids=["undone", "left"])
def test_a_failed_promotion_that_is_withdrawn_is_none(
    world: World, old: Declared, undo: bool
) -> None:
    story, _ = failed_promotion(world, undo=undo)
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", KEEP, old) == "SUCCESS"
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**KEEP, "Reason": "tidy"}, KEEP) == "SUCCESS"
    assert story.attempts > 0
    assert story.stops == []


@pytest.mark.parametrize("told", [KEEP, PROMOTE], ids=["stable", "failed"])
@pytest.mark.parametrize("undo", [True, False], ids=["undone", "left"])
def test_a_teardown_after_a_failed_promotion_ends_as_last_deployed_well(
    world: World, told: Declared, undo: bool
) -> None:
    story, _ = failed_promotion(world, undo=undo)
    story.enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", told) == "SUCCESS"
    assert story.stops == ["Remove"]


@pytest.mark.parametrize("old", [KEEP, PROMOTE, CANCEL], ids=["stable", "first", "second"])
def test_a_changed_retry_that_fails_again_and_then_another(world: World, old: Declared) -> None:
    """The last successful declaration is the first one, however many updates failed since."""
    story, fault = failed_promotion(world, undo=False)
    fault.attempts = 10**6  # type: ignore[attr-defined]
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", CANCEL, PROMOTE) == "FAILED"
    story.enters("UPDATE_FAILED").rests()
    fault.attempts = 0  # type: ignore[attr-defined]
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**KEEP, "Reason": "as before"}, old) == "SUCCESS"
    assert story.stops == []
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", CANCEL, {**KEEP, "Reason": "as before"}) == "SUCCESS"
    assert story.stops == ["Promote"]


def test_rollback_stack_after_a_failed_update_stops_nothing(world: World) -> None:
    """RollbackStack restores an UPDATE_FAILED stack to its last stable state."""
    story, _ = failed_promotion(world, undo=False)
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", KEEP, PROMOTE) == "SUCCESS"
    story.enters("UPDATE_ROLLBACK_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, KEEP) == "SUCCESS"
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("old", [KEEP, PROMOTE], ids=["stable", "failed"])
def test_a_skipped_rollback_leaves_the_last_real_completion(world: World, old: Declared) -> None:
    """ContinueUpdateRollback with ResourcesToSkip writes UPDATE_COMPLETE without a request."""
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", PROMOTE, KEEP) == "FAILED"
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS").notes("UPDATE_IN_PROGRESS", KEEP)
    story.notes("UPDATE_FAILED", KEEP).enters("UPDATE_ROLLBACK_FAILED").rests()
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS").notes("UPDATE_COMPLETE", PROMOTE)
    story.enters("UPDATE_ROLLBACK_COMPLETE").rests()
    fault.attempts = 0
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**KEEP, "Reason": "still"}, old) == "SUCCESS"
    assert story.stops == []
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, {**KEEP, "Reason": "still"}) == "SUCCESS"
    assert story.stops == ["Promote"]


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
    story, _ = failed_promotion(world, undo=False)
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


def test_a_continued_rollback_that_skips_nothing_stops_nothing(world: World) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", PROMOTE, KEEP) == "FAILED"
    fault.attempts = 0
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS").notes("UPDATE_IN_PROGRESS", KEEP)
    story.notes("UPDATE_FAILED", KEEP).enters("UPDATE_ROLLBACK_FAILED").rests()
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", KEEP, PROMOTE) == "SUCCESS"
    assert story.stops == []


# Creations


@pytest.mark.parametrize("review", [True, False], ids=["by change set", "direct"])
def test_a_creation_that_stops(world: World, review: bool) -> None:
    story = Story(world)
    if review:
        story.enters("REVIEW_IN_PROGRESS").rests(100)
    story.enters("CREATE_IN_PROGRESS", after=3)
    assert story.asks("Create", {**PROMOTE, "StopOn": ["Create"]}) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of(NAME)
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("stop_on", [["Create"], ["Update", "Delete"]])
def test_a_failed_creation_without_rollback_is_tried_again_by_an_update(
    world: World, stop_on: list[str]
) -> None:
    """CloudFormation deletes the failed physical id, and creates the resource again."""
    declared = {**PROMOTE, "StopOn": stop_on}
    story = Story(world).enters("CREATE_IN_PROGRESS")
    fault = world.fail("DescribeInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Create", declared) == "FAILED"
    marker = story.last["PhysicalResourceId"]
    fault.attempts = 0
    story.enters("CREATE_FAILED").rests().enters("UPDATE_IN_PROGRESS")
    calls = len(list(world.journal.calls("DescribeInferenceExperiment")))
    assert story.asks("Delete", declared, physical_id=marker) == "SUCCESS"
    assert len(list(world.journal.calls("DescribeInferenceExperiment"))) == calls
    assert story.stops == []
    assert story.asks("Create", declared) == "SUCCESS"
    assert story.stops == (["Promote"] if "Create" in stop_on else [])


def test_what_an_update_of_a_failed_creation_changes_is_an_order(world: World) -> None:
    story = Story(world).enters("CREATE_IN_PROGRESS")
    assert story.asks("Create", KEEP) == "SUCCESS"
    story.enters("CREATE_FAILED").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", PROMOTE, KEEP) == "SUCCESS"
    assert story.stops == ["Promote"]


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


def test_a_stack_that_was_imported_is_deleted(world: World) -> None:
    story = Story(world).enters("REVIEW_IN_PROGRESS").enters("IMPORT_IN_PROGRESS")
    story.enters("IMPORT_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Create", PROMOTE) == "SUCCESS"
    story.enters("UPDATE_COMPLETE").rests().enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Promote"]


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


@pytest.mark.parametrize(("status", "stops"), [(CLEANUP, ["Promote"]), ("UPDATE_IN_PROGRESS", [])])
def test_a_resource_that_is_taken_out_ends_its_experiment_in_the_clean_up(
    world: World, status: str, stops: list[str]
) -> None:
    """Before it, the update may still be undone."""
    story = Story(world).created(PROMOTE).enters("UPDATE_IN_PROGRESS")
    if status == CLEANUP:
        story.enters(status)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == stops
    assert story.has_warned is (stops == [])


def test_a_stack_that_was_rolled_back_is_deleted(world: World) -> None:
    story = Story(world).created(PROMOTE).enters("UPDATE_IN_PROGRESS")
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS").enters("UPDATE_ROLLBACK_COMPLETE").rests()
    story.enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Promote"]


def test_many_events_do_not_hide_what_decides(world: World) -> None:
    """Pages with two events: the event that the stack was complete is pages away."""
    world.cloudformation.event_page_size = 2
    story = Story(world).created(KEEP)
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    for _ in range(3):
        story.enters("UPDATE_IN_PROGRESS")
        assert story.asks("Update", PROMOTE, KEEP) == "FAILED"
        story.enters("UPDATE_FAILED").rests()
    fault.attempts = 0
    story.enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Remove"]


# Renames


def renamed(world: World) -> Story:
    world.sagemaker.add("fraud-shadow-2", "Running", BRIEF)
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", RENAMED, KEEP) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of("fraud-shadow-2")
    assert story.stops == []
    return story


def test_a_rename_in_place_ends_the_old_experiment_in_its_clean_up(world: World) -> None:
    story = renamed(world).enters(CLEANUP)
    assert story.asks("Delete", KEEP) == "SUCCESS"
    assert story.stops == ["Remove"]
    assert world.sagemaker.experiments["fraud-shadow-2"].true_status == "Running"


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


def test_a_rename_there_and_back_again(world: World) -> None:
    story = renamed(world).enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    new_id = arn_of("fraud-shadow-2")
    assert story.asks("Update", KEEP, RENAMED, physical_id=new_id) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of(NAME)
    story.enters(CLEANUP)
    assert story.asks("Delete", RENAMED, physical_id=new_id) == "SUCCESS"
    assert world.sagemaker.experiments["fraud-shadow-2"].has_ended
    assert world.sagemaker.experiments[NAME].true_status == "Running"


def test_a_rename_with_end_now_is_refused_like_a_create(world: World) -> None:
    world.sagemaker.add("fraud-shadow-2", "Running", BRIEF)
    story = Story(world).created(ARMED).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**NOW, "Name": "fraud-shadow-2"}, ARMED) == "FAILED"
    assert story.last["PhysicalResourceId"] == arn_of(NAME)
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", ARMED, {**NOW, "Name": "fraud-shadow-2"}) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("told", [KEEP, RENAMED], ids=["stable", "failed"])
@pytest.mark.parametrize("undo", [True, False], ids=["undone", "left"])
def test_a_teardown_after_a_failed_rename_ends_the_experiment_that_was_deployed(
    world: World, told: Declared, undo: bool
) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", RENAMED, KEEP) == "FAILED"
    assert story.last["PhysicalResourceId"] == arn_of(NAME)
    if undo:
        assert story.asks("Update", KEEP, RENAMED) == "SUCCESS"
    story.enters("UPDATE_FAILED").rests().enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", told) == "SUCCESS"
    assert story.stops == ["Remove"]
    assert story.last["PhysicalResourceId"] == arn_of(NAME)


@pytest.mark.parametrize("old", [KEEP, RENAMED], ids=["stable", "failed"])
def test_a_failed_rename_is_tried_again_or_withdrawn(world: World, old: Declared) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", RENAMED, KEEP) == "FAILED"
    story.enters("UPDATE_FAILED").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", {**KEEP, "Reason": "still"}, old) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of(NAME)
    assert story.attempts == 0
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    world.sagemaker.add("fraud-shadow-2", "Running", BRIEF)
    assert story.asks("Update", RENAMED, KEEP) == "SUCCESS"
    assert story.last["PhysicalResourceId"] == arn_of("fraud-shadow-2")
    assert story.attempts == 0


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


def test_end_now_that_fails_and_is_rolled_back_is_an_order_again(world: World) -> None:
    story = Story(world).created(ARMED).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", NOW, ARMED) == "FAILED"
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", ARMED, NOW) == "SUCCESS"
    story.enters("UPDATE_ROLLBACK_COMPLETE").rests()
    fault.attempts = 0
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", NOW, ARMED) == "SUCCESS"
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("old", [ARMED, NOW], ids=["stable", "failed"])
@pytest.mark.parametrize("undo", [True, False], ids=["undone", "left"])
@pytest.mark.parametrize("again", [True, False], ids=["again", "withdrawn"])
def test_end_now_that_fails_without_rollback(
    world: World, old: Declared, undo: bool, again: bool
) -> None:
    story = Story(world).created(ARMED).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", NOW, ARMED) == "FAILED"
    if undo:
        assert story.asks("Update", ARMED, NOW) == "SUCCESS"
    story.enters("UPDATE_FAILED").rests()
    fault.attempts = 0
    story.enters("UPDATE_IN_PROGRESS")
    new = {**(NOW if again else ARMED), "Reason": "again"}
    assert story.asks("Update", new, old) == "SUCCESS"
    assert story.stops == (["Promote"] if again else [])


def test_end_now_taken_back_and_the_next_test(world: World) -> None:
    story = Story(world).created(ARMED).enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", NOW, ARMED) == "SUCCESS"
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", ARMED, NOW) == "SUCCESS"
    story.enters("UPDATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", NOW, ARMED) == "SUCCESS"
    assert story.stops == ["Promote"]


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


@pytest.mark.parametrize("stop_on", [["Create"], ["Update"], ["Delete"], ["Create", "Delete"]])
def test_end_now_ends_whatever_stop_on_says(world: World, stop_on: list[str]) -> None:
    armed = {**KEEP, "StopOn": ["Delete"]}
    story = Story(world).created(armed).enters("UPDATE_IN_PROGRESS")
    new = {**PROMOTE, "StopOn": stop_on, "EndNow": "true"}
    assert story.asks("Update", new, armed) == "SUCCESS"
    assert story.stops == ["Promote"]


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


@pytest.mark.parametrize("names", [("root",), ("middle", "root")], ids=["one", "two"])
def test_a_nested_update_and_a_nested_deletion(world: World, names: tuple[str, ...]) -> None:
    story = nested(world, {**KEEP, "StopOn": ["Update", "Delete"]}, *names)
    descends(story, len(names), "UPDATE_IN_PROGRESS").enters("UPDATE_IN_PROGRESS", after=1)
    assert story.asks("Update", PROMOTE, KEEP) == "SUCCESS"
    assert story.stops == ["Promote"]


@pytest.mark.parametrize("names", [("root",), ("middle", "root")], ids=["one", "two"])
def test_a_root_that_is_deleted_ends_as_declared(world: World, names: tuple[str, ...]) -> None:
    story = nested(world, PROMOTE, *names)
    descends(story, len(names), "DELETE_IN_PROGRESS").enters("DELETE_IN_PROGRESS", after=1)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Promote"]


def test_the_middle_one_rolls_back_while_the_root_goes_on(world: World) -> None:
    story = nested(world, KEEP, "middle", "root")
    descends(story, 2, "UPDATE_IN_PROGRESS").enters("UPDATE_IN_PROGRESS", after=1)
    story.notes("UPDATE_IN_PROGRESS", CANCEL).notes("UPDATE_COMPLETE", CANCEL)
    story.enters("UPDATE_COMPLETE", after=1).says("UPDATE_COMPLETE", story.above())
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS", story.above())
    story.says("UPDATE_IN_PROGRESS", story.above()).enters("UPDATE_IN_PROGRESS", after=1)
    assert story.asks("Update", KEEP, CANCEL) == "SUCCESS"
    assert story.attempts == 0


def test_a_nested_stack_that_the_middle_one_had_just_made(world: World) -> None:
    story = Story(world, nested_in=("middle", "root"))
    for level in (2, 1):
        story.enters("CREATE_IN_PROGRESS", story.above(level), after=1)
        story.says("CREATE_IN_PROGRESS", story.above(level))
        if level == 2:
            story.says("CREATE_COMPLETE", story.above(2)).enters("CREATE_COMPLETE", story.above(2))
            story.enters("CREATE_COMPLETE", story.above(1)).rests()
            story.enters("UPDATE_IN_PROGRESS", story.above(2)).says(
                "UPDATE_IN_PROGRESS", story.above(2)
            )
            story.enters("UPDATE_IN_PROGRESS", story.above(1), after=1)
    story.enters("CREATE_IN_PROGRESS", after=1)
    assert story.asks("Create", PROMOTE) == "SUCCESS"
    story.enters("CREATE_COMPLETE", after=1).says("CREATE_COMPLETE", story.above())
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS", story.above())
    story.says("DELETE_IN_PROGRESS", story.above()).enters("DELETE_IN_PROGRESS", after=1)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize(("status", "stops"), [(CLEANUP, ["Promote"]), ("UPDATE_IN_PROGRESS", [])])
def test_a_nested_stack_that_is_taken_out_of_its_parent(
    world: World, status: str, stops: list[str]
) -> None:
    story = nested(world, PROMOTE).enters("UPDATE_IN_PROGRESS", None)
    story.stack.events.pop()
    story.stack.enter("CREATE_COMPLETE", story.stack.events[-1].at)
    story.stack.events.pop()
    story.enters("UPDATE_IN_PROGRESS", story.above())
    if status == CLEANUP:
        story.enters(CLEANUP, story.above())
    story.says("DELETE_IN_PROGRESS", story.above()).enters("DELETE_IN_PROGRESS", after=1)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == stops
    assert story.has_warned is (stops == [])


def test_a_nested_stack_whose_clean_up_follows_its_parents(world: World) -> None:
    """A nested stack cleans up when its root does."""
    story = nested(world, PROMOTE)
    descends(story, 1, "UPDATE_IN_PROGRESS").enters("UPDATE_IN_PROGRESS", after=1)
    story.says("UPDATE_COMPLETE", story.above()).enters(CLEANUP, story.above())
    story.enters(CLEANUP, after=1)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.stops == ["Promote"]


def test_a_root_without_rollback_restores_a_nested_stack(world: World) -> None:
    story = nested(world, KEEP)
    descends(story, 1, "UPDATE_IN_PROGRESS").enters("UPDATE_IN_PROGRESS", after=1)
    story.notes("UPDATE_IN_PROGRESS", CANCEL).notes("UPDATE_COMPLETE", CANCEL)
    story.enters("UPDATE_FAILED").says("UPDATE_FAILED", story.above())
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


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_rollback_that_only_the_events_tell(world: World, kind: str) -> None:
    """One fact that proves an undo is enough, even if others cannot be read."""
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    world.fail("DescribeStacks", "denied", attempts=10**6)
    assert story.asks(kind, KEEP, PROMOTE, after=30) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_rollback_that_only_the_status_tells(world: World, kind: str) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    world.fail("DescribeStackEvents", "denied", attempts=10**6)
    assert story.asks(kind, KEEP, PROMOTE, after=30) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeStackEvents"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_nothing_is_stopped_without_what_allows_it(world: World, kind: str, operation: str) -> None:
    story = Story(world).created(KEEP).enters(f"{kind.upper()}_IN_PROGRESS")
    world.fail(operation, "denied", attempts=10**6)
    answer = story.asks(kind, PROMOTE if kind == "Update" else KEEP, KEEP)
    assert answer == ("FAILED" if kind == "Update" else "SUCCESS")
    assert story.has_warned
    assert story.attempts == 0


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_retry_that_is_denied_the_events_stops_nothing(world: World, kind: str) -> None:
    """SUCCESS of an Update would be final: only a teardown must not brick."""
    story, _ = failed_promotion(world, undo=False)
    world.fail("DescribeStackEvents", "denied", attempts=10**6)
    story.enters(f"{kind.upper()}_IN_PROGRESS")
    answer = story.asks(kind, PROMOTE, PROMOTE)
    assert answer == ("FAILED" if kind == "Update" else "SUCCESS")
    assert story.has_warned
    assert story.stops == []


@pytest.mark.parametrize("denied", ["DescribeStackEvents", "DescribeStacks"])
def test_an_undone_creation_that_cannot_be_read_ends_nothing(world: World, denied: str) -> None:
    """The readable facts prove the undo."""
    story = Story(world).enters("CREATE_IN_PROGRESS")
    assert story.asks("Create", PROMOTE) == "SUCCESS"
    story.enters("ROLLBACK_IN_PROGRESS")
    world.fail(denied, "denied", attempts=10**6)
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.attempts == 0


# The construct's id


def with_another_id(world: World) -> Story:
    """CloudFormation creates the resource under its new id, then deletes the old one."""
    story = Story(world).created(PROMOTE)
    world.stack.add(LOGICAL_ID, arn_of(NAME), RESOURCE_TYPE, "CREATE_COMPLETE")
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Create", PROMOTE, logical_id="Renamed1") == "SUCCESS"
    world.stack.add("Renamed1", arn_of(NAME), RESOURCE_TYPE, "CREATE_COMPLETE")
    return story


def test_a_construct_with_another_id_keeps_its_experiment(world: World) -> None:
    story = with_another_id(world).enters(CLEANUP)
    world.stack.resources[0]["ResourceStatus"] = "DELETE_IN_PROGRESS"
    assert story.asks("Delete", PROMOTE) == "SUCCESS"
    assert story.attempts == 0


@pytest.mark.parametrize("way", ["rolled back", "taken back after a failure without rollback"])
def test_a_construct_that_gets_its_id_back_keeps_its_experiment(world: World, way: str) -> None:
    story = with_another_id(world)
    if way == "rolled back":
        story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
        story.enters("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    else:
        story.enters("UPDATE_FAILED").rests().enters("UPDATE_IN_PROGRESS").enters(CLEANUP)
    world.stack.resources[1]["ResourceStatus"] = "DELETE_IN_PROGRESS"
    assert story.asks("Delete", PROMOTE, logical_id="Renamed1") == "SUCCESS"
    assert story.attempts == 0


def test_a_promotion_under_another_id_is_not_asked_for_again(world: World) -> None:
    declared = {**PROMOTE, "StopOn": ["Create"]}
    story = Story(world).enters("CREATE_IN_PROGRESS")
    assert story.asks("Create", declared) == "SUCCESS"
    story.enters("CREATE_COMPLETE").rests().enters("UPDATE_IN_PROGRESS")
    assert story.asks("Create", declared, logical_id="Renamed1") == "SUCCESS"
    assert story.stops == ["Promote"]


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


def test_a_sibling_that_fails_with_rollback_undoes_it(world: World) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    world.experiment("Updating", Pace(begin=300))
    asked = story.sends("Update", PROMOTE, KEEP)
    asked.is_abandoned = True
    world.run(60)
    story.notes("UPDATE_FAILED", PROMOTE).enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", KEEP, PROMOTE) == "SUCCESS"
    story.enters("UPDATE_ROLLBACK_COMPLETE").rests(1000)
    assert story.stops == []
    assert world.leftovers == []


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


# Outcomes: the same promises


@pytest.mark.parametrize("old", [KEEP, OUTCOME], ids=["stable", "failed"])
@pytest.mark.parametrize("again", [True, False], ids=["again", "withdrawn"])
def test_an_outcome_that_fails_without_rollback(world: World, old: Declared, again: bool) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", OUTCOME, KEEP) == "FAILED"
    assert story.asks("Update", KEEP, OUTCOME) == "SUCCESS"
    story.enters("UPDATE_FAILED").rests()
    fault.attempts = 0
    story.enters("UPDATE_IN_PROGRESS")
    assert story.asks("Update", OUTCOME if again else KEEP, old) == "SUCCESS"
    assert story.stops == (["Promote"] if again else [])


def test_a_teardown_of_a_stack_whose_outcome_failed_ends_as_last_deployed_well(
    world: World,
) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    fault = world.fail("StopInferenceExperiment", "denied", attempts=10**6)
    assert story.asks("Update", OUTCOME, KEEP) == "FAILED"
    story.enters("UPDATE_FAILED").rests()
    fault.attempts = 0
    story.enters("DELETE_IN_PROGRESS")
    assert story.asks("Delete", OUTCOME) == "SUCCESS"
    assert story.stops == ["Remove"]


def test_a_gate_is_not_asked_in_a_rollback(world: World) -> None:
    story = Story(world).created(KEEP).enters("UPDATE_IN_PROGRESS")
    story.enters("UPDATE_ROLLBACK_IN_PROGRESS")
    assert story.asks("Update", GATED, KEEP) == "SUCCESS"
    assert story.attempts == 0
    assert list(world.journal.calls("GetMetricData")) == []
