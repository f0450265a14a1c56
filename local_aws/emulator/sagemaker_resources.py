"""SageMaker's resource types in CloudFormation: models, endpoints and inference experiments.

As far as one template needs them to hold an endpoint, a shadow test on it and what ends it. Each
follows its page of the CloudFormation template reference ("AWS::SageMaker::InferenceExperiment",
...); what a handler does beyond it, such as the stop on deletion, is modelled on how AWS's own
handler behaves and marked so.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners, stacks

from local_aws.emulator.cloudformation_values import physical_name, request_for
from local_aws.emulator.sagemaker import SageMaker, Scope

__all__ = ["install"]

Json = dict[str, Any]
Made = tuple[str, Json]
Handler: TypeAlias = Any  # ministack calls handlers by its own conventions.

_POLL_SECONDS = 0.02
_ENDED = ("Completed", "Cancelled")
_GONE = ("ResourceNotFound", "Could not find")


class SageMakerError(RuntimeError):
    """What SageMaker refused, as the stack's events tell it."""


class Resources:
    """The handlers of the types."""

    def __init__(self, service: SageMaker) -> None:
        """Keep what they call."""
        self._service = service

    def types(self) -> dict[str, dict[str, Handler]]:
        """Return what ministack looks handlers up in."""
        return {
            "AWS::SageMaker::Model": self._simple("Model"),
            "AWS::SageMaker::EndpointConfig": self._simple("EndpointConfig"),
            "AWS::SageMaker::Endpoint": self._simple("Endpoint", settles=True),
            "AWS::SageMaker::InferenceExperiment": {
                "create": self._create_experiment,
                "update": self._update_experiment,
                "delete": self._delete_experiment,
            },
        }

    def _simple(self, kind: str, *, settles: bool = False) -> dict[str, Handler]:
        """Return the handlers of a type that is created, described and deleted by its name."""
        member = f"{kind}Name"

        def create(logical_id: str, properties: Json, stack_name: str) -> Made:
            name = str(properties.get(member) or physical_name(stack_name, logical_id))
            answer = self._call(f"Create{kind}", {**properties, member: name})
            if settles:
                self._wait(lambda: self._endpoint_is_in_service(name))
            # Ref is the ARN, and the name an attribute of its own.
            return answer[f"{kind}Arn"], {member: name}

        def update(_id: str, _old: Json, _new: Json, _stack_name: str) -> Made:
            raise SageMakerError(f"the local AWS cannot update AWS::SageMaker::{kind}")

        def delete(physical_id: str, _properties: Json) -> None:
            self._call_unless_gone(f"Delete{kind}", {member: physical_id.rpartition("/")[2]})

        return {"create": create, "update": update, "delete": delete}

    def _create_experiment(self, logical_id: str, properties: Json, stack_name: str) -> Made:
        name = str(properties.get("Name") or physical_name(stack_name, logical_id))
        declared = {key: value for key, value in properties.items() if key != "DesiredState"}
        self._call("CreateInferenceExperiment", {**declared, "Name": name})
        self._wait(lambda: self._experiment(name)["Status"] not in ("Creating", "Starting"))
        return name, self._attributes(name)

    def _update_experiment(self, name: str, old: Json, new: Json, _stack_name: str) -> Made:
        """Stop where DesiredState asks for it, else update; the variants left are retained."""
        if new.get("Name", name) != name:
            raise SageMakerError("the local AWS does not replace an inference experiment")
        wanted = new.get("DesiredState")
        if wanted in _ENDED and wanted != old.get("DesiredState"):
            self._stop(name, new.get("ModelVariants", []), wanted, new.get("StatusReason"))
        elif {**new, "DesiredState": None} != {**old, "DesiredState": None}:
            self._call("UpdateInferenceExperiment", {**new, "Name": name})
            self._wait(lambda: self._experiment(name)["Status"] != "Updating")
        return name, self._attributes(name)

    def _delete_experiment(self, name: str, _properties: Json) -> None:
        """Modelled: a running experiment is stopped with every variant kept, then deleted."""
        try:
            experiment = self._experiment(name)
        except SageMakerError:
            return
        if experiment["Status"] not in (*_ENDED, "Created"):
            self._stop(name, experiment["ModelVariants"], "Completed", None)
        self._call_unless_gone("DeleteInferenceExperiment", {"Name": name})

    def _stop(self, name: str, remaining: list[Json], state: str, reason: str | None) -> None:
        """Modelled: Cancelled counts as success, too, when Completed was asked for."""
        experiment = self._experiment(name)
        kept = {item["VariantName"] for item in remaining}
        actions = {
            item["VariantName"]: "Retain" if item["VariantName"] in kept else "Remove"
            for item in experiment["ModelVariants"]
        }
        source = experiment["ShadowModeConfig"]["SourceModelVariantName"]
        if source not in kept:
            actions.update(dict.fromkeys(kept, "Promote"))
        if experiment["Status"] != "Stopping":
            request = {"Name": name, "ModelVariantActions": actions, "DesiredState": state}
            if reason:
                request["Reason"] = reason
            self._call("StopInferenceExperiment", request)
        self._wait(lambda: self._experiment(name)["Status"] in _ENDED)

    def _attributes(self, name: str) -> Json:
        experiment = self._experiment(name)
        metadata = experiment["EndpointMetadata"]
        return {
            "Arn": experiment["Arn"],
            "Status": experiment["Status"],
            "EndpointMetadata.EndpointName": metadata["EndpointName"],
            "EndpointMetadata.EndpointStatus": metadata.get("EndpointStatus", ""),
        }

    def _experiment(self, name: str) -> Json:
        return self._call("DescribeInferenceExperiment", {"Name": name})

    def _endpoint_is_in_service(self, name: str) -> bool:
        endpoint = self._call("DescribeEndpoint", {"EndpointName": name})
        return bool(endpoint["EndpointStatus"] == "InService")

    def _call_unless_gone(self, operation: str, request: Json) -> None:
        try:
            self._call(operation, request)
        except SageMakerError as error:
            if not any(words in str(error) for words in _GONE):
                raise

    def _call(self, operation: str, properties: Json) -> Json:
        """Call the service as the stack's deployer, who may do everything."""
        request = request_for(operation, properties)
        scope = Scope(region=get_region(), account=get_account_id())
        answer = self._service.call(operation, json.dumps(request).encode(), scope)
        body: Json = json.loads(answer.body or b"{}")
        if answer.status != 200:
            message = body.get("message") or body.get("Message", "")
            raise SageMakerError(f"{body['__type']}: {message} (Service: SageMaker)")
        return body

    @staticmethod
    def _wait(condition: Callable[[], bool]) -> None:
        while not condition():
            time.sleep(_POLL_SECONDS)


def install(service: SageMaker) -> None:
    """Register the types with ministack, which then provisions them on threads: they wait."""
    types = Resources(service).types()
    provisioners._RESOURCE_HANDLERS.update(types)
    others_block = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda name: name in types or others_block(name)
