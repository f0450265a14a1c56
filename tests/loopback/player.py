"""Applies the steps of a history to a world."""

from __future__ import annotations

from loopback.cloudformation import Asked
from loopback.faults import Fault
from loopback.sagemaker import BY_HAND, NEVER, ON_SCHEDULE, UNEXPECTED
from loopback.world import World

from .history import History
from .scenarios import SCALED_AGAIN, Scenario, set_up

BEAT_SECONDS = 1.2
LATER_SECONDS = 70.0

INSTANT = ("twin", "cold", "malformed")
TIMED = (
    "deliver",
    "fire",
    "fire twice",
    "ends",
    "ends Cancelled",
    "deleted",
    "kill",
    "later",
    "undone",
    "turns",
    "scales",
)
"""``twin`` delivers at the same time as the step before, ``deliver`` a moment later. ``later`` lets
time pass until the answer, or for 70 s. ``ends`` is an end by schedule, or the result of a Stop;
``ends Cancelled`` is an end by hand, or an error after a Stop. ``undone``: the update is cancelled,
another resource fails, or a parent stack rolls back. ``turns``: what CloudWatch tells, also of the
past, opens a gate that was closed, or closes it. ``scales``: production runs other instances."""


class SameAsAnother(Exception):
    """The history is equivalent to a shorter one or another one."""


class Player:
    """Applies the steps of one history to its world."""

    def __init__(self, world: World, scenario: Scenario, letters: tuple[str, ...]) -> None:
        self._world = world
        self._armed: list[Fault] = []
        self._cold_starts: int | None = None
        prelude = _warm_up(world)
        self._event = set_up(world, scenario)
        self.history = History(
            scenario, letters, world, world.cloudformation.asked["request-1"], prelude
        )
        world.aws.on_put = self._note_the_truth
        world.deliver(self._event)

    def step(self, letter: str) -> None:
        """Take one step.

        Raises:
            SameAsAnother: It changes nothing, or is equivalent to another step.
        """
        operation, colon, kind = letter.partition(":")
        if colon:
            if self._armed and not in_order(self._armed[-1].operation, operation):
                raise SameAsAnother
            fault = self._world.fail(operation, kind)
            self._armed.append(fault)
            self.history.faults.append(fault)
        elif letter in INSTANT:
            _must(getattr(self, f"_{letter}")())
        else:
            self._world.run(BEAT_SECONDS)
            self._close_segment()
            _must(getattr(self, f"_{letter.replace(' ', '_').lower()}")())

    def finish(self) -> None:
        """Run until nothing more happens."""
        self.history.is_quiet = self._world.run_to_quiet()
        self._close_segment()
        if self._cold_starts is not None:
            _must(self._world.function.cold_starts > self._cold_starts)

    def _close_segment(self) -> None:
        if any(not fault.hits for fault in self._armed):
            raise SameAsAnother
        self._armed.clear()

    def _note_the_truth(self, target: str) -> None:
        if "/request-1?" in target:
            moment = self._world.clock.now
            self.history.truths.append((moment, self.history.truth_now))

    def _twin(self) -> bool:
        self._world.function.invoke(self._event)
        return True

    _deliver = _twin

    def _cold(self) -> bool:
        self._cold_starts = self._world.function.cold_starts
        return self._world.function.freeze_out()

    def _malformed(self) -> bool:
        self._world.function.invoke({"RequestType": "Update"})
        self.history.malformed.append(self._world.function.invocations)
        return True

    def _fire(self) -> bool:
        before = self._world.events.fired
        self._world.clock.run_until(
            self._world.clock.now + 2 * self.history.scenario.tempo.limit + 60,
            stop=lambda: self._world.events.fired > before or not self._goes_on,
        )
        return self._world.events.fired > before

    def _fire_twice(self) -> bool:
        self._world.events.fires = 2
        return self._fire()

    def _ends(self) -> bool:
        return self._conclude("Completed", ON_SCHEDULE)

    def _ends_cancelled(self) -> bool:
        experiment = self._world.sagemaker.experiments.get(self._name)
        stopping = experiment is not None and experiment.true_status == "Stopping"
        return self._conclude("Cancelled", UNEXPECTED if stopping else BY_HAND)

    def _conclude(self, status: str, by: str) -> bool:
        experiment = self._world.sagemaker.experiments.get(self._name)
        if experiment is None or experiment.has_ended:
            return False
        self.history.interventions.append(self._world.clock.now)
        natural = experiment.true_status == "Stopping" and status == "Completed"
        experiment.conclude(status, None if natural else by)
        return True

    def _deleted(self) -> bool:
        self.history.interventions.append(self._world.clock.now)
        return self._world.sagemaker.experiments.pop(self._name, None) is not None

    def _turns(self) -> bool:
        self._world.cloudwatch.turn()
        return True

    def _scales(self) -> bool:
        experiment = self._world.sagemaker.experiments.get(self._name)
        if experiment is None or self.history.scaled_at != NEVER:
            return False
        experiment.run_instances("production", SCALED_AGAIN)
        self.history.scaled_at = self._world.clock.now
        return True

    def _undone(self) -> bool:
        asked, stack = self.history.asked, self._world.stack
        if asked.answer is not None or asked.is_abandoned:
            return False
        asked.is_abandoned = True
        if stack.parent is not None:
            stack.parent.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        elif stack.status == "CREATE_IN_PROGRESS":
            stack.status = "ROLLBACK_IN_PROGRESS"
        else:
            stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        self.history.undone_at = self._world.clock.now
        self.history.interventions.append(self._world.clock.now)
        return True

    def _kill(self) -> bool:
        running = self._world.function.running
        if not running:
            return False
        oldest = running[min(running)]
        oldest.task.is_killed = True
        self.history.kills += 1
        return True

    def _later(self) -> bool:
        asked, start = self.history.asked, self._world.clock.now
        waits = asked.answer is None
        until = start + LATER_SECONDS
        self._world.clock.run_until(
            until, stop=lambda: (waits and asked.answer is not None) or not self._goes_on
        )
        return self._world.clock.now > start

    @property
    def _goes_on(self) -> bool:
        return bool(self._world.function.running) or self._world.clock.has_events

    @property
    def _name(self) -> str:
        return str(self.history.scenario.new["Name"])


def _must(happened: bool) -> None:
    if not happened:
        raise SameAsAnother


def in_order(first: str, second: str) -> bool:
    """Faults of different operations commute: only alphabetical order is run."""
    return first <= second


def _warm_up(world: World) -> Asked:
    """A request of another stack, whose container the explored request reuses."""
    world.sagemaker.add("prelude", "Running")
    event = world.request(
        "Create",
        {"Name": "prelude", "ModelVariantActions": {"shadow": "Retain"}},
        request_id="request-prelude",
        logical_id="Prelude1",
    )
    asked = world.deliver(event)
    # Not a whole second: the date in a ResponseURL is earlier than the request.
    world.run(1.7)
    return asked
