"""What IAM evaluates besides the action: the resource's ARN and the condition keys.

ministack names a rule of the default event bus ``rule/default/NAME``, ignores the rule of
PutTargets and RemoveTargets, and knows neither ``events:TargetArn`` nor ``lambda:Principal``. Here
they follow AWS's service authorization reference ("Actions, resources, and condition keys for
Amazon EventBridge" and "... for AWS Lambda").
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from ministack.core import iam_actions

__all__ = ["install"]

PassedOn: TypeAlias = Any  # Arguments that are only passed on.
Json = dict[str, Any]

_RULE_MEMBERS = ("Rule", "Name")


def install() -> None:
    """Add the ARNs and the keys to ministack."""
    _install_rule_arns()
    _install_condition_keys()


def _install_rule_arns() -> None:
    others = iam_actions.extract_resource_arn

    def extract_resource_arn(  # noqa: PLR0917 (ministack's parameters)
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: PassedOn,
        region: str,
        account_id: str,
    ) -> str:
        rule = _rule(headers, body) if service == "events" else None
        if rule is not None:
            return f"arn:aws:events:{region}:{account_id}:rule/{rule}"
        rest = (query_params, region, account_id)
        return str(others(service, method, path, headers, body, *rest))

    iam_actions.extract_resource_arn = extract_resource_arn


def _install_condition_keys() -> None:
    others = iam_actions.request_tag_context

    def request_tag_context(service: str, iam_action: str, body: bytes, params: PassedOn) -> Json:
        keys: Json = dict(others(service, iam_action, body, params))
        if iam_action == "events:PutTargets":
            # "Filters access by the ARN of a target that can be put to a rule": several values.
            targets = json_object(body).get("Targets") or []
            keys["events:TargetArn"] = [target.get("Arn", "") for target in targets]
        elif iam_action in ("lambda:AddPermission", "lambda:RemovePermission"):
            # "Filters access by restricting the AWS service or account that can invoke": the
            # principal of the request, which RemovePermission does not have.
            principal = json_object(body).get("Principal")
            if principal:
                keys["lambda:Principal"] = principal
        return keys

    iam_actions.request_tag_context = request_tag_context


def _rule(headers: dict[str, str], body: bytes) -> str | None:
    """Return the rule of a request, with its bus if that is not the default one."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if not operation.endswith(("Rule", "Targets", "TargetsByRule")):
        return None
    request = json_object(body)
    bus = str(request.get("EventBusName") or "default").rpartition("/")[2]
    for member in _RULE_MEMBERS:
        name = request.get(member)
        if isinstance(name, str) and name:
            return name if bus == "default" else f"{bus}/{name}"
    return None


def json_object(body: bytes) -> Json:
    """A request in JSON; empty if it is none."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}
