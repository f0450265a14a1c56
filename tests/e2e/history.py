"""A stack from its creation to its deletion on the local AWS, through CloudFormation's API."""

from __future__ import annotations

import json
import time
from typing import Any

from local_aws import Call, LocalAws
from local_aws.inventory import inventory
from local_aws.synthesis import ASSETS, Template
from tests.waiting import eventually

from .planned import Operation, plan_destroy, plan_of, reader
from .synthesis import EXPERIMENT

Json = dict[str, Any]
STACK = "History"
MAX_BODY = 51_200
"""The length of a template in a call to CloudFormation is at most this."""
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


class History:
    """One stack in an account without other stacks of ours.

    Right before each operation the command plans it, and the plan is compared with what happens.

    Attributes:
        disturbed: Something happens in an operation that no plan can know.
    """

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.sagemaker = aws.client("sagemaker")
        self.cloudformation = aws.client("cloudformation")
        self._s3 = aws.client("s3")
        self._s3.create_bucket(Bucket=ASSETS)
        self._uploaded: set[str] = set()
        self._operation: Operation | None = None
        self.disturbed = False

    def deploy(self, template: Template, *, timeout_seconds: float = 60.0, **options: Any) -> str:
        """Create or update the stack; return its final status."""
        self.begin(template, **options)
        return self.settled(timeout_seconds)

    def begin(self, template: Template, **options: Any) -> None:
        """Start to create or update the stack, with more options for the call."""
        self.upload(template)
        exists = self._exists()
        plan = plan_of(self.aws, STACK, self.given(template), exists=exists, **options)
        self._operation = Operation(self.aws, plan, self.events() if exists else [])
        order = self.cloudformation.update_stack if exists else self._create
        order(
            StackName=STACK,
            **self.given(template),
            Capabilities=CAPABILITIES,
            **options,
        )

    def destroy(self, *, timeout_seconds: float = 60.0) -> str:
        """Delete the stack; return its final status."""
        if not self.status.endswith("_IN_PROGRESS"):
            plan = plan_destroy(reader(self.aws), self.stack_id)
            self._operation = Operation(self.aws, plan, self.events())
        self.cloudformation.delete_stack(StackName=self.stack_id)
        return self.settled(timeout_seconds)

    def settled(self, timeout_seconds: float = 60.0) -> str:
        """Return the stack's status once nothing is in progress."""
        deadline = time.monotonic() + timeout_seconds
        while (status := self.status).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, f"still {status}; {self.log()}"
            time.sleep(0.05)
        if self._operation is not None:
            self._operation.check(self.events(), status=status, disturbed=self.disturbed)
            self._operation = None
        return status

    @property
    def status(self) -> str:
        """The stack's status."""
        stacks = self.cloudformation.describe_stacks(StackName=self.stack_id)["Stacks"]
        return str(stacks[0]["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        stacks = self.cloudformation.describe_stacks(StackName=self.stack_id)["Stacks"]
        return {item["OutputKey"]: item["OutputValue"] for item in stacks[0].get("Outputs", [])}

    def events(self) -> list[Json]:
        """The stack's events, oldest first."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=self.stack_id
        )
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def reason(self, status: str) -> str:
        """The reason of the last event of a resource with a status."""
        reasons = [
            event.get("ResourceStatusReason", "")
            for event in self.events()
            if event["ResourceStatus"] == status and event["LogicalResourceId"] != STACK
        ]
        return str(reasons[-1]) if reasons else ""

    def stops(self) -> list[Call]:
        """The Stop calls that SageMaker accepted."""
        calls = self.aws.calls("StopInferenceExperiment")
        return [call for call in calls if call.error_code is None]

    def experiment(self, name: str = EXPERIMENT) -> Json:
        """An experiment as SageMaker describes it."""
        described: Json = self.sagemaker.describe_inference_experiment(Name=name)
        return described

    def log(self) -> str:
        """What the function logged, if its log group still exists."""
        logs = self.aws.client("logs")
        lines: list[str] = []
        for group in logs.describe_log_groups()["logGroups"]:
            found = logs.filter_log_events(logGroupName=group["logGroupName"], limit=10_000)
            lines += [event["message"] for event in found["events"]]
        return "\n".join(lines)

    def left_behind(self) -> dict[str, list[str]]:
        """The existing resources that our stacks could leave behind."""
        return {kind: names for kind, names in inventory(self.aws).items() if names}

    def polling(self) -> list[str]:
        """The rules and targets that polling has created and not removed."""
        found = inventory(self.aws)
        return [*found["rules"], *found["targets"]]

    def end(self, *, stops: int) -> None:
        """Destroy what is left of the stack, and check that nothing else remains.

        Args:
            stops: The exact number of Stop calls in the whole history.
        """
        if self.status != "DELETE_COMPLETE":
            assert self.destroy() == "DELETE_COMPLETE", self.reason("DELETE_FAILED")
        assert len(self.stops()) == stops, self.stops()
        assert all(":inference-experiment/" in name for name in self._ids()), self._ids()
        # The function cleans up after its answer, so that may still be in progress.
        assert eventually(lambda: not self.left_behind()), self.left_behind()

    def _ids(self) -> set[str]:
        """The physical ids in the function's answers: always the experiment's ARN."""
        return {
            event["PhysicalResourceId"]
            for event in self.events()
            if event["ResourceType"] == "Custom::StopInferenceExperiment"
            and event["ResourceStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        }

    @property
    def stack_id(self) -> str:
        """The stack's ARN, which also finds a deleted stack."""
        return self._stack_id

    def _create(self, **request: Any) -> None:
        self._stack_id: str = self.cloudformation.create_stack(**request)["StackId"]

    def _exists(self) -> bool:
        return hasattr(self, "_stack_id") and self.status != "DELETE_COMPLETE"

    def given(self, template: Template) -> Json:
        """How a call names a template: in itself, or in the bucket if it is too long for a call."""
        body = json.dumps(template.body)
        if len(body) <= MAX_BODY:
            return {"TemplateBody": body}
        self._s3.put_object(Bucket=ASSETS, Key=f"{STACK}.json", Body=body.encode())
        return {"TemplateURL": f"https://s3.us-east-1.amazonaws.com/{ASSETS}/{STACK}.json"}

    def upload(self, template: Template) -> None:
        """Put a template's assets into their bucket."""
        for key, content in template.assets.items():
            if key not in self._uploaded:
                self._s3.put_object(Bucket=ASSETS, Key=key, Body=content)
                self._uploaded.add(key)
