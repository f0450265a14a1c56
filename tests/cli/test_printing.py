"""What the command says to people, held against a file for each kind of verdict.

Run with ``UPDATE_GOLDEN=1`` to write the files anew, and read what changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from cdk_stop_inference_experiment.cli.document import of_plan, of_status
from cdk_stop_inference_experiment.cli.plan import Plan, plan_change_set, plan_destroy
from cdk_stop_inference_experiment.cli.printing import markdown, print_text
from cdk_stop_inference_experiment.cli.reading import Change, DescribedStack, Resource
from cdk_stop_inference_experiment.cli.status import status_of
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Kind,
    NotReadable,
    StackEvent,
)
from tests.unit.situations import ARN, RESOURCE, STACK, variant

from .account import NATIVE, Account, added, change_set, modified, native, other
from .past import created, experiment, ours

GOLDEN = Path(__file__).parent / "golden"
MANUAL = Path(__file__).parents[2] / "docs" / "reference" / "command.md"
DAYS = (2026, 11, 25), (2026, 12, 2)
END = 4_000_000_000.0
EVIDENCE = {"MinInvocations": "100", "Alarms": ["too-slow"]}
NAME = "FraudTest"
TEST = STACK.replace("/shadow/", f"/{NAME}/")
KEEP = {"blue": "Retain", "green": "Remove"}
PROMOTE = {"blue": "Remove", "green": "Promote"}
BLUE, GREEN = variant("blue", 2, of_type="ml.c5.large"), variant("green", 1, model="fraud-v2")
PROMOTING = ours(ModelVariantActions=PROMOTE, DesiredModelVariants=[GREEN])
KEEPING = ours(ModelVariantActions=KEEP)


def of(*changes: Change, account: Account) -> Plan:
    account.change_sets["verdict"] = change_set(*changes, stack_id=TEST)
    return plan_change_set(account, NAME, "verdict")


def shadow_test(status: str = "Running", **facts: object) -> Experiment:
    """A test whose names differ: what readers see must not depend on names that are alike."""
    names = {
        "variants": {"blue": "InService", "green": "InService"},
        "configured": {"blue": BLUE, "green": GREEN},
        "production": "blue",
        "shadows": ("green",),
    }
    facts = {"scheduled_end": END + 10**6, **names, **facts}
    return experiment(status, **facts)


def running(*, declared: Mapping[str, Any] | None = None, **facts: object) -> Account:
    resource = Resource(RESOURCE, ARN, RESOURCE_TYPE, "CREATE_COMPLETE")
    return Account(
        stacks={TEST: DescribedStack(TEST, NAME, "CREATE_COMPLETE")},
        deployed={TEST: [resource]},
        happened={TEST: happened(**{"ModelVariantActions": KEEP, **(declared or {})})},
        experiments={"fraud-shadow": shadow_test(**facts)},  # type: ignore[arg-type]
    )


def happened(**declared: Any) -> list[StackEvent]:
    """The creation of our stack."""
    return [
        replace(event, logical_id=NAME, physical_id=TEST) if event.physical_id == STACK else event
        for event in created(**declared)
    ]


def stops() -> Plan:
    return of(modified(KEEPING, PROMOTING), account=running())


def may_stop() -> Plan:
    return of(modified(KEEPING, PROMOTING), other(logical_id="Queue"), account=running())


def fails() -> Plan:
    twin = added({**KEEPING, "EndNow": "true"}, "Twin")
    return of(twin, modified(KEEPING, {**KEEPING, "Name": "other"}), account=running())


def waits() -> Plan:
    account = running(status="Stopping", endpoint_status="Updating")
    return of(ordered(), account=account)


def ordered() -> Change:
    return modified(KEEPING, {**KEEPING, "EndNow": "true"})


def waits_in_vain() -> Plan:
    reason = "by hand"
    account = running(status="Stopping", endpoint_status="Updating", status_reason=reason)
    return of(modified(KEEPING, PROMOTING), account=account)


def stops_nothing() -> Plan:
    return of(modified(KEEPING, {**KEEPING, "Reason": "in other *words*"}), account=running())


def is_not_known() -> Plan:
    account = running()
    denied = "DescribeInferenceExperiment: AccessDenied: not allowed to perform <it>"
    account.experiments["fraud-shadow"] = NotReadable(Kind.DENIED, denied)
    return of(ordered(), account=account)


def needs_evidence() -> Plan:
    return plan_destroy(measured({"Outcome": "PromoteShadow", "Instances": "Shadow"}), NAME)


def lacks_evidence() -> Plan:
    after = {**PROMOTING, "PromoteIf": EVIDENCE}
    return of(modified(KEEPING, after), account=measured({"ModelVariantActions": KEEP}))


def measured(declared: Mapping[str, object]) -> Account:
    """A test that is too young for the evidence that is asked for."""
    evidence: dict[str, object] = {"PromoteIf": EVIDENCE} if "Outcome" in declared else {}
    declared = {"ModelVariantActions": None, **declared, **evidence}
    return running(declared=declared, created=END, scheduled_start=END, scheduled_end=None)


def is_native() -> Plan:
    account = running(declared={"StopOn": ["Update"]})
    ends = {"DesiredState": "Completed", "ModelVariants": [BLUE]}
    account.deployed[TEST].append(Resource("Test", "fraud-shadow", NATIVE, "CREATE_COMPLETE"))
    return of(native(after=ends), account=account)


def changes_nothing() -> Plan:
    account = running()
    reason = "The submitted information didn't contain changes."
    account.change_sets["verdict"] = change_set(
        status="FAILED", execution_status="UNAVAILABLE", reason=reason, stack_id=TEST
    )
    return plan_change_set(account, NAME, "verdict")


PLANS: list[Callable[[], Plan]] = [
    stops,
    may_stop,
    fails,
    waits,
    waits_in_vain,
    stops_nothing,
    is_not_known,
    needs_evidence,
    lacks_evidence,
    is_native,
    changes_nothing,
]


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_said_in_markdown(plan: Callable[[], Plan]) -> None:
    check(f"{plan.__name__}.md", "\n".join(markdown(of_plan(plan()))))


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_said_in_text(
    plan: Callable[[], Plan], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_text(of_plan(plan()))
    text = capsys.readouterr().out
    check(f"{plan.__name__}.txt", text)
    assert max(map(len, text.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_manual_shows_a_status_as_it_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    began, ends = (datetime(*day, 12, tzinfo=timezone.utc).timestamp() for day in DAYS)
    account = running(sampling=100.0, created=began, scheduled_end=ends)
    account.running["fraud"] = {"blue": 4, "green": 1}
    print_text(of_status([status_of(account, NAME)]))
    (shown,) = re.findall(r"```text\n(FraudTest \(.*?)```", MANUAL.read_text(), re.DOTALL)
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("status", ["Running", "Completed"])
def test_a_status_is_said_in_both(
    status: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    account = running(status=status, sampling=50.0, scheduled_end=END + 10**6)
    account.running["fraud"] = {"blue": 4, "green": 1}
    found = [status_of(account, NAME)]
    check(f"status_{status}.md", "\n".join(markdown(of_status(found))))
    print_text(of_status(found))
    text = capsys.readouterr().out
    check(f"status_{status}.txt", text)
    assert max(map(len, text.splitlines())) <= 80


def test_no_word_is_broken_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_text(of_plan(waits()))
    narrow = capsys.readouterr().out.split()
    monkeypatch.setenv("COLUMNS", "1000")
    print_text(of_plan(waits()))
    assert narrow == capsys.readouterr().out.split()


def test_no_color_turns_colours_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_text(of_plan(stops()))
    assert "\x1b[1;31m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    print_text(of_plan(stops()))
    assert "31m" not in capsys.readouterr().out


def test_nothing_of_aws_becomes_markup_or_a_mention() -> None:
    account = running()
    account.experiments["fraud-shadow"] = NotReadable(Kind.DENIED, "<b>@team</b> [a](b) `c`\nd")
    text = "\n".join(markdown(of_plan(of(ordered(), account=account))))
    assert "<b>" not in text.replace("\\<", "")
    assert "@team" not in text
    assert "\\[a\\](b) \\`c\\` d" in text


def check(name: str, said: str) -> None:
    """Hold what was said against its file."""
    file = GOLDEN / name
    said = said.rstrip() + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
    assert said == file.read_text(encoding="utf-8")
