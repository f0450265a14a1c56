"""Checks at synth whether a function in a VPC can reach the services that it calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

import aws_cdk
import jsii
from aws_cdk import Annotations, Aspects, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IConstruct

NO_WAY_OUT = "cdk-stop-inference-experiment:noWayOut"
"""The id for acknowledging the warning."""

SERVICES = ("sagemaker.api", "cloudformation", "events", "s3")
"""What the function calls, by the last part of an endpoint's service name."""

MEASURING = "monitoring"
"""What it calls, too, if a promotion needs evidence: CloudWatch."""


def public_subnet_problems(vpc: ec2.IVpc, vpc_subnets: ec2.SubnetSelection | None) -> Iterator[str]:
    """Refuse public subnets: Lambda gives the function no public IP address there."""
    prop = "vpc" if vpc_subnets is None else "vpc_subnets"
    try:
        selected = _selected(vpc, vpc_subnets)
    except RuntimeError as error:
        yield f"'{prop}' must select subnets of the VPC, got a selection of which CDK says: {error}"
        return
    if selected.isdisjoint(_paths(vpc.public_subnets)):
        return
    yield (
        f"'{prop}' must give the function private subnets, got public ones, where a function has "
        f"no internet access: pass vpc_subnets=ec2.SubnetSelection(subnet_type="
        f"ec2.SubnetType.PRIVATE_WITH_EGRESS) for a VPC with such subnets"
    )


def warn_of_no_way_out(
    provider: Construct,
    vpc: ec2.IVpc,
    vpc_subnets: ec2.SubnetSelection | None,
    *,
    measures: Callable[[], bool],
) -> None:
    """Warn if the function is in isolated subnets whose VPC lacks an endpoint that it needs.

    Checked at the end of synth, and only for a VPC of the app: CDK does not know the endpoints of
    an imported one. ``measures`` says then whether a promotion needs evidence.
    """
    if not isinstance(vpc, ec2.Vpc):
        return
    if _paths(vpc.isolated_subnets) & _selected(vpc, vpc_subnets):
        Aspects.of(provider).add(_EndpointCheck(provider, vpc, measures))


def _selected(vpc: ec2.IVpc, selection: ec2.SubnetSelection | None) -> set[str]:
    """The paths of the subnets that CDK selects."""
    if selection is None:
        return _paths(vpc.select_subnets().subnets)
    if selection.subnets:
        # jsii would read the availability zone of each, which an imported subnet may not have.
        return _paths(selection.subnets)
    selected = vpc.select_subnets(
        availability_zones=selection.availability_zones,
        one_per_az=selection.one_per_az,
        subnet_filters=selection.subnet_filters,
        subnet_group_name=selection.subnet_group_name,
        subnet_type=selection.subnet_type,
    )
    return _paths(selected.subnets)


def _paths(subnets: Iterable[ec2.ISubnet]) -> set[str]:
    return {subnet.node.path for subnet in subnets}


@jsii.implements(aws_cdk.IAspect)
class _EndpointCheck:
    def __init__(self, provider: Construct, vpc: ec2.Vpc, measures: Callable[[], bool]) -> None:
        self._provider = provider
        self._vpc = vpc
        self._measures = measures

    def visit(self, node: IConstruct) -> None:
        """Warn once: the aspect also visits the constructs below the provider."""
        if node.node.path != self._provider.node.path:
            return
        found = set(self._services())
        needed = [*SERVICES, MEASURING] if self._measures() else SERVICES
        missing = [service for service in needed if service not in found]
        if missing:
            Annotations.of(self._provider).add_warning_v2(
                NO_WAY_OUT,
                f"'vpc_subnets' are isolated, and 'vpc' has no endpoints for "
                f"{' and '.join(missing)}: the function can neither end an experiment nor answer "
                f"CloudFormation, which waits for an hour: add the endpoints, or use subnets with "
                f"a NAT gateway",
            )

    def _services(self) -> Iterator[str]:
        """The services that the VPC has endpoints for."""
        for found in self._vpc.node.root.node.find_all():
            if isinstance(found, ec2.CfnVPCEndpoint):
                stack = Stack.of(found)
                name, of_vpc, ours = stack.resolve(
                    [found.service_name, found.vpc_id, self._vpc.vpc_id]
                )
                text = json.dumps(name)
                if of_vpc == ours:
                    yield from (one for one in [*SERVICES, MEASURING] if f'.{one}"' in text)
