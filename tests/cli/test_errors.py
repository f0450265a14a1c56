"""What AWS answers to somebody who may not read, or whom it does not know."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cdk_stop_inference_experiment.cli import main
from cdk_stop_inference_experiment.cli.reading import Reader

ARGUMENTS = (
    ("status", "FraudShadowTest"),
    ("plan", "FraudShadowTest", "--destroy"),
    ("plan", "FraudShadowTest", "--change-set", "verdict"),
)
Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the user's configuration nor the machine's metadata is read."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command, and return the one line that it says with exit status 1."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        return said.err

    return run


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_credentials_that_expired_are_one_line(
    monkeypatch: pytest.MonkeyPatch, failing: Run, arguments: tuple[str, ...], code: str
) -> None:
    def refuse(_client: BaseClient, operation: str, _request: object) -> None:
        message = "The security token included in the request is expired"
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    said = failing(*arguments, "--region", "eu-west-1")
    assert f": {code}: The security token included in the request is expired" in said


def test_forty_experiments_are_described_however_often_sagemaker_throttles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is described once, except for the SDK's retries."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    session = boto3.Session("AKIA", "secret", region_name="eu-west-1")
    reader = Reader(session)
    client = reader.aws._sagemaker
    sent = Counter[str]()

    def answer(request: AWSRequest, **_: object) -> AWSResponse:
        name = json.loads(request.body)["Name"]
        sent[name] += 1
        if sent[name] < 8:
            return answered(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
        return answered(200, {"Name": name, "Arn": f"arn/{name}", "Status": "Running"})

    client.meta.events.register("before-send.sagemaker", answer)
    names = [f"test-{number}" for number in range(40)]
    reader.describe_all(names)
    found = [reader.experiment(name) for name in names]
    assert [one and one.name for one in found] == names
    assert set(sent.values()) == {8}


def answered(status: int, members: dict[str, str]) -> AWSResponse:
    headers: Any = {"content-type": "application/x-amz-json-1.1"}
    body = json.dumps(members).encode()
    return AWSResponse("https://sagemaker", status, headers, Raw(body))


class Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_no_credentials_are_one_line(failing: Run, arguments: tuple[str, ...]) -> None:
    assert "Unable to locate credentials" in failing(*arguments, "--region", "eu-west-1")


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_no_region_is_one_line(failing: Run, arguments: tuple[str, ...]) -> None:
    assert "You must specify a region" in failing(*arguments)


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_an_unknown_profile_is_one_line(failing: Run, arguments: tuple[str, ...]) -> None:
    said = failing(*arguments, "--profile", "missing")
    assert "The config profile (missing) could not be found" in said
