"""Which answers and Stops are correct, according to the world and not to the handler."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from loopback.cloudwatch import OPEN
from loopback.delivery import as_delivered
from loopback.sagemaker import ENDED, Experiment

from .scenarios import Scenario

BOTH = {"SUCCESS", "FAILED"}
OWN_PROPERTIES = ("StopOn", "EndNow", "StackOwnsExperiment", "PromoteIf", "Otherwise")
KEPT = {
    "KeepProduction": {"production": "Retain", "shadow": "Remove"},
    "KeepBoth": {"production": "Retain", "shadow": "Retain"},
}
DIGEST = re.compile(r"(.*) \([0-9a-f]{8}\)")
BEGIN_AND_STOP_SECONDS = 1500.0
"""How long before the deadline an experiment has to start to be ended in time."""

LONGEST_WORDS = 1013
"""Maximum length of a Reason before the digest."""


def allowed(
    scenario: Scenario,
    experiment: Experiment | None,
    *,
    deleted: bool,
    accepted: bool,
    repeated: bool,
    undone: bool,
    is_late: bool,
    evidence: set[str],
) -> set[str]:
    """The statuses that are correct answers at this moment.

    After the deadline, and with a permanent AccessDenied, FAILED is correct, too.

    Args:
        deleted: Somebody has deleted the experiment.
        accepted: SageMaker has answered a Stop with success, and the answer arrived.
        repeated: The request is delivered more than once. A delivery does not know of another one's
            Stop if an error has replaced its reason, nor the endpoint's state before it.
        undone: The order was undone while the request waited. CloudFormation ignores the answer.
        is_late: The deadline has passed: an undo no longer waits for a stop in progress.
        evidence: Everything that CloudWatch has told since the request.
    """
    if undone:
        return BOTH
    if scenario.order == "nothing":
        awaits = scenario.waits and scenario.start == "Stopping"
        is_under_way = awaits and experiment is not None and not experiment.is_settled
        return set() if is_under_way and not is_late else {"SUCCESS"}
    if scenario.order == "refused":
        return _refused(scenario, experiment)
    if _is_closed(scenario, experiment, evidence, repeated=repeated):
        return {"FAILED"} | ({"SUCCESS"} if OPEN in evidence else set())
    return _of_an_order(scenario, experiment, deleted, accepted, repeated)


def _of_an_order(
    scenario: Scenario,
    experiment: Experiment | None,
    deleted: bool,
    accepted: bool,
    repeated: bool,
) -> set[str]:
    contradicted = _is_contradicted(scenario, experiment)
    if scenario.kind == "Delete":
        over = experiment is None or experiment.is_settled or _has_not_begun(experiment)
        # SageMaker may have refused the Stop right before somebody deleted the experiment.
        refused = contradicted or (deleted and scenario.names_unknown_variants)
        return ({"SUCCESS"} if over else set()) | ({"FAILED"} if refused else set())
    if experiment is None:
        return BOTH if deleted else {"FAILED"}
    if contradicted:
        return {"FAILED"} if not experiment.has_ended else BOTH
    if scenario.order == "arm":
        return BOTH if deleted else {"SUCCESS"}
    if _has_not_begun(experiment) and _begins_too_late(scenario):
        return {"FAILED"}
    if not experiment.is_settled:
        return set()
    return _of_the_end(scenario, experiment, accepted=accepted, repeated=repeated)


def _is_closed(
    scenario: Scenario, experiment: Experiment | None, evidence: set[str], *, repeated: bool
) -> bool:
    """Whether the evidence may have kept a promotion from an experiment that goes on.

    A describe call may not show another delivery's Stop yet.
    """
    is_closed = scenario.is_gated and scenario.kind != "Delete" and evidence != {OPEN}
    if not is_closed or experiment is None:
        return False
    return not experiment.stops or (repeated and experiment.lags)


def _refused(scenario: Scenario, experiment: Experiment | None) -> set[str]:
    """FAILED, unless there is nothing left to stop, so that the stack does not matter.

    EndNow only fails a creation if the experiment has not ended.
    """
    found = _found(scenario, experiment)
    if scenario.kind == "Delete" and (experiment is None or experiment.is_settled):
        found = {"SUCCESS"}
    had_ended = "EndNow" in scenario.new and scenario.start.startswith(ENDED)
    return found if had_ended and experiment is not None else found | {"FAILED"}


def _has_not_begun(experiment: Experiment) -> bool:
    """Whether Stop is refused until it starts; it may have started since the describe call."""
    return experiment.refuses_created and experiment.true_status in ("Created", "Starting")


def _begins_too_late(scenario: Scenario) -> bool:
    return scenario.start == "Created, refuses" or scenario.tempo.deadline < BEGIN_AND_STOP_SECONDS


def _is_contradicted(scenario: Scenario, experiment: Experiment | None) -> bool:
    """Whether describing the experiment shows variants that the declaration does not name.

    Somebody may end the experiment between the describe call and the answer that is based on it.
    """
    if experiment is None or not scenario.names_unknown_variants:
        return False
    return not scenario.start.startswith((*ENDED, "Stopping"))


def _of_the_end(
    scenario: Scenario, experiment: Experiment, *, accepted: bool, repeated: bool
) -> set[str]:
    """Table 3 if the Stop was ours, else the rows of table 2 for ended experiments."""
    if not experiment.stops:
        return _found(scenario, experiment)
    if experiment.reason == experiment.stops[0]["Reason"]:
        if not experiment.stop_fails_update:
            # A redelivery cannot tell an old FailureReason from one that came with this end.
            return BOTH if repeated and experiment.failure else {"SUCCESS"}
        return BOTH if repeated else {"FAILED"}
    if not accepted:
        return _otherwise(scenario)
    return BOTH if repeated and not scenario.promotes else {"FAILED"}


def _found(scenario: Scenario, experiment: Experiment | None) -> set[str]:
    """The answer if somebody else or an earlier request ended the experiment."""
    if experiment is None or not experiment.is_settled:
        return set()
    if scenario.start.endswith(", as declared"):
        return {"SUCCESS"}
    if scenario.start.endswith((", as before", ", in the old words")):
        return {"FAILED"} if scenario.promotes and not scenario.promoted_before else {"SUCCESS"}
    return _otherwise(scenario)


def _otherwise(scenario: Scenario) -> set[str]:
    return {"FAILED"} if scenario.promotes else {"SUCCESS"}


def is_as_declared(sent: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    """Whether a Stop sends what is declared: every member, and the reason with a digest."""
    reason = DIGEST.fullmatch(str(sent.get("Reason", "")))
    if reason is None or not reason[1].startswith(declared.get("Reason", "")[:LONGEST_WORDS]):
        return False
    members = {**declared, "Reason": sent["Reason"]}
    for own in OWN_PROPERTIES:
        members.pop(own, None)
    return bool(as_delivered(sent) == as_delivered(members))


def is_retained(sent: Mapping[str, Any]) -> bool:
    """Whether a Stop ends a failed creation: production stays, the shadow is removed."""
    deployed = [variant["VariantName"] for variant in sent.get("DesiredModelVariants", ())]
    return (
        DIGEST.fullmatch(str(sent.get("Reason", ""))) is not None
        and sent["ModelVariantActions"] == {"production": "Retain", "shadow": "Remove"}
        and deployed in ([], ["production"])
    )


def promotes(sent: Mapping[str, Any]) -> bool:
    """Whether a Stop promotes a variant."""
    return "Promote" in sent["ModelVariantActions"].values()


def _is_kept(sent: Mapping[str, Any], scenario: Scenario) -> bool:
    """Whether a Stop is what a deletion does instead of a promotion, in words of its own."""
    reason = DIGEST.fullmatch(str(sent.get("Reason", "")))
    actions = KEPT[scenario.declared.get("Otherwise", "KeepProduction")]
    said = reason is not None and "; evidence: " in reason[1]
    return said and sent["ModelVariantActions"] == actions and "DesiredModelVariants" not in sent


def is_as_ordered(sent: Mapping[str, Any], scenario: Scenario) -> bool:
    """Whether a Stop sends what its scenario orders."""
    if sent.get("Name") != scenario.declared["Name"]:
        return False
    if scenario.is_gated and scenario.kind == "Delete" and not promotes(sent):
        return _is_kept(sent, scenario)
    if scenario.is_failed_creation:
        return is_retained(sent)
    return is_as_declared(sent, scenario.declared)
