"""What an operation will do to each experiment, and how certain that is.

A verdict is a list of *outcomes*: first what happens if everything stays as it is now, then what
may happen instead, each with its reason. What all outcomes have in common *will* happen, what only
some have *may* happen.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.contract.limits import COMPLETED, HOUR, PERIOD
from cdk_stop_inference_experiment_handler.contract.request import Request, RequestType
from cdk_stop_inference_experiment_handler.contract.wire import seconds_to_answer
from cdk_stop_inference_experiment_handler.lifecycle import sequential, windowed, words
from cdk_stop_inference_experiment_handler.lifecycle.decision import Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    NotReadable,
    Seen,
    Situation,
)
from cdk_stop_inference_experiment_handler.lifecycle.state import (
    BEGIN_AND_STOP_SECONDS,
    REFUSED_SECONDS,
)
from cdk_stop_inference_experiment_handler.lifecycle.stop_request import (
    Wanted,
    actions_of,
    members_of,
    promoted_instances,
    wanted_by,
)
from cdk_stop_inference_experiment_handler.lifecycle.verdict import Verdict as Evidence

from ..errors import MissingCodeError
from ..handler_code import code_sha256
from ..version import installed_version, version_in
from .operations import (
    CLEAN_UP,
    FUNCTION_TYPE,
    UPDATE,
    Native,
    NotSent,
    Place,
    Sent,
    Step,
    of_change_set,
    of_destroy,
)
from .reading import CannotPlan, ChangeSet, Function, Reader, StackSeen
from .situations import Decided, cases, decided, request_of, situation
from .templates import Json, is_late

SHAPE = 2
"""The version of the JSON format. Members may be added to it, but not renamed or removed."""

WILL, MAY, UNKNOWN, NO, METRICS = "will", "may", "unknown", "no", "metrics"
STOP, WAIT, FAIL, NOTHING, PROMOTE = "stop", "wait", "fail", "nothing", "promote"

SOON_SECONDS = 3600.0
"""An experiment that ends by itself within this time may end before the request."""

STOP_SECONDS = BEGIN_AND_STOP_SECONDS / 2
"""A stop takes an endpoint update. A request that has less time may fail."""

_EFFECTS = {Verb.STOP: STOP, Verb.WAIT: WAIT, Verb.FAIL: FAIL, Verb.SUCCEED: NOTHING}
_UNREAD_ROWS = frozenset(
    {
        Row.AWS_REFUSED,
        Row.NOT_READABLE,
        Row.UNCLEAR,
        Row.INSTANCES_UNKNOWN,
        Row.GATE_ERROR,
        Row.DELETE_HOLDERS_UNKNOWN,
    }
)
"""The rows that rest on something that could not be read."""


@dataclass(frozen=True)
class Outcome:
    """One way in which a request may go.

    Attributes:
        because: Why it may go this way and not the first one; for an unknown one, what would have
            to be known.
        by_metrics: It comes only if the metrics change.
    """

    effect: str
    stops: bool = False
    promotes: bool = False
    fails: bool = False
    because: str = ""
    by_metrics: bool = False

    def has(self, what: str) -> bool:
        """Whether it stops, promotes or fails."""
        return {STOP: self.stops, PROMOTE: self.promotes, FAIL: self.fails}[what]


@dataclass(frozen=True)
class Verdict:
    """What happens to an experiment because of one resource.

    Attributes:
        request: Create, Update or Delete; empty if the function gets none.
        moment: When it is sent: update, clean-up or deletion.
        is_native: CloudFormation's own resource does it, without the function.
        outcomes: The first one is what happens if everything stays as it is now.
        stop_request: The request to SageMaker, if any.
        evidence: The current report of the gate; empty if no evidence is declared.
        warnings: What the function will log as a warning, such as fewer instances.
        way_back: How a promotion can be taken back; empty if there is none.
    """

    place: Place
    experiment: str
    outcomes: tuple[Outcome, ...]
    why: str
    request: str = ""
    moment: str = ""
    is_native: bool = False
    order: str = ""
    row: str = ""
    stop_request: Mapping[str, object] | None = None
    status: str = ""
    scheduled_end: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    way_back: str = ""

    @property
    def effect(self) -> str:
        """Stop, wait, fail, nothing or unknown."""
        is_unknown = any(outcome.effect == UNKNOWN for outcome in self.outcomes)
        return UNKNOWN if is_unknown else self.outcomes[0].effect

    @property
    def certainty(self) -> str:
        """Will, may or unknown."""
        if self.effect == UNKNOWN:
            return UNKNOWN
        ways = {(one.effect, one.stops, one.promotes, one.fails) for one in self.outcomes}
        return WILL if len(ways) == 1 else MAY

    def chance(self, what: str) -> str:
        """Whether it stops, promotes or fails: will, may, metrics, unknown or no.

        A failure has the chance ``metrics`` if it comes only if the metrics change.
        """
        if self.effect == UNKNOWN:
            return UNKNOWN
        found = [outcome for outcome in self.outcomes if outcome.has(what)]
        if len(found) in (0, len(self.outcomes)):
            return WILL if found else NO
        return METRICS if what == FAIL and all(one.by_metrics for one in found) else MAY

    @property
    def because(self) -> tuple[str, ...]:
        """Why it is not certain."""
        return tuple(dict.fromkeys(one.because for one in self.outcomes if one.because))

    def to_json(self) -> dict[str, object]:
        """The verdict as JSON."""
        return {
            "stack": self.place.stack_name,
            "logicalId": self.place.logical_id,
            "physicalId": self.place.physical_id or None,
            "experiment": self.experiment or None,
            "status": self.status or None,
            "scheduledEnd": self.scheduled_end or None,
            "native": self.is_native,
            "request": self.request or None,
            "moment": self.moment or None,
            "effect": self.effect,
            "certainty": self.certainty,
            "because": list(self.because),
            STOP: self.chance(STOP),
            PROMOTE: self.chance(PROMOTE),
            FAIL: self.chance(FAIL),
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
        changes: Whether it changes the stack at all.
        notes: Remarks about the whole plan.
    """

    stack: StackSeen
    operation: str
    change_set: str
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    changes: bool = True

    def may(self, what: str) -> bool:
        """Whether something will or may happen as things are now, or is not known."""
        return any(verdict.chance(what) not in (NO, METRICS) for verdict in self.verdicts)

    def to_json(self) -> dict[str, object]:
        """The plan as JSON."""
        return {
            "version": SHAPE,
            "operation": self.operation,
            "stack": self.stack.stack_id,
            "changeSet": self.change_set or None,
            "changes": self.changes,
            "notes": list(self.notes),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }


def plan_change_set(reader: Reader, stack: str, name: str) -> Plan:
    """What the execution of a change set will do.

    Raises:
        CannotPlan: It cannot be executed, or cannot be read.
    """
    is_arn = name.startswith("arn:")
    change_set = reader.change_set(name, None if is_arn else stack)
    seen = reader.stack(change_set.stack_id)
    if is_arn and stack not in (seen.name, seen.stack_id):
        raise CannotPlan(
            f"change set '{change_set.name}' is of stack '{seen.name}', not of '{stack}': "
            f"name the stack that it is of"
        )
    if change_set.is_empty:
        note = f"the change set changes nothing: {change_set.reason.rstrip('.')}"
        return Plan(seen, "change-set", change_set.arn, (), (note,), changes=False)
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
    if seen.status.endswith("_IN_PROGRESS") and not seen.is_new:
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
        version = version_in(str((change.after or {}).get("Description", "")))
        if change.resource_type == FUNCTION_TYPE and version:
            found[change.physical_id] = version
        if change.nested:
            found |= _versions_to_come(change.nested)
    return found


def _judged(
    reader: Reader, steps: list[Step], versions: Mapping[str, str]
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """The verdict on each step, in order, and notes on the functions' versions."""
    judge = Judge(reader, versions)
    reader.describe_all(judge.names(steps))
    verdicts = [judge.verdict(step) for step in steps]
    return tuple(_with_failures_of_others(verdicts)), tuple(dict.fromkeys(judge.notes))


def _with_failures_of_others(verdicts: list[Verdict]) -> Iterator[Verdict]:
    """A request that fails may come before another one, or undo the deployment first."""
    failing = [one for one in verdicts if one.chance(FAIL) not in (NO, METRICS)]
    for verdict in verdicts:
        others = [
            one.place.logical_id
            for one in failing
            if one is not verdict and not (one.moment == CLEAN_UP and verdict.moment == UPDATE)
        ]
        if others and verdict.effect in (STOP, WAIT):
            names = ", ".join(f"'{name}'" for name in others)
            first = Outcome(NOTHING, because=f"{names} may fail first")
            verdict = replace(verdict, outcomes=(*verdict.outcomes, first))  # noqa: PLW2901
        yield verdict


class Judge:
    """Judges the steps of one operation in order: an earlier one may end an experiment.

    Attributes:
        notes: Why functions may decide otherwise than this command.
    """

    def __init__(self, reader: Reader, versions: Mapping[str, str] | None = None) -> None:
        self._reader = reader
        self._versions = versions or {}
        self._after: dict[str, list[Experiment]] = {}
        self.notes: list[str] = []

    def names(self, steps: Iterable[Step]) -> Iterator[str]:
        """The experiments that the steps are about."""
        for step in steps:
            if isinstance(step, Native):
                yield step.name
            elif isinstance(step, Sent) and step.properties and not (step.made or step.missing):
                name = request_of(step, step.properties).name
                yield "" if is_late(name) else name

    def verdict(self, step: Step) -> Verdict:
        """The verdict on one step."""
        if isinstance(step, NotSent):
            outcome = Outcome(NOTHING) if step.is_known else Outcome(UNKNOWN, because=step.why)
            return Verdict(step.place, step.place.experiment, (outcome,), step.why)
        if isinstance(step, Native):
            return self._native(step)
        base = Verdict(
            *(step.place, step.place.experiment, (), ""),
            request=step.kind.value,
            moment=step.moment,
        )
        if step.properties is None or step.missing:
            return self._unknown(base, step.missing)
        alternatives = cases(step.properties, step.old)
        if isinstance(alternatives, str):
            return self._unknown(base, alternatives)
        request = request_of(step, alternatives[0].properties)
        base = replace(base, experiment=request.name)
        if step.refused:
            outcome = Outcome(FAIL, fails=True)
            return replace(self._seen(base), outcomes=(outcome,), why=step.refused)
        if step.service_token and self._reader.function(step.service_token) is None:
            gone = f"its function does not exist any more: {step.service_token}"
            outcome = Outcome(FAIL, fails=True)
            return replace(self._seen(base), outcomes=(outcome,), why=gone)
        found = [
            (case, self._decided(step, case.properties, experiment))
            for case in alternatives
            for experiment in self._experiments(step, request.name)
        ]
        # What stops comes first: it is what a reader must see.
        found.sort(key=lambda one: one[1].decision.verb is not Verb.STOP)
        verdict = self._of(step, base, found)
        self._remember(verdict, found)
        return verdict

    def _of(self, step: Sent, base: Verdict, found: list[tuple[Any, Decided]]) -> Verdict:
        _, first = found[0]
        outcomes = list(self._outcomes(step, first))
        for _, other in found[1:]:
            if _way(other) != _way(first):
                late = [name for name, one in (step.properties or {}).items() if is_late(one)]
                because = f"{', '.join(map(repr, late))}: known only during the deployment"
                if not late:
                    because = "an earlier request of the operation may end it"
                more = list(self._outcomes(step, other))
                outcomes += [replace(more[0], because=more[0].because or because), *more[1:]]
        for name in found[0][0].may_be_invalid:
            because = f"'{name}' may be invalid: it is known only during the deployment"
            outcomes.append(Outcome(FAIL, fails=True, because=because))
        decision, s = first.decision, first.situation
        experiment = s.experiment if isinstance(s.experiment, Experiment) else None
        counts = s.prepared.counts if s.prepared else None
        stop = decision.stop if decision.verb is Verb.STOP else None
        known = counts if isinstance(counts, Mapping) else {}
        return replace(
            self._seen(base),
            outcomes=tuple(outcomes),
            why=_why(first),
            order=(decision.order or decision.row).value,
            row=decision.row.value,
            stop_request=members_of(stop, experiment, known) if stop and experiment else None,
            evidence=decision.evidence,
            warnings=tuple(self._warnings(first)),
            way_back=_way_back(stop, experiment),
        )

    def _unknown(self, base: Verdict, missing: str) -> Verdict:
        why = f"not known: {missing}"
        return replace(self._seen(base), outcomes=(Outcome(UNKNOWN, because=missing),), why=why)

    def _seen(self, verdict: Verdict) -> Verdict:
        """A verdict with what SageMaker says of its experiment now."""
        found = self._reader.experiment(verdict.experiment) if verdict.experiment else None
        if not isinstance(found, Experiment):
            return verdict
        end = words.moment(found.scheduled_end)
        return replace(verdict, status=found.status, scheduled_end=end)

    def _experiments(self, step: Sent, name: str) -> list[Seen[Experiment | None]]:
        """The experiment as the request may find it."""
        known = self._after.get(name.lower())
        if known:
            return list(known)
        return [step.made or (self._reader.experiment(name) if name else None)]

    def _decided(
        self, step: Sent, properties: Json, experiment: Seen[Experiment | None]
    ) -> Decided:
        return decided(self._reader, step, situation(self._reader, step, properties, experiment))

    def _remember(self, verdict: Verdict, found: list[tuple[Any, Decided]]) -> None:
        """Keep what the experiment may be after this step."""
        ended = [
            _as_ended(one.situation.experiment, one.decision.stop)
            for _, one in found
            if one.decision.verb is Verb.STOP
            and one.decision.stop
            and isinstance(one.situation.experiment, Experiment)
        ]
        self._keep(verdict, ended)

    def _keep(self, verdict: Verdict, ended: list[Experiment]) -> None:
        name = verdict.experiment.lower()
        before: list[Experiment] = self._after.get(name) or [
            one for one in [self._reader.experiment(name)] if isinstance(one, Experiment)
        ]
        if ended and verdict.chance(STOP) == WILL:
            self._after[name] = ended[:1]
        elif ended:
            self._after[name] = [*before, ended[0]]

    def _outcomes(self, step: Sent, one: Decided) -> Iterator[Outcome]:
        """How a request may go in one Situation: first as everything is now."""
        decision, s = one.decision, one.situation
        if missing := _missing(one):
            yield Outcome(UNKNOWN, because=missing)
            return
        first = _outcome(one)
        yield first
        if decision.verb is Verb.STOP:
            yield from self._instead_of_stop(step, one)
        elif decision.verb is Verb.WAIT:
            yield from self._after_wait(step, one)
        yield from _other_evidence(decision.evidence, s.request, first)
        if not step.is_after and first.effect != FAIL:
            because = "the same deployment creates the experiment, perhaps later: add a dependency"
            yield Outcome(FAIL, fails=True, because=because)
        if first.effect in (STOP, WAIT):
            # What fails anyway also fails if something else comes first.
            yield from _risks(step)
            for why in step.may_fail:
                yield Outcome(FAIL, fails=True, because=why)
        if note := self._version_note(step):
            self.notes.append(note)
            yield Outcome(STOP, stops=True, promotes=True, because=note)
            yield Outcome(FAIL, fails=True, because=note)

    def _instead_of_stop(self, step: Sent, one: Decided) -> Iterator[Outcome]:
        s = one.situation
        experiment, stop = s.experiment, one.decision.stop
        assert isinstance(experiment, Experiment) and stop  # noqa: S101, PT018 - a Stop has both
        is_delete = s.request.type is RequestType.DELETE
        if experiment.status != "Running":
            because = f"SageMaker may refuse to stop it while it is {experiment.status}"
            if experiment.status == "Created":
                refused = replace(s.progress, refused_at=s.now - REFUSED_SECONDS)
                later = decided(self._reader, step, replace(s, progress=refused))
                yield replace(_outcome(later), because=because)
            yield Outcome(NOTHING if is_delete else FAIL, fails=True, because=because)
        actions = actions_of(stop.end, experiment)
        unknown = [name for name in actions if name not in experiment.variants]
        if unknown and experiment.variants:
            names = ", ".join(f"'{name}'" for name in unknown)
            because = f"SageMaker refuses to stop it by actions for {names}"
            yield Outcome(FAIL, fails=True, because=because)
        end = experiment.scheduled_end
        if end is not None and end < time.time() + SOON_SECONDS:
            ended = replace(_as_ended(experiment, None), completion_time=end)
            later = decided(self._reader, step, replace(s, described=ended))
            yield replace(_outcome(later), because=f"it ends by itself at {words.moment(end)}")
        yield from _too_little_time(s)

    def _after_wait(self, step: Sent, one: Decided) -> Iterator[Outcome]:
        """What may follow a wait: the answer after the end, and what the deadline makes of it."""
        s, experiment = one.situation, one.situation.experiment
        if isinstance(experiment, Experiment) and experiment.is_stopping:
            status = experiment.status if experiment.is_over else COMPLETED
            ended = replace(experiment, status=status, endpoint_status="InService", variants={})
            later = decided(self._reader, step, replace(s, described=ended))
            yield replace(_outcome(later), because="it has not ended yet")
        else:
            # Of a status that is not known, anything may come.
            because = f"its status is {getattr(experiment, 'status', 'not known')}"
            yield Outcome(STOP, stops=True, promotes=_promotes(s.request), because=because)
        late = decided(self._reader, step, replace(s, now=s.deadline))
        why = "the wait may not end in time"
        yield replace(_outcome(late), because=why)

    def _native(self, step: Native) -> Verdict:
        """What CloudFormation's own resource does, as its published handler decides by status."""
        seen: Seen[Experiment | None] = self._reader.experiment(step.name)
        after = self._after.get(step.name.lower())
        verdict = Verdict(*(step.place, step.name, (), ""), moment=step.moment, is_native=True)
        if isinstance(seen, NotReadable):
            return self._unknown(verdict, seen.why)
        found = list(after or ([seen] if seen else []))
        state = (step.properties or {}).get("DesiredState")
        ends = step.properties is None or state in _ENDED_STATES or is_late(state)
        stops = [one for one in found if ends and one.status == "Running"]
        perhaps = [
            one for one in found if ends and one.status in ("Creating", "Starting", "Updating")
        ]
        if not stops and not perhaps:
            outcomes: list[Outcome] = [Outcome(NOTHING)]
            why = f"CloudFormation's own resource stops nothing: it {_is_what(step, found)}"
            return replace(self._seen(verdict), outcomes=tuple(outcomes), why=why)
        experiment = (stops or perhaps)[0]
        request = _native_request(step, experiment)
        promotes = "Promote" in request["ModelVariantActions"].values()
        outcomes = [Outcome(STOP, stops=True, promotes=promotes)]
        if len(stops) < len(found):
            others = [one for one in found if one not in stops]
            is_ours = others[0].is_over
            because = f"it is {others[0].status}"
            if is_ours:
                because = "an earlier request of the operation may end it"
            outcomes.append(Outcome(NOTHING, because=because))
        if is_late(state):
            because = "'DesiredState' is known only during the deployment"
            outcomes.append(Outcome(NOTHING, because=because))
        outcomes += [Outcome(NOTHING, because=risk) for risk in step.risks]
        why = (
            f"CloudFormation's own resource will stop it and {kept_by(request)}; the function has "
            f"no part in it"
        )
        made = replace(
            self._seen(verdict),
            outcomes=tuple(outcomes),
            why=why,
            stop_request=request,
            way_back=words.way_back(experiment) if promotes else "",
        )
        self._keep(made, [_as_ended(experiment, None)])
        return made

    def _version_note(self, step: Sent) -> str:
        """Why the function may decide otherwise than this command; empty if it has the same code.

        What the deployment itself makes of the function is told only by its description.
        """
        installed = installed_version()
        version = self._versions.get(step.service_token.rpartition(":")[2])
        if not step.service_token:
            if version in (None, installed):
                return ""
        elif version is None:
            found = self._reader.function(step.service_token)
            if isinstance(found, NotReadable):
                return f"the function's version cannot be read: {found.why}"
            version = version_in(found.description) if found else None
            if found and version == installed:
                return _code_note(found)
        if version == installed:
            return ""
        return (
            f"the function has version {version or '0.1.0 or an unknown one'}, but this command "
            f"has version {installed}"
        )

    def _warnings(self, one: Decided) -> Iterator[str]:
        """What the function logs about a promotion that it makes or arms."""
        s, experiment = one.situation, one.situation.experiment
        if one.decision.row is not Row.STOPPABLE or not isinstance(experiment, Experiment):
            return
        new = s.request.new
        wanted = one.decision.stop or (
            wanted_by(new, s.request) if isinstance(new, Declaration) else None
        )
        declared = promoted_instances(wanted.end, experiment) if wanted else None
        if declared is None:
            return
        counts = self._reader.counts(experiment.endpoint_name)
        if isinstance(counts, NotReadable):
            yield f"the instances that production runs cannot be compared: {counts.why}"
        elif declared < (runs := counts.get(experiment.production, 0)):
            yield words.fewer_instances(declared, experiment, runs)


def _code_note(function: Function) -> str:
    """Why a function may not have the code of this release, as its description says it has."""
    try:
        ours = code_sha256()
    except MissingCodeError as error:
        return f"the function's code cannot be compared: {error}"
    if function.code_sha256 == ours:
        return ""
    return (
        f"the function's code is not that of version {installed_version()}: its CodeSha256 is "
        f"'{function.code_sha256}', and not '{ours}'"
    )


def _way_back(stop: Wanted | None, experiment: Experiment | None) -> str:
    """How the promotion that a stop orders can be taken back; empty if it orders none."""
    if stop is None or experiment is None or not stop.end.promotes:
        return ""
    return words.way_back(experiment)


_ENDED_STATES = ("Completed", "Cancelled")


def kept_by(request: Mapping[str, Any]) -> str:
    """What CloudFormation's own resource makes of the variants."""
    actions = list(request["ModelVariantActions"].values())
    if "Promote" in actions:
        return "promote the shadow"
    kept = actions.count("Retain")
    return "keep both variants" if kept == 2 else f"keep {kept} of {len(actions)} variants"


def _is_what(step: Native, found: list[Experiment]) -> str:
    if not found:
        return "is not there"
    if step.properties is None and found[0].status == "Created":
        return "has not started, and is deleted"
    if step.properties is None or found[0].is_over:
        return f"is {found[0].status}"
    return "does not say that it shall end"


def _native_request(step: Native, experiment: Experiment) -> dict[str, Any]:
    """What AWS's own handler sends; it publishes its code."""
    if step.properties is None:
        actions = dict.fromkeys(experiment.variants, "Retain")
        return {
            "Name": step.name,
            "ModelVariantActions": actions,
            "DesiredState": COMPLETED,
        }
    declared = [
        one for one in step.properties.get("ModelVariants") or [] if isinstance(one, Mapping)
    ]
    kept = {str(one.get("VariantName")) for one in declared}
    source = experiment.production
    stays = "Retain" if source in kept else "Promote"
    actions = {source: "Retain" if source in kept else "Remove"}
    actions |= {name: stays if name in kept else "Remove" for name in experiment.shadows}
    request: dict[str, Any] = {
        "Name": step.name,
        "ModelVariantActions": actions,
        "DesiredState": step.properties.get("DesiredState"),
        "DesiredModelVariants": declared,
    }
    reason = step.properties.get("StatusReason")
    return request | ({"Reason": reason} if reason else {})


def _outcome(one: Decided) -> Outcome:
    decision = one.decision
    effect = _EFFECTS.get(decision.verb, UNKNOWN)
    if effect == UNKNOWN:
        return Outcome(UNKNOWN, because=decision.why)
    stop = decision.stop if decision.verb is Verb.STOP else None
    return Outcome(
        effect,
        stops=stop is not None,
        promotes=stop is not None and stop.end.promotes,
        fails=effect == FAIL,
    )


def _way(one: Decided) -> tuple[object, ...]:
    """What makes two decisions different for a reader."""
    outcome = _outcome(one)
    end = one.decision.stop.end if one.decision.stop else None
    return (*_key(outcome), end)


def _key(outcome: Outcome) -> tuple[object, ...]:
    return outcome.effect, outcome.stops, outcome.promotes, outcome.fails


def _missing(one: Decided) -> str:
    """What would have to be known for a decision that rests on what could not be read."""
    decision = one.decision
    if one.unread and (decision.row in _UNREAD_ROWS or decision.is_unmeasured):
        return "; ".join(dict.fromkeys(unread.why for unread in one.unread))
    return ""


def _risks(step: Sent) -> Iterator[Outcome]:
    yield from (Outcome(NOTHING, because=risk) for risk in step.risks)


def _promotes(request: Request) -> bool:
    return isinstance(request.new, Declaration) and request.new.end.promotes


def _other_evidence(
    evidence: Mapping[str, Any], request: Request, first: Outcome
) -> Iterator[Outcome]:
    """What another verdict on the evidence would make of the request."""
    if not evidence:
        return
    because = "the metrics may change"
    is_open = evidence.get("verdict") == Evidence.SUCCESSFUL.value
    if not is_open:
        yield replace(_PROMOTES, because=because, by_metrics=True)
    elif request.type is RequestType.DELETE:
        yield replace(first, promotes=False, because=because, by_metrics=True)
    else:
        yield Outcome(FAIL, fails=True, because=because, by_metrics=True)


_PROMOTES = Outcome(STOP, stops=True, promotes=True)


def _too_little_time(s: Situation) -> Iterator[Outcome]:
    seconds = seconds_to_answer(s.request.service_timeout)
    if seconds < STOP_SECONDS:
        why = f"the end may take longer than the {seconds:.0f} s that 'ServiceTimeout' leaves"
        yield Outcome(STOP, stops=True, promotes=_promotes(s.request), fails=True, because=why)


def _why(one: Decided) -> str:
    """The function's sentence, and when to deploy again if the test is too young."""
    why, experiment = one.decision.why, one.situation.experiment
    if missing := _missing(one):
        return f"not known: {missing}"
    if one.decision.row is not Row.GATE_INCONCLUSIVE or not isinstance(experiment, Experiment):
        return why
    ready = _ready_at(one.situation, experiment)
    if one.situation.now < ready:
        return f"{why}; deploy again after {words.moment(ready)}"
    return why


def _ready_at(s: Situation, experiment: Experiment) -> float:
    """When enough of the test lies behind for a verdict on the evidence."""
    new = s.request.new
    evidence = new.promote_if if isinstance(new, Declaration) else None
    if evidence is None:
        return s.now
    if evidence.confidence is None:
        begin = windowed.question(evidence, experiment, s.now).begin
        return begin + PERIOD + windowed.LATE_SECONDS
    begin = sequential.question(evidence, experiment, s.now).begin
    return begin + (evidence.min_hours or 1) * HOUR + sequential.LATE_SECONDS


def _as_ended(experiment: Experiment, wanted: Wanted | None) -> Experiment:
    """The experiment after a stop; by somebody else if nothing was wanted."""
    return replace(
        experiment,
        status=(wanted.end.desired_state if wanted else None) or COMPLETED,
        status_reason=wanted.reason if wanted else "",
        completion_time=time.time(),
        endpoint_status="InService",
        variants={},
    )
