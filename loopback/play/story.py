"""A story: what users and AWS do to a stack, as data.

A story says nothing about requests, statuses or events. The engine makes those from it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

NAME = "fraud-shadow"
OTHER_NAME = "fraud-shadow-2"

ACTIONS = {
    "keep": {"production": "Retain", "shadow": "Remove"},
    "promote": {"production": "Remove", "shadow": "Promote"},
    "both": {"production": "Retain", "shadow": "Retain"},
}
OUTCOMES = {"keep": "KeepProduction", "promote": "PromoteShadow", "both": "KeepBoth"}
DEFAULT_STOP_ON = ("Update", "Delete")


@dataclass(frozen=True)
class Declaration:
    """What a template declares of one resource.

    Attributes:
        experiment: Its name.
        end: ``keep`` the production variant, ``promote`` the shadow variant, or keep ``both``.
        as_outcome: Declared as Outcome, not as ModelVariantActions.
        release: The library's. A later one writes more properties that say the same.
    """

    experiment: str = NAME
    end: str = "keep"
    as_outcome: bool = False
    reason: str = ""
    stop_on: tuple[str, ...] = DEFAULT_STOP_ON
    end_now: bool = False
    release: int = 0

    def properties(self) -> dict[str, Any]:
        """The resource's properties in the template."""
        told: dict[str, Any] = {"ServiceToken": "provider", "Name": self.experiment}
        if self.as_outcome:
            told["Outcome"] = OUTCOMES[self.end]
        else:
            told["ModelVariantActions"] = dict(ACTIONS[self.end])
            told["DesiredState"] = "Completed"
            if self.end == "promote":
                told["DesiredModelVariants"] = [_SHADOW]
        if self.reason:
            told["Reason"] = self.reason
        if self.stop_on != DEFAULT_STOP_ON:
            told["StopOn"] = list(self.stop_on)
        if self.end_now or self.release:
            told["EndNow"] = str(self.end_now).lower()
        if self.release:
            told["ServiceTimeout"] = "3600"
        return told

    def says_another_end(self, than: Declaration) -> bool:
        """Whether it declares another end for the same experiment, or says to end it now."""
        if self.experiment != than.experiment:
            return False
        is_new = self.end != than.end or self.as_outcome != than.as_outcome
        return is_new or (self.end_now and not than.end_now)

    def is_due_after(self, old: Declaration) -> bool:
        """Whether an update from the old one has to end the experiment.

        The same end, declared in another form, may end it: the function cannot always know.
        """
        acts = "Update" in self.stop_on and self.end != old.end
        return self.experiment == old.experiment and (acts or (self.end_now and not old.end_now))


_SHADOW = {
    "ModelName": "fraud-v2",
    "VariantName": "shadow",
    "InfrastructureConfig": {
        "InfrastructureType": "RealTimeInference",
        "RealTimeInferenceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": "2"},
    },
}


@dataclass(frozen=True)
class Trouble:
    """What befalls one request of an operation.

    Attributes:
        request: Which of the operation's requests, from 1.
        kind: Of its delivery: ``twice``, ``late``, ``never``, ``killed`` or ``after the answer``,
            ``seconds`` later. Of a call: a kind of ``loopback.faults``, for so many ``seconds``
            from the first failure on, if there are any. Of the endpoint's events from then on: one
            of ``OF_EVENTS``.
        call: The operation of AWS, or PUT. Empty: the delivery, or events.
        skip: Calls of the operation that succeed before it.
        attempts: HTTP attempts that fail; 0 for all that the SDK makes for one call.
    """

    request: int = 1
    kind: str = "twice"
    call: str = ""
    seconds: float = 0.0
    skip: int = 0
    attempts: int = 0


OF_EVENTS = {
    "events lost": "never come",
    "events late": "come {0:g} s late",
    "events twice": "come twice, {0:g} s apart",
    "events swapped": "come out of order, every other one {0:g} s later",
    "rules slow": "do not reach a new rule for {0:g} s",
}
"""What can befall the endpoint's events."""


@dataclass(frozen=True)
class Happening:
    """What happens while an operation runs.

    Attributes:
        what: ``cancel``: the user cancels the update. ``ends``: somebody else stops the experiment.
            ``expires``: it ends as scheduled. ``deleted``, ``recreated``: by its owner, who
            creates it if it was not there before.
        after: Seconds after the operation began.
    """

    what: str
    after: float = 0.0


@dataclass(frozen=True)
class Operation:
    """What a user orders of CloudFormation; it begins when the stack is at rest.

    Attributes:
        pause: Seconds since the operation before it.
        fails: When a sibling of our resource fails: ``before``, ``while``, or ``after`` it; empty
            for never.
        level: Where the sibling is: 0 for our stack, 1 for its parent, 2 for its grandparent.
        fails_after: Seconds between our resource's event and the sibling's failure.
        undo_fails: A sibling cannot be undone either.
        lingers: Seconds that siblings go on after ours is done.
        express: In Express mode: without rollback; the failed resource is restored inside the
            operation, and stacks say CONFIGURATION_COMPLETE in the middle of it.
    """

    pause: float = 900.0
    fails: str = ""
    level: int = 0
    fails_after: float = 30.0
    undo_fails: bool = False
    lingers: float = 0.0
    express: bool = False
    troubles: tuple[Trouble, ...] = ()
    meanwhile: tuple[Happening, ...] = ()

    @property
    def keeps(self) -> bool:
        """Whether a failure is not rolled back."""
        return False


@dataclass(frozen=True)
class Create(Operation):
    """Create the stack.

    Attributes:
        on_failure: ``ROLLBACK``, ``DELETE`` or ``DO_NOTHING``.
        experiment: Where it is from: ``outside``, ``created`` by the stack, or ``imported``.
    """

    on_failure: str = "ROLLBACK"
    experiment: str = "outside"

    @property
    def keeps(self) -> bool:
        """Whether a failure is not rolled back."""
        return self.on_failure == "DO_NOTHING" or self.express


@dataclass(frozen=True)
class Deploy(Operation):
    """Update the stack.

    Attributes:
        change: One of ``CHANGES``.
        rollback: False for ``--no-rollback``.
    """

    change: str = "nothing"
    rollback: bool = True

    @property
    def keeps(self) -> bool:
        """Whether a failure is not rolled back."""
        return not self.rollback or self.express


@dataclass(frozen=True)
class ContinueRollback(Operation):
    """ContinueUpdateRollback.

    Attributes:
        how: ``plain``; ``skip`` our resource; ``forced``: skip whatever failed.
    """

    how: str = "plain"


@dataclass(frozen=True)
class RollBack(Operation):
    """RollbackStack."""


@dataclass(frozen=True)
class Delete(Operation):
    """Delete the stack, or delete it again.

    Attributes:
        force: FORCE_DELETE_STACK.
    """

    force: bool = False


OPERATIONS: dict[str, type[Operation]] = {
    kind.__name__: kind for kind in (Create, Deploy, ContinueRollback, RollBack, Delete)
}

CHANGES = {
    "nothing": "something else than our resource",
    "end": "another end",
    "end now": "EndNow",
    "reason": "another wording of the reason",
    "stop on": "StopOn without Update",
    "let go": "StopOn without Delete",
    "outcome": "the same end as an outcome",
    "release": "another release of the library",
    "rename": "another experiment, by another resource",
    "rename in place": "another experiment, by the same resource",
    "move": "the construct under another logical id",
    "remove": "without the construct",
    "remove nested": "without the nested stack",
    "add": "with the construct again",
}


@dataclass(frozen=True)
class Settings:
    """What a story begins with, and how AWS behaves where it does not say.

    Attributes:
        deployed: The stack exists since yesterday.
        depth: How many stacks are above ours.
        experiment: Its status at the beginning, or ``absent``.
        begins_in: Seconds until an experiment that is Creating, Starting or Updating goes on.
        stop_seconds: Seconds from a Stop to the end.
        event_lag: Seconds until an event can be read.
        parent_lag: Seconds until a parent knows of a failure in a nested stack.
        after_failure: The properties that a later update has as old ones, if an update has failed
            without rollback: the ``new`` ones or the ``old`` ones.
        restores_failed: Without rollback, a failed resource is still undone by itself.
        skipping: What CloudFormation takes for deployed, if an undo was skipped: the ``new``
            properties, which were to be undone, or the ``old`` ones.
        masked: The events' properties hide values, as those from NoEcho parameters are.
        same_request_id: An undo and a repeated deletion have the RequestId of the request before.
        pages: Pages of events between the creation and now, which take a second each to read.
    """

    deployed: bool = True
    depth: int = 0
    declared: Declaration = field(default_factory=Declaration)
    experiment: str = "Running"
    begins_in: float = 15.0
    stop_seconds: float = 25.0
    event_lag: float = 1.0
    parent_lag: float = 6.0
    after_failure: str = "new"
    restores_failed: bool = False
    skipping: str = "new"
    masked: bool = False
    same_request_id: bool = False
    pages: int = 0


class Consulted:
    """Settings that remember which of them were asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self._settings, name)


@dataclass(frozen=True)
class Story:
    """Settings, and operations one after another."""

    settings: Settings = field(default_factory=Settings)
    operations: tuple[Operation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As data: only what differs from the defaults."""
        return {
            "settings": _changed(self.settings),
            "operations": [
                {"kind": type(operation).__name__, **_changed(operation)}
                for operation in self.operations
            ],
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Story:
        """From data."""
        settings = dict(told["settings"])
        if "declared" in settings:
            declared = dict(settings["declared"])
            if "stop_on" in declared:
                declared["stop_on"] = tuple(declared["stop_on"])
            settings["declared"] = Declaration(**declared)
        return cls(Settings(**settings), tuple(_operation(each) for each in told["operations"]))

    @property
    def key(self) -> str:
        """One line that no other story has."""
        return json.dumps(self.to_json(), sort_keys=True)

    def tell(self) -> str:
        """For people: a numbered list."""
        lines = [_told_settings(self.settings)]
        for number, operation in enumerate(self.operations, start=1):
            lines.append(f"{number}. {told_operation(operation)}")
        return "\n".join(lines)


def changed(declaration: Declaration, change: str) -> Declaration:
    """What the template declares after a change of ``CHANGES`` to the same resource."""
    if change == "end":
        return replace(declaration, end="keep" if declaration.end == "promote" else "promote")
    if change == "end now":
        return replace(declaration, end_now=True)
    if change == "reason":
        return replace(declaration, reason=f"{declaration.reason}The verdict is in. ")
    if change == "stop on":
        return replace(declaration, stop_on=("Delete",))
    if change == "let go":
        return replace(declaration, stop_on=("Update",))
    if change == "outcome":
        return replace(declaration, as_outcome=not declaration.as_outcome)
    if change == "release":
        return replace(declaration, release=1 - declaration.release)
    if change in ("rename", "rename in place"):
        other = NAME if declaration.experiment == OTHER_NAME else OTHER_NAME
        return replace(declaration, experiment=other)
    return declaration


def _changed(item: Settings | Operation | Declaration) -> dict[str, Any]:
    """The members that differ from their defaults, as JSON has them."""
    default, told = type(item)(), asdict(item)
    said: dict[str, Any] = {}
    for member in fields(item):
        value = getattr(item, member.name)
        if value == getattr(default, member.name):
            continue
        if isinstance(value, Declaration):
            said[member.name] = _changed(value)
        elif isinstance(value, tuple):
            said[member.name] = [
                _spared(each) if isinstance(each, Trouble | Happening) else each for each in value
            ]
        else:
            said[member.name] = told[member.name]
    return said


def _spared(item: Trouble | Happening) -> dict[str, Any]:
    return {
        member.name: getattr(item, member.name)
        for member in fields(item)
        if getattr(item, member.name) not in (0, 0.0, "")
    }


def _operation(told: dict[str, Any]) -> Operation:
    members = dict(told)
    kind = OPERATIONS[members.pop("kind")]
    members["troubles"] = tuple(Trouble(**each) for each in members.get("troubles", ()))
    members["meanwhile"] = tuple(Happening(**each) for each in members.get("meanwhile", ()))
    return kind(**members)


def _told_settings(settings: Settings) -> str:
    declared = settings.declared
    stack = ("The stack", "A nested stack", "A stack nested in a nested stack")[settings.depth]
    since = "was deployed yesterday and" if settings.deployed else "does not exist yet; it"
    said = [
        f"{stack} {since} declares that {declared.experiment} ends with: {declared.end}"
        + (", as an outcome" if declared.as_outcome else "")
        + (", EndNow" if declared.end_now else "")
        + (f", StopOn {list(declared.stop_on)}" if declared.stop_on != DEFAULT_STOP_ON else "")
        + ". "
        f"The experiment is {settings.experiment}"
        + (
            f" for {settings.begins_in:g} s more."
            if settings.experiment in ("Creating", "Starting", "Updating")
            else "."
        )
    ]
    default = Settings()
    if settings.masked:
        said.append("Events have masked properties.")
    if settings.same_request_id:
        said.append("A RequestId comes again.")
    if settings.pages:
        said.append(f"There are {settings.pages} pages of older events.")
    if settings.event_lag != default.event_lag:
        said.append(f"Events can be read after {settings.event_lag:g} s.")
    if settings.depth and settings.parent_lag != default.parent_lag:
        said.append(f"A parent knows of a failure after {settings.parent_lag:g} s.")
    if settings.stop_seconds != default.stop_seconds:
        said.append(f"A stop takes {settings.stop_seconds:g} s.")
    if settings.after_failure != default.after_failure:
        said.append("After a failure without rollback, the properties before it count.")
    if settings.restores_failed:
        said.append("Without rollback, a failed resource is undone by itself.")
    if settings.skipping != default.skipping:
        said.append("After a skipped undo, the properties before the update count.")
    return " ".join(said)


def told_operation(operation: Operation) -> str:
    """One operation as a sentence or a few."""
    said = [_told_head(operation)]
    if operation.fails:
        where = ("the stack", "its parent", "its grandparent")[operation.level]
        when = {
            "before": "before ours",
            "while": f"{operation.fails_after:g} s after ours has begun",
            "after": "after ours is done",
        }[operation.fails]
        said.append(f"Another resource of {where} fails {when}.")
    if operation.undo_fails:
        said.append("A sibling cannot be undone.")
    if operation.lingers:
        said.append(f"Siblings go on for {operation.lingers:g} s after ours.")
    if operation.express:
        said.append("It is in Express mode.")
    said += [_told_happening(each) for each in operation.meanwhile]
    said += [_told_trouble(each) for each in operation.troubles]
    if operation.pause != Operation().pause:
        said.append(f"({operation.pause:g} s after the one before.)")
    return " ".join(said)


def _told_head(operation: Operation) -> str:
    if isinstance(operation, Create):
        origin = {
            "outside": "",
            "created": ", which creates the experiment",
            "imported": ", which imports the experiment",
        }[operation.experiment]
        return f"The user creates the stack{origin} (OnFailure {operation.on_failure})."
    if isinstance(operation, Deploy):
        how = "" if operation.rollback else " without rollback"
        return f"The user deploys{how}: {CHANGES[operation.change]}."
    if isinstance(operation, ContinueRollback):
        skipped = {"plain": "", "skip": ", skipping ours", "forced": ", skipping what failed"}
        return f"The user continues the rollback{skipped[operation.how]}."
    if isinstance(operation, RollBack):
        return "The user rolls the stack back."
    assert isinstance(operation, Delete)
    return "The user deletes the stack" + (" by force." if operation.force else ".")


def _told_happening(happening: Happening) -> str:
    what = {
        "cancel": "the user cancels the update",
        "ends": "somebody stops the experiment",
        "expires": "the experiment ends as scheduled",
        "deleted": "the experiment ends and is deleted",
        "recreated": "the experiment ends, is deleted, and is created anew under its name",
    }[happening.what]
    return f"After {happening.after:g} s {what}."


def _told_trouble(trouble: Trouble) -> str:
    request = f"request {trouble.request}"
    if trouble.call:
        skipped = f" after {trouble.skip} good ones" if trouble.skip else ""
        attempts = f" ({trouble.attempts} attempts)" if trouble.attempts else ""
        if trouble.attempts >= 1_000:
            attempts = f" for {trouble.seconds:g} s" if trouble.seconds else " for good"
        return f"In {request}, {trouble.call} is {trouble.kind}{skipped}{attempts}."
    if trouble.kind in OF_EVENTS:
        what = OF_EVENTS[trouble.kind].format(trouble.seconds)
        return f"From {request} on, the endpoint's events {what}."
    what = {
        "twice": f"is delivered again after {trouble.seconds:g} s",
        "late": f"is delivered {trouble.seconds:g} s late",
        "never": "is never delivered",
        "killed": f"is killed after {trouble.seconds:g} s, and Lambda repeats it",
        "after the answer": f"is delivered again {trouble.seconds:g} s after its answer",
    }[trouble.kind]
    return f"The operation's {request} {what}."
