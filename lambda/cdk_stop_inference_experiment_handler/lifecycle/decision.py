"""What to do next about a request, and the rows of the tables that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ..contract.request import RequestType
from .situation import Kind, Needs, NotReadable, Situation
from .stop_request import Wanted

IAM_PROPAGATION_SECONDS = 60.0
"""AccessDenied is retried for this long after the request: IAM may not know a new policy."""


class Row(str, Enum):
    """A row of a table in docs/concepts/lifecycle.md; the log's field ``row`` has its value."""

    CREATE_UNDONE = "create_undone"
    CREATE_END_NOW = "create_end_now"
    CREATE_ENDS = "create_ends"
    CREATE_ARMS = "create_arms"
    UPDATE_UNDONE = "update_undone"
    UPDATE_RENAMED = "update_renamed"
    UPDATE_END_NOW = "update_end_now"
    UPDATE_CHANGED = "update_changed"
    UPDATE_CHANGED_NOT_IN_STOP_ON = "update_changed_not_in_stop_on"
    UPDATE_UNCHANGED = "update_unchanged"
    DELETE_NOT_HELD = "delete_not_held"
    DELETE_UNDONE = "delete_undone"
    DELETE_NOT_IN_STOP_ON = "delete_not_in_stop_on"
    DELETE_HELD_ELSEWHERE = "delete_held_elsewhere"
    DELETE_HOLDERS_UNKNOWN = "delete_holders_unknown"
    DELETE_ENDS = "delete_ends"

    CLOSED = "closed"
    OVERTAKEN = "overtaken"
    DOOMED = "doomed"
    UNCLEAR = "unclear"
    NOT_READABLE = "not_readable"
    DECLARATION_INVALID = "declaration_invalid"

    ABSENT = "absent"
    ENDED_UNSETTLED = "ended_unsettled"
    ENDED_AS_NEW = "ended_as_new"
    ENDED_AS_OLD = "ended_as_old"
    ENDED_OTHERWISE = "ended_otherwise"
    ENDED_OTHERWISE_PROMOTE = "ended_otherwise_promote"
    STOPPING = "stopping"
    VARIANTS_MISMATCH = "variants_mismatch"
    NOT_A_PAIR = "not_a_pair"
    CREATED_REFUSED = "created_refused"
    STATUS_UNKNOWN = "status_unknown"
    INSTANCES_UNKNOWN = "instances_unknown"
    STOPPABLE = "stoppable"
    AWS_REFUSED = "aws_refused"

    INSTANCES_DIFFER = "instances_differ"
    GATE_OPEN = "gate_open"
    GATE_INCONCLUSIVE = "gate_inconclusive"
    GATE_ERROR = "gate_error"
    GATE_FAILED = "gate_failed"

    END_GONE = "end_gone"
    END_AWAITED = "end_awaited"
    END_UNSETTLED = "end_unsettled"
    END_CANCELLED = "end_cancelled"
    END_ENDPOINT_FAILED = "end_endpoint_failed"
    END_CONTRADICTED = "end_contradicted"
    END_AS_DECLARED = "end_as_declared"
    DEADLINE = "deadline"
    NO_RULE = "no_rule"


class Verb(Enum):
    """What to do."""

    PREPARE = "read what a Stop needs besides, and look again"
    STOP = "stop"
    WAIT = "wait"
    SUCCEED = "succeed"
    FAIL = "fail"
    LEAVE = "leave without an answer"


@dataclass(frozen=True)
class Decision:
    """What to do and why.

    Attributes:
        order: The row of table 1 that led here, if that is another one.
        warn: Log it as a warning, even if the request succeeds.
        in_doubt: The look could not tell; that counts towards the minute of doubt.
        stays: Look again soon, within the same invocation.
        needs: With PREPARE, what to read.
        stop: With STOP, what to send; with WAIT, the end that is under way and is the request's.
        evidence: The report of a new verdict, to be remembered.
        is_unmeasured: The evidence could not be read; that counts towards its patience.
    """

    verb: Verb
    row: Row
    why: str = ""
    warn: bool = False
    order: Row | None = None
    in_doubt: bool = False
    stays: bool = False
    needs: Needs | None = None
    stop: Wanted | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    is_unmeasured: bool = False


def succeed(row: Row, why: str, *, warn: bool = False) -> Decision:
    """Answer SUCCESS."""
    return Decision(Verb.SUCCEED, row, why, warn)


def fail(row: Row, why: str) -> Decision:
    """Answer FAILED."""
    return Decision(Verb.FAIL, row, why, warn=True)


def wait(row: Row, why: str) -> Decision:
    """Look again after a pause."""
    return Decision(Verb.WAIT, row, why)


def can_retry(unread: NotReadable, s: Situation) -> bool:
    """Whether another attempt at a failed call can help: for a while, IAM may not know a policy."""
    is_young = s.now < s.issued_at + IAM_PROPAGATION_SECONDS
    return unread.kind is Kind.TRANSIENT or (unread.kind is Kind.DENIED and is_young)


def doubt(s: Situation, row: Row, why: str, kind: Kind | None = None) -> Decision:
    """Look again; in the end nothing is stopped, and only a teardown succeeds.

    A look that was throttled or unfinished says nothing, however often that happens; any other
    doubt ends after a minute. SUCCESS would be as final as a Stop: CloudFormation would take the
    order for carried out.
    """
    if kind in (Kind.TRANSIENT, Kind.UNFINISHED) and not s.is_past_deadline:
        return replace(wait(row, why), stays=kind is Kind.UNFINISHED)
    if not s.is_past_doubt:
        return replace(wait(row, why), in_doubt=True, stays=True)
    if s.request.type is RequestType.DELETE:
        return succeed(row, why, warn=True)
    return fail(row, why)
