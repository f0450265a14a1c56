"""What `make release-check` does with what is in ``dist/``: all but attest, publish and deploy.

It checks that version, changelog, record and tag are of one release, installs the wheel into an
empty environment, uses it there, and writes into ``build/release`` what is published beside it:
the SBOM and the notes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomllib  # type: ignore[import-not-found] # of Python 3.11, which `make` needs
from hatch_build import for_a_registry

from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli
from local_aws.shadow_test import create_shadow_test

ROOT = Path(__file__).parents[1]
DIST, MADE = ROOT / "dist", ROOT / "build" / "release"
EXAMPLE = ROOT / "examples" / "quickstart" / "app.py"
STACK, EXPERIMENT = "FraudShadowTest", "fraud-shadow"


def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    """The changelog by version: the date, and what changed."""
    found = re.findall(
        r"^## \[([^\]]+)\] - (\S+)\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return {version: (date, body.strip()) for version, date, body in found}


def problems(version: str, changelog: str, tag: str = "") -> Iterator[str]:
    """Why version, changelog, record and tag are not of one release.

    Args:
        version: The version in pyproject.toml.
        changelog: The text of CHANGELOG.md.
        tag: The tag of the release; empty before there is one.
    """
    newest = next(iter(sections(changelog).items()), ("", ("", "")))
    date = newest[1][0]
    if newest[0] != version:
        yield f"CHANGELOG.md begins with '{newest[0]}', but pyproject.toml has '{version}'"
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", date) and (tag or date != "unreleased"):
        yield f"CHANGELOG.md has no date for {version}, but '{date}'"
    if tag and tag != f"v{version}":
        yield f"the tag is '{tag}', but pyproject.toml has '{version}'"
    if not (ROOT / "tests" / "compatibility" / version / "resources.json").exists():
        yield f"{version} is not recorded: run 'python -m tests.compatibility.recorded'"


def built() -> list[Path]:
    """The wheel and the sdist."""
    return sorted([*DIST.glob("*.whl"), *DIST.glob("*.tar.gz")])


def notes(wheel: Path, changelog: str) -> str:
    """The notes: the version's section of the changelog, and how to check what was published."""
    table = project()
    _, body = sections(changelog)[table["version"]]
    status = next(one for one in table["classifiers"] if one.startswith("Development Status"))
    stage = status.rpartition(" - ")[2].lower()
    # GitHub Actions sets it. The command needs to know whose attestation counts.
    repository = os.environ.get("GITHUB_REPOSITORY", "OWNER/REPOSITORY")
    return for_a_registry(
        f"{body}\n\nThis is {stage} software: it has not been run on a real AWS account yet.\n\n"
        f"`gh attestation verify {wheel.name} --repo {repository}` says from which commit it was "
        f"built, and by which workflow.\n",
        table,
    )


def main(tag: str = "") -> None:
    """Check the release, and make what goes with it."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if found := list(problems(project()["version"], changelog, tag)):
        sys.exit("\n".join(f"error: {one}" for one in found))
    wheel = next(one for one in built() if one.suffix == ".whl")
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir(parents=True)
    python = _installed(wheel)
    print(f"{wheel.name} is installed in an empty environment")
    _deployed_and_planned(python)
    print(
        "it synthesises the quick start, which was deployed, planned and destroyed on the local AWS"
    )
    _write_sbom(python)
    (MADE / "notes.md").write_text(notes(wheel, changelog))
    shutil.rmtree(MADE / "venv")
    made = ", ".join(sorted(one.name for one in MADE.iterdir()))
    print(f"beside it, in {MADE.relative_to(ROOT)}: {made}")


def _run(*command: object, environment: Mapping[str, str], cwd: Path | None = None) -> str:
    """Run a program.

    Raises:
        SystemExit: It failed.
    """
    arguments = [str(one) for one in command]
    ran = subprocess.run(
        arguments, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        sys.exit(f"error: {' '.join(arguments)}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def _installed(wheel: Path) -> Path:
    """The Python of an environment that holds the wheel, what it needs, and nothing else.

    It runs beside what is published, so what it needs is what requirements.lock names, by hash. The
    wheel is found by its name, so that the SBOM holds no path of this machine.
    """
    folder, wheels = MADE / "venv", MADE / "wheels"
    lock = ROOT / "requirements.lock"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--quiet")
    locked = ("--require-hashes", "--only-binary=:all:", "--requirement", lock)
    _run(*pip, "download", *locked, "--dest", wheels, environment=os.environ)
    shutil.copy(wheel, wheels)
    offline = ("--no-compile", "--no-index", "--find-links", wheels, f"{project()['name']}[cli]")
    _run(*pip, "--python", python, "install", *offline, environment=os.environ)
    shutil.rmtree(wheels)
    return python


def _deployed_and_planned(python: Path) -> None:
    """Synthesise the quick start with the wheel, deploy it, plan its deletion, and delete it."""
    command = python.with_name("stop-inference-experiment")
    elsewhere, output = MADE / "app", MADE / "app" / "cdk.out"
    elsewhere.mkdir()
    clean = {name: one for name, one in os.environ.items() if name != "PYTHONPATH"}
    version = _run(command, "--version", environment=clean, cwd=elsewhere)
    if project()["version"] not in version:
        sys.exit(f"error: the wheel's command says that it is {version}")
    _run(command, "--help", environment=clean, cwd=elsewhere)
    shutil.copy(EXAMPLE, elsewhere)
    _run(python, "app.py", environment={**clean, "CDK_OUTDIR": str(output)}, cwd=elsewhere)
    with LocalAws() as aws:
        create_shadow_test(aws.client("sagemaker"), EXPERIMENT)
        cdk = CdkCli(aws, app=output, output=output)
        cdk.bootstrap()
        cdk.deploy()
        plan = _run(
            *(command, "plan", STACK, "--destroy", "--json"),
            environment=aws.environment(clean),
            cwd=elsewhere,
        )
        if [verdict["stop"] for verdict in json.loads(plan)["verdicts"]] != ["will"]:
            sys.exit(f"error: the wheel's plan does not say that a stop follows:\n{plan}")
        cdk.destroy()
        if len(aws.calls("StopInferenceExperiment")) != 1:
            sys.exit("error: the deletion did not stop the experiment once")
    shutil.rmtree(elsewhere)


def _write_sbom(python: Path) -> None:
    """Write the SBOM: the wheel, and the releases of what it needs with which it was tested."""
    tool = ROOT / ".venv-release" / "bin" / "cyclonedx-py"
    options = (
        "--mc-type",
        "library",
        "--output-reproducible",
        "--output-file",
        MADE / "sbom.cdx.json",
    )
    _run(
        tool,
        "environment",
        "--pyproject",
        ROOT / "pyproject.toml",
        *options,
        python,
        environment=os.environ,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
