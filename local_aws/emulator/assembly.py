"""Adds our parts to ministack and puts our routes in front of it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack import app as ministack_app

from local_aws.emulator import (
    cloudwatch_service,
    custom_resources,
    iam_requests,
    lambda_settings,
    lambda_workers,
    sagemaker_resources,
    sagemaker_service,
    vpcs,
)
from local_aws.emulator.clock import Clock
from local_aws.emulator.control import Control
from local_aws.emulator.endpoint_events import EndpointEvents
from local_aws.emulator.eventbridge_limits import Rules
from local_aws.emulator.options import Options
from local_aws.emulator.reset import Reset
from local_aws.emulator.stack_operations import StackOperations

__all__ = ["assembled"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def assembled(options: Options, on_ready: Callable[[], object]) -> Application:
    """Return the ASGI application: our routes first, then ministack.

    Args:
        options: The emulator's options.
        on_ready: Called after the application has started.
    """
    endpoint_url = f"https://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    clock = Clock(options.settings)
    service = sagemaker_service.install(options.settings, clock)
    sagemaker_resources.install(service)
    cloudwatch = cloudwatch_service.install(options.settings, clock, service)
    iam_requests.install()
    rules = Rules(clock, options.settings)
    endpoint_events = EndpointEvents(service, clock, options.settings)
    vpcs.install()
    lambda_settings.install()
    lambda_workers.install(
        lambda_python=options.lambda_python,
        endpoint_url=endpoint_url,
        ca_bundle=options.ca_bundle,
        clock=clock,
    )
    custom = custom_resources.install(endpoint_url, clock)
    operations = StackOperations(custom, clock, options.settings)
    control = Control(
        service=service,
        cloudwatch=cloudwatch,
        clock=clock,
        operations=operations,
        responses=custom.responses,
        rules=rules,
        endpoint_events=endpoint_events,
        reset=Reset(custom, operations, endpoint_events),
        settings=options.settings,
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await ministack_app.app(scope, receive, _announcing(send, on_ready))
        elif scope["type"] == "http" and control.answers(scope["path"]):
            await control(scope, receive, send)
        else:
            await ministack_app.app(scope, receive, send)

    return application


def _announcing(send: Send, on_ready: Callable[[], object]) -> Send:
    """Return a ``send`` that reports the application's start; the socket already listens."""

    async def announcing(message: MutableMapping[str, Any]) -> None:
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            on_ready()

    return announcing
