"""Version, changelog, record and tag of a release, and the notes that are cut for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import release
from .compatibility.recorded import HERE, RELEASED
from .release import notes, problems, project, sections

CHANGELOG = (release.ROOT / "CHANGELOG.md").read_text()
VERSION = str(project()["version"])
TWO = """# Changelog

Text.

## [0.2.0] - 2026-12-01

The second.

### Added

- [A guide](docs/guide.md)

## [0.1.0] - 2026-11-01

The first.
"""


def test_version_changelog_and_record_are_of_one_release() -> None:
    assert list(problems(VERSION, CHANGELOG)) == []


def test_the_first_release_has_one_section_one_record_and_changes_nothing() -> None:
    # Goes with the second release.
    recorded = [path.parent.name for path in HERE.glob("*/resources.json")]
    assert [RELEASED, list(sections(CHANGELOG)), recorded] == [(), [VERSION], [VERSION]]
    assert "### Changed" not in CHANGELOG


@pytest.mark.parametrize(
    ("version", "date", "tag", "why"),
    [
        ("0.3.0", "2026-12-01", "", "begins with '0.2.0', but pyproject.toml has '0.3.0'"),
        ("0.2.0", "soon", "", "no date for 0.2.0, but 'soon'"),
        ("0.2.0", "unreleased", "v0.2.0", "no date for 0.2.0, but 'unreleased'"),
        ("0.2.0", "2026-12-01", "v0.2.1", "the tag is 'v0.2.1'"),
        ("0.2.0", "2026-12-01", "0.2.0", "the tag is '0.2.0'"),
        ("0.3.0", "2026-12-01", "", "0.3.0 is not recorded"),
    ],
)
def test_what_is_not_of_one_release_is_refused(version: str, date: str, tag: str, why: str) -> None:
    found = list(problems(version, TWO.replace("2026-12-01", date), tag))
    assert [one for one in found if why in one], found


def test_a_date_and_the_versions_tag_are_of_one_release() -> None:
    assert list(problems("0.2.0", TWO, "v0.2.0")) == []
    assert list(problems("0.2.0", TWO.replace("2026-12-01", "unreleased"))) == []


def test_the_notes_are_the_versions_section_without_links_that_lead_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    text = notes(Path("dist/the.whl"), TWO.replace("0.2.0", VERSION))
    assert text.startswith("The second.\n\n### Added\n\n- A guide\n")
    assert "The first." not in text
    assert "alpha software" in text
    assert "`gh attestation verify the.whl --repo o/r`" in text
