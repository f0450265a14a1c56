"""An account with the function, and templates of what a history declares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cdk_stop_inference_experiment.cli.plan import Plan, plan_change_set, plan_destroy
from cdk_stop_inference_experiment.cli.reading import Reader
from cdk_stop_inference_experiment.handler_code import (
    HANDLER,
    MODELS_PATH,
    MODELS_VARIABLE,
    code_archive,
)
from cdk_stop_inference_experiment.version import function_description
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from local_aws import LocalAws
from local_aws.shadow_test import create_shadow_test, model_variant
from tests.local_aws.functions import make_function
from tests.local_aws.native import ROLE
from tests.waiting import eventually

from .compare import Happened

Json = dict[str, Any]
QUICK: Json = {"start_seconds": 0.2, "stop_seconds": 1.0, "clock_scale": 60.0}
BUCKET = "templates"
KEEP = {"production": "Retain", "shadow": "Remove"}
PROMOTE = {"production": "Remove", "shadow": "Promote"}
BOTH = {"production": "Retain", "shadow": "Retain"}

# Answers FAILED to every request whose Value is "fail".
FRAGILE = """
import json, urllib.request
def handler(event, context):
    fails = event["RequestType"] != "Delete" and event["ResourceProperties"].get("Value") == "fail"
    answer = {
        "Status": "FAILED" if fails else "SUCCESS",
        "Reason": "as ordered",
        "PhysicalResourceId": event.get("PhysicalResourceId", "fragile"),
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""
NATIVE = "AWS::SageMaker::InferenceExperiment"


class World:
    """A running local AWS with our function and one that fails as ordered."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.cloudformation = aws.client("cloudformation")
        self.sagemaker = aws.client("sagemaker")
        self.s3 = aws.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.token = self._make_function()
        self.fragile = make_function(aws, FRAGILE, name="fragile", Timeout=20)

    def reader(self) -> Reader:
        """The command's reader, as the account's root."""
        session: Any = _Session(self.aws)
        return Reader(session)

    def _make_function(self) -> str:
        iam, functions = self.aws.client("iam"), self.aws.client("lambda")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        role = iam.create_role(RoleName="stopper", AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName="stopper", PolicyName="all", PolicyDocument=policy)
        made = functions.create_function(
            FunctionName="stopper",
            Runtime="python3.12",
            Handler=HANDLER,
            Role=role["Role"]["Arn"],
            Description=function_description(),
            Timeout=120,
            Environment={"Variables": {MODELS_VARIABLE: MODELS_PATH}},
            Code={"ZipFile": code_archive()},
        )
        functions.add_permission(
            FunctionName="stopper",
            StatementId="rules",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
        )
        return str(made["FunctionArn"])


class _Session:
    """What the command takes for a session of boto3."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def client(self, service: str, **options: Any) -> Any:
        return self._aws.client(service, **options)


@contextmanager
def running() -> Iterator[World]:
    """A local AWS for many histories, on a fast clock."""
    with LocalAws(**QUICK) as aws:
        yield World(aws)


@dataclass
class Declared:
    """What a template declares.

    Attributes:
        ours: The properties of our resources by logical id.
        policies: DeletionPolicy and others by our logical ids.
        late: Properties that are attributes of the switch, by our logical ids.
        switch: The value of a parameter that ``late`` properties refer to.
        fragile: The value of the resource that fails; empty if there is none.
        comes_first: Whether ours depend on the fragile one; otherwise it depends on them.
        native: The properties of CloudFormation's own resource; empty if there is none.
        is_nested: Whether ours are in a nested stack.
        is_yaml: Whether the template is YAML.
    """

    ours: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    switch: str = ""
    fragile: str = ""
    comes_first: bool = True
    native: Json = field(default_factory=dict)
    is_nested: bool = False
    is_yaml: bool = False
    filler: str = "1"


def native_properties(name: str, endpoint: str, **more: object) -> Json:
    """The properties of a shadow test on an endpoint that exists."""
    shadows = [{"ShadowModelVariantName": "shadow", "SamplingPercentage": "50"}]
    variants = [model_variant("production", "fraud-v1"), model_variant("shadow", "fraud-v2")]
    return {
        "Name": name,
        "Type": "ShadowMode",
        "RoleArn": ROLE,
        "EndpointName": endpoint,
        "ModelVariants": variants,
        "ShadowModeConfig": {
            "SourceModelVariantName": "production",
            "ShadowModelVariants": shadows,
        },
        **more,
    }


def template(world: World, declared: Declared, stack: str) -> str:
    """The template's text; that of a nested stack is put into the bucket."""
    inner = {name: _ours(world, declared, name) for name in declared.ours}
    if declared.late or declared.switch:
        inner["Switch"] = _parameter(declared.switch or "false")
    if declared.fragile:
        values = {"ServiceToken": world.fragile, "Value": declared.fragile}
        inner["Fragile"] = {"Type": "Custom::Fragile", "Properties": values}
        if not declared.comes_first and declared.ours:
            inner["Fragile"]["DependsOn"] = list(declared.ours)
    outer = inner
    if declared.is_nested:
        body = json.dumps({"Resources": {**inner, "Inner": _parameter(declared.filler)}})
        key = f"{stack}-{hashlib.sha256(body.encode()).hexdigest()}.json"
        world.s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
        url = {"TemplateURL": f"https://s3.us-east-1.amazonaws.com/{BUCKET}/{key}"}
        outer = {"Below": {"Type": "AWS::CloudFormation::Stack", "Properties": url}}
    if declared.native:
        outer["Test"] = {"Type": NATIVE, "Properties": declared.native}
    text = json.dumps({"Resources": {"Filler": _parameter(declared.filler), **outer}})
    # With a comment it is YAML, and no JSON any more.
    return f"# in YAML\n{text}" if declared.is_yaml else text


def _ours(world: World, declared: Declared, name: str) -> Json:
    properties = {"ServiceToken": world.token, **declared.ours[name]}
    if late := declared.late.get(name):
        properties[late] = {"Fn::GetAtt": ["Switch", "Value"]}
    depends = ["Test"] if declared.native and not declared.is_nested else []
    if declared.fragile and declared.comes_first:
        depends.append("Fragile")
    return {
        "Type": RESOURCE_TYPE,
        "Properties": properties,
        **declared.policies.get(name, {}),
        **({"DependsOn": depends} if depends else {}),
    }


def _parameter(value: str) -> Json:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


class Stack:
    """One stack of a history."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.stack_id = ""
        self._change_set = ""
        self._made = 0

    @property
    def status(self) -> str:
        """The stack's status; empty if there is none."""
        if not self.stack_id:
            return ""
        found = self.world.cloudformation.describe_stacks(StackName=self.stack_id)["Stacks"]
        return str(found[0]["StackStatus"])

    def prepare(self, declared: Declared) -> Plan:
        """Make a change set and plan it; one that changes nothing is deleted."""
        kind = "UPDATE" if self.stack_id else "CREATE"
        self._made += 1
        self._change_set = f"verdict-{self._made}"
        made = self.world.cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=self._change_set,
            ChangeSetType=kind,
            TemplateBody=template(self.world, declared, self.name),
            IncludeNestedStacks=True,
        )
        self.stack_id = made["StackId"]
        plan = plan_change_set(self.world.reader(), self.name, self._change_set)
        if not plan.changes:
            self.world.cloudformation.delete_change_set(
                StackName=self.name, ChangeSetName=self._change_set
            )
        return plan

    def destruction(self) -> Plan:
        """Plan the deletion."""
        return plan_destroy(self.world.reader(), self.stack_id)

    def execute(self, *, disable_rollback: bool) -> Happened:
        """Execute the change set that was planned."""
        before = self._before()
        self.world.cloudformation.execute_change_set(
            StackName=self.name, ChangeSetName=self._change_set, DisableRollback=disable_rollback
        )
        return self._happened(*before)

    def destroy(self) -> Happened:
        """Delete the stack."""
        before = self._before()
        self.world.cloudformation.delete_stack(StackName=self.stack_id)
        return self._happened(*before)

    def _before(self) -> tuple[int, set[str]]:
        return len(self._stops()), {event["EventId"] for event in self.events()}

    def _happened(self, stops: int, known: set[str]) -> Happened:
        assert eventually(lambda: not self.status.endswith("_IN_PROGRESS"), 60), self.status
        events = [event for event in self.events() if event["EventId"] not in known]
        fragile = any(
            event["LogicalResourceId"] == "Fragile" and event["ResourceStatus"].endswith("_FAILED")
            for event in events
        )
        return Happened(
            tuple(self._stops()[stops:]), tuple(events), self.status, is_disturbed=fragile
        )

    def _stops(self) -> list[Json]:
        """The accepted stops of this history's experiments."""
        return [
            call.request
            for call in self.world.aws.calls("StopInferenceExperiment")
            if call.error_code is None and call.request["Name"].startswith(self.name)
        ]

    def events(self) -> list[Json]:
        """The events of the stack and of all nested in it, oldest first."""
        found: list[Json] = []
        for stack_id in self._stack_ids(self.stack_id):
            pages = self.world.cloudformation.get_paginator("describe_stack_events").paginate(
                StackName=stack_id
            )
            found += [event for page in pages for event in page["StackEvents"]][::-1]
        return sorted(found, key=lambda event: event["Timestamp"])

    def _stack_ids(self, stack_id: str) -> set[str]:
        client = self.world.cloudformation
        nested = {
            event["PhysicalResourceId"]
            for event in client.describe_stack_events(StackName=stack_id)["StackEvents"]
            if event["ResourceType"] == "AWS::CloudFormation::Stack"
            and event["PhysicalResourceId"] not in ("", stack_id)
            and event["PhysicalResourceId"].startswith("arn:")
        }
        return {stack_id}.union(*(self._stack_ids(one) for one in nested))


def shadow_test(world: World, name: str) -> None:
    """A running shadow test with an endpoint of its own."""
    create_shadow_test(world.sagemaker, name, endpoint_name=name)
