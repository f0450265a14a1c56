"""What only the finished template shows: later code and aspects may change what the library set.

CDK validates a construct after every aspect has run. No public API has the template at that time,
and none has the overrides of a resource at all, so a check synthesises the stack's template once
more, into a folder of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import (
    BootstraplessSynthesizer,
    CfnElement,
    CfnResource,
    ISynthesisSession,
    Stack,
    cx_api,
)
from constructs import Construct, IValidation

Resources = Mapping[str, Any]
"""The resources of a template, by logical id."""

Check = Callable[["Templates"], Iterator[str]]
"""Yields what is wrong, one sentence each; it may also add warnings to its construct."""


class Templates:
    """The templates of the app's stacks, each synthesised once."""

    def __init__(self) -> None:
        self._resources: dict[str, Resources] = {}

    def resources(self, stack: Stack) -> Resources:
        """The resources of a stack."""
        path = stack.node.path
        if path not in self._resources:
            self._resources[path] = _synthesised(stack).get("Resources", {})
        return self._resources[path]

    def has(self, element: CfnResource) -> bool:
        """Whether a resource is in its stack's template: a construct can be removed again."""
        stack = Stack.of(element)
        return stack.resolve(element.logical_id) in self.resources(stack)

    def resource(self, element: CfnResource) -> Mapping[str, Any]:
        """A resource as its stack's template has it."""
        stack = Stack.of(element)
        resource: Mapping[str, Any] = self.resources(stack)[stack.resolve(element.logical_id)]
        return resource


def check_at_the_end(construct: Construct, check: Check) -> None:
    """Run a check when CDK validates the construct's stack; what it yields fails the synth."""
    stack = Stack.of(construct)
    if stack not in _checks:
        _checks[stack] = []
        stack.node.add_validation(_Checks(_checks[stack]))
    _checks[stack].append(check)


_checks: WeakKeyDictionary[Stack, list[Check]] = WeakKeyDictionary()
"""The checks of each stack."""


@jsii.implements(IValidation)
class _Checks:
    def __init__(self, checks: list[Check]) -> None:
        self._checks = checks

    def validate(self) -> list[str]:
        """Every problem of the stack."""
        templates = Templates()
        return [problem for check in self._checks for problem in check(templates)]


def _synthesised(stack: Stack) -> dict[str, Any]:
    synthesizer = BootstraplessSynthesizer()
    synthesizer.bind(stack)
    with TemporaryDirectory() as folder:
        session = cast("ISynthesisSession", _Session(folder))
        synthesizer._synthesize_template(session)  # noqa: SLF001
        template: dict[str, Any] = json.loads((Path(folder) / stack.template_file).read_text())
    return template


@jsii.implements(ISynthesisSession)
class _Session:
    """Where a template is written to; jsii reads properties, not attributes."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._builder = cx_api.CloudAssemblyBuilder(folder)

    @property
    def outdir(self) -> str:
        """The folder."""
        return self._folder

    @property
    def assembly(self) -> cx_api.CloudAssemblyBuilder:
        """Gets what the stack lacks of its context, which the real synth reports."""
        return self._builder

    @property
    def validate_on_synth(self) -> bool:
        """Whether to validate the template."""
        return False


def cycle_of(resources: Resources, name: str) -> list[str]:
    """The shortest way from a resource back to itself, without itself; empty if there is none."""
    way_to: dict[str, list[str]] = {name: []}
    pending = [name]
    for current in pending:
        for other in dict.fromkeys(_needed(resources[current])):
            if other == name:
                return way_to[current]
            if other in resources and other not in way_to:
                way_to[other] = [*way_to[current], other]
                pending.append(other)
    return []


def _needed(value: object) -> Iterator[str]:
    """What a part of a template refers to; some of it is no resource."""
    if isinstance(value, list):
        for item in value:
            yield from _needed(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _referred(key, item)
            yield from _needed(item)


def _referred(key: str, item: object) -> Iterator[str]:
    match key, item:
        case "Ref" | "DependsOn", str(name):
            yield name
        case "DependsOn", list(names):
            yield from names
        case "Fn::GetAtt", str(name) | [str(name), *_]:
            yield name.partition(".")[0]
        case "Fn::Sub", str(text) | [str(text), *_]:
            yield from re.findall(r"\$\{(\w+)[.}]", text)


def path_of_element(stack: Stack, name: str) -> str:
    """The construct path of a logical id; the id itself if no construct of the stack has it."""
    for construct in stack.node.find_all():
        if isinstance(construct, CfnElement) and stack.resolve(construct.logical_id) == name:
            return construct.node.path
    return name
