"""The client of the control routes: reads what the local AWS received, and controls it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, TypeAlias

from local_aws.process import LocalAwsError

__all__ = ["Call", "Control"]

# The answer of a route: any JSON, which the caller knows.
Answer: TypeAlias = Any


@dataclass(frozen=True)
class Call:
    """A SageMaker call that the local AWS received.

    Attributes:
        operation: For example ``StopInferenceExperiment``.
        request: The request as sent.
        time: When it was answered, in seconds since the epoch.
        region: The region it was signed for.
        error_code: The error code of the answer; None if it succeeded.
    """

    operation: str
    request: dict[str, Any]
    time: float
    region: str
    error_code: str | None


class Control:
    """Sends requests to the routes under ``/_local_aws/``."""

    def __init__(self, endpoint_url: str, context: ssl.SSLContext) -> None:
        """Store how to reach them.

        Args:
            endpoint_url: The URL of the local AWS.
            context: The TLS context that trusts it.
        """
        # Ignore proxies in the user's environment: this is the loopback interface.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        self._base = f"{endpoint_url}/_local_aws/"

    def send(self, method: str, route: str, body: dict[str, Any] | None = None) -> Answer:
        """Send a request and return the decoded answer.

        Raises:
            LocalAwsError: The route refused it; the message comes from the route.
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
