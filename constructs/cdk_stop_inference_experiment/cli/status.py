"""The state of a stack's experiments, and what each order would do now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Declaration,
    Outcome,
    parse,
)
from cdk_stop_inference_experiment_handler.contract.limits import CANCELLED, COMPLETED, HOUR
from cdk_stop_inference_experiment_handler.contract.request import RequestType
from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.decision import Row
from cdk_stop_inference_experiment_handler.lifecycle.end import promotion
from cdk_stop_inference_experiment_handler.lifecycle.situation import Experiment, NotReadable
from cdk_stop_inference_experiment_handler.lifecycle.stop_request import (
    Wanted,
    wanted_by,
)

from .operations import UPDATE, Place, PlannedRequest, deployed_properties, resources_below
from .plan import NOTHING, SHAPE, Judge, Verdict, plan_destroy
from .reading import Reader
from .situations import ancestors, request_of
from .templates import Json, is_late

DEFAULT_SECONDS = 7 * 24 * HOUR
"""How long an experiment runs whose schedule has no end.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateInferenceExperiment.html
"""


@dataclass(frozen=True)
class Variant:
    """A variant of an experiment.

    Attributes:
        role: What it serves: production, shadow, or nothing any more.
        running: The endpoint's current instance count; None if it cannot be read.
        traffic: Its percentage of the endpoint's requests; None if not given.
    """

    name: str
    role: str
    model: str
    status: str
    instance_type: str
    configured: int | None
    running: int | None
    traffic: int | None


@dataclass(frozen=True)
class WhatIf:
    """What an order would do if it were given now.

    Attributes:
        why: A shorter reason than the verdict's; empty if it has none.
    """

    what: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class ResourceStatus:
    """A resource of ours and its experiment.

    Attributes:
        status: The experiment's status; empty if it is not known, for the reason in ``trouble``.
        since: When it ended, or else started, in ISO 8601; empty if not given.
        declared: The declared end in words.
        ended: Whose end it was, and whether it is as declared; empty if it has not ended.
        ended_by: ``this resource``, ``another``, or empty.
        ends_at: When it ends by itself, in seconds since the epoch; None if it has ended, or if
            that is not known.
        evidence: What the gate would say of a promotion now.
        on_end_now: What ``end_now`` would do.
        on_change: What an update with a changed declaration would do.
        on_teardown: What the deletion of the stack would do.
        is_end_known: Whether it is known if and when the experiment ends by itself.
    """

    stack: str
    logical_id: str
    experiment: str
    status: str
    since: str
    scheduled_end: str
    endpoint: str
    variants: tuple[Variant, ...] = ()
    declared: str = ""
    ended: str = ""
    ended_by: str = ""
    ends_at: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    on_end_now: Verdict | None = None
    on_change: Verdict | None = None
    on_teardown: Verdict | None = None
    trouble: str = ""
    is_end_known: bool = True

    def may_end_before(self, at: float) -> bool:
        """Whether the experiment ends by itself before a moment, or that is not known."""
        return not self.is_end_known or (self.ends_at is not None and self.ends_at < at)

    @property
    def what_ifs(self) -> Iterator[WhatIf]:
        """The orders that can be given, each with its verdict."""
        for what, verdict, lists in (
            ("'end_now'", self.on_end_now, ""),
            ("A changed declaration", self.on_change, "UPDATE"),
            ("A teardown", self.on_teardown, "DELETE"),
        ):
            if verdict is not None:
                is_left_out = verdict.effect == NOTHING and verdict.order in _NOT_LISTED
                yield WhatIf(
                    what, verdict, f"'stop_on' does not list {lists}" if is_left_out else ""
                )

    def to_json(self) -> dict[str, object]:
        """The state as JSON."""
        return {
            "stack": self.stack,
            "logicalId": self.logical_id,
            "experiment": self.experiment or None,
            "status": self.status or None,
            "since": self.since or None,
            "scheduledEnd": self.scheduled_end or None,
            "endpoint": self.endpoint or None,
            "variants": [_camel(asdict(variant)) for variant in self.variants],
            "declared": self.declared or None,
            "ended": self.ended or None,
            "endedBy": self.ended_by or None,
            "evidence": dict(self.evidence) or None,
            "onEndNow": self.on_end_now.to_json() if self.on_end_now else None,
            "onChange": self.on_change.to_json() if self.on_change else None,
            "onTeardown": self.on_teardown.to_json() if self.on_teardown else None,
            "trouble": self.trouble or None,
        }


_NOT_LISTED = (Row.UPDATE_CHANGED_NOT_IN_STOP_ON.value, Row.DELETE_NOT_IN_STOP_ON.value)


@dataclass(frozen=True)
class StackStatus:
    """A stack with our resources, including those of its nested stacks.

    Attributes:
        error: Why it could not be read; empty if it could.
    """

    stack_id: str
    name: str
    status: str
    resources: tuple[ResourceStatus, ...] = ()
    error: str = ""

    @classmethod
    def failed(cls, name: str, error: str) -> StackStatus:
        """A stack that could not be read."""
        return cls("", name, "", error=error)

    def to_json(self) -> dict[str, object]:
        """The status as JSON."""
        return {
            "version": SHAPE,
            "stack": self.stack_id or self.name,
            "stackStatus": self.status or None,
            "error": self.error or None,
            "resources": [resource.to_json() for resource in self.resources],
        }


def status_of(reader: Reader, stack: str) -> StackStatus:
    """The state of a stack's experiments.

    Raises:
        CannotPlan: The stack does not exist, or cannot be read.
    """
    seen = reader.stack(stack)
    deployed = [
        (place, deployed_properties(reader, place))
        for place in resources_below(reader, seen.stack_id)
    ]
    reader.describe_all(_name(*each) for each in deployed)
    teardown: Mapping[tuple[str, str], Verdict] = {}
    is_at_rest = not seen.status.endswith("_IN_PROGRESS")
    if is_at_rest:
        verdicts = plan_destroy(reader, seen.stack_id).verdicts
        teardown = {
            (verdict.place.stack_id, verdict.place.logical_id): verdict
            for verdict in verdicts
            if not verdict.is_native
        }
    resources = tuple(_resource_status(reader, *each, teardown) for each in deployed)
    return StackStatus(seen.stack_id, seen.name, seen.status, resources)


def _name(place: Place, properties: Json | None) -> str:
    name = (properties or {}).get("Name")
    return place.experiment if not name or is_late(name) else str(name)


def _resource_status(
    reader: Reader,
    place: Place,
    properties: Json | None,
    teardown: Mapping[tuple[str, str], Verdict],
) -> ResourceStatus:
    name = _name(place, properties)
    seen, trouble = reader.experiment(name) if name else None, ""
    if isinstance(seen, NotReadable):
        trouble = seen.why
    elif not name:
        trouble = "its experiment is not known: neither its id nor the stack's events name it"
    elif seen is None:
        trouble = "SageMaker does not know the experiment"
    experiment = seen if isinstance(seen, Experiment) else Experiment("", name, "")
    declaration = parse(properties) if properties is not None else None
    wanted = None
    if isinstance(declaration, Declaration):
        sent = PlannedRequest(place, RequestType.DELETE, properties, UPDATE, {})
        wanted = wanted_by(declaration, request_of(sent, properties or {}))
    elif not trouble:
        trouble = "its deployed declaration is not known: the stack's events do not show it"
    ended, ended_by = _ended(wanted, experiment)
    on_end_now = on_change = None
    if teardown and properties is not None:
        on_end_now, on_change = _ordered(reader, place, properties)
    ends_at = _ends_at(experiment)
    since = experiment.completion_time or experiment.began
    return ResourceStatus(
        stack=place.stack_name,
        logical_id=place.logical_id,
        experiment=name,
        status=experiment.status,
        since=words.moment(since),
        scheduled_end=words.moment(experiment.scheduled_end),
        endpoint=experiment.endpoint_name,
        variants=tuple(_variants(experiment, _running(reader, experiment.endpoint_name))),
        declared=_in_words(wanted),
        ended=ended,
        ended_by=ended_by,
        ends_at=ends_at,
        evidence=next((verdict.evidence for verdict in (on_end_now, on_change) if verdict), {}),
        on_end_now=on_end_now,
        on_change=on_change,
        on_teardown=teardown.get((place.stack_id, place.logical_id)),
        trouble=trouble,
        is_end_known=bool(name) and (seen is None or experiment.is_over or ends_at is not None),
    )


def _ends_at(experiment: Experiment) -> float | None:
    """When an experiment ends by itself; None if it has ended, or if that is not known."""
    if experiment.is_over or experiment.scheduled_end is not None:
        return None if experiment.is_over else experiment.scheduled_end
    return None if experiment.began is None else experiment.began + DEFAULT_SECONDS


def _in_words(wanted: Wanted | None) -> str:
    """The declared end."""
    if wanted is None:
        return ""
    how = wanted.end.how
    if isinstance(how, Outcome):
        text = {
            "PromoteShadow": "promote the shadow",
            "KeepProduction": "keep production",
            "KeepBoth": "keep both variants",
        }[how.kind.value]
    else:
        text = ", ".join(f"{action.value} '{name}'" for name, action in how.actions.items())
    text += f", as {wanted.end.desired_state}" if wanted.end.desired_state else ""
    return text + (", if the evidence is successful" if wanted.promote_if else "")


def _ended(wanted: Wanted | None, experiment: Experiment) -> tuple[str, str]:
    """Whose end it was, and whether it is as declared; and whose in one word."""
    if not experiment.is_over:
        return "", ""
    if wanted is not None and wanted.is_end_of(experiment):
        serves = promotion(wanted.end, experiment, is_known=True)
        return f"This resource ended it, as it declares{serves}", "this resource"
    if wanted is not None and any(end.is_end_of(experiment) for end in wanted.possible_ends):
        why = "This resource ended it without the declared promotion, which was not allowed"
        return why, "this resource"
    why = "SageMaker gives no reason; it may have ended by its schedule"
    if experiment.status_reason:
        why = f"the reason is '{experiment.status_reason}'"
    if wanted is None:
        return f"Whether it ended as this resource declares is not known: {why}", ""
    return f"What this resource declares now did not end it: {why}", "another"


def _ordered(
    reader: Reader, place: Place, properties: Json
) -> tuple[Verdict | None, Verdict | None]:
    """What ``end_now`` and another declared end would do.

    Raises:
        CannotPlan: A stack that it is nested in cannot be described.
    """
    stacks = ancestors(reader, place.stack_id, "UPDATE_IN_PROGRESS")
    state = CANCELLED if properties.get("DesiredState") == COMPLETED else COMPLETED

    def verdict(**changes: str) -> Verdict:
        after = {**properties, **changes}
        sent = PlannedRequest(place, RequestType.UPDATE, after, UPDATE, stacks, old=properties)
        return Judge(reader).verdict(sent)

    is_armed = str(properties.get("EndNow", "false")).lower() != "true"
    return verdict(EndNow="true") if is_armed else None, verdict(DesiredState=state)


def _running(reader: Reader, endpoint: str) -> Mapping[str, int]:
    counts = reader.counts(endpoint) if endpoint else {}
    return {} if isinstance(counts, NotReadable) else counts


def _variants(experiment: Experiment, running: Mapping[str, int]) -> Iterator[Variant]:
    statuses = experiment.variants
    is_promoted = (
        experiment.is_over
        and statuses.get(experiment.production) == "Deleted"
        and any(statuses.get(name) == "InService" for name in experiment.shadows)
    )
    for name, status in statuses.items():
        configured: Json = experiment.configured.get(name, {})
        config = (configured.get("InfrastructureConfig") or {}).get("RealTimeInferenceConfig") or {}
        is_shadow = name in experiment.shadows
        role = "shadow" if is_shadow else "production"
        # An experiment has one shadow at most.
        share = None if experiment.sampling is None else int(experiment.sampling)
        traffic: int | None = share if is_shadow else 100
        if experiment.is_over:
            traffic = None
            role = "was the shadow" if is_shadow else "was production"
            if is_promoted and is_shadow:
                role, traffic = "production, promoted", 100
            elif not is_shadow and status != "Deleted":
                role, traffic = "production", None
        yield Variant(
            name=name,
            role=role,
            model=str(configured.get("ModelName") or ""),
            status=status,
            instance_type=config.get("InstanceType", ""),
            configured=config.get("InstanceCount"),
            running=running.get(name),
            traffic=traffic,
        )


def _camel(members: Mapping[str, object]) -> dict[str, object]:
    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(part.title() for part in rest)

    return {camel(name): value for name, value in members.items()}
