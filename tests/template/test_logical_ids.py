"""Logical ids are a public contract: another id is another resource.

If an id changes here, the resource of every user who upgrades is replaced, or, for the function,
CloudFormation refuses the deployment, because ServiceToken changes. Such a change is a breaking
change, and must be in the changelog.
"""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from constructs import Construct

from cdk_stop_inference_experiment import StopInferenceExperimentProvider

from .stacks import RESOURCE_TYPE, Json, declare, new_stack, only, resources, synthesised

BREAKING = (
    "a changed logical id is a breaking change: CloudFormation replaces the resource of everybody "
    "who upgrades, and refuses another function; release it as a major version that says so in "
    "CHANGELOG.md"
)

PROVIDER = {
    "CustomStopInferenceExperimentProviderHandler4619F230": "AWS::Lambda::Function",
    "CustomStopInferenceExperimentProviderInvocation52BAFEE0": "AWS::Lambda::EventInvokeConfig",
    "CustomStopInferenceExperimentProviderLogGroupFD1F237D": "AWS::Logs::LogGroup",
    "CustomStopInferenceExperimentProviderPermissionsA45226A9": "AWS::IAM::ManagedPolicy",
    "CustomStopInferenceExperimentProviderPollingRules0922ED3F": "AWS::Lambda::Permission",
    "CustomStopInferenceExperimentProviderRole44885358": "AWS::IAM::Role",
}


def _types(template: Json) -> dict[str, str]:
    return {name: body["Type"] for name, body in template["Resources"].items()}


def test_the_logical_ids_are_these(template: Json) -> None:
    assert _types(template) == {
        **PROVIDER,
        "StopShadowTestExperimentfraudshadow83FDA1F1": RESOURCE_TYPE,
        "StopShadowTestPermissionsfraudshadowEE5107B8": "AWS::IAM::Policy",
    }, BREAKING


def test_the_logical_ids_are_these_where_the_name_is_a_token() -> None:
    stack = new_stack()
    name = cdk.CfnParameter(stack, "Name").value_as_string
    declare(stack, experiment_name=name)
    assert _types(synthesised(stack)) == {
        **PROVIDER,
        "StopShadowTestExperimentEDE377BC": RESOURCE_TYPE,
        "StopShadowTestPermissions5DF5AD39": "AWS::IAM::Policy",
    }, BREAKING


def test_the_logical_ids_of_a_provider_made_by_hand_are_these() -> None:
    stack = new_stack()
    StopInferenceExperimentProvider(stack, "Provider")
    assert sorted(_types(synthesised(stack))) == [
        "ProviderHandlerE1CA997C",
        "ProviderInvocationD508DF83",
        "ProviderLogGroupFD264F08",
        "ProviderPermissionsC343298A",
        "ProviderPollingRulesDED07297",
        "ProviderRole1DE8EC3B",
    ], BREAKING


def test_the_functions_id_depends_on_nothing_that_can_move() -> None:
    app = cdk.App()
    stage = cdk.Stage(app, "Prod")
    stacks = [cdk.Stack(app, "Renamed", stack_name="other"), cdk.Stack(stage, "Staged")]
    for stack in stacks:
        declare(Construct(Construct(stack, "Deep"), "Deeper"), "Moved")
    for stack in stacks:
        assert set(PROVIDER) < set(_types(synthesised(stack))), BREAKING


def test_another_experiment_name_is_another_pair_of_resource_and_policy(template: Json) -> None:
    stack = new_stack()
    declare(stack, experiment_name="fraud-shadow-2")
    renamed = synthesised(stack)
    for resource_type in (RESOURCE_TYPE, "AWS::IAM::Policy"):
        assert set(resources(template, resource_type)).isdisjoint(resources(renamed, resource_type))


def test_names_that_differ_in_a_hyphen_only_have_different_ids() -> None:
    ids = set()
    for name in ("a-b", "ab"):
        stack = new_stack()
        declare(stack, experiment_name=name)
        ids.add(only(synthesised(stack), RESOURCE_TYPE)[0])
    assert len(ids) == 2


@pytest.mark.parametrize("name", ["x", "y" * 120])
@pytest.mark.parametrize("depth", [0, 1, 12])
def test_the_resources_id_has_at_most_56_characters(depth: int, name: str) -> None:
    stack = new_stack()
    scope: Construct = stack
    for level in range(depth):
        scope = Construct(scope, f"Level{level}{'z' * 40}")
    declare(scope, "Stop" * 10, experiment_name=name)
    assert len(only(synthesised(stack), RESOURCE_TYPE)[0]) <= 56


def test_a_long_id_is_shortened_as_release_0_1_0_shortened_it() -> None:
    stack = new_stack()
    declare(stack, "Stop" * 10, experiment_name="y" * 60)
    name, _ = only(synthesised(stack), RESOURCE_TYPE)
    assert name == "StopStopStopStopStopStopStopStopStopStopExperimeC8A9759E", BREAKING


def test_shortened_ids_stay_different() -> None:
    stack = new_stack()
    for number in range(5):
        declare(stack, f"{'Stop' * 20}{number}", experiment_name=f"{'y' * 100}{number}")
    assert len(resources(synthesised(stack), RESOURCE_TYPE)) == 5
