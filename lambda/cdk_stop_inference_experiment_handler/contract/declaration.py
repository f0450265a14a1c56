"""What a ``Custom::StopInferenceExperiment`` resource declares: its properties, parsed.

The properties of the resource are the request members of StopInferenceExperiment plus the few of
:data:`OWN_PROPERTIES`. CloudFormation delivers every scalar as a string; :func:`parse` gives them
the API's types back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from .constraints import DEFAULT_STOP_ON, PROMOTE, REASON
from .validation import problems

RESOURCE_TYPE = "Custom::StopInferenceExperiment"

REQUEST_PROPERTIES = (
    "Name",
    "ModelVariantActions",
    "DesiredModelVariants",
    "DesiredState",
    "Reason",
)
OWN_PROPERTIES = ("StopOn", "StackOwnsExperiment")
"""``StackOwnsExperiment`` says that the stack creates the experiment itself, so that a rollback
that deletes the whole stack may stop it first."""

CLOUDFORMATION_PROPERTIES = ("ServiceToken", "ServiceTimeout")

DEFAULT_SERVICE_TIMEOUT = 3600
"""Seconds CloudFormation waits for an answer where ``ServiceTimeout`` is not set, its maximum."""


class InvalidDeclaration(ValueError):
    """The resource's properties break a rule of StopInferenceExperiment."""


@dataclass(frozen=True)
class Declaration:
    """How an experiment shall end, and which events may end it.

    Attributes:
        request: The members of StopInferenceExperiment's request, typed; ``Reason`` always set.
        stop_on: Out of ``Create``, ``Update`` and ``Delete``.
        stack_owns_experiment: The experiment is a resource of the same stack.
        service_timeout: Seconds after which CloudFormation gives up, 1 to 3600.
    """

    request: Mapping[str, object]
    stop_on: frozenset[str]
    stack_owns_experiment: bool
    service_timeout: int

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.request["Name"])

    @property
    def reason(self) -> str:
        """The reason SageMaker records, by which the end is told from anybody else's."""
        return str(self.request["Reason"])

    @property
    def desired_state(self) -> str | None:
        """``Completed``, ``Cancelled``, or None where SageMaker's own default applies."""
        state = self.request.get("DesiredState")
        return None if state is None else str(state)

    @property
    def actions(self) -> Mapping[str, str]:
        """The action for each variant."""
        actions = self.request.get("ModelVariantActions")
        return actions if isinstance(actions, Mapping) else {}

    @property
    def promoted(self) -> str | None:
        """The variant to promote, if any."""
        return next((name for name, action in self.actions.items() if action == PROMOTE), None)

    def declares_the_same_end_as(self, other: Declaration) -> bool:
        """Whether both end the same experiment in the same way; the order of variants is free."""
        return _canonical(self.request) == _canonical(other.request)


def parse(properties: Mapping[str, object], *, stack_name: str, logical_id: str) -> Declaration:
    """Read a resource's properties as CloudFormation sends them.

    Args:
        properties: ``ResourceProperties`` of the event, of this or any released version of the
            library.
        stack_name: Named by the default reason.
        logical_id: Named by the default reason.

    Raises:
        InvalidDeclaration: With everything that is wrong, each problem naming its property.
    """
    known = {*REQUEST_PROPERTIES, *OWN_PROPERTIES, *CLOUDFORMATION_PROPERTIES}
    found = [
        f"'{name}' is not a property of {RESOURCE_TYPE}" for name in properties if name not in known
    ]
    typed = {name: _typed(name, value) for name, value in properties.items()}
    found += problems(typed)
    if found:
        raise InvalidDeclaration(f"invalid {RESOURCE_TYPE} properties: {'; '.join(found)}")
    return _declaration(typed, stack_name, logical_id)


def parse_replaced(
    properties: Mapping[str, object], *, stack_name: str, logical_id: str
) -> Declaration | None:
    """Read ``OldResourceProperties``, which are only compared with and never carried out.

    They may break the rules: an Update that was refused for its properties is rolled back with
    these as the old ones.

    Returns:
        None where not even the experiment is named.
    """
    if not isinstance(properties.get("Name"), str):
        return None
    typed = {name: _typed(name, value) for name, value in properties.items()}
    return _declaration(typed, stack_name, logical_id)


def _declaration(typed: Mapping[str, object], stack_name: str, logical_id: str) -> Declaration:
    # An empty reason would tell our end from nobody's that gave none.
    request = {
        name: typed[name] for name in REQUEST_PROPERTIES if typed.get(name) not in (None, "")
    }
    request.setdefault("Reason", _default_reason(request, stack_name, logical_id))
    stop_on = typed.get("StopOn")
    return Declaration(
        request=request,
        stop_on=frozenset(map(str, stop_on) if isinstance(stop_on, list) else DEFAULT_STOP_ON),
        stack_owns_experiment=str(typed.get("StackOwnsExperiment", "false")).lower() == "true",
        service_timeout=_service_timeout(typed.get("ServiceTimeout")),
    )


def _service_timeout(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and int(text) > 0 else DEFAULT_SERVICE_TIMEOUT


def _typed(name: str, value: object) -> object:
    if name == "DesiredModelVariants" and isinstance(value, list):
        return [_typed_variant(variant) for variant in value]
    return value


def _typed_variant(variant: object) -> object:
    """The variant with ``InstanceCount`` as a number; any other shape as it came, to be refused."""
    if not isinstance(variant, Mapping):
        return variant
    infrastructure = variant.get("InfrastructureConfig")
    if not isinstance(infrastructure, Mapping):
        return variant
    real_time = infrastructure.get("RealTimeInferenceConfig")
    if not isinstance(real_time, Mapping):
        return variant
    count = real_time.get("InstanceCount")
    if isinstance(count, str) and count.isascii() and count.removeprefix("-").isdecimal():
        real_time = {**real_time, "InstanceCount": int(count)}
    return {
        **variant,
        "InfrastructureConfig": {**infrastructure, "RealTimeInferenceConfig": real_time},
    }


def _default_reason(request: Mapping[str, object], stack_name: str, logical_id: str) -> str:
    """Names the stack and the resource; the digest tells one declaration's end from another's."""
    digest = hashlib.sha256(_canonical(request).encode()).hexdigest()[:8]
    reason = f"Stopped by CloudFormation stack {stack_name}, resource {logical_id} ({digest})"
    return reason[: REASON.maximum]


def _canonical(request: Mapping[str, object]) -> str:
    variants = request.get("DesiredModelVariants")
    if isinstance(variants, list):
        request = {
            **request,
            "DesiredModelVariants": sorted(
                variants, key=lambda variant: json.dumps(variant, sort_keys=True)
            ),
        }
    return json.dumps(request, sort_keys=True)
