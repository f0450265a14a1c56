"""A hook of MkDocs: what the pages link to outside ``docs/``, diagrams, and tables.

In the repository, a link out of ``docs/`` works as it is. The site has no other files of the
repository: an example gets a page of its own with its README and its code, some pages of the
repository are shown as they are, an image is copied, and any other link says that it is in the
repository, and where. A file that does not exist stops the build.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(readme.parent for readme in (ROOT / "examples").glob("*/README.md"))
SHOWN = {
    "aws/local-aws.md": ROOT / "local_aws" / "README.md",
    "aws/real-account.md": ROOT / "tests" / "integ" / "README.md",
    "design/results.md": ROOT / "benchmarks" / "RESULTS.md",
}
"""Pages of the repository that the site shows, by their path there."""

IN_THE_NAVIGATION = "aws/local-aws.md"
LISTS = ("index.md", "examples/", "reference/api.md", "design/results.md")
"""Pages that a search shows after those that explain."""

KINDS = {".py": "python", ".json": "json", ".yml": "yaml"}
MERMAID = ROOT / "tests" / "site" / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]*)(#[^)]*)?\)")


def _target(source: str, link: str) -> Path:
    """What a page's link leads to: the page of an example is its README."""
    target = (ROOT / _origin(source)).parent.joinpath(link).resolve()
    if not target.exists():
        raise PluginError(f"{source}: '{link}' does not exist")
    return target


def _origin(source: str) -> Path:
    """The file of the repository that a page of the site is made from."""
    path = Path(source)
    if source in SHOWN:
        return SHOWN[source]
    return path.with_suffix("") / "README.md" if path.parts[0] == "examples" else "docs" / path


def _page_of(target: Path) -> str | None:
    """The page of the site that shows a file or a folder of the repository."""
    if (ROOT / "docs") in target.parents:
        return str(target.relative_to(ROOT / "docs"))
    for page, file in SHOWN.items():
        if target == file:
            return page
    folder = target if target.is_dir() else target.parent
    return f"examples/{folder.name}.md" if folder in EXAMPLES else None


def _example(folder: Path) -> str:
    """The page of an example: its README, and its other files."""
    page = (folder / "README.md").read_text()
    for file in sorted(folder.iterdir()):
        if file.suffix in KINDS:
            page += f"\n## {file.name}\n\n```{KINDS[file.suffix]}\n{file.read_text()}```\n"
    return page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages of the repository's READMEs, the images that pages show, and Mermaid."""
    for page, file in SHOWN.items():
        nav = InclusionLevel.UNDEFINED if page == IN_THE_NAVIGATION else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, page, content=file.read_text(), inclusion=nav))
    for folder in EXAMPLES:
        page = f"examples/{folder.name}.md"
        files.append(
            File.generated(
                config, page, content=_example(folder), inclusion=InclusionLevel.NOT_IN_NAV
            )
        )
    for file in list(files.documentation_pages()):
        for image, _, link, _ in LINK.findall(file.content_string):
            path = str(_target(file.src_uri, link).relative_to(ROOT)) if image else None
            if path and not files.get_file_from_path(path):
                files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "assets/mermaid.min.js", abs_src_path=str(MERMAID)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let links out of the documentation lead to what the site has, or show the file's path."""
    source = page.file.src_uri
    if source.startswith(LISTS):
        page.meta["search"] = {"boost": 0.5}
    up = "../" * source.count("/")

    def replaced(match: re.Match[str]) -> str:
        image, text, link, anchor = match.groups()
        if not link:
            return match[0]
        target = _target(source, link)
        path = str(target.relative_to(ROOT))
        if image:
            return f"![{text}]({up}{path})"
        shown = _page_of(target)
        if shown == source:
            return f"[{text}](#{Path(link).name.replace('.', '')})"
        if shown:
            return f"[{text}]({up}{shown}{anchor or ''})"
        is_path = text.strip("`") == path
        return f"`{path}`" if is_path else f"{text} (in the repository: `{path}`)"

    return re.sub(r"^ *<!-- needs AWS -->\n", "", LINK.sub(replaced, markdown), flags=re.MULTILINE)


def on_page_content(html: str, **_: object) -> str:
    """Name each cell's column, and an empty first cell's group: a phone shows them beside it."""
    return re.sub(
        r"<table>.*?</table>", lambda table: _named_cells(table[0]), html, flags=re.DOTALL
    )


def _named_cells(table: str) -> str:
    names = [
        re.sub(r"<[^>]*>", "", name).strip()
        for name in re.findall(r"<th[^>]*>(.*?)</th>", table, re.DOTALL)
    ]

    group = ""

    def row(match: re.Match[str]) -> str:
        nonlocal group
        columns = iter(names)
        first = re.search(r"<td[^>]*>(.*?)</td>", match[0], re.DOTALL)
        if first and first[1].strip():
            group = re.sub(r"<[^>]*>", "", first[1]).strip().replace('"', "&quot;")
        named = re.sub("<td", lambda _: f'<td data-column="{next(columns, "")}"', match[0])
        return named.replace("<td ", f'<td data-group="{group}" ', 1)

    with_columns = re.sub(r"<tr>.*?</tr>", row, table, flags=re.DOTALL)
    return re.sub(r"(<code>)(.*?)(</code>)", _whole_words, with_columns)


def _whole_words(code: re.Match[str]) -> str:
    """Keep options and names on one line: browsers break them after each hyphen."""
    begin, text, end = code.groups()
    return begin + re.sub(r"\S{2,40}", lambda word: f"<span>{word[0]}</span>", text) + end


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Load Mermaid from the site itself, where a page has a diagram: the theme would fetch it."""
    if 'class="mermaid"' not in output:
        return output
    script = f'<script src="{"../" * page.url.count("/")}assets/mermaid.min.js"></script>'
    return output.replace("</head>", f"{script}</head>", 1)
