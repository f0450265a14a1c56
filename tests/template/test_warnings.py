"""What synth warns of: what AWS does not document is warned of, never refused."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match

from cdk_stop_inference_experiment import DesiredState

from .stacks import KEEP_PRODUCTION, PROMOTE, PROMOTE_SHADOW, RETAIN, SHADOW, declare, new_stack

UNDOCUMENTED: dict[str, tuple[dict[str, Any], str]] = {
    "retain and promote": (
        {
            "model_variant_actions": {"production": RETAIN, "shadow": PROMOTE},
            "desired_model_variants": [SHADOW],
        },
        "'model_variant_actions' with both 'Retain' and 'Promote'",
    ),
    "promote and cancel": (
        {
            "model_variant_actions": PROMOTE_SHADOW,
            "desired_model_variants": [SHADOW],
            "desired_state": DesiredState.CANCELLED,
        },
        "'desired_state' 'Cancelled' with 'Promote'",
    ),
    "promote without desired variants": (
        {"model_variant_actions": PROMOTE_SHADOW},
        "'Promote' without 'desired_model_variants'",
    ),
    "all of them": (
        {
            "model_variant_actions": {"production": RETAIN, "shadow": PROMOTE},
            "desired_state": DesiredState.CANCELLED,
        },
        "'Promote'; nor for 'desired_state' 'Cancelled' with 'Promote'; nor for 'Promote' without",
    ),
}


@pytest.mark.parametrize(("props", "words"), UNDOCUMENTED.values(), ids=UNDOCUMENTED.keys())
def test_warns_once_of_what_aws_does_not_document(props: dict[str, Any], words: str) -> None:
    stack = new_stack()
    declare(stack, **props)
    warnings = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    (text,) = [str(warning.entry.data) for warning in warnings]
    assert words in text


@pytest.mark.parametrize(
    "props",
    [
        {"model_variant_actions": KEEP_PRODUCTION},
        {"model_variant_actions": KEEP_PRODUCTION, "desired_state": DesiredState.CANCELLED},
        {"model_variant_actions": PROMOTE_SHADOW, "desired_model_variants": [SHADOW]},
    ],
)
def test_does_not_warn_of_what_aws_documents(props: dict[str, Any]) -> None:
    stack = new_stack()
    declare(stack, **props)
    assert Annotations.from_stack(stack).find_warning("*", Match.any_value()) == []


def test_the_warning_can_be_acknowledged_by_its_id() -> None:
    stack = new_stack()
    declare(stack, model_variant_actions=PROMOTE_SHADOW)
    cdk.Annotations.of(stack).acknowledge_warning(
        "cdk-stop-inference-experiment:undocumentedCombination", "tried in the test account"
    )
    assert Annotations.from_stack(stack).find_warning("*", Match.any_value()) == []
