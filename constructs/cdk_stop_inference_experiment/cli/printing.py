"""The output: JSON, or text by Rich, which respects NO_COLOR and the terminal's width."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from cdk_stop_inference_experiment_handler.contract.constraints import DELETE, UPDATE
from cdk_stop_inference_experiment_handler.lifecycle.facts import ENDED_STATUSES

from .plan import FAIL, MAY, NO, NOTHING, PROMOTE, STOP, UNKNOWN, WAIT, WILL, Plan, Verdict
from .status import StackStatus, Standing, Variant

_COLOURS = {STOP: "bold red", FAIL: "bold red", UNKNOWN: "bold yellow", WAIT: "yellow"}
_WORDS = {WILL: "will", MAY: "may"}
_DOES = {STOP: "stop it", FAIL: "fail", WAIT: "wait for its end"}
_NOT_LISTED = {"update_changed_not_in_stop_on": UPDATE, "delete_not_in_stop_on": DELETE}
"""The event that ``StopOn`` leaves out, by the row that says so."""


def print_json(value: object) -> None:
    """Print JSON, for programs."""
    print(json.dumps(value, indent=2))


def print_plan(plan: Plan) -> None:
    """Print a plan, for people."""
    out = _Out()
    operation = "deletion" if plan.operation == "destroy" else "change set"
    name = plan.change_set.rpartition(":changeSet/")[2].partition("/")[0]
    what = f" ({plan.stack.status}): {operation} {name}"
    out.line(Text.assemble((plan.stack.name, "bold"), what.rstrip()))
    for note in plan.notes:
        out.line(Text(f"Note: {note}.", "yellow"))
    for verdict in plan.verdicts:
        out.verdict(verdict)
    out.line()
    out.line(_summary(plan))


def print_status(stacks: Iterable[StackStatus]) -> None:
    """Print the state of experiments, for people."""
    out = _Out()
    for stack in stacks:
        out.line(Text.assemble((stack.name, "bold"), f" ({stack.status})"))
        if not stack.resources:
            out.line("no inference experiment", indent=2)
        for resource in stack.resources:
            out.standing(resource)


class _Out:
    """Lines of text with an indent."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)

    def line(self, text: str | Text = "", *, indent: int = 0) -> None:
        """Print a paragraph with an indent."""
        text = Text(text) if isinstance(text, str) else text
        for line in text.wrap(self._console, self._console.width - indent) or [Text()]:
            line.rstrip()
            self._console.print(Text(" " * indent) + line)

    def verdict(self, verdict: Verdict) -> None:
        """Print what a request will do and why."""
        self.line()
        self.line(_headline(verdict), indent=2)
        self.line(Text(f"{verdict.stack}/{verdict.logical_id}", "dim"), indent=4)
        rows = ", ".join(dict.fromkeys(row for row in (verdict.order, verdict.row) if row))
        self.line(f"{rows}: {verdict.why}" if rows else verdict.why, indent=4)
        if verdict.because:
            self.line(f"Not certain: {'; '.join(verdict.because)}.", indent=4)
        for warning in verdict.warnings:
            self.line(Text(f"Warning: {warning}.", "yellow"), indent=4)
        if verdict.effect == STOP and verdict.scheduled_end:
            self.line(f"Otherwise it ends by itself at {verdict.scheduled_end}.", indent=4)
        if verdict.evidence:
            self._evidence(verdict.evidence)
        if verdict.stop_request:
            self.line("A stop cannot be undone. The request to SageMaker:", indent=4)
            for member, value in verdict.stop_request.items():
                shown = value if isinstance(value, str) else json.dumps(value)
                self.line(f"{member}: {shown}", indent=6)

    def _evidence(self, report: Mapping[str, Any]) -> None:
        why = report.get("why")
        self.line(f"Evidence now: {report.get('verdict')}{f', {why}' if why else ''}.", indent=4)

    def standing(self, one: Standing) -> None:
        """Print the state of an experiment."""
        self.line()
        since = f" since {one.since}" if one.since else ""
        status = one.status or one.trouble
        self.line(Text.assemble((one.experiment, "bold"), f"  {status}{since}"), indent=2)
        self.line(Text(f"{one.stack}/{one.logical_id}", "dim"), indent=4)
        if one.scheduled_end and one.status not in ENDED_STATUSES:
            self.line(f"It ends by itself at {one.scheduled_end}.", indent=4)
        for variant in one.variants:
            self.line(_variant(variant), indent=4)
        for what, verdict in (
            ("A changed declaration", one.on_change),
            ("A teardown", one.on_teardown),
        ):
            if verdict:
                self.line(f"{what} {_would(verdict)}", indent=4)


def _headline(verdict: Verdict) -> Text:
    experiment = verdict.experiment or "an experiment"
    sent = verdict.request or "no request"
    sent += f" in the {verdict.moment}" if verdict.moment in ("clean-up", "deletion") else ""
    return Text.assemble(
        (experiment, "bold"), f"  {sent}: ", (_does(verdict), _COLOURS.get(verdict.effect, "green"))
    )


def _does(verdict: Verdict) -> str:
    if verdict.effect == UNKNOWN:
        return "its effect is not known"
    if verdict.effect == NOTHING:
        return "stops nothing"
    chance = verdict.chances.get(verdict.effect, verdict.certainty)
    return f"{_WORDS[chance]} {_DOES[verdict.effect]}{_promotes(verdict)}"


def _promotes(verdict: Verdict) -> str:
    if verdict.effect != STOP or verdict.chances[PROMOTE] == NO:
        return ""
    is_open = verdict.chances[PROMOTE] != verdict.chances[STOP]
    return ", and may promote the shadow" if is_open else " and promote the shadow"


def _would(verdict: Verdict) -> str:
    if verdict.effect == STOP:
        return f"would stop it{_promotes(verdict)}."
    if verdict.effect == NOTHING:
        event = _NOT_LISTED.get(verdict.order)
        why = f"'StopOn' does not list {event}" if event else verdict.why
        return f"would stop nothing: {why}."
    if verdict.effect == FAIL:
        return f"would fail: {verdict.why}."
    if verdict.effect == WAIT:
        return f"would wait: {verdict.why}."
    return f"has an unknown effect: {verdict.why}."


def _variant(variant: Variant) -> str:
    count = variant.configured if variant.running is None else variant.running
    traffic = "" if variant.traffic is None else f", {variant.traffic}% of the requests"
    configured = (
        f" ({variant.configured} configured)"
        if variant.running not in (None, variant.configured)
        else ""
    )
    return (
        f"{variant.role} '{variant.name}': {variant.model}, {count} x {variant.instance_type}"
        f"{configured}{traffic}, {variant.status}"
    )


def _summary(plan: Plan) -> Text:
    counts = {
        certainty: sum(verdict.chances[STOP] == certainty for verdict in plan.verdicts)
        for certainty in (WILL, MAY, UNKNOWN)
    }
    failing = sum(verdict.chances[FAIL] in (WILL, MAY) for verdict in plan.verdicts)
    text = (
        f"Experiments that will be stopped: {counts[WILL]}, may be: {counts[MAY]}, "
        f"not known: {counts[UNKNOWN]}. Requests that will or may fail: {failing}."
    )
    return Text(text, "bold")
