"""Both sides of each rule of a declaration, and what the function says in the API's words.

Synth checks with the same code, and names its props: tests/template/test_validation.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.test_declaration import variant

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Problems,
    find_problems,
    parse,
)

PROMOTE = {"production": "Remove", "shadow": "Promote"}
KEEP = {"production": "Retain", "shadow": "Remove"}


def properties(**declared: Any) -> dict[str, Any]:
    return {"Name": "fraud-shadow", "ModelVariantActions": KEEP, **declared}


def problems(declared: object) -> list[str]:
    parsed = parse(declared)
    return list(parsed.messages) if isinstance(parsed, Problems) else []


def deploying(name: object = "production", **members: object) -> dict[str, Any]:
    return {"DesiredModelVariants": [{**variant(1), "VariantName": name, **members}]}


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
            on(InstanceType="m5.xlarge"),
            [
                (
                    "'DesiredModelVariants[0].InstanceType' must be a SageMaker instance type "
                    "such as 'ml.m5.xlarge', got 'm5.xlarge': did you mean 'ml.m5.xlarge'?"
                )
            ],
        ),
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
        return find_problems(properties(**declared), names={}, is_unresolved=is_unresolved)

    assert found(**deploying("${Token}")) == []
    assert found(ModelVariantActions={"${Token}": "Promote"}, **deploying("canary")) == []
    assert found(DesiredState="${Token}", StopOn=["${Token}"], EndNow="${Token}") == []
    assert len(found(DesiredState="${Token}", StopOn=["Never"])) == 1


def test_a_number_is_no_text_at_synth() -> None:
    found = find_problems(
        properties(**on(InstanceCount="2")), names={}, is_unresolved=lambda _value: False
    )
    assert found == ["'DesiredModelVariants[0].InstanceCount' must be a whole number, got '2'"]
    assert problems(properties(**on(InstanceCount="2"))) == []


def test_synth_names_the_props() -> None:
    names = {"DesiredModelVariants": "desired_model_variants", "InstanceCount": "instance_count"}
    found = find_problems(
        properties(**on(InstanceCount=-1)), names=names, is_unresolved=lambda _value: False
    )
    assert found == ["'desired_model_variants[0].instance_count' must be at least 0, got -1"]


OUTCOME = {"Name": "fraud-shadow", "Outcome": "PromoteShadow"}
GIVEN = {"InstanceType": "ml.m5.xlarge", "InstanceCount": "1"}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (
            {"Outcome": None},
            "exactly one of 'Outcome' and 'ModelVariantActions' is required, got neither",
        ),
        (
            {"Outcome": "KeepBoth", "ModelVariantActions": {"a": "Retain"}},
            "exactly one of 'Outcome' and 'ModelVariantActions' is required, got both",
        ),
        (
            {"Outcome": "KeepBoth", "DesiredModelVariants": [variant("2")]},
            (
                "'DesiredModelVariants' must be left out with 'Outcome': to name the instances of "
                "a promoted variant, use 'Instances'"
            ),
        ),
        (
            {"Outcome": "Promote"},
            "'Outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got 'Promote'",
        ),
        (
            {"Outcome": "keepboth"},
            (
                "'Outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got "
                "'keepboth': did you mean 'KeepBoth'?"
            ),
        ),
        (
            {"Outcome": {"kind": "KeepBoth"}},
            (
                "'Outcome' must be 'PromoteShadow', 'KeepProduction' or 'KeepBoth', got "
                "{'kind': 'KeepBoth'}"
            ),
        ),
        (
            {"Outcome": "KeepBoth", "Instances": "Shadow"},
            "'Instances' must be left out unless 'Outcome' is 'PromoteShadow', got 'Shadow'",
        ),
        (
            {"Outcome": None, "ModelVariantActions": {"a": "Retain"}, "Instances": "Shadow"},
            "'Instances' must be left out unless 'Outcome' is 'PromoteShadow', got 'Shadow'",
        ),
        (
            {"Instances": "Canary"},
            (
                "'Instances' must be 'Production' or 'Shadow', or an object of 'InstanceType' and "
                "'InstanceCount', got 'Canary'"
            ),
        ),
        (
            {"Instances": {**GIVEN, "InstanceCount": "0"}},
            "'Instances.InstanceCount' must be at least 1, got 0",
        ),
        (
            {"Instances": {"InstanceCount": "1"}},
            "'Instances.InstanceType' must be a string, got None",
        ),
        (
            {"Instances": {**GIVEN, "Count": "1"}},
            "'Instances' may hold 'InstanceType' or 'InstanceCount', got 'Count'",
        ),
    ],
)
def test_an_outcome_that_breaks_a_rule_is_refused(
    declared: dict[str, object], problem: str
) -> None:
    assert problems({**OUTCOME, **declared}) == [problem]
    assert problems({**OUTCOME, "Instances": GIVEN}) == []


BOTH = {"production": "Retain", "shadow": "Retain"}


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        (
            {"ModelVariantActions": PROMOTE},
            {"ModelVariantActions": dict.fromkeys(PROMOTE, "Promote")},
            "must promote at most one variant, got 2",
        ),
        (
            {"ModelVariantActions": {"shadow": "Remove"}},
            {"ModelVariantActions": dict.fromkeys(PROMOTE, "Remove")},
            "must leave the endpoint a production variant, got 'Remove' for every variant",
        ),
        (
            {"ModelVariantActions": BOTH},
            {"ModelVariantActions": {**BOTH, "canary": "Retain"}},
            "must have at most 2 entries, got 3",
        ),
        (
            {"ModelVariantActions": BOTH},
            {"ModelVariantActions": {}},
            "must name 1 to 2 variants with an action each, got {}",
        ),
        (
            {"ModelVariantActions": BOTH, "DesiredModelVariants": [variant(1, "shadow")]},
            {"ModelVariantActions": BOTH, "DesiredModelVariants": [variant(1, "shadow")] * 2},
            "must name each variant once, got 'shadow' 2 times",
        ),
        (
            {"DesiredModelVariants": None},
            {"DesiredModelVariants": []},
            "must list 1 to 2 variants, or be left out, got []",
        ),
        ({"StopOn": ["Delete"]}, {"StopOn": []}, "must list at least one of"),
        ({"StopOn": ["Delete"]}, {"StopOn": ["delete"]}, "got 'delete': did you mean 'Delete'?"),
        ({"Reason": "r" * 1024}, {"Reason": "r" * 1025}, "at most 1024 characters, got 1025"),
        ({"Reason": "one line"}, {"Reason": "two\nlines"}, "'Reason' must be one line"),
        ({"Reason": "v2 gewinnt — 勝ち"}, {"Reason": ["v2"]}, "'Reason' must be a string"),
        ({"Name": "x" * 120}, {"Name": "x" * 121}, "at most 120 characters, got 121"),
        ({"Name": "x"}, {"Name": ""}, "'Name' must be at least 1 character, got an empty string"),
        ({"Name": "a--b-c"}, {"Name": "fraud\n"}, "letters, digits and inner hyphens, got 'fraud"),
        (
            {"ModelVariantActions": {"v" * 63: "Retain"}},
            {"ModelVariantActions": {"v" * 64: "Retain"}},
            "'ModelVariantActions: variant name' must be at most 63 characters, got 64",
        ),
        (
            deploying(ModelName="m" * 63),
            deploying(ModelName="m" * 64),
            "ModelName' must be at most 63 characters, got 64",
        ),
        (on(InstanceCount=0), on(InstanceCount=-1), "InstanceCount' must be at least 0, got -1"),
        ({"DesiredState": "Cancelled"}, {"DesiredState": "done"}, "must be 'Completed' or 'Canc"),
    ],
)
def test_both_sides_of_a_rule(good: dict[str, Any], bad: dict[str, Any], problem: str) -> None:
    assert problems(properties(**good)) == []
    (found,) = problems(properties(**bad))
    assert problem in found


def test_three_desired_variants_are_one_too_many() -> None:
    listed = {"DesiredModelVariants": [variant(1, name) for name in ("a", "b", "c")]}
    assert any(
        "must list at most 2 variants, got 3" in one for one in problems(properties(**listed))
    )


def test_a_value_too_large_to_show_is_named_by_its_type() -> None:
    (found,) = problems(properties(Reason=10**5000))
    assert found == "'Reason' must be a string, got int that is too large to show"


def test_a_problem_is_one_line_whatever_name_it_quotes() -> None:
    found = problems(properties(ModelVariantActions={"\r\n": "Retain", "shadow\x00": None}))
    assert found
    assert all(problem.isprintable() for problem in found)
    assert any("\\x00" in problem for problem in found)
