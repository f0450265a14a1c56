"""The VPC endpoints of the same app, through which a function in a VPC stops and answers.

CloudFormation deletes what does not depend on each other at the same time. Without a dependency it
would delete the endpoints while the function still needs them to end the experiment, and would then
wait an hour for an answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import aws_cdk
import jsii
from aws_cdk import Aspects, CfnResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, DependencyGroup, IConstruct, IDependable

from ..network import endpoints_of


def keep_endpoints(provider: Construct, vpc: ec2.IVpc, function: lambda_.Function) -> IDependable:
    """What keeps the function's way to AWS until the resources that depend on it are deleted.

    Endpoints of another stack are not part of it, unless the provider's stack is nested in that
    stack: only its owner knows whether that stack needs something of this one.
    """
    needed = DependencyGroup()
    Aspects.of(provider).add(_KeepEndpoints(provider, vpc, function, needed))
    return needed


@jsii.implements(aws_cdk.IAspect)
class _KeepEndpoints:
    """Finds the endpoints and the rules of the security groups, at the end of synth."""

    def __init__(
        self,
        provider: Construct,
        vpc: ec2.IVpc,
        function: lambda_.Function,
        needed: DependencyGroup,
    ) -> None:
        self._provider = provider
        self._vpc = vpc
        self._function = function
        self._needed = needed

    def visit(self, node: IConstruct) -> None:
        """Add them to what the resources depend on; the aspect also visits the children."""
        if node.node.path == self._provider.node.path:
            for element in [*self._endpoints(), *self._rules()]:
                self._needed.add(element)

    def _endpoints(self) -> Iterator[ec2.CfnVPCEndpoint]:
        own = Stack.of(self._provider)
        stacks = {own.node.path}
        if Stack.of(self._vpc).node.path != own.node.path:
            # The endpoints of this stack's own VPC would wait for it, and it for them.
            stacks |= {scope.node.path for scope in own.node.scopes if Stack.is_stack(scope)}
        for endpoint, _ in endpoints_of(self._vpc):
            if Stack.of(endpoint).node.path in stacks:
                yield endpoint

    def _rules(self) -> Iterator[CfnResource]:
        """The rules beside a security group that let the function out, or into an endpoint."""
        groups = self._function.connections.security_groups
        own = {group.security_group_id for group in groups}
        entered = {
            group
            for endpoint, _ in endpoints_of(self._vpc)
            for group in endpoint.security_group_ids or []
        }
        for rule in Stack.of(self._provider).node.find_all():
            if isinstance(rule, ec2.CfnSecurityGroupEgress):
                is_needed = rule.group_id in own
            elif isinstance(rule, ec2.CfnSecurityGroupIngress):
                is_needed = rule.group_id in entered or rule.source_security_group_id in own
            else:
                continue
            if is_needed:
                yield rule
