"""Reads stacks, change sets, experiments and the function from AWS, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Endpoint,
    Experiment,
    StackEvent,
    Unreadable,
)
from cdk_stop_inference_experiment_handler.runtime.aws import (
    SDK_CONFIG,
    Aws,
    as_aws_error,
)

Json = Mapping[str, Any]
Fact = TypeVar("Fact")

AT_ONCE = 8
"""How many experiments are described at the same time."""

_PATIENT = Config(retries={"mode": "legacy", "total_max_attempts": 10})
"""The standard mode stops retrying after a hundred retries of all calls together."""

STACK_TYPE = "AWS::CloudFormation::Stack"
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class CannotPlan(Exception):
    """A plan is not possible; the message says why."""


@dataclass(frozen=True)
class Change:
    """What a change set does to one resource.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html

    Attributes:
        action: Add, Modify, Remove, Import, Dynamic or SyncWithActual.
        scope: Which attributes change, such as Properties; empty unless modified.
        replaced: Whether it is replaced: True, False, Conditional, or empty.
        policy: What happens to a removed or replaced resource, such as Retain.
        before: Its current properties; None if not given.
        after: Its new properties; None if not given.
        nested: The change set of a nested stack; None if there is none.
    """

    action: str
    logical_id: str
    resource_type: str
    physical_id: str = ""
    scope: tuple[str, ...] = ()
    replaced: str = ""
    policy: str = ""
    before: Json | None = None
    after: Json | None = None
    nested: ChangeSet | None = None


@dataclass(frozen=True)
class ChangeSet:
    """A change set of one stack.

    Attributes:
        triggers: ARNs of the alarms in its rollback configuration: CloudFormation undoes the
            operation if one goes to ALARM meanwhile.
    """

    arn: str
    name: str
    stack_id: str
    status: str
    reason: str
    execution_status: str
    changes: tuple[Change, ...] = ()
    triggers: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it failed because nothing changes."""
        return self.status == "FAILED" and any(words in self.reason for words in _NO_CHANGES)


@dataclass(frozen=True)
class Deployed:
    """A resource of a stack."""

    logical_id: str
    physical_id: str
    resource_type: str
    status: str


@dataclass(frozen=True)
class StackSeen:
    """A stack as DescribeStacks shows it."""

    stack_id: str
    name: str
    status: str
    parent_id: str = ""
    is_protected: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


class _Session:
    """Creates clients that go on for longer than the function's if AWS throttles them."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - its calls have too many types
        self._session = session

    def client(self, service: str, config: Config) -> Any:  # noqa: ANN401 - made at run time
        return self._session.client(service, config=config.merge(_PATIENT))


class Reader:
    """Reads from AWS, each fact once."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = cast("boto3.Session", _Session(session))
        self.aws = Aws(self._session)
        self._known: dict[tuple[str, str], object] = {}

    def stack(self, name: str) -> StackSeen:
        """A stack, by its name or ARN.

        Raises:
            CannotPlan: The stack does not exist, or it cannot be described.
        """
        answer = _ask(lambda: self._cloudformation.describe_stacks(StackName=name))
        found = answer["Stacks"][0]
        return StackSeen(
            stack_id=found["StackId"],
            name=found["StackName"],
            status=found["StackStatus"],
            parent_id=found.get("ParentId") or "",
            is_protected=bool(found.get("EnableTerminationProtection")),
            parameters={
                one["ParameterKey"]: one.get("ResolvedValue") or one.get("ParameterValue", "")
                for one in found.get("Parameters", [])
            },
        )

    def change_set(self, name: str, stack: str | None = None) -> ChangeSet:
        """A change set with all its changes and, if it has them, those of nested stacks.

        It is read twice: with values, CloudFormation leaves out changes that only an attribute of
        another resource may cause; without values, it lists them.

        Raises:
            CannotPlan: It does not exist, or it cannot be described.
        """
        place = {"ChangeSetName": name} | ({"StackName": stack} if stack else {})
        pages = list(self._pages(place, IncludePropertyValues=True))
        changes = [change for page in pages for change in _changes(page)]
        valued = {change["LogicalResourceId"] for change in changes}
        changes += [
            change
            for page in self._pages(place)
            for change in _changes(page)
            if change["LogicalResourceId"] not in valued
        ]
        first = pages[0]
        return ChangeSet(
            arn=first["ChangeSetId"],
            name=first["ChangeSetName"],
            stack_id=first["StackId"],
            status=first["Status"],
            reason=first.get("StatusReason") or "",
            execution_status=first.get("ExecutionStatus") or "",
            changes=tuple(self._change(change) for change in changes),
            triggers=tuple(
                trigger["Arn"]
                for trigger in first.get("RollbackConfiguration", {}).get("RollbackTriggers", [])
            ),
        )

    def _pages(self, place: Mapping[str, str], **options: object) -> Iterator[Json]:
        token: dict[str, str] = {}
        while True:
            describe = self._cloudformation.describe_change_set
            page = _ask(partial(describe, **place, **options, **token))
            yield page
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _change(self, change: Json) -> Change:
        nested = change.get("ChangeSetId")
        return Change(
            action=change["Action"],
            logical_id=change["LogicalResourceId"],
            resource_type=change["ResourceType"],
            physical_id=change.get("PhysicalResourceId") or "",
            scope=tuple(change.get("Scope", [])),
            replaced=change.get("Replacement") or "",
            policy=change.get("PolicyAction") or "",
            before=_properties(change.get("BeforeContext")),
            after=_properties(change.get("AfterContext")),
            nested=self.change_set(nested) if nested else None,
        )

    def resources(self, stack_id: str) -> tuple[Deployed, ...]:
        """The resources of a stack that are not deleted."""
        return self._once("resources", stack_id, lambda: self._read_resources(stack_id))

    def _read_resources(self, stack_id: str) -> tuple[Deployed, ...]:
        paginator = self._cloudformation.get_paginator("list_stack_resources")
        pages = _ask(lambda: list(paginator.paginate(StackName=stack_id)))
        return tuple(
            Deployed(
                logical_id=one["LogicalResourceId"],
                physical_id=one.get("PhysicalResourceId") or "",
                resource_type=one["ResourceType"],
                status=one["ResourceStatus"],
            )
            for page in pages
            for one in page["StackResourceSummaries"]
            if one["ResourceStatus"] != "DELETE_COMPLETE"
        )

    def template(self, stack_id: str) -> Json:
        """The deployed template, after CloudFormation has processed its transforms."""
        return self._once("template", stack_id, lambda: self._read_template(stack_id))

    def _read_template(self, stack_id: str) -> Json:
        answer = _ask(
            lambda: self._cloudformation.get_template(StackName=stack_id, TemplateStage="Processed")
        )
        body = answer["TemplateBody"]
        if isinstance(body, str):
            try:
                body = json.loads(body)
            except ValueError:
                return {}  # YAML, which CDK does not deploy.
        return body if isinstance(body, Mapping) else {}

    def events(self, stack_id: str) -> tuple[StackEvent, ...]:
        """The events of a stack, newest first."""
        return self._once("events", stack_id, lambda: self._read_events(stack_id))

    def _read_events(self, stack_id: str) -> tuple[StackEvent, ...]:
        return tuple(event for page in self.aws.event_pages(stack_id) for event in page)

    def describe_all(self, names: Iterable[str]) -> None:
        """Describe experiments at the same time; one that cannot be read is not an error yet."""
        wanted = list(dict.fromkeys(names))
        for name in wanted[:1]:
            self._try(name)  # It creates the client, which threads can share but not create.
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(self._try, wanted[1:]))

    def _try(self, name: str) -> None:
        with suppress(Unreadable):
            self.experiment(name)

    def experiment(self, name: str) -> Experiment | None:
        """An experiment; None if SageMaker does not know it."""
        return self._once("experiment", name, lambda: self.aws.describe(name))

    def endpoint(self, name: str) -> Endpoint | None:
        """An endpoint; None if SageMaker does not know it."""
        return self._once("endpoint", name, lambda: self.aws.endpoint(name))

    def description(self, function_arn: str) -> str:
        """The description of a Lambda function."""
        return self._once("function", function_arn, lambda: self._read_description(function_arn))

    def _read_description(self, function_arn: str) -> str:
        call = partial(self._lambda.get_function_configuration, FunctionName=function_arn)
        return str(_ask(call).get("Description") or "")

    def _once(self, kind: str, key: str, look: Callable[[], Fact]) -> Fact:
        if (kind, key) not in self._known:
            try:
                self._known[kind, key] = look()
            except (CannotPlan, Unreadable) as error:
                self._known[kind, key] = error
        found = self._known[kind, key]
        if isinstance(found, (CannotPlan, Unreadable)):
            raise found
        return found  # type: ignore[return-value]

    @cached_property
    def _cloudformation(self) -> Any:  # noqa: ANN401 - boto3 creates its clients' types at run time
        return self._session.client("cloudformation", config=SDK_CONFIG)

    @cached_property
    def _lambda(self) -> Any:  # noqa: ANN401
        return self._session.client("lambda", config=SDK_CONFIG)


def _ask(call: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return call()
    except (ClientError, BotoCoreError) as error:
        raise CannotPlan(str(as_aws_error(error))) from error


def _changes(page: Json) -> Iterator[Json]:
    for change in page.get("Changes", []):
        if change.get("ResourceChange"):
            yield change["ResourceChange"]


def _properties(context: str | None) -> Json | None:
    if context is None:
        return None
    try:
        properties = json.loads(context).get("Properties", {})
    except (ValueError, AttributeError):
        return None
    return properties if isinstance(properties, Mapping) else None
