"""An app for users who do not write Python: the declaration is in the CDK context.

Edit ``stop-inference-experiment`` in ``cdk.json`` and run ``cdk deploy``. Its entries are the props
of the construct ``StopInferenceExperiment``, with SageMaker's values, and ``timeout`` as an ISO
8601 duration such as ``PT30M``. ``outcome`` is ``PromoteShadow``, ``KeepProduction`` or
``KeepBoth``, or an object of ``kind`` and ``instances``; ``otherwise`` is one of the last two.
``promote_if`` is an object of what ``Evidence`` takes. The ``metric`` of a comparison is
``model_latency``, ``error_rate_4xx``, ``error_rate_5xx``, ``model_error_rate`` or ``of_metrics``,
and its other entries are what that method of ``Comparison`` takes; the two metrics of the last one
are objects of ``namespace``, ``metric_name``, ``dimensions`` and ``statistic``. ``alarms`` are
names of metric alarms and log alarms. Setting ``end_now`` to true ends the experiment with the next
deployment. On the command line, ``-c`` takes the whole declaration as JSON, or one entry::

    cdk deploy -c stop-inference-experiment.experiment_name=fraud-shadow-2
    cdk deploy -c stop-inference-experiment.outcome=KeepProduction
    cdk deploy -c stop-inference-experiment.end_now=true
    cdk deploy -c 'stop-inference-experiment.stop_on=["Delete"]'

An entry that is null counts as left out. ``stack-name`` names the stack. ``cdk.schema.json``
describes all of this to an editor; ``make schema`` makes it anew.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

try:
    from aws_cdk import App, CfnOutput, Duration, Stack
    from aws_cdk.aws_cloudwatch import Alarm, Metric
    from constructs import Construct

    from cdk_stop_inference_experiment import (
        Comparison,
        Evidence,
        Instances,
        InvalidPropsError,
        ModelVariantConfig,
        Outcome,
        StopInferenceExperiment,
    )
except ModuleNotFoundError as error:
    sys.exit(
        f"error: {sys.executable} has no module '{error.name}': run 'python3 -m venv .venv && "
        f".venv/bin/pip install cdk-stop-inference-experiment' here, where cdk.json looks for it"
    )

DECLARATION = "stop-inference-experiment"
STACK_NAME = "stack-name"
DEFAULT_STACK_NAME = "StopInferenceExperiment"

TEXTS = ("experiment_name", "desired_state", "reason", "timeout")
ENTRIES = (
    *TEXTS,
    "outcome",
    "model_variant_actions",
    "desired_model_variants",
    "stop_on",
    "end_now",
    "promote_if",
    "otherwise",
)
EXAMPLES = {
    "outcome": (
        '{"kind": "PromoteShadow", '
        '"instances": {"instance_type": "ml.m5.xlarge", "instance_count": 2}}'
    ),
    "model_variant_actions": '{"production": "Remove", "shadow": "Promote"}',
    "desired_model_variants": (
        '[{"model_name": "fraud-v2", "variant_name": "shadow", '
        '"instance_type": "ml.m5.xlarge", "instance_count": 2}]'
    ),
    "stop_on": '["Update", "Delete"]',
    "end_now": "true",
    "promote_if": (
        '{"confidence": 0.95, "alarms": ["fraud-errors"], "comparisons": '
        '[{"metric": "model_latency", "statistic": "p99", "max_ratio": 1.1}]}'
    ),
    "otherwise": '{"kind": "KeepBoth"}',
}
COMPARISONS: Mapping[str, Callable[..., Comparison]] = {
    "model_latency": Comparison.model_latency,
    "error_rate_4xx": Comparison.error_rate_4xx,
    "error_rate_5xx": Comparison.error_rate_5xx,
    "model_error_rate": Comparison.model_error_rate,
    "of_metrics": Comparison.of_metrics,
}
"""The kinds of comparisons, by the entry ``metric``."""
MAX_DIMENSIONS = 30
"""Of a metric in CloudWatch; CDK takes a value of up to 255 characters."""
DURATIONS = ("max_increase", "max_value")
"""The entries of a latency, such as ``PT0.005S``."""

DURATION = r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?"
"""The part of ISO 8601 that a duration is written in: hours, minutes and seconds."""

INSTANCES = {"Production": Instances.production(), "Shadow": Instances.shadow()}
"""The variants whose instances a promoted variant can get; alternatively, an object has them."""

INSTANCE_ENTRIES = ("instance_type", "instance_count")
VARIANT_ENTRIES = ("model_name", "variant_name", *INSTANCE_ENTRIES)
METRIC_ENTRIES = ("namespace", "metric_name", "dimensions", "statistic")
PAIR = ("production", "shadow")
"""The entries of two metrics that are compared."""
EVIDENCE_ENTRIES = tuple(inspect.signature(Evidence).parameters)

Context = Callable[[str], object]
"""Looks up a context entry by its key; None if there is none."""


class ContextError(ValueError):
    """An entry of the CDK context is missing or wrong."""


def declaration(context: Context) -> dict[str, Any]:
    """The construct's props from the context.

    Only the form is checked here; the construct checks the values, all at once.

    Raises:
        ContextError: The declaration is missing or malformed.
    """
    example = '{"experiment_name": "fraud-shadow", "outcome": "PromoteShadow"}'
    whole = context(DECLARATION)
    if isinstance(whole, str):
        whole = _json(DECLARATION, whole, example=example)
    entries = _object(DECLARATION, whole, example=example)
    for name in ENTRIES:
        override = context(f"{DECLARATION}.{name}")
        if override is not None:
            entries[name] = _value(f"{DECLARATION}.{name}", name, override)
    if not entries:
        raise ContextError(
            f"context entry '{DECLARATION}' is missing: add it to cdk.json, an object of "
            f"{_listed(ENTRIES)}"
        )
    entries = _checked(DECLARATION, entries, allowed=ENTRIES, required=("experiment_name",))
    if "timeout" in entries:
        entries["timeout"] = _duration(f"{DECLARATION}.timeout", entries["timeout"])
    if "outcome" in entries:
        entries["outcome"] = _outcome(f"{DECLARATION}.outcome", entries["outcome"])
    if "promote_if" in entries:
        entries["promote_if"] = _evidence(f"{DECLARATION}.promote_if", entries["promote_if"])
    if "otherwise" in entries:
        entries["otherwise"] = _otherwise(f"{DECLARATION}.otherwise", entries["otherwise"])
    variants = entries.get("desired_model_variants")
    if isinstance(variants, list):
        entries["desired_model_variants"] = [
            _variant(f"{DECLARATION}.desired_model_variants[{index}]", variant)
            for index, variant in enumerate(variants)
        ]
    return entries


def check_keys(keys: Iterable[str]) -> None:
    """Refuse unknown keys that start like the declaration's.

    Args:
        keys: The keys of the whole context.

    Raises:
        ContextError: With every such key and a suggestion for it.
    """
    known = [DECLARATION, *(f"{DECLARATION}.{name}" for name in ENTRIES)]
    wrong = [key for key in keys if key.startswith(DECLARATION) and key not in known]
    if wrong:
        entries = "; ".join(
            f"context entry '{key}' is not known: {_meant(key, known)}" for key in wrong
        )
        raise ContextError(entries)


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"the known ones are {_listed(tuple(known))}"


def _value(key: str, name: str, value: object) -> object:
    """A single entry: on the command line, anything but plain text is JSON."""
    if name in TEXTS or not isinstance(value, str):
        return value
    if name in ("outcome", "otherwise") and not value.startswith("{"):
        return None if value == "null" else value
    return _json(key, value, example=EXAMPLES[name])


def _json(key: str, text: str, *, example: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ContextError(
            f"context entry '{key}' must be JSON if it is a string, got {text!r}: write, for "
            f"example, '{example}'"
        ) from error


def _object(key: str, value: object, *, example: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ContextError(
            f"context entry '{key}' must be an object, got {json.dumps(value)}: write, for "
            f"example, '{example}'"
        )
    return dict(value)


def _duration(key: str, value: object) -> Duration:
    found = re.fullmatch(DURATION, value) if isinstance(value, str) else None
    if found is None:
        raise ContextError(
            f"context entry '{key}' must be a duration such as 'PT30M', got {json.dumps(value)}: "
            f"write hours, minutes and seconds, for example, 'PT1H30M' or 'PT0.005S'"
        )
    hours, minutes, seconds = (float(number or 0) for number in found.groups())
    return Duration.millis(round(1000 * (3600 * hours + 60 * minutes + seconds), 3))


def _outcome(key: str, value: object) -> Outcome:
    if isinstance(value, str):
        return Outcome(value)
    entries = _object(key, value, example=EXAMPLES["outcome"])
    entries = _checked(key, entries, allowed=("kind", "instances"), required=("kind",))
    return Outcome(entries["kind"], _instances(f"{key}.instances", entries.get("instances")))


def _otherwise(key: str, value: object) -> Outcome:
    if isinstance(value, str):
        return Outcome(value)
    entries = _object(key, value, example=EXAMPLES["otherwise"])
    return Outcome(**_checked(key, entries, allowed=("kind",), required=("kind",)))


def _instances(key: str, value: object) -> Instances | None:
    if value is None:
        return None
    example = '{"instance_type": "ml.m5.xlarge", "instance_count": 2}'
    if isinstance(value, str):
        if value not in INSTANCES:
            raise ContextError(
                f"context entry '{key}' must be {_listed(tuple(INSTANCES), 'or')}, or an object of "
                f"{_listed(INSTANCE_ENTRIES)}, got {json.dumps(value)}: write, for example, "
                f"'{example}'"
            )
        return INSTANCES[value]
    entries = _object(key, value, example=example)
    entries = _checked(key, entries, allowed=INSTANCE_ENTRIES, required=INSTANCE_ENTRIES)
    return Instances(**entries)


def _evidence(key: str, value: object) -> Evidence:
    entries = _object(key, value, example=EXAMPLES["promote_if"])
    required = () if entries.get("confidence") is not None else ("min_invocations",)
    entries = _checked(key, entries, allowed=EVIDENCE_ENTRIES, required=required)
    if "window" in entries:
        entries["window"] = _duration(f"{key}.window", entries["window"])
    comparisons = entries.get("comparisons", [])
    if isinstance(comparisons, list):
        entries["comparisons"] = [
            _comparison(f"{key}.comparisons[{index}]", one) for index, one in enumerate(comparisons)
        ]
    alarms = entries.get("alarms", [])
    if not isinstance(alarms, list) or not all(isinstance(name, str) and name for name in alarms):
        raise ContextError(
            f"context entry '{key}.alarms' must list names of alarms, got "
            f"{json.dumps(alarms)}: write, for example, '[\"fraud-errors\"]'"
        )
    return Evidence(**entries)


def _comparison(key: str, value: object) -> Comparison:
    example = '{"metric": "model_latency", "statistic": "p99", "max_ratio": 1.1}'
    entries = _object(key, value, example=example)
    _check_present(key, entries, required=("metric",))
    metric = entries.pop("metric")
    if not isinstance(metric, str) or metric not in COMPARISONS:
        raise ContextError(
            f"context entry '{key}.metric' must be {_listed(tuple(COMPARISONS), 'or')}, got "
            f"{json.dumps(metric)}: write, for example, '{example}'"
        )
    made = COMPARISONS[metric]
    entries = _checked(key, entries, allowed=tuple(inspect.signature(made).parameters))
    if metric == "model_latency":
        entries |= {
            name: _duration(f"{key}.{name}", entries[name]) for name in DURATIONS if name in entries
        }
    if metric == "of_metrics":
        _check_present(key, entries, required=PAIR)
        entries |= {name: _metric(f"{key}.{name}", entries[name]) for name in PAIR}
    return made(**entries)


def _metric(key: str, value: object) -> Metric:
    example = (
        '{"namespace": "Fraud", "metric_name": "Agreement", "dimensions": {"Model": "v2"}, '
        '"statistic": "Average"}'
    )
    entries = _object(key, value, example=example)
    required = ("namespace", "metric_name")
    entries = _checked(key, entries, allowed=METRIC_ENTRIES, required=required)
    dimensions = entries.pop("dimensions", {})
    texts = [*entries.values()]
    if isinstance(dimensions, Mapping):
        texts += [*dimensions.keys(), *dimensions.values()]
    is_sound = isinstance(dimensions, Mapping) and len(dimensions) <= MAX_DIMENSIONS
    if not is_sound or not all(isinstance(text, str) and 1 <= len(text) <= 255 for text in texts):
        raise ContextError(
            f"context entry '{key}' must hold texts of 1 to 255 characters, and 'dimensions' an "
            f"object of at most {MAX_DIMENSIONS} of them, got {json.dumps(value)}: write, for "
            f"example, '{example}'"
        )
    return Metric(dimensions_map=dimensions or None, **entries)


def _variant(key: str, value: object) -> ModelVariantConfig:
    entries = _object(key, value, example=EXAMPLES["desired_model_variants"].strip("[]"))
    entries = _checked(key, entries, allowed=VARIANT_ENTRIES, required=VARIANT_ENTRIES)
    return ModelVariantConfig(**entries)


def _checked(
    key: str,
    entries: Mapping[str, object],
    *,
    allowed: tuple[str, ...],
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The entries that are not null."""
    _check_names(key, entries, allowed=allowed)
    _check_present(key, entries, required=required)
    return {name: value for name, value in entries.items() if value is not None}


def _check_names(key: str, entries: Mapping[str, object], *, allowed: tuple[str, ...]) -> None:
    unknown = [name for name in entries if name not in allowed]
    if unknown:
        meant = [f"'{close[0]}'" for name in unknown if (close := get_close_matches(name, allowed))]
        remedy = f"did you mean {' and '.join(meant)}?" if meant else "leave it out"
        got = ", ".join(f"'{name}'" for name in unknown)
        raise ContextError(
            f"context entry '{key}' may hold {_listed(allowed)}, got {got}: {remedy}"
        )


def _check_present(key: str, entries: Mapping[str, object], *, required: tuple[str, ...]) -> None:
    for name in required:
        if entries.get(name) is None:
            raise ContextError(f"context entry '{key}' must hold '{name}': add it to cdk.json")


def _listed(names: tuple[str, ...], joined_by: str = "and") -> str:
    *most, last = (f"'{name}'" for name in names)
    return f"{', '.join(most)} {joined_by} {last}" if most else last


class StopInferenceExperimentStack(Stack):
    """A stack with one ``StopInferenceExperiment``."""

    def __init__(self, scope: Construct, construct_id: str, *, props: Mapping[str, Any]) -> None:
        super().__init__(
            scope, construct_id, description="Ends a SageMaker inference experiment as declared"
        )
        evidence = props.get("promote_if")
        if evidence is not None:
            alarms = [
                Alarm.from_alarm_name(self, f"Alarm{index}", name)
                for index, name in enumerate(evidence.alarms)
            ]
            props = {**props, "promote_if": replace(evidence, alarms=alarms)}
        experiment = StopInferenceExperiment(self, "StopInferenceExperiment", **props)
        CfnOutput(self, "ExperimentArn", value=experiment.experiment_arn)
        CfnOutput(self, "Status", value=experiment.status)
        CfnOutput(self, "StopRequest", value=experiment.stop_request)


def main() -> None:
    """Synthesise the stack that the context declares, or print what is wrong with it."""
    app = App()
    context = app.node.try_get_context
    try:
        # Not every supported release lets a construct list the context; the CLI passes it this way.
        check_keys(json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}")))
        props = declaration(context)
        StopInferenceExperimentStack(app, context(STACK_NAME) or DEFAULT_STACK_NAME, props=props)
    except ContextError as error:
        sys.exit(f"error: {error}")
    except InvalidPropsError as error:
        sys.exit(f"error: {error}: correct '{DECLARATION}' in cdk.json or on the command line")
    app.synth()


if __name__ == "__main__":
    main()
