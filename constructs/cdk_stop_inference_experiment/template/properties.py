"""From the construct's props to the properties of the CloudFormation resource.

A prop of a wrong type is passed on unchanged; the checks report it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import aws_cdk
from aws_cdk import Duration

from cdk_stop_inference_experiment_handler.contract.declaration import (
    DEFAULT_STOP_ON,
    InstancesOf,
    OutcomeKind,
    StopOn,
)
from cdk_stop_inference_experiment_handler.contract.limits import INFRASTRUCTURE_TYPE

from ..evidence import Comparison, Evidence
from ..model_variant import InstanceType, ModelVariantConfig
from ..outcome import Instances, Outcome
from ..tokens import is_jsii_object

PROP_NAMES: Mapping[str, str] = {
    "Name": "experiment_name",
    "Instances": "outcome.instances",
    "Outcome": "outcome",
    "ModelVariantActions": "model_variant_actions",
    "DesiredModelVariants": "desired_model_variants",
    "ModelName": "model_name",
    "VariantName": "variant_name",
    "InstanceType": "instance_type",
    "InstanceCount": "instance_count",
    "DesiredState": "desired_state",
    "Reason": "reason",
    "StopOn": "stop_on",
    "EndNow": "end_now",
    "PromoteIf": "promote_if",
    "MinInvocations": "min_invocations",
    "Window": "window",
    "Confidence": "confidence",
    "MinHours": "min_hours",
    "Comparisons": "comparisons",
    "Alarms": "alarms",
    "Metric": "metric",
    "Statistic": "statistic",
    "MaxRatio": "max_ratio",
    "MaxIncrease": "max_increase",
    "MaxValue": "max_value",
    "MaxRate": "max_rate",
    "AtLeast": "at_least",
    "ProductionMetric": "production",
    "ShadowMetric": "shadow",
    "Namespace": "namespace",
    "MetricName": "metric_name",
    "Dimensions": "dimensions",
    "FailureLimit": "failure_limit",
    "DryRun": "dry_run",
    "Otherwise": "otherwise",
}
"""The prop for each property of the resource."""


def resource_properties(
    *,
    name: object,
    outcome: object,
    model_variant_actions: object,
    desired_model_variants: object,
    desired_state: object,
    reason: object,
    stop_on: object,
    end_now: object,
    promote_if: object,
    otherwise: object,
) -> dict[str, object]:
    """The properties of ``Custom::StopInferenceExperiment``, without defaults."""
    properties = {
        "Name": name,
        "Outcome": outcome.kind if isinstance(outcome, Outcome) else outcome,
        "Instances": _instances(outcome),
        "ModelVariantActions": _actions(model_variant_actions),
        "DesiredModelVariants": _variants(desired_model_variants),
        "DesiredState": _plain(desired_state),
        "Reason": None if reason == "" else reason,
        "StopOn": _stop_on(stop_on),
        "EndNow": _end_now(end_now),
        "PromoteIf": _promote_if(promote_if),
        "Otherwise": otherwise.kind if isinstance(otherwise, Outcome) else otherwise,
    }
    return {name: value for name, value in properties.items() if value is not None}


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _end_now(end_now: object) -> object:
    """The flag as text, false included: ``cdk diff`` prints no values of JSON booleans."""
    return str(end_now).lower() if isinstance(end_now, bool) else end_now


def _promote_if(evidence: object) -> object:
    if not isinstance(evidence, Evidence):
        return evidence
    members = {
        "MinInvocations": evidence.min_invocations,
        "Window": _in_units(evidence.window, per_millisecond=0.001),
        "Comparisons": _listed(evidence.comparisons, _comparison),
        "Alarms": _listed(evidence.alarms, lambda alarm: getattr(alarm, "alarm_name", alarm)),
        "Confidence": evidence.confidence,
        "MinHours": evidence.min_hours,
    }
    return {name: value for name, value in members.items() if value not in (None, [])}


def _comparison(comparison: object) -> object:
    if not isinstance(comparison, Comparison):
        return comparison
    pair = pair_of(comparison)
    members: dict[str, object] = {
        "Metric": None if pair else comparison.metric,
        "ProductionMetric": metric_property(pair[0]) if pair else None,
        "ShadowMetric": metric_property(pair[1]) if pair else None,
        "Statistic": comparison.statistic,
        "MaxRatio": comparison.max_ratio,
        "MaxIncrease": _in_units(comparison.max_increase, per_millisecond=1000),
        "MaxValue": _in_units(comparison.max_value, per_millisecond=1000),
        "MaxRate": comparison.max_rate,
        "AtLeast": comparison.at_least,
        "FailureLimit": comparison.failure_limit,
        "DryRun": comparison.dry_run or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def pair_of(comparison: Comparison) -> tuple[object, object] | None:
    """The metrics of production and of the shadow of a comparison of any two metrics."""
    metric: object = comparison.metric
    return metric if isinstance(metric, tuple) and len(metric) == 2 else None


def stat_of(metric: object) -> aws_cdk.aws_cloudwatch.MetricStatConfig | None:
    """The metric in CloudWatch; None for a math expression and for anything else."""
    if not (is_jsii_object(metric) and hasattr(metric, "to_metric_config")):
        return None
    stat: aws_cdk.aws_cloudwatch.MetricStatConfig | None = metric.to_metric_config().metric_stat
    return stat


def metric_property(metric: object) -> object:
    """A metric as ``ProductionMetric`` and ``ShadowMetric`` have it."""
    stat = stat_of(metric)
    if stat is None:
        return metric
    dimensions = [{"Name": pair.name, "Value": pair.value} for pair in stat.dimensions or []]
    return {
        "Namespace": stat.namespace,
        "MetricName": stat.metric_name,
        **({"Dimensions": dimensions} if dimensions else {}),
        "Statistic": stat.statistic,
    }


def _listed(values: object, convert: Callable[[object], object]) -> object:
    if isinstance(values, str) or not isinstance(values, Sequence):
        return values
    return [convert(value) for value in values]


def _in_units(value: object, *, per_millisecond: float) -> object:
    """A duration as a number, whole where it is; CloudWatch's latencies are microseconds."""
    if not isinstance(value, Duration) or value.is_unresolved():
        return value
    number = value.to_milliseconds(integral=False) * per_millisecond
    return round(number) if abs(number - round(number)) < 1e-6 else number


def _instances(outcome: object) -> object:
    """The property ``Instances``; None if it is left out, or if nothing is promoted.

    Production's are the default, but not left out if they were named: with evidence, they must be
    named if production has another instance type than the shadow.
    """
    instances = outcome.instances if isinstance(outcome, Outcome) else None
    if instances == Instances.production():
        promotes = isinstance(outcome, Outcome) and outcome.kind == OutcomeKind.PROMOTE_SHADOW
        return InstancesOf.PRODUCTION.value if promotes else None
    if instances == Instances.shadow():
        return InstancesOf.SHADOW.value
    return _real_time(instances) if isinstance(instances, Instances) else instances


def _real_time(declared: Instances | ModelVariantConfig) -> dict[str, object]:
    instance_type = declared.instance_type
    return {
        "InstanceType": (
            instance_type.name if isinstance(instance_type, InstanceType) else instance_type
        ),
        "InstanceCount": declared.instance_count,
    }


def _actions(actions: object) -> object:
    if not isinstance(actions, Mapping):
        return actions
    return {variant: _plain(action) for variant, action in actions.items()}


def _variants(variants: object) -> object:
    if not isinstance(variants, Sequence) or isinstance(variants, str):
        return variants
    return [_variant(variant) for variant in variants]


def _variant(variant: object) -> object:
    if not isinstance(variant, ModelVariantConfig):
        return variant
    return {
        "ModelName": variant.model_name,
        "VariantName": variant.variant_name,
        "InfrastructureConfig": {
            "InfrastructureType": INFRASTRUCTURE_TYPE,
            "RealTimeInferenceConfig": _real_time(variant),
        },
    }


def _stop_on(stop_on: object) -> object:
    """The events in a fixed order, each once; None if they are the default."""
    if isinstance(stop_on, str) or not isinstance(stop_on, (Sequence, set, frozenset)):
        return stop_on
    values = [_plain(event) for event in stop_on]
    if not all(value in tuple(StopOn) for value in values):
        return values
    ordered = [event.value for event in StopOn if event in values]
    return None if ordered == list(DEFAULT_STOP_ON) else ordered
