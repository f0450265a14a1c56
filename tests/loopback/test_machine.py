"""A resource's whole life, drawn by Hypothesis: request after request, with everything in between.

The explorer looks at one request from every side; this machine looks at many in a row. It is
CloudFormation: it sends Create, Updates and a Delete, rolls back what fails, and takes the physical
id for true. What it leaves to chance: duplicates, failures, kills, cold containers, time, and other
people who end or delete the experiment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loopback.cloudformation import MAX_RESPONSE_BYTES, SIGNATURE
from loopback.faults import CALL_KINDS, PUT_KINDS
from loopback.sagemaker import BY_HAND, ENDED, STATUSES, Pace, arn_of
from loopback.world import KEEP, NAME, PROMOTE, World

from .seeded_bugs import SEEDED_BUGS

CANCEL = {**KEEP, "DesiredState": "Cancelled", "Reason": "not worth it"}
REWORDED = {**KEEP, "Reason": "tidy wording"}
NOW = {**KEEP, "EndNow": "true", "StopOn": ["Delete"]}
WRONG = {**KEEP, "ModelVariantActions": {"blue": "Retain", "green": "Remove"}}
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
AFTER_A_FAILURE = ("rolled back", "restored", "left, stable", "left, failed")
LEFT_OUT = ("Reason", "StopOn", "EndNow")

OPERATIONS = (
    "DescribeInferenceExperiment",
    "StopInferenceExperiment",
    "DescribeStacks",
    "DescribeStackEvents",
    "ListStackResources",
    "PutRule",
    "AddPermission",
    "PutTargets",
    "RemoveTargets",
    "DeleteRule",
    "RemovePermission",
)

DISTURBANCES = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(OPERATIONS), st.sampled_from(CALL_KINDS)),
    st.tuples(st.just("put"), st.just("PUT"), st.sampled_from(PUT_KINDS)),
    st.tuples(st.just("time"), st.just(""), st.sampled_from(["0.3", "2", "40", "100"])),
    st.sampled_from([("again", "", ""), ("cold", "", ""), ("kill", "", "")]),
    st.tuples(st.just("others"), st.just(""), st.sampled_from([*ENDED, "deleted"])),
)
Declared = Mapping[str, Any]
Trouble = list[tuple[str, str, str]]
TROUBLE: st.SearchStrategy[Trouble] = st.one_of(st.just([]), st.lists(DISTURBANCES, max_size=4))


def is_order(new: Declared, deployed: Declared) -> bool:
    """Whether an update from what is deployed orders an end, as the contract's first table says."""
    if new.get("EndNow") == "true" and deployed.get("EndNow") != "true":
        return True
    ends = [{name: one[name] for name in one if name not in LEFT_OUT} for one in (new, deployed)]
    return ends[0] != ends[1] and "Update" in new.get("StopOn", ["Update"])


class Life(RuleBasedStateMachine):
    """One resource of one stack, from its Create to its Delete.

    Attributes:
        deployed: What was carried out well at last.
        old: What the next update says is replaced: after a failed update without rollback, AWS
            does not document whether that is the stable or the failed declaration.
        unordered: Stops that no order led to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World(limit=200)
        self._installed = self.world.installed()
        self._installed.__enter__()
        self.deployed: Declared = KEEP
        self.old: Declared = KEEP
        self.physical_id: str | None = None
        self.unordered: list[str] = []
        self.seen = 0
        self.sent = 0
        self.answered_at = 0.0
        self.unanswerable = False

    def teardown(self) -> None:
        """Check what has to hold of the whole life."""
        try:
            self._check()
        finally:
            self._installed.__exit__(None, None, None)

    @initialize(
        status=st.sampled_from(["Running", "Running", *STATUSES, "absent"]), trouble=TROUBLE
    )
    def create(self, status: str, trouble: Trouble) -> None:
        """The stack is created, and rolled back if that fails."""
        self.world.stack.events.clear()
        self.world.experiment(status, Pace(stop=150, settle=5, begin=30))
        self.world.stack.status = "CREATE_IN_PROGRESS"
        if self._ask("Create", KEEP, KEEP, trouble, orders=False) == "SUCCESS":
            self._rest("CREATE_COMPLETE")
        elif self.physical_id:
            self.world.stack.status = "ROLLBACK_IN_PROGRESS"
            assert self._ask("Delete", KEEP, KEEP, [], orders=False) == "SUCCESS"
            self.physical_id = None

    @precondition(lambda self: self.physical_id)
    @rule(
        new=st.sampled_from([KEEP, PROMOTE, CANCEL, REWORDED, NOW, WRONG]),
        trouble=TROUBLE,
        after_a_failure=st.sampled_from(
            ["rolled back", "restored", "left, stable", "left, failed"]
        ),
    )
    def update(self, new: Declared, trouble: Trouble, after_a_failure: str) -> None:
        """The stack is updated; what fails is rolled back, or without rollback restored or left."""
        stack, old, orders = self.world.stack, self.old, is_order(new, self.deployed)
        stack.status = "UPDATE_IN_PROGRESS"
        answer = self._ask("Update", new, old, trouble, orders=orders)
        if answer == "SUCCESS":
            self.deployed = self.old = new
            self._rest("UPDATE_COMPLETE")
            experiment = self.world.sagemaker.experiments.get(NAME)
            assert not orders or experiment is None or experiment.was_settled_at(self.answered_at)
        elif answer == "FAILED":
            self._after_a_failure(new, trouble[:1], after_a_failure)

    def _after_a_failure(self, failed: Declared, trouble: Trouble, how: str) -> None:
        stack = self.world.stack
        if how == "rolled back":
            stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        if how in ("rolled back", "restored"):
            self._ask("Update", self.deployed, failed, trouble, orders=False)
        self._rest("UPDATE_ROLLBACK_COMPLETE" if how == "rolled back" else "UPDATE_FAILED")
        self.old = failed if how == "left, failed" else self.deployed

    @precondition(lambda self: self.physical_id)
    @rule(status=st.sampled_from(["DELETE_IN_PROGRESS", CLEANUP]), trouble=TROUBLE)
    def delete(self, status: str, trouble: Trouble) -> None:
        """The resource is deleted."""
        if status == CLEANUP:
            self.world.stack.status = "UPDATE_IN_PROGRESS"
        self.world.stack.status = status
        if self._ask("Delete", self.old, self.old, trouble, orders=True) == "SUCCESS":
            experiment = self.world.sagemaker.experiments.get(NAME)
            assert experiment is None or experiment.was_settled_at(self.answered_at)
            self.physical_id = None

    @rule()
    def a_quiet_hour(self) -> None:
        """Nothing happens, and the containers go."""
        self.world.run(3600)
        self.world.function.freeze_out()

    def _ask(
        self, kind: str, new: Declared, old: Declared, trouble: Trouble, *, orders: bool
    ) -> str | None:
        """Send a request, disturb it, and wait for the answer as CloudFormation does."""
        self.sent += 1
        self.world.faults.clear()
        event = self.world.request(
            kind, new, old, request_id=f"request-{self.sent}", physical_id=self.physical_id
        )
        asked = self.world.deliver(event)
        for what, operation, how in trouble:
            self._disturb(event, what, operation, how)
        self.world.run(7200)
        ordered = self.deployed if kind == "Delete" else new
        self._note_stops(ordered if orders else None)
        if asked.answer is None:
            # Kills and refused URLs: CloudFormation times out, and this machine gives up.
            assert self.unanswerable, "never answered"
            self.physical_id = None
            return None
        self.answered_at = asked.answered_at
        assert asked.answered_at - asked.issued_at < 3540
        succeeded = asked.answer["Status"] == "SUCCESS"
        if kind == "Create":
            assert (asked.answer["PhysicalResourceId"] == arn_of(NAME)) is succeeded
        else:
            assert asked.answer["PhysicalResourceId"] == event["PhysicalResourceId"]
        self.physical_id = asked.answer["PhysicalResourceId"]
        return str(asked.answer["Status"])

    def _rest(self, status: str) -> None:
        """An operation ends; its events show before the next one begins."""
        self.world.stack.status = status
        self.world.run(60)

    def _note_stops(self, ordered: Declared | None) -> None:
        """Hold each Stop that was sent since the last request against the order."""
        calls = list(self.world.journal.calls("StopInferenceExperiment"))
        for call in calls[self.seen :]:
            sent = call.detail["request"]
            if ordered is None:
                self.unordered.append("a Stop that nothing ordered")
            elif sent["ModelVariantActions"] != ordered["ModelVariantActions"]:
                self.unordered.append(f"a Stop as {sent}")
        self.seen = len(calls)

    def _disturb(self, event: dict[str, Any], what: str, operation: str, how: str) -> None:
        if what in ("call", "put"):
            self.world.fail(operation, how)
            self.unanswerable |= how in ("killed", "expired")
        elif what == "time":
            self.world.run(float(how))
        elif what == "again":
            self.world.function.invoke(event)
        elif what == "cold":
            self.world.function.freeze_out()
        elif what == "kill":
            for running in self.world.function.running.values():
                running.task.is_killed = self.unanswerable = True
        elif how == "deleted":
            self.world.sagemaker.experiments.pop(NAME, None)
        elif NAME in self.world.sagemaker.experiments:
            self.world.sagemaker.experiments[NAME].conclude(how, BY_HAND)

    def _check(self) -> None:
        assert self.world.leftovers == []
        assert self.world.events.limits_broken == self.world.function.limits_broken == []
        assert self.world.function.kills_at_limit == 0
        assert not any(SIGNATURE in line for line in self.world.journal.lines())
        assert self.unordered == []
        stops = self.world.journal.calls("StopInferenceExperiment")
        assert sum(not stop.detail["code"] for stop in stops) <= 1
        for put in self.world.journal.puts():
            assert len(put.detail["body"]) <= MAX_RESPONSE_BYTES
            assert json.loads(put.detail["body"])["PhysicalResourceId"]


def run_lives(lives: int, *, shrink: bool = True) -> None:
    """Draw lives; the same ones every time."""
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=lives,
            stateful_step_count=5,
            deadline=None,
            derandomize=True,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_life_of_a_resource_breaks_what_must_hold() -> None:
    run_lives(400)


@pytest.mark.parametrize(
    "name",
    [
        "a leaked rule",
        "a random physical id",
        "a reworded reason is a change",
        "old properties after a failed update are the old declaration",
    ],
)
def test_a_bug_put_in_on_purpose_ends_a_life(name: str) -> None:
    [bug] = [bug for bug in SEEDED_BUGS if bug.name == name]
    with bug.patch(), pytest.raises(AssertionError):
        run_lives(2000, shrink=False)
