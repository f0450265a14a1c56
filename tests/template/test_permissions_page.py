"""docs/reference/permissions.md, which users give to those who write boundaries and roles."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs

from cdk_stop_inference_experiment import StopInferenceExperimentProvider

from .stacks import EVIDENCE, PROMOTION, declare, shadow_test, statements, synthesised

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "permissions.md").read_text()


def _alarm(stack: cdk.Stack) -> cloudwatch.Alarm:
    metric = cloudwatch.Metric(namespace="AWS/SageMaker", metric_name="ModelLatency")
    return cloudwatch.Alarm(stack, "Alarm", metric=metric, threshold=1, evaluation_periods=1)


def _composite(stack: cdk.Stack) -> cloudwatch.CompositeAlarm:
    rule = cloudwatch.AlarmRule.from_boolean(value=True)
    return cloudwatch.CompositeAlarm(stack, "Composite", alarm_rule=rule)


def _encrypted_queue(stack: cdk.Stack) -> sqs.Queue:
    return sqs.Queue(stack, "Queue", encryption=sqs.QueueEncryption.KMS)


def _nested() -> cdk.Stack:
    return cdk.NestedStack(cdk.Stack(cdk.App(), "Parent"), "Nested")


def _everything() -> cdk.Stack:
    """A nested stack with every prop that adds a permission."""
    stack = _nested()
    provider = StopInferenceExperimentProvider(
        stack,
        "Provider",
        vpc=ec2.Vpc(stack, "Vpc"),
        environment_encryption=kms.Key(stack, "Key"),
        dead_letter_queue=_encrypted_queue(stack),
    )
    evidence = replace(EVIDENCE, alarms=[_composite(stack)])
    declare(stack, provider=provider, promote_if=evidence, **PROMOTION)
    return stack


def _granted(stack: cdk.Stack) -> dict[str, set[str]]:
    """The resources of each action, as JSON."""
    found: dict[str, set[str]] = defaultdict(set)
    for statement in statements(synthesised(stack)):
        actions, named = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            several = named if isinstance(named, list) else [named]
            found[action] |= {json.dumps(one) for one in several}
    return dict(found)


def _matches_others(resource: str) -> bool:
    """Whether a resource of a statement is one that does not belong to the stack's function."""
    return "*" in resource and "AWS::StackId" not in resource


def _rows() -> dict[str, list[str]]:
    """The further cells of each action's row."""
    rows: dict[str, list[str]] = {}
    for line in re.findall(r"^\| (`.*) \|$", PAGE, re.MULTILINE):
        actions, *cells = (cell.strip() for cell in line.split(" |"))
        for action in re.findall(r"`([a-z0-9]+:\w+)`", actions):
            assert action not in rows, action
            rows[action] = cells
    return rows


def test_the_page_has_every_action_and_no_other() -> None:
    assert set(_rows()) == set(_granted(_everything()))


def test_the_page_says_of_which_actions_resources_of_others_match() -> None:
    matching = {
        action
        for action, resources in _granted(_everything()).items()
        if any(map(_matches_others, resources))
    }
    assert {action for action, (on, *_) in _rows().items() if re.search(r"\ball\b", on)} == matching
    writing = {action for action in matching if not re.search(r":(Describe|Get)", action)}
    assert {action.partition(":")[0] for action in writing} == {"ec2"}


OPTIONS: dict[str, Any] = {
    "a promotion on given instances or on production's": lambda stack: declare(stack, **PROMOTION),
    "`promote_if`": lambda stack: declare(stack, promote_if=EVIDENCE, **PROMOTION),
    "alarms in `promote_if`": lambda stack: declare(
        stack, promote_if=replace(EVIDENCE, alarms=[_alarm(stack)]), **PROMOTION
    ),
    "a key: `environment_encryption`, or that of `dead_letter_queue`": lambda stack: (
        StopInferenceExperimentProvider(
            stack, "Provider", environment_encryption=kms.Key(stack, "Key")
        )
    ),
    "`dead_letter_queue` with a customer managed key": lambda stack: (
        StopInferenceExperimentProvider(
            stack, "Provider", dead_letter_queue=_encrypted_queue(stack)
        )
    ),
    "`dead_letter_queue`": lambda stack: StopInferenceExperimentProvider(
        stack, "Provider", dead_letter_queue=sqs.Queue(stack, "Queue")
    ),
    "`vpc`": lambda stack: StopInferenceExperimentProvider(
        stack, "Provider", vpc=ec2.Vpc(stack, "Vpc", restrict_default_security_group=False)
    ),
}
"""What adds permissions, by the cell that names it."""


@pytest.mark.parametrize("option", OPTIONS)
def test_the_page_says_which_option_adds_an_action(option: str) -> None:
    plain = cdk.Stack(cdk.App(), "Stack")
    declare(plain)
    stack = cdk.Stack(cdk.App(), "Stack")
    OPTIONS[option](stack)
    needed = {action for action, (_, only_with, _) in _rows().items() if only_with == option}
    assert needed
    assert needed <= set(_granted(stack)) - set(_granted(plain))
    assert {only_with for _, only_with, _ in _rows().values() if only_with} == set(OPTIONS)


def test_the_endpoint_and_the_alarms_are_named_where_synth_knows_them() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    evidence = replace(EVIDENCE, alarms=[_alarm(stack)])
    declare(stack, experiment=shadow_test(stack), promote_if=evidence, **PROMOTION)
    granted = _granted(stack)
    assert not any(map(_matches_others, granted["sagemaker:DescribeEndpoint"]))
    assert not any(map(_matches_others, granted["cloudwatch:DescribeAlarms"]))


def test_a_nested_stacks_parents_are_only_read() -> None:
    granted, plain = _granted(_everything()), cdk.Stack(cdk.App(), "Stack")
    declare(plain)
    more = {
        action
        for action, named in granted.items()
        if len(named) > len(_granted(plain).get(action, named))
    }
    assert more == {"cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"}
