"""Histories are the same whether botocore's work is cached or not."""

from __future__ import annotations

import pytest

from loopback.journal import Entry
from loopback.transport import CLIENTS

from .explorer import run
from .scenarios import CORE, HANDED, Scenario, combinations

LETTERS = (
    (),
    ("deliver", "ends Cancelled"),
    ("StopInferenceExperiment:taken", "twin"),
    ("DescribeInferenceExperiment:throttled", "deleted"),
    ("PUT:error", "PutTargets:unreachable"),
)
SITUATIONS = [
    scenario
    for scenario in combinations(CORE, (HANDED,))
    if scenario.may_stop and scenario.start in ("Created", "Running", "Updating")
]


def journal(scenario: Scenario, letters: tuple[str, ...]) -> list[Entry]:
    history, _ = run(scenario, letters)
    return list(history.world.journal)


@pytest.mark.parametrize("scenario", SITUATIONS, ids=lambda scenario: scenario.key)
@pytest.mark.parametrize("letters", LETTERS, ids=lambda letters: " > ".join(letters) or "nothing")
def test_what_is_remembered_changes_nothing(
    scenario: Scenario, letters: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal(scenario, letters)
    remembered = journal(scenario, letters)
    monkeypatch.setattr(CLIENTS, "remembers", False)
    assert journal(scenario, letters) == remembered
