"""Every trait of crhelper 2.0.12 that the handler works around: one scenario, run on both.

Each test says what comes of it on our handler and on the stock one, which is written as crhelper's
README shows it. A newer crhelper that behaves otherwise fails the test.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import crhelper
import crhelper.resource_helper
import pytest

from loopback.cloudformation import MAX_RESPONSE_BYTES, SIGNATURE, Asked
from loopback.containers import INDEX, fresh_everything
from loopback.sagemaker import Pace, arn_of
from loopback.world import KEEP, NAME, World

STOCK = "loopback.stock"
FORWARD = "UPDATE_IN_PROGRESS"
LONG = Pace(stop=1000)
AT_ONCE = Pace(stop=0.1, settle=0, lag=0)

Observed = TypeVar("Observed")


def _on_both(scenario: Callable[[World], Observed]) -> dict[str, Observed]:
    """The results of a scenario on our handler and on the stock one, each in its own world."""
    return {"ours": _on(INDEX, scenario), "stock": _on(STOCK, scenario)}


def _on(module: str, scenario: Callable[[World], Observed]) -> Observed:
    world = World(load=lambda: fresh_everything(module))
    world.stack.status = FORWARD
    with world.installed():
        return scenario(world)


def _status(asked: Asked) -> str | None:
    """The answer to CloudFormation, if there was one."""
    return asked.answer["Status"] if asked.answer else None


def _physical_ids(world: World) -> list[str]:
    return [json.loads(put.detail["body"])["PhysicalResourceId"] for put in world.journal.puts()]


def test_stock_logs_the_signed_url() -> None:
    def is_logged(world: World) -> bool:
        world.experiment("Running")
        world.deliver(world.request("Create"))
        world.run_to_quiet()
        return any(SIGNATURE in line for line in world.journal.lines())

    assert _on_both(is_logged) == {"ours": False, "stock": True}


def test_stock_sleeps_for_its_logs_before_it_answers_a_delete() -> None:
    def takes_a_minute(world: World) -> bool:
        world.stack.status = "DELETE_IN_PROGRESS"
        world.experiment("Running", AT_ONCE)
        asked = world.deliver(world.request("Delete"))
        world.run_to_quiet()
        return asked.answered_at - asked.issued_at >= 60

    assert _on_both(takes_a_minute) == {"ours": False, "stock": True}


def test_stock_makes_a_rule_for_what_is_done_at_once() -> None:
    def rules(world: World) -> int:
        world.experiment("Completed")
        world.deliver(world.request("Update", KEEP, {**KEEP, "DesiredState": "Cancelled"}))
        world.run_to_quiet()
        return len(list(world.journal.calls("PutRule")))

    assert _on_both(rules) == {"ours": 0, "stock": 1}


def test_stock_answers_failed_after_the_stop_if_its_rule_cannot_be_made() -> None:
    def answer(world: World) -> tuple[int, str | None]:
        world.experiment("Running", LONG)
        world.fail("PutRule", "denied")
        asked = world.deliver(world.request("Update"))
        world.run_to_quiet()
        return len(world.sagemaker.experiments[NAME].stops), _status(asked)

    assert _on_both(answer) == {"ours": (1, "SUCCESS"), "stock": (1, "FAILED")}


def test_stock_puts_the_logical_id_into_names_that_are_too_short_for_it() -> None:
    def answer(world: World) -> tuple[bool, str | None]:
        world.experiment("Running", LONG)
        asked = world.deliver(world.request("Update", logical_id="L" * 255))
        world.run_to_quiet()
        return bool(world.events.limits_broken or world.function.limits_broken), _status(asked)

    assert _on_both(answer) == {"ours": (False, "SUCCESS"), "stock": (True, "FAILED")}


def test_stock_puts_more_into_a_rules_input_than_it_can_hold() -> None:
    def limits_broken(world: World) -> int:
        world.experiment("Running", LONG)
        big = {**KEEP, "Reason": "\U0001f525" * 1024}
        world.deliver(world.request("Update", big, {**big, "DesiredState": "Cancelled"}))
        world.run_to_quiet()
        return len(world.events.limits_broken)

    assert _on_both(limits_broken) == {"ours": 0, "stock": 1}


def test_stock_answers_from_its_polls_under_an_id_that_it_makes_up() -> None:
    def keeps_the_id(world: World) -> bool:
        world.experiment("Running", LONG)
        world.deliver(world.request("Update"))
        world.run_to_quiet()
        return _physical_ids(world) == [arn_of(NAME)]

    assert _on_both(keeps_the_id) == {"ours": True, "stock": False}


def test_stock_answers_a_failure_under_an_id_that_it_makes_up() -> None:
    def keeps_the_id(world: World) -> bool:
        world.experiment("Cancelled")
        world.fail("DescribeInferenceExperiment", "denied", attempts=9999)
        world.fail("PutRule", "denied")
        world.deliver(world.request("Update"))
        world.run_to_quiet()
        return set(_physical_ids(world)) == {arn_of(NAME)}

    assert _on_both(keeps_the_id) == {"ours": True, "stock": False}


def test_stock_answers_a_second_delivery_of_a_failed_create_under_another_id() -> None:
    def ids(world: World) -> tuple[int, int]:
        event = world.request("Create")
        world.deliver(event)
        world.deliver(event)
        world.run_to_quiet()
        return len(_physical_ids(world)), len(set(_physical_ids(world)))

    assert _on_both(ids) == {"ours": (2, 1), "stock": (2, 2)}


@pytest.mark.parametrize("operation", ["RemoveTargets", "RemovePermission", "DeleteRule"])
def test_stock_answers_failed_if_its_clean_up_fails(operation: str) -> None:
    def answer(world: World) -> str | None:
        world.experiment("Running", LONG)
        world.fail(operation, "denied")
        asked = world.deliver(world.request("Update"))
        world.run_to_quiet()
        return _status(asked)

    assert _on_both(answer) == {"ours": "SUCCESS", "stock": "FAILED"}


@pytest.mark.parametrize("operation", ["RemovePermission", "DeleteRule"])
def test_stock_leaves_behind_what_it_could_not_clean_up_at_once(operation: str) -> None:
    def is_clean(world: World) -> bool:
        world.experiment("Running", LONG)
        world.fail(operation, "unavailable", attempts=5)
        world.deliver(world.request("Update"))
        return world.run_to_quiet() and world.leftovers == []

    assert _on_both(is_clean) == {"ours": True, "stock": False}


def test_stock_makes_a_rule_for_each_delivery() -> None:
    def rules(world: World) -> int:
        world.experiment("Running", LONG)
        event = world.request("Update")
        world.deliver(event)
        world.deliver(event)
        world.run(900)
        return len({call.detail["request"]["Name"] for call in world.journal.calls("PutRule")})

    assert _on_both(rules) == {"ours": 1, "stock": 2}


def test_stock_waits_for_the_answers_socket_without_a_time_out() -> None:
    def has_a_time_out(world: World) -> bool:
        world.experiment("Running")
        world.deliver(world.request("Create"))
        world.run_to_quiet()
        [put] = world.journal.puts()
        return put.detail["timeout"] is not None

    assert _on_both(has_a_time_out) == {"ours": True, "stock": False}


def test_stock_does_not_send_an_answer_again_that_the_bucket_could_not_take() -> None:
    def answer(world: World) -> str | None:
        world.experiment("Running")
        world.fail("PUT", "error")
        asked = world.deliver(world.request("Create"))
        world.run_to_quiet()
        return _status(asked)

    assert _on_both(answer) == {"ours": "SUCCESS", "stock": None}


def test_stock_tries_to_answer_until_lambda_ends_it() -> None:
    def is_killed(world: World) -> bool:
        world.experiment("Running")
        world.fail("PUT", "reset", attempts=100_000)
        world.deliver(world.request("Create"))
        world.run_to_quiet()
        return world.function.kills_at_limit > 0

    assert _on_both(is_killed) == {"ours": False, "stock": True}


def test_stock_sends_an_answer_that_is_too_large() -> None:
    def answer(world: World) -> tuple[bool, str | None]:
        world.experiment("Completed")
        world.sagemaker.experiments[NAME].reason = "\U0001f525" * 1024
        asked = world.deliver(world.request("Create", KEEP))
        world.run_to_quiet()
        [put] = world.journal.puts()
        return len(put.detail["body"]) <= MAX_RESPONSE_BYTES, _status(asked)

    assert _on_both(answer) == {"ours": (True, "SUCCESS"), "stock": (False, None)}


def test_stock_answers_a_malformed_event_to_the_request_before() -> None:
    def answers(world: World) -> int:
        world.experiment("Running")
        world.deliver(world.request("Create"))
        world.run_to_quiet()
        world.function.invoke({"RequestType": "Delete"})
        world.run_to_quiet()
        return len(list(world.journal.puts()))

    assert _on_both(answers) == {"ours": 1, "stock": 2}


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
