"""Checks at synth whether a function in a VPC can reach the services that it calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import aws_cdk
import jsii
from aws_cdk import Annotations, Aspects, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IConstruct

NO_WAY_OUT = "cdk-stop-inference-experiment:noWayOut"
"""The id for acknowledging the warning."""

SERVICES = ("sagemaker.api", "cloudformation", "events", "s3")
"""What the function calls: the last part of the service name of each endpoint."""

METRICS = "monitoring"
"""CloudWatch, which it also calls if a promotion needs evidence."""


def warn_of_missing_endpoints(
    provider: Construct,
    vpc: ec2.IVpc,
    function: lambda_.Function,
    *,
    needs_evidence: Callable[[], bool],
) -> None:
    """Warn if the function is in isolated subnets whose VPC lacks an endpoint that it needs.

    Checked at the end of synth, and only for a VPC of the app: CDK does not know the endpoints of
    an imported one. ``needs_evidence`` then says whether a promotion does.
    """
    if isinstance(vpc, ec2.Vpc) and _is_isolated(function, vpc):
        Aspects.of(provider).add(_EndpointCheck(provider, vpc, needs_evidence))


def _is_isolated(function: lambda_.Function, vpc: ec2.Vpc) -> bool:
    """Whether CDK has put the function into an isolated subnet."""
    stack, element = Stack.of(function), function.node.default_child
    config = stack.resolve(element.vpc_config) if isinstance(element, lambda_.CfnFunction) else {}
    isolated = [stack.resolve(subnet.subnet_id) for subnet in vpc.isolated_subnets]
    return any(subnet in isolated for subnet in config["subnetIds"])


@jsii.implements(aws_cdk.IAspect)
class _EndpointCheck:
    def __init__(
        self, provider: Construct, vpc: ec2.Vpc, needs_evidence: Callable[[], bool]
    ) -> None:
        self._provider = provider
        self._vpc = vpc
        self._needs_evidence = needs_evidence

    def visit(self, node: IConstruct) -> None:
        """Warn once: the aspect also visits the constructs below the provider."""
        if node.node.path != self._provider.node.path:
            return
        present = {service for _, service in endpoints_of(self._vpc)}
        needed = [*SERVICES, METRICS] if self._needs_evidence() else SERVICES
        missing = [service for service in needed if service not in present]
        if missing:
            Annotations.of(self._provider).add_warning_v2(
                NO_WAY_OUT,
                f"'vpc_subnets' are isolated, and 'vpc' has no endpoints for "
                f"{' and '.join(missing)}: the function can neither end an experiment nor answer "
                f"CloudFormation, which waits for an hour: add the endpoints, or use subnets with "
                f"a NAT gateway",
            )


def endpoints_of(vpc: ec2.IVpc) -> Iterator[tuple[ec2.CfnVPCEndpoint, str]]:
    """The app's endpoints of a VPC that the function may use, each with its service."""
    for endpoint in vpc.node.root.node.find_all():
        if isinstance(endpoint, ec2.CfnVPCEndpoint) and endpoint.vpc_id == vpc.vpc_id:
            text = json.dumps(Stack.of(endpoint).resolve(endpoint.service_name))
            for service in (*SERVICES, METRICS):
                if f'.{service}"' in text:
                    yield endpoint, service
