"""A resource's whole life, drawn by Hypothesis: request after request, with everything in between.

The explorer looks at one request from every side; this machine looks at many in a row. It is
CloudFormation: it sends Create, Updates and a Delete, rolls back what fails, and takes the physical
id for true. What it leaves to chance: duplicates, failures, kills, cold containers, time, and other
people who end or delete the experiment.
"""

from __future__ import annotations

import json
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

from .cloudformation import MAX_RESPONSE_BYTES, SIGNATURE
from .faults import CALL_KINDS, PUT_KINDS
from .journal import STEP, Entry
from .sagemaker import BY_HAND, ENDED, STATUSES, Pace, arn_of
from .seeded_bugs import SEEDED_BUGS
from .world import KEEP, NAME, PROMOTE, World

CANCEL = {**KEEP, "DesiredState": "Cancelled", "Reason": "not worth it"}
WRONG = {**KEEP, "ModelVariantActions": {"blue": "Retain", "green": "Remove"}}
ROLLBACK = "UPDATE_ROLLBACK_IN_PROGRESS"
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"

OPERATIONS = (
    "DescribeInferenceExperiment",
    "StopInferenceExperiment",
    "DescribeStacks",
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
TROUBLE: st.SearchStrategy[list[tuple[str, str, str]]] = st.one_of(
    st.just([]), st.lists(DISTURBANCES, max_size=4)
)


class Life(RuleBasedStateMachine):
    """One resource of one stack, from its Create to its Delete."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(limit=200)
        self._installed = self.world.installed()
        self._installed.__enter__()
        self.declared: dict[str, Any] = dict(KEEP)
        self.physical_id: str | None = None
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
    def create(self, status: str, trouble: list[tuple[str, str, str]]) -> None:
        """The stack is created."""
        self.world.experiment(status, Pace(stop=150, settle=5, begin=30))
        self._ask("Create", "CREATE_IN_PROGRESS", KEEP, KEEP, trouble)

    @precondition(lambda self: self.physical_id)
    @rule(new=st.sampled_from([KEEP, PROMOTE, CANCEL, WRONG]), trouble=TROUBLE)
    def update(self, new: dict[str, Any], trouble: list[tuple[str, str, str]]) -> None:
        """The stack is updated, and rolled back if that fails."""
        old = self.declared
        answer = self._ask("Update", "UPDATE_IN_PROGRESS", new, old, trouble)
        if answer == "SUCCESS":
            self.declared = new
            experiment = self.world.sagemaker.experiments.get(NAME)
            assert new == old or experiment is None or experiment.was_settled_at(self.answered_at)
        elif answer == "FAILED":
            self._ask("Update", ROLLBACK, old, new, trouble[:1])

    @precondition(lambda self: self.physical_id)
    @rule(status=st.sampled_from(["DELETE_IN_PROGRESS", CLEANUP]), trouble=TROUBLE)
    def delete(self, status: str, trouble: list[tuple[str, str, str]]) -> None:
        """The resource is deleted."""
        mine = self.physical_id == arn_of(NAME)
        if self._ask("Delete", status, self.declared, self.declared, trouble) == "SUCCESS":
            experiment = self.world.sagemaker.experiments.get(NAME)
            assert experiment is None or experiment.was_settled_at(self.answered_at) or not mine
            self.physical_id = None

    @rule()
    def a_quiet_hour(self) -> None:
        """Nothing happens, and the containers go."""
        self.world.run(3600)
        self.world.function.freeze_out()

    def _ask(
        self,
        kind: str,
        status: str,
        new: dict[str, Any],
        old: dict[str, Any],
        trouble: list[tuple[str, str, str]],
    ) -> str | None:
        """Send a request, disturb it, and wait for the answer as CloudFormation does."""
        self.sent += 1
        self.world.faults.clear()
        self.world.stack.status = status
        self.world.journal.append(Entry(self.world.clock.now, STEP, status))
        event = self.world.request(
            kind, new, old, request_id=f"request-{self.sent}", physical_id=self.physical_id
        )
        asked = self.world.deliver(event)
        for what, operation, how in trouble:
            self._disturb(event, what, operation, how)
        self.world.run(7200)
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
        effective, status = 0, ""
        for entry in self.world.journal:
            if entry.kind == STEP:
                status = entry.name
            if entry.name == "StopInferenceExperiment":
                assert status != ROLLBACK, "a Stop in a rollback"
                assert status != "CREATE_IN_PROGRESS", "a Stop on Create"
                effective += not entry.detail["code"]
        assert effective <= 1
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


@pytest.mark.parametrize("name", ["a stop in a rollback", "a leaked rule", "a random physical id"])
def test_a_bug_put_in_on_purpose_ends_a_life(name: str) -> None:
    [bug] = [bug for bug in SEEDED_BUGS if bug.name == name]
    with bug.patch(), pytest.raises(AssertionError):
        run_lives(200, shrink=False)
