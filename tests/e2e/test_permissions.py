"""Every permission in the template is needed: without it, a short history changes."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from aws_cdk import Stack

from cdk_stop_inference_experiment import Outcome
from local_aws.synthesis import Template, synthesise
from tests.waiting import eventually

from .history import History
from .policies import actions, without
from .synthesis import stop_shadow_test

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shadow_test")]

ACTIONS = [
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "events:DeleteRule",
    "events:ListTargetsByRule",
    "events:PutRule",
    "events:PutTargets",
    "events:RemoveTargets",
    "lambda:InvokeFunction",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeInferenceExperiment",
    "sagemaker:StopInferenceExperiment",
]


PATIENCE_SECONDS = 900


@cache
def template(construct_id: str, *, promotes: bool = False) -> Template:
    """A stack with one construct."""
    outcome = Outcome.promote_shadow() if promotes else Outcome.keep_production()

    def build(stack: Stack) -> None:
        stop_shadow_test(stack, construct_id, outcome=outcome)

    return synthesise(build)


def hastened(wanted: Template, service_timeout: int) -> Template:
    """The template with an earlier hand-over to the polling rule and an earlier deadline."""

    def hasten(body: dict[str, Any]) -> None:
        for resource in body["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                resource["Properties"]["Timeout"] = 180
            if resource["Type"] == "Custom::StopInferenceExperiment":
                resource["Properties"]["ServiceTimeout"] = service_timeout

    return wanted.changed(hasten)


def goes_as_declared(history: History, missing: str | None) -> bool:
    """Create, change the construct's id, stop for longer than an invocation takes, read the log.

    The change of the id takes seconds, and is skipped if it does not need the missing permission.
    """

    def deploy(wanted: Template) -> str:
        wanted = hastened(wanted, PATIENCE_SECONDS)
        return history.deploy(without(wanted, missing) if missing else wanted)

    # What the function lacks, a plan does not see.
    history.disturbed = missing is not None
    moves = missing in {None, "cloudformation:ListStackResources"}
    history.aws.configure(stop_seconds=200)
    return (
        deploy(template("Stop")) == "CREATE_COMPLETE"
        and (not moves or deploy(template("Halt")) == "UPDATE_COMPLETE")
        and not any(event["ResourceStatus"] == "DELETE_FAILED" for event in history.events())
        and deploy(template("Halt" if moves else "Stop", promotes=True)) == "UPDATE_COMPLETE"
        and eventually(lambda: not history.polling(), timeout_seconds=2)
        and eventually(lambda: "stop accepted" in history.log(), timeout_seconds=2)
        and "hand over later" not in history.log()
        # Whether another resource manages the experiment: a clean-up in doubt leaves it running.
        and "delete_holders_unknown" not in history.log()
    )


def test_the_list_holds_every_action_of_the_template() -> None:
    found = {*actions(template("Stop", promotes=True).body["Resources"])}
    assert found == set(ACTIONS)


def test_with_every_permission_the_history_goes_as_declared(history: History) -> None:
    assert goes_as_declared(history, None)
    history.end(stops=1)


# Only a creation that CloudFormation cancels needs it: see tests/loopback/test_waiting.py.
SELDOM = "events:ListTargetsByRule"


@pytest.mark.parametrize("action", [action for action in ACTIONS if action != SELDOM])
def test_without_a_permission_the_history_goes_another_way(history: History, action: str) -> None:
    assert not goes_as_declared(history, action)
