"""The page of what is tested, against pinned versions, botocore, and the tests that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint
import yaml

from local_aws.environment import REGION

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "compatibility.md"
WAYS = ROOT / "docs" / "guide" / "other-deployments.md"


def _rows(heading: str) -> Iterator[list[str]]:
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    yield from (re.split(r" \| ?", row) for row in table[2:])


def _ways() -> Iterator[list[str]]:
    tables = re.findall(
        r"^\| way \|.*\n\| --- .*\n((?:\| .* \|\n)+)", WAYS.read_text(), re.MULTILINE
    )
    for row in "".join(tables).splitlines():
        yield row.strip("| ").split(" | ")


def _pinned(file: str, package: str) -> str:
    (found,) = re.findall(rf"^{package}==(\S+)$", (ROOT / file).read_text(), re.MULTILINE)
    return str(found)


def test_each_row_is_tested_or_not() -> None:
    rows = [*_rows("Regions"), *_rows("Versions")]
    states = [row[2] for row in [*rows, *_ways()]]
    assert {re.split("[:;,]", state)[0] for state in states} == {"tested", "not tested"}


def test_the_regions_are_those_in_which_botocore_has_sagemaker() -> None:
    session = botocore.session.Session()
    known = {
        (partition, region)
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sagemaker", partition)
    }
    rows = list(_rows("Regions"))
    told = {
        (row[0].strip("`"), region) for row in rows for region in re.findall(r"`(.*?)`", row[1])
    }
    assert told == known
    assert [row[1] for row in rows if row[2] == "tested"] == [f"`{REGION}`"]


def _pythons(job: dict[str, Any]) -> list[str]:
    """The Python that a job sets up."""
    inputs = [step.get("with", {}) for step in job["steps"]]
    return [one["python-version"] for one in inputs if "python-version" in one]


def test_the_versions_that_are_tested_are_the_pinned_ones() -> None:
    cli = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["test"]
    assert {(row[0], row[1]) for row in _rows("Versions") if row[2] == "tested"} == {
        ("aws-cdk-lib", _pinned("requirements.txt", "aws-cdk-lib")),
        ("CDK CLI", cli),
        ("boto3 in the function", _pinned("local_aws/requirements-lambda.txt", "boto3")),
        ("Node.js", ", ".join(job["strategy"]["matrix"]["node"])),
        ("Python of the app", *_pythons(job)),
    }
    oldest = [row[:2] for row in _rows("Versions") if "the oldest supported" in row[1]]
    packages = {"aws-cdk-lib": "aws-cdk-lib", "boto3 in the function": "boto3"}
    for what, told in oldest:
        pinned = _pinned("tests/requirements-oldest.txt", packages[what])
        assert told == f"{pinned}, the oldest supported"


def test_what_is_tested_names_a_test_with_the_options() -> None:
    for way, _, tests in _ways():
        files = re.findall(r"\]\((.*?)\)", tests)
        assert bool(files) is tests.startswith("tested"), way
        text = "".join((WAYS.parent / file).read_text() for file in files)
        for option in re.findall(r"--[\w-]+(?:=[\w-]+)?", way) if files else ():
            assert option in text, (way, option)


def test_the_regions_of_the_native_resource_are_those_of_cfn_lint() -> None:
    page = (ROOT / "docs" / "concepts" / "native-resource.md").read_text()
    schemas = Path(cfnlint.__file__).parent / "data" / "schemas" / "providers"
    known = {
        file.stem
        for file in schemas.glob("*.json")
        if "AWS::SageMaker::InferenceExperiment" in json.loads(file.read_text())
    }
    rows = re.findall(r"^\| `aws.*? \| (.*) \|$", page, re.MULTILINE)
    assert {region for row in rows for region in re.findall("`(.*?)`", row)} == known
    assert f"cfn-lint {_pinned('requirements.txt', 'cfn-lint')} " in page
