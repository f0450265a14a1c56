"""The guarantees hold in every kind of app: flags, stages, nested stacks, aspects."""

from __future__ import annotations

import json
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
import pytest

from .stacks import (
    EVERY_PROP,
    RESOURCE_TYPE,
    Json,
    declare,
    dependencies,
    only,
    resources,
    shadow_test,
    statements,
    synthesised,
)


def _recommended_flags() -> Json:
    """The flags that `cdk init` writes, as the installed aws-cdk-lib ships them."""
    spec = find_spec("aws_cdk")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (archive,) = Path(spec.submodule_search_locations[0], "_jsii").glob("aws-cdk-lib@*.tgz")
    with tarfile.open(archive) as package:
        file = package.extractfile("package/recommended-feature-flags.json")
        assert file is not None
        flags: Json = json.loads(file.read())
    return flags


def _assert_guarantees(template: Json) -> None:
    """What must hold for a stack with one experiment in any app."""
    name, resource = only(template, RESOURCE_TYPE)
    function, _ = only(template, "AWS::Lambda::Function")
    assert resource["Properties"]["ServiceToken"] == {"Fn::GetAtt": [function, "Arn"]}
    assert function == "CustomStopInferenceExperimentProviderHandler4619F230"
    assert len(resources(template, "AWS::IAM::Policy")) == 1
    closure = dependencies(template, name)
    for kind in (
        "AWS::IAM::Role",
        "AWS::IAM::Policy",
        "AWS::IAM::ManagedPolicy",
        "AWS::Lambda::Function",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
    ):
        assert set(resources(template, kind)) <= closure
    for body in resources(template, "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in body["Properties"]
    assert all(statement["Resource"] != "*" for statement in statements(template))


@pytest.mark.newest
@pytest.mark.parametrize("value", ["recommended", "off"])
def test_the_flags_of_cdk_init_all_on_or_all_off_change_no_guarantee(value: str) -> None:
    flags = _recommended_flags()
    assert len(flags) > 80
    if value == "off":
        flags = {name: False for name, on in flags.items() if on is True}
    app = cdk.App(context=flags)
    stack = cdk.Stack(app, "Stack")
    declare(stack, **EVERY_PROP)
    _assert_guarantees(synthesised(stack))


@pytest.mark.newest
def test_cdk_json_holds_only_flags_that_aws_cdk_lib_recommends() -> None:
    context = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]
    ours = {name: value for name, value in context.items() if name.startswith("@aws-cdk")}
    recommended = _recommended_flags()
    assert {name: recommended.get(name) for name in ours} == ours


@pytest.mark.parametrize("where", ["nested", "staged", "protected"])
def test_the_guarantees_hold_in_nested_staged_and_protected_stacks(where: str) -> None:
    app = cdk.App()
    if where == "nested":
        stack: cdk.Stack = cdk.NestedStack(cdk.Stack(app, "Parent"), "Nested")
    elif where == "staged":
        stack = cdk.Stack(cdk.Stage(app, "Prod"), "Stack")
    else:
        stack = cdk.Stack(app, "Stack", termination_protection=True)
    declare(stack)
    _assert_guarantees(synthesised(stack))


def test_an_experiment_of_the_parent_stack_outlives_the_nested_stack() -> None:
    parent = cdk.Stack(cdk.App(), "Parent")
    nested = cdk.NestedStack(parent, "Nested")
    declare(nested, experiment=shadow_test(parent))
    synthesised(nested)
    _, of_parent = only(synthesised(parent), "AWS::CloudFormation::Stack")
    assert of_parent["DependsOn"] == ["ShadowTest"]


def test_a_removal_policy_set_by_an_aspect_keeps_the_log_and_nothing_else_changes() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    declare(stack)
    cdk.Aspects.of(stack).add(_Retain())
    template = synthesised(stack)
    assert only(template, "AWS::Logs::LogGroup")[1]["DeletionPolicy"] == "Retain"
    _assert_guarantees(template)


def test_tags_reach_what_can_be_tagged_and_never_the_declaration() -> None:
    plain, tagged = (cdk.Stack(cdk.App(), "Stack") for _ in range(2))
    for stack in (plain, tagged):
        declare(stack)
    cdk.Tags.of(tagged.node.root).add("team", "fraud")
    template = synthesised(tagged)
    for kind in ("AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Logs::LogGroup"):
        tags = only(template, kind)[1]["Properties"]["Tags"]
        assert {"Key": "team", "Value": "fraud"} in tags
    declared = [
        only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"] for stack in (plain, tagged)
    ]
    assert declared[0] == declared[1]
    _assert_guarantees(template)


def test_a_permissions_boundary_of_the_whole_app_reaches_the_role() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Stack", permissions_boundary=_boundary())
    declare(stack)
    template = synthesised(stack)
    boundary = only(template, "AWS::IAM::Role")[1]["Properties"]["PermissionsBoundary"]
    assert boundary["Fn::Join"][1][-1].endswith(":policy/boundary")
    _assert_guarantees(template)


def _boundary() -> cdk.PermissionsBoundary:
    return cdk.PermissionsBoundary.from_name("boundary")


@jsii.implements(cdk.IAspect)
class _Retain:
    def visit(self, node: Any) -> None:
        if isinstance(node, cdk.CfnResource) and node.cfn_resource_type == "AWS::Logs::LogGroup":
            node.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
