"""Making Python source smaller without changing what it does or on which line."""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from collections.abc import Iterator

_Span = tuple[int, int, int, int, str]
"""First line and byte, last line and byte, and what to put there instead."""


def compact(source: str) -> str:
    """The source without docstrings, comments and the annotations of functions.

    Each statement stays on its own line, so that the lines of a traceback are those of the
    original. Annotations of attributes stay: dataclasses are made of them. The result is the same
    on every release of Python.
    """
    lines = [line.encode() for line in source.splitlines()]
    for first, start, last, end, instead in sorted(_spans(source), reverse=True):
        kept = lines[first - 1][:start] + instead.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = [kept, *[b""] * (last - first)]
    return "\n".join(line.decode().rstrip() for line in lines).rstrip() + "\n"


def _spans(source: str) -> Iterator[_Span]:
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from _docstrings(body)
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield _after(node.lineno, node.col_offset + len(node.arg.encode()), node.annotation)
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield _after(*_arrow_before(node.returns, tokens), node.returns)
    for token in tokens:
        if token.type == tokenize.COMMENT:
            line, start = _place(token.line, token.start)
            yield line, start, line, start + len(token.string.encode()), ""


def _after(line: int, start: int, annotation: ast.expr) -> _Span:
    """From a place to the end of an annotation."""
    last, end = annotation.end_lineno or line, annotation.end_col_offset or start
    return line, start, last, end, ""


def _arrow_before(returns: ast.expr, tokens: list[tokenize.TokenInfo]) -> tuple[int, int]:
    """Where the parenthesis before the arrow of a function's return annotation ends."""
    arrows = (
        _place(before.line, before.end)
        for before, token in itertools.pairwise(tokens)
        if token.string == "->"
    )
    return max(place for place in arrows if place < (returns.lineno, returns.col_offset))


def _place(text: str, position: tuple[int, int]) -> tuple[int, int]:
    """A token's line and byte, as ``ast`` counts them; ``tokenize`` counts characters."""
    line, column = position
    return line, len(text[:column].encode())


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
