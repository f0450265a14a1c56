"""EventBridge's rules: created, given targets, fired every minute, removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws import limits

from .clock import Clock
from .wire import ACCOUNT, REGION, Members, Refused

MAX_INPUT = limits.MAX_INPUT_CHARACTERS


@dataclass
class Rule:
    """A rule and its targets, by id."""

    name: str
    made_at: float
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_ticking: bool = False

    @property
    def arn(self) -> str:
        """Its RuleArn."""
        return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}"


class EventBridge:
    """The rules of the world's account.

    Attributes:
        fires: How often each firing reaches its targets: once, or twice if a test says so.
    """

    def __init__(self, clock: Clock, invoke: Callable[[str, dict[str, Any]], None]) -> None:
        self.rules: dict[str, Rule] = {}
        self.limits_broken: list[str] = []
        self.fires = 1
        self.fired = 0
        self._clock = clock
        self._invoke = invoke

    def put_rule(self, request: Members) -> Members:
        """The API's operation."""
        name = request["Name"]
        if not limits.is_rule_name(name):
            self._broken(f"rule name of {len(name)} characters: {name}")
        schedule = request.get("ScheduleExpression", "")
        if not limits.is_rate(schedule):
            raise Refused("ValidationException", f"ScheduleExpression {schedule!r} is not valid")
        rule = self.rules.setdefault(name, Rule(name, self._clock.now))
        return {"RuleArn": rule.arn}

    def put_targets(self, request: Members) -> Members:
        """The API's operation."""
        rule = self._find(request["Rule"])
        for target in request["Targets"]:
            size = len(target.get("Input", ""))
            if size > MAX_INPUT:
                self._broken(f"target input of {size} characters")
            rule.targets[target["Id"]] = dict(target)
        self._tick(rule)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def remove_targets(self, request: Members) -> Members:
        """The API's operation."""
        rule = self._find(request["Rule"])
        for target in request["Ids"]:
            rule.targets.pop(target, None)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def delete_rule(self, request: Members) -> Members:
        """The API's operation; a rule that does not exist is no error."""
        rule = self.rules.get(request["Name"])
        if rule is not None and rule.targets:
            raise Refused("ValidationException", "Rule can't be deleted since it has targets.")
        self.rules.pop(request["Name"], None)
        return {}

    @property
    def next_firing(self) -> float | None:
        """When a rule with a target fires next."""
        times = [self._next(rule) for rule in self.rules.values() if rule.targets]
        return min(times, default=None)

    def _next(self, rule: Rule) -> float:
        minutes = int((self._clock.now - rule.made_at) // 60) + 1
        return rule.made_at + 60 * minutes

    def _tick(self, rule: Rule) -> None:
        if not rule.is_ticking:
            rule.is_ticking = True
            self._clock.call_at(self._next(rule), lambda: self._fire(rule))

    def _fire(self, rule: Rule) -> None:
        rule.is_ticking = False
        if self.rules.get(rule.name) is not rule or not rule.targets:
            return
        times, self.fires = self.fires, 1
        self.fired += 1
        for target in list(rule.targets.values()):
            for _ in range(times):
                self._invoke(rule.arn, json.loads(target["Input"]))
        self._tick(rule)

    def _find(self, name: str) -> Rule:
        if name not in self.rules:
            raise Refused("ResourceNotFoundException", f"Rule {name} does not exist.")
        return self.rules[name]

    def _broken(self, what: str) -> None:
        self.limits_broken.append(what)
        raise Refused("ValidationException", f"1 validation error detected: {what}")
