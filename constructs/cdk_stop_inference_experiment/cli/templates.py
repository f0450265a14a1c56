"""Templates, and what they say about resources before CloudFormation resolves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import MASK
from cdk_stop_inference_experiment_handler.contract.validation import as_mapping

Json = Mapping[str, Any]

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""What a change set shows for a value that is known only during its execution."""

DYNAMIC_REFERENCE = "{{resolve:"
"""How a value begins that CloudFormation takes from Parameter Store or Secrets Manager.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""


def parse_template(body: Any) -> Json:  # noqa: ANN401 - as botocore parses it
    """A template as GetTemplate returns it: an object, or text in JSON or YAML.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            body = _parse_yaml(body)
        except RecursionError as error:
            raise ValueError("the template is nested too deeply") from error
    if not isinstance(body, Mapping):
        raise ValueError("the template is no object")
    return body


def _parse_yaml(text: str) -> object:
    """YAML with CloudFormation's short forms. Every scalar is text, as CloudFormation sends it."""
    yaml: Any = import_module("yaml")  # CDK deploys JSON.
    loader = type("Loader", (yaml.BaseLoader,), {})
    loader.add_multi_constructor("!", partial(_function, yaml))  # type: ignore[attr-defined]
    try:
        template = yaml.load(text, loader)
        json.dumps(template)  # An alias can make an object a part of itself.
    except yaml.YAMLError as error:
        raise ValueError(f"the template is neither JSON nor YAML: {error}") from error
    except RecursionError as error:
        raise ValueError("the template is nested too deeply") from error
    return template


def _function(yaml: Any, loader: Any, suffix: str, node: Any) -> Json:  # noqa: ANN401 - of PyYAML
    """A short form: ``!Ref name`` is ``{"Ref": "name"}``."""
    value: object
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def definitions(template: Json) -> Mapping[str, Json]:
    """The resources of a template by logical id; none if it has no such section.

    Each has Properties, perhaps none.
    """
    resources = template.get("Resources")
    if not isinstance(resources, Mapping):
        return {}
    return {
        name: {**resource, "Properties": as_mapping(resource.get("Properties"))}
        for name, resource in resources.items()
        if isinstance(resource, Mapping)
    }


def is_retained(definition: Json, policy: str = "DeletionPolicy") -> bool:
    """Whether CloudFormation leaves the resource as it is instead of deleting it."""
    return str(definition.get(policy) or "").startswith("Retain")


def is_late(value: object) -> bool:
    """Whether a part of a value is not known: until the execution, or since it is masked."""
    if isinstance(value, Mapping):
        return any(is_late(item) for item in value.values())
    if isinstance(value, list):
        return any(is_late(item) for item in value)
    if not isinstance(value, str):
        return False
    return any(part in value for part in (LATER, DYNAMIC_REFERENCE, MASK))


def readable(template: Json, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters whose value is one text, as DescribeStacks shows it."""
    declared = as_mapping(template.get("Parameters"))
    types = {name: str(as_mapping(each).get("Type")) for name, each in declared.items()}
    return {
        name: value
        for name, value in parameters.items()
        if value != MASK and "List" not in types.get(name, "")
    }


def resolved(value: object, known: Mapping[str, str]) -> Any:  # noqa: ANN401 - any value of JSON
    """A template's value; what no parameter, physical id or literal tells is ``LATER``."""
    if isinstance(value, list):
        return [resolved(item, known) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return known.get(str(argument), LATER)
        if function == "Fn::Sub" and isinstance(argument, str):
            text = re.sub(r"\$\{([^!}]+)\}", lambda name: known.get(name[1], LATER), argument)
            return LATER if LATER in text else text.replace("${!", "${")
        if function == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
            parts = resolved(argument[1], known)
            whole = isinstance(parts, list) and not is_late(parts)
            return str(argument[0]).join(map(str, parts)) if whole else LATER
        if function.startswith("Fn::"):
            return LATER
    return {name: resolved(item, known) for name, item in value.items()}


def dependents(template: Json, logical_id: str) -> list[str]:
    """The resources that depend on one, and are deleted before it."""
    dependent: list[str] = []
    wanted = {logical_id}
    while True:
        more = [
            name
            for name, definition in definitions(template).items()
            if name not in dependent and name != logical_id and wanted & set(named_in(definition))
        ]
        if not more:
            return dependent
        dependent += more
        wanted |= set(more)


def named_in(value: object) -> Iterator[str]:
    """The logical ids that a part of a template refers to."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield str(_first(item)).partition(".")[0]
            elif key == "DependsOn":
                yield from map(str, item if isinstance(item, list) else [item])
            elif key == "Fn::Sub":
                for name in re.findall(r"\$\{([^!}][^}]*)\}", str(_first(item))):
                    yield name.partition(".")[0]
            yield from named_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from named_in(item)


def _first(value: object) -> object:
    """A function's argument, or the first one of its list."""
    return value[0] if isinstance(value, list) and value else value
