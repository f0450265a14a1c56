"""Answers in place to the one finding a security review of the template has, under cdk-nag.

cdk-nag is no dependency. Its release 2 reads the template's metadata; release 3 reads what is
acknowledged through aws-cdk-lib's ``Validations``, where that exists, by the text of the finding.
"""

from __future__ import annotations

import json

import aws_cdk
from aws_cdk import CfnResource, Stack
from constructs import Construct

_RULE = "AwsSolutions-IAM5"
_REASON = (
    "The names of the polling rules end in a digest of the request they belong to. The wildcard "
    "stands after this stack's own id, so that it names this stack's rules only."
)


def acknowledge_rule_wildcard(policy: Construct, rules_arn: str) -> None:
    """Say why the policy names EventBridge rules by a wildcard."""
    finding = f"Resource::{_flattened(Stack.of(policy).resolve(rules_arn))}"
    element = policy.node.default_child
    if isinstance(element, CfnResource):
        suppression = {"id": _RULE, "reason": _REASON, "applies_to": [finding]}
        element.add_metadata("cdk_nag", {"rules_to_suppress": [suppression]})
    if hasattr(aws_cdk, "Validations"):
        aws_cdk.Validations.of(policy).acknowledge(
            aws_cdk.Acknowledgment(id=f"AwsSolutions::{_RULE}[{finding}]", reason=_REASON)
        )


def _flattened(value: object) -> str:
    """A resolved value the way cdk-nag writes it into a finding."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(_flattened(part) for part in parts)
        case _:
            return json.dumps(value, separators=(",", ":"))
