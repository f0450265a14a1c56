"""What each contestant uploads: files, their bytes, and the bytes of the ZIP file."""

from __future__ import annotations

import io
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from cdk_stop_inference_experiment.handler_code import code_archive
from local_aws.environment import python_of

from .contestants.code import copy_crhelper_readme, zipped
from .synth import synthesise

__all__ = ["measure"]

Json = dict[str, Any]
BUNDLED = ("boto3", "botocore", "jmespath", "dateutil", "s3transfer", "urllib3", "six.py")


def measure() -> Json:
    """Create every asset, and zip it like the CLI; ours is a ZIP file already, not compressed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, crhelper, bundled = folder / "ours", folder / "crhelper", folder / "bundled"
        ours.mkdir()
        archive = code_archive()
        zipfile.ZipFile(io.BytesIO(archive)).extractall(ours)
        copy_crhelper_readme(crhelper)
        copy_crhelper_readme(bundled)
        _bundle_boto3(bundled)
        return {
            "assets": [
                _told("ours", [ours]) | {"zipped_bytes": len(archive)},
                _told("AwsCustomResource", _synthesised("AwsCustomResource", folder)),
                _told("provider framework", _synthesised("provider framework", folder)),
                _told("crhelper", [crhelper]),
                _told("crhelper and boto3 bundled", [bundled]),
            ]
        }


def _synthesised(contestant: str, folder: Path) -> list[Path]:
    output = folder / f"{contestant}.out"
    synthesise(contestant, 1, output)
    return sorted(path for path in output.glob("asset.*") if path.is_dir())


def _bundle_boto3(target: Path) -> None:
    """Copy the workers' SDK, like ``pip install boto3 -t .``."""
    code = "import boto3, pathlib; print(pathlib.Path(boto3.__file__).parent.parent)"
    found = subprocess.run(
        [str(python_of("lambda")), "-s", "-c", code], capture_output=True, text=True, check=True
    )
    packages = Path(found.stdout.strip())
    for name in BUNDLED:
        source = packages / name
        files = [source] if source.is_file() else sorted(source.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                copied = target / file.relative_to(packages)
                copied.parent.mkdir(parents=True, exist_ok=True)
                copied.write_bytes(file.read_bytes())


def _told(contestant: str, folders: list[Path]) -> Json:
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return {
        "contestant": contestant,
        "assets": len(folders),
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "zipped_bytes": sum(len(zipped(folder)) for folder in folders),
    }
