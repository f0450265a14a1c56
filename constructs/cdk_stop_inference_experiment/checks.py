"""What synth refuses, and what it warns of.

The limits of the API are the handler's to check too, in the same words: see
``cdk_stop_inference_experiment_handler.contract.validation``. Here are the rules that only synth
can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from cdk_stop_inference_experiment_handler.contract.constraints import (
    CANCELLED,
    INSTANCE_TYPE,
    PROMOTE,
    RETAIN,
)
from cdk_stop_inference_experiment_handler.contract.validation import problems

from .experiment import KnownExperiment, is_experiment
from .instance_types import INSTANCE_TYPES
from .model_variant import ModelVariantConfig
from .properties import PROP_NAMES
from .tokens import is_unresolved, known_text

UNDOCUMENTED_COMBINATION = "cdk-stop-inference-experiment:undocumentedCombination"
"""The id to acknowledge the warning by."""

_UNKNOWN = object()
"""Stands in the shared checks for what a more telling problem has been found with already."""


def find_problems(
    properties: Mapping[str, object],
    *,
    experiment_name: object,
    experiment: object,
    desired_model_variants: object,
) -> list[str]:
    """Everything wrong with a construct's props, one sentence each."""
    found = list(_name_or_experiment(experiment_name, experiment))
    checked = {**properties, "Name": _UNKNOWN} if found else dict(properties)
    foreign = dict(_foreign_variants(desired_model_variants))
    found += [
        f"'desired_model_variants[{index}]' must be a ModelVariantConfig, got {variant!r}"
        for index, variant in foreign.items()
    ]
    if foreign:
        checked["DesiredModelVariants"] = [
            _UNKNOWN if index in foreign else variant
            for index, variant in enumerate(_sequence(properties["DesiredModelVariants"]))
        ]
    names = {**PROP_NAMES, "Name": "experiment_name" if experiment is None else "experiment.name"}
    found += problems(checked, names=names, is_unresolved=_is_unknown)
    found += _unknown_instance_types(desired_model_variants)
    if is_experiment(experiment):
        actions = properties.get("ModelVariantActions")
        found += KnownExperiment.of(experiment).problems(actions)
    return found


def find_warning(properties: Mapping[str, object]) -> str | None:
    """One sentence on the combinations AWS does not document, None where there is none."""
    actions = properties.get("ModelVariantActions")
    values = list(actions.values()) if isinstance(actions, Mapping) else []
    if PROMOTE not in values:
        return None
    combinations = []
    if RETAIN in values:
        combinations.append(f"'model_variant_actions' with both '{RETAIN}' and '{PROMOTE}'")
    if properties.get("DesiredState") == CANCELLED:
        combinations.append(f"'desired_state' '{CANCELLED}' with '{PROMOTE}'")
    if "DesiredModelVariants" not in properties:
        combinations.append(f"'{PROMOTE}' without 'desired_model_variants'")
    if not combinations:
        return None
    return (
        f"AWS does not document what StopInferenceExperiment does for "
        f"{'; nor for '.join(combinations)}: try it first on an experiment that does not matter"
    )


def _is_unknown(value: object) -> bool:
    return value is _UNKNOWN or is_unresolved(value)


def _name_or_experiment(experiment_name: object, experiment: object) -> Iterator[str]:
    if (experiment_name is None) == (experiment is None):
        got = "neither" if experiment is None else "both"
        yield f"exactly one of 'experiment_name' and 'experiment' is required, got {got}"
    if experiment is not None and not is_experiment(experiment):
        yield (
            f"'experiment' must be a CfnInferenceExperiment, got {experiment!r}: "
            f"name an experiment of another kind by 'experiment_name'"
        )


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _foreign_variants(variants: object) -> Iterator[tuple[int, object]]:
    for index, variant in enumerate(_sequence(variants)):
        if not isinstance(variant, ModelVariantConfig) and not is_unresolved(variant):
            yield index, variant


def _unknown_instance_types(variants: object) -> Iterator[str]:
    for index, variant in enumerate(_sequence(variants)):
        if not isinstance(variant, ModelVariantConfig):
            continue
        name = known_text(variant.instance_type)
        if name is None or name in INSTANCE_TYPES or not re.fullmatch(INSTANCE_TYPE.pattern, name):
            continue
        close = get_close_matches(name, sorted(INSTANCE_TYPES), n=3)
        similar = f"did you mean {' or '.join(repr(match) for match in close)}? " if close else ""
        yield (
            f"'desired_model_variants[{index}].instance_type' must be an instance type that "
            f"SageMaker endpoints know, got '{name}': {similar}For a type newer than this "
            f"release write InstanceType.of('{name}')"
        )
