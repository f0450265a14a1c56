"""A function's VPC and KMS key in templates, and the permissions that a VPC needs.

ministack's AWS::Lambda::Function forgets VpcConfig and KmsKeyArn. Lambda refuses a function in a
VPC whose role may not manage network interfaces (developer guide, "Giving Lambda functions access
to resources in an Amazon VPC"), in words that many have published.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

from typing import Any, TypeAlias

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local_aws.emulator.lambda_logs import permissions

__all__ = ["install"]

Json = dict[str, Any]
Answer: TypeAlias = Any  # ministack's tuple of status, headers and body.
Handler: TypeAlias = Any  # ministack calls handlers with its own conventions.
PassedOn: TypeAlias = Any  # Arguments that are only passed on.

_ARN = "arn:aws:lambda:{}:{}:function:new"
_ACTIONS = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")


def install() -> None:
    """Add the checks and the properties to ministack."""
    _install_checks()
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"] = _keeping(handlers["create"], 1)
    handlers["update"] = _keeping(handlers["update"], 2)


def _install_checks() -> None:
    create, update = lambda_svc._create_function, lambda_svc._update_config

    def create_function(data: Json) -> Answer:
        why = _problem(data.get("VpcConfig"), str(data.get("Role", "")))
        return _refused(why) if why else create(data)

    def update_config(name: str, data: Json) -> Answer:
        known = (lambda_svc._functions.get(name) or {}).get("config", {})
        why = _problem(data.get("VpcConfig"), str(data.get("Role") or known.get("Role", "")))
        return _refused(why) if why else update(name, data)

    lambda_svc._create_function = create_function
    lambda_svc._update_config = update_config


def _keeping(handler: Handler, position: int) -> Handler:
    """Return a handler that keeps the properties, which are one of its positional arguments."""

    def keeping(*arguments: PassedOn, **named: PassedOn) -> PassedOn:
        properties: Json = arguments[position]
        why = _problem(properties.get("VpcConfig"), str(properties.get("Role", "")))
        if why:
            raise ValueError(f"{why} (Service: Lambda, Status Code: 400)")
        made = handler(*arguments, **named)
        config = lambda_svc._functions[made[0]]["config"]
        config["VpcConfig"] = lambda_svc._vpc_config_with_id(properties.get("VpcConfig"))
        config["KMSKeyArn"] = properties.get("KmsKeyArn", "")
        return made

    return keeping


def _problem(network: Json | None, role: str) -> str | None:
    """Return why a function cannot be in a VPC, if it is to be in one."""
    if not (network or {}).get("SubnetIds"):
        return None
    config = {"FunctionArn": _ARN.format(get_region(), get_account_id()), "Role": role}
    allowed = permissions(config, get_account_id(), get_region())
    for action in _ACTIONS:
        if not allowed(f"ec2:{action}", "*"):
            return f"The provided execution role does not have permissions to call {action} on EC2"
    return None


def _refused(why: str) -> Answer:
    return error_response_json("InvalidParameterValueException", why, 400)
