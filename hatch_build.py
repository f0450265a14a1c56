"""Makes the page that a registry shows from README.md, when the wheel and the sdist are built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_DIAGRAM = re.compile(r"```mermaid\n.*?```\n+", re.DOTALL)
_LINK_INTO_THE_REPOSITORY = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")


def for_a_registry(text: str, metadata: dict[str, Any]) -> str:
    """Text for a site that draws no diagrams and has no files of the repository.

    Args:
        text: In Markdown.
        metadata: The project table of ``pyproject.toml``. If its ``urls`` name a ``Repository``, a
            link leads to the file there, in the version's tag; else only the link's text is left.
    """
    text = _DIAGRAM.sub("", text)
    repository = str(metadata.get("urls", {}).get("Repository", "")).rstrip("/")
    if not repository:
        return _LINK_INTO_THE_REPOSITORY.sub(r"\1", text)
    files = f"{repository}/blob/v{metadata['version']}"
    return _LINK_INTO_THE_REPOSITORY.sub(rf"[\1]({files}/\2)", text)


class Readme(MetadataHookInterface):
    """Sets the readme, which ``pyproject.toml`` declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the readme.

        Args:
            metadata: The project table of ``pyproject.toml``.
        """
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        page = for_a_registry(text, metadata)
        metadata["readme"] = {"content-type": "text/markdown", "text": page}
