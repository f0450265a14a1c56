"""The app that reads its declaration from the CDK context."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_stop_inference_experiment import StopInferenceExperiment
from cdk_stop_inference_experiment.app import PROPS, ContextError, make_stack

from .stacks import RESOURCE_TYPE, Json, only, synthesised

ROOT = Path(__file__).parents[2]
KEY = "stop-inference-experiment"
NAMED: Json = {"experiment_name": "fraud-shadow"}
PROMOTED: Json = {**NAMED, "outcome": "PromoteShadow"}
BY_NAME: Json = {
    **NAMED,
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


def _template(context: Json) -> Json:
    return synthesised(make_stack(cdk.App(context=context)))


def _properties(context: Json) -> Json:
    properties: Json = dict(only(_template(context), RESOURCE_TYPE)[1]["Properties"])
    return properties


def test_the_entries_are_the_props_of_the_construct() -> None:
    taken = set(signature(StopInferenceExperiment.__init__).parameters)
    assert taken - set(PROPS) == {"self", "scope", "construct_id", "experiment", "provider"}
    assert set(PROPS) < taken


def test_declares_what_cdk_json_says() -> None:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    properties = _properties({KEY: context[KEY]})
    assert properties["Name"] == "fraud-shadow"
    assert properties["Outcome"] == "PromoteShadow"
    assert "Instances" not in properties
    assert properties["DesiredState"] == "Completed"
    assert "StopOn" not in properties
    assert properties["EndNow"] == "false"


def test_takes_the_whole_declaration_as_json_from_the_command_line() -> None:
    properties = _properties({KEY: json.dumps(BY_NAME)})
    assert properties["ModelVariantActions"] == BY_NAME["model_variant_actions"]
    assert properties["DesiredModelVariants"][0]["ModelName"] == "fraud-v2"
    assert "Outcome" not in properties


GIVEN = {"instance_type": "ml.m5.xlarge", "instance_count": 2}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("KeepBoth", {"Outcome": "KeepBoth"}),
        ({"kind": "KeepProduction"}, {"Outcome": "KeepProduction"}),
        (
            {"kind": "PromoteShadow", "instances": "Shadow"},
            {"Outcome": "PromoteShadow", "Instances": "Shadow"},
        ),
        (
            {"kind": "PromoteShadow", "instances": GIVEN},
            {
                "Outcome": "PromoteShadow",
                "Instances": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
            },
        ),
    ],
)
def test_takes_an_outcome_from_the_file_and_the_command_line(outcome: Any, expected: Json) -> None:
    text = outcome if isinstance(outcome, str) else json.dumps(outcome)
    for context in (
        {KEY: {**NAMED, "outcome": outcome}},
        {KEY: PROMOTED, f"{KEY}.outcome": text},
    ):
        properties = _properties(context)
        assert {name: properties[name] for name in ("Outcome", "Instances") if name in properties}
        assert properties.get("Instances") == expected.get("Instances")
        assert properties["Outcome"] == expected["Outcome"]


def test_takes_evidence() -> None:
    declared = {
        "min_invocations": 10_000,
        "window": "PT1H30M",
        "comparisons": [
            {"metric": "model_latency", "statistic": "p99", "max_increase": "PT0.005S"},
            {"metric": "error_rate_5xx", "max_rate": 0.001, "dry_run": True},
        ],
        "alarms": ["fraud-errors"],
    }
    context = {KEY: {**PROMOTED, "promote_if": declared}, f"{KEY}.otherwise": "KeepBoth"}
    properties = _properties(context)
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


METRIC: Json = {"namespace": "Fraud", "metric_name": "Agreement", "dimensions": {"Model": "v2"}}


def _compared(**shadow: Any) -> Json:
    compared = {"metric": "of_metrics", "production": METRIC, "shadow": {**METRIC, **shadow}}
    evidence = {"confidence": 0.95, "comparisons": [{**compared, "at_least": 1}]}
    return {KEY: {**PROMOTED, "promote_if": evidence}}


def test_takes_any_two_metrics() -> None:
    (comparison,) = _properties(_compared(statistic="p50"))["PromoteIf"]["Comparisons"]
    dimensions = [{"Name": "Model", "Value": "v2"}]
    written = {"Namespace": "Fraud", "MetricName": "Agreement", "Dimensions": dimensions}
    assert comparison["ProductionMetric"] == {**written, "Statistic": "Average"}
    assert comparison["ShadowMetric"] == {**written, "Statistic": "p50"}


def test_takes_single_entries_from_the_command_line() -> None:
    single = {"experiment_name": "other", "reason": "1024", "stop_on": '["Delete"]'}
    single |= {"end_now": "true", "timeout": "PT10M30S"}
    resource = _properties({KEY: PROMOTED, **{f"{KEY}.{name}": single[name] for name in single}})
    assert resource["Name"] == "other"
    assert resource["Reason"] == "1024"
    assert resource["StopOn"] == ["Delete"]
    assert resource["EndNow"] == "true"
    assert resource["ServiceTimeout"] == 688


def test_an_entry_that_is_null_is_left_out() -> None:
    comparison = {"metric": "model_latency", "statistic": None, "max_value": None, "max_ratio": 1.1}
    declared = {
        **NAMED,
        "reason": None,
        "outcome": {"kind": "PromoteShadow", "instances": None},
        "promote_if": {"min_invocations": 1, "comparisons": [comparison], "alarms": None},
    }
    properties = _properties({KEY: declared, f"{KEY}.end_now": "null"})
    assert "Reason" not in properties
    assert properties["EndNow"] == "false"
    assert properties["PromoteIf"] == {
        "MinInvocations": 1,
        "Comparisons": [{"Metric": "ModelLatency", "Statistic": "Average", "MaxRatio": 1.1}],
    }


def test_puts_out_the_experiments_arn_its_status_and_the_request() -> None:
    template = _template({KEY: PROMOTED})
    name, _ = only(template, RESOURCE_TYPE)
    assert template["Outputs"] == {
        "ExperimentArn": {"Value": {"Ref": name}},
        "Status": {"Value": {"Fn::GetAtt": [name, "Status"]}},
        "StopRequest": {"Value": {"Fn::GetAtt": [name, "StopRequest"]}},
    }


def _with_evidence(**changes: Any) -> Json:
    return {KEY: {**PROMOTED, "promote_if": {"min_invocations": 1, **changes}}}


WRONG: dict[str, tuple[Json, str, str]] = {
    "nothing": ({}, "", " must hold 'experiment_name': add it to cdk.json"),
    "no object": ({KEY: ["x"]}, "", " must be an object of experiment_name, outcome, "),
    "no name": ({KEY: {}}, "", " must hold 'experiment_name': add it to cdk.json"),
    "an unknown entry": (
        {KEY: {"experimentName": "x"}},
        ".experimentName",
        f" is not known: did you mean '{KEY}.experiment_name'?",
    ),
    "a prop of Python only": (
        {KEY: {**NAMED, "xxx": 1}},
        ".xxx",
        f" is not known: use '{KEY}.experiment_name', ",
    ),
    "an outcome in other words": (
        {KEY: {**NAMED, "outcome": "promote"}},
        ".outcome",
        " must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', or an object, got \"promote\"",
    ),
    "instances that are nobody's": (
        {KEY: {**NAMED, "outcome": {"kind": "PromoteShadow", "instances": "Both"}}},
        ".outcome.instances",
        " must be 'Production' or 'Shadow', or an object, got \"Both\"",
    ),
    "instances of the other outcome": (
        {KEY: {**PROMOTED, "otherwise": {"kind": "KeepBoth", "instances": "Shadow"}}},
        ".otherwise",
        " must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got {",
    ),
    "variants in no list": (
        {KEY: {**BY_NAME, "desired_model_variants": {}}},
        ".desired_model_variants",
        " must be a list, got {}",
    ),
    "a JSON string inside the declaration": (
        {KEY: {**PROMOTED, "promote_if": "{}"}},
        ".promote_if",
        " must be an object of min_invocations, ",
    ),
    "a comparison of no metric": (
        _with_evidence(comparisons=[{"max_ratio": 1}]),
        ".promote_if.comparisons[0]",
        " must be an object whose 'metric' is 'model_latency', ",
    ),
    "a bound of another metric": (
        _with_evidence(comparisons=[{"metric": "error_rate_4xx", "max_ratio": 1}]),
        ".promote_if.comparisons[0].max_ratio",
        f" is not known: did you mean '{KEY}.promote_if.comparisons[0].max_rate'?",
    ),
    "a latency of no unit": (
        _with_evidence(comparisons=[{"metric": "model_latency", "max_value": 5}]),
        ".promote_if.comparisons[0].max_value",
        " must be a duration such as 'PT1H30M' or 'PT0.005S', got 5",
    ),
    "an alarm that is no name": (
        _with_evidence(alarms=[5]),
        ".promote_if.alarms[0]",
        " must be a string, got 5",
    ),
    "an alarm that is listed twice": (
        _with_evidence(alarms=["errors", "latency", "errors"]),
        ".promote_if.alarms",
        ' must be a list with each alarm once, got ["errors", "latency", "errors"]',
    ),
    "a dimension that is no text": (
        _compared(dimensions=["v2"]),
        ".promote_if.comparisons[0].shadow",
        " is refused by CDK: type of argument dimensions_map must be one of ",
    ),
    **{
        f"a timeout of {timeout!r}": (
            {KEY: {**PROMOTED, "timeout": timeout}},
            ".timeout",
            " must be a duration such as 'PT1H30M' or 'PT0.005S', got ",
        )
        for timeout in ("30", 30, "P1D")
    },
}


@pytest.mark.parametrize(("context", "entry", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_context_is_an_error_that_names_the_entry_and_what_it_must_be(
    context: Json, entry: str, message: str
) -> None:
    with pytest.raises(ContextError) as error:
        make_stack(cdk.App(context=context))
    assert str(error.value).startswith(f"context entry '{KEY}{entry}'{message}")


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


ENDS = {
    f"{KEY}.desired_state=Done": (
        "invalid StopInferenceExperiment props of "
        "'StopInferenceExperiment/StopInferenceExperiment': 'desired_state' must be 'Completed' or "
        f"'Cancelled', got 'Done': correct '{KEY}' in cdk.json or on the command line"
    ),
    f"{KEY}.experiment=x": (
        f"context entry '{KEY}.experiment' is not known: did you mean '{KEY}.experiment_name'?"
    ),
}


@pytest.mark.parametrize("context", ENDS)
def test_a_wrong_context_ends_the_app_without_a_traceback(context: str, tmp_path: Path) -> None:
    run = _synth(context, CDK_OUTDIR=str(tmp_path))
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert f"\nerror: {ENDS[context]}\n" in f"\n{run.stderr}"
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
    assert line.startswith(f"error: {sys.executable} has no module 'cdk_stop_inference_experiment'")
    assert ": run 'python3 -m venv .venv && .venv/bin/pip install" in line
    assert ".venv/bin" in json.loads((ROOT / "cdk.json").read_text())["app"]
