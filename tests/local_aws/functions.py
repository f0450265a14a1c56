"""Makes Lambda functions out of their source."""

from __future__ import annotations

import json
from typing import Any

from local_aws import LocalAws

from .helpers import package

Json = dict[str, Any]

TRUST = {
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


def make_function(
    aws: LocalAws,
    source: str,
    *,
    name: str = "function",
    statements: list[Json] | None = None,
    **options: object,
) -> str:
    """Make a function with a role that may do what the statements say; return its ARN."""
    document = {"Version": "2012-10-17", "Statement": statements or [_MAY_LOG]}
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
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
