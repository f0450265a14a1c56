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
    "a VPC by its id": (
        {"vpc": "vpc-1"},
        "'vpc' must be an ec2.IVpc, got 'vpc-1': write ec2.Vpc.from_lookup(...)",
    ),
    "subnets without a VPC": (
        {"vpc_subnets": ec2.SubnetSelection(one_per_az=True)},
        "'vpc_subnets' needs 'vpc': pass the VPC it belongs to, or leave it out",
    ),
    "a retention for a given log group": (
        {"log_group": "log group", "log_retention": logs.RetentionDays.ONE_DAY},
        "at most one of 'log_group' and 'log_retention' may be set, got both",
    ),
    "a retention in days": (
        {"log_retention": 7},
        "'log_retention' must be a logs.RetentionDays, got 7: write logs.RetentionDays.ONE_WEEK",
    ),
    "a removal policy for a given log group": (
        {"log_group": "log group", "log_removal_policy": cdk.RemovalPolicy.DESTROY},
        "at most one of 'log_group' and 'log_removal_policy' may be set, got both: set it on the",
    ),
    "a removal policy in words": (
        {"log_removal_policy": "destroy"},
        "'log_removal_policy' must be a RemovalPolicy, got 'destroy': write RemovalPolicy.DESTROY",
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
    "a queue by its ARN": (
        {"dead_letter_queue": "arn"},
        "'dead_letter_queue' must be an sqs.IQueue, got 'arn': write sqs.Queue.from_queue_arn(...)",
    ),
    "a role by its ARN": (
        {"role": ROLE_ARN},
        f"'role' must be an iam.IRole, got '{ROLE_ARN}': write iam.Role.from_role_arn(...)",
    ),
    "a key by its ARN": (
        {"environment_encryption": "key"},
        "'environment_encryption' must be a kms.IKey, got 'key'",
    ),
    "an empty function name": ({"function_name": ""}, "'function_name' must be letters, digits"),
    "a function name of 65 characters": (
        {"function_name": "f" * 65},
        "'function_name' must be at most 64 characters, got 65",
    ),
    "a function name with a dot": (
        {"function_name": "stop.it"},
        "'function_name' must be letters, digits, hyphens and underscores, got 'stop.it'",
    ),
    "a function name that is no string": (
        {"function_name": 7},
        "'function_name' must be a string, got 7",
    ),
    "127 MiB": ({"memory_size": 127}, "'memory_size' must be 128 to 10240 MiB, got 127"),
    "10241 MiB": ({"memory_size": 10241}, "'memory_size' must be 128 to 10240 MiB, got 10241"),
    "MiB as a token of text": (
        {"memory_size": cdk.Fn.import_value("Size")},
        "'memory_size' must be a whole number of MiB, got '${Token[",
    ),
    "a concurrency as a token of text": (
        {"reserved_concurrent_executions": cdk.Fn.import_value("Number")},
        "'reserved_concurrent_executions' must be a whole number of at least 1, got '${Token[",
    ),
    "a class for an object": (
        {"log_group": logs.LogGroup},
        "'log_group' must be a logs.ILogGroup, got <class 'aws_cdk.aws_logs.LogGroup'>",
    ),
    "half a MiB": ({"memory_size": 256.5}, "'memory_size' must be a whole number of MiB"),
    "a runtime by its name": (
        {"runtime": "python3.13"},
        "'runtime' must be a lambda_.Runtime, got 'python3.13': write lambda_.Runtime.PYTHON_3_13",
    ),
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
        "'security_groups' must list at least one ec2.ISecurityGroup, or be left out, got []",
    ),
    "a security group by its id": (
        {"security_groups": ["sg-1"]},
        "'security_groups[0]' must be an ec2.ISecurityGroup, got 'sg-1'",
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
        StopInferenceExperimentProvider(new_stack(), "P", function_name="", memory_size=1)
    assert len(error.value.problems) == 2


@pytest.mark.parametrize(
    "props",
    [
        {"function_name": "f" * 64, "memory_size": 128},
        {"function_name": "A_b-9", "memory_size": 10_240},
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
