"""The reference in docs/ and the docstrings match the code."""

from __future__ import annotations

import ast
import enum
import inspect
import re
from itertools import pairwise
from pathlib import Path

import aws_cdk
import pytest
from aws_cdk import aws_ec2, aws_lambda

import cdk_stop_inference_experiment as library

PROPS = (Path(__file__).parents[1] / "docs" / "reference" / "props.md").read_text()
DOCUMENTED = (
    "StopInferenceExperiment",
    "Instances",
    "Evidence",
    "ModelVariantConfig",
    "StopInferenceExperimentProvider",
)
POSITIONAL = ("self", "scope", "construct_id")
PUBLIC = sorted(library.__all__)
DESCRIBED = [*PUBLIC, "InstanceType"]


def _props(name: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(getattr(library, name).__init__).parameters
    return {prop: one for prop, one in parameters.items() if prop not in POSITIONAL}


def _rows(name: str) -> dict[str, list[str]]:
    """The cells of a class's table in the reference, by prop."""
    section = PROPS.split(f"\n## {name}\n")[1]
    table = re.split(r"\n#", section)[0]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", table, re.MULTILINE)
    return {prop: [cell.strip() for cell in row.split("|")] for prop, row in rows}


def _plain_type(annotation: str) -> str:
    """As the reference writes it: no None, no modules."""
    kept = [part for part in annotation.split(" | ") if part != "None"]
    return re.sub(
        r"\b(aws_cdk\.(?:interfaces\.)?aws_\w+|cloudwatch|ec2|iam|lambda_|logs)\.",
        "",
        " | ".join(kept),
    )


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_reference_lists_every_prop_with_its_type_and_no_other(name: str) -> None:
    documented = {
        prop: cells[0].replace("`", "").replace(" or ", " | ")
        for prop, cells in _rows(name).items()
    }
    assert documented == {
        prop: _plain_type(str(one.annotation)) for prop, one in _props(name).items()
    }


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_reference_says_required_where_a_prop_is_and_a_rule_for_each(name: str) -> None:
    for prop, parameter in _props(name).items():
        _, default, rule = _rows(name)[prop]
        assert (default == "required") == (parameter.default is inspect.Parameter.empty), prop
        assert rule, prop


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_docstring_describes_every_prop(name: str) -> None:
    described = getattr(library, name)
    text = f"{described.__doc__}{described.__init__.__doc__}"
    for prop, parameter in _props(name).items():
        until = r"(?=^ {8,12}\w+: |^ +Raises:|\Z)"
        entry = re.search(rf"^ +{prop}: (.*?){until}", text, re.MULTILINE | re.DOTALL)
        assert entry is not None, f"{name}.{prop} is not described"
        if parameter.default is None and prop not in ("experiment_name", "experiment"):
            assert "Default: " in entry[1], f"{name}.{prop} has no default in its docstring"


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_public_name_and_member_has_a_docstring(name: str) -> None:
    described = getattr(library, name)
    assert described.__doc__
    for member, value in vars(described).items():
        if not member.startswith("_") and (
            inspect.isfunction(value) or isinstance(value, (property, classmethod))
        ):
            assert value.__doc__, f"{name}.{member}"
    if issubclass(described, enum.Enum):
        assert _documented_members(described) == set(described.__members__)


def _documented_members(described: type) -> set[str]:
    """The members that a string follows."""
    (body,) = (
        node.body
        for node in ast.parse(Path(inspect.getfile(described)).read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == described.__name__
    )
    return {
        node.targets[0].id
        for node, following in pairwise(body)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(following, ast.Expr)
    }


@pytest.mark.parametrize(
    "name", [*DOCUMENTED, "InstanceType", "ModelVariantAction", "DesiredState", "Outcome", "StopOn"]
)
def test_every_public_name_of_the_api_leads_to_aws_page_of_it(name: str) -> None:
    described = getattr(library, name)
    text = f"{described.__doc__}{described.__init__.__doc__}"
    module = inspect.getmodule(described)
    assert module is not None
    assert "https://docs.aws.amazon.com/" in f"{text}{module.__doc__}"


@pytest.mark.parametrize("name", ["StopInferenceExperiment", "StopInferenceExperimentProvider"])
def test_the_constructs_say_what_they_raise(name: str) -> None:
    assert "Raises:\n" in getattr(library, name).__init__.__doc__


def test_all_is_the_whole_public_surface() -> None:
    assert all(hasattr(library, name) for name in dir(library))
    assert set(dir(library)) == {*library.__all__, "InstanceType"}
    assert list(library.__all__) == PUBLIC


def test_importing_everything_hides_no_name_of_the_modules_that_a_cdk_app_imports() -> None:
    """An app that writes ``from aws_cdk.aws_ec2 import *`` too keeps ``InstanceType``."""
    taken = {name for module in (aws_cdk, aws_ec2, aws_lambda) for name in module.__all__}
    assert taken.isdisjoint(library.__all__)
