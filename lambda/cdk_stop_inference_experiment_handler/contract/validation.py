"""The validation of a declaration, which synth and the function share.

Both refuse the same in the same words: the construct with the names of its props, the function with
the API's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .constraints import (
    ALARM_NAME,
    BOUNDS,
    DESIRED_STATES,
    ERROR_METRICS,
    EXPERIMENT_NAME,
    HOUR,
    INFRASTRUCTURE_TYPE,
    INSTANCE_TYPE,
    INSTANCES,
    KEEP_BOTH,
    KEEP_PRODUCTION,
    MAX_LISTED,
    MAX_VARIANTS,
    MIN_INSTANCE_COUNT,
    MIN_PROMOTED_INSTANCES,
    MODEL_NAME,
    MODEL_VARIANT_ACTIONS,
    OF_ERRORS,
    OF_EVIDENCE,
    OF_LATENCY,
    OUTCOMES,
    PERCENTILES,
    PROMOTE,
    PROMOTE_SHADOW,
    REASON,
    REMOVE,
    STOP_ON,
    VARIANT_NAME,
    StringLimit,
)

API_NAMES: Mapping[str, str] = {}
"""No other names: problems name the API's members."""


def _resolved(_value: object) -> bool:
    return False


def problems(
    properties: Mapping[str, object],
    *,
    names: Mapping[str, str] = API_NAMES,
    is_unresolved: Callable[[object], bool] = _resolved,
) -> list[str]:
    """Everything that is wrong with a declaration, one sentence each.

    Args:
        properties: The resource's properties, with the API's types (``InstanceCount`` an ``int``).
        names: The name to show for a member, by the API's name. Default: the API's name.
        is_unresolved: Whether a value is not known yet (a CDK token); such a value passes.
    """
    return list(_Check(properties, names, is_unresolved).all())


@dataclass(frozen=True)
class _Check:
    properties: Mapping[str, object]
    names: Mapping[str, str]
    is_unresolved: Callable[[object], bool]

    def all(self) -> Iterator[str]:
        yield from self._required_string("Name", EXPERIMENT_NAME)
        yield from self._outcome_or_actions()
        yield from self._outcome()
        yield from self._actions()
        yield from self._variants()
        yield from self._choice("DesiredState", DESIRED_STATES)
        if self.properties.get("Reason") is not None:
            yield from self._string(self._name("Reason"), self.properties["Reason"], REASON)
        yield from self._stop_on()
        yield from self._flag("EndNow")
        yield from self._promote_if()

    def _name(self, member: str) -> str:
        return self.names.get(member, member)

    def _required_string(self, member: str, limit: StringLimit) -> Iterator[str]:
        value = self.properties.get(member)
        if value is None:
            yield f"'{self._name(member)}' is required: {limit.described}"
        else:
            yield from self._string(self._name(member), value, limit)

    def _string(self, label: str, value: object, limit: StringLimit) -> Iterator[str]:
        if self.is_unresolved(value):
            return
        if not isinstance(value, str):
            yield f"'{label}' must be a string, got {_shown(value)}"
        elif len(value) > limit.maximum:
            yield (
                f"'{label}' must be at most {limit.maximum} characters, got {len(value)}"
                f"{_remedy(value, limit)}"
            )
        elif len(value) < limit.minimum:
            yield f"'{label}' must be at least {limit.minimum} character, got an empty string"
        elif re.fullmatch(limit.pattern, value) is None:
            yield (
                f"'{label}' must be {limit.described}, got {_shown(value)}{_remedy(value, limit)}"
            )

    def _choice(self, member: str, allowed: Sequence[str]) -> Iterator[str]:
        value = self.properties.get(member)
        if value is None or self.is_unresolved(value) or value in allowed:
            return
        yield f"'{self._name(member)}' must be {_one_of(allowed, value)}"

    def _outcome_or_actions(self) -> Iterator[str]:
        ways = ("Outcome", "ModelVariantActions")
        given = [way for way in ways if self.properties.get(way) is not None]
        if len(given) != 1:
            labels = " and ".join(f"'{self._name(way)}'" for way in ways)
            got = "both" if given else "neither"
            yield f"exactly one of {labels} is required, got {got}"
        elif given == ["Outcome"] and self.properties.get("DesiredModelVariants") is not None:
            yield (
                f"'{self._name('DesiredModelVariants')}' must be left out with "
                f"'{self._name('Outcome')}': to name the instances of a promoted variant, use "
                f"'{self._name('Instances')}'"
            )

    def _outcome(self) -> Iterator[str]:
        outcome, instances = self.properties.get("Outcome"), self.properties.get("Instances")
        yield from self._choice("Outcome", tuple(OUTCOMES))
        if instances is None or self.is_unresolved(instances):
            return
        label = self._name("Instances")
        if outcome != PROMOTE_SHADOW and not self.is_unresolved(outcome):
            yield (
                f"'{label}' must be left out unless '{self._name('Outcome')}' is "
                f"'{PROMOTE_SHADOW}', got {_shown(instances)}"
            )
        if not isinstance(instances, Mapping):
            if instances not in INSTANCES:
                yield (
                    f"'{label}' must be {_or(INSTANCES)}, or an object of "
                    f"'{self._name('InstanceType')}' and '{self._name('InstanceCount')}', "
                    f"got {_shown(instances)}"
                )
            return
        members = ("InstanceType", "InstanceCount")
        yield from (
            f"'{label}' may hold {_or(members)}, got {_shown(member)}"
            for member in instances
            if member not in members
        )
        of_type = self._in(label, "InstanceType")
        yield from self._string(of_type, instances.get("InstanceType"), INSTANCE_TYPE)
        of_count = self._in(label, "InstanceCount")
        yield from self._count(of_count, instances.get("InstanceCount"), MIN_PROMOTED_INSTANCES)

    def _actions(self) -> Iterator[str]:
        label = self._name("ModelVariantActions")
        actions = self.properties.get("ModelVariantActions")
        if actions is None or self.is_unresolved(actions):
            return
        if not isinstance(actions, Mapping) or not actions:
            yield (
                f"'{label}' must name 1 to {MAX_VARIANTS} variants with an action each, "
                f"got {_shown(actions)}"
            )
            return
        if len(actions) > MAX_VARIANTS:
            yield f"'{label}' must have at most {MAX_VARIANTS} entries, got {len(actions)}"
        for variant, action in actions.items():
            yield from self._string(f"{label}: variant name", variant, VARIANT_NAME)
            if action not in MODEL_VARIANT_ACTIONS and not self.is_unresolved(action):
                yield f"'{label}[{variant}]' must be {_one_of(MODEL_VARIANT_ACTIONS, action)}"
        yield from _action_combinations(label, list(actions.values()))

    def _variants(self) -> Iterator[str]:
        label = self._name("DesiredModelVariants")
        variants = self.properties.get("DesiredModelVariants")
        if variants is None or self.is_unresolved(variants):
            return
        if not isinstance(variants, Sequence) or isinstance(variants, str) or not variants:
            yield (
                f"'{label}' must list 1 to {MAX_VARIANTS} variants, or be left out, "
                f"got {_shown(variants)}"
            )
            return
        if len(variants) > MAX_VARIANTS:
            yield f"'{label}' must list at most {MAX_VARIANTS} variants, got {len(variants)}"
        for index, variant in enumerate(variants):
            yield from self._variant(f"{label}[{index}]", variant)
        yield from self._variants_against_actions(label, variants)

    def _variant(self, label: str, variant: object) -> Iterator[str]:
        if self.is_unresolved(variant):
            return
        if not isinstance(variant, Mapping):
            yield f"'{label}' must be a ModelVariantConfig, got {_shown(variant)}"
            return
        yield from self._string(self._in(label, "ModelName"), variant.get("ModelName"), MODEL_NAME)
        yield from self._string(
            self._in(label, "VariantName"), variant.get("VariantName"), VARIANT_NAME
        )
        infrastructure = _mapping(variant.get("InfrastructureConfig"))
        kind = infrastructure.get("InfrastructureType")
        if kind != INFRASTRUCTURE_TYPE and not self.is_unresolved(kind):
            name = self._in(label, "InfrastructureType")
            yield f"'{name}' must be '{INFRASTRUCTURE_TYPE}', got {_shown(kind)}"
        real_time = _mapping(infrastructure.get("RealTimeInferenceConfig"))
        yield from self._string(
            self._in(label, "InstanceType"), real_time.get("InstanceType"), INSTANCE_TYPE
        )
        yield from self._count(self._in(label, "InstanceCount"), real_time.get("InstanceCount"))

    def _in(self, label: str, member: str) -> str:
        return f"{label}.{self._name(member)}"

    def _count(self, label: str, value: object, minimum: int = MIN_INSTANCE_COUNT) -> Iterator[str]:
        if self.is_unresolved(value):
            return
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"'{label}' must be a whole number, got {_shown(value)}"
        elif value < minimum:
            yield f"'{label}' must be at least {minimum}, got {value}"

    def _variants_against_actions(self, label: str, variants: Sequence[object]) -> Iterator[str]:
        actions = self.properties.get("ModelVariantActions")
        wanted = [_mapping(variant).get("VariantName") for variant in variants]
        known = [name for name in wanted if isinstance(name, str) and not self.is_unresolved(name)]
        for name in sorted({name for name in known if known.count(name) > 1}):
            yield f"'{label}' must name each variant once, got '{name}' {known.count(name)} times"
        if not isinstance(actions, Mapping) or any(self.is_unresolved(key) for key in actions):
            return
        of_actions = self._name("ModelVariantActions")
        for name in dict.fromkeys(known):
            if name not in actions:
                yield f"'{label}' names variant '{name}', which has no action in '{of_actions}'"
            elif actions[name] == REMOVE:
                yield (
                    f"'{label}' names variant '{name}', which '{of_actions}' removes: list only "
                    f"the variants that stay deployed"
                )

    def _stop_on(self) -> Iterator[str]:
        label = self._name("StopOn")
        stop_on = self.properties.get("StopOn")
        if stop_on is None or self.is_unresolved(stop_on):
            return
        if not isinstance(stop_on, Sequence) or isinstance(stop_on, str) or not stop_on:
            yield f"'{label}' must list at least one of {_or(STOP_ON)}, got {_shown(stop_on)}"
            return
        for value in stop_on:
            if value not in STOP_ON and not self.is_unresolved(value):
                yield f"'{label}' must list {_one_of(STOP_ON, value)}"

    def _flag(self, member: str) -> Iterator[str]:
        value = self.properties.get(member)
        if value is None or isinstance(value, bool) or self.is_unresolved(value):
            return
        if not isinstance(value, str) or value.lower() not in ("true", "false"):
            yield f"'{self._name(member)}' must be 'true' or 'false', got {_shown(value)}"

    def _promote_if(self) -> Iterator[str]:
        promote_if, label = self.properties.get("PromoteIf"), self._name("PromoteIf")
        if promote_if is not None and not self.is_unresolved(promote_if):
            yield from self._evidence(label, promote_if)
            values = [self.properties.get("Outcome")]
            if values == [None]:
                values = list(_mapping(self.properties.get("ModelVariantActions")).values())
            if not {PROMOTE, PROMOTE_SHADOW} & set(values) and not any(
                map(self.is_unresolved, values)
            ):
                yield f"'{label}' needs a promotion, and none is declared: leave it out"
        elif promote_if is None and self.properties.get("Otherwise") is not None:
            yield f"'{self._name('Otherwise')}' needs '{label}': leave it out"
        yield from self._choice("Otherwise", (KEEP_PRODUCTION, KEEP_BOTH))

    def _evidence(self, label: str, declared: object) -> Iterator[str]:
        members = _mapping(declared)
        yield from self._members(label, declared, OF_EVIDENCE, "MinInvocations")
        listed: dict[str, Any] = {
            member: members.get(member, []) for member in ("Comparisons", "Alarms")
        }
        if not any(listed.values()):
            yield f"'{label}' must hold a comparison or an alarm, got neither"
        for member, values in listed.items():
            if not isinstance(values, list) or len(values) > MAX_LISTED:
                where = self._in(label, member)
                yield f"'{where}' must be a list of at most {MAX_LISTED}, got {_shown(values)}"
                return
        for index, alarm in enumerate(listed["Alarms"]):
            yield from self._string(f"{self._in(label, 'Alarms')}[{index}]", alarm, ALARM_NAME)
        for index, one in enumerate(listed["Comparisons"]):
            where = f"{self._in(label, 'Comparisons')}[{index}]"
            yield from self._comparison(where, one, members.get("Window", HOUR))

    def _comparison(self, label: str, declared: object, window: object) -> Iterator[str]:
        members = _mapping(declared)
        rules = OF_ERRORS if members.get("Metric") in ERROR_METRICS else OF_LATENCY
        yield from self._members(label, declared, rules, "Metric")
        if not any(bound in members for bound in BOUNDS):
            yield f"'{label}' must have a bound, got none"
        is_hourly = members.get("Statistic") in PERCENTILES
        if is_hourly and isinstance(window, int) and window < HOUR:
            name = self._name("Window")
            yield f"'{label}' needs a '{name}' of at least {HOUR} seconds, got {window}"
        if members.get("FailureLimit") and not is_hourly:
            yield f"'{self._in(label, 'FailureLimit')}' is for percentiles: leave it out"

    def _members(
        self, label: str, members: object, rules: Mapping[str, Sequence[Any]], required: str
    ) -> Iterator[str]:
        if not isinstance(members, Mapping):
            yield f"'{label}' must be an object, got {_shown(members)}"
            return
        for member, value in {required: None, **members}.items():
            rule = rules.get(member)
            if rule is None:
                # A misspelled bound would have no effect.
                yield f"'{label}' cannot have '{self._name(member)}': leave it out"
            elif rule and not self.is_unresolved(value):
                kind, least, most, must_be = rule if isinstance(rule[0], type) else (None,) * 4
                fits = type(value) in (int, kind) and least <= value <= most
                if not (fits if kind else value in rule):
                    must_be = must_be or f"one of {', '.join(map(str, rule))}"
                    yield f"'{self._in(label, member)}' must be {must_be}, got {_shown(value)}"


def _action_combinations(label: str, actions: Sequence[object]) -> Iterator[str]:
    if actions.count(PROMOTE) > 1:
        yield (
            f"'{label}' must promote at most one variant, got {actions.count(PROMOTE)}: "
            f"only the shadow variant can become the production variant"
        )
    if len(actions) > 1 and all(action == REMOVE for action in actions):
        yield (
            f"'{label}' must leave the endpoint a production variant, got '{REMOVE}' for every "
            f"variant: retain the production variant or promote the shadow variant"
        )


def _remedy(value: str, limit: StringLimit) -> str:
    """What to write instead, if that is clear."""
    if limit is EXPERIMENT_NAME and value.startswith("arn:"):
        return f": use the part after the last slash, {_shown(value.rpartition('/')[2])}"
    if limit is INSTANCE_TYPE and re.fullmatch(limit.pattern, f"ml.{value}"):
        return f": did you mean 'ml.{value}'?"
    return ""


def _one_of(allowed: Sequence[str], value: object) -> str:
    """The allowed values, the value received, and a suggestion."""
    meant = [one for one in allowed if one.lower() == str(value).strip().lower()]
    remedy = f": did you mean '{meant[0]}'?" if meant else ""
    return f"{_or(allowed)}, got {_shown(value)}{remedy}"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _or(values: Sequence[str]) -> str:
    quoted = [f"'{value}'" for value in values]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
