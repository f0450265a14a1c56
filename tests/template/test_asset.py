"""The Lambda function's code, as an asset."""

from __future__ import annotations

import base64
import compileall
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from zlib import crc32

import aws_cdk as cdk
import pytest

from cdk_stop_inference_experiment import MissingCodeError, asset, handler_code, version
from cdk_stop_inference_experiment.handler_code import code_archive, code_sha256

from .packages import PACKAGES, folder
from .stacks import declare, new_stack, only, synthesised

MODEL = "cdk_stop_inference_experiment_handler/models/sagemaker/2017-07-24/service-2.json"


def _asset_hash() -> str:
    # In another process it would not be built yet.
    cdk.AssetStaging.clear_asset_hash_cache()
    code = only(synthesised(_declared()), "AWS::Lambda::Function")[1]["Properties"]["Code"]
    return str(code["S3Key"])


def _extracted(target: Path) -> None:
    """What Lambda makes of the code."""
    zipfile.ZipFile(io.BytesIO(code_archive())).extractall(target)


def _declared() -> cdk.Stack:
    stack = new_stack()
    declare(stack)
    return stack


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of both packages in another folder, used instead of the installed ones."""
    for package in PACKAGES:
        shutil.copytree(folder(package), tmp_path / package)
    monkeypatch.setattr(handler_code, "folder_of", lambda package: tmp_path / package)
    return tmp_path


def test_holds_the_python_files_of_the_handler_and_of_crhelper_and_sagemakers_model_only(
    tmp_path: Path,
) -> None:
    _extracted(tmp_path)
    expected = {
        f"{package}/{file.relative_to(folder(package))}"
        for package in PACKAGES
        for file in folder(package).rglob("*.py")
    } | {MODEL}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert files == expected
    assert "cdk_stop_inference_experiment_handler/contract/validation.py" in expected
    assert "crhelper/resource_helper.py" in expected


def test_holds_the_source_as_it_is(tmp_path: Path) -> None:
    _extracted(tmp_path)
    for package in PACKAGES:
        for copy in (tmp_path / package).rglob("*.*"):
            file = folder(package) / copy.relative_to(tmp_path / package)
            assert copy.read_bytes() == file.read_bytes()


def test_has_the_same_hash_with_other_line_ends(elsewhere: Path) -> None:
    there = _asset_hash()
    index = elsewhere / "cdk_stop_inference_experiment_handler" / "index.py"
    index.write_bytes(index.read_bytes().replace(b"\n", b"\r\n"))
    assert _asset_hash() == there


def test_runs_from_the_folder_alone(tmp_path: Path) -> None:
    pytest.importorskip("boto3", reason="the Lambda runtime holds it, the oldest environment not")
    _extracted(tmp_path)
    program = (
        "import inspect; from cdk_stop_inference_experiment_handler import index; "
        "print(inspect.getfile(index.handler), index.handler({}, None))"
    )
    environment = {"AWS_REGION": "eu-west-1", "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-B", "-c", program],
        env=environment,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    path = Path("cdk_stop_inference_experiment_handler", "index.py")
    assert ran.stdout.split() == [str(tmp_path / path), "None"]


def test_has_the_same_hash_wherever_and_however_it_is_installed(elsewhere: Path) -> None:
    there = _asset_hash()
    for path in elsewhere.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    (elsewhere / "crhelper" / "__pycache__").mkdir(exist_ok=True)
    (elsewhere / "crhelper" / "__pycache__" / "stale.py").write_text("stale")
    (elsewhere / "crhelper" / "INSTALLER").write_text("another one")
    before = os.umask(0o077)
    try:
        assert _asset_hash() == there
    finally:
        os.umask(before)


def test_has_another_hash_when_the_code_changes(elsewhere: Path) -> None:
    before = _asset_hash()
    changed = elsewhere / "crhelper" / "utils.py"
    changed.write_text(changed.read_text() + "\nchanged = True\n")
    assert _asset_hash() != before


def test_is_to_the_byte_what_the_format_of_zip_files_says_of_its_content() -> None:
    """Not by zipfile, so that no release of Python makes another file of the same content."""
    with zipfile.ZipFile(io.BytesIO(code_archive())) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert list(content) == sorted(content)
    files, directory = b"", b""
    for name, data in content.items():
        # Version 2.0, no flags, stored, 00:00 on the first day of 1980.
        common = struct.pack(
            "<HHHHHLLLHH", 20, 0, 0, 0, 33, crc32(data), *[len(data)] * 2, len(name), 0
        )
        mode = 0o100644 << 16
        directory += struct.pack("<4sBB", b"PK\1\2", 20, 3) + common
        directory += struct.pack("<HHHLL", 0, 0, 0, mode, len(files)) + name.encode()
        files += b"PK\3\4" + common + name.encode() + data
    count = len(content)
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, count, count, len(directory), len(files), 0)
    assert code_archive() == files + directory + end


@pytest.mark.newest
def test_is_uploaded_as_it_is_so_lambda_tells_its_sha256(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    declare(cdk.Stack(app, "Stack"))
    manifest = json.loads((Path(app.synth().directory) / "Stack.assets.json").read_text())
    source = next(
        one["source"] for one in manifest["files"].values() if one["source"]["path"].endswith("zip")
    )
    assert source["packaging"] == "file"
    uploaded = (tmp_path / source["path"]).read_bytes()
    assert uploaded == code_archive()
    assert base64.b64encode(hashlib.sha256(uploaded).digest()).decode() == code_sha256()


def test_is_built_once_for_all_stacks_of_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bytes] = []

    def build() -> bytes:
        built.append(code_archive())
        return built[0]

    monkeypatch.setattr(asset, "code_archive", build)
    app = cdk.App()
    for number in range(3):
        declare(cdk.Stack(app, f"Stack{number}"))
    app.synth()
    assert len(built) == 1


def test_never_falls_back_to_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDK_DOCKER", "false")
    monkeypatch.setattr(asset, "code_archive", _fail)
    with pytest.raises(RuntimeError, match="no space left"):
        declare(new_stack())


def _fail() -> bytes:
    raise OSError("no space left")


def test_another_crhelper_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _name: "2.0.11")
    with pytest.raises(
        MissingCodeError, match=r"got 2\.0\.11: run 'pip install crhelper==2\.0\.12'"
    ):
        declare(new_stack())


def test_a_missing_crhelper_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_code, "find_spec", lambda _name: None)
    with pytest.raises(MissingCodeError, match="which is not installed: install"):
        declare(new_stack())


def test_the_pinned_crhelper_is_the_one_the_code_asks_for() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    assert f'"crhelper=={handler_code.CRHELPER_VERSION}"' in pyproject.read_text()


def _metadata_without(missing: str) -> Callable[[str], str]:
    def version(name: str) -> str:
        if name == missing:
            raise metadata.PackageNotFoundError(name)
        return handler_code.CRHELPER_VERSION

    return version


@pytest.mark.parametrize("missing", ["crhelper", "cdk-stop-inference-experiment"])
def test_packages_without_metadata_are_refused_with_the_remedy(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", _metadata_without(missing))
    monkeypatch.setattr(version, "version", _metadata_without(missing))
    with pytest.raises(MissingCodeError, match=f"needs the metadata of '{missing}'.*by pip"):
        declare(new_stack())


@pytest.mark.parametrize("package", PACKAGES)
def test_code_that_is_only_compiled_is_refused_with_the_remedy(
    package: str, elsewhere: Path
) -> None:
    compileall.compile_dir(elsewhere / package, legacy=True, quiet=1)
    for source in (elsewhere / package).rglob("*.py"):
        source.unlink()
    stack = new_stack()
    with pytest.raises(MissingCodeError, match=rf"source files of '{package}'.* neither compiled"):
        declare(stack)


@pytest.mark.parametrize(
    "missing",
    [
        "crhelper/utils.py",
        "cdk_stop_inference_experiment_handler/index.py",
        "cdk_stop_inference_experiment_handler/contract/__init__.py",
        MODEL,
    ],
)
def test_code_without_one_of_its_files_is_refused(missing: str, elsewhere: Path) -> None:
    file = elsewhere / missing
    if file.suffix == ".py":
        compileall.compile_file(file, legacy=True, quiet=1)
    file.unlink()
    with pytest.raises(MissingCodeError, match=f"has no '{missing.partition('/')[2]}'"):
        declare(new_stack())


def test_code_in_an_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "site.zip"
    monkeypatch.setattr(handler_code, "folder_of", lambda package: archive / package)
    with pytest.raises(MissingCodeError, match="nor in an archive"):
        declare(new_stack())
