"""The execution role of an experiment of the app, and its policies, are deleted after the stop."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.aws_sagemaker import CfnInferenceExperiment
from constructs import Construct

from .stacks import (
    RESOURCE_TYPE,
    declare,
    dependencies,
    new_stack,
    only,
    shadow_test,
    synthesised,
)

SAGEMAKER = "sagemaker.amazonaws.com"


def _role(scope: Construct, construct_id: str = "Execution") -> iam.Role:
    return iam.Role(scope, construct_id, assumed_by=iam.ServicePrincipal(SAGEMAKER))


def _statement() -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["sagemaker:UpdateEndpoint"], resources=["arn:aws:x:::y"])


def _kept(stack: cdk.Stack) -> set[str]:
    """What is deleted after the resource."""
    template = synthesised(stack)
    return dependencies(template, only(template, RESOURCE_TYPE)[0])


def _ids(stack: cdk.Stack, *resources: Construct) -> set[str]:
    return {
        stack.get_logical_id(element)
        for one in resources
        if isinstance(element := one.node.default_child or one, cdk.CfnResource)
    }


def test_the_role_and_every_policy_attached_to_it_outlive_the_resource() -> None:
    stack = new_stack()
    role = _role(stack)
    declare(stack, experiment=shadow_test(stack, role_arn=role.role_arn))
    # All of these are attached after the construct was created.
    role.add_to_policy(_statement())
    attached = iam.Policy(stack, "Attached", statements=[_statement()])
    attached.attach_to_role(role)
    managed = iam.ManagedPolicy(stack, "Managed", statements=[_statement()], roles=[role])
    given = iam.ManagedPolicy(stack, "Given", statements=[_statement()])
    role.add_managed_policy(given)
    expected = _ids(stack, role, attached, managed, given)
    default = role.node.find_child("DefaultPolicy")
    assert isinstance(default, iam.Policy)
    assert _kept(stack) >= expected | _ids(stack, default)


def test_policies_of_other_roles_are_left_alone() -> None:
    stack = new_stack()
    role, other = _role(stack), _role(stack, "Other")
    declare(stack, experiment=shadow_test(stack, role_arn=role.role_arn))
    policy = iam.Policy(stack, "OfOther", statements=[_statement()], roles=[other])
    assert _kept(stack).isdisjoint(_ids(stack, policy, other))


def test_a_role_and_policies_of_level_one_outlive_the_resource() -> None:
    stack = new_stack()
    role = iam.CfnRole(stack, "Execution", assume_role_policy_document={})
    declare(stack, experiment=shadow_test(stack, role_arn=role.attr_arn))
    policy = iam.CfnPolicy(
        stack, "Policy", policy_document={}, policy_name="policy", roles=[role.ref]
    )
    inline = iam.CfnRolePolicy(stack, "Inline", policy_name="inline", role_name=role.ref)
    assert _kept(stack) >= _ids(stack, role, policy, inline)


@pytest.mark.parametrize("path", ["", "service-role/"])
def test_policies_attached_to_an_imported_role_outlive_the_resource(path: str) -> None:
    stack = new_stack()
    arn = f"arn:aws:iam::123456789012:role/{path}execution"
    role = iam.Role.from_role_arn(stack, "Execution", arn)
    policy = iam.Policy(stack, "Attached", statements=[_statement()], roles=[role])
    declare(stack, experiment=shadow_test(stack, role_arn=role.role_arn))
    assert _kept(stack) >= _ids(stack, policy)


def test_a_role_of_another_stack_makes_that_stack_outlive_this_one_and_no_cycle() -> None:
    app = cdk.App()
    owner, user = cdk.Stack(app, "Owner"), cdk.Stack(app, "User")
    role = _role(owner)
    policy = iam.Policy(user, "Attached", statements=[_statement()], roles=[role])
    declare(user, experiment=shadow_test(user, role_arn=role.role_arn))
    role.add_to_policy(_statement())
    assert _kept(user) >= _ids(user, policy)
    assert owner in user.dependencies
    assert owner.dependencies == []


def test_a_role_of_the_parent_stack_outlives_the_nested_stack() -> None:
    parent = cdk.Stack(cdk.App(), "Parent")
    nested = cdk.NestedStack(parent, "Nested")
    role = _role(parent)
    role.add_to_policy(_statement())
    declare(nested, experiment=shadow_test(nested, role_arn=role.role_arn))
    synthesised(nested)
    template = synthesised(parent)
    name, _ = only(template, "AWS::CloudFormation::Stack")
    default = role.node.find_child("DefaultPolicy")
    assert isinstance(default, iam.Policy)
    assert dependencies(template, name) >= _ids(parent, role, default)


@pytest.mark.parametrize("shared", [True, False])
def test_nothing_depends_on_itself_whoever_else_uses_the_role(shared: bool) -> None:
    stack = new_stack()
    role = _role(stack)
    for number in range(2):
        experiment = _experiment(
            stack, f"Test{number}", role if shared else _role(stack, f"R{number}")
        )
        declare(stack, f"Stop{number}", experiment=experiment)
    role.add_to_policy(_statement())
    template = synthesised(stack)
    assert all(name not in dependencies(template, name) for name in template["Resources"])


def _experiment(stack: cdk.Stack, name: str, role: iam.Role) -> CfnInferenceExperiment:
    return shadow_test(Construct(stack, name), name=name, role_arn=role.role_arn)


@pytest.mark.parametrize("joined", [True, False])
def test_a_role_that_is_a_token_adds_nothing(joined: bool) -> None:
    stack = new_stack()
    token = cdk.CfnParameter(stack, "Role").value_as_string
    policy = iam.CfnPolicy(stack, "Policy", policy_document={}, policy_name="p", roles=["x"])
    arn = f"arn:aws:iam::123456789012:role/{token}" if joined else token
    declare(stack, experiment=shadow_test(stack, role_arn=arn))
    assert _kept(stack).isdisjoint(_ids(stack, policy))


def test_an_experiment_by_name_keeps_no_role_of_the_stack() -> None:
    stack = new_stack()
    role = _role(stack)
    shadow_test(stack, role_arn=role.role_arn)
    declare(stack)
    assert _kept(stack).isdisjoint(_ids(stack, role))


def _reads(arn: str) -> iam.PolicyStatement:
    action = "sagemaker:DescribeInferenceExperiment"
    return iam.PolicyStatement(actions=[action], resources=[arn])


def test_a_policy_of_the_role_that_names_the_constructs_arn_is_refused_by_its_path() -> None:
    stack = new_stack()
    role = _role(stack)
    construct = declare(stack, experiment=shadow_test(stack, role_arn=role.role_arn))
    role.add_to_policy(_reads(construct.experiment_arn))
    with pytest.raises(RuntimeError) as error:
        synthesised(stack)
    text = str(error.value)
    assert "'Stack/Execution/DefaultPolicy/Resource' wait for each other" in text
    assert "must not use 'experiment_arn'" in text


@pytest.mark.parametrize("attribute", ["a parameter's value", "in a Fn::Sub"])
def test_a_policy_that_needs_the_construct_indirectly_is_refused(attribute: str) -> None:
    stack = new_stack()
    role = _role(stack)
    construct = declare(stack, experiment=shadow_test(stack, role_arn=role.role_arn))
    if attribute == "in a Fn::Sub":
        element = construct.custom_resource.node.default_child
        assert isinstance(element, cdk.CfnElement)
        role.add_to_policy(_reads(cdk.Fn.sub(f"${{{stack.resolve(element.logical_id)}}}")))
        named = "DefaultPolicy/Resource' wait for each other"
    else:
        properties = {"Type": "String", "Value": construct.status}
        made = cdk.CfnResource(stack, "Made", type="AWS::SSM::Parameter", properties=properties)
        role.add_to_policy(_reads(made.ref))
        named = "DefaultPolicy/Resource' and 'Stack/Made' wait for each other"
    with pytest.raises(RuntimeError, match=named):
        synthesised(stack)


def test_a_policy_of_a_parent_that_names_a_nested_constructs_arn_is_refused() -> None:
    parent = cdk.Stack(cdk.App(), "Parent")
    nested = cdk.NestedStack(parent, "Nested")
    role = _role(parent)
    construct = declare(nested, experiment=shadow_test(nested, role_arn=role.role_arn))
    role.add_to_policy(_reads(construct.experiment_arn))
    with pytest.raises(RuntimeError, match="Execution/DefaultPolicy/Resource' wait for each other"):
        synthesised(parent)


def test_a_policy_of_the_role_that_names_the_experiment_itself_passes() -> None:
    stack = new_stack()
    role = _role(stack)
    construct = declare(stack, experiment=shadow_test(stack, role_arn=role.role_arn))
    arn = stack.format_arn(
        service="sagemaker",
        resource="inference-experiment",
        resource_name=construct.experiment_name,
    )
    role.add_to_policy(_reads(arn))
    other = _role(stack, "Other")
    other.add_to_policy(_reads(construct.experiment_arn))
    template = synthesised(stack)
    assert all(name not in dependencies(template, name) for name in template["Resources"])
