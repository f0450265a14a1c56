"""An app for users who do not write Python: ``python3 -m cdk_stop_inference_experiment.app``.

It has one stack with one ``StopInferenceExperiment``, whose props are the entries of
``stop-inference-experiment`` in the CDK context. ``stack-name`` names the stack. On the command
line, ``-c`` replaces the declaration or one entry of it::

    cdk deploy -c stop-inference-experiment.outcome=KeepProduction
    cdk deploy -c stop-inference-experiment.end_now=true
    cdk deploy -c 'stop-inference-experiment.stop_on=["Delete"]'

docs/reference/props.md#in-cdkjson describes the entries.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk.aws_cloudwatch import Alarm, Metric

from cdk_stop_inference_experiment_handler.contract.declaration import OutcomeKind
from cdk_stop_inference_experiment_handler.contract.validation import either

from .errors import InvalidPropsError
from .evidence import Comparison, Evidence
from .model_variant import ModelVariantConfig
from .outcome import Instances, Outcome
from .stop_inference_experiment import StopInferenceExperiment

DECLARATION = "stop-inference-experiment"

Read = Callable[[str, Any], Any]
"""Makes a value for Python from a value in JSON; the string is its key, for errors."""


class ContextError(ValueError):
    """An entry of the CDK context is missing or wrong."""


def _wrong(key: str, kind: str, value: object) -> ContextError:
    return ContextError(f"context entry '{key}' must be {kind}, got {json.dumps(value)}")


def _refuse_unknown(prefix: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            close = [f"{prefix}{match}" for match in get_close_matches(name, known, n=1)]
            every = [f"{prefix}{other}" for other in known]
            remedy = f"did you mean '{close[0]}'?" if close else f"use {either(every)}"
            raise ContextError(f"context entry '{prefix}{name}' is not known: {remedy}")


def _entries(
    key: str, value: object, known: Collection[str], required: Collection[str]
) -> dict[str, Any]:
    """The entries of an object that are not null."""
    if not isinstance(value, Mapping):
        raise _wrong(key, f"an object of {', '.join(known)}", value)
    _refuse_unknown(f"{key}.", value, known)
    entries = {name: entry for name, entry in value.items() if entry is not None}
    for name in required:
        if name not in entries:
            raise ContextError(f"context entry '{key}' must hold '{name}': add it to cdk.json")
    return entries


def _object(make: Callable[..., object], **read: Read) -> Read:
    """Calls ``make`` with the entries of an object; ``read`` has those that differ in JSON."""
    parameters = signature(make).parameters.values()
    known = [parameter.name for parameter in parameters]
    required = [parameter.name for parameter in parameters if parameter.default is Parameter.empty]

    def read_object(key: str, value: object) -> object:
        entries = _entries(key, value, known, required)
        for name in entries.keys() & read:
            entries[name] = read[name](f"{key}.{name}", entries[name])
        try:
            return make(**entries)
        except (RuntimeError, TypeError) as error:
            raise ContextError(f"context entry '{key}' is refused by CDK: {error}") from error

    return read_object


def _choice(values: Mapping[str, object], read_object: Read | None = None) -> Read:
    """One of the given words, or an object."""

    def read_word(key: str, value: object) -> object:
        if isinstance(value, str) and value in values:
            return values[value]
        if read_object and not isinstance(value, str):
            return read_object(key, value)
        or_object = ", or an object" if read_object else ""
        raise _wrong(key, f"{either(tuple(values))}{or_object}", value)

    return read_word


def _list(read: Read) -> Read:
    def read_list(key: str, value: object) -> object:
        if not isinstance(value, list):
            raise _wrong(key, "a list", value)
        return [read(f"{key}[{index}]", item) for index, item in enumerate(value)]

    return read_list


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(key, "a string", value)
    return value


def _alarms(key: str, value: object) -> object:
    """Names of alarms, of which the app makes constructs."""
    names = _list(_text)(key, value)
    if len(set(names)) < len(names):
        raise _wrong(key, "a list with each alarm once", value)
    return names


def _duration(key: str, value: object) -> Duration:
    """A duration of ISO 8601; ``Duration.parse`` takes no fractions of a second."""
    form = r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?"
    if not isinstance(value, str) or not (match := re.fullmatch(form, value)):
        raise _wrong(key, "a duration such as 'PT1H30M' or 'PT0.005S'", value)
    hours, minutes, seconds = (float(number or 0) for number in match.groups())
    return Duration.millis(round(1000 * (3600 * hours + 60 * minutes + seconds), 3))


def _comparison(key: str, value: object) -> object:
    entries = dict(value) if isinstance(value, Mapping) else {}
    metric = entries.pop("metric", None)
    if not isinstance(metric, str) or metric not in COMPARISONS:
        raise _wrong(key, f"an object whose 'metric' is {either(tuple(COMPARISONS))}", value)
    return COMPARISONS[metric](key, entries)


def _metric(
    namespace: str,
    metric_name: str,
    dimensions: Mapping[str, str] | None = None,
    statistic: str | None = None,
) -> Metric:
    return Metric(
        namespace=namespace,
        metric_name=metric_name,
        dimensions_map=dimensions or None,
        statistic=statistic,
    )


COMPARISONS: Mapping[str, Read] = {
    "model_latency": _object(Comparison.model_latency, max_increase=_duration, max_value=_duration),
    "error_rate_4xx": _object(Comparison.error_rate_4xx),
    "error_rate_5xx": _object(Comparison.error_rate_5xx),
    "model_error_rate": _object(Comparison.model_error_rate),
    "of_metrics": _object(
        Comparison.of_metrics, production=_object(_metric), shadow=_object(_metric)
    ),
}
OUTCOMES = {kind.value: Outcome(kind.value) for kind in OutcomeKind}
INSTANCES = {"Production": Instances.production(), "Shadow": Instances.shadow()}

PROPS: Mapping[str, Read | None] = {
    "experiment_name": None,
    "outcome": _choice(
        OUTCOMES, _object(Outcome, instances=_choice(INSTANCES, _object(Instances)))
    ),
    "model_variant_actions": None,
    "desired_model_variants": _list(_object(ModelVariantConfig)),
    "desired_state": None,
    "reason": None,
    "stop_on": None,
    "end_now": None,
    "promote_if": _object(
        Evidence, comparisons=_list(_comparison), alarms=_alarms, window=_duration
    ),
    "otherwise": _choice(OUTCOMES),
    "timeout": _duration,
}
"""How each prop is read; None if it is the same in JSON."""


def _from_command_line(value: object) -> object:
    """Objects, lists, flags and null are JSON; anything else is a string."""
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return read if read is None or isinstance(read, (bool, dict, list)) else value


def props(app: App) -> dict[str, Any]:
    """The construct's props, of which the construct checks the values.

    Raises:
        ContextError: An entry is missing or has another form.
    """
    context = app.node.try_get_context
    # Not every supported release lets a construct list the context; the CLI passes it this way.
    keys = json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}"))
    ours = [key.removeprefix(DECLARATION) for key in keys if key.startswith(DECLARATION)]
    _refuse_unknown(DECLARATION, ours, ["", *(f".{name}" for name in PROPS)])
    declared = _from_command_line(context(DECLARATION)) or {}
    single = {name: context(f"{DECLARATION}.{name}") for name in PROPS}
    single = {
        name: _from_command_line(value) for name, value in single.items() if value is not None
    }
    whole = {**declared, **single} if isinstance(declared, Mapping) else declared
    entries = _entries(DECLARATION, whole, PROPS, ("experiment_name",))
    return {
        name: read(f"{DECLARATION}.{name}", value) if (read := PROPS[name]) else value
        for name, value in entries.items()
    }


def make_stack(app: App) -> Stack:
    """The stack that the context declares."""
    values = props(app)
    name = app.node.try_get_context("stack-name") or "StopInferenceExperiment"
    stack = Stack(app, name, description="Ends a SageMaker inference experiment as declared")
    if evidence := values.get("promote_if"):
        alarms = [Alarm.from_alarm_name(stack, f"Alarm {name}", name) for name in evidence.alarms]
        values["promote_if"] = replace(evidence, alarms=alarms)
    experiment = StopInferenceExperiment(stack, "StopInferenceExperiment", **values)
    CfnOutput(stack, "ExperimentArn", value=experiment.experiment_arn)
    CfnOutput(stack, "Status", value=experiment.status)
    CfnOutput(stack, "StopRequest", value=experiment.stop_request)
    return stack


def main() -> None:
    """Synthesise the stack that the context declares, or print what is wrong with it."""
    app = App()
    try:
        make_stack(app)
    except ContextError as error:
        sys.exit(f"error: {error}")
    except InvalidPropsError as error:
        sys.exit(f"error: {error}: correct '{DECLARATION}' in cdk.json or on the command line")
    app.synth()


if __name__ == "__main__":
    main()
