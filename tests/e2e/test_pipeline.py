"""The steps of the example's workflow, as a runner would run them, against the local AWS."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml

from cdk_stop_inference_experiment import Outcome, StopOn
from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, with_short_waits
from local_aws.shadow_test import create_shadow_test

from .synthesis import stop_shadow_test

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MANUAL = (ROOT / "docs" / "reference" / "command.md").read_text()
STACK = "FraudShadowTest"
GUIDE = (ROOT / "docs" / "guide" / "pipeline.md").read_text()
WORKFLOW: dict[str, Any] = yaml.safe_load(
    (ROOT / "examples" / "pipeline" / "verdict.yml").read_text()
)
STEPS: dict[str, str] = {
    step["name"]: step["run"]
    for job in WORKFLOW["jobs"].values()
    for step in job["steps"]
    if "name" in step
}
"""The shell of each step by its name. ``Install`` is run by tests/test_workflows.py."""


class Runner:
    """A runner with the programs that the steps call, and one run of the workflow at a time."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self.aws, self.folder = aws, folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "cdk").symlink_to(ROOT / "node_modules" / ".bin" / "cdk")
        command = f'{sys.executable} -m cdk_stop_inference_experiment "$@"'
        for name, line in {
            "stop-inference-experiment": f"exec {command}",
            "gh": f'echo "$@" > {folder}/gh',
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{line}\n")
            (programs / name).chmod(0o755)
        self.summary, self._output = folder / "summary", folder / "output"
        environment = with_short_waits(aws.environment(os.environ))
        self._environment = {
            **environment,
            "PATH": os.pathsep.join([str(programs), environment["PATH"]]),
            "STACK": STACK,
            "GITHUB_OUTPUT": str(self._output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }

    def declare(self, **props: Any) -> None:
        """Change the app, which is synthesised here: the CLI would take seconds each time."""
        app = cdk.App(outdir=str(self.folder / "cdk.out"))
        stop_shadow_test(cdk.Stack(app, STACK), stop_on=[StopOn.DELETE], **props)
        app.synth()
        settings = {"app": "cdk.out", "notices": False, "versionReporting": False}
        (self.folder / "cdk.json").write_text(json.dumps(settings))

    def run(self, shell: str, change_set: str = "", **environment: str) -> int:
        """Run shell as a step with an exit status."""
        self.summary.write_text("")
        self._output.write_text("")
        return subprocess.run(
            ["bash", "-e", "-c", shell],
            cwd=self.folder,
            env={**self._environment, "CHANGE_SET": change_set, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode

    def plan(self, change_set: str) -> str:
        """Prepare and plan; return which job is next."""
        assert self.run(STEPS["Prepare"], change_set) == 0
        assert self.run(STEPS["Plan"], change_set) == 0
        return self._output.read_text()

    def execute(self, change_set: str) -> tuple[int, str]:
        """Execute and report; return the exit status and the report."""
        status = self.run(STEPS["Execute"], change_set)
        outcome = "failure" if status else "success"
        assert self.run(STEPS["Report"], change_set, EXECUTED=outcome) == 0
        return status, self.summary.read_text()

    def stack_status(self) -> str:
        """The stack's status."""
        stacks = self.aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return str(stacks[0]["StackStatus"])


def test_the_guide_shows_the_steps_of_the_workflow() -> None:
    shown = re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)
    assert shown == [STEPS[name] for name in ("Prepare", "Plan", "Execute")]


def test_nothing_is_executed_for_a_pull_request_or_without_the_approval_that_a_plan_asks_for() -> (
    None
):
    jobs = WORKFLOW["jobs"]
    not_for_a_pull_request = "github.event_name != 'pull_request' && "
    assert jobs["approve"]["environment"] == "${{ inputs.environment }}"
    assert jobs["approve"]["if"] == (
        not_for_a_pull_request + "needs.plan.outputs.next == 'approve'"
    )
    assert jobs["execute"]["needs"] == ["plan", "approve"]
    assert jobs["execute"]["if"] == (
        f"!cancelled() && {not_for_a_pull_request}"
        "(needs.plan.outputs.next == 'execute' || needs.approve.result == 'success')"
    )


@pytest.mark.slow
def test_the_workflow_survives_what_happens_to_a_pipeline(tmp_path: Path) -> None:
    with LocalAws(start_seconds=0.1, stop_seconds=1.0) as aws:
        create_shadow_test(aws.client("sagemaker"))
        CdkCli(aws, output=tmp_path / "cdk.out").bootstrap()
        runner = Runner(aws, tmp_path)

        # A first deployment.
        runner.declare()
        assert runner.plan("first") == "next=execute\n"
        status, report = runner.execute("first")
        assert (status, runner.stack_status()) == (0, "CREATE_COMPLETE")
        assert report.startswith(f"### {STACK} (CREATE\\_COMPLETE)\n")

        # No change.
        assert runner.plan("same") == "next=nothing\n"
        assert "**Nothing changes.**" in runner.summary.read_text()

        # A plan that fails ends the job, and its comment says why.
        assert runner.run(STEPS["Plan"], "missing") == 1
        assert runner.run(STEPS["Comment"], PULL_REQUEST="7") == 0
        assert (tmp_path / "gh").read_text() == "pr comment 7 --body-file plan.md\n"
        assert "[missing] does not exist" in (tmp_path / "plan.md").read_text()

        # A rollback.
        nobody = {"production": "Retain", "nobody": "Remove"}
        runner.declare(model_variant_actions=nobody, end_now=True)
        assert runner.plan("wrong") == "next=approve\n"
        status, report = runner.execute("wrong")
        assert (status, runner.stack_status()) == (1, "UPDATE_ROLLBACK_COMPLETE")
        assert report.startswith(f"### {STACK}: the deployment failed\n")
        assert "has no variant 'nobody'" in report
        assert "- **fraud-shadow:** Running since" in report

        # The verdict, while somebody has prepared a change set as the README says.
        runner.declare(end_now=True)
        (typed,) = re.findall(r"```console\n(pip install [^\n]*\n.*?)```", MANUAL, re.DOTALL)
        assert typed in README
        assert runner.run(typed.partition("\n")[2]) == 0
        runner.declare(outcome=Outcome.promote_shadow(), end_now=True)
        assert runner.plan("won") == "next=approve\n"
        assert not aws.calls("StopInferenceExperiment")
        status, report = runner.execute("won")
        assert (status, runner.stack_status()) == (0, "UPDATE_COMPLETE")
        assert "variant 'shadow' serves production now, by endpoint configuration" in report
        plan = (tmp_path / "plan.md").read_text()
        assert "a new endpoint configuration for model 'fraud-v1'" in plan

        # That change set was overtaken.
        status, report = runner.execute("verdict")
        assert status == 1
        assert report.startswith(f"### {STACK}: the deployment failed\n")
        assert "ChangeSet [verdict] does not exist" in report
        assert len(aws.calls("StopInferenceExperiment")) == 1
