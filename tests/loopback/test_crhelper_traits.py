"""Every trait of crhelper 2.0.12 that the handler mends, with the same scenario run on both.

Each test holds for ours and is expected to fail for a handler as crhelper's README leads to it.
A newer crhelper that mends a trait makes its expected failure pass, which strict xfail reports.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import crhelper
import crhelper.resource_helper
import pytest

from loopback.cloudformation import MAX_RESPONSE_BYTES, SIGNATURE
from loopback.containers import INDEX, fresh_everything
from loopback.function import Handler
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, NAME, World

STOCK = "loopback.stock"
FORWARD = "UPDATE_IN_PROGRESS"
LONG = Pace(stop=1000)


def _load(module: str) -> Handler:
    return fresh_everything(module)


@pytest.fixture(
    params=[
        pytest.param(INDEX, id="ours"),
        pytest.param(
            STOCK,
            id="stock",
            marks=pytest.mark.xfail(
                strict=True, raises=AssertionError, reason="a trait of crhelper 2.0.12"
            ),
        ),
    ]
)
def mended(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world on our handler, and the same on stock crhelper, where the test is to fail."""
    world = World(load=lambda: _load(request.param))
    world.stack.status = FORWARD
    with world.installed():
        yield world


def _operations(world: World) -> list[str]:
    return [call.name for call in world.journal.calls()]


def test_the_logs_hold_no_signed_url(mended: World) -> None:
    mended.experiment("Running")
    mended.deliver(mended.request("Create"))
    mended.run_to_quiet()
    assert not any(SIGNATURE in line for line in mended.journal.lines())


def test_a_delete_does_not_sleep_for_its_logs(mended: World) -> None:
    mended.experiment("Running", Pace(stop=0.1, settle=0, lag=0))
    asked = mended.deliver(mended.request("Delete"))
    mended.run_to_quiet()
    assert asked.answered_at - asked.issued_at < 60


def test_what_is_done_at_once_makes_no_rule(mended: World) -> None:
    mended.experiment("Running", Pace(stop=0.1, settle=0, lag=0))
    mended.deliver(mended.request("Update"))
    mended.run_to_quiet()
    assert "PutRule" not in _operations(mended)


def test_a_rule_that_cannot_be_made_is_no_false_failure_after_the_stop(mended: World) -> None:
    mended.experiment("Running", LONG)
    mended.fail("PutRule", "denied")
    asked = mended.deliver(mended.request("Update"))
    mended.run_to_quiet()
    assert len(mended.sagemaker.experiments[NAME].stops) == 1
    assert asked.answer is not None
    assert asked.answer["Status"] == "SUCCESS"


def test_the_longest_logical_id_fits_into_a_rules_name(mended: World) -> None:
    mended.experiment("Running", LONG)
    asked = mended.deliver(mended.request("Update", logical_id="L" * 255))
    mended.run_to_quiet()
    assert mended.events.limits_broken == mended.function.limits_broken == []
    assert asked.answer is not None
    assert asked.answer["Status"] == "SUCCESS"


def test_the_largest_declaration_fits_into_a_rules_input(mended: World) -> None:
    mended.experiment("Running", LONG)
    big = {**KEEP, "Reason": "\U0001f525" * 1024}
    mended.deliver(mended.request("Update", big, {**big, "DesiredState": "Cancelled"}))
    mended.run_to_quiet()
    assert mended.events.limits_broken == []


def test_polling_answers_under_the_events_own_id(mended: World) -> None:
    mended.experiment("Running", LONG)
    asked = mended.deliver(mended.request("Update"))
    mended.run_to_quiet()
    assert asked.answer is not None
    assert asked.answer["PhysicalResourceId"] == arn_of(NAME)


def test_every_failure_is_answered_under_the_events_own_id(mended: World) -> None:
    mended.experiment("Cancelled")
    mended.fail("DescribeInferenceExperiment", "denied", attempts=9999)
    mended.fail("PutRule", "denied")
    mended.deliver(mended.request("Update"))
    mended.run_to_quiet()
    bodies = [json.loads(put.detail["body"]) for put in mended.journal.puts()]
    assert bodies
    assert all(body["PhysicalResourceId"] == arn_of(NAME) for body in bodies)


def test_a_failed_create_has_the_same_id_however_often_it_is_delivered(mended: World) -> None:
    event = mended.request("Create")
    mended.deliver(event)
    mended.deliver(event)
    mended.run_to_quiet()
    bodies = [json.loads(put.detail["body"]) for put in mended.journal.puts()]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("operation", ["RemoveTargets", "RemovePermission", "DeleteRule"])
def test_a_clean_up_that_fails_does_not_change_the_answer(mended: World, operation: str) -> None:
    mended.experiment("Running", LONG)
    mended.fail(operation, "denied")
    asked = mended.deliver(mended.request("Update"))
    mended.run_to_quiet()
    assert asked.answer is not None
    assert asked.answer["Status"] == "SUCCESS"


@pytest.mark.parametrize("operation", ["RemovePermission", "DeleteRule"])
def test_a_clean_up_that_fails_once_leaves_nothing(mended: World, operation: str) -> None:
    mended.experiment("Running", LONG)
    mended.fail(operation, "unavailable", attempts=5)
    mended.deliver(mended.request("Update"))
    assert mended.run_to_quiet()
    assert mended.leftovers == []


def test_two_deliveries_share_one_rule(mended: World) -> None:
    mended.experiment("Running", LONG)
    event = mended.request("Update")
    mended.deliver(event)
    mended.deliver(event)
    mended.run(900)
    names = {call.detail["request"]["Name"] for call in mended.journal.calls("PutRule")}
    assert len(names) == 1


def test_the_socket_of_the_answer_has_a_time_out(mended: World) -> None:
    mended.experiment("Running")
    mended.deliver(mended.request("Create"))
    mended.run_to_quiet()
    [put] = mended.journal.puts()
    assert put.detail["timeout"] is not None


def test_an_answer_that_the_bucket_could_not_take_is_sent_again(mended: World) -> None:
    mended.experiment("Running")
    mended.fail("PUT", "error")
    asked = mended.deliver(mended.request("Create"))
    mended.run_to_quiet()
    assert asked.answer is not None


def test_the_attempts_to_answer_end_before_lambda_ends_them(mended: World) -> None:
    mended.experiment("Running")
    mended.fail("PUT", "reset", attempts=100_000)
    mended.deliver(mended.request("Create"))
    mended.run_to_quiet()
    assert mended.function.kills_at_limit == 0


def test_a_large_answer_is_brought_under_the_limit(mended: World) -> None:
    mended.experiment("Completed")
    mended.sagemaker.experiments[NAME].reason = "\U0001f525" * 1024
    asked = mended.deliver(mended.request("Create", KEEP))
    mended.run_to_quiet()
    [put] = mended.journal.puts()
    assert len(put.detail["body"]) <= MAX_RESPONSE_BYTES
    assert asked.answer is not None


def test_a_malformed_event_is_not_answered_to_the_request_before(mended: World) -> None:
    mended.experiment("Running")
    mended.deliver(mended.request("Create"))
    mended.run_to_quiet()
    mended.function.invoke({"RequestType": "Delete"})
    mended.run_to_quiet()
    assert len(list(mended.journal.puts())) == 1


def _stub() -> ast.ClassDef:
    text = Path("typings/crhelper/__init__.pyi").read_text(encoding="utf-8")
    [stub] = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return stub


def test_every_private_name_of_crhelper_that_is_relied_on_exists() -> None:
    assert version("crhelper") == "2.0.12"
    resource: Any = crhelper.CfnResource()
    attributes = [
        node.target.id
        for node in _stub().body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    methods = [node.name for node in _stub().body if isinstance(node, ast.FunctionDef)]

    assert "_event" in attributes
    assert "_setup_polling" in methods
    assert [name for name in attributes + methods if not hasattr(resource, name)] == []
