"""The real CDK CLI deploys the repository's own app.

Only a few tests, because each run of the CLI takes seconds; the other modules do without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local_aws import Call, LocalAws
from local_aws.cdk_cli import CdkCli, CdkFailed
from local_aws.inventory import inventory
from local_aws.shadow_test import create_shadow_test, endpoint_variants, model_variant
from tests.waiting import eventually

pytestmark = pytest.mark.slow

KEEP_PRODUCTION = {"production": "Retain", "shadow": "Remove"}
NOBODY = {"production": "Retain", "nobody": "Remove"}


@dataclass
class Account:
    """A bootstrapped account, and the CLI for it.

    ``synthesised`` uses the app that ``cdk`` synthesised last, which saves seconds.
    """

    aws: LocalAws
    cdk: CdkCli
    synthesised: CdkCli
    before: dict[str, list[str]]

    def left_behind(self) -> dict[str, list[str]]:
        """What exists now and did not before the first deployment."""
        added = {
            kind: sorted(set(names) - set(self.before[kind]))
            for kind, names in inventory(self.aws).items()
        }
        return {kind: names for kind, names in added.items() if names}

    def stops(self, experiment: str) -> list[Call]:
        """The Stop calls for an experiment."""
        calls = self.aws.calls("StopInferenceExperiment")
        return [call for call in calls if call.request.get("Name") == experiment]

    def experiment(self, name: str) -> dict[str, Any]:
        """An experiment as SageMaker describes it."""
        described: dict[str, Any] = self.aws.client("sagemaker").describe_inference_experiment(
            Name=name
        )
        return described

    def stack(self, name: str) -> dict[str, Any]:
        """A stack as CloudFormation describes it."""
        stacks = self.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        found: dict[str, Any] = stacks[0]
        return found

    def completed_at(self, stack: str, status: str) -> float:
        """When the stack itself reached a status, in seconds since the epoch."""
        events = self.aws.client("cloudformation").describe_stack_events(StackName=stack)
        return next(
            float(event["Timestamp"].timestamp())
            for event in events["StackEvents"]
            if event["ResourceStatus"] == status and event["LogicalResourceId"] == stack
        )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One bootstrap for the module; it is never reset, so each test uses its own names."""
    with LocalAws(start_seconds=0.1, stop_seconds=2.0) as aws:
        output = tmp_path_factory.mktemp("cdk") / "cdk.out"
        cdk = CdkCli(aws, output=output)
        cdk.bootstrap()
        yield Account(aws, cdk, CdkCli(aws, app=output, output=output), inventory(aws))


def context(name: str, **entries: object) -> dict[str, str]:
    """The context for a stack and an experiment with the same name."""
    prefix = "stop-inference-experiment."
    declared = {
        f"{prefix}{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in entries.items()
    }
    return {"stack-name": name, f"{prefix}experiment_name": name, **declared}


def retaining(name: str, **entries: object) -> dict[str, str]:
    """A declaration that keeps production, with its own reason."""
    wanted: dict[str, object] = {
        "outcome": None,
        "model_variant_actions": KEEP_PRODUCTION,
        "reason": "no verdict yet",
    }
    return context(name, **{**wanted, **entries})


def test_history_1_and_20_deploy_arms_an_update_promotes_and_destroy_leaves_nothing(
    account: Account,
) -> None:
    name = "verdict"
    create_shadow_test(account.aws.client("sagemaker"), name, endpoint_name=name)
    account.aws.scale_variant(name, "production", current=4)
    account.cdk.deploy(context=retaining(name))
    assert account.experiment(name)["Status"] == "Running"
    account.cdk.run("diff", context=context(name))
    account.synthesised.run("drift")
    assert account.experiment(name)["Status"] == "Running"
    assert not account.stops(name)

    account.synthesised.run("deploy", "--all", "--require-approval=never", "--hotswap-fallback")
    (stop,) = account.stops(name)
    sent = dict(stop.request)
    assert re.fullmatch(r"v2 wins: p99 41 ms against 55 ms \([0-9a-f]{8}\)", sent.pop("Reason"))
    assert sent == {
        "Name": name,
        "ModelVariantActions": {"production": "Remove", "shadow": "Promote"},
        "DesiredModelVariants": [model_variant("shadow", "fraud-v2", "ml.m5.large", 4)],
        "DesiredState": "Completed",
    }
    outputs = {item["OutputKey"]: item["OutputValue"] for item in account.stack(name)["Outputs"]}
    assert json.loads(outputs["StopRequest"]) == stop.request
    ended = account.experiment(name)
    assert ended["Status"] == "Completed"
    told = account.completed_at(name, "UPDATE_COMPLETE")
    assert 0 <= told - ended["CompletionTime"].timestamp() < 10
    serving = endpoint_variants(account.aws.client("sagemaker"), name)
    assert [variant["ModelName"] for variant in serving["production"]] == ["fraud-v2"]
    assert not serving["shadow"]

    account.synthesised.destroy()
    assert len(account.stops(name)) == 1
    assert eventually(lambda: not account.left_behind()), account.left_behind()


def test_histories_4_and_2_a_failing_update_stops_nothing_and_destroy_ends_it_as_declared(
    account: Account,
) -> None:
    name = "refused"
    create_shadow_test(account.aws.client("sagemaker"), name, endpoint_name=name)
    account.cdk.deploy(context=retaining(name))
    with pytest.raises(CdkFailed) as failure:
        account.cdk.deploy(context=retaining(name, model_variant_actions=NOBODY))
    printed = " ".join(str(failure.value).split())
    assert f"inference experiment '{name}' has no variant 'nobody'" in printed
    assert account.stack(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert account.experiment(name)["Status"] == "Running"
    assert not account.stops(name)

    account.synthesised.destroy()
    (stop,) = account.stops(name)
    assert stop.request["ModelVariantActions"] == KEEP_PRODUCTION
    assert stop.request["Reason"].startswith("no verdict yet (")
    assert account.experiment(name)["Status"] == "Completed"
    serving = endpoint_variants(account.aws.client("sagemaker"), name)
    assert [variant["ModelName"] for variant in serving["production"]] == ["fraud-v1"]
    assert not serving["shadow"]
    assert eventually(lambda: not account.left_behind()), account.left_behind()
