"""How an experiment changes its status by itself.

API reference, CreateInferenceExperiment (Schedule): without an end time it ends after seven days.
SageMaker developer guide, "Shadow tests": the endpoint then goes back to its state before the test.
The shape InferenceExperimentSchedule: thirty days at most; after the start and the end, its times
are the real ones.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from local_aws.emulator.sagemaker.errors import validation
from local_aws.emulator.sagemaker.state import Endpoint, Experiment, State

__all__ = ["begin", "end", "owner", "schedule", "set_status"]

_DAY = 24 * 3600.0
_DEFAULT_DAYS, _MAX_DAYS = 7, 30


def schedule(given: dict[str, Any], now: float) -> dict[str, Any]:
    """Return a schedule with both of its times.

    Raises:
        ApiError: ValidationException if it lasts more than thirty days.
    """
    start = given.get("StartTime", now)
    finish = given.get("EndTime", start + _DEFAULT_DAYS * _DAY)
    if finish - start > _MAX_DAYS * _DAY:
        raise validation(f"The maximum duration of an inference experiment is {_MAX_DAYS} days.")
    return {"StartTime": start, "EndTime": finish}


def owner(experiment: Experiment) -> str:
    """Return the owner of an experiment's scheduled steps."""
    return f"inference-experiment/{experiment.name}"


def end(experiment: Experiment, status: str, at: float) -> None:
    """Set an experiment Completed or Cancelled."""
    set_status(experiment, status, at)
    experiment.completed = at
    experiment.request["Schedule"] = {**experiment.request["Schedule"], "EndTime": at}


def begin(state: State, experiment: Experiment, now: float, status: str = "Starting") -> None:
    """Deploy an experiment's variants onto its endpoint, then let it run to its EndTime."""
    experiment.status, experiment.modified = status, now
    running = now + state.settings_of(experiment).start_seconds
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None:
        experiment.before = experiment.before or copy(endpoint)
        state.settle(endpoint, running)
    state.timeline.at(running, owner(experiment), lambda at: _run(state, experiment, at))


def _run(state: State, experiment: Experiment, at: float) -> None:
    """Let a deployed experiment run, and schedule its end."""
    set_status(experiment, "Running", at)
    experiment.variant_status = {variant.name: "InService" for variant in experiment.variants}
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None:
        production = [item for item in experiment.variants if item.name == experiment.source]
        shadow = [item for item in experiment.variants if item.name != experiment.source]
        state.serve(endpoint, at, production, shadow)
    when = max(experiment.request["Schedule"]["EndTime"], at)
    state.timeline.at(when, owner(experiment), lambda due: _expire(state, experiment, due))


def _expire(state: State, experiment: Experiment, at: float) -> None:
    """End an experiment by its schedule: the endpoint goes back to its state before the test."""
    set_status(experiment, "Stopping", at)
    settings = state.settings_of(experiment)
    over = at + settings.stop_seconds
    before = experiment.before
    kept = set() if before is None else {item.name for item in (*before.production, *before.shadow)}
    experiment.variant_status = {
        variant.name: "Updating" if variant.name in kept else "Deleting"
        for variant in experiment.variants
    }
    state.timeline.at(over, owner(experiment), lambda due: _revert(state, experiment, before, due))
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None:
        state.settle(endpoint, over + settings.settle_seconds)


def _revert(state: State, experiment: Experiment, before: Endpoint | None, at: float) -> None:
    """Restore the endpoint's variants before the test, and end the experiment."""
    endpoint = state.endpoints.get(experiment.endpoint_name)
    fails = endpoint is not None and endpoint.next_failure is not None
    if endpoint is not None and before is not None and not fails:
        endpoint.config_name, endpoint.modified = before.config_name, at
        endpoint.production, endpoint.shadow = list(before.production), list(before.shadow)
        endpoint.counts.clear()
    ends = {"Updating": "InService", "Deleting": "InService" if fails else "Deleted"}
    experiment.variant_status = {
        name: ends[status] for name, status in experiment.variant_status.items()
    }
    end(experiment, "Completed", at)


def set_status(experiment: Experiment, status: str, at: float) -> None:
    """Set the status and the time of the last change."""
    experiment.status, experiment.modified = status, at
