"""What an operation will do to each experiment, and how certain that is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cdk_stop_inference_experiment_handler.contract.constraints import COMPLETED
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.lifecycle import reasons
from cdk_stop_inference_experiment_handler.lifecycle.decide import decide
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Decision,
    Experiment,
    Progress,
    RequestType,
    Unreadable,
    Verb,
)
from cdk_stop_inference_experiment_handler.lifecycle.outcome import fewer_instances

from ..version import installed_version, version_in
from .facts import FactsThen
from .operations import FUNCTION_TYPE, NotSent, Sent, of_change_set, of_destroy
from .reading import CannotPlan, ChangeSet, Reader, StackSeen

SHAPE = 1
"""The version of the JSON format. Members may be added to it, but not renamed or removed."""

WILL, MAY, UNKNOWN, NO = "will", "may", "unknown", "no"
STOP, WAIT, FAIL, NOTHING = "stop", "wait", "fail", "nothing"
PROMOTE = "promote"

SOON_SECONDS = 3600.0
"""An experiment that ends by itself within this time may end before the request."""

_EFFECTS = {Verb.STOP: STOP, Verb.WAIT: WAIT, Verb.FAIL: FAIL, Verb.SUCCEED: NOTHING}


@dataclass(frozen=True)
class Verdict:
    """What a request will do.

    Attributes:
        request: Create, Update or Delete; empty if CloudFormation sends none.
        moment: When it is sent: update, clean-up or deletion.
        effect: stop, wait, fail, nothing, or unknown.
        certainty: will, may or unknown.
        because: Why the effect is not certain.
        chances: Whether it stops, promotes or fails: will, may, unknown or no.
        stop_request: The request to SageMaker, if any.
        evidence: The current report of the gate; empty if no evidence is declared.
        warnings: What the function will log as a warning, such as fewer instances.
    """

    stack: str
    logical_id: str
    physical_id: str
    experiment: str
    request: str
    moment: str
    effect: str
    certainty: str
    chances: Mapping[str, str]
    why: str
    order: str = ""
    row: str = ""
    because: tuple[str, ...] = ()
    stop_request: Mapping[str, object] | None = None
    status: str = ""
    scheduled_end: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The verdict as JSON."""
        return {
            "stack": self.stack,
            "logicalId": self.logical_id,
            "physicalId": self.physical_id or None,
            "experiment": self.experiment or None,
            "status": self.status or None,
            "scheduledEnd": self.scheduled_end or None,
            "request": self.request or None,
            "moment": self.moment or None,
            "effect": self.effect,
            "certainty": self.certainty,
            "because": list(self.because),
            **self.chances,
            "order": self.order or None,
            "row": self.row or None,
            "why": self.why,
            "stopRequest": self.stop_request,
            "evidence": dict(self.evidence) or None,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Plan:
    """What an operation will do.

    Attributes:
        operation: change-set or destroy.
        notes: Remarks about the whole plan.
    """

    stack: StackSeen
    operation: str
    change_set: str
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()

    def may(self, what: str) -> bool:
        """Whether something will or may happen, or is not known."""
        return any(verdict.chances[what] != NO for verdict in self.verdicts)

    def to_json(self) -> dict[str, object]:
        """The plan as JSON."""
        return {
            "version": SHAPE,
            "operation": self.operation,
            "stack": self.stack.stack_id,
            "changeSet": self.change_set or None,
            "notes": list(self.notes),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }


def plan_change_set(reader: Reader, stack: str, name: str) -> Plan:
    """What the execution of a change set will do.

    Raises:
        CannotPlan: It cannot be executed, or cannot be read.
    """
    change_set = reader.change_set(name, None if name.startswith("arn:") else stack)
    seen = reader.stack(change_set.stack_id)
    if change_set.is_empty:
        note = f"the change set changes nothing: {change_set.reason.rstrip('.')}"
        return Plan(seen, "change-set", change_set.arn, (), (note,))
    _check_is_executable(change_set)
    steps = of_change_set(reader, change_set, seen)
    versions = _versions_to_come(change_set)
    verdicts, notes = _judged(reader, steps, versions)
    return Plan(seen, "change-set", change_set.arn, verdicts, notes)


def plan_destroy(reader: Reader, stack: str) -> Plan:
    """What the deletion of a stack will do.

    Raises:
        CannotPlan: The stack does not exist, or cannot be read.
    """
    seen = reader.stack(stack)
    if seen.status.endswith("_IN_PROGRESS") and seen.status != "REVIEW_IN_PROGRESS":
        raise CannotPlan(
            f"stack '{seen.name}' is {seen.status}: run the plan when no operation is in progress"
        )
    verdicts, notes = _judged(reader, of_destroy(reader, seen), {})
    return Plan(seen, "destroy", "", verdicts, notes)


def _check_is_executable(change_set: ChangeSet) -> None:
    name, status = change_set.name, change_set.status
    if status in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        why = f"is still being created ({status}): run the plan when it is CREATE_COMPLETE"
    elif status != "CREATE_COMPLETE":
        why = f"is {status}" + (f": {change_set.reason}" if change_set.reason else "")
    elif change_set.execution_status != "AVAILABLE":
        why = f"cannot be executed, it is {change_set.execution_status}" + (
            f": {change_set.reason}" if change_set.reason else ": create a new one"
        )
    else:
        return
    raise CannotPlan(f"change set '{name}' {why}")


def _versions_to_come(change_set: ChangeSet) -> dict[str, str]:
    """The versions of the functions that the change set creates or updates, by physical id."""
    found: dict[str, str] = {}
    for change in change_set.changes:
        description = str((change.after or {}).get("Description", ""))
        version = version_in(description)
        if change.resource_type == FUNCTION_TYPE and version:
            found[change.physical_id] = version
        if change.nested:
            found |= _versions_to_come(change.nested)
    return found


def _judged(
    reader: Reader, steps: list[Sent | NotSent], versions: Mapping[str, str]
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """The verdict on each request, in order, and notes on the function's version."""
    verdicts: list[Verdict] = []
    notes: list[str] = []
    ended: dict[str, Experiment] = {}
    reader.describe_all(
        step.request.declared_name
        for step in steps
        if isinstance(step, Sent) and not step.unknown and not step.experiment
    )
    for step in steps:
        if isinstance(step, NotSent):
            verdicts.append(_not_sent(step))
            continue
        note = _version_note(reader, step, versions)
        if note and note not in notes:
            notes.append(note)
        verdict = _verdict(reader, step, ended, note)
        verdicts.append(verdict)
    return tuple(verdicts), tuple(notes)


def _version_note(reader: Reader, sent: Sent, versions: Mapping[str, str]) -> str:
    """Why the function may have another version than this command; empty if it has not."""
    installed = installed_version()
    if not sent.service_token:
        version = versions.get("")
        if version in (None, installed):
            return ""
    else:
        name = sent.service_token.rpartition(":")[2]
        version = versions.get(name)
        if version is None:
            try:
                version = version_in(reader.description(sent.service_token))
            except CannotPlan as error:
                return f"the function's version cannot be read: {error}"
    if version == installed:
        return ""
    return (
        f"the function has version {version or '0.1.0 or an unknown one'}, but this command has "
        f"version {installed}"
    )


def judge(reader: Reader, sent: Sent) -> Verdict:
    """The verdict on one request, without the rest of the operation."""
    return _verdict(reader, sent, {}, "")


def _not_sent(step: NotSent) -> Verdict:
    chance = NO if step.is_known else UNKNOWN
    return Verdict(
        stack=step.stack_name,
        logical_id=step.logical_id,
        physical_id=step.physical_id,
        experiment=step.physical_id.rpartition(":inference-experiment/")[2]
        if ":inference-experiment/" in step.physical_id
        else "",
        request="",
        moment="",
        effect=NOTHING if step.is_known else UNKNOWN,
        certainty=WILL if step.is_known else UNKNOWN,
        chances=dict.fromkeys((STOP, PROMOTE, FAIL), chance),
        why=step.why,
    )


def _verdict(reader: Reader, sent: Sent, ended: dict[str, Experiment], note: str) -> Verdict:
    request = sent.request
    name = request.declared_name.lower()
    unknown = list(sent.unknown)
    facts = FactsThen(reader, sent, ended.get(name))
    decision: Decision | None = None
    evidence: Mapping[str, Any] = {}
    if not unknown:
        try:
            decision, evidence = _decided(sent, facts)
            if sent.otherwise:
                other = replace(sent, request=sent.otherwise)
                same, _ = _decided(other, FactsThen(reader, other, ended.get(name)))
                if (same.verb, same.row) != (decision.verb, decision.row):
                    unknown.append("the deployment decides whether the declaration changes")
        except (CannotPlan, Unreadable) as error:
            unknown.append(str(error))
    experiment = _seen(facts) if "Name" not in str(unknown) else None
    base = Verdict(
        stack=request.stack_name,
        logical_id=request.logical_id,
        physical_id=request.physical_id,
        experiment=request.declared_name,
        request=request.type.value,
        moment=sent.moment,
        effect=UNKNOWN,
        certainty=UNKNOWN,
        chances=dict.fromkeys((STOP, PROMOTE, FAIL), UNKNOWN),
        why="; ".join(unknown),
        status=experiment.status if experiment else "",
        scheduled_end=reasons.moment(experiment.scheduled_end if experiment else None),
    )
    if unknown or decision is None:
        return base
    risks, is_gated = _risks(sent, decision, experiment, note), bool(evidence)
    if decision.verb is Verb.STOP and decision.stop and experiment:
        ended[name] = _as_ended(experiment, decision.stop)
    return replace(
        base,
        effect=_EFFECTS[decision.verb],
        certainty=MAY if risks or is_gated else WILL,
        chances=_chances(sent, decision, MAY if risks else WILL, experiment, is_gated=is_gated),
        why=decision.why,
        order=decision.order or decision.row,
        row=decision.row,
        because=(*risks, "the metrics may change") if is_gated else tuple(risks),
        stop_request=dict(decision.stop.request)
        if decision.verb is Verb.STOP and decision.stop
        else None,
        evidence=evidence,
        warnings=tuple(_warnings(sent, decision, facts)),
    )


def _warnings(sent: Sent, decision: Decision, facts: FactsThen) -> Iterator[str]:
    """What the function logs about a promotion that it makes or arms."""
    declared = decision.stop or sent.request.new
    if decision.row != "stoppable" or not isinstance(declared, Declaration):
        return
    try:
        why = fewer_instances(declared, facts)
    except (CannotPlan, Unreadable) as error:
        why = f"the instances that production runs cannot be compared: {error}"
    if why:
        yield why


def _decided(sent: Sent, facts: FactsThen) -> tuple[Decision, Mapping[str, Any]]:
    """The function's decision, and the evidence that it looked at."""
    progress = Progress(facts.now())
    decision = decide(sent.request, facts, progress)
    if decision.evidence and decision.verb is Verb.WAIT:
        progress.evidence = decision.evidence
        return decide(sent.request, facts, progress), progress.evidence
    return decision, decision.evidence


def _seen(facts: FactsThen) -> Experiment | None:
    try:
        return facts.experiment()
    except (CannotPlan, Unreadable):
        return None


def _as_ended(experiment: Experiment, declared: Declaration) -> Experiment:
    """The experiment after the stop."""
    return replace(
        experiment,
        status=declared.desired_state or COMPLETED,
        status_reason=declared.reason,
        completion_time=time.time(),
        variants={},
    )


def _risks(sent: Sent, decision: Decision, experiment: Experiment | None, note: str) -> list[str]:
    """Why the effect is not certain; "nothing" is always certain."""
    if decision.verb is Verb.SUCCEED and not note:
        return []
    found = list(sent.risks) if decision.verb is not Verb.SUCCEED else []
    if note:
        found.append(note)
    if experiment is None or decision.verb is not Verb.STOP:
        return found
    if mismatched := _mismatched(decision, experiment):
        found.append(f"SageMaker refuses to stop it by actions for {mismatched}")
    if experiment.status != "Running":
        found.append(f"SageMaker may refuse to stop it while it is {experiment.status}")
    end = experiment.scheduled_end
    if end is not None and end < time.time() + SOON_SECONDS:
        found.append(f"it ends by itself at {reasons.moment(end)}")
    return found


def _mismatched(decision: Decision, experiment: Experiment | None) -> str:
    """The variants that a deletion names all the same; empty if the experiment has them all."""
    if decision.stop is None or experiment is None or not experiment.variants:
        return ""
    names = [name for name in decision.stop.actions if name not in experiment.variants]
    return ", ".join(f"'{name}'" for name in names)


def _after_waiting(sent: Sent, decision: Decision) -> Mapping[str, str]:
    """What may follow a wait: a stop of what runs again, or a promotion that comes too late."""
    new = sent.request.new
    promotes = isinstance(new, Declaration) and new.promotes
    stops = decision.row == "status_unknown"
    fails = promotes and sent.request.type is not RequestType.DELETE
    return {
        STOP: MAY if stops else NO,
        PROMOTE: MAY if stops and promotes else NO,
        FAIL: MAY if fails else NO,
    }


def _chances(
    sent: Sent,
    decision: Decision,
    certainty: str,
    experiment: Experiment | None,
    *,
    is_gated: bool,
) -> Mapping[str, str]:
    """Whether the request stops, promotes and fails."""
    found = dict.fromkeys((STOP, PROMOTE, FAIL), NO)
    if decision.verb is Verb.STOP:
        found[STOP] = certainty
        if decision.stop and decision.stop.promotes:
            found[PROMOTE] = certainty
        if _mismatched(decision, experiment):
            found[FAIL] = MAY
    elif decision.verb is Verb.FAIL:
        found[FAIL] = certainty
    elif decision.verb is Verb.WAIT:
        found |= _after_waiting(sent, decision)
    elif certainty == MAY:
        found = dict.fromkeys(found, MAY)
    if is_gated:
        found[PROMOTE] = MAY
        # Evidence decides how a deletion ends the experiment, not whether it does.
        if sent.request.type is not RequestType.DELETE:
            found[STOP] = found[FAIL] = MAY
    return found
