"""The Lambda function's entry point: it only wires crhelper."""

from __future__ import annotations

from typing import Any

from .runtime.aws import Aws
from .runtime.crhelper_traits import Resource
from .runtime.polling import Event
from .runtime.run import fulfil

resource = Resource()
aws = Aws()


@resource.create
@resource.update
@resource.delete
@resource.poll_create
@resource.poll_update
@resource.poll_delete
def on_request(event: Event, context: Any) -> str | None:  # noqa: ANN401 - Lambda's context
    """Handle every request and every poll; what to do is decided from the facts."""
    return fulfil(resource, aws, event, context)


def handler(event: Event, context: Any) -> None:  # noqa: ANN401
    """AWS Lambda's handler."""
    resource(event, context)
