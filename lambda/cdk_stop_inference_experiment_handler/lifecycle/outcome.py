"""Resolves an outcome to the request for one experiment.

It is resolved right before each attempt to stop, from the same facts as the decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..contract.constraints import OUTCOMES, PRODUCTION, PROMOTE, REMOVE
from ..contract.declaration import Declaration
from . import reasons
from .facts import Decision, Experiment, Facts, Unreadable, Verb, experiment_if_readable, fail

Variant = Mapping[str, Any]


def not_a_pair(experiment: Experiment) -> bool:
    """Whether the experiment does not have exactly one production and one shadow variant."""
    pair = _pair(experiment)
    return not pair or set(experiment.variants) != set(pair)


def actions_of(declared: Declaration, experiment: Experiment) -> Mapping[str, str]:
    """The action for each variant; empty for an outcome if there is no pair."""
    if declared.outcome is None:
        return declared.actions
    actions = OUTCOMES.get(declared.outcome, ())
    return dict(zip(_pair(experiment), actions, strict=False))


def promoted_by(declared: Declaration, experiment: Experiment) -> str | None:
    """The variant to promote, if any."""
    actions = actions_of(declared, experiment)
    return next((name for name, action in actions.items() if action == PROMOTE), None)


class _CountUnknown(Unreadable):
    """The experiment may have ended since it was described, so both are described again."""

    is_transient = True


def resolved(decision: Decision, facts: Facts) -> Decision:
    """The decision with its outcome resolved; any other decision is returned unchanged.

    Raises:
        Unreadable: The experiment's endpoint cannot be described, or has no current count yet.
    """
    declared, experiment = decision.stop, facts.experiment() if decision.stop else None
    if decision.verb is not Verb.STOP or not declared or not declared.outcome or not experiment:
        return decision
    if not_a_pair(experiment):
        return replace(fail("not_a_pair", reasons.not_a_pair(experiment)), order=decision.order)
    counts: Mapping[str, int] = {}
    if declared.instances == PRODUCTION:
        counts = _counts(facts)
        if not counts.get(experiment.production):
            why = reasons.instances_unknown(experiment, counts.get(experiment.production))
            unknown = _CountUnknown(why)
            if not facts.gives_up(unknown):
                raise unknown
            return replace(fail("instances_unknown", why), order=decision.order)
    remaining = list(_remaining(declared, experiment, counts).values())
    actions, variants = actions_of(declared, experiment), remaining if declared.promotes else None
    return replace(decision, stop=replace(declared, actions=actions, variants=variants))


def fewer_instances(declared: Declaration, facts: Facts) -> str | None:
    """Why a promotion reduces the instance count; None if it does not, or names no instances.

    Raises:
        Unreadable: The experiment or its endpoint cannot be described.
    """
    for variant in map(_mapping, declared.variants or ()):
        name, count = str(variant.get("VariantName")), _instances(variant).get("InstanceCount")
        experiment = facts.experiment() if declared.actions.get(name) == PROMOTE else None
        if experiment and isinstance(count, int):
            now = _counts(facts).get(experiment.production, 0)
            return reasons.fewer_instances(name, count, experiment, now) if count < now else None
    return None


def make_the_same_request(one: Declaration, other: Declaration, facts: Facts) -> bool:
    """Whether two declarations end the same experiment in the same way.

    Two outcomes, or two declarations that name variants, are compared as declared. An outcome and a
    declaration that names variants are compared by their requests for this experiment. In case of
    doubt they are the same, since a difference would be an order to stop.

    Raises:
        Unreadable: The experiment or its endpoint cannot be described.
    """
    if (one.outcome is None) is (other.outcome is None):
        return one.is_same_as(other)
    named, said = (one, other) if one.outcome is None else (other, one)
    if not named.is_of(said.name) or named.desired_state != said.desired_state:
        return False
    experiment = experiment_if_readable(facts)
    if experiment is None or not _pair(experiment):
        return set(named.actions.values()) <= set(OUTCOMES.get(str(said.outcome), ()))
    if not named.actions.items() <= actions_of(said, experiment).items():
        return False
    wanted = _remaining(said, experiment, {})
    others = [
        (variant, wanted.get(name))
        for variant in map(_mapping, named.variants or ())
        if variant != wanted.get(name := str(variant.get("VariantName")))
    ]
    if experiment.has_ended or not others:
        return True
    if any(_on(one, InstanceCount=0) != _on(other, InstanceCount=0) for one, other in others):
        return False
    try:
        runs = _remaining(said, experiment, _counts(facts))
    except Unreadable as error:
        if not facts.gives_up(error):
            raise
        return True
    return all(variant in runs.values() for variant, _ in others)


def _pair(experiment: Experiment) -> tuple[str, ...]:
    """Production and shadow; empty if the experiment does not name one of each."""
    names = (experiment.production, *experiment.shadows)
    return names if len(names) == len({*names} - {""}) == 2 else ()


def _remaining(
    declared: Declaration, experiment: Experiment, counts: Mapping[str, int]
) -> dict[str, Variant]:
    """The variants that an outcome keeps, by name; as configured if no counts are given."""
    remaining, wanted = {}, declared.instances
    for name, action in actions_of(declared, experiment).items():
        source = experiment.production if wanted == PRODUCTION else name
        instances = _mapping(wanted) or _instances(experiment.configured.get(source))
        if source in counts and wanted in (None, PRODUCTION):
            instances = {**instances, "InstanceCount": counts[source]}
        if action != REMOVE:
            remaining[name] = _on(experiment.configured.get(name), **instances)
    return remaining


def _on(variant: object, **instances: object) -> Variant:
    infrastructure = _mapping(_mapping(variant).get("InfrastructureConfig"))
    real_time = {**_instances(variant), **instances}
    infrastructure = {**infrastructure, "RealTimeInferenceConfig": real_time}
    return {**_mapping(variant), "InfrastructureConfig": infrastructure}


def _instances(variant: object) -> Variant:
    infrastructure = _mapping(_mapping(variant).get("InfrastructureConfig"))
    return _mapping(infrastructure.get("RealTimeInferenceConfig"))


def _counts(facts: Facts) -> Mapping[str, int]:
    endpoint = facts.endpoint()
    return endpoint.counts if endpoint else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
