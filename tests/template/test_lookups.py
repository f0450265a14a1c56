"""The first synth of an app with context lookups, which has dummies where the values will be.

The CLI looks up what such a synth misses, and then synthesises the app again. So it must not fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.aws_ssm import StringParameter

from cdk_stop_inference_experiment import (
    Evidence,
    Instances,
    InvalidPropsError,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperimentProvider,
)

from .stacks import (
    PROMOTE,
    PROMOTE_SHADOW,
    REMOVE,
    RESOURCE_TYPE,
    Json,
    declare,
    only,
    shadow_test,
    synthesised,
)

ENVIRONMENT = cdk.Environment(account="111122223333", region="eu-west-1")
Props = Callable[[cdk.Stack], Json]


def _found(stack: cdk.Stack, name: str = "/fraud/name") -> str:
    return StringParameter.value_from_lookup(stack, name)


def _stack(context: Json | None = None) -> cdk.Stack:
    return cdk.Stack(cdk.App(context=context), "Stack", env=ENVIRONMENT)


def _missing(stack: cdk.Stack) -> list[Json]:
    """What the CLI looks up next."""
    root = stack.node.root
    assert isinstance(root, cdk.App)
    manifest = json.loads((Path(root.synth().directory) / "manifest.json").read_text())
    missing: list[Json] = manifest.get("missing", [])
    return missing


def _variant(stack: cdk.Stack) -> ModelVariantConfig:
    return ModelVariantConfig(
        model_name=_found(stack),
        variant_name="shadow",
        instance_type=_found(stack, "/type"),
        instance_count=1,
    )


EXPERIMENTS: dict[str, Props] = {
    "a name": lambda stack: {"experiment_name": _found(stack)},
    "a state": lambda stack: {"desired_state": _found(stack)},
    "variants": lambda stack: {
        "model_variant_actions": {_found(stack, "/a"): REMOVE, _found(stack, "/b"): PROMOTE}
    },
    "a desired variant": lambda stack: {
        "model_variant_actions": PROMOTE_SHADOW,
        "desired_model_variants": [_variant(stack)],
    },
    "an outcome": lambda stack: {"outcome": Outcome(_found(stack))},
    "an instance type": lambda stack: {
        "outcome": Outcome.promote_shadow(Instances(_found(stack), 1))
    },
    "an alarm": lambda stack: {
        "outcome": Outcome.promote_shadow(),
        "promote_if": Evidence(
            min_invocations=1,
            alarms=[cloudwatch.Alarm.from_alarm_name(stack, "Alarm", _found(stack))],
        ),
    },
    "an experiment": lambda stack: {
        "experiment": shadow_test(stack, name=_found(stack), role_arn=_found(stack, "/role"))
    },
    "an experiment's variants": lambda stack: {
        "experiment": shadow_test(stack, variants=(_found(stack, "/a"), _found(stack, "/b"))),
        "outcome": Outcome.keep_production(),
    },
}


def _vpc(stack: cdk.Stack, vpc_id: str = "vpc-1") -> ec2.IVpc:
    return ec2.Vpc.from_lookup(stack, "Vpc", vpc_id=vpc_id)


def _in(**selection: Any) -> Props:
    return lambda stack: {"vpc": _vpc(stack), "vpc_subnets": ec2.SubnetSelection(**selection)}


PROVIDERS: dict[str, Props] = {
    "a function's name": lambda stack: {"function_name": _found(stack)},
    "a log group": lambda stack: {
        "log_group": logs.LogGroup.from_log_group_name(stack, "Logs", _found(stack))
    },
    "a role's name": lambda stack: {"role": iam.Role.from_role_name(stack, "Role", _found(stack))},
    "a key": lambda stack: {
        "environment_encryption": kms.Key.from_lookup(stack, "Key", alias_name="alias/fraud")
    },
    "a VPC's id": lambda stack: {"vpc": _vpc(stack, _found(stack))},
    "a subnet group": _in(subnet_group_name="App"),
    "isolated subnets": _in(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
    "filtered subnets": _in(subnet_filters=[ec2.SubnetFilter.by_ids(["subnet-1"])]),
    "subnets": lambda stack: {
        "vpc": _vpc(stack),
        "vpc_subnets": ec2.SubnetSelection(
            subnets=[ec2.Subnet.from_subnet_id(stack, "Subnet", _found(stack))]
        ),
    },
    "a security group": lambda stack: {
        "vpc": _vpc(stack),
        "security_groups": [ec2.SecurityGroup.from_lookup_by_id(stack, "Group", "sg-1")],
    },
}


@pytest.mark.parametrize("props", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_what_an_experiment_needs_is_looked_up(props: Props) -> None:
    stack = _stack()
    declare(stack, **props(stack))
    assert _missing(stack)


@pytest.mark.parametrize("props", PROVIDERS.values(), ids=PROVIDERS.keys())
def test_what_a_provider_needs_is_looked_up(props: Props) -> None:
    stack = _stack()
    provider = StopInferenceExperimentProvider(stack, "Provider", **props(stack))
    declare(stack, provider=provider)
    assert _missing(stack)


@pytest.mark.newest
def test_a_role_is_looked_up() -> None:
    stack = _stack()
    role = iam.Role.from_lookup(stack, "Role", role_name="stop")
    declare(stack, provider=StopInferenceExperimentProvider(stack, "Provider", role=role))
    assert _missing(stack)


KEY = "ssm:account=111122223333:parameterName=/fraud/name:region=eu-west-1"


def test_a_value_that_was_found_is_known_and_checked() -> None:
    stack = _stack({KEY: "fraud-shadow"})
    declare(stack, experiment_name=_found(stack))
    assert _missing(stack) == []
    name, resource = only(synthesised(stack), RESOURCE_TYPE)
    assert resource["Properties"]["Name"] == "fraud-shadow"
    assert "fraudshadow" in name
    wrong = _stack({KEY: "fraud_shadow"})
    with pytest.raises(InvalidPropsError, match="'experiment_name' must be letters"):
        declare(wrong, experiment_name=_found(wrong))
