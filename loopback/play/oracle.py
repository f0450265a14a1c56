"""The oracle: whether what happened is what users had ordered.

It knows orders and not the handler's reasons. An order names one experiment, not a name; it is over
when CloudFormation has written that it takes it back, or has its answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..faults import FLAKY
from ..journal import CALL, LOG, Entry
from ..sagemaker import ENDED, ON_SCHEDULE, arn_of
from ..world import World
from .engine import Engine
from .ledger import EVENTS, UNDO, Order, Request, Sign, Stop, is_end_of
from .story import Settings, Story, Trouble

LOOK_SECONDS = 10.0
"""A Stop leaves at most this long after the look that it rests on."""

MADE_WITH_THE_REQUEST = 6.0
"""Five seconds, and the second that a request's date is cut to."""

READABLE_SECONDS = 50.0
"""An event that is not there after about a minute may stay away."""

UNORDERED = "an end that nobody had ordered"
TAKEN_BACK = "an end that was ordered, but taken back"
ANOTHER_END = "another end than ordered"
ANOTHER_EXPERIMENT = "an experiment that nobody meant"
LOST = "a lost order"
UNANSWERED = "a request without an answer"
DISAGREE = "answers that disagree"
WRONG_ID = "a wrong physical id"
LEFT = "something left behind"
UNTRUE = "something untrue"
UNEXPECTED = "a failure without a reason"

_NOTHING_STOPPED = re.compile(
    r"nothing (was|has been|is) stopped|(was|is) not stopped|did not stop", re.IGNORECASE
)


@dataclass(frozen=True)
class Finding:
    """One broken promise.

    Attributes:
        kind: One of the constants above.
        what: What happened, for people.
        request: The number of the request in question; 0 for none.
    """

    kind: str
    what: str
    request: int = 0

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def judge(world: World, engine: Engine) -> list[Finding]:
    """Everything that is wrong with what has happened."""
    court = _Court(world, engine)
    return [
        *court.stops(),
        *court.orders(),
        *court.answers(),
        *court.ids(),
        *court.words(),
        *court.leftovers(),
    ]


class _Court:
    def __init__(self, world: World, engine: Engine) -> None:
        self.world = world
        self.story: Story = engine.story
        self.ledger = engine.ledger
        self.engine = engine
        self.calls: dict[int, list[Entry]] = {}
        for entry in world.journal:
            if entry.kind == CALL:
                self.calls.setdefault(entry.invocation, []).append(entry)

    # Stops.

    def stops(self) -> Iterator[Finding]:
        """Each Stop needs an order."""
        for stop in self.ledger.stops:
            kind, what = self._stop(stop)
            if kind:
                at = stop.at - self.engine_begin
                said = json.dumps(stop.members.get("ModelVariantActions"))
                yield Finding(
                    kind, f"{stop.experiment.name} was stopped {at:.0f} s in, {said}{what}"
                )

    @property
    def engine_begin(self) -> float:
        return self.world.clock.now - self.world.elapsed

    def _stop(self, stop: Stop) -> tuple[str, str]:
        began = [order for order in self.ledger.orders if order.since <= stop.sent_at]
        named = [
            order
            for order in began
            if any(declared.experiment == stop.experiment.name for declared in order.ends)
        ]
        meant = [order for order in named if self._is_meant(order, stop)]
        matching = [
            order
            for order in meant
            if any(is_end_of(stop.members, declared) for declared in order.ends)
        ]
        reasons = [(order, self._over(order, stop)) for order in matching]
        if any(sign is None for _, sign in reasons):
            return "", ""
        if reasons:
            sign = reasons[-1][1]
            assert sign is not None
            since = stop.sent_at - sign.written_at
            return TAKEN_BACK, f", {since:.1f} s after: {sign.what}"
        if any(self._over(order, stop) is None for order in meant):
            return ANOTHER_END, ""
        if named and not meant and any(self._over(order, stop) is None for order in named):
            return ANOTHER_EXPERIMENT, ""
        return UNORDERED, ""

    def _is_meant(self, order: Order, stop: Stop) -> bool:
        """Whether an order is of the very experiment that was stopped.

        One made right after the request cannot be told from the one that was there before, and a
        Stop goes by name: one made after the look behind it is hit by it.
        """
        made_at = self.ledger.made.get(id(stop.experiment), 0.0)
        is_new = order.since < made_at <= order.since + MADE_WITH_THE_REQUEST
        described = self._read_before(stop, "DescribeInferenceExperiment")
        is_unseen = made_at > self._looked_at(stop, described)
        return order.experiment is stop.experiment or is_new or is_unseen

    def _over(self, order: Order, stop: Stop) -> Sign | None:
        """What the look behind a Stop could have read, which says that the order is over."""
        for sign in order.signs:
            if sign.written_at > stop.sent_at:
                continue
            calls = [
                call
                for call in self._read_before(stop, sign.read_by)
                if call.detail["request"].get("StackName") == sign.stack
                and not (sign.read_by == EVENTS and "NextToken" in call.detail["request"])
            ]
            if sign.visible_at <= self._looked_at(stop, calls):
                return sign
        return None

    def _read_before(self, stop: Stop, name: str) -> list[Entry]:
        """The calls of an operation that the invocation made before its Stop."""
        return [
            call
            for call in self.calls.get(stop.invocation, ())
            if call.at <= stop.sent_at
            and call.name.partition(" ")[0] == name
            and not call.detail["code"]
        ]

    def _looked_at(self, stop: Stop, calls: list[Entry]) -> float:
        """When the look behind a Stop read something, by the calls that read it.

        A Stop that leaves later than allowed after its look has no excuse: it counts as one that
        could read everything.
        """
        read_at = max((call.at for call in calls), default=0.0)
        return read_at if stop.sent_at - read_at <= LOOK_SECONDS else stop.sent_at

    # Orders.

    def orders(self) -> Iterator[Finding]:
        """Each order that stands is carried out, or answered FAILED, or left with a warning."""
        for request in self.ledger.requests:
            order = request.order
            if order is None or not order.is_due:
                continue
            answer = request.asked.answer
            if answer is None or request.asked.is_abandoned:
                continue
            if any("ROLLBACK" in sign.what or "sibling" in sign.what for sign in order.signs):
                continue
            if answer["Status"] == "FAILED":
                if self._is_calm(request):
                    yield Finding(
                        UNEXPECTED, f"{_named(request)}: {answer.get('Reason')}", request.number
                    )
                continue
            lost = self._lost(request, order)
            if lost and not self._names_another_that_has_ended(request, order):
                yield Finding(
                    LOST, f"{_named(request)} was answered SUCCESS: {lost}", request.number
                )

    def _lost(self, request: Request, order: Order) -> str:
        experiment = order.experiment
        if experiment is None or id(experiment) in self.ledger.gone:
            return ""
        if request.kind == "Delete" and self._warned(request):
            if self._may_doubt(order) or experiment.has_ended:
                return ""
            return "it was left with a warning, but there was nothing to doubt"
        if experiment.ends_at > request.asked.answered_at:
            return "the experiment had not ended"
        if not experiment.was_settled_at(request.asked.answered_at):
            return "its endpoint was still changing"
        if request.kind == "Delete" or experiment.ends_at <= request.sent_at:
            return ""
        stopped = [stop for stop in self.ledger.stops if stop.experiment is experiment]
        if stopped:
            members = stopped[-1].members
            as_ordered = any(is_end_of(members, declared) for declared in order.ends)
            is_told = all(each.end != "promote" for each in order.ends) and self._warned(request)
            return "" if as_ordered or is_told else "it had ended otherwise, by an earlier Stop"
        if all(declared.end != "keep" for declared in order.ends):
            return "it had ended otherwise"
        return ""

    def _names_another_that_has_ended(self, request: Request, order: Order) -> bool:
        """Whether a Delete only names the experiment of a rename whose undo failed.

        One that has ended needs no end, so the stack is not read, which alone tells the other one.
        """
        other = request.experiment
        return (
            request.kind == "Delete"
            and _held(request) == request.declared.experiment
            and other is not order.experiment
            and (other is None or other.ends_at <= request.sent_at)
        )

    def _may_doubt(self, order: Order) -> bool:
        """Whether something kept the handler from knowing; what passes, such as throttling, not."""
        settings = self.story.settings
        if order.is_doubtful or settings.masked or settings.same_request_id:
            return True
        if settings.event_lag > READABLE_SECONDS:
            return True
        doubtful = ["denied", "late", "never"]
        if settings.pages:
            # Where pages take minutes to read, one in five is too many for any invocation.
            doubtful.append(FLAKY)
        if settings.experiment == "Created":
            # A deletion does not wait for a test to begin, which SageMaker may refuse to stop.
            doubtful.append("refused")
        return any(
            operation.meanwhile or any(each.kind in doubtful for each in operation.troubles)
            for operation in self.story.operations
        )

    def _warned(self, request: Request) -> bool:
        """Whether an invocation for the request has logged a warning."""
        asked = request.event["RequestId"]
        for entry in self.world.journal:
            if entry.kind == LOG and '"WARNING"' in entry.detail["line"]:
                told = self.world.function.told.get(entry.invocation, {})
                if told.get("RequestId") == asked:
                    return True
        return False

    def _is_calm(self, request: Request) -> bool:
        """Whether nothing could have disturbed the handler."""
        settings = self.story.settings
        at_ease = settings.event_lag <= 5 and not settings.masked and not settings.same_request_id
        if request.order is None or request.order.is_doubtful or not at_ease:
            return False
        if any(each.troubles or each.meanwhile for each in self.story.operations):
            return False
        if any(each.fails or each.undo_fails for each in self.story.operations):
            return False
        if settings.stop_seconds > Settings().stop_seconds or settings.begins_in > 600:
            return False
        experiment = request.order.experiment
        if experiment is None or settings.experiment in (*ENDED, "absent", "Stopping"):
            return False
        return not any(
            stop.experiment is experiment and stop.at < request.sent_at
            for stop in self.ledger.stops
        )

    # Answers.

    def answers(self) -> Iterator[Finding]:
        """Every request is answered once and in time."""
        for request in self.ledger.requests:
            timed_out = request.times_out_at <= request.abandoned_at < float("inf")
            if timed_out and not self._is_excused(request):
                yield Finding(UNANSWERED, _named(request), request.number)
        yield from self._disagreements()

    def _is_excused(self, request: Request) -> bool:
        """Whether a handler may be unable to answer."""
        return any(
            trouble.kind in ("never", "late")
            or _lasts(trouble)
            or trouble.kind in ("killed", "denied")
            for operation in self.story.operations
            for trouble in operation.troubles
        )

    def _disagreements(self) -> Iterator[Finding]:
        if self.story.settings.same_request_id:
            return
        said: dict[str, set[tuple[str, str]]] = {}
        for entry in self.world.journal.puts():
            try:
                body = json.loads(entry.detail["body"])
            except ValueError:
                continue
            said.setdefault(body.get("RequestId", ""), set()).add(
                (body.get("Status", ""), body.get("PhysicalResourceId", ""))
            )
        for request in self.ledger.requests:
            answers = said.get(request.event["RequestId"], set())
            # CloudFormation only hears the first; what a later one says is of no account.
            if len({status for status, _ in answers}) < len(answers):
                yield Finding(DISAGREE, f"{_named(request)}: {sorted(answers)}", request.number)

    def ids(self) -> Iterator[Finding]:
        """Physical ids are right."""
        for request in self.ledger.requests:
            answer = request.asked.answer
            if answer is None:
                continue
            given = answer["PhysicalResourceId"]
            known = request.event.get("PhysicalResourceId", "")
            arn = arn_of(request.declared.experiment)
            if request.kind == "Create":
                right = (given == arn) == (answer["Status"] == "SUCCESS")
            elif request.kind == "Update" and answer["Status"] == "SUCCESS":
                right = given == arn
            else:
                right = given == known
            if not right and not self.story.settings.same_request_id:
                what = f"{_named(request)} {answer['Status']} has the id {given}, was {known}"
                yield Finding(WRONG_ID, what, request.number)

    def words(self) -> Iterator[Finding]:
        """Nothing that is said to the user is untrue."""
        if self.story.settings.same_request_id:
            return
        for request in self.ledger.requests:
            answer = request.asked.answer
            if answer is None:
                continue
            at = request.asked.answered_at
            before = [stop for stop in self.ledger.stops if stop.at <= at]
            own = [stop for stop in before if self._of(stop, request)]
            data: Mapping[str, Any] = answer.get("Data") or {}
            claim = data.get("StoppedByThisResource")
            # After a failed rename, a deletion may have the other name in its properties.
            names = {request.declared.experiment, _held(request)}
            if claim == "true" and not any(stop.experiment.name in names for stop in before):
                yield Finding(UNTRUE, f"{_named(request)} claims a Stop", request.number)
            if claim == "false" and own:
                yield Finding(UNTRUE, f"{_named(request)} denies its Stop", request.number)
            if own and _NOTHING_STOPPED.search(str(answer.get("Reason", ""))):
                yield Finding(UNTRUE, f"{_named(request)}: {answer['Reason']}", request.number)

    def _of(self, stop: Stop, request: Request) -> bool:
        """Whether the invocation that answered knew of a Stop.

        What another one did, which was killed or ran beside it, it can only guess.
        """
        answering = [
            entry.invocation
            for entry in self.world.journal.puts()
            if entry.at <= request.asked.answered_at
            and f"/{request.event['RequestId']}?" in entry.detail["target"]
        ]
        heard = [
            entry
            for entry in self.calls.get(stop.invocation, ())
            if entry.name == "StopInferenceExperiment" and entry.at == stop.at
        ]
        is_lost = any(entry.detail["is_lost"] for entry in heard)
        return answering[-1:] == [stop.invocation] and not is_lost

    def leftovers(self) -> Iterator[Finding]:
        """Nothing is left behind."""
        if self._cleans_up_badly():
            return
        for left in self.world.leftovers:
            yield Finding(LEFT, left)

    def _cleans_up_badly(self) -> bool:
        """Whether AWS kept the handler from cleaning up."""
        return any(
            trouble.call in ("RemoveTargets", "DeleteRule", "RemovePermission", "PUT")
            or trouble.kind in ("killed", "never", "late")
            or _lasts(trouble)
            for operation in self.story.operations
            for trouble in operation.troubles
        )


MANY_ATTEMPTS = 1000
MOST_SECONDS = 100.0


def _lasts(trouble: Trouble) -> bool:
    """Whether a call fails for so long that a handler may have no time left after it."""
    is_short = trouble.kind == FLAKY or 0.0 < trouble.seconds <= MOST_SECONDS
    return trouble.attempts >= MANY_ATTEMPTS and not is_short


def _held(request: Request) -> str:
    """The name of the experiment in the physical id."""
    return str(request.event.get("PhysicalResourceId", "")).rpartition("/")[2]


def _named(request: Request) -> str:
    return f"request {request.number} ({request.kind}, {request.phase})"


__all__ = ["ON_SCHEDULE", "UNDO", "Finding", "judge"]
