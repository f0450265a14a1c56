"""The tables of the lifecycle, the rows in the code and their tests have the same names."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
HANDLER = ROOT / "lambda" / "cdk_stop_inference_experiment_handler"
FUNCTIONS = ("order.py", "state.py", "outcome.py", "gate.py", "end.py")


def _documented() -> set[str]:
    lifecycle = (ROOT / "docs" / "concepts" / "lifecycle.md").read_text()
    tables = lifecycle.partition("## What it never does")[0]
    return set(re.findall(r"\| `([a-z_]+)` \|$", tables, re.MULTILINE))


def _coded() -> set[str]:
    found: set[str] = set()
    for name in FUNCTIONS:
        text = (HANDLER / "lifecycle" / name).read_text()
        found |= set(
            re.findall(r'"([a-z]+(?:_[a-z]+)+|absent|stopping|stoppable|overtaken)"', text)
        )
    return found


def test_the_tables_of_the_lifecycle_have_the_rows_of_the_code() -> None:
    assert _documented() - {"deadline"} == _coded()


def test_the_deadline_is_a_row_of_the_runtime() -> None:
    assert 'fail("deadline"' in (HANDLER / "runtime" / "ending.py").read_text()


def test_each_row_has_a_test_of_its_name() -> None:
    tests = "".join(file.read_text() for file in (ROOT / "tests" / "unit").glob("test_*.py"))
    assert {row for row in _coded() if f'"{row}"' not in tests} == set()
