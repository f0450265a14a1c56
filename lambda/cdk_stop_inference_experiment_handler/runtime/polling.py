"""The polling rule's input and event pattern.

The rule continues a request when its invocation ends. It fires each minute, and on an event of the
experiment's endpoint: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from .waiting import Trigger

Event = dict[str, Any]

SCHEDULE = "rate(1 minute)"

MAX_INPUT_BYTES = 8192
"""Limit of an input template: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html"""

PROGRESS = "StopInferenceExperimentProgress"
"""The key in the rule's input for what earlier invocations have done."""

ENDPOINT = "StopInferenceExperimentEndpoint"
"""The key in the rule's input for the name of the endpoint whose events fire it."""

FIRED = "FiredBy"
"""The key in the rule's input for the ``detail-type`` of what fired."""

_ENDPOINT_EVENT = "SageMaker Endpoint State Change"
_PLACEHOLDER = "fired"
_PACKED = "Packed"
_RESERVED_BYTES = 100
"""For the placeholder and its key."""
_COMPRESSED = ("ResourceProperties", "OldResourceProperties", PROGRESS)

_IN_FLUX = ("CREATING", "UPDATING", "SYSTEM_UPDATING", "ROLLING_BACK")
"""Statuses of an endpoint in an event, which has them in capitals, unlike the API."""


def event_pattern(endpoint_name: str) -> str:
    """The events of an endpoint that has settled.

    Endpoint names are unique ignoring case.
    https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
    """
    in_flux = [*_IN_FLUX, *(status.title().replace("_", "") for status in _IN_FLUX)]
    return json.dumps(
        {
            "source": ["aws.sagemaker"],
            "detail-type": [_ENDPOINT_EVENT],
            "detail": {
                "EndpointName": [{"equals-ignore-case": endpoint_name}],
                "EndpointStatus": [{"anything-but": in_flux}],
            },
        }
    )


def input_transformer(event: Event) -> dict[str, Any]:
    """The target's input: the event, and what fired."""
    template = pack({name: value for name, value in event.items() if name != FIRED})
    # EventBridge puts the value, with its quotes, in place of the placeholder.
    return {
        "InputPathsMap": {_PLACEHOLDER: "$.detail-type"},
        "InputTemplate": f'{template[:-1]}, "{FIRED}": <{_PLACEHOLDER}>}}',
    }


def trigger_of(event: Event) -> Trigger:
    """What started the invocation that got an event."""
    if "CrHelperPoll" not in event:
        return Trigger.REQUEST
    return Trigger.EVENT if event.get(FIRED) == _ENDPOINT_EVENT else Trigger.SCHEDULE


def pack(event: Event) -> str:
    """The event as JSON, short enough for an input template.

    Properties and progress are compressed only if they do not fit, so that the input stays
    readable.
    """
    text = _encoded(event)
    if len(text.encode()) <= MAX_INPUT_BYTES - _RESERVED_BYTES:
        return text
    large = {name: event[name] for name in _COMPRESSED if name in event}
    rest = {name: value for name, value in event.items() if name not in large}
    small = base64.b64encode(zlib.compress(_encoded(large).encode(), 9)).decode()
    return _encoded({**rest, _PACKED: small})


def _encoded(value: Event) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if any("\ud800" <= character <= "\udfff" for character in text):
        # JSON can hold a lone surrogate, which UTF-8 cannot encode, but an escape can.
        text = json.dumps(value)
    # In a template, angle brackets are placeholders.
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def unpack(event: Event) -> Event:
    """The event that :func:`pack` packed; any other event is returned unchanged."""
    if _PACKED not in event:
        return event
    rest = {name: value for name, value in event.items() if name != _PACKED}
    large: Event = json.loads(zlib.decompress(base64.b64decode(event[_PACKED])))
    return {**rest, **large}
