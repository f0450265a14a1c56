"""What is said about a plan or a status, as blocks that text and Markdown are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .plan import (
    FAIL,
    MAY,
    METRICS,
    NO,
    NOTHING,
    PROMOTE,
    STOP,
    UNKNOWN,
    WAIT,
    WILL,
    Plan,
    Verdict,
    kept_by,
)
from .status import ResourceStatus, StackStatus, Variant, WhatIf

LOUD, QUIET, GOOD, WARNING, PLAIN = "loud", "quiet", "good", "warning", "plain"
"""How a block is meant."""

_TONES = {STOP: LOUD, FAIL: LOUD, UNKNOWN: WARNING, WAIT: WARNING}


@dataclass(frozen=True)
class Heading:
    """The stack, and what is planned for it."""

    name: str
    what: str


@dataclass(frozen=True)
class Item:
    """An experiment, and the resource that decides about it."""

    name: str
    says: str
    tone: str
    place: str


@dataclass(frozen=True)
class Text:
    """A paragraph about an item, or, without one, about everything."""

    text: str
    tone: str = PLAIN
    is_of_item: bool = True


@dataclass(frozen=True)
class Members:
    """The request to SageMaker."""

    members: Mapping[str, object]


@dataclass(frozen=True)
class Table:
    """Columns with their names."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Item | Text | Members | Table


def shown(value: object) -> str:
    """A member of a request as text."""
    return value if isinstance(value, str) else json.dumps(value)


def of_plan(plan: Plan) -> Iterator[Block]:
    """What a plan says."""
    operation = "deletion" if plan.operation == "destroy" else "change set"
    name = plan.change_set.rpartition(":changeSet/")[2].partition("/")[0]
    yield Heading(plan.stack.name, f"({plan.stack.status}): {operation} {name}".rstrip())
    for note in plan.notes:
        yield Text(f"Note: {note}.", WARNING, is_of_item=False)
    for verdict in plan.verdicts:
        yield from _verdict(verdict)
    yield Text(_summary(plan), LOUD, is_of_item=False)


def _verdict(verdict: Verdict) -> Iterator[Block]:
    sent = "CloudFormation's own resource" if verdict.is_native else verdict.request or "no request"
    late = verdict.moment in ("clean-up", "deletion")
    sent += f" in the {verdict.moment}" if late else ""
    place = f"{verdict.place.stack_name}/{verdict.place.logical_id}"
    tone = _TONES.get(verdict.effect, GOOD)
    yield Item(verdict.experiment or "an experiment", f"{sent}: {headline(verdict)}", tone, place)
    rows = ", ".join(dict.fromkeys(row for row in (verdict.order, verdict.row) if row))
    yield Text(_sentence(f"{rows}: {verdict.why}" if rows else verdict.why))
    if verdict.because and verdict.effect != UNKNOWN:
        yield Text(_sentence(f"Not certain: {'; '.join(verdict.because)}"))
    for warning in verdict.warnings:
        yield Text(_sentence(f"Warning: {warning}"), WARNING)
    if verdict.effect == STOP and verdict.scheduled_end:
        yield Text(f"Otherwise it ends by itself at {verdict.scheduled_end}.")
    # A gate that does not open has said why already.
    if verdict.evidence and not _has_said(verdict):
        yield _evidence(verdict.evidence)
    if verdict.stop_request:
        yield Text("A stop cannot be undone. The request to SageMaker:")
        yield Members(verdict.stop_request)
    if verdict.way_back:
        yield Text(_sentence(verdict.way_back))


def headline(verdict: Verdict) -> str:
    """What will or may happen: every chance that the summary counts."""
    if verdict.effect == UNKNOWN:
        return "its effect is not known"
    says: list[str] = []
    stop, promote, fail = (verdict.chance(what) for what in (STOP, PROMOTE, FAIL))
    if stop != NO:
        ends = f" and {kept_by(verdict.stop_request or {})}" if verdict.is_native else ""
        says.append(f"{stop} stop it" + (ends or _promotes(stop, promote)))
    elif verdict.effect == WAIT:
        says.append(f"{'may' if verdict.certainty == MAY else 'will'} wait for its end")
    if fail == METRICS:
        says.append("will fail if the metrics break a bound by then")
    elif fail != NO:
        says.append(f"{fail} fail")
    return ", ".join(says) or "stops nothing"


def _promotes(stop: str, promote: str) -> str:
    if promote == NO:
        return ""
    return " and promote the shadow" if promote == stop else ", and may promote the shadow"


def _summary(plan: Plan) -> str:
    if not plan.changes:
        return "Nothing changes."
    stops, fails = (
        {
            chance: sum(verdict.chance(what) == chance for verdict in plan.verdicts)
            for chance in (WILL, MAY, UNKNOWN)
        }
        for what in (STOP, FAIL)
    )
    return (
        f"Experiments that will be stopped: {stops[WILL]}, may be: {stops[MAY]}, "
        f"not known: {stops[UNKNOWN]}. "
        f"Requests that will fail: {fails[WILL]}, may fail: {fails[MAY]}."
    )


def of_status(stacks: Iterable[StackStatus]) -> Iterator[Block]:
    """What is said about the state of experiments."""
    for stack in stacks:
        yield Heading(stack.name, f"({stack.status})" if stack.status else "")
        if stack.error:
            yield Text(f"Error: {stack.error}", LOUD, is_of_item=False)
        elif not stack.resources:
            yield Text("There is no inference experiment.", is_of_item=False)
        for resource in stack.resources:
            yield from _resource(resource)


def _resource(resource: ResourceStatus) -> Iterator[Block]:
    since = f"{resource.status} since {resource.since}" if resource.since else resource.status
    place = f"{resource.stack}/{resource.logical_id}"
    yield Item(resource.experiment or "an experiment", since or resource.trouble, PLAIN, place)
    if resource.trouble and since:
        yield Text(_sentence(resource.trouble), WARNING)
    if resource.declared:
        yield Text(_sentence(f"Declared end: {resource.declared}"))
    if resource.ended:
        yield Text(_sentence(resource.ended))
    elif resource.scheduled_end:
        yield Text(f"It ends by itself at {resource.scheduled_end}.")
    if resource.variants:
        header = ("variant", "role", "model", "instances", "requests", "status")
        yield Table(header, tuple(map(_variant, resource.variants)))
    if resource.evidence:
        yield _evidence(resource.evidence)
    for what_if in resource.what_ifs:
        yield Text(_what_if(what_if))


def _what_if(what_if: WhatIf) -> str:
    verdict = what_if.verdict
    if verdict.effect == UNKNOWN:
        return _sentence(f"{what_if.what} has an effect that is {verdict.why}")
    if verdict.effect == NOTHING:
        return _sentence(f"{what_if.what} would stop nothing: {what_if.why or verdict.why}")
    if verdict.effect == FAIL:
        why = verdict.why
        if _has_said(verdict):
            why = f"the evidence is {verdict.evidence['verdict']}"
            why += f"; deploy again after {verdict.deploy_after}" if verdict.deploy_after else ""
        return _sentence(f"{what_if.what} would fail: {why}")
    if verdict.effect == WAIT:
        return _sentence(f"{what_if.what} would wait: {verdict.why}")
    stop, promote = verdict.chance(STOP), verdict.chance(PROMOTE)
    ends = f"{what_if.what} would stop it" + _promotes(stop, promote)
    if verdict.chance(FAIL) not in (NO, METRICS):
        ends += ", or fail"
    return _sentence(ends)


def _variant(variant: Variant) -> tuple[str, ...]:
    count = variant.configured if variant.running is None else variant.running
    instances = "" if count is None else f"{count} x {variant.instance_type}"
    if variant.running not in (None, variant.configured):
        instances += f" ({variant.configured} configured)"
    traffic = "" if variant.traffic is None else f"{variant.traffic}%"
    return variant.name, variant.role, variant.model, instances, traffic, variant.status


def _has_said(verdict: Verdict) -> bool:
    """Whether the reason for the verdict includes that of the evidence."""
    why = str(verdict.evidence.get("why") or "")
    return bool(why) and why in verdict.why


def _evidence(report: Mapping[str, object]) -> Text:
    says = ", ".join(str(report[name]) for name in ("verdict", "why") if report.get(name))
    return Text(_sentence(f"Evidence now: {says}"))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
