"""What an outcome is for one experiment: the request that it makes.

An outcome is resolved right before each attempt to stop, from the same look at the experiment that
the decision rests on: who is production, who is the shadow, and how many instances run now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..contract.constraints import OUTCOMES, PRODUCTION, PROMOTE, SHADOW
from ..contract.declaration import Declaration
from . import reasons
from .facts import Decision, Experiment, Facts, Unreadable, Verb, fail


def not_a_pair(experiment: Experiment) -> bool:
    """Whether an outcome cannot be resolved: there is not one production and one shadow."""
    pair = _pair(experiment)
    return pair is None or set(experiment.variants) != set(pair)


def actions_of(declared: Declaration, experiment: Experiment) -> Mapping[str, str]:
    """The action for each variant; empty for an outcome where there is no pair."""
    if declared.outcome is None:
        return declared.actions
    actions = OUTCOMES.get(declared.outcome, ())
    return dict(zip(_pair(experiment) or (), actions, strict=False))


def promoted_by(declared: Declaration, experiment: Experiment) -> str | None:
    """The variant to promote, if any."""
    actions = actions_of(declared, experiment)
    return next((name for name, action in actions.items() if action == PROMOTE), None)


def resolved(decision: Decision, facts: Facts) -> Decision:
    """The decision with the request that an outcome makes now; any other decision as it is.

    Raises:
        Unreadable: The experiment's endpoint cannot be described.
    """
    declared, experiment = decision.stop, facts.experiment() if decision.stop else None
    if decision.verb is not Verb.STOP or not declared or not declared.outcome or not experiment:
        return decision
    variants = None
    if declared.promotes:
        wanted = _promoted(declared, experiment)
        if declared.instances == PRODUCTION:
            endpoint = facts.endpoint()
            count = endpoint.counts.get(experiment.production) if endpoint else None
            if not count:
                unknown = fail("instances_unknown", reasons.instances_unknown(experiment, count))
                return replace(unknown, order=decision.order)
            wanted = _with_instances(wanted, InstanceCount=count)
        variants = [wanted]
    actions = actions_of(declared, experiment)
    return replace(decision, stop=replace(declared, actions=actions, variants=variants))


def fewer_instances(declared: Declaration, facts: Facts) -> str | None:
    """Why a promotion shrinks what serves now; None where it does not, or names no instances.

    Raises:
        Unreadable: The experiment or its endpoint cannot be described.
    """
    promoted = next((name for name, action in declared.actions.items() if action == PROMOTE), None)
    counts = [
        _instances(variant).get("InstanceCount")
        for variant in declared.variants or ()
        if _mapping(variant).get("VariantName") == promoted
    ]
    if not counts or not isinstance(count := counts[0], int):
        return None
    experiment, endpoint = facts.experiment(), facts.endpoint()
    now = endpoint.counts.get(experiment.production, 0) if experiment and endpoint else 0
    if experiment is None or count >= now:
        return None
    return reasons.fewer_instances(str(promoted), count, experiment, now)


def make_the_same_request(one: Declaration, other: Declaration, facts: Facts) -> bool:
    """Whether two declarations end the same experiment in the same way.

    Two outcomes, or two that name variants, are compared as they are declared. An outcome and one
    that names variants are compared by the requests that they make of this experiment; where that
    cannot be told they count as the same, since a difference would be an order to stop.

    Raises:
        Unreadable: The experiment or its endpoint cannot be described.
    """
    if (one.outcome is None) is (other.outcome is None):
        return one.is_same_as(other)
    explicit, outcome = (one, other) if one.outcome is None else (other, one)
    name, state = explicit.name.lower(), explicit.desired_state
    if (name, state) != (outcome.name.lower(), outcome.desired_state):
        return False
    experiment = facts.experiment()
    if experiment is None or _pair(experiment) is None:
        return set(explicit.actions.values()) <= set(OUTCOMES.get(str(outcome.outcome), ()))
    actions = actions_of(outcome, experiment)
    if any(actions.get(name) != action for name, action in explicit.actions.items()):
        return False
    return experiment.has_ended or all(
        _is_asked_for(variant, outcome, experiment, facts) for variant in explicit.variants or ()
    )


def _is_asked_for(
    variant: object, outcome: Declaration, experiment: Experiment, facts: Facts
) -> bool:
    """Whether an outcome asks for a desired variant as it stands, or as it runs now."""
    name = str(_mapping(variant).get("VariantName"))
    wanted, runs = experiment.configured.get(name), name
    if outcome.promotes:
        wanted = _promoted(outcome, experiment)
        runs = experiment.production if outcome.instances == PRODUCTION else ""
    if variant == wanted:
        return True
    count = _instances(variant).get("InstanceCount")
    if not runs or variant != _with_instances(wanted, InstanceCount=count):
        return False
    try:
        endpoint = facts.endpoint()
    except Unreadable as error:
        if not facts.gives_up(error):
            raise
        return True
    return endpoint is not None and endpoint.counts.get(runs) == count


def _pair(experiment: Experiment) -> tuple[str, str] | None:
    """Production and shadow, as far as the experiment tells them."""
    names = (experiment.production, *experiment.shadows)
    return (names[0], names[1]) if len(names) == len({*names} - {""}) == 2 else None


def _promoted(declared: Declaration, experiment: Experiment) -> Mapping[str, object]:
    """The promoted shadow on the instances declared; production's as they are configured."""
    shadow = experiment.configured.get(experiment.shadows[0], {})
    if declared.instances == SHADOW:
        return shadow
    if declared.instances == PRODUCTION:
        return _with_instances(
            shadow, **_instances(experiment.configured.get(experiment.production))
        )
    return _with_instances(shadow, **_mapping(declared.instances))


def _with_instances(variant: object, **instances: object) -> dict[str, object]:
    infrastructure = _mapping(_mapping(variant).get("InfrastructureConfig"))
    real_time = {**_instances(variant), **instances}
    return {
        **_mapping(variant),
        "InfrastructureConfig": {**infrastructure, "RealTimeInferenceConfig": real_time},
    }


def _instances(variant: object) -> Mapping[str, object]:
    infrastructure = _mapping(_mapping(variant).get("InfrastructureConfig"))
    return _mapping(infrastructure.get("RealTimeInferenceConfig"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
