"""The examples: complete, synthesised without a warning, and run as their READMEs say."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from unittest.mock import patch

import aws_cdk as cdk
import pytest
from aws_cdk import cx_api

from cdk_stop_inference_experiment.app import make_stack

from .stacks import RESOURCE_TYPE, resources

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
APPS = [path.name for path in EXAMPLES if (path / "app.py").exists()]
WANTED = {"the_day_after": {"step": "test"}}
"""The context without which an app has no stack."""


def _context_in(text: str) -> dict[str, str]:
    return dict(re.findall(r" -c ([\w.-]+)=([\w,-]+)", text))


def _synthesised(name: str, context: dict[str, str]) -> list[cx_api.CloudFormationStackArtifact]:
    """The stacks of an app that is run as the CDK CLI runs it."""
    app = cdk.App(context=context)
    with patch("aws_cdk.App", return_value=app):
        run_path(str(ROOT / "examples" / name / "app.py"), run_name="__main__")
    return list(app.synth().stacks_recursively)


@pytest.mark.parametrize("name", APPS)
def test_an_example_synthesises_without_a_warning(name: str) -> None:
    stacks = _synthesised(name, WANTED.get(name, {}))
    assert stacks
    for stack in stacks:
        assert resources(stack.template, RESOURCE_TYPE), stack.id
        assert not stack.messages, [message.entry.data for message in stack.messages]


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES if path.name != "__pycache__"])
def test_a_readme_runs_its_own_app_with_context_that_changes_it(name: str) -> None:
    text = (ROOT / "examples" / name / "README.md").read_text()
    (block,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL) or [text]
    assert set(re.findall(r"python3 (\S+)\"", block)) <= {f"examples/{name}/app.py", "app.py"}
    if name not in APPS:
        return
    plain = [stack.template for stack in _synthesised(name, WANTED.get(name, {}))]
    for line in filter(_context_in, block.splitlines()):
        context = {**WANTED.get(name, {}), **_context_in(line)}
        templates = [stack.template for stack in _synthesised(name, context)]
        assert templates != plain or context == WANTED.get(name), line


def test_the_example_without_python_code_is_read_by_the_librarys_app() -> None:
    file = json.loads((ROOT / "examples" / "cdk_json" / "cdk.json").read_text())
    assert file["app"] == "python3 -m cdk_stop_inference_experiment.app"
    app = cdk.App(context=file["context"])
    make_stack(app)
    (stack,) = app.synth().stacks
    (resource,) = resources(stack.template, RESOURCE_TYPE).values()
    assert resource["Properties"]["Name"] == "fraud-shadow-json"
    assert not stack.messages


EXAMPLE = ROOT / "examples" / "cdk_json"
PROPS = ROOT / "docs" / "reference" / "props.md"


def _contexts_typed(text: str) -> list[dict[str, str]]:
    """The context of each command of a page that replaces entries of the declaration."""
    commands = [
        shlex.split(command, comments=True)
        for command in re.findall(r"^cdk deploy(?:\\\n|.)*", text, re.MULTILINE)
    ]
    return [
        dict(value.split("=", 1) for option, value in pairwise(command) if option == "-c")
        for command in commands
        if "stop-inference-experiment." in " ".join(command)
    ]


@pytest.mark.parametrize(
    ("page", "declared"),
    [
        (EXAMPLE / "README.md", (EXAMPLE / "cdk.json").read_text()),
        (PROPS, re.findall(r'```json\n(\{\n  "app".*?)```', PROPS.read_text(), re.DOTALL)[0]),
    ],
    ids=["the example", "the reference"],
)
def test_the_librarys_app_takes_what_a_page_types_after_c(page: Path, declared: str) -> None:
    contexts = _contexts_typed(page.read_text())
    assert len(contexts) > 1
    for context in contexts:
        make_stack(cdk.App(context={**json.loads(declared)["context"], **context}))
