"""crhelper's custom resource, with its known problems fixed from outside.

crhelper stays the framework. This subclass overrides what could hang a stack, report a wrong
result or leave resources behind; a test shows each problem with stock crhelper.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from crhelper import FAILED, CfnResource

from ..contract.request import RequestType, issued_at, malformation
from ..contract.wire import MAX_SERVICE_TIMEOUT, RULE_PREFIX, RULE_PREFIX_VARIABLE
from .answer import NotDelivered, send
from .aws import client
from .errors import CALL_FAILED, error_of
from .polling import (
    ENDPOINT,
    PROGRESS,
    SCHEDULE,
    Event,
    event_pattern,
    input_transformer,
    unpack,
)
from .waiting import FIRST_PAUSE_SECONDS, RESERVED_SECONDS

logger = logging.getLogger(__name__)

MAX_RULE_NAME = 64
CLEAN_UP_SECONDS = 120
"""How long a clean-up that fails is retried."""

ANSWER_SECONDS = 70
"""How long an invocation whose rule fires again tries to answer."""

REDELIVERY_SECONDS = 55
"""A delivery this long after the request is a retry: Lambda's first one comes after a minute.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

_DIGEST_LENGTH = 16
_ATTEMPTS = 3
"""How often the SDK tries a call that makes or removes the rule."""
_CRHELPER_KEYS = ("CrHelperData", "CrHelperPoll", "CrHelperRule", "CrHelperPermission")
_ALREADY_GONE = frozenset({"ResourceNotFoundException"})


class HandOverFailed(Exception):
    """The polling rule could not be created."""


class RetryDelivery(BaseException):
    """This delivery ends without an answer; the polling rule or Lambda's retry continues.

    Not an Exception: crhelper answers FAILED to those.
    """


class AlreadyAnswered(BaseException):
    """CloudFormation has its answer: this delivery ends, and removes the rule."""


class Resource(CfnResource):
    """A ``CfnResource`` that gives every well-formed request one correct answer and cleans up."""

    def __init__(self) -> None:
        # DEBUG would log the signed ResponseURL; a delete would sleep for two minutes. The function
        # is configured for Lambda's own JSON lines, which crhelper's formatter would replace.
        with no_clients_yet():
            super().__init__(
                json_logging=False,
                log_level="INFO",
                boto_level="ERROR",
                polling_interval=1,
                sleep_on_delete=0,
            )
        self._sam_local = None
        self._ids = _RequestIds()

    def __call__(self, event: Event, context: Any) -> None:  # noqa: ANN401 - Lambda's context
        """Handle one invocation.

        A malformed event is only logged: in a warm container, crhelper would answer the previous
        request instead.
        """
        why = malformation(event)
        if why is not None:
            logger.error("the event is ignored: %s", why, extra={"decision": "ignore the event"})
            return
        self._ids.attach(event)
        self.PhysicalResourceId = ""
        self._has_answered = self._has_removed_rule = False
        self._may_have_rule = "CrHelperPoll" in event or _may_be_redelivered(event)
        request = dict(unpack(event))
        if request["RequestType"] == RequestType.CREATE.value:
            # There is none yet; crhelper would answer with it.
            request.pop("PhysicalResourceId", None)
        try:
            super().__call__(request, context)
        except AlreadyAnswered:
            self._has_answered = True
        except (RetryDelivery, NotDelivered) as why:
            if not (self._is_poll and self._is_given_up):
                if self._fires_again:
                    return
                raise RuntimeError(str(why)) from None
        if self._has_answered and self._may_have_rule:
            self._clean_up()

    @property
    def seconds_left(self) -> Callable[[], float]:
        """Seconds until Lambda ends this invocation."""
        context = self._context
        return lambda: float(context.get_remaining_time_in_millis()) / 1000

    def hand_over(self, progress: dict[str, object], endpoint_name: str) -> None:
        """Create the polling rule of this request, or update its input and its event pattern.

        Raises:
            HandOverFailed: An AWS call failed; it is safe to call this again.
        """
        self._may_have_rule = True
        was_poll = self._is_poll
        self._event[PROGRESS] = progress
        # A firing that could not describe the experiment keeps the rule's event pattern.
        self._endpoint_name = endpoint_name or self._event.get(ENDPOINT, "")
        self._event[ENDPOINT] = self._endpoint_name
        try:
            self._setup_polling()
        except (*CALL_FAILED, HandOverFailed) as error:
            if not was_poll:
                for key in _CRHELPER_KEYS:
                    self._event.pop(key, None)
            why = error if isinstance(error, HandOverFailed) else error_of(error)
            raise HandOverFailed(str(why)) from error

    @property
    def _is_poll(self) -> bool:
        return "CrHelperPoll" in self._event

    @property
    def _fires_again(self) -> bool:
        """Whether the polling rule continues; otherwise only Lambda's retry does."""
        return self._is_poll and not self._has_removed_rule

    @property
    def _is_given_up(self) -> bool:
        """Whether CloudFormation no longer waits for an answer."""
        started_at = float(self._event[PROGRESS]["started_at"])
        return time.time() - started_at >= MAX_SERVICE_TIMEOUT

    def _poll_enabled(self) -> bool:
        """Poll only for requests that were handed over; crhelper would create a rule for each."""
        return self._is_poll

    def _set_timeout(self) -> None:
        """No timer: crhelper's would answer FAILED half a second before the invocation ends.

        The polling rule or Lambda's retry continues with a request that is still open then.
        """

    def generate_physical_id(self, event: Event) -> str:
        """The id of a failed Create: always the same, and no ARN, so its Delete does nothing."""
        return f"{event['LogicalResourceId']}-not-created-{_digest(event)}"

    def _send(
        self,
        status: str | None = None,
        reason: str = "",
        send_response: Callable[[str, Event, object], object] | None = None,
    ) -> None:
        """Answer with a stable id, by our own PUT."""
        if (status or self.Status) == FAILED:
            own = self._event.get("PhysicalResourceId")
            self.PhysicalResourceId = own or self.generate_physical_id(self._event)
        if self._is_last_answer(status or self.Status):
            self._remove_rule()
        # A rule that fires again answers later; without one, all of this invocation is for it.
        left = self.seconds_left()
        until = time.time() + (min(left, ANSWER_SECONDS) if self._fires_again else left)
        # crhelper cuts a long reason to its last 240 characters.
        full_reason = reason if status else self.Reason
        deliver = send_response or (
            lambda url, body, _verify: send(
                url, {**body, "Reason": full_reason}, lambda: until - time.time()
            )
        )
        self._has_answered = True
        super()._send(status, reason, deliver)

    @cached_property
    def _events(self) -> Any:  # noqa: ANN401
        return client("events", attempts=_ATTEMPTS)

    def _is_last_answer(self, status: str) -> bool:
        """Whether CloudFormation deletes the resource, and perhaps the function, after this answer.

        A repeated delivery may come after the resource has been created again.
        """
        is_delete = self._event["RequestType"] == RequestType.DELETE.value
        is_current = self._is_poll or not _may_be_redelivered(self._event)
        return is_delete and is_current and status != FAILED

    @property
    def _rule_name(self) -> str:
        """One rule for each resource, with a target for each request.

        So a Delete finds what a request has left that CloudFormation cancelled. crhelper's names
        are random.
        """
        prefix = os.environ.get(RULE_PREFIX_VARIABLE, RULE_PREFIX)
        digest = _digest(self._event, "LogicalResourceId")
        return f"{prefix[: MAX_RULE_NAME - _DIGEST_LENGTH]}{digest}"

    @property
    def _target_id(self) -> str:
        """The same for each delivery of a request, and another one for each request.

        CloudFormation can use a RequestId again; it signs each request's ResponseURL anew.
        """
        return _digest(self._event, "RequestId", "RequestType", "ResponseURL")

    def _put_rule(self) -> str:
        pattern = (
            {"EventPattern": event_pattern(self._endpoint_name)} if self._endpoint_name else {}
        )
        answer = self._events.put_rule(
            Name=self._rule_name,
            ScheduleExpression=SCHEDULE,
            State="ENABLED",
            Description=f"Waits for {self._event['LogicalResourceId']}; removes itself",
            **pattern,
        )
        return str(answer["RuleArn"])

    def _add_permission(self, rule_arn: str) -> str:
        """No permission for each rule: the template has one for the rules' prefix."""
        return rule_arn

    def _put_targets(self, func_name: str) -> None:
        _, partition, _, region, account, _ = self._event["CrHelperRule"].split(":", 5)
        function_arn = f"arn:{partition}:lambda:{region}:{account}:function:{func_name}"
        target = {
            "Id": self._target_id,
            "Arn": function_arn,
            "InputTransformer": input_transformer(self._event),
        }
        answer = self._events.put_targets(Rule=self._rule_name, Targets=[target])
        for failure in answer.get("FailedEntries", []):
            why = failure.get("ErrorMessage") or failure.get("ErrorCode") or "not taken"
            raise HandOverFailed(f"PutTargets: {why}")

    def _remove_polling(self) -> None:
        """Do nothing yet; see :meth:`_clean_up`.

        crhelper cleans up before it answers, and a failed clean-up turns the answer into FAILED.
        """

    @property
    def _clean_up_steps(self) -> list[Callable[[], object]]:
        name, own = self._rule_name, [self._target_id]
        return [
            lambda: self._events.remove_targets(Rule=name, Ids=own),
            lambda: self._events.delete_rule(Name=name),
        ]

    def _remove_rule(self) -> None:
        """Remove the rule with every target, once, before the answer that ends the resource.

        The answer lets CloudFormation delete the policies and the function, which could not remove
        it later. It is silent: the clean-up after the answer logs what fails.
        """
        name = self._rule_name
        try:
            targets = self._events.list_targets_by_rule(Rule=name)["Targets"]
            if targets:
                ids = [target["Id"] for target in targets]
                if self._events.remove_targets(Rule=name, Ids=ids).get("FailedEntries"):
                    return
            # Without a target it fires nothing.
            self._has_removed_rule = True
            self._events.delete_rule(Name=name)
        except CALL_FAILED as error:
            self._has_removed_rule = self._has_removed_rule or _code(error) in _ALREADY_GONE

    def _clean_up(self) -> None:
        """Remove the polling rule after the answer.

        If a step fails, all of them are retried for a while: another delivery may have recreated
        the rest in the meantime. A rule that is still complete fires again and removes itself.

        Raises:
            RuntimeError: Something is left, so that Lambda delivers the event again.
        """
        give_up_at = time.time() + min(CLEAN_UP_SECONDS, self.seconds_left() - RESERVED_SECONDS)
        pause = FIRST_PAUSE_SECONDS
        while False in [_attempt(step) for step in self._clean_up_steps]:
            if time.time() >= give_up_at:
                raise RuntimeError("the polling rule is not removed yet: Lambda has to retry")
            time.sleep(pause)
            pause *= 2


class _RequestIds(logging.Filter):
    """Adds the request's ids to every log line, including crhelper's and botocore's.

    One search leads from CloudFormation's message to its log lines.
    """

    _ids: Mapping[str, str] = {}

    def attach(self, event: Event) -> None:
        """Add the ids of this request from now on."""
        self._ids = {
            "cloudFormationRequestId": event["RequestId"],
            "stackId": event["StackId"],
            "logicalResourceId": event["LogicalResourceId"],
        }
        # Lambda's runtime creates its handler before it imports this module; addFilter adds once.
        for handler in logging.getLogger().handlers:
            handler.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the ids as attributes, which Lambda's JSON format writes out."""
        record.__dict__.update(self._ids)
        return True


def _may_be_redelivered(event: Event) -> bool:
    """Whether an earlier delivery may have created the rule and been killed before it answered."""
    issued = issued_at(event["ResponseURL"])
    return issued is None or time.time() - issued >= REDELIVERY_SECONDS


def _attempt(call: Callable[[], object]) -> bool:
    """Run a step of the clean-up; whether it is done, or there is nothing to do."""
    try:
        call()
    except CALL_FAILED as error:
        # A rule with targets of another request is that one's to delete.
        if _code(error) not in _ALREADY_GONE and "has targets" not in str(error):
            fields = {"decision": "clean up later"}
            why = error_of(error)
            logger.warning("the polling rule is not removed yet: %s", why, extra=fields)
            return False
    return True


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _digest(event: Event, *id_names: str) -> str:
    named = "\n".join(event[name] for name in ("StackId", *(id_names or ("RequestId",))))
    return hashlib.sha256(named.encode()).hexdigest()[:_DIGEST_LENGTH]


@contextmanager
def no_clients_yet() -> Iterator[None]:
    """Keep crhelper from creating three clients at import: half of a cold start, seldom needed.

    crhelper skips them if it believes that it runs under SAM local.
    """
    before = os.environ.get("AWS_SAM_LOCAL")
    os.environ["AWS_SAM_LOCAL"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_SAM_LOCAL"]
        else:
            os.environ["AWS_SAM_LOCAL"] = before
