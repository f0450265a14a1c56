"""The state of a stack's experiments, and what a change and a teardown would do now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from cdk_stop_inference_experiment_handler.contract.constraints import CANCELLED, COMPLETED
from cdk_stop_inference_experiment_handler.lifecycle import reasons
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Experiment,
    RequestType,
    Unreadable,
)

from .operations import (
    UPDATE,
    Sent,
    StackThen,
    deployed_properties,
    experiment_of,
    make_request,
    resources_below,
)
from .plan import SHAPE, Verdict, judge, plan_destroy
from .reading import CannotPlan, Deployed, Json, Reader


@dataclass(frozen=True)
class Variant:
    """A variant of an experiment.

    Attributes:
        role: production or shadow.
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
class Standing:
    """A resource of ours and its experiment.

    Attributes:
        status: The experiment's status; empty if it is not known, for the reason in ``trouble``.
        since: When it ended, or else started, in ISO 8601; empty if not given.
        on_change: What an update with a changed declaration would do.
        on_teardown: What the deletion of the stack would do.
    """

    stack: str
    logical_id: str
    experiment: str
    status: str
    since: str
    scheduled_end: str
    endpoint: str
    variants: tuple[Variant, ...]
    on_change: Verdict | None
    on_teardown: Verdict | None
    trouble: str = ""

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
            "onChange": self.on_change.to_json() if self.on_change else None,
            "onTeardown": self.on_teardown.to_json() if self.on_teardown else None,
            "trouble": self.trouble or None,
        }


@dataclass(frozen=True)
class StackStatus:
    """A stack with our resources, including those of its nested stacks."""

    stack_id: str
    name: str
    status: str
    resources: tuple[Standing, ...]

    def to_json(self) -> dict[str, object]:
        """The status as JSON."""
        return {
            "version": SHAPE,
            "stack": self.stack_id,
            "stackStatus": self.status,
            "resources": [one.to_json() for one in self.resources],
        }


def status_of(reader: Reader, stack: str) -> StackStatus:
    """The state of a stack's experiments.

    Raises:
        CannotPlan: The stack does not exist, or cannot be read.
    """
    seen = reader.stack(stack)
    deployed = [
        (stack_id, found, deployed_properties(reader, stack_id, found.logical_id))
        for stack_id, found in resources_below(reader, seen.stack_id)
    ]
    reader.describe_all(experiment_of(found, properties) for _, found, properties in deployed)
    teardown: Mapping[tuple[str, str], Verdict] = {}
    if not seen.status.endswith("_IN_PROGRESS"):
        verdicts = plan_destroy(reader, seen.stack_id).verdicts
        teardown = {(one.stack, one.logical_id): one for one in verdicts}
    resources = tuple(_standing(reader, *one, teardown) for one in deployed)
    return StackStatus(seen.stack_id, seen.name, seen.status, resources)


def _standing(
    reader: Reader,
    stack_id: str,
    found: Deployed,
    properties: Json | None,
    teardown: Mapping[tuple[str, str], Verdict],
) -> Standing:
    name = experiment_of(found, properties)
    stack_name = reader.stack(stack_id).name
    try:
        known, trouble = reader.experiment(name), ""
    except (CannotPlan, Unreadable) as error:
        known, trouble = None, str(error)
    else:
        if known is None:
            trouble = "SageMaker does not know the experiment"
    told = known or Experiment(arn="", name=name, status="")
    return Standing(
        stack=stack_name,
        logical_id=found.logical_id,
        experiment=name,
        status=told.status,
        since=reasons.moment(told.completion_time or told.began),
        scheduled_end=reasons.moment(told.scheduled_end),
        endpoint=told.endpoint_name,
        variants=tuple(_variants(told, _running(reader, told.endpoint_name))),
        on_change=_change(reader, stack_id, found, properties) if teardown else None,
        on_teardown=teardown.get((stack_name, found.logical_id)),
        trouble=trouble,
    )


def _change(
    reader: Reader, stack_id: str, found: Deployed, properties: Json | None
) -> Verdict | None:
    """What an update with another declared end would do."""
    if properties is None:
        return None
    state = CANCELLED if properties.get("DesiredState") == COMPLETED else COMPLETED
    request = make_request(
        *(RequestType.UPDATE, stack_id, found.logical_id, found.physical_id),
        *({**properties, "DesiredState": state}, properties, time.time()),
    )
    status = "UPDATE_IN_PROGRESS"
    stacks: dict[str, StackThen] = {}
    above = stack_id
    while above:
        parent = reader.stack(above).parent_id
        stacks[above] = StackThen(above, status, parent, begun=(status,))
        above = parent
    return judge(reader, Sent(request, UPDATE, stacks))


def _running(reader: Reader, endpoint: str) -> Mapping[str, int]:
    try:
        found = reader.endpoint(endpoint) if endpoint else None
    except Unreadable:
        return {}
    return found.counts if found else {}


def _variants(told: Experiment, running: Mapping[str, int]) -> Iterator[Variant]:
    for name, status in told.variants.items():
        configured: Json = told.configured[name]
        config = (configured["InfrastructureConfig"] or {}).get("RealTimeInferenceConfig") or {}
        # An experiment has one shadow at most.
        share = None if told.sampling is None else int(told.sampling)
        is_shadow = name in told.shadows
        yield Variant(
            name=name,
            role="shadow" if is_shadow else "production",
            model=str(configured["ModelName"] or ""),
            status=status,
            instance_type=config.get("InstanceType", ""),
            configured=config.get("InstanceCount"),
            running=running.get(name),
            traffic=share if is_shadow else 100,
        )


def _camel(members: Mapping[str, object]) -> dict[str, object]:
    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(part.title() for part in rest)

    return {camel(name): value for name, value in members.items()}
