"""HTTP as the model sees it, with either transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

REGION = "eu-west-1"
ACCOUNT = "123456789012"
FUNCTION = "stop-inference-experiment"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"

Members = Mapping[str, Any]


@dataclass(frozen=True)
class HttpRequest:
    """``target`` is the path with its query, ``timeout`` the socket's, if known."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float | None = None


@dataclass(frozen=True)
class HttpResponse:
    """What the client parses."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A service says no, in its own error code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def json_answer(members: Members) -> HttpResponse:
    """For the JSON protocols."""
    return HttpResponse(
        200, json.dumps(members).encode(), {"content-type": "application/x-amz-json-1.1"}
    )


def json_error(error: Refused) -> HttpResponse:
    """For the JSON protocols; REST-JSON reads the code from the header."""
    body = json.dumps({"__type": error.code, "message": str(error), "Message": str(error)})
    return HttpResponse(error.status, body.encode(), {"x-amzn-errortype": error.code})


def xml_answer(operation: str, result: str) -> HttpResponse:
    """For the query protocol."""
    body = (
        f'<{operation}Response xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
        f"<{operation}Result>{result}</{operation}Result>"
        f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    )
    return HttpResponse(200, body.encode(), {"content-type": "text/xml"})


def xml_error(error: Refused) -> HttpResponse:
    """For the query protocol."""
    body = (
        '<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error>'
        f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
        "</Error><RequestId>r</RequestId></ErrorResponse>"
    )
    return HttpResponse(error.status, body.encode(), {"content-type": "text/xml"})
