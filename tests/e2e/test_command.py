"""The command as people and pipelines run it: what it prints, exits with and may do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import NestedStack

from cdk_stop_inference_experiment import Outcome, StopOn
from local_aws import LocalAws
from local_aws.synthesis import Template, synthesise
from tests.local_aws.functions import make_function
from tests.local_aws.stacks import SOURCE, resource
from tests.local_aws.test_iam_requests import user

from .history import CAPABILITIES, STACK, History
from .planned import plan_of
from .shadow_stack import shadow_stack
from .synthesis import PROMOTE_SHADOW, promoting, stop_shadow_test, stopping

ROOT = Path(__file__).parents[2]


class Ran:
    """One run of the command."""

    def __init__(self, aws: LocalAws, *arguments: str, **environment: str) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "cdk_stop_inference_experiment", *arguments],
            env={**aws.environment(os.environ), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        self.status, self.out, self.err = ran.returncode, ran.stdout, ran.stderr


@pytest.fixture
def armed(history: History, shadow_test: str) -> History:
    """A stack that is to promote the shadow, with a change set that orders it."""
    assert history.deploy(as_tested()) == "CREATE_COMPLETE"
    prepare(history, as_tested(end_now=True).body)
    return history


def as_tested(**props: Any) -> Template:
    """A stack that promotes the shadow when it is ordered, on the instances it is tested on."""
    return stopping(outcome=Outcome.promote_shadow(), stop_on=[StopOn.DELETE], **props)


def prepare(
    history: History, body: Mapping[str, Any], name: str = "verdict", **options: Any
) -> None:
    """Make a change set, as ``cdk deploy --method=prepare-change-set`` does."""
    history.cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName=name,
        TemplateBody=json.dumps(body),
        Capabilities=CAPABILITIES,
        IncludeNestedStacks=True,
        **options,
    )


def test_a_plan_is_text_of_at_most_80_columns_without_colours(armed: History) -> None:
    ran = Ran(armed.aws, "plan", STACK, "--change-set", "verdict")
    assert (ran.status, ran.err) == (0, "")
    assert "Inference experiment fraud-shadow: the update will stop it and promote the" in ran.out
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in ran.out.splitlines())
    assert armed.experiment()["Status"] == "Running"
    begin, end = _readmes_plan()
    assert begin in _words(ran.out)
    assert end in _words(ran.out)


def _readmes_plan() -> list[str]:
    """The words of the plan in the README, before and after what it leaves out."""
    (shown,) = re.findall(r"```text\n(Stack FraudShadowTest \(.*?)```", README, re.DOTALL)
    begin, end = shown.split("…")
    return [_words(begin.replace("FraudShadowTest", STACK)), _words(end)]


def _words(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    return " ".join(re.sub(r"/\w+Experiment\w+", "/LogicalId", text).split())


def test_a_pipeline_reads_json_and_exits_with_2(armed: History) -> None:
    arguments = ("plan", STACK, "--change-set", "verdict", "--json")
    ran = Ran(armed.aws, *arguments, "--fail-on", "fail")
    (verdict,) = json.loads(ran.out)["verdicts"]
    assert ran.status == 0
    assert (verdict["effect"], verdict["certainty"]) == ("stop", "will")
    assert [verdict[what] for what in ("stop", "promote", "fail")] == ["will", "will", "no"]
    assert verdict["stopRequest"]["ModelVariantActions"]["shadow"] == "Promote"
    assert Ran(armed.aws, *arguments, "--fail-on", "promote").status == 2
    assert Ran(armed.aws, *arguments, "--fail-on", "fail", "--fail-on", "stop").status == 2
    destroy = Ran(armed.aws, "plan", STACK, "--destroy", "--fail-on", "fail")
    assert destroy.status == 0, destroy.out
    assert "the deletion will stop it and promote the shadow" in _words(destroy.out)


def test_status_tells_where_the_experiment_stands(armed: History) -> None:
    armed.aws.scale_variant("fraud", "production", current=4)
    ran = Ran(armed.aws, "status", STACK)
    text = " ".join(ran.out.split())
    assert ran.status == 0
    assert "fraud-shadow: Running since" in text
    assert "role production, model fraud-v1, instances 4 x ml.m5.large (1 configured)" in text
    assert "role shadow, model fraud-v2, instances 1 x ml.m5.large, requests 50%" in text
    assert "Declared end: " in text
    assert "'end_now' would stop it and promote the shadow." in text
    assert "A changed declaration would stop nothing: 'stop_on' does not list UPDATE." in text
    assert "A teardown would stop it and promote the shadow." in text
    (state,) = json.loads(Ran(armed.aws, "status", STACK, "--json").out)
    assert state["resources"][0]["onTeardown"]["effect"] == "stop"


def policy() -> list[dict[str, Any]]:
    """The statements of the manual's policy document."""
    block = re.search(r"```json\n(\{\n  \"Version\": \"2012-10-17\".*?)```", MANUAL, re.DOTALL)
    assert block is not None
    statements: list[dict[str, Any]] = json.loads(block[1])["Statement"]
    return statements


README = (ROOT / "README.md").read_text()
MANUAL = (ROOT / "docs" / "reference" / "command.md").read_text()


def test_the_manuals_policy_is_enough_and_reads_only(armed: History) -> None:
    actions = [
        action for one in policy() for action in [one["Action"]] for action in _listed(action)
    ]
    assert all(re.match(r"\w+:(Describe|Get|List)", action) for action in actions)
    clients = user(armed.aws, *policy())
    key = clients("sts")._request_signer._credentials
    may = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
    for arguments in (
        ("plan", STACK, "--change-set", "verdict", "--json"),
        ("plan", STACK, "--destroy", "--json"),
    ):
        ran = Ran(armed.aws, *arguments, **may)
        assert ran.status == 0, ran.err
        (verdict,) = json.loads(ran.out)["verdicts"]
        assert verdict["certainty"] == "will"
    assert Ran(armed.aws, "status", STACK, **may).status == 0


def test_without_a_permission_on_the_experiment_the_effect_is_unknown(armed: History) -> None:
    statements = [one for one in policy() if one["Sid"] != "ReadExperiments"]
    key = user(armed.aws, *statements)("sts")._request_signer._credentials
    may = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
    ran = Ran(armed.aws, "plan", STACK, "--destroy", "--json", "--fail-on", "stop", **may)
    (verdict,) = json.loads(ran.out)["verdicts"]
    assert (ran.status, verdict["effect"]) == (2, "unknown")
    assert "sagemaker:DescribeInferenceExperiment" in verdict["why"]


def _listed(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else [str(value)]


@pytest.mark.usefixtures("shadow_test")
def test_a_creation_with_its_own_experiment_is_planned_before_either_exists(
    history: History,
) -> None:
    history.aws.reset()
    plan = plan_of(history.aws, STACK, history.given(shadow_stack()), exists=False)
    (verdict,) = plan.verdicts
    assert (verdict.request, verdict.effect, verdict.order) == ("Create", "nothing", "create_arms")


@pytest.mark.usefixtures("shadow_test")
def test_a_nested_stack_is_planned_with_its_root(history: History) -> None:
    def build(**props: Any) -> Any:
        return synthesise(lambda stack: stop_shadow_test(NestedStack(stack, "Nested"), **props))

    assert history.deploy(build()) == "CREATE_COMPLETE"
    assert history.deploy(build(model_variant_actions=PROMOTE_SHADOW)) == "UPDATE_COMPLETE"
    history.end(stops=1)


@pytest.mark.usefixtures("shadow_test")
def test_a_value_that_is_known_only_later_is_named(history: History) -> None:
    assert history.deploy(stopping(stop_on=[StopOn.DELETE])) == "CREATE_COMPLETE"

    def late(body: dict[str, Any]) -> None:
        made = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "true"}}
        body["Resources"]["Made"] = made
        for one in body["Resources"].values():
            if one["Type"] == "Custom::StopInferenceExperiment":
                one["Properties"]["EndNow"] = {"Fn::GetAtt": ["Made", "Value"]}

    prepare(history, stopping(stop_on=[StopOn.DELETE]).changed(late).body)
    ran = Ran(history.aws, "plan", STACK, "--change-set", "verdict", "--fail-on", "stop")
    assert ran.status == 2
    assert "'EndNow'" in ran.out


@pytest.mark.usefixtures("shadow_test")
def test_a_stack_whose_rollback_failed_is_planned_and_destroyed(history: History) -> None:
    token = make_function(history.aws, SOURCE, Timeout=20)

    def with_fragile(template: Template, value: str) -> Template:
        fragile = resource(token, Value=value, On="Update", Answer={"Status": "FAILED"})
        (ours,) = template.resources("Custom::StopInferenceExperiment")

        def change(body: dict[str, Any]) -> None:
            body["Resources"]["Fragile"] = fragile
            body["Resources"][ours]["DependsOn"].append("Fragile")

        return template.changed(change)

    assert history.deploy(with_fragile(stopping(), "1")) == "CREATE_COMPLETE"
    assert history.deploy(with_fragile(promoting(), "2")) == "UPDATE_ROLLBACK_FAILED"
    assert not history.stops()
    ran = Ran(history.aws, "plan", STACK, "--destroy")
    assert (ran.status, ran.err) == (0, "")
    assert f"Stack {STACK} (UPDATE_ROLLBACK_FAILED): plan of its deletion" in ran.out
    assert history.destroy() == "DELETE_COMPLETE"
    (stop,) = history.stops()
    assert stop.request["ModelVariantActions"]["shadow"] == "Remove"


def test_a_change_set_that_is_being_made_changes_nothing_or_was_executed_is_told_apart(
    armed: History,
) -> None:
    def said(name: str) -> tuple[int, str]:
        ran = Ran(armed.aws, "plan", STACK, "--change-set", name)
        assert (ran.out == "") is (ran.status == 1)
        return ran.status, _words(ran.out + ran.err)

    prepare(armed, as_tested().body, "same")
    status, text = said("same")
    assert (status, "the change set changes nothing: " in text) == (0, True)
    armed.aws.configure(change_set_seconds=10**6)
    prepare(armed, promoting(end_now=True).body, "unfinished")
    status, text = said("unfinished")
    assert (status, "is still being created (CREATE_IN_PROGRESS)" in text) == (1, True)
    armed.cloudformation.execute_change_set(StackName=STACK, ChangeSetName="verdict")
    assert armed.settled() == "UPDATE_COMPLETE"
    status, text = said("verdict")
    assert (status, "cannot be executed, it is EXECUTE_COMPLETE" in text) == (1, True)
