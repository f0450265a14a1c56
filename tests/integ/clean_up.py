"""Removes what a run has made: all of it is found by the run's prefix, so that any process can.

Nothing whose name does not begin with the prefix is touched, except the endpoint configurations
that SageMaker made for the run's endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import boto3
from botocore.exceptions import ClientError

__all__ = ["left_of", "remove"]

Json = dict[str, Any]
# boto3 creates its clients at run time, without types.
Client: TypeAlias = Any

_ENDED = ("Completed", "Cancelled")
_IN_FLUX = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_ATTEMPTS = 3
_PATIENCE_SECONDS = 2 * 3600
_LOGS = "/aws/sagemaker/Endpoints/"


class _CleanUp:
    def __init__(
        self, session: boto3.Session, prefix: str, say: Callable[[str], None], poll_seconds: float
    ) -> None:
        self.prefix = prefix
        self.say = say
        self.poll_seconds = poll_seconds
        self.cloudformation: Client = session.client("cloudformation")
        self.sagemaker: Client = session.client("sagemaker")
        self.logs: Client = session.client("logs")
        self._ends_at = time.monotonic() + _PATIENCE_SECONDS

    def wait(self, done: Callable[[], bool]) -> None:
        while not done() and time.monotonic() < self._ends_at:
            time.sleep(self.poll_seconds)

    def stacks(self) -> list[Json]:
        """The run's stacks, the root stacks only, newest first."""
        pages = self.cloudformation.get_paginator("describe_stacks").paginate()
        found = [
            stack
            for page in pages
            for stack in page["Stacks"]
            if stack["StackName"].startswith(self.prefix)
            and stack["StackStatus"] != "DELETE_COMPLETE"
            and "ParentId" not in stack
        ]
        return sorted(found, key=lambda stack: stack["CreationTime"], reverse=True)

    def remove_stack(self, name: str) -> None:
        """Delete a stack once nothing is in progress, again if that fails."""
        attempts = 0
        while time.monotonic() < self._ends_at:
            status = self.status(name)
            if status == "DELETE_COMPLETE":
                return
            # A change set that was never executed leaves a stack in review.
            if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
                if attempts == _ATTEMPTS:
                    return
                attempts += 1
                self.say(f"deleting {name} ({status})")
                self.cloudformation.delete_stack(StackName=name)
            time.sleep(self.poll_seconds)

    def status(self, name: str) -> str:
        return next(
            (stack["StackStatus"] for stack in self.stacks() if stack["StackName"] == name),
            "DELETE_COMPLETE",
        )

    def experiments(self) -> list[Json]:
        pages = self.sagemaker.get_paginator("list_inference_experiments").paginate(
            NameContains=self.prefix
        )
        return [item for page in pages for item in page["InferenceExperiments"]]

    def remove_experiment(self, name: str) -> None:
        """End an experiment with its shadow removed, and delete it."""
        self.say(f"removing the experiment {name}")
        # What has not started is deleted as it is: SageMaker may refuse to stop it.
        at_rest = ("Created", "Running", *_ENDED)
        self.wait(lambda: self._described(name)["Status"] in at_rest)
        described = self._described(name)
        if described["Status"] == "Running":
            source = described["ShadowModeConfig"]["SourceModelVariantName"]
            actions = {
                item["VariantName"]: "Retain" if item["VariantName"] == source else "Remove"
                for item in described["ModelVariants"]
            }
            self.sagemaker.stop_inference_experiment(Name=name, ModelVariantActions=actions)
            self.wait(lambda: self._described(name)["Status"] in _ENDED)
        self.sagemaker.delete_inference_experiment(Name=name)

    def endpoints(self) -> list[Json]:
        pages = self.sagemaker.get_paginator("list_endpoints").paginate(NameContains=self.prefix)
        return [item for page in pages for item in page["Endpoints"]]

    def settle(self) -> None:
        """Wait until no endpoint is being updated: it could not be deleted."""
        self.wait(lambda: not [e for e in self.endpoints() if e["EndpointStatus"] in _IN_FLUX])

    def configs(self) -> list[str]:
        pages = self.sagemaker.get_paginator("list_endpoint_configs").paginate(
            NameContains=self.prefix
        )
        return [item["EndpointConfigName"] for page in pages for item in page["EndpointConfigs"]]

    def remove_config(self, name: str) -> None:
        """Delete an endpoint configuration, unless its stack has."""
        try:
            self.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        except ClientError as error:
            # The error that SageMaker has for a configuration that does not exist.
            if error.response["Error"]["Code"] != "ValidationException":
                raise

    def models(self) -> list[str]:
        pages = self.sagemaker.get_paginator("list_models").paginate(NameContains=self.prefix)
        return [item["ModelName"] for page in pages for item in page["Models"]]

    def log_groups(self) -> Iterator[str]:
        for begins in (f"{_LOGS}{self.prefix}", f"/aws/lambda/{self.prefix}"):
            pages = self.logs.get_paginator("describe_log_groups").paginate(
                logGroupNamePrefix=begins
            )
            for page in pages:
                yield from (group["logGroupName"] for group in page["logGroups"])

    def _described(self, name: str) -> Json:
        found: Json = self.sagemaker.describe_inference_experiment(Name=name)
        return found


def remove(
    session: boto3.Session,
    prefix: str,
    configs: Iterable[str],
    say: Callable[[str], None],
    *,
    poll_seconds: float,
) -> None:
    """Remove what a run has made.

    Args:
        session: The user's.
        prefix: The run's.
        configs: Configurations that its endpoint has had.
        say: Told what is done.
        poll_seconds: Between two looks.
    """
    clean_up = _CleanUp(session, prefix, say, poll_seconds)
    # The endpoint's stack is the oldest: it goes last, when nothing uses the endpoint any more.
    stacks = [stack["StackName"] for stack in clean_up.stacks()]
    last = [name for name in stacks if name == f"{prefix}-endpoint"]
    for name in (name for name in stacks if name not in last):
        clean_up.remove_stack(name)
    for experiment in clean_up.experiments():
        clean_up.remove_experiment(experiment["Name"])
    clean_up.settle()
    for name in last:
        clean_up.remove_stack(name)
    for name in {*configs, *clean_up.configs()}:
        clean_up.remove_config(name)
    for group in list(clean_up.log_groups()):
        clean_up.logs.delete_log_group(logGroupName=group)


def left_of(session: boto3.Session, prefix: str) -> list[str]:
    """What is left of a run, by name."""
    found = _CleanUp(session, prefix, print, 0.0)
    return [
        *(stack["StackName"] for stack in found.stacks()),
        *(experiment["Name"] for experiment in found.experiments()),
        *(endpoint["EndpointName"] for endpoint in found.endpoints()),
        *found.configs(),
        *found.models(),
        *found.log_groups(),
    ]
