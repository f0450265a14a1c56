"""Change sets with the values of properties, and with those of nested stacks.

API reference, DescribeChangeSet (``IncludePropertyValues``, ``IncludeNestedStacks``) and
ResourceChange (``BeforeContext``, ``AfterContext``, ``ChangeSetId``); user guide, "Change sets for
nested stacks". Where the reference is silent, this follows recorded answers of AWS:

- A context is JSON text with ``Properties`` and the resource's other attributes. A value that
depends
  on a resource that is created or replaced reads ``{{changeSet:KNOWN_AFTER_APPLY}}``.
- A change that could only come from an attribute of another resource, and does not with the current
  value, is left out with values. Without values it is listed.
- A nested change set cannot be executed on its own, only with its root's.
- One that is still being made has no changes, and cannot be executed.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine, handlers, helpers, stacks

from local_aws.emulator.clock import Clock
from local_aws.emulator.nested_stacks import RESERVED, new_name
from local_aws.emulator.operation import STACK_TYPE
from local_aws.settings import Settings

__all__ = ["ChangeSets"]

Json = dict[str, Any]
# Any value in a template.
Value: TypeAlias = Any
Params: TypeAlias = Any  # A request as ministack has parsed it.
HttpAnswer: TypeAlias = Any  # What ministack's handlers return.
PassedOn: TypeAlias = Any  # What is only passed on.

KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
_LOGICAL_ID = "_local_aws_logical_id"
_CHILDREN = "_local_aws_nested"
_INCLUDES = "_local_aws_includes_nested"
_MADE_AT = "_local_aws_made_at"
_TRIGGERS = "_local_aws_rollback_triggers"
_CONTEXTS = ("BeforeContext", "AfterContext")
_SHOWN = ("DeletionPolicy", "UpdateReplacePolicy", "Metadata")
_END = "</ResourceChange></member>"


@dataclass(frozen=True)
class _Plan:
    """What a change set does to one stack.

    Attributes:
        stack: The current stack; without resources for a nested stack that will be created.
        template: The new template, and its parameters' values.
        change_set: The change set, whose changes get their contexts.
    """

    stack: Json
    template: Json
    parameters: Json
    change_set: Json


class ChangeSets:
    """Wraps ministack's actions."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Add the wrappers to ministack.

        Args:
            settings: The page size, and how long a change set takes to be made.
            clock: The clock that this time is on.
        """
        self.settings = settings
        self._clock = clock
        self._resolve_template = changesets._resolve_props_for_diff
        changesets._resolve_props_for_diff = self._compared
        self._find = changesets._find_change_set
        changesets._find_change_set = self._find_of_stack
        actions = handlers._ACTION_HANDLERS
        self._create_change_set = actions["CreateChangeSet"]
        self._describe_change_set = actions["DescribeChangeSet"]
        self._execute_change_set = actions["ExecuteChangeSet"]
        self._delete_change_set = actions["DeleteChangeSet"]
        actions["CreateChangeSet"] = self._create
        actions["DescribeChangeSet"] = self._describe
        actions["ExecuteChangeSet"] = self._execute
        actions["DeleteChangeSet"] = self._delete

    def _find_of_stack(self, name: str, stack_name: str = "") -> PassedOn:
        """Find a change set by its name and its stack's name or ARN."""
        stack = handlers._resolve_stack(stack_name) if stack_name else None
        return self._find(name, stack["StackName"] if stack else stack_name)

    def _compared(self, template: Json, parameters: Json, stack_name: str, stack_id: str) -> Json:
        """Return a template for its comparison with another one.

        Without resources whose Condition is false; and ministack resolves every attribute of a
        resource to nothing, so one of another resource would be no change.
        """
        conditions = engine._evaluate_conditions(template, parameters) if template else {}
        compared = {
            name: {**definition, "Properties": _with_marked_attributes(definition)}
            for name, definition in (template or {}).get("Resources", {}).items()
            if conditions.get(definition.get("Condition"), True)
        }
        marked = {**template, "Resources": compared} if template else template
        resolved: Json = self._resolve_template(marked, parameters, stack_name, stack_id)
        return resolved

    def _create(self, params: Params) -> HttpAnswer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if stack is not None and stack["StackStatus"] != "DELETE_COMPLETE":
            # ministack compares the names of change sets by their stack's name.
            params = {**params, "StackName": [stack["StackName"]]}
        answer = self._create_change_set(params)
        found = _found(params)
        if answer[0] == 200 and found is not None:
            found[_MADE_AT] = self._clock.now() + self.settings.change_set_seconds
            found[_TRIGGERS] = list(_triggers(params))
        if answer[0] == 200 and found is not None and found["ChangeSetType"] != "IMPORT":
            found[_INCLUDES] = handlers._p(params, "IncludeNestedStacks") == "true"
            stack = cloudformation._stacks[found["StackName"]]
            with stacks._stack_region_context(stack, stack["StackId"]):
                _fill(
                    _Plan(stack, found["_template"], found["_resolved_params"], found),
                    later=self.settings.modified_attributes_known_after_apply,
                )
        return answer

    def _describe(self, params: Params) -> HttpAnswer:
        status, headers, body = self._describe_change_set(params)
        found = _found(params)
        if status != 200 or found is None:
            return status, headers, body
        with_values = handlers._p(params, "IncludePropertyValues") == "true"
        before, changes, after = _split(body.decode())
        if self._clock.now() < found.get(_MADE_AT, 0):
            return status, headers, _unfinished(before + after).encode()
        shown = [
            _with_values(text, change["ResourceChange"], with_values=with_values)
            for text, change in zip(changes, found["Changes"], strict=True)
            if not (with_values and _comes_to_nothing(change["ResourceChange"]))
        ]
        start = int(handlers._p(params, "NextToken") or 0)
        page = shown[start : start + self.settings.changes_page_size]
        more = ""
        if start + len(page) < len(shown):
            more = f"<NextToken>{start + len(page)}</NextToken>"
        places = "".join(
            f"<{name}>{found[name]}</{name}>"
            for name in ("ParentChangeSetId", "RootChangeSetId")
            if found.get(name)
        )
        includes = str(bool(found.get(_INCLUDES))).lower()
        more += f"<IncludeNestedStacks>{includes}</IncludeNestedStacks>{places}"
        more += _rollback_configuration(found.get(_TRIGGERS, []))
        end = "</DescribeChangeSetResult>"
        text = before + "".join(page) + after.replace(end, more + end)
        return status, headers, text.encode()

    def _execute(self, params: Params) -> HttpAnswer:
        found = _found(params)
        if found is not None:
            _reserve_names(found)
        answer = self._execute_change_set(params)
        if answer[0] == 200 and found is not None:
            _drop_nested(found)
        return answer

    def _delete(self, params: Params) -> HttpAnswer:
        found = _found(params)
        answer = self._delete_change_set(params)
        if answer[0] == 200 and found is not None:
            _drop_nested(found)
        return answer


def _triggers(params: Params) -> Iterator[str]:
    """The ARNs of the alarms in a request's rollback configuration."""
    for number in itertools.count(1):
        member = f"RollbackConfiguration.RollbackTriggers.member.{number}.Arn"
        if not (arn := handlers._p(params, member)):
            return
        yield arn


def _rollback_configuration(triggers: list[str]) -> str:
    members = "".join(
        f"<member><Arn>{escape(arn)}</Arn><Type>AWS::CloudWatch::Alarm</Type></member>"
        for arn in triggers
    )
    shown = f"<RollbackTriggers>{members}</RollbackTriggers>" if members else ""
    return f"<RollbackConfiguration>{shown}</RollbackConfiguration>"


def _unfinished(text: str) -> str:
    """The description of a change set that is still being made."""
    text = re.sub("<Status>[A-Z_]+</Status>", "<Status>CREATE_IN_PROGRESS</Status>", text)
    return re.sub(
        "<ExecutionStatus>[A-Z_]+</ExecutionStatus>",
        "<ExecutionStatus>UNAVAILABLE</ExecutionStatus>",
        text,
    )


def _found(params: Params) -> Json | None:
    name, stack_name = handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName")
    stack = handlers._resolve_stack(stack_name) if stack_name else None
    name_of_stack = stack["StackName"] if stack else stack_name
    found: Json | None = changesets._find_change_set(name, name_of_stack)[1]
    return found


def _fill(plan: _Plan, *, later: bool) -> None:
    """Add the contexts to every change, and the change set to a nested stack's change.

    Args:
        plan: What the change set does.
        later: Whether attributes of modified resources are known only later.
    """
    unknown = {
        change["LogicalResourceId"]
        for change in _changes(plan.change_set)
        if change["Action"] == "Add" or change.get("Replacement") == "True"
    }
    # The outputs of a nested stack are only known after its update.
    unknown |= {
        change["LogicalResourceId"]
        for change in _changes(plan.change_set)
        if change["ResourceType"] == STACK_TYPE
    }
    modified = {
        change["LogicalResourceId"]
        for change in _changes(plan.change_set)
        if change["Action"] == "Modify" and later
    }
    for change in _changes(plan.change_set):
        logical_id = change["LogicalResourceId"]
        old = plan.stack.get("_template", {}).get("Resources", {}).get(logical_id)
        record = plan.stack.get("_resources", {}).get(logical_id)
        if change["Action"] != "Add" and record is not None:
            change["BeforeContext"] = _context(old or {}, record.get("Properties") or {})
        new = plan.template.get("Resources", {}).get(logical_id)
        if change["Action"] != "Remove" and new is not None:
            properties = _resolved(new.get("Properties") or {}, plan, unknown, modified)
            change["AfterContext"] = _context(new, properties)
            nests = change["ResourceType"] == STACK_TYPE and plan.change_set.get(_INCLUDES)
            if nests:
                _nest(plan, change, properties, later=later)


def _changes(change_set: Json) -> Iterator[Json]:
    for change in change_set["Changes"]:
        yield change["ResourceChange"]


def _context(definition: Json, properties: Json) -> Json:
    shown = {name: definition[name] for name in _SHOWN if name in definition}
    return {"Properties": properties, **shown}


def _resolved(properties: Json, plan: _Plan, unknown: set[str], modified: set[str]) -> Json:
    """Return properties, as far as they are known before the execution.

    Args:
        properties: As in the template.
        plan: What the change set does.
        unknown: The resources of which nothing is known.
        modified: The resources of which no attribute is known.
    """
    conditions = engine._evaluate_conditions(plan.template, plan.parameters)
    resources = {
        name: record
        for name, record in plan.stack.get("_resources", {}).items()
        if name not in unknown
    }
    found = {}
    for name, value in properties.items():
        try:
            resolved = engine._resolve_refs(
                _marked(value, unknown, unknown | modified),
                *(resources, plan.parameters, conditions, plan.template.get("Mappings", {})),
                *(plan.stack["StackName"], plan.stack["StackId"]),
            )
        except ValueError:  # An export that does not exist yet.
            resolved = KNOWN_AFTER_APPLY
        if resolved is not engine._NO_VALUE:
            found[name] = _plain(resolved)
    return found


def _marked(value: Value, unknown: set[str], attributes: set[str]) -> Value:
    """Replace references to resources, and to attributes of some."""
    if isinstance(value, list):
        return [_marked(item, unknown, attributes) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function in ("Ref", "Fn::GetAtt"):
            named = argument[0] if isinstance(argument, list) else str(argument).split(".")[0]
            later = unknown if function == "Ref" else attributes
            return KNOWN_AFTER_APPLY if named in later else value
        if function == "Fn::Sub":
            text = argument[0] if isinstance(argument, list) else argument
            names = re.findall(r"\$\{([^!}][^}]*)\}", text)
            whole = {name.split(".")[0] for name in names}
            parts = {name.split(".")[0] for name in names if "." in name}
            if whole & unknown or parts & attributes:
                return KNOWN_AFTER_APPLY
    return {name: _marked(item, unknown, attributes) for name, item in value.items()}


def _with_marked_attributes(definition: Json) -> Json:
    """Return a resource's properties with a text in place of each ``Fn::GetAtt``."""

    def marked(value: Value) -> Value:
        if isinstance(value, list):
            return [marked(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::GetAtt"}:
            place = value["Fn::GetAtt"]
            return "{GetAtt:" + (place if isinstance(place, str) else ".".join(place)) + "}"
        return {name: marked(item) for name, item in value.items()}

    properties: Json = marked(definition.get("Properties") or {})
    return properties


def _plain(value: Value) -> Value:
    """Return a value in which each text is known completely or not at all."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not engine._NO_VALUE}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return KNOWN_AFTER_APPLY if isinstance(value, str) and KNOWN_AFTER_APPLY in value else value


def _nest(plan: _Plan, change: Json, properties: Json, *, later: bool) -> None:
    """Create the change set of a nested stack, if its template can already be read."""
    body, error = helpers._resolve_template({"TemplateURL": [properties.get("TemplateURL")]})
    if error is not None or not body:
        return
    template = engine._parse_template(body)
    given = [
        {"Key": name, "Value": str(value)}
        for name, value in (properties.get("Parameters") or {}).items()
    ]
    parameters = engine._resolve_parameters(template, given)
    parent, stack_id = plan.change_set, change.get("PhysicalResourceId")
    by_id = {item["StackId"]: item for item in cloudformation._stacks.values()}
    stack = by_id.get(str(stack_id)) or _to_be_made(plan.stack, change["LogicalResourceId"])
    resolve = changesets._resolve_props_for_diff
    name = f"{parent['ChangeSetName']}-{new_uuid()[:8]}"
    place = f"arn:aws:cloudformation:{get_region()}:{get_account_id()}"
    change_set: Json = {
        "ChangeSetId": f"{place}:changeSet/{name}/{new_uuid()}",
        "ChangeSetName": name,
        "StackId": stack["StackId"],
        "StackName": stack["StackName"],
        "Status": "CREATE_COMPLETE",
        "StatusReason": "Executable from root change set",
        "ExecutionStatus": "UNAVAILABLE",
        "CreationTime": parent["CreationTime"],
        "ChangeSetType": "UPDATE" if stack_id else "CREATE",
        "Changes": stacks._diff_resources(
            resolve(
                stack.get("_template", {}),
                *(stack.get("_resolved_params", {}), stack["StackName"], stack["StackId"]),
            ),
            resolve(template, parameters, stack["StackName"], stack["StackId"]),
            *(stack.get("_resources"), template),
        ),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": item["Value"]}
            for key, item in parameters.items()
        ],
        "_template": template,
        "_template_body": body,
        "ParentChangeSetId": parent["ChangeSetId"],
        "RootChangeSetId": parent.get("RootChangeSetId") or parent["ChangeSetId"],
        _LOGICAL_ID: change["LogicalResourceId"],
        _INCLUDES: True,
    }
    cloudformation._change_sets[change_set["ChangeSetId"]] = change_set
    change["ChangeSetId"] = change_set["ChangeSetId"]
    parent.setdefault(_CHILDREN, []).append(change_set)
    _fill(_Plan(stack, template, parameters, change_set), later=later)


def _to_be_made(parent: Json, logical_id: str) -> Json:
    """Return a nested stack that does not exist yet; AWS shows it in REVIEW_IN_PROGRESS."""
    name, stack_id = new_name(parent["StackName"], logical_id)
    return {"StackName": name, "StackId": stack_id}


def _reserve_names(change_set: Json) -> None:
    """Let new nested stacks have the names and ids that the change set has shown."""
    children = change_set.get(_CHILDREN, [])
    names = {
        child[_LOGICAL_ID]: (child["StackName"], child["StackId"])
        for child in children
        if child["ChangeSetType"] == "CREATE"
    }
    if names:
        RESERVED[change_set["StackId"]] = names
    for child in children:
        _reserve_names(child)


def _drop_nested(change_set: Json) -> None:
    for child in change_set.get(_CHILDREN, []):
        cloudformation._change_sets.pop(child["ChangeSetId"], None)
        _drop_nested(child)


def _comes_to_nothing(change: Json) -> bool:
    """Return whether a change that depends on another resource's attribute does not happen."""
    details = change.get("Details", [])
    return (
        change["Action"] == "Modify"
        and change["ResourceType"] != STACK_TYPE
        and bool(details)
        and all(detail.get("Evaluation") == "Dynamic" for detail in details)
        and change.get("BeforeContext") == change.get("AfterContext")
    )


def _split(text: str) -> tuple[str, list[str], str]:
    """Split an answer into the text before its changes, the changes, and the rest."""
    before, _, rest = text.partition("<Changes>")
    inner, _, after = rest.partition("</Changes>")
    parts = [part for part in inner.split(_END) if part]
    return f"{before}<Changes>", [part + _END for part in parts], f"</Changes>{after}"


def _with_values(text: str, change: Json, *, with_values: bool) -> str:
    """Return a change's text with its nested change set and, if requested, its values."""
    more = ""
    if change.get("ChangeSetId"):
        more += f"<ChangeSetId>{change['ChangeSetId']}</ChangeSetId>"
    if with_values:
        for name in _CONTEXTS:
            if name in change:
                more += f"<{name}>{escape(json.dumps(change[name]))}</{name}>"
        if change["Action"] == "Add":
            more += "<Replacement>True</Replacement>"
        text = _with_detailed_values(text, change)
    return text.replace(_END, more + _END)


def _with_detailed_values(text: str, change: Json) -> str:
    """Return a change's text with each changed property's path and values."""
    parts = text.split("</Target>")
    old, new = (change.get(name, {}).get("Properties", {}) for name in _CONTEXTS)
    shown = parts[0]
    for part, detail in zip(parts[1:], change.get("Details", []), strict=True):
        name = detail["Target"].get("Name")
        if name:
            shown += f"<Path>/Properties/{name}</Path>"
            for member, values in (("BeforeValue", old), ("AfterValue", new)):
                if name in values:
                    shown += f"<{member}>{escape(_text(values[name]))}</{member}>"
            kind = "Add" if name not in old else "Modify" if name in new else "Remove"
            shown += f"<AttributeChangeType>{kind}</AttributeChangeType>"
        shown += f"</Target>{part}"
    return shown


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
