"""What happens otherwise than a change set shows it, or besides. No headline may be weaker."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cdk_stop_inference_experiment.cli import main
from cdk_stop_inference_experiment.cli.operations import ENDPOINT_TYPE
from cdk_stop_inference_experiment.cli.plan import (
    FAIL,
    MAY,
    NO,
    PROMOTE,
    STOP,
    UNKNOWN,
    WILL,
    Plan,
    plan_change_set,
    plan_destroy,
)
from cdk_stop_inference_experiment.cli.reading import (
    STACK_TYPE,
    Change,
    Reader,
    Resource,
)
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import StackEvent
from tests.unit.situations import ARN, RESOURCE, STACK, R, S, variant
from tests.unit.situations import PROMOTE as PROMOTE_SHADOW

from .account import (
    CHANGE_SET,
    FUNCTION,
    LATER,
    NATIVE,
    TEST,
    Account,
    added,
    after_failed_update,
    change_set,
    dynamic,
    modified,
    native,
    nested,
    only,
    other,
    planned,
    removed,
)
from .past import PARENT, TOKEN, created, experiment, ours

NO_VALUE = {"Ref": "AWS::NoValue"}
WANTED = {"Condition": "Wanted"}


def of_parent(account: Account, *changes: Change) -> Plan:
    account.change_sets["verdict"] = change_set(*changes, stack_id=PARENT)
    return plan_change_set(account, "parent", "verdict")


# Conditions: a template also declares what they leave out


def test_a_condition_that_becomes_false_deletes_cloudformations_own_resource() -> None:
    account = Account(deployed={STACK: [TEST]})
    account.new_templates[CHANGE_SET] = {"Test": {"Type": NATIVE, **WANTED, "Properties": {}}}
    verdict = only(planned(native("Remove", policy="Delete"), account=account))
    assert (verdict.moment, verdict.chance(STOP)) == ("clean-up", "will")
    assert "keep both variants" in verdict.why


def test_a_condition_that_becomes_false_deletes_a_nested_stack() -> None:
    account = nested()
    account.new_templates[CHANGE_SET] = {"Below": {"Type": STACK_TYPE, **WANTED}}
    gone = Change("Remove", "Below", STACK_TYPE, STACK, policy="Delete")
    verdict = only(of_parent(account, gone))
    assert (verdict.request, verdict.moment, verdict.effect) == ("Delete", "clean-up", "stop")


def test_an_endpoint_whose_condition_becomes_false_serves_nothing_afterwards() -> None:
    account = Account()
    endpoint = experiment().endpoint_name
    account.deployed[STACK].append(Resource("Serves", endpoint, ENDPOINT_TYPE, "CREATE_COMPLETE"))
    mine = {"Type": RESOURCE_TYPE, "Properties": ours()}
    account.new_templates[CHANGE_SET] = {
        RESOURCE: mine,
        "Serves": {"Type": ENDPOINT_TYPE, **WANTED},
    }
    gone = Change("Remove", "Serves", ENDPOINT_TYPE, endpoint, policy="Delete")
    ends = modified(after=ours(EndNow="true"))
    verdict = only(planned(gone, ends, account=account))
    assert (verdict.chance(STOP), verdict.serves) == ("will", "")
    assert "is deleted in the clean-up" in verdict.endpoint_goes


def test_a_condition_that_becomes_true_creates_what_the_stack_does_not_have() -> None:
    account = Account(deployed={STACK: []})
    declared = ours(StopOn=["Create"])
    definition = {"Type": RESOURCE_TYPE, **WANTED, "Properties": declared}
    account.new_templates[CHANGE_SET] = {RESOURCE: definition}
    verdict = only(planned(added(declared), account=account))
    assert (verdict.request, verdict.chance(STOP)) == ("Create", "will")


def test_what_a_condition_keeps_away_is_not_there() -> None:
    account = Account(deployed={STACK: []})
    account.new_templates[CHANGE_SET] = {
        RESOURCE: {"Type": RESOURCE_TYPE, **WANTED, "Properties": ours(StopOn=["Create"])},
        "Test": {"Type": NATIVE, **WANTED, "Properties": {}},
        "Below": {"Type": STACK_TYPE, **WANTED},
    }
    assert planned(other(), account=account).verdicts == ()


# What a failed operation has left


@pytest.mark.parametrize("is_deployed", [True, False])
def test_a_condition_that_a_failed_update_never_reached_leaves_its_effect_open(
    is_deployed: bool,
) -> None:
    account = after_failed_update(Account(deployed={STACK: [TEST] if is_deployed else []}))
    logical_id, of_type = ("Test", NATIVE) if is_deployed else (RESOURCE, RESOURCE_TYPE)
    account.new_templates[CHANGE_SET] = {logical_id: {"Type": of_type, **WANTED}}
    verdict = only(planned(other(), account=account))
    assert verdict.effect == "unknown"
    assert "Condition" in verdict.why


def test_a_failed_creation_of_cloudformations_own_resource_is_deleted_by_the_next_update() -> None:
    account = after_failed_update(
        Account(deployed={STACK: [replace(TEST, status="CREATE_FAILED")]})
    )
    account.new_templates[CHANGE_SET] = {"Test": {"Type": NATIVE}}
    verdict = only(planned(other(), account=account))
    assert (verdict.moment, verdict.chance(STOP)) == ("update", "may")


def test_a_change_of_a_nested_stack_that_a_failed_update_never_reached_is_not_known() -> None:
    account = after_failed_update(nested(), stack_id=PARENT)
    account.new_templates[CHANGE_SET] = {"Below": {"Type": STACK_TYPE}}
    verdict = only(of_parent(account, other()))
    assert verdict.chance(STOP) not in (NO, "will")
    assert "IncludeNestedStacks" not in verdict.why


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"EndNow": "true"}, {"EndNow": "true", "Reason": "in other words"}),
        ({"DesiredState": "Cancelled"}, {}),
    ],
    ids=["left", "taken back"],
)
def test_a_declaration_that_a_failed_update_never_reached_may_not_count_as_deployed(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    account = after_failed_update(Account())
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE}}
    change = modified(before=ours(**before), after=ours(**after))
    verdict = only(planned(change, account=account))
    assert verdict.chance(STOP) == MAY
    assert "after the failure" in verdict.because[0]
    masked = replace(change, before=ours(EndNow="****"))
    assert only(planned(masked, account=account)).chance(STOP) == UNKNOWN


def test_the_template_of_a_failed_update_does_not_say_what_is_deployed() -> None:
    account = after_failed_update(Account())
    account.happened[STACK] = [
        S("UPDATE_IN_PROGRESS", at=120),
        S("UPDATE_COMPLETE", at=130),
        *account.happened[STACK][-2:],
    ]
    left = {"Type": RESOURCE_TYPE, "Properties": ours(StopOn=["Update"])}
    account.templates[STACK] = {RESOURCE: left}
    assert only(plan_destroy(account, "shadow")).chance(STOP) == UNKNOWN


def test_a_change_of_metadata_comes_with_what_a_failed_update_never_reached() -> None:
    account = after_failed_update(Account())
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE}}
    ends = ours(EndNow="true")
    change = modified(before=ends, after=ends, scope=("Metadata",))
    assert only(planned(change, account=account)).chance(STOP) == MAY


@pytest.mark.parametrize(
    ("status", "expected"),
    [("UPDATE_FAILED", MAY), ("UPDATE_ROLLBACK_FAILED", MAY), ("CREATE_COMPLETE", NO)],
)
def test_the_policy_of_a_failed_update_may_not_count_yet(status: str, expected: str) -> None:
    retained = {"DeletionPolicy": "Retain"}
    account = nested()
    account.stacks[PARENT] = replace(account.stacks[PARENT], status=status)
    account.templates[PARENT] = {"Below": {"Type": STACK_TYPE, **retained}}
    assert only(plan_destroy(account, "parent")).chance(STOP) == expected
    for resource in (TEST, Resource(RESOURCE, ARN, RESOURCE_TYPE, "CREATE_COMPLETE")):
        account = Account(deployed={STACK: [resource]})
        account.of_stack(status)
        definition = {"Type": resource.resource_type, **retained}
        account.templates[STACK] = {resource.logical_id: definition}
        verdicts = plan_destroy(account, "shadow").verdicts
        assert [one.chance(STOP) for one in verdicts if one.request or one.is_native] == (
            [] if expected == NO else [expected]
        )


MODEL = "AWS::SageMaker::Model"


def retried(**of_model: Any) -> Account:
    """The account, after an update has failed whose template may have another model."""
    account = Account()
    declared = {**variant("production"), "ModelName": {"Ref": "Model"}}
    account.happened[STACK] = created(DesiredModelVariants=[variant("production")])
    account.deployed[STACK].append(Resource("Model", "fraud-v1", MODEL, "CREATE_COMPLETE"))
    account.new_templates[CHANGE_SET] = {
        "Model": {"Type": MODEL, "Properties": of_model},
        RESOURCE: {
            "Type": RESOURCE_TYPE,
            "Properties": ours(DesiredModelVariants=[declared]),
        },
    }
    return account


@pytest.mark.parametrize(
    ("statuses", "of_model", "expected"),
    [
        ((), {}, UNKNOWN),
        (("UPDATE_COMPLETE",), {}, NO),
        (("UPDATE_FAILED", "UPDATE_COMPLETE"), {}, UNKNOWN),  # CloudFormation has restored it.
        ((), {"ModelName": "fraud-v1"}, NO),
        ((), {"Fn::Transform": {"Name": "Models"}}, UNKNOWN),
    ],
    ids=["not reached", "reached", "restored", "named", "transformed"],
)
def test_a_model_that_a_failed_update_never_replaced_may_get_another_name(
    statuses: tuple[str, ...], of_model: dict[str, Any], expected: str
) -> None:
    account = retried(**of_model)
    during = [StackEvent(250.0, "Model", "fraud-v1", status) for status in statuses]
    after_failed_update(account, *during)
    assert only(planned(other(), account=account)).chance(STOP) == expected


@pytest.mark.parametrize("policy", ["Retain", ""])
def test_what_a_failed_update_would_retain_may_be_deleted_in_the_next_clean_up(
    policy: str,
) -> None:
    account = after_failed_update(Account())
    account.deployed[STACK].append(
        Resource("Serves", experiment().endpoint_name, ENDPOINT_TYPE, "CREATE_COMPLETE")
    )
    account.templates[STACK] = {
        RESOURCE: {"Type": RESOURCE_TYPE, "DeletionPolicy": "Retain"},
        "Serves": {"Type": ENDPOINT_TYPE, "DeletionPolicy": "Retain"},
    }
    account.new_templates[CHANGE_SET] = {"Other": {"Type": "AWS::SSM::Parameter"}}
    verdict = only(planned(removed(policy=policy), account=account))
    assert (verdict.request, verdict.chance(STOP)) == ("Delete", MAY)
    assert any("if the policy" in because for because in verdict.because)
    assert (verdict.keeps_endpoint, verdict.serves) == (False, "")


def after_skipped_undo(tried: dict[str, Any], undo: dict[str, Any] | str) -> Account:
    """The account, after an update whose undo was skipped, and another one that succeeded."""
    account = Account()
    account.happened[STACK] += [
        S("UPDATE_IN_PROGRESS", at=200),
        R("UPDATE_IN_PROGRESS", at=205, given=tried),
        R("UPDATE_COMPLETE", at=210, given=tried),
        S("UPDATE_ROLLBACK_IN_PROGRESS", at=220),
        R("UPDATE_IN_PROGRESS", at=225, given=ours()),
        R("UPDATE_FAILED", at=230, given=ours()),
        S("UPDATE_ROLLBACK_FAILED", at=240),
        S("UPDATE_ROLLBACK_IN_PROGRESS", at=250),
        R("UPDATE_COMPLETE", at=255, given=undo),
        S("UPDATE_ROLLBACK_COMPLETE", at=260),
        S("UPDATE_IN_PROGRESS", at=300),
        S("UPDATE_COMPLETE", at=310),
    ]
    return account


def test_what_an_undo_that_was_skipped_goes_back_to_may_be_what_is_deleted() -> None:
    tried = ours(StopOn=["Update"])
    verdict = only(plan_destroy(after_skipped_undo(tried, ours()), "shadow"))
    assert verdict.chance(STOP) == MAY
    assert "not known" in verdict.because[0]
    verdict = only(plan_destroy(after_skipped_undo(tried, ""), "shadow"))
    assert verdict.chance(STOP) == UNKNOWN


def test_what_an_undo_that_was_skipped_has_left_may_count_as_deployed() -> None:
    tried = ours(ModelVariantActions=PROMOTE_SHADOW)
    change = modified(after=ours(Reason="in other words"))
    verdict = only(planned(change, account=after_skipped_undo(tried, ours())))
    assert verdict.chance(STOP) == MAY


# Values that are known only later: no value that the plan assumes may decide


def late(name: str, of_variant: dict[str, Any]) -> dict[str, Any]:
    """A variant of which one part is known only later."""
    instances: dict[str, Any] = dict(of_variant["InfrastructureConfig"]["RealTimeInferenceConfig"])
    infrastructure = {**of_variant["InfrastructureConfig"], "RealTimeInferenceConfig": instances}
    for members in (of_variant, infrastructure, instances):
        if name in members:
            members[name] = LATER
    return {**of_variant, "InfrastructureConfig": infrastructure}


@pytest.mark.parametrize(
    ("name", "if_new", "if_changed"),
    [
        ("VariantName", UNKNOWN, UNKNOWN),
        ("ModelName", WILL, MAY),
        ("InstanceType", WILL, MAY),
        ("InstanceCount", WILL, MAY),
        ("InfrastructureType", WILL, NO),  # It has one value.
    ],
)
def test_a_part_of_a_variant_that_is_known_only_later_may_end_the_experiment(
    name: str, if_new: str, if_changed: str
) -> None:
    after = ours(DesiredModelVariants=[late(name, variant("production"))])
    for before, expected in (
        (ours(), if_new),
        (ours(DesiredModelVariants=[variant("production")]), if_changed),
    ):
        account = Account()
        account.happened[STACK] = created(**before)
        verdict = only(planned(modified(before=before, after=after), account=account))
        assert verdict.chance(STOP) == expected
        assert verdict.stop_request is None


def test_an_instance_type_that_is_known_only_later_may_be_another_than_any_current_one() -> None:
    for current in ("ml.m5.large", "ml.m5.xlarge"):
        desired = variant("production")
        config = {"InstanceType": current, "InstanceCount": "1"}
        desired["InfrastructureConfig"] = {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": config,
        }
        before = ours(DesiredModelVariants=[desired])
        account = Account()
        account.happened[STACK] = created(**before)
        after = {**before, "DesiredModelVariants": [late("InstanceType", {**desired})]}
        verdict = only(planned(modified(before=before, after=after), account=account))
        assert verdict.chance(STOP) == "may"


def test_desired_variants_that_another_resource_may_change_may_end_the_experiment() -> None:
    details = (dynamic("DesiredModelVariants", "Switch.Value"),)
    change = modified(after=ours(DesiredModelVariants=[variant("production")]), details=details)
    assert only(planned(change, other(logical_id="Switch"))).chance(STOP) not in (NO, "will")


def test_a_deletion_may_stop_without_the_promotion_if_its_evidence_is_masked() -> None:
    """How many instances production runs is not known, so that nothing can be promoted."""
    account = Account()
    promotes = {"ServiceToken": TOKEN, "Name": "fraud-shadow", "Outcome": "PromoteShadow"}
    masked = {**promotes, "PromoteIf": {"MinInvocations": "1", "Alarms": "****"}}
    account.happened[STACK][2] = replace(created()[2], properties=json.dumps(masked))
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.chance(STOP), verdict.chance(FAIL)) == (MAY, MAY)
    assert verdict.evidence == {}


def test_an_outcome_that_may_be_left_out_may_leave_a_valid_declaration() -> None:
    account = Account()
    declared = ours(EndNow="true", Outcome={"Fn::If": ["Wanted", "KeepBoth", NO_VALUE]})
    account.new_templates[CHANGE_SET] = {
        RESOURCE: {"Type": RESOURCE_TYPE, "Properties": declared},
    }
    verdict = only(planned(modified(), account=account))
    assert (verdict.chance(STOP), verdict.chance(FAIL)) == ("may", "may")


def test_a_value_of_which_a_part_is_masked_may_end_the_experiment() -> None:
    before = {"ServiceToken": TOKEN, "Name": "fraud-shadow", "Outcome": "KeepBoth"}
    verdict = only(planned(modified(before=before, after={**before, "Outcome": "Keep****"})))
    assert verdict.chance(STOP) == "may"


@pytest.mark.parametrize("reason", [LATER, "****", "{{resolve:ssm:/reason}}"])
def test_a_reason_that_is_known_only_later_is_in_no_request_that_is_shown(reason: str) -> None:
    verdict = only(planned(modified(after=ours(EndNow="true", Reason=reason))))
    assert (verdict.chance(STOP), verdict.stop_request) == (WILL, None)
    assert verdict.serves


@pytest.mark.parametrize("token", [LATER, "****", "{{resolve:ssm:/stopper}}"])
def test_a_function_whose_current_name_is_not_shown_may_be_the_same(token: str) -> None:
    change = modified(before=ours(ServiceToken=token), after=ours(EndNow="true"))
    verdict = only(planned(change))
    assert (verdict.chance(STOP), verdict.chance(FAIL)) == ("may", "may")


# What the change set itself says goes before what a template says


def test_what_the_change_set_deletes_is_deleted_although_the_template_retains_it() -> None:
    account = Account()
    account.templates[STACK] = {RESOURCE: {"Type": RESOURCE_TYPE, "DeletionPolicy": "Retain"}}
    verdict = only(planned(removed(policy="Delete"), account=account))
    assert (verdict.request, verdict.chance(STOP)) == ("Delete", WILL)


@pytest.mark.parametrize(
    ("policy", "in_template", "expected"),
    [
        ("ReplaceAndDelete", "Retain", MAY),
        ("ReplaceAndRetain", "Delete", NO),
        ("", "Retain", NO),
        ("", "Delete", MAY),
    ],
)
def test_a_replaced_experiment_goes_as_the_change_set_says(
    policy: str, in_template: str, expected: str
) -> None:
    account = Account(deployed={STACK: [TEST]})
    account.new_templates[CHANGE_SET] = {
        "Test": {"Type": NATIVE, "UpdateReplacePolicy": in_template}
    }
    after = {"Name": "next"}
    replaced = native(replaced="True", policy=policy, before={"Name": "fraud-shadow"}, after=after)
    plan = planned(replaced, other(), account=account)
    assert [one.chance(STOP) for one in plan.verdicts] == ([expected] if expected != NO else [])


def test_a_detail_without_a_name_may_be_about_any_property() -> None:
    detail = dynamic("", "Switch.Value")
    for reason in ({}, {"Reason": "in other words"}):
        change = modified(after=ours(**reason), details=(detail,))
        verdict = only(planned(change, other(logical_id="Switch")))
        assert verdict.chance(STOP) == UNKNOWN


@pytest.mark.parametrize("status", ["DELETE_FAILED", "DELETE_SKIPPED"])
def test_what_is_added_in_the_place_of_what_is_left_of_a_deletion_is_created(status: str) -> None:
    left = Resource(RESOURCE, ARN, RESOURCE_TYPE, status)
    account = Account(deployed={STACK: [left]}, happened={STACK: created()[::3]})
    verdict = only(planned(added(ours(StopOn=["Create"])), account=account))
    assert (verdict.request, verdict.chance(STOP)) == ("Create", WILL)


def test_a_clean_up_may_find_the_experiment_that_the_same_update_creates() -> None:
    account = Account(experiments={})
    made = {
        "Name": "fraud-shadow",
        "ModelVariants": [variant("production"), variant("shadow")],
        "ShadowModeConfig": {
            "SourceModelVariantName": "production",
            "ShadowModelVariants": [{"ShadowModelVariantName": "shadow"}],
        },
    }
    for after, expected in ((made, MAY), ({**made, "Name": LATER}, UNKNOWN)):
        verdict = only(planned(removed(), native("Add", after=after), account=account))
        assert (verdict.request, verdict.chance(STOP)) == ("Delete", expected)


def test_a_new_description_without_a_version_hides_it() -> None:
    described = {"Description": "ours"}
    function = Change("Modify", "Stopper", FUNCTION, "stopper", ("Properties",), after=described)
    verdict = only(planned(modified(after=ours(Reason="new")), function))
    assert verdict.chance(STOP) == MAY


def test_properties_and_parameters_that_are_not_shown_are_not_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modify = {
        "Action": "Modify",
        "LogicalResourceId": RESOURCE,
        "ResourceType": RESOURCE_TYPE,
        "BeforeContext": "{}",
        "AfterContext": json.dumps({"Metadata": {}}),
    }
    described = {
        "ChangeSetId": CHANGE_SET,
        "ChangeSetName": "verdict",
        "StackId": STACK,
        "Status": "CREATE_COMPLETE",
        "Changes": [{"ResourceChange": modify}],
        "Parameters": [
            {"ParameterKey": "Verdict", "UsePreviousValue": True},
            {"ParameterKey": "Empty", "ParameterValue": ""},
        ],
    }
    reader = Reader(boto3.Session(region_name="eu-west-1"))
    cloudformation = SimpleNamespace(describe_change_set=lambda **_: described)
    monkeypatch.setitem(vars(reader), "_cloudformation", cloudformation)
    seen = reader.change_set("verdict", "shadow")
    assert (seen.changes[0].before, seen.changes[0].after) == (None, None)
    assert seen.parameters == {"Empty": ""}


@pytest.mark.parametrize(("scope", "expected"), [("Tags", [WILL]), ("Metadata", [])])
def test_new_tags_are_an_update_in_which_cloudformations_own_resource_stops(
    scope: str, expected: list[str]
) -> None:
    """Its handler decides by the declared state, whatever has changed."""
    account = Account(deployed={STACK: [TEST]})
    both = [variant("production"), variant("shadow")]
    declared = {"DesiredState": "Completed", "ModelVariants": both}
    tagged = native(scope=(scope,), before=declared, after=declared)
    assert [one.chance(STOP) for one in planned(tagged, account=account).verdicts] == expected


def test_what_only_the_listing_without_values_says_of_a_change_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With values, CloudFormation leaves out what an attribute of another resource may cause."""
    detail = {
        "Target": {"Attribute": "Properties", "Name": "EndNow"},
        "ChangeSource": "ResourceAttribute",
        "CausingEntity": "Switch.Value",
        "Evaluation": "Dynamic",
    }

    def describe(**request: Any) -> dict[str, Any]:
        has_values = request.get("IncludePropertyValues")
        more = {"Scope": ["Properties", "Metadata"], "Details": [detail]}
        one = {
            "Action": "Modify",
            "LogicalResourceId": RESOURCE,
            "ResourceType": RESOURCE_TYPE,
            "PhysicalResourceId": ARN,
            **({"Scope": ["Metadata"], "Replacement": "False"} if has_values else more),
            **({} if has_values else {"Replacement": "Conditional", "PolicyAction": "Delete"}),
        }
        if has_values:
            one["BeforeContext"] = one["AfterContext"] = json.dumps({"Properties": ours()})
        return {
            "ChangeSetId": CHANGE_SET,
            "ChangeSetName": "verdict",
            "StackId": STACK,
            "Status": "CREATE_COMPLETE",
            "Changes": [{"ResourceChange": one}],
        }

    reader = Reader(boto3.Session(region_name="eu-west-1"))
    cloudformation = SimpleNamespace(describe_change_set=describe)
    monkeypatch.setitem(vars(reader), "_cloudformation", cloudformation)
    (change,) = reader.change_set("verdict", "shadow").changes
    assert (change.replaced, change.policy) == ("Conditional", "Delete")
    assert only(planned(change, other(logical_id="Switch"))).chance(STOP) == MAY


@pytest.mark.parametrize("name", ["DesiredState", "StatusReason"])
def test_what_cloudformations_own_resource_gets_later_is_in_no_request_that_is_shown(
    name: str,
) -> None:
    account = Account(deployed={STACK: [TEST]})
    both = [variant("production"), variant("shadow")]
    declared = {"DesiredState": "Completed", "ModelVariants": both}
    verdict = only(planned(native(after={**declared, name: LATER}), account=account))
    assert (verdict.chance(STOP) == NO, verdict.stop_request) == (False, None)


# What time brings


@pytest.mark.parametrize(("minutes", "expected"), [(None, MAY), (50, MAY), (70, NO)])
def test_an_experiment_that_starts_within_the_hour_may_run_when_it_is_deleted(
    minutes: float | None, expected: str
) -> None:
    start = None if minutes is None else time.time() + minutes * 60
    waits = experiment("Created", scheduled_start=start)
    account = Account(deployed={STACK: [TEST]}, experiments={"fraud-shadow": waits})
    removes = planned(native("Remove", policy="Delete"), account=account)
    for plan in (removes, plan_destroy(account, "shadow")):
        assert only(plan).chance(STOP) == expected


# Two resources for the same experiment, of which either may come first


def twins(**declared: Any) -> Account:
    """A second resource for the same experiment."""
    account = Account()
    account.deployed[STACK].append(Resource("Twin", ARN, RESOURCE_TYPE, "CREATE_COMPLETE"))
    account.happened[STACK][3:3] = [
        R("CREATE_IN_PROGRESS", at=121, physical_id="", logical_id="Twin"),
        R("CREATE_COMPLETE", at=122, given=ours(**declared), logical_id="Twin"),
    ]
    return account


def test_the_resource_that_promotes_may_come_before_the_one_that_does_not() -> None:
    first, last = plan_destroy(twins(ModelVariantActions=PROMOTE_SHADOW), "shadow").verdicts
    assert (first.chance(STOP), last.chance(STOP), last.chance(PROMOTE)) == (MAY, MAY, MAY)
    assert "either may come first" in last.because[0]


def test_a_promotion_may_come_too_late_after_the_end_of_another_resource() -> None:
    ends, promotes = ours(EndNow="true"), {"ModelVariantActions": PROMOTE_SHADOW, "EndNow": "true"}
    other_end = modified(after=ours(**promotes), logical_id="Twin")
    plan = planned(other_end, modified(after=ends), account=twins())
    promotion = next(one for one in plan.verdicts if one.place.logical_id == "Twin")
    assert (promotion.chance(PROMOTE), promotion.chance(FAIL)) == (MAY, MAY)


@pytest.mark.parametrize(("depends", "expected"), [(True, NO), (False, MAY)])
def test_a_promotion_may_come_before_cloudformations_own_resource_unless_it_depends_on_it(
    depends: bool, expected: str
) -> None:
    account = Account()
    account.deployed[STACK].append(TEST)
    ends = ours(EndNow="true", ModelVariantActions=PROMOTE_SHADOW)
    mine = {"Type": RESOURCE_TYPE, "Properties": ends, "DependsOn": ["Test"] if depends else []}
    account.new_templates[CHANGE_SET] = {"Test": {"Type": NATIVE}, RESOURCE: mine}
    both = [variant("production"), variant("shadow")]
    keeps = native(after={"DesiredState": "Completed", "ModelVariants": both})
    _, promotes = planned(keeps, modified(after=ends), account=account).verdicts
    assert promotes.chance(PROMOTE) == expected


def test_each_of_three_resources_may_come_first() -> None:
    account = twins(ModelVariantActions=PROMOTE_SHADOW)
    account.deployed[STACK].append(Resource("Last", ARN, RESOURCE_TYPE, "CREATE_COMPLETE"))
    account.happened[STACK][-1:-1] = [
        R("CREATE_IN_PROGRESS", at=123, physical_id="", logical_id="Last"),
        R("CREATE_COMPLETE", at=124, given=ours(), logical_id="Last"),
    ]
    verdicts = plan_destroy(account, "shadow").verdicts
    assert [one.chance(STOP) for one in verdicts] == [MAY, MAY, NO]
    assert [one.chance(PROMOTE) for one in verdicts] == [NO, MAY, NO]


def test_a_promotion_may_come_before_the_deletion_of_a_nested_stack_with_the_experiment() -> None:
    account = nested()
    account.happened[PARENT][1:1] = created(ModelVariantActions=PROMOTE_SHADOW)[1:3]
    mine = Resource(RESOURCE, ARN, RESOURCE_TYPE, "CREATE_COMPLETE")
    account.deployed = {PARENT: [*account.deployed[PARENT], mine], STACK: [TEST]}
    gone = Change("Remove", "Below", STACK_TYPE, STACK, policy="Delete")
    for plan in (plan_destroy(account, "parent"), of_parent(account, gone, removed())):
        keeps, promotes = plan.verdicts
        assert (keeps.is_native, keeps.chance(STOP), keeps.chance(PROMOTE)) == (True, MAY, NO)
        assert (promotes.chance(STOP), promotes.chance(PROMOTE)) == (MAY, MAY)


def test_two_resources_that_declare_the_same_end_it_once() -> None:
    first, last = plan_destroy(twins(), "shadow").verdicts
    assert (first.chance(STOP), last.chance(STOP)) == (WILL, NO)


# Status: a job that watches over the schedule exits with 2 unless nothing ends soon


def watched(account: Account, monkeypatch: pytest.MonkeyPatch) -> int:
    made = "cdk_stop_inference_experiment.cli.command.Reader"
    monkeypatch.setattr(made, lambda _session: account)
    return main(["status", "shadow", "--region", "eu-west-1", "--fail-on", "ends-within=24h"])


@pytest.mark.parametrize(("days", "exit_status"), [(5.9, 0), (6.1, 2), (None, 2)])
def test_a_schedule_without_an_end_is_taken_for_one_of_seven_days(
    days: float | None,
    exit_status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = None if days is None else time.time() - days * 24 * 3600
    endless = experiment(created=began, scheduled_start=began, scheduled_end=None)
    account = Account(experiments={"fraud-shadow": endless})
    assert watched(account, monkeypatch) == exit_status
    assert ("7 days after its start" in capsys.readouterr().out) is (days is not None)
    account.experiments["fraud-shadow"] = replace(endless, status="Completed")
    assert watched(account, monkeypatch) == 0


def test_a_resource_whose_experiment_is_not_known_fails_a_scheduled_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = Resource(RESOURCE, "no-arn", RESOURCE_TYPE, "CREATE_FAILED")
    account = Account(deployed={STACK: [resource]}, happened={STACK: created()[::3]})
    assert watched(account, monkeypatch) == 2
    assert "its experiment is not known" in capsys.readouterr().out
