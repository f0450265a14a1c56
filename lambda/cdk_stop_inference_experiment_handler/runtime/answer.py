"""Sends the answer to a custom resource request.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import urllib3
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies

from ..contract.wire import STOP_REQUEST
from .waiting import FIRST_PAUSE_SECONDS

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 4096
"""CloudFormation refuses a response that is larger than 4,096 bytes."""

PUT_TIMEOUT = urllib3.Timeout(connect=5, read=10)
RESERVE_SECONDS = 18
"""Time that is left when the retries end: for one more PUT that times out, and the clean-up."""

LONGEST_PAUSE_SECONDS = 8.0

_SHORTENED = "…"


class NotDelivered(BaseException):
    """Time is up, and CloudFormation's bucket has neither accepted nor refused the answer.

    Not an Exception: crhelper would make the answer FAILED.
    """


def send(url: str, body: Mapping[str, Any], seconds_left: Callable[[], float]) -> bool:
    """Deliver an answer to a presigned S3 URL, which is never logged; retry while time allows.

    Returns:
        Whether CloudFormation's bucket accepted it. There is no retry on an expired URL (403) or
        any other answer that a retry cannot change.

    Raises:
        NotDelivered: Time is up, and the bucket has neither accepted nor refused it.
    """
    encoded = encode(body)
    pause = FIRST_PAUSE_SECONDS
    with _http_client(url) as http:
        while True:
            status = _put(http, url, encoded)
            if status is not None and 200 <= status < 300:
                fields = {"decision": "answered", "answer": body["Status"], "http": status}
                logger.info("CloudFormation has the answer %s", body["Status"], extra=fields)
                return True
            if status is not None and status < 500 and status not in (408, 429):
                logger.error(
                    "the answer was refused: the ResponseURL has expired or is not valid",
                    extra={"decision": "answer refused", "http": status},
                )
                return False
            if seconds_left() <= RESERVE_SECONDS + pause:
                fields = {"decision": "answer later", "http": status}
                logger.error("the answer was not delivered in this invocation", extra=fields)
                raise NotDelivered(f"the answer was not delivered, HTTP status {status}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _http_client(url: str) -> urllib3.PoolManager:
    """A client that connects as the SDK does: with HTTPS_PROXY, NO_PROXY and AWS_CA_BUNDLE."""
    bundle = os.environ.get("AWS_CA_BUNDLE") or None
    proxies = ProxyConfiguration(get_environ_proxies(url))
    proxy = proxies.proxy_url_for(url)
    if proxy is None:
        return urllib3.PoolManager(retries=False, timeout=PUT_TIMEOUT, ca_certs=bundle)
    return urllib3.ProxyManager(
        proxy,
        proxy_headers=proxies.proxy_headers_for(proxy),
        retries=False,
        timeout=PUT_TIMEOUT,
        ca_certs=bundle,
    )


def _put(http: urllib3.PoolManager, url: str, encoded: bytes) -> int | None:
    """The HTTP status; None if there was none."""
    try:
        # CloudFormation signs the URL for an empty content type.
        answer = http.request("PUT", url, body=encoded, headers={"content-type": ""})
    except (urllib3.exceptions.HTTPError, OSError) as error:
        # The exception's text may hold the URL and its signature: log only its type.
        fields = {"decision": "answer again", "error": type(error).__name__}
        logger.warning("the answer did not get through; it is sent again", extra=fields)
        return None
    # S3 answers so if the body arrives too slowly.
    return 408 if b"<Code>RequestTimeout<" in (answer.data or b"") else answer.status


def encode(body: Mapping[str, Any]) -> bytes:
    """The body as JSON within 4096 bytes; status, ids and the cause are kept.

    The request to stop loses its reason first. Then attribute values are shortened, JSON objects
    last and the longest first, and then the answer's reason in its middle.
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
            data[longest] = _beginning(str(data[longest]))
        elif len(str(shortened.get("Reason", ""))) > 1:
            shortened["Reason"] = _without_middle(str(shortened["Reason"]))
        else:
            break
    return _json(shortened)


def _shortens(value: object) -> tuple[bool, int]:
    return not str(value).startswith("{"), len(_json(value))


def _beginning(text: str) -> str:
    return text[: len(text) * 3 // 4 - 1] + _SHORTENED if len(text) > 4 else ""


def _without_middle(text: str) -> str:
    length = len(text) * 3 // 8 - 1
    return text[:length] + _SHORTENED + text[-length:] if len(text) > 8 else ""


def _json(value: object) -> bytes:
    # JSON can hold a lone surrogate, which UTF-8 cannot encode.
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")
