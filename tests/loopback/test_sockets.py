"""The handler over real sockets: verified TLS, timeouts, and HTTP statuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3
from botocore.config import Config

from cdk_stop_inference_experiment_handler.runtime import answer as handler_response
from cdk_stop_inference_experiment_handler.runtime import aws as handler_aws
from loopback.aws import CALL_TIMEOUT_SECONDS, PUT_TIMEOUT_SECONDS
from loopback.https_server import LoopbackServer
from loopback.sagemaker import Pace, arn_of
from loopback.world import NAME, World


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackServer]:
    server = LoopbackServer(tmp_path_factory.mktemp("certificates"))
    yield server
    server.close()


@pytest.fixture
def world(server: LoopbackServer) -> Iterator[World]:
    """A world behind the HTTPS server."""
    world = World(connect=server.connect, host=server.host)
    world.stack.status = "UPDATE_IN_PROGRESS"
    with world.installed():
        yield world


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler's timeouts in tenths of seconds, since they pass in real time."""
    config = handler_aws.SDK_CONFIG.merge(Config(connect_timeout=1, read_timeout=0.3))
    monkeypatch.setattr(handler_aws, "SDK_CONFIG", config)
    monkeypatch.setattr(handler_response, "PUT_TIMEOUT", urllib3.Timeout(connect=1, read=0.3))


@contextmanager
def _not_trusted() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE")
        # The answer takes the SDK's way.
        patch.delenv("AWS_CA_BUNDLE")
        yield


def test_a_stop_is_handed_over_awaited_and_answered(world: World) -> None:
    world.experiment("Running", Pace(stop=100))

    asked = world.deliver(world.request("Update"))
    assert world.run_to_quiet()

    assert asked.answer is not None
    assert asked.answer["Status"] == "SUCCESS"
    assert asked.answer["PhysicalResourceId"] == arn_of(NAME)
    calls = {call.name for call in world.journal.calls()}
    assert calls >= {"DescribeStacks", "PutRule", "PutTargets", "RemoveTargets", "DeleteRule"}
    assert world.leftovers == []


def test_an_answer_goes_only_where_the_certificate_is_trusted(world: World) -> None:
    """An answer that needs no call of the SDK; each refused handshake takes a tenth of a second."""
    with _not_trusted():
        asked = world.deliver(world.request("Delete", physical_id="never-created"))
        world.run(5)
    assert asked.answer is None
    assert list(world.journal.puts()) == []
    assert any("SSLError" in line for line in world.journal.lines())


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("kind", ["error", "reset", "lost", "taken", "slow"])
def test_an_answer_that_fails_is_sent_again(world: World, kind: str) -> None:
    world.experiment("Running")
    world.fail("PUT", kind, attempts=2)

    asked = world.deliver(world.request("Create"))
    world.run_to_quiet()

    assert asked.answer is not None
    bodies = [json.loads(put.detail["body"]) for put in world.journal.puts()]
    assert len(bodies) == 3
    assert all(body == bodies[0] for body in bodies)


def test_an_answer_that_is_refused_is_not_sent_again(world: World) -> None:
    world.experiment("Running")
    world.fail("PUT", "expired")

    asked = world.deliver(world.request("Create"))
    world.run_to_quiet()

    assert asked.answer is None
    assert len(list(world.journal.puts())) == 1


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("kind", ["throttled", "unavailable", "unreachable", "lost"])
def test_a_call_that_fails_is_repeated(world: World, kind: str) -> None:
    world.experiment("Running")
    world.fail("DescribeInferenceExperiment", kind)

    asked = world.deliver(world.request("Create"))
    world.run_to_quiet()

    assert asked.answer is not None
    assert asked.answer["Status"] == "SUCCESS"


def test_the_models_time_outs_are_the_handlers() -> None:
    assert vars(handler_aws.SDK_CONFIG)["read_timeout"] == CALL_TIMEOUT_SECONDS
    assert handler_response.PUT_TIMEOUT.read_timeout == PUT_TIMEOUT_SECONDS
