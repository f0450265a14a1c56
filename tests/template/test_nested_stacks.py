"""The permissions of a nested stack's function on its parent stacks."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest

from .stacks import Json, declare, resources, statements, synthesised

OWN = {"Ref": "AWS::StackId"}


def _family(depth: int) -> list[cdk.Stack]:
    """A root stack and the stacks nested in one another below it."""
    stacks: list[cdk.Stack] = [cdk.Stack(cdk.App(), "Root")]
    for level in range(depth):
        stacks.append(cdk.NestedStack(stacks[-1], f"Nested{level}"))
    return stacks


def _readable(template: Json) -> dict[str, list[Any]]:
    """The stacks for which each CloudFormation action is allowed."""
    found: dict[str, list[Any]] = {}
    for statement in statements(template):
        actions, places = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            if action.startswith("cloudformation:"):
                listed = places if isinstance(places, list) else [places]
                found.setdefault(action.partition(":")[2], []).extend(listed)
    return found


def _resolved(stacks: list[cdk.Stack], value: Any) -> str:
    """The stack of an id in the last one's template, resolved through the parameters."""
    if value == OWN:
        return stacks[-1].node.id
    parameter = value["Ref"]
    above, below = stacks[:-1], stacks[-1]
    assert parameter in synthesised(below)["Parameters"]
    passed = {
        name: given
        for body in resources(synthesised(above[-1]), "AWS::CloudFormation::Stack").values()
        for name, given in body["Properties"]["Parameters"].items()
    }
    return _resolved(above, passed[parameter])


def test_the_function_of_a_root_stack_reads_no_other_stack() -> None:
    stacks = _family(0)
    declare(stacks[0])
    template = synthesised(stacks[0])
    assert _readable(template) == {
        "DescribeStackEvents": [OWN],
        "DescribeStacks": [OWN],
        "ListStackResources": [OWN],
    }
    assert "Parameters" not in template or set(template["Parameters"]) == {"BootstrapVersion"}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_function_of_a_nested_stack_reads_every_stack_up_to_the_root(depth: int) -> None:
    stacks = _family(depth)
    declare(stacks[-1])
    found = _readable(synthesised(stacks[-1]))
    every = [stack.node.id for stack in reversed(stacks)]
    for action in ("DescribeStackEvents", "DescribeStacks"):
        assert [_resolved(stacks, one) for one in found[action]] == every
    assert found["ListStackResources"] == [OWN]


def test_a_stack_depends_on_nothing_of_the_stacks_that_it_passes_ids_to() -> None:
    stacks = _family(2)
    declare(stacks[-1])
    for stack in stacks[:-1]:
        (body,) = resources(synthesised(stack), "AWS::CloudFormation::Stack").values()
        for given in body["Properties"]["Parameters"].values():
            assert given == OWN or given["Ref"] in synthesised(stack)["Parameters"]


def test_a_stack_beside_or_below_is_not_read() -> None:
    (root,) = _family(0)
    own, beside = cdk.NestedStack(root, "Own"), cdk.NestedStack(root, "Beside")
    below = cdk.NestedStack(own, "Below")
    declare(own)
    assert len(_readable(synthesised(own))["DescribeStacks"]) == 2
    for other in (beside, below):
        assert "Parameters" not in synthesised(other)


def test_each_nested_stack_of_a_stage_reads_its_own_ancestors() -> None:
    stage = cdk.Stage(cdk.App(), "Prod")
    roots = [cdk.Stack(stage, name) for name in ("First", "Second")]
    pairs: list[list[cdk.Stack]] = [[root, cdk.NestedStack(root, "Nested")] for root in roots]
    for _, nested in pairs:
        declare(nested)
    for root, nested in pairs:
        found = _readable(synthesised(nested))["DescribeStackEvents"]
        assert [_resolved([root, nested], one) for one in found] == ["Nested", root.node.id]
