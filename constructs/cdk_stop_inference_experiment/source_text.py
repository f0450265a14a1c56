"""Making Python source smaller without changing what it does or on which line.

Every synth does this once, so it is done by one look for comments and one at the statements:
``tokenize``, or a walk over all expressions too, would take several times as long.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_Span = tuple[int, int, int, int, str]
"""First line and byte, last line and byte, and what to put there instead."""

_STRING_OR_COMMENT = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\]*(?:\\.[^"\\]*)*"'
    r"|'[^'\\]*(?:\\.[^'\\]*)*'"
    r"|(?P<comment>#[^\n]*)",
    re.DOTALL,
)
"""What a number sign is in. No string holds its own quotes unescaped: before Python 3.12 not even
an f-string may, and the library runs on older ones."""

_INDENTATION = re.compile(r"^(?:    )+", re.MULTILINE)

_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""Where the nodes of ``ast`` have statements, or what holds statements."""


def compact(source: str) -> str:
    """The source without docstrings, comments and the annotations of functions, indented by ones.

    Each statement stays on its own line, so that the lines of a traceback are those of the
    original. Annotations of attributes stay: dataclasses are made of them. The result is the same
    on every release of Python.
    """
    tree = ast.parse(source)
    # A comment ends its line, so that without it everything else is still where ast has found it.
    lines = [line.encode() for line in _without_comments(source).splitlines()]
    for first, start, last, end, instead in sorted(_spans(tree, lines), reverse=True):
        kept = lines[first - 1][:start] + instead.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = [kept, *[b""] * (last - first)]
    return _indented_by_ones("\n".join(line.decode().rstrip() for line in lines).rstrip() + "\n")


def _indented_by_ones(source: str) -> str:
    """Each four spaces of an indentation as one, unless a string may go over several lines."""
    if '"""' in source or "'''" in source:
        return source
    return _INDENTATION.sub(lambda found: " " * (len(found[0]) // 4), source)


def _without_comments(source: str) -> str:
    return _STRING_OR_COMMENT.sub(lambda found: "" if found["comment"] else found[0], source)


def _spans(tree: ast.Module, lines: list[bytes]) -> Iterator[_Span]:
    for node in _holders(tree):
        yield from _docstrings(getattr(node, "body", []))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for argument in ast.iter_child_nodes(node.args):
                if isinstance(argument, ast.arg) and argument.annotation is not None:
                    name_end = argument.col_offset + len(argument.arg.encode())
                    yield _after(argument.lineno, name_end, argument.annotation)
            if node.returns is not None:
                yield _after(*_parameters_end(node.returns, lines), node.returns)


def _holders(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that have statements of their own; expressions have none."""
    yield node
    for name in _BLOCKS:
        for inner in getattr(node, name, ()):
            yield from _holders(inner)


def _after(line: int, start: int, annotation: ast.expr) -> _Span:
    """From a place to the end of an annotation."""
    last, end = annotation.end_lineno or line, annotation.end_col_offset or start
    return line, start, last, end, ""


def _parameters_end(returns: ast.expr, lines: list[bytes]) -> tuple[int, int]:
    """Where the parenthesis before the arrow of a function's return annotation ends."""
    arrow = _last_before(b"->", (returns.lineno, returns.col_offset), lines)
    line, start = _last_before(b")", arrow, lines)
    return line, start + 1


def _last_before(text: bytes, place: tuple[int, int], lines: list[bytes]) -> tuple[int, int]:
    """The line and byte of a text that stands somewhere before a place."""
    line, end = place
    while (start := lines[line - 1].rfind(text, 0, end)) < 0:
        line -= 1
        end = len(lines[line - 1])
    return line, start


def _docstrings(body: list[ast.stmt]) -> Iterator[_Span]:
    """Strings that are statements. A body of nothing else keeps an ellipsis."""
    strings = [
        statement
        for statement in body
        if isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    ]
    for index, statement in enumerate(strings):
        instead = "..." if index == 0 and len(strings) == len(body) else ""
        yield (
            statement.lineno,
            statement.col_offset,
            statement.end_lineno or statement.lineno,
            statement.end_col_offset or 0,
            instead,
        )
