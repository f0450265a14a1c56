"""The code of each contestant's functions, as folders."""

from __future__ import annotations

import shutil
import zipfile
from importlib import metadata
from io import BytesIO
from pathlib import Path

__all__ = ["copy_crhelper_readme", "copy_distributions", "copy_provider_handlers", "zipped"]

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)


def copy_crhelper_readme(target: Path) -> None:
    """Copy the handler of crhelper's README, with ``pip install crhelper -t .``.

    It is the same handler as in the tests.
    """
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(_ROOT / "loopback" / "stock.py", target / "index.py")
    copy_distributions(target, "crhelper")


def copy_provider_handlers(target: Path) -> None:
    """Copy onEvent and isComplete for the provider framework."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(_HERE / "provider_framework" / "handlers.py", target / "handlers.py")


def copy_distributions(target: Path, *names: str) -> None:
    """Copy installed distributions like ``pip install --target``, without ``*.pyc``."""
    for name in names:
        for file in metadata.distribution(name).files or []:
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            copied = target / file
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(file.locate())), copied)


def zipped(folder: Path) -> bytes:
    """Return a folder's zip like the CDK CLI's: deflated, sorted, without dates."""
    package = BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _FIRST_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return package.getvalue()
