"""The README and the documentation: examples are apps, links work, lists are complete."""

from __future__ import annotations

import ast
import json
import re
from math import floor, log10
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import cdk_stop_inference_experiment as library
from cdk_stop_inference_experiment_handler.contract import wire

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONSTRUCT = ROOT / "constructs" / "cdk_stop_inference_experiment"
HANDLER = ROOT / "lambda" / "cdk_stop_inference_experiment_handler"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
LINKED = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "local_aws" / "README.md",
]

NEEDS_AWS = "<!-- needs AWS -->"
"""The line before a console block that no test types."""

TYPED = re.compile(
    r"""
    # tests/test_packaging.py
    pip\ install\ '?cdk-stop-inference-experiment(\[cli\])?'?
    # tests/e2e/test_pipeline.py
    | cdk\ deploy\ --method=prepare-change-set\ --change-set-name\ verdict
    | stop-inference-experiment\ plan\ \w+\ --change-set\ verdict
    # the targets exist: see below
    | make\ [\w-]+
    """,
    re.VERBOSE,
)
"""The commands that tests type, each with the file that does."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _blocks(language: str) -> list[Any]:
    """Each block of a language, without its indentation, with what is before it."""
    found = []
    for page in PAGES:
        text = page.read_text()
        fences = re.finditer(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        for number, fence in enumerate(fences, 1):
            indent = len(fence[1])
            block = "\n".join(line[indent:] for line in fence[2].splitlines())
            before = text[: fence.start()].rstrip().rpartition("\n")[2]
            found.append(pytest.param(block, before, id=f"{_name(page)}-{number}"))
    return found


def test_the_readme_is_at_most_250_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


def test_the_local_aws_map_names_every_file_of_the_emulator_and_no_other() -> None:
    text = (ROOT / "local_aws" / "README.md").read_text().partition("\n## How it is built\n")[2]
    named = set(re.findall(r"`(\w+\.py)`", text)) - {"server.py"}
    files = {file.name for file in (ROOT / "local_aws" / "emulator").glob("*.py")}
    assert named == files - {"__init__.py", "__main__.py"}


EXAMPLES = [app.read_text().splitlines() for app in (ROOT / "examples").glob("*/app.py")]
"""Which tests/template/test_examples.py synthesises, and tests of tests/e2e deploy."""


@pytest.mark.parametrize(("block", "_before"), _blocks("python"))
def test_every_python_block_is_cut_from_an_example(block: str, _before: str) -> None:
    """It is some of its lines, without their indentation."""
    count = len(block.splitlines())
    assert any(
        dedent("\n".join(lines[at : at + count])) == block
        for lines in EXAMPLES
        for at in range(len(lines))
    )


@pytest.mark.parametrize(("block", "before"), _blocks("console"))
def test_every_console_block_is_typed_by_a_test_or_needs_aws(block: str, before: str) -> None:
    if before != NEEDS_AWS:
        assert [line for line in block.splitlines() if not TYPED.fullmatch(line)] == []


@pytest.mark.parametrize(("block", "_before"), _blocks("console"))
def test_every_target_of_make_in_a_console_block_exists(block: str, _before: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)$", block, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def _anchors(page: Path) -> set[str]:
    """As GitHub and MkDocs make them from headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", LINKED, ids=_name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    inline = re.findall(r"\]\(([^)\s]+)\)", text)
    labelled = re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
    for link in [*inline, *labelled]:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", LINKED, ids=_name)
def test_every_label_of_a_link_is_defined_and_used(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    used = set(re.findall(r"\]\[([^\]]+)\]", text))
    defined = set(re.findall(r"^\[([^\]]+)\]: \S+$", text, re.MULTILINE))
    versions = {label for label in defined if re.match(r"\d|Unreleased", label)}
    assert used == defined - versions


def test_every_page_is_in_the_navigation_and_on_the_first_page() -> None:
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    pages.add("aws/local-aws.md")  # of the site alone: docs/repository_links.py makes it
    navigation = re.findall(r"- (?:Start: )?(\S+\.md)\n", (ROOT / "mkdocs.yml").read_text())
    lists = (DOCS / "index.md").read_text().partition("\n## Guide\n")[2]
    listed = re.findall(r"\[[^\]]+\]\((\S+\.md)\)", lists)
    first = ["aws/local-aws.md" if "local_aws" in page else page for page in listed]
    assert navigation == ["index.md", *first]
    assert sorted(first) == sorted(pages)


def test_the_manual_shows_the_plan_of_the_readme() -> None:
    """Which is compared with what the command prints."""
    readme, manual = (
        re.findall(r"```text\n(Stack FraudShadowTest \(.*?)```", page.read_text(), re.DOTALL)
        for page in (ROOT / "README.md", DOCS / "reference" / "command.md")
    )
    assert readme == manual != []


def test_the_api_reference_has_every_public_name() -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    shown = re.findall(r"^::: cdk_stop_inference_experiment\.(\w+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted([*library.__all__, "InstanceType"])


def test_the_table_of_attributes_has_each_with_its_property() -> None:
    page = (DOCS / "reference" / "props.md").read_text()
    page = page.partition("\n## Attributes\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE))
    assert list(rows) == list(wire.ATTRIBUTES)
    for prop in rows.values():
        assert isinstance(getattr(library.StopInferenceExperiment, prop), property)


def test_the_log_reference_has_every_decision_and_field_that_is_logged() -> None:
    code = "".join(file.read_text() for file in (HANDLER / "runtime").glob("*.py"))
    page = (DOCS / "reference" / "logs.md").read_text()
    logged = set(re.findall(r'"decision": "([^"]+)"|_log\(\s*"([^"]+)"', code))
    described, decisions = page.split("Other lines have another")
    told = set(re.findall(r"^\| `([^`]+)` \| [A-Z]+ \|", decisions, re.MULTILINE))
    assert told == {name for names in logged for name in names if name}
    of_a_decision = code.partition("decision.verb.value,\n            decision.why,")[2]
    members = set(re.findall(r"^ +(\w+)=", of_a_decision.partition(")\n\n")[0], re.MULTILINE))
    assert members
    of_a_line = set(re.findall(r'"(\w+)": event\[', code.partition("class _RequestIds")[2]))
    fields = set(re.findall(r"^\| `(\w+)` \|", described, re.MULTILINE))
    of_each = {"message", "decision", "experiment", "stopRequest"}
    assert fields == members | of_a_line | of_each


def test_the_table_of_warnings_has_each_that_synth_gives() -> None:
    code = "".join(file.read_text() for file in CONSTRUCT.rglob("*.py"))
    given = set(re.findall(r'"cdk-stop-inference-experiment:(\w+)"', code))
    page = (DOCS / "reference" / "errors.md").read_text().partition("## Warnings at synth")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == given


def _sentence(node: ast.AST) -> str:
    """A text of the code as a pattern, with anything for a value; empty if it is none."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [part.value if isinstance(part, ast.Constant) else None for part in parts]
    return "".join(re.escape(text) if isinstance(text, str) else ".+" for text in texts)


def test_the_table_of_warnings_has_their_sentences_in_one_piece() -> None:
    page = (DOCS / "reference" / "errors.md").read_text().partition("## Warnings at synth")[2]
    rows = re.findall(r"^\| `\w+` \| (.+) \|$", page, re.MULTILINE)
    documented = [re.findall("`([^`]{40,})`", row) for row in rows]
    assert all(documented)
    trees = [ast.parse(file.read_text()) for file in CONSTRUCT.rglob("*.py")]
    texts = [_sentence(node) for tree in trees for node in ast.walk(tree)]
    sentences = [text for text in texts if len(text) > 40]
    for text in (text for row in documented for text in row):
        assert any(re.fullmatch(sentence, text) for sentence in sentences), text


def test_the_figures_in_readme_are_those_of_the_benchmarks() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    readme = (ROOT / "README.md").read_text()
    stops = {
        (row["stop"], row["contestant"]): row
        for row in results["lag"]["rows"]
        if row["how"] == "simulated" or row["contestant"] == "ours"
    }
    lag, cost = (
        {name: stops["14 min", name][member] for name in ("ours", "provider framework")}
        for member in ("lag_p50", "dollars")
    )
    others = stops["14 min", "AwsCustomResource"]["dollars"]
    resources = {row["contestant"]: row["resources"] for row in results["synth"]["one"]}
    counts = [resources[name] for name in ("ours", "native", "AwsCustomResource")]
    late = "within a minute if [an event](docs/design/waiting.md) does not come"
    for told in (
        (
            f"| answers after the end | {lag['ours']:.1f} s; {late} | not documented "
            f"| does not wait | {lag['provider framework']:.1f} s |"
        ),
        (
            f"| a stop of 14 minutes costs | US$ {_dollars(cost['ours'])} | nothing "
            f"| US$ {_dollars(others)} | US$ {_dollars(cost['provider framework'])} |"
        ),
        (
            f"| resources in the template | {' | '.join(str(count) for count in counts)} "
            f"| {resources['provider framework']} |"
        ),
        f"A stop of 50 minutes costs US$ {_dollars(stops['50 min', 'ours']['dollars'])} with",
    ):
        assert told in readme


def _dollars(cost: float) -> str:
    """One significant digit."""
    return f"{cost:.{-floor(log10(cost))}f}"


def test_the_figures_of_a_stop_are_those_of_the_benchmarks() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    page = (DOCS / "design" / "waiting.md").read_text()
    rows = re.findall(r"^\| (\d+) minutes? \| (.*) \|$", page, re.MULTILINE)
    assert rows
    contestants = {
        "ours": "virtual time",
        "waiting inside": "virtual time",
        "crhelper": "simulated",
        "provider framework": "simulated",
    }
    for minutes, told in rows:
        measured = {}
        for contestant, how in contestants.items():
            begin = rf"\| {minutes} min \| {contestant} \| {how} \| \d+ \|"
            (found,) = re.findall(
                rf"^{begin} ([\d.]+) s \|.*\| ([\d.]+) \|$", results, re.MULTILINE
            )
            measured[contestant] = float(found[0]), float(found[1])
        (lag, cost), (late, price) = measured["ours"], measured["provider framework"]
        inside, latest = measured["waiting inside"][1], measured["crhelper"][0]
        figures = f"{lag} s | {cost:.5f} | {inside:.4f} | {latest:.0f} s | {late} s, {price:.4f}"
        assert told == figures
