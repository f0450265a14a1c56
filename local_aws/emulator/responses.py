"""Custom resources' responses, which arrive at URLs that look like presigned ones of S3."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlencode

from ministack.core.responses import get_account_id, get_region

from local_aws.emulator.clock import Clock

__all__ = ["Expected", "Responses"]

_PATH = "/cloudformation-custom-resource-response-"
_EXPIRES_SECONDS = 7200


@dataclass
class Expected:
    """A pending response.

    Attributes:
        url: The URL for its PUT.
        expires_at: When the URL expires, in the local AWS's time.
        arrived: Set with the first PUT, and by a reset.
        body: The body of the first PUT; None before that and after a reset.
        cancelled: Why nobody waits for it any longer.
    """

    stack_id: str
    url: str
    expires_at: float
    arrived: threading.Event = field(default_factory=threading.Event)
    body: bytes | None = None
    cancelled: str | None = None


class Responses:
    """The pending responses, by the signatures of their URLs."""

    def __init__(self, endpoint_url: str, clock: Clock) -> None:
        """Start without any.

        Args:
            endpoint_url: The URL of the local AWS.
            clock: The clock for the signatures.
        """
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._expected: dict[str, Expected] = {}

    def expect(self, stack_id: str, logical_id: str, request_id: str) -> Expected:
        """Return a new pending response, with a URL that looks like a presigned one of S3.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
        """
        signature, now = secrets.token_hex(32), self._clock.now()
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
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
        url = f"{self._endpoint_url}{bucket}/{key}?{urlencode(query)}"
        self._expected[signature] = expected = Expected(stack_id, url, now + _EXPIRES_SECONDS)
        return expected

    def owns(self, path: str) -> bool:
        """Return whether a path is that of a ResponseURL."""
        return path.startswith(_PATH)

    def deliver(self, method: str, query: str, body: bytes) -> bool:
        """Accept a response like S3, any number of times; the first one counts.

        Returns:
            False if the URL is invalid or has expired.
        """
        signature = parse_qs(query).get("X-Amz-Signature", [""])[0]
        expected = self._expected.get(signature)
        if method != "PUT" or expected is None or self._clock.now() > expected.expires_at:
            return False
        if not expected.arrived.is_set():
            expected.body = body
            expected.arrived.set()
        return True

    def cancel(self, stack_id: str, why: str) -> None:
        """End every wait for a stack's responses; later responses are ignored."""
        for expected in self._expected.values():
            if expected.stack_id == stack_id and not expected.arrived.is_set():
                expected.cancelled = why
                expected.arrived.set()

    def reset(self) -> None:
        """End every wait without a response."""
        for expected in self._expected.values():
            expected.arrived.set()
        self._expected.clear()
