"""Reads stacks, change sets, experiments and functions from AWS, each fact once.

A fact that decides about one experiment is a value or a NotReadable, as in a Situation; without the
stack or the change set there is no plan, so these raise :class:`CannotPlan`.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial, wraps
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Events,
    Experiment,
    Kind,
    Measured,
    NotReadable,
    Question,
    Seen,
)
from cdk_stop_inference_experiment_handler.runtime.aws import Aws, ask, client
from cdk_stop_inference_experiment_handler.runtime.errors import (
    AwsError,
    Gone,
    Throttled,
    Transient,
)

from .templates import Json, parse_template

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)

AT_ONCE = 8
"""How many experiments are described at the same time."""

ATTEMPTS = 10
"""Of a call that AWS throttles. An endpoint that cannot be reached is not tried again."""

STACK_TYPE = "AWS::CloudFormation::Stack"
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class CannotPlan(Exception):
    """A plan is not possible; the message says why."""


@dataclass(frozen=True)
class Detail:
    """Why a change set lists a resource: one property, or another attribute, of it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html

    Attributes:
        attribute: Such as Properties or Metadata.
        name: The property's name, if it is one.
        source: Such as ResourceAttribute.
        cause: The resource that causes it, and its attribute after a period.
        is_dynamic: Whether it changes is known only during the execution.
    """

    attribute: str = "Properties"
    name: str = ""
    source: str = ""
    cause: str = ""
    is_dynamic: bool = False


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
    details: tuple[Detail, ...] = ()
    nested: ChangeSet | None = None


@dataclass(frozen=True)
class ChangeSet:
    """A change set of one stack.

    Attributes:
        parameters: The values of the template's parameters.
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
    parameters: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it failed because nothing changes."""
        return self.status == "FAILED" and any(words in self.reason for words in _NO_CHANGES)


@dataclass(frozen=True)
class Resource:
    """A resource of a stack, as ListStackResources shows it."""

    logical_id: str
    physical_id: str
    resource_type: str
    status: str


@dataclass(frozen=True)
class Function:
    """A Lambda function, as GetFunctionConfiguration shows it.

    Attributes:
        code_sha256: The SHA-256 of its code as it was uploaded, in Base64.
    """

    description: str
    code_sha256: str


@dataclass(frozen=True)
class DescribedStack:
    """A stack as DescribeStacks shows it."""

    stack_id: str
    name: str
    status: str
    parent_id: str = ""
    is_protected: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether only a change set made it."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def is_failed(self) -> bool:
        """Whether its last operation failed and was not undone completely."""
        return self.status.endswith("_FAILED")


def _once(read: Callable[[Reader, Key], T]) -> Callable[[Reader, Key], T]:
    """Keep what a reader has read, and also why it could not."""

    @wraps(read)
    def known(reader: Reader, key: Key) -> T:
        fact = (read.__name__, key)
        if fact not in reader.known:
            try:
                reader.known[fact] = read(reader, key)
            except CannotPlan as error:
                reader.known[fact] = error
        if isinstance(reader.known[fact], CannotPlan):
            raise reader.known[fact]
        return reader.known[fact]  # type: ignore[no-any-return]

    return known


class Reader:
    """Reads from AWS, each fact once."""

    def __init__(self, session: boto3.Session) -> None:
        self.aws = Aws(session)
        self._session = session
        self.known: dict[tuple[str, Hashable], Any] = {}
        self._events: dict[str, tuple[Seen[Events], str]] = {}

    @_once
    def stack(self, name: str) -> DescribedStack:
        """A stack, by its name or ARN.

        Raises:
            CannotPlan: It does not exist, or cannot be read.
        """
        stack = _asked(partial(self._cloudformation.describe_stacks, StackName=name))["Stacks"][0]
        return DescribedStack(
            stack_id=stack["StackId"],
            name=stack["StackName"],
            status=stack["StackStatus"],
            parent_id=stack.get("ParentId") or "",
            is_protected=bool(stack.get("EnableTerminationProtection")),
            parameters=_parameters(stack),
        )

    def change_set(self, name: str, stack: str | None = None) -> ChangeSet:
        """A change set with all its changes and, if it has them, those of nested stacks.

        It is read twice: with values, CloudFormation leaves out changes that only an attribute of
        another resource may cause; without values, it lists them.

        Raises:
            CannotPlan: It does not exist, or it cannot be described.
        """
        place = {"ChangeSetName": name} | ({"StackName": stack} if stack else {})
        describe = partial(self._cloudformation.describe_change_set, **place)
        pages = list(_pages(partial(describe, IncludePropertyValues=True)))
        listed = {
            change["LogicalResourceId"]: change for page in pages for change in _changes(page)
        }
        for change in (change for page in _pages(describe) for change in _changes(page)):
            known = listed.setdefault(change["LogicalResourceId"], change)
            if known is not change:
                listed[change["LogicalResourceId"]] = _both(known, change)
        first = pages[0]
        return ChangeSet(
            arn=first["ChangeSetId"],
            name=first["ChangeSetName"],
            stack_id=first["StackId"],
            status=first["Status"],
            reason=first.get("StatusReason") or "",
            execution_status=first.get("ExecutionStatus") or "",
            changes=tuple(map(self._change, listed.values())),
            parameters=_parameters(first),
            triggers=tuple(
                trigger["Arn"]
                for trigger in (first.get("RollbackConfiguration") or {}).get("RollbackTriggers")
                or []
            ),
        )

    def _change(self, change: Json) -> Change:
        nested = change.get("ChangeSetId")
        return Change(
            action=change.get("Action") or "",
            logical_id=change["LogicalResourceId"],
            resource_type=change.get("ResourceType") or "",
            physical_id=change.get("PhysicalResourceId") or "",
            scope=tuple(change.get("Scope") or ()),
            replaced=change.get("Replacement") or "",
            policy=change.get("PolicyAction") or "",
            before=_properties(change.get("BeforeContext")),
            after=_properties(change.get("AfterContext")),
            details=tuple(dict.fromkeys(map(_detail, _details(change)))),
            nested=self.change_set(nested) if nested else None,
        )

    @_once
    def resources(self, stack_id: str) -> tuple[Resource, ...]:
        """The resources of a stack that are not deleted.

        Raises:
            CannotPlan: They cannot be listed.
        """
        pages = _pages(partial(self._cloudformation.list_stack_resources, StackName=stack_id))
        resources = (
            Resource(
                logical_id=summary["LogicalResourceId"],
                physical_id=summary.get("PhysicalResourceId") or "",
                resource_type=summary.get("ResourceType") or "",
                status=summary.get("ResourceStatus") or "",
            )
            for page in pages
            for summary in page.get("StackResourceSummaries") or []
        )
        return tuple(resource for resource in resources if resource.status != "DELETE_COMPLETE")

    @_once
    def template(self, stack_id: str) -> Json:
        """The deployed template, after CloudFormation has processed its transforms.

        Raises:
            CannotPlan: It cannot be read.
        """
        return self._template(StackName=stack_id)

    @_once
    def template_of(self, change_set_arn: str) -> Json:
        """The template of a change set.

        Raises:
            CannotPlan: It cannot be read.
        """
        return self._template(ChangeSetName=change_set_arn)

    def _template(self, **place: str) -> Json:
        get = partial(self._cloudformation.get_template, **place, TemplateStage="Processed")
        try:
            return parse_template(_asked(get).get("TemplateBody") or {})
        except ValueError as error:
            raise CannotPlan(f"GetTemplate: {error}") from error

    def events(self, stack_id: str) -> Seen[Events]:
        """The events of a stack, as far as they have been read."""
        if stack_id not in self._events:
            self._events[stack_id] = self._page(stack_id, Events(), "")
        return self._events[stack_id][0]

    def older(self, stack_id: str) -> Seen[Events]:
        """The same, with a page of older events."""
        known = self.events(stack_id)
        if isinstance(known, Events) and not known.is_whole:
            self._events[stack_id] = self._page(stack_id, known, self._events[stack_id][1])
        return self._events[stack_id][0]

    def _page(self, stack_id: str, known: Events, token: str) -> tuple[Seen[Events], str]:
        seen = _seen(lambda: self.aws.event_page(stack_id, token))
        if isinstance(seen, NotReadable):
            return seen, ""
        page, token = seen
        ids = {event.event_id for event in known.newest_first} - {""}
        older = (event for event in page if event.event_id not in ids)
        return Events((*known.newest_first, *older), is_whole=not token), token

    def describe_all(self, names: Iterable[str]) -> None:
        """Describe experiments at the same time."""
        wanted = list(dict.fromkeys(filter(None, names)))
        for name in wanted[:1]:
            self.experiment(name)  # It creates the client, which threads share but cannot create.
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(self.experiment, wanted[1:]))

    @_once
    def experiment(self, name: str) -> Seen[Experiment | None]:
        """An experiment; None if SageMaker does not know it."""
        return _seen(lambda: self.aws.describe(name))

    @_once
    def counts(self, endpoint_name: str) -> Seen[Mapping[str, int]]:
        """The current instance count of each variant of an endpoint."""
        return _seen(lambda: self.aws.counts(endpoint_name))

    @_once
    def evidence(self, question: Question) -> Seen[Measured]:
        """What CloudWatch has measured so far, and the states of alarms."""
        return _seen(lambda: self.aws.evidence(question))

    @_once
    def function(self, arn: str) -> Seen[Function | None]:
        """A Lambda function; None if there is no such function."""

        def read() -> Function | None:
            call = partial(self._lambda.get_function_configuration, FunctionName=arn)
            try:
                answer = ask(call)
            except Gone:
                return None
            return Function(answer.get("Description") or "", answer.get("CodeSha256") or "")

        return _seen(read)

    @cached_property
    def _cloudformation(self) -> Any:  # noqa: ANN401 - boto3 creates its clients' types at run time
        return client("cloudformation", self._session)

    @cached_property
    def _lambda(self) -> Any:  # noqa: ANN401
        return client("lambda", self._session)


def _asked(call: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return _patiently(partial(ask, call))
    except AwsError as error:
        raise CannotPlan(str(error)) from error
    except ValueError as error:  # A time that is absent, though the API promises it.
        raise CannotPlan(f"an answer of AWS cannot be read: {error}") from error


def _pages(call: Callable[..., Any]) -> Iterator[Json]:
    token: dict[str, str] = {}
    while True:
        page = _asked(partial(call, **token))
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _seen(read: Callable[[], T]) -> Seen[T]:
    """A fact. Without credentials or a region there is none at all, which is an error."""
    try:
        return _patiently(read)
    except AwsError as error:
        cause = error.__cause__
        if (
            error.kind is Kind.REFUSED
            and isinstance(cause, BotoCoreError)
            and not isinstance(cause, ParamValidationError)
        ):
            raise CannotPlan(str(error)) from error
        return error.as_not_readable


def _patiently(read: Callable[[], T]) -> T:
    """Try again what AWS throttles, or answered with an error of its own."""
    for attempt in range(1, ATTEMPTS):
        try:
            return read()
        except Transient as error:
            is_answer = isinstance(error.__cause__, ClientError)
            if not is_answer or (attempt > 2 and not isinstance(error, Throttled)):
                raise
        time.sleep(random.uniform(0.1, 0.2) * 2 ** min(attempt, 6))  # noqa: S311 - no secret
    return read()


def _parameters(answer: Json) -> Mapping[str, str]:
    """The values that are shown; a previous one that is used again may not be."""
    values = {
        given["ParameterKey"]: given.get("ResolvedValue") or given.get("ParameterValue")
        for given in answer.get("Parameters") or []
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _changes(page: Json) -> Iterator[Json]:
    for change in page.get("Changes") or []:
        if change.get("ResourceChange"):
            yield change["ResourceChange"]


_REPLACED = ("", "False", "Conditional", "True")


def _both(shown: Json, listed: Json) -> Json:
    """A change as it is described with values, and what only the description without them says."""
    scopes = [change.get("Scope") or [] for change in (shown, listed)]
    replaced = [change.get("Replacement") or "" for change in (shown, listed)]
    return {
        **shown,
        "Scope": [*dict.fromkeys([*scopes[0], *scopes[1]])] if all(scopes) else [],
        "Replacement": max(replaced, key=_REPLACED.index),
        "PolicyAction": shown.get("PolicyAction") or listed.get("PolicyAction"),
        "Details": [*_details(shown), *_details(listed)],
    }


def _details(change: Json) -> list[Json]:
    return list(change.get("Details") or [])


def _detail(detail: Json) -> Detail:
    target = detail.get("Target") or {}
    named = re.match(r"/Properties/([^/]+)", str(target.get("Path") or ""))
    return Detail(
        attribute=target.get("Attribute") or "",
        name=target.get("Name") or (named[1] if named else ""),
        source=detail.get("ChangeSource") or "",
        cause=detail.get("CausingEntity") or "",
        is_dynamic=detail.get("Evaluation") == "Dynamic",
    )


def _properties(context: str | None) -> Json | None:
    if context is None:
        return None
    try:
        properties = json.loads(context).get("Properties")
    except (ValueError, AttributeError):
        return None
    return properties if isinstance(properties, Mapping) else None
