"""The props of a provider that synth refuses, and those that it accepts."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from cdk_stop_inference_experiment import InvalidPropsError, StopInferenceExperimentProvider

from .stacks import (
    new_stack,
)

IMMUTABLE = "cdk-stop-inference-experiment:immutableRole"
ROLE_ARN = "arn:aws:iam::123456789012:role/given"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a retention for a given log group": (
        {"log_group": "log group", "log_retention": logs.RetentionDays.ONE_DAY},
        "at most one of 'log_group' and 'log_retention' may be set, got both",
    ),
    "a removal policy for a given log group": (
        {"log_group": "log group", "log_removal_policy": cdk.RemovalPolicy.DESTROY},
        "at most one of 'log_group' and 'log_removal_policy' may be set, got both: set it on the",
    ),
    "snapshots of a log group": (
        {"log_removal_policy": cdk.RemovalPolicy.SNAPSHOT},
        "'log_removal_policy' must not be RemovalPolicy.SNAPSHOT",
    ),
    "no concurrency": (
        {"reserved_concurrent_executions": 0},
        "'reserved_concurrent_executions' must be a whole number of at least 1, got 0",
    ),
    "half a concurrency": (
        {"reserved_concurrent_executions": 0.5},
        "'reserved_concurrent_executions' must be a whole number of at least 1, got 0.5",
    ),
    "127 MiB": (
        {"memory_size": 127},
        "'memory_size' must be a whole number of 128 to 10240 MiB, got 127",
    ),
    "10241 MiB": (
        {"memory_size": 10241},
        "'memory_size' must be a whole number of 128 to 10240 MiB, got 10241",
    ),
    "half a MiB": ({"memory_size": 256.5}, "'memory_size' must be a whole number of 128 to 10240"),
    "Python 3.11": (
        {"runtime": lambda_.Runtime.PYTHON_3_11},
        "'runtime' must be Python 3.12 or newer, got 'python3.11': leave it out, or write",
    ),
    "Python 3.9": (
        {"runtime": lambda_.Runtime.PYTHON_3_9},
        "'runtime' must be Python 3.12 or newer, got 'python3.9'",
    ),
    "another language": (
        {"runtime": lambda_.Runtime.NODEJS_20_X},
        "'runtime' must be Python 3.12 or newer, got 'nodejs20.x'",
    ),
    "no security groups": (
        {"security_groups": []},
        "'security_groups' must list at least one, or be left out, got an empty list",
    ),
}


@pytest.mark.parametrize(("props", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(props: dict[str, Any], problem: str) -> None:
    stack = new_stack()
    with pytest.raises(InvalidPropsError) as error:
        StopInferenceExperimentProvider(stack, "Provider", **props)
    assert any(problem in found for found in error.value.problems), error.value
    assert str(error.value).startswith(
        "invalid StopInferenceExperimentProvider props of 'Stack/Provider': "
    )
    assert stack.node.children == []


def test_every_problem_of_a_provider_is_told_at_once() -> None:
    with pytest.raises(InvalidPropsError) as error:
        StopInferenceExperimentProvider(new_stack(), "P", security_groups=[], memory_size=1)
    assert len(error.value.problems) == 2


BY_CDK: dict[str, tuple[dict[str, Any], str]] = {
    "a VPC by its id": ({"vpc": "vpc-1"}, r"(?s)Key 'vpc': .*IVpc.*'vpc-1'"),
    "subnets without a VPC": (
        {"vpc_subnets": ec2.SubnetSelection(one_per_az=True)},
        "Cannot configure 'vpcSubnets' without configuring a VPC",
    ),
    "a function name of 65 characters": (
        {"function_name": "f" * 65},
        "Function name can not be longer than 64 characters but has 65 characters",
    ),
    "MiB as a token of text": (
        {"memory_size": cdk.Fn.import_value("Size")},
        r"argument memory_size must be .*got str instead",
    ),
}


@pytest.mark.parametrize(("props", "said"), BY_CDK.values(), ids=BY_CDK.keys())
def test_what_cdk_refuses_is_left_to_it_and_it_names_the_prop(
    props: dict[str, Any], said: str
) -> None:
    with pytest.raises((RuntimeError, TypeError), match=said):
        StopInferenceExperimentProvider(new_stack(), "Provider", **props)


@pytest.mark.parametrize(
    "props",
    [
        {"memory_size": 128},
        {"memory_size": 10_240},
        {"log_retention": logs.RetentionDays.INFINITE},
        {"log_removal_policy": cdk.RemovalPolicy.RETAIN},
        {"reserved_concurrent_executions": 1},
        {"runtime": lambda_.Runtime.PYTHON_3_12},
        {"runtime": lambda_.Runtime("python3.14", lambda_.RuntimeFamily.PYTHON)},
    ],
)
def test_passes(props: dict[str, Any]) -> None:
    StopInferenceExperimentProvider(new_stack(), "Provider", **props)


EC2, LAMBDA = (iam.ServicePrincipal(f"{name}.amazonaws.com") for name in ("ec2", "lambda"))
ROOT = iam.AccountRootPrincipal()


@pytest.mark.parametrize(
    ("trusted", "named"),
    [
        (EC2, "'ec2.amazonaws.com'"),
        (ROOT, "'a principal of kind AWS'"),
        (iam.CompositePrincipal(EC2, ROOT), "'ec2.amazonaws.com', 'a principal of kind AWS'"),
    ],
)
def test_a_role_that_lambda_may_not_assume_is_refused(trusted: iam.IPrincipal, named: str) -> None:
    stack = new_stack()
    role = iam.Role(stack, "Role", assumed_by=trusted)
    with pytest.raises(InvalidPropsError) as error:
        StopInferenceExperimentProvider(stack, "Provider", role=role)
    (problem,) = error.value.problems
    assert problem == (
        f"'role' must be one that Lambda may assume, got one for {named}: create it with "
        f"assumed_by=iam.ServicePrincipal('lambda.amazonaws.com')"
    )


@pytest.mark.parametrize(
    "trusted",
    [
        LAMBDA,
        iam.CompositePrincipal(EC2, LAMBDA),
        iam.StarPrincipal(),
        iam.ServicePrincipal(cdk.Fn.import_value("Service")),
    ],
)
def test_a_role_that_lambda_may_assume_passes(trusted: iam.IPrincipal) -> None:
    stack = new_stack()
    role = iam.Role(stack, "Role", assumed_by=trusted)
    StopInferenceExperimentProvider(stack, "Provider", role=role)


def test_a_role_whose_trust_is_not_known_passes() -> None:
    stack = new_stack()
    role = iam.Role.from_role_arn(stack, "Role", ROLE_ARN)
    StopInferenceExperimentProvider(stack, "Provider", role=role)
