"""What a plan says of an endpoint that the same operation deletes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cdk_stop_inference_experiment.cli.document import Text, of_plan
from cdk_stop_inference_experiment.cli.plan import Plan, plan_change_set, plan_destroy
from cdk_stop_inference_experiment.cli.reading import STACK_TYPE, CannotPlan, Change, Resource
from cdk_stop_inference_experiment.cli.templates import Json
from tests.unit.situations import PROMOTE, STACK

from .account import CHANGE_SET, Account, change_set, nested, planned, removed
from .past import PARENT, created, experiment
from .test_plan import ALARMED, Measuring

ENDPOINT = "AWS::SageMaker::Endpoint"
FRAUD = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/fraud"
SERVES = ("keeps serving production", "serves production on", "go back")
WITH_STACK = "Its endpoint 'fraud' is deleted with the stack, and serves nothing any more."
IN_CLEAN_UP = WITH_STACK.replace("with the stack", "in the clean-up of this change set")


def says(plan: Plan) -> str:
    return " ".join(block.text for block in of_plan(plan) if isinstance(block, Text))


def owning(
    stack_id: str = STACK,
    physical_id: str = FRAUD,
    account: Account | None = None,
    **declared: Any,
) -> Account:
    """An account in which a stack owns an endpoint, and the test would promote."""
    account = account or Account()
    account.happened[STACK] = created(**{"ModelVariantActions": PROMOTE, **declared})
    endpoint = Resource("Endpoint", physical_id, ENDPOINT, "CREATE_COMPLETE")
    account.deployed[stack_id] = [*account.deployed[stack_id], endpoint]
    return account


def gone(**more: Any) -> Change:
    """The endpoint, removed from the template."""
    return replace(Change("Remove", "Endpoint", ENDPOINT, FRAUD, policy="Delete"), **more)


@pytest.mark.parametrize("physical_id", [FRAUD, "fraud", "Fraud"])
def test_a_deletion_says_that_the_endpoint_goes_with_the_stack(physical_id: str) -> None:
    said = says(plan_destroy(owning(physical_id=physical_id), "shadow"))
    assert WITH_STACK in said
    assert not any(words in said for words in SERVES)


def test_an_endpoints_arn_need_not_have_the_case_of_its_name() -> None:
    account = owning()
    account.experiments["fraud-shadow"] = experiment(endpoint_name="Fraud")
    assert "'Fraud' is deleted with the stack" in says(plan_destroy(account, "shadow"))


def test_a_promotion_that_evidence_may_come_to_allow_serves_nothing_either() -> None:
    account = Measuring(
        experiments={"fraud-shadow": experiment(created=time.time() - 10**6, sampling=50.0)},
        running={"fraud": {"production": 4}},
        state="ALARM",
    )
    outcome = {"Outcome": "PromoteShadow", "Instances": "Production"}
    evidence = {"PromoteIf": ALARMED["PromoteIf"], "ModelVariantActions": None}
    owning(account=account, **outcome, **evidence)
    said = says(plan_destroy(account, "shadow"))
    assert "If the evidence is successful by then, the shadow is promoted instead." in said
    assert not any(words in said for words in SERVES)


def test_the_endpoint_of_another_experiment_decides_nothing() -> None:
    said = says(plan_destroy(owning(physical_id=FRAUD + "-2"), "shadow"))
    assert "is deleted with" not in said
    assert "serves production on" in said
    assert "go back" in said


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_a_retained_endpoint_goes_on_serving(policy: str) -> None:
    account = owning()
    account.templates[STACK] = {"Endpoint": {"Type": ENDPOINT, "DeletionPolicy": policy}}
    said = says(plan_destroy(account, "shadow"))
    assert "is deleted with" not in said
    assert "serves production on" in said
    assert "go back" in said


@dataclass
class Denied(Account):
    """An account in which the template of one stack cannot be read."""

    stack_id: str = STACK

    def template(self, stack_id: str) -> Json:
        if stack_id == self.stack_id:
            raise CannotPlan("GetTemplate: AccessDenied")
        return super().template(stack_id)


@pytest.mark.parametrize("denied", [PARENT, STACK])
def test_without_the_template_nothing_is_said_of_what_serves(denied: str) -> None:
    for physical_id in (FRAUD, FRAUD + "-2"):
        below = nested()
        account = Denied(stacks=below.stacks, deployed=below.deployed, stack_id=denied)
        account.happened[PARENT] = below.happened[PARENT]
        owning(physical_id=physical_id, account=account)
        said = says(plan_destroy(account, "parent"))
        assert "is deleted with" not in said
        assert (physical_id == FRAUD) != any(words in said for words in SERVES)


def test_a_change_set_that_names_no_policy_leaves_it_open_without_the_template() -> None:
    change = gone(policy="")
    said = says(planned(removed(), change, account=owning(account=Denied())))
    assert not any(words in said for words in (*SERVES, "is deleted in"))
    assert IN_CLEAN_UP in says(planned(removed(), gone(), account=owning(account=Denied())))
    assert IN_CLEAN_UP in says(planned(removed(), change, account=owning()))


@pytest.mark.parametrize("owner", [PARENT, STACK])
def test_the_endpoint_of_a_parent_or_a_nested_stack_goes_with_the_stack(owner: str) -> None:
    account = owning(owner, account=nested())
    assert WITH_STACK in says(plan_destroy(account, "parent"))


def test_the_endpoint_of_a_retained_nested_stack_goes_on_serving() -> None:
    account = Account()
    sibling = STACK.replace("/shadow/", "/sibling/")
    account.stacks[sibling] = replace(account.stacks[STACK], stack_id=sibling, name="sibling")
    account.deployed[sibling] = []
    owning(sibling, account=account)
    account.deployed[STACK].append(Resource("Sibling", sibling, STACK_TYPE, "CREATE_COMPLETE"))
    assert WITH_STACK in says(plan_destroy(account, "shadow"))
    account.templates[STACK] = {"Sibling": {"Type": STACK_TYPE, "DeletionPolicy": "Retain"}}
    assert "serves production on" in says(plan_destroy(account, "shadow"))


def test_an_update_says_that_its_clean_up_deletes_the_endpoint() -> None:
    said = says(planned(removed(), gone(), account=owning()))
    assert IN_CLEAN_UP in said
    assert not any(words in said for words in SERVES)
    said = says(planned(removed(), gone(policy="Retain"), account=owning()))
    assert "serves production on" in said
    assert "is deleted" not in said
    said = says(planned(removed(), account=owning()))
    assert "serves production on" in said


def test_an_update_that_removes_a_nested_stack_deletes_its_endpoint() -> None:
    account = owning(account=nested())
    below = Change("Remove", "Below", STACK_TYPE, STACK, policy="Delete")
    account.change_sets["verdict"] = change_set(below, stack_id=PARENT)
    assert IN_CLEAN_UP in says(plan_change_set(account, "parent", "verdict"))


@pytest.mark.parametrize(
    ("replaced", "policy", "goes", "serves"),
    [
        ("True", "Delete", True, False),
        ("Conditional", "Delete", False, False),
        ("True", "Retain", False, True),
        ("False", "Delete", False, True),
    ],
)
def test_a_replaced_endpoint_is_deleted_in_the_clean_up(
    replaced: str, policy: str, goes: bool, serves: bool
) -> None:
    account = owning()
    definition = {"Type": ENDPOINT, "UpdateReplacePolicy": policy}
    account.new_templates[CHANGE_SET] = {"Endpoint": definition}
    change = gone(action="Modify", replaced=replaced, policy="")
    said = says(planned(removed(), change, account=account))
    assert (IN_CLEAN_UP in said) == goes
    assert ("serves production on" in said) == serves


def test_an_experiment_that_is_let_go_does_not_give_its_endpoint_back() -> None:
    account = owning(StopOn=["Update"])
    account.experiments["fraud-shadow"] = experiment(scheduled_end=time.time() + 10**6)
    said = says(plan_destroy(account, "shadow"))
    assert f"It is Running, and i{WITH_STACK[1:]}" in said
    assert "ends by itself" not in said
    account.deployed[STACK].pop()
    assert "goes back to what it was" in says(plan_destroy(account, "shadow"))


def test_a_stop_is_not_held_against_a_schedule_that_the_endpoint_does_not_live_to_see() -> None:
    account = owning()
    account.experiments["fraud-shadow"] = experiment(scheduled_end=time.time() + 10**6)
    assert "Without a stop" not in says(plan_destroy(account, "shadow"))
    account.deployed[STACK].pop()
    assert "Without a stop" in says(plan_destroy(account, "shadow"))
