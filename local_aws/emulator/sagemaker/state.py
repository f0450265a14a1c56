"""SageMaker's state: models, endpoint configurations, endpoints and experiments.

Nothing runs in the background. Future steps (an experiment that starts, an endpoint that settles)
are in a timeline, and every call first runs all steps that are due, in order. So a status is always
correct for the current time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from local_aws.emulator.sagemaker.errors import ApiError, not_found, validation
from local_aws.settings import Settings

__all__ = ["Endpoint", "EndpointConfig", "Experiment", "State", "Timeline", "Variant"]


@dataclass(frozen=True)
class Variant:
    """A model on instances, of an endpoint or of an experiment."""

    name: str
    model: str
    instance_type: str | None = None
    instance_count: int | None = None
    weight: float = 1.0


@dataclass
class EndpointConfig:
    """An endpoint configuration, with production and shadow variants."""

    name: str
    arn: str
    created: float
    production: list[Variant]
    shadow: list[Variant] = field(default_factory=list)
    # Other members (KMS key, data capture) are stored and returned unchanged.
    rest: dict[str, Any] = field(default_factory=dict)


@dataclass
class Endpoint:
    """An endpoint and its current variants."""

    name: str
    arn: str
    config_name: str
    created: float
    modified: float
    production: list[Variant]
    shadow: list[Variant] = field(default_factory=list)
    status: str = "Creating"
    failure_reason: str | None = None
    # The status and reason that the next update ends with; a test's order.
    next_failure: tuple[str, str] | None = None
    # A FailureReason that no later update takes away; a test's order.
    lasting_failure: str | None = None
    # Current and desired instances of variants that have scaled away from their configuration.
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Experiment:
    """An inference experiment; ``request`` created it, with later updates merged in.

    ``before`` is the endpoint before the test, which an end by schedule restores.
    """

    name: str
    arn: str
    endpoint_name: str
    created: float
    modified: float
    request: dict[str, Any]
    variants: list[Variant]
    source: str
    variant_status: dict[str, str] = field(default_factory=dict)
    status: str = "Creating"
    status_reason: str | None = None
    completed: float | None = None
    before: Endpoint | None = None

    @property
    def ended(self) -> bool:
        """Whether the experiment has ended."""
        return self.status in ("Completed", "Cancelled")


class Timeline:
    """Future steps, each with its owner so that it can be cancelled."""

    def __init__(self) -> None:
        """Start with nothing due."""
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, str, Callable[[float], None]]] = []

    def at(self, when: float, owner: str, action: Callable[[float], None]) -> None:
        """Schedule an action; it will be called with the time at which it was due."""
        heapq.heappush(self._due, (when, next(self._numbers), owner, action))

    @property
    def next_due(self) -> float | None:
        """When the next step is due; None without one."""
        return self._due[0][0] if self._due else None

    def cancel(self, owner: str) -> None:
        """Call off everything an owner still had to come."""
        self._due = [entry for entry in self._due if entry[2] != owner]
        heapq.heapify(self._due)

    def bring_forward(self, owner: str, now: float) -> None:
        """Let everything an owner still had to come happen now."""
        due = sorted(entry for entry in self._due if entry[2] == owner)
        self.cancel(owner)
        for _, _, _, action in due:
            action(now)

    def advance(self, now: float) -> None:
        """Let everything that is due by now happen, earliest first, and what that brings on."""
        while self._due and self._due[0][0] <= now:
            when, _, _, action = heapq.heappop(self._due)
            action(when)


@dataclass
class State:
    """Everything the service knows; a reset makes a new one.

    ``own_settings`` are those of single experiments by their name, in place of ``settings``.
    ``tags`` are by the resource's ARN in lower case.
    """

    settings: Settings
    own_settings: dict[str, Settings] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    configs: dict[str, EndpointConfig] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)
    # Called with each endpoint whose status has changed.
    on_endpoint_change: Callable[[Endpoint], object] | None = None
    _config_numbers: itertools.count[int] = field(default_factory=itertools.count)

    def settings_of(self, experiment: Experiment) -> Settings:
        """Return what an experiment goes by."""
        return self.own_settings.get(experiment.name, self.settings)

    def experiment(self, name: str, arn: str) -> Experiment:
        """Return an experiment or raise ResourceNotFound."""
        try:
            return self.experiments[name]
        except KeyError:
            raise not_found(arn) from None

    def endpoint(self, name: str, arn: str) -> Endpoint:
        """Return an endpoint or raise AWS's ValidationException."""
        try:
            return self.endpoints[name]
        except KeyError:
            raise validation(f'Could not find endpoint "{arn}".') from None

    def tag(self, arn: str, request: dict[str, Any]) -> None:
        """Give a new resource the tags of the request that creates it."""
        self.tags[arn.lower()] = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}

    def untag(self, arn: str) -> None:
        """Forget the tags of a resource that is deleted."""
        self.tags.pop(arn.lower(), None)

    def require_model(self, name: str, arn: str) -> None:
        """Raise unless a model exists."""
        if name not in self.models:
            raise validation(f'Could not find model "{arn}".')

    def serve(
        self, endpoint: Endpoint, now: float, production: list[Variant], shadow: list[Variant]
    ) -> None:
        """Set an endpoint's variants, with a new configuration like AWS."""
        name = f"{endpoint.name[:50]}-{next(self._config_numbers):04d}"
        old = self.configs.get(endpoint.config_name)
        arn = endpoint.arn.rsplit(":", 1)[0] + f":endpoint-config/{name}"
        rest = dict(old.rest) if old else {}
        self.configs[name] = EndpointConfig(name, arn, now, list(production), list(shadow), rest)
        endpoint.config_name, endpoint.modified = name, now
        endpoint.production, endpoint.shadow = list(production), list(shadow)
        endpoint.counts.clear()

    def settle(self, endpoint: Endpoint, when: float, status: str = "Updating") -> None:
        """Set an endpoint Updating, or Creating, until a time at which it is InService again."""

        def settled(at: float) -> None:
            endpoint.modified = at
            endpoint.status, endpoint.failure_reason = endpoint.next_failure or (
                "InService",
                endpoint.lasting_failure,
            )
            endpoint.next_failure = None
            self.tell_of(endpoint)

        self.timeline.cancel(f"endpoint/{endpoint.name}")
        if endpoint.status != status:
            endpoint.status = status
            self.tell_of(endpoint)
        self.timeline.at(when, f"endpoint/{endpoint.name}", settled)

    def tell_of(self, endpoint: Endpoint) -> None:
        """Tell whoever listens that an endpoint's status has changed."""
        if self.on_endpoint_change is not None:
            self.on_endpoint_change(endpoint)


def variant_from_config(config: dict[str, Any]) -> Variant:
    """Return the variant of a ``ModelVariantConfig``."""
    instances = config["InfrastructureConfig"]["RealTimeInferenceConfig"]
    return Variant(
        name=config["VariantName"],
        model=config["ModelName"],
        instance_type=instances["InstanceType"],
        instance_count=instances["InstanceCount"],
    )


def redeclared(variant: Variant, desired: Variant) -> Variant:
    """Return a variant with another model and other instances."""
    return replace(
        variant,
        model=desired.model,
        instance_type=desired.instance_type,
        instance_count=desired.instance_count,
    )


def already_exists(kind: str, arn: str) -> ApiError:
    """Return AWS's error for a name that is already used."""
    return validation(f'Cannot create already existing {kind} "{arn}".')
