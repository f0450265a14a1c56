"""The settings of the local AWS: its clock, and choices for what AWS does not document.

The parent process (for keyword arguments) and the emulator both read this module, so it only
imports the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Settings"]

_CHOICES = {
    "change_set_compares": ("resources", "templates"),
    "stop_during_endpoint_update": ("accepted", "ConflictException", "ValidationException"),
    "default_desired_state": ("Completed", "Cancelled"),
    "undo_of_failed_update": ("in_update", "after_update", "never"),
    "old_properties_after_failure": ("stable", "failed"),
    "rollback_of_failed_creation": ("delete", "rollback"),
    "nested_undo": ("rollback", "update", "never"),
}


@dataclass(frozen=True)
class Settings:
    """How fast the local AWS's clock runs, and what it does where AWS's behaviour is undocumented.

    Attributes:
        start_seconds: Creating or Starting until Running, and an endpoint's Creating until
            InService. Seconds, at least 0. Default: 0.5.
        stop_seconds: Stopping until Completed or Cancelled. Seconds, at least 0. Default: 3.
        settle_seconds: How long the endpoint is still Updating after the experiment has ended.
            Seconds, at least 0. Default: 0.
        minute_seconds: The length of one minute of an EventBridge rate and of the delay before
            Lambda's asynchronous retries. Seconds, above 0. Default: 60.
        clock_scale: How many seconds of the local AWS pass in a real second: for SageMaker, for the
            functions and their timeouts, for CloudFormation's timeouts and for the minute. All
            other durations here are in the local AWS's seconds. Above 0; cannot be changed after
            the start. Default: 1, real time.
        stop_accepted_from: The statuses StopInferenceExperiment is accepted from; from any other
            it answers ConflictException. AWS does not document them.
            Default: Created and Running.
        stop_during_endpoint_update: What StopInferenceExperiment does while the endpoint is
            Updating, for example to another number of instances: it is ``accepted``, or refused
            with ``ConflictException`` or ``ValidationException``. Default: accepted.
        default_desired_state: The status of an experiment after a stop without DesiredState:
            Completed or Cancelled. Default: Completed.
        stop_shows_as_cancelled: Whether an experiment that a stop has ended is Cancelled, whatever
            DesiredState it named: an early conclusion "shows as cancelled". Default: false.
        lower_case_arns: Whether SageMaker answers with ARNs in lower case, whatever the case of the
            names. Default: false.
        undo_of_failed_update: How a resource whose update failed in an operation without rollback
            is restored to its last stable state: by a request ``in_update`` (the stack is
            UPDATE_IN_PROGRESS), by one ``after_update`` (it is UPDATE_FAILED), or ``never``.
            Default: in_update.
        undo_events: Whether that request has its own events, UPDATE_IN_PROGRESS and
            UPDATE_COMPLETE. Default: false, the resource stays UPDATE_FAILED.
        old_properties_after_failure: The old properties in the next request to such a resource:
            ``stable``, those before the failed update, or ``failed``, those of the failed update.
            Default: stable.
        rollback_of_failed_creation: What RollbackStack does with a stack that never was complete:
            ``delete`` (DELETE_IN_PROGRESS) or ``rollback`` (ROLLBACK_IN_PROGRESS).
            Default: delete.
        nested_undo: How a nested stack whose update failed is restored in an operation of the root
            without rollback: it rolls itself back (``rollback``), the root updates it with its old
            template (``update``), or not at all (``never``). Default: rollback.
        nested_failure_seconds: How long after a nested stack's UPDATE_ROLLBACK_IN_PROGRESS its
            parent stack learns of that. Seconds, at least 0. Default: 6, as recorded.
        nested_creation_rolls_back: Whether a nested stack whose creation fails rolls itself back
            before the parent stack deletes it. Default: false, it stays CREATE_FAILED until then.
        endpoint_events_delay_seconds: How late an event of an endpoint's status arrives at
            EventBridge: "in near real time"; one that is on its way keeps its delay, so that a
            change lets the next one overtake it. Seconds, at least 0. Default: 0.
        endpoint_events_copies: How often it arrives: SageMaker "may send multiple events for each
            state change"; with 0 it is lost. At least 0. Default: 1.
        rule_effective_seconds: How long a new rule matches no events and keeps no schedule: changes
            of rules take "a short period of time". Seconds, at least 0. Default: 0.
        hook_type: The type of a hook that is invoked before each resource is provisioned, and
            always succeeds; it writes events of the resource. Default: none.
        detailed_status: Whether stacks and resources say CONFIGURATION_COMPLETE in the middle of
            an operation, as DetailedStatus of an *_IN_PROGRESS event. Default: false.
        events_page_size: How many events a page of DescribeStackEvents has. At least 1.
            Default: 100.
        events_delay_seconds: How late an event is visible: AWS is eventually consistent. Seconds,
            at least 0. Default: 0.
        metrics_delay_seconds: How late a minute of an endpoint's metrics is visible. Seconds, at
            least 0. Default: 0.
        metrics_page_size: How many values a page of GetMetricData has. At least 1.
            Default: 100,800, as on AWS.
        changes_page_size: How many changes DescribeChangeSet answers with at once. At least 1.
            Default: 100.
        modified_attributes_known_after_apply: Whether a change set with values shows an attribute
            of a resource that it modifies as known after apply. Default: false, as it is now.
        change_set_compares: What a change set compares after a failed operation without rollback:
            ``resources``, so that what failed is a change again, or only the ``templates``.
            Default: resources.
        change_set_seconds: How long a change set is CREATE_IN_PROGRESS, without any changes.
            Seconds, at least 0. Default: 0.
    """

    start_seconds: float = 0.5
    stop_seconds: float = 3.0
    settle_seconds: float = 0.0
    minute_seconds: float = 60.0
    clock_scale: float = 1.0
    stop_accepted_from: tuple[str, ...] = ("Created", "Running")
    stop_during_endpoint_update: str = "accepted"
    default_desired_state: str = "Completed"
    stop_shows_as_cancelled: bool = False
    lower_case_arns: bool = False
    undo_of_failed_update: str = "in_update"
    undo_events: bool = False
    old_properties_after_failure: str = "stable"
    rollback_of_failed_creation: str = "delete"
    nested_undo: str = "rollback"
    nested_failure_seconds: float = 6.0
    nested_creation_rolls_back: bool = False
    endpoint_events_delay_seconds: float = 0.0
    endpoint_events_copies: int = 1
    rule_effective_seconds: float = 0.0
    hook_type: str = ""
    detailed_status: bool = False
    events_page_size: int = 100
    events_delay_seconds: float = 0.0
    metrics_delay_seconds: float = 0.0
    metrics_page_size: int = 100_800
    changes_page_size: int = 100
    modified_attributes_known_after_apply: bool = False
    change_set_compares: str = "resources"
    change_set_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse invalid durations and unknown choices."""
        for name in (
            *("start_seconds", "stop_seconds", "settle_seconds"),
            *("events_delay_seconds", "metrics_delay_seconds", "change_set_seconds"),
            *("endpoint_events_delay_seconds", "endpoint_events_copies"),
            *("rule_effective_seconds", "nested_failure_seconds"),
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"'{name}' must be at least 0, got {getattr(self, name)}")
        for name in ("minute_seconds", "clock_scale"):
            if getattr(self, name) <= 0:
                raise ValueError(f"'{name}' must be above 0, got {getattr(self, name)}")
        for name in ("events_page_size", "metrics_page_size", "changes_page_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be at least 1, got {getattr(self, name)}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"'{name}' must be one of {list(allowed)}, got {getattr(self, name)!r}"
                )
        # JSON has no tuples, and a frozen dataclass should be hashable.
        object.__setattr__(self, "stop_accepted_from", tuple(self.stop_accepted_from))

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with some settings changed.

        Raises:
            ValueError: A name is unknown or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise ValueError(f"unknown settings {unknown}, allowed are {known}")
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return the settings for JSON."""
        return dataclasses.asdict(self)
