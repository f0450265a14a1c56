"""The output: JSON, Markdown, or text by Rich, which respects NO_COLOR and the terminal's width."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text as RichText

from .document import (
    GOOD,
    LOUD,
    PLAIN,
    QUIET,
    WARNING,
    Block,
    Heading,
    Item,
    Members,
    Table,
    shown,
)

_STYLES = {LOUD: "bold red", GOOD: "green", WARNING: "bold yellow", QUIET: "dim", PLAIN: ""}


def print_json(value: object) -> None:
    """Print JSON, for programs."""
    print(json.dumps(value, indent=2))


def print_markdown(blocks: Iterable[Block]) -> None:
    """Print Markdown, for a comment on a pull request or a step's summary."""
    print("\n".join(markdown(blocks)))


def print_text(blocks: Iterable[Block]) -> None:
    """Print text, for people. No word is broken: a longer one than the line stays whole."""
    console = Console(highlight=False, markup=False, soft_wrap=False)
    for block in blocks:
        if isinstance(block, Heading):
            _paragraph(console, f"{block.name} {block.what}".rstrip(), "bold", 0)
        elif isinstance(block, Item):
            console.print()
            says = f"{block.name}: {block.says}"
            _paragraph(console, says, _STYLES[block.tone] or "bold", 2)
            _paragraph(console, f"resource {block.place}", "dim", 4)
        elif isinstance(block, Members):
            for member, value in block.members.items():
                _paragraph(console, f"{member}: {shown(value)}", "", 6)
        elif isinstance(block, Table):
            _table(console, block)
        elif block.is_of_item:
            _paragraph(console, block.text, _STYLES[block.tone] if block.tone != LOUD else "", 4)
        else:
            if block.tone == LOUD:
                console.print()
            _paragraph(console, block.text, "bold" if block.tone == LOUD else "yellow", 0)


def _paragraph(console: Console, text: str, style: str, indent: int) -> None:
    lines = textwrap.wrap(
        " ".join(text.split()) if indent == 0 else text,
        max(console.width - indent, 20),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines or [""]:
        rich_text = RichText(line, style, no_wrap=True, overflow="ignore")
        console.print(Padding(rich_text, (0, 0, 0, indent), expand=False), soft_wrap=True)


def _table(console: Console, block: Table) -> None:
    table = RichTable(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for name in block.header:
        table.add_column(name, overflow="ignore", no_wrap=False)
    for row in block.rows:
        table.add_row(*(RichText(cell) for cell in row))
    if console.measure(table).maximum + 4 <= console.width:
        with console.capture() as captured:
            console.print(Padding(table, (0, 0, 0, 4)))
        lines = [line.rstrip() for line in captured.get().splitlines() if line.strip()]
        console.print("\n".join(lines), soft_wrap=True, markup=False)
        return
    for row in block.rows:  # The terminal is too narrow for columns.
        cells = ", ".join(
            f"{name} {cell}" for name, cell in zip(block.header, row, strict=True) if cell
        )
        _paragraph(console, cells, "", 4)


def markdown(blocks: Iterable[Block]) -> Iterator[str]:
    """The lines of the blocks as Markdown."""
    for block in blocks:
        if isinstance(block, Heading):
            yield f"### {_escaped(block.name)} {_escaped(block.what)}".rstrip()
        elif isinstance(block, Item):
            yield ""
            says = _escaped(block.says)
            says = f"**{says}**" if block.tone in (LOUD, WARNING) else says
            yield f"- **{_escaped(block.name)}:** {says} (resource `{block.place}`)"
        elif isinstance(block, Members):
            yield ""
            yield from (f"    {line}" for line in ("```json", *_json(block.members), "```"))
            yield ""
        elif isinstance(block, Table):
            yield ""
            yield f"  | {' | '.join(block.header)} |"
            yield f"  |{' --- |' * len(block.header)}"
            yield from (f"  | {' | '.join(map(_cell, row))} |" for row in block.rows)
            yield ""
        elif block.is_of_item:
            yield f"  - {_escaped(block.text)}"
        else:
            yield ""
            text = _escaped(block.text)
            yield f"**{text}**" if block.tone == LOUD else f"> {text}"


def _json(members: Mapping[str, object]) -> list[str]:
    """An object with a line for each member: a request is to fit on a screen."""
    lines = [
        f"  {json.dumps({name: value}, ensure_ascii=False)[1:-1]},"
        for name, value in members.items()
    ]
    return ["{", *lines[:-1], *(line.rstrip(",") for line in lines[-1:]), "}"]


def _escaped(text: str) -> str:
    """Text in which nothing is markup, a mention of somebody, or a new line."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.replace("@", "@\u200b").split())


def _cell(text: str) -> str:
    return _escaped(text) or " "
