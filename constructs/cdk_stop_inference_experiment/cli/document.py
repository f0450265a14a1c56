"""What is said about a plan or a status, as blocks that text and Markdown are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.situation import STOPPABLE_STATUSES

from .operations import CLEAN_UP, DELETION, UPDATE
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
    name = plan.change_set.rpartition(":changeSet/")[2].partition("/")[0]
    operation = "its deletion" if plan.operation == "destroy" else f"change set '{name}'"
    yield Heading(f"Stack {plan.stack.name}", f"({plan.stack.status}): plan of {operation}")
    for note in plan.notes:
        yield Text(f"Note: {note}.", WARNING, is_of_item=False)
    if plan.operation == "destroy" and plan.stack.is_new:
        yield Text("Nothing is deployed yet.", is_of_item=False)
    going_on = _going_on(plan)
    for verdict in plan.verdicts:
        yield from _verdict(verdict, _subject(verdict), going_on.pop(verdict.experiment, ""))
    yield Text(_summary(plan), LOUD, is_of_item=False)


def _going_on(plan: Plan) -> dict[str, str]:
    """When the experiments end that nothing in a plan ends, by name."""
    stopped = {verdict.experiment for verdict in plan.verdicts if verdict.chance(STOP) != NO}
    return {
        verdict.experiment: f"It is {verdict.status}, and {_by_itself(verdict)}"
        for verdict in plan.verdicts
        if verdict.scheduled_end
        and verdict.status in STOPPABLE_STATUSES
        and verdict.experiment not in stopped
        and verdict.scheduled_end not in verdict.why
    }


def _by_itself(verdict: Verdict) -> str:
    ends = f"ends by itself at {verdict.scheduled_end}"
    if verdict.keeps_endpoint:
        return f"{ends}: the endpoint then goes back to what it was before the test."
    return _sentence(verdict.endpoint_goes or ends)


def _subject(verdict: Verdict) -> str:
    """What acts on the experiment."""
    if verdict.is_native:
        return "CloudFormation's own resource"
    if verdict.moment == CLEAN_UP:
        return "the clean-up"
    if not verdict.request:
        return "this resource"
    return {"Create": "creating the resource", "Update": "the update"}.get(
        verdict.request, "the deletion"
    )


_WHEN = {
    UPDATE: "When this change set is executed",
    CLEAN_UP: "After this change set has been executed, in the clean-up",
    DELETION: "When the stack is deleted",
}


def _verdict(verdict: Verdict, subject: str, going_on: str) -> Iterator[Block]:
    place = f"{verdict.place.stack_name}/{verdict.place.logical_id}"
    tone = _TONES.get(verdict.effect, GOOD)
    name = f"Inference experiment {verdict.experiment}" if verdict.experiment else "An experiment"
    says = f"{subject}{':' if verdict.effect == UNKNOWN else ''} {headline(verdict)}"
    yield Item(name, says, tone, place)
    yield from map(Text, _what(verdict))
    # A gate that does not open has said why already.
    if verdict.evidence and not (verdict.effect == FAIL and _has_said(verdict)):
        yield _evidence(verdict.evidence)
    yield from map(Text, _if_metrics_change(verdict))
    yield from map(Text, _not_certain(verdict))
    for warning in verdict.warnings:
        yield Text(_sentence(f"Warning: {warning}"), WARNING)
    if going_on:
        yield Text(going_on)
    is_going_on = verdict.scheduled_end and verdict.status in STOPPABLE_STATUSES
    if verdict.chance(STOP) in (WILL, MAY) and is_going_on and verdict.keeps_endpoint:
        yield Text(f"Without a stop, it {_by_itself(verdict)}")
    if verdict.way_back:
        yield Text(_sentence(verdict.way_back))
    if verdict.stop_request:
        now = "" if verdict.certainty == WILL else ", as things stand now"
        yield Text(f"The request to SageMaker{now}:")
        yield Members(verdict.stop_request)


def _what(verdict: Verdict) -> Iterator[str]:
    """What happens if everything stays as it is now."""
    if verdict.effect == STOP:
        ends = "ends" if verdict.chance(STOP) == WILL else "may end"
        yield (
            f"{_WHEN[verdict.moment]}, the experiment, which is {verdict.status} now, {ends}. A "
            f"stop cannot be undone."
        )
        if verdict.endpoint_goes:
            yield _sentence(verdict.endpoint_goes[:1].upper() + verdict.endpoint_goes[1:])
        elif verdict.serves:
            after = "Afterwards" if verdict.chance(STOP) == WILL else "If it ends,"
            after += ", as the metrics are now," if verdict.promotion else ""
            yield _sentence(f"{after} {verdict.serves}")
    elif verdict.effect == WAIT and verdict.waiting:
        yield from verdict.waiting
    elif verdict.sentence and verdict.effect == FAIL:
        yield f'CloudFormation will be told: "{verdict.sentence}"'
        if verdict.deploy_after:
            yield f"Deploy again after {verdict.deploy_after}."
    elif verdict.sentence:
        yield f'The function of the resource will say: "{verdict.sentence}"'
    else:
        yield _sentence(verdict.why[:1].upper() + verdict.why[1:])


def _if_metrics_change(verdict: Verdict) -> Iterator[str]:
    """What another verdict on the evidence would make of it."""
    other = next((way for way in verdict.possibilities if way.by_metrics), None)
    if other is None:
        return
    if other.fails:
        yield "If it is no longer successful by then, the update fails, and nothing is stopped."
    elif not other.promotes:
        yield "If it is no longer successful by then, the experiment ends without the promotion."
    else:
        what = "the shadow is promoted instead"
        if verdict.effect == FAIL:
            what = "the experiment ends, and the shadow is promoted"
        then = f": {verdict.promotion}" if verdict.promotion else ""
        yield _sentence(f"If the evidence is successful by then, {what}{then}")


def _not_certain(verdict: Verdict) -> Iterator[str]:
    if verdict.effect == UNKNOWN or (verdict.effect == WAIT and verdict.waiting):
        return
    others = [way for way in verdict.possibilities if not way.by_metrics]
    because = dict.fromkeys(way.because for way in others if way.because)
    if because:
        yield _sentence(f"Not certain: {'; '.join(because)}")
    may_be_undone = any(way.is_undone for way in others)
    if (
        verdict.effect == STOP
        and may_be_undone
        and verdict.moment == UPDATE
        and not verdict.is_native
    ):
        yield (
            "If the deployment fails before the stop, nothing is stopped. If it fails after it, "
            "the rest is rolled back, but the experiment stays ended."
        )


def headline(verdict: Verdict) -> str:
    """What will or may happen: every chance that the summary counts.

    Such as "will stop it and promote the shadow", "will stop it and keep production and remove the
    shadow, may fail" or "sends no stop, will wait for an end already under way".
    """
    if verdict.effect == UNKNOWN:
        return "its effect is not known"
    says: list[str] = []
    stop, fail = verdict.chance(STOP), verdict.chance(FAIL)
    fails_now = verdict.effect == FAIL and any(way.by_metrics for way in verdict.possibilities)
    if fails_now:
        says.append("will fail as the metrics are now")
    if stop != NO:
        says.append(f"{stop} stop it" + _ends(verdict))
    elif verdict.effect == WAIT:
        may = "may" if verdict.certainty == MAY else "will"
        says.append(f"sends no stop, {may} wait for an end already under way")
    if fail == METRICS:
        says.append("will fail if the metrics break a bound by then")
    elif fail != NO and not fails_now:
        says.append(f"{fail} fail")
    return ", ".join(says) or "stops nothing"


def _ends(verdict: Verdict) -> str:
    """What a stop makes of the variants."""
    stop, promote = verdict.chance(STOP), verdict.chance(PROMOTE)
    by_metrics = any(way.by_metrics for way in verdict.possibilities)
    if promote == MAY and stop == WILL and by_metrics and verdict.outcome:
        return f" and, as the metrics are now, {verdict.outcome}"
    if promote == NO and verdict.outcome:
        return f", {verdict.outcome}" if " and " in verdict.outcome else f" and {verdict.outcome}"
    return _promotes(stop, promote)


def _promotes(stop: str, promote: str) -> str:
    if promote == NO:
        return ""
    return " and promote the shadow" if promote == stop else ", and may promote the shadow"


def _summary(plan: Plan) -> str:
    """Such as "In all: 1 experiment will be stopped; 1 shadow may be promoted."."""
    if not plan.changes:
        return "Nothing changes."
    says: list[str] = []
    for what, thing, happens in _COUNTED:
        for chance, how in ((WILL, "will"), (MAY, "may")):
            says += _counted(plan, what, chance, thing, f"{how} {happens}")
    says += _counted(
        plan, FAIL, METRICS, "CloudFormation request", "may fail if the metrics change"
    )
    says += _counted(plan, STOP, UNKNOWN, "effect", "not known")
    if not plan.may(STOP):
        says.insert(0, "no stop will be sent")
    return f"In all: {'; '.join(says)}."


_COUNTED = (
    (STOP, "experiment", "be stopped"),
    (PROMOTE, "shadow", "be promoted"),
    (FAIL, "CloudFormation request", "fail"),
)


def _counted(plan: Plan, what: str, chance: str, thing: str, happens: str) -> Iterator[str]:
    if count := sum(verdict.chance(what) == chance for verdict in plan.verdicts):
        yield f"{count} {thing}{'s' if count > 1 else ''} {happens}"


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
    elif resource.ends_at is not None:
        end = words.moment(resource.ends_at)
        yield Text(f"Its schedule has no end, so it ends by itself 7 days after its start: {end}.")
    if resource.variants:
        header = ("variant", "role", "model", "instances", "requests", "status")
        yield Table(header, tuple(map(_variant, resource.variants)))
    if resource.evidence:
        yield _evidence(resource.evidence)
    for what_if in resource.what_ifs:
        yield Text(_what_if(what_if))


def _what_if(what_if: WhatIf) -> str:
    verdict = what_if.verdict
    says = f"{what_if.what} {_would(what_if)}"
    because = dict.fromkeys(
        way.because for way in verdict.possibilities if way.stops and not way.by_metrics
    )
    if verdict.effect in (NOTHING, FAIL, WAIT) and because:
        says += f"; it may stop it, too: {'; '.join(because)}"
    return _sentence(says)


def _would(what_if: WhatIf) -> str:
    verdict = what_if.verdict
    if verdict.effect == UNKNOWN:
        return f"has an effect that is {verdict.why}"
    if verdict.effect == NOTHING:
        return f"would stop nothing: {what_if.why or verdict.why}"
    if verdict.effect == FAIL:
        why = verdict.why
        if _has_said(verdict):
            why = f"the evidence is {verdict.evidence['verdict']}"
            why += f"; deploy again after {verdict.deploy_after}" if verdict.deploy_after else ""
        return f"would fail: {why}"
    if verdict.effect == WAIT:
        return f"would wait: {verdict.why}"
    stop, promote = verdict.chance(STOP), verdict.chance(PROMOTE)
    ends = "would stop it" + _promotes(stop, promote)
    return ends + (", or fail" if verdict.chance(FAIL) not in (NO, METRICS) else "")


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
    says = ": ".join(str(report[name]) for name in ("verdict", "why") if report.get(name))
    return Text(_sentence(f"Evidence for the promotion now: {says}"))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
