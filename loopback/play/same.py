"""Leaves out stories that are provably the same as another one.

Each rule rests on worlds being deterministic, and loses nothing:

- *Refused.* CloudFormation refuses the operation in the state that the ones before have left.
- *The moment never comes.* The story was played without a fault of its last operation (or without
  a sibling's failure while ours is handled), and when it could strike, nothing was left to be
  struck. What begins another story is not judged so: the fault may wait for the next operation.
- *Never asked for.* The story was played with the usual value of an undocumented setting, and the
  engine did not ask for it.
- *The same world.* Two beginnings have led to the same world, down to each call, event, answer and
  random number, so that what follows is the same.

In the last, the beginning that stays is one that excuses no more in the eyes of the oracle: each
rule takes faults away, and a fault can only be an excuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .allowed import State, is_allowed
from .facts import UNDOCUMENTED, Facts, may_fail, may_strike
from .provisioning import LOGICAL_ID
from .story import Happening, Operation, Settings, Story, Trouble


class Refused(Exception):
    """CloudFormation refuses an operation of the story."""


class Missing(Exception):
    """Another story has to be played first."""

    def __init__(self, story: Story, *, is_prefix: bool = False) -> None:
        super().__init__(story)
        self.story = story
        self.is_prefix = is_prefix


Key = tuple[int, ...]


@dataclass(frozen=True)
class _Excuses:
    faults: frozenset[Trouble | Happening]
    fails: bool

    def are_none_that_lack(self, other: _Excuses) -> bool:
        return self.faults <= other.faults and self.fails <= other.fails


class Known:
    """What the stories tell that were played.

    Attributes:
        usual: The settings whose stories are all played, so that one with an undocumented setting
            can be held against them.
    """

    def __init__(self, usual: Iterable[Settings]) -> None:
        self.usual = frozenset(usual)
        self._facts: dict[Key, Facts] = {}
        self._same: dict[Key, Story] = {}
        self._begun: dict[Key, Story] = {}
        self._worlds: dict[tuple[Settings, str, frozenset[str]], list[tuple[Operation, ...]]] = {}
        self._numbers: dict[object, int] = {}
        self._met: dict[int, tuple[object, int]] = {}

    def key(self, story: Story) -> Key:
        """A short name of a story."""
        return tuple(self._number(each) for each in (story.settings, *story.operations))

    def _number(self, item: object) -> int:
        met = self._met.get(id(item))
        if met is None or met[0] is not item:
            # What is met is kept, so that no other one gets its id.
            met = self._met[id(item)] = (
                item,
                self._numbers.setdefault(item, len(self._numbers)),
            )
        return met[1]

    def forget_met(self) -> None:
        """Save memory between two kinds of stories."""
        self._met.clear()

    def learn(self, story: Story, facts: Facts) -> None:
        """A story was played."""
        self._facts[self.key(story)] = facts

    def is_played(self, story: Story) -> bool:
        """Whether a story was played."""
        return self.key(story) in self._facts

    def same_as(self, story: Story) -> Story:
        """The story itself, or the one that is the same and is to be played instead.

        Raises:
            Refused: Nothing is to be played.
            Missing: Another one has to be played first.
        """
        key = self.key(story)
        found = self._same.get(key)
        if found is None:
            found = self._of_last(self._of_settings(story, self._played))
            if len(story.operations) < MOST_REMEMBERED:
                self._same[key] = found
        return found

    def _beginning(self, story: Story) -> Story:
        """The one that leads to the same, whatever comes next."""
        key = self.key(story)
        found = self._begun.get(key)
        if found is None:
            found = self._begun[key] = self._of_settings(story, self._beginning)
        if not self.is_played(found):
            raise Missing(found, is_prefix=True)
        return found

    def settle(self, story: Story, play: Callable[[Story], Facts]) -> Story:
        """As ``same_as``, but play what has to be played first.

        Args:
            play: Plays a story that is the beginning of others, or has a fault less.
        """
        while True:
            try:
                return self.same_as(story)
            except Missing as missing:  # noqa: PERF203 - what is missing is played
                self.learn(missing.story, play(missing.story))

    def _of_settings(self, story: Story, played: Callable[[Story], Story]) -> Story:
        settings, before = story.settings, story.operations[:-1]
        state = _at_first(settings)
        if before:
            begun = self._beginning(Story(settings, before))
            facts = self._facts[self.key(begun)]
            state = facts.state
            before = self._shortest(begun, facts)
        if not is_allowed(story.operations[-1], state, settings):
            raise Refused
        found = Story(settings, (*before, story.operations[-1]))
        for usual, name in self._usual(settings):
            other = played(Story(usual, found.operations))
            if name not in self._facts[self.key(other)].consulted:
                return other
        return found

    def _of_last(self, found: Story) -> Story:
        for smaller, fault in _without_one(found):
            if self._is_idle(smaller, found.operations[-1], fault):
                return self._played(smaller)
        return found

    def _played(self, story: Story) -> Story:
        found = self.same_as(story)
        if not self.is_played(found):
            raise Missing(found)
        return found

    def _usual(self, settings: Settings) -> Iterator[tuple[Settings, str]]:
        for name in UNDOCUMENTED:
            usual = getattr(_DEFAULTS, name)
            if getattr(settings, name) != usual:
                others = replace(settings, **{name: usual})
                if others in self.usual:
                    yield others, name

    def _is_idle(
        self, smaller: Story, operation: Operation, fault: Trouble | Happening | None
    ) -> bool:
        try:
            moments = self._facts[self.key(self._played(smaller))].moments
        except Refused:
            return False
        if moments is None:
            return False
        if fault is None:
            return not may_fail(operation, moments)
        return not may_strike(fault, operation, moments)

    def _shortest(self, story: Story, facts: Facts) -> tuple[Operation, ...]:
        """Operations that lead to the same world, and excuse no more."""
        operations = story.operations
        if not facts.digest:
            return operations
        known = self._worlds.setdefault((story.settings, facts.digest, facts.consulted), [])
        mine = _excuses(operations)
        for other in known:
            if other == operations or _excuses(other).are_none_that_lack(mine):
                return other
        known.append(operations)
        return operations


MOST_REMEMBERED = 3
"""Stories of so many operations are no beginnings of others."""

_DEFAULTS = Settings()


def _at_first(settings: Settings) -> State:
    if not settings.deployed:
        return State("DELETE_COMPLETE", {}, has_nested=False)
    return State("CREATE_COMPLETE", {LOGICAL_ID: settings.declared}, has_nested=True)


def _without_one(story: Story) -> Iterator[tuple[Story, Trouble | Happening | None]]:
    """The story without one of the faults of its last operation, and the fault.

    None for the failure of a sibling. Without rollback, nobody else plays the story without it.
    """
    *before, last = story.operations
    for name in ("troubles", "meanwhile"):
        faults = getattr(last, name)
        for index, fault in enumerate(faults):
            fewer = replace(last, **{name: faults[:index] + faults[index + 1 :]})
            yield Story(story.settings, (*before, fewer)), fault
    if last.fails == "while" and not last.keeps:
        calm = replace(last, fails="", fails_after=_CALM.fails_after, level=0, undo_fails=False)
        yield Story(story.settings, (*before, calm)), None


_CALM = Operation()


def _excuses(operations: tuple[Operation, ...]) -> _Excuses:
    faults: set[Trouble | Happening] = set()
    for each in operations:
        faults.update(each.troubles, each.meanwhile)
    return _Excuses(frozenset(faults), any(each.fails or each.undo_fails for each in operations))
