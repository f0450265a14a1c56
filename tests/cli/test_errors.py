"""What AWS answers to somebody who may not read, or whom it does not know."""

from __future__ import annotations

import io
import json
import sys
import time
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
from cdk_stop_inference_experiment.cli.arguments import stack_name
from cdk_stop_inference_experiment.cli.operations import Place, deployed_properties
from cdk_stop_inference_experiment.cli.reading import Reader
from cdk_stop_inference_experiment.cli.templates import definitions, parse_template
from cdk_stop_inference_experiment_handler.lifecycle.situation import Events, Experiment
from tests.unit.situations import RESOURCE, STACK

from .account import Account, change_set, modified
from .past import created, ours

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


def session() -> boto3.Session:
    """A session that asks nobody for credentials."""
    return boto3.Session("AKIA", "secret", region_name="eu-west-1")


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
    assert "(region eu-west-1, account not known, profile default): sign in again" in said


def test_forty_experiments_are_described_however_often_sagemaker_throttles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is described once, except for the SDK's retries."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    reader = Reader(session())
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
    assert [one.name for one in found if isinstance(one, Experiment)] == names
    assert set(sent.values()) == {8}


def answered(status: int, members: dict[str, str]) -> AWSResponse:
    headers: Any = {"content-type": "application/x-amz-json-1.1"}
    body = json.dumps(members).encode()
    return AWSResponse("https://sagemaker", status, headers, Raw(body))


class Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--region", "eu-west-1"), "Unable to locate credentials"),
        ((), "You must specify a region"),
        (("--profile", "missing"), "The config profile (missing) could not be found"),
    ],
)
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_what_is_missing_in_the_configuration_is_one_line(
    failing: Run, arguments: tuple[str, ...], more: tuple[str, ...], why: str
) -> None:
    assert why in failing(*arguments, *more)


def refusing(monkeypatch: pytest.MonkeyPatch, **errors: str) -> None:
    """Let operations fail with a code; the others show a stack with our resource."""

    def call(_client: BaseClient, operation: str, _request: object) -> dict[str, Any]:
        if code := errors.get(operation):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        stack = {"StackId": STACK, "StackName": "shadow", "StackStatus": "CREATE_COMPLETE"}
        resource = {
            "LogicalResourceId": RESOURCE,
            "PhysicalResourceId": "arn:aws:sagemaker:::inference-experiment/fraud-shadow",
            "ResourceType": "Custom::StopInferenceExperiment",
            "ResourceStatus": "CREATE_COMPLETE",
        }
        answers: dict[str, dict[str, Any]] = {
            "DescribeStacks": {"Stacks": [stack]},
            "ListStackResources": {"StackResourceSummaries": [resource]},
            "GetTemplate": {"TemplateBody": "Description: no resources"},
            "DescribeInferenceExperiment": {"Name": "fraud-shadow", "Arn": "", "Status": "Running"},
            "GetCallerIdentity": {"Account": "123456789012"},
        }
        return answers.get(operation, {})

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_events_that_cannot_be_read_make_the_effect_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    """The template has no section of resources, and no resource a time of its last update."""
    refusing(monkeypatch, DescribeStackEvents=code)
    assert main(["plan", "shadow", "--destroy", "--json", "--fail-on", "stop"]) == 2
    (verdict,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert (verdict["effect"], verdict["status"]) == ("unknown", "Running")
    assert main(["status", "shadow"]) == 0
    assert "is not known" in " ".join(capsys.readouterr().out.split())


def test_a_denied_call_says_where_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, failing: Run
) -> None:
    refusing(monkeypatch, ListStackResources="AccessDenied")
    said = failing("plan", "shadow", "--destroy")
    assert "ListStackResources: AccessDenied: no (region eu-west-1, " in said
    assert said.endswith("lists the permissions that it needs\n")


def test_a_credential_process_that_is_missing_is_one_line(failing: Run, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\ncredential_process = missing-program\n")
    said = failing("status", "shadow", "--region", "eu-west-1")
    assert "missing-program" in said
    assert "check 'credential_process' in the AWS configuration" in said


def test_an_endpoint_that_cannot_be_reached_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, failing: Run
) -> None:
    """One attempt, within the time that a connection may take."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:9")
    begun = time.monotonic()
    said = failing("plan", "shadow", "--destroy", "--region", "eu-west-1")
    assert time.monotonic() < begun + 10
    assert "Could not connect to the endpoint" in said
    assert said.endswith("check the network, the proxy and the region\n")


def test_a_character_that_the_terminal_lacks_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing(monkeypatch, DescribeStacks="\u2603")
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="cp1252")
    monkeypatch.setattr(sys, "stderr", out)
    assert main(["plan", "shadow", "--destroy"]) == 1
    out.flush()
    assert b"DescribeStacks: ?: no" in written.getvalue()


def test_an_error_in_one_stack_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing(monkeypatch, DescribeStackEvents="AccessDenied")
    call: Any = vars(BaseClient)["_make_api_call"]

    def with_one(client: BaseClient, operation: str, request: Any) -> Any:
        if request.get("StackName") == "missing":
            message = "Stack with id missing does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)
        return call(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", with_one)
    assert main(["status", "missing", "shadow", "--json"]) == 1
    missing, found = json.loads(capsys.readouterr().out)
    assert "does not exist" in missing["error"]
    assert [one["experiment"] for one in found["resources"]] == ["fraud-shadow"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("plan", "shadow"),
        ("plan", "shadow", "--destroy", "--fail-on", "everything"),
        ("plan", "shadow", "--destroy", "--json", "--format", "markdown"),
        ("status", "shadow", "--fail-on", "ends-within=soon"),
    ],
)
def test_a_wrong_argument_exits_with_64(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 64
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("FraudShadowTest", "FraudShadowTest"),
        ("Prod/FraudShadowTest", "Prod-FraudShadowTest"),
        ("Prod/FraudShadowTest (fraud-prod)", "fraud-prod"),
        (STACK, STACK),
    ],
)
def test_the_path_that_cdk_ls_shows_is_understood(given: str, name: str) -> None:
    assert stack_name(given) == name


YAML = """
Resources:
  Stop:
    Type: Custom::StopInferenceExperiment
    DeletionPolicy: Retain
    Properties:
      ServiceToken: !GetAtt Handler.Arn
      Name: !Ref Name
      EndNow: true
      Reason: !Sub "of ${AWS::StackName}"
      ModelVariantActions: {production: Retain, shadow: Remove}
"""


def test_a_template_in_yaml_is_read() -> None:
    stop = definitions(parse_template(YAML))["Stop"]
    assert stop["DeletionPolicy"] == "Retain"
    assert stop["Properties"]["ServiceToken"] == {"Fn::GetAtt": ["Handler", "Arn"]}
    assert stop["Properties"]["Name"] == {"Ref": "Name"}
    assert stop["Properties"]["EndNow"] == "true"
    assert definitions(parse_template("Resources:")) == {}
    with pytest.raises(ValueError, match="neither JSON nor YAML"):
        parse_template("a: [")


def test_older_events_are_read_only_until_they_tell_what_is_deployed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = Reader(session())
    newest_first = tuple(reversed(created()))
    pages = {"": (newest_first[:1], "next"), "next": (newest_first[1:], "more")}
    read: list[str] = []

    def event_page(_stack_id: str, token: str = "") -> Any:
        read.append(token)
        return pages[token]

    monkeypatch.setattr(reader.aws, "event_page", event_page)
    assert deployed_properties(reader, Place(STACK, RESOURCE)) == ours()
    assert read == ["", "next"]
    assert isinstance(reader.events(STACK), Events)


def test_without_a_change_it_exits_with_0_or_if_asked_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account = Account()
    reason = "The submitted information didn't contain changes."
    account.change_sets["verdict"] = change_set(
        status="FAILED", execution_status="UNAVAILABLE", reason=reason
    )
    made = "cdk_stop_inference_experiment.cli.command.Reader"
    monkeypatch.setattr(made, lambda _session: account)
    plan = ["plan", "shadow", "--change-set", "verdict", "--region", "eu-west-1"]
    assert main([*plan, "--json", "--fail-on", "stop"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] is False
    assert main([*plan, "--fail-on", "no-change"]) == 3
    account.change_sets["verdict"] = change_set(modified(after=ours(EndNow="true")))
    assert main([*plan, "--fail-on", "no-change"]) == 0
    assert main([*plan, "--fail-on", "stop"]) == 2
