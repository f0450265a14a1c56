"""SageMaker's resource types in CloudFormation: models, endpoints and inference experiments.

They support templates with an endpoint, a shadow test on it, a resource that ends the test, and
autoscaling. Each follows its page of the CloudFormation template reference
("AWS::SageMaker::Endpoint", ...), including what an update replaces. The experiments have a module
of their own.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.services.cloudformation import provisioners, stacks

from local_aws.emulator.cloudformation_values import physical_name
from local_aws.emulator.experiment_resource import TYPE as EXPERIMENT
from local_aws.emulator.experiment_resource import ExperimentResource, install_schema
from local_aws.emulator.sagemaker import SageMaker
from local_aws.emulator.sagemaker_calls import SageMakerCalls, SageMakerError, until

__all__ = ["install"]

Json = dict[str, Any]
Made = tuple[str, Json]
Handler: TypeAlias = Any  # ministack calls handlers with its own conventions.

_IN_FLUX = ("Creating", "Updating", "SystemUpdating", "RollingBack")


class Resources:
    """The handlers of the types."""

    def __init__(self, service: SageMaker) -> None:
        """Store the service that they call."""
        self._call = SageMakerCalls(service)

    def types(self) -> dict[str, dict[str, Handler]]:
        """Return the handlers by resource type, for ministack."""
        return {
            "AWS::SageMaker::Model": self._simple("Model"),
            "AWS::SageMaker::EndpointConfig": self._simple("EndpointConfig"),
            "AWS::SageMaker::Endpoint": {
                **self._simple("Endpoint", then=self._settle),
                "update": self._update_endpoint,
            },
            EXPERIMENT: ExperimentResource(self._call).handlers(),
            "AWS::ApplicationAutoScaling::ScalableTarget": {
                "create": self._register_target,
                "update": self._update_target,
                "delete": _nothing_to_delete,
            },
            "AWS::ApplicationAutoScaling::ScalingPolicy": {
                "create": _make_policy,
                "update": _keep_policy,
                "delete": _nothing_to_delete,
            },
        }

    def _simple(
        self, kind: str, *, then: Callable[[str], object] | None = None
    ) -> dict[str, Handler]:
        """Return the handlers of a type that is created, replaced and deleted by name.

        Args:
            kind: For example ``Model``.
            then: Called with the name of a new one.
        """
        member = f"{kind}Name"

        def made(name: str, properties: Json) -> Made:
            answer = self._call(f"Create{kind}", {**properties, member: name})
            if then is not None:
                then(name)
            # Ref is the ARN; the name is an attribute.
            return answer[f"{kind}Arn"], {member: name}

        def create(logical_id: str, properties: Json, stack_name: str) -> Made:
            return made(
                str(properties.get(member) or physical_name(stack_name, logical_id)), properties
            )

        def replace(physical_id: str, _old: Json, new: Json, _stack_name: str) -> Made:
            """Create another one; CloudFormation deletes the old one in its clean-up."""
            old_name = _name_in(physical_id)
            if new.get(member) == old_name:
                raise SageMakerError(
                    "CloudFormation cannot update a stack when a custom-named resource requires "
                    f"replacing. Rename {old_name} and update the stack again."
                )
            return made(str(new.get(member) or _another(old_name)), new)

        def delete(physical_id: str, _properties: Json) -> None:
            self._call.unless_gone(f"Delete{kind}", {member: _name_in(physical_id)})

        return {"create": create, "update": replace, "delete": delete}

    def _update_endpoint(self, physical_id: str, old: Json, new: Json, stack_name: str) -> Made:
        """Deploy another configuration in place; only another name replaces an endpoint.

        CloudFormation compares templates, so changes of the endpoint since then do not count.
        """
        name = _name_in(physical_id)
        if new.get("EndpointName") != old.get("EndpointName"):
            simple = self._simple("Endpoint", then=self._settle)
            made: Made = simple["update"](physical_id, old, new, stack_name)
            return made
        self._call("UpdateEndpoint", {**new, "EndpointName": name})
        self._settle(name)
        return physical_id, {"EndpointName": name}

    def _settle(self, name: str) -> None:
        """Wait for an endpoint; modelled: a failed update fails its stack, even if InService."""
        until(lambda: self._endpoint(name)["EndpointStatus"] not in _IN_FLUX)
        endpoint = self._endpoint(name)
        reason = endpoint.get("FailureReason")
        if endpoint["EndpointStatus"] != "InService" or reason:
            raise SageMakerError(f"endpoint {name} is {endpoint['EndpointStatus']}: {reason}")

    def _register_target(self, logical_id: str, properties: Json, _stack_name: str) -> Made:
        """Modelled: only variants that the endpoint serves can be registered."""
        kind, endpoint, _, variant = properties["ResourceId"].split("/")
        served = self._endpoint(endpoint)["ProductionVariants"] if kind == "endpoint" else []
        if variant not in [item["VariantName"] for item in served]:
            raise SageMakerError(f"{logical_id}: there is no {properties['ResourceId']}")
        # According to its page, Ref is this.
        place = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        return "|".join(properties[member] for member in place), {}

    def _update_target(self, physical_id: str, old: Json, new: Json, stack_name: str) -> Made:
        if new["ResourceId"] == old["ResourceId"]:
            return physical_id, {}
        return self._register_target(physical_id, new, stack_name)

    def _endpoint(self, name: str) -> Json:
        return self._call("DescribeEndpoint", {"EndpointName": name})


def _name_in(arn: str) -> str:
    return arn.rpartition("/")[2]


def _another(name: str) -> str:
    """Return another name of the same form; CloudFormation's names end in random characters."""
    return f"{name.rpartition('-')[0]}-{secrets.token_hex(6)}"


def _make_policy(logical_id: str, properties: Json, _stack_name: str) -> Made:
    """A scaling policy only has a name: nothing scales here."""
    target = properties["ScalingTargetId"]
    return f"arn:aws:autoscaling:::scalingPolicy:{target}:policyName/{logical_id}", {}


def _keep_policy(physical_id: str, _old: Json, _new: Json, _stack_name: str) -> Made:
    return physical_id, {}


def _nothing_to_delete(_physical_id: str, _properties: Json) -> None:
    """Targets and policies only have names here."""


def install(service: SageMaker) -> None:
    """Register the types with ministack, which provisions them on threads, since they wait."""
    types = Resources(service).types()
    provisioners._RESOURCE_HANDLERS.update(types)
    install_schema()
    others_block = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda name: name in types or others_block(name)
