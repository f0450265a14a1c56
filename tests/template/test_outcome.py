"""An outcome in the template: its properties, and the permissions for it."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest

from cdk_stop_inference_experiment import (
    DesiredState,
    Instances,
    InstanceType,
    InvalidPropsError,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperimentProvider,
)
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse
from loopback.delivery import as_delivered

from .stacks import (
    KEEP_PRODUCTION,
    PROMOTE_SHADOW,
    RESOURCE_TYPE,
    SHADOW,
    Json,
    declare,
    new_stack,
    only,
    resources,
    shadow_test,
    synthesised,
    warnings_of,
)

GIVEN = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}
CHOICES: list[tuple[Outcome, Json]] = [
    (Outcome.promote_shadow(), {"Outcome": "PromoteShadow"}),
    (
        Outcome.promote_shadow(Instances.production()),
        {"Outcome": "PromoteShadow", "Instances": "Production"},
    ),
    (
        Outcome.promote_shadow(instances=Instances.shadow()),
        {"Outcome": "PromoteShadow", "Instances": "Shadow"},
    ),
    (
        Outcome.promote_shadow(Instances(instance_type="ml.m5.xlarge", instance_count=2)),
        {"Outcome": "PromoteShadow", "Instances": GIVEN},
    ),
    (
        Outcome.promote_shadow(Instances(InstanceType.of("ml.m5.xlarge"), 2)),
        {"Outcome": "PromoteShadow", "Instances": GIVEN},
    ),
    (Outcome.keep_production(), {"Outcome": "KeepProduction"}),
    (Outcome.keep_both(), {"Outcome": "KeepBoth"}),
]


def _properties(stack: cdk.Stack) -> Json:
    _, resource = only(synthesised(stack), RESOURCE_TYPE)
    properties = dict(resource["Properties"])
    del properties["ServiceToken"]
    return properties


@pytest.mark.parametrize(("outcome", "expected"), CHOICES)
def test_the_properties_are_few_words_that_the_handler_reads(
    outcome: Outcome, expected: Json
) -> None:
    stack = new_stack()
    declare(stack, outcome=outcome)
    properties = _properties(stack)
    assert properties == {"Name": "fraud-shadow", "EndNow": "false", **expected}
    declared = parse(as_delivered(properties))
    assert isinstance(declared, Declaration), declared
    assert declared.end.promotes is (expected["Outcome"] == "PromoteShadow")


def _endpoints(stack: cdk.Stack) -> list[str]:
    """The endpoints that the function may describe."""
    (policy,) = resources(synthesised(stack), "AWS::IAM::Policy").values()
    found: list[str] = []
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        if statement["Action"] == "sagemaker:DescribeEndpoint":
            arns = statement["Resource"]
            arns = arns if isinstance(arns, list) else [arns]
            found += [
                "".join(map(str, arn["Fn::Join"][1])).partition(":endpoint/")[2] for arn in arns
            ]
    return found


@pytest.mark.parametrize(
    ("props", "is_used"),
    [
        ({"outcome": Outcome.promote_shadow()}, True),
        ({"outcome": Outcome.promote_shadow(Instances("ml.m5.xlarge", 2))}, True),
        ({"outcome": Outcome.promote_shadow(Instances.shadow())}, False),
        ({"outcome": Outcome.keep_production()}, False),
        ({"outcome": Outcome.keep_both()}, False),
        ({"model_variant_actions": KEEP_PRODUCTION}, False),
        ({"model_variant_actions": PROMOTE_SHADOW}, False),
        ({"model_variant_actions": PROMOTE_SHADOW, "desired_model_variants": [SHADOW]}, True),
        (
            {
                "model_variant_actions": KEEP_PRODUCTION,
                "desired_model_variants": [
                    ModelVariantConfig(
                        model_name="fraud-v1",
                        variant_name="production",
                        instance_type="ml.m5.xlarge",
                        instance_count=2,
                    )
                ],
            },
            False,
        ),
    ],
)
def test_the_endpoint_may_be_described_only_where_a_promotion_needs_it(
    props: dict[str, Any], is_used: bool
) -> None:
    stack = new_stack()
    declare(stack, **props)
    assert _endpoints(stack) == (["*"] if is_used else [])


def test_a_known_endpoint_is_named_in_both_spellings() -> None:
    stack = new_stack()
    experiment = shadow_test(stack, endpoint_name="Fraud")
    declare(stack, experiment=experiment, outcome=Outcome.promote_shadow())
    assert _endpoints(stack) == ["Fraud", "fraud"]


def test_an_endpoint_of_a_token_is_not_known() -> None:
    stack = new_stack()
    token = cdk.CfnParameter(stack, "Endpoint").value_as_string
    experiment = shadow_test(stack, endpoint_name=token)
    declare(stack, experiment=experiment, outcome=Outcome.promote_shadow())
    assert _endpoints(stack) == ["*"]


def test_promotions_use_up_a_providers_permissions_earlier() -> None:
    stack = new_stack()
    names = [f"experiment-{number:02}" for number in range(40)]
    with pytest.raises(InvalidPropsError, match="experiments with 10240 characters") as refused:
        [
            declare(stack, name, experiment_name=name, outcome=Outcome.promote_shadow())
            for name in names
        ]
    assert refused.value.construct_path == "Stack/experiment-27"
    provider = StopInferenceExperimentProvider(stack, "Provider2")
    declare(stack, "Next", provider=provider, outcome=Outcome.promote_shadow())


def test_a_promotion_of_a_test_that_is_called_off_is_warned_of() -> None:
    stack = new_stack()
    declare(stack, outcome=Outcome.promote_shadow(), desired_state=DesiredState.CANCELLED)
    (warning,) = warnings_of(stack)
    assert "'desired_state' 'Cancelled' with 'Promote'" in warning


def test_instances_of_tokens_are_warned_of() -> None:
    stack = new_stack()
    count = cdk.CfnParameter(stack, "Count", type="Number").value_as_number
    declare(stack, outcome=Outcome.promote_shadow(Instances("ml.m5.xlarge", count)))
    (warning,) = warnings_of(stack)
    assert warning.startswith("'outcome.instances.instance_count'")
