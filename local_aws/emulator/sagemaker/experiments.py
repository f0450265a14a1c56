"""Inference experiments: every operation except Stop, which has its own module."""

# ruff: noqa: ARG001 (every operation takes the same arguments)
from __future__ import annotations

from typing import Any

from local_aws.emulator.sagemaker.arns import Scope
from local_aws.emulator.sagemaker.errors import ApiError, conflict, validation
from local_aws.emulator.sagemaker.lifecycle import begin, owner, schedule, set_status
from local_aws.emulator.sagemaker.state import (
    Endpoint,
    Experiment,
    State,
    Variant,
    redeclared,
    variant_from_config,
)

__all__ = ["OPERATIONS"]

Json = dict[str, Any]
_SUMMARY_KEYS = ("Name", "Type", "Schedule", "Status", "StatusReason", "Description")


def create(state: State, scope: Scope, request: Json, now: float) -> Json:
    """CreateInferenceExperiment: deploys the shadow onto the endpoint, then runs.

    With a future ``Schedule.StartTime``, the experiment is Created until then.
    """
    name = request["Name"]
    arn = scope.arn("inference-experiment", name)
    if name in state.experiments:
        raise ApiError("ResourceInUse", f"Inference experiment {arn} already exists.")
    _check_endpoint(state, scope, request["EndpointName"])
    variants = [variant_from_config(item) for item in request["ModelVariants"]]
    inferentia = sorted({v.instance_type or "" for v in variants if _is_inf1(v)})
    if inferentia:
        raise validation(f"Inference experiments do not support the instance types {inferentia}.")
    for variant in variants:
        state.require_model(variant.model, scope.arn("model", variant.model))
    source = _check_shadow_mode(request["ShadowModeConfig"], variants)
    planned = schedule(request.get("Schedule", {}), now)
    declared = {**request, "Schedule": planned}
    experiment = Experiment(
        name, arn, request["EndpointName"], now, now, declared, variants, source
    )
    state.experiments[name] = experiment
    state.tag(arn, request)
    experiment.variant_status = {variant.name: "Creating" for variant in variants}
    start = planned["StartTime"]
    if start > now:
        ready = now + state.settings_of(experiment).start_seconds
        state.timeline.at(
            ready, owner(experiment), lambda at: set_status(experiment, "Created", at)
        )
        due = max(start, ready)
        state.timeline.at(due, owner(experiment), lambda at: begin(state, experiment, at))
    else:
        begin(state, experiment, now, status="Creating")
    return {"InferenceExperimentArn": arn}


def describe(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DescribeInferenceExperiment."""
    experiment = _find(state, scope, request)
    endpoint = state.endpoints.get(experiment.endpoint_name)
    metadata: Json = {"EndpointName": experiment.endpoint_name}
    if endpoint is not None:
        metadata["EndpointConfigName"] = endpoint.config_name
        metadata["EndpointStatus"] = endpoint.status
        if endpoint.failure_reason:
            metadata["FailureReason"] = endpoint.failure_reason
    answer = {
        **_summary(experiment),
        "Arn": experiment.arn,
        "EndpointMetadata": metadata,
        "ModelVariants": [_variant_json(experiment, variant) for variant in experiment.variants],
    }
    for key in ("DataStorageConfig", "ShadowModeConfig", "KmsKey"):
        if key in experiment.request:
            answer[key] = experiment.request[key]
    return answer


def list_experiments(state: State, scope: Scope, request: Json, now: float) -> Json:
    """ListInferenceExperiments: filtered, sorted and in pages."""
    found = [item for item in state.experiments.values() if _wanted(item, request)]
    keys = {
        "Name": lambda item: item.name,
        "CreationTime": lambda item: item.created,
        "Status": lambda item: item.status,
    }
    descending = request.get("SortOrder", "Descending") == "Descending"
    found.sort(key=keys[request.get("SortBy", "CreationTime")], reverse=descending)
    try:
        first = int(request.get("NextToken", "0"))
    except ValueError:
        raise validation("Invalid NextToken.") from None
    last = first + request.get("MaxResults", 10)
    answer: Json = {"InferenceExperiments": [_summary(item) for item in found[first:last]]}
    if last < len(found):
        answer["NextToken"] = str(last)
    return answer


def start(state: State, scope: Scope, request: Json, now: float) -> Json:
    """StartInferenceExperiment: only from Created, in which a scheduled one waits."""
    experiment = _find(state, scope, request)
    _require(experiment, ("Created",), "started")
    state.timeline.cancel(owner(experiment))
    experiment.request["Schedule"] = {**experiment.request["Schedule"], "StartTime": now}
    begin(state, experiment, now)
    return {"InferenceExperimentArn": experiment.arn}


def update(state: State, scope: Scope, request: Json, now: float) -> Json:
    """UpdateInferenceExperiment: Updating, then Running again; nothing is redeployed if Created.

    Of a running one, the description, the end and the sampling can be changed (developer guide,
    "View, monitor, and edit shadow tests", and the API reference for the schedule).
    """
    experiment = _find(state, scope, request)
    _require(experiment, ("Created", "Running"), "updated")
    shadow_mode = request.get("ShadowModeConfig")
    if shadow_mode is not None:
        source = _check_shadow_mode(shadow_mode, experiment.variants)
        if experiment.status == "Running" and source != experiment.source:
            raise validation("The variants of a running inference experiment cannot be updated.")
    if experiment.status == "Running":
        fixed = [key for key in ("ModelVariants", "DataStorageConfig") if key in request]
        if fixed:
            raise validation(f"{fixed} of a running inference experiment cannot be updated.")
    wanted = {item["VariantName"]: item for item in request.get("ModelVariants", [])}
    unknown = sorted(set(wanted) - {variant.name for variant in experiment.variants})
    if unknown:
        raise validation(f"Inference experiment {experiment.arn} has no variants {unknown}.")
    changed = request.get("Schedule", {})
    known = experiment.request["Schedule"]
    if (
        experiment.status == "Running"
        and changed.get("StartTime", known["StartTime"]) != (known["StartTime"])
    ):
        raise validation("The start time of a running inference experiment cannot be updated.")
    planned = schedule({**known, **changed}, now)
    experiment.request.update({**request, "Schedule": planned})
    experiment.variants = [
        redeclared(variant, variant_from_config(wanted[variant.name]))
        if variant.name in wanted
        else variant
        for variant in experiment.variants
    ]
    experiment.modified = now
    if experiment.status == "Running":
        state.timeline.cancel(owner(experiment))
        experiment.variant_status = dict.fromkeys(experiment.variant_status, "Updating")
        begin(state, experiment, now, status="Updating")
    elif changed:
        state.timeline.cancel(owner(experiment))
        due = max(planned["StartTime"], now)
        state.timeline.at(due, owner(experiment), lambda at: begin(state, experiment, at))
    return {"InferenceExperimentArn": experiment.arn}


def delete(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DeleteInferenceExperiment: does not change the endpoint; refused while active."""
    experiment = _find(state, scope, request)
    _require(experiment, ("Created", "Completed", "Cancelled"), "deleted")
    state.timeline.cancel(owner(experiment))
    del state.experiments[experiment.name]
    state.untag(experiment.arn)
    return {"InferenceExperimentArn": experiment.arn}


OPERATIONS = {
    "CreateInferenceExperiment": create,
    "DescribeInferenceExperiment": describe,
    "ListInferenceExperiments": list_experiments,
    "StartInferenceExperiment": start,
    "UpdateInferenceExperiment": update,
    "DeleteInferenceExperiment": delete,
}


def _find(state: State, scope: Scope, request: Json) -> Experiment:
    name = request["Name"]
    return state.experiment(name, scope.arn("inference-experiment", name))


def _require(experiment: Experiment, statuses: tuple[str, ...], done: str) -> None:
    if experiment.status not in statuses:
        raise conflict(
            f"Inference experiment {experiment.arn} cannot be {done} while it is "
            f"{experiment.status}."
        )


def _check_endpoint(state: State, scope: Scope, name: str) -> Endpoint:
    """Raise unless an endpoint is settled and has no experiment yet."""
    endpoint = state.endpoint(name, scope.arn("endpoint", name))
    if endpoint.status != "InService":
        raise validation(f"Endpoint {endpoint.arn} is {endpoint.status}, not InService.")
    for other in state.experiments.values():
        if other.endpoint_name == name and not other.ended:
            text = f"Endpoint {endpoint.arn} is in use by inference experiment {other.arn}."
            raise ApiError("ResourceInUse", text)
    return endpoint


def _is_inf1(variant: Variant) -> bool:
    """Developer guide, "Shadow variants": endpoints with Inf1 instances cannot have one."""
    return str(variant.instance_type).startswith("ml.inf1.")


def _check_shadow_mode(config: Json, variants: list[Variant]) -> str:
    """Raise unless the shadow mode names the experiment's variants; return the production one."""
    source: str = config["SourceModelVariantName"]
    shadows = [item["ShadowModelVariantName"] for item in config["ShadowModelVariants"]]
    names = [variant.name for variant in variants]
    if sorted([source, *shadows]) != sorted(names):
        raise validation(
            f"ShadowModeConfig names the variants {[source, *shadows]}, ModelVariants {names}."
        )
    return source


def _summary(experiment: Experiment) -> Json:
    """Return the members that Describe and List share."""
    answer: Json = {
        **{key: experiment.request[key] for key in _SUMMARY_KEYS if key in experiment.request},
        "RoleArn": experiment.request["RoleArn"],
        "Status": experiment.status,
        "CreationTime": experiment.created,
        "LastModifiedTime": experiment.modified,
    }
    if experiment.status_reason is not None:
        answer["StatusReason"] = experiment.status_reason
    if experiment.completed is not None:
        answer["CompletionTime"] = experiment.completed
    return answer


def _variant_json(experiment: Experiment, variant: Variant) -> Json:
    """Return a variant as ``ModelVariantConfigSummary``."""
    return {
        "ModelName": variant.model,
        "VariantName": variant.name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {
                "InstanceType": variant.instance_type,
                "InstanceCount": variant.instance_count,
            },
        },
        "Status": experiment.variant_status[variant.name],
    }


def _wanted(experiment: Experiment, request: Json) -> bool:
    """Return whether an experiment passes every filter of a List request."""
    return (
        request.get("NameContains", "") in experiment.name
        and request.get("Type", experiment.request["Type"]) == experiment.request["Type"]
        and request.get("StatusEquals", experiment.status) == experiment.status
        and experiment.created > request.get("CreationTimeAfter", float("-inf"))
        and experiment.created < request.get("CreationTimeBefore", float("inf"))
        and experiment.modified > request.get("LastModifiedTimeAfter", float("-inf"))
        and experiment.modified < request.get("LastModifiedTimeBefore", float("inf"))
    )
