"""The built and installed packages have the same files as the checkout."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from hatch_build import for_a_registry

ROOT = Path(__file__).parents[1]
CONSTRUCT = "cdk_stop_inference_experiment"
HANDLER = "cdk_stop_inference_experiment_handler"
WHEN_BUILT = {"SOURCE_DATE_EPOCH": "1767225600"}
SOURCES = (ROOT / "constructs" / CONSTRUCT, ROOT / "lambda" / HANDLER)


def _run(*command: str, **environment: str) -> None:
    run = subprocess.run(
        [sys.executable, *command],
        cwd=environment.pop("cwd", str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    _run("-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), **WHEN_BUILT)
    return folder


def _wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def _sources() -> set[str]:
    return {
        str(file.relative_to(source.parent))
        for source in SOURCES
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.mark.slow
def test_the_wheel_holds_both_packages_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(_wheel(dist)) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (licence,) = (name for name in wheel.namelist() if name.endswith("/LICENSE"))
        assert b"Apache License" in wheel.read(licence)
        (notice,) = (name for name in wheel.namelist() if name.endswith("/NOTICE"))
        assert b"Botocore" in wheel.read(notice)
    assert files == _sources()
    assert {f"{CONSTRUCT}/py.typed", f"{HANDLER}/py.typed"} < files


@pytest.mark.slow
def test_the_sdist_holds_neither_tests_nor_the_local_aws(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    roots = {name.split("/")[0] for name in names}
    assert roots == {
        "CHANGELOG.md",
        "LICENSE",
        "NOTICE",
        "PKG-INFO",
        "README.md",
        "constructs",
        "hatch_build.py",
        "lambda",
        "pyproject.toml",
        ".gitignore",
    }


@pytest.mark.slow
def test_the_metadata_passes_the_registrys_check(dist: Path) -> None:
    _run("-m", "twine", "check", "--strict", *(str(path) for path in dist.iterdir()))


@pytest.mark.slow
def test_the_same_source_makes_the_same_wheel_and_sdist_from_another_folder(
    dist: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for name in ("constructs", "lambda"):
        shutil.copytree(ROOT / name, copy / name)
    metadata = ("pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md")
    for name in (*metadata, "LICENSE", "NOTICE", ".gitignore"):
        shutil.copyfile(ROOT / name, copy / name)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    out = tmp_path / "out"
    _run("-m", "build", "--no-isolation", "--outdir", str(out), str(copy), **WHEN_BUILT)
    assert {path.name: _digest(path) for path in out.iterdir()} == {
        path.name: _digest(path) for path in dist.iterdir()
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _metadata(dist: Path) -> Message:
    with zipfile.ZipFile(_wheel(dist)) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(wheel.read(name))


@pytest.mark.slow
def test_the_registrys_page_is_the_readme_with_links_that_lead_somewhere(dist: Path) -> None:
    metadata = _metadata(dist)
    page = metadata.get_payload(decode=True)
    assert isinstance(page, bytes)
    text, readme = page.decode(), (ROOT / "README.md").read_text()
    assert metadata["Description-Content-Type"] == "text/markdown"
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert [one for one in links if not re.match(r"https://|#", one)] == []
    before, _, diagram = readme.partition("```mermaid\n")
    readme = before + diagram.partition("```\n")[2]
    without = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", readme)
    assert re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).split() == without.split()


def test_no_diagram_is_shown_as_its_source() -> None:
    text = "Before.\n\n```mermaid\na --> b\n```\n\n```python\nc\n```\n"
    assert for_a_registry(text, {}) == "Before.\n\n```python\nc\n```\n"


def test_with_a_repository_address_the_links_lead_to_the_versions_files() -> None:
    metadata = {"version": "1.2.3", "urls": {"Repository": "https://example.org/o/r/"}}
    text = "[a\nb](docs/a.md#c), [out](https://example.org), [below](#below)"
    assert for_a_registry(text, metadata) == (
        "[a\nb](https://example.org/o/r/blob/v1.2.3/docs/a.md#c), [out](https://example.org), "
        "[below](#below)"
    )
    assert for_a_registry("[a](b), [out](https://example.org)", {}) == (
        "a, [out](https://example.org)"
    )


@pytest.mark.slow
def test_the_metadata_says_what_it_is_for_and_what_it_needs(dist: Path) -> None:
    metadata = _metadata(dist)
    classifiers = metadata.get_all("Classifier") or []
    assert {"Framework :: AWS CDK :: 2", "Typing :: Typed"} <= set(classifiers)
    # README says why, and CONTRIBUTING when it changes.
    assert "Development Status :: 3 - Alpha" in classifiers
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)} <= set(
        classifiers
    )
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0"
    requirements = metadata.get_all("Requires-Dist") or []
    of_the_command = {one for one in requirements if "extra == 'cli'" in one}
    assert _names(requirements) - _names(of_the_command) == {
        "aws-cdk-lib",
        "constructs",
        "crhelper",
    }
    assert _names(of_the_command) == {"boto3", "pyyaml", "rich"}


def _names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[<>=]", one)[0] for one in requirements}


@pytest.mark.slow
def test_the_wheel_has_the_command_and_says_what_it_lacks(dist: Path, tmp_path: Path) -> None:
    wheel = str(_wheel(dist))
    _run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), wheel)
    assert (tmp_path / "bin" / "stop-inference-experiment").exists()
    # Without site-packages: neither boto3 nor Rich, as without the extra.
    ran = subprocess.run(
        [sys.executable, "-S", "-m", CONSTRUCT, "status", "Stack"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == (
        "error: this command needs boto3, Rich and PyYAML: "
        "run pip install 'cdk-stop-inference-experiment[cli]'\n"
    )


def _first_example() -> str:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None, "README.md holds no python block"
    return block[1]


def _assets(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("asset.*"))


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the installed wheel, which on PYTHONPATH comes before the checkout."""
    folder = str(tmp_path_factory.mktemp("installed"))
    wheel = str(_wheel(dist))
    _run("-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel)
    check = f"import {CONSTRUCT} as c; assert c.__file__.startswith({folder!r}), c.__file__"
    _run("-c", check, PYTHONPATH=folder, cwd=folder)
    return folder


@pytest.mark.slow
def test_the_wheel_runs_the_app_of_the_example_without_python_code(
    installed: str, tmp_path: Path
) -> None:
    file = json.loads((ROOT / "examples" / "cdk_json" / "cdk.json").read_text())
    python, *command = file["app"].split()
    assert python == "python3"
    out = tmp_path / "out"
    _run(
        *command,
        PYTHONPATH=installed,
        CDK_CONTEXT_JSON=json.dumps(file["context"]),
        CDK_OUTDIR=str(out),
        cwd=str(tmp_path),
    )
    template = (out / f"{file['context']['stack-name']}.template.json").read_text()
    assert '"fraud-shadow-json"' in template


@pytest.mark.slow
def test_the_wheel_synthesises_the_readmes_first_example_from_another_folder(
    installed: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(_first_example())
    for name, path in (("wheel", installed), ("checkout", "")):
        _run(
            "app.py",
            PYTHONPATH=path,
            CDK_OUTDIR=str(tmp_path / name),
            cwd=str(tmp_path),
        )
    assert len(_assets(tmp_path / "wheel")) == 1
    assert _assets(tmp_path / "wheel") == _assets(tmp_path / "checkout")
