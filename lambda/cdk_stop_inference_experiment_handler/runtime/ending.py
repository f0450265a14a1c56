"""Processes a request: reads facts, stops, waits, answers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ..contract import wire
from ..contract.declaration import Declaration
from ..lifecycle import reasons
from ..lifecycle.decide import decide
from ..lifecycle.facts import (
    Decision,
    Endpoint,
    Experiment,
    Measured,
    Progress,
    Question,
    Request,
    RequestType,
    Stack,
    StackEvent,
    Unreadable,
    Verb,
    fail,
    wait,
)
from ..lifecycle.gate import fitted
from ..lifecycle.outcome import fewer_instances
from .aws import Aws, AwsError, ExperimentGone, NotNow
from .protocol import PROGRESS, Event, read_request
from .resource import Resource
from .waiting import ComeAgain, Invocation, PollingRule, Wait

logger = logging.getLogger(__name__)

LAG_SECONDS = 60.0
"""For this long after a request, AWS may still return data that is older than it."""

Fact = TypeVar("Fact")


class RequestFailed(Exception):
    """Makes crhelper answer FAILED with this exception's message."""


def fulfil(resource: Resource, aws: Aws, event: Event, context: Any) -> str | None:  # noqa: ANN401
    """Fulfil a request, as far as this invocation can.

    Returns:
        The physical id, with which crhelper answers SUCCESS; None if the polling rule continues.

    Raises:
        RequestFailed: crhelper answers FAILED.
    """
    request = read_request(event)
    progress = Progress.read(event.get(PROGRESS), otherwise=_first_delivery(request))
    invocation = Invocation(
        seconds_left=resource.seconds_left,
        is_poll="CrHelperPoll" in event,
        hand_over=lambda: resource.hand_over(progress.carried()),
    )
    sagemaker_arn = _sagemaker_arn(context.invoked_function_arn)
    answer = Ending(request, progress, invocation, aws).run()
    if answer is None:
        return None
    resource.Data = attributes(request, answer)
    if not answer.succeeded:
        raise RequestFailed(answer.why)
    return physical_id(request, answer, sagemaker_arn)


def attributes(request: Request, answer: Answer) -> dict[str, str]:
    """The attributes for ``Fn::GetAtt``: always all of them, empty if the experiment is gone."""
    experiment = answer.experiment or Experiment(request.physical_id, "", "")
    statuses = json.dumps(experiment.variants) if experiment.variants else ""
    return {
        wire.EXPERIMENT_ARN: experiment.arn,
        wire.STATUS: experiment.status,
        wire.STATUS_REASON: experiment.status_reason,
        wire.ENDPOINT_NAME: experiment.endpoint_name,
        wire.ENDPOINT_CONFIG_NAME: experiment.endpoint_config_name,
        wire.SCHEDULED_END: reasons.moment(experiment.scheduled_end),
        wire.VARIANT_STATUSES: statuses,
        wire.STOPPED_BY_THIS_RESOURCE: "true" if answer.stopped_by_this_resource else "false",
        wire.STOP_REQUEST: answer.stop_request,
        wire.EVIDENCE: answer.evidence,
    }


def physical_id(request: Request, answer: Answer, sagemaker_arn: str) -> str:
    """The id of a successful answer, the same for every answer to one request.

    ``sagemaker_arn``, ``arn:PARTITION:sagemaker:REGION:ACCOUNT``, is for the undo of a rename whose
    old experiment no longer exists.
    """
    is_new = request.type is RequestType.CREATE
    is_renamed = request.type is RequestType.UPDATE and request.holds_another_experiment
    if not is_new and not is_renamed:
        return request.physical_id
    if answer.experiment is not None:
        return answer.experiment.arn
    return f"{sagemaker_arn}:inference-experiment/{request.declared_name}"


def _first_delivery(request: Request) -> float:
    """Now, or earlier if the ResponseURL shows that this delivery is a retry.

    CloudFormation waits an hour; a date outside of that hour only shows that a clock is wrong.
    """
    now = time.time()
    issued = request.issued_at
    return issued if issued is not None and now - wire.MAX_SERVICE_TIMEOUT < issued < now else now


def _sagemaker_arn(function_arn: str) -> str:
    _, partition, _, region, account, *_ = function_arn.split(":")
    return f"arn:{partition}:sagemaker:{region}:{account}"


@dataclass(frozen=True)
class Answer:
    """What to tell CloudFormation.

    Attributes:
        experiment: As last seen; None if it does not exist or could not be described.
        stopped_by_this_resource: This resource ordered its end, now or earlier.
    """

    succeeded: bool
    why: str
    experiment: Experiment | None = None
    stopped_by_this_resource: bool = False
    stop_request: str = ""
    evidence: str = ""


class Ending:
    """One request, from delivery to answer; updates ``progress`` in place."""

    def __init__(
        self, request: Request, progress: Progress, invocation: Invocation, aws: Aws
    ) -> None:
        self._request = request
        self._progress = progress
        self._aws = aws
        self._wait = Wait(invocation, progress.started_at, request.service_timeout)
        self._seen: Experiment | None = None
        self._unread_since: float | None = None
        self._trouble = ""
        self._rule = PollingRule(invocation)
        self._logged = ("", "")

    def run(self) -> Answer | None:
        """Find the answer to the request, or wait for it as long as this invocation can.

        Returns:
            None if the polling rule continues.
        """
        while True:
            facts = Lookup(self._request, self._aws, self._wait, self._unread_since)
            decision = self._step(facts)
            if decision.verb is Verb.WAIT and self._wait.is_over:
                decision = fail("deadline", self._out_of_time())
            self._log(decision)
            if decision.verb is not Verb.WAIT:
                return self._answer(decision, facts)
            if self._rule.trouble or (not self._rule.is_made and self._wait.needs_hand_over):
                self._rule.make()
            if self._wait.must_leave:
                return self._leave(facts)
            self._wait.pause()

    def _step(self, facts: Lookup) -> Decision:
        """Decide, and carry out a STOP; never returns STOP."""
        try:
            decision = decide(self._request, facts, self._progress)
            if decision.verb is Verb.STOP:
                self._log(decision)
                decision = self._stop(decision, facts)
            elif decision.verb is Verb.SUCCEED and decision.row == "stoppable":
                self._warn_of_fewer_instances(self._request.new, facts)
            elif decision.verb is Verb.WAIT:
                self._trouble = ""
                if decision.stop is not None:
                    # A stop in progress with our reason: another delivery, or a lost answer.
                    self._progress.sent = decision.stop.digest
        except Unreadable as error:
            if not self._wait.is_worth_repeating(error):
                return self._refused(error)
            self._unread_since = self._unread_since or self._wait.now
            self._trouble = str(error)
            decision = wait("unreadable", "an AWS call failed and will be retried")
        else:
            self._unread_since = None
        finally:
            self._remember(facts.seen)
            self._note_unmeasured(facts)
        if decision.evidence:
            self._progress.evidence = fitted(decision.evidence)
            logger.info({"decision": "evidence", "experiment": self._name, **decision.evidence})
        return decision

    def _note_unmeasured(self, facts: Lookup) -> None:
        """Remember since when the evidence could not be read."""
        if facts.is_unmeasured and self._progress.unmeasured_since is None:
            self._progress.unmeasured_since = self._wait.now
            self._rule.refresh()

    def _remember(self, seen: Experiment | None) -> None:
        self._seen = seen or self._seen
        if seen and not seen.has_ended and self._progress.failure_before is None:
            self._progress.failure_before = seen.endpoint_failure

    def _stop(self, decision: Decision, facts: Lookup) -> Decision:
        ordered, seen, progress = decision.stop, facts.seen, self._progress
        assert ordered is not None and seen is not None  # noqa: S101, PT018 - STOP has both
        if self._wait.is_over:
            return wait(decision.row, decision.why)
        before, progress.tried = progress.tried, True
        progress.request = json.dumps(ordered.request, ensure_ascii=False)
        try:
            arn = self._aws.stop(ordered.request)
        except NotNow as conflict:
            progress.tried = before or conflict.was_repeated
            if self._trouble != str(conflict):
                logger.info({"decision": "stop later", "why": str(conflict)})
            self._trouble = str(conflict)
            self._note_refusal(seen)
            return wait(decision.row, decision.why)
        except ExperimentGone as error:
            # SageMaker reports a missing model with the same words. Describe the experiment to tell
            # the two apart; if it is gone, the next step handles that.
            if self._aws.describe(seen.name) is None:
                return wait(decision.row, decision.why)
            progress.tried = before
            return self._refused(error)
        except AwsError as error:
            progress.tried = before or error.may_be_done
            raise
        progress.sent = ordered.digest
        self._wait.hurry()
        logger.info({"decision": "stop accepted", "experiment": seen.name, "arn": arn})
        if arn.lower() != seen.arn.lower():
            logger.warning({"decision": "another ARN", "stop": arn, "describe": seen.arn})
        self._rule.refresh()
        self._warn_of_fewer_instances(ordered, facts)
        return wait("end_awaited", decision.why)

    def _warn_of_fewer_instances(self, declared: Declaration | str, facts: Lookup) -> None:
        """Warn about a promotion that reduces the instance count; must not delay a stop."""
        try:
            why = fewer_instances(declared, facts) if isinstance(declared, Declaration) else None
        except Unreadable as error:
            logger.info({"decision": "instances not compared", "why": str(error)})
        else:
            if why:
                logger.warning({"decision": "fewer instances", "why": why})

    def _note_refusal(self, seen: Experiment) -> None:
        """Remember when a stop was first refused because the test has not started."""
        if seen.status != "Created":
            self._progress.refused_at = None
        elif self._progress.refused_at is None:
            self._progress.refused_at = self._wait.now
            self._rule.refresh()

    def _leave(self, facts: Lookup) -> Answer | None:
        if self._rule.is_made:
            logger.info({"decision": "the polling rule continues", "experiment": self._name})
            return None
        why = reasons.cannot_hand_over(self._name, self._standing, self._rule.trouble)
        # Without a date in the request it is not known how often it has been delivered.
        is_dated = self._progress.started_at == self._request.issued_at
        if is_dated and self._wait.is_delivered_again:
            raise ComeAgain(why)
        decision = fail("no_rule", why)
        self._log(decision)
        return self._answer(decision, facts)

    def _refused(self, error: Exception) -> Decision:
        was_ordered = self._progress.tried
        why = reasons.aws_refused(self._name, str(error), may_be_stopped=was_ordered)
        return fail("aws_refused", why)

    def _answer(self, decision: Decision, facts: Lookup) -> Answer:
        experiment = self._seen_for_attributes(decision, facts)
        declared = (self._request.new, self._request.old)
        ours = bool(self._progress.sent) or (
            experiment is not None
            and experiment.has_ended
            and any(
                one.may_have_ended(experiment.status_reason)
                for one in declared
                if isinstance(one, Declaration) and one.is_of(experiment.name)
            )
        )
        sent = self._progress.request if self._progress.sent else ""
        report = self._progress.evidence
        measured = json.dumps(report) if report else ""
        succeeded = decision.verb is Verb.SUCCEED
        return Answer(succeeded, decision.why, experiment, ours, sent, measured)

    def _seen_for_attributes(self, decision: Decision, facts: Lookup) -> Experiment | None:
        """The experiment as last seen; on success it is read if needed, for Fn::GetAtt."""
        if decision.verb is Verb.SUCCEED and self._request.type is not RequestType.DELETE:
            try:
                return facts.experiment()
            except AwsError as error:
                logger.warning({"decision": "attributes stay empty", "why": str(error)})
        return self._seen

    def _log(self, decision: Decision) -> None:
        """Log each decision once: to keep waiting or to retry is not a new one."""
        stops = decision.stop if decision.verb is Verb.STOP else None
        sends = {"stopRequest": stops.request} if stops else {}
        told = (decision.row, f"{decision.why} {json.dumps(sends)}")
        if told == self._logged:
            return
        self._logged = told
        logger.log(
            logging.WARNING if decision.warn else logging.INFO,
            {
                "decision": decision.verb.value,
                "order": decision.order or decision.row,
                "row": decision.row,
                "why": decision.why,
                "request": self._request.type.value,
                "experiment": self._name,
                "status": self._seen.status if self._seen else None,
                **sends,
            },
        )

    def _out_of_time(self) -> str:
        return reasons.out_of_time(self._name, self._standing, self._wait.patience, self._trouble)

    @property
    def _name(self) -> str:
        return self._request.declared_name

    @property
    def _standing(self) -> str:
        return reasons.standing(self._seen) if self._seen else "nothing"


class Lookup:
    """The Facts of one step; ``unread_since``: since when steps could not read one, if so."""

    def __init__(self, request: Request, aws: Aws, wait: Wait, unread_since: float | None) -> None:
        self._request = request
        self._aws = aws
        self._wait = wait
        self._unread_since = unread_since
        self._known: dict[str, object] = {}
        self._pages: dict[str, _Pages] = {}

    @property
    def seen(self) -> Experiment | None:
        """The experiment, if this step has described it."""
        found = self._known.get("experiment")
        return found if isinstance(found, Experiment) else None

    def experiment(self) -> Experiment | None:
        """See Facts."""
        name = self._request.declared_name
        return self._once("experiment", lambda: self._aws.describe(name))

    def endpoint(self) -> Endpoint | None:
        """See Facts."""
        experiment = self.experiment()
        name = experiment.endpoint_name if experiment else ""
        return self._once("endpoint", lambda: self._aws.endpoint(name) if name else None)

    def stack(self, stack_id: str) -> Stack:
        """See Facts."""
        return self._once(stack_id, lambda: self._aws.stack(stack_id))

    def events(self, stack_id: str) -> Iterator[StackEvent]:
        """See Facts."""
        pages = self._pages.setdefault(stack_id, _Pages(self._aws.event_pages(stack_id)))
        return iter(pages)

    def holders(self) -> tuple[str, ...]:
        """See Facts."""
        return self._once("holders", lambda: self._aws.holders(self._request))

    def evidence(self, question: Question) -> Measured:
        """See Facts."""
        return self._once("evidence", lambda: self._aws.evidence(question))

    @property
    def is_unmeasured(self) -> bool:
        """Whether this step could not read the evidence."""
        return isinstance(self._known.get("evidence"), Unreadable)

    def may_lag(self) -> bool:
        """See Facts."""
        return self._wait.age < LAG_SECONDS

    def gives_up(self, error: Unreadable) -> bool:
        """See Facts."""
        if not self._wait.is_worth_repeating(error):
            return True
        return self._unread_since is not None and self._wait.now >= self._unread_since + LAG_SECONDS

    def now(self) -> float:
        """See Facts."""
        return self._wait.now

    def deadline(self) -> float:
        """See Facts."""
        return self._wait.deadline

    def _once(self, key: str, look: Callable[[], Fact]) -> Fact:
        if key not in self._known:
            try:
                self._known[key] = look()
            except Unreadable as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, Unreadable):
            raise found
        return found  # type: ignore[return-value]


class _Pages:
    """A list that is read page by page and can be iterated any number of times."""

    def __init__(self, pages: Iterator[list[StackEvent]]) -> None:
        self._pages = pages
        self._read: list[StackEvent] = []
        self._failure: Unreadable | None = None

    def __iter__(self) -> Iterator[StackEvent]:
        position = 0
        while True:
            while position >= len(self._read):
                if not self._read_on():
                    return
            yield self._read[position]
            position += 1

    def _read_on(self) -> bool:
        if self._failure:
            raise self._failure
        try:
            page = next(self._pages, None)
        except Unreadable as error:
            self._failure = error
            raise
        self._read.extend(page or [])
        return page is not None
