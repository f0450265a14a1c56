"""The routes under ``/_local_aws/``, by which tests inspect and control the local AWS.

Requests are not signed: the listener is only on the loopback interface.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from local_aws.emulator.clock import Clock
from local_aws.emulator.cloudwatch_service import CloudWatch
from local_aws.emulator.endpoint_events import EndpointEvents
from local_aws.emulator.eventbridge_limits import Rules
from local_aws.emulator.reset import Reset
from local_aws.emulator.responses import Responses
from local_aws.emulator.sagemaker import ApiError, Fault, SageMaker
from local_aws.emulator.stack_operations import StackOperations
from local_aws.settings import Settings

__all__ = ["Control"]

_PREFIX = "/_local_aws/"
Json = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Control:
    """An ASGI application for our own routes and for custom resources' responses."""

    def __init__(
        self,
        *,
        service: SageMaker,
        cloudwatch: CloudWatch,
        clock: Clock,
        operations: StackOperations,
        responses: Responses,
        rules: Rules,
        endpoint_events: EndpointEvents,
        reset: Reset,
        settings: Settings,
    ) -> None:
        """Store what the routes use."""
        self._service = service
        self._cloudwatch = cloudwatch
        self._clock = clock
        self._operations = operations
        self._rules = rules
        self._endpoint_events = endpoint_events
        self._settings = settings
        self._responses = responses
        self._reset = reset
        self._routes: dict[tuple[str, str], Callable[[Json, Json], Any]] = {
            ("GET", "calls"): self._calls,
            ("GET", "settings"): lambda _query, _body: self._settings.to_json(),
            ("POST", "settings"): self._configure,
            ("GET", "clock"): lambda _query, _body: [clock.origin, clock.scale],
            ("POST", "faults"): self._add_fault,
            ("POST", "experiments/end"): self._end_experiment,
            ("POST", "endpoints/fail-update"): self._fail_endpoint_update,
            ("POST", "endpoints/scale"): self._scale_variant,
            ("POST", "traffic"): self._tell_traffic,
        }

    def answers(self, path: str) -> bool:
        """Return whether a request is ours to answer."""
        return path.startswith(_PREFIX) or self._responses.owns(path)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await _body(receive)
        query = scope["query_string"].decode()
        answer: Any
        if self._responses.owns(scope["path"]):
            status, answer = self._deliver(scope["method"], query, body)
        elif (scope["method"], scope["path"]) == ("POST", _PREFIX + "reset"):
            await self._reset()
            status, answer = 200, {}
        else:
            status, answer = self._answer(scope["method"], scope["path"], query, body)
        content = json.dumps(answer).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        route = self._routes.get((method, path.removeprefix(_PREFIX)))
        if route is None:
            return 404, {"message": f"no route {method} {path}"}
        values = {name: items[-1] for name, items in parse_qs(query).items()}
        try:
            return 200, route(values, json.loads(body or b"{}"))
        except ApiError as error:
            return error.http_status, {"message": str(error)}
        except (TypeError, ValueError) as error:
            return 400, {"message": str(error)}

    def _deliver(self, method: str, query: str, body: bytes) -> tuple[int, Any]:
        """Accept a custom resource's response; S3 refuses other methods and expired URLs."""
        if self._responses.deliver(method, query, body):
            return 200, {}
        return 403, {"message": "Request has expired or is not signed for this."}

    def _calls(self, query: Json, _body: Json) -> list[Json]:
        wanted = query.get("operation")
        return [call.to_json() for call in self._service.calls if wanted in (None, call.operation)]

    def _configure(self, _query: Json, body: Json) -> Json:
        changed = self._settings.changed(body)
        self._clock.configure(changed)
        self._service.configure(changed)
        self._cloudwatch.configure(changed)
        self._operations.configure(changed)
        self._rules.settings = self._endpoint_events.settings = changed
        self._settings = changed
        return self._settings.to_json()

    def _add_fault(self, _query: Json, body: Json) -> None:
        self._service.order_fault(Fault.from_json(body))

    def _fail_endpoint_update(self, _query: Json, body: Json) -> None:
        self._service.fail_endpoint_update(body["name"], body["status"], body["failure_reason"])

    def _scale_variant(self, _query: Json, body: Json) -> None:
        self._service.scale_variant(body["name"], body["variant"], body["current"], body["desired"])

    def _tell_traffic(self, _query: Json, body: Json) -> None:
        self._cloudwatch.tell(body["endpoint"], body["variants"], body["hours"])

    def _end_experiment(self, _query: Json, body: Json) -> None:
        self._service.end_experiment(
            body["name"], body.get("status", "Cancelled"), body.get("status_reason")
        )


async def _body(receive: Receive) -> bytes:
    """Return a request's complete body."""
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
