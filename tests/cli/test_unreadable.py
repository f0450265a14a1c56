"""What cannot be read makes a plan less certain. It never makes it say less than may happen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cdk_stop_inference_experiment.cli import main
from cdk_stop_inference_experiment.cli.document import Text, of_status
from cdk_stop_inference_experiment.cli.plan import (
    NO,
    PROMOTE,
    STOP,
    plan_change_set,
    plan_destroy,
)
from cdk_stop_inference_experiment.cli.reading import (
    STACK_TYPE,
    CannotPlan,
    Change,
    Detail,
    Resource,
)
from cdk_stop_inference_experiment.cli.status import status_of
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import Kind, NotReadable
from tests.unit.situations import ARN, OTHER_ARN, RESOURCE, STACK, R, S
from tests.unit.situations import PROMOTE as PROMOTE_SHADOW

from .account import (
    CHANGE_SET,
    FUNCTION,
    LATER,
    TEST,
    Account,
    added,
    after_failed_update,
    change_set,
    in_parent,
    modified,
    native,
    only,
    other,
    planned,
    removed,
)
from .past import PARENT, created, experiment, ours


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
    return in_parent(Denied(denied={PARENT}))


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
        R("CREATE_IN_PROGRESS", at=131, physical_id="", logical_id="Last"),
        R("CREATE_COMPLETE", at=132, given=promotes, logical_id="Last"),
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


# Nested stacks


def test_a_nested_stack_that_cannot_be_described_is_not_taken_for_a_new_one() -> None:
    account = nested()
    del account.stacks[STACK]
    below = change_set(removed())
    change = Change("Modify", "Below", STACK_TYPE, STACK, ("Properties",), nested=below)
    account.change_sets["verdict"] = change_set(change, stack_id=PARENT)
    with pytest.raises(CannotPlan, match="does not exist"):
        plan_change_set(account, "parent", "verdict")


@pytest.mark.parametrize("action", ["Modify", "Dynamic"])
def test_a_nested_stack_without_a_change_set_may_get_a_resource_that_stops(action: str) -> None:
    account = nested()
    account.deployed[STACK] = []
    change = Change(action, "Below", STACK_TYPE, STACK, ("Properties",))
    account.change_sets["verdict"] = change_set(change, stack_id=PARENT)
    verdict = only(plan_change_set(account, "parent", "verdict"))
    assert (verdict.place.logical_id, verdict.effect) == ("Below", "unknown")


# New templates


def test_a_resource_whose_condition_becomes_false_is_deleted() -> None:
    account = Account()
    definition = {"Type": RESOURCE_TYPE, "Properties": ours(), "Condition": "Wanted"}
    account.new_templates[CHANGE_SET] = {RESOURCE: definition}
    verdict = only(planned(removed(), account=account))
    assert (verdict.request, verdict.moment, verdict.effect) == ("Delete", "clean-up", "stop")


def test_a_condition_that_a_failed_update_never_reached_is_not_known() -> None:
    account = after_failed_update(Account())
    definition = {"Type": RESOURCE_TYPE, "Properties": ours(), "Condition": "Wanted"}
    account.new_templates[CHANGE_SET] = {RESOURCE: definition}
    verdict = only(planned(other(), account=account))
    assert verdict.effect == "unknown"
    assert "Condition" in verdict.why


def test_what_a_failed_update_left_is_not_known_without_the_new_template() -> None:
    with pytest.raises(CannotPlan, match="GetTemplate"):
        planned(other(), account=after_failed_update(Account()))


@pytest.mark.parametrize("details", [(), (Detail("Properties", "EndNow", "DirectModification"),)])
def test_a_change_without_values_or_a_template_may_be_any(details: tuple[Detail, ...]) -> None:
    verdict = only(planned(modified(details=details)))
    assert verdict.chance(STOP) == ("may" if details else "unknown")


@pytest.mark.parametrize("action", ["Modify", "Dynamic"])
def test_the_native_resource_is_not_known_without_its_new_properties(action: str) -> None:
    account = Account(deployed={STACK: [TEST]})
    verdict = only(planned(native(action, after=None), account=account))
    assert (verdict.effect, verdict.experiment) == ("unknown", "fraud-shadow")


def test_the_native_resource_may_promote_if_its_variants_are_not_known() -> None:
    account = Account(deployed={STACK: [TEST]})
    after = {"DesiredState": "Completed", "ModelVariants": LATER}
    verdict = only(planned(native(after=after), account=account))
    assert verdict.chance(STOP) == "will"
    assert verdict.chance(PROMOTE) == "may"


def test_the_native_resource_may_stop_what_has_a_status_that_is_not_known() -> None:
    account = Account(deployed={STACK: [TEST]})
    account.experiments["fraud-shadow"] = experiment("Paused")
    verdict = only(plan_destroy(account, "shadow"))
    assert verdict.chance(STOP) == "may"


SHADOWED = {
    "Name": "fraud-shadow",
    "ShadowModeConfig": {
        "SourceModelVariantName": "production",
        "ShadowModelVariants": [{"ShadowModelVariantName": "shadow"}],
    },
    "ModelVariants": [{"VariantName": "production"}, {"VariantName": "shadow"}],
}


@pytest.mark.parametrize(
    "hidden",
    [
        {},
        {"Name": LATER},
        {"ShadowModeConfig": LATER},
        {"ModelVariants": LATER},
        {"ModelVariants": [LATER]},
        {"ModelVariants": [{"VariantName": LATER}]},
        {"ShadowModeConfig": {"SourceModelVariantName": LATER}},
        {"ShadowModeConfig": {"ShadowModelVariants": LATER}},
    ],
)
def test_an_experiment_that_the_deployment_creates_is_not_known_with_all_its_names(
    hidden: dict[str, Any],
) -> None:
    account = Account(deployed={}, happened={}, experiments={})
    account.of_stack("REVIEW_IN_PROGRESS")
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE, "DependsOn": "Test"}}
    made = native("Add", physical_id="", after={**SHADOWED, **hidden})
    verdict = only(planned(made, added(ours(StopOn=["Create"])), account=account))
    assert verdict.chance(STOP) == ("unknown" if hidden else "may")


def test_a_rename_is_found_in_the_template_if_the_change_set_has_no_values() -> None:
    account = Account()
    account.experiments["other"] = experiment(arn=OTHER_ARN, name="other")
    renamed = {"Type": RESOURCE_TYPE, "Properties": ours(Name="other")}
    account.new_templates[CHANGE_SET] = {RESOURCE: renamed}
    plan = planned(modified(), account=account)
    assert [(one.request, one.effect) for one in plan.verdicts] == [
        ("Update", "nothing"),
        ("Delete", "stop"),
    ]


def test_a_resource_that_may_be_renamed_is_no_certain_holder() -> None:
    account = Account()
    account.deployed[STACK].append(Resource("Else", ARN, RESOURCE_TYPE, "CREATE_COMPLETE"))
    account.happened[STACK][3:3] = [
        R("CREATE_IN_PROGRESS", at=121, physical_id="", logical_id="Else"),
        R("CREATE_COMPLETE", at=122, given=ours(), logical_id="Else"),
    ]
    renamed = modified(after=ours(Name=LATER), logical_id="Else")
    plan = planned(removed(), renamed, account=account)
    (verdict,) = (one for one in plan.verdicts if one.place.logical_id == RESOURCE)
    assert verdict.effect == "unknown"


# Values that are shown otherwise than they are sent


@pytest.mark.parametrize("shown", ["****", "{{resolve:ssm:/verdict}}"])
@pytest.mark.parametrize("name", ["EndNow", "DesiredState", "Outcome"])
def test_a_value_that_is_masked_or_resolved_later_may_end_the_experiment(
    name: str, shown: str
) -> None:
    declared = ours(**{name: shown})
    if name == "Outcome":
        del declared["ModelVariantActions"]
    verdict = only(planned(modified(before=declared, after=declared | {"Reason": "new"})))
    assert verdict.chance(STOP) not in (NO, "will")


def test_a_masked_name_is_not_taken_for_another_experiment() -> None:
    account = Account()
    account.happened[STACK] = created(Name="****")
    assert only(plan_destroy(account, "shadow")).effect == "unknown"


def test_an_older_declaration_does_not_stand_for_one_that_cannot_be_read() -> None:
    account = Account()
    account.happened[STACK] = created(StopOn=["Update"])
    account.happened[STACK] += [
        S("UPDATE_IN_PROGRESS", at=200),
        R("UPDATE_IN_PROGRESS", at=210),
        R("UPDATE_COMPLETE", at=220),
        S("UPDATE_COMPLETE", at=230),
    ]
    assert only(plan_destroy(account, "shadow")).effect == "unknown"


PARAMETERS = {"Masked": {"Type": "String"}, "Lists": {"Type": "CommaDelimitedList"}}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_without_one_readable_value_is_not_known(name: str) -> None:
    value = {"Masked": "****", "Lists": "Update"}[name]
    account = Account()
    account.stacks[STACK] = replace(account.stacks[STACK], parameters={name: value})
    account.happened[STACK] = [
        S("UPDATE_IN_PROGRESS", at=120),
        S("UPDATE_COMPLETE", at=130),
    ]
    definition = {"Type": RESOURCE_TYPE, "Properties": ours(StopOn={"Ref": name})}
    account.templates[STACK] = {RESOURCE: definition}
    account.parameters = PARAMETERS
    assert only(plan_destroy(account, "shadow")).effect == "unknown"


WHOLE = {
    "ModelVariantActions": ours(),
    "DesiredModelVariants": ours(),
    "Instances": {**ours(), "Outcome": "PromoteShadow"},
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_structure_of_which_nothing_is_known_may_end_the_experiment(name: str) -> None:
    before = WHOLE[name]
    if name == "Instances":
        before = {key: value for key, value in before.items() if key != "ModelVariantActions"}
    verdict = only(planned(modified(before=before, after={**before, name: LATER})))
    assert verdict.chance(STOP) not in (NO, "will")


def test_a_state_that_may_be_left_out_may_be_no_change() -> None:
    before = ours()
    before.pop("DesiredState", None)
    verdict = only(planned(modified(before=before, after={**before, "DesiredState": LATER})))
    assert (verdict.effect, verdict.chance(STOP)) == ("stop", "may")


# Functions


def test_a_function_that_is_not_known_may_have_another_version() -> None:
    account = Account(deployed={STACK: []}, happened={STACK: created()[::3]})
    verdict = only(planned(added(ours(ServiceToken=LATER)), account=account))
    assert verdict.chance(PROMOTE) == "may"
    assert "not known before the deployment" in verdict.because[0]


@pytest.mark.parametrize("after", [None, {"Description": LATER}])
def test_a_function_whose_new_version_is_not_known_makes_the_plan_uncertain(after: Any) -> None:
    function = Change(
        "Modify", "Stopper", FUNCTION, "stopper", ("Properties",), "False", after=after
    )
    verdict = only(planned(modified(after=ours(EndNow="true")), function))
    assert verdict.chance(PROMOTE) == "may"


# Two resources of one experiment


def test_a_stop_that_is_not_certain_leaves_the_next_one_possible_whatever_the_names_case() -> None:
    account = nested()
    account.experiments = {"Fraud-Shadow": experiment(name="Fraud-Shadow")}
    account.happened[STACK] = created(Name="Fraud-Shadow")
    account.deployed[PARENT].append(Resource("Last", ARN, RESOURCE_TYPE, "CREATE_COMPLETE"))
    promotes = ours(Name="Fraud-Shadow", ModelVariantActions=PROMOTE_SHADOW)
    account.happened[PARENT][1:1] = [
        R("CREATE_IN_PROGRESS", at=131, physical_id="", logical_id="Last"),
        R("CREATE_COMPLETE", at=132, given=promotes, logical_id="Last"),
    ]
    _, last = plan_destroy(account, "parent").verdicts
    assert last.chance(PROMOTE) == "may"


# What is said


def test_one_decision_that_rests_on_what_cannot_be_read_makes_all_of_it_unknown() -> None:
    account = Account(unreadable={STACK: NotReadable(Kind.REFUSED, "AccessDenied")})
    before, after = ours(), ours(EndNow=LATER)
    verdict = only(planned(modified(before=before, after=after), account=account))
    assert verdict.effect == "unknown"
    assert "AccessDenied" in verdict.why
    assert not verdict.sentence


# Status


def test_an_experiment_that_cannot_be_read_fails_a_scheduled_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account(experiments={"fraud-shadow": NotReadable(Kind.REFUSED, "AccessDenied")})
    made = "cdk_stop_inference_experiment.cli.command.Reader"
    monkeypatch.setattr(made, lambda _session: account)
    arguments = ["status", "shadow", "--region", "eu-west-1"]
    assert main(arguments) == 0
    assert main([*arguments, "--fail-on", "ends-within=24h"]) == 2


def test_an_end_is_nobodys_if_the_declaration_is_not_known() -> None:
    account = Account(unreadable={STACK: NotReadable(Kind.REFUSED, "AccessDenied")})
    account.experiments["fraud-shadow"] = experiment("Completed", status_reason="by hand")
    (resource,) = status_of(account, "shadow").resources
    assert resource.ended_by == ""
    assert "not known: the reason is 'by hand'" in resource.ended


def test_a_masked_name_is_read_from_the_physical_id() -> None:
    account = Account()
    account.happened[STACK] = created(Name="****")
    (resource,) = status_of(account, "shadow").resources
    assert (resource.experiment, resource.status) == ("fraud-shadow", "Running")


def test_status_says_that_a_function_of_another_version_may_stop_what_this_one_does_not() -> None:
    account = Account(description="another")
    account.happened[STACK] = created(StopOn=["Update"])
    lines = [one.text for one in of_status([status_of(account, "shadow")]) if isinstance(one, Text)]
    (teardown,) = (line for line in lines if line.startswith("A teardown"))
    assert "would stop nothing" in teardown
    assert "it may stop it, too: the function has" in teardown
