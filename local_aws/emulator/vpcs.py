"""What a VPC of CDK needs in CloudFormation beyond ministack: NAT gateways and an attribute.

ministack has NAT gateways and their addresses in EC2's API, but not as resource types. Each handler
calls that API. A VPC has no attribute CidrBlock there, to which the security groups of CDK's
interface endpoints refer.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

__all__ = ["install"]

Json = dict[str, Any]
Made = tuple[str, Json]
Action: TypeAlias = Any  # ministack's handler of a request.
Handlers = dict[str, Callable[..., object]]


class Ec2Error(RuntimeError):
    """An error of EC2, as the stack's events show it."""


def install() -> None:
    """Register the types with ministack, and add the attribute to its own."""
    provisioners._RESOURCE_HANDLERS.update(
        {
            "AWS::EC2::EIP": _handlers("AWS::EC2::EIP", _allocate, _release),
            "AWS::EC2::NatGateway": _handlers("AWS::EC2::NatGateway", _create, _delete),
        }
    )
    vpc = provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"]
    for operation in ("create", "update"):
        vpc[operation] = _with_cidr_block(vpc[operation])


def _with_cidr_block(handler: Callable[..., Made]) -> Callable[..., Made]:
    def handle(*arguments: object, **named: object) -> Made:
        vpc, attributes = handler(*arguments, **named)
        return vpc, {**attributes, "CidrBlock": ec2._vpcs[vpc]["CidrBlock"]}

    return handle


def _handlers(
    resource_type: str, create: Callable[..., Made], delete: Callable[..., None]
) -> Handlers:
    def update(_id: str, _old: Json, _new: Json, _stack_name: str) -> Made:
        raise Ec2Error(f"the local AWS cannot update {resource_type}")

    return {"create": create, "update": update, "delete": delete}


def _allocate(_logical_id: str, properties: Json, _stack_name: str) -> Made:
    answer = _call(ec2._allocate_address, Domain=properties.get("Domain", "vpc"))
    allocation, address = _member(answer, "allocationId"), _member(answer, "publicIp")
    provisioners._ec2_apply_tags(allocation, properties)
    return address, {"AllocationId": allocation, "PublicIp": address}


def _release(address: str, _properties: Json) -> None:
    found = [key for key, record in ec2._addresses.items() if record["PublicIp"] == address]
    for allocation in found:
        _call(ec2._release_address, AllocationId=allocation)


def _create(_logical_id: str, properties: Json, _stack_name: str) -> Made:
    known = ("SubnetId", "AllocationId", "ConnectivityType")
    answer = _call(
        ec2._create_nat_gateway, **{key: properties[key] for key in known if key in properties}
    )
    gateway = _member(answer, "natGatewayId")
    provisioners._ec2_apply_tags(gateway, properties)
    return gateway, {"NatGatewayId": gateway}


def _delete(gateway: str, _properties: Json) -> None:
    if gateway in ec2._nat_gateways:
        _call(ec2._delete_nat_gateway, NatGatewayId=gateway)


def _call(action: Action, **parameters: str) -> str:
    status, _, body = action({name: [value] for name, value in parameters.items()})
    text = body if isinstance(body, str) else body.decode()
    if status != 200:
        raise Ec2Error(f"{_member(text, 'Message')} (Service: Ec2)")
    return text


def _member(answer: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", answer)
    return found[1] if found else ""
