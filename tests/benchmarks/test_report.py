"""The report and the figures come from the data file they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.cold_start import parts
from benchmarks.report import HERE, REPORT, figures, load, render
from benchmarks.simulation import OUR_MEMORY_MB
from benchmarks.targets import targets

IMPORTS = """\
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |   encodings
import time:      2000 |       3000 | site
import time:      3000 |       3000 |   json
import time:      4000 |       7000 |   botocore.loaders
import time:      5000 |      12000 | boto3
import time:      6000 |       6000 |   crhelper.utils
import time:      7000 |      13000 | index
"""


def test_the_report_is_made_from_the_results() -> None:
    assert REPORT.read_text() == render(load())


@pytest.mark.parametrize("name", ["lag.svg", "cold_start.svg", "many.svg", "gate.svg"])
def test_a_figure_is_made_from_the_results(name: str) -> None:
    assert (HERE / name).read_text() == figures(load())[name]


def test_the_report_shows_its_figures_and_names_no_machine() -> None:
    text = REPORT.read_text()
    shown = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert shown == ["lag.svg", "cold_start.svg", "many.svg", "gate.svg"]
    assert "/home/" not in text
    assert str(Path.cwd()) not in text


def test_the_report_begins_with_a_short_summary() -> None:
    summary = REPORT.read_text().partition("\n## ")[0]
    rows = [line for line in summary.splitlines() if line.startswith("| ")][2:]
    assert 0 < len(rows) <= 15
    for target in targets(load()):
        shown = [row for row in rows if row.startswith(f"| {target.what} | {target.least} |")]
        assert len(shown) == (target.is_headline or not target.is_met)
        assert all(f"| {target.measured} | {target.verdict} |" in row for row in shown)


def test_a_summary_without_results_is_left_out() -> None:
    assert render({}).partition("\n## ")[0] == "# Benchmarks against the alternatives\n"


def test_the_summary_links_to_sections_that_exist() -> None:
    text = REPORT.read_text()
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = set(re.findall(r"\(#([^)]*)\)", text.partition("\n## ")[0]))
    assert len(links) > 4
    assert links <= anchors


def test_own_times_of_imports_are_added_up_by_part() -> None:
    assert parts(IMPORTS) == pytest.approx(
        {
            "Python": 0.003,
            "standard library": 0.003,
            "boto3 and what it needs": 0.009,
            "crhelper": 0.006,
            "handler": 0.007,
        }
    )


@pytest.mark.newest
def test_the_simulated_memory_is_the_functions() -> None:
    from aws_cdk import App, Stack
    from aws_cdk.assertions import Template
    from benchmarks.contestants.stacks import build

    stack = Stack(App(), "Stack")
    build(stack, "ours", ["shadow"])
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function", {"MemorySize": OUR_MEMORY_MB}
    )
