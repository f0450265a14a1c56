"""What a change set and a deletion will do, and how certain that is."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cdk_stop_inference_experiment.cli import plan as planning
from cdk_stop_inference_experiment.cli.document import Text, headline, of_plan
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
from cdk_stop_inference_experiment.errors import MissingCodeError
from cdk_stop_inference_experiment.handler_code import code_sha256
from cdk_stop_inference_experiment.version import function_description
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Kind,
    Measured,
    NotReadable,
    Question,
)
from tests.unit.situations import ARN, OTHER_ARN, RESOURCE, STACK, R, S, variant, wanted
from tests.unit.situations import PROMOTE as PROMOTE_SHADOW

from .account import (
    CHANGE_SET,
    FUNCTION,
    Account,
    added,
    change_set,
    dynamic,
    modified,
    nested,
    only,
    other,
    planned,
    removed,
)
from .past import PARENT, TOKEN, created, experiment, ours

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
NOTHING = {"stop": "no", "promote": "no", "fail": "no"}
OLD, NEW = "variant 'production' (model 'fraud-v1')", "variant 'shadow' (model 'fraud-v2')"
UNKNOWN = {"stop": "unknown", "promote": "unknown", "fail": "unknown"}


def chances(verdict: Verdict) -> dict[str, str]:
    return {what: verdict.chance(what) for what in (STOP, PROMOTE, FAIL)}


def said(verdict: Verdict) -> tuple[str, str, str, str]:
    return verdict.request, verdict.effect, verdict.certainty, verdict.row


def new_stack() -> Account:
    account = Account(deployed={}, happened={})
    account.of_stack("REVIEW_IN_PROGRESS")
    return account


def absent() -> Account:
    account = new_stack()
    account.experiments = {}
    return account


def over() -> Account:
    return Account(experiments={"fraud-shadow": experiment("Completed")})


Told = tuple[str, str, str, str]
CHANGES: dict[str, tuple[Change, Callable[[], Account], Told]] = {
    "a reworded reason": (
        modified(after=ours(Reason="in other words")),
        Account,
        ("Update", "nothing", "will", "update_unchanged"),
    ),
    "a new resource": (added(ours()), new_stack, ("Create", "nothing", "will", "stoppable")),
    "a new one of an absent experiment": (
        added(ours()),
        absent,
        ("Create", "fail", "will", "absent"),
    ),
    "a removed resource": (removed(), Account, ("Delete", "stop", "will", "stoppable")),
    "a promotion that comes too late": (
        modified(after=ours(ModelVariantActions=PROMOTE_SHADOW)),
        over,
        ("Update", "fail", "will", "ended_otherwise_promote"),
    ),
    "a change of metadata": (
        modified(after=ours(), scope=("Metadata",)),
        Account,
        ("", "nothing", "will", ""),
    ),
    "a change of another resource": (other(), Account, ("", "nothing", "will", "")),
}


@pytest.mark.parametrize(("change", "account", "told"), CHANGES.values(), ids=CHANGES)
def test_a_change_alone_is_certain(
    change: Change, account: Callable[[], Account], told: Told
) -> None:
    verdict = only(planned(change, account=account()))
    assert said(verdict) == told
    assert verdict.experiment == "fraud-shadow"
    if verdict.effect == "nothing":
        assert (chances(verdict), verdict.stop_request) == (NOTHING, None)


def test_a_changed_declaration_alone_will_stop_and_promote() -> None:
    verdict = only(planned(modified(after=ours(ModelVariantActions=PROMOTE_SHADOW))))
    assert said(verdict) == ("Update", "stop", "will", "stoppable")
    assert verdict.order == "update_changed"
    assert chances(verdict) == {"stop": "will", "promote": "will", "fail": "no"}
    assert verdict.stop_request is not None
    assert verdict.stop_request["ModelVariantActions"] == PROMOTE_SHADOW


def test_a_new_resource_with_end_now_will_fail() -> None:
    plan = planned(added(ours(EndNow="true")), account=new_stack())
    assert said(only(plan)) == ("Create", "fail", "will", "create_end_now")
    assert plan.may("fail")
    assert not plan.may("stop")


def test_a_removed_resource_that_is_retained_gets_no_request() -> None:
    verdict = only(planned(removed(policy="Retain")))
    assert said(verdict) == ("", "nothing", "will", "")
    assert "retained" in verdict.why


def test_a_renamed_construct_stops_nothing() -> None:
    arms, lets_go = planned(added(ours(), "Renamed"), removed()).verdicts
    assert said(arms) == ("Create", "nothing", "will", "stoppable")
    assert said(lets_go) == ("Delete", "nothing", "will", "delete_held_elsewhere")
    assert "'Renamed'" in lets_go.why


def test_another_experiments_name_ends_the_old_one_in_the_clean_up() -> None:
    account = Account()
    account.experiments["other"] = experiment(arn=OTHER_ARN, name="other")
    arms, ends = planned(modified(after=ours(Name="other")), account=account).verdicts
    assert (arms.experiment, *said(arms)) == ("other", "Update", "nothing", "will", "stoppable")
    assert (ends.experiment, *said(ends)) == ("fraud-shadow", "Delete", "stop", "may", "stoppable")
    assert "permission" in ends.because[0]


def test_what_else_changes_may_keep_a_stop_from_being_reached() -> None:
    change = modified(after=ours(ModelVariantActions=PROMOTE_SHADOW))
    verdict = only(planned(change, other()))
    assert verdict.certainty == "may"
    assert "Other" in verdict.because[0]
    assert only(planned(change, other("Remove"))).certainty == "will"
    assert only(planned(change, other(resource_type="AWS::CDK::Metadata"))).certainty == "will"


def test_a_name_that_is_known_only_later_makes_the_effect_unknown() -> None:
    verdict = only(planned(modified(after=ours(Name=LATER))))
    assert (verdict.effect, chances(verdict)) == ("unknown", UNKNOWN)
    assert "'Name', which may become another experiment's during the deployment" in verdict.why


@pytest.mark.parametrize("name", ["EndNow", "DesiredState"])
def test_a_value_that_is_known_only_later_may_end_the_experiment(name: str) -> None:
    verdict = only(planned(modified(after=ours(**{name: LATER}))))
    assert said(verdict)[:3] == ("Update", "stop", "may")
    assert chances(verdict) == {"stop": "may", "promote": "no", "fail": "may"}
    assert f"'{name}': known only during the deployment" in verdict.because


def test_a_value_that_decides_nothing_need_not_be_known() -> None:
    verdict = only(planned(modified(after=ours(StopOn=LATER))))
    assert chances(verdict) == {"stop": "no", "promote": "no", "fail": "may"}
    verdict = only(planned(modified(after=ours(Reason=LATER))))
    assert chances(verdict) == NOTHING


def test_the_functions_arn_need_not_be_known() -> None:
    after = {**ours(), "ServiceToken": LATER}
    function = Change("Add", "Stopper", FUNCTION, after={"Description": function_description()})
    assert only(planned(added(after), function, account=new_stack())).certainty == "will"
    assert only(planned(modified(after=after))).certainty == "will"


def test_a_models_name_that_is_known_only_later_hides_whether_the_end_changes() -> None:
    before = ours(ModelVariantActions=PROMOTE_SHADOW, DesiredModelVariants=[variant("shadow")])
    late = {**variant("shadow"), "ModelName": LATER}
    after = ours(ModelVariantActions=PROMOTE_SHADOW, DesiredModelVariants=[late])
    verdict = only(planned(modified(before, after)))
    assert said(verdict)[:3] == ("Update", "stop", "may")
    assert verdict.because == ("'DesiredModelVariants': known only during the deployment",)
    ends_now = {**after, "EndNow": "true"}
    assert only(planned(modified(before, ends_now))).chance(STOP) == "will"
    assert said(only(planned(added(after), account=new_stack()))) == (
        *("Create", "nothing", "will", "stoppable"),
    )


def test_a_change_without_values_is_planned_by_the_properties_that_it_names() -> None:
    change = modified(None, None, details=(dynamic("EndNow", "Switch.Value"),))
    verdict = only(planned(change, other(logical_id="Switch")))
    assert said(verdict)[:3] == ("Update", "stop", "may")


def test_an_experiment_that_the_deployment_creates_before_is_armed() -> None:
    account = new_stack()
    account.experiments = {}
    native = Change(
        *("Add", "ShadowTest", "AWS::SageMaker::InferenceExperiment"),
        after={"Name": "fraud-shadow", "ModelVariants": [{"VariantName": "production"}]},
    )
    change = added(ours(ModelVariantActions={"production": "Retain"}))
    later = {"Type": RESOURCE_TYPE, "DependsOn": ["ShadowTest"]}
    account.new_templates[CHANGE_SET] = {RESOURCE: later}
    verdict = only(planned(native, change, account=account))
    assert said(verdict) == ("Create", "nothing", "will", "stoppable")
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE}}
    verdict = only(planned(native, change, account=account))
    assert (verdict.certainty, verdict.chance(FAIL)) == ("may", "may")
    assert "add a dependency" in verdict.because[0]


def test_an_experiment_that_cannot_be_described_is_unknown() -> None:
    denied = NotReadable(Kind.DENIED, "DescribeInferenceExperiment: no")
    account = Account(experiments={"fraud-shadow": denied})
    verdict = only(planned(modified(after=ours(EndNow="true")), account=account))
    assert (verdict.effect, verdict.why) == ("unknown", f"not known: {denied.why}")
    assert verdict.because == (denied.why,)


def test_sagemaker_may_refuse_to_stop_what_has_not_begun() -> None:
    account = Account(experiments={"fraud-shadow": experiment("Created")})
    verdict = only(planned(modified(after=ours(EndNow="true")), account=account))
    assert said(verdict)[:3] == ("Update", "stop", "may")
    assert "while it is Created" in verdict.because[0]


def test_an_experiment_that_ends_by_itself_within_the_hour_may_end_before() -> None:
    soon = experiment(scheduled_end=time.time() + 3000)
    account = Account(experiments={"fraud-shadow": soon})
    change = modified(after=ours(EndNow="true"))
    assert only(planned(change, account=account)).certainty == "may"
    account.experiments = {"fraud-shadow": replace(soon, scheduled_end=time.time() + 4000)}
    assert only(planned(change, account=account)).certainty == "will"


def test_a_retry_of_a_failed_update_is_compared_with_what_was_deployed_well() -> None:
    account = Account()
    account.of_stack("UPDATE_FAILED")
    wanted = ours(ModelVariantActions=PROMOTE_SHADOW)
    account.deployed[STACK] = [Resource(RESOURCE, ARN, RESOURCE_TYPE, "UPDATE_FAILED")]
    account.happened[STACK] = [
        *created(),
        S("UPDATE_IN_PROGRESS", at=200),
        R("UPDATE_IN_PROGRESS", at=210, given=wanted),
        R("UPDATE_FAILED", at=220, given=wanted),
        S("UPDATE_FAILED", at=230),
    ]
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE}}
    again = modified(wanted, wanted, scope=("Metadata",))
    assert said(only(planned(again, account=account))) == ("Update", "stop", "will", "stoppable")
    withdrawn = modified(wanted, ours())
    assert only(planned(withdrawn, account=account)).row == "update_unchanged"


def test_what_was_never_created_is_deleted_and_created() -> None:
    account = Account()
    account.of_stack("CREATE_FAILED")
    marker = "Stop-not-created-1"
    account.deployed[STACK] = [Resource(RESOURCE, marker, RESOURCE_TYPE, "CREATE_FAILED")]
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE}}
    deletes, creates = planned(added(ours()), account=account).verdicts
    assert said(deletes) == ("Delete", "nothing", "will", "delete_not_held")
    assert said(creates)[:2] == ("Create", "nothing")


def test_a_second_request_finds_the_experiment_ended() -> None:
    account = Account()
    twin = Resource("Twin", ARN, RESOURCE_TYPE, "CREATE_COMPLETE")
    account.deployed[STACK].append(twin)
    account.happened[STACK] += [
        R("CREATE_IN_PROGRESS", at=139, logical_id="Twin"),
        R("CREATE_COMPLETE", at=140, given=ours(), logical_id="Twin"),
    ]
    stops, finds = plan_destroy(account, "shadow").verdicts
    assert (stops.effect, finds.effect) == ("stop", "nothing")


def test_a_nested_stack_is_planned_by_its_own_change_set() -> None:
    below = change_set(modified(after=ours(EndNow="true")))
    root = change_set(
        Change("Modify", "Below", STACK_TYPE, STACK, ("Properties",), nested=below),
        stack_id=PARENT,
    )
    account = nested()
    account.change_sets["verdict"] = root
    verdict = only(plan_change_set(account, "parent", "verdict"))
    assert said(verdict) == ("Update", "stop", "will", "stoppable")


def test_a_nested_stack_without_a_change_set_is_unknown() -> None:
    account = Account()
    account.stacks[PARENT] = DescribedStack(PARENT, "parent", "CREATE_COMPLETE")
    account.deployed[PARENT] = [Resource("Below", STACK, STACK_TYPE, "CREATE_COMPLETE")]
    change = Change("Modify", "Below", STACK_TYPE, STACK, ("Properties",))
    account.change_sets["verdict"] = change_set(change, stack_id=PARENT)
    verdict = only(plan_change_set(account, "parent", "verdict"))
    assert verdict.effect == "unknown"
    assert "IncludeNestedStacks" in verdict.why


def test_a_nested_stack_that_is_removed_ends_its_experiments_in_the_clean_up() -> None:
    account = nested()
    change = Change("Remove", "Below", STACK_TYPE, STACK, policy="Delete")
    account.change_sets["verdict"] = change_set(change, stack_id=PARENT)
    verdict = only(plan_change_set(account, "parent", "verdict"))
    assert said(verdict) == ("Delete", "stop", "will", "stoppable")
    assert verdict.moment == "clean-up"


def test_a_nested_stack_that_is_updated_directly_will_fail() -> None:
    account = nested()
    verdict = only(planned(modified(after=ours(EndNow="true")), account=account))
    assert said(verdict) == ("Update", "fail", "will", "unclear")
    assert "deploy the root stack" in verdict.why


def test_a_deletion_ends_the_experiment_as_it_was_last_deployed() -> None:
    account = Account()
    account.happened[STACK] = created(ModelVariantActions=PROMOTE_SHADOW)
    verdict = only(plan_destroy(account, "shadow"))
    assert said(verdict) == ("Delete", "stop", "will", "stoppable")
    assert (verdict.moment, verdict.order) == ("deletion", "delete_ends")
    assert verdict.chance("promote") == "will"


def test_a_deletion_stops_nothing_that_is_let_go_or_retained() -> None:
    account = Account()
    account.happened[STACK] = created(StopOn=["Update"])
    assert only(plan_destroy(account, "shadow")).row == "delete_not_in_stop_on"
    account.templates[STACK] = {RESOURCE: {"DeletionPolicy": "Retain"}}
    assert said(only(plan_destroy(account, "shadow"))) == ("", "nothing", "will", "")


def test_a_deletion_reads_the_template_where_the_events_are_gone() -> None:
    account = Account()
    account.happened[STACK] = [
        S("UPDATE_IN_PROGRESS", at=120),
        S("UPDATE_COMPLETE", at=130),
    ]
    declared = {**ours(), "ServiceToken": {"Fn::GetAtt": ["Handler", "Arn"]}}
    definition = {"Type": RESOURCE_TYPE, "Properties": declared}
    account.templates[STACK] = {RESOURCE: definition}
    assert only(plan_destroy(account, "shadow")).effect == "stop"
    declared["Name"] = {"Ref": "Name"}
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.effect, verdict.certainty) == ("unknown", "unknown")
    assert "the stack's events do not show them" in verdict.why
    assert (verdict.experiment, verdict.status) == ("fraud-shadow", "Running")


def test_a_deletion_may_not_reach_what_another_resource_depends_on() -> None:
    account = Account()
    later = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Ref": RESOURCE}}}
    last = {"Type": "AWS::SSM::Parameter", "DependsOn": ["Later"]}
    account.templates[STACK] = {"Later": later, "Last": last, "Apart": {"Type": "X"}}
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.certainty, verdict.because) == (
        *("may", ("Later, Last must be deleted before it",)),
    )


def test_termination_protection_keeps_a_deletion_from_being_certain() -> None:
    account = Account()
    account.stacks[STACK] = replace(account.stacks[STACK], is_protected=True)
    verdict = only(plan_destroy(account, "shadow"))
    assert verdict.certainty == "may"
    assert "termination protection" in verdict.because[0]


def test_a_function_of_another_version_makes_the_plan_uncertain() -> None:
    account = Account(description="Stops SageMaker inference experiments for CloudFormation")
    plan = plan_destroy(account, "shadow")
    assert only(plan).certainty == "may"
    assert "the function has an unknown version, but" in plan.notes[0]


def test_other_code_than_this_releases_makes_the_plan_uncertain() -> None:
    assert plan_destroy(Account(), "shadow").notes == ()
    plan = plan_destroy(Account(code="b3RoZXI="), "shadow")
    assert only(plan).certainty == "may"
    assert re.fullmatch(
        r"the function's code is not that of version [\d.]+: its CodeSha256 is 'b3RoZXI=', and not "
        rf"'{re.escape(code_sha256())}'",
        plan.notes[0],
    )


def test_code_that_cannot_be_compared_makes_the_plan_uncertain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> str:
        raise MissingCodeError("only compiled")

    monkeypatch.setattr(planning, "code_sha256", fail)
    found = plan_destroy(Account(), "shadow")
    assert only(found).certainty == "may"
    assert found.notes == ("the function's code cannot be compared: only compiled",)


@pytest.mark.parametrize("stale", [{"code": "b3RoZXI="}, {"description": "of long ago"}])
def test_a_function_that_is_updated_before_is_judged_by_what_it_becomes(
    stale: dict[str, Any],
) -> None:
    handler = Change(
        *("Modify", "Handler", "AWS::Lambda::Function", "stopper", ("Properties",)),
        after={"Description": Account().description},
    )
    change = modified(after=ours(EndNow="true"))
    assert planned(handler, change, account=Account(**stale)).notes == ()
    assert planned(change, account=Account(**stale)).notes != ()


@pytest.mark.parametrize(
    ("status", "execution", "said"),
    [
        ("CREATE_PENDING", "UNAVAILABLE", "is still being created"),
        ("CREATE_IN_PROGRESS", "UNAVAILABLE", "is still being created"),
        ("FAILED", "UNAVAILABLE", "is FAILED: because"),
        ("CREATE_COMPLETE", "OBSOLETE", "is OBSOLETE"),
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE", "is EXECUTE_COMPLETE"),
        ("CREATE_COMPLETE", "UNAVAILABLE", "is UNAVAILABLE: because"),
    ],
)
def test_a_change_set_that_cannot_be_executed_has_no_plan(
    status: str, execution: str, said: str
) -> None:
    with pytest.raises(CannotPlan, match=said):
        planned(status=status, execution_status=execution, reason="because")


def test_a_change_set_without_changes_stops_nothing() -> None:
    reason = "The submitted information didn't contain changes. Submit different information."
    plan = planned(status="FAILED", execution_status="UNAVAILABLE", reason=reason)
    assert plan.verdicts == ()
    assert not plan.may("stop")


def test_a_stack_that_is_being_updated_has_no_plan_for_its_deletion() -> None:
    account = Account()
    account.of_stack("UPDATE_IN_PROGRESS")
    with pytest.raises(CannotPlan, match="run the plan when no operation is in progress"):
        plan_destroy(account, "shadow")


def test_the_deletion_of_a_stack_that_only_a_change_set_made_deletes_nothing() -> None:
    said = texts(plan_destroy(new_stack(), "shadow"))
    assert said == ["Nothing is deployed yet.", "In all: no stop will be sent."]
    assert said[0] not in texts(plan_destroy(Account(), "shadow"))
    assert said[0] not in texts(planned(added(ours()), account=new_stack()))


def test_a_stack_whose_rollback_failed_can_be_deleted() -> None:
    account = Account()
    account.of_stack("UPDATE_ROLLBACK_FAILED")
    account.happened[STACK] += [
        S("UPDATE_IN_PROGRESS", at=200),
        R("UPDATE_IN_PROGRESS", at=210, given=ours(EndNow="true")),
        R("UPDATE_FAILED", at=220, given=ours(EndNow="true")),
        S("UPDATE_ROLLBACK_IN_PROGRESS", at=230),
        S("UPDATE_ROLLBACK_FAILED", at=240),
    ]
    verdict = only(plan_destroy(account, "shadow"))
    assert said(verdict) == ("Delete", "stop", "will", "stoppable")


def test_a_plan_of_one_stage_names_nothing_of_the_other() -> None:
    account = Account(experiments={"fraud-shadow": experiment(), "other": experiment()})
    prod = STACK.replace("/shadow/", "/prod/")
    account.stacks[prod] = DescribedStack(prod, "prod", "CREATE_COMPLETE")
    account.deployed[prod] = [Resource(RESOURCE, OTHER_ARN, RESOURCE_TYPE, "CREATE_COMPLETE")]
    physical_ids = {STACK: prod, ARN: OTHER_ARN, "": ""}
    account.happened[prod] = [
        replace(event, physical_id=physical_ids[event.physical_id])
        for event in created(Name="other", StopOn=["Update"])
    ]
    first, second = only(plan_destroy(account, "shadow")), only(plan_destroy(account, "prod"))
    assert (first.place.stack_name, first.experiment, first.effect) == (
        "shadow",
        "fraud-shadow",
        "stop",
    )
    assert (second.place.stack_name, second.experiment, second.effect) == (
        "prod",
        "other",
        "nothing",
    )


def test_an_outcome_is_shown_as_the_request_that_it_makes_now() -> None:
    account = Account(running={"fraud": ({"production": 4})})
    after = {"ServiceToken": TOKEN, "Name": "fraud-shadow", "Outcome": "PromoteShadow"}
    verdict = only(planned(modified(after=after), account=account))
    assert said(verdict) == ("Update", "stop", "will", "stoppable")
    assert verdict.chance("promote") == "will"
    assert verdict.stop_request is not None
    assert verdict.stop_request["ModelVariantActions"] == PROMOTE_SHADOW
    assert '"InstanceCount": 4' in json.dumps(verdict.stop_request["DesiredModelVariants"])


FASTER = {"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": "1.1"}
EVIDENCE = {"MinInvocations": "100", "Window": "3600", "Comparisons": [FASTER]}


def test_a_promotion_that_needs_evidence_shows_it_as_it_is_and_is_never_certain() -> None:
    young = experiment(created=time.time(), sampling=50.0)
    account = Account(experiments={"fraud-shadow": young})
    after = ours(ModelVariantActions=PROMOTE_SHADOW, PromoteIf=EVIDENCE)
    verdict = only(planned(modified(after=after), account=account))
    assert said(verdict) == ("Update", "fail", "may", "gate_inconclusive")
    assert verdict.evidence["verdict"] == "inconclusive"
    assert chances(verdict) == {"stop": "may", "promote": "may", "fail": "may"}


def test_evidence_that_is_known_only_later_leaves_no_declaration_without_it() -> None:
    gated = ours(
        ModelVariantActions=PROMOTE_SHADOW,
        PromoteIf={"MinInvocations": "100", "Alarms": [LATER]},
        Otherwise="KeepBoth",
    )
    verdict = only(planned(added(after=gated), account=new_stack()))
    assert said(verdict) == ("Create", "nothing", "may", "stoppable")
    assert chances(verdict) == {"stop": "no", "promote": "no", "fail": "may"}
    assert verdict.because == (
        "'PromoteIf' may be invalid: it is known only during the deployment",
    )


def with_a_new_alarm(account: Account) -> tuple[Account, dict[str, Any]]:
    """A promotion whose evidence names an alarm that the change set creates."""
    declared = ours(ModelVariantActions=PROMOTE_SHADOW, PromoteIf={"MinInvocations": "100"})
    alarms = {"Alarms": [{"Ref": "Slow"}]}
    template = {**declared, "PromoteIf": {**declared["PromoteIf"], **alarms}}
    account.new_templates[CHANGE_SET] = {RESOURCE: {"Type": RESOURCE_TYPE, "Properties": template}}
    return account, {**declared, "PromoteIf": {**declared["PromoteIf"], "Alarms": [LATER]}}


def new_alarm(kind: str = "Alarm") -> Change:
    return other("Add", f"AWS::CloudWatch::{kind}", "Slow")


@pytest.mark.parametrize("kind", ["Alarm", "CompositeAlarm", "LogAlarm"])
def test_a_creation_that_arms_has_a_valid_alarm_of_the_same_stack(kind: str) -> None:
    account, after = with_a_new_alarm(new_stack())
    verdict = only(planned(added(after=after), new_alarm(kind), account=account))
    assert said(verdict) == ("Create", "nothing", "will", "stoppable")
    assert verdict.because == ()


def test_an_alarm_that_the_same_deployment_creates_has_insufficient_data() -> None:
    old = experiment(created=time.time() - 10**6, sampling=50.0)
    account, after = with_a_new_alarm(Measuring(experiments={"fraud-shadow": old}))
    cause = dynamic("PromoteIf", "Slow", "ResourceReference")
    change = modified(after=after, details=(cause,))
    verdict = only(planned(change, new_alarm(), account=account))
    assert said(verdict) == ("Update", "fail", "may", "gate_inconclusive")
    assert verdict.evidence["why"] == (
        "alarm 'Slow, which the same deployment creates' is INSUFFICIENT_DATA"
    )
    assert chances(verdict) == {"stop": "may", "promote": "may", "fail": "may"}


def test_another_resource_that_is_new_may_have_no_valid_name_of_an_alarm() -> None:
    account, after = with_a_new_alarm(new_stack())
    verdict = only(planned(added(after=after), other("Add", logical_id="Slow"), account=account))
    assert chances(verdict) == {"stop": "no", "promote": "no", "fail": "may"}


def test_a_deletion_stops_whatever_the_evidence_says_and_may_promote() -> None:
    young = experiment(created=time.time(), sampling=50.0)
    account = Account(experiments={"fraud-shadow": young})
    account.happened[STACK] = created(ModelVariantActions=PROMOTE_SHADOW, PromoteIf=EVIDENCE)
    plan = plan_destroy(account, "shadow")
    verdict = only(plan)
    assert said(verdict) == ("Delete", "stop", "may", "gate_inconclusive")
    assert chances(verdict) == {"stop": "will", "promote": "may", "fail": "no"}
    assert verdict.because == ("the metrics may change",)
    assert headline(verdict) == (
        "will stop it and, as the metrics are now, keep production and remove the shadow"
    )
    assert "deploy again" not in verdict.why


def test_a_deletion_by_actions_for_variants_that_are_not_there_may_fail() -> None:
    account = Account()
    actions = {"a": "Retain", "b": "Remove"}
    account.happened[STACK] = created(ModelVariantActions=actions)
    verdict = only(plan_destroy(account, "shadow"))
    assert (verdict.effect, verdict.certainty) == ("stop", "may")
    assert verdict.chance("fail") == "may"


def test_the_manual_documents_the_json() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "reference" / "command.md").read_text()
    section = manual.partition("\n## JSON\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    plan = planned(modified(after=ours(EndNow="true")))
    assert set(only(plan).to_json()) <= documented
    assert all(f"`{name}`" in section for name in plan.to_json())
    assert f"`version` ({plan.to_json()['version']})" in section


def test_a_promotion_on_fewer_instances_than_production_runs_is_a_warning() -> None:
    fewer = {"ModelVariantActions": PROMOTE_SHADOW, "DesiredModelVariants": [variant("shadow", 2)]}
    account = Account(running={"fraud": ({"production": 4})})
    verdict = only(planned(modified(after=ours(**fewer)), account=account))
    (warning,) = verdict.warnings
    assert "is to be promoted on 2 instances, but variant 'production' now runs 4" in warning
    assert verdict.to_json()["warnings"] == [warning]
    assert verdict.certainty == "will"
    account = Account(running={"fraud": ({"production": 2})})
    assert only(planned(modified(after=ours(**fewer)), account=account)).warnings == ()
    account = new_stack()
    account.running["fraud"] = {"production": 4}
    assert only(planned(added(ours(**fewer)), account=account)).warnings == (warning,)


def test_a_rollback_trigger_may_undo_the_deployment_before_the_request() -> None:
    alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:too-slow"
    plan = planned(modified(after=ours(ModelVariantActions=PROMOTE_SHADOW)), triggers=(alarm,))
    verdict = only(plan)
    assert (verdict.effect, verdict.certainty) == ("stop", "may")
    assert verdict.because == ("a rollback trigger may undo the deployment first: too-slow",)


@pytest.mark.parametrize(("instances", "fails"), [(None, "will"), ("Shadow", "metrics")])
def test_evidence_of_other_instances_fails_whatever_the_metrics_say(
    instances: str | None, fails: str
) -> None:
    old = experiment(created=time.time() - 10**6, sampling=50.0)
    account = Measuring(experiments={"fraud-shadow": old}, running={"fraud": {"production": 2}})
    promoting = {"Outcome": "PromoteShadow", "PromoteIf": ALARMED["PromoteIf"]}
    after = ours(ModelVariantActions=None, Instances=instances, **promoting)
    verdict = only(planned(modified(after=after), account=account))
    assert verdict.chance(FAIL) == fails
    assert ("it was measured on ml.m5.xlarge" in verdict.why) is (instances is None)


@dataclass
class Measuring(Account):
    """CloudWatch has enough requests, and an alarm in a state."""

    state: str = "OK"

    def evidence(self, question: Question) -> Measured:
        series = {query: {float(question.begin): 1000.0} for query in question.queries}
        return Measured(series, dict.fromkeys(question.alarms, self.state))


ALARMED = ours(
    ModelVariantActions=PROMOTE_SHADOW, PromoteIf={"MinInvocations": "100", "Alarms": ["slow"]}
)


def test_evidence_that_is_successful_now_is_no_failure_for_a_pipeline() -> None:
    old = experiment(created=time.time() - 10**6, sampling=50.0)
    account = Measuring(experiments={"fraud-shadow": old})
    plan = planned(modified(after=ALARMED), account=account)
    verdict = only(plan)
    assert said(verdict) == ("Update", "stop", "may", "gate_open")
    assert chances(verdict) == {"stop": "may", "promote": "may", "fail": "metrics"}
    assert (plan.may(STOP), plan.may(PROMOTE), plan.may(FAIL)) == (True, True, False)
    assert headline(verdict) == (
        "may stop it and promote the shadow, will fail if the metrics break a bound by then"
    )


def test_evidence_that_has_failed_now_is_a_failure() -> None:
    old = experiment(created=time.time() - 10**6, sampling=50.0)
    account = Measuring(experiments={"fraud-shadow": old})
    account.state = "ALARM"
    plan = planned(modified(after=ALARMED), account=account)
    verdict = only(plan)
    assert said(verdict) == ("Update", "fail", "may", "gate_failed")
    assert (plan.may(STOP), plan.may(PROMOTE), plan.may(FAIL)) == (True, True, True)
    assert headline(verdict) == (
        "will fail as the metrics are now, may stop it and promote the shadow"
    )


def test_a_headline_says_every_chance_that_the_summary_counts() -> None:
    account = Account()
    account.experiments["other"] = experiment(arn=OTHER_ARN, name="other")
    plan = planned(modified(after=ours(Name="other")), account=account)
    for verdict in plan.verdicts:
        told = headline(verdict)
        for what in (STOP, FAIL):
            assert (f"{verdict.chance(what)} {what}" in told) is (verdict.chance(what) != "no")
    *_, last = of_plan(plan)
    assert isinstance(last, Text)
    summary = last.text
    assert summary == "In all: 1 experiment may be stopped; 1 CloudFormation request may fail."


@pytest.mark.parametrize(
    ("outcome", "serves"),
    [
        (
            "PromoteShadow",
            f"{NEW} serves production on 4 x ml.c5.large; {OLD} is removed",
        ),
        ("KeepProduction", f"{OLD} keeps serving production; {NEW} is removed"),
        ("KeepBoth", f"{OLD} keeps serving production; {NEW} stays deployed, and is billed"),
    ],
)
def test_a_plan_says_what_serves_after_the_stop(outcome: str, serves: str) -> None:
    account = Account(running={"fraud": {"production": 4}})
    account.happened[STACK] = created(ModelVariantActions=None, Outcome=outcome)
    plan = plan_destroy(account, "shadow")
    assert only(plan).serves == serves
    assert f"Afterwards {serves}." in texts(plan)


def test_a_plan_does_not_say_what_serves_if_that_is_known_only_later() -> None:
    late = {"production": "Retain", "shadow": LATER}
    verdict = only(planned(modified(after=ours(ModelVariantActions=late, EndNow="true"))))
    assert (verdict.effect, verdict.outcome, verdict.serves) == ("stop", "", "")


def test_a_plan_says_what_a_failure_before_and_after_the_stop_means() -> None:
    after = ours(ModelVariantActions=PROMOTE_SHADOW)
    said = "If the deployment fails before the stop, nothing is stopped."
    assert said in " ".join(texts(planned(modified(after=after), other())))
    assert said not in " ".join(texts(planned(modified(after=after))))
    assert said not in " ".join(texts(planned(modified(after=ours(EndNow=LATER)))))
    assert said not in " ".join(texts(planned(removed(), other())))


def test_a_plan_says_what_serves_if_the_evidence_comes_to_allow_a_promotion() -> None:
    old = experiment(created=time.time() - 10**6, sampling=50.0)
    account = Measuring(
        experiments={"fraud-shadow": old}, running={"fraud": {"production": 4}}, state="ALARM"
    )
    evidence = {"PromoteIf": ALARMED["PromoteIf"], "Instances": "Production"}
    account.happened[STACK] = created(ModelVariantActions=None, Outcome="PromoteShadow", **evidence)
    verdict = only(plan_destroy(account, "shadow"))
    assert "serves production on 4 x ml.c5.large" in verdict.promotion
    assert "fraud-v1" in verdict.way_back


def test_a_plan_quotes_only_the_function() -> None:
    own = only(planned(modified(after=ours(Reason="in other words"))))
    assert own.sentence == own.why
    account = Account(experiments={"fraud-shadow": NotReadable(Kind.DENIED, "no")})
    for plan in (
        planned(other()),
        planned(modified(after=ours(EndNow="true")), account=account),
        plan_destroy(Account(description=None), "shadow"),
    ):
        assert only(plan).sentence == ""


def test_only_a_wait_for_an_end_of_its_own_is_called_so() -> None:
    digest = wanted(ours(EndNow="true")).digest
    for reason, says in (
        (f"any ({digest})", "This resource ordered that end"),
        ("any (00000000)", "not this resource's: 'any (00000000)'"),
        ("", "who ordered it is not known"),
    ):
        stopping = experiment("Stopping", status_reason=reason)
        account = Account(experiments={"fraud-shadow": stopping})
        plan = planned(modified(after=ours(EndNow="true")), account=account)
        assert says in " ".join(texts(plan))


def texts(plan: Plan) -> list[str]:
    return [block.text for block in of_plan(plan) if isinstance(block, Text)]
