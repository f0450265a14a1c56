"""One local AWS and one bootstrap for this folder, with a shadow test of somebody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, with_short_waits
from local_aws.inventory import inventory
from local_aws.shadow_test import create_shadow_test
from tests.waiting import eventually

ACCOUNT = "000000000000"
QUICK: dict[str, Any] = {"start_seconds": 1.0, "stop_seconds": 10.0, "clock_scale": 30.0}


@dataclass
class Account:
    """A bootstrapped account."""

    aws: LocalAws
    before: dict[str, list[str]] = field(default_factory=dict)

    def begin(self, module: str, *arguments: str, answer: str = "yes\n") -> subprocess.Popen[str]:
        """Start a script like a user who answers its question."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--poll-seconds=0.2", *arguments],
            env=with_short_waits(self.aws.environment(os.environ)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(answer)
        process.stdin.flush()
        return process

    def run(self, module: str, *arguments: str, answer: str = "yes\n") -> tuple[int, str]:
        """Run a script to its end; return its exit code, and what it printed."""
        process = self.begin(module, *arguments, answer=answer)
        out, errors = process.communicate()
        return process.returncode, out + errors

    def left_behind(self) -> dict[str, list[str]]:
        """What exists now and did not before."""
        now = everything(self.aws)
        added = {kind: sorted(set(now[kind]) - set(self.before[kind])) for kind in now}
        return {kind: names for kind, names in added.items() if names}

    def is_as_before(self) -> bool:
        """Whether nothing was left, and nothing of somebody else's is gone or has changed."""
        # A function may still be removing its own rule.
        return eventually(lambda: everything(self.aws) == self.before)


def everything(aws: LocalAws) -> dict[str, list[str]]:
    """What an account holds, by kind; experiments and endpoints with what they do."""
    sagemaker, cloudformation = aws.client("sagemaker"), aws.client("cloudformation")
    experiments = sagemaker.list_inference_experiments(MaxResults=100)["InferenceExperiments"]
    stacks = cloudformation.describe_stacks()["Stacks"]
    configs = sagemaker.list_endpoint_configs()["EndpointConfigs"]
    found = {
        **inventory(aws),
        "stacks": [one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"],
        "experiments": [f"{one['Name']} is {one['Status']}" for one in experiments],
        "endpoints": [
            f"{one['EndpointName']} is {one['EndpointStatus']}"
            for one in sagemaker.list_endpoints()["Endpoints"]
        ],
        "endpoint configurations": [config["EndpointConfigName"] for config in configs],
        "models": [model["ModelName"] for model in sagemaker.list_models()["Models"]],
    }
    return {kind: sorted(names) for kind, names in found.items()}


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account; the scripts are to leave it as it is."""
    with LocalAws(**QUICK) as aws:
        CdkCli(aws, output=tmp_path_factory.mktemp("bootstrap")).bootstrap()
        create_shadow_test(aws.client("sagemaker"), "fraud-shadow")
        yield Account(aws, everything(aws))
