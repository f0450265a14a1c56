"""Answers what nobody has published about AWS: ``python -m tests.integ.observe --account ID``."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.cdk_cli import CdkFailed

from .app import TAG, VARIANTS
from .probes import MARK, probe, synthesise_probe
from .questions import Answer, page
from .run import Run, argument_parser, main

__all__ = ["observe"]

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
PRODUCTION, SHADOW = VARIANTS
_ENDED = ("Completed", "Cancelled")
_SHADOW_COUNT = 2
_REASON = "v2 wins: p99 41 ms < 55 ms, 'as agreed' {100%} (0a1b2c3d)"


class Observer:
    """The answers so far, and what several of them need."""

    def __init__(self, run: Run, output: Path) -> None:
        self.run = run
        self.answers: dict[str, Answer] = {}
        self._output = output
        self._where = run.plan.region
        if "127.0.0.1" in run.sagemaker.meta.endpoint_url:
            self._where = "the local AWS"
        self._versions = (
            f"boto3 {boto3.__version__}, aws-cdk-lib {version('aws-cdk-lib')}, "
            f"aws-cdk {_cli_version()}, Python {platform.python_version()}"
        )

    def answer(self, name: str, text: str, facts: Mapping[str, Any], *responses: Json) -> None:
        """Write down an answer at once: the next one may never come."""
        ids = tuple(response["ResponseMetadata"]["RequestId"] for response in responses)
        when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.answers[name] = Answer(text, facts, when, self._where, self._versions, ids)
        self._output.write_text(page(self.answers))
        self.run.say(f"{name}: {text}")

    # The experiment, on the endpoint of the run.

    def running(self, name: str) -> None:
        """Create an experiment, with production on one instance, and wait until it runs."""
        plan = self.run.plan
        counts = {PRODUCTION: 1, SHADOW: _SHADOW_COUNT}
        variants = [
            {
                "VariantName": variant,
                "ModelName": plan.model(variant),
                "InfrastructureConfig": {
                    "InfrastructureType": "RealTimeInference",
                    "RealTimeInferenceConfig": {
                        "InstanceType": plan.instance_type,
                        "InstanceCount": count,
                    },
                },
            }
            for variant, count in counts.items()
        ]
        shadows = [{"ShadowModelVariantName": SHADOW, "SamplingPercentage": 100}]
        self.run.sagemaker.create_inference_experiment(
            Name=name,
            Type="ShadowMode",
            RoleArn=plan.role_arn,
            EndpointName=plan.endpoint,
            ModelVariants=variants,
            ShadowModeConfig={
                "SourceModelVariantName": PRODUCTION,
                "ShadowModelVariants": shadows,
            },
            Tags=[{"Key": TAG, "Value": plan.prefix}],
        )
        self.when(name, "Running")

    def describe(self, name: str) -> Json:
        """An experiment as SageMaker describes it."""
        found: Json = self.run.sagemaker.describe_inference_experiment(Name=name)
        return found

    def when(self, name: str, *statuses: str) -> Json:
        """An experiment, once it has one of these statuses and the endpoint has settled."""
        self.run.wait(lambda: self.describe(name)["Status"] in statuses, f"{name} to be {statuses}")
        self.run.settle()
        return self.describe(name)

    # The probe's stack.

    def update(self, **parameters: str) -> Json:
        """Update it by its parameters, without rollback, and wait until it is at rest."""
        stack = probe(self.run.plan)
        updated: Json = self.run.cloudformation.update_stack(
            StackName=stack,
            UsePreviousTemplate=True,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
            DisableRollback=True,
        )
        self.run.wait(lambda: not self.status().endswith("_IN_PROGRESS"), stack)
        # What comes after the stack is at rest, and the log, are to come as well.
        self.run.pause()
        return updated

    def status(self) -> str:
        """Its status."""
        stacks = self.run.cloudformation.describe_stacks(StackName=probe(self.run.plan))["Stacks"]
        return str(stacks[0]["StackStatus"])

    def logged(self) -> list[str]:
        """The lines of the probe's log so far."""
        pages = (
            self.run.session.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{probe(self.run.plan)}")
        )
        return [event["message"] for found in pages for event in found["events"]]

    def requests(self, resource: str) -> list[Json]:
        """The requests to a resource of the probe so far, oldest first."""
        lines = [line for line in self.logged() if line.startswith(MARK)]
        told = [json.loads(line.partition(MARK)[2]) for line in lines]
        return sorted(
            (one for one in told if one["resource"] == resource), key=lambda one: one["at"]
        )


def promote(observer: Observer) -> None:
    """A promotion that names neither instances nor a state, and what is left of it."""
    name = f"{observer.run.plan.prefix}-Promote"
    observer.running(name)
    actions = {PRODUCTION: "Remove", SHADOW: "Promote"}
    sent: Json = observer.run.sagemaker.stop_inference_experiment(
        Name=name, ModelVariantActions=actions, Reason=_REASON
    )
    began = time.time()
    settled = _seen_settled(observer, name)
    ended = observer.when(name, *_ENDED)
    observer.answer(
        "default-state", f"{ended['Status']}.", {"status": ended["Status"]}, sent, ended
    )
    _endpoint_event(observer, began, settled, ended)
    _status_reason(observer, ended)
    _after_an_end(observer, ended)
    _promoted_instances(observer)


def _seen_settled(observer: Observer, name: str) -> float:
    """When a describe first showed the end of an experiment and its endpoint settled."""
    is_in_flux = ("Creating", "Updating", "SystemUpdating", "RollingBack")

    def is_settled() -> bool:
        found = observer.describe(name)
        return (
            found["Status"] in _ENDED
            and found["EndpointMetadata"]["EndpointStatus"] not in is_in_flux
        )

    observer.run.wait(is_settled, f"{name} to have settled", every=1.0)
    return time.time()


def _endpoint_event(observer: Observer, began: float, settled: float, ended: Json) -> None:
    """When the endpoint's event came, relative to the end and to what a describe showed."""
    observer.run.pause()
    found = [one for one in observer.requests("Endpoint") if one["at"] > began]
    over = ended["CompletionTime"].timestamp()
    told = [
        f"{one['status']} {one['at'] - over:+.1f} s after CompletionTime, "
        f"{one['at'] - settled:+.1f} s after a describe showed the end"
        for one in found
    ]
    last = next((one for one in reversed(found) if one["status"] == "IN_SERVICE"), None)
    facts = {
        "came": last is not None,
        "after_end": None if last is None else last["at"] - over,
        "behind": None if last is None else settled - last["at"],
    }
    observer.answer("endpoint-event", f"{'; '.join(told) or 'It does not come'}.", facts, ended)


def _status_reason(observer: Observer, ended: Json) -> None:
    reason = ended.get("StatusReason", "")
    same = reason == _REASON
    text = "It is." if same else f"It is not: {reason!r} for {_REASON!r}."
    observer.answer("status-reason", text, {"same": same}, ended)


def _after_an_end(observer: Observer, ended: Json) -> None:
    statuses = {item["VariantName"]: item["Status"] for item in ended["ModelVariants"]}
    failure = ended["EndpointMetadata"].get("FailureReason")
    production, shadow = statuses.get(PRODUCTION), statuses.get(SHADOW)
    text = f"Removed: {production}; promoted: {shadow}; FailureReason: {failure}."
    facts = {"production": production, "shadow": shadow, "failure": failure}
    observer.answer("after-an-end", text, facts, ended)
    config = ended.get("ShadowModeConfig", {})
    shadows = config.get("ShadowModelVariants", [])
    named = {config.get("SourceModelVariantName")}
    named |= {item.get("ShadowModelVariantName") for item in shadows}
    both = named == {PRODUCTION, SHADOW}
    text = "Yes." if both else f"No: {config}."
    observer.answer("shadow-mode-after-an-end", text, {"both": both}, ended)


def _promoted_instances(observer: Observer) -> None:
    endpoint = observer.run.endpoint()
    (served,) = endpoint["ProductionVariants"]
    facts = {"count": served["CurrentInstanceCount"], "production": 1, "shadow": _SHADOW_COUNT}
    text = f"On {facts['count']}; production ran 1, and the shadow {_SHADOW_COUNT}."
    observer.answer("promoted-instances", text, facts, endpoint)


def without_rollback(observer: Observer) -> None:
    """An update of a resource that fails without rollback, and the next one."""
    updated = observer.update(Value="2", Fails="yes")
    failed = observer.requests("Alone")
    undone = [
        f"{one['request']} in {one['status']}"
        for one in failed[1:]
        if (one["value"], one["old"]) == ("1", "2")
    ]
    text = f"{' and '.join(undone) or 'None'}; the stack is {observer.status()} then."
    observer.answer("undo-without-rollback", text, {"undone": undone}, updated)
    updated = observer.update(Value="3", Fails="no")
    (retry,) = [one for one in observer.requests("Alone") if one["value"] == "3"]
    old = {"1": "stable", "2": "failed"}.get(retry["old"], str(retry["old"]))
    words = {"stable": "Those before the failed update.", "failed": "Those of the failed update."}
    observer.answer("old-properties-of-the-retry", words.get(old, old), {"old": old}, updated)


_UNEXPECTED = (ClientError, BotoCoreError, CdkFailed, LookupError, ValueError, StopIteration)
"""What an answer that nobody thought of may lead to."""


def observe(run: Run, output: Path) -> None:
    """Make the stacks, and ask one question after the other; one that fails stays open."""
    observer = Observer(run, output)
    app = run.new_folder()
    run.deploy(app, synthesise_probe(run.plan, app))
    _asked(observer, without_rollback)
    run.make_endpoint()
    _asked(observer, promote)
    run.say(f"written: {output}")


def _asked(observer: Observer, ask: Callable[[Observer], None]) -> None:
    observer.run.say(str(ask.__doc__))
    try:
        ask(observer)
    except _UNEXPECTED as error:
        observer.run.say(f"not observed: {type(error).__name__}: {error}")


def _cli_version() -> str:
    package = json.loads((ROOT / "package.json").read_text())
    return str(package["devDependencies"]["aws-cdk"])


def _main() -> int:
    parser = argument_parser("Answers in an AWS account what nobody has published about AWS.")
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "docs" / "observations.md",
        help="where to write the answers (default: docs/observations.md)",
    )
    return main(parser, lambda run, options: observe(run, options.output))


if __name__ == "__main__":
    sys.exit(_main())
