"""CloudFormation's calls of SageMaker, with the permissions of the deploying user: all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region

from local_aws.emulator.cloudformation_values import request_for
from local_aws.emulator.sagemaker import SageMaker, Scope

__all__ = ["SageMakerCalls", "SageMakerError", "until"]

Json = dict[str, Any]

_POLL_SECONDS = 0.02
_GONE = ("ResourceNotFound", "Could not find")


class SageMakerError(RuntimeError):
    """An error of SageMaker, as the stack's events show it."""


class SageMakerCalls:
    """Calls the service with properties of resources."""

    def __init__(self, service: SageMaker) -> None:
        """Store the service."""
        self._service = service

    def __call__(self, operation: str, properties: Json) -> Json:
        """Call an operation with those properties that it knows.

        Raises:
            SageMakerError: SageMaker refuses it.
        """
        request = request_for(operation, properties)
        scope = Scope(region=get_region(), account=get_account_id())
        answer = self._service.call(operation, json.dumps(request).encode(), scope)
        body: Json = json.loads(answer.body or b"{}")
        if answer.status != 200:
            message = body.get("message") or body.get("Message", "")
            raise SageMakerError(f"{body['__type']}: {message} (Service: SageMaker)")
        return body

    def unless_gone(self, operation: str, properties: Json) -> None:
        """Call an operation, unless the resource does not exist."""
        try:
            self(operation, properties)
        except SageMakerError as error:
            if not any(words in str(error) for words in _GONE):
                raise


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    while not condition():
        time.sleep(_POLL_SECONDS)
