"""The real CDK CLI deploys and destroys the examples.

The gated one is in ``test_evidence.py``, the day after a promotion in ``test_day_after.py``, and
the quick start in ``test_command.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from examples.many_tests.app import VERDICTS
from examples.outcomes.app import CHOICES

from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli
from local_aws.inventory import inventory
from local_aws.shadow_test import create_shadow_test, endpoint_variants, model_variant
from tests.waiting import eventually

from .synthesis import Json

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "apps" / "all_examples.py"
STAGES = ("fraud-shadow-beta", "fraud-shadow-prod")
OUTSIDE = (
    "fraud-shadow",
    "fraud-shadow-json",
    "fraud-shadow-vpc",
    *STAGES,
    *(f"{model}-shadow" for model in VERDICTS),
)
KEPT = {"production": "Retain", "shadow": "Remove"}
PROMOTED = {"production": "Remove", "shadow": "Promote"}
SENT: dict[str, Json] = {
    "Promote": {
        "ModelVariantActions": PROMOTED,
        "DesiredModelVariants": [model_variant("shadow", "fraud-v2", "ml.m5.large", 10)],
    },
    "PromoteOnShadows": {
        "ModelVariantActions": PROMOTED,
        "DesiredModelVariants": [model_variant("shadow", "fraud-v2", "ml.m5.large", 1)],
    },
    "PromoteOnGiven": {
        "ModelVariantActions": PROMOTED,
        "DesiredModelVariants": [model_variant("shadow", "fraud-v2", "ml.c5.2xlarge", 3)],
    },
    "KeepProduction": {"ModelVariantActions": KEPT},
    "KeepBoth": {"ModelVariantActions": {"production": "Retain", "shadow": "Retain"}},
}
"""The request of each stack of the outcomes, if production runs ten instances instead of one."""

SERVES = {
    "Promote": (["fraud-v2"], []),
    "PromoteOnShadows": (["fraud-v2"], []),
    "PromoteOnGiven": (["fraud-v2"], []),
    "KeepProduction": (["fraud-v1"], []),
    "KeepBoth": (["fraud-v1"], ["fraud-v2"]),
}
"""The models of production and of the shadow."""

DESTROYED = {
    "fraud-shadow": "Remove",
    "fraud-shadow-json": "Remove",
    "fraud-shadow-vpc": "Remove",
    "fraud-shadow-beta": "Remove",
    "fraud-shadow-prod": "Remove",
    "churn-shadow": "Remove",
    "credit-shadow": "Promote",
    "pricing-shadow": "Retain",
}
"""The shadow's action in the request that a teardown sends."""


@dataclass
class Deployed:
    """An account with the examples, but the one without Python code, and their synthesised app."""

    aws: LocalAws
    synthesised: CdkCli
    before: dict[str, list[str]]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Every example after one deployment."""
    folder = tmp_path_factory.mktemp("cdk")
    with LocalAws(start_seconds=0.1, stop_seconds=2.0) as aws:
        for name in (*OUTSIDE, *(f"fraud-{choice}" for choice in CHOICES)):
            create_shadow_test(aws.client("sagemaker"), name, endpoint_name=name)
            aws.scale_variant(name, "production", current=10)
        cdk = CdkCli(aws, app=APP, output=folder)
        cdk.bootstrap()
        before = inventory(aws)
        cdk.run("deploy", "**", "--require-approval=never", "--concurrency=5")
        yield Deployed(aws, CdkCli(aws, app=folder, output=folder), before)


def stops(aws: LocalAws) -> dict[str, dict[str, Any]]:
    """The request of each Stop by the experiment's name; there is one at most."""
    calls = [call.request for call in aws.calls("StopInferenceExperiment")]
    found = {request["Name"]: request for request in calls}
    assert len(found) == len(calls)
    return found


def test_each_outcome_ends_its_experiment_as_its_readme_says(deployed: Deployed) -> None:
    aws = deployed.aws
    assert len(stops(aws)) == len(CHOICES)
    for choice in CHOICES:
        sent = dict(stops(aws)[f"fraud-{choice}"])
        stack = aws.client("cloudformation").describe_stacks(StackName=choice)["Stacks"][0]
        assert json.loads(stack["Outputs"][0]["OutputValue"]) == sent
        del sent["Reason"], sent["Name"]
        assert sent == SENT[choice]
        found = endpoint_variants(aws.client("sagemaker"), f"fraud-{choice}")
        models = ([item["ModelName"] for item in found[kind]] for kind in ("production", "shadow"))
        assert tuple(models) == SERVES[choice]


def test_the_other_examples_are_armed_and_a_teardown_ends_each_as_declared(
    deployed: Deployed, tmp_path: Path
) -> None:
    aws = deployed.aws
    without_python = CdkCli(
        aws, app=ROOT / "app.py", output=tmp_path, cwd=ROOT / "examples" / "cdk_json"
    )
    without_python.deploy()
    assert len(stops(aws)) == len(CHOICES)

    without_python.destroy()
    aws.client("cloudformation").update_termination_protection(
        StackName="FraudVerdictByName", EnableTerminationProtection=False
    )
    deployed.synthesised.run("destroy", "**", "--force", "--concurrency=5")
    ended = stops(aws)
    for name, action in DESTROYED.items():
        assert ended[name]["ModelVariantActions"]["shadow"] == action, name
    assert ended["fraud-v2"]["ModelVariantActions"] == {"v1": "Retain", "v2": "Remove"}
    assert eventually(lambda: inventory(aws) == deployed.before), inventory(aws)
