"""Bugs that are seeded into the handler: the explorer must catch each of them."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from crhelper import CfnResource

from cdk_stop_inference_experiment_handler.contract import declaration
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.lifecycle import (
    decide,
    facts,
    gate,
    order,
    outcome,
    standing,
)
from cdk_stop_inference_experiment_handler.runtime import (
    aws,
    ending,
    protocol,
    resource,
    waiting,
)

from .scenarios import BRIEF, HANDED, STUCK, Scenario, Tempo, named

Patch = AbstractContextManager[object]


@dataclass(frozen=True)
class SeededBug:
    """One bug.

    Attributes:
        patch: A context manager that puts it in.
        breaks: The invariants that it may violate; at least one must be violated.
        scenario: The request in which it shows.
        depth: The number of steps after which it shows.
        start: The experiment's first status.
    """

    name: str
    patch: Callable[[], Patch]
    breaks: tuple[int, ...]
    scenario: str
    depth: int = 0
    tempo: Tempo = HANDED
    start: str = "Running"

    @property
    def situation(self) -> Scenario:
        """Where to look for it."""
        return replace(named(self.scenario), start=self.start, tempo=self.tempo)


def _success_without_waiting() -> Patch:
    done = facts.succeed("end_as_declared", "")
    return mock.patch.object(decide, "after_stop", return_value=done)


def _endpoint_not_awaited() -> Patch:
    return mock.patch.object(facts.Experiment, "is_over", facts.Experiment.has_ended)


def _stops_in_a_rollback() -> Patch:
    return mock.patch.object(standing, "_of_status", return_value=standing.Standing.ALLOWED)


def _random_id() -> Patch:
    ids = (f"id-{random.random()}" for _ in range(10**9))
    return mock.patch.object(ending, "physical_id", side_effect=ids)


def _leaks_the_rule() -> Patch:
    return mock.patch.object(resource.Resource, "_clean_up", return_value=None)


def _random_rule_name() -> Patch:
    return mock.patch.object(
        resource.Resource, "_rule_name", property(lambda _: f"rule-{random.random()}")
    )


def _stops_while_a_describe_lags() -> Patch:
    def forgetful(
        request: facts.Request, seen: facts.Facts, progress: facts.Progress
    ) -> facts.Decision:
        return decide.decide(request, seen, replace(progress, sent=""))

    return mock.patch.object(ending, "decide", forgetful)


def _puts_once() -> Patch:
    send = protocol.send

    def once(url: str, body: Mapping[str, Any], _left: Callable[[], float]) -> bool:
        try:
            return send(url, body, lambda: 0.0)
        except waiting.ComeAgain:
            return False

    return mock.patch.object(resource, "send", once)


def _failed_create_has_the_arn() -> Patch:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/fraud-shadow"
    return mock.patch.object(resource.Resource, "generate_physical_id", return_value=arn)


def _ignores_stop_on() -> Patch:
    read = declaration._declaration

    def deaf(*arguments: Any) -> Declaration:
        every = frozenset(("Create", "Update", "Delete"))
        return replace(read(*arguments), stop_on=every)

    return mock.patch.object(declaration, "_declaration", deaf)


def _deadline_restarts() -> Patch:
    read = facts.Progress.read

    def restarted(carried: Mapping[str, object] | None, *, otherwise: float) -> facts.Progress:
        del otherwise
        return replace(read(carried, otherwise=0.0), started_at=time.time())

    return mock.patch.object(facts.Progress, "read", restarted)


@contextmanager
def _logs_the_event() -> Iterator[None]:
    read = protocol.read_request

    def talkative(event: dict[str, Any]) -> facts.Request:
        logging.getLogger("handler").info(event)
        return read(event)

    with mock.patch.object(ending, "read_request", talkative):
        yield


@contextmanager
def _clean_up_turns_the_answer() -> Iterator[None]:
    """crhelper's own order: clean up, then answer; an exception becomes the answer."""

    def loud(self: Any) -> None:
        self._lambda_client, self._events_client = self._lambda, self._events
        CfnResource._remove_polling(self)

    with mock.patch.object(resource.Resource, "_remove_polling", loud):
        yield


def _promotion_taken_for_done() -> Patch:
    return mock.patch.object(Declaration, "promotes", new=False)


def _reads_one_page() -> Patch:
    def first_page(self: aws.Aws, request: facts.Request) -> object:
        answer = self._cloudformation.list_stack_resources(StackName=request.stack_id)
        return tuple(
            summary["LogicalResourceId"]
            for summary in answer["StackResourceSummaries"]
            if summary["PhysicalResourceId"] == request.physical_id
            and not summary["ResourceStatus"].startswith("DELETE_")
        )

    return mock.patch.object(aws.Aws, "holders", first_page)


def _throttling_fails() -> Patch:
    return mock.patch.object(waiting.Wait, "is_worth_repeating", return_value=False)


def _rewording_is_a_change() -> Patch:
    same = order._is_same

    def wordy(new: Declaration, old: Declaration, seen: facts.Facts) -> bool:
        return same(new, old, seen) and new.reason == old.reason

    return mock.patch.object(order, "_is_same", wordy)


def _end_now_taken_back_is_a_change() -> Patch:
    same = order._is_same

    def equal(new: Declaration, old: Declaration, seen: facts.Facts) -> bool:
        return same(new, old, seen) and new.end_now == old.end_now

    return mock.patch.object(order, "_is_same", equal)


def _end_now_left_true_is_an_order() -> Patch:
    def forgetful(request: facts.Request, seen: facts.Facts) -> Declaration | str | None:
        old = standing.last_deployed(request, seen)
        return replace(old, end_now=False) if isinstance(old, Declaration) else old

    return mock.patch.object(order, "last_deployed", forgetful)


def _order_is_asked_once() -> Patch:
    allowed: list[facts.Request] = []

    def once(request: facts.Request, seen: facts.Facts) -> standing.Standing:
        if any(request is one for one in allowed):
            return standing.Standing.ALLOWED
        found = standing.standing(request, seen)
        if found is standing.Standing.ALLOWED:
            allowed.append(request)
        return found

    return mock.patch.object(order, "standing", once)


@contextmanager
def _last_updated_means_complete() -> Iterator[None]:
    ask, updated = aws.Aws.stack, dict[str, bool]()

    def noting(self: aws.Aws, stack_id: str) -> facts.Stack:
        [told] = self._cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
        updated[stack_id] = "LastUpdatedTime" in told
        return ask(self, stack_id)

    def was_complete(stack_id: str, _: facts.Facts) -> bool:
        return updated[stack_id]

    with (
        mock.patch.object(aws.Aws, "stack", noting),
        mock.patch.object(standing, "_was_complete", was_complete),
    ):
        yield


def _old_properties_are_the_old_declaration() -> Patch:
    def told(request: facts.Request, _: facts.Facts) -> Declaration | str | None:
        return standing._told(request)

    return mock.patch.object(order, "last_deployed", told)


def _forward_is_not_a_rollback() -> Patch:
    def simple(request: facts.Request, seen: facts.Facts) -> standing.Standing:
        is_rollback = "ROLLBACK" in seen.stack(request.stack_id).status
        return standing.Standing.UNDO if is_rollback else standing.Standing.ALLOWED

    return mock.patch.object(order, "standing", simple)


def _unchanged_is_nothing_to_do() -> Patch:
    def hasty(request: facts.Request, seen: facts.Facts) -> order.Order | facts.Decision:
        if order._is_same(request.new, request.old, seen):
            return facts.succeed("update_unchanged", "")
        return order.order(request, seen)

    return mock.patch.object(decide, "order", hasty)


def _nested_status_alone() -> Patch:
    return mock.patch.object(standing, "_from_above", return_value=standing.Standing.ALLOWED)


def _failed_creation_stops_as_declared() -> Patch:
    def as_declared(
        _request: facts.Request, declared: Declaration, _facts: facts.Facts
    ) -> order.Order:
        return order.Order("delete_creation_undone", True, declared)

    return mock.patch.object(order, "_delete_creation_undone", as_declared)


def _the_gate_stands_open() -> Patch:
    return mock.patch.object(decide, "gate", lambda decision, *_: decision)


def _judged_again_after_a_stop() -> Patch:
    judge = gate.gate

    def forgetful(
        decision: facts.Decision,
        request: facts.Request,
        seen: facts.Facts,
        progress: facts.Progress,
    ) -> facts.Decision:
        forgotten = replace(progress, evidence={}) if progress.tried else progress
        return judge(decision, request, seen, replace(forgotten, tried=False))

    return mock.patch.object(decide, "gate", forgetful)


def _too_few_requests_open_the_gate() -> Patch:
    judge = gate.judge

    def lenient(declared: Mapping[str, Any], *rest: Any) -> dict[str, object]:
        return judge({**declared, "MinInvocations": 1}, *rest)

    return mock.patch.object(gate, "judge", lenient)


@contextmanager
def _a_missing_metric_is_zero() -> Iterator[None]:
    total = gate._total

    def never_missing(query: facts.Query, measured: facts.Measured) -> float:
        return total(query, measured) or float(query.statistic == "SampleCount")

    with mock.patch.object(gate, "_total", never_missing):
        yield


def _alarms_are_not_asked() -> Patch:
    everything_is_fine = {"too-slow": "OK"}
    return mock.patch.object(aws.Aws, "_alarm_states", return_value=everything_is_fine)


def _one_page_of_metrics() -> Patch:
    return mock.patch.object(aws, "_all", lambda pages, **request: [next(iter(pages(**request)))])


def _a_closed_gate_promotes_on_delete() -> Patch:
    return mock.patch.object(Declaration, "kept", lambda self, *_: self)


def _kept_in_the_users_words() -> Patch:
    kept = Declaration.kept

    def worded(self: Declaration, *names: str) -> Declaration:
        return replace(kept(self, *names), words=self.words)

    return mock.patch.object(Declaration, "kept", worded)


def _configured_instances() -> Patch:
    remaining = outcome._remaining

    def as_configured(
        declared: Declaration, experiment: facts.Experiment, _counts: Mapping[str, int]
    ) -> object:
        return remaining(declared, experiment, {})

    return mock.patch.object(outcome, "_remaining", as_configured)


def _shadow_and_production_exchanged() -> Patch:
    pair = outcome._pair
    return mock.patch.object(outcome, "_pair", lambda experiment: pair(experiment)[::-1])


def _resolved_once() -> Patch:
    known: dict[str, facts.Decision] = {}

    def remembered(decision: facts.Decision, seen: facts.Facts) -> facts.Decision:
        if decision.verb is not facts.Verb.STOP or not decision.stop:
            return decision
        return known.setdefault(decision.stop.digest, resolved(decision, seen))

    resolved = outcome.resolved
    return mock.patch.object(decide, "resolved", remembered)


def _outcomes_are_compared_resolved() -> Patch:
    def resolved(one: Declaration, other: Declaration, seen: facts.Facts) -> bool:
        return one.is_same_as(other)

    return mock.patch.object(order, "make_the_same_request", resolved)


SEEDED_BUGS = (
    SeededBug("SUCCESS without waiting", _success_without_waiting, (2,), "update"),
    SeededBug("the endpoint is not awaited", _endpoint_not_awaited, (2,), "delete"),
    SeededBug("a stop in a rollback", _stops_in_a_rollback, (5,), "rollback update"),
    SeededBug("a random physical id", _random_id, (4,), "delete"),
    SeededBug("a leaked rule", _leaks_the_rule, (7,), "update"),
    SeededBug("a random name for the rule", _random_rule_name, (7,), "update"),
    SeededBug("a stop while a describe lags", _stops_while_a_describe_lags, (6,), "delete"),
    SeededBug("a PUT without a retry", _puts_once, (14, 1), "create", depth=1),
    SeededBug(
        "a failed Create with the ARN", _failed_create_has_the_arn, (4,), "create", start="absent"
    ),
    SeededBug("StopOn is ignored", _ignores_stop_on, (5,), "delete, not in StopOn"),
    SeededBug("the deadline restarts", _deadline_restarts, (1, 7), "update", tempo=STUCK),
    SeededBug("the event is logged", _logs_the_event, (11,), "create"),
    SeededBug("clean-up turns the answer", _clean_up_turns_the_answer, (8,), "update"),
    SeededBug(
        "a promotion taken for done", _promotion_taken_for_done, (2,), "update", start="Completed"
    ),
    SeededBug("one page of resources is read", _reads_one_page, (5,), "cleanup delete"),
    SeededBug("throttling fails", _throttling_fails, (9,), "update", depth=1, tempo=BRIEF),
    SeededBug("a reworded reason is a change", _rewording_is_a_change, (5,), "reworded reason"),
    SeededBug(
        "EndNow from true to false is a change",
        _end_now_taken_back_is_a_change,
        (5,),
        "end now taken back",
    ),
    SeededBug(
        "EndNow left true is an order", _end_now_left_true_is_an_order, (5,), "end now left true"
    ),
    SeededBug(
        "the order is asked once",
        _order_is_asked_once,
        (15,),
        "nested update",
        depth=1,
        start="Updating",
    ),
    SeededBug(
        "LastUpdatedTime means complete",
        _last_updated_means_complete,
        (5,),
        "failed creation by change set is deleted",
    ),
    SeededBug(
        "old properties after a failed update are the old declaration",
        _old_properties_are_the_old_declaration,
        (5,),
        "withdrawn order, old properties are the failed ones",
    ),
    SeededBug(
        "forward = not a rollback",
        _forward_is_not_a_rollback,
        (5,),
        "create that stops, an import",
    ),
    SeededBug(
        "unchanged = nothing to do",
        _unchanged_is_nothing_to_do,
        (2,),
        "retry, old properties are the failed ones",
    ),
    SeededBug(
        "the nested status alone", _nested_status_alone, (5,), "nested delete, the root rolls back"
    ),
    SeededBug(
        "a failed creation stops as declared",
        _failed_creation_stops_as_declared,
        (15,),
        "rollback delete of what the stack owns",
    ),
    SeededBug("configured instances", _configured_instances, (15,), "outcome update"),
    SeededBug(
        "shadow and production exchanged",
        _shadow_and_production_exchanged,
        (15,),
        "outcome update that keeps",
    ),
    SeededBug(
        "an outcome is resolved once",
        _resolved_once,
        (15,),
        "outcome update",
        depth=1,
        start="Updating",
    ),
    SeededBug(
        "the two ways always differ",
        _outcomes_are_compared_resolved,
        (5,),
        "outcome of the named variants",
    ),
    SeededBug("the gate stands open", _the_gate_stands_open, (16,), "gated update, closed"),
    SeededBug(
        "judged again after a Stop", _judged_again_after_a_stop, (17,), "gated update", depth=1
    ),
    SeededBug(
        "too few requests open the gate",
        _too_few_requests_open_the_gate,
        (16,),
        "gated update, few",
    ),
    SeededBug(
        "a missing metric is zero", _a_missing_metric_is_zero, (16,), "gated update, unmeasured"
    ),
    SeededBug(
        "alarms are not asked",
        _alarms_are_not_asked,
        (16,),
        "gated create that stops, closed",
    ),
    SeededBug("one page of metrics is read", _one_page_of_metrics, (2, 9), "gated update"),
    SeededBug(
        "a closed gate promotes on Delete",
        _a_closed_gate_promotes_on_delete,
        (16,),
        "gated delete, closed",
    ),
    SeededBug("kept in the user's words", _kept_in_the_users_words, (15,), "gated delete, closed"),
)
