"""What the folders must contain, and what they must not."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
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


def test_the_command_needs_neither_the_framework_nor_node() -> None:
    check = "import sys, cdk_stop_inference_experiment.cli.command; print('jsii' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


_HANDLER, _CONSTRUCT = "cdk_stop_inference_experiment_handler", "cdk_stop_inference_experiment"
_PRODUCT = {"contract", "lifecycle", "runtime", "construct", "template", "cli"}
_USERS = {"loopback", "local_aws", "tests", "benchmarks"}

_OUTSIDE = {
    "contract": {"aws_cdk", "boto3", "botocore", "crhelper", "urllib3"},
    "lifecycle": {"aws_cdk", "boto3", "botocore", "crhelper", "urllib3", "logging", "random"},
    "runtime": {"aws_cdk"},
}
"""What the rooms of the handler may not import."""


@cache
def _modules() -> Mapping[str, set[str]]:
    """What each module imports."""
    return {module: _imports(module, file) for module, file in _files()}


def _files() -> Iterator[tuple[str, Path]]:
    for source_root in (ROOT / "constructs", ROOT / "lambda", ROOT):
        folders = [ROOT / user for user in _USERS] if source_root == ROOT else [source_root]
        for file in (file for folder in folders for file in folder.rglob("*.py")):
            if "node_modules" not in file.parts:
                yield ".".join(file.relative_to(source_root).with_suffix("").parts), file


def _imports(module: str, file: Path) -> set[str]:
    """What a module imports, wherever in its text: dotted names."""
    names = set[str]()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = [*package, *([node.module] if node.module else [])]
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return names


def _room(module: str) -> str:
    """The room of a module; any other name for what is not of this repository."""
    top, below, *_ = (*module.split("."), "", "")
    if top == _HANDLER:
        return below if below in ("contract", "lifecycle") else "runtime"
    if top == _CONSTRUCT:
        return {"template": "template", "cli": "cli", "__main__": "cli"}.get(below, "construct")
    return top


def _arrows() -> set[tuple[str, str]]:
    """The arrows of the picture in CONTRIBUTING.md."""
    (picture,) = re.findall(r"```mermaid\nflowchart LR\n(.*?)```", CONTRIBUTING, re.DOTALL)
    drawn = re.findall(r"^ +([\w &]+) --> ([\w &]+)$", picture, re.MULTILINE)
    assert len(drawn) == picture.count("-->")
    return {(a, b) for left, right in drawn for a in left.split(" & ") for b in right.split(" & ")}


def test_the_picture_of_the_rooms_has_an_arrow_for_each_import_and_no_other() -> None:
    imported = {(_room(module), _room(name)) for module, of in _modules().items() for name in of}
    rooms = _PRODUCT | _USERS
    whole = dict.fromkeys(_PRODUCT, "product")
    real = {
        (importer, whole.get(of, of) if importer in _USERS else of)
        for importer, of in imported
        if importer in rooms and of in rooms and importer != of
    }
    assert _arrows() == real


def test_the_function_needs_no_cdk_and_its_pure_rooms_no_aws() -> None:
    for module, names in _modules().items():
        tops = {name.partition(".")[0] for name in names}
        assert not tops & _OUTSIDE.get(_room(module), set()), module


def test_the_command_runs_nothing_of_the_function_but_its_reads() -> None:
    of_the_command = (names for module, names in _modules().items() if _room(module) == "cli")
    used = {name for names in of_the_command for name in names if _room(name) == "runtime"}
    assert {name.split(".")[2] for name in used} == {"aws", "errors"}


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
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", text, re.MULTILINE):
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
        assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+( ; .*)?", head), head
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
    wanted = top | below | set(packages) | {"app.py", "cdk.json"}
    assert _shown() == wanted
