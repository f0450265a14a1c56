"""Stacks that only observe CloudFormation and events of the endpoint, and cost nothing."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from .app import TAG, Plan

__all__ = ["MARK", "nested", "probe", "synthesise_probes"]

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
    statuses, stack = [], event["StackId"]
    while stack:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        statuses.append(found["StackStatus"])
        stack = found.get("ParentId")
    new, old = event["ResourceProperties"], event.get("OldResourceProperties", {})
    print("PROBE " + json.dumps({
        "resource": event["LogicalResourceId"],
        "request": event["RequestType"],
        "value": new.get("Value"),
        "old": old.get("Value"),
        "statuses": statuses,
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


def nested(plan: Plan) -> str:
    """The name of the stack with a nested one."""
    return f"{plan.prefix}-nested"


def synthesise_probes(plan: Plan, folder: Path) -> None:
    """Synthesise both stacks into a folder.

    Their parameters decide what an update changes, and what of it fails.
    """
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    _nested_stack(app, plan, after=_probe_stack(app, plan))
    app.synth()


def _probe_stack(app: cdk.App, plan: Plan) -> cdk.Stack:
    stack = _stack(app, plan, probe(plan))
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
    _resource(stack, "Alone", plan, "Fails").node.add_dependency(function)
    return stack


def _nested_stack(app: cdk.App, plan: Plan, *, after: cdk.Stack) -> None:
    """A nested stack with two resources, the second of which can fail."""
    root = _stack(app, plan, nested(plan))
    root.add_stack_dependency(after)
    names = ("Value", "SecondFails")
    parameters = {name: _parameter(root, name).value_as_string for name in names}
    below = cdk.NestedStack(root, "Below", parameters=parameters)
    first = _resource(below, "First", plan, "FirstFails")
    second = _resource(below, "Second", plan, "SecondFails")
    second.node.add_dependency(first)


def _stack(app: cdk.App, plan: Plan, name: str) -> cdk.Stack:
    environment = cdk.Environment(account=plan.account, region=plan.region)
    # Without the rule, every parameter is one of ours.
    synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    stack = cdk.Stack(app, name, env=environment, synthesizer=synthesizer)
    cdk.Tags.of(stack).add(TAG, plan.prefix)
    return stack


def _parameter(stack: cdk.Stack, name: str) -> cdk.CfnParameter:
    found = stack.node.try_find_child(name)
    if isinstance(found, cdk.CfnParameter):
        return found
    return cdk.CfnParameter(stack, name, default="1" if name == "Value" else "no")


def _resource(stack: cdk.Stack, name: str, plan: Plan, fails: str) -> cdk.CfnResource:
    """A resource of the probe, which a parameter of the stack lets fail."""
    arn = f"arn:{cdk.Aws.PARTITION}:lambda:{plan.region}:{plan.account}:function:{probe(plan)}"
    return cdk.CfnResource(
        stack,
        name,
        type="Custom::Probe",
        properties={
            "ServiceToken": arn,
            "ServiceTimeout": 300,
            "Value": _parameter(stack, "Value").value_as_string,
            "Fails": _parameter(stack, fails).value_as_string,
        },
    )
