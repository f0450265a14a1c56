"""What the command plans right before an operation, compared with what then happens."""

from __future__ import annotations

from typing import Any

from cdk_stop_inference_experiment.cli.plan import Plan, plan_change_set, plan_destroy
from cdk_stop_inference_experiment.cli.reading import Reader
from local_aws import Call, LocalAws
from tests.plans.compare import Happened, mistakes

Json = dict[str, Any]
_CHANGE_SET = "planned"


class Session:
    """What the command takes for a session of boto3."""

    def __init__(self, aws: LocalAws) -> None:
        self.client = aws.client


def reader(aws: LocalAws) -> Reader:
    """The command's reader, as the account's root."""
    session: Any = Session(aws)
    return Reader(session)


def plan_of(aws: LocalAws, stack: str, template: Json, *, exists: bool, **options: Any) -> Plan:
    """The plan for a deployment that has not begun, by a change set that is made for it alone.

    Args:
        aws: The account.
        stack: The stack's name.
        template: The template, as a parameter of the call.
        exists: Whether the stack is updated, not created.
        options: More options of the deployment.
    """
    client = aws.client("cloudformation")
    client.create_change_set(
        StackName=stack,
        ChangeSetName=_CHANGE_SET,
        ChangeSetType="UPDATE" if exists else "CREATE",
        **template,
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

    def check(self, events: list[Json], *, status: str, disturbed: bool) -> None:
        """Hold that what happened is what was planned.

        Args:
            events: All events of the stack, oldest first.
            status: How the stack came to rest.
            disturbed: Something happened meanwhile that nobody could know before. Then nothing may
                happen that was not planned, and not everything need have happened.
        """
        stops = tuple(call.request for call in _stops(self._aws)[self._stops :])
        new = tuple(events[self._events :])
        happened = Happened(stops, new, status, is_disturbed=disturbed)
        found = mistakes(self.plan, happened)
        assert not found, (found, self.plan)


def _stops(aws: LocalAws) -> list[Call]:
    """The Stop calls that SageMaker accepted."""
    calls = aws.calls("StopInferenceExperiment")
    return [call for call in calls if call.error_code is None]


__all__ = ["Operation", "plan_destroy", "plan_of", "reader"]
