"""``make mutants``: which changes of the pure parts do the tests not notice?

mutmut makes every mutant of a module at once, behind a switch, and runs the tests that reach its
function, each mutant in a fork of one process. Two things are in its way, so it works on a copy in
build/mutants: it takes a module's name from its path, and the source roots ``constructs`` and
``lambda`` cannot be part of that name; and it leaves decorated functions out, so the copy's
properties call a plain method.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "mutants"
HANDLER, CONSTRUCT = "cdk_stop_inference_experiment_handler", "cdk_stop_inference_experiment"

PARTS = {
    "handler": (f"{HANDLER}/lifecycle/*.py", f"{HANDLER}/contract/[drw]*.py"),
    "checks": (
        f"{HANDLER}/contract/validation.py",
        *(
            f"{CONSTRUCT}/{name}.py"
            for name in (
                "checks",
                "experiment",
                "final_checks",
                "provider_checks",
                "template/final_checks",
                "tokens",
            )
        ),
    ),
}
"""What is mutated, in two runs: the tests of the construct's checks wait for jsii.

The validation that synth and the function share is tested in the words of both.
"""

TESTS = {
    "handler": ("tests/unit",),
    "checks": (
        "tests/unit/test_limits.py",
        "tests/unit/test_declaration.py",
        "tests/unit/test_evidence_declared.py",
        "tests/unit/test_synth_and_handler_agree.py",
        "tests/unit/test_validation.py",
        "tests/template/test_conventions.py",
        "tests/template/test_evidence.py",
        "tests/template/test_execution_role.py",
        "tests/template/test_final_checks.py",
        "tests/template/test_known_experiment.py",
        "tests/template/test_lookups.py",
        "tests/template/test_outcome.py",
        "tests/template/test_provider_props.py",
        "tests/template/test_provider_refusals.py",
        "tests/template/test_resource.py",
        "tests/template/test_validation.py",
        "tests/template/test_warnings.py",
    ),
}

SAMPLE = {"handler": 300, "checks": 100}
"""How many mutants of a part are run, chosen at random but always the same ones."""

COPIED = ("tests", "loopback", "local_aws", "docs")
"""What the tests import or read. They find the mutants in place of an installation."""

UNFIT = ("tests/unit/test_words.py::test_every_sentence_is_looked_up_above",)
"""Looks at a module's functions, which the mutants are, too."""

PROPERTY = re.compile(r"( +)@property\n +def (\w+)\(self\)")
AS_METHOD = r"\1\2 = property(lambda self: self.read_\2())\n\n\1def read_\2(self)"

NO_MUTANT = "no mutant"

STATUSES = {None: "not run", 0: "survived", 1: "killed", 3: "killed", 33: "no test"}
"""By pytest's exit code, and mutmut's own; any other one is an endless loop or a crash."""

CONFIGURATION = """\
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "-p", "no:cacheprovider"]
pythonpath = ["."]
markers = ["newest: as in the project's own configuration", "slow: likewise"]

[tool.mutmut]
source_paths = {sources}
only_mutate = {mutated}
also_copy = {copied}
pytest_add_cli_args = {unfit}
pytest_add_cli_args_test_selection = {tests}
use_setproctitle = false
# A mutant that loops for ever is ended after half a minute, or more if its tests take longer.
timeout_constant = 15.0
timeout_multiplier = 2.0
"""


def main() -> None:
    """Mutate one part or both, and print the score and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="default: one after the other")
    parser.add_argument("--all", action="store_true", help="run all of them, for an hour or more")
    parser.add_argument("mutants", nargs="*", help="their names, with wildcards; default: a sample")
    arguments = parser.parse_args()
    for part in [arguments.part] if arguments.part else PARTS:
        names = arguments.mutants
        copy(part)
        if not arguments.all and not names:
            # No name is like this, so nothing runs, but the mutants are made.
            run(part, [NO_MUTANT])
            names = random.Random(1).sample(sorted(results(part)), SAMPLE[part])
        run(part, names)
        tell(part)


def copy(part: str) -> None:
    """Make the copy of the project that is mutated."""
    folder = COPY / part
    shutil.rmtree(folder, ignore_errors=True)
    clean = shutil.ignore_patterns("__pycache__")
    for source in (ROOT / "lambda" / HANDLER, ROOT / "constructs" / CONSTRUCT):
        shutil.copytree(source, folder / source.name, ignore=clean)
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=clean)
    for pattern in PARTS[part]:
        for module in folder.glob(pattern):
            module.write_text(PROPERTY.sub(AS_METHOD, module.read_text("utf-8")), "utf-8")
    configuration = CONFIGURATION.format(
        sources=json.dumps([HANDLER, CONSTRUCT]),
        mutated=json.dumps(PARTS[part]),
        copied=json.dumps(COPIED),
        unfit=json.dumps([f"--deselect={name}" for name in UNFIT]),
        tests=json.dumps(TESTS[part]),
    )
    (folder / "pyproject.toml").write_text(configuration, "utf-8")


def run(part: str, names: list[str]) -> None:
    """Run mutants, one at a time; all of them without names."""
    mutmut = Path(sys.executable).with_name("mutmut")
    log = COPY / part / "mutmut.log"
    with log.open("w") as output:
        command = [str(mutmut), "run", "--max-children", "1", *names]
        done = subprocess.run(command, cwd=COPY / part, stdout=output, stderr=output, check=False)
    if not results(part) or (done.returncode and names != [NO_MUTANT]):
        sys.exit(f"mutmut failed: see {log}")


def results(part: str) -> dict[str, str]:
    """What became of each mutant, by its name."""
    found: dict[str, str] = {}
    for file in (COPY / part / "mutants").rglob("*.meta"):
        codes = json.loads(file.read_text("utf-8"))["exit_code_by_key"]
        found |= {name: STATUSES.get(code, "killed otherwise") for name, code in codes.items()}
    return found


def tell(part: str) -> None:
    """Print a line for each module, and write what survived to a file."""
    found = results(part)
    modules: dict[str, Counter[str]] = {}
    for name, status in found.items():
        modules.setdefault(name.rpartition(".")[0], Counter())[status] += 1
    for module, counts in sorted(modules.items()):
        print(f"{module}: {', '.join(f'{n} {status}' for status, n in sorted(counts.items()))}")
    missed = [name for name, status in found.items() if status in ("survived", "no test")]
    tried = sum(status != "not run" for status in found.values())
    print(f"{part}: {tried - len(missed)} of {tried} killed, of {len(found)} mutants")
    survivors = COPY / part / "survivors.diff"
    mutmut = Path(sys.executable).with_name("mutmut")
    with survivors.open("w") as output:
        for name in sorted(missed):
            subprocess.run([mutmut, "show", name], cwd=COPY / part, stdout=output, check=True)
    print(f"survivors: {survivors.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
