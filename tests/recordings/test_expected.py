"""What is expected of the recordings names events that they have."""

from __future__ import annotations

import pytest

from . import NAMES, load
from .expected import COMPLETIONS, OPERATIONS, REQUESTS, UNDER_A_ROLLBACK, Request


@pytest.mark.parametrize("name", NAMES)
def test_every_stack_has_its_operations(name: str) -> None:
    recording = load(name)
    assert recording.source
    assert set(OPERATIONS[name]) == set(recording.stacks)
    assert {event.stack for event in recording.events} <= set(recording.stacks)


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_begins_with_an_event_of_the_root(name: str) -> None:
    begun = [
        event.status.partition("_")[0]
        for event in load(name).with_past()
        if event.stack == "root"
        and event.is_of_stack
        and event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    ]
    for operations in OPERATIONS[name].values():
        assert [operation for operation, _ in operations] == begun


@pytest.mark.parametrize("name", COMPLETIONS)
def test_a_completion_is_an_event_that_follows_one_in_progress(name: str) -> None:
    for (stack, logical_id), times in COMPLETIONS[name].items():
        events = [e for e in load(name).of_stack(stack) if e.logical_id == logical_id]
        assert events
        for at in times:
            [number] = [
                number
                for number, event in enumerate(events)
                if event.at == at and event.status.endswith("E_COMPLETE")
            ]
            assert events[number - 1].status.endswith("_IN_PROGRESS")


def test_a_completion_under_a_rollback_is_a_completion() -> None:
    for name, stack, logical_id, at in UNDER_A_ROLLBACK:
        assert at in COMPLETIONS[name][stack, logical_id]


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_is_one_of_the_recording(request_: Request) -> None:
    name, stack, logical_id, at = request_[:4]
    [asked] = [
        event
        for event in load(name).of_stack(stack)
        if (event.logical_id, event.at) == (logical_id, at)
    ]
    assert asked.begins_request
    assert len(request_.operations) <= len(OPERATIONS[name][stack])
