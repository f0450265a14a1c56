"""Models, endpoint configurations and endpoints, as far as experiments need them."""

# ruff: noqa: ARG001 (every operation takes the same arguments)
from __future__ import annotations

from dataclasses import replace
from typing import Any

from local_aws.emulator.sagemaker.arns import Scope
from local_aws.emulator.sagemaker.errors import validation
from local_aws.emulator.sagemaker.state import (
    Endpoint,
    EndpointConfig,
    State,
    Variant,
    already_exists,
)

__all__ = ["OPERATIONS"]

Json = dict[str, Any]
_IN_FLUX = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def create_model(state: State, scope: Scope, request: Json, now: float) -> Json:
    """CreateModel: stored as declared; no container ever runs."""
    name = request["ModelName"]
    arn = scope.arn("model", name)
    if name in state.models:
        raise already_exists("model", arn)
    state.models[name] = {**request, "ModelArn": arn, "CreationTime": now}
    state.tag(arn, request)
    return {"ModelArn": arn}


def describe_model(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DescribeModel."""
    state.require_model(request["ModelName"], scope.arn("model", request["ModelName"]))
    model = dict(state.models[request["ModelName"]])
    model.pop("Tags", None)
    return model


def list_models(state: State, scope: Scope, request: Json, now: float) -> Json:
    """ListModels: filtered by name; always one page."""
    members = ("ModelName", "ModelArn", "CreationTime")
    found = [
        {member: model[member] for member in members}
        for name, model in state.models.items()
        if request.get("NameContains", "") in name
    ]
    return {"Models": found}


def delete_model(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DeleteModel."""
    state.require_model(request["ModelName"], scope.arn("model", request["ModelName"]))
    del state.models[request["ModelName"]]
    state.untag(scope.arn("model", request["ModelName"]))
    return {}


def create_endpoint_config(state: State, scope: Scope, request: Json, now: float) -> Json:
    """CreateEndpointConfig: its variants' models must exist."""
    name = request["EndpointConfigName"]
    arn = scope.arn("endpoint-config", name)
    if name in state.configs:
        raise already_exists("endpoint configuration", arn)
    production = [_variant(item) for item in request["ProductionVariants"]]
    shadow = [_variant(item) for item in request.get("ShadowProductionVariants", [])]
    for variant in (*production, *shadow):
        state.require_model(variant.model, scope.arn("model", variant.model))
    lists = ("ProductionVariants", "ShadowProductionVariants", "EndpointConfigName", "Tags")
    rest = {key: value for key, value in request.items() if key not in lists}
    state.configs[name] = EndpointConfig(name, arn, now, production, shadow, rest)
    state.tag(arn, request)
    return {"EndpointConfigArn": arn}


def describe_endpoint_config(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DescribeEndpointConfig: the only answer with a variant's model and instance type."""
    config = _config(state, scope, request["EndpointConfigName"])
    answer = {
        **config.rest,
        "EndpointConfigName": config.name,
        "EndpointConfigArn": config.arn,
        "CreationTime": config.created,
        "ProductionVariants": [_declared(variant) for variant in config.production],
    }
    if config.shadow:
        answer["ShadowProductionVariants"] = [_declared(variant) for variant in config.shadow]
    return answer


def list_endpoint_configs(state: State, scope: Scope, request: Json, now: float) -> Json:
    """ListEndpointConfigs: filtered by name; always one page."""
    found = [
        {
            "EndpointConfigName": config.name,
            "EndpointConfigArn": config.arn,
            "CreationTime": config.created,
        }
        for config in state.configs.values()
        if request.get("NameContains", "") in config.name
    ]
    return {"EndpointConfigs": found}


def delete_endpoint_config(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DeleteEndpointConfig."""
    config = _config(state, scope, request["EndpointConfigName"])
    del state.configs[config.name]
    state.untag(config.arn)
    return {}


def create_endpoint(state: State, scope: Scope, request: Json, now: float) -> Json:
    """CreateEndpoint: Creating, then InService after ``start_seconds``.

    API reference, CreateEndpoint: the name is unique, whatever its case.
    """
    name = request["EndpointName"]
    arn = scope.arn("endpoint", name)
    config = _config(state, scope, request["EndpointConfigName"])
    if name.lower() in [other.lower() for other in state.endpoints]:
        raise already_exists("endpoint", arn)
    endpoint = Endpoint(
        name, arn, config.name, now, now, list(config.production), list(config.shadow)
    )
    state.endpoints[name] = endpoint
    state.tag(arn, request)
    state.settle(endpoint, now + state.settings.start_seconds, "Creating")
    state.tell_of(endpoint)
    return {"EndpointArn": arn}


def describe_endpoint(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DescribeEndpoint: the current variants, production and shadow separately."""
    name = request["EndpointName"]
    endpoint = state.endpoint(name, scope.arn("endpoint", name))
    answer = {
        **_summary(endpoint),
        "EndpointConfigName": endpoint.config_name,
        "ProductionVariants": [_served(endpoint, variant) for variant in endpoint.production],
    }
    if endpoint.shadow:
        shadow = [_served(endpoint, variant) for variant in endpoint.shadow]
        answer["ShadowProductionVariants"] = shadow
    if endpoint.failure_reason:
        answer["FailureReason"] = endpoint.failure_reason
    return answer


def update_endpoint(state: State, scope: Scope, request: Json, now: float) -> Json:
    """UpdateEndpoint: Updating, then InService with another configuration's variants."""
    name = request["EndpointName"]
    endpoint = state.endpoint(name, scope.arn("endpoint", name))
    config = _config(state, scope, request["EndpointConfigName"])
    if endpoint.status in _IN_FLUX:
        raise validation(f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def serve(at: float) -> None:
        if endpoint.next_failure is None:
            endpoint.config_name, endpoint.modified = config.name, at
            endpoint.production, endpoint.shadow = list(config.production), list(config.shadow)
            endpoint.counts.clear()

    done = now + state.settings.start_seconds
    state.timeline.cancel(f"endpoint/{name}")
    state.timeline.at(done, f"endpoint-update/{name}", serve)
    state.settle(endpoint, done)
    return {"EndpointArn": endpoint.arn}


def update_weights(state: State, scope: Scope, request: Json, now: float) -> Json:
    """UpdateEndpointWeightsAndCapacities: Updating, then InService with other weights and counts.

    API reference: the endpoint is Updating meanwhile, and InService afterwards.
    """
    name = request["EndpointName"]
    endpoint = state.endpoint(name, scope.arn("endpoint", name))
    if endpoint.status in _IN_FLUX:
        raise validation(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    wanted = {item["VariantName"]: item for item in request["DesiredWeightsAndCapacities"]}
    served = [variant.name for variant in (*endpoint.production, *endpoint.shadow)]
    unknown = sorted(set(wanted) - set(served))
    if unknown:
        raise validation(f'The variants {unknown} do not exist on endpoint "{endpoint.arn}".')
    for variant in (*endpoint.production, *endpoint.shadow):
        count = wanted.get(variant.name, {}).get("DesiredInstanceCount")
        if count is not None:
            current, _ = _counts(endpoint, variant)
            endpoint.counts[variant.name] = (current, count)

    def scaled(at: float) -> None:
        endpoint.modified = at
        if endpoint.next_failure is not None:
            return
        for variant_name, (_, desired) in list(endpoint.counts.items()):
            if variant_name in wanted:
                endpoint.counts[variant_name] = (desired, desired)
        for variants in (endpoint.production, endpoint.shadow):
            variants[:] = [
                replace(item, weight=wanted.get(item.name, {}).get("DesiredWeight", item.weight))
                for item in variants
            ]

    done = now + state.settings.start_seconds
    state.timeline.cancel(f"endpoint-update/{name}")
    state.timeline.at(done, f"endpoint-update/{name}", scaled)
    state.settle(endpoint, done)
    return {"EndpointArn": endpoint.arn}


def list_endpoints(state: State, scope: Scope, request: Json, now: float) -> Json:
    """ListEndpoints: newest first, filtered by name and status; always one page."""
    found = [
        endpoint
        for endpoint in state.endpoints.values()
        if request.get("NameContains", "") in endpoint.name
        and request.get("StatusEquals", endpoint.status) == endpoint.status
    ]
    found.sort(key=lambda endpoint: endpoint.created, reverse=True)
    return {"Endpoints": [_summary(endpoint) for endpoint in found]}


def delete_endpoint(state: State, scope: Scope, request: Json, now: float) -> Json:
    """DeleteEndpoint: refused while the endpoint is updating, so a teardown must wait."""
    name = request["EndpointName"]
    endpoint = state.endpoint(name, scope.arn("endpoint", name))
    if endpoint.status in _IN_FLUX:
        raise validation(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    state.timeline.cancel(f"endpoint/{name}")
    del state.endpoints[name]
    endpoint.status, endpoint.modified = "Deleting", now
    state.tell_of(endpoint)
    state.untag(endpoint.arn)
    return {}


OPERATIONS = {
    "CreateModel": create_model,
    "DescribeModel": describe_model,
    "ListModels": list_models,
    "DeleteModel": delete_model,
    "CreateEndpointConfig": create_endpoint_config,
    "DescribeEndpointConfig": describe_endpoint_config,
    "ListEndpointConfigs": list_endpoint_configs,
    "DeleteEndpointConfig": delete_endpoint_config,
    "CreateEndpoint": create_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_weights,
    "ListEndpoints": list_endpoints,
    "DeleteEndpoint": delete_endpoint,
}


def _config(state: State, scope: Scope, name: str) -> EndpointConfig:
    if name not in state.configs:
        arn = scope.arn("endpoint-config", name)
        raise validation(f'Could not find endpoint configuration "{arn}".')
    return state.configs[name]


def _variant(item: Json) -> Variant:
    return Variant(
        name=item["VariantName"],
        model=item.get("ModelName", ""),
        instance_type=item.get("InstanceType"),
        instance_count=item.get("InitialInstanceCount"),
        weight=item.get("InitialVariantWeight", 1.0),
    )


def _declared(variant: Variant) -> Json:
    """Return a variant for an endpoint configuration."""
    declared = {
        "VariantName": variant.name,
        "ModelName": variant.model,
        "InstanceType": variant.instance_type,
        "InitialInstanceCount": variant.instance_count,
        "InitialVariantWeight": variant.weight,
    }
    return {key: value for key, value in declared.items() if value is not None}


def _served(endpoint: Endpoint, variant: Variant) -> Json:
    """Return a variant for DescribeEndpoint, without model and instance type.

    The counts are the current and the desired ones, whatever the configuration says.
    """
    served: Json = {
        "VariantName": variant.name,
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
    }
    if variant.instance_count is not None:
        current, desired = _counts(endpoint, variant)
        served["CurrentInstanceCount"], served["DesiredInstanceCount"] = current, desired
    return served


def _counts(endpoint: Endpoint, variant: Variant) -> tuple[int, int]:
    """Return a variant's current and desired counts."""
    configured = variant.instance_count or 0
    return endpoint.counts.get(variant.name, (configured, configured))


def _summary(endpoint: Endpoint) -> Json:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointStatus": endpoint.status,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
    }
