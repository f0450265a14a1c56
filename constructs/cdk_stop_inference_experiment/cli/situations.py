"""The Situations in which the function may find a request that CloudFormation has not sent yet.

A Situation has the stack's events as they are now and those that CloudFormation will have written
by then. Where a value is known only later there is one Situation for each value that decides.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Action,
    OutcomeKind,
    StopOn,
)
from cdk_stop_inference_experiment_handler.contract.limits import (
    DESIRED_STATES,
    INFRASTRUCTURE_TYPE,
)
from cdk_stop_inference_experiment_handler.contract.request import (
    Request,
    RequestType,
    read_request,
)
from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.decide import decide
from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Verb
from cdk_stop_inference_experiment_handler.lifecycle.history import History
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    DOUBT_SECONDS,
    Description,
    Events,
    Experiment,
    Measured,
    Needs,
    NotReadable,
    Prepared,
    Progress,
    Question,
    Seen,
    Situation,
    Stack,
    StackEvent,
)

from .operations import DELETE_STATUS, FutureStack, PlannedRequest, name_of
from .reading import Reader
from .templates import Json, is_late

MAX_CASES = 64
"""How many combinations of values that are not known are decided one by one."""

PLACEHOLDER = "known-after-apply"
"""A name that is known only later, in a valid form."""


@dataclass(frozen=True)
class Case:
    """One set of values for what is not known before the execution.

    Attributes:
        may_be_invalid: The properties whose value may be one that the function refuses.
    """

    properties: Json
    may_be_invalid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decided:
    """What the function decides in a Situation, and the facts that the command could not read."""

    situation: Situation
    decision: Decision
    unread: tuple[NotReadable, ...] = ()


def cases(properties: Json, old: Json | None) -> list[Case] | str:
    """The properties with each value that what is not known may have; why if there are too many."""
    late = [name for name, value in properties.items() if is_late(value)]
    if "Name" in late and old is None:
        return "'Name', which is known only during the deployment"
    if "Name" in late:
        return "'Name', which may become another experiment's during the deployment"
    shown = old or {}
    if hidden := [name for name in shown if name not in _DECIDES_NOTHING and is_late(shown[name])]:
        return f"{words.quoted(hidden)}, whose deployed values are not shown"
    if shapeless := [name for name in late if _is_shapeless(name, properties[name])]:
        return f"{words.quoted(shapeless)}, which are known only during the deployment"
    values = [list(_values(name, properties[name], (old or {}).get(name))) for name in late]
    if math.prod(map(len, values)) > MAX_CASES:
        return f"{words.quoted(late)}, which are known only during the deployment"
    checked = tuple(name for name in late if name not in _NEVER_INVALID)
    return [
        Case(_known({**properties, **dict(zip(late, chosen, strict=True))}), checked)
        for chosen in itertools.product(*values)
    ]


_NEVER_INVALID = ("ServiceToken", "DesiredModelVariants", "Reason")
_DECIDES_NOTHING = ("ServiceToken", "ServiceTimeout", "Reason")
_KINDS = tuple(kind.value for kind in OutcomeKind)
_ENUMERATED: Mapping[str, tuple[Any, ...]] = {
    "EndNow": ("true", "false"),
    "DesiredState": (*DESIRED_STATES, None),
    "Outcome": (*_KINDS, None),
    "Otherwise": (*_KINDS, None),
    "StopOn": ([event.value for event in StopOn], *([event.value] for event in StopOn)),
    "ServiceToken": (None,),
    "ServiceTimeout": (None,),
}
_ASSUMED: Mapping[str, tuple[str, ...]] = {
    "ModelName": (PLACEHOLDER,),
    "InstanceType": ("ml.m5.large", "ml.m5.xlarge"),
    "InstanceCount": ("1", "2"),
    "InfrastructureType": (INFRASTRUCTURE_TYPE,),
}
"""Valid values: the first that is not the current one is another one. A variant's name has none."""


_INCONCLUSIVE = {"MinInvocations": "1", "Alarms": [PLACEHOLDER]}
"""Evidence of an alarm that has no state yet."""


def _is_shapeless(name: str, value: object) -> bool:
    """Whether so little is known of a part of the end that no other value can be assumed."""
    if name == "ModelVariantActions":
        return not isinstance(value, Mapping)
    if name not in ("DesiredModelVariants", "Instances"):
        return False
    return any(key not in _ASSUMED for key in _late_keys(name, value))


def _late_keys(name: str, value: object) -> Iterator[str]:
    """The innermost key of each value that is not known."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _late_keys(str(key), item)
    elif isinstance(value, list):
        for item in value:
            yield from _late_keys(name, item)
    elif is_late(value):
        yield name


def _values(name: str, value: object, old: object) -> Iterator[object]:
    """Every value that matters of a property that is not known."""
    if name in _ENUMERATED:
        yield from _ENUMERATED[name]
    elif name == "ModelVariantActions" and isinstance(value, Mapping):
        choices = [
            [known.value for known in Action] if is_late(action) else [action]
            for action in value.values()
        ]
        for chosen in itertools.product(*choices):
            yield dict(zip(value, chosen, strict=True))
    else:
        same = _with_late(name, value, old, _as_now)
        if not is_late(same):
            yield same
        elif name == "PromoteIf":
            yield _INCONCLUSIVE
        yield None if name == "PromoteIf" else _with_late(name, value, old, _assumed)


def _with_late(
    name: str, value: object, old: object, choose: Callable[[str, object, object], object]
) -> object:
    """The value, with one that is chosen for each part that is known only later."""
    if isinstance(value, Mapping):
        known = old if isinstance(old, Mapping) else {}
        return {key: _with_late(key, item, known.get(key), choose) for key, item in value.items()}
    if isinstance(value, list):
        items = [*old] if isinstance(old, list) else []
        pairs = itertools.zip_longest(value, items[: len(value)])
        return [_with_late(name, item, before, choose) for item, before in pairs]
    return choose(name, value, old) if is_late(value) else value


def _as_now(_name: str, value: object, old: object) -> object:
    """The current value; what is new stays unknown."""
    return value if old is None else old


def _assumed(name: str, _value: object, old: object) -> object:
    """Another value than the current one, if there is another."""
    valid = _ASSUMED.get(name, (PLACEHOLDER,))
    return next((value for value in valid if value != str(old)), valid[0])


def _known(properties: Json) -> Json:
    """The properties without those that are left out: evidence takes its alternative with it."""
    absent = {name for name, value in properties.items() if value is None}
    if "PromoteIf" in absent:
        absent.add("Otherwise")
    return {name: value for name, value in properties.items() if name not in absent}


def situation(
    reader: Reader, planned: PlannedRequest, properties: Json, experiment: Seen[Experiment | None]
) -> Situation:
    """What the function will find, with these properties and this experiment."""
    at = _request_time(reader, planned, experiment)
    request = read_request(_event(planned, properties, at))
    while True:
        stacks = _stacks(reader, planned, at)
        lacking = History(request, stacks, at).lacks
        known = {stack_id: reader.events(stack_id) for stack_id in lacking}
        if all(known[stack_id] == reader.older(stack_id) for stack_id in lacking):
            break
    return Situation(request, Progress(at), at, experiment, stacks)


def _request_time(
    reader: Reader, planned: PlannedRequest, experiment: Seen[Experiment | None]
) -> float:
    """When the request is made: now, but after all that was, even if a clock of AWS is ahead."""
    times = [time.time()]
    for stack_id, future in planned.stacks.items():
        events = None if future.is_new else reader.events(stack_id)
        if isinstance(events, Events) and events.newest_first:
            times.append(events.newest_first[0].at)
    if isinstance(experiment, Experiment) and experiment.created is not None:
        times.append(experiment.created)
    return float(math.ceil(max(times)))


def request_of(planned: PlannedRequest, properties: Json) -> Request:
    """The request as the function reads it."""
    return read_request(_event(planned, properties, time.time()))


def _event(planned: PlannedRequest, properties: Json, at: float) -> dict[str, Any]:
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    event: dict[str, Any] = {
        "RequestType": planned.kind.value,
        "RequestId": "planned",
        "ResponseURL": f"https://planned/?X-Amz-Date={date}",
        "StackId": planned.place.stack_id,
        "LogicalResourceId": planned.place.logical_id,
        "ResourceProperties": properties,
    }
    if planned.kind is not RequestType.CREATE:
        event["PhysicalResourceId"] = planned.place.physical_id
    if planned.kind is RequestType.UPDATE:
        event["OldResourceProperties"] = planned.old
    return event


def _stacks(reader: Reader, planned: PlannedRequest, at: float) -> tuple[Stack, ...]:
    """The request's stack and those that it is nested in, as they will be."""
    stacks: list[Stack] = []
    stack_id = planned.place.stack_id
    while stack_id:
        future = planned.stacks.get(stack_id)
        if future is None:
            # An ancestor that takes no part: the nested stack is operated on alone.
            seen = reader.stack(stack_id)
            description = Description(seen.status, seen.parent_id)
            stacks.append(Stack(stack_id, description, reader.events(stack_id)))
            stack_id = seen.parent_id
            continue
        own = _own_events(planned, at) if stack_id == planned.place.stack_id else ()
        description = Description(future.statuses[-1], future.parent_id)
        stacks.append(Stack(stack_id, description, _with(reader, future, own, at)))
        stack_id = future.parent_id
    return tuple(stacks)


def _with(
    reader: Reader, future: FutureStack, own: Sequence[StackEvent], at: float
) -> Seen[Events]:
    """A stack's events with those of the operation; the resource's own are the newest."""
    before = Events(is_whole=True) if future.is_new else reader.events(future.stack_id)
    if isinstance(before, NotReadable):
        return before
    name = name_of(future.stack_id)
    first, *ends = (StackEvent(at, name, future.stack_id, status) for status in future.statuses)
    during = [event for event in own if event.status != DELETE_STATUS]
    after = [event for event in own if event.status == DELETE_STATUS]
    coming = [first, *during, *ends, *after]
    return Events((*reversed(coming), *before.newest_first), before.is_whole)


def _own_events(planned: PlannedRequest, at: float) -> tuple[StackEvent, ...]:
    """What CloudFormation writes about the resource up to the request."""
    place = planned.place
    kinds = [("UPDATE_IN_PROGRESS", planned.completed), ("UPDATE_COMPLETE", planned.completed)]
    events = [*kinds] if planned.completed else []
    events.append((f"{planned.kind.value.upper()}_IN_PROGRESS", ""))
    return tuple(
        StackEvent(at, place.logical_id, place.physical_id, status, properties)
        for status, properties in events
    )


def decided(reader: Reader, planned: PlannedRequest, s: Situation) -> Decided:
    """What the function decides, after it has read what a Stop needs and waited out its doubts."""
    decision = decide(s)
    if decision.verb is Verb.PREPARE and isinstance(s.experiment, Experiment):
        needs = decision.needs or Needs()
        s = replace(s, prepared=_prepared(reader, planned, needs, s.experiment))
        decision = decide(s)
    if decision.verb is Verb.WAIT and decision.in_doubt:
        since = replace(s.progress, in_doubt_since=s.now - DOUBT_SECONDS)
        return decided(reader, planned, replace(s, progress=since))
    return Decided(s, decision, tuple(_unread(s)))


def _prepared(
    reader: Reader, planned: PlannedRequest, needs: Needs, experiment: Experiment
) -> Prepared:
    question = needs.evidence
    return Prepared(
        counts=reader.counts(experiment.endpoint_name) if needs.counts else None,
        holders=planned.holders if needs.holders else None,
        evidence=None if question is None else _measured(reader, question, planned.new_alarms),
    )


def _measured(reader: Reader, question: Question, new: tuple[str, ...]) -> Seen[Measured]:
    """The evidence now, and the state in which new alarms begin.

    https://docs.aws.amazon.com/autoscaling/application/userguide/cloudwatch-alarm-notifications.html
    """
    new = (*new, PLACEHOLDER)
    known = tuple(name for name in question.alarms if name not in new)
    measured = reader.evidence(question._replace(alarms=known))
    if isinstance(measured, NotReadable):
        return measured
    return measured._replace(alarms={**measured.alarms, **dict.fromkeys(new, "INSUFFICIENT_DATA")})


def is_assumed_evidence(case: Case) -> bool:
    """Whether the evidence of a case is none that anybody has declared."""
    return case.properties.get("PromoteIf") is _INCONCLUSIVE


def _unread(s: Situation) -> Iterator[NotReadable]:
    """The facts that the command could not read; the function may be able to."""
    facts: list[object] = [s.described]
    for stack in s.stacks or ():
        facts += [stack.description, stack.events]
    if s.prepared is not None:
        facts += [s.prepared.counts, s.prepared.evidence, s.prepared.holders]
    yield from (fact for fact in facts if isinstance(fact, NotReadable))


def ancestors(reader: Reader, stack_id: str, status: str) -> dict[str, FutureStack]:
    """A stack and those that it is nested in, all in one operation.

    Raises:
        CannotPlan: One of them cannot be described.
    """
    stacks: dict[str, FutureStack] = {}
    while stack_id:
        parent_id = reader.stack(stack_id).parent_id
        stacks[stack_id] = FutureStack(stack_id, parent_id, (status,))
        stack_id = parent_id
    return stacks
