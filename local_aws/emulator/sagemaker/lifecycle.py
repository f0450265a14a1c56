"""How an experiment goes from one status to the next by itself."""

from __future__ import annotations

from local_aws.emulator.sagemaker.state import Experiment, State

__all__ = ["begin", "end", "owner", "set_status"]


def owner(experiment: Experiment) -> str:
    """Return the name an experiment's coming steps are noted under."""
    return f"inference-experiment/{experiment.name}"


def end(experiment: Experiment, status: str, at: float) -> None:
    """Set an experiment Completed or Cancelled."""
    set_status(experiment, status, at)
    experiment.completed = at


def begin(state: State, experiment: Experiment, now: float, status: str = "Starting") -> None:
    """Deploy an experiment's variants onto its endpoint, then let it run to its EndTime."""
    experiment.status, experiment.modified = status, now
    running = now + state.settings.start_seconds
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None:
        state.settle(endpoint, running)
    state.timeline.at(running, owner(experiment), lambda at: _run(state, experiment, at))


def _run(state: State, experiment: Experiment, at: float) -> None:
    """Let a deployed experiment run, and note the end that its schedule sets."""
    set_status(experiment, "Running", at)
    experiment.variant_status = {variant.name: "InService" for variant in experiment.variants}
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None:
        production = [item for item in experiment.variants if item.name == experiment.source]
        shadow = [item for item in experiment.variants if item.name != experiment.source]
        state.serve(endpoint, at, production, shadow)
    finish = experiment.request.get("Schedule", {}).get("EndTime")
    if finish is not None:
        when = max(finish, at)
        state.timeline.at(when, owner(experiment), lambda due: _expire(state, experiment, due))


def _expire(state: State, experiment: Experiment, at: float) -> None:
    """End an experiment as its schedule says; AWS documents no change of the endpoint for it."""
    set_status(experiment, "Stopping", at)
    over = at + state.settings.stop_seconds
    state.timeline.at(over, owner(experiment), lambda due: end(experiment, "Completed", due))


def set_status(experiment: Experiment, status: str, at: float) -> None:
    """Set what Describe shows as status and last change."""
    experiment.status, experiment.modified = status, at
