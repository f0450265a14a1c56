"""What the command plans right before an operation, compared with what then happens.

*Will* equals it, *may* contains it, and nothing happens that is in neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cdk_stop_inference_experiment.cli.plan import (
    FAIL,
    NO,
    NOTHING,
    STOP,
    UNKNOWN,
    WILL,
    Plan,
    Verdict,
    plan_change_set,
    plan_destroy,
)
from cdk_stop_inference_experiment.cli.reading import Reader
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from local_aws import Call, LocalAws
from local_aws.synthesis import Template

Json = dict[str, Any]
_CHANGE_SET = "planned"
_OURS = re.compile(r"\([0-9a-f]{8}\)$")
_IN_A_CLEANUP = "AWS::CloudFormation::CustomResource"
"""The type of what a cleanup deletes, whatever the template says."""
_UNDO = ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")


class Session:
    """What the command takes for a session of boto3."""

    def __init__(self, aws: LocalAws) -> None:
        self.client = aws.client


def reader(aws: LocalAws) -> Reader:
    """The command's reader, as the account's root."""
    session: Any = Session(aws)
    return Reader(session)


def plan_of(aws: LocalAws, stack: str, template: Template, *, exists: bool, **options: Any) -> Plan:
    """The plan for a deployment that has not begun, by a change set that is made for it alone."""
    client = aws.client("cloudformation")
    client.create_change_set(
        StackName=stack,
        ChangeSetName=_CHANGE_SET,
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateBody=json.dumps(template.body),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        IncludeNestedStacks=True,
        **{name: value for name, value in options.items() if name == "Parameters"},
    )
    try:
        return plan_change_set(reader(aws), stack, _CHANGE_SET)
    finally:
        if exists:
            client.delete_change_set(StackName=stack, ChangeSetName=_CHANGE_SET)
        else:
            client.delete_stack(StackName=stack)


class Operation:
    """An operation on a stack: its plan, and what had happened before it began."""

    def __init__(self, aws: LocalAws, plan: Plan, events: list[Json]) -> None:
        self.plan = plan
        self._aws = aws
        self._stops = len(_stops(aws))
        self._events = len(events)

    def check(self, events: list[Json], *, disturbed: bool) -> None:
        """Hold that what happened is what was planned.

        Args:
            events: All events of the stack, oldest first.
            disturbed: Something happened meanwhile that nobody could know before. Then nothing may
                happen that was not planned, and not everything need have happened.
        """
        deletes = self.plan.operation == "destroy"
        forward = list(_forward(events[self._events :], deletes=deletes))
        stops = [call.request for call in _stops(self._aws)[self._stops :]]
        self._nothing_else_happened(forward, stops)
        if disturbed:
            return
        for verdict in self.plan.verdicts:
            if verdict.certainty == WILL:
                self._happened(verdict, forward, stops)

    def _nothing_else_happened(self, events: list[Json], stops: list[Json]) -> None:
        planned = self.plan.verdicts
        if any(verdict.effect == UNKNOWN for verdict in planned):
            return
        allowed = [verdict.stop_request for verdict in planned if verdict.chances[STOP] != NO]
        # Evidence that changes, or that the function may not read, makes another request of it.
        gated = {verdict.experiment for verdict in planned if verdict.evidence}
        for stop in stops:
            assert stop in allowed or stop["Name"] in gated, (stop, self.plan)
        requests = {(verdict.logical_id, verdict.request) for verdict in planned}
        for event in events:
            if event["ResourceStatus"].endswith("_IN_PROGRESS"):
                request = event["ResourceStatus"].partition("_")[0].title()
                assert (event["LogicalResourceId"], request) in requests, (event, self.plan)

    def _happened(self, verdict: Verdict, events: list[Json], stops: list[Json]) -> None:
        statuses = [
            event["ResourceStatus"]
            for event in events
            if event["LogicalResourceId"] == verdict.logical_id
        ]
        if not verdict.request:
            assert not statuses, (verdict, statuses)
            return
        assert (verdict.stop_request in stops) is (verdict.effect == STOP), (verdict, stops)
        if verdict.stack != self.plan.stack.name:
            return  # The events are those of the root.
        begun, failed = (f"{verdict.request.upper()}_{word}" for word in ("IN_PROGRESS", "FAILED"))
        assert (begun in statuses) or verdict.effect == NOTHING, (verdict, statuses)
        assert (failed in statuses) is (verdict.effect == FAIL), (verdict, statuses)


def _stops(aws: LocalAws) -> list[Call]:
    """The Stop calls of ours that SageMaker accepted: a person's have no digest.

    A plan is about what is ordered, so the end of what an undone creation deletes is left out.
    """
    calls = aws.calls("StopInferenceExperiment")
    return [
        call
        for call in calls
        if call.error_code is None
        and _OURS.search(reason := call.request.get("Reason", ""))
        and "was undone" not in reason
    ]


def _forward(events: list[Json], *, deletes: bool) -> Iterator[Json]:
    """The events of our resources up to the point where the operation is undone."""
    undo = _UNDO if deletes else (*_UNDO, "DELETE_IN_PROGRESS")
    for event in events:
        if event["PhysicalResourceId"] == event["StackId"] and event["ResourceStatus"] in undo:
            return
        if event["ResourceType"] in (RESOURCE_TYPE, _IN_A_CLEANUP):
            yield event


__all__ = ["Operation", "plan_destroy", "plan_of", "reader"]
