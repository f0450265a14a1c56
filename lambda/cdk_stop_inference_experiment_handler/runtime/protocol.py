"""CloudFormation's protocol for custom resources: parses and packs requests, sends answers.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import base64
import calendar
import json
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3

from ..contract.declaration import Declaration, InvalidDeclaration, parse, parse_replaced
from ..contract.wire import STOP_REQUEST
from ..lifecycle.facts import Request, RequestType
from .waiting import ComeAgain

logger = logging.getLogger(__name__)

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

MAX_BODY_BYTES = 4096
PUT_TIMEOUT = urllib3.Timeout(connect=5, read=10)
RESERVE_SECONDS = 18
"""Time that is left when the retries end: for one more PUT that times out, and the clean-up."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0

_SHORTENED = "…"


def malformation(event: object) -> str | None:
    """Why the event is no request that can be answered; None if it is one."""
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

    ``X-Amz-Date`` of Signature Version 4 says so. CloudFormation does not document which signature
    it uses, so nothing may depend on it.
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


def send(url: str, body: Mapping[str, Any], seconds_left: Callable[[], float]) -> bool:
    """Deliver an answer to a presigned S3 URL, which is never logged; retry while time allows.

    Returns:
        Whether CloudFormation's bucket accepted it. There is no retry on an expired URL (403) or
        any other answer that a retry cannot change.

    Raises:
        ComeAgain: Time is up, and the bucket has neither accepted nor refused it.
    """
    encoded = encode(body)
    pause = FIRST_PAUSE_SECONDS
    with urllib3.PoolManager(retries=False, timeout=PUT_TIMEOUT) as http:
        while True:
            status = _put(http, url, encoded)
            if status is not None and 200 <= status < 300:
                logger.info({"decision": "answered", "answer": body["Status"], "http": status})
                return True
            if status is not None and status < 500 and status not in (408, 429):
                logger.error(
                    {
                        "decision": "answer refused",
                        "http": status,
                        "why": "the ResponseURL has expired or is not valid",
                    }
                )
                return False
            if seconds_left() <= RESERVE_SECONDS + pause:
                logger.error({"decision": "answer later", "http": status})
                raise ComeAgain(f"the answer was not delivered, HTTP status {status}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _put(http: urllib3.PoolManager, url: str, encoded: bytes) -> int | None:
    """The HTTP status; None if there was none."""
    try:
        # CloudFormation signs the URL for an empty content type.
        answer = http.request("PUT", url, body=encoded, headers={"content-type": ""})
    except (urllib3.exceptions.HTTPError, OSError) as error:
        # The exception's text may hold the URL and its signature: log only its type.
        logger.warning({"decision": "answer again", "why": type(error).__name__})
        return None
    # S3 answers so if the body arrives too slowly.
    return 408 if b"<Code>RequestTimeout<" in (answer.data or b"") else answer.status


def encode(body: Mapping[str, Any]) -> bytes:
    """The body as JSON within 4096 bytes; status, ids and the cause are kept.

    The request to stop loses its reason first. Then attribute values are shortened, the longest one
    that is no JSON object first, and then the answer's reason in its middle.
    """
    shortened: dict[str, Any] = {**body, "Data": dict(body.get("Data") or {})}
    if shortened["Data"].get(STOP_REQUEST) and len(_json(shortened)) > MAX_BODY_BYTES:
        # JSON cannot be cut; without its reason, the request is shorter than StatusReason.
        request = json.loads(shortened["Data"][STOP_REQUEST])
        request.pop("Reason", None)
        shortened["Data"][STOP_REQUEST] = json.dumps(request)
    while len(_json(shortened)) > MAX_BODY_BYTES:
        data = shortened["Data"]
        long = [name for name in data if len(str(data[name])) > 1]
        if long:
            longest = max(long, key=lambda name: _shortens(data[name]))
            data[longest] = _head(str(data[longest]))
        elif len(str(shortened.get("Reason", ""))) > 1:
            shortened["Reason"] = _ends(str(shortened["Reason"]))
        else:
            break
    return _json(shortened)


def _shortens(value: object) -> tuple[bool, int]:
    return not str(value).startswith("{"), len(_json(value))


def _head(text: str) -> str:
    return text[: len(text) * 3 // 4 - 1] + _SHORTENED if len(text) > 4 else ""


def _ends(text: str) -> str:
    kept = len(text) * 3 // 8 - 1
    return text[:kept] + _SHORTENED + text[-kept:] if len(text) > 8 else ""


def _json(value: object) -> bytes:
    # JSON can hold a lone surrogate, which UTF-8 cannot encode.
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")
