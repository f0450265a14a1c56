"""Events of endpoints' statuses, which SageMaker sends to EventBridge.

Developer guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge": "SageMaker Endpoint
State Change", with the members of its example and of EventBridge's schema
``aws.sagemaker@SageMakerEndpointStateChange``. Its statuses are in capitals, with underscores. The
guide says that an event comes "in near real time", and perhaps several times. Whether SageMaker
sends one when an inference experiment changes its endpoint is assumed.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import json
import logging
import re
import threading
import time
from typing import Any

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import eventbridge

from local_aws.emulator.clock import Clock
from local_aws.emulator.sagemaker import SageMaker
from local_aws.emulator.sagemaker.state import Endpoint
from local_aws.settings import Settings

__all__ = ["EndpointEvents"]

Json = dict[str, Any]

_DETAIL_TYPE = "SageMaker Endpoint State Change"
_PUMP_SECONDS = 0.02
_logger = logging.getLogger("local_aws")


class EndpointEvents:
    """Sends the events, late, several times or not at all."""

    def __init__(self, service: SageMaker, clock: Clock, settings: Settings) -> None:
        """Watch the service's endpoints, and start the thread that sends the events.

        Args:
            service: Has the endpoints.
            clock: The clock for the delays.
            settings: How late they arrive, and how often.
        """
        self._service = service
        self._clock = clock
        self.settings = settings
        self._due: list[tuple[float, Json]] = []
        self._lock = threading.Lock()
        service.watch_endpoints(self._note)
        threading.Thread(target=self._pump, daemon=True, name="endpoint-events").start()

    def reset(self) -> None:
        """Forget the events that have not arrived."""
        with self._lock:
            self._due.clear()

    def _note(self, endpoint: Endpoint) -> None:
        when = self._clock.now() + self.settings.endpoint_events_delay_seconds
        with self._lock:
            copies = [(when, _entry(endpoint))] * self.settings.endpoint_events_copies
            self._due += copies

    def _pump(self) -> None:
        """Nothing else would let time pass: the service only moves on when it is called."""
        while True:
            time.sleep(_PUMP_SECONDS)
            try:
                self._send_what_is_due()
            except Exception:
                # A thread that has ended would send nothing more, and say nothing.
                _logger.exception("events of endpoints")

    def _send_what_is_due(self) -> None:
        self._service.advance()
        now = self._clock.now()
        with self._lock:
            ready = [entry for when, entry in self._due if when <= now]
            self._due = [(when, entry) for when, entry in self._due if when > now]
        for entry in ready:
            _send(entry)


def _send(entry: Json) -> None:
    _, _, _, region, account, _ = entry["Resources"][0].split(":", 5)
    set_request_region(region)
    set_request_account_id(account)
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        _logger.exception("an event of %s is lost", entry["Resources"][0])


def _entry(endpoint: Endpoint) -> Json:
    """Return an endpoint's event, as PutEvents takes it."""
    detail = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "ProductionVariants": [
            {"DesiredWeight": variant.weight, "DesiredInstanceCount": variant.instance_count}
            for variant in endpoint.production
        ],
        "EndpointStatus": _in_capitals(endpoint.status),
        "CreationTime": endpoint.created * 1000,
        "LastModifiedTime": endpoint.modified * 1000,
        "Tags": {},
    }
    return {
        "Source": "aws.sagemaker",
        "DetailType": _DETAIL_TYPE,
        "Detail": json.dumps(detail),
        "Resources": [endpoint.arn],
    }


def _in_capitals(status: str) -> str:
    """Return ``IN_SERVICE`` for ``InService``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()
