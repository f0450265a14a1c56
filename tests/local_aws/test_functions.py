"""Functions really run, through AWS's runtime interface client, with what Lambda gives them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.waiting import eventually

from local_aws import LocalAws
from local_aws.environment import python_of

from . import stacks
from .conftest import FunctionMaker
from .functions import TRUST

ROOT = Path(__file__).parents[2]

REPORT = """
import os, sys
def handler(event, context):
    print("printed", event["word"])
    return {
        "environment": dict(os.environ),
        "runtime_client": "awslambdaric" in sys.modules,
        "path": sys.path,
        "remaining": context.get_remaining_time_in_millis(),
        "log_group": context.log_group_name,
        "function": context.function_name,
    }
"""
# What Lambda gives, what the local AWS adds, and what the shell and Python set by themselves.
EXPECTED_NAMES = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_RUNTIME_API"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"),
    *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE"),
    *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("LAMBDA_TASK_ROOT", "_HANDLER", "LANG", "PATH", "TZ"),
    *("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "SSL_CERT_FILE"),
    *("PWD", "LC_CTYPE", "SHLVL", "_", "OLDPWD"),
}


def invoke(aws: LocalAws, **event: object) -> tuple[Any, str | None]:
    """Return a function's answer and the kind of its error."""
    answer = aws.client("lambda").invoke(FunctionName="function", Payload=json.dumps(event))
    return json.load(answer["Payload"]), answer.get("FunctionError")


def logged(aws: LocalAws, group: str) -> list[str]:
    """Return everything in a log group."""
    events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


def groups(aws: LocalAws) -> list[str]:
    """Return the names of the log groups."""
    found = aws.client("logs").describe_log_groups()["logGroups"]
    return [group["logGroupName"] for group in found]


def test_runs_in_the_runtime_client_with_lambdas_environment_only(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    make_function(REPORT, Timeout=20, Environment={"Variables": {"MINE": "yes"}})
    report, error = invoke(aws, word="hello")
    assert error is None
    environment = report["environment"]
    assert report["runtime_client"]
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert environment.pop("MINE") == "yes"
    assert set(environment) <= EXPECTED_NAMES
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not any(path.endswith("/main") for path in report["path"])
    assert 15_000 < report["remaining"] <= 20_000


def test_logs_what_it_prints_into_the_functions_log_group(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    make_function(REPORT, Timeout=20, LoggingConfig={"LogGroup": "/of/its/own"})
    report, _ = invoke(aws, word="hello")
    assert report["log_group"] == "/of/its/own"
    assert "printed hello" in logged(aws, "/of/its/own")
    assert groups(aws) == ["/of/its/own"]


def test_a_log_group_that_is_deleted_while_a_function_logs_stays_deleted() -> None:
    program = """
from ministack.services import cloudwatch_logs, lambda_svc
from local_aws.emulator import lambda_logs

def permissions(*_):
    def allowed(action, arn):
        cloudwatch_logs._log_groups.pop("/mine", None)  # as another thread would
        return action != "logs:CreateLogGroup"
    return allowed

lambda_logs.permissions = permissions
lambda_logs.install()
cloudwatch_logs._log_groups["/mine"] = {"streams": {}}
arn = "arn:aws:lambda:us-east-1:000000000000:function:mine"
function = {"FunctionName": "mine", "FunctionArn": arn, "LoggingConfig": {"LogGroup": "/mine"}}
lambda_svc._emit_lambda_logs(function, "request", "a line", False, 1)
print(list(cloudwatch_logs._log_groups))
"""
    ran = subprocess.run(
        [str(python_of("emulator")), "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_makes_no_log_group_that_its_role_may_not_make(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    statements = [{"Effect": "Allow", "Action": write, "Resource": "*"}]
    make_function(REPORT, statements=statements)
    invoke(aws, word="unheard")
    assert groups(aws) == []
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/function")
    invoke(aws, word="heard")
    assert "printed heard" in logged(aws, "/aws/lambda/function")


LINGERS = """
import json, time, urllib.request
def handler(event, context):
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": "made",
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
    time.sleep(2)
    print("after the answer to", event["RequestType"])
"""


def test_the_log_of_the_last_delete_outlives_the_role_that_is_deleted_after_it(
    aws: LocalAws,
) -> None:
    aws.client("logs").create_log_group(logGroupName="/kept")
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    statement = {"Effect": "Allow", "Action": write, "Resource": "*"}
    role = {
        "AssumeRolePolicyDocument": TRUST,
        "Policies": [{"PolicyName": "log", "PolicyDocument": {"Statement": [statement]}}],
    }
    function = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Timeout": 20,
        "Code": {"ZipFile": LINGERS},
        "LoggingConfig": {"LogGroup": "/kept"},
    }
    tried = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}
    body = stacks.template(
        Role={"Type": "AWS::IAM::Role", "Properties": role},
        Function={"Type": "AWS::Lambda::Function", "Properties": function},
        Tried={"Type": "Custom::Tried", "Properties": tried},
    )
    assert stacks.create(aws, body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=stacks.STACK)
    assert stacks.settled(aws) == "DELETE_COMPLETE"
    assert aws.client("iam").list_roles()["Roles"] == []
    assert eventually(lambda: "after the answer to Delete" in logged(aws, "/kept"))


def test_is_ended_at_its_timeout(aws: LocalAws, make_function: FunctionMaker) -> None:
    make_function("import time\ndef handler(event, context): time.sleep(30)", Timeout=1)
    answer, error = invoke(aws)
    assert error == "Unhandled"
    assert answer["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_calls_aws_with_its_roles_permissions_over_verified_tls(
    aws: LocalAws, make_function: FunctionMaker
) -> None:
    source = """
import boto3
def handler(event, context):
    sagemaker = boto3.client("sagemaker")
    sagemaker.list_inference_experiments()
    try:
        sagemaker.describe_inference_experiment(Name="another")
    except Exception as error:
        return str(error)
"""
    allowed = ["sagemaker:ListInferenceExperiments"]
    statements = [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]
    make_function(source, statements=statements, Timeout=20)
    answer, error = invoke(aws)
    assert error is None
    assert "assumed-role/function/function is not authorized" in answer
