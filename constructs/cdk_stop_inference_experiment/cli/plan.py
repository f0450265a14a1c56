"""What an operation will do to each experiment, and how certain that is.

A verdict is a list of *possibilities*: first what happens if everything stays as it is now, then
what may happen instead, each with its reason. What all of them have in common *will* happen, what
only some have *may* happen.
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
    ENDED_STATUSES,
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
    declared_instances,
    members_of,
    takes_production_counts,
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
    NoRequest,
    Operation,
    Place,
    PlannedRequest,
    Step,
    of_change_set,
    of_destroy,
)
from .reading import CannotPlan, Change, ChangeSet, DescribedStack, Function, Reader
from .situations import (
    Case,
    Decided,
    cases,
    decided,
    is_assumed_evidence,
    request_of,
    situation,
)
from .templates import Json, is_late

SHAPE = 2
"""The version of the JSON format. Members may be added to it, but not renamed or removed."""

WILL, MAY, UNKNOWN, NO, METRICS = "will", "may", "unknown", "no", "metrics"
STOP, WAIT, FAIL, NOTHING, PROMOTE = "stop", "wait", "fail", "nothing", "promote"

SOON_SECONDS = 3600.0
"""An experiment that starts or ends by itself within this time may do so before the request."""

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
class Possibility:
    """One way in which a request may go.

    Attributes:
        because: Why it may go this way and not the first one; for an unknown one, what would have
            to be known.
        by_metrics: It comes only if the metrics change.
        is_undone: It comes if something else of the operation fails first.
    """

    effect: str
    stops: bool = False
    promotes: bool = False
    fails: bool = False
    because: str = ""
    by_metrics: bool = False
    is_undone: bool = False

    @property
    def for_reader(self) -> tuple[str, bool, bool, bool]:
        """What makes it different for a reader."""
        return self.effect, self.stops, self.promotes, self.fails

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
        possibilities: The first one is what happens if everything stays as it is now.
        stop_request: The request to SageMaker, if there is one and all of it is known.
        evidence: The current report of the gate; empty if no evidence is declared.
        deploy_after: When a test that is too young is worth another try; ``why`` says it, too.
        warnings: What the function will log as a warning, such as fewer instances.
        sentence: The function's own sentence; empty if ``why`` is not the function's.
        outcome: What a stop makes of the variants, in a few words.
        serves: What serves after the stop.
        promotion: What serves if the evidence turns out to allow the promotion.
        waiting: What is known of the end that a request waits for.
        way_back: How a promotion can be taken back; empty if there is none.
        keeps_endpoint: Whether the operation leaves the experiment's endpoint as it is.
        endpoint_goes: When it deletes the endpoint; empty if it does not, or that is not certain.
    """

    place: Place
    experiment: str
    possibilities: tuple[Possibility, ...]
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
    deploy_after: str = ""
    warnings: tuple[str, ...] = ()
    sentence: str = ""
    outcome: str = ""
    serves: str = ""
    promotion: str = ""
    waiting: tuple[str, ...] = ()
    way_back: str = ""
    keeps_endpoint: bool = True
    endpoint_goes: str = ""

    @property
    def effect(self) -> str:
        """Stop, wait, fail, nothing or unknown."""
        is_unknown = any(possibility.effect == UNKNOWN for possibility in self.possibilities)
        return UNKNOWN if is_unknown else self.possibilities[0].effect

    @property
    def certainty(self) -> str:
        """Will, may or unknown."""
        if self.effect == UNKNOWN:
            return UNKNOWN
        return (
            WILL
            if len({possibility.for_reader for possibility in self.possibilities}) == 1
            else MAY
        )

    def chance(self, what: str) -> str:
        """Whether it stops, promotes or fails: will, may, metrics, unknown or no.

        A failure has the chance ``metrics`` if it comes only if the metrics change.
        """
        if self.effect == UNKNOWN:
            return UNKNOWN
        having = [possibility for possibility in self.possibilities if possibility.has(what)]
        if len(having) in (0, len(self.possibilities)):
            return WILL if having else NO
        is_by_metrics = all(possibility.by_metrics for possibility in having)
        return METRICS if what == FAIL and is_by_metrics else MAY

    @property
    def because(self) -> tuple[str, ...]:
        """Why it is not certain."""
        return tuple(
            dict.fromkeys(filter(None, (possibility.because for possibility in self.possibilities)))
        )

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

    stack: DescribedStack
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
    described = reader.stack(change_set.stack_id)
    if is_arn and stack not in (described.name, described.stack_id):
        raise CannotPlan(
            f"change set '{change_set.name}' belongs to stack '{described.name}', not to "
            f"'{stack}': name its stack"
        )
    if change_set.is_empty:
        note = f"the change set changes nothing: {change_set.reason.rstrip('.')}"
        return Plan(described, "change-set", change_set.arn, (), (note,), changes=False)
    _check_is_executable(change_set)
    operation = of_change_set(reader, change_set, described)
    versions = _versions_to_come(change_set)
    verdicts, notes = _judged(reader, operation, "in the clean-up of this change set", versions)
    return Plan(described, "change-set", change_set.arn, verdicts, notes)


def plan_destroy(reader: Reader, stack: str) -> Plan:
    """What the deletion of a stack will do.

    Raises:
        CannotPlan: The stack does not exist, or cannot be read.
    """
    described = reader.stack(stack)
    if described.status.endswith("_IN_PROGRESS") and not described.is_new:
        raise CannotPlan(
            f"stack '{described.name}' is {described.status}: run the plan when no operation is in "
            f"progress"
        )
    operation = of_destroy(reader, described)
    verdicts, notes = _judged(reader, operation, "with the stack", {})
    return Plan(described, "destroy", "", verdicts, notes)


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
    versions: dict[str, str] = {}
    for change in change_set.changes:
        version = version_in(str((change.after or {}).get("Description", "")))
        if change.resource_type == FUNCTION_TYPE and (version or _hides_version(change)):
            versions[change.physical_id] = version or ""
        if change.nested:
            versions |= _versions_to_come(change.nested)
    return versions


def _hides_version(change: Change) -> bool:
    """Whether an updated function may get another version, which the change set does not show."""
    names = {detail.name for detail in change.details if detail.attribute == "Properties"}
    if not change.physical_id or (change.scope and "Properties" not in change.scope):
        return False
    if change.after is not None:
        return True  # It is not in the new description.
    return not names or bool(names & {"", "Code", "Description"})


def _judged(
    reader: Reader, operation: Operation, deleted: str, versions: Mapping[str, str]
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """The verdict on each step, in order, and notes on the functions' versions."""
    judge = Judge(reader, versions)
    reader.describe_all(judge.names(operation.steps))
    verdicts = [judge.verdict(step) for step in operation.steps]
    for twins in _twins(operation.steps, verdicts):
        as_planned = tuple(verdicts)
        for first in twins[1:]:
            order = [first, *(index for index in twins if index != first)]
            steps = dict(zip(twins, order, strict=True))
            other = Judge(reader, versions).in_another_order(operation.steps, steps)
            _add_another_order(verdicts, as_planned, other, twins)
    verdicts = [_with_endpoint(reader, operation, deleted, verdict) for verdict in verdicts]
    return tuple(_with_failures_of_others(verdicts)), tuple(dict.fromkeys(judge.notes))


def _twins(steps: list[Step], verdicts: list[Verdict]) -> Iterator[list[int]]:
    """What acts at the same moment on the same experiment: any of it may come first.

    In a deletion, CloudFormation's own resource is taken to be the last of its stack.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for index, verdict in enumerate(verdicts):
        if verdict.experiment and isinstance(steps[index], (Native, PlannedRequest)):
            key = verdict.experiment.lower(), verdict.moment
            found.setdefault(key, []).append(index)
    for group in found.values():
        indexes = [index for index in group if not _is_last(steps, index, group)]
        if len(indexes) < 2:
            continue
        first = steps[indexes[0]]
        others = [steps[index].place for index in indexes[1:]]
        is_first = isinstance(first, Native) and all(
            place.stack_id == first.place.stack_id and place.logical_id in first.dependents
            for place in others
        )
        twins = indexes[1:] if is_first else indexes
        if len(twins) > 1:
            yield twins


def _is_last(steps: list[Step], index: int, group: list[int]) -> bool:
    """Whether it is a deletion of CloudFormation's own resource with nothing planned after it."""
    step = steps[index]
    is_deleted = isinstance(step, Native) and step.properties is None
    return is_deleted and index == group[-1]


def _add_another_order(
    verdicts: list[Verdict],
    as_planned: tuple[Verdict, ...],
    other: Mapping[int, Verdict],
    twins: list[int],
) -> None:
    """Add what comes of twins in another order, if it is not the same in all."""
    chances = [
        sorted([one[index].chance(what) for what in (STOP, PROMOTE, FAIL)] for index in twins)
        for one in (dict(enumerate(as_planned)), other)
    ]
    if chances[0] == chances[1]:
        return  # Whichever comes first does the same.
    for index in twins:
        verdict = verdicts[index]
        seen = {way.for_reader for way in verdict.possibilities}
        because = "another resource is for the same experiment, and either may come first"
        more = [
            replace(way, because=way.because or because)
            for way in other[index].possibilities
            if way.for_reader not in seen
        ]
        verdicts[index] = replace(
            verdict,
            possibilities=(*verdict.possibilities, *more),
            way_back=verdict.way_back or other[index].way_back,
        )


def _with_endpoint(reader: Reader, operation: Operation, deleted: str, verdict: Verdict) -> Verdict:
    """A verdict that promises nothing of an endpoint which the same operation deletes."""
    # One without a status is not about an experiment that has been read.
    experiment = reader.experiment(verdict.experiment) if verdict.status else None
    name = experiment.endpoint_name if isinstance(experiment, Experiment) else ""
    is_known = operation.endpoints.get(name.lower())
    if is_known is None:
        return verdict
    goes = f"its endpoint '{name}' is deleted {deleted}, and serves nothing any more"
    return replace(
        verdict,
        serves="",
        promotion="",
        way_back="",
        keeps_endpoint=False,
        endpoint_goes=goes if is_known else "",
    )


def _with_failures_of_others(verdicts: list[Verdict]) -> Iterator[Verdict]:
    """A request that fails may come before another one, or undo the deployment first."""
    failing = [other for other in verdicts if other.chance(FAIL) not in (NO, METRICS)]
    for verdict in verdicts:
        others = [
            other.place.logical_id
            for other in failing
            if other is not verdict and not (other.moment == CLEAN_UP and verdict.moment == UPDATE)
        ]
        if others and verdict.effect in (STOP, WAIT):
            because = f"{words.quoted(others)} may fail first"
            first = Possibility(NOTHING, because=because, is_undone=True)
            verdict = replace(verdict, possibilities=(*verdict.possibilities, first))  # noqa: PLW2901
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
            elif (
                isinstance(step, PlannedRequest)
                and step.properties
                and not (isinstance(step.made, Experiment) or step.missing)
            ):
                name = request_of(step, step.properties).name
                yield "" if is_late(name) else name

    def in_another_order(
        self, steps: list[Step], exchanged: Mapping[int, int]
    ) -> Mapping[int, Verdict]:
        """The verdicts by step, where some steps take the place of others."""
        order = [exchanged.get(index, index) for index in range(len(steps))]
        return {index: self.verdict(steps[index]) for index in order}

    def verdict(self, step: Step) -> Verdict:
        """The verdict on one step."""
        if isinstance(step, NoRequest):
            possibility = (
                Possibility(NOTHING) if step.is_known else Possibility(UNKNOWN, because=step.why)
            )
            experiment = step.experiment or step.place.experiment
            why = step.why if step.is_known else f"not known: {step.why}"
            return Verdict(step.place, experiment, (possibility,), why)
        if isinstance(step, Native):
            return self._native(step)
        base = Verdict(
            *(step.place, step.place.experiment, (), ""),
            request=step.kind.value,
            moment=step.moment,
        )
        if step.properties is None or step.missing:
            return self._unknown(base, step.missing)
        alternatives: list[tuple[PlannedRequest, Case]] = []
        for properties, old in _alternatives(step, step.properties):
            found = cases(properties, old)
            if isinstance(found, str):
                return self._unknown(base, found)
            alternatives += [(replace(step, old=old), case) for case in found]
        request = request_of(step, alternatives[0][1].properties)
        base = replace(base, experiment=request.name)
        if step.refused:
            return replace(self._with_status(base), possibilities=(_failure(),), why=step.refused)
        if step.service_token and self._reader.function(step.service_token) is None:
            gone = f"its function no longer exists: {step.service_token}"
            return replace(self._with_status(base), possibilities=(_failure(),), why=gone)
        results = [
            (case, self._decided(one, case.properties, experiment))
            for one, case in alternatives
            for experiment in self._experiments(step, request_of(one, case.properties).name)
        ]
        # What stops comes first: it is what a reader must see.
        results.sort(key=lambda result: result[1].decision.verb is not Verb.STOP)
        verdict = self._combined(step, base, results)
        self._remember(verdict, results)
        return verdict

    def _combined(
        self, step: PlannedRequest, base: Verdict, results: list[tuple[Case, Decided]]
    ) -> Verdict:
        case, first = results[0]
        possibilities = list(self._possibilities(step, first))
        for _, other in results[1:]:
            more = list(self._possibilities(step, other))
            seen = {way.for_reader for way in possibilities}
            if _for_reader(other) != _for_reader(first) or any(
                way.for_reader not in seen for way in more
            ):
                late = [name for name, value in (step.properties or {}).items() if is_late(value)]
                because = f"{', '.join(map(repr, late))}: known only during the deployment"
                if not late and (step.or_old is not None or step.or_properties is not None):
                    because = "which declaration counts as deployed after the failure is not known"
                elif not late:
                    because = "an earlier request of the operation may end it"
                possibilities += [replace(more[0], because=more[0].because or because), *more[1:]]
        for name in case.may_be_invalid:
            because = f"'{name}' may be invalid: it is known only during the deployment"
            possibilities.append(_failure(because))
        decision, s = first.decision, first.situation
        experiment = s.experiment if isinstance(s.experiment, Experiment) else None
        counts = s.prepared.counts if s.prepared else None
        stop = decision.stop if decision.verb is Verb.STOP else None
        known = counts if isinstance(counts, Mapping) else {}
        request = members_of(stop, experiment, known) if stop and experiment else None
        unknown = next((way for way in possibilities if way.effect == UNKNOWN), None)
        # A value that is known only later may decide what serves; one that is assumed says nothing.
        ends = {result.decision.stop.end for _, result in results if result.decision.stop}
        is_one = len(ends) == 1
        properties = step.properties or {}
        is_assumed = is_late([properties.get("DesiredModelVariants"), properties.get("Instances")])
        is_shown = is_one and not is_assumed
        by_metrics = any(way.by_metrics and way.promotes for way in possibilities)
        promotion = self._promotion(s) if by_metrics else None
        return replace(
            self._with_status(base),
            possibilities=tuple(possibilities),
            why=f"not known: {unknown.because}" if unknown else _why(first),
            order=(decision.order or decision.row).value,
            row=decision.row.value,
            stop_request=request if is_shown and not is_late(properties.get("Reason")) else None,
            evidence={} if is_assumed_evidence(case) else decision.evidence,
            deploy_after=_ready(first),
            warnings=() if is_assumed else tuple(self._warnings(first)),
            sentence="" if unknown else decision.why,
            outcome=outcome_in_words(request, experiment)
            if is_one and request and experiment
            else "",
            serves=_serves(request, experiment) if is_shown and request and experiment else "",
            promotion=_serves(promotion, experiment)
            if promotion and experiment and not is_assumed
            else "",
            waiting=tuple(self._waiting(step, first)),
            way_back=_way_back(stop, experiment, may_promote=promotion is not None),
        )

    def _promotion(self, s: Situation) -> dict[str, object] | None:
        """The request that promotes if the evidence allows it."""
        new, experiment = s.request.new, s.experiment
        if not isinstance(new, Declaration) or not isinstance(experiment, Experiment):
            return None
        if not takes_production_counts(new.end):
            return members_of(wanted_by(new, s.request), experiment, {})
        counts = self._reader.counts(experiment.endpoint_name)
        if isinstance(counts, NotReadable):
            return None
        return members_of(wanted_by(new, s.request), experiment, counts)

    def _waiting(self, step: PlannedRequest, result: Decided) -> Iterator[str]:
        """What is known of an end that is under way, and of what follows it."""
        s, experiment = result.situation, result.situation.experiment
        is_wait = result.decision.verb is Verb.WAIT
        if not is_wait or not isinstance(experiment, Experiment) or not experiment.is_stopping:
            return
        what = "the deletion" if s.request.type is RequestType.DELETE else "the update"
        minutes = seconds_to_answer(s.request.service_timeout) / 60
        endpoint = f", its endpoint {experiment.endpoint_status}" * bool(experiment.endpoint_status)
        yield (
            f"It is ending already ({experiment.status}{endpoint}), so no stop is sent, and "
            f"nothing here changes how it ends. CloudFormation waits until that end is complete, "
            f"for {minutes:.0f} minutes at most."
        )
        if result.decision.stop is not None:
            yield "This resource ordered that end: SageMaker's reason for it carries its digest."
        elif experiment.status_reason:
            reason = words.quoted([experiment.status_reason])
            yield f"SageMaker's reason for that end is not this resource's: {reason}."
        else:
            yield "SageMaker gives no reason for that end, so who ordered it is not known."
        later = self._after_its_end(step, s, experiment).decision
        if later.verb is Verb.FAIL:
            yield f'As it looks now, {what} then fails, and CloudFormation is told: "{later.why}"'
            return
        late = decided(self._reader, step, replace(s, now=s.deadline)).decision
        then = "fails" if late.verb is Verb.FAIL else "succeeds with a warning"
        yield f"As it looks now, {what} then succeeds. If the end takes longer, {what} {then}."

    def _unknown(self, base: Verdict, missing: str) -> Verdict:
        why = f"not known: {missing}"
        return replace(
            self._with_status(base),
            possibilities=(Possibility(UNKNOWN, because=missing),),
            why=why,
        )

    def _with_status(self, verdict: Verdict) -> Verdict:
        """A verdict with what SageMaker says of its experiment now."""
        experiment = self._reader.experiment(verdict.experiment) if verdict.experiment else None
        if not isinstance(experiment, Experiment):
            return verdict
        end = words.moment(experiment.scheduled_end)
        return replace(verdict, status=experiment.status, scheduled_end=end)

    def _experiments(self, step: PlannedRequest, name: str) -> list[Seen[Experiment | None]]:
        """The experiment as the request may find it."""
        known = self._after.get(name.lower())
        if known:
            return list(known)
        if isinstance(step.made, Experiment):
            return [step.made]
        now = self._reader.experiment(name) if name else None
        return [step.made if now is None else now]

    def _decided(
        self, step: PlannedRequest, properties: Json, experiment: Seen[Experiment | None]
    ) -> Decided:
        return decided(self._reader, step, situation(self._reader, step, properties, experiment))

    def _remember(self, verdict: Verdict, results: list[tuple[Case, Decided]]) -> None:
        """Keep what the experiment may be after this step."""
        ended = [
            _as_ended(result.situation.experiment, result.decision.stop)
            for _, result in results
            if result.decision.verb is Verb.STOP
            and result.decision.stop
            and isinstance(result.situation.experiment, Experiment)
        ]
        found = [
            result.situation.experiment
            for _, result in results
            if isinstance(result.situation.experiment, Experiment)
        ]
        self._keep(verdict, found, ended)

    def _keep(self, verdict: Verdict, found: list[Experiment], ended: list[Experiment]) -> None:
        """Keep what a step ends for certain, or may end."""
        name = verdict.experiment.lower()
        if ended and verdict.chance(STOP) == WILL:
            self._after[name] = ended[:1]
        elif ended:
            self._after[name] = [*_distinct(self._after.get(name) or found), ended[0]]

    def _possibilities(self, step: PlannedRequest, result: Decided) -> Iterator[Possibility]:
        """How a request may go in one Situation: first as everything is now."""
        decision, s = result.decision, result.situation
        if missing := _missing(result):
            yield Possibility(UNKNOWN, because=missing)
            return
        first = _possibility(result)
        yield first
        if decision.verb is Verb.STOP:
            yield from self._instead_of_stop(step, result)
        elif decision.verb is Verb.WAIT:
            yield from self._after_wait(step, result)
        if decision.row is not Row.INSTANCES_DIFFER:  # That is declared, not measured.
            yield from _other_evidence(decision.evidence, s.request, first)
        if not step.is_after and first.effect != FAIL:
            because = "the same deployment creates the experiment, perhaps later: add a dependency"
            yield _failure(because)
        if first.effect in (STOP, WAIT):
            # What fails anyway also fails if something else comes first.
            for risk in step.risks:
                yield Possibility(NOTHING, because=risk, is_undone=True)
            yield from map(_failure, step.may_fail)
        if note := self._version_note(step):
            self.notes.append(note)
            yield Possibility(STOP, stops=True, promotes=True, because=note)
            yield _failure(note)

    def _instead_of_stop(self, step: PlannedRequest, result: Decided) -> Iterator[Possibility]:
        s = result.situation
        experiment, stop = s.experiment, result.decision.stop
        assert isinstance(experiment, Experiment) and stop  # noqa: S101, PT018 - a Stop has both
        is_delete = s.request.type is RequestType.DELETE
        if experiment.status != "Running":
            because = f"SageMaker may refuse to stop it while it is {experiment.status}"
            if experiment.status == "Created":
                refused = replace(s.progress, refused_at=s.now - REFUSED_SECONDS)
                later = decided(self._reader, step, replace(s, progress=refused))
                yield replace(_possibility(later), because=because)
            yield Possibility(NOTHING if is_delete else FAIL, fails=True, because=because)
        actions = actions_of(stop.end, experiment)
        unknown = [name for name in actions if name not in experiment.variants]
        if unknown and experiment.variants:
            because = (
                f"SageMaker refuses actions for {words.quoted(unknown)}, which it does not have"
            )
            yield _failure(because)
        end = experiment.scheduled_end
        if end is not None and end < time.time() + SOON_SECONDS:
            ended = replace(_as_ended(experiment, None), completion_time=end)
            later = decided(self._reader, step, replace(s, described=ended))
            yield replace(_possibility(later), because=f"it ends by itself at {words.moment(end)}")
        yield from _too_little_time(s)

    def _after_wait(self, step: PlannedRequest, result: Decided) -> Iterator[Possibility]:
        """What may follow a wait: the answer after the end, and what the deadline makes of it."""
        s, experiment = result.situation, result.situation.experiment
        if isinstance(experiment, Experiment) and experiment.is_stopping:
            later = self._after_its_end(step, s, experiment)
            yield replace(_possibility(later), because="it may have ended by then")
        else:
            # Of a status that is not known, anything may come.
            because = f"its status is {getattr(experiment, 'status', 'not known')}"
            yield Possibility(STOP, stops=True, promotes=_promotes(s.request), because=because)
        late = decided(self._reader, step, replace(s, now=s.deadline))
        why = "the wait may not end in time"
        yield replace(_possibility(late), because=why)

    def _after_its_end(self, step: PlannedRequest, s: Situation, experiment: Experiment) -> Decided:
        status = experiment.status if experiment.is_over else COMPLETED
        ended = replace(experiment, status=status, endpoint_status="InService", variants={})
        return decided(self._reader, step, replace(s, described=ended))

    def _native(self, step: Native) -> Verdict:
        """What CloudFormation's own resource does, as its published handler decides by status."""
        now = self._reader.experiment(step.name)
        after = self._after.get(step.name.lower())
        verdict = Verdict(*(step.place, step.name, (), ""), moment=step.moment, is_native=True)
        if isinstance(now, NotReadable):
            return self._unknown(verdict, now.why)
        experiments = list(after or ([now] if now else []))
        state = (step.properties or {}).get("DesiredState")
        ends = step.properties is None or state in ENDED_STATUSES or is_late(state)
        stops = [each for each in experiments if ends and each.status == "Running"]
        perhaps = [each for each in experiments if ends and _may_be_running(each)]
        if not stops and not perhaps:
            because = _why_native_stops_nothing(step, experiments, is_later=bool(after))
            why = f"CloudFormation's own resource stops nothing: {because}"
            return replace(
                self._with_status(verdict), possibilities=(Possibility(NOTHING),), why=why
            )
        experiment = (stops or perhaps)[0]
        request = _native_request(step, experiment)
        promotes = _knows_variants(step) and "Promote" in request["ModelVariantActions"].values()
        possibilities = [Possibility(STOP, stops=True, promotes=promotes)]
        if len(stops) < len(experiments):
            others = [each for each in experiments if each not in stops]
            is_ours = others[0].is_over
            because = f"it is {others[0].status}"
            if is_ours:
                because = "an earlier request of the operation may end it"
            possibilities.append(Possibility(NOTHING, because=because))
        if is_late(state):
            because = "'DesiredState' is known only during the deployment"
            possibilities.append(Possibility(NOTHING, because=because))
        is_known = _knows_variants(step)
        if not is_known:
            because = "'ModelVariants' is known only during the deployment"
            possibilities.append(replace(possibilities[0], promotes=True, because=because))
        possibilities += [Possibility(NOTHING, because=risk) for risk in step.risks]
        outcome = outcome_in_words(request, experiment) if is_known else ""
        is_shown = is_known and not is_late(request)
        why = (
            f"CloudFormation's own resource will stop it{' and ' * bool(outcome)}{outcome}; the "
            f"function has no part in it"
        )
        verdict = replace(
            self._with_status(verdict),
            possibilities=tuple(possibilities),
            why=why,
            stop_request=request if is_shown else None,
            outcome=outcome,
            serves=_serves(request, experiment) if is_shown else "",
            way_back=words.way_back(experiment) if promotes or not is_known else "",
        )
        self._keep(verdict, experiments, [_as_ended(experiment, None)])
        return verdict

    def _version_note(self, step: PlannedRequest) -> str:
        """Why the function may decide otherwise than this command; empty if it has the same code.

        What the deployment itself makes of the function is told only by its description.
        """
        installed = installed_version()
        version = self._versions.get(step.service_token.rpartition(":")[2])
        if not step.service_token and version is None:
            is_hidden = is_late((step.properties or {}).get("ServiceToken"))
            why = "its function is not known before the deployment, nor what version that has"
            return why if is_hidden else ""
        if version is None:
            function = self._reader.function(step.service_token)
            if isinstance(function, NotReadable):
                return f"the function's version cannot be read: {function.why}"
            version = version_in(function.description) if function else None
            if function and version == installed:
                return _code_note(function)
        if version == installed:
            return ""
        found = f"version {version}" if version else "an unknown version"
        return f"the function has {found}, but this command has version {installed}"

    def _warnings(self, result: Decided) -> Iterator[str]:
        """What the function logs about a promotion that it makes or arms."""
        s, experiment = result.situation, result.situation.experiment
        if result.decision.row is not Row.STOPPABLE or not isinstance(experiment, Experiment):
            return
        declared = declared_instances(result.decision.stop, s.request, experiment)
        if declared is None:
            return
        counts = self._reader.counts(experiment.endpoint_name)
        if isinstance(counts, NotReadable):
            yield f"the instances that production runs cannot be compared: {counts.why}"
        elif declared < (runs := counts.get(experiment.production, 0)):
            yield words.fewer_instances(declared, experiment, runs)


def _alternatives(step: PlannedRequest, properties: Json) -> Iterator[tuple[Json, Json | None]]:
    """What the request may have as ResourceProperties and OldResourceProperties."""
    yield properties, step.old
    if step.or_old is not None:
        yield properties, step.or_old
    if step.or_properties is not None:
        yield step.or_properties, step.old


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


def _way_back(stop: Wanted | None, experiment: Experiment | None, *, may_promote: bool) -> str:
    """How the promotion that a stop orders can be taken back; empty if there is none."""
    promotes = may_promote or (stop is not None and stop.end.promotes)
    return words.way_back(experiment) if promotes and experiment is not None else ""


def outcome_in_words(request: Mapping[str, Any], experiment: Experiment) -> str:
    """What a stop makes of the variants, in a few words."""
    actions = request["ModelVariantActions"]
    if "Promote" in actions.values():
        return "promote the shadow"
    kept = [name for name, action in actions.items() if action == "Retain"]
    if len(kept) == len(actions) == 2:
        return "keep both variants"
    if kept == [experiment.production]:
        return "keep production and remove the shadow"
    return f"keep {len(kept)} of {len(actions)} variants"


def _serves(request: Mapping[str, Any], experiment: Experiment) -> str:
    """What serves after a stop."""
    actions: Mapping[str, str] = request["ModelVariantActions"]
    desired = {
        variant["VariantName"]: variant for variant in request.get("DesiredModelVariants") or ()
    }
    promotes = "Promote" in actions.values()
    texts = []
    for name in sorted(
        actions, key=lambda name: ("Promote", "Retain", "Remove").index(actions[name])
    ):
        model = (desired.get(name) or experiment.configured.get(name) or {}).get("ModelName")
        text = f"variant '{name}'{f' (model {words.quoted([str(model)])})' if model else ''} "
        on = _instances_in(desired.get(name) or {})
        if actions[name] == "Promote":
            text += f"serves production on {on or 'the instances that SageMaker chooses'}"
        elif actions[name] == "Remove":
            text += "is removed"
        elif name == experiment.production and not promotes:
            text += f"keeps serving production{f' on {on}' if on else ''}"
        else:
            text += f"stays deployed{f' on {on}' if on else ''}, and is billed"
        texts.append(text)
    return "; ".join(texts)


def _instances_in(variant: Mapping[str, Any]) -> str:
    """The instances in a ModelVariantConfig; empty if it has none."""
    config = (variant.get("InfrastructureConfig") or {}).get("RealTimeInferenceConfig") or {}
    count, of_type = config.get("InstanceCount"), config.get("InstanceType")
    return f"{count} x {of_type}" if count is not None and of_type else ""


def _why_native_stops_nothing(
    step: Native, experiments: list[Experiment], *, is_later: bool
) -> str:
    """Why; ``is_later`` says that an earlier step makes of the experiment what it is then."""
    if not experiments:
        return "the experiment does not exist"
    if is_later and experiments[0].is_over:
        return "the experiment will have ended by then"
    if step.properties is None and experiments[0].status == "Created":
        return "the experiment has not started, and is deleted"
    if step.properties is None or experiments[0].is_over:
        return f"the experiment is {experiments[0].status}"
    return "its declaration does not end the experiment"


def _may_be_running(experiment: Experiment) -> bool:
    """Whether an experiment that does not run now may do so before the request."""
    if experiment.status == "Created":
        start = experiment.scheduled_start
        return start is None or start < time.time() + SOON_SECONDS
    return experiment.status not in ("Running", "Stopping", *ENDED_STATUSES)


def _knows_variants(step: Native) -> bool:
    """Whether it is known which variants CloudFormation's own resource declares from then on."""
    variants = (step.properties or {}).get("ModelVariants") or []
    return isinstance(variants, list) and not any(
        is_late(variant.get("VariantName") if isinstance(variant, Mapping) else variant)
        for variant in variants
    )


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
        variant
        for variant in step.properties.get("ModelVariants") or []
        if isinstance(variant, Mapping)
    ]
    kept = {str(variant.get("VariantName")) for variant in declared}
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


def _failure(because: str = "") -> Possibility:
    return Possibility(FAIL, fails=True, because=because)


def _possibility(result: Decided) -> Possibility:
    decision = result.decision
    effect = _EFFECTS.get(decision.verb, UNKNOWN)
    if effect == UNKNOWN:
        return Possibility(UNKNOWN, because=decision.why)
    stop = decision.stop if decision.verb is Verb.STOP else None
    return Possibility(
        effect,
        stops=stop is not None,
        promotes=stop is not None and stop.end.promotes,
        fails=effect == FAIL,
    )


def _for_reader(result: Decided) -> tuple[object, ...]:
    """What makes two decisions different for a reader."""
    return _possibility(result).for_reader, result.decision.stop and result.decision.stop.end


def _missing(result: Decided) -> str:
    """What would have to be known for a decision that rests on what could not be read."""
    decision = result.decision
    if result.unread and (decision.row in _UNREAD_ROWS or decision.is_unmeasured):
        return "; ".join(dict.fromkeys(unread.why for unread in result.unread))
    return ""


def _promotes(request: Request) -> bool:
    return isinstance(request.new, Declaration) and request.new.end.promotes


def _other_evidence(
    evidence: Mapping[str, Any], request: Request, first: Possibility
) -> Iterator[Possibility]:
    """What another verdict on the evidence would make of the request."""
    if not evidence:
        return
    because = "the metrics may change"
    if evidence.get("verdict") != Evidence.SUCCESSFUL.value:
        yield Possibility(STOP, stops=True, promotes=True, because=because, by_metrics=True)
    elif request.type is RequestType.DELETE:
        yield replace(first, promotes=False, because=because, by_metrics=True)
    else:
        yield Possibility(FAIL, fails=True, because=because, by_metrics=True)


def _too_little_time(s: Situation) -> Iterator[Possibility]:
    seconds = seconds_to_answer(s.request.service_timeout)
    if seconds < STOP_SECONDS:
        why = f"the end may take longer than the {seconds:.0f} s that 'ServiceTimeout' leaves"
        yield Possibility(STOP, stops=True, promotes=_promotes(s.request), fails=True, because=why)


def _why(result: Decided) -> str:
    """The function's sentence, and when to deploy again if the test is too young."""
    if missing := _missing(result):
        return f"not known: {missing}"
    ready = _ready(result)
    return result.decision.why + (f"; deploy again after {ready}" if ready else "")


def _ready(result: Decided) -> str:
    """When to deploy again if the test is too young; empty if it is not, or a forecast says it."""
    decision, experiment = result.decision, result.situation.experiment
    is_inconclusive = decision.row is Row.GATE_INCONCLUSIVE and "forecast" not in decision.evidence
    is_delete = result.situation.request.type is RequestType.DELETE  # It does not come again.
    if not is_inconclusive or is_delete or not isinstance(experiment, Experiment):
        return ""
    ready = _ready_at(result.situation, experiment)
    return words.moment(ready) if result.situation.now < ready else ""


def _ready_at(s: Situation, experiment: Experiment) -> float:
    """When enough of the test lies behind for a verdict on the evidence."""
    new = s.request.new
    evidence = new.promote_if if isinstance(new, Declaration) else None
    if evidence is None:
        return s.now
    if evidence.confidence is None:
        begin = windowed.question(evidence, experiment, s.now).begin
        return begin + PERIOD + windowed.METRIC_DELAY_SECONDS
    begin = sequential.question(evidence, experiment, s.now).begin
    return begin + (evidence.min_hours or 1) * HOUR + sequential.METRIC_DELAY_SECONDS


def _distinct(experiments: list[Experiment]) -> Iterator[Experiment]:
    """The experiments, of which several cases may have found the same one."""
    for index, experiment in enumerate(experiments):
        if experiment not in experiments[:index]:
            yield experiment


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
