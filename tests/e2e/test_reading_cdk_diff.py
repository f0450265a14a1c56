"""The guide's page "Reading cdk diff" shows what the real CDK CLI prints."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, Stack

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guide" / "reading-cdk-diff.md"


def synthesised(folder: Path, construct_id: str = "StopShadowTest", **props: Any) -> Path:
    """Synthesise the page's stack into a folder; without a construct id, without the construct.

    Props that a case does not change are as deployed.
    """
    # Like the CLI; without it, the diff has no construct paths.
    context = {"aws:cdk:enable-path-metadata": True}
    app = App(outdir=str(folder), analytics_reporting=False, context=context)
    stack = Stack(app, "FraudShadowTest")
    properties = {"Type": "String", "Value": "in every template"}
    CfnResource(stack, "Kept", type="AWS::SSM::Parameter", properties=properties)
    declared: dict[str, Any] = {
        "experiment_name": "fraud-shadow",
        "outcome": Outcome.keep_production(),
        "reason": "no verdict yet",
        **props,
    }
    if construct_id:
        StopInferenceExperiment(stack, construct_id, **declared)
    app.synth()
    return folder


CASES: dict[str, dict[str, Any]] = {
    "A reworded reason": {"reason": "p99 is too high"},
    "Another outcome": {"outcome": Outcome.promote_shadow()},
    "`end_now` from false to true": {"end_now": True},
    "The construct renamed": {"construct_id": "EndShadowTest"},
    "Another experiment's name": {"experiment_name": "fraud-shadow-2"},
    "The construct removed": {"construct_id": ""},
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template that is deployed before each case."""
    folder = synthesised(tmp_path_factory.mktemp("deployed"))
    return folder / "FraudShadowTest.template.json"


def printed(app: Path, deployed: Path, folder: Path) -> list[str]:
    """The lines that ``cdk diff`` prints of two templates, without an account."""
    cdk = str(ROOT / "node_modules/.bin/cdk")
    command = [cdk, "diff", "--ci", "--app", str(app), "--template", str(deployed)]
    environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
    ran = subprocess.run(
        command,
        cwd=folder,
        env={
            **environment,
            "AWS_CONFIG_FILE": str(folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(folder / "cdk"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return [line.rstrip() for line in ran.stdout.splitlines()]


def shown() -> dict[str, list[str]]:
    """The lines of each block of the page, by the words in bold before it."""
    blocks = re.findall(
        r"\*\*(.+?)\*\*[^\n]*(?:\n[^`\n][^\n]*)*\n\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    return {title.rstrip(".:"): block.splitlines() for title, block in blocks}


def test_the_page_has_a_block_for_each_case_and_no_other() -> None:
    assert list(shown()) == list(CASES)


@pytest.mark.parametrize("case", CASES)
def test_the_page_shows_of_each_case_what_the_cli_prints_of_our_resource(
    case: str, deployed: Path, tmp_path: Path
) -> None:
    ours: list[str] = []
    inside = False
    for line in printed(synthesised(tmp_path / "app", **CASES[case]), deployed, tmp_path):
        if line.startswith("["):
            inside = "] Custom::StopInferenceExperiment " in line
        if inside and line:
            ours.append(line)
    assert shown()[case] == [line for line in ours if line[0] in "[ "]
