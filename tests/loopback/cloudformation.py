"""CloudFormation: stacks and their resources, and the bucket that a ResponseURL leads to."""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .wire import ACCOUNT, REGION, HttpRequest, HttpResponse, Members, Refused

MAX_RESPONSE_BYTES = 4096
URL_SECONDS = 7200
SIGNATURE = "5160a7u2e"
_REQUIRED = ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId")


@dataclass
class Stack:
    """A stack in some status, with its resources."""

    name: str
    status: str
    resources: list[dict[str, str]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """Its StackId."""
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/0a1b2c3d"

    def add(self, logical_id: str, physical_id: str, kind: str, status: str) -> None:
        """Have a resource."""
        self.resources.append(
            {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical_id,
                "ResourceType": kind,
                "ResourceStatus": status,
                "LastUpdatedTimestamp": "2025-06-15T00:00:00Z",
            }
        )


@dataclass
class Asked:
    """A request CloudFormation has sent and waits for."""

    event: dict[str, Any]
    issued_at: float
    answer: dict[str, Any] | None = None
    answered_at: float = float("inf")


class CloudFormation:
    """Stacks by name, and the requests that were sent."""

    page_size = 100

    def __init__(self, now: Callable[[], float], host: str) -> None:
        self.stacks: dict[str, Stack] = {}
        self.asked: dict[str, Asked] = {}
        self.on_answer: Callable[[Asked], None] = lambda _: None
        self._now = now
        self._host = host

    def describe_stacks(self, request: Members) -> str:
        """The API's operation; its result as XML."""
        stack = self._find(request)
        return (
            f"<Stacks><member><StackId>{stack.arn}</StackId><StackName>{stack.name}</StackName>"
            "<CreationTime>2025-06-15T00:00:00Z</CreationTime>"
            f"<StackStatus>{stack.status}</StackStatus></member></Stacks>"
        )

    def list_stack_resources(self, request: Members) -> str:
        """The API's operation, page by page; its result as XML."""
        resources = self._find(request).resources
        start = int(request.get("NextToken", 0))
        page = resources[start : start + self.page_size]
        members = "".join(
            "<member>"
            + "".join(f"<{name}>{value}</{name}>" for name, value in resource.items())
            + "</member>"
            for resource in page
        )
        end = start + self.page_size
        token = f"<NextToken>{end}</NextToken>" if end < len(resources) else ""
        return f"<StackResourceSummaries>{members}</StackResourceSummaries>{token}"

    def _find(self, request: Members) -> Stack:
        for stack in self.stacks.values():
            if request["StackName"] in (stack.name, stack.arn):
                return stack
        message = f"Stack with id {request['StackName']} does not exist"
        raise Refused("ValidationError", message)

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        """Send a request: the event with its ResponseURL."""
        now = self._now()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        event["ResponseURL"] = (
            f"https://{self._host}/response/{event['RequestId']}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Date={stamp}&X-Amz-Expires={URL_SECONDS}"
            f"&X-Amz-Signature={SIGNATURE}{event['RequestId']}"
        )
        self.asked[event["RequestId"]] = Asked(event, now)
        return event

    def put(self, request: HttpRequest) -> HttpResponse:
        """S3 takes the answer; CloudFormation reads the first one that it can read."""
        parts = urlsplit(request.target)
        query = parse_qs(parts.query)
        asked = self.asked.get(parts.path.rpartition("/")[2])
        if asked is None or request.headers.get("content-type", "") != "":
            return HttpResponse(403, b"<Code>SignatureDoesNotMatch</Code>")
        signed = calendar.timegm(time.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ"))
        if self._now() > signed + int(query["X-Amz-Expires"][0]):
            return HttpResponse(403, b"<Code>AccessDenied</Code><Message>expired</Message>")
        answer = readable(request.body, asked.event)
        if asked.answer is None and answer is not None:
            asked.answer, asked.answered_at = answer, self._now()
            self.on_answer(asked)
        return HttpResponse(200)


def readable(body: bytes, event: Members) -> dict[str, Any] | None:
    """The answer, None where CloudFormation would ignore it and wait on."""
    if len(body) > MAX_RESPONSE_BYTES:
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("Status") not in ("SUCCESS", "FAILED"):
        return None
    if any(not isinstance(answer.get(name), str) or not answer[name] for name in _REQUIRED):
        return None
    same = all(
        answer[name] == event[name] for name in ("StackId", "RequestId", "LogicalResourceId")
    )
    return answer if same else None
