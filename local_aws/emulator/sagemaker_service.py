"""Registers our SageMaker with ministack: routing, dispatch and IAM."""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import asyncio
import contextvars
import json
from typing import Any, TypeAlias

from ministack import app as ministack_app
from ministack.core import iam_actions, router
from ministack.core.responses import get_account_id, get_region

from local_aws.emulator.clock import Clock
from local_aws.emulator.sagemaker import (
    TARGET_PREFIX,
    ApiError,
    SageMaker,
    Scope,
    parse,
    resource_arn,
)
from local_aws.settings import Settings

__all__ = ["install"]

PassedOn: TypeAlias = Any  # Arguments that are only passed on.

HttpAnswer = tuple[int, dict[str, str], bytes]
_CONTENT_TYPE = "application/x-amz-json-1.1"
# IAM's denial is worded later, without access to the request.
_call: contextvars.ContextVar[tuple[str, bytes]] = contextvars.ContextVar("sagemaker_call")


class _ServiceModule:
    """Replaces a service module of ministack."""

    def __init__(self, service: SageMaker, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def handle_request(
        self, _method: str, _path: str, headers: dict[str, str], body: bytes, _query: object
    ) -> HttpAnswer:
        """Answer a request that IAM has allowed."""
        answer = self._service.call(_operation(headers), body, _scope())
        await asyncio.sleep(self._clock.real(answer.delay_seconds))
        return answer.status, {"Content-Type": _CONTENT_TYPE}, answer.body

    def reset(self) -> None:
        """Reset together with ministack."""
        self._service.reset()

    def get_state(self) -> None:
        """Do not take part in ministack's persistence."""


def install(settings: Settings, clock: Clock) -> SageMaker:
    """Route ``SageMaker.*`` in ministack to a new service of ours, and return it."""
    service = SageMaker(settings, clock.now)
    module = _ServiceModule(service, clock)
    ministack_app._loaded_modules["sagemaker"] = module
    ministack_app.SERVICE_REGISTRY["sagemaker"] = {"module": "sagemaker"}
    ministack_app.SERVICE_HANDLERS["sagemaker"] = module.handle_request
    router.SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": [TARGET_PREFIX]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["sagemaker"] = "sagemaker"
    _install_resource_arns()
    _install_refusals(service)
    return service


def _install_resource_arns() -> None:
    """Tell IAM the inference experiment, endpoint or model of a call."""
    others = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: PassedOn
    ) -> str:
        if service != "sagemaker":
            return str(others(service, method, path, headers, body, *rest))
        operation = _operation(headers)
        _call.set((operation, body))
        return resource_arn(_scope(), operation, _parsed(body))

    iam_actions.extract_resource_arn = extract_resource_arn


def _install_refusals(service: SageMaker) -> None:
    """Word IAM's denial like SageMaker, with HTTP 400 and the resource, and log the call."""
    others = iam_actions.access_denied_response

    def access_denied_response(
        name: str, action: str, principal_arn: str, request_id: str, **details: PassedOn
    ) -> HttpAnswer:
        if name != "sagemaker" or details.get("error_code"):
            theirs: HttpAnswer = others(name, action, principal_arn, request_id, **details)
            return theirs
        operation, body = _call.get()
        service.record(operation, _parsed(body), _scope(), "AccessDeniedException")
        message = iam_actions.identity_denial_message(
            action, principal_arn, details["resource_arn"], details["explicit_deny"]
        )
        refusal = {"__type": "AccessDeniedException", "Message": message}
        return 400, {"Content-Type": _CONTENT_TYPE}, json.dumps(refusal).encode()

    iam_actions.access_denied_response = access_denied_response


def _operation(headers: dict[str, str]) -> str:
    return headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)


def _scope() -> Scope:
    return Scope(region=get_region(), account=get_account_id())


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the request, or nothing if it is invalid: the service reports that."""
    try:
        return parse(body)
    except ApiError:
        return {}
