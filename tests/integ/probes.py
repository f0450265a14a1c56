"""A stack that only observes CloudFormation and events of the endpoint, and costs nothing."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from .app import TAG, Plan

__all__ = ["MARK", "probe", "synthesise_probe"]

MARK = "PROBE "
"""What a line of the probe's log begins with."""

_PROBE = """
import json, time, urllib.request
import boto3


def handler(event, context):
    if event.get("source") == "aws.sagemaker":
        status = event["detail"]["EndpointStatus"]
        print("PROBE " + json.dumps({"resource": "Endpoint", "status": status, "at": time.time()}))
        return
    stacks = boto3.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
    new, old = event["ResourceProperties"], event.get("OldResourceProperties", {})
    print("PROBE " + json.dumps({
        "resource": event["LogicalResourceId"],
        "request": event["RequestType"],
        "value": new.get("Value"),
        "old": old.get("Value"),
        "status": stacks[0]["StackStatus"],
        "at": time.time(),
    }))
    fails = new.get("Fails") == "yes" and event["RequestType"] != "Delete"
    answer = {
        "Status": "FAILED" if fails else "SUCCESS",
        "Reason": "as ordered",
        "PhysicalResourceId": "probe",
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    put = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT"
    )
    urllib.request.urlopen(put, timeout=20)
"""


def probe(plan: Plan) -> str:
    """The name of the probe's stack and function."""
    return f"{plan.prefix}-probe"


def synthesise_probe(plan: Plan, folder: Path) -> str:
    """Synthesise the stack into a folder; return its name.

    Its parameters decide what an update changes, and whether that fails.
    """
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    # Without the rule, every parameter is one of ours.
    synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    environment = cdk.Environment(account=plan.account, region=plan.region)
    stack = cdk.Stack(app, probe(plan), env=environment, synthesizer=synthesizer)
    cdk.Tags.of(stack).add(TAG, plan.prefix)
    group = logs.LogGroup(
        stack,
        "Log",
        log_group_name=f"/aws/lambda/{probe(plan)}",
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    describe = iam.PolicyStatement(
        actions=["cloudformation:DescribeStacks"],
        resources=[f"arn:{cdk.Aws.PARTITION}:cloudformation:*:*:stack/{plan.prefix}-*"],
    )
    write = iam.PolicyStatement(
        actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[f"{group.log_group_arn}"]
    )
    policy = iam.Policy(stack, "Policy", statements=[describe, write], roles=[role])
    function = lambda_.CfnFunction(
        stack,
        "Function",
        function_name=probe(plan),
        runtime="python3.13",
        handler="index.handler",
        timeout=60,
        role=role.role_arn,
        code=lambda_.CfnFunction.CodeProperty(zip_file=_PROBE),
    )
    function.node.add_dependency(policy, group)
    rule = events.CfnRule(
        stack,
        "EndpointChanges",
        event_pattern={
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Endpoint State Change"],
            "detail": {"EndpointName": [{"equals-ignore-case": plan.endpoint}]},
        },
        targets=[events.CfnRule.TargetProperty(id="probe", arn=function.attr_arn)],
    )
    lambda_.CfnPermission(
        stack,
        "Events",
        action="lambda:InvokeFunction",
        function_name=probe(plan),
        principal="events.amazonaws.com",
        source_arn=rule.attr_arn,
    ).add_dependency(function)
    parameters = {"Value": "1", "Fails": "no"}
    values = {
        name: cdk.CfnParameter(stack, name, default=default).value_as_string
        for name, default in parameters.items()
    }
    properties = {"ServiceToken": function.attr_arn, "ServiceTimeout": 300, **values}
    alone = cdk.CfnResource(stack, "Alone", type="Custom::Probe", properties=properties)
    alone.node.add_dependency(function)
    app.synth()
    return stack.stack_name
