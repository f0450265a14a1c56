"""Which experiments share a provider, and how many."""

from __future__ import annotations

import json
import re

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

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


LONG_NAMES = tuple(f"{number:02}-{'x' * 117}" for number in range(40))


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")],
)
def test_long_names_use_up_a_providers_permissions_earlier(region: str, partition: str) -> None:
    stack = new_stack(env=cdk.Environment(account="123456789012", region=region))
    with pytest.raises(InvalidPropsError, match="experiments with 10240 characters"):
        [declare(stack, name, experiment_name=name) for name in LONG_NAMES]
    documents = _policies(stack, partition)
    characters = sum(map(len, documents))
    assert 10_240 - len(documents[0]) < characters <= 10_240


def _policies(stack: cdk.Stack, partition: str) -> list[str]:
    """The inline policies as IAM counts them, in a stack of a known account and region."""
    policies = resources(synthesised(stack), "AWS::IAM::Policy").values()
    join = r'{"Fn::Join":\["",\["arn:",{"Ref":"AWS::Partition"},(":[^"]*")\]\]}'
    return [
        re.sub(join, lambda match: f'"arn:{partition}{match[1][1:]}', _compact(policy))
        for policy in policies
    ]


def _compact(policy: Json) -> str:
    return json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))


@pytest.mark.parametrize("is_imported", [False, True])
def test_providers_that_share_a_role_share_its_room(is_imported: bool) -> None:
    stack = new_stack(env=cdk.Environment(account="123456789012", region="us-east-1"))
    if is_imported:
        arn = "arn:aws:iam::123456789012:role/stopper"
        roles = [iam.Role.from_role_arn(stack, name, arn) for name in ("Role", "Again")]
    else:
        roles = [iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))]
    first, second, other = (
        StopInferenceExperimentProvider(stack, name, role=role)
        for name, role in (("First", roles[0]), ("Second", roles[-1]), ("Other", None))
    )
    for name in LONG_NAMES[:20]:
        declare(stack, name, experiment_name=name, provider=first)
    with pytest.raises(InvalidPropsError, match="in its role, which already has those of 30 exp"):
        [declare(stack, name, experiment_name=name, provider=second) for name in LONG_NAMES[20:]]
    declare(stack, "Next", experiment_name=LONG_NAMES[-1], provider=other)


def test_the_providers_own_permissions_do_not_count_against_the_experiments(template: Json) -> None:
    (policy,) = resources(template, "AWS::IAM::ManagedPolicy").values()
    assert len(resources(template, "AWS::IAM::Policy")) == 1
    # At most 6,144 characters per managed policy.
    assert len(json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))) < 3000


@pytest.mark.parametrize("is_imported", [False, True])
def test_on_a_role_of_several_stacks_a_policys_name_has_the_stacks_id(is_imported: bool) -> None:
    app = cdk.App()
    home, stack = cdk.Stack(app, "Home"), cdk.Stack(app, "Verdicts")
    role: iam.IRole = iam.Role(
        home, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
    )
    if is_imported:
        role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::123456789012:role/stopper")
    provider = StopInferenceExperimentProvider(stack, "Provider", role=role)
    declare(stack, "x" * 150, experiment_name="a" * 60, provider=provider)
    (policy,) = resources(synthesised(stack), "AWS::IAM::Policy").values()
    between, (logical_id, guid) = policy["Properties"]["PolicyName"]["Fn::Join"]
    # The last part of a stack's id is a UUID; a policy's name has at most 128 characters.
    assert guid == {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    assert len(logical_id) + len(between) + 36 == 128


@pytest.mark.parametrize("is_given", [False, True])
def test_on_a_role_of_the_stack_a_policy_is_named_by_its_logical_id(is_given: bool) -> None:
    stack = new_stack()
    made = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role = made if is_given else None
    declare(stack, provider=StopInferenceExperimentProvider(stack, "Provider", role=role))
    ((logical_id, policy),) = resources(synthesised(stack), "AWS::IAM::Policy").items()
    assert policy["Properties"]["PolicyName"] == logical_id
