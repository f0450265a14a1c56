"""Lambda: the function's policy, its containers, and its asynchronous invocations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from local_aws import limits

from .clock import Clock, Killed, Task
from .journal import INVOCATION, Entry, Journal
from .wire import FUNCTION, FUNCTION_ARN, HttpRequest, HttpResponse, Refused

MAX_STATEMENT_ID = 100
RETRY_AFTER_SECONDS = tuple(60.0 * minutes for minutes in limits.ASYNC_RETRY_MINUTES)
LONGEST_BACK_OFF_SECONDS = 300.0
MAX_EVENT_AGE_SECONDS = 3600.0
"""As the template sets it; Lambda allows six hours."""

_STATEMENT_BYTES = 330
"""Characters of such a statement in Lambda's JSON, besides its id and source ARN."""

Handler = Callable[[dict[str, Any], Any], object]


@dataclass
class Context:
    """The context that Lambda passes to the handler."""

    clock: Clock
    limit: float
    aws_request_id: str
    function_name: str = FUNCTION
    invoked_function_arn: str = FUNCTION_ARN
    memory_limit_in_mb: str = "256"

    def get_remaining_time_in_millis(self) -> int:
        """Virtual milliseconds until the invocation is killed."""
        return max(0, int((self.limit - self.clock.now) * 1000))


@dataclass
class Running:
    """An invocation in progress."""

    number: int
    task: Task
    event: dict[str, Any]
    attempt: int
    sent_at: float


@dataclass
class Function:
    """The provider function.

    Attributes:
        load: Creates a cold container: the handler with fresh state.
        limit: Seconds an invocation may take.
        executions: How many invocations the account may run at the same time. What Lambda cannot
            start then, it tries again later.
        max_event_age: Seconds after which Lambda drops an event that it could not start.
        throttles: How often an invocation could not start.
        dropped: Events that were too old.
        is_deleted: Lambda drops invocations of a function that does not exist.
        permitted_rules: What the names of the rules begin with that the template's permission
            names; empty without such a permission.
        told: What each invocation was invoked with, by number.
        began: When each invocation began, by number.
    """

    clock: Clock
    journal: Journal
    load: Callable[[], Handler]
    limit: float = 900.0
    executions: float = float("inf")
    max_event_age: float = MAX_EVENT_AGE_SECONDS
    throttles: int = 0
    dropped: int = 0
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    limits_broken: list[str] = field(default_factory=list)
    running: dict[int, Running] = field(default_factory=dict)
    cold_starts: int = 0
    invocations: int = 0
    kills_at_limit: int = 0
    is_deleted: bool = False
    permitted_rules: str = "stop-ie-"
    told: dict[int, dict[str, Any]] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    _idle: list[Handler] = field(default_factory=list)

    def add_permission(self, request: HttpRequest) -> HttpResponse:
        """The API's operation."""
        members = json.loads(request.body)
        sid = members["StatementId"]
        if not 0 < len(sid) <= MAX_STATEMENT_ID:
            self._broken("ValidationException", f"StatementId of {len(sid)} characters")
        if sid in self.statements:
            message = f"The statement id ({sid}) provided already exists."
            raise Refused("ResourceConflictException", message, 409)
        size = sum(_size(statement) for statement in [*self.statements.values(), members])
        if size > limits.MAX_POLICY_BYTES:
            self._broken("PolicyLengthExceededException", f"a policy of {size} bytes")
        self.statements[sid] = members
        return HttpResponse(201, json.dumps({"Statement": "{}"}).encode())

    def remove_permission(self, request: HttpRequest) -> HttpResponse:
        """The API's operation."""
        sid = unquote(urlsplit(request.target).path.rpartition("/")[2])
        if sid not in self.statements:
            raise Refused("ResourceNotFoundException", f"Statement {sid} is not found", 404)
        del self.statements[sid]
        return HttpResponse(204)

    def invoke_from(self, rule_arn: str, event: dict[str, Any]) -> None:
        """EventBridge invokes the function, if its policy permits this rule."""
        name = rule_arn.rpartition("/")[2]
        if (self.permitted_rules and name.startswith(self.permitted_rules)) or any(
            statement["SourceArn"] == rule_arn and statement["Principal"] == "events.amazonaws.com"
            for statement in self.statements.values()
        ):
            self.invoke(event)

    def invoke(self, event: dict[str, Any]) -> None:
        """Invoke asynchronously: an invocation that raises or is killed is retried twice."""
        self._start(event, 0, self.clock.now)

    def _start(
        self, event: dict[str, Any], attempt: int, sent_at: float, back_off: float = 1.0
    ) -> None:
        """Start an invocation, or try again later.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        now = self.clock.now
        if self.is_deleted:
            return
        if now > sent_at + self.max_event_age:
            self.dropped += 1
            return
        if len(self.running) >= self.executions:
            self.throttles += 1
            longer = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)
            self.clock.call_at(now + back_off, lambda: self._start(event, attempt, sent_at, longer))
            return
        self.invocations += 1
        number = self.invocations
        self.told[number] = event
        self.began[number] = now
        limit = now + self.limit
        payload = json.loads(json.dumps(event))
        task = self.clock.spawn(lambda: self._run(number, payload, limit), limit=limit)
        self.running[number] = Running(number, task, event, attempt, sent_at)

    def delete(self) -> None:
        """Delete the function and its policy; what runs goes on."""
        self.is_deleted = True
        self.statements.clear()
        self.permitted_rules = ""
        self._idle.clear()

    def create(self) -> None:
        """Create the function and the template's permission anew."""
        self.is_deleted = False
        self.permitted_rules = "stop-ie-"

    def freeze_out(self) -> bool:
        """Remove every idle container; whether there was one."""
        had = bool(self._idle)
        self._idle.clear()
        return had

    def current(self) -> int:
        """The number of the running invocation, 0 for none."""
        task = self.clock.current
        return next((run.number for run in self.running.values() if run.task is task), 0)

    def _run(self, number: int, event: dict[str, Any], limit: float) -> None:
        outcome = "returned"
        handler = self._idle.pop() if self._idle else self._cold_start()
        try:
            handler(event, Context(self.clock, limit, f"invocation-{number}"))
            self._idle.append(handler)
        except Killed:
            outcome = "killed"
            self.kills_at_limit += self.clock.now >= limit
        except Exception as error:  # noqa: BLE001 - Lambda's runtime catches everything
            outcome = f"raised {type(error).__name__}: {error}"
            self._idle.append(handler)
        run = self.running.pop(number)
        self.journal.append(Entry(self.clock.now, INVOCATION, outcome, number))
        if outcome != "returned" and run.attempt < len(RETRY_AFTER_SECONDS):
            again = self.clock.now + RETRY_AFTER_SECONDS[run.attempt]
            self.clock.call_at(again, lambda: self._start(run.event, run.attempt + 1, run.sent_at))

    def _cold_start(self) -> Handler:
        self.cold_starts += 1
        return self.load()

    def _broken(self, code: str, what: str) -> None:
        self.limits_broken.append(what)
        raise Refused(code, what)


def _size(statement: dict[str, Any]) -> int:
    return _STATEMENT_BYTES + len(statement["StatementId"]) + len(statement["SourceArn"])
