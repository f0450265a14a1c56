"""The permissions of the provider's role, each on named resources only.

IAM counts the inline policies of one role together, 10,240 characters. They are kept for the
experiments, a policy each, so that a removed experiment's permissions stay until its resource is
deleted. What the function itself needs stands in one managed policy of the stack.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json

from aws_cdk import Aws, Fn, ScopedAws, Stack
from aws_cdk import aws_iam as iam

from cdk_stop_inference_experiment_handler.contract.wire import RULE_PREFIX

from .tokens import known_text

MAX_EXPERIMENTS = 40
MAX_INLINE_CHARACTERS = 10_240

EXPERIMENT_ACTIONS = ("sagemaker:DescribeInferenceExperiment", "sagemaker:StopInferenceExperiment")

NETWORK_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)

DECRYPT_POLICY_CHARACTERS = 200
"""What the policy that lets the role use a key counts against the limit, generously."""


def polling_rule_prefix() -> str:
    """What the names of the stack's polling rules begin with: no other stack's rule does."""
    return Fn.join("", [RULE_PREFIX, Fn.select(2, Fn.split("/", Aws.STACK_ID)), "-"])


def polling_rules_arn(stack: Stack) -> str:
    """The ARN of every polling rule of the stack, by a wildcard after the prefix."""
    name = f"{polling_rule_prefix()}*"
    return stack.format_arn(service="events", resource="rule", resource_name=name)


def ancestor_ids(stack: Stack) -> list[str]:
    """The ids of the stacks that a nested stack is nested in, from its parent to the root.

    Each is the pseudo parameter of that stack, which CDK passes down as a parameter.
    ``Stack.stack_id`` of a nested stack would be the Ref of its resource instead, which depends on
    what is passed to it: a cycle.
    """
    ids = []
    while parent := stack.nested_stack_parent:
        ids.append(ScopedAws(parent).stack_id)
        stack = parent
    return ids


def ancestors_statement(stack: Stack) -> list[iam.PolicyStatement]:
    """What tells whether an update is undone from above; nothing where no stack is above."""
    ids = ancestor_ids(stack)
    actions = ["cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"]
    return (
        [iam.PolicyStatement(sid="ReadParentStacks", actions=actions, resources=ids)] if ids else []
    )


def provider_statements(
    *, function_arn: str, log_group_arn: str, rules_arn: str
) -> list[iam.PolicyStatement]:
    """What the function needs for itself: its log, its stack's state and its polling rules."""
    return [
        iam.PolicyStatement(
            sid="Log",
            # No logs:CreateLogGroup: the log group is the stack's. Its ARN ends in ":*".
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[log_group_arn],
        ),
        iam.PolicyStatement(
            sid="ReadOwnStack",
            actions=[
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStacks",
                "cloudformation:ListStackResources",
            ],
            resources=[Aws.STACK_ID],
        ),
        iam.PolicyStatement(
            sid="PollByRule",
            actions=["events:DeleteRule", "events:PutRule", "events:RemoveTargets"],
            resources=[rules_arn],
        ),
        iam.PolicyStatement(
            sid="PollThisFunctionOnly",
            actions=["events:PutTargets"],
            resources=[rules_arn],
            # events:TargetArn holds an ARN per target. ForAllValues is true of a request without
            # the key, which Null excludes.
            conditions={
                "ForAllValues:ArnEquals": {"events:TargetArn": function_arn},
                "Null": {"events:TargetArn": "false"},
            },
        ),
        iam.PolicyStatement(
            sid="LetRuleInvoke",
            actions=["lambda:AddPermission"],
            resources=[function_arn],
            conditions={"StringEquals": {"lambda:Principal": "events.amazonaws.com"}},
        ),
        iam.PolicyStatement(
            sid="StopRuleInvoking",
            actions=["lambda:RemovePermission"],
            resources=[function_arn],
        ),
    ]


def network_statement() -> iam.PolicyStatement:
    """What Lambda needs the role for to connect the function to a VPC.

    See https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    return iam.PolicyStatement(
        sid="ConnectToVpc",
        actions=list(NETWORK_ACTIONS),
        # The interfaces do not exist yet and have names of EC2's choice; the two Describe actions
        # know no resources.
        resources=["*"],
    )


def experiment_statement(stack: Stack, experiment_name: str) -> iam.PolicyStatement:
    """What it takes to stop one experiment."""
    return iam.PolicyStatement(
        actions=list(EXPERIMENT_ACTIONS),
        resources=[
            stack.format_arn(
                service="sagemaker", resource="inference-experiment", resource_name=name
            )
            for name in _spellings(experiment_name)
        ],
    )


def experiment_policy_characters(region: str, experiment_name: str) -> int:
    """What an experiment's policy counts against the limit, at least.

    Account and region that only the deployment knows count as those of the longest region of the
    commercial partition, a name that only the deployment knows as empty.
    """
    known_region = known_text(region) or "ap-southeast-1"
    prefix = f"arn:aws:sagemaker:{known_region}:123456789012:inference-experiment/"
    arns = [prefix + (known_text(name) or "") for name in _spellings(experiment_name)]
    statement = {
        "Action": EXPERIMENT_ACTIONS,
        "Effect": "Allow",
        "Resource": arns if len(arns) > 1 else arns[0],
    }
    policy = {"Statement": [statement], "Version": "2012-10-17"}
    return len(json.dumps(policy, separators=(",", ":")))


def _spellings(experiment_name: str) -> list[str]:
    """The name, and in lower case too where that differs.

    SageMaker writes names in lower case into the ARNs of some of its resources, and IAM compares
    resources by case; which spelling it authorises an experiment by is not documented.
    """
    if known_text(experiment_name) is None:
        return [experiment_name]
    return list(dict.fromkeys([experiment_name, experiment_name.lower()]))
