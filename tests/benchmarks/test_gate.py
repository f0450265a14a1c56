"""The simulated gate is the shipped one, and the simulated tests are what they are said to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.gate_looks import Counts, hour_looks, rate_looks
from benchmarks.gate_traffic import Traffic, autocorrelated, bursts, counts, spells

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    Bound,
    BoundKind,
    Hour,
    HourlyValues,
    Verdict,
    compare_hours,
    compare_rates,
)

TRAFFIC = {
    "plain": Traffic(10_000, 0.0005, 0.001),
    "few": Traffic(300, 0.0005, 0.001),
    "none": Traffic(1_000, 0, 0),
    "sampled": Traffic(10_000, 0.0005, 0.0005, share=0.01),
    "bursts": Traffic(10_000, 0.0005, 0.001, burst=30, shadow_burst=100),
    "spells": Traffic(10_000, 0.0005, 0.003, spell=8),
    "many": Traffic(1_000, 0.3, 0.2, share=0.5, drift=0.3),
}


@pytest.mark.parametrize("name", TRAFFIC)
@pytest.mark.parametrize("kind", [BoundKind.MAX_INCREASE, BoundKind.MAX_RATE])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_every_look_at_rates_is_the_functions(name: str, kind: BoundKind, alpha: float) -> None:
    drawn = counts(np.random.default_rng(3), TRAFFIC[name], 3, 120)
    bound = Bound(kind, 0.001)
    looks = rate_looks(drawn, 1.0 if kind is BoundKind.MAX_INCREASE else 0.0, bound.value, alpha)
    promoted, failed = looks.promoted(alpha, 48), looks.failed(alpha, 48)
    for test in range(3):
        hours = [Hour(*(float(part[test, hour]) for part in drawn)) for hour in range(120)]
        for hour in (2, 5, 23, 24, 47, 48, 49, 97, 120):
            found = compare_rates(hours[:hour], bound, confidence=1 - alpha)
            at = test, hour - 1
            assert looks.log_e[at] == pytest.approx(found.log_e, rel=1e-7, abs=1e-7)
            assert looks.log_e_failed[at] == pytest.approx(found.log_e_failed, rel=1e-7, abs=1e-7)
            assert promoted[at] == (found.verdict is Verdict.SUCCESSFUL)
            assert failed[at] == (found.verdict is Verdict.FAILED)


@pytest.mark.parametrize("margin", [-3, -1.3, -0.2, 0, 1.3, 3])
def test_every_look_at_hours_is_the_functions(margin: float) -> None:
    series = autocorrelated(np.random.default_rng(3), (3, 120), 0.3) + margin
    series[0] = np.sign(margin)  # a constant
    looks = hour_looks(series, series > 0)
    promoted, failed = looks.promoted(0.05, 48), looks.failed(0.05, 48)
    for test in range(3):
        values = [HourlyValues(0, float(value)) for value in series[test]]
        for hour in (1, 2, 24, 47, 48, 49, 97, 120):
            found = compare_hours(values[:hour], Bound(BoundKind.MAX_VALUE, 0))
            at = test, hour - 1
            if 2 * found.broken != hour:
                speaks = looks.log_e if 2 * found.broken < hour else looks.log_e_failed
                assert speaks[at] == pytest.approx(found.log_e, rel=1e-7, abs=1e-7)
            assert promoted[at] == (found.verdict is Verdict.SUCCESSFUL)
            assert failed[at] == (found.verdict is Verdict.FAILED)


def rates(drawn: Counts) -> tuple[float, float]:
    return (
        drawn.production_errors.sum() / drawn.production.sum(),
        drawn.shadow_errors.sum() / drawn.shadow.sum(),
    )


@pytest.mark.parametrize("name", ["plain", "sampled", "bursts", "spells", "many"])
def test_the_rates_are_what_they_are_said_to_be(name: str) -> None:
    traffic = TRAFFIC[name]
    drawn = counts(np.random.default_rng(5), traffic, 400, 336)
    production, shadow = rates(drawn)
    assert production == pytest.approx(traffic.rate, rel=0.03)
    assert shadow == pytest.approx(traffic.shadow_rate, rel=0.03)
    assert drawn.shadow.sum() / drawn.production.sum() == pytest.approx(traffic.share, rel=0.01)


def test_the_shadows_increase_is_the_same_in_every_hour() -> None:
    """A shadow at the bound is at it on average at any time, whatever the traffic does."""
    traffic = Traffic(100_000, 0.0005, 0.001)
    drawn = counts(np.random.default_rng(5), traffic, 400, 336)
    by_hour = drawn.shadow_errors.sum(axis=0) - drawn.production_errors.sum(axis=0)
    assert by_hour / drawn.shadow.sum(axis=0) == pytest.approx(np.full(336, 0.0005), rel=0.1)


def test_traffic_follows_the_day() -> None:
    drawn = counts(np.random.default_rng(5), Traffic(10_000, 0, 0), 2, 48)
    assert drawn.production.min() < 2_500
    assert drawn.production.max() > 17_500
    assert (drawn.production[:, :24] == drawn.production[:, 24:]).all()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_bursts_have_their_mean_size(size: float) -> None:
    """Of a geometric size, so that the variance is 2 b - 1 times that of errors that come alone."""
    drawn = bursts(np.random.default_rng(5), np.full((1000, 100), 5.0), size)
    assert drawn.mean() == pytest.approx(5, rel=0.05)
    assert drawn.var() == pytest.approx(5 * (2 * size - 1), rel=0.05)


def test_spells_have_their_mean_length_and_share() -> None:
    drawn = spells(np.random.default_rng(5), (400, 1000), 8)
    is_bad = drawn > 1
    assert is_bad.mean() == pytest.approx(0.3, rel=0.05)
    assert drawn.mean() == pytest.approx(1, rel=0.05)
    ended = (is_bad[:, :-1] & ~is_bad[:, 1:]).sum()
    assert is_bad[:, :-1].sum() / ended == pytest.approx(8, rel=0.05)
    assert drawn.max() / drawn.min() == pytest.approx(43 / 3)


@pytest.mark.parametrize("autocorrelation", [0.0, 0.9])
def test_values_remember_as_much_as_they_are_said_to(autocorrelation: float) -> None:
    drawn = autocorrelated(np.random.default_rng(5), (1000, 200), autocorrelation)
    assert (drawn[:, 1:] * drawn[:, :-1]).mean() == pytest.approx(autocorrelation, abs=0.02)
    assert drawn.var() == pytest.approx(1, rel=0.05)
    assert math.isclose(drawn.mean(), 0, abs_tol=0.05)
