"""Carries a decision out: asks AWS what the decision needs, stops, waits, answers."""

from __future__ import annotations

import logging
from dataclasses import replace

from ..contract.declaration import Declaration
from ..lifecycle import reasons
from ..lifecycle.decision import decide, is_older_stop
from ..lifecycle.facts import (
    BEGINNING,
    Answer,
    Case,
    Decision,
    Experiment,
    Request,
    Unknown,
    Verb,
)
from .aws import Aws, AwsError, ExperimentGone, NotNow
from .waiting import ComeAgain, HandOverFailed, Invocation, Progress, Wait

logger = logging.getLogger(__name__)

_LOOKS = (Verb.LOOK_AT_EXPERIMENT, Verb.LOOK_AT_STACK, Verb.LOOK_AT_RESOURCES)


class Ending:
    """One request on its way from delivery to answer.

    Args:
        progress: What earlier invocations for the same request got done; updated in place.
        region: Named where an experiment is not found.
    """

    def __init__(
        self, request: Request, progress: Progress, invocation: Invocation, aws: Aws, region: str
    ) -> None:
        self._request = request
        self._progress = progress
        self._invocation = invocation
        self._aws = aws
        self._region = region
        self._wait = Wait(invocation, progress.started_at, request.service_timeout)
        self._case = Case(request)
        self._last_seen: Experiment | None = None
        self._has_rule = invocation.is_poll
        self._unread: AwsError | None = None
        self._trouble = ""
        self._rule_trouble = ""
        self._logged = Decision(Verb.WAIT)

    def run(self) -> Answer | None:
        """Bring the request to its answer, or as far as this invocation reaches.

        Returns:
            None where the polling rule goes on with it.
        """
        while True:
            try:
                answer = self._step()
            except AwsError as error:
                if not self._is_worth_repeating(error):
                    return self._refused(error)
                self._trouble = str(error)
                answer = None
            if answer is not None:
                return answer
            if self._wait.is_over:
                return self._failed(self._out_of_time())
            if self._rule_trouble or (not self._has_rule and self._wait.needs_hand_over):
                self._make_rule()
            if self._wait.must_leave:
                return self._leave()
            self._wait.pause()

    def _step(self) -> Answer | None:
        """One look and what follows from it; None while there is something to wait for."""
        self._case = self._case_so_far()
        decision = decide(self._case, self._region)
        while decision.verb in _LOOKS:
            self._look(decision.verb)
            decision = decide(self._case, self._region)
        self._log(decision)
        if decision.verb in (Verb.SUCCEED, Verb.FAIL):
            return self._answer(decision)
        if decision.verb is Verb.STOP and not self._wait.is_over:
            return self._stop()
        if decision.verb is Verb.WAIT:
            self._trouble = ""
        return None

    def _case_so_far(self) -> Case:
        return Case(
            self._request,
            stop_tried=self._progress.stop_tried,
            stop_sent=self._progress.stop_sent,
            seen_unfinished=self._progress.seen_unfinished,
            older_stop=self._progress.older_stop,
        )

    def _look(self, verb: Verb) -> None:
        if verb is Verb.LOOK_AT_EXPERIMENT:
            self._look_at_experiment()
        elif verb is Verb.LOOK_AT_STACK:
            status = self._aws.stack_status(self._request.stack_id)
            self._case = replace(self._case, stack_status=status)
        else:
            self._case = replace(self._case, other_holders=self._aws.other_holders(self._request))

    def _look_at_experiment(self) -> None:
        """See the experiment, or that it cannot be seen: a rollback need not see it."""
        if self._case.experiment is Unknown.UNREADABLE and self._unread is not None:
            raise self._unread
        try:
            self._last_seen = self._aws.describe(self._name)
        except AwsError as error:
            self._unread = error
            self._case = replace(self._case, experiment=Unknown.UNREADABLE)
            return
        self._remember(self._last_seen)
        self._case = replace(self._case_so_far(), experiment=self._last_seen)

    def _remember(self, seen: Experiment | None) -> None:
        """Note what a later look may no longer show, for the invocations to come too."""
        if seen is None or seen.has_ended:
            return
        self._progress.seen_unfinished = True
        declaration = self._request.new
        if not isinstance(declaration, Declaration) or not seen.is_stopping:
            return
        if seen.status_reason == declaration.reason:
            # Whoever's call it was, a stop under way with our reason is ours: another delivery's,
            # or one whose answer was lost.
            self._progress.older_stop |= is_older_stop(self._request, seen)
            self._progress.stop_sent |= not self._progress.older_stop

    def _stop(self) -> Answer | None:
        declaration = self._request.new
        assert isinstance(declaration, Declaration)  # noqa: S101 - no decision stops without one
        before, self._progress.stop_tried = self._progress.stop_tried, True
        try:
            self._aws.stop(declaration.request)
        except NotNow as conflict:
            self._trouble = str(conflict)
            seen = self._last_seen
            if seen is not None and seen.status in BEGINNING and not conflict.was_repeated:
                # "Not yet": nothing was ordered, and an end that comes now is somebody else's.
                self._progress.stop_tried = before
            return None
        except ExperimentGone as error:
            # SageMaker words a missing model the same way: only a look tells them apart, and
            # an experiment that is really gone is the next step's case.
            if self._aws.describe(self._name) is None:
                return None
            self._progress.stop_tried = before
            return self._refused(error)
        except AwsError as error:
            self._progress.stop_tried = before or error.may_be_done
            raise
        self._progress.stop_sent = True
        self._wait.hurry()
        logger.info({"decision": "stop accepted", "experiment": self._name})
        if self._has_rule:
            self._make_rule()
        return None

    def _is_worth_repeating(self, error: AwsError) -> bool:
        return error.is_transient or (error.is_denied and self._wait.policies_may_propagate)

    def _make_rule(self) -> None:
        """Make the polling rule or refresh its input; a failure is tried again after the pause."""
        try:
            self._invocation.hand_over()
        except HandOverFailed as error:
            self._rule_trouble = str(error)
            logger.warning({"decision": "hand over later", "why": self._rule_trouble})
        else:
            self._has_rule, self._rule_trouble = True, ""

    def _leave(self) -> Answer | None:
        if self._has_rule:
            logger.info({"decision": "the polling rule goes on", "experiment": self._name})
            return None
        why = reasons.cannot_hand_over(self._name, self._standing, self._rule_trouble)
        # Only a dated request tells how often it has been delivered.
        is_dated = self._progress.started_at == self._request.issued_at
        if is_dated and self._wait.is_delivered_again:
            raise ComeAgain(why)
        return self._failed(why)

    def _refused(self, error: Exception) -> Answer:
        was_ordered = self._progress.stop_tried
        return self._failed(reasons.aws_refused(self._name, str(error), may_be_stopped=was_ordered))

    def _failed(self, why: str) -> Answer:
        decision = Decision(Verb.FAIL, why)
        self._log(decision)
        return self._answer(decision)

    def _answer(self, decision: Decision) -> Answer:
        experiment, declaration = self._seen_for_attributes(decision), self._request.new
        ours = self._progress.stop_sent or (
            experiment is not None
            and experiment.has_ended
            and isinstance(declaration, Declaration)
            and experiment.status_reason == declaration.reason
        )
        return Answer(decision.verb is Verb.SUCCEED, decision.why, experiment, ours)

    def _seen_for_attributes(self, decision: Decision) -> Experiment | None:
        """The experiment as last seen; a success that needed no look takes one for Fn::GetAtt."""
        looked = self._case.experiment is not Unknown.NOT_ASKED
        if not looked and decision.verb is Verb.SUCCEED and self._request.has_attributes:
            try:
                return self._aws.describe(self._name)
            except AwsError as error:
                logger.warning({"decision": "attributes stay empty", "why": str(error)})
        return self._last_seen

    def _log(self, decision: Decision) -> None:
        """One line a decision; to wait on is not a new one."""
        if decision == self._logged:
            return
        self._logged = decision
        level = logging.WARNING if decision.warn or decision.verb is Verb.FAIL else logging.INFO
        logger.log(
            level,
            {
                "decision": decision.verb.value,
                "why": decision.why,
                "request": self._request.type.value,
                "experiment": self._name,
                "status": self._last_seen.status if self._last_seen else None,
            },
        )

    def _out_of_time(self) -> str:
        return reasons.out_of_time(self._name, self._standing, self._wait.patience, self._trouble)

    @property
    def _name(self) -> str:
        return self._request.declared_name

    @property
    def _standing(self) -> str:
        return reasons.waiting(self._last_seen) if self._last_seen else "nothing"
