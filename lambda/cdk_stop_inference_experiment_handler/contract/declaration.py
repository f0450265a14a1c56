"""What a ``Custom::StopInferenceExperiment`` resource declares, as a value with types.

Its properties are the request members of StopInferenceExperiment plus the library's own.
:func:`parse` reads them, for the construct, for the function and for the command.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TypeGuard, TypeVar

from . import limits
from .validation import MAX_SHOWN, Reader, as_mapping, either, shown
from .wire import MAX_SERVICE_TIMEOUT, RESOURCE_TYPE

REQUEST_PROPERTIES = (
    "Name",
    "ModelVariantActions",
    "DesiredModelVariants",
    "DesiredState",
    "Reason",
)
"""The members of StopInferenceExperiment's request."""
OWN_PROPERTIES = ("Outcome", "Instances", "StopOn", "EndNow", "PromoteIf", "Otherwise")
CLOUDFORMATION_PROPERTIES = ("ServiceToken", "ServiceTimeout")

MASK = "****"
"""What CloudFormation's events show for the value of a parameter with ``NoEcho``."""


Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=str)

_PAIR = ("ProductionMetric", "ShadowMetric")
"""The members of a comparison of any two metrics."""


class _StringEnum(str, Enum):
    """An enum whose members are written as their values, whatever the release of Python."""

    def __str__(self) -> str:
        return str(self.value)


class Action(_StringEnum):
    """What happens to a variant when the experiment stops: a ModelVariantAction."""

    RETAIN = "Retain"
    """It stays deployed."""
    REMOVE = "Remove"
    """It is removed from the endpoint."""
    PROMOTE = "Promote"
    """It becomes the production variant; only the shadow variant can."""


class OutcomeKind(_StringEnum):
    """How an experiment ends, without the names of its variants."""

    PROMOTE_SHADOW = "PromoteShadow"
    """The shadow variant replaces the production variant."""
    KEEP_PRODUCTION = "KeepProduction"
    """The production variant stays, the shadow variant is removed."""
    KEEP_BOTH = "KeepBoth"
    """Both variants stay."""

    @property
    def actions(self) -> tuple[Action, Action]:
        """The actions for the production variant and for the shadow variant."""
        return _ACTIONS[self]


_ACTIONS = {
    OutcomeKind.PROMOTE_SHADOW: (Action.REMOVE, Action.PROMOTE),
    OutcomeKind.KEEP_PRODUCTION: (Action.RETAIN, Action.REMOVE),
    OutcomeKind.KEEP_BOTH: (Action.RETAIN, Action.RETAIN),
}


class InstancesOf(_StringEnum):
    """The variant whose instances a promoted shadow variant gets."""

    PRODUCTION = "Production"
    """Production's instance type, and its instance count when the experiment ends."""
    SHADOW = "Shadow"
    """The shadow's own instance type and count."""


class StopOn(_StringEnum):
    """A CloudFormation event that ends the experiment."""

    CREATE = "Create"
    """The resource is created."""
    UPDATE = "Update"
    """The declared end changes."""
    DELETE = "Delete"
    """The resource is deleted."""


DEFAULT_STOP_ON = (StopOn.UPDATE, StopOn.DELETE)


@dataclass(frozen=True)
class Instances:
    """The instances of a variant: a RealTimeInferenceConfig."""

    instance_type: str
    instance_count: int


@dataclass(frozen=True)
class Variant:
    """A variant to deploy after the experiment: a ModelVariantConfig."""

    model_name: str
    variant_name: str
    instances: Instances

    def as_request(self) -> dict[str, object]:
        """The member of ``DesiredModelVariants``, as the API wants it."""
        return {
            "ModelName": self.model_name,
            "VariantName": self.variant_name,
            "InfrastructureConfig": {
                "InfrastructureType": limits.INFRASTRUCTURE_TYPE,
                "RealTimeInferenceConfig": {
                    "InstanceType": self.instances.instance_type,
                    "InstanceCount": self.instances.instance_count,
                },
            },
        }


@dataclass(frozen=True)
class Outcome:
    """An end that does not name variants.

    Attributes:
        instances: Those of the promoted variant; None unless it promotes.
        names_instances: They are declared, not the default. The end is the same.
    """

    kind: OutcomeKind
    instances: InstancesOf | Instances | None = None
    names_instances: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class VariantActions:
    """An end that names the experiment's variants.

    Both attributes are sorted by the variant's name, so that the order in which variants are
    declared makes no difference.

    Attributes:
        actions: The action for each variant, by the variant's name.
        desired: The variants to deploy after the experiment; None if SageMaker is to keep those
            that remain.
    """

    actions: Mapping[str, Action]
    desired: tuple[Variant, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "actions", dict(sorted(self.actions.items())))
        if self.desired is not None:
            by_name = sorted(self.desired, key=lambda variant: variant.variant_name)
            object.__setattr__(self, "desired", tuple(by_name))

    def __hash__(self) -> int:
        return hash((tuple(self.actions.items()), self.desired))


@dataclass(frozen=True)
class End:
    """How an experiment is to end. Two that are equal are the same end.

    Attributes:
        desired_state: ``Completed`` or ``Cancelled``; None if SageMaker is to decide.
    """

    how: Outcome | VariantActions
    desired_state: str | None = None

    @property
    def promotes(self) -> bool:
        """Whether it promotes a variant."""
        if isinstance(self.how, Outcome):
            return Action.PROMOTE in self.how.kind.actions
        return Action.PROMOTE in self.how.actions.values()


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch; dimensions are pairs of a name and a value."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


@dataclass(frozen=True)
class Comparison:
    """A metric of the shadow variant and its bounds, of which at least one is given.

    Latencies are in microseconds, as CloudWatch has them.

    Attributes:
        metric: SageMaker's metric of both variants, or the metrics of production and of the shadow.
        statistic: ``Average`` or a percentile of ModelLatency; None for errors and for two metrics.
        max_ratio: At most this many times production's value.
        max_increase: At most this much over production's value.
        max_value: At most this.
        max_rate: At most this share of the requests.
        at_least: At least this.
        failure_limit: How many hours may break the bounds of a percentile.
        dry_run: It is measured and reported, but does not affect the verdict.
    """

    metric: str | tuple[Metric, Metric]
    statistic: str | None = None
    max_ratio: float | None = None
    max_increase: float | None = None
    max_value: float | None = None
    max_rate: float | None = None
    at_least: float | None = None
    failure_limit: int = 0
    dry_run: bool = False


@dataclass(frozen=True)
class Evidence:
    """What CloudWatch must have measured before a promotion: the property ``PromoteIf``.

    Attributes:
        min_invocations: Requests that production and the shadow each need.
        window: The seconds that are compared; None with a confidence, which takes the whole test.
        comparisons: At most ten; there is at least one, or an alarm.
        alarms: The names of alarms that must be OK, at most ten.
        confidence: How sure the verdict must be, 0.8 to 0.999; None if values are only compared.
        min_hours: Hours that must have been measured; None without a confidence.
    """

    min_invocations: int
    window: int | None
    comparisons: tuple[Comparison, ...] = ()
    alarms: tuple[str, ...] = ()
    confidence: float | None = None
    min_hours: int | None = None


@dataclass(frozen=True)
class Declaration:
    """How an experiment is to end, and which events end it.

    Attributes:
        name: The experiment's name.
        reason: The user's reason; None if there is none, or an empty one.
        end_now: A change from false to true ends the experiment.
        promote_if: The evidence that a promotion needs; None if it needs none.
        otherwise: The end of a deletion whose promotion the evidence does not allow.
        service_timeout: Seconds after which CloudFormation gives up, 1 to 3600.
    """

    name: str
    end: End
    reason: str | None
    stop_on: frozenset[StopOn]
    end_now: bool
    promote_if: Evidence | None
    otherwise: OutcomeKind
    service_timeout: int

    def is_of(self, name: str) -> bool:
        """Whether it is for the experiment with this name, ignoring case."""
        return self.name.lower() == name.lower()


@dataclass(frozen=True)
class Problems:
    """Why properties are no declaration.

    Attributes:
        messages: One for each problem: the property, the rule, the value and the remedy.
    """

    messages: tuple[str, ...]

    def __str__(self) -> str:
        return f"invalid {RESOURCE_TYPE} properties: {'; '.join(self.messages)}"


def parse(properties: object) -> Declaration | Problems:
    """Read a resource's properties. Any value is accepted; what is wrong with it is a problem.

    CloudFormation delivers every scalar as a string, which is converted to the API's type.
    """
    parser = _Parser(properties, Reader())
    declaration = parser.declaration()
    problems = parser.reader.problems
    return Problems(tuple(problems)) if problems or declaration is None else declaration


def find_problems(
    properties: Mapping[str, object],
    *,
    names: Mapping[str, str],
    is_unresolved: Callable[[object], bool],
) -> list[str]:
    """What :func:`parse` would refuse, for synth, where numbers are not text.

    Args:
        properties: The resource's properties.
        names: The name to show for a member, by the API's name.
        is_unresolved: Whether a value is not known yet (a CDK token); such a value passes.
    """
    parser = _Parser(properties, Reader(names, is_unresolved, is_delivered=False))
    parser.declaration()
    return parser.reader.problems


class _Parser:
    """Reads the properties of one resource, in the order in which problems are listed."""

    def __init__(self, properties: object, reader: Reader) -> None:
        self.reader = reader
        self._properties = properties
        self._given = as_mapping(properties)

    def declaration(self) -> Declaration | None:
        """The declaration; None if it has problems, or values that are not known yet."""
        reader = self.reader
        if not isinstance(self._properties, Mapping):
            reader.refuse(f"the properties must be an object, got {shown(self._properties)}")
            return None
        self._refuse_unknown_properties()
        name = self._name()
        how = self._how()
        state = self._choice("DesiredState", limits.DESIRED_STATES)
        reason = self._optional("Reason", partial(reader.text, limit=limits.REASON))
        stop_on = self._optional("StopOn", self._stop_on)
        end_now = self._optional("EndNow", reader.flag)
        promote_if = self._promote_if()
        otherwise = self._choice("Otherwise", (OutcomeKind.KEEP_PRODUCTION, OutcomeKind.KEEP_BOTH))
        service_timeout = self._optional(
            "ServiceTimeout", partial(reader.count, minimum=1, maximum=MAX_SERVICE_TIMEOUT)
        )
        if reader.problems or name is None or how is None:
            return None
        return Declaration(
            name=name,
            end=End(how, state),
            reason=reason or None,
            stop_on=frozenset(DEFAULT_STOP_ON if stop_on is None else stop_on),
            end_now=bool(end_now),
            promote_if=promote_if,
            otherwise=otherwise or OutcomeKind.KEEP_PRODUCTION,
            service_timeout=service_timeout or MAX_SERVICE_TIMEOUT,
        )

    def _refuse_unknown_properties(self) -> None:
        known = {*REQUEST_PROPERTIES, *OWN_PROPERTIES, *CLOUDFORMATION_PROPERTIES}
        for name in self._given:
            if name not in known:
                self.reader.refuse(
                    f"{shown(name)} is not a property of {RESOURCE_TYPE}: leave it out"
                )

    def _optional(self, member: str, read: Callable[[str, object], Value]) -> Value | None:
        value = self._given.get(member)
        return None if value is None else read(self.reader.name(member), value)

    def _choice(self, member: str, allowed: Sequence[Choice]) -> Choice | None:
        return self._optional(member, partial(self.reader.choice, allowed=allowed))

    def _name(self) -> str | None:
        label, value = self.reader.name("Name"), self._given.get("Name")
        if value is None:
            described = limits.EXPERIMENT_NAME.described
            self.reader.refuse(f"'{label}' is required: {described}")
            return None
        return self.reader.text(label, value, limits.EXPERIMENT_NAME)

    def _how(self) -> Outcome | VariantActions | None:
        ways = ("Outcome", "ModelVariantActions")
        given = [way for way in ways if self._given.get(way) is not None]
        name = self.reader.name
        if len(given) != 1:
            labels, got = [f"'{name(way)}'" for way in ways], "both" if given else "neither"
            self.reader.refuse(f"exactly one of {' and '.join(labels)} is required, got {got}")
        elif given == ["Outcome"] and self._given.get("DesiredModelVariants") is not None:
            self.reader.refuse(
                f"'{name('DesiredModelVariants')}' must be left out with '{name('Outcome')}': to "
                f"name the instances of a promoted variant, use '{name('Instances')}'"
            )
        kind = self._choice("Outcome", tuple(OutcomeKind))
        instances = self._optional("Instances", self._promoted_instances)
        actions = self._optional("ModelVariantActions", self._actions)
        desired = self._optional("DesiredModelVariants", self._variants)
        if kind is not None:
            promotes = kind is OutcomeKind.PROMOTE_SHADOW
            promoted = (instances or InstancesOf.PRODUCTION) if promotes else None
            return Outcome(kind, promoted, names_instances=instances is not None)
        return None if actions is None else VariantActions(actions, desired)

    def _promoted_instances(self, label: str, given: object) -> InstancesOf | Instances | None:
        reader, outcome = self.reader, self._given.get("Outcome")
        if reader.is_unresolved(given):
            return None
        if outcome != OutcomeKind.PROMOTE_SHADOW and not reader.is_unresolved(outcome):
            reader.refuse(
                f"'{label}' must be left out unless '{reader.name('Outcome')}' is "
                f"'{OutcomeKind.PROMOTE_SHADOW}', got "
                f"{'an object' if isinstance(given, Mapping) else shown(given)}"
            )
        if isinstance(given, Mapping):
            members = ("InstanceType", "InstanceCount")
            for member in given:
                if member not in members:
                    reader.refuse(f"'{label}' may hold {either(members)}, got {shown(member)}")
            return self._instances(label, given, limits.MIN_PROMOTED_INSTANCES)
        for source in InstancesOf:
            if isinstance(given, str) and given == source:
                return source
        type_label, count_label = reader.name("InstanceType"), reader.name("InstanceCount")
        reader.refuse(
            f"'{label}' must be {either(tuple(InstancesOf))}, or an object of '{type_label}' "
            f"and '{count_label}', got {shown(given)}"
        )
        return None

    def _instances(self, label: str, given: Mapping[str, object], minimum: int) -> Instances | None:
        reader = self.reader
        type_label = reader.within(label, "InstanceType")
        count_label = reader.within(label, "InstanceCount")
        instance_type = reader.text(type_label, given.get("InstanceType"), limits.INSTANCE_TYPE)
        instance_count = reader.count(
            count_label, given.get("InstanceCount"), minimum, limits.MAX_INSTANCE_COUNT
        )
        if instance_type is None or instance_count is None:
            return None
        return Instances(instance_type, instance_count)

    def _actions(self, label: str, given: object) -> dict[str, Action] | None:
        reader, maximum = self.reader, limits.MAX_VARIANTS
        if reader.is_unresolved(given):
            return None
        if not isinstance(given, Mapping) or not given:
            reader.refuse(
                f"'{label}' must name 1 to {maximum} variants with an action each, got "
                f"{shown(given)}"
            )
            return None
        if len(given) > maximum:
            reader.refuse(f"'{label}' must have at most {maximum} entries, got {len(given)}")
        actions = {}
        for variant, value in given.items():
            name = reader.text(f"{label}: variant name", variant, limits.VARIANT_NAME)
            known_by = variant if isinstance(variant, str) else shown(variant)
            action = reader.choice(f"{label}[{known_by[:MAX_SHOWN]}]", value, Action)
            if name is not None and action is not None:
                actions[name] = action
        self._refuse_combinations(label, list(given.values()))
        return actions

    def _refuse_combinations(self, label: str, actions: Sequence[object]) -> None:
        promoted = actions.count(Action.PROMOTE)
        if promoted > 1:
            self.reader.refuse(
                f"'{label}' must promote at most one variant, got {promoted}: only the shadow "
                f"variant can become the production variant"
            )
        if len(actions) > 1 and actions.count(Action.REMOVE) == len(actions):
            self.reader.refuse(
                f"'{label}' must leave the endpoint a production variant, got '{Action.REMOVE}' "
                f"for every variant: retain the production variant or promote the shadow variant"
            )

    def _variants(self, label: str, given: object) -> tuple[Variant, ...] | None:
        reader, maximum = self.reader, limits.MAX_VARIANTS
        if reader.is_unresolved(given):
            return None
        if not _is_list(given) or not given:
            reader.refuse(
                f"'{label}' must list 1 to {maximum} variants, or be left out, got {shown(given)}"
            )
            return None
        if len(given) > maximum:
            reader.refuse(f"'{label}' must list at most {maximum} variants, got {len(given)}")
        variants = [
            self._variant(f"{label}[{index}]", variant) for index, variant in enumerate(given)
        ]
        self._refuse_other_variants(label, given)
        return tuple(variant for variant in variants if variant is not None)

    def _variant(self, label: str, given: object) -> Variant | None:
        reader = self.reader
        if reader.is_unresolved(given):
            return None
        if not isinstance(given, Mapping):
            reader.refuse(f"'{label}' must be a ModelVariantConfig, got {shown(given)}")
            return None
        model_label, name_label = (
            reader.within(label, member) for member in ("ModelName", "VariantName")
        )
        model_name = reader.text(model_label, given.get("ModelName"), limits.MODEL_NAME)
        variant_name = reader.text(name_label, given.get("VariantName"), limits.VARIANT_NAME)
        infrastructure = as_mapping(given.get("InfrastructureConfig"))
        kind, only = infrastructure.get("InfrastructureType"), limits.INFRASTRUCTURE_TYPE
        reader.choice(reader.within(label, "InfrastructureType"), kind, (only,))
        real_time = as_mapping(infrastructure.get("RealTimeInferenceConfig"))
        instances = self._instances(label, real_time, limits.MIN_INSTANCE_COUNT)
        if model_name is None or variant_name is None or instances is None:
            return None
        return Variant(model_name, variant_name, instances)

    def _refuse_other_variants(self, label: str, variants: Sequence[object]) -> None:
        """Refuse variants that are listed twice, or do not remain by the actions."""
        reader, actions = self.reader, self._given.get("ModelVariantActions")
        wanted = [as_mapping(variant).get("VariantName") for variant in variants]
        known = [
            name for name in wanted if isinstance(name, str) and not reader.is_unresolved(name)
        ]
        for name in sorted({name for name in known if known.count(name) > 1}):
            reader.refuse(
                f"'{label}' must name each variant once, got {shown(name)} {known.count(name)} "
                f"times"
            )
        if not isinstance(actions, Mapping) or any(map(reader.is_unresolved, actions)):
            return
        of_actions = reader.name("ModelVariantActions")
        for name in dict.fromkeys(known):
            names = f"'{label}' names variant {shown(name)}, which"
            if name not in actions:
                reader.refuse(f"{names} has no action in '{of_actions}'")
            elif actions[name] == Action.REMOVE:
                reader.refuse(
                    f"{names} '{of_actions}' removes: list only the variants that stay deployed"
                )

    def _stop_on(self, label: str, given: object) -> list[StopOn] | None:
        reader = self.reader
        if reader.is_unresolved(given):
            return None
        if not _is_list(given) or not given:
            allowed = either(tuple(StopOn))
            reader.refuse(f"'{label}' must list at least one of {allowed}, got {shown(given)}")
            return None
        read = [reader.choice(label, event, StopOn, verb="list") for event in given]
        return [event for event in read if event is not None]

    def _promote_if(self) -> Evidence | None:
        reader, given = self.reader, self._given.get("PromoteIf")
        label, otherwise = reader.name("PromoteIf"), reader.name("Otherwise")
        if given is None:
            if self._given.get("Otherwise") is not None:
                reader.refuse(f"'{otherwise}' needs '{label}': leave it out")
            return None
        if reader.is_unresolved(given):
            return None
        evidence = self._evidence(label, given)
        outcome = self._given.get("Outcome")
        actions = as_mapping(self._given.get("ModelVariantActions"))
        ways = list(actions.values()) if outcome is None else [outcome]
        promotes = OutcomeKind.PROMOTE_SHADOW in ways or Action.PROMOTE in ways
        if not promotes and not any(map(reader.is_unresolved, ways)):
            reader.refuse(f"'{label}' needs a promotion, and none is declared: leave it out")
        return evidence

    def _evidence(self, label: str, given: object) -> Evidence | None:
        reader = self.reader
        allowed = ("MinInvocations", "Window", "Comparisons", "Alarms", "Confidence", "MinHours")
        members = self._members(label, given, allowed)
        if members is None:
            return None
        is_sequential = members.get("Confidence") is not None
        if is_sequential:
            # The statistics decide how many requests are enough.
            members = {"MinInvocations": 1, **members}
        label_of_minimum = reader.within(label, "MinInvocations")
        min_invocations = reader.number(
            label_of_minimum, members.get("MinInvocations"), limits.MIN_INVOCATIONS
        )
        confidence = self._number(label, members, "Confidence", limits.CONFIDENCE)
        window, min_hours = self._duration(label, members, is_sequential=is_sequential)
        alarms = [
            reader.text(where, alarm, limits.ALARM_NAME)
            for where, alarm in self._listed(label, members, "Alarms", limits.MAX_LISTED)
        ]
        comparisons = [
            self._comparison(where, comparison, window)
            for where, comparison in self._listed(label, members, "Comparisons", limits.MAX_LISTED)
        ]
        if not members.get("Comparisons") and not members.get("Alarms"):
            reader.refuse(f"'{label}' must hold a comparison or an alarm, got neither")
        if reader.problems or min_invocations is None:
            return None
        return Evidence(
            min_invocations=int(min_invocations),
            window=window,
            comparisons=tuple(comparison for comparison in comparisons if comparison is not None),
            alarms=tuple(alarm for alarm in alarms if alarm is not None),
            confidence=confidence,
            min_hours=min_hours,
        )

    def _duration(
        self, label: str, members: Mapping[str, object], *, is_sequential: bool
    ) -> tuple[int | None, int | None]:
        """The window, and with a confidence the least number of hours in its place."""
        reader = self.reader
        confidence = reader.name("Confidence")
        refused = "Window" if is_sequential else "MinHours"
        if members.get(refused) is not None:
            name = reader.within(label, refused)
            why = f"must be left out {'with' if is_sequential else 'without'} '{confidence}'"
            takes = ", which takes the whole test" if is_sequential else ""
            reader.refuse(f"'{name}' {why}{takes}")
        if is_sequential:
            hours = self._number(label, members, "MinHours", limits.MIN_HOURS)
            return None, int(hours or limits.DEFAULT_MIN_HOURS)
        window = self._number(label, members, "Window", limits.WINDOW)
        return int(window or limits.DEFAULT_WINDOW), None

    def _comparison(self, label: str, given: object, window: int | None) -> Comparison | None:
        reader, members = self.reader, as_mapping(given)
        metric = members.get("Metric")
        own: tuple[str, ...] = ("Metric", "Statistic", "FailureLimit")
        bounds = limits.BOUNDS_OF_LATENCY
        if any(member in members for member in _PAIR):
            own, bounds = _PAIR, limits.BOUNDS_OF_METRICS
        elif metric in limits.ERROR_METRICS:
            own, bounds = ("Metric",), limits.BOUNDS_OF_ERRORS
        if self._members(label, given, (*own, *bounds, "DryRun")) is None:
            return None
        compared: str | tuple[Metric, Metric] | None
        if own == _PAIR:
            compared = self._pair(label, members)
            if window is not None:
                reader.refuse(
                    f"'{label}' compares two metrics by the hour, which needs "
                    f"'{reader.name('Confidence')}'"
                )
        else:
            compared = reader.choice(reader.within(label, "Metric"), metric, limits.METRICS)
        statistic = self._statistic(label, members, window)
        read = {name: self._number(label, members, name, bounds[name]) for name in bounds}
        if all(members.get(bound) is None for bound in bounds):
            allowed = either([reader.name(bound) for bound in bounds])
            reader.refuse(f"'{label}' must have a bound, got none: give {allowed}")
        limit = self._failure_limit(
            label, members, is_hourly=statistic in limits.PERCENTILES, window=window
        )
        dry_run = members.get("DryRun")
        if dry_run is not None:
            dry_run = reader.flag(reader.within(label, "DryRun"), dry_run)
        if compared is None:
            return None
        return Comparison(
            metric=compared,
            statistic=statistic or limits.AVERAGE if compared == limits.MODEL_LATENCY else None,
            max_ratio=read.get("MaxRatio"),
            max_increase=read.get("MaxIncrease"),
            max_value=read.get("MaxValue"),
            max_rate=read.get("MaxRate"),
            at_least=read.get("AtLeast"),
            failure_limit=limit,
            dry_run=bool(dry_run),
        )

    def _statistic(
        self, label: str, members: Mapping[str, object], window: int | None
    ) -> str | None:
        reader, statistic = self.reader, members.get("Statistic")
        if statistic is None:
            return None
        read = reader.choice(reader.within(label, "Statistic"), statistic, limits.STATISTICS)
        if read in limits.PERCENTILES and window is not None and window < limits.HOUR:
            name = reader.name("Window")
            reader.refuse(
                f"'{label}' needs a '{name}' of at least {limits.HOUR} seconds, got {window}"
            )
        return read

    def _failure_limit(
        self, label: str, members: Mapping[str, object], *, is_hourly: bool, window: int | None
    ) -> int:
        reader = self.reader
        limit = int(self._number(label, members, "FailureLimit", limits.FAILURE_LIMIT) or 0)
        name = reader.within(label, "FailureLimit")
        if limit and not is_hourly:
            reader.refuse(f"'{name}' is for percentiles: leave it out")
        elif limit and window is None:
            confidence = reader.name("Confidence")
            reader.refuse(f"'{name}' must be left out with '{confidence}', which counts the hours")
        return limit

    def _pair(self, label: str, members: Mapping[str, object]) -> tuple[Metric, Metric] | None:
        production, shadow = (
            self._metric(self.reader.within(label, member), members.get(member)) for member in _PAIR
        )
        return None if production is None or shadow is None else (production, shadow)

    def _metric(self, label: str, given: object) -> Metric | None:
        reader = self.reader
        allowed = ("Namespace", "MetricName", "Dimensions", "Statistic")
        members = self._members(label, given, allowed)
        if members is None:
            return None
        texts = {
            member: reader.text(reader.within(label, member), members.get(member), limit)
            for member, limit in (
                ("Namespace", limits.NAMESPACE),
                ("MetricName", limits.METRIC_NAME),
                ("Statistic", limits.STATISTIC),
            )
        }
        dimensions = []
        for where, dimension in self._listed(label, members, "Dimensions", limits.MAX_DIMENSIONS):
            pair = self._members(where, dimension, ("Name", "Value")) or {}
            name = reader.text(f"{where}.Name", pair.get("Name"), limits.DIMENSION_NAME)
            value = reader.text(f"{where}.Value", pair.get("Value"), limits.DIMENSION_VALUE)
            dimensions.append((name or "", value or ""))
        return Metric(
            namespace=texts["Namespace"] or "",
            name=texts["MetricName"] or "",
            dimensions=tuple(dimensions),
            statistic=texts["Statistic"] or "",
        )

    def _members(
        self, label: str, given: object, allowed: Sequence[str]
    ) -> Mapping[str, object] | None:
        """The members of an object; None if it is none. A misspelled bound would have no effect."""
        reader = self.reader
        if not isinstance(given, Mapping):
            if not reader.is_unresolved(given):
                reader.refuse(f"'{label}' must be an object, got {shown(given)}")
            return None
        for member in given:
            if member not in allowed:
                name = shown(reader.name(member))
                reader.refuse(f"'{label}' cannot have {name}: leave it out")
        return given

    def _number(
        self, label: str, members: Mapping[str, object], member: str, limit: limits.NumberLimit
    ) -> float | None:
        value = members.get(member)
        return (
            None
            if value is None
            else self.reader.number(self.reader.within(label, member), value, limit)
        )

    def _listed(
        self, label: str, members: Mapping[str, object], member: str, maximum: int
    ) -> list[tuple[str, object]]:
        """The items of a list, each with its label; none if it is too long, or not known yet."""
        values, where = members.get(member), self.reader.within(label, member)
        if values is None or self.reader.is_unresolved(values):
            return []
        if not _is_list(values):
            self.reader.refuse(
                f"'{where}' must be a list of at most {maximum}, got {shown(values)}"
            )
            return []
        if len(values) > maximum:
            self.reader.refuse(f"'{where}' must be a list of at most {maximum}, got {len(values)}")
            return []
        return [(f"{where}[{index}]", value) for index, value in enumerate(values)]


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def same_properties(event: object, request: object) -> bool:
    """Whether the properties of a stack's event are those of a request.

    Values are compared as CloudFormation writes them, in whatever order. A masked value of the
    event equals any. ServiceToken and ServiceTimeout may differ.
    """
    if isinstance(event, Mapping) and isinstance(request, Mapping):
        event, request = (
            {name: value for name, value in each.items() if name not in CLOUDFORMATION_PROPERTIES}
            for each in (event, request)
        )
    # A stack instead of recursion: properties can be nested more deeply than Python's calls.
    pairs = [(event, request)]
    while pairs:
        seen, sent = pairs.pop()
        if seen == MASK:
            continue
        if isinstance(seen, Mapping) and isinstance(sent, Mapping):
            if seen.keys() != sent.keys():
                return False
            pairs += [(value, sent[name]) for name, value in seen.items()]
        elif isinstance(seen, list) and isinstance(sent, list):
            if len(seen) != len(sent):
                return False
            pairs += zip(seen, sent, strict=True)
        elif _as_delivered(seen) != _as_delivered(sent):
            return False
    return True


def is_masked(event: object) -> bool:
    """Whether a value of a stack's event is masked, because of ``NoEcho``."""
    values = [event]
    while values:
        value = values.pop()
        if value == MASK:
            return True
        if isinstance(value, Mapping):
            values += value.values()
        elif isinstance(value, list):
            values += value
    return False


def _as_delivered(value: object) -> object:
    """A scalar as the string that CloudFormation delivers."""
    if isinstance(value, bool):
        return str(value).lower()
    return shown(value) if isinstance(value, (int, float)) else value
