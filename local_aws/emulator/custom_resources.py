"""Custom resources as CloudFormation drives them: an asynchronous invocation, then a PUT.

ministack calls the function synchronously, so a stack waits for the function to return even after
the response has arrived, and a failed function is never retried. Here the function is invoked
asynchronously, with Lambda's retries, and only the response (or ServiceTimeout) ends the wait
(CloudFormation user guide, "Custom resource request and response reference"). Responses are refused
according to that page; the messages are modelled.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import json
import secrets
import uuid
from typing import Any

from ministack.services import cloudformation, lambda_svc
from ministack.services.cloudformation import custom_resource, stacks

from local_aws.emulator.clock import Clock
from local_aws.emulator.operation import abandon_all, current
from local_aws.emulator.responses import Expected, Responses
from local_aws.limits import MAX_RESPONSE_BYTES, AnswerError, parsed_answer

__all__ = ["CustomResources", "FailedCreations", "ResponseError", "install"]

Json = dict[str, Any]

MAX_PHYSICAL_ID_BYTES = 1024
_DEFAULT_TIMEOUT_SECONDS = 3600


class ResponseError(RuntimeError):
    """The error of a custom resource, as the stack reports it.

    Attributes:
        physical_id: The id in the response, if it could be read.
    """

    def __init__(self, message: str, physical_id: str | None = None) -> None:
        super().__init__(message)
        self.physical_id = physical_id


class FailedCreations:
    """Resources whose creation failed, which a rollback or a deletion deletes.

    ministack forgets them; but a custom resource gets a Delete after a failed Create (user guide,
    "Custom resource request and response reference"), and a nested stack still exists.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._records: dict[tuple[str, str], Json] = {}

    def note(
        self, stack_id: str, logical_id: str, resource_type: str, physical_id: str, props: Json
    ) -> None:
        """Store a resource as its stack would."""
        self._records[stack_id, logical_id] = {
            "PhysicalResourceId": physical_id,
            "ResourceType": resource_type,
            "ResourceStatus": "CREATE_FAILED",
            "LogicalResourceId": logical_id,
            "Properties": props,
            "Attributes": {},
            "Timestamp": stacks.now_iso(),
        }

    def take(self, stack_id: str, logical_id: str) -> Json | None:
        """Return and remove the record of a resource whose last creation failed."""
        return self._records.pop((stack_id, logical_id), None)

    def clear(self) -> None:
        """Forget them."""
        self._records.clear()


class CustomResources:
    """Invokes the functions of custom resources, and stores what a rollback needs.

    Attributes:
        responses: Where their responses arrive.
        failed_creations: Those whose Create failed.
    """

    def __init__(self, endpoint_url: str, clock: Clock) -> None:
        """Start without any resource."""
        self.responses = Responses(endpoint_url, clock)
        self._clock = clock
        self.failed_creations = FailedCreations()
        self._no_echo: set[tuple[str, str]] = set()

    def reset(self) -> None:
        """Forget everything, and end every wait."""
        abandon_all()
        self.responses.reset()
        self.failed_creations.clear()
        self._no_echo.clear()

    def cancel(self, stack_id: str, why: str) -> None:
        """Fail everything that waits for a response of a stack's resources."""
        self.responses.cancel(stack_id, why)

    def is_masked(self, stack_id: str, logical_id: str) -> bool:
        """Return whether a resource's last response had NoEcho."""
        return (stack_id, logical_id) in self._no_echo

    def invoke(  # noqa: PLR0917 (ministack's parameters)
        self,
        request_type: str,
        logical_id: str,
        props: Json,
        stack_name: str,
        stack_id: str,
        resource_type: str,
        physical_id: str | None = None,
        old_props: Json | None = None,
    ) -> tuple[str, Json]:
        """Send a request and return the physical id and the attributes of its response."""
        current(stack_id)  # A reset may have ended the calling operation.
        token = props.get("ServiceToken")
        if old_props is not None and old_props.get("ServiceToken") != token:
            return _refused_update(stack_name, str(physical_id))
        request_id = str(uuid.uuid4())
        expected = self.responses.expect(stack_id, logical_id, request_id)
        event: Json = {
            "RequestType": request_type,
            "ServiceToken": token,
            "ResponseURL": expected.url,
            "StackId": stack_id,
            "RequestId": request_id,
            "LogicalResourceId": logical_id,
            "ResourceType": resource_type,
            "ResourceProperties": _as_strings(props),
        }
        if physical_id is not None:
            event["PhysicalResourceId"] = physical_id
        if old_props is not None:
            event["OldResourceProperties"] = _as_strings(old_props)
        try:
            _invoke(str(token or ""), event)
            expected.arrived.wait(self._clock.real(_timeout_seconds(props)))
            answer = _answer(expected, event)
        except ResponseError as error:
            if request_type == "Create":
                self._note_failed_creation(event, props, stack_name, error.physical_id)
            raise
        masked = self._no_echo.add if answer.get("NoEcho") is True else self._no_echo.discard
        masked((stack_id, logical_id))
        return answer["PhysicalResourceId"], answer.get("Data") or {}

    def _note_failed_creation(
        self, event: Json, props: Json, stack_name: str, physical_id: str | None
    ) -> None:
        """Store what the rollback deletes: the id from the answer, or a generated one.

        AWS does not document the form of generated ids; this one is seen in stack events.
        """
        logical_id = event["LogicalResourceId"]
        invented = f"{stack_name}-{logical_id}-{secrets.token_hex(6).upper()}"
        self.failed_creations.note(
            *(event["StackId"], logical_id, event["ResourceType"], physical_id or invented, props)
        )


def install(endpoint_url: str, clock: Clock) -> CustomResources:
    """Replace how ministack invokes custom resources."""
    custom = CustomResources(endpoint_url, clock)
    custom_resource.invoke_custom_resource = custom.invoke
    return custom


def _refused_update(stack_name: str, physical_id: str) -> tuple[str, Json]:
    """Refuse a change of the function; the rollback of that sends no request."""
    stack = cloudformation._stacks.get(stack_name) or {}
    if stack.get("StackStatus") == "UPDATE_IN_PROGRESS":
        raise ResponseError("Modifying service token is not allowed.")
    return physical_id, {}


def _invoke(service_token: str, event: Json) -> None:
    """Invoke a ServiceToken's function asynchronously."""
    record, config, name = lambda_svc._get_func_record_for_ref(service_token)
    if record is None or config is None:
        # No ResponseError: there is no function to send a Delete to.
        raise ValueError(f"Function not found: {service_token or name}")
    lambda_svc.invoke_async_with_retry(
        lambda_svc._execution_record_for_config(record, config), event
    )


def _answer(expected: Expected, event: Json) -> Json:
    """Return a valid response, or raise the error for the stack."""
    request_id = event["RequestId"]
    if expected.cancelled is not None:
        raise ResponseError(expected.cancelled)
    if expected.body is None:
        raise ResponseError(
            "CloudFormation did not receive a response from your Custom Resource. Please check "
            f"your logs for requestId [{request_id}]. If you are using the Python cfn-response "
            "module, you may need to update your Lambda function code so that CloudFormation can "
            "attach the updated version."
        )
    try:
        answer = parsed_answer(expected.body, event)
    except AnswerError as error:
        raise ResponseError(str(error), _id_in(expected.body)) from None
    physical_id = answer.get("PhysicalResourceId")
    named = physical_id if isinstance(physical_id, str) and physical_id else None
    if answer.get("Status") == "FAILED":
        raise ResponseError(
            "Received response status [FAILED] from custom resource. Message returned: "
            f"{answer.get('Reason', '')} (RequestId: {request_id})",
            named,
        )
    if named is None or len(named.encode()) > MAX_PHYSICAL_ID_BYTES:
        raise ResponseError("Invalid PhysicalResourceId")
    return answer


def _id_in(body: bytes) -> str | None:
    """Return the physical id of an answer that is not accepted, if it can be read."""
    if len(body) > MAX_RESPONSE_BYTES:
        return None
    try:
        found = json.loads(body)["PhysicalResourceId"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) and found else None


def _timeout_seconds(props: Json) -> float:
    try:
        return float(props.get("ServiceTimeout", _DEFAULT_TIMEOUT_SECONDS))
    except (TypeError, ValueError):
        return _DEFAULT_TIMEOUT_SECONDS


def _as_strings(props: Json) -> Json:
    """Return properties as CloudFormation sends them, with every scalar as a string."""
    spelled: Json = custom_resource._normalise_resource_properties(props)
    return spelled
