"""What is wanted of an experiment, and the request of StopInferenceExperiment that says so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..contract.declaration import (
    Action,
    Declaration,
    End,
    Evidence,
    Instances,
    InstancesOf,
    Outcome,
    OutcomeKind,
    VariantActions,
)
from ..contract.limits import MAX_REASON_TEXT
from ..contract.request import Request
from ..contract.validation import as_mapping
from .situation import Experiment


@dataclass(frozen=True)
class Wanted:
    """An end that is wanted of an experiment.

    Attributes:
        reason_text: The reason that SageMaker records, without the digest.
        promote_if: The evidence that a promotion needs; None if it needs none.
        otherwise: The outcome of a deletion whose promotion is not allowed.
        instead_of: The digest of the promotion that this end replaces; empty if none.
    """

    name: str
    end: End
    reason_text: str
    stack_name: str
    promote_if: Evidence | None = None
    otherwise: OutcomeKind = OutcomeKind.KEEP_PRODUCTION
    instead_of: str = ""

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that identify this experiment and its declared end.

        They must not change between releases: the next one recognises an end that this one ordered.
        """
        named = [self.stack_name, self.name.lower(), json.dumps(_as_json(self.end), sort_keys=True)]
        named += [self.instead_of] if self.instead_of else []
        return hashlib.sha256("\n".join(named).encode()).hexdigest()[:8]

    @property
    def reason(self) -> str:
        """The reason to send: its text and the digest."""
        return f"{self.reason_text[:MAX_REASON_TEXT]} ({self.digest})"

    def is_end_of(self, experiment: Experiment) -> bool:
        """Whether the experiment's StatusReason carries this end's digest."""
        return digest_in(experiment.status_reason) == self.digest

    @property
    def possible_ends(self) -> tuple[Wanted, ...]:
        """This end, and the one in its place if a deletion may not promote, with any reason."""
        return (self, self.without_promotion("")) if self.end.promotes else (self,)

    def possible_end(self, digest: str) -> Wanted | None:
        """The one of :attr:`possible_ends` with this digest, if any."""
        return next((end for end in self.possible_ends if end.digest == digest), None)

    def without_promotion(self, why: str) -> Wanted:
        """The end of a deletion that may not promote."""
        return replace(
            self,
            end=End(Outcome(self.otherwise), self.end.desired_state),
            reason_text=f"Deleted with CloudFormation stack {self.stack_name}; {why}",
            promote_if=None,
            instead_of=self.digest,
        )


def wanted_by(declared: Declaration, request: Request) -> Wanted:
    """What a declaration wants, sent for a request."""
    source = f"Stopped by CloudFormation stack {request.stack_name}, resource {request.logical_id}"
    return Wanted(
        name=declared.name,
        end=declared.end,
        reason_text=declared.reason or source,
        stack_name=request.stack_name,
        promote_if=declared.promote_if,
        otherwise=declared.otherwise,
    )


def digest_in(status_reason: str) -> str:
    """The digest in a StatusReason; empty if there is none."""
    digests: list[str] = re.findall(r"\(([0-9a-f]{8})\)", status_reason)
    return digests[-1] if digests else ""


def members_of(
    wanted: Wanted, experiment: Experiment, counts: Mapping[str, int]
) -> dict[str, object]:
    """The request of StopInferenceExperiment.

    ``counts`` are the current instance counts; an outcome that takes production's needs them.
    """
    actions = actions_of(wanted.end, experiment)
    variants = list(_desired(wanted.end, experiment, counts).values())
    members: dict[str, object] = {
        "Name": wanted.name,
        "ModelVariantActions": {name: action.value for name, action in actions.items()},
        "DesiredModelVariants": variants or None,
        "DesiredState": wanted.end.desired_state,
        "Reason": wanted.reason,
    }
    return {name: value for name, value in members.items() if value is not None}


def actions_of(end: End, experiment: Experiment) -> Mapping[str, Action]:
    """The action for each variant; empty for an outcome if there is no pair."""
    if isinstance(end.how, VariantActions):
        return end.how.actions
    return dict(zip(_pair(experiment), end.how.kind.actions, strict=False))


def promoted_by(end: End, experiment: Experiment) -> str | None:
    """The variant to promote, if any."""
    actions = actions_of(end, experiment)
    return next((name for name, action in actions.items() if action is Action.PROMOTE), None)


def is_no_pair(experiment: Experiment) -> bool:
    """Whether the experiment does not have exactly one production and one shadow variant."""
    pair = _pair(experiment)
    return not pair or set(experiment.variants) != set(pair)


def takes_production_counts(end: End) -> bool:
    """Whether the request needs the current instance count of production."""
    return isinstance(end.how, Outcome) and end.how.instances is InstancesOf.PRODUCTION


def promoted_instances(end: End, experiment: Experiment) -> int | None:
    """The instance count that is declared for the promoted variant; None if none is."""
    if isinstance(end.how, Outcome):
        wanted = end.how.instances
        return wanted.instance_count if isinstance(wanted, Instances) else None
    promoted = promoted_by(end, experiment)
    promoted_variants = (
        variant for variant in end.how.desired or () if variant.variant_name == promoted
    )
    return next((variant.instances.instance_count for variant in promoted_variants), None)


def declared_instances(
    wanted: Wanted | None, request: Request, experiment: Experiment
) -> int | None:
    """The instance count for the variant that a Stop, or the armed declaration, promotes."""
    if wanted is None and isinstance(request.new, Declaration):
        wanted = wanted_by(request.new, request)
    return promoted_instances(wanted.end, experiment) if wanted else None


def other_instance_type(end: End, experiment: Experiment) -> tuple[str, str] | None:
    """The instance type that the shadow was tested on, and another one for its promotion.

    None if it is the same one, or if one of them is not known: without DesiredModelVariants
    SageMaker chooses, and a variant with instance pools has no one type.
    """
    promoted = promoted_by(end, experiment)
    if promoted is None:
        return None
    tested, wanted = (
        _instances(as_mapping(variants.get(promoted))).get("InstanceType")
        for variants in (experiment.configured, _desired(end, experiment, {}))
    )
    return (str(tested), str(wanted)) if tested and wanted and tested != wanted else None


def names_instances(end: End) -> bool:
    """Whether the declaration itself says on which instances a variant is promoted."""
    return isinstance(end.how, VariantActions) or end.how.names_instances


def ends_alike(first: Declaration, second: Declaration, experiment: Experiment | None) -> bool:
    """Whether two declarations of the same experiment end it in the same way.

    An outcome and a declaration that names variants are compared by what they make of this
    experiment, with instances as they are configured. Without DesiredModelVariants SageMaker
    chooses the instances of a promoted variant, which an outcome always names.
    """
    if first.end == second.end:
        return True
    if isinstance(first.end.how, Outcome) is isinstance(second.end.how, Outcome):
        return False
    if first.end.desired_state != second.end.desired_state or experiment is None:
        return False
    outcome, named = (first, second) if isinstance(first.end.how, Outcome) else (second, first)
    assert isinstance(named.end.how, VariantActions)  # noqa: S101 - the other one of two
    if actions_of(outcome.end, experiment) != named.end.how.actions:
        return False
    if named.end.how.desired is None:
        return not named.end.promotes
    makes = _desired(outcome.end, experiment, {}, keeps_all=True)
    return _desired(named.end, experiment, {}) == makes


def _pair(experiment: Experiment) -> tuple[str, ...]:
    """Production and shadow; empty if the experiment does not name one of each."""
    names = (experiment.production, *experiment.shadows)
    return names if len(names) == len({*names} - {""}) == 2 else ()


def _desired(
    end: End, experiment: Experiment, counts: Mapping[str, int], *, keeps_all: bool = False
) -> dict[str, Mapping[str, object]]:
    """The variants to deploy after the experiment, by name, as the API wants them.

    An outcome names them only if it promotes; with ``keeps_all``, whenever it keeps them.
    """
    if isinstance(end.how, VariantActions):
        return {variant.variant_name: variant.as_request() for variant in end.how.desired or ()}
    if not (end.promotes or keeps_all):
        return {}
    desired: dict[str, Mapping[str, object]] = {}
    for name, action in actions_of(end, experiment).items():
        if action is not Action.REMOVE:
            configured = experiment.configured.get(name, {})
            instances = _instances(configured)
            if action is Action.PROMOTE:
                instances = _promoted(end.how.instances, experiment, counts) or instances
            infrastructure = {
                **as_mapping(configured.get("InfrastructureConfig")),
                "RealTimeInferenceConfig": instances,
            }
            desired[name] = {**configured, "InfrastructureConfig": infrastructure}
    return desired


def _promoted(
    wanted: InstancesOf | Instances | None, experiment: Experiment, counts: Mapping[str, int]
) -> Mapping[str, object] | None:
    """The RealTimeInferenceConfig of a promoted variant; None for its own."""
    if isinstance(wanted, Instances):
        return {"InstanceType": wanted.instance_type, "InstanceCount": wanted.instance_count}
    if wanted is InstancesOf.SHADOW:
        return None
    source = experiment.production
    instances = dict(_instances(experiment.configured.get(source, {})))
    return {**instances, "InstanceCount": counts[source]} if source in counts else instances


def _instances(variant: Mapping[str, object]) -> Mapping[str, object]:
    infrastructure = as_mapping(variant.get("InfrastructureConfig"))
    return as_mapping(infrastructure.get("RealTimeInferenceConfig"))


def _as_json(end: End) -> dict[str, object]:
    """The end in the API's words, for its digest."""
    how = end.how
    if isinstance(how, VariantActions):
        return {
            "ModelVariantActions": dict(how.actions),
            "DesiredModelVariants": how.desired
            and [variant.as_request() for variant in how.desired],
            "DesiredState": end.desired_state,
        }
    instances = how.instances
    if isinstance(instances, Instances):
        count = {"InstanceCount": instances.instance_count}
        return {
            "Outcome": how.kind,
            "Instances": {"InstanceType": instances.instance_type, **count},
            "DesiredState": end.desired_state,
        }
    return {"Outcome": how.kind, "Instances": instances, "DesiredState": end.desired_state}
