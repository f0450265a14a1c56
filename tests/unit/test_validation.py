"""What the function says of a declaration that breaks a rule, in the API's words.

tests/template/test_validation.py has both sides of each limit, in the words of the construct.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.lifecycle import PROMOTE, properties, variant

from cdk_stop_inference_experiment_handler.contract.validation import problems

LATENCY = {"Metric": "ModelLatency", "MaxRatio": 1.1}


def promoting(*comparisons: object, **members: object) -> dict[str, Any]:
    promote_if = {"MinInvocations": 10, "Comparisons": list(comparisons), **members}
    return {"ModelVariantActions": PROMOTE, "PromoteIf": promote_if}


def deploying(name: object = "production", **members: object) -> dict[str, Any]:
    return {"DesiredModelVariants": [{**variant("production", 1), "VariantName": name, **members}]}


def on(kind: str = "RealTimeInference", **instances: object) -> dict[str, Any]:
    real_time = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, **instances}
    made = {"InfrastructureType": kind, "RealTimeInferenceConfig": real_time}
    return deploying(InfrastructureConfig=made)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (
            {"ModelVariantActions": {"a b": "retain"}},
            [
                (
                    "'ModelVariantActions: variant name' must be letters, digits and inner "
                    "hyphens, got 'a b'"
                ),
                (
                    "'ModelVariantActions[a b]' must be 'Retain', 'Remove' or 'Promote', got "
                    "'retain': did you mean 'Retain'?"
                ),
            ],
        ),
        (
            deploying(7),
            ["'DesiredModelVariants[0].VariantName' must be a string, got 7"],
        ),
        (
            deploying("shadow"),
            [
                (
                    "'DesiredModelVariants' names variant 'shadow', which 'ModelVariantActions' "
                    "removes: list only the variants that stay deployed"
                )
            ],
        ),
        (
            deploying("canary"),
            [
                (
                    "'DesiredModelVariants' names variant 'canary', which has no action in "
                    "'ModelVariantActions'"
                )
            ],
        ),
        (
            deploying(ModelName=""),
            [
                (
                    "'DesiredModelVariants[0].ModelName' must be at least 1 character, got an "
                    "empty string"
                )
            ],
        ),
        (
            on("Serverless"),
            [
                (
                    "'DesiredModelVariants[0].InfrastructureType' must be 'RealTimeInference', got "
                    "'Serverless'"
                )
            ],
        ),
        (
            on(InstanceType="m5.xlarge", InstanceCount=-1),
            [
                (
                    "'DesiredModelVariants[0].InstanceType' must be a SageMaker instance type "
                    "such as 'ml.m5.xlarge', got 'm5.xlarge': did you mean 'ml.m5.xlarge'?"
                ),
                "'DesiredModelVariants[0].InstanceCount' must be at least 0, got -1",
            ],
        ),
        (
            promoting(Alarms=[""]),
            ["'PromoteIf.Alarms[0]' must be at least 1 character, got an empty string"],
        ),
        (
            promoting({**LATENCY, "FailureLimit": 1}),
            ["'PromoteIf.Comparisons[0].FailureLimit' is for percentiles: leave it out"],
        ),
        (
            promoting({**LATENCY, "Statistic": "p99"}, Window=1800),
            [
                "'PromoteIf.Comparisons[0]' needs a 'Window' of at least 3600 seconds, got 1800",
            ],
        ),
        (promoting({**LATENCY, "Statistic": "p99"}), []),
        (
            {"Name": "arn:aws:sagemaker:eu-west-1:1:inference-experiment/fraud"},
            [
                (
                    "'Name' must be letters, digits and inner hyphens, got 'arn:aws:sagemaker:"
                    "eu-west-1:1:inference-experiment/fraud': use the part after the last slash, "
                    "'fraud'"
                )
            ],
        ),
        (
            {"Name": "ml.m5.xlarge"},
            ["'Name' must be letters, digits and inner hyphens, got 'ml.m5.xlarge'"],
        ),
        (
            {"StopOn": "u" * 78},
            [
                (
                    "'StopOn' must list at least one of 'Create', 'Update' or 'Delete', got "
                    f"'{'u' * 78}'"
                )
            ],
        ),
        (
            {"StopOn": "u" * 79},
            [
                (
                    "'StopOn' must list at least one of 'Create', 'Update' or 'Delete', got "
                    f"'{'u' * 76}..."
                )
            ],
        ),
    ],
)
def test_a_problem_names_the_member_the_value_and_the_rule(
    declared: dict[str, Any], said: list[str]
) -> None:
    assert problems(properties(**declared)) == said


def test_what_is_not_known_yet_passes_and_hides_nothing_else() -> None:
    def is_unresolved(value: object) -> bool:
        return isinstance(value, str) and value.startswith("${")

    def found(**declared: Any) -> list[str]:
        return problems(properties(**declared), is_unresolved=is_unresolved)

    assert found(**deploying("${Token}")) == []
    assert found(ModelVariantActions={"${Token}": "Promote"}, **deploying("canary")) == []
    assert found(DesiredState="${Token}", StopOn=["${Token}"], EndNow="${Token}") == []
    assert len(found(DesiredState="${Token}", StopOn=["Never"])) == 1
