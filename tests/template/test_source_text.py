"""Source made smaller does the same, on the same lines."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cdk_stop_inference_experiment.source_text import compact

from .packages import PACKAGES, folder


@pytest.mark.parametrize(
    "file",
    [file for package in PACKAGES for file in sorted(folder(package).rglob("*.py"))],
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_the_code_does_the_same_on_the_same_lines_as_its_source(file: Path) -> None:
    source = file.read_text()
    assert _statements(compact(source)) == _statements(source)


def _statements(source: str) -> list[tuple[int, str]]:
    """Every statement but strings and ellipses, with its line and what it does."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        for name, body in ast.iter_fields(node):
            if name == "body" and isinstance(body, list):
                body[:] = [one for one in body if not _is_constant(one)]
    return [(node.lineno, ast.dump(node)) for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_docstrings_comments_and_annotations_go_and_what_looks_like_them_stays() -> None:
    source = '''"""Module."""
# comment
NAME = "# no comment"  # comment é
TEXT = """not a
docstring"""


class Empty:
    """Only this."""


def function(x: int = 1) -> str:
    """One
    two
    """
    """And another."""
    return f"{x}# {'é'}"  # done
'''
    assert (
        compact(source)
        == '''

NAME = "# no comment"
TEXT = """not a
docstring"""


class Empty:
    ...


def function(x = 1):




    return f"{x}# {'é'}"
'''
    )


def test_each_level_of_indentation_is_one_space_unless_a_string_may_be_indented() -> None:
    source = "if 1:\n    if 2:\n        f(\n            3\n        )\n"
    assert compact(source) == "if 1:\n if 2:\n  f(\n   3\n  )\n"
    text = 'if 1:\n    TEXT = """a\n    b"""\n'
    assert compact(text) == text
