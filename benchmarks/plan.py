"""``stop-inference-experiment plan`` for many experiments in several stacks on the local AWS.

Every call takes as long as is assumed for AWS, and SageMaker's are throttled at several rates.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from cdk_stop_inference_experiment.cli import reading
from cdk_stop_inference_experiment.cli.plan import Plan, plan_change_set
from local_aws import LocalAws
from local_aws.shadow_test import create_shadow_test
from local_aws.synthesis import ASSETS, Template, synthesise

from .contestants.declaration import UNDECIDED
from .contestants.stacks import build
from .local_lag import CAPABILITIES, settled
from .many import Bucket
from .simulation import LATENCY

__all__ = ["measure"]

Json = dict[str, Any]
STACKS = (14, 13, 13)
RATES = (None, 10.0, 5.0)
CHANGE_SET = "verdict"
REFUSAL = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'


def measure() -> Json:
    """Plan the end of all experiments, one description at a time and as the command does."""
    with LocalAws(start_seconds=0.0) as aws:
        names = [_prepare(aws, f"plan-{number}", count) for number, count in enumerate(STACKS)]
        rows = [_plan_all(aws, names, rate=None, at_once=1)]
        rows += [_plan_all(aws, names, rate=rate, at_once=reading.AT_ONCE) for rate in RATES]
    return {"stacks": list(STACKS), "call_seconds": LATENCY, "rows": rows}


def _prepare(aws: LocalAws, stack: str, count: int) -> str:
    """Deploy a stack of armed experiments, and make the change set that ends them."""
    names = [f"{stack}-{number:02}" for number in range(count)]
    for name in names:
        create_shadow_test(aws.client("sagemaker"), name, endpoint_name=name)
    cloudformation, s3 = aws.client("cloudformation"), aws.client("s3")
    s3.create_bucket(Bucket=ASSETS)
    before, after = (_template(names, reason) for reason in (UNDECIDED, "now"))
    for key, content in (before.assets | after.assets).items():
        s3.put_object(Bucket=ASSETS, Key=key, Body=content)
    told = {"StackName": stack, "Capabilities": CAPABILITIES}
    cloudformation.create_stack(TemplateBody=json.dumps(before.body), **told)
    if (status := settled(aws, stack)) != "CREATE_COMPLETE":
        raise RuntimeError(f"{stack}: {status}")
    cloudformation.create_change_set(
        ChangeSetName=CHANGE_SET, TemplateBody=json.dumps(after.body), **told
    )
    return stack


def _template(names: list[str], reason: str) -> Template:
    return synthesise(lambda stack: build(stack, "ours", names, reason))


def _plan_all(aws: LocalAws, stacks: list[str], *, rate: float | None, at_once: int) -> Json:
    wire = _Wire(rate)
    with _environment(aws), mock.patch.object(reading, "AT_ONCE", at_once):
        started = time.perf_counter()
        plans = [_planned(stack, wire) for stack in stacks]
        seconds = time.perf_counter() - started
    verdicts = [verdict for plan in plans for verdict in plan.verdicts]
    return {
        "at_once": at_once,
        "rate": rate,
        "seconds": seconds,
        "calls": wire.calls,
        "describes": wire.describes,
        "refused": wire.refused,
        "stops": sum(verdict.effect == "stop" for verdict in verdicts),
    }


def _planned(stack: str, wire: _Wire) -> Plan:
    session = boto3.Session()
    session.events.register("before-send.*.*", wire.send)  # type: ignore[arg-type]
    return plan_change_set(reading.Reader(session), stack, CHANGE_SET)


class _Wire:
    """Lets each call take its time, and throttles SageMaker's."""

    def __init__(self, rate: float | None) -> None:
        self.calls = 0
        self.describes = 0
        self._bucket = Bucket(rate)
        self._lock = threading.Lock()

    @property
    def refused(self) -> int:
        """The calls that were throttled."""
        return self._bucket.refused

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        """Handle botocore's event before each attempt."""
        operation = str(request.headers.get("X-Amz-Target", b"")).rpartition(".")[2].rstrip("'")
        with self._lock:
            self.calls += 1
            self.describes += operation == "DescribeInferenceExperiment"
            refusal = self._bucket.due(operation, time.monotonic())
        time.sleep(LATENCY)
        return _Refused(request.url) if refusal else None


class _Refused(AWSResponse):
    """SageMaker's answer to a call above the rate."""

    def __init__(self, url: str) -> None:
        headers = HTTPHeaders()
        headers["content-type"] = "application/x-amz-json-1.1"
        super().__init__(url, 400, headers, None)

    @property
    def content(self) -> bytes:
        """The body."""
        return REFUSAL


@contextmanager
def _environment(aws: LocalAws) -> Iterator[None]:
    with mock.patch.dict("os.environ", aws.environment(), clear=True):
        yield
