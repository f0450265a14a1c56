"""What several tests of the local AWS do."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable


def eventually(condition: Callable[[], bool], timeout_seconds: float = 15.0) -> bool:
    """Return whether a condition comes true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def package(source: str) -> bytes:
    """Return a deployment package of one module."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", source)
    return package.getvalue()
