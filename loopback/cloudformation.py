"""CloudFormation: stacks and their resources, and the bucket behind a ResponseURL."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from local_aws import limits

from .delivery import as_delivered
from .wire import ACCOUNT, REGION, HttpRequest, HttpResponse, Members, Refused

MAX_RESPONSE_BYTES = limits.MAX_RESPONSE_BYTES
URL_SECONDS = 7200
SIGNATURE = "5160a7u2e"
STACK_TYPE = "AWS::CloudFormation::Stack"
_REQUIRED = ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId")


@dataclass(frozen=True)
class Event:
    """One event of a stack, as CloudFormation recorded it."""

    at: float
    logical_id: str
    physical_id: str
    kind: str
    status: str
    properties: str = ""
    reason: str = ""
    detailed: str = ""

    @functools.lru_cache(maxsize=10_000)  # noqa: B019 - small, and the same in thousands of worlds
    def xml(self, stack_name: str, stack_arn: str, number: int) -> str:
        """One event in the answer of DescribeStackEvents."""
        stamp = timestamp(self.at)
        is_own = self.physical_id == stack_arn
        told = {
            "StackId": stack_arn,
            "EventId": f"{number:08x}" if is_own else f"{self.logical_id}-{self.status}-{stamp}",
            "StackName": stack_name,
            "LogicalResourceId": self.logical_id,
            "PhysicalResourceId": self.physical_id,
            "ResourceType": self.kind,
            "Timestamp": stamp,
            "ResourceStatus": self.status,
            "DetailedStatus": self.detailed,
            "ResourceStatusReason": escape(self.reason),
            "ResourceProperties": escape(self.properties),
        }
        return f"<member>{_elements(told)}</member>"


class Stack:
    """A stack in some status, with its resources and events.

    Setting its status also adds an event of the stack, as in CloudFormation.

    Attributes:
        parent: The stack that this one is nested in.
        events: Oldest first.
        event_lag: Seconds until an event is visible: AWS is eventually consistent.
        last_updated: Set by updates, and by a creation with a change set.
        unique: The part of its StackId that tells it from others of its name.
    """

    def __init__(self, name: str, now: Callable[[], float], parent: Stack | None = None) -> None:
        self.name = name
        self.unique = "0a1b2c3d"
        self.parent = parent
        self.resources: list[dict[str, str]] = []
        self.events: list[Event] = []
        self.event_lag = 2.0
        self.last_updated = 0.0
        self._status = ""
        self._now = now

    @property
    def arn(self) -> str:
        """Its StackId."""
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/{self.unique}"

    @property
    def status(self) -> str:
        """Its real status."""
        return self._status

    @status.setter
    def status(self, status: str) -> None:
        self.enter(status, self._now())

    @property
    def root(self) -> Stack:
        """The root stack."""
        return self if self.parent is None else self.parent.root

    def enter(self, status: str, at: float) -> None:
        """Set the status from a time on."""
        self._status = status
        self.events.append(Event(at, self.name, self.arn, STACK_TYPE, status))

    def add(self, logical_id: str, physical_id: str, kind: str, status: str) -> None:
        """Add a resource."""
        self.resources.append(
            {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical_id,
                "ResourceType": kind,
                "ResourceStatus": status,
                "LastUpdatedTimestamp": "2025-06-15T00:00:00Z",
            }
        )

    def xml(self) -> str:
        """The stack in the answer of DescribeStacks."""
        told = {
            "StackId": self.arn,
            "StackName": self.name,
            "CreationTime": "2025-06-01T00:00:00Z",
            "LastUpdatedTime": timestamp(self.last_updated) if self.last_updated else "",
            "StackStatus": self._status,
            "ParentId": self.parent.arn if self.parent else "",
            "RootId": self.root.arn if self.parent else "",
        }
        return f"<member>{_elements(told)}</member>"

    def shown(self) -> int:
        """How many of the events are visible now."""
        count = len(self.events)
        while count and self.events[count - 1].at + self.event_lag > self._now():
            count -= 1
        return count


@dataclass
class Asked:
    """A request that CloudFormation has sent and waits for.

    Attributes:
        issued_at: The date in its ResponseURL, in whole seconds.
        is_abandoned: CloudFormation has moved on and ignores any answer.
    """

    event: dict[str, Any]
    issued_at: float
    is_abandoned: bool = False
    answer: dict[str, Any] | None = None
    answered_at: float = float("inf")


class CloudFormation:
    """Stacks by name, and the requests that were sent."""

    page_size = 100
    event_page_size = 100
    records_answers = True
    """Whether an answer adds an event; off where an engine writes a stack's events itself."""

    def __init__(self, now: Callable[[], float], host: str) -> None:
        self.stacks: dict[str, Stack] = {}
        self.asked: dict[str, Asked] = {}
        self.on_answer: Callable[[Asked], None] = lambda _: None
        self._now = now
        self._host = host

    def new_stack(self, name: str, parent: Stack | None = None) -> Stack:
        """Add a stack without any event yet."""
        stack = self.stacks[name] = Stack(name, self._now, parent)
        return stack

    def describe_stacks(self, request: Members) -> str:
        """The API's operation; its result as XML."""
        return f"<Stacks>{self._find(request).xml()}</Stacks>"

    def describe_stack_events(self, request: Members) -> str:
        """The API's operation, newest first, page by page; its result as XML.

        The token is the event to continue from, so that new events do not shift a page.
        """
        stack = self._find(request)
        end = int(request["NextToken"]) if "NextToken" in request else stack.shown()
        start = max(0, end - self.event_page_size)
        members = "".join(
            stack.events[number].xml(stack.name, stack.arn, number)
            for number in range(end - 1, start - 1, -1)
        )
        token = f"<NextToken>{start}</NextToken>" if start else ""
        return f"<StackEvents>{members}</StackEvents>{token}"

    def list_stack_resources(self, request: Members) -> str:
        """The API's operation, page by page; its result as XML."""
        resources = self._find(request).resources
        start = int(request.get("NextToken", 0))
        page = resources[start : start + self.page_size]
        members = "".join(f"<member>{_elements(resource)}</member>" for resource in page)
        end = start + self.page_size
        token = f"<NextToken>{end}</NextToken>" if end < len(resources) else ""
        return f"<StackResourceSummaries>{members}</StackResourceSummaries>{token}"

    def is_ancestor(self, request: Members) -> bool:
        """Whether a request names a stack with another one nested in it."""
        above = {stack.parent.arn for stack in self.stacks.values() if stack.parent}
        return request["StackName"] in above

    def _find(self, request: Members) -> Stack:
        for stack in self.stacks.values():
            if request["StackName"] in (stack.name, stack.arn):
                return stack
        message = f"Stack with id {request['StackName']} does not exist"
        raise Refused("ValidationError", message)

    def ask(self, event: dict[str, Any], at: float | None = None) -> dict[str, Any]:
        """Send a request, now or at an earlier time: the event with its ResponseURL."""
        issued_at = math.floor(self._now() if at is None else at)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(issued_at))
        event["ResponseURL"] = (
            f"https://{self._host}/response/{event['RequestId']}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Date={stamp}&X-Amz-Expires={URL_SECONDS}"
            f"&X-Amz-Signature={SIGNATURE}{event['RequestId']}"
        )
        self.asked[event["RequestId"]] = Asked(event, issued_at)
        return event

    def put(self, request: HttpRequest) -> HttpResponse:
        """S3 accepts the answer; CloudFormation uses the first valid one."""
        parts = urlsplit(request.target)
        asked = self.asked.get(parts.path.rpartition("/")[2])
        if asked is None or request.headers.get("content-type", "") != "":
            return HttpResponse(403, b"<Code>SignatureDoesNotMatch</Code>")
        if self._now() > asked.issued_at + URL_SECONDS:
            return HttpResponse(403, b"<Code>AccessDenied</Code><Message>expired</Message>")
        answer = readable(request.body, asked.event)
        if asked.answer is None and answer is not None:
            asked.answer, asked.answered_at = answer, self._now()
            if not asked.is_abandoned:
                if self.records_answers:
                    self._record(asked)
                self.on_answer(asked)
        return HttpResponse(200)

    def _record(self, asked: Asked) -> None:
        """Add the outcome of the request to the stack's events."""
        assert asked.answer is not None
        outcome = "COMPLETE" if asked.answer["Status"] == "SUCCESS" else "FAILED"
        self.record(asked.event, asked.answer["PhysicalResourceId"], outcome, self._now())

    def record(
        self, event: Members, physical_id: str, outcome: str, at: float, reason: str = ""
    ) -> None:
        """Add an event of the request's resource."""
        stack = self._find({"StackName": event["StackId"]})
        stack.events.append(
            Event(
                at,
                event["LogicalResourceId"],
                physical_id,
                event["ResourceType"],
                f"{event['RequestType'].upper()}_{outcome}",
                json.dumps(as_delivered(event["ResourceProperties"])),
                reason,
            )
        )


def readable(body: bytes, event: Members) -> dict[str, Any] | None:
    """The answer; None if CloudFormation would ignore it and keep waiting."""
    try:
        answer = limits.parsed_answer(body, event)
    except limits.AnswerError:
        return None
    if any(not isinstance(answer.get(name), str) or not answer[name] for name in _REQUIRED):
        return None
    return answer


def timestamp(at: float) -> str:
    """A time as CloudFormation writes it, in milliseconds."""
    whole = math.floor(at)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{stamp}.{int((at - whole) * 1000):03}Z"


def _elements(members: Members) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in members.items() if value)
