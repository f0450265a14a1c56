"""Stops on the local AWS with a clock that runs faster: our function and crhelper's, side by side.

Everything but AWS is real: CloudFormation's requests, the functions in their own processes, their
signed calls over TLS, the polling rule. The clock multiplies each real millisecond, so the lags are
longer than in virtual time.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from local_aws import LocalAws
from local_aws.shadow_test import create_shadow_test, wait_for_experiment
from local_aws.synthesis import ASSETS, Template, synthesise

from .contestants.declaration import UNDECIDED
from .contestants.stacks import build

__all__ = ["CAPABILITIES", "Stop", "measure", "settled"]

Json = dict[str, Any]
SCALE = 30.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
SETTLED_SECONDS = 600.0


@dataclass
class Stop:
    """One stack, one experiment, one stop."""

    contestant: str
    seconds: float
    name: str
    before: Template
    after: Template


def measure(contestants: list[str], stops: list[float], scale: float = SCALE) -> list[Json]:
    """Stop one experiment for each contestant and duration, all at once; return their lags."""
    planned = [
        _plan(contestant, seconds, f"lag-{number}-{int(seconds)}")
        for seconds in stops
        for number, contestant in enumerate(contestants)
    ]
    with LocalAws(start_seconds=1.0, clock_scale=scale) as aws:
        aws.client("s3").create_bucket(Bucket=ASSETS)
        for stop in planned:
            _arm(aws, stop)
        for stop in planned:
            _begin(aws, stop)
        return [_result(aws, stop) for stop in planned]


def _plan(contestant: str, seconds: float, name: str) -> Stop:
    def template(reason: str) -> Template:
        return synthesise(lambda stack: build(stack, contestant, [name], reason))

    return Stop(contestant, seconds, name, template(UNDECIDED), template("now"))


def _arm(aws: LocalAws, stop: Stop) -> None:
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker, stop.name, endpoint_name=stop.name)
    for key, content in stop.before.assets.items() | stop.after.assets.items():
        aws.client("s3").put_object(Bucket=ASSETS, Key=key, Body=content)
    aws.client("cloudformation").create_stack(
        StackName=stop.name,
        TemplateBody=json.dumps(stop.before.body),
        Capabilities=CAPABILITIES,
    )
    if (status := settled(aws, stop.name)) != "CREATE_COMPLETE":
        raise RuntimeError(f"{stop.contestant}: {status}")


def _begin(aws: LocalAws, stop: Stop) -> None:
    """Update the stack, and wait until its Stop was accepted with the given duration."""
    aws.configure(stop_seconds=stop.seconds)
    aws.client("cloudformation").update_stack(
        StackName=stop.name,
        TemplateBody=json.dumps(stop.after.body),
        Capabilities=CAPABILITIES,
    )
    wait_for_experiment(aws.client("sagemaker"), stop.name, "Stopping", "Completed")


def settled(aws: LocalAws, name: str) -> str:
    """The status of a stack when nothing is in progress any more.

    Raises:
        TimeoutError: That took too long.
    """
    cloudformation = aws.client("cloudformation")
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return str(stack["StackStatus"])
        time.sleep(0.2)
    raise TimeoutError(f"stack {name} did not come to rest")


def _result(aws: LocalAws, stop: Stop) -> Json:
    status = settled(aws, stop.name)
    experiment = aws.client("sagemaker").describe_inference_experiment(Name=stop.name)
    ended = experiment["CompletionTime"].timestamp()
    calls = [call for call in aws.calls() if call.request.get("Name") == stop.name]
    return {
        "contestant": stop.contestant,
        "stop_seconds": stop.seconds,
        "status": status,
        "lag": _answered(aws, stop.name) - ended,
        "sagemaker_calls": sum(call.operation.startswith("Describe") for call in calls),
    }


def _answered(aws: LocalAws, name: str) -> float:
    """When the custom resource's update was complete, on the local AWS's clock."""
    events = aws.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return next(
        float(event["Timestamp"].timestamp())
        for event in events
        if event["ResourceStatus"] == "UPDATE_COMPLETE"
        and event["ResourceType"].startswith("Custom::")
    )
