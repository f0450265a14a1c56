"""The properties of a ``Custom::StopInferenceExperiment`` resource, parsed.

They are the request members of StopInferenceExperiment plus :data:`OWN_PROPERTIES`, of which
``Outcome`` replaces the members that name variants. CloudFormation delivers every scalar as a
string; :func:`parse` converts them back to the API's types.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .constraints import (
    DEFAULT_STOP_ON,
    KEEP_PRODUCTION,
    NUMBERS,
    OUTCOMES,
    PRODUCTION,
    PROMOTE,
    PROMOTE_SHADOW,
    REASON,
    REMOVE,
    RETAIN,
)
from .validation import problems
from .wire import MAX_SERVICE_TIMEOUT, RESOURCE_TYPE

REQUEST_PROPERTIES = (
    "Name",
    "ModelVariantActions",
    "DesiredModelVariants",
    "DesiredState",
    "Reason",
)
OWN_PROPERTIES = (
    "Outcome",
    "Instances",
    "StopOn",
    "EndNow",
    "StackOwnsExperiment",
    "PromoteIf",
    "Otherwise",
)
"""``StackOwnsExperiment``: the stack creates the experiment itself and does not retain it. If the
stack's creation is undone, the experiment is stopped before it is deleted."""

CLOUDFORMATION_PROPERTIES = ("ServiceToken", "ServiceTimeout")

MAX_WORDS = REASON.maximum - len(" (01234567)")
"""Characters of a user's reason that are sent; the rest is cut off, since the digest follows."""


class InvalidDeclaration(ValueError):
    """The resource's properties break a rule of StopInferenceExperiment."""


@dataclass(frozen=True)
class Declaration:
    """How an experiment is to end, and which events end it: the resource's properties.

    Attributes:
        actions: The action for each variant, by the variant's name; empty for an outcome until
            it is resolved.
        words: The reason that SageMaker records, without the digest.
        service_timeout: Seconds after which CloudFormation gives up, 1 to 3600.
        reason_of_0_1_0: The reason that release 0.1.0 sent; None if it did not know the properties.
        instead_of: The digest of the promotion that this end replaces, because of the evidence.
        outcome: In place of actions and variants; None if those are declared.
    """

    name: str
    actions: Mapping[str, str]
    variants: Sequence[object] | None
    desired_state: str | None
    words: str
    stack_name: str
    stop_on: frozenset[str]
    end_now: bool
    stack_owns_experiment: bool
    promote_if: Mapping[str, Any] | None
    otherwise: str
    service_timeout: int
    reason_of_0_1_0: str | None
    instead_of: str = ""
    outcome: str | None = None
    instances: object = None

    @property
    def request(self) -> Mapping[str, object]:
        """The request of StopInferenceExperiment; an outcome must be resolved first."""
        members = {"Name": self.name, **self._end_by_variants, "Reason": self.reason}
        return {member: value for member, value in members.items() if value is not None}

    @property
    def reason(self) -> str:
        """The reason to send: the user's words and the digest."""
        return f"{self.words[:MAX_WORDS]} ({self.digest})"

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that identify this experiment and its declared end."""
        named = [self.stack_name, self.name.lower(), _canonical(self._end)]
        named += [self.instead_of] if self.instead_of else []
        return hashlib.sha256("\n".join(named).encode()).hexdigest()[:8]

    @property
    def promotes(self) -> bool:
        """Whether it promotes a variant."""
        by_outcome = OUTCOMES.get(self.outcome or "", ())
        return PROMOTE in (by_outcome if self.outcome else self.actions.values())

    def ended(self, status_reason: str) -> bool:
        """Whether this declaration ordered the end that has this StatusReason."""
        return digest_in(status_reason) == self.digest

    def may_have_ended(self, status_reason: str) -> bool:
        """The same, including an end that release 0.1.0 ordered."""
        return self.ended(status_reason) or status_reason == self.reason_of_0_1_0

    def has_the_end_of(self, other: Declaration) -> bool:
        """Whether both end an experiment in the same way, in whatever order they list variants."""
        return _canonical(self._end) == _canonical(other._end)

    def is_same_as(self, other: Declaration) -> bool:
        """Whether both end the same experiment in the same way."""
        return self.is_of(other.name) and self.has_the_end_of(other)

    def is_of(self, name: str) -> bool:
        """Whether it is for the experiment with this name, ignoring case."""
        return self.name.lower() == name.lower()

    def with_shadow_removed(self, production: str, shadow: str) -> Declaration:
        """The declaration for an experiment that its stack is about to delete."""
        actions = {production: RETAIN, shadow: REMOVE}
        words = f"The creation of CloudFormation stack {self.stack_name} was undone"
        return self._by_actions(actions, words)

    def kept(self, verdict: str = "") -> Declaration:
        """The declaration for an experiment whose evidence does not allow the promotion."""
        words = f"Deleted with CloudFormation stack {self.stack_name}; evidence: {verdict}"
        kept = self._by_actions({}, words)
        return replace(kept, outcome=self.otherwise, instead_of=self.digest)

    def _by_actions(self, actions: Mapping[str, str], words: str) -> Declaration:
        return replace(
            self,
            actions=actions,
            variants=None,
            outcome=None,
            instances=None,
            words=words,
            promote_if=None,
        )

    @property
    def _end(self) -> dict[str, object]:
        """What counts as a change: the declaration, not what an outcome resolves to."""
        if self.outcome is None:
            return self._end_by_variants
        return {
            "Outcome": self.outcome,
            "Instances": self.instances,
            "DesiredState": self.desired_state,
        }

    @property
    def _end_by_variants(self) -> dict[str, object]:
        return {
            "ModelVariantActions": self.actions,
            "DesiredModelVariants": self.variants,
            "DesiredState": self.desired_state,
        }


def digest_in(status_reason: str) -> str:
    """The digest in a StatusReason; empty if there is none."""
    digests: list[str] = re.findall(r"\(([0-9a-f]{8})\)", status_reason)
    return digests[-1] if digests else ""


def parse(properties: Mapping[str, object], *, stack_name: str, logical_id: str) -> Declaration:
    """Read the properties of a request, as this release or an earlier one wrote them.

    The names of the stack and of the resource are for the default reason.

    Raises:
        InvalidDeclaration: With every problem; each names its property.
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
    """Read the properties of an earlier request.

    They may be invalid: the rollback of an Update that was refused sends them as the old ones.

    Returns:
        None if the experiment's name is missing.
    """
    if not isinstance(properties.get("Name"), str):
        return None
    typed = {name: _typed(name, value) for name, value in properties.items()}
    if "PromoteIf" in typed and problems(typed):
        # Invalid evidence promotes nothing.
        typed["PromoteIf"] = {}
    return _declaration(typed, stack_name, logical_id)


def _declaration(typed: Mapping[str, object], stack_name: str, logical_id: str) -> Declaration:
    actions, variants = typed.get("ModelVariantActions"), typed.get("DesiredModelVariants")
    outcome = str(typed["Outcome"]) if typed.get("Outcome") else None
    instances = typed.get("Instances") or PRODUCTION if outcome == PROMOTE_SHADOW else None
    stop_on, state = typed.get("StopOn"), typed.get("DesiredState")
    promote_if = typed.get("PromoteIf")
    source = f"Stopped by CloudFormation stack {stack_name}, resource {logical_id}"
    return Declaration(
        name=str(typed["Name"]),
        actions=actions if isinstance(actions, Mapping) and outcome is None else {},
        variants=variants if isinstance(variants, list) and outcome is None else None,
        desired_state=str(state) if state else None,
        words=str(typed.get("Reason") or source),
        stack_name=stack_name,
        stop_on=frozenset(map(str, stop_on) if isinstance(stop_on, list) else DEFAULT_STOP_ON),
        end_now=_flag(typed.get("EndNow")),
        stack_owns_experiment=_flag(typed.get("StackOwnsExperiment")),
        promote_if=promote_if if isinstance(promote_if, Mapping) else None,
        otherwise=str(typed.get("Otherwise") or KEEP_PRODUCTION),
        service_timeout=_service_timeout(typed.get("ServiceTimeout")),
        reason_of_0_1_0=None if outcome else _reason_of_0_1_0(typed, source),
        outcome=outcome,
        instances=instances,
    )


def _flag(value: object) -> bool:
    return str(value).lower() == "true"


def _service_timeout(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and int(text) > 0 else MAX_SERVICE_TIMEOUT


def _typed(name: str, value: object, within: str = "") -> object:
    """The value with numbers and flags in place of their text; validation refuses what is neither.

    ``within`` is the property that holds it; other properties than these hold text only.
    """
    within = within or name
    if within not in ("PromoteIf", "DesiredModelVariants", "Instances"):
        return value
    if isinstance(value, list):
        return [_typed(name, item, within) for item in value]
    if isinstance(value, Mapping):
        return {member: _typed(member, item, within) for member, item in value.items()}
    text = str(value)
    if within == "PromoteIf" and name == "DryRun":
        return {"true": True, "false": False}.get(text, value)
    if name not in (NUMBERS if within == "PromoteIf" else ("InstanceCount",)):
        return value
    if text.isascii() and text.removeprefix("-").isdecimal():
        return int(text)
    try:
        return float(text) if within == "PromoteIf" else value
    except ValueError:
        return value


def _reason_of_0_1_0(typed: Mapping[str, object], source: str) -> str:
    if typed.get("Reason"):
        return str(typed["Reason"])
    members = {name: typed[name] for name in REQUEST_PROPERTIES if typed.get(name)}
    digest = hashlib.sha256(_canonical(members).encode()).hexdigest()[:8]
    return f"{source} ({digest})"[: REASON.maximum]


def _canonical(members: Mapping[str, object]) -> str:
    """The members as text that does not depend on the order of variants or keys."""
    variants = members.get("DesiredModelVariants")
    if isinstance(variants, list):
        by_text = sorted(variants, key=lambda variant: json.dumps(variant, sort_keys=True))
        members = {**members, "DesiredModelVariants": by_text}
    return json.dumps(members, sort_keys=True)
