"""What cannot be read makes a plan less certain. It never makes it say less than may happen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cdk_stop_inference_experiment.cli.plan import (
    NO,
    PROMOTE,
    plan_change_set,
    plan_destroy,
)
from cdk_stop_inference_experiment.cli.reading import (
    STACK_TYPE,
    CannotPlan,
    Change,
    Resource,
    StackSeen,
)
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from tests.unit.situations import ARN, STACK
from tests.unit.situations import PROMOTE as PROMOTE_SHADOW

from .account import (
    NATIVE,
    Account,
    change_set,
    native,
    only,
    planned,
    removed,
)
from .past import PARENT, of_resource, of_stack, ours

TEST = Resource("Test", "fraud-shadow", NATIVE, "CREATE_COMPLETE")


@dataclass
class Denied(Account):
    """An account in which some templates and stacks cannot be read."""

    denied: set[str] = field(default_factory=set)

    def template(self, stack_id: str) -> Any:
        if stack_id in self.denied:
            raise CannotPlan("GetTemplate: AccessDenied")
        return super().template(stack_id)


def nested() -> Denied:
    """Our stack in another one, whose template cannot be read."""
    account = Denied(denied={PARENT})
    account.stacks[PARENT] = StackSeen(PARENT, "parent", "CREATE_COMPLETE")
    account.stacks[STACK] = replace(account.stacks[STACK], parent_id=PARENT)
    account.deployed[PARENT] = [Resource("Below", STACK, STACK_TYPE, "CREATE_COMPLETE")]
    account.happened[PARENT] = [
        of_stack("CREATE_IN_PROGRESS", 90, PARENT),
        of_stack("CREATE_COMPLETE", 140, PARENT),
    ]
    return account


# Templates that may retain what is deleted


def test_a_template_that_cannot_be_read_may_retain_a_nested_stack() -> None:
    verdict = only(plan_destroy(nested(), "parent"))
    assert (verdict.effect, verdict.certainty) == ("stop", "may")
    assert "may retain it" in verdict.because[0]


def test_a_nested_stack_that_may_be_retained_leaves_the_promotion_to_another_resource() -> None:
    account = nested()
    account.deployed[PARENT].append(Resource("Last", ARN, RESOURCE_TYPE, "CREATE_COMPLETE"))
    promotes = ours(ModelVariantActions=PROMOTE_SHADOW)
    account.happened[PARENT][1:1] = [
        of_resource("CREATE_IN_PROGRESS", 131, physical_id="", logical_id="Last"),
        of_resource("CREATE_COMPLETE", 132, declared=promotes, logical_id="Last"),
    ]
    first, last = plan_destroy(account, "parent").verdicts
    assert first.chance(PROMOTE) == NO
    assert last.chance(PROMOTE) == "may"


def test_what_must_be_deleted_before_a_nested_stack_may_keep_its_experiment() -> None:
    account = nested()
    account.denied = set()
    account.templates[PARENT] = {"Later": {"Type": "X", "DependsOn": "Below"}}
    verdict = only(plan_destroy(account, "parent"))
    assert verdict.because == ("Later must be deleted before it",)


def test_a_template_that_cannot_be_read_may_retain_the_experiment_itself() -> None:
    account = Denied(denied={STACK}, deployed={STACK: [TEST]})
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.is_native, verdict.effect, verdict.certainty) == (True, "stop", "may")


@pytest.mark.parametrize("policy", ["", "Delete"])
def test_a_template_that_cannot_be_read_may_retain_what_is_removed(policy: str) -> None:
    account = Denied(denied={STACK})
    verdict = only(planned(removed(policy=policy), account=account))
    assert (verdict.effect, verdict.certainty) == ("stop", "may" if policy == "" else "will")

    account.deployed[STACK] = [TEST]
    gone = native("Remove", policy=policy)
    verdict = only(planned(gone, account=account))
    assert (verdict.effect, verdict.certainty) == ("stop", "may" if policy == "" else "will")

    account = nested()
    below = Change("Remove", "Below", STACK_TYPE, STACK, policy=policy)
    account.change_sets["verdict"] = change_set(below, stack_id=PARENT)
    verdict = only(plan_change_set(account, "parent", "verdict"))
    assert (verdict.effect, verdict.certainty) == ("stop", "may" if policy == "" else "will")
