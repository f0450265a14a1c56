"""A plan from which values are hidden never says less than the plan with all of them.

Each may be known only during the deployment, masked, or a dynamic reference. ``make fuzz`` tries
many more of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdk_stop_inference_experiment.cli import operations
from cdk_stop_inference_experiment.cli.plan import FAIL, PROMOTE, STOP, Plan, plan_destroy
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import Measured, Question
from tests.unit.situations import OTHER_ARN, RESOURCE, STACK, variant

from .account import CHANGE_SET, LATER, Account, added, modified, planned, removed
from .past import TOKEN, created, experiment

HIDDEN = st.sampled_from([LATER, f"pre-{LATER}", "****", "x****y", "{{resolve:ssm:/verdict}}"])
SETTINGS = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")) * 2,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
INSTANCES = st.fixed_dictionaries(
    {
        "InstanceType": st.sampled_from(["ml.m5.large", "ml.m5.xlarge", "ml.c5.large"]),
        "InstanceCount": st.sampled_from(["1", "2"]),
    }
)
ACTIONS = st.fixed_dictionaries(
    {"shadow": st.sampled_from(["Retain", "Remove", "Promote"])},
    optional={"production": st.sampled_from(["Retain", "Remove"])},
)
RATE = {"Metric": "Invocation5XXErrors", "MaxRate": "0.1"}
EVIDENCE = st.sampled_from(
    [
        {"MinInvocations": "1", "Window": "3600", "Comparisons": [RATE]},
        {"MinInvocations": "1", "Alarms": ["too-slow"]},
    ]
)
EVENTS = st.lists(st.sampled_from(["Create", "Update", "Delete"]), min_size=1, unique=True)


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """Properties that are valid, or nearly so."""
    ways: dict[str, st.SearchStrategy[Any]] = {
        "Outcome": st.sampled_from(["PromoteShadow", "PromoteShadow", "KeepProduction"]),
        "ModelVariantActions": ACTIONS,
    }
    way = draw(st.sampled_from([*ways]))
    end = draw(ways[way])
    optional: dict[str, st.SearchStrategy[Any]] = {
        "DesiredState": st.sampled_from(["Completed", "Cancelled"]),
        "EndNow": st.sampled_from(["true", "false"]),
        "Reason": st.sampled_from(["a", "b"]),
        "StopOn": EVENTS,
    }
    if end == "PromoteShadow":
        optional["Instances"] = INSTANCES | st.sampled_from(["Production", "Shadow"])
    elif way == "ModelVariantActions":
        stay = [name for name, action in end.items() if action != "Remove"]
        desired = [on(name, draw(INSTANCES)) for name in stay]
        optional |= {"DesiredModelVariants": st.just(desired)} if desired else {}
    if "Promote" in str(end):
        optional["PromoteIf"] = EVIDENCE
    required = {"ServiceToken": TOKEN, "Name": "fraud-shadow", way: end}
    return {**required, **draw(st.fixed_dictionaries({}, optional=optional))}


def on(name: str, instances: dict[str, str]) -> dict[str, Any]:
    """A variant on its instances."""
    kind = {"InfrastructureType": "RealTimeInference"}
    infrastructure = {**kind, "RealTimeInferenceConfig": instances}
    return {**variant(name), "InfrastructureConfig": infrastructure}


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to each part of a value."""
    parts = {}
    if isinstance(value, dict):
        parts = value
    elif isinstance(value, list):
        parts = dict(enumerate(value))
    for key, item in parts.items():
        yield (key,)
        yield from ((key, *more) for more in paths(item))


def hide(value: Any, path: tuple[Any, ...], instead: Any) -> Any:
    """The value, in which a part is another one."""
    if not path or not isinstance(value, (dict, list)):
        return instead
    changed = value.copy()
    changed[path[0]] = hide(value[path[0]], path[1:], instead)
    return changed


def with_functions(value: Any) -> Any:
    """The value as a template has it: a function in the place of what is hidden."""
    if isinstance(value, dict):
        return {key: with_functions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_functions(item) for item in value]
    is_hidden = isinstance(value, str) and any(mark in value for mark in ("{{", "****"))
    return {"Fn::GetAtt": ["Verdict", "Value"]} if is_hidden else value


class Measuring(Account):
    """An account in which production serves, and the shadow has no errors, or only errors."""

    errors = 0.0

    def evidence(self, question: Question) -> Measured:
        series = {
            query: dict.fromkeys(
                map(float, range(question.begin, question.end, query.period)),
                100.0 if query.metric == "Invocations" else self.errors,
            )
            for query in question.queries
        }
        return Measured(series, dict.fromkeys(question.alarms, "ALARM" if self.errors else "OK"))


def chances(plan: Plan) -> set[str]:
    return {what for what in (STOP, PROMOTE, FAIL) if plan.may(what)}


@SETTINGS
@given(st.data())
def test_a_plan_never_says_less_because_a_value_is_hidden(data: st.DataObject) -> None:
    old, new = data.draw(declarations()), data.draw(declarations())
    status = data.draw(st.sampled_from(["Running", "Running", "Created", "Stopping", "Completed"]))
    errors = data.draw(st.sampled_from([0.0, 100.0]))
    new["Name"] = data.draw(st.sampled_from(["fraud-shadow", "fraud-shadow", "other"]))

    def account(deployed: dict[str, Any] = old) -> Measuring:
        seen = Measuring()
        seen.errors = errors
        seen.happened[STACK][2] = replace(created()[2], properties=json.dumps(deployed))
        other = experiment(arn=OTHER_ARN, name="other")
        seen.experiments = {"fraud-shadow": experiment(status), "other": other}
        return seen

    def hidden(value: dict[str, Any]) -> dict[str, Any]:
        for _ in range(data.draw(st.integers(1, 2))):
            path, mark = data.draw(st.sampled_from([*paths(value)])), data.draw(HIDDEN)
            value = hide(value, path, mark)
        return value

    how = data.draw(st.sampled_from(["modified", "declared", "added", "removed", "destroyed"]))
    if how == "modified":
        whole = planned(modified(before=old, after=new), account=account())
        less = planned(modified(before=old, after=hidden(new)), account=account())
    elif how == "declared":
        whole = planned(modified(before=old, after=new), account=account())
        seen = account()
        properties = with_functions(hidden(new))
        seen.new_templates[CHANGE_SET] = {
            RESOURCE: {"Type": RESOURCE_TYPE, "Properties": properties}
        }
        less = planned(replace(modified(), before=None), account=seen)
    elif how == "added":
        empty = [account(), account()]
        for one in empty:
            one.deployed, one.happened = {STACK: []}, {STACK: created()[::3]}
        whole = planned(added(new), account=empty[0])
        less = planned(added(hidden(new)), account=empty[1])
    else:
        masked = hidden(old)

        def plan() -> Plan:
            if how == "destroyed":
                return plan_destroy(account(masked), "shadow")
            return planned(removed(before=masked), account=account(masked))

        # The function reads masked events, too, but gets a request with the values.
        with mock.patch.object(operations, "deployed_properties", return_value=old):
            whole = plan()
        less = plan()
    assert chances(whole) <= chances(less)
