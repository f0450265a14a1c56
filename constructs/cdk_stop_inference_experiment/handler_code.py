"""The Lambda function's code, put together at synth without Docker, pip or network.

It is the handler package and crhelper, nothing else, and stays under 20 KB: only their ``*.py``
files go in, as ``source_text`` makes them smaller. They lie uncompressed in one archive, from which
Python imports them, so that the deployment's zip compresses them as one text. Names, order, dates
and modes are fixed: the asset's hash is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from .source_text import compact

HANDLER = "index.handler"

HANDLER_PACKAGE = "cdk_stop_inference_experiment_handler"
CRHELPER_PACKAGE = "crhelper"
CRHELPER_VERSION = "2.0.12"
"""The release whose weak spots the handler mends by name; ``pyproject.toml`` pins the same."""

_ENTRY_POINT = f"""import os
import sys

sys.path.insert(0, os.path.dirname(__file__) + "/code.zip")

from {HANDLER_PACKAGE}.index import handler
"""

_FILE_MODE = 0o644
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


class MissingCodeError(RuntimeError):
    """What the Lambda function's code is made of is not installed as it must be."""


def handler_code() -> lambda_.Code:
    """The function's code as an asset.

    Raises:
        MissingCodeError: crhelper is not installed, or in another release than 2.0.12.
    """
    folders = {name: _folder_of(name) for name in (HANDLER_PACKAGE, CRHELPER_PACKAGE)}
    _check_crhelper()
    return lambda_.Code.from_asset(
        str(folders[HANDLER_PACKAGE]),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(
            # Never pulled: the local bundling either succeeds or raises.
            image=DockerImage.from_registry("none"),
            local=_BUNDLING,
        ),
    )


def copy_code(target: Path) -> None:
    """Put the function's code into a folder: ``index.py`` and the archive it imports from."""
    (target / "index.py").write_bytes(_ENTRY_POINT.encode())
    with ZipFile(target / "code.zip", "w", ZIP_STORED) as archive:
        for package in (HANDLER_PACKAGE, CRHELPER_PACKAGE):
            source = _folder_of(package)
            for file in _python_files(source):
                name = f"{package}/{file.relative_to(source).as_posix()}"
                archive.writestr(_entry(name), compact(file.read_text("utf-8")))
    for path in target.iterdir():
        path.chmod(_FILE_MODE)


def _entry(name: str) -> ZipInfo:
    """An archive's entry that tells nothing of the machine it was made on."""
    entry = ZipInfo(name, _FIRST_DATE)
    entry.create_system = _UNIX
    entry.external_attr = _FILE_MODE << 16
    return entry


def _python_files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*.py")) if "__pycache__" not in file.parts)


def _folder_of(package: str) -> Path:
    """Where a package is installed, found without importing it."""
    spec = find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        raise MissingCodeError(
            f"the Lambda function's code needs the package '{package}', which is not installed: "
            f"install cdk-stop-inference-experiment with its dependencies"
        )
    return Path(locations[0])


def _check_crhelper() -> None:
    version = metadata.version(CRHELPER_PACKAGE)
    if version != CRHELPER_VERSION:
        raise MissingCodeError(
            f"the Lambda function's code needs crhelper {CRHELPER_VERSION}, got {version}: "
            f"run 'pip install crhelper=={CRHELPER_VERSION}'"
        )


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """Bundling in this process, in place of a Docker container."""

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        """Build the asset.

        Args:
            output_dir: Where to.
            _options: The bundling options, which jsii passes positionally.
            _named: The same, as the interface declares them.
        """
        copy_code(Path(output_dir))
        return True


# One object for the whole process: CDK recognises the same bundling by it and builds only once.
_BUNDLING = _LocalBundling()
