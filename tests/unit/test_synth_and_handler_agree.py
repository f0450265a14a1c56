"""Synth and the handler accept and refuse the same declarations, and botocore accepts them.

Declarations are random, around each limit. They are processed like real ones: from props to
properties of the resource, and through CloudFormation, which delivers every scalar as a string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from aws_cdk import Duration
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cdk_stop_inference_experiment import (
    Comparison,
    Evidence,
    Instances,
    ModelVariantAction,
    ModelVariantConfig,
    Outcome,
    checks,
)
from cdk_stop_inference_experiment.enums import DesiredState, StopOn
from cdk_stop_inference_experiment.instance_types import INSTANCE_TYPES
from cdk_stop_inference_experiment.template.properties import PROP_NAMES, resource_properties
from cdk_stop_inference_experiment_handler.contract.declaration import (
    Declaration,
    Problems,
    parse,
)
from cdk_stop_inference_experiment_handler.contract.declaration import (
    Outcome as DeclaredOutcome,
)
from cdk_stop_inference_experiment_handler.contract.limits import (
    METRICS,
    MODEL_LATENCY,
    STATISTICS,
)
from loopback.delivery import as_delivered

Props = dict[str, Any]

RUNS = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
DURATIONS = [
    Duration.seconds(seconds) for seconds in (0, 1, 299, 300, 3599, 3600, 2_592_000, 2_592_001)
]
ALPHABET = "aB9-_. \n"


def _names(longest: int, *, sound: bool) -> st.SearchStrategy[str]:
    """Names on both sides of their limit, that match their pattern or not."""
    good = st.from_regex(r"\A[a-z0-9](-{0,2}[a-z0-9]){0,8}\Z")
    edge = st.integers(longest - 1, longest + (not sound)).map(lambda length: "x" * length)
    return st.one_of(good, edge) if sound else st.one_of(good, edge, st.text(ALPHABET, max_size=4))


def _declarations(*, sound: bool) -> st.SearchStrategy[Props]:
    """Props of the right types; sound ones avoid the obvious mistakes."""
    variants = ["production", "shadow"]
    name = _names(63, sound=sound)
    keys = st.sampled_from(variants) if sound else st.one_of(st.sampled_from(variants), name)
    configs = st.builds(
        ModelVariantConfig,
        model_name=name,
        variant_name=keys,
        instance_type=st.sampled_from(sorted(INSTANCE_TYPES)),
        instance_count=st.integers(-(not sound), 10**6),
    )
    actions = st.dictionaries(
        keys, st.sampled_from(ModelVariantAction), min_size=int(sound), max_size=3
    )
    variants_to_deploy = st.none() | st.lists(
        configs, min_size=int(sound), max_size=2 if sound else 3
    )
    by_name = {
        "outcome": st.none() if sound else st.none() | _outcomes(),
        "model_variant_actions": actions if sound else st.none() | actions,
        "desired_model_variants": variants_to_deploy,
    }
    by_outcome = {
        "outcome": _outcomes(),
        "model_variant_actions": st.none(),
        "desired_model_variants": st.none(),
    }
    return st.one_of(
        *(_with_the_rest(way, sound=sound) for way in (by_name, by_outcome)),
    )


def _outcomes() -> st.SearchStrategy[Outcome]:
    given = st.builds(
        Instances,
        instance_type=st.sampled_from(sorted(INSTANCE_TYPES)),
        instance_count=st.integers(0, 2),
    )
    whose = st.sampled_from([None, Instances.production(), Instances.shadow()])
    return st.builds(
        Outcome,
        kind=st.sampled_from(["PromoteShadow", "KeepProduction", "KeepBoth", "promote"]),
        instances=st.one_of(whose, given),
    )


def _with_the_rest(
    way: dict[str, st.SearchStrategy[Any]], *, sound: bool
) -> st.SearchStrategy[Props]:
    return st.fixed_dictionaries(
        {
            "name": _names(120, sound=sound),
            **way,
            "desired_state": st.none() | st.sampled_from(DesiredState),
            "reason": st.one_of(
                st.none(),
                st.text(st.characters(codec="utf-8"), max_size=20),
                st.integers(1023, 1025).map(lambda length: "r" * length),
            ),
            "stop_on": st.none() | st.lists(st.sampled_from(StopOn), max_size=4),
            "end_now": st.booleans(),
            "promote_if": st.none() if sound else st.none() | _evidence(),
            "otherwise": st.none() if sound else st.none() | _outcomes(),
        }
    )


def _evidence() -> st.SearchStrategy[Evidence]:
    """Bounds, numbers and lists on both sides of their limits."""
    bound = st.none() | st.sampled_from([-1, 0, 1e-6, 0.001, 1, 1.1])
    whole = st.none() | st.sampled_from([-1, 0, 1, 3599, 3600, 10**9])
    comparisons = st.builds(
        Comparison,
        metric=st.sampled_from([*METRICS, "Latency"]),
        statistic=st.none() | st.sampled_from([*STATISTICS, "p75"]),
        max_ratio=bound,
        max_increase=st.none() | st.just(0.001),
        max_value=st.none() | st.sampled_from(DURATIONS),
        max_rate=bound,
        at_least=bound,
        failure_limit=whole,
        dry_run=st.booleans(),
    ).filter(lambda one: one.metric != MODEL_LATENCY or one.max_increase is None)
    return st.builds(
        Evidence,
        min_invocations=whole,
        comparisons=st.lists(comparisons, max_size=11),
        window=st.none() | st.sampled_from(DURATIONS),
        confidence=st.none() | st.sampled_from([0.79, 0.8, 0.95, 0.999, 1]),
        min_hours=st.none() | st.sampled_from([23, 24, 48, 720, 721]),
    )


@pytest.fixture(autouse=True)
def _no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """No value is a token: asking jsii about each of them would take minutes."""
    monkeypatch.setattr(checks, "is_unresolved", lambda _value: False)
    monkeypatch.setattr(
        checks, "known_text", lambda value: value if isinstance(value, str) else None
    )


def _refused_at_synth(props: Props) -> tuple[Mapping[str, object], list[str]]:
    properties = resource_properties(**props)
    refused = checks.find_problems(
        properties,
        experiment_name=props["name"],
        experiment=None,
        outcome=props["outcome"],
        desired_model_variants=props["desired_model_variants"],
        promote_if=props["promote_if"],
    )
    return properties, refused


def _refused_by_the_handler(properties: Mapping[str, object]) -> list[str]:
    parsed = parse(as_delivered(properties))
    return list(parsed.messages) if isinstance(parsed, Problems) else []


def _in_the_apis_names(problem: str) -> str:
    for member, prop in PROP_NAMES.items():
        # "'production'" is a variant, and "comparisons[0].production" is a metric.
        before = r"\." if member in ("ProductionMetric", "ShadowMetric") else "['.]"
        problem = re.sub(rf"(?<={before}){prop}(?=['.\[:])", member, problem)
    return problem


@pytest.fixture(scope="module")
def request_shape() -> Any:
    """The request of StopInferenceExperiment in botocore's model."""
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    return model.operation_model("StopInferenceExperiment").input_shape


@RUNS
@given(props=_declarations(sound=True))
def test_what_passes_synth_is_accepted_by_the_handler_and_by_botocore(
    request_shape: Any, props: Props
) -> None:
    properties, refused = _refused_at_synth(props)
    assume(not refused)
    declared = parse(as_delivered(properties))
    assert isinstance(declared, Declaration), declared
    assert (declared.name, declared.reason) == (properties["Name"], properties.get("Reason"))
    if isinstance(declared.end.how, DeclaredOutcome):
        return  # what it resolves to is not known before an experiment is
    desired = declared.end.how.desired
    request = {
        "Name": declared.name,
        "ModelVariantActions": dict(declared.end.how.actions),
        "DesiredModelVariants": desired and [variant.as_request() for variant in desired],
        "DesiredState": declared.end.desired_state,
        "Reason": declared.reason,
    }
    request = {name: value for name, value in request.items() if value is not None}
    report = ParamValidator().validate(request, request_shape)
    assert not report.has_errors(), report.generate_report()
    own = ("StopOn", "EndNow", "ServiceTimeout")
    sent = {name: value for name, value in properties.items() if name not in own}
    variants = sent.get("DesiredModelVariants")
    if isinstance(variants, list):
        variants.sort(key=lambda variant: str(variant["VariantName"]))
    assert request == sent


@RUNS
@given(props=_declarations(sound=False))
def test_the_handler_refuses_in_the_same_words_what_synth_refuses(props: Props) -> None:
    properties, refused = _refused_at_synth(props)
    assert _refused_by_the_handler(properties) == [_in_the_apis_names(one) for one in refused]
