"""The fast transport: real boto3 clients and urllib3, intercepted before any bytes are sent.

botocore serialises, retries and parses; the model answers instead of the network (``before-send``).
Serialised requests and parsed answers are cached: botocore does most of a history's computing, and
the same few calls come thousands of times. Calls with a pending fault, and errors that may be
retried, are never cached. The PUT is intercepted at urllib3's ``urlopen``, stock crhelper's at
``HTTPSConnection``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.retries.quota
import urllib3
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from .aws import Aws, TimedOut, Unreachable
from .wire import HttpRequest, HttpResponse, Members

_UNSIGNED = Config(signature_version=UNSIGNED, user_agent="loopback")
_PLAIN = Config()


_MOST_REMEMBERED = 20_000
_FINAL = (
    "ConflictException",
    "ResourceConflictException",
    "ResourceNotFound",
    "ResourceNotFoundException",
)
"""Errors that no retry mode retries: every client handles them in the same way."""


_Parsed = tuple[type[ClientError] | None, str, Any]


class _Raw:
    """A response body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


class Clients:
    """Real boto3 clients, created once per process; the world that answers them is set each time.

    Attributes:
        remembers: Whether to use cached calls.
    """

    def __init__(self) -> None:
        self.aws: Aws | None = None
        self.remembers = True
        self._made: dict[tuple[str, str], Any] = {}
        self._quotas: list[botocore.retries.quota.RetryQuota] = []
        self._client = boto3.client
        self._serialised: dict[str, HttpRequest] = {}
        self._parsed: dict[tuple[str, bytes], _Parsed] = {}
        self._ready: HttpResponse | TimedOut | Unreachable | None = None
        self._sent: tuple[HttpRequest, HttpResponse] | None = None

    def client(self, service: str, config: Config | None = None, **_: object) -> Any:
        """Replaces ``boto3.client``."""
        options = vars(config)["_user_provided_options"] if config else {}
        key = (service, repr(options))
        if key not in self._made:
            self._made[key] = self._make(service, config)
        return self._made[key]

    def refill(self) -> None:
        """Restore the retry quota of every client for a new world."""
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
        client._make_api_call = self._remembering(client._make_api_call)
        return client

    def _remembering(self, call: Callable[[str, Members], Any]) -> Callable[[str, Members], Any]:
        """Make a call like botocore, but use what is cached."""

        def make_api_call(operation: str, members: Members) -> Any:
            assert self.aws is not None
            if not self.remembers or self.aws.is_to_fail(operation):
                return call(operation, members)
            told = f"{operation} {members!r}"
            request = self._serialised.get(told)
            self._ready = self._sent = None
            if request is not None:
                self._ready = answer = self._respond(request)
                if isinstance(answer, HttpResponse) and (operation, answer.body) in self._parsed:
                    self._ready = None
                    return _again(*self._parsed[operation, answer.body])
            try:
                result = call(operation, members)
            except ClientError as error:
                if error.response["Error"]["Code"] in _FINAL:
                    self._remember(operation, told, type(error), error.response)
                raise
            self._remember(operation, told, None, result)
            return result

        return make_api_call

    def _remember(
        self, operation: str, told: str, error: type[ClientError] | None, response: object
    ) -> None:
        assert self._sent is not None
        request, answer = self._sent
        if len(self._parsed) >= _MOST_REMEMBERED:
            self._parsed.clear()
            self._serialised.clear()
        self._serialised[told] = request
        self._parsed[operation, answer.body] = error, operation, response

    def _send(self, request: AWSRequest, **_: object) -> AWSResponse:
        url, body = str(request.url), request.body or b""
        parts = urlsplit(url)
        asked = HttpRequest(
            str(request.method),
            parts.path + (f"?{parts.query}" if parts.query else ""),
            {name.lower(): _text(value) for name, value in request.headers.items()},
            body.encode() if isinstance(body, str) else bytes(body),
        )
        answer = self._ready or self._respond(asked)
        self._ready = None
        if isinstance(answer, TimedOut):
            raise ReadTimeoutError(endpoint_url=url)
        if isinstance(answer, Unreachable):
            raise EndpointConnectionError(endpoint_url=url)
        self._sent = asked, answer
        headers: Any = HeadersDict(answer.headers)
        return AWSResponse(url, answer.status, headers, _Raw(answer.body))

    def _respond(self, request: HttpRequest) -> HttpResponse | TimedOut | Unreachable:
        assert self.aws is not None
        try:
            return self.aws.respond(request)
        except (TimedOut, Unreachable) as failure:
            return failure


def _again(error: type[ClientError] | None, operation: str, response: Any) -> Any:
    """The result of a call, shared: no caller of AWS modifies an answer."""
    if error is not None:
        raise error(response, operation)
    return response


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


CLIENTS = Clients()


@contextmanager
def in_process(aws: Aws) -> Iterator[None]:
    """Connects boto3, urllib3 and http.client to a world."""

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

    around, CLIENTS.aws = CLIENTS.aws, aws
    CLIENTS.refill()
    with (
        mock.patch.object(boto3, "client", CLIENTS.client),
        mock.patch.object(urllib3.connectionpool.HTTPConnectionPool, "urlopen", urlopen),
        mock.patch("http.client.HTTPSConnection", Connection),
    ):
        try:
            yield
        finally:
            CLIENTS.aws = around


def _answer(aws: Aws, request: HttpRequest) -> HttpResponse:
    try:
        return aws.respond(request)
    except TimedOut:
        pool = urllib3.HTTPSConnectionPool("loopback")
        raise urllib3.exceptions.ReadTimeoutError(pool, request.target, "timed out") from None
    except Unreachable:
        raise urllib3.exceptions.ProtocolError("Connection aborted.") from None
