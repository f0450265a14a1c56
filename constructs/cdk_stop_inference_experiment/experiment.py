"""What synth knows about an experiment that the same app creates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TypeGuard

import aws_cdk

from cdk_stop_inference_experiment_handler.contract.declaration import Action

from .tokens import known_text

_TOKEN = object()
"""Stands for a value that is not known at synth."""


def is_experiment(value: object) -> TypeGuard[aws_cdk.aws_sagemaker.CfnInferenceExperiment]:
    """Whether a value is an experiment that the app creates.

    The library always refers to the class through ``aws_cdk``, which imports the large
    ``aws_sagemaker`` on first use: an app without an experiment never loads it.
    """
    return value is not None and isinstance(value, aws_cdk.aws_sagemaker.CfnInferenceExperiment)


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
    """

    name: str
    variants: tuple[str, ...] | None
    production: str | None
    shadows: tuple[str, ...] | None
    end_time: str | None

    @classmethod
    def of(cls, experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment) -> KnownExperiment:
        """Read the facts from the resource."""
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
                    f"{self._called} are {names}"
                )
            elif action == Action.PROMOTE and variant == self.production:
                yield (
                    f"'model_variant_actions[{variant}]' must not be '{Action.PROMOTE}': "
                    f"'{variant}' is the production variant of {self._called}, only its shadow "
                    f"variant can be promoted"
                )

    def problems_of_outcome(self) -> Iterator[str]:
        """Why an outcome does not fit: it needs one production variant and one shadow variant."""
        if self.shadows == ():
            yield f"'outcome' needs a shadow variant, but {self._called} has none"
        elif None not in (self.shadows, self.production, self.variants) and (
            len(self.variants or ()) != 2
            or {self.production, *(self.shadows or ())} != {*(self.variants or ())}
        ):
            yield (
                f"'outcome' needs one production variant and one shadow variant, but "
                f"{self._called} has production {_quoted([self.production])}, shadows "
                f"{_quoted(self.shadows)} and variants {_quoted(self.variants)}"
            )

    @property
    def _called(self) -> str:
        return f"experiment '{self.name}'" if known_text(self.name) else "the experiment"


def _read(experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment, attribute: str) -> object:
    """The attribute's value; a token if jsii cannot pass one of its type to Python."""
    try:
        return getattr(experiment, attribute)
    except KeyError:
        return _TOKEN


def _quoted(names: Iterable[str | None] | None) -> str:
    return ", ".join(f"'{name}'" for name in names or ())


def _names(variants: object, attribute: str) -> tuple[str, ...] | None:
    if not isinstance(variants, list) or not variants:
        return None
    names = [known_text(getattr(variant, attribute, None)) for variant in variants]
    known = tuple(name for name in names if name is not None)
    return known if len(known) == len(names) else None
