"""The history of a stack before a request: lines that are converted to stack events.

A line is ``who STATUS [declaration]``. ``stack`` is the stack itself, ``ours`` the resource under
test, ``bucket`` another resource, ``below`` a stack nested in this one. ``request`` is the time
when CloudFormation sent the request; without that line it was sent at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from loopback.cloudformation import STACK_TYPE, Event, Stack
from loopback.delivery import as_delivered
from loopback.world import DAY_SECONDS, LOGICAL_ID, RESOURCE_TYPE

Lines = tuple[str, ...]
Declared = Mapping[str, Any]

REQUEST = "request"
LATENCY_SECONDS = 0.4
"""Seconds between the last event and the request."""

AFTERWARDS_SECONDS = 300.0
"""Seconds between the events after a request that is delivered late."""


def status_of(lines: Lines) -> str:
    """The stack's status at the end of it."""
    return [line.split()[1] for line in lines if line.startswith("stack ")][-1]


def tell(
    stack: Stack,
    lines: Lines,
    declared: Mapping[str, Declared],
    *,
    now: float,
    physical_id: str,
    step: float,
) -> float:
    """Add these events to a stack.

    Args:
        declared: The declarations by their names.
        physical_id: The resource's physical id.
        step: Seconds between two events of one operation.

    Returns:
        When the request was sent.
    """
    stack.events.clear()
    at, sent_at, is_after = now, now, REQUEST in lines
    told: list[tuple[float, str]] = []
    later = ""
    for line in reversed(lines):
        if line == REQUEST:
            sent_at, is_after, later = at - 1, False, ""
            at = sent_at
            continue
        at -= _gap(line, later, step, is_after=is_after)
        told.append((at, line))
        later = line
    for moment, line in reversed(told):
        who, status, *names = line.split()
        properties = declared[names[0]] if names else {}
        if who == "stack":
            stack.enter(status, moment)
            continue
        if (who, status) == ("ours", "CREATE_COMPLETE"):
            # "Resource creation Initiated": the id is known only when the request is answered.
            started = _event(moment, who, "CREATE_IN_PROGRESS", properties, physical_id)
            stack.events.append(started)
        known_id = "" if (who, status) == ("ours", "CREATE_IN_PROGRESS") else physical_id
        stack.events.append(_event(moment, who, status, properties, known_id))
    return sent_at


def _gap(line: str, later: str, step: float, *, is_after: bool) -> float:
    """Seconds between a line and the one after it."""
    if is_after:
        return AFTERWARDS_SECONDS
    if not later:
        return LATENCY_SECONDS
    at_rest = line.startswith("stack ") and not line.endswith("IN_PROGRESS")
    goes_on = later.startswith("stack ") and later.endswith("IN_PROGRESS")
    return DAY_SECONDS if at_rest and goes_on else step


def _event(at: float, who: str, status: str, properties: Declared, physical_id: str) -> Event:
    if who == "bucket":
        return Event(at, "Bucket", "a-bucket", "AWS::S3::Bucket", status)
    if who == "below":
        return Event(at, "Below", physical_id, STACK_TYPE, status)
    told = json.dumps(as_delivered(properties)) if properties else ""
    return Event(at, LOGICAL_ID, physical_id, RESOURCE_TYPE, status, told)
