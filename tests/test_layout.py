"""What the folders must contain, and what they must not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import constructs
import pytest

ROOT = Path(__file__).parents[1]


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout


def test_the_folder_constructs_is_no_package() -> None:
    """It would hide PyPI's `constructs`, which aws-cdk-lib imports."""
    assert not list((ROOT / "constructs").glob("*.py"))
    assert ROOT not in Path(str(constructs.__file__)).parents or ".venv" in str(constructs.__file__)


def test_the_folder_lambda_is_no_package() -> None:
    """Its name is a keyword, which no import statement can name."""
    assert not list((ROOT / "lambda").glob("*.py"))


def test_the_handler_never_imports_the_construct() -> None:
    for file in (ROOT / "lambda").rglob("*.py"):
        text = file.read_text()
        assert not re.search(r"(from|import) (aws_cdk|cdk_stop_inference_experiment)\b", text), file


def _imported(files: Iterable[Path]) -> set[str]:
    """What files import of the handler: its rooms and their modules."""
    found: set[str] = set()
    for file in files:
        text = file.read_text()
        handler = "from cdk_stop_inference_experiment_handler"
        found |= set(re.findall(rf"{handler}\.([\w.]+) import", text))
        found |= set(re.findall(rf"{handler} import (\w+)", text))
        found |= {
            f"lifecycle.{name}" for name in re.findall(rf"{handler}\.lifecycle import (\w+)", text)
        }
    return found


def _rooms(imported: set[str]) -> set[str]:
    return {name.split(".")[0] for name in imported}


CONSTRUCT = ROOT / "constructs" / "cdk_stop_inference_experiment"


def test_the_construct_imports_of_the_handler_only_what_needs_the_standard_library() -> None:
    files = [file for file in CONSTRUCT.rglob("*.py") if CONSTRUCT / "cli" not in file.parents]
    assert _rooms(_imported(files)) == {"contract"}


def test_the_command_decides_with_the_functions_own_code_and_runs_nothing_of_it() -> None:
    imported = _imported((CONSTRUCT / "cli").rglob("*.py"))
    assert _rooms(imported) == {"contract", "lifecycle", "runtime"}
    of_runtime = {name for name in imported if name.startswith("runtime")}
    assert of_runtime == {"runtime.aws", "runtime.errors"}
    assert "lifecycle.decide" in imported


def test_the_construct_does_not_import_the_command() -> None:
    for file in CONSTRUCT.glob("*.py"):
        if file.name != "__main__.py":
            assert "cli" not in re.findall(r"from \.(\w+)", file.read_text()), file


def test_the_command_needs_neither_the_framework_nor_node() -> None:
    check = "import sys, cdk_stop_inference_experiment.cli.command; print('jsii' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


ROOMS = {
    "contract": set[str](),
    "lifecycle": {"contract"},
    "runtime": {"contract", "lifecycle"},
}
"""What each subpackage of the handler may import from the others."""

OUTSIDE = {
    "contract": re.compile(r"(boto3|botocore|crhelper|urllib3)"),
    "lifecycle": re.compile(r"(boto3|botocore|crhelper|urllib3|logging|random)"),
}
"""What the pure subpackages may not import."""


def test_imports_between_the_rooms_of_the_handler_run_one_way() -> None:
    handler = ROOT / "lambda" / "cdk_stop_inference_experiment_handler"
    rooms = {folder.name for folder in handler.iterdir() if (folder / "__init__.py").exists()}
    assert rooms == set(ROOMS)
    for room, allowed in ROOMS.items():
        for file in (handler / room).glob("*.py"):
            text = file.read_text()
            assert set(re.findall(r"^from \.\.(\w+)", text, re.MULTILINE)) <= allowed, file
            imported = re.findall(r"^(?:from|import) ([a-z]\w*)", text, re.MULTILINE)
            forbidden = OUTSIDE.get(room)
            assert not [name for name in imported if forbidden and forbidden.match(name)], file


def test_only_tests_import_from_tests() -> None:
    folders = ("benchmarks", "constructs", "examples", "lambda", "local_aws", "loopback")
    files = [ROOT / "app.py", *(file for name in folders for file in (ROOT / name).rglob("*.py"))]
    of_tests = re.compile(r"^\s*(from|import) tests\b|\"tests\.", re.MULTILINE)
    assert not [file for file in files if of_tests.search(file.read_text())]


def test_the_lifecycle_reads_no_clock() -> None:
    """Only the messages format a given time."""
    folder = ROOT / "lambda" / "cdk_stop_inference_experiment_handler" / "lifecycle"
    for file in folder.glob("*.py"):
        assert not re.search(r"time\.(time|sleep|monotonic)|datetime", file.read_text()), file


def test_the_oldest_releases_tested_are_the_lower_bounds() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    pinned = (ROOT / "tests" / "requirements-oldest.txt").read_text().splitlines()
    for name in ("aws-cdk-lib", "constructs"):
        (oldest,) = re.findall(rf'"{name}>=([\d.]+),', project)
        assert f"{name}=={oldest}" in pinned


def test_requirements_name_no_index() -> None:
    for file in ROOT.glob("**/requirements*.txt"):
        if ".venv" not in str(file) and "node_modules" not in str(file):
            for line in file.read_text().splitlines():
                assert not line or line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line)


def _pins(text: str) -> dict[str, set[str]]:
    """The versions of each package, whose name may be spelt in several ways."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return found


REQUIREMENTS = [ROOT / name for name in _git("ls-files", "*requirements*.txt").splitlines()]


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_lock_file_has_the_hashes_of_its_requirements_and_names_no_registry(file: Path) -> None:
    text = file.with_suffix(".lock").read_text()
    wanted, locked = _pins(file.read_text()), _pins(text)
    assert {name: locked.get(name) for name in wanted} == wanted, "run 'make locks'"
    blocks = re.split(r"\n(?! )", text.strip())
    assert len(blocks) >= len(locked)
    for block in blocks:
        head, *hashes = block.split(" \\\n    ")
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .*)?", head), head
        assert hashes, head
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), head
    assert str(file.with_suffix(".lock").relative_to(ROOT)) in MAKEFILE_LOCKS


MAKEFILE_LOCKS = subprocess.run(
    ["make", "--no-print-directory", "--dry-run", "locks"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout


def test_the_lock_file_names_no_registry() -> None:
    for folder in (".", "benchmarks/node", "tests/site"):
        assert '"resolved"' not in (ROOT / folder / "package-lock.json").read_text()


def test_git_ignores_what_make_creates() -> None:
    environments = [".venv", ".venv-oldest", ".venv-emulator", ".venv-lambda"]
    environments += [".venv-docs", ".venv-mutants", ".venv-newest", ".venv-release"]
    created = [*environments, "node_modules", "dist"]
    run = subprocess.run(
        ["git", "check-ignore", *(f"{name}/x" for name in created)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == [f"{name}/x" for name in created]


def _shown() -> set[str]:
    """The paths in the picture of the layout."""
    (picture,) = re.findall(r"```text\n\.\n(.*?)```", CONTRIBUTING, re.DOTALL)
    paths, folders = set[str](), dict[int, str]()
    for line in picture.splitlines():
        indent, names = re.match(r"([│ ]*)[├└]── ([^\s,]+(?:, [^\s,]+)*)", line).groups()  # type: ignore[union-attr]
        depth = len(indent)
        for name in names.split(", "):
            path = folders.get(depth - 4, "") + name
            folders[depth] = path
            paths.add(path.rstrip("/"))
    return paths


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_picture_of_the_layout_shows_every_folder_and_nothing_else() -> None:
    tracked = _git("ls-files").splitlines()
    folders = {str(parent) for name in tracked for parent in Path(name).parents}
    top = {folder for folder in folders if "/" not in folder} - {".", ".ci", "constructs", "lambda"}
    packages = ["constructs/cdk_stop_inference_experiment"]
    packages += ["lambda/cdk_stop_inference_experiment_handler", "local_aws"]
    below = {one for one in folders for package in packages if str(Path(one).parent) == package}
    wanted = top | below | set(packages) | {"app.py", "cdk.json", "cdk.schema.json"}
    assert _shown() == wanted
