"""The app that reads its declaration from the CDK context."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import app as context_app
import aws_cdk as cdk
import pytest
from app import (
    EXAMPLES,
    ContextError,
    StopInferenceExperimentStack,
    check_keys,
    declaration,
)

from cdk_stop_inference_experiment import StopInferenceExperiment

from .stacks import RESOURCE_TYPE, Json, only, synthesised

ROOT = Path(__file__).parents[2]
KEY = "stop-inference-experiment"


REMEDIES = (
    ": add it to cdk.json",
    ": did you mean '",
    ": leave it out",
    ": write hours, minutes and seconds, for example, '",
    ": write, for example, '",
)


def _has_a_remedy(error: ContextError) -> bool:
    return any(remedy in str(error) for remedy in REMEDIES)


def _declared() -> Json:
    context: Json = json.loads((ROOT / "cdk.json").read_text())["context"]
    return dict(context[KEY])


def _template(context: Json) -> Json:
    app = cdk.App(context=context)
    stack = StopInferenceExperimentStack(app, "Stack", props=declaration(app.node.try_get_context))
    return synthesised(stack)


def _properties(context: Json) -> Json:
    properties: Json = dict(only(_template(context), RESOURCE_TYPE)[1]["Properties"])
    return properties


def test_declares_what_cdk_json_says() -> None:
    properties = _properties({KEY: _declared()})
    assert properties["Name"] == "fraud-shadow"
    assert properties["Outcome"] == "PromoteShadow"
    assert "Instances" not in properties
    assert properties["DesiredState"] == "Completed"
    assert "StopOn" not in properties
    assert properties["EndNow"] == "false"


def test_takes_the_whole_declaration_as_json_from_the_command_line() -> None:
    declared = {"experiment_name": "other", "model_variant_actions": {"a": "Retain"}}
    assert _properties({KEY: json.dumps(declared)})["Name"] == "other"


BY_NAME: Json = {
    "experiment_name": "fraud-shadow",
    "model_variant_actions": {"production": "Remove", "shadow": "Promote"},
    "desired_model_variants": [
        {
            "model_name": "fraud-v2",
            "variant_name": "shadow",
            "instance_type": "ml.m5.xlarge",
            "instance_count": 2,
        }
    ],
}


def test_takes_variants_by_their_names() -> None:
    properties = _properties({KEY: BY_NAME})
    assert properties["ModelVariantActions"] == BY_NAME["model_variant_actions"]
    assert properties["DesiredModelVariants"][0]["ModelName"] == "fraud-v2"
    assert "Outcome" not in properties


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("KeepBoth", {"Outcome": "KeepBoth"}),
        ('{"kind": "KeepProduction"}', {"Outcome": "KeepProduction"}),
        (
            '{"kind": "PromoteShadow", "instances": "Production"}',
            {"Outcome": "PromoteShadow", "Instances": "Production"},
        ),
        (
            '{"kind": "PromoteShadow", "instances": "Shadow"}',
            {"Outcome": "PromoteShadow", "Instances": "Shadow"},
        ),
        (
            EXAMPLES["outcome"],
            {
                "Outcome": "PromoteShadow",
                "Instances": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
            },
        ),
    ],
)
def test_takes_an_outcome_from_the_file_and_the_command_line(outcome: str, expected: Json) -> None:
    in_file = json.loads(outcome) if outcome.startswith("{") else outcome
    for context in (
        {KEY: {**_declared(), "outcome": in_file}},
        {KEY: _declared(), f"{KEY}.outcome": outcome},
    ):
        properties = _properties(context)
        assert {name: properties.get(name) for name in ("Outcome", "Instances")} == {
            "Instances": None,
            **expected,
        }


def test_the_other_way_is_left_out_by_null() -> None:
    actions = json.dumps(BY_NAME["model_variant_actions"])
    context = {KEY: _declared(), f"{KEY}.outcome": "null", f"{KEY}.model_variant_actions": actions}
    assert "Outcome" not in _properties(context)


def test_takes_evidence_by_words() -> None:
    declared = {
        "min_invocations": 10_000,
        "window": "PT1H30M",
        "comparisons": [
            {"metric": "model_latency", "statistic": "p99", "max_increase": "PT0.005S"},
            {"metric": "error_rate_5xx", "max_rate": 0.001, "dry_run": True},
        ],
        "alarms": ["fraud-errors"],
    }
    context = {KEY: {**_declared(), "outcome": "PromoteShadow", "promote_if": declared}}
    properties = _properties({**context, f"{KEY}.otherwise": "KeepBoth"})
    assert properties["PromoteIf"] == {
        "MinInvocations": 10_000,
        "Window": 5400,
        "Comparisons": [
            {"Metric": "ModelLatency", "Statistic": "p99", "MaxIncrease": 5000},
            {"Metric": "Invocation5XXErrors", "MaxRate": 0.001, "DryRun": True},
        ],
        "Alarms": ["fraud-errors"],
    }
    assert properties["Otherwise"] == "KeepBoth"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comparisons": [{"metric": "latency"}]}, "metric' must be 'model_latency', "),
        ({"comparisons": [{"metric": ["model_latency"]}]}, 'got ["model_latency"]: write, for'),
        ({"comparisons": [{"max_ratio": 1}]}, "comparisons[0]' must hold 'metric'"),
        (
            {"comparisons": [{"metric": "error_rate_4xx", "max_ratio": 1}]},
            "comparisons[0]' may hold 'max_rate', 'max_increase' and 'dry_run', got 'max_ratio'",
        ),
        (
            {"comparisons": [{"metric": "model_latency", "max_value": 5}]},
            "max_value' must be a duration such as 'PT30M', got 5: write hours, minutes and ",
        ),
        ({"alarms": "fraud-errors"}, 'names of alarms, got "fraud-errors": write, for'),
        ({"min_invocations": None}, "promote_if' must hold 'min_invocations'"),
        ({"windows": "PT1H"}, "got 'windows': did you mean 'window'?"),
        (
            {"x": 1},
            "'alarms', 'window', 'confidence' and 'min_hours', got 'x': leave",
        ),
    ],
)
def test_wrong_evidence_is_one_error_that_names_the_entry(changes: Json, message: str) -> None:
    promote_if = {"min_invocations": 1, **changes}
    declared = {**_declared(), "outcome": "PromoteShadow", "promote_if": promote_if}
    with pytest.raises(ContextError) as error:
        declaration({KEY: declared}.get)
    assert message in str(error.value)
    assert f"context entry '{KEY}.promote_if" in str(error.value)
    assert _has_a_remedy(error.value)


def test_takes_single_entries_from_the_command_line() -> None:
    properties = _properties(
        {
            KEY: _declared(),
            f"{KEY}.experiment_name": "other",
            f"{KEY}.reason": "1024",
            f"{KEY}.stop_on": '["Delete"]',
        }
    )
    assert properties["Name"] == "other"
    assert properties["Reason"] == "1024"
    assert properties["StopOn"] == ["Delete"]


@pytest.mark.parametrize("text", ["true", "false"])
def test_takes_end_now_from_the_command_line(text: str) -> None:
    properties = _properties({KEY: _declared(), f"{KEY}.end_now": text})
    assert properties["EndNow"] == text


def test_an_entry_that_is_null_is_left_out() -> None:
    properties = _properties({KEY: {**_declared(), "end_now": None, "reason": None}})
    assert "Reason" not in properties
    assert properties["EndNow"] == "false"


def test_an_entry_of_an_entry_that_is_null_is_left_out() -> None:
    comparison = {"metric": "model_latency", "statistic": None, "max_value": None, "max_ratio": 1.1}
    declared = {
        **_declared(),
        "outcome": {"kind": "PromoteShadow", "instances": None},
        "promote_if": {"min_invocations": 1, "comparisons": [comparison], "alarms": None},
    }
    assert _properties({KEY: declared})["PromoteIf"] == {
        "MinInvocations": 1,
        "Comparisons": [{"Metric": "ModelLatency", "Statistic": "Average", "MaxRatio": 1.1}],
    }


def test_puts_the_experiments_arn_and_status_out() -> None:
    template = _template({KEY: _declared()})
    name, _ = only(template, RESOURCE_TYPE)
    assert template["Outputs"] == {
        "ExperimentArn": {"Value": {"Ref": name}},
        "Status": {"Value": {"Fn::GetAtt": [name, "Status"]}},
        "StopRequest": {"Value": {"Fn::GetAtt": [name, "StopRequest"]}},
    }


WRONG: dict[str, tuple[Json, str]] = {
    "nothing": ({}, f"context entry '{KEY}' is missing: add it to cdk.json, an object of "),
    "no object": (
        {KEY: ["x"]},
        f"context entry '{KEY}' must be an object, got [\"x\"]: write, for example, '{{",
    ),
    "no JSON": (
        {KEY: "{"},
        f"context entry '{KEY}' must be JSON if it is a string, got '{{': write, for example, '{{",
    ),
    "no JSON in an entry": (
        {KEY: {}, f"{KEY}.stop_on": "Delete"},
        (
            f"context entry '{KEY}.stop_on' must be JSON if it is a string, got 'Delete': write, "
            """for example, '["Update", "Delete"]'"""
        ),
    ),
    "no name": (
        {KEY: {"model_variant_actions": {}}},
        f"context entry '{KEY}' must hold 'experiment_name': add it to cdk.json",
    ),
    "instances that are nobody's": (
        {KEY: {"experiment_name": "x", "outcome": {"kind": "PromoteShadow", "instances": "Both"}}},
        (
            f"context entry '{KEY}.outcome.instances' must be 'Production' or 'Shadow', or "
            """an object of 'instance_type' and 'instance_count', got "Both": write, for"""
        ),
    ),
    "an outcome of no kind": (
        {KEY: {"experiment_name": "x", "outcome": {"instances": "Shadow"}}},
        f"context entry '{KEY}.outcome' must hold 'kind'",
    ),
    "instances of no count": (
        {
            KEY: {
                "experiment_name": "x",
                "outcome": {"kind": "PromoteShadow", "instances": {"instance_type": "ml.m5.large"}},
            }
        },
        f"context entry '{KEY}.outcome.instances' must hold 'instance_count'",
    ),
    "a JSON string inside the declaration": (
        {KEY: {"experiment_name": "x", "promote_if": "{}"}},
        f"context entry '{KEY}.promote_if' must be an object, got \"{{}}\": write, for",
    ),
    "instances of the other way": (
        {KEY: {"experiment_name": "x", "otherwise": {"kind": "KeepBoth", "instances": "Shadow"}}},
        f"context entry '{KEY}.otherwise' may hold 'kind', got 'instances': leave it out",
    ),
    "an unknown entry": (
        {KEY: {"experimentName": "x"}},
        (
            "'end_now', 'promote_if' and 'otherwise', got 'experimentName': did you mean "
            "'experiment_name'?"
        ),
    ),
    "a variant that is no object": (
        {
            KEY: {
                "experiment_name": "x",
                "model_variant_actions": {},
                "desired_model_variants": [1],
            }
        },
        f"context entry '{KEY}.desired_model_variants[0]' must be an object, got 1",
    ),
    "a variant that lacks an entry": (
        {
            KEY: {
                "experiment_name": "x",
                "model_variant_actions": {},
                "desired_model_variants": [{"model_name": "m"}],
            }
        },
        f"context entry '{KEY}.desired_model_variants[0]' must hold 'variant_name'",
    ),
}


@pytest.mark.parametrize(("context", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_context_is_one_error_that_names_the_entry(context: Json, message: str) -> None:
    with pytest.raises(ContextError) as error:
        declaration(context.get)
    assert message in str(error.value)
    assert _has_a_remedy(error.value)


def test_every_example_is_a_declaration_that_the_construct_takes() -> None:
    with pytest.raises(ContextError) as error:
        declaration({KEY: "{"}.get)
    whole = str(error.value).partition("for example, '")[2].removesuffix("'")
    for other_way in ({"outcome"}, {"model_variant_actions", "desired_model_variants"}):
        texts = {name: "null" if name in other_way else text for name, text in EXAMPLES.items()}
        properties = _properties({KEY: whole, **{f"{KEY}.{name}": texts[name] for name in texts}})
        assert properties["EndNow"] == "true"
    assert set(EXAMPLES) == set(context_app.ENTRIES) - set(context_app.TEXTS)


MISTYPED = {
    f"{KEY}.reson": f"did you mean '{KEY}.reason'?",
    f"{KEY}.stop-on": f"did you mean '{KEY}.stop_on'?",
    f"{KEY}.experiment": f"did you mean '{KEY}.experiment_name'?",
    f"{KEY}s": f"did you mean '{KEY}'?",
    f"{KEY}-end_now": f"did you mean '{KEY}.end_now'?",
}


@pytest.mark.parametrize(("key", "remedy"), MISTYPED.items())
def test_a_mistyped_key_of_the_declaration_is_refused(key: str, remedy: str) -> None:
    with pytest.raises(ContextError) as error:
        check_keys([KEY, key, "other"])
    assert str(error.value) == f"context entry '{key}' is not known: {remedy}"


def test_every_mistyped_key_is_told_at_once() -> None:
    with pytest.raises(ContextError) as error:
        check_keys([f"{KEY}.reson", f"{KEY}.stop-on"])
    assert str(error.value).count("is not known") == 2


def test_every_known_key_and_keys_of_others_pass() -> None:
    check_keys([KEY, *(f"{KEY}.{name}" for name in context_app.ENTRIES), "stack-name", "vpc"])


def _synth(
    *context: str, command: tuple[str, ...] = ("app.py",), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the app as the CDK CLI does, with the context of cdk.json."""
    values: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    values.update(dict(entry.split("=", 1) for entry in context))
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CDK_CONTEXT_JSON": json.dumps(values), **environment},
    )


def test_synthesises_the_stack_that_stack_name_names_without_boto3_or_crhelper(
    tmp_path: Path,
) -> None:
    loaded = "[name for name in ('boto3', 'botocore', 'crhelper') if name in sys.modules]"
    run = _synth(
        "stack-name=Fraud",
        command=("-c", f"import sys, app; app.main(); sys.exit({loaded} or None)"),
        CDK_OUTDIR=str(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "Fraud.template.json").exists()


@pytest.mark.newest  # older releases have no rules of their own
def test_cdks_own_rules_find_nothing_in_the_template(tmp_path: Path) -> None:
    run = _synth(CDK_OUTDIR=str(tmp_path), CDK_VALIDATION="true")
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_a_wrong_value_ends_the_app_without_a_traceback(tmp_path: Path) -> None:
    run = _synth(f"{KEY}.desired_state=Done", CDK_OUTDIR=str(tmp_path))
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    (error,) = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert error == (
        "error: invalid StopInferenceExperiment props of "
        "'StopInferenceExperiment/StopInferenceExperiment': 'desired_state' must be 'Completed' or "
        f"'Cancelled', got 'Done': correct '{KEY}' in cdk.json or on the command line"
    )


def test_a_missing_declaration_ends_the_app_without_a_traceback(tmp_path: Path) -> None:
    run = _synth(f"{KEY}=null", CDK_OUTDIR=str(tmp_path))
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert f"error: context entry '{KEY}' is missing" in run.stderr


def test_a_mistyped_key_on_the_command_line_ends_the_app(tmp_path: Path) -> None:
    run = _synth(f"{KEY}.experiment=other", CDK_OUTDIR=str(tmp_path))
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert f"error: context entry '{KEY}.experiment' is not known: did you mean" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_python_without_the_library_is_told_how_to_install_it(tmp_path: Path) -> None:
    copied = tmp_path / "app.py"
    copied.write_text((ROOT / "app.py").read_text())
    run = subprocess.run(
        # Without the packages that are installed.
        [sys.executable, "-I", "-S", str(copied)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"error: {sys.executable} has no module 'aws_cdk': run 'python3 -m venv")
    assert ".venv/bin" in json.loads((ROOT / "cdk.json").read_text())["app"]


def test_every_entry_is_a_prop_of_the_construct() -> None:
    assert set(context_app.ENTRIES) <= set(signature(StopInferenceExperiment.__init__).parameters)


def test_takes_the_timeout_in_the_form_of_iso_8601() -> None:
    assert _properties({KEY: _declared(), f"{KEY}.timeout": "PT10M30S"})["ServiceTimeout"] == 688


@pytest.mark.parametrize("timeout", ["30", 30, "PT", "30M", "P1D"])
def test_a_timeout_of_another_form_is_refused(timeout: object) -> None:
    context = {KEY: {**_declared(), "timeout": timeout}}
    with pytest.raises(ContextError, match=r"timeout' must be a duration such as 'PT30M', got"):
        declaration(context.get)
