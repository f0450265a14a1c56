"""Suppressions for cdk-nag, each with its reason.

cdk-nag is not a dependency. Release 2 reads the template's metadata; release 3 reads what is
acknowledged through aws-cdk-lib's ``Validations``, if that exists, by the text of the finding.
"""

from __future__ import annotations

import json

import aws_cdk
from aws_cdk import CfnResource, Stack
from constructs import Construct

_WILDCARDS = "AwsSolutions-IAM5"
_RUNTIME = "AwsSolutions-L1"

OWN_RULES = (
    "The names of the polling rules end in a digest of the resource they belong to. The wildcard "
    "comes after this stack's own id, so that it covers this stack's rules only."
)
OWN_LOG_STREAMS = (
    "Lambda names the streams of a log group. The wildcard stands after the one log group that the "
    "function writes to."
)
NETWORK_INTERFACES = (
    "Lambda creates the network interfaces of a function in a VPC under ids that EC2 chooses, and "
    "ec2:DescribeNetworkInterfaces and ec2:DescribeSubnets support no resources."
)
ENDPOINTS = (
    "sagemaker:DescribeEndpoint only reads: how many instances production runs when its shadow is "
    "promoted. Which endpoint the experiment runs on is not known at synth."
)
MEASUREMENTS = (
    "cloudwatch:GetMetricData supports no resources. cloudwatch:DescribeAlarms only returns "
    "composite alarms to a caller that may describe all alarms. Both only read."
)
TESTED_RUNTIME = (
    "The newest Python that this release of cdk-stop-inference-experiment has been tested on. A "
    "newer one can be chosen with 'runtime' of StopInferenceExperimentProvider."
)


def acknowledge_wildcards(policy: Construct, *wildcards: tuple[str, str]) -> None:
    """Say why a policy names resources by a wildcard.

    Args:
        policy: The policy.
        wildcards: Resources of its statements, each with the reason; those without a wildcard are
            skipped, since they are no finding.
    """
    texts = [(_flattened(Stack.of(policy).resolve(arn)), reason) for arn, reason in wildcards]
    findings = [(f"Resource::{text}", reason) for text, reason in texts if "*" in text]
    _suppress(
        policy,
        [
            {"id": _WILDCARDS, "reason": reason, "applies_to": [finding]}
            for finding, reason in findings
        ],
    )
    for finding, reason in findings:
        _acknowledge(policy, f"{_WILDCARDS}[{finding}]", reason)


def acknowledge_runtime(function: Construct) -> None:
    """Say why a function does not run on the newest Python."""
    _suppress(function, [{"id": _RUNTIME, "reason": TESTED_RUNTIME}])
    _acknowledge(function, _RUNTIME, TESTED_RUNTIME)


def _suppress(construct: Construct, rules: list[dict[str, object]]) -> None:
    """For release 2 of cdk-nag."""
    element = construct.node.default_child
    if isinstance(element, CfnResource):
        element.add_metadata("cdk_nag", {"rules_to_suppress": rules})


def _acknowledge(construct: Construct, finding: str, reason: str) -> None:
    """For release 3 of cdk-nag."""
    if hasattr(aws_cdk, "Validations"):
        aws_cdk.Validations.of(construct).acknowledge(
            aws_cdk.Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason)
        )


def _flattened(value: object) -> str:
    """A resolved value as cdk-nag writes it into a finding."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(_flattened(part) for part in parts)
        case _:
            return json.dumps(value, separators=(",", ":"))
