"""What several tests of the local AWS do."""

from __future__ import annotations

import io
import zipfile


def package(source: str) -> bytes:
    """Return a deployment package of one module."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", source)
    return package.getvalue()
