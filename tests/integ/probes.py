"""Stacks that only observe CloudFormation, IAM and events of the endpoint, and cost nothing."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from .app import TAG, Plan

__all__ = ["MARK", "nested", "probe", "reader", "synthesise_probes"]

MARK = "PROBE "
"""What a line of the probe's log begins with."""

# It tells the form of the ResponseURL, but never its signature or its credentials.
_PROBE = '''
import json, logging, time, urllib.parse, urllib.request
import boto3

TOLD = ("X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "Expires")


def shown_after(event, cloudformation):
    """Seconds until the resource's own event of its creation is shown, of which there is one."""
    began = time.time()
    while time.time() < began + 120:
        found = cloudformation.describe_stack_events(StackName=event["StackId"])["StackEvents"]
        if any(one["LogicalResourceId"] == event["LogicalResourceId"] for one in found):
            return time.time() - began
        time.sleep(0.5)


def handler(event, context):
    if event.get("source") == "aws.sagemaker":
        detail = event["detail"]
        print("PROBE " + json.dumps({
            "resource": "Endpoint",
            "status": detail["EndpointStatus"],
            "sent": event["time"],
            "at": time.time(),
        }))
        return
    cloudformation = boto3.client("cloudformation")
    creates = event["RequestType"] == "Create"
    shown = shown_after(event, cloudformation) if creates else None
    statuses, stack = [], event["StackId"]
    while stack:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        statuses.append(found["StackStatus"])
        stack = found.get("ParentId")
    url = urllib.parse.urlsplit(event["ResponseURL"]).query
    query = dict(urllib.parse.parse_qsl(url))
    new, old = event["ResourceProperties"], event.get("OldResourceProperties", {})
    print("PROBE " + json.dumps({
        "resource": event["LogicalResourceId"],
        "request": event["RequestType"],
        "value": new.get("Value"),
        "old": old.get("Value"),
        "statuses": statuses,
        "url": {name: query[name] for name in TOLD if name in query},
        "parameters": sorted(query),
        "shown": shown,
        "at": time.time(),
    }))
    logging.getLogger().warning({"probe": "object"})
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
'''


def probe(plan: Plan) -> str:
    """The name of the probe's stack and function."""
    return f"{plan.prefix}-probe"


def nested(plan: Plan) -> str:
    """The name of the stack with a nested one."""
    return f"{plan.prefix}-nested"


def reader(plan: Plan) -> str:
    """The name of a role that may do nothing."""
    return f"{plan.prefix}-reader"


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
        actions=["cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"],
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
        timeout=180,
        role=role.role_arn,
        logging_config=lambda_.CfnFunction.LoggingConfigProperty(
            log_format="JSON", log_group=group.log_group_name
        ),
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
    iam.Role(stack, "Reader", role_name=reader(plan), assumed_by=iam.AccountRootPrincipal())
    _resource(stack, "Alone", plan, "Fails").node.add_dependency(function)
    return stack


def _nested_stack(app: cdk.App, plan: Plan, *, after: cdk.Stack) -> None:
    """A nested stack with two resources, the second of which can fail; so can one of the root."""
    root = _stack(app, plan, nested(plan))
    root.add_stack_dependency(after)
    later = _resource(root, "Later", plan, "LaterFails")
    names = ("Value", "SecondFails")
    parameters = {name: _parameter(root, name).value_as_string for name in names}
    below = cdk.NestedStack(root, "Below", parameters=parameters)
    first = _resource(below, "First", plan, "FirstFails")
    second = _resource(below, "Second", plan, "SecondFails")
    second.node.add_dependency(first)
    later.node.add_dependency(below)


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
