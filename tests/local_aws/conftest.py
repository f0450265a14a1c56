"""One local AWS for all tests of this folder, emptied before each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws import LocalAws

from .helpers import package

Json = dict[str, Any]
FunctionMaker = Callable[..., str]

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_MAY_LOG = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}


@pytest.fixture(scope="session")
def running_aws() -> Iterator[LocalAws]:
    """A local AWS on a fast clock, for the whole session."""
    with LocalAws(start_seconds=0.1, stop_seconds=0.5, minute_seconds=1.0) as aws:
        yield aws


@pytest.fixture
def aws(running_aws: LocalAws) -> LocalAws:
    """The running local AWS without any resource, fault or logged call."""
    running_aws.reset()
    return running_aws


@pytest.fixture
def make_function(aws: LocalAws) -> FunctionMaker:
    """Returns a function that makes a Lambda function out of its source and returns its ARN."""

    def make(
        source: str,
        *,
        name: str = "function",
        statements: list[Json] | None = None,
        **options: object,
    ) -> str:
        document = {"Version": "2012-10-17", "Statement": statements or [_MAY_LOG]}
        iam = aws.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(document))
        function = aws.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="index.handler",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": package(source)},
            **options,
        )
        return str(function["FunctionArn"])

    return make
