"""What synth refuses, and what it warns about.

The function checks the API's limits too, in the same words: see
``cdk_stop_inference_experiment_handler.contract.declaration``. This module adds the rules that only
synth can check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from math import ceil
from typing import Any

from aws_cdk import Duration, Stack
from constructs import Construct

from cdk_stop_inference_experiment_handler.contract import declaration
from cdk_stop_inference_experiment_handler.contract.declaration import (
    DEFAULT_STOP_ON,
    Action,
    OutcomeKind,
)
from cdk_stop_inference_experiment_handler.contract.limits import (
    CANCELLED,
    DESIRED_STATES,
    ERROR_METRICS,
    INSTANCE_TYPE,
    MAX_REASON_TEXT,
    MODEL_LATENCY,
)
from cdk_stop_inference_experiment_handler.contract.validation import as_mapping, shown

from .evidence import Comparison, Evidence
from .experiment import KnownExperiment, is_experiment
from .instance_types import INSTANCE_TYPES
from .model_variant import ModelVariantConfig
from .outcome import Instances, Outcome
from .template.properties import PROP_NAMES, pair_of, stat_of
from .tokens import is_jsii_object, is_unresolved, known_text

# The ids for acknowledging the warnings.
UNDOCUMENTED_COMBINATION = "cdk-stop-inference-experiment:undocumentedCombination"
DECLARED_BY_TOKENS = "cdk-stop-inference-experiment:declaredByTokens"
LONG_REASON = "cdk-stop-inference-experiment:longReason"
UNKNOWN_NAME = "cdk-stop-inference-experiment:unknownName"
SCHEDULE_IS_OVER = "cdk-stop-inference-experiment:scheduleIsOver"
NATIVE_ENDS_IT = "cdk-stop-inference-experiment:nativeEndsIt"
TOO_FEW_REQUESTS = "cdk-stop-inference-experiment:tooFewRequests"
NO_PRODUCTION = "cdk-stop-inference-experiment:noProduction"
OTHER_INSTANCE_TYPE = "cdk-stop-inference-experiment:otherInstanceType"
IMPLAUSIBLE_BOUND = "cdk-stop-inference-experiment:implausibleBound"
HELD_TWICE = "cdk-stop-inference-experiment:heldTwice"

_UNKNOWN = object()
"""Replaces a value with which a problem was already found, so that the shared checks skip it."""


def find_problems(
    properties: Mapping[str, object],
    *,
    experiment_name: object,
    experiment: object,
    outcome: object,
    desired_model_variants: object,
    promote_if: object,
) -> list[str]:
    """Everything wrong with a construct's props, one sentence each."""
    checked = dict(properties)
    problems = list(_name_or_experiment(experiment_name, experiment))
    if problems:
        checked["Name"] = _UNKNOWN
    if of_evidence := list(_evidence(promote_if)):
        problems += of_evidence
        checked["PromoteIf"] = _UNKNOWN
    names = {**PROP_NAMES, "Name": "experiment_name" if experiment is None else "experiment.name"}
    problems += declaration.find_problems(checked, names=names, is_unresolved=_is_unknown)
    for label, instances in _instances_of(outcome, desired_model_variants):
        problems += _unknown_instance_type(label, instances)
    if is_experiment(experiment):
        known = KnownExperiment.of(experiment)
        problems += known.problems(properties.get("ModelVariantActions"))
        if outcome is not None:
            problems += known.problems_of_outcome()
    return problems


def find_warnings(
    properties: Mapping[str, object], *, experiment: object, also_ended_by: str | None
) -> Iterator[tuple[str, str]]:
    """What synth warns about: the id for acknowledging the warning, and a sentence.

    Args:
        properties: The properties of the resource.
        experiment: The experiment's own resource, if the construct was given one.
        also_ended_by: The path of another construct for the same experiment, if the stack has one.
    """
    label = "experiment_name" if experiment is None else "experiment.name"
    if known_text(properties["Name"]) is None:
        text = (
            f"'{label}' holds a token: if the name changes, this resource is updated in place, the "
            f"function loses its permission for the old experiment, and the old experiment keeps "
            f"running: use a name that is known at synth, or end the experiment before you change "
            f"the name"
        )
        yield UNKNOWN_NAME, text
    if also_ended_by is not None:
        text = (
            f"'{label}' names an experiment that '{also_ended_by}' ends too: whichever is changed "
            f"or deleted first ends it: keep one of the two"
        )
        yield HELD_TWICE, text
    if is_experiment(experiment) and (end := KnownExperiment.of(experiment).ended_by_schedule()):
        text = (
            f"'experiment' has a schedule that ended at {end}: an experiment that has ended can no "
            f"longer be stopped, and its shadow variant can no longer be promoted: use a later "
            f"'end_time'"
        )
        yield SCHEDULE_IS_OVER, text
    state = KnownExperiment.of(experiment).desired_state if is_experiment(experiment) else None
    if state in DESIRED_STATES:
        text = (
            f"'experiment' has a 'desired_state' of '{state}': CloudFormation's own resource stops "
            f"a running experiment on any update, and keeps both variants, whatever this construct "
            f"declares: leave 'desired_state' out, or use 'Running'"
        )
        yield NATIVE_ENDS_IT, text
    yield from _other_instance_type(properties, experiment)
    if is_experiment(experiment) and KnownExperiment.of(experiment).removes_production(
        properties.get("ModelVariantActions")
    ):
        text = (
            "'model_variant_actions' removes the production variant and promotes no other one: an "
            "endpoint needs a production variant, so SageMaker may refuse the stop: promote the "
            "shadow variant, or retain the production variant"
        )
        yield NO_PRODUCTION, text
    if combinations := _undocumented_combinations(properties):
        text = (
            f"AWS does not document what StopInferenceExperiment does for "
            f"{' or for '.join(combinations)}: try it on a test endpoint first"
        )
        yield UNDOCUMENTED_COMBINATION, text
    yield from _too_few_requests(properties)
    yield from _implausible_bounds(properties)
    tokens = list(_tokens(properties))
    if tokens and _ends_on_update(properties.get("StopOn", DEFAULT_STOP_ON)):
        text = (
            f"{_and(tokens)} {'holds a token' if len(tokens) == 1 else 'hold tokens'}: the value "
            f"can change without an edit of the declaration, and the deployment that changes it "
            f"ends the experiment: use a value that is known at synth, or leave StopOn.UPDATE out "
            f"of 'stop_on' and end the experiment with 'end_now'"
        )
        yield DECLARED_BY_TOKENS, text
    reason = known_text(properties.get("Reason"))
    if reason is not None and len(reason) > MAX_REASON_TEXT:
        text = (
            f"'reason' should be at most {MAX_REASON_TEXT} characters, got {len(reason)}: the rest "
            f"is cut off, since the function adds a digest by which it recognises its own stop"
        )
        yield LONG_REASON, text


def _other_instance_type(
    properties: Mapping[str, object], experiment: object
) -> Iterator[tuple[str, str]]:
    """Warn of a promotion on another instance type than the one that was measured."""
    if not is_experiment(experiment):
        return
    differ = KnownExperiment.of(experiment).other_instance_type(properties)
    if differ is None:
        return
    tested, wanted, prop = differ
    text = (
        f"the shadow is tested on '{tested}', but '{prop}' promotes it on '{wanted}': what was "
        f"measured is not what will be deployed"
    )
    is_named = prop == "desired_model_variants" or properties.get("Instances") is not None
    if properties.get("PromoteIf") is not None and not is_named:
        text += (
            ", and 'promote_if' does not allow it: write "
            "Outcome.promote_shadow(Instances.shadow()), or Instances.production() to promote it "
            "anyway"
        )
    yield OTHER_INSTANCE_TYPE, text


def _too_few_requests(properties: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The rule of three: n requests without an error exclude rates above 3 / n, at 95 % confidence.

    See https://en.wikipedia.org/wiki/Rule_of_three_(statistics)
    """
    evidence = properties.get("PromoteIf")
    members = evidence if isinstance(evidence, Mapping) else {}
    minimum = members.get("MinInvocations")
    if members.get("Confidence") is not None:
        # The statistics decide how many requests are enough.
        return
    for index, comparison in enumerate(members.get("Comparisons", [])):
        rate = comparison.get("MaxRate")
        if is_unresolved(rate) or is_unresolved(minimum) or None in (rate, minimum):
            continue
        if minimum * rate < 3 - 1e-9:
            text = (
                f"'promote_if.comparisons[{index}].max_rate' is {rate}, and "
                f"'promote_if.min_invocations' is {minimum}: too few requests to show such a "
                f"rate: require at least {ceil(3 / rate - 1e-9)} requests"
            )
            yield TOO_FEW_REQUESTS, text


_IMPLAUSIBLE_RATIO = 10
_IMPLAUSIBLE_SHARE = 0.5
_LONGEST_LATENCY = 60_000_000
"""Microseconds. "A customer's model containers must respond to requests within 60 seconds":
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""


def _implausible_bounds(properties: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Bounds that are allowed but cannot be meant: any shadow would stay within them."""
    members = as_mapping(properties.get("PromoteIf"))
    for index, given in enumerate(_sequence(members.get("Comparisons"))):
        comparison = as_mapping(given)
        for member, value in comparison.items():
            if isinstance(value, (int, float)) and not is_unresolved(value):
                label = f"promote_if.comparisons[{index}].{PROP_NAMES[member]}"
                if text := _implausible(label, comparison.get("Metric"), member, value):
                    yield IMPLAUSIBLE_BOUND, text


def _implausible(label: str, metric: object, member: str, value: float) -> str | None:
    """Why a bound cannot be meant; None if it can."""
    if member == "MaxRatio" and value >= _IMPLAUSIBLE_RATIO:
        return f"'{label}' allows {value:g} times production's value: for 10 % more, write 1.1"
    if metric == MODEL_LATENCY and member in ("MaxValue", "MaxIncrease"):
        is_longer = value >= _LONGEST_LATENCY
        text = f"'{label}' is as long as SageMaker lets a model take: use a lower one"
        return text if is_longer else None
    if metric in ERROR_METRICS and value >= _IMPLAUSIBLE_SHARE and member != "DryRun":
        return (
            f"'{label}' allows errors in {value * 100:g} % of the requests: for one in a thousand, "
            f"write 0.001"
        )
    return None


def _undocumented_combinations(properties: Mapping[str, object]) -> list[str]:
    actions = properties.get("ModelVariantActions")
    values = list(actions.values()) if isinstance(actions, Mapping) else []
    if properties.get("Outcome") == OutcomeKind.PROMOTE_SHADOW:
        values = [Action.PROMOTE]
    if Action.PROMOTE not in values:
        return []
    combinations = []
    if Action.RETAIN in values:
        both = f"both '{Action.RETAIN}' and '{Action.PROMOTE}'"
        combinations.append(f"'model_variant_actions' with {both}")
    if properties.get("DesiredState") == CANCELLED:
        combinations.append(f"'desired_state' '{CANCELLED}' with '{Action.PROMOTE}'")
    return combinations


def _tokens(properties: Mapping[str, object]) -> Iterator[str]:
    """The props with tokens, among those that say how the experiment ends."""
    if is_unresolved(properties.get("Outcome")):
        yield f"'{PROP_NAMES['Outcome']}'"
    yield from _tokens_of_a_variant(PROP_NAMES["Instances"], properties.get("Instances"))
    actions = properties.get("ModelVariantActions")
    label = PROP_NAMES["ModelVariantActions"]
    if is_unresolved(actions):
        yield f"'{label}'"
    elif isinstance(actions, Mapping):
        for variant, action in actions.items():
            if is_unresolved(variant) or is_unresolved(action):
                yield f"'{label}[{variant}]'"
    label = PROP_NAMES["DesiredModelVariants"]
    variants = properties.get("DesiredModelVariants")
    if is_unresolved(variants):
        yield f"'{label}'"
    for index, variant in enumerate(_sequence(variants)):
        yield from _tokens_of_a_variant(f"{label}[{index}]", variant)
    if is_unresolved(properties.get("DesiredState")):
        yield f"'{PROP_NAMES['DesiredState']}'"


def _tokens_of_a_variant(label: str, value: object) -> Iterator[str]:
    if is_unresolved(value):
        yield f"'{label}'"
    elif isinstance(value, Mapping):
        for member, item in value.items():
            prop = PROP_NAMES.get(member)
            yield from _tokens_of_a_variant(f"{label}.{prop}" if prop else label, item)


def _ends_on_update(stop_on: object) -> bool:
    return is_unresolved(stop_on) or declaration.StopOn.UPDATE in _sequence(stop_on)


def _and(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is_unknown(value: object) -> bool:
    return value is _UNKNOWN or is_unresolved(value)


def _name_or_experiment(experiment_name: object, experiment: object) -> Iterator[str]:
    if (experiment_name is None) == (experiment is None):
        got = "neither" if experiment is None else "both"
        yield f"exactly one of 'experiment_name' and 'experiment' is required, got {got}"
    if experiment is not None and not is_experiment(experiment):
        yield (
            f"'experiment' must be a CfnInferenceExperiment, got {shown(experiment)}: "
            f"for any other experiment, pass 'experiment_name'"
        )


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _evidence(evidence: object) -> Iterator[str]:
    """What is wrong with the parts of evidence that only CDK has types for."""
    if evidence is None:
        return
    if not isinstance(evidence, Evidence):
        yield f"'promote_if' must be Evidence, got {shown(evidence)}: write Evidence(...)"
        return
    yield from _not_a_duration("promote_if.window", evidence.window)
    for index, alarm in enumerate(_sequence(evidence.alarms)):
        if not hasattr(alarm, "alarm_arn"):
            yield (
                f"'promote_if.alarms[{index}]' must be an IAlarm, got {shown(alarm)}: write "
                f"Alarm.from_alarm_name(...)"
            )
    for index, comparison in enumerate(_sequence(evidence.comparisons)):
        if isinstance(comparison, Comparison):
            yield from _comparison(f"promote_if.comparisons[{index}]", comparison)


def _comparison(label: str, comparison: Comparison) -> Iterator[str]:
    if comparison.metric == MODEL_LATENCY:
        for bound in ("max_increase", "max_value"):
            yield from _not_a_duration(f"{label}.{bound}", getattr(comparison, bound))
    for name, metric in zip(("production", "shadow"), pair_of(comparison) or (), strict=False):
        stat = stat_of(metric)
        if stat is not None and stat.unit_filter is not None:
            yield (
                f"'{label}.{name}' must have no 'unit', got {stat.unit_filter}: the function reads "
                f"the values of every unit: leave it out, and publish the metric in one unit"
            )
        if stat is None:
            yield (
                f"'{label}.{name}' must be a metric, and not a math expression, which "
                f"GetMetricData cannot read by the hour, got {shown(metric)}: publish its value "
                f"as a metric, and compare that"
            )


def evidence_elsewhere(evidence: object, scope: Construct) -> Iterator[str]:
    """Alarms and metrics of another account or region, which the function cannot read.

    DescribeAlarms has no account and no region, and GetMetricData no region; it reads another
    account only from a monitoring account. See
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    if not isinstance(evidence, Evidence):
        return
    own = Stack.of(scope)
    here = {"account": known_text(own.account), "region": known_text(own.region)}
    sources: list[tuple[str, str, Mapping[str, object]]] = [
        (f"alarms[{index}]", "alarm", _environment_of_alarm(alarm))
        for index, alarm in enumerate(_sequence(evidence.alarms))
        if is_jsii_object(alarm) and hasattr(alarm, "alarm_arn")
    ]
    for index, comparison in enumerate(_sequence(evidence.comparisons)):
        pair = pair_of(comparison) if isinstance(comparison, Comparison) else None
        for name, metric in zip(("production", "shadow"), pair or (), strict=False):
            if (stat := stat_of(metric)) is not None:
                of_metric = {"account": stat.account, "region": stat.region}
                sources.append((f"comparisons[{index}].{name}", "metric", of_metric))
    for label, kind, there in sources:
        yield from _elsewhere(f"promote_if.{label}", kind, here, there)


def _elsewhere(
    label: str, kind: str, here: Mapping[str, str | None], there: Mapping[str, object]
) -> Iterator[str]:
    """Why an alarm or a metric is, or may be, out of the function's reach."""
    not_known = []
    for which, value in here.items():
        other = known_text(there[which])
        if other is None or other == value:
            continue
        if value is None:
            not_known.append(f"{which} '{other}'")
            continue
        remedy = (
            f"create the alarm in that {which}"
            if kind == "alarm"
            else f"publish it in that {which}"
        )
        yield (
            f"'{label}' must be in the construct's own {which} '{value}', got "
            f"one in '{other}', where the function cannot read it: {remedy}"
        )
    if not_known:
        remedy = (
            "name it with Alarm.from_alarm_name(...)"
            if kind == "alarm"
            else "leave it out of the metric, which then is one of the stack's own"
        )
        yield (
            f"'{label}' is in {' and '.join(not_known)}, where the function can read it only if "
            f"the stack is there, which is not known at synth: give the stack an 'env', or {remedy}"
        )


def _environment_of_alarm(alarm: Any) -> Mapping[str, object]:  # noqa: ANN401 - IAlarm, untyped
    """The account and the region of an alarm: from its ARN if that is known."""
    # The name may have colons, too.
    parts = alarm.alarm_arn.split(":", _PARTS_OF_ALARM_ARN - 1)
    if len(parts) == _PARTS_OF_ALARM_ARN:
        return {"region": parts[3], "account": parts[4]}
    return {"region": alarm.env.region, "account": alarm.env.account}


_PARTS_OF_ALARM_ARN = 7
"""``arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME``; a token is one part."""


def _not_a_duration(label: str, value: object) -> Iterator[str]:
    if value is not None and not isinstance(value, Duration):
        yield f"'{label}' must be a Duration such as Duration.millis(5), got {shown(value)}"
    elif isinstance(value, Duration) and value.is_unresolved():
        yield f"'{label}' must be known at synth, got a token"


def _instances_of(outcome: object, variants: object) -> Iterator[tuple[str, object]]:
    """The instance types that the props name, each with the prop that holds it."""
    instances = outcome.instances if isinstance(outcome, Outcome) else None
    named = isinstance(instances, Instances) and instances.instance_type
    if named and instances not in (Instances.production(), Instances.shadow()):
        yield "outcome.instances", named
    for index, variant in enumerate(_sequence(variants)):
        if isinstance(variant, ModelVariantConfig):
            yield f"desired_model_variants[{index}]", variant.instance_type


def _unknown_instance_type(label: str, instance_type: object) -> Iterator[str]:
    name = known_text(instance_type)
    if name is None or name in INSTANCE_TYPES or not re.fullmatch(INSTANCE_TYPE.pattern, name):
        return
    close = get_close_matches(name, sorted(INSTANCE_TYPES), n=3)
    similar = f"did you mean {' or '.join(repr(match) for match in close)}? " if close else ""
    yield (
        f"'{label}.instance_type' must be an instance type that SageMaker endpoints know, got "
        f"'{name}': {similar}For a type newer than this release, write InstanceType.of('{name}')"
    )
