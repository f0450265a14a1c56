"""Making Python source smaller without changing what it does or on which line."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator

_Span = tuple[int, int, int, int, str]
"""First line and byte, last line and byte, and what to put there instead."""


def without_docs(source: str) -> str:
    """The source without its docstrings and comments, each statement on its own line as before.

    The lines of a traceback are those of the original. The result is the same on every release
    of Python.
    """
    lines = [line.encode() for line in source.splitlines()]
    for first, start, last, end, instead in sorted(_spans(source), reverse=True):
        kept = lines[first - 1][:start] + instead.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = [kept, *[b""] * (last - first)]
    return "\n".join(line.decode().rstrip() for line in lines).rstrip() + "\n"


def _spans(source: str) -> Iterator[_Span]:
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from _docstrings(body)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, start = token.start
            byte = len(token.line[:start].encode())
            yield line, byte, line, byte + len(token.string.encode()), ""


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
