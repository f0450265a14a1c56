"""The Lambda function's code, assembled at synth without Docker, pip or network.

It consists of the ``*.py`` files of the handler package and of crhelper, unchanged, and of the part
of botocore's SageMaker model that the handler uses: a reviewer sees the same files in the Lambda
console as in this repository. Line endings and file modes are the same everywhere, so the asset's
hash is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from .errors import MissingCodeError
from .version import installed_version

HANDLER_PACKAGE = "cdk_stop_inference_experiment_handler"
HANDLER = f"{HANDLER_PACKAGE}.index.handler"

MODELS_VARIABLE = "AWS_DATA_PATH"
MODELS_PATH = f"$LAMBDA_TASK_ROOT/{HANDLER_PACKAGE}/models"
"""Where botocore looks for a service's model before it looks into its own.

Parsing all of SageMaker's model would be most of a cold start. Without the folder botocore uses its
own. It expands the variable, which Lambda sets to the folder of the function's code.
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
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755


def handler_code() -> lambda_.Code:
    """The function's code as an asset.

    Raises:
        MissingCodeError: A part of it is not installed as source files, or crhelper is not 2.0.12.
    """
    _check_metadata()
    for package, needed in _NEEDED.items():
        _check_source(package, _folder_of(package), needed)
    return lambda_.Code.from_asset(
        str(_folder_of(HANDLER_PACKAGE)),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(
            # Never pulled: local bundling either succeeds or raises.
            image=DockerImage.from_registry("none"),
            local=_BUNDLING,
        ),
    )


def copy_code(target: Path) -> None:
    """Copy the function's code into a folder: the handler package and crhelper."""
    for package in (HANDLER_PACKAGE, CRHELPER_PACKAGE):
        source = _folder_of(package)
        for file in _files(source):
            copy = target / package / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            # A checkout may have other line endings than a wheel.
            copy.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
            copy.chmod(_FILE_MODE)
    for folder in target.rglob("*/"):
        if folder.is_dir():
            folder.chmod(_FOLDER_MODE)


def _files(folder: Path) -> Iterator[Path]:
    return (
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix in _SUFFIXES and "__pycache__" not in file.parts
    )


def _folder_of(package: str) -> Path:
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


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """Bundles in this process instead of in a Docker container."""

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        """Build the asset.

        Args:
            output_dir: Where to put it.
            _options: The bundling options, which jsii passes positionally.
            _named: The same options, by keyword as the interface declares them.
        """
        copy_code(Path(output_dir))
        return True


# One object for the whole process: CDK recognises the same bundling by it, and builds only once.
_BUNDLING = _LocalBundling()
