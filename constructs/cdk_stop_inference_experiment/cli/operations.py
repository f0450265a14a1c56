"""The requests that CloudFormation will send to the function in an operation.

An added custom resource gets a Create, one with changed properties gets an Update, and a removed
one gets a Delete in the clean-up. After an Update with another experiment's name, the old one gets
a Delete in the clean-up.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cdk_stop_inference_experiment_handler.contract.declaration import (
    CLOUDFORMATION_PROPERTIES,
    Declaration,
    InvalidDeclaration,
    parse,
    parse_replaced,
)
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Experiment,
    Request,
    RequestType,
    StackEvent,
)

from .reading import STACK_TYPE, Change, ChangeSet, Deployed, Json, Reader, StackSeen

KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""The value in a change set that is only known after its execution."""

NATIVE_TYPE = "AWS::SageMaker::InferenceExperiment"
FUNCTION_TYPE = "AWS::Lambda::Function"
CANNOT_FAIL = frozenset({"AWS::CDK::Metadata"})
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"

UPDATE, CLEAN_UP, DELETION = "update", "clean-up", "deletion"
"""When a request is sent: while the stack is created or updated, after that, or in a deletion."""


@dataclass(frozen=True)
class StackThen:
    """A stack as it will be when a request is sent.

    Attributes:
        is_new: The operation creates it.
        begun: The stack's own events in the operation, oldest first.
    """

    stack_id: str
    status: str
    parent_id: str = ""
    is_new: bool = False
    begun: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """A request that CloudFormation will send.

    Attributes:
        moment: When it is sent.
        stacks: The stacks of the operation as they will be then, by id.
        holders: The resources that hold each physical id after the update, in lower case.
        unknown: What is not known about the request.
        otherwise: The same request with other values for what is only known later.
        risks: What may prevent the request, or change what it finds.
        experiment: The experiment that the operation creates before it, if any.
        service_token: The function that gets it, if known.
    """

    request: Request
    moment: str
    stacks: Mapping[str, StackThen]
    holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    otherwise: Request | None = None
    risks: tuple[str, ...] = ()
    experiment: Experiment | None = None
    service_token: str = ""


@dataclass(frozen=True)
class NotSent:
    """A resource of ours without a request, or whose request is not known.

    Attributes:
        is_known: Whether it certainly gets none.
    """

    stack_name: str
    logical_id: str
    physical_id: str
    why: str
    is_known: bool = True


Step = Sent | NotSent


def of_change_set(reader: Reader, root: ChangeSet, seen: StackSeen) -> list[Step]:
    """The requests of a change set's execution, in CloudFormation's order."""
    update = _Update(reader, root, seen)
    return [*update.forward(), *update.clean_up()]


def of_destroy(reader: Reader, seen: StackSeen) -> list[Step]:
    """What the deletion of a stack sends."""
    return list(_Deletion(reader, DELETION, DELETE_IN_PROGRESS).of_stack(seen))


class _Update:
    """The execution of a change set, of its stack and those nested in it."""

    def __init__(self, reader: Reader, root: ChangeSet, seen: StackSeen) -> None:
        self._reader = reader
        self._now = time.time()
        is_new = seen.status == "REVIEW_IN_PROGRESS"
        self._tree = list(_tree(root, seen.parent_id, is_new=is_new))
        self._stacks = {one.stack_id: one for _, one in self._tree}
        self._experiments = dict(_made(root))
        self._risky = list(_risky(root))
        self._triggers = [one.rpartition(":")[2] for one in root.triggers]
        self._touched = set(_touched(root))
        self._names = [one.logical_id for _, one in _ours(self._tree)]

    def forward(self) -> Iterator[Step]:
        """The requests while the stacks are created and updated."""
        for change_set, stack in self._tree:
            for change in change_set.changes:
                if change.resource_type == RESOURCE_TYPE:
                    yield from self._of_ours(change, stack)
                elif change.resource_type == STACK_TYPE and change.nested is None:
                    yield from self._of_unseen(change, stack)
            yield from self._untouched(change_set, stack)

    def clean_up(self) -> Iterator[Step]:
        """The requests after the update has succeeded."""
        for change_set, stack in self._tree:
            then = {one: _cleaning(known) for one, known in self._stacks.items()}
            holders = self._holders(change_set, stack)
            for change in change_set.changes:
                if change.resource_type == STACK_TYPE and change.action == "Remove":
                    if change.policy != "Retain":
                        below = _Deletion(self._reader, CLEAN_UP, DELETE_IN_PROGRESS, then)
                        for step in below.of_stack(self._reader.stack(change.physical_id)):
                            yield self._at_risk(step)
                elif change.resource_type == RESOURCE_TYPE and change.action == "Remove":
                    yield self._removed(change, stack, then, holders)
                elif change.resource_type == RESOURCE_TYPE and _is_renamed(change):
                    sent = self._delete(change, stack, then, holders)
                    gone = "the permission for the old experiment may be deleted first"
                    yield replace(sent, risks=(*sent.risks, gone))
            for found in self._left_over(change_set, stack):
                change = Change("Remove", found.logical_id, RESOURCE_TYPE, found.physical_id)
                sent = self._delete(change, stack, then, holders)
                yield replace(sent, risks=(*sent.risks, "an update that failed had removed it"))

    def _of_ours(self, change: Change, stack: StackThen) -> Iterator[Step]:
        name = _name_of(stack.stack_id)
        deployed = None if stack.is_new else self._deployed(stack, change.logical_id)
        if deployed and deployed.status == "CREATE_FAILED":
            # What never was stable is deleted by the next operation, then created.
            request = self._request(
                RequestType.DELETE, change, stack, change.after or {"Name": "-"}
            )
            yield Sent(replace(request, physical_id=deployed.physical_id), UPDATE, self._own(stack))
            change = replace(change, action="Add", before=None)
        is_retried = deployed is not None and deployed.status == "UPDATE_FAILED"
        if change.action == "Remove":
            return
        if change.action == "Modify" and "Properties" not in change.scope and not is_retried:
            why = "its properties do not change"
            yield NotSent(name, change.logical_id, change.physical_id, why)
        elif change.action not in ("Add", "Modify"):
            why = f"CloudFormation does not say what it will do with it: {change.action}"
            yield NotSent(name, change.logical_id, change.physical_id, why, is_known=False)
        elif change.after is None:
            why = (
                "an attribute of another resource may change it, so its new properties are only "
                "known during the deployment"
            )
            yield NotSent(name, change.logical_id, change.physical_id, why, is_known=False)
        else:
            yield self._declared(change, stack)

    def _declared(self, change: Change, stack: StackThen) -> Sent:
        """A Create or an Update with the properties in the change set."""
        kind = RequestType.CREATE if change.action == "Add" else RequestType.UPDATE
        after = change.after or {}
        known = {
            name: value for name, value in after.items() if name not in CLOUDFORMATION_PROPERTIES
        }
        late = [name for name, value in known.items() if _is_late(value)]
        assumed = {name: _assumed(name, value) for name, value in known.items()}
        unknown = [name for name in late if _is_late(assumed[name])]
        request = self._request(kind, change, stack, assumed)
        otherwise = None
        if late and not unknown and kind is RequestType.UPDATE:
            same = {name: _filled(known[name], (change.before or {}).get(name)) for name in known}
            otherwise = self._request(kind, change, stack, same)
        made = self._experiments.get(request.declared_name.lower())
        risks = list(self._risks(change.logical_id, kind))
        if made:
            risks.append("the experiment is created by the same deployment")
        elif request.declared_name.lower() in self._touched:
            risks.append("the same deployment changes the experiment")
        return Sent(
            request=request,
            moment=UPDATE,
            stacks=self._own(stack),
            unknown=tuple(f"'{name}' is known only after the deployment" for name in unknown),
            otherwise=otherwise,
            risks=tuple(risks),
            experiment=made,
            service_token=_token(after),
        )

    def _request(
        self, kind: RequestType, change: Change, stack: StackThen, properties: Json
    ) -> Request:
        physical_id = "" if kind is RequestType.CREATE else change.physical_id
        old = change.before if kind is RequestType.UPDATE else None
        return make_request(
            *(kind, stack.stack_id, change.logical_id, physical_id),
            *(properties, old, self._now),
        )

    def _removed(
        self,
        change: Change,
        stack: StackThen,
        then: Mapping[str, StackThen],
        holders: Mapping[str, tuple[str, ...]],
    ) -> Step:
        if change.policy in ("Retain", "RetainExceptOnCreate"):
            why = "it is removed from the stack and retained: CloudFormation deletes nothing"
            place = (_name_of(stack.stack_id), change.logical_id, change.physical_id)
            return NotSent(*place, why)
        return self._delete(change, stack, then, holders)

    def _delete(
        self,
        change: Change,
        stack: StackThen,
        then: Mapping[str, StackThen],
        holders: Mapping[str, tuple[str, ...]],
    ) -> Sent:
        """A Delete in the clean-up of the update."""
        declared = deployed_properties(self._reader, stack.stack_id, change.logical_id)
        before = change.before if change.before is not None else declared
        request = self._request(RequestType.DELETE, change, stack, before or {"Name": ""})
        return Sent(
            request=request,
            moment=CLEAN_UP,
            stacks=then,
            holders=holders,
            unknown=() if before else ("its deployed properties cannot be read",),
            risks=tuple(self._risks(change.logical_id, RequestType.DELETE)),
            service_token=_token(before or {}),
        )

    def _of_unseen(self, change: Change, stack: StackThen) -> Iterator[Step]:
        """The resources of a nested stack whose changes the change set does not include."""
        if change.action == "Remove":
            return
        why = "the change set does not include its nested stack: create it with IncludeNestedStacks"
        if change.action == "Add":
            place = (_name_of(stack.stack_id), change.logical_id, "")
            yield NotSent(*place, why, is_known=False)
            return
        for below, found in resources_below(self._reader, change.physical_id):
            place = (_name_of(below), found.logical_id, found.physical_id)
            yield NotSent(*place, why, is_known=False)

    def _untouched(self, change_set: ChangeSet, stack: StackThen) -> Iterator[Step]:
        """The resources that are not in the change set."""
        if stack.is_new:
            return
        changed = {change.logical_id for change in change_set.changes}
        changed |= {found.logical_id for found in self._left_over(change_set, stack)}
        for found in self._reader.resources(stack.stack_id):
            if found.logical_id in changed:
                continue
            name = _name_of(stack.stack_id)
            if found.resource_type == RESOURCE_TYPE:
                why = "the change set does not change it"
                yield NotSent(name, found.logical_id, found.physical_id, why)
            elif found.resource_type == STACK_TYPE:
                for below, resource in resources_below(self._reader, found.physical_id):
                    why = "the change set does not change its stack"
                    place = (_name_of(below), resource.logical_id, resource.physical_id)
                    yield NotSent(*place, why)

    def _left_over(self, change_set: ChangeSet, stack: StackThen) -> list[Deployed]:
        """Our resources that an update without rollback removed and did not clean up: it failed.

        They are not in the template that the change set is compared with.
        """
        if stack.is_new or not self._reader.stack(stack.stack_id).status.endswith("_FAILED"):
            return []
        known = {change.logical_id for change in change_set.changes}
        known |= set(self._reader.template(stack.stack_id).get("Resources", {}))
        return [
            found
            for found in self._reader.resources(stack.stack_id)
            if found.resource_type == RESOURCE_TYPE and found.logical_id not in known
        ]

    def _at_risk(self, step: Step) -> Step:
        if isinstance(step, NotSent):
            return step
        risks = self._risks(step.request.logical_id, RequestType.DELETE)
        return replace(step, risks=(*step.risks, *risks))

    def _risks(self, logical_id: str, kind: RequestType) -> Iterator[str]:
        others = list(self._risky)
        if kind is RequestType.DELETE:
            others += [name for name in self._names if name != logical_id]
        if others:
            shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            yield f"other resources change, too ({shown}), and a failure of one may come first"
        if self._triggers:
            yield f"a rollback trigger may undo the deployment first: {', '.join(self._triggers)}"

    def _holders(self, change_set: ChangeSet, stack: StackThen) -> Mapping[str, tuple[str, ...]]:
        """The resources by physical id after the update."""
        if stack.is_new:
            return {}
        changes = {change.logical_id: change for change in change_set.changes}
        held: dict[str, list[str]] = {}
        arn = ""
        for found in self._reader.resources(stack.stack_id):
            change = changes.pop(found.logical_id, None)
            physical_id = found.physical_id
            if ":inference-experiment/" in physical_id:
                arn = physical_id.rpartition("/")[0]
            if change and change.action == "Remove":
                continue
            if change and _is_renamed(change):
                physical_id = f"{arn}/{(change.after or {}).get('Name')}"
            held.setdefault(physical_id.lower(), []).append(found.logical_id)
        for change in changes.values():
            if change.resource_type == RESOURCE_TYPE and change.action == "Add":
                physical_id = f"{arn}/{(change.after or {}).get('Name')}"
                held.setdefault(physical_id.lower(), []).append(change.logical_id)
        return {key: tuple(names) for key, names in held.items()}

    def _own(self, stack: StackThen) -> Mapping[str, StackThen]:
        return self._stacks | {stack.stack_id: stack}

    def _deployed(self, stack: StackThen, logical_id: str) -> Deployed | None:
        found = self._reader.resources(stack.stack_id)
        return next((one for one in found if one.logical_id == logical_id), None)


class _Deletion:
    """The deletion of a stack and of those nested in it."""

    def __init__(
        self,
        reader: Reader,
        moment: str,
        status: str,
        above: Mapping[str, StackThen] | None = None,
    ) -> None:
        self._reader = reader
        self._moment = moment
        self._status = status
        self._stacks: dict[str, StackThen] = dict(above or {})
        self._now = time.time()

    def of_stack(self, seen: StackSeen) -> Iterator[Step]:
        """What the deletion of a stack sends."""
        stack_id = seen.stack_id
        self._stacks[stack_id] = StackThen(
            stack_id, self._status, seen.parent_id, begun=(self._status,)
        )
        template = self._reader.template(stack_id).get("Resources", {})
        for found in self._reader.resources(stack_id):
            definition = template.get(found.logical_id, {})
            is_retained = str(definition.get("DeletionPolicy", "")).startswith("Retain")
            if found.resource_type == STACK_TYPE and not is_retained:
                yield from self.of_stack(self._reader.stack(found.physical_id))
            elif found.resource_type == RESOURCE_TYPE:
                yield self._of_ours(seen, found, template, is_retained=is_retained)

    def _of_ours(
        self, seen: StackSeen, found: Deployed, template: Json, *, is_retained: bool
    ) -> Step:
        stack_id = seen.stack_id
        if is_retained:
            why = "it is retained: CloudFormation deletes nothing"
            return NotSent(seen.name, found.logical_id, found.physical_id, why)
        properties = deployed_properties(self._reader, stack_id, found.logical_id)
        request = make_request(
            *(RequestType.DELETE, stack_id, found.logical_id, found.physical_id),
            *(properties or {"Name": experiment_of(found, None)}, None, self._now),
        )
        later = dependents(template, found.logical_id)
        risks = [f"{', '.join(later[:3])} must be deleted before it"] if later else []
        if seen.is_protected and self._moment == DELETION:
            risks.append("termination protection is on, and CloudFormation refuses the deletion")
        return Sent(
            request=request,
            moment=self._moment,
            stacks=self._stacks,
            unknown=() if properties else ("its deployed properties cannot be read",),
            risks=tuple(risks),
            service_token=_token(properties or {}),
        )


def make_request(  # noqa: PLR0917 - the parts of a request
    kind: RequestType,
    stack_id: str,
    logical_id: str,
    physical_id: str,
    properties: Json,
    old: Json | None,
    issued_at: float,
) -> Request:
    """A request as the function reads it."""
    named = {"stack_name": _name_of(stack_id), "logical_id": logical_id}
    new: Declaration | str
    try:
        new = parse(properties, **named)
    except InvalidDeclaration as error:
        new = str(error)
    return Request(
        type=kind,
        stack_id=stack_id,
        stack_name=_name_of(stack_id),
        logical_id=logical_id,
        physical_id=physical_id,
        declared_name=str(properties.get("Name", "")),
        new=new,
        old=parse_replaced(old, **named) if old is not None else None,
        issued_at=issued_at,
    )


def experiment_of(found: Deployed, properties: Json | None) -> str:
    """The name of a resource's experiment, from the physical id if the properties are not known."""
    return str((properties or {}).get("Name") or found.physical_id.rpartition("/")[2])


def deployed_properties(reader: Reader, stack_id: str, logical_id: str) -> Json | None:
    """The last deployed properties of a resource; None if they cannot be read.

    The stack's events have them as CloudFormation resolved them. A template only has them if they
    contain no intrinsic function.
    """
    for event in reader.events(stack_id):
        if (
            event.logical_id == logical_id
            and event.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            and (properties := _read(event)) is not None
        ):
            return properties
    definition = reader.template(stack_id).get("Resources", {}).get(logical_id, {})
    literal = {
        name: value
        for name, value in definition.get("Properties", {}).items()
        if name not in CLOUDFORMATION_PROPERTIES
    }
    return literal if "Name" in literal and not _has_function(literal) else None


def _read(event: StackEvent) -> Json | None:
    properties = parse_json(event.properties)
    return properties if properties and isinstance(properties.get("Name"), str) else None


def parse_json(text: str) -> Json | None:
    """A JSON object; None if the text is not one."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, Mapping) else None


def resources_below(reader: Reader, stack_id: str) -> Iterator[tuple[str, Deployed]]:
    """Our resources in a stack and in its nested stacks, each with its stack's id."""
    for found in reader.resources(stack_id):
        if found.resource_type == RESOURCE_TYPE:
            yield stack_id, found
        elif found.resource_type == STACK_TYPE and found.physical_id:
            yield from resources_below(reader, found.physical_id)


def dependents(template: Json, logical_id: str) -> list[str]:
    """The resources that depend on one, and are deleted before it."""
    found: list[str] = []
    wanted = {logical_id}
    while True:
        more = [
            name
            for name, definition in template.items()
            if name not in found and name != logical_id and wanted & set(_named(definition))
        ]
        if not more:
            return found
        found += more
        wanted |= set(more)


def _named(value: object) -> Iterator[str]:
    """The logical ids that a part of a template refers to."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else str(item).partition(".")[0]
            elif key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            elif key == "Fn::Sub":
                yield from _in_sub(item)
            yield from _named(item)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item)


def _in_sub(value: object) -> Iterator[str]:
    text = value[0] if isinstance(value, list) else value
    for name in re.findall(r"\$\{([^!}][^}]*)\}", str(text)):
        yield name.partition(".")[0]


LATER = "known-after-apply"
"""A placeholder for a name that is only known later, in a valid form."""

_ASSUMED = {"ModelName": LATER, "InstanceType": "ml.known-after.apply", "Reason": LATER}


def _is_late(value: object) -> bool:
    """Whether a part of a value is only known after the execution."""
    if isinstance(value, Mapping):
        return any(_is_late(item) for item in value.values())
    if isinstance(value, list):
        return any(_is_late(item) for item in value)
    return isinstance(value, str) and KNOWN_AFTER_APPLY in value


def _assumed(name: str, value: object) -> object:
    """The value with placeholders for parts that only matter for whether it changes."""
    if isinstance(value, Mapping):
        return {key: _assumed(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_assumed(name, item) for item in value]
    return _ASSUMED.get(name, value) if _is_late(value) else value


def _filled(value: object, old: object) -> object:
    """The value with the current values for parts that are only known later."""
    if isinstance(value, Mapping):
        known = old if isinstance(old, Mapping) else {}
        return {key: _filled(item, known.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        items = old if isinstance(old, list) else []
        return [_filled(one, items[i] if i < len(items) else None) for i, one in enumerate(value)]
    return old if _is_late(value) and old is not None else value


def _tree(
    change_set: ChangeSet, parent_id: str, *, is_new: bool
) -> Iterator[tuple[ChangeSet, StackThen]]:
    """A change set and its nested ones, each with its future stack."""
    status = "CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS"
    stack_id = change_set.stack_id
    yield change_set, StackThen(stack_id, status, parent_id, is_new, begun=(status,))
    for change in change_set.changes:
        if change.nested:
            yield from _tree(change.nested, stack_id, is_new=change.action == "Add")


def _cleaning(stack: StackThen) -> StackThen:
    """The stack in the clean-up; one that was created has none."""
    if stack.is_new:
        return replace(stack, status="CREATE_COMPLETE")
    return replace(stack, status=CLEANUP, begun=(*stack.begun, CLEANUP))


def _all(change_set: ChangeSet) -> Iterator[Change]:
    for change in change_set.changes:
        yield change
        if change.nested:
            yield from _all(change.nested)


def _ours(tree: list[tuple[ChangeSet, StackThen]]) -> Iterator[tuple[ChangeSet, Change]]:
    for change_set, _ in tree:
        for change in change_set.changes:
            if change.resource_type == RESOURCE_TYPE and change.action != "Remove":
                yield change_set, change


def _risky(root: ChangeSet) -> Iterator[str]:
    """The other resources that are created or updated, which may fail."""
    for change in _all(root):
        known = {RESOURCE_TYPE, *CANNOT_FAIL, *([STACK_TYPE] if change.nested else [])}
        if change.action != "Remove" and change.resource_type not in known:
            yield change.logical_id


def _made(root: ChangeSet) -> Iterator[tuple[str, Experiment]]:
    """The experiments that the change set creates, by name, as they will be."""
    for change in _all(root):
        after = change.after or {}
        name = after.get("Name")
        is_made = change.action == "Add" or change.replaced == "True"
        if change.resource_type == NATIVE_TYPE and is_made and isinstance(name, str):
            yield name.lower(), _experiment(name, after)


def _experiment(name: str, properties: Json) -> Experiment:
    mode = properties.get("ShadowModeConfig") or {}
    variants = properties.get("ModelVariants") or []
    return Experiment(
        arn=f":inference-experiment/{name}",
        name=name,
        status="Running",
        variants={str(one.get("VariantName")): "InService" for one in variants},
        production=str(mode.get("SourceModelVariantName") or ""),
        shadows=tuple(
            str(one.get("ShadowModelVariantName")) for one in mode.get("ShadowModelVariants") or []
        ),
    )


def _touched(root: ChangeSet) -> Iterator[str]:
    """The names of the experiments that the change set changes or deletes."""
    for change in _all(root):
        if change.resource_type == NATIVE_TYPE and change.action != "Add":
            yield str((change.before or {}).get("Name") or change.physical_id).lower()


def _is_renamed(change: Change) -> bool:
    """Whether an update names another experiment."""
    if change.action != "Modify" or change.before is None or change.after is None:
        return False
    old, new = (str(one.get("Name", "")).lower() for one in (change.before, change.after))
    return old != new and not _is_late(change.after.get("Name"))


def _has_function(value: object) -> bool:
    """Whether a part of a template holds an intrinsic function."""
    if isinstance(value, Mapping):
        return any(
            key == "Ref" or key.startswith("Fn::") or _has_function(item)
            for key, item in value.items()
        )
    return isinstance(value, list) and any(_has_function(item) for item in value)


def _token(properties: Json) -> str:
    token = properties.get("ServiceToken")
    return token if isinstance(token, str) and not _is_late(token) else ""


def _name_of(stack_id: str) -> str:
    return stack_id.rpartition(":stack/")[2].partition("/")[0]
