"""AWS::SageMaker::InferenceExperiment in CloudFormation, as AWS's own handler works.

AWS publishes the handler and the type's schema (aws-cloudformation-resource-providers-sagemaker,
``aws-sagemaker-inferenceexperiment``). What an update does depends on the experiment's status, not
on what has changed in the template:

- Created: starts it if the template says Running; updates it otherwise.
- Running: stops it if the template says Completed or Cancelled; otherwise updates its description,
  schedule and sampling.
- Updating and Stopping: waits for that.
- In every other status nothing happens to the experiment.

Each of them then changes the tags. A deletion stops only a running experiment, as Completed, and
keeps both variants.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

from typing import Any, TypeAlias

from ministack.services.cloudformation import provisioners

from local_aws.emulator.sagemaker_calls import SageMakerCalls, SageMakerError, until

__all__ = ["TYPE", "ExperimentResource", "install_schema"]

Json = dict[str, Any]
Made = tuple[str, Json]
Handler: TypeAlias = Any  # ministack calls handlers with its own conventions.

TYPE = "AWS::SageMaker::InferenceExperiment"
_ENDED = ("Completed", "Cancelled")
_STABLE = ("Created", "Running")
_CREATE_ONLY = ("Name", "Type", "RoleArn", "EndpointName", "KmsKey")
_DESIRED_STATES = ("Running", "Completed", "Cancelled")
_OF_A_RUNNING_ONE = ("Name", "Description", "Schedule", "ShadowModeConfig")


def install_schema() -> None:
    """Add what the type's schema says of replacements, enums and tags to ministack's tables."""
    provisioners._REPLACING_PROPERTIES[TYPE] = _CREATE_ONLY
    provisioners._CUSTOM_NAME_REPLACEMENT[TYPE] = {"name": "Name"}
    provisioners._PROPERTY_ENUMS[TYPE] = {"DesiredState": _DESIRED_STATES}
    provisioners._STACK_TAG_PROPERTY[TYPE] = ("Tags", "list")


class ExperimentResource:
    """The handlers of the type."""

    def __init__(self, call: SageMakerCalls) -> None:
        """Store how SageMaker is called."""
        self._call = call

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers, for ministack."""
        return {"create": self._create, "update": self._update, "delete": self._delete}

    def _create(self, _logical_id: str, properties: Json, _stack_name: str) -> Made:
        name = str(properties["Name"])
        self._call("CreateInferenceExperiment", {**properties, "Tags": _tags(properties)})
        self._settle(name, ("Creating",), _STABLE)
        return name, self._attributes(name)

    def _update(self, name: str, _old: Json, new: Json, _stack_name: str) -> Made:
        status = self._experiment(name)["Status"]
        wanted = new.get("DesiredState")
        if status == "Created" and wanted == "Running":
            self._call("StartInferenceExperiment", {"Name": name})
            self._settle(name, ("Starting",), ("Running",))
        elif status == "Created":
            self._call("UpdateInferenceExperiment", {**new, "Name": name})
            self._settle(name, ("Updating",), _STABLE)
        elif status == "Running" and wanted in _ENDED:
            self._stop(name, new)
        elif status == "Running":
            declared = {key: new[key] for key in _OF_A_RUNNING_ONE if key in new}
            self._call("UpdateInferenceExperiment", {**declared, "Name": name})
            self._settle(name, ("Updating",), _STABLE)
        elif status == "Updating":
            self._settle(name, ("Updating",), _STABLE)
        elif status == "Stopping":
            self._settle(name, ("Stopping",), _ENDED)
        self._change_tags(name, _tags(new))
        return name, self._attributes(name)

    def _delete(self, name: str, _properties: Json) -> None:
        try:
            experiment = self._experiment(name)
        except SageMakerError:
            return
        if experiment["Status"] == "Running":
            retained = {item["VariantName"]: "Retain" for item in experiment["ModelVariants"]}
            self._call(
                "StopInferenceExperiment",
                {"Name": name, "ModelVariantActions": retained, "DesiredState": "Completed"},
            )
        if experiment["Status"] in ("Running", "Stopping"):
            self._settle(name, ("Stopping",), _ENDED)
        self._call.unless_gone("DeleteInferenceExperiment", {"Name": name})

    def _stop(self, name: str, declared: Json) -> None:
        """Keep the variants that the template still declares; promote a shadow without its source.

        A stop that ends as Cancelled is a success, whatever was declared.
        """
        shadow_mode = self._experiment(name)["ShadowModeConfig"]
        source = shadow_mode["SourceModelVariantName"]
        kept = {item["VariantName"] for item in declared.get("ModelVariants", [])}
        stays = "Retain" if source in kept else "Promote"
        actions = {source: "Retain" if source in kept else "Remove"}
        for shadow in shadow_mode["ShadowModelVariants"]:
            shadow_name = shadow["ShadowModelVariantName"]
            actions[shadow_name] = stays if shadow_name in kept else "Remove"
        request = {
            "Name": name,
            "ModelVariantActions": actions,
            "DesiredState": declared["DesiredState"],
            "DesiredModelVariants": declared.get("ModelVariants", []),
        }
        if declared.get("StatusReason"):
            request["Reason"] = declared["StatusReason"]
        self._call("StopInferenceExperiment", request)
        self._settle(name, ("Stopping",), _ENDED)

    def _settle(self, name: str, under_way: tuple[str, ...], stable: tuple[str, ...]) -> None:
        """Wait for a stable status.

        Raises:
            SageMakerError: Another one came.
        """
        until(lambda: self._experiment(name)["Status"] not in under_way)
        status = self._experiment(name)["Status"]
        if status not in stable:
            raise SageMakerError(f"{TYPE} {name} did not stabilize: it is {status}")

    def _change_tags(self, name: str, wanted: list[Json]) -> None:
        arn = self._experiment(name)["Arn"]
        present = {
            tag["Key"]: tag["Value"] for tag in self._call("ListTags", {"ResourceArn": arn})["Tags"]
        }
        keys = [tag["Key"] for tag in wanted]
        gone = [key for key in present if key not in keys]
        added = [tag for tag in wanted if present.get(tag["Key"]) != tag["Value"]]
        if gone:
            self._call("DeleteTags", {"ResourceArn": arn, "TagKeys": gone})
        if added:
            self._call("AddTags", {"ResourceArn": arn, "Tags": added})

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


def _tags(properties: Json) -> list[Json]:
    """Return a resource's tags, the stack's included; the type has no system tags."""
    tags = properties.get("Tags") or []
    return [tag for tag in tags if not str(tag["Key"]).startswith("aws:")]
