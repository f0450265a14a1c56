"""Custom resources as CloudFormation drives them: an asynchronous invocation, then a PUT.

ministack calls the function synchronously, so a stack waits for the function's return even when
the response is there, and a function that fails is never tried again. Here the function is invoked
as an event, with Lambda's retries, and only the response (or ServiceTimeout) ends the waiting
(CloudFormation user guide, "Custom resource request and response reference").
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

__all__ = ["Responses", "install"]

_PATH = "/cloudformation-custom-resource-response-"
_EXPIRES_SECONDS = 7200
_DEFAULT_TIMEOUT_SECONDS = 3600


@dataclass
class _Expected:
    """A response that is waited for."""

    arrived: threading.Event = field(default_factory=threading.Event)
    body: dict[str, Any] | None = None


class Responses:
    """The responses waited for, each under the signature of the URL it is to be PUT to."""

    def __init__(self, endpoint_url: str) -> None:
        """Start waiting for nothing.

        Args:
            endpoint_url: Where the local AWS is reached.
        """
        self._endpoint_url = endpoint_url
        self._expected: dict[str, _Expected] = {}

    def expect(self, stack_id: str, logical_id: str, request_id: str) -> tuple[str, _Expected]:
        """Return a new ResponseURL, with the look of a presigned S3 URL, and what to wait for."""
        signature = secrets.token_hex(32)
        self._expected[signature] = expected = _Expected()
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        region = get_region()
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": date,
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Expires": str(_EXPIRES_SECONDS),
            "X-Amz-Credential": f"{get_account_id()}/{date[:8]}/{region}/s3/aws4_request",
            "X-Amz-Signature": signature,
        }
        key = quote(f"{stack_id}|{logical_id}|{request_id}", safe="")
        bucket = _PATH + region.replace("-", "")
        return f"{self._endpoint_url}{bucket}/{key}?{urlencode(query)}", expected

    def owns(self, path: str) -> bool:
        """Return whether a request's path is that of a ResponseURL."""
        return path.startswith(_PATH)

    def deliver(self, query: str, body: dict[str, Any]) -> bool:
        """Take a response in; False if nobody waits for it, or no more."""
        signature = parse_qs(query).get("X-Amz-Signature", [""])[0]
        expected = self._expected.pop(signature, None)
        if expected is None:
            return False
        expected.body = body
        expected.arrived.set()
        return True

    def reset(self) -> None:
        """Let everyone who waits go, empty-handed."""
        for expected in self._expected.values():
            expected.arrived.set()
        self._expected.clear()


def install(endpoint_url: str) -> Responses:
    """Replace how ministack invokes custom resources; return where responses arrive."""
    responses = Responses(endpoint_url)

    def invoke_custom_resource(  # noqa: PLR0917 (ministack's parameters)
        request_type: str,
        logical_id: str,
        props: dict[str, Any],
        stack_name: str,  # noqa: ARG001
        stack_id: str,
        resource_type: str,
        physical_id: str | None = None,
        old_props: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:
        request_id = str(uuid.uuid4())
        url, expected = responses.expect(stack_id, logical_id, request_id)
        event: dict[str, Any] = {
            "RequestType": request_type,
            "ServiceToken": props.get("ServiceToken"),
            "ResponseURL": url,
            "StackId": stack_id,
            "RequestId": request_id,
            "LogicalResourceId": logical_id,
            "ResourceType": resource_type,
            "ResourceProperties": _as_strings(props),
        }
        if physical_id is not None:
            event["PhysicalResourceId"] = physical_id
        if old_props is not None:
            event["OldResourceProperties"] = _as_strings(old_props)
        _invoke(str(props.get("ServiceToken", "")), event)
        expected.arrived.wait(_timeout_seconds(props))
        return _outcome(expected, request_id, physical_id)

    custom_resource.invoke_custom_resource = invoke_custom_resource
    return responses


def _invoke(service_token: str, event: dict[str, Any]) -> None:
    """Invoke the function behind a ServiceToken as an event."""
    record, config, name = lambda_svc._get_func_record_for_ref(service_token)
    if record is None or config is None:
        raise ValueError(f"Function not found: {service_token or name}")
    lambda_svc.invoke_async_with_retry(
        lambda_svc._execution_record_for_config(record, config), event
    )


def _outcome(
    expected: _Expected, request_id: str, physical_id: str | None
) -> tuple[str, dict[str, Any]]:
    """Return the physical id and the attributes of a response, or raise what the stack reports."""
    answer = expected.body
    if answer is None:
        raise TimeoutError(
            "CloudFormation did not receive a response from your Custom Resource. Please check "
            f"your logs for requestId [{request_id}]."
        )
    if answer.get("Status") != "SUCCESS":
        raise RuntimeError(
            "Received response status [FAILED] from custom resource. Message returned: "
            f"{answer.get('Reason', '')} (RequestId: {request_id})"
        )
    physical = answer.get("PhysicalResourceId") or physical_id or request_id
    return physical, answer.get("Data") or {}


def _timeout_seconds(props: dict[str, Any]) -> float:
    try:
        return float(props.get("ServiceTimeout", _DEFAULT_TIMEOUT_SECONDS))
    except (TypeError, ValueError):
        return _DEFAULT_TIMEOUT_SECONDS


def _as_strings(props: dict[str, Any]) -> dict[str, Any]:
    """Return properties as CloudFormation sends them, every scalar a string."""
    spelled: dict[str, Any] = custom_resource._normalise_resource_properties(props)
    return spelled
