"""Bugs put into the handler on purpose: each has to be caught, or the explorer proves nothing."""

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
from cdk_stop_inference_experiment_handler.lifecycle import decision, facts
from cdk_stop_inference_experiment_handler.runtime import (
    answering,
    aws,
    ending,
    fulfil,
    requests,
    resource,
    waiting,
)

from .scenarios import BRIEF, HANDED, STUCK, Scenario, Tempo, named

Patch = AbstractContextManager[object]


@dataclass(frozen=True)
class SeededBug:
    """One bug.

    Attributes:
        patch: Puts it in, for as long as the context lasts.
        breaks: The invariants that it may break; one of them has to be.
        scenario: In which request it shows.
        depth: After how many steps.
        start: The experiment's status at first.
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
    done = facts.Decision(facts.Verb.SUCCEED)
    return mock.patch.object(decision, "_after_our_stop", return_value=done)


def _endpoint_not_awaited() -> Patch:
    return mock.patch.object(facts.Experiment, "is_over", facts.Experiment.has_ended)


def _stops_in_a_rollback() -> Patch:
    return mock.patch.object(decision, "is_rollback", return_value=False)


def _random_id() -> Patch:
    ids = (f"id-{random.random()}" for _ in range(10**9))
    return mock.patch.object(fulfil, "physical_id", side_effect=ids)


def _leaks_the_rule() -> Patch:
    return mock.patch.object(resource.Resource, "_clean_up", return_value=None)


def _random_rule_name() -> Patch:
    return mock.patch.object(
        resource.Resource, "_rule_name", property(lambda _: f"rule-{random.random()}")
    )


def _stops_while_a_describe_lags() -> Patch:
    def forgetful(case: facts.Case, region: str) -> facts.Decision:
        return decision.decide(replace(case, stop_sent=False), region)

    return mock.patch.object(ending, "decide", forgetful)


def _puts_once() -> Patch:
    send = answering.send

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

    def deaf(*arguments: Any) -> declaration.Declaration:
        every = frozenset(("Create", "Update", "Delete"))
        return replace(read(*arguments), stop_on=every)

    return mock.patch.object(declaration, "_declaration", deaf)


def _deadline_restarts() -> Patch:
    read = waiting.Progress.read

    def restarted(carried: Mapping[str, object] | None, *, otherwise: float) -> waiting.Progress:
        del otherwise
        return replace(read(carried, otherwise=0.0), started_at=time.time())

    return mock.patch.object(waiting.Progress, "read", restarted)


@contextmanager
def _logs_the_event() -> Iterator[None]:
    read = requests.read_request

    def talkative(event: dict[str, Any]) -> facts.Request:
        logging.getLogger("handler").info(event)
        return read(event)

    with mock.patch.object(fulfil, "read_request", talkative):
        yield


@contextmanager
def _clean_up_turns_the_answer() -> Iterator[None]:
    """crhelper's own order: clean up, then answer; what it raises becomes the answer."""

    def loud(self: Any) -> None:
        self._lambda_client, self._events_client = self._lambda, self._events
        CfnResource._remove_polling(self)

    with mock.patch.object(resource.Resource, "_remove_polling", loud):
        yield


def _promotion_taken_for_done() -> Patch:
    done = facts.Decision(facts.Verb.SUCCEED)
    return mock.patch.object(decision, "_found_ended", return_value=done)


def _reads_one_page() -> Patch:
    def first_page(self: aws.Aws, request: facts.Request) -> object:
        answer = self._cloudformation.list_stack_resources(StackName=request.stack_id)
        return tuple(
            summary["LogicalResourceId"]
            for summary in answer["StackResourceSummaries"]
            if summary["PhysicalResourceId"] == request.physical_id
            and summary["LogicalResourceId"] != request.logical_id
        )

    return mock.patch.object(aws.Aws, "other_holders", first_page)


def _throttling_fails() -> Patch:
    return mock.patch.object(ending.Ending, "_is_worth_repeating", return_value=False)


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
)
