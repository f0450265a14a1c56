"""The files in the asset: the Lambda function's code, assembled without Docker, pip or network.

It consists of the ``*.py`` files of the handler package and of crhelper, unchanged, and of the part
of botocore's SageMaker model that the handler uses: a reviewer sees the same files in the Lambda
console as in this repository. For one release, it is the same to the byte on every machine, so the
command can tell whether a deployed function has it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from .errors import MissingCodeError
from .version import installed_version

HANDLER_PACKAGE = "cdk_stop_inference_experiment_handler"
HANDLER = f"{HANDLER_PACKAGE}.index.handler"

MODELS_VARIABLE = "AWS_DATA_PATH"
MODELS_PATH = f"$LAMBDA_TASK_ROOT/{HANDLER_PACKAGE}/models"
"""Where botocore looks for a service's model before it looks into its own.

Parsing all of SageMaker's model would take a fifth of the CPU time of importing boto3 and making
the client. Without the folder botocore uses its own. It expands the variable, which Lambda sets to
the folder of the function's code.
https://docs.aws.amazon.com/boto3/latest/guide/configuration.html
"""

CRHELPER_PACKAGE = "crhelper"
CRHELPER_VERSION = "2.0.12"
"""The release whose problems the handler fixes; ``pyproject.toml`` pins the same one."""

_NEEDED = {
    HANDLER_PACKAGE: ("__init__.py", "index.py", "models/sagemaker/2017-07-24/service-2.json"),
    CRHELPER_PACKAGE: ("__init__.py", "resource_helper.py", "log_helper.py", "utils.py"),
}
"""By package: files without which the function cannot start, or starts slowly."""

_SUFFIXES = (".py", ".json")
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE_MODE = 0o100644
"""A regular file that everybody may read."""


def check_code() -> None:
    """Check that the function's code is installed.

    Raises:
        MissingCodeError: A part of it is not installed as source files, or crhelper is not 2.0.12.
    """
    _check_metadata()
    for package, needed in _NEEDED.items():
        _check_source(package, folder_of(package), needed)


def code_archive() -> bytes:
    """The function's code, as a ZIP file.

    Nothing is compressed: what deflate makes of the same bytes depends on the zlib of the Python
    or the Node.js that runs it.

    Raises:
        MissingCodeError: As for :func:`check_code`.
    """
    check_code()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for package in _NEEDED:
            source = folder_of(package)
            for file in _files(source):
                name = f"{package}/{file.relative_to(source).as_posix()}"
                entry = zipfile.ZipInfo(name, _FIRST_DATE)
                entry.create_system, entry.external_attr = _UNIX, _FILE_MODE << 16
                # A checkout may have other line endings than a wheel.
                archive.writestr(entry, file.read_bytes().replace(b"\r\n", b"\n"))
    return made.getvalue()


@cache
def code_sha256() -> str:
    """What Lambda says of a function with this code: its ``CodeSha256``.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html

    Raises:
        MissingCodeError: As for :func:`check_code`.
    """
    return base64.b64encode(hashlib.sha256(code_archive()).digest()).decode()


def _files(folder: Path) -> Iterator[Path]:
    return (
        file
        for file in sorted(folder.rglob("*"), key=Path.as_posix)
        if file.suffix in _SUFFIXES and "__pycache__" not in file.parts
    )


def folder_of(package: str) -> Path:
    """Where a package is installed; it is not imported."""
    spec = find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        raise MissingCodeError(
            f"the Lambda function's code needs the package '{package}', which is not installed: "
            f"install cdk-stop-inference-experiment with its dependencies"
        )
    return Path(locations[0])


def _check_source(package: str, folder: Path, needed: tuple[str, ...]) -> None:
    """Refuse a package without its source: in an archive, or compiled in place of it."""
    missing = [name for name in needed if not (folder / name).is_file()]
    missing += [
        str(compiled.relative_to(folder).with_suffix(".py"))
        for compiled in sorted(folder.rglob("*.pyc"))
        if compiled.parent.name != "__pycache__" and not compiled.with_suffix(".py").is_file()
    ]
    if missing:
        raise MissingCodeError(
            f"the Lambda function's code needs the source files of '{package}', but '{folder}' has "
            f"no '{missing[0]}': install cdk-stop-inference-experiment as files, neither compiled "
            f"nor in an archive"
        )


def _check_metadata() -> None:
    try:
        version = metadata.version(CRHELPER_PACKAGE)
        installed_version()
    except metadata.PackageNotFoundError as error:
        raise MissingCodeError(
            f"the Lambda function's code needs the metadata of '{error.name}', which has its "
            f"version: install cdk-stop-inference-experiment with its dependencies by pip, and "
            f"keep their .dist-info folders"
        ) from error
    if version != CRHELPER_VERSION:
        raise MissingCodeError(
            f"the Lambda function's code needs crhelper {CRHELPER_VERSION}, got {version}: "
            f"run 'pip install crhelper=={CRHELPER_VERSION}'"
        )
