"""The client of the control routes: what the local AWS received, and orders to it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, TypeAlias

from local_aws.process import LocalAwsError

__all__ = ["Call", "Control"]

# What a route answers: any JSON, known by its caller.
Answer: TypeAlias = Any


@dataclass(frozen=True)
class Call:
    """A SageMaker call that the local AWS received.

    Attributes:
        operation: Such as ``StopInferenceExperiment``.
        request: The request as it was sent.
        time: When it was answered, in seconds since the epoch.
        region: The region it was signed for.
        error_code: The error it was answered with, None if it succeeded.
    """

    operation: str
    request: dict[str, Any]
    time: float
    region: str
    error_code: str | None


class Control:
    """Sends requests to the routes under ``/_local_aws/``."""

    def __init__(self, endpoint_url: str, context: ssl.SSLContext) -> None:
        """Keep where and how to reach them.

        Args:
            endpoint_url: Where the local AWS is reached.
            context: The TLS context that trusts it.
        """
        # A proxy from the user's environment has no business on the loopback interface.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        self._base = f"{endpoint_url}/_local_aws/"

    def send(self, method: str, route: str, body: dict[str, Any] | None = None) -> Answer:
        """Send a request and return the decoded answer.

        Raises:
            LocalAwsError: The route refused it; the message is the route's.
        """
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + route, data=content, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                message = json.load(error).get("message", error.reason)
            raise LocalAwsError(f"{method} {route}: {message}") from None
