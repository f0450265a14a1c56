"""Rows that depend on what the runtime reads, and what the log says of them.

The rows themselves have pure tests in tests/unit.
"""

from __future__ import annotations

import json

import pytest

from loopback.sagemaker import UPDATE_FAILED
from loopback.world import NAME, PROMOTE, World

from .asking import SHORT, answered, stops, told


def messages(world: World) -> list[dict[str, object]]:
    """The decisions in the log."""
    found = [json.loads(line) for line in world.journal.lines()]
    return [line for line in found if "row" in line]


def rows(world: World) -> list[object]:
    return [one["row"] for one in messages(world)]


def enter(world: World, kind: str) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if kind == "Delete" else "UPDATE_IN_PROGRESS"


def test_the_log_names_the_order_the_row_and_the_request_to_stop(world: World) -> None:
    world.experiment("Running", SHORT)
    answered(world, world.request("Update"))

    [stop] = [one for one in messages(world) if one["decision"] == "stop"]
    assert (stop["order"], stop["row"]) == ("update_changed", "stoppable")
    [sent] = world.sagemaker.experiments[NAME].stops
    assert stop["stopRequest"] == sent
    last = messages(world)[-1]
    assert (last["decision"], last["row"]) == ("succeed", "end_as_declared")
    assert last["status"] == "Completed"


def test_each_decision_is_logged_once_in_an_invocation(world: World) -> None:
    world.experiment("Running", SHORT)
    answered(world, world.request("Update"))

    first = [json.loads(line) for line in world.journal.lines() if '"row"' in line]
    # One line from the request's invocation until it leaves, and one from each firing.
    assert rows(world).count("end_awaited") <= 2 + SHORT.stop // 60
    assert {line["logicalResourceId"] for line in first} == {"StopShadowTest4D1E2F3A"}


@pytest.mark.parametrize(
    ("kind", "status"), [("Create", "FAILED"), ("Update", "FAILED"), ("Delete", "SUCCESS")]
)
def test_declaration_invalid(world: World, kind: str, status: str) -> None:
    """A teardown must not brick: it leaves the experiment, with a warning."""
    world.experiment("Running")
    enter(world, kind)

    answer = answered(world, world.request(kind, {**PROMOTE, "Reason": "two\nlines"}))

    assert answer["Status"] == status
    assert rows(world)[-1] == ("not_readable" if kind == "Delete" else "declaration_invalid")
    assert any("'Reason'" in str(one["message"]) for one in messages(world))
    assert stops(world) == 0


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_end_contradicted(world: World, kind: str) -> None:
    """It only warns: how the statuses behave after a stop has not been seen on AWS."""
    enter(world, kind)
    world.experiment("Running", SHORT)

    world.sagemaker.experiments[NAME].shows_in_service = True

    answer = answered(world, world.request(kind))

    assert (answer["Status"], rows(world)[-1]) == ("SUCCESS", "end_contradicted")
    assert stops(world) == 1


@pytest.mark.parametrize(("kind", "status"), [("Update", "FAILED"), ("Delete", "SUCCESS")])
def test_end_endpoint_failed(world: World, kind: str, status: str) -> None:
    enter(world, kind)
    world.experiment("Running", SHORT)
    world.sagemaker.experiments[NAME].endpoint_after = "Failed"

    answer = answered(world, world.request(kind))

    assert (answer["Status"], rows(world)[-1]) == (status, "end_endpoint_failed")


def sent_for_an_update() -> str:
    """The reason that the function sends, with its digest."""
    with World().installed() as another:
        another.experiment("Running", SHORT)
        answered(another, another.request("Update"))
        return str(another.sagemaker.experiments[NAME].stops[0]["Reason"])


def test_a_failure_that_may_be_older_than_an_end_that_another_delivery_ordered_is_a_warning(
    world: World,
) -> None:
    world.stack.status = "UPDATE_IN_PROGRESS"
    stop = {"ModelVariantActions": PROMOTE["ModelVariantActions"], "Reason": sent_for_an_update()}
    ended = world.sagemaker.add(NAME, "Completed", SHORT, by=stop, ended_seconds_ago=1)
    ended.failure = UPDATE_FAILED

    answer = answered(world, world.request("Update"))

    assert (answer["Status"], rows(world)[-1]) == ("SUCCESS", "end_as_declared")
    assert "it is not known whether the last failure of endpoint" in answer["Reason"]
    assert "ended_unsettled" in rows(world)


@pytest.mark.parametrize("status", ["Stopping", "Completed"])
def test_end_endpoint_failed_after_another_delivery_ordered_it_and_a_look_found_no_failure(
    world: World, status: str
) -> None:
    """The delivery that sent the stop was killed."""
    world.stack.status = "UPDATE_IN_PROGRESS"
    stop = {"ModelVariantActions": PROMOTE["ModelVariantActions"], "Reason": sent_for_an_update()}
    ending = world.sagemaker.add(NAME, status, SHORT, by=stop, ended_seconds_ago=1)
    asked = world.deliver(world.request("Update"))
    world.run(1)
    ending.failure = UPDATE_FAILED
    world.run_to_quiet()

    assert (told(asked)["Status"], rows(world)[-1]) == ("FAILED", "end_endpoint_failed")


@pytest.mark.parametrize(("kind", "status"), [("Update", "FAILED"), ("Delete", "SUCCESS")])
def test_end_endpoint_failed_though_it_is_in_service(world: World, kind: str, status: str) -> None:
    enter(world, kind)
    world.experiment("Running", SHORT)
    world.sagemaker.experiments[NAME].stop_fails_update = True

    answer = answered(world, world.request(kind))

    assert (answer["Status"], rows(world)[-1]) == (status, "end_endpoint_failed")


SHADOW = {"Name": NAME, "Outcome": "PromoteShadow"}


@pytest.mark.parametrize("kind", ["Update", "Delete"])
@pytest.mark.parametrize("count", [None, 0])
def test_instances_unknown(world: World, kind: str, count: int | None) -> None:
    enter(world, kind)
    world.experiment("Running")
    world.sagemaker.experiments[NAME].run_instances("production", count)

    answer = answered(world, world.request(kind, SHADOW))

    assert (answer["Status"], rows(world)[-1]) == ("FAILED", "instances_unknown")
    assert "'InstanceCount' in 'Instances'" in answer["Reason"]
    assert stops(world) == 0
