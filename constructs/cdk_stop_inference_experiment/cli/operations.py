"""The requests that CloudFormation will send in an operation, and what its own resource will do.

What is sent depends on the difference between the resources that a stack has (ListStackResources)
and those that the new template declares: a failed operation without rollback leaves resources that
a change set, which compares templates, does not know, and lacks some that it takes for deployed.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import takewhile, zip_longest
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import CLOUDFORMATION_PROPERTIES
from cdk_stop_inference_experiment_handler.contract.request import RequestType, name_in_id
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.history import BEGIN_STATUSES, CLEANUP_STATUS
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Events,
    Experiment,
    Kind,
    NotReadable,
    Seen,
    StackEvent,
)

from .reading import (
    STACK_TYPE,
    CannotPlan,
    Change,
    ChangeSet,
    DescribedStack,
    Detail,
    Reader,
    Resource,
)
from .templates import (
    LATER,
    Json,
    definitions,
    dependents,
    is_late,
    is_retained,
    named_in,
    readable,
    resolved,
)

NATIVE_TYPE = "AWS::SageMaker::InferenceExperiment"
ENDPOINT_TYPE = "AWS::SageMaker::Endpoint"
FUNCTION_TYPE = "AWS::Lambda::Function"
CANNOT_FAIL = frozenset({"AWS::CDK::Metadata"})
DELETE_STATUS = "DELETE_IN_PROGRESS"

UPDATE, CLEAN_UP, DELETION = "update", "clean-up", "deletion"
"""When something happens: while the stack is created or updated, after that, or in a deletion."""


@dataclass(frozen=True)
class FutureStack:
    """A stack as it will be when a request is sent.

    Attributes:
        statuses: What the stack itself writes into its events in the operation, oldest first.
        is_new: The operation creates it.
    """

    stack_id: str
    parent_id: str
    statuses: tuple[str, ...]
    is_new: bool = False


@dataclass(frozen=True)
class Place:
    """A resource, or a nested stack whose resources are not known."""

    stack_id: str
    logical_id: str
    physical_id: str = ""

    @property
    def stack_name(self) -> str:
        """The name of its stack."""
        return name_of(self.stack_id)

    @property
    def experiment(self) -> str:
        """The experiment's name in the physical id; empty if it has none."""
        return name_in_id(self.physical_id)


@dataclass(frozen=True)
class NoRequest:
    """A resource of ours without a request.

    Attributes:
        is_known: Whether it certainly gets none; otherwise ``why`` says what is missing.
        experiment: The experiment's name, where the physical id is no ARN.
    """

    place: Place
    why: str
    is_known: bool = True
    experiment: str = ""


@dataclass(frozen=True)
class PlannedRequest:
    """A request that CloudFormation will send to a function.

    Attributes:
        properties: ResourceProperties, with ``LATER`` for what is not known yet; None if they are
            not known at all, which ``missing`` explains.
        stacks: The stacks of the operation as they will be then, by id.
        or_old: What OldResourceProperties may be instead, after an operation that failed.
        or_properties: What ResourceProperties may be instead, after an undo that was skipped.
        completed: The properties that it completed an update with before, in the same operation.
        holders: The resources that will hold the physical id.
        risks: What may come first, so that the request is not sent or orders nothing.
        may_fail: Why it may fail besides.
        refused: Why CloudFormation itself refuses to send it; empty if it does not.
        made: The experiment that the operation creates, as far as that is known.
        is_after: Whether the experiment that the operation creates is certainly there before.
        new_alarms: What stands for the names of alarms that the operation creates.
    """

    place: Place
    kind: RequestType
    properties: Json | None
    moment: str
    stacks: Mapping[str, FutureStack]
    old: Json | None = None
    or_old: Json | None = None
    or_properties: Json | None = None
    completed: str = ""
    holders: Seen[tuple[str, ...]] = ()
    risks: tuple[str, ...] = ()
    may_fail: tuple[str, ...] = ()
    refused: str = ""
    missing: str = ""
    made: Seen[Experiment | None] = None
    is_after: bool = True
    new_alarms: tuple[str, ...] = ()

    @property
    def service_token(self) -> str:
        """The function that gets it; empty if that is not known."""
        token = (self.properties or {}).get("ServiceToken")
        if is_late(token) and self.old is not None:
            token = self.old.get("ServiceToken")  # CloudFormation refuses another one.
        return token if isinstance(token, str) and not is_late(token) else ""


@dataclass(frozen=True)
class Native:
    """What CloudFormation's own resource does to its experiment.

    Attributes:
        properties: The new ones in an update; None in a deletion.
        dependents: The resources of its stack that depend on it, and get their requests after it.
    """

    place: Place
    name: str
    moment: str
    properties: Json | None = None
    risks: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()


Step = NoRequest | PlannedRequest | Native


@dataclass(frozen=True)
class Operation:
    """What CloudFormation will do.

    Attributes:
        steps: What is sent, in CloudFormation's order.
        endpoints: The endpoints that are deleted, by name in lower case: whether that is certain.
    """

    steps: list[Step]
    endpoints: Mapping[str, bool]


def of_change_set(reader: Reader, root: ChangeSet, seen: DescribedStack) -> Operation:
    """What a change set's execution does."""
    stacks = list(_changed_stacks(reader, root, seen.parent_id))
    update = _Update(reader, root, stacks)
    forward = [step for stack in stacks for step in update.forward(stack)]
    clean_up = [step for stack in stacks for step in update.clean_up(stack)]
    endpoints = [each for stack in stacks for each in _endpoints_removed(reader, stack)]
    return Operation([*forward, *clean_up], dict(endpoints))


def of_destroy(reader: Reader, seen: DescribedStack) -> Operation:
    """What the deletion of a stack does."""
    risks: tuple[str, ...] = ()
    if seen.is_protected:
        risks = ("termination protection is on, and CloudFormation refuses the deletion",)
    steps = list(_deletion(reader, seen, DELETION, {}, risks))
    return Operation(steps, dict(_endpoints_deleted(reader, seen.stack_id)))


def name_of(stack_id: str) -> str:
    """A stack's name in its id."""
    return stack_id.rpartition(":stack/")[2].partition("/")[0]


def resources_below(reader: Reader, stack_id: str) -> Iterator[Place]:
    """Our resources in a stack and in its nested stacks."""
    for resource in reader.resources(stack_id):
        if resource.resource_type == RESOURCE_TYPE:
            yield Place(stack_id, resource.logical_id, resource.physical_id)
        elif resource.resource_type == STACK_TYPE and resource.physical_id:
            yield from resources_below(reader, resource.physical_id)


@dataclass(frozen=True)
class ChangedStack:
    """One stack of a change set.

    Attributes:
        template: The new template; empty if it cannot be read.
        deployed: The resources that the stack has.
        unreached: Those of them that an operation which failed may not have changed yet, although
            its template, with which a change set compares, does.
        after: The names of experiments that the operation creates before this stack.
    """

    change_set: ChangeSet
    parent_id: str
    is_new: bool
    is_failed: bool
    template: Json
    deployed: Mapping[str, Resource]
    after: frozenset[str] = frozenset()
    unreached: frozenset[str] = frozenset()

    @property
    def stack_id(self) -> str:
        """The stack's id."""
        return self.change_set.stack_id

    @property
    def in_operation(self) -> FutureStack:
        """The stack while it is created or updated."""
        statuses = ("CREATE_IN_PROGRESS" if self.is_new else "UPDATE_IN_PROGRESS",)
        return FutureStack(self.stack_id, self.parent_id, statuses, self.is_new)

    @property
    def in_clean_up(self) -> FutureStack:
        """The stack in the clean-up; one that was created has none."""
        future = self.in_operation
        end = "CREATE_COMPLETE" if self.is_new else CLEANUP_STATUS
        return replace(future, statuses=(*future.statuses, end))

    @cached_property
    def changes(self) -> Mapping[str, Change]:
        """The changes by logical id."""
        return {change.logical_id: change for change in self.change_set.changes}

    @cached_property
    def definitions(self) -> Mapping[str, Json]:
        """The resources of the new template by logical id."""
        return definitions(self.template)

    def definition(self, logical_id: str) -> Json:
        """A resource in the new template; empty if that has none."""
        return self.definitions.get(logical_id, {})

    def has_condition(self, logical_id: str) -> bool:
        """Whether a resource of the new template is only there if a condition holds."""
        return "Condition" in self.definition(logical_id)

    def resolved_properties(self, logical_id: str) -> Any:  # noqa: ANN401 - see resolved()
        """Its properties, as far as they are known before the execution."""
        return resolved(self.definition(logical_id).get("Properties") or {}, self.known)

    @cached_property
    def known(self) -> Mapping[str, str]:
        """What ``Ref`` says, as far as it does not change."""
        stays = {
            name: resource.physical_id
            for name, resource in self.deployed.items()
            if resource.physical_id and not _may_be_replaced(self.changes.get(name))
        }
        parameters = readable(self.template, self.change_set.parameters)
        parts = (self.stack_id.split(":") + [""] * 6)[:6]
        pseudo = {
            "AWS::StackName": name_of(self.stack_id),
            "AWS::StackId": self.stack_id,
            "AWS::Partition": parts[1],
            "AWS::Region": parts[3],
            "AWS::AccountId": parts[4],
        }
        return {**stays, **parameters, **pseudo}

    def declared(self, resource_type: str) -> list[str]:
        """The logical ids of the resources of a type that the new template declares.

        Without the template, those that the change set and the stack have.
        """
        if self.template:
            types = {name: each.get("Type") for name, each in self.definitions.items()}
        else:
            known: list[Resource | Change] = [*self.deployed.values(), *self.changes.values()]
            types = {each.logical_id: each.resource_type for each in known}
        # A template also declares what a condition removes.
        return [
            name
            for name, type_ in types.items()
            if type_ == resource_type and not self.is_removed(name)
        ]

    def made_before(self, logical_id: str) -> frozenset[str]:
        """The names of experiments that are certainly created before a resource."""
        names = {
            str((change.after or {}).get("Name", "")).lower()
            for change in self.change_set.changes
            if change.resource_type == NATIVE_TYPE
            and logical_id in dependents(self.template, change.logical_id)
        }
        return self.after | names

    def is_removed(self, logical_id: str) -> bool:
        """Whether the change set removes a resource."""
        change = self.changes.get(logical_id)
        return change is not None and change.action == "Remove"

    def removed(self, resource_type: str) -> list[Resource]:
        """The resources of a type that the stack has and the new template does not."""
        declared = self.declared(resource_type)
        return [
            resource
            for name, resource in self.deployed.items()
            if resource.resource_type == resource_type and name not in declared
        ]


def _changed_stacks(
    reader: Reader,
    change_set: ChangeSet,
    parent_id: str,
    after: frozenset[str] = frozenset(),
    *,
    is_added: bool = False,
) -> Iterator[ChangedStack]:
    """A change set and its nested ones, each with its stack.

    Raises:
        CannotPlan: A stack that exists, or what it has, cannot be read.
    """
    try:
        seen = reader.stack(change_set.stack_id)
        is_new, is_failed = seen.is_new, seen.is_failed
    except CannotPlan:
        if not is_added:
            raise
        is_new, is_failed = True, False
    try:
        template = reader.template_of(change_set.arn)
    except CannotPlan:
        if is_failed:
            raise  # Only the template has what the failed operation never reached.
        template = {}
    resources = () if is_new else reader.resources(change_set.stack_id)
    deployed = {resource.logical_id: resource for resource in resources}
    reached = _reached(reader, change_set.stack_id) if is_failed else deployed.keys()
    stack = ChangedStack(
        *(change_set, parent_id, is_new, is_failed, template, deployed, after),
        unreached=frozenset(deployed.keys() - reached),
    )
    yield stack
    for change in change_set.changes:
        if change.nested:
            before = stack.made_before(change.logical_id)
            yield from _changed_stacks(
                *(reader, change.nested, change_set.stack_id, before),
                is_added=change.action == "Add",
            )


def _reached(reader: Reader, stack_id: str) -> AbstractSet[str]:
    """The resources that the newest operation of a stack has changed, by logical id."""

    def begins(event: StackEvent) -> bool:
        is_own = event.physical_id == stack_id and not event.is_aside
        return is_own and event.status in BEGIN_STATUSES

    newest_first = _read_until(reader, stack_id, lambda events: any(map(begins, events)))
    if not any(map(begins, newest_first)):
        return frozenset()
    during = list(takewhile(lambda event: not begins(event), newest_first))
    done = {event.logical_id for event in during if event.status.endswith("_COMPLETE")}
    # CloudFormation restores what has failed.
    return done - {event.logical_id for event in during if event.status.endswith("_FAILED")}


def _read_until(
    reader: Reader, stack_id: str, is_enough: Callable[[Sequence[StackEvent]], bool]
) -> Sequence[StackEvent]:
    """A stack's events, newest first, as far back as is needed; none if they cannot be read."""
    events = reader.events(stack_id)
    while isinstance(events, Events) and not (events.is_whole or is_enough(events.newest_first)):
        events = reader.older(stack_id)
    return events.newest_first if isinstance(events, Events) else ()


class _Update:
    """The execution of a change set, of its stack and those nested in it."""

    def __init__(self, reader: Reader, root: ChangeSet, stacks: list[ChangedStack]) -> None:
        self._reader = reader
        self._forward = {stack.stack_id: stack.in_operation for stack in stacks}
        self._in_clean_up = {stack.stack_id: stack.in_clean_up for stack in stacks}
        self._changes = [change for stack in stacks for change in stack.change_set.changes]
        self._made = dict(_made(self._changes))
        self._touched = set(_touched(self._changes))
        self._requests: dict[tuple[str, str], list[Step]] = {}
        self._triggers = [arn.rpartition(":")[2] for arn in root.triggers]

    def _risks(self, place: Place) -> list[str]:
        """What may come before a request, so that the operation is undone first."""
        names = [
            change.logical_id
            for change in self._changes
            if change.action != "Remove"
            and change.resource_type not in {RESOURCE_TYPE, *CANNOT_FAIL}
            and not (change.resource_type == STACK_TYPE and change.nested)
            and change.logical_id != place.logical_id
        ]
        risks = [_may_come_first(names)] if names else []
        if self._triggers:
            undo = "a rollback trigger may undo the deployment first: "
            risks.append(undo + ", ".join(self._triggers))
        return risks

    def forward(self, stack: ChangedStack) -> Iterator[Step]:
        """What happens while the stack is created or updated."""
        for name in stack.declared(NATIVE_TYPE):
            yield from self._native(stack, name)
        for name in stack.declared(RESOURCE_TYPE):
            yield from self._ours(stack, name)
        for name in stack.declared(STACK_TYPE):
            change, resource = stack.changes.get(name), stack.deployed.get(name)
            if resource is not None and resource.physical_id and resource.status == "CREATE_FAILED":
                # CloudFormation deletes what was never stable, and creates it again.
                seen = self._reader.stack(resource.physical_id)
                yield from _deletion(self._reader, seen, UPDATE, self._forward, ())
            if change is None or change.nested is None:
                yield from self._nested(stack, name, change)

    def clean_up(self, stack: ChangedStack) -> Iterator[Step]:
        """What happens after the update has succeeded."""
        # The policy of an update that failed may not count yet.
        retained = set() if stack.is_failed else _retained(self._reader, stack)
        yield from self._nested_removed(stack, retained)
        for resource in stack.removed(RESOURCE_TYPE):
            place = Place(stack.stack_id, resource.logical_id, resource.physical_id)
            if resource.logical_id in retained:
                yield NoRequest(place, _RETAINED)
            elif resource.physical_id:
                yield self._delete(stack, place)
        yield from self._renamed(stack)
        yield from self._natives_removed(stack, retained)

    def _nested_removed(self, stack: ChangedStack, retained: set[str]) -> Iterator[Step]:
        for resource in stack.removed(STACK_TYPE):
            if not resource.physical_id:
                continue
            if resource.logical_id in retained:
                for place in resources_below(self._reader, resource.physical_id):
                    yield NoRequest(place, _RETAINED_STACK)
                continue
            seen = self._reader.stack(resource.physical_id)
            place = Place(stack.stack_id, resource.logical_id)
            risks = (*self._risks(place), *self._may_retain(stack, place.logical_id))
            yield from _deletion(self._reader, seen, CLEAN_UP, self._in_clean_up, risks)

    def _may_retain(self, stack: ChangedStack, logical_id: str) -> list[str]:
        """Why a removed resource may be left as it is, although nothing that was read says so."""
        change = stack.changes.get(logical_id)
        if stack.is_failed and logical_id in _retained(self._reader, stack):
            return [_RETAINED_BY_FAILURE]
        if change is not None and (change.action != "Remove" or change.policy):
            return []
        try:
            self._reader.template(stack.stack_id)
        except CannotPlan as error:
            return [f"{_MAY_RETAIN}: {error}"]
        return []

    def _natives_removed(self, stack: ChangedStack, retained: set[str]) -> Iterator[Step]:
        for resource in stack.removed(NATIVE_TYPE):
            if resource.logical_id not in retained and resource.physical_id:
                yield self._native_deleted(stack, resource)
        for name, change in stack.changes.items():
            if change.resource_type == NATIVE_TYPE and change.replaced in ("True", "Conditional"):
                replaced = stack.deployed.get(name)
                if replaced and not _is_left(change, stack.definition(name)):
                    yield self._native_deleted(stack, replaced, change.replaced)

    def _ours(self, stack: ChangedStack, name: str) -> Iterator[Step]:
        change, resource = stack.changes.get(name), stack.deployed.get(name)
        place = Place(stack.stack_id, name, resource.physical_id if resource else "")
        if change is not None and (why := _not_said(change)):
            yield NoRequest(place, why, is_known=False)
        elif resource is None or resource.status == "CREATE_FAILED" or _is_gone(resource, change):
            if resource and resource.physical_id and resource.status == "CREATE_FAILED":
                # CloudFormation deletes what was never stable, and creates it again.
                yield PlannedRequest(
                    *(place, RequestType.DELETE, {"Name": place.experiment or "-"}, UPDATE),
                    stacks=self._forward,
                )
            if change is not None or not stack.has_condition(name):
                yield self._sent(stack, replace(place, physical_id=""), RequestType.CREATE, change)
            elif stack.is_failed:
                yield NoRequest(place, _CONDITION, is_known=False)
            # Otherwise its condition is false.
        elif change is None and not stack.is_failed:
            yield NoRequest(place, "the change set does not change it")
        elif change is None and stack.has_condition(name):
            yield NoRequest(place, _CONDITION, is_known=False)
        elif change is not None and _is_unchanged(change, resource, stack):
            yield NoRequest(place, "its properties do not change")
        else:
            yield self._sent(stack, place, RequestType.UPDATE, change)

    def _sent(
        self, stack: ChangedStack, place: Place, kind: RequestType, change: Change | None
    ) -> PlannedRequest:
        """A Create or an Update."""
        definition = stack.definition(place.logical_id)
        declared = stack.resolved_properties(place.logical_id)
        old = or_old = None
        if kind is RequestType.UPDATE:
            old = change.before if change else None
            if old is None or stack.is_failed or _skipped(self._reader, place) is not None:
                # A change set compares with the template of the operation that failed.
                deployed = deployed_properties(self._reader, place)
                old, or_old = deployed or old, old if deployed and old != deployed else None
        after = change.after if change else None
        late = _dynamic(change, stack) if change else set()
        late |= _of_missing(definition, stack)
        if after is None and definition and isinstance(declared, Mapping):
            after = {**declared, **_token(old, declared)}
        elif after is None and change is not None and (named := _named(change)) is not None:
            after, late = old, late | named
        alarms = _new_alarms(stack)
        missing = ""
        if after is None:
            missing = _NO_NEW_PROPERTIES
        else:
            after = {**after, **{name: _late(after.get(name)) for name in late}}
            after = _with_new_alarms(after, definition, alarms)
        if kind is RequestType.UPDATE and old is None:
            missing = missing or _NO_PROPERTIES
        refused = may_fail = ""
        if old is not None and after is not None and not missing:
            refused, may_fail = _another_function(old, after, definition, stack)
        name = str((after or {}).get("Name", "")).lower()
        risks = self._risks(place)
        if name in self._made:
            risks.append("the experiment is created by the same deployment")
        elif name in self._touched:
            risks.append("the same deployment changes the experiment")
        return PlannedRequest(
            *(place, kind, after, UPDATE, self._forward),
            old=old,
            or_old=or_old,
            risks=tuple(risks),
            may_fail=(may_fail,) if may_fail else (),
            refused=refused,
            missing=missing,
            made=self._made_as(name),
            is_after=name not in self._made or name in stack.made_before(place.logical_id),
            new_alarms=tuple(map(_new_alarm, alarms)),
        )

    def _delete(self, stack: ChangedStack, place: Place, completed: str = "") -> PlannedRequest:
        """A Delete in the clean-up of the update."""
        change = stack.changes.get(place.logical_id)
        risks = self._risks(place)
        others = [name for name in stack.declared(RESOURCE_TYPE) if name != place.logical_id]
        if others:
            risks.append(_may_come_first(others))
        risks += self._may_retain(stack, place.logical_id)
        sent = _deleted(self._reader, place, CLEAN_UP, self._in_clean_up, tuple(risks))
        if sent.properties is None and change is not None and change.before is not None:
            sent = replace(sent, properties=change.before, missing="")
        return replace(
            sent,
            completed=completed,
            holders=self._holders(stack, place),
            made=self._made_as(place.experiment),
        )

    def _made_as(self, name: str) -> Seen[Experiment | None]:
        """The experiment of a name that the operation creates, as far as that is known."""
        return self._made.get(name.lower(), self._made.get(""))

    def _request(self, stack: ChangedStack, name: str) -> Step | None:
        """What comes of a declared resource in the update; None if nothing does."""
        key = stack.stack_id, name
        if key not in self._requests:
            self._requests[key] = list(self._ours(stack, name))[-1:]
        return next(iter(self._requests[key]), None)

    def _renamed(self, stack: ChangedStack) -> Iterator[Step]:
        """After an update to another experiment, CloudFormation deletes the old physical id."""
        for name in stack.declared(RESOURCE_TYPE):
            update = self._request(stack, name)
            if not isinstance(update, PlannedRequest) or not _is_renamed(update):
                continue
            place = update.place
            if _is_left(stack.changes.get(name), stack.definition(name)):
                yield NoRequest(
                    place, "the old experiment is retained: UpdateReplacePolicy says so"
                )
                continue
            sent = self._delete(stack, place, json.dumps(update.properties))
            gone = (
                "the permission for the old experiment may be deleted first, and the clean-up "
                "then leaves the experiment as it is"
            )
            yield replace(sent, may_fail=(gone,))

    def _nested(self, stack: ChangedStack, name: str, change: Change | None) -> Iterator[Step]:
        """The resources of a nested stack that has no change set."""
        resource = stack.deployed.get(name)
        place = Place(stack.stack_id, name)
        if resource is None or not resource.physical_id:
            if change is not None or stack.is_failed:
                why = _NO_NESTED_CHANGE_SET if change else _LEFT_BY_FAILURE
                yield NoRequest(place, why, is_known=False)
            return
        is_failed = stack.is_failed or self._reader.stack(resource.physical_id).is_failed
        is_known = change is None and not is_failed
        why = "the change set does not change its stack"
        if not is_known:
            why = _NO_NESTED_CHANGE_SET if change else _LEFT_BY_FAILURE
        ours = list(resources_below(self._reader, resource.physical_id))
        for below in ours if ours or is_known else [place]:
            yield NoRequest(below, why, is_known)

    def _native(self, stack: ChangedStack, name: str) -> Iterator[Step]:
        change, resource = stack.changes.get(name), stack.deployed.get(name)
        if resource is None or not resource.physical_id:
            return
        place = Place(stack.stack_id, name, resource.physical_id)
        if resource.status == "CREATE_FAILED":
            # CloudFormation deletes what was never stable, and creates it again.
            yield Native(place, _name_in(resource), UPDATE, None, tuple(self._risks(place)))
            return
        if change is None and not stack.is_failed:
            return
        unknown = partial(NoRequest, place, is_known=False, experiment=_name_in(resource))
        if change is not None and (why := _not_said(change)):
            yield unknown(why)
            return
        if change is None and stack.has_condition(name):
            yield unknown(_CONDITION)
            return
        # Its handler looks at the declared state in every update, and new tags are one.
        if change is not None and (
            change.replaced == "True"
            or ("Tags" not in change.scope and _is_unchanged(change, resource, stack))
        ):
            return
        after = change.after if change else None
        if after is None and stack.definition(name):
            after = stack.resolved_properties(name)
        if not isinstance(after, Mapping):
            yield unknown(_NO_NEW_PROPERTIES)
            return
        late = _dynamic(change, stack) if change else set()
        after = {**after, **{name: _late(after.get(name)) for name in late}}
        yield Native(
            *(place, _name_in(resource), UPDATE, after, tuple(self._risks(place))),
            dependents=tuple(dependents(stack.template, name)),
        )

    def _native_deleted(
        self, stack: ChangedStack, resource: Resource, replaced: str = "True"
    ) -> Native:
        place = Place(stack.stack_id, resource.logical_id, resource.physical_id)
        risks = self._risks(place)
        if ours := stack.declared(RESOURCE_TYPE):
            risks.append(_may_come_first(ours))
        risks += self._may_retain(stack, resource.logical_id)
        if replaced == "Conditional":
            risks.append("whether it is replaced is known only during the deployment")
        return Native(place, _name_in(resource), CLEAN_UP, None, tuple(risks))

    def _holders(self, stack: ChangedStack, place: Place) -> Seen[tuple[str, ...]]:
        """The resources that will hold a physical id after the update."""
        held: list[str] = []
        for name in stack.declared(RESOURCE_TYPE):
            step = self._request(stack, name)
            properties = step.properties if isinstance(step, PlannedRequest) else None
            holds = str((properties or {}).get("Name", ""))
            if isinstance(step, NoRequest) and step.is_known:
                holds = step.place.experiment
            elif step is not None and (properties is None or is_late(holds)):
                why = f"whether '{name}' will hold the experiment"
                return NotReadable(Kind.REFUSED, why)
            if holds and holds.lower() == place.experiment.lower():
                held.append(name)
        return tuple(held)


_ANOTHER_FUNCTION = (
    "CloudFormation refuses another ServiceToken for a resource that exists: keep its provider, or "
    "let go of the experiment with 'stop_on' first, and give the construct another id"
)
_PERHAPS_ANOTHER_FUNCTION = (
    "CloudFormation refuses another ServiceToken, and whether it changes is known only during the "
    "deployment"
)
_LEFT_BY_FAILURE = "what the operation that failed has left to do in its nested stack"
_CONDITION = "whether its Condition holds"
_MAY_RETAIN = "the template cannot be read, and may retain it"
_RETAINED = "it is retained: CloudFormation deletes nothing"
_RETAINED_BY_FAILURE = "it is retained if the policy of the update that failed counts already"
_RETAINED_STACK = "its nested stack is retained: CloudFormation deletes nothing"
_NO_NESTED_CHANGE_SET = (
    "the changes of its nested stack: create the change set with IncludeNestedStacks"
)


def _deletion(
    reader: Reader,
    seen: DescribedStack,
    moment: str,
    above: Mapping[str, FutureStack],
    risks: tuple[str, ...],
) -> Iterator[Step]:
    """What the deletion of a stack, and of those nested in it, sends."""
    stacks = {**above, seen.stack_id: FutureStack(seen.stack_id, seen.parent_id, (DELETE_STATUS,))}
    try:
        template, why = reader.template(seen.stack_id), ""
    except CannotPlan as error:
        template, why = {}, f"{_MAY_RETAIN}: {error}"
    named, natives = definitions(template), list[Step]()
    all_risks = (*risks, why) if why else risks
    for resource in reader.resources(seen.stack_id):
        place = Place(seen.stack_id, resource.logical_id, resource.physical_id)
        retains, open_yet = _retention(named.get(resource.logical_id, {}), seen)
        risks = (*all_risks, *open_yet)
        later = dependents(template, resource.logical_id)
        may = (f"{', '.join(later[:3])} must be deleted before it",) if later else ()
        if not resource.physical_id:
            continue
        if resource.resource_type == STACK_TYPE and retains:
            for below in resources_below(reader, resource.physical_id):
                yield NoRequest(below, _RETAINED_STACK)
        elif resource.resource_type == STACK_TYPE:
            nested = reader.stack(resource.physical_id)
            yield from _deletion(reader, nested, moment, stacks, (*risks, *may))
        elif resource.resource_type == NATIVE_TYPE and not retains:
            ours = [name for name, each in named.items() if each.get("Type") == RESOURCE_TYPE]
            first = [name for name in later if name not in ours]
            own = (*risks, _may_come_first(first)) if first else risks
            natives.append(Native(place, _name_in(resource), moment, None, own))
        elif resource.resource_type == RESOURCE_TYPE and retains:
            yield NoRequest(place, _RETAINED)
        elif resource.resource_type == RESOURCE_TYPE:
            yield _deleted(reader, place, moment, stacks, (*risks, *may))
    yield from natives  # Ours depend on them, and are deleted first.


def _retention(definition: Json, seen: DescribedStack) -> tuple[bool, tuple[str, ...]]:
    """Whether a deletion certainly leaves a resource as it is, and why it may."""
    if is_retained(definition) and seen.status in ("UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"):
        return False, (_RETAINED_BY_FAILURE,)
    return is_retained(definition), ()


def _endpoints_deleted(
    reader: Reader, stack_id: str, *, is_known: bool = True
) -> Iterator[tuple[str, bool]]:
    """The endpoints that the deletion of a stack deletes, and whether each certainly is."""
    try:
        named = definitions(reader.template(stack_id))
    except CannotPlan:
        named, is_known = {}, False
    for resource in reader.resources(stack_id):
        if not is_retained(named.get(resource.logical_id, {})):
            yield from _endpoints_of(reader, resource, is_known=is_known)


def _endpoints_removed(reader: Reader, stack: ChangedStack) -> Iterator[tuple[str, bool]]:
    """The same of an update, which deletes in its clean-up what it has removed or replaced."""
    removed = (*stack.removed(ENDPOINT_TYPE), *stack.removed(STACK_TYPE))
    retained = _retained(reader, stack) if removed else set()
    for resource in removed:
        change = stack.changes.get(resource.logical_id)
        is_known = (change is not None and change.policy == "Delete") or _is_readable(reader, stack)
        may_be_retained = resource.logical_id in retained
        if stack.is_failed or not may_be_retained:
            is_known = is_known and not may_be_retained
            yield from _endpoints_of(reader, resource, is_known=is_known)
    for name, change in stack.changes.items():
        if change.resource_type != ENDPOINT_TYPE or change.replaced not in ("True", "Conditional"):
            continue
        replaced = stack.deployed.get(name)
        if replaced and not _is_left(change, stack.definition(name)):
            is_known = change.replaced == "True" and bool(stack.template)
            yield from _endpoints_of(reader, replaced, is_known=is_known)


def _is_readable(reader: Reader, stack: ChangedStack) -> bool:
    """Whether the deployed template, which may retain a resource, can be read."""
    try:
        reader.template(stack.stack_id)
    except CannotPlan:
        return False
    return True


def _endpoints_of(
    reader: Reader, resource: Resource, *, is_known: bool
) -> Iterator[tuple[str, bool]]:
    """The endpoint that a deleted resource is, or those of a nested stack."""
    if resource.resource_type == ENDPOINT_TYPE and resource.physical_id:
        yield _name_in(resource).lower(), is_known
    elif resource.resource_type == STACK_TYPE and resource.physical_id:
        yield from _endpoints_deleted(reader, resource.physical_id, is_known=is_known)


def _deleted(
    reader: Reader,
    place: Place,
    moment: str,
    stacks: Mapping[str, FutureStack],
    risks: tuple[str, ...],
) -> PlannedRequest:
    properties = deployed_properties(reader, place)
    if properties is None and not place.experiment:
        properties = {"Name": "-"}  # It was never created; its id says so.
    or_properties = properties and _skipped(reader, place)
    return PlannedRequest(
        *(place, RequestType.DELETE, properties, moment, stacks),
        or_properties=or_properties or None,
        risks=risks,
        missing="" if properties and or_properties != {} else _NO_PROPERTIES,
    )


_NO_NEW_PROPERTIES = "its new properties: neither the change set nor its template has them"
_NO_PROPERTIES = "its deployed properties: the stack's events do not show them"


def deployed_properties(reader: Reader, place: Place) -> Json | None:
    """The last properties that a resource completed with; None if they cannot be read.

    The stack's events have them as CloudFormation resolved them. Where those are gone, the template
    has what is literal or a parameter.
    """
    if completed := _completed(_back_to_completion(reader, place), place.logical_id):
        return completed
    try:
        template, stack = reader.template(place.stack_id), reader.stack(place.stack_id)
    except CannotPlan:
        return None
    if stack.is_failed:
        return None  # It may be the template of the operation that failed.
    parameters = readable(template, stack.parameters)
    definition = definitions(template).get(place.logical_id, {})
    declared = resolved(definition.get("Properties") or {}, parameters)
    if not isinstance(declared, dict):
        # Another value than an object may be a function that only the deployment resolves.
        return None
    own = {name: declared[name] for name in declared.keys() - set(CLOUDFORMATION_PROPERTIES)}
    return None if "Name" not in own or is_late(own) else declared


def _back_to_completion(reader: Reader, place: Place) -> Sequence[StackEvent]:
    """The stack's events, newest first, back to the last request that the resource completed."""
    return _read_until(
        reader, place.stack_id, lambda events: _completed(events, place.logical_id) is not None
    )


def _completed(newest_first: Sequence[StackEvent], logical_id: str) -> Json | None:
    """The properties of the newest completion; empty if it does not show them, None without one."""
    completions = _completions(newest_first, logical_id)
    return next((_shown(event) for event, is_skip in completions if not is_skip), None)


def _completions(
    newest_first: Sequence[StackEvent], logical_id: str
) -> Iterator[tuple[StackEvent, bool]]:
    """A resource's completions, and whether each is an undo that was skipped."""
    own = [event for event in newest_first if event.logical_id == logical_id and not event.is_aside]
    for event, before in zip_longest(own, own[1:]):
        if event.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            begun = event.status.replace("COMPLETE", "IN_PROGRESS")
            yield event, before is not None and before.status != begun


def _shown(event: StackEvent) -> Json:
    """The properties in an event; empty if it does not show them."""
    try:
        properties = json.loads(event.properties)
    except ValueError:
        return {}
    is_whole = isinstance(properties, dict) and isinstance(properties.get("Name"), str)
    return properties if is_whole else {}


def _skipped(reader: Reader, place: Place) -> Json | None:
    """What an undo that was skipped goes back to, if no request has succeeded since.

    Empty if its event does not show it. CloudFormation does not document whether it sends that from
    then on, or what the resource completed with before.
    """
    newest = next(_completions(_back_to_completion(reader, place), place.logical_id), None)
    return _shown(newest[0]) if newest is not None and newest[1] else None


def _token(old: Json | None, declared: Json) -> Json:
    """The function, which a template names by an attribute of a resource that stays."""
    token = (old or {}).get("ServiceToken")
    return {"ServiceToken": token} if token and is_late(declared.get("ServiceToken")) else {}


def _is_unchanged(change: Change, resource: Resource, stack: ChangedStack) -> bool:
    """Whether a listed resource gets no request, since its properties stay as they are."""
    if change.action != "Modify" or resource.status == "UPDATE_FAILED" or stack.is_failed:
        return False
    if change.scope and "Properties" not in change.scope:
        return True
    details = [detail for detail in change.details if detail.attribute == "Properties"]
    if not details or not all(detail.is_dynamic for detail in details):
        return False
    is_same = change.after is None or change.after == change.before
    return is_same and not any(_may_differ(detail, stack) for detail in details)


def _dynamic(change: Change, stack: ChangedStack) -> set[str]:
    """The properties whose new value only the execution tells, whatever the change set shows."""
    alarms = _new_alarms(stack)
    names = {
        detail.name
        for detail in change.details
        if detail.is_dynamic
        and detail.attribute == "Properties"
        and _may_differ(detail, stack)
        and not (detail.name == "PromoteIf" and detail.cause in alarms)
    }
    if "" in names:  # It does not say which.
        declared = stack.definition(change.logical_id).get("Properties") or {}
        names |= {*declared, *(change.after or {})}
    return names - {""}


_ALARM_TYPES = frozenset(f"AWS::CloudWatch::{kind}Alarm" for kind in ("", "Composite", "Log"))


def _new_alarms(stack: ChangedStack) -> frozenset[str]:
    """The logical ids of the alarms that the operation creates in a stack."""
    return frozenset(
        name
        for name, change in stack.changes.items()
        if change.action == "Add" and change.resource_type in _ALARM_TYPES
    )


def _new_alarm(logical_id: str) -> str:
    return f"{logical_id}, which the same deployment creates"


def _with_new_alarms(after: Json, definition: Json, alarms: frozenset[str]) -> Json:
    """The properties in which names of new alarms, which are known only later, are replaced."""
    evidence, declared = (
        value if isinstance(value, Mapping) else {}
        for value in (after.get("PromoteIf"), (definition.get("Properties") or {}).get("PromoteIf"))
    )
    names, refs = evidence.get("Alarms"), declared.get("Alarms")
    if not (isinstance(names, list) and isinstance(refs, list) and len(names) == len(refs)):
        return after
    named = [
        _new_alarm(ref["Ref"])
        if is_late(name) and isinstance(ref, Mapping) and ref.get("Ref") in alarms
        else name
        for name, ref in zip(names, refs, strict=True)
    ]
    return {**after, "PromoteIf": {**evidence, "Alarms": named}}


def _of_missing(definition: Json, stack: ChangedStack) -> set[str]:
    """The properties that refer to a resource which a failed operation may not have reached.

    What is still to be created or replaced gets another id. A function that is replaced is refused.
    """
    if not stack.is_failed:
        return set()
    lacks = {
        name
        for name in stack.definitions
        if name not in stack.deployed or (name in stack.unreached and not _is_named(name, stack))
    }
    properties = {**(definition.get("Properties") or {}), "ServiceToken": None}
    return {name for name, value in properties.items() if lacks & set(named_in(value))}


def _is_named(logical_id: str, stack: ChangedStack) -> bool:
    """Whether the template itself gives a resource the name that it has."""
    properties = stack.resolved_properties(logical_id)
    named = properties.items() if isinstance(properties, Mapping) else ()
    names = [value for key, value in named if key.endswith("Name")]
    return _name_in(stack.deployed[logical_id]) in names


def _may_differ(detail: Detail, stack: ChangedStack) -> bool:
    """Whether an attribute of another resource that is changed may get another value.

    A resource that is modified and not replaced keeps its physical id, and a function its ARN.
    """
    logical_id, _, attribute = detail.cause.partition(".")
    cause = stack.changes.get(logical_id)
    if cause is None or cause.action != "Modify" or cause.replaced != "False":
        return True
    is_custom = cause.resource_type.startswith(("Custom::", "AWS::CloudFormation::"))
    is_id = detail.source == "ResourceReference" and not is_custom
    return not (is_id or (cause.resource_type == FUNCTION_TYPE and attribute == "Arn"))


def _another_function(
    old: Json, after: Json, definition: Json, stack: ChangedStack
) -> tuple[str, str]:
    """Why CloudFormation refuses the update, and why it may: it gets another function."""
    before, token = old.get("ServiceToken"), after.get("ServiceToken")
    if not is_late([before, token]):
        return (_ANOTHER_FUNCTION if before not in (None, token) else "", "")
    is_another = _function_of(definition, stack)
    if is_another == "False":
        return "", ""
    return (_ANOTHER_FUNCTION, "") if is_another == "True" else ("", _PERHAPS_ANOTHER_FUNCTION)


def _function_of(definition: Json, stack: ChangedStack) -> str:
    """Whether the function that a template names is another one: True, False, or not known."""
    token = (definition.get("Properties") or {}).get("ServiceToken")
    names = list(token.values()) if isinstance(token, Mapping) else []
    name = names[0][0] if names and isinstance(names[0], list) and names[0] else ""
    change = stack.changes.get(str(name))
    if change is not None and change.resource_type == FUNCTION_TYPE:
        return "True" if change.action == "Add" else change.replaced
    return ""


def _late(value: object) -> object:
    """A property of which any part may change."""
    if isinstance(value, Mapping):
        return {name: _late(item) for name, item in value.items()}
    return [_late(item) for item in value] if isinstance(value, list) else LATER


def _may_be_replaced(change: Change | None) -> bool:
    return change is not None and (change.action != "Modify" or change.replaced != "False")


def _may_come_first(names: list[str]) -> str:
    shown = words.quoted(names[:3]) + (", …" if len(names) > 3 else "")
    return f"other resources change, too ({shown}), and one may fail first"


def _retained(reader: Reader, stack: ChangedStack) -> set[str]:
    """The removed resources that CloudFormation leaves as they are."""
    said = {name: change.policy for name, change in stack.changes.items() if change.policy}
    by_policy = {name for name, policy in said.items() if policy.startswith("Retain")}
    try:
        old = definitions(reader.template(stack.stack_id)) if stack.deployed else {}
    except CannotPlan:
        return by_policy
    by_template = {name for name, definition in old.items() if is_retained(definition)}
    return by_policy | (by_template - said.keys())


def _is_left(change: Change | None, definition: Json) -> bool:
    """Whether CloudFormation leaves a replaced resource as it is.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
    """
    if change is not None and change.policy.startswith("ReplaceAnd"):
        return change.policy == "ReplaceAndRetain"
    return is_retained(definition, "UpdateReplacePolicy")


def _made(changes: list[Change]) -> Iterator[tuple[str, Seen[Experiment]]]:
    """The experiments that the change set creates, by name, as they will be.

    One whose name is not known has an empty one.
    """
    for change in changes:
        after = change.after or {}
        name = after.get("Name")
        is_made = change.action == "Add" or change.replaced == "True"
        if change.resource_type == NATIVE_TYPE and is_made:
            is_named = isinstance(name, str) and not is_late(name)
            yield (str(name).lower(), _experiment(str(name), after)) if is_named else ("", _UNNAMED)


_UNNAMED = NotReadable(
    Kind.REFUSED, "whether the same deployment creates it: an experiment's name is known only later"
)
_UNSHAPED = NotReadable(
    Kind.REFUSED, "its variants: the same deployment creates it, and they are known only later"
)


def _experiment(name: str, properties: Json) -> Seen[Experiment]:
    mode = properties.get("ShadowModeConfig") or {}
    variants = properties.get("ModelVariants") or []
    shadows = mode.get("ShadowModelVariants") or [] if isinstance(mode, Mapping) else None
    if not isinstance(mode, Mapping) or not _is_known_list(variants) or not _is_known_list(shadows):
        return _UNSHAPED
    production = mode.get("SourceModelVariantName") or ""
    names = [variant.get("VariantName") for variant in variants]
    shadow_names = [shadow.get("ShadowModelVariantName") for shadow in shadows or ()]
    if is_late([production, *names, *shadow_names]):
        return _UNSHAPED
    return Experiment(
        arn=f":inference-experiment/{name}",
        name=name,
        status="Running",
        variants=dict.fromkeys(map(str, names), "InService"),
        production=str(production),
        shadows=tuple(map(str, shadow_names)),
    )


def _is_known_list(value: object) -> bool:
    """Whether it is a list of objects."""
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _touched(changes: list[Change]) -> Iterator[str]:
    """The names of the experiments that CloudFormation's own resource changes or deletes."""
    for change in changes:
        if change.resource_type == NATIVE_TYPE and change.action != "Add":
            yield str((change.before or {}).get("Name") or change.physical_id).lower()


def _name_in(resource: Resource) -> str:
    """The name in the physical id of a resource of SageMaker, which is a name or an ARN."""
    return resource.physical_id.rpartition("/")[2]


def _is_renamed(update: PlannedRequest) -> bool:
    """Whether an update names another experiment, as far as is known."""
    if update.kind is not RequestType.UPDATE or update.old is None or update.properties is None:
        return False
    old, new = (
        str(properties.get("Name", "")).lower() for properties in (update.old, update.properties)
    )
    return old != new and not is_late(update.properties.get("Name"))


def _is_gone(resource: Resource, change: Change | None) -> bool:
    """Whether a resource is left of an earlier deletion, and another one is added in its place."""
    is_added = change is not None and change.action == "Add"
    return is_added and resource.status.startswith("DELETE_")


def _not_said(change: Change) -> str:
    """Why it is not known what happens to a resource; empty if it is."""
    if change.action in ("Add", "Modify", "Remove"):
        return ""
    return f"CloudFormation does not say what it will do with it: {change.action}"


def _named(change: Change) -> set[str] | None:
    """The properties that a change sets to what it does not show; None if it does not name all."""
    details = [detail for detail in change.details if detail.attribute == "Properties"]
    if not details or not all(detail.name for detail in details):
        return None
    return {detail.name for detail in details if not detail.is_dynamic}
