"""The code that each contestant's functions are deployed with, as folders."""

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
    """Copy the handler as crhelper's README leads to it, with ``pip install crhelper -t .``.

    The handler is the one that the tests hold ours against.
    """
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(_ROOT / "loopback" / "stock.py", target / "index.py")
    copy_distributions(target, "crhelper")


def copy_provider_handlers(target: Path) -> None:
    """Copy onEvent and isComplete for the provider framework."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(_HERE / "provider_framework" / "handlers.py", target / "handlers.py")


def copy_distributions(target: Path, *names: str) -> None:
    """Copy installed distributions as ``pip install --target`` lays them out, without ``*.pyc``."""
    for name in names:
        for file in metadata.distribution(name).files or []:
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            copied = target / file
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(file.locate())), copied)


def zipped(folder: Path) -> bytes:
    """Return a folder's zip as the CDK CLI makes it: deflated, sorted, without dates."""
    package = BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _FIRST_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return package.getvalue()
