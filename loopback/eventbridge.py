"""EventBridge's rules: created, given targets, fired every minute and by events, removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws import limits

from .clock import Clock
from .wire import ACCOUNT, REGION, Members, Refused

MAX_INPUT = limits.MAX_INPUT_CHARACTERS
MAX_RULES = 300
"""Default quota of an event bus."""

_SCHEDULED = "Scheduled Event"
ENDPOINT_EVENT = "SageMaker Endpoint State Change"


@dataclass
class Rule:
    """A rule and its targets, by id."""

    name: str
    made_at: float
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    pattern: dict[str, Any] | None = None
    is_ticking: bool = False

    @property
    def arn(self) -> str:
        """Its RuleArn."""
        return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}"


class EventBridge:
    """The rules of the world's account.

    Attributes:
        fires: How often each firing reaches its targets: once, or twice if a test says so.
        event_delays: Seconds after which an event reaches its rules, once for each; none at all
            for an event that is lost.
        every_other: Seconds by which every other event is later, so that two change places.
        changed_at: When endpoints have changed, or said so.
        max_rules: How many rules the bus may have.
        effective_after: Seconds until a new rule, or a new pattern, takes effect.
    """

    def __init__(self, clock: Clock, invoke: Callable[[str, dict[str, Any]], None]) -> None:
        self.rules: dict[str, Rule] = {}
        self.limits_broken: list[str] = []
        self.fires = 1
        self.fired = 0
        self.event_delays: tuple[float, ...] = (1.0,)
        self.every_other = 0.0
        self.changed_at: list[float] = []
        self.effective_after = 0.0
        self.max_rules = MAX_RULES
        self._clock = clock
        self._invoke = invoke

    def put_rule(self, request: Members) -> Members:
        """The API's operation."""
        name = request["Name"]
        if not limits.is_rule_name(name):
            self._broken(f"rule name of {len(name)} characters: {name}")
        schedule, pattern = request.get("ScheduleExpression", ""), request.get("EventPattern")
        if not limits.is_rate(schedule):
            raise Refused("ValidationException", f"ScheduleExpression {schedule!r} is not valid")
        if name not in self.rules and len(self.rules) >= self.max_rules:
            raise Refused("LimitExceededException", "The requested resource exceeds the maximum")
        rule = self.rules.setdefault(name, Rule(name, self._clock.now))
        rule.pattern = json.loads(pattern) if pattern else None
        return {"RuleArn": rule.arn}

    def put_targets(self, request: Members) -> Members:
        """The API's operation."""
        rule = self._find(request["Rule"])
        for target in request["Targets"]:
            template = target.get("InputTransformer", {}).get("InputTemplate", "")
            size = max(len(target.get("Input", "")), len(template.encode()))
            if size > MAX_INPUT:
                self._broken(f"target input of {size} characters")
            rule.targets[target["Id"]] = dict(target)
        self._tick(rule)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def list_targets_by_rule(self, request: Members) -> Members:
        """The API's operation."""
        return {"Targets": list(self._find(request["Rule"]).targets.values())}

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

    def endpoint_changed(self, name: str, status: str) -> None:
        """SageMaker sends an event about an endpoint; it may come late, more than once or never.

        https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
        """
        event = {
            "source": "aws.sagemaker",
            "detail-type": ENDPOINT_EVENT,
            "detail": {"EndpointName": name, "EndpointStatus": status},
        }
        later = self.every_other if len(self.changed_at) % 2 else 0.0
        self.changed_at.append(self._clock.now)
        for delay in self.event_delays:
            self._clock.call_at(self._clock.now + delay + later, lambda: self._deliver(event))

    def _deliver(self, event: dict[str, Any]) -> None:
        for rule in list(self.rules.values()):
            is_effective = self._clock.now >= rule.made_at + self.effective_after
            if is_effective and rule.pattern is not None and _matches(rule.pattern, event):
                self._invoke_targets(rule, event)

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
        for _ in range(times):
            self._invoke_targets(rule, {"source": "aws.events", "detail-type": _SCHEDULED})
        self._tick(rule)

    def _invoke_targets(self, rule: Rule, event: dict[str, Any]) -> None:
        for target in list(rule.targets.values()):
            self._invoke(rule.arn, json.loads(_input(target, event)))

    def _find(self, name: str) -> Rule:
        if name not in self.rules:
            raise Refused("ResourceNotFoundException", f"Rule {name} does not exist.")
        return self.rules[name]

    def _broken(self, what: str) -> None:
        self.limits_broken.append(what)
        raise Refused("ValidationException", f"1 validation error detected: {what}")


def _input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """What a target gets: its input, or its template with values of the event.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    if "Input" in target:
        return str(target["Input"])
    transformer = target["InputTransformer"]
    text = str(transformer["InputTemplate"])
    for name, path in transformer.get("InputPathsMap", {}).items():
        text = text.replace(f"<{name}>", json.dumps(event[path.removeprefix("$.")]))
    return text


def _matches(pattern: Any, value: Any) -> bool:
    """Whether an event matches a pattern, as far as these rules use patterns.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    if isinstance(pattern, dict):
        return all(name in value and _matches(rule, value[name]) for name, rule in pattern.items())
    return any(_fits(rule, value) for rule in pattern)


def _fits(rule: Any, value: Any) -> bool:
    if not isinstance(rule, dict):
        return bool(rule == value)
    if "equals-ignore-case" in rule:
        return bool(str(rule["equals-ignore-case"]).lower() == str(value).lower())
    return value not in rule["anything-but"]
