"""The fast transport: real boto3 clients and urllib3, cut where the bytes would leave.

botocore serialises, retries and parses; only its sending is answered by the model
(``before-send``). The PUT is cut at urllib3's ``urlopen``, stock crhelper's at ``HTTPSConnection``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.retries.quota
import urllib3
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from .aws import Aws, TimedOut, Unreachable
from .wire import HttpRequest, HttpResponse

_UNSIGNED = Config(signature_version=UNSIGNED, user_agent="loopback")
_PLAIN = Config()


class _Raw:
    """A response body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


class Clients:
    """Real boto3 clients, made once a process; which world answers them is set for each."""

    def __init__(self) -> None:
        self.aws: Aws | None = None
        self._made: dict[tuple[str, int], Any] = {}
        self._quotas: list[botocore.retries.quota.RetryQuota] = []
        self._client = boto3.client

    def client(self, service: str, config: Config | None = None, **_: object) -> Any:
        """In place of ``boto3.client``."""
        key = (service, id(config))
        if key not in self._made:
            self._made[key] = self._make(service, config)
        return self._made[key]

    def refill(self) -> None:
        """Give every client its retry quota back, as a new world finds it."""
        for quota in self._quotas:
            vars(quota)["_available_capacity"] = quota.INITIAL_CAPACITY

    def _make(self, service: str, config: Config | None) -> Any:
        quotas = self._quotas

        class Remembered(botocore.retries.quota.RetryQuota):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                quotas.append(self)

        with mock.patch.object(botocore.retries.quota, "RetryQuota", Remembered):
            client: Any = self._client(
                service,  # type: ignore[call-overload]
                config=(config or _PLAIN).merge(_UNSIGNED),
                region_name="eu-west-1",
            )
        client.meta.events.register("before-send.*", self._send)
        return client

    def _send(self, request: AWSRequest, **_: object) -> AWSResponse:
        assert self.aws is not None
        url, body = str(request.url), request.body or b""
        parts = urlsplit(url)
        asked = HttpRequest(
            str(request.method),
            parts.path + (f"?{parts.query}" if parts.query else ""),
            {name.lower(): _text(value) for name, value in request.headers.items()},
            body.encode() if isinstance(body, str) else bytes(body),
        )
        try:
            answer = self.aws.respond(asked)
        except TimedOut:
            raise ReadTimeoutError(endpoint_url=url) from None
        except Unreachable:
            raise EndpointConnectionError(endpoint_url=url) from None
        headers: Any = urllib3.HTTPHeaderDict(answer.headers)
        return AWSResponse(url, answer.status, headers, _Raw(answer.body))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


CLIENTS = Clients()


@contextmanager
def in_process(aws: Aws) -> Iterator[None]:
    """Connect boto3, urllib3 and http.client to a world."""

    def urlopen(
        pool: urllib3.HTTPConnectionPool,
        method: str,
        url: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        **_: object,
    ) -> urllib3.HTTPResponse:
        patience = pool.timeout.read_timeout
        timeout = patience if isinstance(patience, int | float) else None
        answer = _answer(aws, HttpRequest(method, url, dict(headers or {}), body, timeout))
        return urllib3.HTTPResponse(answer.body, status=answer.status, preload_content=False)

    class Connection:
        """Stock crhelper's connection."""

        def __init__(self, host: str, context: object = None) -> None:
            self._answer = HttpResponse(0)

        def request(self, method: str, url: str, body: str, headers: dict[str, str]) -> None:
            self._answer = _answer(aws, HttpRequest(method, url, headers, body.encode()))

        def getresponse(self) -> Any:
            return mock.Mock(status=self._answer.status, reason=str(self._answer.status))

    CLIENTS.aws = aws
    CLIENTS.refill()
    with (
        mock.patch.object(boto3, "client", CLIENTS.client),
        mock.patch.object(urllib3.connectionpool.HTTPConnectionPool, "urlopen", urlopen),
        mock.patch("http.client.HTTPSConnection", Connection),
    ):
        yield


def _answer(aws: Aws, request: HttpRequest) -> HttpResponse:
    try:
        return aws.respond(request)
    except TimedOut:
        pool = urllib3.HTTPSConnectionPool("loopback")
        raise urllib3.exceptions.ReadTimeoutError(pool, request.target, "timed out") from None
    except Unreachable:
        raise urllib3.exceptions.ProtocolError("Connection aborted.") from None
