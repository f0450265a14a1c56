"""The JSON schema of cdk.json: what app.py takes, for editors.

``make schema`` makes it from the handler's limits, the construct's signatures and app.py. It
is of draft 7, the newest that VS Code supports in full, and ``errorMessage`` is what VS Code shows
in place of a keyword's own message: https://json-schema.org/draft-07

It leaves to synth what depends on the names of variants or on the length of a duration.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import app
from app import (
    COMPARISONS,
    DECLARATION,
    DURATIONS,
    ENTRIES,
    EVIDENCE_ENTRIES,
    INSTANCE_ENTRIES,
    MAX_DIMENSIONS,
    METRIC_ENTRIES,
    PAIR,
    STACK_NAME,
    TEXTS,
    VARIANT_ENTRIES,
)

from cdk_stop_inference_experiment.instance_types import INSTANCE_TYPES
from cdk_stop_inference_experiment.template.properties import PROP_NAMES
from cdk_stop_inference_experiment_handler.contract import limits
from cdk_stop_inference_experiment_handler.contract.declaration import (
    Action,
    InstancesOf,
    OutcomeKind,
    StopOn,
)
from cdk_stop_inference_experiment_handler.contract.limits import NumberLimit, StringLimit

Json = dict[str, Any]

FILE = Path(__file__).parents[1] / "cdk.schema.json"

MEMBERS = {prop: member for member, prop in PROP_NAMES.items()}
"""The property of the resource for each prop."""

DESCRIBED = {
    "experiment_name": "The inference experiment to end.",
    "outcome": (
        "How the experiment ends. PromoteShadow: the shadow variant serves production, and the "
        "production variant is removed. KeepProduction: the shadow variant is removed. KeepBoth: "
        "both variants stay, and the shadow variant is billed. Exactly one of this and "
        "model_variant_actions is required."
    ),
    "model_variant_actions": (
        "What happens to each variant, by the variant's name: Retain, Remove or Promote. At most "
        "one Promote, for the shadow variant. Exactly one of this and outcome is required."
    ),
    "desired_model_variants": (
        "The variants to deploy after the experiment, only with model_variant_actions, each with "
        "an action other than Remove. By default, SageMaker keeps the variants that remain."
    ),
    "desired_state": "The status of the experiment after it ends. By default, SageMaker decides.",
    "reason": (
        "The reason that SageMaker records: one line. Changing only the reason ends nothing. By "
        "default, it names the stack and the resource."
    ),
    "stop_on": "The events of the stack that end the experiment. Default: Update and Delete.",
    "end_now": (
        "A change from false to true ends the experiment with this deployment, whatever stop_on "
        "says. While it stays true, it has no further effect."
    ),
    "promote_if": (
        "What CloudWatch must have measured before the shadow variant is promoted. By default, a "
        "promotion needs no evidence."
    ),
    "otherwise": (
        "How a deletion ends the experiment if the evidence does not allow the promotion. Only "
        "with promote_if. Default: KeepProduction."
    ),
    "timeout": (
        "How long to wait for the experiment's end before the deployment fails: PT1M to PT55M. "
        "Default: PT55M."
    ),
    "kind": "PromoteShadow, KeepProduction or KeepBoth.",
    "instances": (
        "The instances of the promoted shadow variant: those that production runs when the "
        "experiment ends (Production, the default), the shadow variant's (Shadow), or a type and a "
        "count."
    ),
    "instance_type": "An instance type that SageMaker endpoints support.",
    "instance_count": "How many instances.",
    "model_name": "The SageMaker model.",
    "variant_name": "The name of the variant. It needs an action other than Remove.",
    "min_invocations": (
        "How many requests production and the shadow variant each need. With fewer, the verdict is "
        "inconclusive, and nothing is promoted. Required without confidence."
    ),
    "window": (
        "The length of the window that is measured: PT5M to PT720H, and at least PT1H with a "
        "percentile. It ends 5 minutes before the request. Not with confidence. Default: PT24H."
    ),
    "confidence": (
        "How sure the verdict must be, such as 0.95: a shadow variant that breaks a bound is then "
        "promoted in at most 5 of 100 tests, however often you deploy. By default, values are only "
        "compared."
    ),
    "min_hours": (
        "How many hours must be measured. Only with confidence. Fewer than 48 may promote a bad "
        "shadow variant more often than the confidence says. Default: 48."
    ),
    "comparisons": "At least one comparison or alarm is required.",
    "alarms": (
        "Names of metric alarms and log alarms: OK counts as successful, ALARM as failed, "
        "INSUFFICIENT_DATA as inconclusive. At least one comparison or alarm is required."
    ),
    "metric": (
        "The metric of the shadow variant: model_latency is CloudWatch's ModelLatency; the others "
        "are the shares of Invocation4XXErrors, Invocation5XXErrors and InvocationModelErrors in "
        "the requests. of_metrics compares any two metrics by the hour, only with confidence."
    ),
    "statistic": (
        "Average is that of the whole window; a percentile must hold in every whole hour with "
        "enough requests. Default: Average."
    ),
    "namespace": "The metric's namespace in CloudWatch.",
    "metric_name": "The metric's name.",
    "dimensions": "The metric's dimensions, by their names.",
    "max_ratio": "At most this many times production's value: with 1.1, 10 % more.",
    "max_increase": "At most this much over production's value.",
    "max_value": "At most this, whatever production's latency.",
    "max_rate": "At most this share of the requests: 0.001 is one in a thousand.",
    "at_least": "At least this, whatever production's value.",
    "failure_limit": (
        "How many hours may exceed the bounds of a percentile. For percentiles only. Default: 0."
    ),
    "dry_run": "Only measure and report, without an effect on the verdict. Default: false.",
}
"""What each entry means, in the words of AWS and the CDK."""


def schema() -> Json:
    """The schema of cdk.json."""
    overrides = {
        f"{DECLARATION}.{name}": _override(name, _ref(name))
        for name in ENTRIES
        if name not in TEXTS
    } | {f"{DECLARATION}.{name}": _ref(name) for name in TEXTS}
    known = "|".join(ENTRIES)
    whole = {
        "description": "Another form of the declaration, which -c sends: a string of JSON.",
        **_json_text(r"^\s*\{"),
        "type": ["string", "null"],
    }
    context = {
        "description": "The CDK context, which app.py reads.",
        "type": "object",
        "properties": {
            STACK_NAME: {
                "description": "The name of the stack.",
                "type": "string",
                "maxLength": 128,
                "pattern": "^[A-Za-z][A-Za-z0-9-]*$",
                "default": app.DEFAULT_STACK_NAME,
            },
            DECLARATION: {"anyOf": [_ref("declaration"), whole]},
            **overrides,
        },
        "patternProperties": {
            rf"^{DECLARATION}(?!(\.({known}))?$)": {
                "not": {},
                "errorMessage": f"The context has '{DECLARATION}', and one key for each of its "
                f"entries, such as '{DECLARATION}.outcome'.",
            }
        },
        # An entry of its own may supply what the declaration lacks, so the declaration has to be
        # complete only without one.
        "if": {"propertyNames": {"not": {"pattern": rf"^{DECLARATION}\."}}},
        "then": {
            "required": [DECLARATION],
            "properties": {DECLARATION: {"allOf": [{"not": {"type": "null"}}, _ref("complete")]}},
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cdk.json of an app that ends a SageMaker inference experiment",
        "description": f"Made from app.py and the library by 'make schema'. It describes "
        f"'{DECLARATION}' in the context; everything else is the CDK's.",
        "type": "object",
        "required": ["context"],
        "properties": {"context": context},
        "definitions": _definitions(),
    }


def _definitions() -> Json:
    entries = {name: _described(name, entry) for name, entry in _entries().items()}
    return {
        "declaration": {
            "description": "How a SageMaker inference experiment ends, and which events end it.",
            **_object({name: _ref(name) for name in ENTRIES}),
        },
        "complete": _complete(),
        **entries,
        "instances": _described("instances", _instances()),
        "instance_type": _described(
            "instance_type",
            {
                "enum": sorted(INSTANCE_TYPES),
                "errorMessage": "Write an instance type that SageMaker endpoints support, such as "
                "ml.m5.xlarge.",
            },
        ),
        "variant": _object(
            {
                "model_name": _described("model_name", _text(limits.MODEL_NAME)),
                "variant_name": _described("variant_name", _text(limits.VARIANT_NAME)),
                **_real_time(limits.MIN_INSTANCE_COUNT),
            },
            required=VARIANT_ENTRIES,
        ),
        "comparison": _comparison(),
        "metric": _metric(),
    }


def _entries() -> Json:
    """The schemas of the declaration's entries, each of which may be null."""
    kept = (OutcomeKind.KEEP_PRODUCTION.value, OutcomeKind.KEEP_BOTH.value)
    entries = {
        "experiment_name": _text(limits.EXPERIMENT_NAME),
        "outcome": {"anyOf": [_choice(*OutcomeKind), _outcome()]},
        "model_variant_actions": _actions(),
        "desired_model_variants": {
            "type": "array",
            "items": _ref("variant"),
            "minItems": 1,
            "maxItems": limits.MAX_VARIANTS,
        },
        "desired_state": _choice(*limits.DESIRED_STATES),
        "reason": _text(limits.REASON),
        "stop_on": {"type": "array", "items": _choice(*StopOn), "minItems": 1},
        "end_now": {"type": "boolean"},
        "promote_if": _evidence(),
        "otherwise": {
            "anyOf": [
                _choice(*kept),
                _object({"kind": _described("kind", _choice(*kept))}, required=("kind",)),
            ]
        },
        "timeout": _duration(),
    }
    return {name: _or_null(entries[name]) for name in ENTRIES}


def _complete() -> Json:
    """The rules on more than one entry, without the overrides of ``-c``."""
    promotes = {
        "anyOf": [
            _with("outcome", _choice(OutcomeKind.PROMOTE_SHADOW.value)),
            _with("outcome", _with("kind", _choice(OutcomeKind.PROMOTE_SHADOW.value))),
            _with("model_variant_actions", _some(Action.PROMOTE.value)),
        ]
    }
    return {
        "required": ["experiment_name"],
        "properties": {"experiment_name": {"not": {"type": "null"}}},
        "allOf": [
            _never(
                {"allOf": [_given("outcome"), _given("model_variant_actions")]},
                "Exactly one of 'outcome' and 'model_variant_actions' is required, got both.",
            ),
            _never(
                {"not": {"anyOf": [_given("outcome"), _given("model_variant_actions")]}},
                "Exactly one of 'outcome' and 'model_variant_actions' is required, got neither.",
            ),
            _never(
                {"allOf": [_given("outcome"), _given("desired_model_variants")]},
                "Leave 'desired_model_variants' out with 'outcome': to name the instances of a "
                'promoted variant, write "outcome": {"kind": ..., "instances": ...}.',
            ),
            _never(
                {"allOf": [_given("promote_if"), {"not": promotes}]},
                "'promote_if' needs a promotion, and none is declared: leave it out.",
            ),
            _never(
                {"allOf": [_given("otherwise"), {"not": _given("promote_if")}]},
                "'otherwise' needs 'promote_if': leave it out.",
            ),
        ],
    }


def _outcome() -> Json:
    kind = _described("kind", _choice(*OutcomeKind))
    # Production's instances are the default, which is no declaration of its own.
    default = {"enum": [InstancesOf.PRODUCTION.value, None]}
    return {
        **_object({"kind": kind, "instances": _or_null(_ref("instances"))}, required=("kind",)),
        "if": {"not": _with("kind", _choice(OutcomeKind.PROMOTE_SHADOW.value))},
        "then": {"properties": {"instances": default}},
    }


def _instances() -> Json:
    real_time = _real_time(limits.MIN_PROMOTED_INSTANCES)
    return {"anyOf": [_choice(*InstancesOf), _object(real_time, required=INSTANCE_ENTRIES)]}


def _real_time(least: int) -> Json:
    count = _described("instance_count", {"type": "integer", "minimum": least})
    return {"instance_type": _ref("instance_type"), "instance_count": count}


def _actions() -> Json:
    return {
        "type": "object",
        "propertyNames": _text(limits.VARIANT_NAME),
        "additionalProperties": _choice(*Action),
        "minProperties": 1,
        "maxProperties": limits.MAX_VARIANTS,
        "allOf": [
            _never(
                {"minProperties": 2, "additionalProperties": {"const": Action.PROMOTE.value}},
                "Promote at most one variant: only the shadow variant can become the production "
                "variant.",
            ),
            _never(
                {"minProperties": 2, "additionalProperties": {"const": Action.REMOVE.value}},
                "Leave the endpoint a production variant: retain the production variant or promote "
                "the shadow variant.",
            ),
        ],
    }


def _evidence() -> Json:
    listed = {"type": "array", "maxItems": limits.MAX_LISTED}
    entries = {
        "min_invocations": _or_null(_ruled(limits.MIN_INVOCATIONS)),
        "comparisons": _or_null({**listed, "items": _ref("comparison")}),
        "alarms": _or_null({**listed, "items": _text(limits.ALARM_NAME)}),
        "window": _or_null(_duration()),
        "confidence": _or_null(
            {
                "type": "number",
                "minimum": limits.CONFIDENCE.minimum,
                "maximum": limits.CONFIDENCE.maximum,
            }
        ),
        "min_hours": _or_null(_ruled(limits.MIN_HOURS)),
    }
    assert tuple(entries) == EVIDENCE_ENTRIES
    described = {name: _described(name, entry) for name, entry in entries.items()}
    some, confident = {"type": "array", "minItems": 1}, _given("confidence")
    measured = {"anyOf": [_with("comparisons", some), _with("alarms", some)]}
    return {
        **_object(described),
        "allOf": [
            _never({"not": measured}, "Evidence needs a comparison or an alarm."),
            _never(
                {"not": {"anyOf": [_given("min_invocations"), confident]}},
                "'min_invocations' is required without 'confidence'.",
            ),
            _never(
                {"allOf": [_given("window"), confident]},
                "Leave 'window' out with 'confidence', which takes the whole test.",
            ),
            _never(
                {"allOf": [_given("min_hours"), {"not": confident}]},
                "Leave 'min_hours' out without 'confidence'.",
            ),
            _never(
                {"allOf": [_comparing(_with("failure_limit", {"minimum": 1})), confident]},
                "Leave 'failure_limit' out with 'confidence', which counts the hours.",
            ),
            _never(
                {
                    "allOf": [
                        _comparing(_with("metric", {"const": "of_metrics"})),
                        {"not": confident},
                    ]
                },
                "of_metrics needs 'confidence'.",
            ),
        ],
    }


def _comparing(entry: Json) -> Json:
    """Evidence of which some comparison is like this."""
    return _with("comparisons", {"type": "array", "contains": entry})


def _metric() -> Json:
    name = {"type": "string", "minLength": 1, "maxLength": 255}
    no_colon_first = {**name, "pattern": "^[^:]"}
    dimensions = {
        "type": "object",
        "propertyNames": no_colon_first,
        "additionalProperties": name,
        "maxProperties": MAX_DIMENSIONS,
    }
    statistic = {"type": "string", "minLength": 1, "maxLength": limits.STATISTIC.maximum}
    entries = {
        "namespace": _described("namespace", no_colon_first),
        "metric_name": _described("metric_name", name),
        "dimensions": _described("dimensions", _or_null(dimensions)),
        "statistic": {
            "description": "The statistic, such as Average or p99. Default: Average.",
            **_or_null(statistic),
        },
    }
    assert tuple(entries) == METRIC_ENTRIES
    return _object(entries, required=("namespace", "metric_name"))


def _comparison() -> Json:
    """Its other entries are the parameters of the method that its metric names."""
    by_parameters: dict[tuple[str, ...], list[str]] = {}
    for metric, made in COMPARISONS.items():
        by_parameters.setdefault(tuple(inspect.signature(made).parameters), []).append(metric)
    return {
        "type": "object",
        "properties": {"metric": _described("metric", _choice(*COMPARISONS))},
        "required": ["metric"],
        "allOf": [
            {"if": _with("metric", _choice(*metrics)), "then": _of_metric(metrics[0], parameters)}
            for parameters, metrics in by_parameters.items()
        ],
    }


def _of_metric(metric: str, parameters: Sequence[str]) -> Json:
    is_latency = metric == "model_latency"
    bounds_of = {
        "model_latency": limits.BOUNDS_OF_LATENCY,
        "of_metrics": limits.BOUNDS_OF_METRICS,
    }.get(metric, limits.BOUNDS_OF_ERRORS)
    others: Json = {
        "statistic": _choice(*limits.STATISTICS),
        "failure_limit": _ruled(limits.FAILURE_LIMIT),
        "dry_run": {"type": "boolean"},
    }
    entries: Json = {"metric": {}}
    for name in parameters:
        is_duration = is_latency and name in DURATIONS
        if name in PAIR:
            entries[name] = _ref("metric")
            continue
        entry = _duration() if is_duration else others.get(name) or _ruled(bounds_of[MEMBERS[name]])
        entries[name] = _described(name, _or_null(entry))
    bounds = [name for name in parameters if MEMBERS[name] in bounds_of]
    none = {"not": {"anyOf": [_given(bound) for bound in bounds]}}
    needed = f"A comparison needs a bound: {', '.join(bounds[:-1])} or {bounds[-1]}."
    pair = [name for name in PAIR if name in parameters]
    made = {**_object(entries, required=pair), "allOf": [_never(none, needed)]}
    if "failure_limit" in parameters:
        made["if"] = {"not": _with("statistic", _choice(*limits.PERCENTILES))}
        made["then"] = {"properties": {"failure_limit": {"enum": [0, None]}}}
    return made


def _ruled(limit: NumberLimit) -> Json:
    """A number within its limit; a bound has no smallest value, and most have no largest."""
    is_whole = limit.type is int
    made: Json = {"type": "integer" if is_whole else "number"}
    if limit.minimum >= 0:
        made |= {"minimum": limit.minimum} if is_whole else {"exclusiveMinimum": 0}
    return made | ({"maximum": limit.maximum} if limit.maximum < 10**15 else {})


def _duration() -> Json:
    return {
        "type": "string",
        "pattern": f"^{app.DURATION}$",
        "errorMessage": "Write hours, minutes and seconds, for example, PT1H30M or PT0.005S.",
    }


def _text(limit: StringLimit) -> Json:
    made: Json = {"type": "string", "minLength": limit.minimum, "maxLength": limit.maximum}
    if limit is not limits.ALARM_NAME:
        made["pattern"] = f"^{limit.pattern}$"
        made["errorMessage"] = f"Write {limit.minimum} to {limit.maximum} characters: "
        made["errorMessage"] += f"{limit.described}."
    return made


def _choice(*values: str) -> Json:
    return {"enum": list(values)}


def _object(properties: Json, *, required: Sequence[str] = ()) -> Json:
    made: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": list(required)} if required else {})


def _described(name: str, entry: Json) -> Json:
    return {"description": DESCRIBED[name], **entry}


def _ref(name: str) -> Json:
    return {"$ref": f"#/definitions/{name}"}


def _or_null(entry: Json) -> Json:
    if "enum" in entry:
        return {**entry, "enum": [*entry["enum"], None]}
    if "type" in entry:
        return {**entry, "type": [entry["type"], "null"]}
    if "anyOf" in entry:
        return {**entry, "anyOf": [*entry["anyOf"], {"type": "null"}]}
    return {"anyOf": [entry, {"type": "null"}]}


def _override(name: str, entry: Json) -> Json:
    """An entry under a key of its own: as in the declaration, or as ``-c`` sends it."""
    if name in ("outcome", "otherwise"):
        return {"anyOf": [entry, {"const": "null"}, _json_text(r"^\{")]}
    if name == "end_now":
        return {"anyOf": [entry, _json_text(r"^\s*(true|false|null)\s*$")]}
    opening = r"\[" if name in ("desired_model_variants", "stop_on") else r"\{"
    return {"anyOf": [entry, _json_text(rf"^\s*({opening}|null\s*$)")]}


def _json_text(pattern: str) -> Json:
    return {"type": "string", "contentMediaType": "application/json", "pattern": pattern}


def _with(name: str, entry: Mapping[str, Any]) -> Json:
    return {"type": "object", "required": [name], "properties": {name: entry}}


def _given(name: str) -> Json:
    return _with(name, {"not": {"type": "null"}})


def _some(value: str) -> Json:
    """An object in which some entry has the value."""
    return {"type": "object", "not": {"additionalProperties": {"not": {"const": value}}}}


def _never(entry: Json, message: str) -> Json:
    """Refuse such an object; what is no object is for other rules."""
    return {"not": {"type": "object", **entry}, "errorMessage": message}


def written() -> str:
    """The text of the file."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
