"""A request of CloudFormation, parsed, for the function and for the command.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .declaration import Declaration, Problems, parse
from .validation import Reader, as_mapping
from .wire import MAX_SERVICE_TIMEOUT

MAX_IDS_BYTES = 3072
"""Of the ids in a request, so that an answer of 4,096 bytes has room for them and for its reason.
CloudFormation's own are shorter: a physical id has at most 1,024 characters."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*")


class RequestType(str, Enum):
    """CloudFormation's three request types."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True)
class Request:
    """A custom resource request.

    Attributes:
        stack_name: The stack's name, from its id; empty if that is no stack's ARN.
        region: The stack's region, from its id; the function and the experiment are in it, too.
        name: The name of the experiment, even if the declaration has problems; empty if there is
            none. On a Delete, the name in the physical id if that is another: a change of name
            that failed leaves the properties of a declaration that was never deployed.
        properties: ResourceProperties as they came; empty if they are no object.
        new: The declaration in them.
        old_properties: OldResourceProperties as they came; empty if there are none.
        old: The declaration in them; None if there are none.
        issued_at: When CloudFormation made the request, in whole seconds since the epoch; None if
            its ResponseURL does not say so.
        service_timeout: Seconds after which CloudFormation gives up, 1 to 3600.
    """

    type: RequestType
    stack_id: str
    stack_name: str
    region: str
    logical_id: str
    physical_id: str
    name: str
    properties: Mapping[str, object]
    new: Declaration | Problems
    old_properties: Mapping[str, object]
    old: Declaration | Problems | None
    issued_at: float | None
    service_timeout: int = MAX_SERVICE_TIMEOUT

    @property
    def held_name(self) -> str:
        """The name in the physical id, if that is an experiment's ARN; otherwise empty."""
        return name_in_id(self.physical_id)

    @property
    def holds_its_experiment(self) -> bool:
        """Whether the physical id is the ARN of the experiment that :attr:`name` names.

        CloudFormation also deletes resources whose Create failed or was cancelled, under ids that
        the function marked or that CloudFormation generated. Names are compared ignoring case:
        AWS does not document whether ARNs keep it.
        """
        return self.held_name != "" and self.held_name.lower() == self.name.lower()


def name_in_id(physical_id: str) -> str:
    """The name in a physical id, if that is an experiment's ARN; otherwise empty."""
    head, _, name = physical_id.partition(":inference-experiment/")
    return name if head.split(":")[2:3] == ["sagemaker"] else ""


def malformation(event: object) -> str | None:
    """Why the event is no request that can be answered; None if it is one.

    What is wrong with its properties is for the answer to say.
    """
    if not isinstance(event, Mapping):
        return f"the event is a {type(event).__name__}, not an object"
    kind = event.get("RequestType")
    if kind not in list(RequestType):
        return "'RequestType' must be 'Create', 'Update' or 'Delete'"
    required = () if kind == RequestType.CREATE else ("PhysicalResourceId",)
    ids = "RequestId", "StackId", "LogicalResourceId", *required
    for name in (*ids, "ResponseURL"):
        if not _is_text(event.get(name)):
            return f"'{name}' must be a string"
    if sum(len(event[name].encode()) for name in ids) > MAX_IDS_BYTES:
        return f"its ids must be at most {MAX_IDS_BYTES} bytes: an answer repeats them"
    if not _is_https(event["ResponseURL"]):
        return "'ResponseURL' must be an https URL"
    return None


def _is_text(value: object) -> bool:
    """Whether it is a string that UTF-8 can encode, which lone surrogates are not."""
    return isinstance(value, str) and value != "" and not _SURROGATE.search(value)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_host = _HOST.fullmatch(parts.hostname or "") is not None
        return parts.scheme == "https" and is_host and parts.port != 0
    except ValueError:
        return False


def read_request(event: Mapping[str, Any]) -> Request:
    """Read an event in which :func:`malformation` finds nothing."""
    kind, stack_id = RequestType(event["RequestType"]), event["StackId"]
    physical_id = event.get("PhysicalResourceId")
    physical_id = physical_id if isinstance(physical_id, str) else ""
    properties = event.get("ResourceProperties")
    old_properties = event.get("OldResourceProperties")
    new = parse(properties)
    return Request(
        type=kind,
        stack_id=stack_id,
        stack_name=stack_id.partition(":stack/")[2].partition("/")[0],
        region=_region(stack_id),
        logical_id=event["LogicalResourceId"],
        physical_id=physical_id,
        name=_name(kind, as_mapping(properties), physical_id),
        properties=as_mapping(properties),
        new=new,
        old_properties=as_mapping(old_properties),
        old=None if old_properties is None else parse(old_properties),
        issued_at=issued_at(event["ResponseURL"]),
        service_timeout=_service_timeout(as_mapping(properties)),
    )


def issued_at(response_url: str) -> float | None:
    """When a presigned URL was made, in seconds since the epoch; None if it does not say.

    ``X-Amz-Date`` of Signature Version 4 says so. CloudFormation does not document which signature
    it uses, so nothing may depend on it.
    """
    try:
        dates = parse_qs(urlsplit(response_url).query).get("X-Amz-Date", [])
        return float(calendar.timegm(time.strptime(dates[0], "%Y%m%dT%H%M%SZ")))
    except (IndexError, ValueError):
        return None


def _name(kind: RequestType, properties: Mapping[str, object], physical_id: str) -> str:
    declared = properties.get("Name")
    name = declared if isinstance(declared, str) else ""
    held = name_in_id(physical_id)
    is_another = held != "" and held.lower() != name.lower()
    return held if kind is RequestType.DELETE and is_another else name


def _region(stack_id: str) -> str:
    parts = stack_id.split(":")
    return parts[3] if len(parts) > 3 else ""


def _service_timeout(properties: Mapping[str, object]) -> int:
    """The ServiceTimeout, even where another property has a problem."""
    declared = properties.get("ServiceTimeout")
    return Reader().count("ServiceTimeout", declared, 1, MAX_SERVICE_TIMEOUT) or MAX_SERVICE_TIMEOUT
