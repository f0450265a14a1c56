"""The gate's formulas against public packages: SciPy's distributions and ville's e-values.

ville has the half-normal mixture and the beta-binomial mixture as such, written by others from the
same papers. It is small and young, so SciPy's distributions are asked the same.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import ville
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import betabinom, binom

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    Bound,
    BoundKind,
    Hour,
    HourlyValues,
    beta_binomial_log_e,
    compare_hours,
    compare_rates,
    mixture_precision,
    normal_mixture_log_e,
    sample_ratio,
    variance_inflation,
)

UNHURRIED = settings(deadline=None)
alphas = st.floats(0.001, 0.2)


@UNHURRIED
@given(s=st.floats(-1e4, 1e5), v=st.floats(0, 1e6), alpha=alphas)
def test_the_mixture_is_scipys_normal_distribution(s: float, v: float, alpha: float) -> None:
    precision = mixture_precision(alpha)
    growth = 1 + precision * v
    z = s * math.sqrt(precision / growth)
    wanted = math.log(2) + float(log_ndtr(z)) - 0.5 * math.log(growth) + z * z / 2
    # Beyond -35 the second term of the series, 1/z^2, is left out.
    assert normal_mixture_log_e(s, v, alpha) == pytest.approx(wanted, rel=1e-9, abs=1e-3)
    if z > -35:
        assert normal_mixture_log_e(s, v, alpha) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("s", "v"), [(0, 50), (30, 100), (-20, 100), (60, 800), (5, 0)])
def test_the_mixture_is_the_mean_of_its_supermartingales(s: float, v: float) -> None:
    """Over stakes that are half-normal with variance rho^2: integrated, not transformed."""
    rho = math.sqrt(mixture_precision(0.05))

    def at(stake: float) -> float:
        density = math.sqrt(2 / math.pi) / rho * math.exp(-(stake**2) / (2 * rho**2))
        return density * math.exp(stake * s - stake**2 * v / 2)

    mean, _ = quad(at, 0, 12 * rho, limit=200)
    assert normal_mixture_log_e(s, v, 0.05) == pytest.approx(math.log(mean), abs=1e-6)


@UNHURRIED
@given(v=st.floats(1e-3, 1e6), alpha=alphas)
def test_the_evidence_is_enough_at_villes_boundary(v: float, alpha: float) -> None:
    boundary = ville.normal_mixture(v, alpha, 1 / mixture_precision(alpha), one_sided=True)
    assert normal_mixture_log_e(float(boundary), v, alpha) == pytest.approx(-math.log(alpha))


def test_the_mixture_is_tuned_almost_as_ville_tunes_it() -> None:
    """The closed form takes a two-sided sequence of 2 alpha for a one-sided one of alpha."""
    for alpha in (0.001, 0.05, 0.2):
        best = ville.best_rho(100, alpha, one_sided=True)
        ours = 1 / mixture_precision(alpha)
        width, least = (
            float(ville.normal_mixture(100, alpha, rho, one_sided=True)) for rho in (ours, best)
        )
        assert least <= width < 1.02 * least


@UNHURRIED
@given(hours=st.integers(2, 300), errors=st.integers(0, 30), confidence=st.floats(0.8, 0.999))
def test_the_upper_bound_is_villes_boundary(hours: int, errors: int, confidence: float) -> None:
    counted = [Hour(1000, 1000, errors, 3) for _ in range(hours)]
    found = compare_rates(counted, Bound(BoundKind.MAX_RATE, 0.01), confidence=confidence)
    assert found.upper is not None
    allowed = found.upper * 1000 * hours
    boundary = ville.normal_mixture(
        allowed / found.dispersion,
        1 - confidence,
        1 / mixture_precision(1 - confidence),
        one_sided=True,
    )
    assert allowed - 3 * hours == pytest.approx(float(boundary) * found.dispersion, rel=1e-6)


@UNHURRIED
@given(n=st.integers(1, 5000), share=st.floats(0, 1), q=st.floats(0.01, 0.99))
def test_the_beta_binomial_mixture_is_a_ratio_of_scipys_distributions(
    n: int, share: float, q: float
) -> None:
    k = round(share * n)
    wanted = betabinom.logpmf(k, n, 0.5, 0.5) - binom.logpmf(k, n, q)
    assert beta_binomial_log_e(k, n, q) == pytest.approx(float(wanted), rel=1e-6, abs=1e-6)


@UNHURRIED
@given(broken=st.lists(st.booleans(), min_size=1, max_size=200))
def test_hours_are_villes_test_of_one_half(broken: list[bool]) -> None:
    test = ville.BernoulliTest(0.5, prior=(0.5, 0.5)).update(np.array(broken, dtype=float))
    values = [HourlyValues(1, 1.2 if is_broken else 1) for is_broken in broken]
    found = compare_hours(values, Bound(BoundKind.MAX_RATIO, 1.1))
    inflation = variance_inflation(found.autocorrelation, len(broken))
    assert found.inflation == inflation
    assert found.log_e * inflation == pytest.approx(float(test.log_e_values_[-1]), abs=1e-9)


@UNHURRIED
@given(values=st.lists(st.floats(0.5, 2), min_size=3, max_size=100))
def test_the_memory_of_hours_is_numpys(values: list[float]) -> None:
    y = np.log(np.array(values))
    assume(np.ptp(y) > 1e-3)
    centred = y - y.mean()
    wanted = float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())
    hours = [HourlyValues(3, 3 * value) for value in values]
    found = compare_hours(hours, Bound(BoundKind.MAX_RATIO, 1.1))
    assert found.autocorrelation == pytest.approx(wanted, abs=1e-9)


@UNHURRIED
@given(n=st.integers(100, 10**7), share=st.floats(0.01, 0.97), off=st.floats(0.5, 1.5))
def test_the_sample_ratio_is_a_ratio_of_scipys_distributions(
    n: int, share: float, off: float
) -> None:
    k = round(share * off * n)
    assume(k <= n)
    found = sample_ratio(n, k, share)
    if 0.98 * share * n <= k <= 1.02 * share * n:
        assert found.log_e == 0
        return
    q = (0.98 if k < share * n else 1.02) * share
    wanted = betabinom.logpmf(k, n, 0.5, 0.5) - binom.logpmf(k, n, q)
    assert found.log_e == pytest.approx(float(wanted), rel=1e-6, abs=1e-4)
