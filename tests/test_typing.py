"""The results of mypy and pyright, both strict, for correct and wrong uses of the library."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "typing"
CORRECT, WRONG = "correct_use.py", "wrong_use.py"


def _files() -> list[str]:
    return [str(SAMPLES / name) for name in (CORRECT, WRONG)]


def _marked_wrong() -> list[int]:
    lines = (SAMPLES / WRONG).read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if line.endswith("# wrong")]


@pytest.fixture(scope="module")
def mypy() -> list[tuple[str, int]]:
    """Where mypy finds something."""
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--no-pretty", *_files()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    found = re.findall(r"^\S*?(\w+\.py):(\d+): error", run.stdout, re.MULTILINE)
    return [(file, int(line)) for file, line in found]


@pytest.fixture(scope="module")
def pyright() -> list[tuple[str, int]]:
    """Where pyright finds something."""
    program = ROOT / "node_modules" / "pyright" / "index.js"
    command = ["node", str(program), "--outputjson", "--pythonpath", sys.executable]
    run = subprocess.run(
        [*command, "--project", str(SAMPLES)], capture_output=True, text=True, check=False
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] == len(_files())
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in report["generalDiagnostics"]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_correct_use_has_no_finding(checker: str, request: pytest.FixtureRequest) -> None:
    found: list[tuple[str, int]] = request.getfixturevalue(checker)
    assert [line for file, line in found if file == CORRECT] == []


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_every_mistake_is_found(checker: str, request: pytest.FixtureRequest) -> None:
    found: list[tuple[str, int]] = request.getfixturevalue(checker)
    assert sorted({line for file, line in found if file == WRONG}) == _marked_wrong()
