"""The JSON schema of cdk.json takes and refuses the same declarations as app.py."""

from __future__ import annotations

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from app import (
    DECLARATION,
    EXAMPLES,
    STACK_NAME,
    ContextError,
    StopInferenceExperimentStack,
    check_keys,
    declaration,
)

from cdk_stop_inference_experiment import InvalidPropsError

from .. import cdk_schema
from .stacks import Json

# jsonschema is only where requirements.txt is installed.
pytestmark = pytest.mark.newest

KEY = DECLARATION
CDK_JSON: Json = json.loads((cdk_schema.FILE.parent / "cdk.json").read_text())

OUTCOME: Json = {"experiment_name": "fraud-shadow", "outcome": "PromoteShadow"}
ACTIONS: Json = {
    "experiment_name": "fraud-shadow",
    "model_variant_actions": {"production": "Remove", "shadow": "Promote"},
}
VARIANT: Json = {
    "model_name": "fraud-v2",
    "variant_name": "shadow",
    "instance_type": "ml.m5.xlarge",
    "instance_count": 0,
}


def _evidence(*comparisons: Json, **entries: Any) -> Json:
    listed = {"comparisons": list(comparisons)} if comparisons else {}
    return {**OUTCOME, "promote_if": {"min_invocations": 1, **listed, **entries}}


def _latency(**entries: Any) -> Json:
    return _evidence({"metric": "model_latency", **entries})


def _errors(**entries: Any) -> Json:
    return _evidence({"metric": "error_rate_4xx", **entries})


def _instances(**entries: Any) -> Json:
    instances = {"instance_type": "ml.m5.xlarge", "instance_count": 1, **entries}
    return {**OUTCOME, "outcome": {"kind": "PromoteShadow", "instances": instances}}


def _of(kind: str, instances: object) -> Json:
    return {**OUTCOME, "outcome": {"kind": kind, "instances": instances}}


METRIC: Json = {"namespace": "Fraud", "metric_name": "Agreement"}


def _sure(*comparisons: Json, **entries: Any) -> Json:
    """Evidence with a confidence."""
    return _evidence(*comparisons, **{"confidence": 0.95, "min_invocations": None, **entries})


def _pair(**entries: Any) -> Json:
    return {"metric": "of_metrics", "production": METRIC, "shadow": METRIC, **entries}


TAKEN: dict[str, Json] = {
    "the declaration of cdk.json": CDK_JSON["context"][KEY],
    "an outcome by name": OUTCOME,
    "an outcome of a kind alone": {**OUTCOME, "outcome": {"kind": "KeepBoth"}},
    "production's instances": _of("PromoteShadow", "Production"),
    "the shadow's instances": _of("PromoteShadow", "Shadow"),
    "production's instances without a promotion": _of("KeepBoth", "Production"),
    "instances that are null": _of("KeepBoth", None),
    "given instances": _instances(),
    "actions": ACTIONS,
    "an action": {**ACTIONS, "model_variant_actions": {"shadow": "Remove"}},
    "a promotion alone": {**ACTIONS, "model_variant_actions": {"shadow": "Promote"}},
    "variants with an outcome that is null": {
        **ACTIONS,
        "outcome": None,
        "desired_model_variants": [VARIANT],
    },
    "variants": {**ACTIONS, "desired_model_variants": [VARIANT]},
    "evidence for an outcome of a kind": {
        **_evidence(alarms=["a"]),
        "outcome": {"kind": "PromoteShadow"},
    },
    "an outcome that is null": {**ACTIONS, "outcome": None},
    "every other entry null": {
        **OUTCOME,
        **dict.fromkeys(("desired_model_variants", "reason", "stop_on", "timeout", "otherwise")),
        **dict.fromkeys(("model_variant_actions", "desired_state", "end_now", "promote_if")),
    },
    "a reason of 1,024 characters": {**OUTCOME, "reason": "x" * 1024},
    "an empty reason": {**OUTCOME, "reason": ""},
    "every event": {**OUTCOME, "stop_on": ["Create", "Update", "Delete", "Delete"]},
    "a timeout": {**OUTCOME, "timeout": "PT1M30.5S"},
    "an average latency": _latency(max_ratio=1.1),
    "a percentile": _latency(statistic="p99", max_value="PT0.05S", failure_limit=2),
    "no failure limit of an average": _latency(max_increase="PT0.005S", failure_limit=0),
    "nulls in a comparison": _latency(statistic=None, max_ratio=2, failure_limit=None),
    "an error rate": _errors(max_rate=1, max_increase=0.001, dry_run=True),
    "each error rate": _evidence(
        *({"metric": name, "max_rate": 0.1} for name in ("error_rate_5xx", "model_error_rate"))
    ),
    "ten alarms": _evidence(alarms=["x" * 255] * 10, window="PT24H"),
    "evidence for actions": {**ACTIONS, "promote_if": _evidence(alarms=["a"])["promote_if"]},
    "a confidence": _sure(alarms=["a"], min_hours=24),
    "a confidence and a number of requests": _sure(alarms=["a"], min_invocations=1),
    "a confidence that is null": _evidence(alarms=["a"], confidence=None, min_hours=None),
    "two metrics": _sure(_pair(at_least=-1, max_ratio=1.1, max_increase=0.1, dry_run=True)),
    "two metrics of every entry": _sure(
        _pair(shadow={**METRIC, "dimensions": {"Model": "v2"}, "statistic": "p99"}, at_least=0)
    ),
    "two metrics of nulls": _sure(
        _pair(shadow={**METRIC, "dimensions": None, "statistic": None}, at_least=0, max_ratio=None)
    ),
    "no failure limit with a confidence": _sure(
        {"metric": "model_latency", "statistic": "p99", "max_ratio": 1.1, "failure_limit": 0}
    ),
    "the other way by name": {**_evidence(alarms=["a"]), "otherwise": "KeepBoth"},
    "the other way by kind": {**_evidence(alarms=["a"]), "otherwise": {"kind": "KeepProduction"}},
}

REFUSED: dict[str, object] = {
    "a list": [OUTCOME],
    "an unknown entry": {**OUTCOME, "experimentName": "x"},
    "no name": {"outcome": "KeepBoth"},
    "a name that is null": {**OUTCOME, "experiment_name": None},
    "an empty name": {**OUTCOME, "experiment_name": ""},
    "a name of 121 characters": {**OUTCOME, "experiment_name": "x" * 121},
    "a name that ends in a hyphen": {**OUTCOME, "experiment_name": "fraud-"},
    "an ARN": {**OUTCOME, "experiment_name": "arn:aws:sagemaker:x:1:inference-experiment/x"},
    "a number as name": {**OUTCOME, "experiment_name": 1},
    "neither outcome nor actions but null": {
        "experiment_name": "x",
        "outcome": None,
        "model_variant_actions": None,
    },
    "neither outcome nor actions": {"experiment_name": "x"},
    "both outcome and actions": {**OUTCOME, **ACTIONS},
    "an unknown outcome": {**OUTCOME, "outcome": "Promote"},
    "an outcome as a string of JSON": {**OUTCOME, "outcome": '{"kind": "KeepBoth"}'},
    "an outcome that is a list": {**OUTCOME, "outcome": ["KeepBoth"]},
    "an outcome of no kind": {**OUTCOME, "outcome": {"instances": "Shadow"}},
    "an outcome of a null kind": {**OUTCOME, "outcome": {"kind": None}},
    "an outcome with more": {**OUTCOME, "outcome": {"kind": "KeepBoth", "count": 1}},
    "nobody's instances": _of("PromoteShadow", "Both"),
    "instances as a string of JSON": _of("PromoteShadow", "{}"),
    "the shadow's instances without a promotion": _of("KeepBoth", "Shadow"),
    "instances without a promotion": _of("KeepProduction", VARIANT),
    "no instance": _instances(instance_count=0),
    "half an instance": _instances(instance_count=1.5),
    "true instances": _instances(instance_count=True),
    "instances of no type": _instances(instance_type=None),
    "an instance type of EC2": _instances(instance_type="m5.xlarge"),
    "an instance type that SageMaker does not know": _instances(instance_type="ml.m5.3xlarge"),
    "instances of nothing": _of("PromoteShadow", {}),
    "instances with more": _instances(model_name="x"),
    "no actions": {**ACTIONS, "model_variant_actions": {}},
    "a list of actions": {**ACTIONS, "model_variant_actions": ["Retain"]},
    "three actions": {**ACTIONS, "model_variant_actions": dict.fromkeys("abc", "Retain")},
    "two promotions": {**ACTIONS, "model_variant_actions": dict.fromkeys("ab", "Promote")},
    "two removals": {**ACTIONS, "model_variant_actions": dict.fromkeys("ab", "Remove")},
    "an unknown action": {**ACTIONS, "model_variant_actions": {"a": "retain"}},
    "an action that is null": {**ACTIONS, "model_variant_actions": {"a": None}},
    "an action for no name": {**ACTIONS, "model_variant_actions": {"a_b": "Retain"}},
    "variants with an outcome": {**OUTCOME, "desired_model_variants": [VARIANT]},
    "no variants": {**ACTIONS, "desired_model_variants": []},
    "three variants": {**ACTIONS, "desired_model_variants": [VARIANT] * 3},
    "a variant that is no list": {**ACTIONS, "desired_model_variants": VARIANT},
    "a variant as a string of JSON": {**ACTIONS, "desired_model_variants": [json.dumps(VARIANT)]},
    "a variant that is null": {**ACTIONS, "desired_model_variants": [None]},
    "a variant of no model": {
        **ACTIONS,
        "desired_model_variants": [VARIANT | {"model_name": None}],
    },
    "a variant of nothing": {**ACTIONS, "desired_model_variants": [{}]},
    "a model's ARN": {**ACTIONS, "desired_model_variants": [VARIANT | {"model_name": "arn:x"}]},
    "a model of 64 characters": {
        **ACTIONS,
        "desired_model_variants": [VARIANT | {"model_name": "x" * 64}],
    },
    "a variant of EC2's type": {
        **ACTIONS,
        "desired_model_variants": [VARIANT | {"instance_type": "m5.large"}],
    },
    "a variant with more": {**ACTIONS, "desired_model_variants": [VARIANT | {"kind": "x"}]},
    "fewer than no instances": {
        **ACTIONS,
        "desired_model_variants": [VARIANT | {"instance_count": -1}],
    },
    "an unknown state": {**OUTCOME, "desired_state": "Done"},
    "two lines of reason": {**OUTCOME, "reason": "one\ntwo"},
    "a reason of 1,025 characters": {**OUTCOME, "reason": "x" * 1025},
    "no event": {**OUTCOME, "stop_on": []},
    "an event that is no list": {**OUTCOME, "stop_on": "Delete"},
    "an unknown event": {**OUTCOME, "stop_on": ["delete"]},
    "a flag as text": {**OUTCOME, "end_now": "true"},
    "a flag as a number": {**OUTCOME, "end_now": 1},
    "a timeout in minutes": {**OUTCOME, "timeout": 30},
    "a timeout of nothing": {**OUTCOME, "timeout": "PT"},
    "a timeout without a unit": {**OUTCOME, "timeout": "PT5"},
    "a timeout in days": {**OUTCOME, "timeout": "P1D"},
    "a timeout of broken minutes": {**OUTCOME, "timeout": "PT1.5M"},
    "evidence as a string of JSON": {**OUTCOME, "promote_if": EXAMPLES["promote_if"]},
    "evidence of no number": {**OUTCOME, "promote_if": {"alarms": ["a"]}},
    "evidence of nothing": _evidence(),
    "evidence of empty lists": _evidence(alarms=[], comparisons=[]),
    "evidence of no invocation": _evidence(alarms=["a"], min_invocations=0),
    "evidence of a broken number of invocations": _evidence(alarms=["a"], min_invocations=1.5),
    "evidence of invocations that are null": _evidence(alarms=["a"], min_invocations=None),
    "evidence with more": _evidence(alarms=["a"], windows="PT1H"),
    "too little confidence": _sure(alarms=["a"], confidence=0.79),
    "too much confidence": _sure(alarms=["a"], confidence=1),
    "a window with a confidence": _sure(alarms=["a"], window="PT24H"),
    "hours without a confidence": _evidence(alarms=["a"], min_hours=48),
    "fewer than 24 hours": _sure(alarms=["a"], min_hours=23),
    "more hours than a test has": _sure(alarms=["a"], min_hours=721),
    "a failure limit with a confidence": _sure(
        {"metric": "model_latency", "statistic": "p99", "max_ratio": 1.1, "failure_limit": 1}
    ),
    "two metrics without a confidence": _evidence(_pair(at_least=1)),
    "two metrics without a bound": _sure(_pair()),
    "two metrics with a rate": _sure(_pair(at_least=1, max_rate=0.1)),
    "one metric of two": _sure({"metric": "of_metrics", "production": METRIC, "at_least": 1}),
    "a metric that is null": _sure(_pair(at_least=1, shadow=None)),
    "a metric by name": _sure(_pair(at_least=1, shadow="Agreement")),
    "a metric of no namespace": _sure(_pair(at_least=1, shadow={"metric_name": "x"})),
    "a metric of an empty name": _sure(_pair(at_least=1, shadow={**METRIC, "metric_name": ""})),
    "a metric of a namespace with a colon first": _sure(
        _pair(at_least=1, shadow={**METRIC, "namespace": ":x"})
    ),
    "a metric with more": _sure(_pair(at_least=1, shadow={**METRIC, "period": 60})),
    "a dimension that is a number": _sure(
        _pair(at_least=1, shadow={**METRIC, "dimensions": {"Model": 2}})
    ),
    "dimensions as a list": _sure(_pair(at_least=1, shadow={**METRIC, "dimensions": ["Model"]})),
    "a dimension with a colon first": _sure(
        _pair(at_least=1, shadow={**METRIC, "dimensions": {":x": "v2"}})
    ),
    "a window in seconds": _evidence(alarms=["a"], window=3600),
    "a window of another form": _evidence(alarms=["a"], window="1h"),
    "an alarm that is a number": _evidence(alarms=[1]),
    "an alarm that is no list": _evidence(alarms="a"),
    "an alarm of no name": _evidence(alarms=[""]),
    "an alarm of 256 characters": _evidence(alarms=["x" * 256]),
    "eleven alarms": _evidence(alarms=["a"] * 11),
    "eleven comparisons": _evidence(*[{"metric": "error_rate_4xx", "max_rate": 0.1}] * 11),
    "a comparison that is no list": _evidence(comparisons={"metric": "error_rate_4xx"}),
    "a comparison as a string of JSON": _evidence(comparisons=['{"metric": "error_rate_4xx"}']),
    "a comparison of no metric": _evidence({"max_ratio": 1}),
    "a comparison of an unknown metric": _evidence({"metric": "latency", "max_ratio": 1}),
    "a comparison of two metrics": _evidence({"metric": ["model_latency"], "max_ratio": 1}),
    "a comparison without a bound": _latency(),
    "a comparison whose bound is null": _latency(max_ratio=None),
    "a comparison of errors without a bound": _errors(),
    "a comparison of errors whose bounds are null": _errors(max_rate=None, max_increase=None),
    "an unknown statistic": _latency(statistic="p98", max_ratio=1),
    "a ratio of 0": _latency(max_ratio=0),
    "a ratio as text": _latency(max_ratio="1.1"),
    "a latency in milliseconds": _latency(max_value=50),
    "a latency of another form": _latency(max_value="50ms"),
    "an increase of another form": _latency(max_increase="5ms"),
    "an increase of a latency as a number": _latency(max_increase=5),
    "a rate of a latency": _latency(max_ratio=1, max_rate=0.1),
    "a failure limit of an average": _latency(max_ratio=1, failure_limit=1),
    "a failure limit of the default statistic": _latency(
        statistic=None, max_ratio=1, failure_limit=1
    ),
    "half an hour as failure limit": _latency(statistic="p50", max_ratio=1, failure_limit=0.5),
    "a failure limit below 0": _latency(statistic="p50", max_ratio=1, failure_limit=-1),
    "a statistic of errors": _errors(statistic="p99", max_rate=0.1),
    "a ratio of errors": _errors(max_ratio=1.1),
    "a rate above 1": _errors(max_rate=1.1),
    "a rate of 0": _errors(max_rate=0),
    "an increase above 1": _errors(max_increase=1.1),
    "an increase of 0": _errors(max_increase=0),
    "an increase of errors as a duration": _errors(max_increase="PT1S"),
    "a dry run as text": _errors(max_rate=0.1, dry_run="true"),
    "evidence for an outcome of a kind without a promotion": {
        **_evidence(alarms=["a"]),
        "outcome": {"kind": "KeepBoth"},
    },
    "evidence without a promotion": {**_evidence(alarms=["a"]), "outcome": "KeepBoth"},
    "evidence for actions without a promotion": {
        **ACTIONS,
        "model_variant_actions": {"shadow": "Remove"},
        "promote_if": {"min_invocations": 1, "alarms": ["a"]},
    },
    "another way without evidence": {**OUTCOME, "otherwise": "KeepBoth"},
    "another way that promotes": {**_evidence(alarms=["a"]), "otherwise": "PromoteShadow"},
    "another way of a kind that promotes": {
        **_evidence(alarms=["a"]),
        "otherwise": {"kind": "PromoteShadow"},
    },
    "another way of no kind": {**_evidence(alarms=["a"]), "otherwise": {}},
    "another way with evidence that is null": {
        **OUTCOME,
        "promote_if": None,
        "otherwise": "KeepBoth",
    },
    "another way with instances": {
        **_evidence(alarms=["a"]),
        "otherwise": {"kind": "KeepBoth", "instances": "Shadow"},
    },
}

CONTEXTS_TAKEN: dict[str, Json] = {
    "the context of cdk.json": CDK_JSON["context"],
    "the whole declaration as -c sends it": {KEY: json.dumps(OUTCOME)},
    "an entry of its own": {KEY: OUTCOME, f"{KEY}.outcome": "KeepBoth"},
    "an outcome as -c sends it": {KEY: OUTCOME, f"{KEY}.outcome": EXAMPLES["outcome"]},
    "only entries of their own": {f"{KEY}.{name}": value for name, value in OUTCOME.items()},
    "one way in place of the other": {
        KEY: OUTCOME,
        f"{KEY}.outcome": "null",
        f"{KEY}.model_variant_actions": EXAMPLES["model_variant_actions"],
    },
    "lists and flags as -c sends them": {
        KEY: OUTCOME,
        f"{KEY}.stop_on": EXAMPLES["stop_on"],
        f"{KEY}.end_now": "true",
        f"{KEY}.promote_if": EXAMPLES["promote_if"],
        f"{KEY}.otherwise": EXAMPLES["otherwise"],
        f"{KEY}.timeout": "PT30M",
    },
    "lists and flags as in a file": {
        KEY: OUTCOME,
        f"{KEY}.stop_on": ["Delete"],
        f"{KEY}.end_now": True,
        f"{KEY}.reason": None,
    },
    "variants as in a file and as -c sends them": {
        KEY: {"experiment_name": "x"},
        f"{KEY}.model_variant_actions": ACTIONS["model_variant_actions"],
        f"{KEY}.desired_model_variants": EXAMPLES["desired_model_variants"],
    },
    "a promotion as in a file": {
        KEY: OUTCOME,
        f"{KEY}.promote_if": {"min_invocations": 1, "alarms": ["a"]},
        f"{KEY}.otherwise": "KeepBoth",
        f"{KEY}.desired_state": "Completed",
    },
    "what -c sends to leave an entry out": {
        KEY: OUTCOME,
        f"{KEY}.promote_if": "null",
        f"{KEY}.otherwise": "null",
        f"{KEY}.stop_on": "null",
    },
    "another name of the stack": {KEY: OUTCOME, STACK_NAME: "Fraud-2"},
    "the context of others": {KEY: OUTCOME, "vpc": 1, "@aws-cdk/core:x": True},
}

CONTEXTS_REFUSED: dict[str, Json] = {
    "no declaration": {},
    "a declaration that is null": {KEY: None},
    "a declaration that is no JSON": {KEY: "fraud-shadow"},
    "a mistyped key": {KEY: OUTCOME, f"{KEY}s": 1},
    "a mistyped entry of its own": {KEY: OUTCOME, f"{KEY}.stop-on": ["Delete"]},
    "an entry of an entry of its own": {KEY: OUTCOME, f"{KEY}.outcome.kind": "KeepBoth"},
    "a wrong entry beside one of its own": {KEY: {**OUTCOME, "stop_on": []}, f"{KEY}.reason": "x"},
    "an unknown outcome of its own": {KEY: OUTCOME, f"{KEY}.outcome": "Promote"},
    "events without brackets": {KEY: OUTCOME, f"{KEY}.stop_on": "Delete"},
    "a flag of another text": {KEY: OUTCOME, f"{KEY}.end_now": "yes"},
    "actions as a list": {KEY: ACTIONS, f"{KEY}.model_variant_actions": "[]"},
    "a variant without brackets": {KEY: ACTIONS, f"{KEY}.desired_model_variants": "{}"},
    "evidence as a list": {KEY: OUTCOME, f"{KEY}.promote_if": "[]"},
    "an unknown other way": {KEY: _evidence(alarms=["a"]), f"{KEY}.otherwise": "Keep"},
    "an unknown state of its own": {KEY: OUTCOME, f"{KEY}.desired_state": "Done"},
    "a wrong name of its own": {KEY: OUTCOME, f"{KEY}.experiment_name": "a_b"},
    "a reason of two lines of its own": {KEY: OUTCOME, f"{KEY}.reason": "one\ntwo"},
    "a timeout of another form": {KEY: OUTCOME, f"{KEY}.timeout": "30"},
}


def _app_takes(context: Json) -> bool:
    app = cdk.App(context=context)
    try:
        check_keys(context)
        props = declaration(app.node.try_get_context)
        StopInferenceExperimentStack(app, context.get(STACK_NAME, "Stack"), props=props)
    except (ContextError, InvalidPropsError):
        return False
    return True


def _schema_takes(context: Json) -> bool:
    from jsonschema import Draft7Validator

    return Draft7Validator(cdk_schema.schema()).is_valid({"context": context})


def test_the_committed_schema_is_what_make_schema_writes() -> None:
    assert cdk_schema.FILE.read_text() == cdk_schema.written()


def test_cdk_json_names_the_schema_and_fulfils_it() -> None:
    from jsonschema import Draft7Validator

    assert cdk_schema.FILE.parent / CDK_JSON["$schema"] == cdk_schema.FILE
    schema = cdk_schema.schema()
    Draft7Validator.check_schema(schema)
    assert [error.message for error in Draft7Validator(schema).iter_errors(CDK_JSON)] == []


def test_the_declarations_of_the_reference_fulfil_the_schema() -> None:
    page = (cdk_schema.FILE.parent / "docs" / "reference" / "props.md").read_text()
    blocks = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    contexts = [json.loads(block)["context"] for block in blocks]
    assert len(contexts) == 1
    assert all(_app_takes(context) and _schema_takes(context) for context in contexts)


@pytest.mark.parametrize("declared", TAKEN.values(), ids=TAKEN.keys())
def test_the_schema_takes_what_the_app_takes(declared: Json) -> None:
    assert _app_takes({KEY: declared})
    assert _schema_takes({KEY: declared})


@pytest.mark.parametrize("declared", REFUSED.values(), ids=REFUSED.keys())
def test_the_schema_refuses_what_the_app_refuses(declared: object) -> None:
    assert not _app_takes({KEY: declared})
    assert not _schema_takes({KEY: declared})


@pytest.mark.parametrize("context", CONTEXTS_TAKEN.values(), ids=CONTEXTS_TAKEN.keys())
def test_the_schema_takes_a_context_that_the_app_takes(context: Json) -> None:
    assert _app_takes(context)
    assert _schema_takes(context)


@pytest.mark.parametrize("context", CONTEXTS_REFUSED.values(), ids=CONTEXTS_REFUSED.keys())
def test_the_schema_refuses_a_context_that_the_app_refuses(context: Json) -> None:
    assert not _app_takes(context)
    assert not _schema_takes(context)


def test_the_schema_refuses_a_name_of_the_stack_that_the_cdk_refuses() -> None:
    context = {KEY: OUTCOME, STACK_NAME: "fraud_2"}
    with pytest.raises(RuntimeError, match="Stack name must match"):
        _app_takes(context)
    assert not _schema_takes(context)


LEFT_TO_SYNTH: dict[str, Json] = {
    "a timeout of an hour": {**OUTCOME, "timeout": "PT1H"},
    "a window of a minute": _evidence(alarms=["a"], window="PT1M"),
    "a short window of a percentile": {
        **OUTCOME,
        "promote_if": _latency(statistic="p99", max_ratio=1)["promote_if"] | {"window": "PT30M"},
    },
    "a variant without an action": {
        **ACTIONS,
        "desired_model_variants": [VARIANT | {"variant_name": "other"}],
    },
    "a variant that is removed": {
        **ACTIONS,
        "desired_model_variants": [VARIANT | {"variant_name": "production"}],
    },
}
"""What depends on another entry's names, or on the length of a duration."""


@pytest.mark.parametrize("declared", LEFT_TO_SYNTH.values(), ids=LEFT_TO_SYNTH.keys())
def test_what_no_schema_can_say_is_left_to_synth(declared: Json) -> None:
    assert not _app_takes({KEY: declared})
    assert _schema_takes({KEY: declared})
