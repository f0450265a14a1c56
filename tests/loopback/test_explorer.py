"""The explorer finds no violation in the handler, and finds the bugs of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loopback.containers import fresh_everything
from loopback.function import Handler
from loopback.sagemaker import STATUSES

from .explorer import play
from .invariants import INVARIANTS
from .scenarios import CORE, HANDED, MORE, STARTS, STUCK, combinations
from .seeded_bugs import SEEDED_BUGS, SeededBug
from .tally import Sample, Subtree, Tally

ROOT = Path(__file__).parents[2]
SAMPLED = 1_500


def explore(*arguments: str) -> None:
    command = [sys.executable, "-m", "tests.loopback.explore", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_histories_start_from_every_status_and_from_none() -> None:
    assert set(STARTS) == {"absent", *STATUSES}


def test_every_single_step_keeps_every_invariant() -> None:
    explore("--depth", "1", "--scenario", "core")


def test_no_sampled_history_of_three_steps_breaks_an_invariant() -> None:
    tempos = ["--tempo", "handed", "--tempo", "brief", "--tempo", "long"]
    # The same histories each time; "make explore" draws others.
    limits = ["--sample", str(SAMPLED), "--seed", "1", "--processes", "2"]
    explore("--depth", "3", "--scenario", "all", *tempos, *limits)


def test_an_experiment_that_never_ends_is_answered_at_the_deadline() -> None:
    tally = Tally()
    for scenario in combinations(CORE + MORE, (STUCK,)):
        tally.add(Subtree(scenario, (), 0).tally())
    assert tally.examples == {}


ONCE_BROKEN = {
    # One delivery stops and refreshes the rule while the other answers and cleans up.
    "update/Creating/handed": (
        "kill",
        "StopInferenceExperiment:throttled",
        "StopInferenceExperiment:denied",
    ),
    # One delivery makes the rule again between two attempts of the other to clean up.
    "delete/Creating/handed": ("kill", "DescribeInferenceExperiment:denied", "RemoveTargets:taken"),
    # The experiment ends between two reads, and the endpoint no longer has its variants.
    "outcome update/Running/handed": ("ends", "twin"),
    "outcome delete/Running/handed": ("DescribeEndpoint:unavailable", "ends"),
}


@pytest.mark.parametrize("key", ONCE_BROKEN)
def test_a_history_that_once_broke_an_invariant_keeps_it(key: str) -> None:
    (scenario,) = (one for one in combinations(CORE + MORE, (HANDED,)) if one.key == key)
    result = play(scenario, ONCE_BROKEN[key])
    assert result is not None
    assert result.broken == ()


def test_a_seed_draws_the_same_histories_again() -> None:
    scenarios = tuple(combinations(CORE, (HANDED,)))
    first, second = (Sample(scenarios, 2, 40, 60, "7").tally() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("bug", SEEDED_BUGS, ids=lambda bug: bug.name)
def test_a_bug_put_in_on_purpose_is_caught(bug: SeededBug) -> None:
    with bug.patch():
        broken = Subtree(bug.situation, (), bug.depth).tally().broken
    assert set(broken) & set(bug.breaks), f"broken: {dict(broken)}"
    if bug.depth == 0:
        assert not Subtree(bug.situation, (), 0).tally().broken


def load_stock() -> Handler:
    return fresh_everything("loopback.stock")


def test_stock_crhelper_breaks_what_the_handler_keeps() -> None:
    steps = ((), ("later", "malformed"), ("PUT:error",), ("twin",), ("DeleteRule:denied",))
    tally = Tally()
    for scenario in combinations(CORE, (HANDED,)):
        if scenario.start in ("absent", "Running", "Completed"):
            for letters in steps:
                tally.run(scenario, letters, load=load_stock)
    print({INVARIANTS[number].__name__: count for number, count in sorted(tally.broken.items())})
    assert set(tally.broken) >= {1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 14}
