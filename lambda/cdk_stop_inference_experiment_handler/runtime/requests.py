"""CloudFormation's events: checked, parsed, and packed for the polling rule.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import base64
import calendar
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..contract.declaration import Declaration, InvalidDeclaration, parse, parse_replaced
from ..lifecycle.facts import Request, RequestType

Event = dict[str, Any]

MAX_INPUT_BYTES = 8192
"""Limit of a target's input: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html"""

REDELIVERY_SECONDS = 55
"""A delivery this long after the request is a retry: Lambda's first one comes after a minute.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

_STRINGS = ("RequestId", "ResponseURL", "StackId", "LogicalResourceId")
PROGRESS = "StopInferenceExperimentProgress"
"""The key in the rule's input for what earlier invocations have done."""

_PACKED = "Packed"
_COMPRESSED = ("ResourceProperties", "OldResourceProperties", PROGRESS)


def malformation(event: object) -> str | None:
    """Why the event is not a custom resource request that can be answered; None if it is one."""
    if not isinstance(event, dict):
        return f"the event is a {type(event).__name__}, not an object"
    if event.get("RequestType") not in {kind.value for kind in RequestType}:
        return "'RequestType' must be 'Create', 'Update' or 'Delete'"
    required = list(_STRINGS)
    if event["RequestType"] != RequestType.CREATE.value:
        required.append("PhysicalResourceId")
    for name in required:
        if not isinstance(event.get(name), str) or not event[name]:
            return f"'{name}' must be a string"
    if not event["ResponseURL"].startswith("https://"):
        return "'ResponseURL' must be an https URL"
    if _PACKED not in event and not isinstance(event.get("ResourceProperties"), Mapping):
        return "'ResourceProperties' must be an object"
    return None


def read_request(event: Event) -> Request:
    """Read a well-formed event."""
    stack_name = event["StackId"].rpartition(":stack/")[2].partition("/")[0]
    named = {"stack_name": stack_name, "logical_id": event["LogicalResourceId"]}
    properties = event["ResourceProperties"]
    new: Declaration | str
    try:
        new = parse(properties, **named)
    except InvalidDeclaration as error:
        new = str(error)
    old = event.get("OldResourceProperties")
    request = Request(
        type=RequestType(event["RequestType"]),
        stack_id=event["StackId"],
        stack_name=stack_name,
        logical_id=event["LogicalResourceId"],
        physical_id=event.get("PhysicalResourceId", ""),
        declared_name=str(properties.get("Name", "")),
        new=new,
        old=parse_replaced(old, **named) if isinstance(old, Mapping) else None,
        issued_at=issued_at(event["ResponseURL"]),
    )
    if request.type is RequestType.DELETE and request.holds_another_experiment:
        return replace(request, declared_name=request.held)
    return request


def issued_at(response_url: str) -> float | None:
    """When a presigned URL was made, in seconds since the epoch; None if it does not say.

    ``X-Amz-Date`` of Signature Version 4 says so:
    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    CloudFormation does not document which signature it uses, so nothing may depend on it.
    """
    dates = parse_qs(urlsplit(response_url).query).get("X-Amz-Date", [])
    try:
        return float(calendar.timegm(time.strptime(dates[0], "%Y%m%dT%H%M%SZ")))
    except (IndexError, ValueError):
        return None


def may_be_redelivered(event: Event) -> bool:
    """Whether an earlier delivery may have created the rule and been killed before it answered."""
    issued = issued_at(event["ResponseURL"])
    return issued is None or time.time() - issued >= REDELIVERY_SECONDS


def pack(event: Event) -> str:
    """The event as the input of the polling rule's target, at most 8192 bytes.

    Properties and progress are compressed only if they do not fit, so that the input stays
    readable.
    """
    text = _encoded(event)
    if len(text) <= MAX_INPUT_BYTES:
        return text.decode()
    large = {name: event[name] for name in _COMPRESSED if name in event}
    rest = {name: value for name, value in event.items() if name not in large}
    small = base64.b85encode(zlib.compress(_encoded(large), 9)).decode()
    return _encoded({**rest, _PACKED: small}).decode()


def _encoded(value: Event) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # JSON can hold a lone surrogate, which UTF-8 cannot encode, but an escape can.
        return json.dumps(value).encode()


def unpack(event: Event) -> Event:
    """The event that :func:`pack` packed; any other event is returned unchanged."""
    if _PACKED not in event:
        return event
    rest = {name: value for name, value in event.items() if name != _PACKED}
    large: Event = json.loads(zlib.decompress(base64.b85decode(event[_PACKED])))
    return {**rest, **large}
