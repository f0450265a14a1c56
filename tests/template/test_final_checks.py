"""What synth finds in the finished template, after every aspect and override."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
import pytest

from cdk_stop_inference_experiment import StopInferenceExperimentProvider, StopOn
from cdk_stop_inference_experiment.template.final_checks import cycle_of

from .stacks import (
    RESOURCE_TYPE,
    declare,
    new_stack,
    only,
    resources,
    shadow_test,
    synthesised,
    warnings_of,
)

RETAINED = "cdk-stop-inference-experiment:retained"


@jsii.implements(cdk.IAspect)
class _Policy:
    """Sets a removal policy, as many apps do for everything in them."""

    def __init__(self, policy: cdk.RemovalPolicy) -> None:
        self._policy = policy

    def visit(self, node: Any) -> None:
        if isinstance(node, cdk.CfnResource):
            node.apply_removal_policy(self._policy)


KEPT = {
    cdk.RemovalPolicy.RETAIN: "Retain",
    cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE: "RetainExceptOnCreate",
}


@pytest.mark.parametrize("policy", KEPT)
@pytest.mark.parametrize("where", ["app", "stack", "construct"])
def test_warns_of_a_resource_whose_deletion_ends_nothing(
    policy: cdk.RemovalPolicy, where: str
) -> None:
    stack = new_stack()
    construct = declare(stack)
    scope = {"app": stack.node.root, "stack": stack, "construct": construct}[where]
    cdk.Aspects.of(scope).add(_Policy(policy))
    (text,) = warnings_of(stack)
    begin = "'Stack/StopShadowTest/Experiment-fraud-shadow/Default' has DeletionPolicy "
    assert text.startswith(f"{begin}'{KEPT[policy]}', so CloudFormation never tells")
    assert "'cdk destroy' leaves the experiment running" in text


def test_warns_of_a_nested_stack_that_is_kept_with_its_experiment() -> None:
    parent = cdk.Stack(cdk.App(), "Parent")
    nested = cdk.NestedStack(parent, "Nested", removal_policy=cdk.RemovalPolicy.RETAIN)
    construct = declare(nested)
    synthesised(parent)
    (warning,) = (entry for entry in construct.node.metadata if entry.type == "aws:cdk:warning")
    assert "NestedStackResource' has DeletionPolicy 'Retain'" in str(warning.data)


def test_warns_of_a_policy_that_an_override_sets() -> None:
    stack = new_stack()
    element = declare(stack).custom_resource.node.default_child
    assert isinstance(element, cdk.CfnResource)
    element.add_override("DeletionPolicy", "Retain")
    assert len(warnings_of(stack)) == 1
    cdk.Annotations.of(stack).acknowledge_warning(RETAINED, "the test outlives the stack")
    assert warnings_of(stack) == []


@pytest.mark.parametrize("event", [StopOn.CREATE, StopOn.UPDATE])
def test_does_not_warn_where_a_deletion_is_to_end_nothing(event: StopOn) -> None:
    stack = new_stack()
    declare(stack, stop_on=[event])
    cdk.Aspects.of(stack).add(_Policy(cdk.RemovalPolicy.RETAIN))
    assert warnings_of(stack) == []


@pytest.mark.parametrize("policy", [None, cdk.RemovalPolicy.DESTROY])
def test_does_not_warn_of_a_resource_that_is_deleted(policy: cdk.RemovalPolicy | None) -> None:
    stack = new_stack()
    declare(stack, stop_on=[StopOn.DELETE])
    if policy is not None:
        cdk.Aspects.of(stack).add(_Policy(policy))
    assert warnings_of(stack) == []


@pytest.mark.newest
def test_warns_of_removal_policies_of_the_app_unless_the_type_is_excluded() -> None:
    stack = new_stack()
    declare(stack)
    cdk.RemovalPolicies.of(stack.node.root).retain()
    assert len(warnings_of(stack)) == 1
    other = new_stack()
    declare(other)
    cdk.RemovalPolicies.of(other).retain(exclude_resource_types=[RESOURCE_TYPE])
    assert warnings_of(other) == []
    assert only(synthesised(other), RESOURCE_TYPE)[1]["DeletionPolicy"] == "Delete"


def test_a_construct_that_is_removed_again_is_not_checked() -> None:
    stack = new_stack()
    declare(stack)
    assert stack.node.try_remove_child("StopShadowTest")
    assert resources(synthesised(stack), RESOURCE_TYPE) == {}


def test_a_provider_that_is_removed_again_is_not_checked() -> None:
    stack = new_stack()
    declare(stack, provider=StopInferenceExperimentProvider(stack, "Provider"))
    assert stack.node.try_remove_child("StopShadowTest")
    assert stack.node.try_remove_child("Provider")
    assert synthesised(stack).get("Resources", {}) == {}


def test_an_experiment_that_is_removed_again_is_not_checked() -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack))
    assert stack.node.try_remove_child("StopShadowTest")
    assert stack.node.try_remove_child("ShadowTest")
    assert resources(synthesised(stack), RESOURCE_TYPE) == {}


@pytest.mark.parametrize(
    "reference",
    [
        {"DependsOn": "Third"},
        {"DependsOn": ["Third"]},
        {"Properties": {"Role": {"Ref": "Third"}}},
        {"Properties": {"Role": {"Fn::GetAtt": ["Third", "Arn"]}}},
        {"Properties": {"Role": {"Fn::GetAtt": "Third.Arn"}}},
        {"Properties": {"Role": {"Fn::Sub": "${AWS::Region}-${Third.Arn}"}}},
    ],
)
def test_a_cycle_is_found_by_any_reference(reference: dict[str, Any]) -> None:
    template = {"First": {"DependsOn": ["Second"]}, "Second": reference, "Third": {}}
    assert cycle_of(template, "First") == []
    assert cycle_of({**template, "Third": {"DependsOn": "First"}}, "First") == ["Second", "Third"]
