"""A hook of MkDocs: links out of ``docs/`` lead to files of the repository.

In the repository, such a link works as it is. The site shows the file's path instead, since it does
not contain the file; an image is copied into the site. A file that does not exist stops the build.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(!?)\[([^\]]*)\]\((\.\./[^)#\s]*)(#[^)]*)?\)")


def _in_repository(source: str, link: str) -> str | None:
    """The path from the repository's root, None for another page of the documentation."""
    target = (ROOT / "docs" / source).parent.joinpath(link).resolve()
    if not target.exists():
        raise PluginError(f"{source}: '{link}' does not exist")
    path = target.relative_to(ROOT)
    return None if path.parts[0] == "docs" else str(path)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the images of the repository that pages show."""
    for file in list(files.documentation_pages()):
        for image, _, link, _ in LINK.findall(file.content_string):
            path = _in_repository(file.src_uri, link) if image else None
            if path and not files.get_file_from_path(path):
                files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Replace links out of the documentation by the path of the file."""

    def replaced(match: re.Match[str]) -> str:
        image, text, link, _ = match.groups()
        path = _in_repository(page.file.src_uri, link)
        if path is None:
            return match[0]
        if image:
            return f"![{text}]({'../' * page.file.src_uri.count('/')}{path})"
        shown = f"`{path}`"
        return shown if text.strip("`") == path else f"{text} ({shown})"

    return LINK.sub(replaced, markdown)
