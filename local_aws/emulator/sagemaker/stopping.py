"""StopInferenceExperiment: how the endpoint changes, and when.

AWS documents each action, but not every combination. Our choices are marked here; the README of the
local AWS lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.emulator.sagemaker.arns import Scope
from local_aws.emulator.sagemaker.errors import ApiError, conflict, validation
from local_aws.emulator.sagemaker.lifecycle import end, owner
from local_aws.emulator.sagemaker.state import (
    Experiment,
    State,
    Variant,
    redeclared,
    variant_from_config,
)

__all__ = ["OPERATIONS", "Outcome", "end_at_once", "outcome"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """An endpoint's variants after an experiment."""

    production: list[Variant]
    shadow: list[Variant]

    @property
    def kept(self) -> list[Variant]:
        """Every variant that is still deployed."""
        return [*self.production, *self.shadow]


def outcome(experiment: Experiment, request: Json) -> Outcome:
    """Return the endpoint's variants after a stop.

    Raises:
        ApiError: ValidationException if the actions or the desired variants name an unknown
        variant,
            promote the production variant, or leave no production variant.
    """
    actions: dict[str, str] = request["ModelVariantActions"]
    desired = {item["VariantName"]: item for item in request.get("DesiredModelVariants", [])}
    _check_names(experiment, actions, desired)
    if actions.get(experiment.source) == "Promote":
        raise validation(
            f"Variant {experiment.source} is the production variant and cannot be promoted."
        )
    production, shadow = _sorted_out(experiment, actions)
    if not production:
        raise validation("At least one production variant must remain on the endpoint.")
    gone = sorted(set(desired) - {variant.name for variant in (*production, *shadow)})
    if gone:
        raise validation(f"DesiredModelVariants names the variants {gone}, which are removed.")
    return Outcome(_as_desired(production, desired), _as_desired(shadow, desired))


def stop(state: State, scope: Scope, request: Json, now: float) -> Json:
    """StopInferenceExperiment: Stopping, then the endpoint changes and the experiment ends.

    AWS does not document the default of DesiredState, so it is a setting.
    """
    name = request["Name"]
    experiment = state.experiment(name, scope.arn("inference-experiment", name))
    settings = state.settings_of(experiment)
    if experiment.status not in settings.stop_accepted_from:
        raise conflict(
            f"Inference experiment {experiment.arn} cannot be stopped while it is "
            f"{experiment.status}."
        )
    endpoint = state.endpoints.get(experiment.endpoint_name)
    changes = endpoint is not None and endpoint.status == "Updating"
    if changes and settings.stop_during_endpoint_update != "accepted":
        text = f"Endpoint {experiment.endpoint_name} is being updated."
        raise ApiError(settings.stop_during_endpoint_update, text)
    result = outcome(experiment, request)
    for variant in result.kept:
        state.require_model(variant.model, scope.arn("model", variant.model))
    kept = {variant.name for variant in result.kept}
    experiment.status, experiment.modified = "Stopping", now
    experiment.status_reason = request.get("Reason")
    experiment.variant_status = {
        variant.name: "Updating" if variant.name in kept else "Deleting"
        for variant in experiment.variants
    }
    over = now + settings.stop_seconds
    final = request.get("DesiredState", settings.default_desired_state)
    if settings.stop_shows_as_cancelled:
        final = "Cancelled"
    state.timeline.cancel(owner(experiment))
    state.timeline.at(
        over, owner(experiment), lambda at: _apply(state, experiment, result, final, at)
    )
    # After the line above: steps for the same time run in the order in which they were added.
    if endpoint is not None:
        state.settle(endpoint, over + settings.settle_seconds)
    return {"InferenceExperimentArn": experiment.arn}


def end_at_once(
    state: State, experiment: Experiment, status: str, reason: str | None, now: float
) -> None:
    """End an experiment for a test, like an unexpected error: nothing is deployed.

    The endpoint keeps its variants and settles again, unless it was settling anyway.
    """
    state.timeline.cancel(owner(experiment))
    end(experiment, status, now)
    experiment.status_reason = reason
    experiment.variant_status = {variant.name: "InService" for variant in experiment.variants}
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None and endpoint.status == "Updating":
        state.settle(endpoint, now + state.settings_of(experiment).settle_seconds)


OPERATIONS = {"StopInferenceExperiment": stop}


def _apply(state: State, experiment: Experiment, result: Outcome, final: str, at: float) -> None:
    """Set the endpoint's variants after the stop, and end the experiment.

    If a test made the update fail, the endpoint keeps its variants.
    """
    endpoint = state.endpoints.get(experiment.endpoint_name)
    if endpoint is not None and endpoint.next_failure is not None:
        experiment.variant_status = dict.fromkeys(experiment.variant_status, "InService")
        end(experiment, final, at)
        return
    kept = {variant.name: variant for variant in result.kept}
    experiment.variants = [kept.get(variant.name, variant) for variant in experiment.variants]
    experiment.variant_status = {
        variant.name: "InService" if variant.name in kept else "Deleted"
        for variant in experiment.variants
    }
    if endpoint is not None:
        state.serve(endpoint, at, result.production, result.shadow)
    end(experiment, final, at)


def _check_names(experiment: Experiment, actions: Json, desired: Json) -> None:
    names = [variant.name for variant in experiment.variants]
    for member, used in (("ModelVariantActions", actions), ("DesiredModelVariants", desired)):
        unknown = sorted(set(used) - set(names))
        if unknown:
            raise validation(
                f"{member} names the variants {unknown}; inference experiment "
                f"{experiment.arn} has {names}."
            )


def _sorted_out(experiment: Experiment, actions: Json) -> tuple[list[Variant], list[Variant]]:
    """Return the production and the shadow variants that the actions leave.

    AWS does not document this; our choice: a variant without an action is retained, and a promoted
    variant replaces the production variant whatever the latter's action is.
    """
    promoted = [item for item in experiment.variants if actions.get(item.name) == "Promote"]
    retained = [
        item for item in experiment.variants if actions.get(item.name, "Retain") == "Retain"
    ]
    production = promoted or [item for item in retained if item.name == experiment.source]
    shadow = [item for item in retained if item.name != experiment.source]
    return production, shadow


def _as_desired(variants: list[Variant], desired: dict[str, Json]) -> list[Variant]:
    """Return variants with the models and instances that a stop declares."""
    return [
        redeclared(item, variant_from_config(desired[item.name])) if item.name in desired else item
        for item in variants
    ]
