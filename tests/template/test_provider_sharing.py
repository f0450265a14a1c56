"""Which experiments share a provider, and how many."""

from __future__ import annotations

import json
import re

import aws_cdk as cdk
import pytest

from cdk_stop_inference_experiment import (
    InvalidPropsError,
    StopInferenceExperimentProvider,
)

from .stacks import (
    RESOURCE_TYPE,
    Json,
    declare,
    new_stack,
    resources,
    synthesised,
)


def test_experiments_of_a_stack_share_the_function_and_have_a_policy_each() -> None:
    stack = new_stack()
    for name in ("first", "second", "third"):
        declare(stack, name, experiment_name=name)
    template = synthesised(stack)
    assert len(resources(template, "AWS::Lambda::Function")) == 1
    assert len(resources(template, "AWS::IAM::Policy")) == 3
    policies = {
        policy
        for resource in resources(template, RESOURCE_TYPE).values()
        for policy in resource["DependsOn"]
        if policy in resources(template, "AWS::IAM::Policy")
    }
    assert len(policies) == 3


def test_each_stack_of_an_app_has_a_function_of_its_own() -> None:
    app = cdk.App()
    stage = cdk.Stage(app, "Prod")
    parent = cdk.Stack(stage, "Parent")
    nested = cdk.NestedStack(parent, "Nested")
    declare(parent)
    declare(nested)
    for stack in (parent, nested):
        assert len(resources(synthesised(stack), "AWS::Lambda::Function")) == 1


def test_a_provider_made_by_hand_serves_the_experiments_it_is_passed_to() -> None:
    stack = new_stack()
    provider = StopInferenceExperimentProvider(stack, "Second")
    experiment = declare(stack, provider=provider)
    assert experiment.provider is provider
    template = synthesised(stack)
    assert list(resources(template, "AWS::Lambda::Function")) == [
        stack.resolve(provider.service_token)["Fn::GetAtt"][0]
    ]


def test_a_provider_of_another_stack_is_refused() -> None:
    app = cdk.App()
    provider = StopInferenceExperimentProvider(cdk.Stack(app, "Other"), "Provider")
    with pytest.raises(InvalidPropsError, match="own stack 'Own', got one in 'Other'"):
        declare(cdk.Stack(app, "Own"), provider=provider)


def test_a_provider_serves_40_experiments_and_refuses_the_41st() -> None:
    stack = new_stack()
    for number in range(40):
        declare(stack, f"E{number}", experiment_name=f"experiment-{number}")
    with pytest.raises(InvalidPropsError, match=r"at most 40 .*StopInferenceExperimentProvider\("):
        declare(stack, "E40", experiment_name="experiment-40")
    declare(
        stack,
        "E40",
        experiment_name="experiment-40",
        provider=StopInferenceExperimentProvider(stack, "Provider2"),
    )
    assert len(resources(synthesised(stack), RESOURCE_TYPE)) == 41


def test_long_names_use_up_a_providers_permissions_earlier() -> None:
    stack = new_stack(env=cdk.Environment(account="123456789012", region="us-east-1"))
    names = (f"{number:02}-{'x' * 117}" for number in range(40))
    with pytest.raises(InvalidPropsError, match="experiments with 10240 characters"):
        [declare(stack, name, experiment_name=name) for name in names]
    policies = resources(synthesised(stack), "AWS::IAM::Policy").values()
    documents = [policy["Properties"]["PolicyDocument"] for policy in policies]
    characters = sum(len(_compact(document)) for document in documents)
    each = characters // len(documents)
    assert 10_240 - each < characters <= 10_240


def _compact(document: Json) -> str:
    text = json.dumps(document, separators=(",", ":"))
    join = r'{"Fn::Join":\["",\["arn:",{"Ref":"AWS::Partition"},(":[^"]*")\]\]}'
    return re.sub(join, lambda match: f'"arn:aws{match[1][1:]}', text)


def test_the_providers_own_permissions_do_not_count_against_the_experiments(template: Json) -> None:
    (policy,) = resources(template, "AWS::IAM::ManagedPolicy").values()
    assert len(resources(template, "AWS::IAM::Policy")) == 1
    # At most 6,144 characters per managed policy.
    assert len(json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))) < 3000
