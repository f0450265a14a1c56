"""What CloudFormation sends in an operation: the cases in which a change set does not say so.

In each of the first five groups the command once said "nothing, will" before a stop or a promotion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cdk_stop_inference_experiment.cli.document import headline
from cdk_stop_inference_experiment.cli.plan import (
    FAIL,
    PROMOTE,
    STOP,
    Plan,
    Verdict,
    plan_change_set,
    plan_destroy,
)
from cdk_stop_inference_experiment.cli.reading import (
    STACK_TYPE,
    CannotPlan,
    Change,
    DescribedStack,
    Resource,
)
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from tests.unit.situations import ARN, OTHER_ARN, RESOURCE, STACK, R, S, variant
from tests.unit.situations import PROMOTE as PROMOTE_SHADOW

from .account import (
    CHANGE_SET,
    FUNCTION,
    NATIVE,
    TEST,
    Account,
    added,
    after_failed_update,
    change_set,
    dynamic,
    modified,
    native,
    only,
    other,
    planned,
    removed,
)
from .past import PARENT, TOKEN, created, experiment, ours

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
OTHER_TOKEN = TOKEN.replace("stopper", "another")
BOTH = [variant("production"), variant("shadow")]


def of(plan: Plan, logical_id: str) -> Verdict:
    (verdict,) = (one for one in plan.verdicts if one.place.logical_id == logical_id)
    return verdict


def with_native(**declared: Any) -> Account:
    """A stack that creates the experiment, too."""
    account = Account()
    account.deployed[STACK].append(TEST)
    account.happened[STACK] = created(**declared)
    return account


# 1. CloudFormation's own resource


@pytest.mark.parametrize("state", ["Completed", "Cancelled"])
def test_cloudformations_own_resource_stops_a_running_experiment(state: str) -> None:
    change = native(after={"Name": "fraud-shadow", "DesiredState": state, "ModelVariants": BOTH})
    plan = planned(change, account=with_native(StopOn=["Update"]))
    verdict = of(plan, "Test")
    assert (verdict.effect, verdict.chance(STOP), verdict.is_native) == ("stop", "will", True)
    assert headline(verdict) == "will stop it and keep both variants"
    assert "CloudFormation's own resource will stop it and keep both variants" in verdict.why
    assert verdict.stop_request is not None
    assert verdict.stop_request["ModelVariantActions"] == {
        "production": "Retain",
        "shadow": "Retain",
    }
    assert plan.may(STOP)


def test_cloudformations_own_resource_promotes_the_only_variant_that_is_left() -> None:
    left = {"Name": "fraud-shadow", "DesiredState": "Completed", "ModelVariants": BOTH[1:]}
    verdict = of(planned(native(after=left), account=with_native()), "Test")
    assert verdict.chance(PROMOTE) == "will"
    assert headline(verdict) == "will stop it and promote the shadow"


def test_cloudformations_own_resource_stops_nothing_without_a_final_state() -> None:
    for change in (
        native(after={"DesiredState": "Running"}),
        native(after={"DesiredState": "Completed"}, scope=("Metadata",)),
    ):
        assert not planned(change, account=with_native()).may(STOP)
    ended = with_native()
    ended.experiments["fraud-shadow"] = experiment("Completed")
    assert not planned(native(after={"DesiredState": "Completed"}), account=ended).may(STOP)


def test_a_final_state_that_is_known_only_later_may_stop_it() -> None:
    late = native(
        after={"DesiredState": "Running"}, details=(dynamic("DesiredState", "Switch.Value"),)
    )
    verdict = of(planned(late, account=with_native()), "Test")
    assert (verdict.effect, verdict.certainty) == ("stop", "may")


def test_cloudformations_own_resource_stops_what_is_removed_from_the_stack() -> None:
    gone = native("Remove", policy="Delete", before={"Name": "fraud-shadow"}, after=None)
    verdict = of(planned(gone, account=with_native()), "Test")
    assert (verdict.moment, verdict.chance(STOP)) == ("clean-up", "may")
    kept = planned(replace(gone, policy="Retain"), account=with_native())
    assert not kept.may(STOP)


def test_a_destroyed_stack_stops_its_own_experiment_if_ours_lets_go() -> None:
    plan = plan_destroy(with_native(StopOn=["Update"]), "shadow")
    ours_does, native_does = plan.verdicts
    assert (ours_does.effect, ours_does.row) == ("nothing", "delete_not_in_stop_on")
    assert (native_does.is_native, native_does.chance(STOP)) == (True, "will")
    assert plan.may(STOP)
    ended, too_late = plan_destroy(with_native(), "shadow").verdicts
    assert (ended.effect, ended.certainty) == ("stop", "will")
    assert (too_late.effect, too_late.certainty) == ("nothing", "will")


def test_the_native_resource_finds_what_an_earlier_step_has_ended() -> None:
    account = with_native()
    ends, finds = plan_destroy(account, "shadow").verdicts
    assert ends.effect == "stop"
    assert finds.why.endswith("stops nothing: the experiment will have ended by then")
    account.experiments["fraud-shadow"] = experiment("Completed")
    _, finds = plan_destroy(account, "shadow").verdicts
    assert finds.why.endswith("stops nothing: the experiment is Completed")


def test_a_replaced_experiment_is_stopped_unless_its_policy_retains_it() -> None:
    replaced = native(replaced="True", before={"Name": "fraud-shadow"}, after={"Name": "next"})
    account = with_native(StopOn=["Update"])
    definition = {"Type": NATIVE, "Properties": {}}
    mine = {"Type": RESOURCE_TYPE, "Properties": ours()}
    account.new_templates[CHANGE_SET] = {"Test": definition, RESOURCE: mine}
    assert planned(replaced, account=account).may(STOP)
    retained = {**definition, "UpdateReplacePolicy": "Retain"}
    account.new_templates[CHANGE_SET] = {"Test": retained, RESOURCE: mine}
    assert not planned(replaced, account=account).may(STOP)


# 2. What a failed update left


def test_what_a_failed_update_left_is_updated_although_the_change_set_adds_it() -> None:
    left = ours(StopOn=["Update"])
    account = after_failed_update(
        Account(happened={STACK: [*created("Else")[:1], *created("Else")[-1:]]}),
        R("CREATE_IN_PROGRESS", at=210, physical_id=""),
        R("CREATE_COMPLETE", at=220, given=left),
    )
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE}}
    change = added(ours(StopOn=["Update"], ModelVariantActions=PROMOTE_SHADOW))
    verdict = only(planned(change, account=account))
    assert (verdict.request, verdict.effect, verdict.certainty) == ("Update", "stop", "will")
    assert verdict.chance(PROMOTE) == "will"


# 3. A dynamic change beside another one


@pytest.mark.parametrize("name", ["EndNow", "DesiredState"])
def test_a_dynamic_change_that_another_edit_hides_may_stop_it(name: str) -> None:
    change = modified(after=ours(Reason="in other words"), details=(dynamic(name, "Switch.Value"),))
    switch = other(logical_id="Switch")
    verdict = only(planned(change, switch))
    assert (verdict.effect, verdict.certainty) == ("stop", "may")
    assert f"'{name}': known only during the deployment" in verdict.because


# 4. What a failed creation never reached


def test_what_a_failed_creation_never_reached_is_created_by_the_next_operation() -> None:
    account = Account(deployed={STACK: []})
    account.of_stack("CREATE_FAILED")
    account.happened[STACK] = [
        S("CREATE_IN_PROGRESS", at=100),
        S("CREATE_FAILED", at=130),
    ]
    definition = {"Type": RESOURCE_TYPE, "Properties": ours(StopOn=["Create"])}
    account.new_templates[CHANGE_SET] = {RESOURCE: definition}
    verdict = only(planned(other("Add"), account=account))
    assert (verdict.request, verdict.effect) == ("Create", "stop")
    assert verdict.chance(STOP) == "may"


def test_a_change_that_a_failed_update_never_reached_comes_with_the_next_one() -> None:
    """The change set compares with the template of the failed update."""
    account = after_failed_update(Account())
    ends = {"Type": RESOURCE_TYPE, "Properties": ours(EndNow="true")}
    account.new_templates[CHANGE_SET] = {RESOURCE: ends}
    verdict = only(planned(other(), account=account))
    assert (verdict.request, verdict.effect, verdict.certainty) == ("Update", "stop", "may")


# 5. A rename whose undo was skipped


def test_a_rename_whose_undo_was_skipped_ends_the_first_experiment_when_it_is_deleted() -> None:
    account = Account()
    account.happened[STACK] += [
        S("UPDATE_IN_PROGRESS", at=200),
        R("UPDATE_IN_PROGRESS", at=210, given=ours(Name="other")),
        R("UPDATE_COMPLETE", at=220, given=ours(Name="other"), physical_id=OTHER_ARN),
        S("UPDATE_ROLLBACK_IN_PROGRESS", at=230),
        S("UPDATE_ROLLBACK_FAILED", at=240),
        S("UPDATE_ROLLBACK_IN_PROGRESS", at=250),
        R("UPDATE_COMPLETE", at=260, given=ours(), physical_id=OTHER_ARN),
        S("UPDATE_ROLLBACK_COMPLETE", at=270),
    ]
    account.experiments["other"] = experiment(arn=OTHER_ARN, name="other")
    account.deployed[STACK] = [Resource(RESOURCE, OTHER_ARN, RESOURCE_TYPE, "UPDATE_COMPLETE")]
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.experiment, verdict.row) == ("other", "delete_not_held")
    account.deployed[STACK] = [Resource(RESOURCE, ARN, RESOURCE_TYPE, "UPDATE_COMPLETE")]
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.experiment, verdict.effect) == ("fraud-shadow", "stop")


# 6. and 7. The function


def upgraded(**more: Any) -> Change:
    """The provider's function, with another memory size."""
    change = Change("Modify", "Handler", FUNCTION, "stopper", ("Properties",), "False", before={})
    return replace(change, **more)


@pytest.mark.parametrize("lists", [True, False])
def test_an_upgrade_of_the_function_sends_no_request(lists: bool) -> None:
    """A modified function keeps its ARN. The change set lists the resource all the same."""
    token = dynamic("ServiceToken", "Handler.Arn")
    change = modified(None, None, details=(token,)) if lists else None
    plan = planned(*filter(None, [upgraded(), change]))
    verdict = only(plan)
    assert (verdict.request, verdict.effect, verdict.certainty) == ("", "nothing", "will")
    assert not any(plan.may(what) for what in (STOP, PROMOTE, FAIL))


def test_a_function_that_is_replaced_fails_the_update() -> None:
    account = Account()
    token = {"Fn::GetAtt": ["Handler", "Arn"]}
    definition = {"Type": RESOURCE_TYPE, "Properties": {**ours(), "ServiceToken": token}}
    account.new_templates[CHANGE_SET] = {RESOURCE: definition}
    change = modified(after={**ours(), "ServiceToken": LATER})
    verdict = only(planned(upgraded(replaced="True"), change, account=account))
    assert (verdict.effect, verdict.chance(STOP), verdict.chance(FAIL)) == ("fail", "no", "will")
    assert "CloudFormation refuses another ServiceToken" in verdict.why


def test_another_provider_will_fail() -> None:
    change = modified(after={**ours(EndNow="true"), "ServiceToken": OTHER_TOKEN})
    verdict = only(planned(change))
    assert (verdict.effect, verdict.certainty, verdict.chance(STOP)) == ("fail", "will", "no")
    assert "CloudFormation refuses another ServiceToken" in verdict.why


def test_a_function_that_does_not_exist_any_more_will_fail() -> None:
    account = Account(description=None)
    for plan in (
        planned(modified(after=ours(EndNow="true")), account=account),
        plan_destroy(account, "shadow"),
    ):
        verdict = only(plan)
        assert (verdict.effect, verdict.certainty) == ("fail", "will")
        assert "its function no longer exists" in verdict.why


def test_a_wait_that_may_not_end_in_time_may_fail() -> None:
    change = modified(after=ours(EndNow="true"))
    account = Account(experiments={"fraud-shadow": experiment("Stopping")})
    verdict = only(planned(change, account=account))
    assert (verdict.effect, verdict.chance(STOP), verdict.chance(FAIL)) == ("wait", "no", "may")
    assert headline(verdict) == "sends no stop, may wait for an end already under way, may fail"
    short = modified(after=ours(EndNow="true", ServiceTimeout="120"))
    verdict = only(planned(short))
    assert (verdict.chance(STOP), verdict.chance(FAIL)) == ("will", "may")
    assert "'ServiceTimeout'" in verdict.because[0]


def test_the_old_experiment_of_a_rename_may_be_retained() -> None:
    account = Account()
    account.experiments["other"] = experiment(arn=OTHER_ARN, name="other")
    definition = {"Type": RESOURCE_TYPE, "UpdateReplacePolicy": "Retain"}
    account.new_templates[CHANGE_SET] = {RESOURCE: definition}
    _, kept = planned(modified(after=ours(Name="other")), account=account).verdicts
    assert (kept.request, kept.effect) == ("", "nothing")
    assert "UpdateReplacePolicy" in kept.why


# 8. Another resource of ours that fails


def test_a_stop_beside_another_resource_of_ours_that_will_fail_may_happen() -> None:
    account = Account()
    account.experiments["other"] = experiment(arn=OTHER_ARN, name="other")
    fails = added(ours(Name="other", EndNow="true"), "Else")
    plan = planned(modified(after=ours(EndNow="true")), fails, account=account)
    verdict = of(plan, RESOURCE)
    assert (verdict.effect, verdict.chance(STOP)) == ("stop", "may")
    assert "'Else' may fail first" in verdict.because


# 9. Templates, nested stacks, and what never was stable


def test_nothing_is_deleted_that_the_new_template_still_declares() -> None:
    account = after_failed_update(Account())
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE, "Properties": ours()}}
    plan = planned(other(), account=account)
    assert [verdict.request for verdict in plan.verdicts] == ["Update"]
    assert not plan.may(STOP)


def test_what_a_failed_update_had_removed_is_deleted() -> None:
    account = after_failed_update(Account())
    account.new_templates[CHANGE_SET] = {"Other": {"Type": "AWS::SSM::Parameter"}}
    verdict = only(planned(other(), account=account))
    assert (verdict.request, verdict.moment, verdict.effect) == ("Delete", "clean-up", "stop")


def test_what_never_was_created_and_is_removed_stops_nothing() -> None:
    account = Account()
    account.of_stack("CREATE_FAILED")
    account.deployed[STACK] = [
        Resource(RESOURCE, "Stop-not-created-1", RESOURCE_TYPE, "CREATE_FAILED")
    ]
    account.happened[STACK] = [
        S("CREATE_IN_PROGRESS", at=100),
        R("CREATE_IN_PROGRESS", at=110, physical_id=""),
        R("CREATE_FAILED", at=120, physical_id="Stop-not-created-1"),
        S("CREATE_FAILED", at=130),
    ]
    account.new_templates[CHANGE_SET] = {"Other": {"Type": "AWS::SSM::Parameter"}}
    for plan in (planned(other(), account=account), plan_destroy(account, "shadow")):
        verdict = only(plan)
        assert (verdict.request, verdict.effect, verdict.certainty) == ("Delete", "nothing", "will")


def test_a_nested_stack_that_is_retained_keeps_its_experiments() -> None:
    account = Account()
    account.stacks[PARENT] = DescribedStack(PARENT, "parent", "CREATE_COMPLETE")
    account.stacks[STACK] = replace(account.stacks[STACK], parent_id=PARENT)
    account.deployed[PARENT] = [Resource("Below", STACK, STACK_TYPE, "CREATE_COMPLETE")]
    account.templates[PARENT] = {"Below": {"Type": STACK_TYPE, "DeletionPolicy": "Retain"}}
    gone = Change("Remove", "Below", STACK_TYPE, STACK, policy="Retain")
    account.change_sets["verdict"] = change_set(gone, stack_id=PARENT)
    for plan in (
        plan_destroy(account, "parent"),
        plan_change_set(account, "parent", "verdict"),
    ):
        verdict = only(plan)
        assert (verdict.request, verdict.effect, verdict.certainty) == ("", "nothing", "will")
        assert "retained" in verdict.why


def test_a_change_set_of_another_stack_is_an_error() -> None:
    account = Account()
    account.change_sets[CHANGE_SET] = change_set(modified(after=ours()))
    assert plan_change_set(account, "shadow", CHANGE_SET).verdicts
    with pytest.raises(CannotPlan, match="belongs to stack 'shadow', not to 'other'"):
        plan_change_set(account, "other", CHANGE_SET)


def test_a_template_that_cannot_be_read_may_retain_what_is_destroyed() -> None:
    class Denied(Account):
        def template(self, stack_id: str) -> Any:
            raise CannotPlan("GetTemplate: AccessDenied")

    verdict = only(plan_destroy(Denied(), "shadow"))
    assert (verdict.effect, verdict.certainty) == ("stop", "may")
    assert "may retain it" in verdict.because[0]


def test_what_is_removed_and_retained_by_the_old_template_is_let_go() -> None:
    account = Account()
    account.templates[STACK] = {RESOURCE: {"Type": RESOURCE_TYPE, "DeletionPolicy": "Retain"}}
    verdict = only(planned(removed(policy=""), account=account))
    assert (verdict.request, verdict.effect) == ("", "nothing")
