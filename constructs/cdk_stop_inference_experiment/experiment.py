"""What synth knows about an experiment that is passed as ``experiment=``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeAlias, TypeGuard, cast

import aws_cdk
from aws_cdk import Stack
from constructs import Construct

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Action,
    InstancesOf,
    OutcomeKind,
)
from cdk_stop_inference_experiment_handler.contract.validation import as_mapping

from .tokens import known_text

_TOKEN = object()
"""Stands for a value that is not known at synth."""


Experiment: TypeAlias = """(
    aws_cdk.aws_sagemaker.CfnInferenceExperiment
    | aws_cdk.interfaces.aws_sagemaker.IInferenceExperimentRef
)"""
"""What can be passed as ``experiment=``."""


def is_experiment(value: object) -> TypeGuard[Experiment]:
    """Whether a value is an experiment: its resource, or anything that refers to one.

    The interface is recognised by its shape, since the oldest supported aws-cdk-lib lacks it.
    """
    reference = getattr(value, "inference_experiment_ref", None)
    name = getattr(reference, "inference_experiment_name", None)
    return isinstance(name, str) or resource_of(value) is not None


def resource_of(value: object) -> aws_cdk.aws_sagemaker.CfnInferenceExperiment | None:
    """The resource of an experiment that the app creates: the value, or what is inside it.

    The library always refers to the class through ``aws_cdk``, which imports the large
    ``aws_sagemaker`` on first use: an app without an experiment never loads it.
    """
    if value is None:
        return None
    if hasattr(value, "inference_experiment_ref") and isinstance(value, Construct):
        value = value.node.default_child or value
    return value if isinstance(value, aws_cdk.aws_sagemaker.CfnInferenceExperiment) else None


def name_of(experiment: Experiment) -> str:
    """The experiment's name; it may be a token."""
    resource = resource_of(experiment)
    if resource is not None:
        return resource.name
    name: str = cast("Any", experiment).inference_experiment_ref.inference_experiment_name
    return name


def other_environment(experiment: object, scope: Construct) -> Iterator[str]:
    """Why an experiment is out of the function's reach: another account or another region."""
    if not is_experiment(experiment):
        return
    own = Stack.of(scope)
    there = getattr(experiment, "env", None) or Stack.of(experiment)
    for kind in ("account", "region"):
        here, other = known_text(getattr(own, kind)), known_text(getattr(there, kind, None))
        if here is not None and other is not None and here != other:
            yield (
                f"'experiment' must be in the construct's own {kind} '{here}', got one in "
                f"'{other}': put the construct in a stack of that {kind}"
            )


@dataclass(frozen=True)
class KnownExperiment:
    """The facts about an experiment that are not tokens.

    Attributes:
        name: Its name, which may be a token.
        variants: The names of its model variants; None if one of them is a token.
        production: The variant that serves production; None if it is a token or not set.
        shadows: The names of its shadow variants; None if one of them is a token. Empty if it has
            no shadow mode.
        end_time: When its schedule ends; None if that is a token or not set.
        instance_types: Those of the variants, by the variant's name, where they are known.
        desired_state: The state that the resource declares; None if it is a token or not set.
    """

    name: str
    variants: tuple[str, ...] | None
    production: str | None
    shadows: tuple[str, ...] | None
    end_time: str | None
    instance_types: Mapping[str, str] = field(default_factory=dict)
    desired_state: str | None = None

    @classmethod
    def of(cls, experiment: Experiment) -> KnownExperiment:
        """Read the facts from the resource; a reference only has a name."""
        resource = resource_of(experiment)
        if resource is None:
            return cls(name_of(experiment), None, None, None, None)
        return cls._of_resource(resource)

    @classmethod
    def _of_resource(
        cls, experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment
    ) -> KnownExperiment:
        shadow_mode = _read(experiment, "shadow_mode_config")
        production = getattr(shadow_mode, "source_model_variant_name", None)
        variants = _names(_read(experiment, "model_variants"), "variant_name")
        shadows = _names(
            getattr(shadow_mode, "shadow_model_variants", None), "shadow_model_variant_name"
        )
        end_time = getattr(_read(experiment, "schedule"), "end_time", None)
        return cls(
            name=experiment.name,
            variants=variants,
            production=known_text(production),
            shadows=() if shadow_mode is None else shadows,
            end_time=known_text(end_time),
            instance_types=_instance_types(_read(experiment, "model_variants")),
            desired_state=known_text(experiment.desired_state),
        )

    def ended_by_schedule(self) -> str | None:
        """When its schedule ended; None if it has not, or if synth cannot tell."""
        try:
            # Python 3.10 does not parse the Z.
            end = datetime.fromisoformat((self.end_time or "").replace("Z", "+00:00"))
        except ValueError:
            return None
        if end.tzinfo is None:
            end = end.replace(tzinfo=timezone.utc)
        return self.end_time if end <= datetime.now(timezone.utc) else None

    def other_instance_type(self, properties: Mapping[str, object]) -> tuple[str, str, str] | None:
        """The shadow's instance type, another one on which it is promoted, and the prop of that.

        None if the types are the same, or if one of them is not known.
        """
        if properties.get("Outcome") == OutcomeKind.PROMOTE_SHADOW:
            prop, promoted = "outcome", self.shadows[0] if self.shadows else ""
            wanted = self._type_of_outcome(properties.get("Instances"))
        else:
            actions = as_mapping(properties.get("ModelVariantActions"))
            prop = "desired_model_variants"
            promoted = next((name for name in actions if actions[name] == Action.PROMOTE), "")
            wanted = _declared_type(properties.get("DesiredModelVariants"), promoted)
        tested = self.instance_types.get(promoted)
        return (tested, wanted, prop) if tested and wanted and tested != wanted else None

    def _type_of_outcome(self, instances: object) -> str | None:
        if instances == InstancesOf.SHADOW:
            return None
        if isinstance(instances, Mapping):
            return known_text(instances.get("InstanceType"))
        return self.instance_types.get(self.production or "")

    def removes_production(self, actions: object) -> bool:
        """Whether the actions remove the production variant and promote nothing in its place."""
        if not isinstance(actions, Mapping) or self.production is None:
            return False
        return (
            actions.get(self.production) == Action.REMOVE
            and Action.PROMOTE not in actions.values()
            and all(known_text(action) is not None for action in actions.values())
        )

    def problems(self, actions: object) -> Iterator[str]:
        """What is wrong with the actions, given the experiment's own variants."""
        if not isinstance(actions, Mapping):
            return
        for variant, action in actions.items():
            if known_text(variant) is None:
                continue
            if self.variants is not None and variant not in self.variants:
                names = " and ".join(f"'{name}'" for name in self.variants)
                yield (
                    f"'model_variant_actions' names variant '{variant}', but the variants of "
                    f"{self._label} are {names}"
                )
            elif action == Action.PROMOTE and variant == self.production:
                yield (
                    f"'model_variant_actions[{variant}]' must not be '{Action.PROMOTE}': "
                    f"'{variant}' is the production variant of {self._label}; only its shadow "
                    f"variant can be promoted"
                )

    def problems_of_outcome(self) -> Iterator[str]:
        """Why an outcome does not fit: it needs one production variant and one shadow variant."""
        if self.shadows == ():
            yield f"'outcome' needs a shadow variant, but {self._label} has none"
        elif None not in (self.shadows, self.production, self.variants) and (
            len(self.variants or ()) != 2
            or {self.production, *(self.shadows or ())} != {*(self.variants or ())}
        ):
            yield (
                f"'outcome' needs one production variant and one shadow variant, but "
                f"{self._label} has production {_quoted([self.production])}, shadows "
                f"{_quoted(self.shadows)} and variants {_quoted(self.variants)}"
            )

    @property
    def _label(self) -> str:
        return f"experiment '{self.name}'" if known_text(self.name) else "the experiment"


def _read(experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment, attribute: str) -> object:
    """The attribute's value; a token if jsii cannot pass one of its type to Python."""
    try:
        return getattr(experiment, attribute)
    except KeyError:
        return _TOKEN


def _quoted(names: Iterable[str | None] | None) -> str:
    return ", ".join(f"'{name}'" for name in names or ())


def _instance_types(variants: object) -> dict[str, str]:
    """The instance types by the variant's name, where both are known."""
    types = {}
    for variant in variants if isinstance(variants, list) else ():
        name = known_text(getattr(variant, "variant_name", None))
        infrastructure = getattr(variant, "infrastructure_config", None)
        real_time = getattr(infrastructure, "real_time_inference_config", None)
        instance_type = known_text(getattr(real_time, "instance_type", None))
        if name and instance_type:
            types[name] = instance_type
    return types


def _declared_type(variants: object, name: str) -> str | None:
    """The instance type that ``DesiredModelVariants`` has for a variant; None if not known."""
    for variant in variants if isinstance(variants, list) else ():
        declared = as_mapping(variant)
        if declared.get("VariantName") == name:
            infrastructure = as_mapping(declared.get("InfrastructureConfig"))
            real_time = as_mapping(infrastructure.get("RealTimeInferenceConfig"))
            return known_text(real_time.get("InstanceType"))
    return None


def _names(variants: object, attribute: str) -> tuple[str, ...] | None:
    if not isinstance(variants, list) or not variants:
        return None
    names = [known_text(getattr(variant, attribute, None)) for variant in variants]
    known = tuple(name for name in names if name is not None)
    return known if len(known) == len(names) else None
