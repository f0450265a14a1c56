"""The workflows for GitHub Actions: their shell steps run here, and what they may is little."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))
}
MAKEFILE = (ROOT / "Makefile").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


BY_HASH = "--no-deps --require-hashes --requirement"
MADE = "build/release"
NOTES, SBOM = f"{MADE}/notes.md", f"{MADE}/sbom.cdx.json"
TITLE = "v0.2.0 --verify-tag --title v0.2.0"


def _steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for workflow, content in WORKFLOWS.items():
        for job, body in content["jobs"].items():
            for step in body["steps"]:
                yield workflow, job, step


USES = [(f"{workflow}/{job}", step) for workflow, job, step in _steps() if "uses" in step]
RUNS = [(f"{workflow}/{job}", step) for workflow, job, step in _steps() if "run" in step]


class Runner:
    """A runner whose programs only write down how they are called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder / "work", folder / "calls"
        programs = folder / "bin"
        for made in (self.folder / ".ci", self.folder / "dist", programs):
            made.mkdir(parents=True)
        self._stub(self.folder / ".ci" / "run", ".ci/run")
        for name in ("make", "gh", "npm"):
            self._stub(programs / name, name)
        # What the steps before leave, and what is in the repository.
        for name in ("build/release/notes.md", "build/release/sbom.cdx.json", "dist/a.whl"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(name)
        lock = "tests/requirements-publish.lock"
        (self.folder / lock).parent.mkdir()
        (self.folder / lock).write_text((ROOT / lock).read_text())
        for name in ("python", "pip"):
            self._stub(programs / f"venv-{name}", name)
        for python in ("python", "python3"):
            (programs / python).write_text(
                "#!/bin/sh\n"
                f'echo "{python} $*" >> {self.calls}\n'
                'mkdir -p "$3/bin"\n'
                f'for name in python pip; do ln -s {programs}/venv-$name "$3/bin/$name"; done\n'
            )
            (programs / python).chmod(0o755)
        self.summary, self.path = folder / "summary", folder / "path"
        self._environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_REF_NAME": "v0.2.0",
            "SUPPORTED": "3.12",
            "GITHUB_PATH": str(self.path),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }

    def _stub(self, path: Path, name: str, status: int = 0) -> None:
        path.write_text(
            f'#!/bin/sh\necho "{name} $*" | sed "s/ $//" >> {self.calls}\necho says {name}\n'
            f"exit {status}\n"
        )
        path.chmod(0o755)

    def fail(self, name: str) -> None:
        """Let a program fail from now on."""
        self._stub(self.folder.parent / "bin" / name, name, status=1)

    def run(self, shell: str) -> int:
        """Run shell as GitHub's runner does, which for a script without a name has no pipefail."""
        return subprocess.run(
            ["bash", "-e", "-c", shell],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            check=False,
        ).returncode

    def called(self) -> list[str]:
        """How the programs were called."""
        return self.calls.read_text().splitlines()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def _shells(job: str) -> list[str]:
    return [step["run"] for place, step in RUNS if place == job]


@pytest.mark.parametrize(
    ("job", "calls"),
    [
        ("ci/test", [".ci/run"]),
        ("ci/pythons", ["make test-python VERSION=3.12"]),
        ("ci/coverage", ["make coverage"]),
        ("scheduled/newest", ["make test-newest"]),
        ("scheduled/explore", ["make explore"]),
        ("scheduled/mutants", ["make mutants"]),
        ("release/build", ["make release-check TAG=v0.2.0"]),
        (
            "release/publish",
            [
                "python -m venv twine",
                f"python -m pip install {BY_HASH} {MADE}/requirements-publish.lock",
                "python -m twine upload --non-interactive dist/a.whl",
            ],
        ),
        (
            "release/notes",
            [f"gh release create {TITLE} --notes-file {NOTES} dist/a.whl {SBOM}"],
        ),
    ],
)
def test_the_steps_of_a_job_run_and_call(job: str, calls: list[str], runner: Runner) -> None:
    assert [runner.run(shell) for shell in _shells(job)] == [0] * len(_shells(job))
    assert runner.called() == calls
    for call in calls:
        if call.startswith("make "):
            assert re.search(rf"^{call.split()[1]}:", MAKEFILE, re.MULTILINE), call


def test_the_examples_workflow_installs_both_commands(runner: Runner) -> None:
    """Its other steps run on the local AWS: tests/e2e/test_pipeline.py."""
    example = yaml.safe_load((ROOT / "examples" / "pipeline" / "verdict.yml").read_text())
    steps = [step for job in example["jobs"].values() for step in job["steps"]]
    (shell,) = {step["run"] for step in steps if step.get("name") == "Install"}
    assert runner.run(shell) == 0
    assert runner.called() == [
        "npm install --global aws-cdk",
        "python3 -m venv .venv",
        "pip install -r requirements.txt cdk-stop-inference-experiment[cli]",
    ]
    assert runner.path.read_text() == f"{runner.folder}/.venv/bin\n"


def test_every_job_with_a_shell_step_is_run_above() -> None:
    (mark,) = test_the_steps_of_a_job_run_and_call.pytestmark  # type: ignore[attr-defined]
    assert {job for job, _ in RUNS} == {job for job, _ in mark.args[1]}


@pytest.mark.parametrize("job", ["ci/coverage", "scheduled/explore", "scheduled/mutants"])
def test_what_is_piped_fails_the_job_and_is_published_all_the_same(
    job: str, runner: Runner
) -> None:
    runner.fail("make")
    assert [runner.run(shell) for shell in _shells(job)] == [1, 0]
    assert runner.summary.read_text() == "```text\nsays make\n```\n"
    publishing = [step for place, step in RUNS if place == job][1]
    assert publishing["if"] == "always()"


def test_every_action_is_pinned_by_commit_with_one_version() -> None:
    lines = [
        line.strip().removeprefix("- ")
        for path in FOLDER.glob("*.yml")
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert len(lines) == len(USES)
    pinned = [re.fullmatch(r"uses: (\S+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in lines]
    assert all(pinned), lines
    assert len(set(lines)) == len({found[1] for found in pinned if found}), lines


def test_no_checkout_keeps_its_credentials() -> None:
    checkouts = [step for _, step in USES if step["uses"].startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_only_jobs_that_run_nothing_of_the_repository_may_write_or_have_an_identity() -> None:
    rights: dict[str, dict[str, str]] = {}
    for workflow, content in WORKFLOWS.items():
        assert content["permissions"] == {}, workflow
        for job, body in content["jobs"].items():
            granted = body["permissions"]
            if granted != {"contents": "read"}:
                assert not [
                    step for step in body["steps"] if "actions/checkout@" in step.get("uses", "")
                ], job
                rights[f"{workflow}/{job}"] = granted
    assert rights == {
        "release/attest": {"id-token": "write", "attestations": "write"},
        "release/publish": {"id-token": "write"},
        "release/notes": {"contents": "write"},
        "release/docs": {"pages": "write", "id-token": "write"},
    }
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["publish"]["environment"] == "pypi"
    assert jobs["docs"]["environment"]["name"] == "github-pages"


def test_what_is_published_was_built_once_and_attested_first() -> None:
    jobs = WORKFLOWS["release"]["jobs"]
    needs = {job: body.get("needs") for job, body in jobs.items()}
    assert needs == {
        "build": None,
        "attest": "build",
        "publish": "attest",
        "notes": "publish",
        "docs": "publish",
    }
    assert sum("make" in step["run"] for place, step in RUNS if place.startswith("release/")) == 1


def test_continuous_integration_runs_on_every_node_and_python() -> None:
    jobs = WORKFLOWS["ci"]["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["node"] == ["20", "22", "24"]
    assert "on Node.js 20, 22 and 24" in CONTRIBUTING
    (pythons,) = re.findall(r"^PYTHONS := (.*)$", MAKEFILE, re.MULTILINE)
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == pythons.split()


def test_contributing_names_what_runs_for_each_change_and_each_week() -> None:
    for workflow in ("ci", "scheduled"):
        file = f"`.github/workflows/{workflow}.yml`"
        (paragraph,) = (one for one in CONTRIBUTING.split("\n\n") if file in one)
        called = {
            shell
            for place, step in RUNS
            if place.startswith(workflow)
            for shell in re.findall(r"make [a-z-]+|\.ci/run", step["run"])
        }
        told = set(re.findall(r"`(make [a-z-]+|\.ci/run)`", paragraph))
        assert called - {"make test-python"} <= told, workflow


def test_contributing_names_what_the_release_workflow_does() -> None:
    section = CONTRIBUTING.partition("### Releases")[2].partition("\n## ")[0]
    jobs = WORKFLOWS["release"]["jobs"]
    table = re.findall(r"^\| `([a-z]+)` \| ([^|]*) \| ([^|]*) \|$", section, re.MULTILINE)
    assert [job for job, _, _ in table] == list(jobs)
    for job, does, may in table:
        names = [one for one, access in jobs[job]["permissions"].items() if access == "write"]
        assert re.findall(r"`([a-z-]+)`", may) == names, job
        for target in re.findall(r"`(make [a-z-]+)", does):
            assert any(shell.startswith(target) for shell in _shells(f"release/{job}")), target
    called = re.findall(r"make ([a-z-]+)", " ".join(_shells("release/build")))
    assert all(f"`make {target}" in section for target in called)


def test_dependabot_waits_a_week_and_knows_every_folder() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert [one["package-ecosystem"] for one in updates] == ["pip", "npm", "github-actions"]
    assert all(one["cooldown"] == {"default-days": 7} for one in updates)
    pip, npm = (set(one["directories"]) for one in updates[:2])
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folders = {
        kind: {f"/{Path(name).parent}".rstrip(".") for name in tracked if Path(name).match(kind)}
        for kind in ("requirements*.txt", "package.json")
    }
    assert pip == folders["requirements*.txt"] - {"/tests"}
    assert npm == folders["package.json"]
