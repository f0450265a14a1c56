"""Props of any type: only the documented errors, each with a sentence, and no half-made construct.

``make fuzz`` tries many more of them.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_stop_inference_experiment import (
    Comparison,
    DesiredState,
    Evidence,
    Instances,
    InstanceType,
    InvalidPropsError,
    ModelVariantAction,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
    StopOn,
)

from .stacks import EVIDENCE, PROMOTE_SHADOW, SHADOW, shadow_test

pytest.importorskip("hypothesis", reason="the oldest environment does not have it")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))

Made = Callable[[Any], Any]
"""Makes a value in a construct of the stack."""


class _Class:
    """An object of a class that nobody foresaw."""

    vpc_id = role_arn = log_group_arn = key_arn = queue_arn = security_group_id = alarm_arn = "x"


@jsii.implements(cdk.IStableAnyProducer)
class _Nothing:
    def produce(self) -> None:
        return None


def _said(value: object) -> Made:
    """A value that needs no stack."""
    return lambda _stack: value


def _token(_stack: Construct) -> str:
    return cdk.Fn.import_value("Token")


def _vpc(stack: Construct) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-west-1a"],
        private_subnet_ids=["subnet-0123456789abcdef0"],
        private_subnet_route_table_ids=["rtb-0123456789abcdef0"],
    )


NUMBERS = st.one_of(
    st.integers(-3, 20_000),
    st.floats(),
    st.sampled_from([2**63, 1e308, float("nan"), float("inf"), -float("inf")]),
    # More digits than Python prints.
    st.integers(4_400, 5_000).map(lambda digits: 10**digits),
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    st.text(max_size=8),
    st.sampled_from(["true", "PromoteShadow", "Delete", "ml.m5.xlarge", "production", "x" * 2000]),
    st.binary(max_size=3),
    st.sampled_from([*StopOn, *ModelVariantAction, *DesiredState]),
    st.sampled_from([Outcome, Outcome.keep_production, Instances.shadow, Evidence, _Class, object]),
    st.builds(_Class),
    st.just(Path("x")),
)


def _members(cls: type, anything: Any) -> Any:
    """An object of a class of the library, with members of any type."""
    required = [
        name
        for name, one in inspect.signature(cls).parameters.items()
        if one.default is inspect.Parameter.empty
    ]
    optional = [name for name in inspect.signature(cls).parameters if name not in required]
    return st.fixed_dictionaries(
        dict.fromkeys(required, anything), optional=dict.fromkeys(optional, anything)
    ).map(lambda members: cls(**members))


def _containers(inner: Any) -> Any:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=4), NUMBERS, st.none()), inner, max_size=3),
        *(
            _members(cls, inner)
            for cls in (Outcome, Instances, InstanceType, ModelVariantConfig, Comparison, Evidence)
        ),
    )


ANYTHING = st.recursive(PLAIN, _containers, max_leaves=6).map(_said)
OF_CDK = st.sampled_from(
    [
        _token,
        _vpc,
        lambda stack: cdk.Lazy.any(_Nothing()),
        lambda stack: cdk.Duration.seconds(0.5),
        lambda stack: cdk.Duration.days(1_000_000),
        lambda stack: cdk.Duration.minutes(30),
        lambda stack: iam.Role(stack, "User", assumed_by=iam.AccountRootPrincipal()),
        lambda stack: kms.Key(stack, "Key"),
        lambda stack: sqs.Queue(stack, "Queue"),
        lambda stack: logs.LogGroup(stack, "Logs"),
        lambda stack: logs.RetentionDays.ONE_DAY,
        lambda stack: lambda_.Runtime.FROM_IMAGE,
        lambda stack: cdk.RemovalPolicy.SNAPSHOT,
        shadow_test,
        lambda stack: StopInferenceExperimentProvider(stack, "Other"),
        lambda stack: cloudwatch.Alarm.from_alarm_name(stack, "Alarm", "alarm"),
        lambda stack: ec2.SubnetSelection(subnet_group_name="x", one_per_az=True),
        lambda stack: [ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    ]
)
"""What is something, but perhaps not what the prop takes."""


VALID: dict[str, Made] = {
    "experiment_name": _said("fraud-shadow"),
    "outcome": _said(Outcome.promote_shadow()),
    "model_variant_actions": _said(PROMOTE_SHADOW),
    "desired_model_variants": _said([SHADOW]),
    "promote_if": _said(EVIDENCE),
}


def _props(cls: Any) -> dict[str, Any]:
    """A strategy for each prop of a construct."""
    names = [
        name
        for name in inspect.signature(cls.__init__).parameters
        if name not in ("self", "scope", "construct_id")
    ]
    return {
        name: st.one_of(ANYTHING, OF_CDK, *([st.just(VALID[name])] if name in VALID else []))
        for name in names
    }


def _tried(cls: Callable[..., Construct], props: dict[str, Made]) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    values = {name: made(Construct(stack, f"For{name}")) for name, made in props.items()}
    before = {child.node.id for child in stack.node.children}
    refused: InvalidPropsError | None = None
    try:
        cls(stack, "Tried", **values)
    except InvalidPropsError as error:
        refused = error
    except Exception as error:
        # CDK checks the types of a provider's props; by then there is a part of the construct.
        if cls is StopInferenceExperimentProvider and _is_raised_by_cdk(error):
            return
        raise
    if refused is None:
        app.synth()
        return
    assert refused.problems
    assert all(problem.isprintable() for problem in refused.problems)
    assert {child.node.id for child in stack.node.children} == before


def _is_raised_by_cdk(error: Exception) -> bool:
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    return bool({"aws_cdk", "jsii", "typeguard"} & set(Path(raised_in).parts))


SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@SETTINGS
@given(st.fixed_dictionaries({}, optional=_props(StopInferenceExperiment)))
def test_any_props_of_an_experiment_are_taken_or_refused_in_words(props: dict[str, Made]) -> None:
    _tried(StopInferenceExperiment, props)


SOUND = {name: VALID[name] for name in ("experiment_name", "outcome")}
ONE_WRONG = st.sampled_from(sorted(_props(StopInferenceExperiment))).flatmap(
    lambda name: st.fixed_dictionaries({name: _props(StopInferenceExperiment)[name]})
)


@SETTINGS
@given(ONE_WRONG)
def test_any_prop_beside_sound_ones_is_taken_or_refused_in_words(props: dict[str, Made]) -> None:
    sound = {**SOUND}
    if "model_variant_actions" in props:
        del sound["outcome"]
    if "experiment" in props:
        del sound["experiment_name"]
    _tried(StopInferenceExperiment, {**sound, **props})


@SETTINGS
@given(st.fixed_dictionaries({}, optional=_props(StopInferenceExperimentProvider)))
def test_any_props_of_a_provider_are_taken_or_refused_in_words(props: dict[str, Made]) -> None:
    _tried(StopInferenceExperimentProvider, props)
