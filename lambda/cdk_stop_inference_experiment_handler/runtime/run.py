"""Fulfils a request: look, decide, act, then leave or stay."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..contract import wire
from ..contract.declaration import Declaration
from ..contract.request import Request, RequestType, read_request
from ..lifecycle import words
from ..lifecycle.decide import decide
from ..lifecycle.decision import Decision, Row, Verb, fail, wait
from ..lifecycle.gate import short_report
from ..lifecycle.situation import Experiment, NotReadable, Progress
from ..lifecycle.state import mismatch, unreadable
from ..lifecycle.stop_request import (
    Wanted,
    declared_instances,
    members_of,
    wanted_by,
)
from .aws import Aws
from .crhelper_traits import AlreadyAnswered, HandOverFailed, Resource, RetryDelivery
from .errors import AwsError, Conflict, Gone, NotSent, Refused, Throttled
from .look import Look, Looker
from .polling import PROGRESS, Event, trigger_of
from .waiting import LAG_SECONDS, LATE_SECONDS, Invocation, Trigger, Wait

logger = logging.getLogger(__name__)

FRESH_SECONDS = 10.0
"""A Stop is sent within ten seconds of the look that allows it, or after another look."""

RULE_AGAIN_SECONDS = 15.0
"""After a polling rule could not be made or updated, the next attempt comes this much later."""


_NOT_READ = (
    Row.NOT_READABLE,
    Row.DELETE_HOLDERS_UNKNOWN,
    Row.INSTANCES_UNKNOWN,
    Row.AWS_REFUSED,
)
"""Rows of what decides and could not be read; without doubt, a later attempt may succeed."""


class RequestFailed(Exception):
    """Makes crhelper answer FAILED with this exception's message."""


def fulfil(resource: Resource, aws: Aws, event: Event, context: Any) -> str | None:  # noqa: ANN401
    """Fulfil a request, as far as this invocation can.

    Returns:
        The physical id, with which crhelper answers SUCCESS; None if the polling rule continues.

    Raises:
        RequestFailed: crhelper answers FAILED.
        AlreadyAnswered: CloudFormation has its answer.
    """
    request = read_request(event)
    progress = Progress.read(event.get(PROGRESS), otherwise=_first_delivery(request))
    trigger = trigger_of(event)
    is_late = trigger is Trigger.REQUEST and time.time() > progress.started_at + LATE_SECONDS
    invocation = Invocation(trigger, resource.seconds_left, is_late)
    rule = PollingRule(resource.hand_over, is_made=trigger is not Trigger.REQUEST)
    response = Run(request, progress, invocation, rule, aws).respond()
    if response is None:
        return None
    resource.Data = attributes(request, response)
    if not response.succeeded:
        raise RequestFailed(response.why)
    # Optional, and AWS does not document where CloudFormation shows it.
    resource.Reason = response.why
    return physical_id(request, response, _sagemaker_arn(context.invoked_function_arn))


def attributes(request: Request, response: Response) -> dict[str, str]:
    """The attributes for ``Fn::GetAtt``: always all of them, empty if the experiment is gone.

    Nobody reads those of a deleted resource, and without the experiment its source is not known.
    """
    if request.type is RequestType.DELETE and response.experiment is None:
        return {}
    experiment = response.experiment or Experiment(request.physical_id, "", "")
    statuses = json.dumps(experiment.variants) if experiment.variants else ""
    return {
        wire.EXPERIMENT_ARN: experiment.arn,
        wire.STATUS: experiment.status,
        wire.STATUS_REASON: experiment.status_reason,
        wire.ENDPOINT_NAME: experiment.endpoint_name,
        wire.ENDPOINT_CONFIG_NAME: experiment.endpoint_config_name,
        wire.SCHEDULED_END: words.moment(experiment.scheduled_end),
        wire.VARIANT_STATUSES: statuses,
        wire.STOPPED_BY_THIS_RESOURCE: "true" if response.stopped_by_this_resource else "false",
        wire.STOP_REQUEST: response.stop_request,
        wire.EVIDENCE: response.evidence,
    }


def physical_id(request: Request, response: Response, sagemaker_arn: str) -> str:
    """The id of a successful answer, the same for every answer to one request.

    ``sagemaker_arn``, ``arn:PARTITION:sagemaker:REGION:ACCOUNT``, is for an experiment that no
    longer exists.
    """
    is_renamed = request.type is RequestType.UPDATE and not request.holds_its_experiment
    if request.type is not RequestType.CREATE and not (is_renamed and request.name):
        return request.physical_id
    if response.experiment is not None:
        return response.experiment.arn
    return f"{sagemaker_arn}:inference-experiment/{request.name}"


def _says_nothing(look: Look, decision: Decision) -> bool:
    """Whether a look was throttled or unfinished: it neither is in doubt nor ends a doubt."""
    if decision.verb is not Verb.WAIT:
        return False
    return decision.row in _NOT_READ or isinstance(look.situation.experiment, NotReadable)


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
class Response:
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


class PollingRule:
    """The rule that continues a request when its invocation ends.

    Attributes:
        is_made: It fires.
        trouble: Why it could not be created or updated the last time; empty if it could.
    """

    def __init__(
        self, hand_over: Callable[[dict[str, object], str], None], *, is_made: bool
    ) -> None:
        self.is_made = is_made
        self.trouble = ""
        self._again_at = 0.0
        self._hand_over = hand_over

    def make(self, progress: Progress, endpoint_name: str) -> None:
        """Create the rule or update its input; after a failure, try again later."""
        if time.time() < self._again_at:
            return
        try:
            self._hand_over(progress.as_input(), endpoint_name)
        except HandOverFailed as error:
            self.trouble = str(error)
            self._again_at = time.time() + RULE_AGAIN_SECONDS
            log_fields = {"decision": "hand over later"}
            logger.warning("the polling rule could not be made: %s", self.trouble, extra=log_fields)
        else:
            self.is_made, self.trouble = True, ""


class Run:
    """One invocation's work on a request."""

    def __init__(
        self,
        request: Request,
        progress: Progress,
        invocation: Invocation,
        rule: PollingRule,
        aws: Aws,
    ) -> None:
        self._request = request
        self._progress = progress
        self._rule = rule
        self._aws = aws
        self._looker = Looker(request, aws)
        self._invocation = invocation
        self._seen: Experiment | None = None
        self._handed_over = progress
        self._logged = ("", "")
        self._is_stop_throttled = False
        self._is_stop_refused = False
        self._no_stop_until: tuple[float, AwsError] | None = None

    def respond(self) -> Response | None:
        """Find the answer to the request, or wait for it as long as this invocation can.

        Returns:
            None if the polling rule continues.

        Raises:
            AlreadyAnswered: CloudFormation has its answer.
            RetryDelivery: Lambda delivers the request again.
        """
        patience = wire.seconds_to_answer(self._request.service_timeout)
        waiting = Wait(self._invocation, self._progress.started_at + patience)
        while True:
            look, decision = self._step()
            if decision.verb is Verb.STOP:
                decision = self._send_stop(decision, look, waiting)
            self._log_decision(decision)
            if decision.verb is Verb.LEAVE:
                raise AlreadyAnswered(decision.why)
            if decision.verb is not Verb.WAIT:
                return self._response(decision)
            is_throttled = look.is_throttled or self._is_stop_throttled
            if is_throttled:
                waiting.throttled(has_stopped=bool(self._progress.sent))
            stays = decision.stays or look.is_unfinished
            may_leave = not stays and waiting.may_leave
            is_due = may_leave or waiting.must_leave or bool(self._progress.sent)
            self._hand_over(is_due=is_due)
            if self._rule.is_made and (may_leave or waiting.must_leave):
                self._log("the polling rule continues", "the polling rule continues to wait")
                return None
            if waiting.must_leave:
                return self._without_rule(waiting)
            waiting.pause(is_throttled=is_throttled)

    def _step(self) -> tuple[Look, Decision]:
        """Look and decide; if a Stop is ordered, read what it needs, look and decide anew."""
        self._is_stop_throttled = False
        look = self._looker.look(self._progress)
        decision = decide(look.situation)
        experiment = look.situation.experiment
        if decision.verb is Verb.PREPARE and isinstance(experiment, Experiment):
            assert decision.needs is not None  # noqa: S101 - PREPARE has it
            prepared = self._looker.prepare(decision.needs, experiment)
            look = self._looker.look(look.situation.progress, prepared)
            decision = decide(look.situation)
        if decision.verb is Verb.PREPARE:
            decision = wait(decision.row, "what a stop needs has changed")
        self._remember(look, decision)
        return look, decision

    def _remember(self, look: Look, decision: Decision) -> None:
        """Remember what later looks and invocations depend on."""
        s = look.situation
        progress, now = s.progress, s.now
        since = progress.in_doubt_since
        if decision.evidence:
            verdict = words.gate(self._name, decision.evidence)
            self._log("evidence", verdict, evidence=decision.evidence)
            progress = replace(progress, evidence=short_report(decision.evidence))
        if decision.is_unmeasured and progress.unmeasured_since is None:
            progress = replace(progress, unmeasured_since=now)
        if decision.verb is Verb.WAIT and decision.stop is not None:
            # A stop under way with our reason: another delivery, or one whose answer was lost.
            progress = replace(progress, sent=decision.stop.digest)
        if decision.in_doubt:
            progress = replace(progress, in_doubt_since=now if since is None else since)
        elif not _says_nothing(look, decision):
            progress = replace(progress, in_doubt_since=None)
        self._progress = progress
        if isinstance(s.experiment, Experiment):
            self._seen = s.experiment
        if decision.verb is Verb.SUCCEED and decision.row is Row.STOPPABLE:
            self._warn_of_fewer_instances(look)

    def _send_stop(self, decision: Decision, look: Look, waiting: Wait) -> Decision:
        """Order the end, once, while the look that allows it is fresh; never returns STOP.

        A Stop that is throttled is sent again meanwhile: SageMaker has done nothing.
        """
        s, wanted = look.situation, decision.stop
        if self._no_stop_until is not None:
            until, error = self._no_stop_until
            is_final, is_early = isinstance(error, Refused), time.time() < until
            if is_final and is_early:
                return replace(wait(decision.row, str(error)), stays=True)
            if is_final or is_early:
                # Looks still say that nothing has changed: the Stop would be refused again.
                return unreadable(error.as_not_readable, s)
            self._no_stop_until = None
        experiment, prepared = s.experiment, s.prepared
        assert isinstance(experiment, Experiment) and wanted and prepared  # noqa: S101, PT018
        fresh_until = look.stack_asked_at + FRESH_SECONDS
        if time.time() > fresh_until:
            return wait(decision.row, "the look took too long: look again")
        counts = {} if isinstance(prepared.counts, NotReadable) else prepared.counts or {}
        members = members_of(wanted, experiment, counts)
        self._log_decision(decision, stopRequest=members)
        before, text = self._progress.tried, json.dumps(members, ensure_ascii=False)
        self._progress = replace(self._progress, tried=True, request=text)
        try:
            arn = self._call_stop(members, fresh_until, waiting)
        except AwsError as error:
            self._is_stop_throttled = isinstance(error, Throttled)
            tried = before or error.may_be_done
            self._progress = replace(self._progress, tried=tried, refusal=str(error))
            return self._after_failed_stop(error, decision, look, waiting)
        self._progress = replace(self._progress, sent=wanted.digest)
        waiting.stop_accepted()
        self._log("stop accepted", words.stop_accepted(experiment), arn=arn)
        if arn.lower() != experiment.arn.lower():
            why = words.another_arn(experiment, arn)
            self._log("another ARN", why, logging.WARNING, arn=arn, described=experiment.arn)
        self._warn_of_fewer_instances(look, wanted)
        return wait(Row.END_AWAITED, decision.why)

    def _call_stop(self, members: Mapping[str, Any], fresh_until: float, waiting: Wait) -> str:
        try:
            return self._aws.stop(members)
        except Throttled:
            if not waiting.pause_before_stop(fresh_until):
                raise
        return self._call_stop(members, fresh_until, waiting)

    def _after_failed_stop(
        self, error: AwsError, decision: Decision, look: Look, waiting: Wait
    ) -> Decision:
        s, experiment, wanted = look.situation, look.situation.experiment, decision.stop
        assert isinstance(experiment, Experiment) and wanted  # noqa: S101, PT018 - a STOP has them
        is_created = experiment.status == "Created"
        is_final = isinstance(error, Refused) and not isinstance(error, NotSent)
        has_not_begun = (
            is_created
            and is_final
            and not isinstance(error, Gone)
            and mismatch(wanted, experiment) is None
        )
        self._is_stop_refused = is_final or isinstance(error, Conflict)
        if isinstance(error, Conflict) or has_not_begun:
            self._log("stop later", f"the stop is refused for now: {error}")
            waiting.stop_refused(has_begun=not is_created)
            since = self._progress.refused_at
            refused_at = (s.now if since is None else since) if is_created else None
            self._progress = replace(self._progress, refused_at=refused_at)
            return wait(decision.row, str(error))
        if is_final:
            # It may have ended since, or be gone, or another invocation's Stop was accepted; looks
            # may lag behind that. SageMaker reports a missing model with the same words as a
            # missing experiment, and no lag brings that back: the next look answers.
            lag = 0.0 if isinstance(error, Gone) else LAG_SECONDS
            self._no_stop_until = (time.time() + lag, error)
            waiting.look_soon()
            return replace(wait(decision.row, str(error)), stays=True)
        if error.may_be_done:
            self._no_stop_until = (time.time() + LAG_SECONDS, error)
        return unreadable(error.as_not_readable, replace(s, progress=self._progress))

    def _warn_of_fewer_instances(self, look: Look, wanted: Wanted | None = None) -> None:
        """Warn about a promotion that reduces the instance count, but never delay a stop for it."""
        s = look.situation
        experiment = s.experiment
        if not isinstance(experiment, Experiment):
            return
        declared = declared_instances(wanted, self._request, experiment)
        if declared is None:
            return
        counts = s.prepared.counts if s.prepared else None
        if counts is None:
            counts = self._looker.counts(experiment.endpoint_name)
        if isinstance(counts, NotReadable):
            self._log("instances not compared", f"instances could not be counted: {counts.why}")
        elif declared < (runs := counts.get(experiment.production, 0)):
            why = words.fewer_instances(declared, experiment, runs)
            self._log("fewer instances", why, logging.WARNING)

    def _hand_over(self, *, is_due: bool) -> None:
        """Create the rule, or update its input with what is new, if that is due.

        A doubt is due when the invocation leaves: most clear before that.
        """
        if self._rule.is_made and not self._has_news:
            return
        if is_due or (self._rule.is_made and self._progress.tried):
            self._rule.make(self._progress, self._seen.endpoint_name if self._seen else "")
            if not self._rule.trouble:
                self._handed_over = self._progress

    @property
    def _has_news(self) -> bool:
        """Whether the rule's input lacks what a later invocation needs."""
        known, progress = self._handed_over, self._progress
        if self._is_stop_refused and not progress.sent:
            # Perhaps since another invocation's Stop was accepted: its input has to stay, unless
            # this is the first to know what no later one can find out.
            return any(
                getattr(progress, name) != getattr(known, name)
                for name in ("created", "refused_at", "evidence")
            )
        return replace(progress, request=known.request, refusal=known.refusal) != known

    def _without_rule(self, waiting: Wait) -> Response:
        why = words.cannot_hand_over(self._name, self._status, self._rule.trouble)
        # Without a date in the request it is not known how often it has been delivered.
        is_dated = self._progress.started_at == self._request.issued_at
        if is_dated and waiting.is_delivered_again(self._progress.started_at):
            raise RetryDelivery(why)
        decision = fail(Row.NO_RULE, why)
        self._log_decision(decision)
        return self._response(decision)

    def _response(self, decision: Decision) -> Response:
        experiment = self._seen
        is_ours = bool(self._progress.sent) or (
            experiment is not None
            and experiment.is_over
            and any(
                wanted_by(declared, self._request).is_end_of(experiment)
                for declared in (self._request.new, self._request.old)
                if isinstance(declared, Declaration) and declared.is_of(experiment.name)
            )
        )
        sent = self._progress.request if self._progress.sent else ""
        report = self._progress.evidence
        evidence = json.dumps(report) if report else ""
        is_success = decision.verb is Verb.SUCCEED
        return Response(is_success, decision.why, experiment, is_ours, sent, evidence)

    def _log_decision(self, decision: Decision, **facts: object) -> None:
        """Log each decision once, not at each look that repeats it."""
        entry = (decision.row.value, f"{decision.verb.value} {decision.why}")
        if entry == self._logged:
            return
        self._logged = entry
        self._log(
            decision.verb.value,
            decision.why,
            logging.WARNING if decision.warn else logging.INFO,
            order=(decision.order or decision.row).value,
            row=decision.row.value,
            request=self._request.type.value,
            status=self._seen.status if self._seen else None,
            **facts,
        )

    def _log(
        self, decision: str, sentence: str, level: int = logging.INFO, **facts: object
    ) -> None:
        """Log a sentence, with facts as keys beside it.

        Lambda's JSON format writes them out:
        https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
        """
        log_fields = {"decision": decision, "experiment": self._name, **facts}
        logger.log(level, "%s", sentence, extra=log_fields)

    @property
    def _name(self) -> str:
        return self._request.name

    @property
    def _status(self) -> str:
        return words.status(self._seen) if self._seen else "nothing"
