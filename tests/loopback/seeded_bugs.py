"""Bugs that are seeded into the handler: each must be caught.

A bug is caught by a story that the explorer has found by itself, or by a test that is named here.
``python -m tests.loopback.seeded_bugs`` searches stories for the bugs that have none yet: those of
a kind, in an order from a seed, until one breaks the promise, which is made small and stored.
``--layers`` runs the tests of each layer with each bug put in, for half an hour, and prints which
bugs a layer catches, and which it alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from crhelper import CfnResource

from cdk_stop_inference_experiment_handler.contract import declaration
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, End, StopOn
from cdk_stop_inference_experiment_handler.contract.request import (
    Request,
    RequestType,
    read_request,
)
from cdk_stop_inference_experiment_handler.lifecycle import (
    decide,
    decision,
    gate,
    history,
    order,
    permission,
    situation,
    state,
    stop_request,
    windowed,
)
from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.history import History
from cdk_stop_inference_experiment_handler.lifecycle.permission import Answer, Permission
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Kind,
    Progress,
    Situation,
)
from cdk_stop_inference_experiment_handler.runtime import (
    answer,
    aws,
    crhelper_traits,
    errors,
    look,
    run,
    waiting,
)
from loopback.play import oracle
from loopback.play.facts import Facts
from loopback.play.same import Known, Refused
from loopback.play.search import KINDS, SETTINGS, sample, shrunk
from loopback.play.stage import play
from loopback.play.story import Story
from loopback.world import PROMOTE, World

from . import (
    test_answers,
    test_evidence,
    test_lasting_faults,
    test_requests,
    test_rows,
    test_stops,
    test_stories,
    test_waiting,
)

Patch = AbstractContextManager[object]
Test = Callable[[World], object]


@dataclass(frozen=True)
class SeededBug:
    """One bug.

    Attributes:
        patch: A context manager that puts it in.
        kind: The kind of stories in which the explorer finds it, if it does.
        finds: What the explorer may say of it.
        having: What the stories of the sample have in common.
        test: Else the test that fails.
    """

    name: str
    patch: Callable[[], Patch]
    kind: str = ""
    finds: tuple[str, ...] = ()
    having: str = ""
    test: Test | None = None


def _of(owner: object, name: str, value: object) -> Callable[[], Patch]:
    """Replace something."""
    return lambda: mock.patch.object(owner, name, value)


# How an end is found.


def _success_without_waiting() -> Patch:
    done = decision.succeed(Row.END_AS_DECLARED, "")
    return mock.patch.object(decide, "after_stop", return_value=done)


@contextmanager
def _event_answers_early() -> Iterator[None]:
    step = run.Run._step

    def hasty(self: run.Run) -> tuple[look.Look, Decision]:
        seen, found = step(self)
        if self._invocation.trigger is waiting.Trigger.EVENT and self._progress.sent:
            found = decision.succeed(Row.END_AS_DECLARED, "the endpoint has settled")
        return seen, found

    with mock.patch.object(run.Run, "_step", hasty):
        yield


def _stops_while_a_describe_lags() -> Patch:
    def forgetful(s: Situation) -> Decision:
        return decide.decide(replace(s, progress=replace(s.progress, sent="")))

    return mock.patch.object(run, "decide", forgetful)


def _deadline_restarts() -> Patch:
    read = Progress.read

    def restarted(carried: Mapping[str, Any] | None, *, otherwise: float) -> Progress:
        return replace(read(carried, otherwise=otherwise), started_at=time.time())

    return mock.patch.object(Progress, "read", restarted)


def _refused_until_the_end_of_time() -> Patch:
    return mock.patch.object(decide, "_LATER", (Verb.WAIT,))


# Answers, ids and rules.


def _random_id() -> Patch:
    ids = (f"id-{random.random()}" for _ in range(10**9))
    return mock.patch.object(run, "physical_id", side_effect=ids)


def _random_rule_name() -> Patch:
    names = property(lambda _: f"stop-ie-{random.random()}")
    return mock.patch.object(crhelper_traits.Resource, "_rule_name", names)


def _deletes_rule_is_removed_after_the_answer() -> Patch:
    return mock.patch.object(crhelper_traits.Resource, "_remove_rule", return_value=None)


def _puts_once() -> Patch:
    send = answer.send

    def once(url: str, body: Mapping[str, Any], _left: Callable[[], float]) -> bool:
        try:
            return send(url, body, lambda: 0.0)
        except answer.NotDelivered:
            return False

    return mock.patch.object(crhelper_traits, "send", once)


def _failed_create_has_the_arn() -> Patch:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/fraud-shadow"
    return mock.patch.object(crhelper_traits.Resource, "generate_physical_id", return_value=arn)


@contextmanager
def _logs_the_event() -> Iterator[None]:
    read = read_request

    def talkative(event: dict[str, Any]) -> Request:
        logging.getLogger("handler").info(event)
        return read(event)

    with mock.patch.object(run, "read_request", talkative):
        yield


def _clean_up_turns_the_answer() -> Patch:
    """crhelper's own order: clean up, then answer; an exception becomes the answer."""

    def loud(self: Any) -> None:
        self._events_client, self._lambda_client = self._events, mock.Mock()
        CfnResource._remove_polling(self)

    return mock.patch.object(crhelper_traits.Resource, "_remove_polling", loud)


@contextmanager
def _not_delivered_is_an_exception() -> Iterator[None]:
    class Plain(Exception):
        pass

    with (
        mock.patch.object(answer, "NotDelivered", Plain),
        mock.patch.object(crhelper_traits, "NotDelivered", Plain),
    ):
        yield


# What is declared.


def _parsed(change: Callable[[Declaration], Declaration]) -> Callable[[], Patch]:
    """Every declaration is read otherwise than it is written."""

    def patch() -> Patch:
        parse = declaration._Parser.declaration

        def changed(self: Any) -> Declaration | None:
            read = parse(self)
            return None if read is None else change(read)

        return mock.patch.object(declaration._Parser, "declaration", changed)

    return patch


def _ends_alike(more: Callable[[Declaration, Declaration], bool]) -> Callable[[], Patch]:
    """Two declarations only end alike if they also have more in common."""

    def patch() -> Patch:
        alike = stop_request.ends_alike

        def strict(one: Declaration, other: Declaration, seen: Experiment | None) -> bool:
            return alike(one, other, seen) and more(one, other)

        return mock.patch.multiple(order, ends_alike=strict)

    return patch


def _end_now_left_true_is_an_order() -> Patch:
    deployed = History.deployed.func  # type: ignore[attr-defined]

    def forgetful(self: History) -> history.Deployed:
        found: history.Deployed = deployed(self)
        return replace(found, end_now=False) if isinstance(found, Declaration) else found

    return mock.patch.object(History, "deployed", property(forgetful))


def _same_as_the_old_properties_is_nothing() -> Patch:
    update = order._update

    def hasty(
        s: Situation, known: History, may: Permission, new: Declaration
    ) -> order.Order | Decision:
        old = s.request.old
        if isinstance(old, Declaration) and stop_request.ends_alike(new, old, None):
            return decision.succeed(Row.UPDATE_UNCHANGED, "")
        return update(s, known, may, new)

    return mock.patch.object(order, "_update", hasty)


# What the stack's events say.


@contextmanager
def _never_deployed_counts_as_deployed() -> Iterator[None]:
    with (
        mock.patch.object(History, "is_never_deployed", property(lambda _: False)),
        _the_request_says_what_is_deployed(),
    ):
        yield


def _the_request_says_what_is_deployed() -> Patch:
    return mock.patch.object(
        History, "deployed", property(lambda self: self._deployed_by_request())
    )


def _what_completed_last_is_deployed() -> Patch:
    """An undo that failed, or was skipped, leaves the withdrawn declaration."""

    def newest(self: History) -> history.Deployed:
        completed = self.completions
        return self._declared(completed[-1]) if completed else self._deployed_by_request()

    return mock.patch.object(History, "deployed", property(newest))


def _skipped_undo_is_a_completion() -> Patch:
    """The UPDATE_COMPLETE of a skipped undo, which was never asked for, is believed."""

    def every(self: History) -> tuple[situation.StackEvent, ...]:
        done = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        return tuple(event for event in self._before if event.status in done)

    return mock.patch.object(History, "completions", property(every))


def _masked_properties_are_not_missed() -> Patch:
    """What cannot be read in an event is taken from the request."""
    read = History._declared

    def believed(self: History, event: situation.StackEvent) -> history.Deployed:
        declared: history.Deployed = read(self, event)
        return (
            self._deployed_by_request() if isinstance(declared, situation.NotReadable) else declared
        )

    return mock.patch.object(History, "_declared", believed)


def _name_is_the_experiment() -> Patch:
    return mock.patch.object(Situation, "experiment", property(lambda self: self.described))


# Whether it may be stopped.


def _undo_is_not_seen(*kinds: RequestType) -> Callable[[], Patch]:
    @contextmanager
    def patch() -> Iterator[None]:
        def blind(s: Situation, known: History) -> Permission:
            may = permission.check_permission(s, known)
            is_seen = may.answer is not Answer.UNDO or s.request.type not in kinds
            return may if is_seen else Permission(Answer.ALLOWED)

        with mock.patch.object(decide, "check_permission", blind):
            if RequestType.DELETE in kinds:
                with _the_request_says_what_is_deployed():
                    yield
            else:
                yield

    return patch


def _order_is_asked_once() -> Patch:
    """Later looks take the stack as the first one saw it."""
    read: dict[str, tuple[situation.Stack, ...]] = {}
    stacks = look.Looker._stacks

    def once(self: look.Looker, s: Situation) -> tuple[situation.Stack, ...]:
        asked = f"{s.request.stack_id} {s.issued_at} {s.request.type} {s.request.properties}"
        if asked not in read:
            seen = stacks(self, s)
            known = History(s.request, seen, s.issued_at)
            if permission.check_permission(s, known).answer is not Answer.ALLOWED:
                return seen
            read[asked] = seen
        return read[asked]

    return mock.patch.object(look.Looker, "_stacks", once)


def _forward_is_not_a_rollback() -> Patch:
    def simple(_s: Situation, known: History) -> Permission:
        is_undo = "ROLLBACK" in permission._status(known.stacks[0])
        return Permission(Answer.UNDO if is_undo else Answer.ALLOWED)

    return mock.patch.object(decide, "check_permission", simple)


@contextmanager
def _nested_status_alone() -> Iterator[None]:
    is_undo, unclear = permission._is_undo, permission._unclear

    def alone(known: History) -> History:
        return replace(known, stacks=known.stacks[:1])

    with (
        mock.patch.object(permission, "_is_undo", lambda s, known: is_undo(s, alone(known))),
        mock.patch.object(permission, "_unclear", lambda s, known: unclear(s, alone(known))),
    ):
        yield


def _doubt_is_success() -> Patch:
    """The order is lost when the minute ends: CloudFormation takes it for carried out."""

    def hopeful(s: Situation, row: Row, why: str, kind: Kind | None = None) -> Decision:
        found = decision.doubt(s, row, why, kind)
        if found.verb is Verb.FAIL:
            return decision.succeed(row, why, warn=True)
        return found

    return mock.patch.multiple(order, doubt=hopeful)


@contextmanager
def _sdk_repeats_a_stop() -> Iterator[None]:
    clients = cached_property(lambda self: aws.client("sagemaker", self._session, 3))
    clients.__set_name__(aws.Aws, "_sagemaker")
    with mock.patch.object(aws.Aws, "_sagemaker", clients):
        yield


def _a_doubt_is_handed_over_at_once() -> Patch:
    hand_over = run.Run._hand_over

    def at_once(self: run.Run, *, is_due: bool) -> None:
        hand_over(self, is_due=is_due or self._rule.is_made)

    return mock.patch.object(run.Run, "_hand_over", at_once)


def _a_refused_stop_fails_at_once() -> Patch:
    def at_once(
        _self: run.Run, error: errors.AwsError, _found: Decision, seen: look.Look, _: waiting.Wait
    ) -> Decision:
        return state.unreadable(error.as_not_readable, seen.situation)

    return mock.patch.object(run.Run, "_after_failed_stop", at_once)


# What is read.


def _a_page_that_fails_costs_all_pages() -> Patch:
    read = look._EventReader.older

    def forgetful(self: look._EventReader, until: float) -> situation.Events:
        try:
            return read(self, until)
        except errors.AwsError:
            self._known, self._token = [], ""
            raise

    return mock.patch.object(look._EventReader, "older", forgetful)


def _reads_one_page() -> Patch:
    def first_page(self: aws.Aws, stack_id: str, physical_id: str) -> tuple[str, ...]:
        found = self._cloudformation.list_stack_resources(StackName=stack_id)
        return tuple(
            each["LogicalResourceId"]
            for each in found["StackResourceSummaries"]
            if each["PhysicalResourceId"] == physical_id
            and not each["ResourceStatus"].startswith("DELETE_")
        )

    return mock.patch.object(aws.Aws, "holders", first_page)


def _one_page_of_metrics() -> Patch:
    return mock.patch.object(aws, "_all", lambda pages, **request: [next(iter(pages(**request)))])


def _counted_once() -> Patch:
    known: dict[str, Any] = {}
    count = aws.Aws.counts

    def remembered(self: aws.Aws, endpoint_name: str) -> Any:
        if endpoint_name not in known:
            known[endpoint_name] = count(self, endpoint_name)
        return known[endpoint_name]

    return mock.patch.object(aws.Aws, "counts", remembered)


def _configured_instances() -> Patch:
    members = stop_request.members_of
    return mock.patch.object(
        run, "members_of", lambda wanted, experiment, _: members(wanted, experiment, {})
    )


def _shadow_and_production_exchanged() -> Patch:
    pair = stop_request._pair
    return mock.patch.object(stop_request, "_pair", lambda experiment: pair(experiment)[::-1])


def _outcomes_are_compared_as_written() -> Patch:
    def as_written(one: Declaration, other: Declaration, _seen: Experiment | None) -> bool:
        return one.end == other.end

    return mock.patch.object(order, "ends_alike", as_written)


# The gate.


def _gate_stands_open() -> Patch:
    def open_gate(ordered: order.Order, s: Situation, experiment: Experiment) -> Decision:
        wanted = replace(ordered.wanted, promote_if=None)
        return gate.apply_gate(replace(ordered, wanted=wanted), s, experiment)

    return mock.patch.object(state, "apply_gate", open_gate)


def _judged_again() -> Patch:
    def forgetful(s: Situation) -> Decision:
        return decide.decide(replace(s, progress=replace(s.progress, evidence={}, tried=False)))

    return mock.patch.object(run, "decide", forgetful)


def _too_few_requests_open_the_gate() -> Patch:
    judge = windowed.judge

    def lenient(evidence: declaration.Evidence, *rest: Any) -> dict[str, object]:
        return judge(replace(evidence, min_invocations=1), *rest)

    return mock.patch.object(windowed, "judge", lenient)


def _missing_metric_is_zero() -> Patch:
    total = windowed._total

    def never_missing(query: situation.Query, measured: situation.Measured) -> float:
        return total(query, measured) or float(query.statistic == "SampleCount")

    return mock.patch.object(windowed, "_total", never_missing)


def _kept_in_the_users_words() -> Patch:
    kept = stop_request.Wanted.without_promotion

    def worded(self: stop_request.Wanted, why: str) -> stop_request.Wanted:
        return replace(kept(self, why), reason_text=self.reason_text)

    return mock.patch.object(stop_request.Wanted, "without_promotion", worded)


ONE, FAULT, TWO, THREE = (
    "one",
    "one with a fault",
    "two",
    "three",
)
ALL = "all kinds in turn"
STOPPED = (
    oracle.UNORDERED,
    oracle.TAKEN_BACK,
    oracle.ANOTHER_END,
    oracle.ANOTHER_EXPERIMENT,
)

SEEDED_BUGS = (
    SeededBug("SUCCESS without waiting", _success_without_waiting, ONE, (oracle.LOST,)),
    SeededBug(
        "an event's firing answers early",
        _event_answers_early,
        FAULT,
        (oracle.LOST,),
        having='"events ',
    ),
    SeededBug(
        "the endpoint is not awaited",
        _of(Experiment, "is_settled", True),
        ALL,
        (oracle.LOST,),
    ),
    SeededBug(
        "a stop while a describe lags",
        _stops_while_a_describe_lags,
        ALL,
        (oracle.UNEXPECTED,),
    ),
    SeededBug(
        "the deadline restarts",
        _deadline_restarts,
        test=lambda world: (
            test_waiting.test_a_stop_that_takes_too_long_is_answered_while_cloudformation_still_waits(
                world, "Update", 300
            )
        ),
    ),
    SeededBug(
        "a refused Stop is tried after the deadline",
        _refused_until_the_end_of_time,
        test=test_lasting_faults.test_a_conflict_until_the_deadline_is_answered_with_the_status_that_it_comes_from,
    ),
    SeededBug("a random physical id", _random_id, ONE, (oracle.WRONG_ID,)),
    SeededBug(
        "a failed Create with the ARN",
        _failed_create_has_the_arn,
        ALL,
        (oracle.WRONG_ID,),
    ),
    SeededBug(
        "a leaked rule",
        _of(crhelper_traits.Resource, "_clean_up", lambda _: None),
        ONE,
        (oracle.LEFT,),
    ),
    SeededBug("a random name for the rule", _random_rule_name, ONE, (oracle.LEFT,)),
    SeededBug(
        "a Delete's rule is removed after its answer",
        _deletes_rule_is_removed_after_the_answer,
        test=test_waiting.test_the_rule_is_removed_before_the_answer_to_a_delete_and_looked_for_after_it,
    ),
    SeededBug(
        "a Delete's answer is left to a rule that is gone",
        _of(crhelper_traits.Resource, "_fires_again", property(lambda self: self._is_poll)),
        test=lambda world: (
            test_lasting_faults.test_a_deletions_answer_that_nobody_takes_is_sent_again_without_its_rule(
                world, "error", 200, 100
            )
        ),
    ),
    SeededBug(
        "a target for each RequestId",
        _of(
            crhelper_traits.Resource,
            "_target_id",
            property(lambda self: crhelper_traits._digest(self._event)),
        ),
        test=test_waiting.test_a_target_is_of_one_request_though_its_id_comes_again,
    ),
    SeededBug(
        "an invocation near the deadline leaves",
        _of(waiting, "NEAR_DEADLINE_SECONDS", 0.0),
        test=lambda world: test_waiting.test_a_request_whose_deadline_is_near_is_answered_before_it(
            world, "Running", 300, 240.0
        ),
    ),
    SeededBug(
        "the invocation leaves without a rule",
        _of(crhelper_traits.Resource, "hand_over", lambda *_: None),
        ONE,
        (oracle.UNANSWERED, oracle.LOST),
    ),
    SeededBug(
        "the invocation waits inside to its end",
        _of(waiting.Wait, "may_leave", lambda *_, **__: False),
        test=lambda world: (
            test_waiting.test_the_rule_is_made_right_after_the_stop_and_the_invocation_leaves_after_20_s(
                world, "Update"
            )
        ),
    ),
    SeededBug(
        "a PUT without a retry",
        _puts_once,
        ALL,
        (oracle.UNANSWERED,),
    ),
    SeededBug(
        "crhelper turns an answer that was not delivered into FAILED",
        _not_delivered_is_an_exception,
        test=test_lasting_faults.test_a_polls_answer_that_nobody_takes_is_tried_again_by_the_rule,
    ),
    SeededBug(
        "the event is logged",
        _logs_the_event,
        test=test_answers.test_no_log_line_holds_a_response_url_or_its_signature,
    ),
    SeededBug(
        "clean-up turns the answer",
        _clean_up_turns_the_answer,
        ALL,
        (oracle.UNEXPECTED,),
    ),
    SeededBug(
        "StopOn is ignored",
        _parsed(lambda read: replace(read, stop_on=frozenset(StopOn))),
        ONE,
        STOPPED,
    ),
    SeededBug(
        "a failure found late is taken for an older one",
        _of(look, "_remembering", lambda s: s.progress),
        test=lambda world: (
            test_rows.test_end_endpoint_failed_after_another_delivery_ordered_it_and_a_look_found_no_failure(
                world, "Stopping"
            )
        ),
    ),
    SeededBug(
        "a promotion taken for done",
        _of(End, "promotes", False),
        test=test_requests.test_an_update_that_wants_a_promotion_fails_where_somebody_else_ended_it,
    ),
    SeededBug(
        "a reworded reason is a change",
        _ends_alike(lambda one, other: one.reason == other.reason),
        ONE,
        STOPPED,
    ),
    SeededBug(
        "EndNow from true to false is a change",
        _ends_alike(lambda one, other: one.end_now == other.end_now),
        test=test_stories.test_end_now_taken_back_ends_no_other_test,
    ),
    SeededBug(
        "EndNow left true is an order",
        _end_now_left_true_is_an_order,
        test=test_stories.test_end_now_left_true_ends_no_other_change,
    ),
    SeededBug(
        "the same as the old properties is nothing",
        _same_as_the_old_properties_is_nothing,
        TWO,
        (oracle.LOST,),
    ),
    SeededBug(
        "what was never deployed counts as deployed",
        _never_deployed_counts_as_deployed,
        test=lambda world: test_stories.test_a_stack_that_never_was_complete_is_deleted(
            world, "CREATE_FAILED"
        ),
    ),
    SeededBug(
        "old properties after a failed update are the old declaration",
        _the_request_says_what_is_deployed,
        test=lambda world: test_stories.test_a_failed_promotion_that_is_withdrawn_is_none(
            world, PROMOTE, undo=False
        ),
    ),
    SeededBug(
        "what completed last is deployed, also if its undo failed",
        _what_completed_last_is_deployed,
        test=lambda world: (
            test_stories.test_an_undo_that_fails_leaves_the_former_declaration_deployed(
                world, "new", "deleted"
            )
        ),
    ),
    SeededBug(
        "a skipped undo is a completion",
        _skipped_undo_is_a_completion,
        THREE,
        STOPPED,
        having='"how": "skip"',
    ),
    SeededBug(
        "masked properties: the request is believed",
        _masked_properties_are_not_missed,
        test=test_stories.test_masked_properties_of_events_stop_nothing,
    ),
    SeededBug(
        "a name is an experiment", _name_is_the_experiment, FAULT, STOPPED, having="recreated"
    ),
    SeededBug(
        "a stop in a rollback",
        _undo_is_not_seen(RequestType.CREATE, RequestType.UPDATE),
        test=lambda world: test_requests.test_a_rollback_never_stops(
            world, "Update", "UPDATE_ROLLBACK_IN_PROGRESS"
        ),
    ),
    SeededBug(
        "a creation that is rolled back ends what it imported",
        _undo_is_not_seen(RequestType.DELETE),
        test=lambda world: test_stories.test_a_creation_that_is_undone_ends_nothing(
            world, "ROLLBACK_IN_PROGRESS", PROMOTE
        ),
    ),
    SeededBug(
        "the order is asked once", _order_is_asked_once, ONE, STOPPED, having='"fails": "while"'
    ),
    SeededBug(
        "forward = not a rollback",
        _forward_is_not_a_rollback,
        test=test_stories.test_an_import_does_not_create_anything_that_stops,
    ),
    SeededBug(
        "the nested status alone",
        _nested_status_alone,
        test=lambda world: test_stories.test_a_nested_stack_that_is_operated_directly(
            world, "Update"
        ),
    ),
    SeededBug(
        "a failure elsewhere is not seen",
        _of(permission, "_FAILED", frozenset()),
        test=test_stories.test_an_order_that_waits_while_a_sibling_fails_without_rollback_fails,
    ),
    SeededBug(
        "a duplicate after the answer is a request",
        _of(permission, "_closed", lambda *_: None),
        test=test_stories.test_a_second_delivery_an_hour_after_the_stop_stops_nothing_more,
    ),
    SeededBug(
        "an own stop under way is doubted",
        _of(decide, "is_stopped_already", lambda *_: False),
        test=lambda world: (
            test_stories.test_a_stop_of_which_no_answer_came_is_waited_for_whatever_cannot_be_told_then(
                world, "Delete", "answer"
            )
        ),
    ),
    SeededBug(
        "an order is lost when the minute ends",
        _doubt_is_success,
        ONE,
        (oracle.LOST,),
        having='"event_lag": 90.0',
    ),
    SeededBug(
        "a throttled look begins the minute of doubt anew",
        _of(run, "_says_nothing", lambda *_: False),
        test=lambda world: (
            test_lasting_faults.test_a_minute_of_doubt_is_no_longer_where_looks_are_throttled(
                world, 0.2
            )
        ),
    ),
    SeededBug(
        "a doubt is handed over before it can clear",
        _a_doubt_is_handed_over_at_once,
        test=test_lasting_faults.test_a_doubt_that_has_cleared_is_not_handed_over,
    ),
    SeededBug(
        "a page of events that fails costs all pages",
        _a_page_that_fails_costs_all_pages,
        test=lambda world: (
            test_lasting_faults.test_a_page_of_events_that_is_throttled_costs_only_itself(
                world, 0.05
            )
        ),
    ),
    SeededBug(
        "a response that is not AWS's is a refusal",
        _of(aws, "CALL_FAILED", (ClientError, BotoCoreError)),
        test=lambda world: test_lasting_faults.test_a_response_that_is_not_of_aws_is_no_answer(
            world, "DescribeStacks", test_lasting_faults.NOT_OF_AWS["503"]
        ),
    ),
    SeededBug(
        "a refused Stop is final while a describe may lag",
        _of(run, "LAG_SECONDS", 0.0),
        test=test_lasting_faults.test_a_request_that_is_delivered_twice_at_once_fails_neither,
    ),
    SeededBug(
        "a refused Stop is not looked at again",
        _a_refused_stop_fails_at_once,
        test=lambda world: (
            test_lasting_faults.test_a_stop_that_is_refused_as_the_test_ends_is_answered_by_what_a_look_finds(
                world, "Delete", "ended", False
            )
        ),
    ),
    SeededBug(
        "the SDK repeats a Stop",
        _sdk_repeats_a_stop,
        test=lambda world: (
            test_stops.test_a_stop_without_an_answer_is_sent_again_only_after_a_new_look(
                world, "lost"
            )
        ),
    ),
    SeededBug(
        "throttling fails",
        _of(errors.Throttled, "kind", Kind.REFUSED),
        test=(
            test_waiting.test_throttled_after_its_stop_a_firing_of_the_schedule_makes_one_attempt_and_leaves
        ),
    ),
    SeededBug(
        "one page of resources is read",
        _reads_one_page,
        test=test_stops.test_a_clean_up_reads_every_page_of_the_stacks_resources,
    ),
    SeededBug(
        "configured instances",
        _configured_instances,
        test=test_stops.test_an_outcome_promotes_the_shadow_on_as_many_instances_as_production_runs,
    ),
    SeededBug(
        "instances are counted once",
        _counted_once,
        test=test_stops.test_instances_are_counted_anew_before_each_stop,
    ),
    SeededBug(
        "shadow and production exchanged",
        _shadow_and_production_exchanged,
        test=test_stops.test_an_outcome_promotes_the_shadow_on_as_many_instances_as_production_runs,
    ),
    SeededBug(
        "an outcome and its variants always differ",
        _outcomes_are_compared_as_written,
        test=test_stops.test_the_same_end_as_an_outcome_is_no_order,
    ),
    SeededBug(
        "the gate stands open",
        _gate_stands_open,
        test=lambda world: _closed_gate(world, "slow"),
    ),
    SeededBug(
        "too few requests open the gate",
        _too_few_requests_open_the_gate,
        test=lambda world: _closed_gate(world, "few"),
    ),
    SeededBug(
        "a missing metric is zero",
        _missing_metric_is_zero,
        test=lambda world: _closed_gate(world, "unmeasured"),
    ),
    SeededBug(
        "alarms are not asked",
        _of(aws.Aws, "_alarm_states", lambda *_: {"too-slow": "OK"}),
        test=lambda world: _closed_gate(world, "alarming"),
    ),
    SeededBug(
        "one page of metrics is read",
        _one_page_of_metrics,
        test=lambda world: _gate(
            world, test_evidence.TestVerdict.test_is_an_attribute_that_outlives_the_invocation
        ),
    ),
    SeededBug(
        "judged again",
        _judged_again,
        test=lambda world: _gate(
            world, test_evidence.TestVerdict.test_is_made_once_however_long_the_stop_is_refused
        ),
    ),
    SeededBug(
        "a closed gate promotes on Delete",
        _of(stop_request.Wanted, "without_promotion", lambda self, _: self),
        test=lambda world: _gate(
            world, test_evidence.TestFaults.test_a_teardown_ends_by_keeping_production
        ),
    ),
    SeededBug(
        "kept in the user's words",
        _kept_in_the_users_words,
        test=lambda world: _gate(
            world,
            lambda self, world: (
                test_evidence.TestClosedGate.test_keeps_production_on_a_deletion_and_does_not_use_the_users_words(
                    self, world, "slow"
                )
            ),
        ),
    ),
)
"""Of the old explorer's bugs one went with its rule: a failed creation ended what its stack owned.
LastUpdatedTime, by which it was known whether a stack was ever complete, is not read any more."""


def _closed_gate(world: World, word: str) -> None:
    closed = test_evidence.TestClosedGate
    _gate(world, lambda self, world: closed.test_stops_nothing_on_an_update(self, world, word))


def _gate(world: World, test: Callable[[Any, World], object]) -> None:
    test_evidence.prepare(world)
    test(None, world)


FOUND = Path(__file__).with_suffix(".json")
SEED = "seeded bugs"
MOST = 3000


def found() -> dict[str, dict[str, Any]]:
    """By the names of bugs: a story that catches it, and after how many others it was found."""
    stored: dict[str, dict[str, Any]] = json.loads(FOUND.read_text(encoding="utf-8"))
    return stored


def is_caught(bug: SeededBug, story: Story) -> bool:
    """Whether the explorer sees that a story breaks the promise as the bug does."""
    with bug.patch():
        played = play(story)
    findings = {finding.kind for finding in played.findings}
    return not played.ledger.refused and bool(findings & set(bug.finds))


def _in_turn() -> Iterator[Story]:
    """One story of each kind, then another one of each."""
    kinds = [sample(list(kind()), MOST, SEED) for kind in KINDS.values()]
    return (story for turn in zip(*kinds, strict=True) for story in turn)


def search(bug: SeededBug) -> dict[str, Any] | None:
    """Search for a story, and make it small."""
    if bug.kind == ALL:
        return _search_all(bug)
    stories = [story for story in KINDS[bug.kind]() if bug.having in story.key]
    known, number = Known(SETTINGS), 0

    def first(missing: Story) -> Facts:
        nonlocal number
        number += 1
        return play(missing, digests=True).facts

    for story in sample(stories, len(stories), SEED):
        if number > MOST:
            return None
        try:
            with bug.patch():
                one = known.settle(story, first)
        except Refused:
            continue
        if known.is_played(one):
            continue
        number += 1
        if is_caught(bug, one):
            which = f"'{bug.kind}'" + (f" with {bug.having}" if bug.having else "")
            return _found(bug, one, f"{number} of {which}, seed '{SEED}'")
    return None


def _search_all(bug: SeededBug) -> dict[str, Any] | None:
    for number, story in enumerate(itertools.islice(_in_turn(), MOST), start=1):
        if is_caught(bug, story):
            return _found(bug, story, f"{number} of {ALL}, seed '{SEED}'")
    return None


def _found(bug: SeededBug, story: Story, after: str) -> dict[str, Any]:
    small = shrunk(story, lambda smaller: is_caught(bug, smaller))
    return {"found": after, "told": small.tell().splitlines(), "story": small.to_json()}


LAYERS: dict[str, tuple[str, ...]] = {
    "unit": ("tests/unit", "--ignore=tests/unit/test_statistics.py"),
    "requests": tuple(
        f"tests/loopback/test_{name}.py" for name in ("requests", "answers", "stops", "rows")
    ),
    "waiting": tuple(
        f"tests/loopback/test_{name}.py" for name in ("waiting", "lasting_faults", "evidence")
    ),
    "stories": tuple(
        f"tests/loopback/test_{name}.py" for name in ("stories", "recordings", "histories")
    ),
    "cli": ("tests/cli",),
    "template": ("tests/template/test_resource.py", "tests/template/test_outcome.py"),
}
"""Of the tests of the template only those that read what they declare as the function does."""

LONGEST_LAYER = 600
"""Seconds after which a bug that lets tests wait for ever counts as caught."""


def is_caught_by(bug: SeededBug | None, layer: str) -> bool:
    """Whether a test of a layer fails, in a process of its own that has the bug."""
    process = os.fork()
    if not process:
        signal.alarm(LONGEST_LAYER)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        with bug.patch() if bug else nullcontext():
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *LAYERS[layer]])
        os._exit(int(code))
    return os.waitpid(process, 0)[1] != 0


def measure_layers() -> None:
    """Print which bugs each layer catches."""
    assert not [layer for layer in LAYERS if is_caught_by(None, layer)], "they fail without a bug"
    caught: dict[str, list[str]] = {}
    for bug in SEEDED_BUGS:
        caught[bug.name] = [layer for layer in LAYERS if is_caught_by(bug, layer)]
        print(f"{bug.name}: {', '.join(caught[bug.name]) or 'no layer'}", flush=True)
    for layer in LAYERS:
        own = [name for name, layers in caught.items() if layers == [layer]]
        count = sum(layer in layers for layers in caught.values())
        print(f"{layer} catches {count}, and alone {len(own)}: {'; '.join(own)}")


def main() -> None:
    """Search for what is missing, or measure the layers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", action="store_true", help="which layer catches which bug")
    if parser.parse_args().layers:
        measure_layers()
        return
    stored = found() if FOUND.exists() else {}
    for bug in SEEDED_BUGS:
        if bug.kind and bug.name not in stored:
            result = search(bug)
            print(f"{bug.name}: {result['found'] if result else 'not found'}", flush=True)
            if result:
                stored[bug.name] = result
                FOUND.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
