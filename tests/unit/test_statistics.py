"""Verdicts with a stated error: the golden numbers, the formulas as written, and the edges."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    RATIO_LOG_E,
    Bound,
    BoundKind,
    Forecast,
    Hour,
    HourlyComparison,
    HourlyValues,
    RateComparison,
    Verdict,
    beta_binomial_log_e,
    compare_hours,
    compare_rates,
    mixture_precision,
    normal_mixture_log_e,
    sample_ratio,
    variance_inflation,
)

INCREASE = Bound(BoundKind.MAX_INCREASE, 0.0005)
RATE = Bound(BoundKind.MAX_RATE, 0.001)
BOUNDS = pytest.mark.parametrize("bound", [INCREASE, RATE], ids=lambda bound: bound.kind.value)
LN_20 = math.log(20)

UNHURRIED = settings(deadline=None)
"""An example has up to 60 hours, and the machine may have others to care for."""

GOLDEN = [
    Hour(10000 + 100 * (h % 24), 5000 + 50 * (h % 24), 7 * h % 11, 5 * h % 7) for h in range(48)
]


def flat(hours: int, errors: float, shadow_errors: float, requests: float = 1000) -> list[Hour]:
    """The same counts in every hour, but for a burst of nothing: no dispersion, no memory."""
    return [Hour(requests, requests, errors, shadow_errors) for _ in range(hours)]


# --- golden numbers -------------------------------------------------------------------------


def test_the_mixture_is_tuned_to_100_errors() -> None:
    assert mixture_precision(0.05) == pytest.approx(0.0632886, abs=5e-8)


def test_the_golden_hours_against_an_increase() -> None:
    found = compare_rates(GOLDEN, INCREASE)
    assert found.log_e == pytest.approx(7.8693, abs=5e-5)
    assert found.log_e_failed == pytest.approx(-2.3444, abs=5e-5)
    assert found.dispersion == pytest.approx(2.0451, abs=5e-5)
    assert found.verdict is Verdict.SUCCESSFUL
    assert found.total == Hour(535_200, 267_600, 240, 145)
    assert (found.hours, found.dropped) == (48, 0)


def test_the_golden_hours_against_a_rate() -> None:
    found = compare_rates(GOLDEN, RATE)
    assert found.log_e == pytest.approx(8.1566, abs=5e-5)
    assert found.log_e_failed == pytest.approx(-3.3539, abs=5e-5)
    assert found.dispersion == pytest.approx(2.8508, abs=5e-5)
    assert found.verdict is Verdict.SUCCESSFUL


def test_seven_clean_hours_are_worth_27_to_1() -> None:
    assert math.exp(beta_binomial_log_e(0, 7, 0.5)) == pytest.approx(26.8125, rel=1e-9)


@pytest.mark.parametrize(("broken", "log_e"), [(0, 30.7605), (8, 9.47475)])
def test_the_golden_hours_of_48(broken: int, log_e: float) -> None:
    assert beta_binomial_log_e(broken, 48, 0.5) == pytest.approx(log_e, abs=5e-5)


def test_the_golden_sample_ratio() -> None:
    found = sample_ratio(1_000_000, 95_000, 0.1)
    assert found.log_e == pytest.approx(44.2441, abs=5e-5)
    assert found.is_wrong
    assert found.missing_share == pytest.approx(0.05)


# --- the formulas as they are written -------------------------------------------------------


def inflation(u: list[float], x: list[float], hours: float) -> float:
    """Of deviations from what was counted, whose rounding is not memory."""
    squares = sum(own**2 for own in u)
    lagged = sum(now * last for now, last in zip(u[1:], u, strict=False))
    a = lagged / squares if squares > 1e-12 * sum(own**2 for own in x) else 0
    a = min(0.9, max(0, a + 4 / hours))
    return (1 + a) / (1 - a)


def as_written(
    hours: list[Hour], ratio: int, bound: float, alpha: float, then: float | None = None
) -> dict[str, float]:
    """Both e-values, in the words of the contract and with nothing left out or rearranged.

    A forecast takes the allowance for as many hours as there will be then.
    """
    counted = [
        (h.production_invocations, h.shadow_invocations, h.production_errors, h.shadow_errors)
        for h in hours
        if h.production_invocations > 0
    ]
    number = len(counted)
    shares = [n_s / n_p for n_p, n_s, _, _ in counted]
    errors = sum(k_s for _, _, _, k_s in counted)
    requests = sum(n_s for _, n_s, _, _ in counted)
    matched = sum(r * h[2] for r, h in zip(shares, counted, strict=True))
    squared = ratio**2 * sum(r**2 * h[2] for r, h in zip(shares, counted, strict=True))
    x = [
        ratio * r * k_p + bound * n_s - k_s
        for r, (_, n_s, k_p, k_s) in zip(shares, counted, strict=True)
    ]
    deviation = sum(x)
    time = ratio * matched + bound * requests + squared
    u = [own - deviation / requests * h[1] for own, h in zip(x, counted, strict=True)]
    spread = sum(own**2 for own in u) * number / (number - 1)
    phi = max(1, spread / max(1, errors + squared), (spread - squared) / max(1, errors))
    phi_failed = max(1, spread / max(1, errors + squared))
    if ratio:
        phi_failed = max(phi_failed, (spread - errors) / max(1, squared))
    else:
        above = below = 0.0
        for (n0, _, k0, _), (n1, _, k1, _) in pairwise(counted):
            above += (k1 * n0 - k0 * n1) ** 2 / (n0 * n1)
            below += k1 * n0 / n1 + k0 * n1 / n0
        phi = max(phi, above / max(1, below))
    then = then or number
    tau = inflation(u, x, then)
    phi, phi_failed = phi * tau, phi_failed * tau
    if not ratio:
        rate = sum(h[2] for h in counted) / sum(h[0] for h in counted)
        own = [h[2] - rate * h[0] for h in counted]
        own_spread = sum(value**2 for value in own) * number / (number - 1)
        phi = max(
            phi,
            own_spread
            / max(1, sum(h[2] for h in counted))
            * inflation(own, [h[2] for h in counted], then),
        )
    failed_time = sum((1 + ratio * r) * h[3] for r, h in zip(shares, counted, strict=True))

    def log_e(s: float, v: float) -> float:
        level = -2 * math.log(2 * alpha)
        rho2 = (level + math.log(1 + level)) / 100
        q = 1 + rho2 * v
        z = s * math.sqrt(rho2 / q)
        tail = (
            -(z**2) / 2 - math.log(-z * math.sqrt(math.pi / 2))
            if z < -35
            else math.log(math.erfc(-z / math.sqrt(2)))
        )
        return tail - 0.5 * math.log(q) + z**2 / 2

    return {
        "log_e": log_e(deviation / phi, time / phi),
        "log_e_failed": log_e(-deviation / phi_failed, failed_time / phi_failed),
        "dispersion": phi,
        "dispersion_failed": phi_failed,
    }


@st.composite
def hour_counts(draw: st.DrawFn, production: int = 0) -> Hour:
    n_p = draw(st.integers(production, 200_000))
    n_s = draw(st.integers(0, n_p))
    return Hour(n_p, n_s, draw(st.integers(0, n_p)), draw(st.integers(0, n_s)))


@st.composite
def rare_errors(draw: st.DrawFn) -> Hour:
    n_p = draw(st.integers(1, 200_000))
    n_s = draw(st.integers(1, n_p))
    most = st.integers(0, 20)
    return Hour(n_p, n_s, draw(most), draw(most))


tests = st.lists(st.one_of(hour_counts(), rare_errors()), min_size=2, max_size=60)


@UNHURRIED
@given(hours=tests, value=st.floats(1e-5, 0.1), confidence=st.floats(0.8, 0.999))
@pytest.mark.parametrize("kind", [BoundKind.MAX_INCREASE, BoundKind.MAX_RATE])
def test_both_e_values_are_as_written(
    kind: BoundKind, hours: list[Hour], value: float, confidence: float
) -> None:
    counted = [hour for hour in hours if hour.production_invocations]
    assume(len(counted) > 1)
    assume(sum(hour.shadow_invocations for hour in counted) > 1)
    wanted = as_written(hours, int(kind is BoundKind.MAX_INCREASE), value, 1 - confidence)
    found = compare_rates(hours, Bound(kind, value), confidence=confidence)
    for name, number in wanted.items():
        assert getattr(found, name) == pytest.approx(number, rel=1e-6, abs=1e-6), name


# --- properties -----------------------------------------------------------------------------


@UNHURRIED
@given(hours=tests, min_hours=st.integers(24, 60), shadow=st.sampled_from([0, 1, 5]))
@BOUNDS
def test_a_verdict_needs_its_e_value_and_its_hours(
    bound: Bound, hours: list[Hour], min_hours: int, shadow: int
) -> None:
    found = compare_rates(
        [replace(hour, shadow_errors=hour.shadow_errors * shadow) for hour in hours],
        bound,
        min_hours=min_hours,
    )
    is_long_enough = found.hours >= min_hours
    wanted = {
        Verdict.SUCCESSFUL: is_long_enough and found.log_e >= LN_20 - 1e-9,
        Verdict.FAILED: is_long_enough and found.log_e_failed >= LN_20 - 1e-9,
    }
    assert found.verdict is next(
        (one for one, holds in wanted.items() if holds), Verdict.INCONCLUSIVE
    )
    assert min(found.log_e, found.log_e_failed) <= 0


@UNHURRIED
@given(hours=tests, value=st.floats(1e-5, 0.1))
@BOUNDS
def test_the_upper_bound_is_the_bound_at_which_the_evidence_is_enough(
    bound: Bound, hours: list[Hour], value: float
) -> None:
    found = compare_rates(hours, Bound(bound.kind, value))
    if found.upper is None:
        assert found.verdict is Verdict.INCONCLUSIVE
        return
    assert compare_rates(hours, replace(bound, value=found.upper)).log_e == pytest.approx(LN_20)
    assert (found.upper <= value) == (found.log_e >= LN_20)


@UNHURRIED
@given(hours=tests)
@BOUNDS
def test_the_direction_of_time_does_not_count(bound: Bound, hours: list[Hour]) -> None:
    forwards, backwards = compare_rates(hours, bound), compare_rates(hours[::-1], bound)
    assert backwards.log_e == pytest.approx(forwards.log_e, rel=1e-6, abs=1e-6)
    assert (backwards.upper or 0) == pytest.approx(forwards.upper or 0, rel=1e-6, abs=1e-9)


@UNHURRIED
@given(hours=tests, idle=st.integers(1, 5))
@BOUNDS
def test_hours_without_production_are_dropped_and_counted(
    bound: Bound, hours: list[Hour], idle: int
) -> None:
    found = compare_rates(hours, bound)
    more = compare_rates([*hours[:1], *[Hour(0, 3, 0, 1)] * idle, *hours[1:]], bound)
    assert more.dropped == found.dropped + idle
    assert replace(more, dropped=0, forecast=None) == replace(found, dropped=0, forecast=None)


@UNHURRIED
@given(s=st.floats(-1e5, 1e5), v=st.floats(0, 1e7), more=st.floats(1e-3, 1e3))
def test_more_errors_than_allowed_are_never_evidence_for_the_shadow(
    s: float, v: float, more: float
) -> None:
    assert normal_mixture_log_e(s - more, v, 0.05) <= normal_mixture_log_e(s, v, 0.05)
    assert normal_mixture_log_e(min(s, 0.0), v, 0.05) <= 1e-12


@UNHURRIED
@given(n=st.integers(1, 720), k=st.integers(0, 720))
def test_more_broken_hours_are_less_evidence_up_to_one_half(n: int, k: int) -> None:
    assume(2 * (k + 1) <= n)
    assert beta_binomial_log_e(k + 1, n, 0.5) < beta_binomial_log_e(k, n, 0.5)
    assert beta_binomial_log_e(n - k, n, 0.5) == pytest.approx(beta_binomial_log_e(k, n, 0.5))


# --- edges of the rates ---------------------------------------------------------------------


@BOUNDS
@pytest.mark.parametrize(
    "hours",
    [
        [],
        [Hour(1000, 1000, 0, 0)],
        [Hour(0, 0, 0, 0)] * 60,
        [Hour(1000, 0, 3, 0)] * 60,
        [Hour(1000, 0, 3, 0)] * 59 + [Hour(1000, 1, 3, 0)],
    ],
    ids=["no hour", "one hour", "no request", "no request to the shadow", "one request to it"],
)
def test_too_little_to_compare_is_inconclusive(bound: Bound, hours: list[Hour]) -> None:
    found = compare_rates(hours, bound)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.log_e, found.log_e_failed, found.upper) == (0, 0, None)
    if found.hours < 2:
        assert (found.dispersion, found.dispersion_failed) == (1, 1)


def test_nothing_measured_has_no_rate_and_no_forecast() -> None:
    found = compare_rates([Hour(1000, 0, 3, 0)] * 60, INCREASE)
    assert (found.production_rate, found.shadow_rate, found.forecast) == (None, None, None)
    assert (found.dispersion, found.dispersion_failed, found.autocorrelation) == (
        variance_inflation(0, 60),
        variance_inflation(0, 60),
        0,
    )


def test_two_requests_in_two_hours_have_an_upper_bound_which_is_useless() -> None:
    found = compare_rates([Hour(1, 1, 0, 0)] * 2, RATE)
    assert found.upper is not None
    assert found.upper > 1


@pytest.mark.parametrize(("hours", "verdict"), [(47, "inconclusive"), (48, "successful")])
def test_48_hours_without_any_error_pass_and_47_do_not(hours: int, verdict: str) -> None:
    for bound in (INCREASE, RATE):
        found = compare_rates(flat(hours, 0, 0), bound)
        assert found.verdict.value == verdict
        assert found.autocorrelation == 0


def test_a_daily_cycle_without_errors_has_no_autocorrelation_of_its_own_rounding() -> None:
    hours = [Hour(n := 1000 + 37 * (h % 24), n, 0, 0) for h in range(48)]
    assert compare_rates(hours, INCREASE).dispersion == variance_inflation(0, 48)
    even = [replace(hour, shadow_errors=hour.shadow_invocations / 1000) for hour in hours]
    assert compare_rates(even, RATE).dispersion == variance_inflation(0, 48)


def test_production_that_bursts_makes_a_quiet_shadow_wait() -> None:
    calm = flat(48, 1, 0)
    bursting = [replace(hour, production_errors=48.0 * (h == 20)) for h, hour in enumerate(calm)]
    assert compare_rates(calm, RATE).log_e > compare_rates(bursting, RATE).log_e
    assert compare_rates(bursting, RATE).verdict is Verdict.INCONCLUSIVE


def test_production_that_has_bad_spells_makes_a_quiet_shadow_wait_longer() -> None:
    """The same errors of the same hours, but one after another."""
    spread, spells = (
        [Hour(10_000, 10_000, 20 * (h in bad), 1) for h in range(48)]
        for bad in (set(range(0, 48, 4)), {*range(4, 10), *range(24, 30)})
    )
    assert compare_rates(spells, RATE).log_e < compare_rates(spread, RATE).log_e / 2
    assert compare_rates(spells, RATE).log_e_failed == compare_rates(spread, RATE).log_e_failed


def test_huge_counts_are_no_trouble() -> None:
    hours = [Hour(1e12, 1e12, 5e8 + 1e4 * (h % 7), 5e8 + 1e4 * (h % 5)) for h in range(720)]
    found = compare_rates(hours, INCREASE)
    assert found.verdict is Verdict.SUCCESSFUL
    assert math.isfinite(found.log_e)
    worse = [replace(hour, shadow_errors=2e9) for hour in hours]
    assert compare_rates(worse, INCREASE).verdict is Verdict.FAILED
    assert compare_rates(worse, RATE).verdict is Verdict.FAILED


def test_a_bound_of_nothing_needs_a_better_shadow() -> None:
    none = Bound(BoundKind.MAX_INCREASE, 0)
    quiet = compare_rates(flat(48, 0, 0), none)
    assert (quiet.verdict, quiet.log_e) == (Verdict.INCONCLUSIVE, 0)
    assert compare_rates(flat(480, 10, 5), none).verdict is Verdict.SUCCESSFUL


@pytest.mark.parametrize("kind", [BoundKind.MAX_RATIO, BoundKind.MAX_VALUE])
def test_a_rate_has_no_other_bound(kind: BoundKind) -> None:
    with pytest.raises(ValueError, match="a rate has max_increase or max_rate, got max_"):
        compare_rates(GOLDEN, Bound(kind, 1.1))


@pytest.mark.parametrize("z", [-1e6, -1e3, -36, -35.001, -34.999, -20, 0, 35, 1e3])
def test_the_mixture_is_finite_and_smooth_at_extreme_deviations(z: float) -> None:
    """At V = 0, z is S rho."""
    rho = math.sqrt(mixture_precision(0.05))
    here, near = (normal_mixture_log_e(s / rho, 0, 0.05) for s in (z, z + 1e-3 * (1 + abs(z))))
    assert math.isfinite(here)
    assert here < near
    if z < -30:
        assert here == pytest.approx(-math.log(-z * math.sqrt(math.pi / 2)), abs=2e-3)


@pytest.mark.parametrize(
    ("autocorrelation", "hours", "inflation"),
    [(-0.5, 48, 1.0), (0, 4, 19), (0.95, 1e9, 19), (0.5 - 4 / 48, 48, 3.0), (0.5, math.inf, 3.0)],
)
def test_hours_that_remember_count_less(
    autocorrelation: float, hours: float, inflation: float
) -> None:
    assert variance_inflation(autocorrelation, hours) == pytest.approx(inflation)


# --- forecast of the rates ------------------------------------------------------------------


def expected_log_e(
    hours: list[Hour], bound: Bound, further: int, dispersion: Callable[[float], float]
) -> float:
    """The evidence after further requests, as the contract writes it."""
    ratio = int(bound.kind is BoundKind.MAX_INCREASE)
    requests = sum(hour.shadow_invocations for hour in hours)
    shares = [hour.shadow_invocations / hour.production_invocations for hour in hours]
    matched = sum(r * h.production_errors for r, h in zip(shares, hours, strict=True))
    squared = ratio**2 * sum(r**2 * h.production_errors for r, h in zip(shares, hours, strict=True))
    errors = sum(hour.shadow_errors for hour in hours)
    s = ratio * matched + bound.value * requests - errors
    v = ratio * matched + bound.value * requests + squared
    p, r = matched / requests, requests / sum(hour.production_invocations for hour in hours)
    g, phi = (ratio - 1) * p + bound.value, dispersion(further)
    s += g * further - 0.84 * math.sqrt(phi * p * (1 + ratio**2 * r) * further)
    v += (ratio * p + bound.value + ratio**2 * r * p) * further
    return normal_mixture_log_e(s / phi, v / phi, 0.05)


@UNHURRIED
@given(hours=st.lists(rare_errors(), min_size=2, max_size=60), value=st.floats(1e-4, 0.1))
@pytest.mark.parametrize("kind", [BoundKind.MAX_INCREASE, BoundKind.MAX_RATE])
def test_the_forecast_is_the_smallest_number_that_is_enough(
    kind: BoundKind, hours: list[Hour], value: float
) -> None:
    bound = Bound(kind, value)
    summary = compare_rates(hours, bound)
    found = summary.forecast
    assert found is not None
    mean = summary.total.shadow_invocations / len(hours)

    def dispersion(further: float) -> float:
        then = max(48, len(hours) + further / mean)
        phi = as_written(hours, int(kind is BoundKind.MAX_INCREASE), value, 0.05, then)[
            "dispersion"
        ]
        return max(1.2, phi) if len(hours) < 24 else phi

    if found.requests is None:
        gain = value - (0 if kind is BoundKind.MAX_INCREASE else summary.production_rate or 0)
        assert found.hours is None
        assert found.production_breaks_bound == (gain <= 0)
        assert gain <= 0 or expected_log_e(hours, bound, 10**14, dispersion) < LN_20
        return
    assert expected_log_e(hours, bound, found.requests, dispersion) >= LN_20 - 1e-6
    if found.requests:
        assert expected_log_e(hours, bound, found.requests - 1, dispersion) < LN_20 + 1e-6
    assert found.hours == pytest.approx(max(found.requests / mean, 48 - len(hours), 0), abs=1)


@UNHURRIED
@given(hours=st.lists(rare_errors(), min_size=2, max_size=60))
@BOUNDS
def test_no_further_request_is_needed_if_and_only_if_the_verdict_is_there(
    bound: Bound, hours: list[Hour]
) -> None:
    found = compare_rates(hours * 24, bound)
    assert found.forecast is not None
    assert (found.forecast.requests == 0) == (found.verdict is Verdict.SUCCESSFUL)


def forecast(hours: list[Hour], bound: Bound = INCREASE) -> Forecast:
    found = compare_rates(hours, bound).forecast
    assert found is not None
    return found


def test_a_forecast_is_the_needed_requests_over_the_mean_hour() -> None:
    hours = [Hour(1000, 500, h % 2, h % 4 == 1) for h in range(30)]
    found = forecast(hours)
    summary = compare_rates(hours, INCREASE)
    assert found.requests is not None
    assert found.requests > 500 * 18
    assert found.hours == math.ceil(found.requests / 500)
    assert summary.production_rate == pytest.approx(0.0005)


def test_a_forecast_waits_for_min_hours() -> None:
    assert forecast(flat(30, 0, 0, 100_000)) == Forecast(0, 18)
    assert forecast(flat(48, 0, 0, 100_000)) == Forecast(0, 0)
    assert forecast(flat(300, 0, 0, 100_000)) == Forecast(0, 0)


def test_a_forecast_expects_the_hours_without_traffic_again() -> None:
    idle = [Hour(0, 0, 0, 0)] * 12
    assert forecast([*flat(12, 0, 0, 100_000), *idle]) == Forecast(0, 72)
    hours = [Hour(1000, 500, h % 2, h % 4 == 1) for h in range(30)]
    plain, with_idle = forecast(hours), forecast([*hours, *[Hour(0, 0, 0, 0)] * 30])
    assert with_idle.requests == plain.requests
    assert plain.requests is not None
    assert with_idle.hours == math.ceil(plain.requests / 250)


def test_a_forecast_says_if_production_itself_breaks_the_bound() -> None:
    assert forecast(flat(48, 2, 1), RATE) == Forecast(None, None, production_breaks_bound=True)
    none = Bound(BoundKind.MAX_INCREASE, 0)
    assert forecast(flat(48, 1, 1), none) == Forecast(None, None, production_breaks_bound=True)


def test_a_forecast_of_a_bound_that_is_all_but_production_s_rate_has_no_number() -> None:
    bound = Bound(BoundKind.MAX_RATE, 0.001 + 1e-15)
    assert forecast(flat(48, 1, 1), bound) == Forecast(None, None)


@pytest.mark.parametrize(("hours", "dispersion"), [(1, 1.2), (23, 1.2), (24, 1.0630)])
def test_an_early_forecast_takes_no_dispersion_below_1_2_for_measured(
    hours: int, dispersion: float
) -> None:
    """After a day only the allowance is left, for as many hours as there will be then."""
    found = forecast([Hour(1000, 1000, 1, 1)] * hours)
    assert found.requests is not None
    assert found.hours is not None
    enough, too_few = (
        expected_log_e([Hour(1000, 1000, 1, 1)] * hours, INCREASE, further, lambda _: dispersion)
        for further in (found.requests + 50, found.requests - 50)
    )
    assert too_few < LN_20 < enough
    if hours == 24:
        then = hours + found.requests / 1000
        assert variance_inflation(0, then) == pytest.approx(dispersion, abs=1e-4)


def test_bursts_need_more_requests() -> None:
    burst = [Hour(1000, 1000, 20 * (h % 20 == 7), 20 * (h % 20 == 3)) for h in range(40)]
    alone = [Hour(1000, 1000, 1, 1)] * 40
    more, few = forecast(burst).requests, forecast(alone).requests
    assert more is not None
    assert few is not None
    assert more > 10 * few


# --- values of hours ------------------------------------------------------------------------

RATIO = Bound(BoundKind.MAX_RATIO, 1.1)


def values(hours: int, broken: int) -> list[HourlyValues]:
    """Hours of which the first ones break RATIO."""
    return [HourlyValues(100, 120 if h < broken else 100) for h in range(hours)]


def spread(hours: int, broken: int) -> list[HourlyValues]:
    """Hours of which some break RATIO, drawn so that they remember nothing."""
    order = [*range(hours)]
    random.Random(7).shuffle(order)
    return [values(hours, broken)[h] for h in order]


@pytest.mark.parametrize(("tau", "broken"), [((1 + 4 / 48) / (1 - 4 / 48), 12), (3, 8)])
def test_of_48_hours_so_many_may_break_the_bound(tau: float, broken: int) -> None:
    assert beta_binomial_log_e(broken, 48, 0.5) / tau >= LN_20
    assert beta_binomial_log_e(broken + 1, 48, 0.5) / tau < LN_20


def test_the_evidence_of_hours_is_divided_by_their_memory() -> None:
    found = compare_hours(values(48, 4), RATIO)
    assert found.autocorrelation > 0.5
    assert found.inflation == variance_inflation(found.autocorrelation, 48)
    assert found.log_e == pytest.approx(beta_binomial_log_e(4, 48, 0.5) / found.inflation)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert compare_hours(spread(48, 4), RATIO).verdict is Verdict.SUCCESSFUL


@pytest.mark.parametrize(("hours", "verdict"), [(47, "inconclusive"), (48, "failed")])
def test_hours_that_all_break_the_bound_fail(hours: int, verdict: str) -> None:
    assert compare_hours(spread(hours, hours), RATIO).verdict.value == verdict
    assert compare_hours(spread(hours, hours - 2), RATIO).verdict.value == verdict


def test_half_of_the_hours_is_no_verdict_however_many() -> None:
    assert compare_hours(spread(720, 360), RATIO).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("bound", "kept", "broken"),
    [
        (RATIO, (100, 110), (100, 110.001)),
        (Bound(BoundKind.MAX_RATIO, 1), (0.1 + 0.2, 0.3), (0.3, 0.300001)),
        (Bound(BoundKind.MAX_RATIO, 1.1), (0, 0), (0, 0.001)),
        (Bound(BoundKind.MAX_INCREASE, 5), (100, 105), (100, 105.001)),
        (Bound(BoundKind.MAX_INCREASE, -5), (100, 95), (100, 95.001)),
        (Bound(BoundKind.MAX_VALUE, 150), (1, 150), (200, 150.001)),
    ],
)
def test_an_hour_at_the_bound_keeps_it(
    bound: Bound, kept: tuple[float, float], broken: tuple[float, float]
) -> None:
    assert compare_hours([HourlyValues(*kept)], bound).broken == 0
    assert compare_hours([HourlyValues(*broken)], bound).broken == 1


def trend(bound: Bound, *values: tuple[float, float]) -> float:
    return compare_hours([HourlyValues(*value) for value in values], bound).autocorrelation


def test_the_memory_of_a_ratio_is_that_of_its_logarithm() -> None:
    # y = 0, ln 2, ln 4 about their mean: (-d)(0) + 0(d) over 2 d^2.
    assert trend(RATIO, (100, 100), (100, 200), (100, 400)) == pytest.approx(0, abs=1e-12)
    # y = 0, 0, ln 2, ln 2 about ln 2 / 2: (1 - 1 + 1) / 4.
    assert trend(RATIO, (1, 1), (9, 9), (1, 2), (4, 8)) == pytest.approx(0.25)


def test_the_memory_of_an_increase_is_that_of_the_difference() -> None:
    bound = Bound(BoundKind.MAX_INCREASE, 5)
    assert trend(bound, (100, 100), (200, 200), (100, 101), (7, 8)) == pytest.approx(0.25)


def test_the_memory_of_a_value_is_that_of_the_shadow() -> None:
    bound = Bound(BoundKind.MAX_VALUE, 5)
    assert trend(bound, (1, 100), (2, 100), (3, 101), (4, 101)) == pytest.approx(0.25)


def test_a_ratio_to_nothing_is_remembered_by_its_distance_from_the_bound() -> None:
    bound = Bound(BoundKind.MAX_RATIO, 2)
    assert trend(bound, (0, 0), (1, 2), (0, 3), (1, 5)) == pytest.approx(0.25)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-9, 1e9])
def test_a_constant_has_no_memory(value: float) -> None:
    for bound in (RATIO, Bound(BoundKind.MAX_INCREASE, 1), Bound(BoundKind.MAX_VALUE, 1e10)):
        found = compare_hours([HourlyValues(value, value)] * 53, bound)
        assert found.autocorrelation == 0
        assert found.verdict is Verdict.SUCCESSFUL


def test_a_value_that_hardly_varies_has_a_memory_all_the_same() -> None:
    hours = [HourlyValues(1, 1 + 1e-5 * (hour // 6 % 2)) for hour in range(48)]
    assert compare_hours(hours, Bound(BoundKind.MAX_VALUE, 2)).autocorrelation > 0.5


def test_no_hour_is_inconclusive() -> None:
    found = compare_hours([], RATIO)
    forecast = Forecast(None, 48)
    nothing = HourlyComparison(Verdict.INCONCLUSIVE, 0, 0, 0, 0, 1, forecast)
    assert found == nothing
    assert compare_hours([], RATIO, dropped=3).forecast is None


@pytest.mark.parametrize(
    ("hours", "broken", "dropped", "further"),
    [
        (10, 0, 0, 38),
        (10, 0, 10, 76),
        (48, 4, 0, 0),
        (48, 13, 0, 1),
        (48, 24, 0, 32),
        (48, 48, 0, 88),
        (720, 0, 0, 0),
    ],
)
def test_the_forecast_is_the_smallest_number_of_hours_if_no_other_breaks_the_bound(
    hours: int, broken: int, dropped: int, further: int
) -> None:
    found = compare_hours(spread(hours, broken), RATIO, dropped=dropped).forecast
    assert found == Forecast(None, further)


def test_min_hours_and_confidence_are_the_caller_s() -> None:
    clean = spread(30, 0)
    assert compare_hours(clean, RATIO, min_hours=24).verdict is Verdict.SUCCESSFUL
    broken = spread(48, 12)
    assert compare_hours(broken, RATIO, confidence=0.99).verdict is Verdict.INCONCLUSIVE
    quiet = flat(30, 0, 0, 10_000)
    assert compare_rates(quiet, INCREASE, min_hours=24).verdict is Verdict.SUCCESSFUL
    found: list[RateComparison] = [
        compare_rates(GOLDEN[:40], INCREASE, min_hours=24, confidence=confidence)
        for confidence in (0.8, 0.999)
    ]
    assert [one.verdict for one in found] == [Verdict.SUCCESSFUL, Verdict.INCONCLUSIVE]


def test_values_of_hours_have_no_max_rate() -> None:
    with pytest.raises(ValueError, match="max_ratio, max_increase or max_value, got max_rate"):
        compare_hours([], RATE)


# --- sample ratio ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("production", "shadow", "share", "is_wrong"),
    [
        (10**6, 98_000, 0.1, False),
        (10**6, 97_000, 0.1, False),
        (10**6, 95_000, 0.1, True),
        (10**6, 102_000, 0.1, False),
        (10**6, 105_000, 0.1, True),
        (1_000, 80, 0.1, False),
        (10**6, 10**6, 1, False),
        (10**6, 985_000, 1, False),
        (10**6, 970_000, 1, True),
        (10**6, 1_019_000, 1, False),
        (10**6, 1_021_000, 1, True),
        (10**6, 1_015_000, 0.5, True),
        (10**6, 1_000_000, 0.99, False),
        (10**6, 0, 0.5, True),
        (0, 0, 0.5, False),
        (0, 1, 0.5, True),
        (10**6, 0, 0, False),
        (10**6, 1, 0, True),
    ],
)
def test_a_sample_ratio_is_wrong_beyond_two_percent_and_chance(
    production: float, shadow: float, share: float, is_wrong: bool
) -> None:
    found = sample_ratio(production, shadow, share)
    assert found.is_wrong is is_wrong
    if shadow == share * production:
        assert found.log_e == 0


@UNHURRIED
@given(production=st.integers(0, 10**12), sampled=st.floats(0, 1.1), share=st.floats(0.01, 1))
def test_a_sample_ratio_is_always_a_number(production: int, sampled: float, share: float) -> None:
    found = sample_ratio(production, math.floor(production * sampled), share)
    assert math.isfinite(found.log_e)
    assert found.is_wrong or found.log_e < RATIO_LOG_E
    if 0.98 * share <= sampled <= 1.02 * share and production > 10**6:
        assert found.log_e <= 1e-6


def test_the_missing_share_is_of_what_was_expected() -> None:
    assert sample_ratio(1000, 480, 0.5).missing_share == pytest.approx(0.04)
    assert sample_ratio(1000, 520, 0.5).missing_share == pytest.approx(-0.04)
    assert sample_ratio(0, 0, 0.5).missing_share is None


# --- time -----------------------------------------------------------------------------------


def test_a_month_of_hours_is_judged_at_once() -> None:
    counts = [Hour(10_000, 5_000, 7 * h % 11, 5 * h % 7) for h in range(720)]
    started = time.process_time()
    compare_rates(counts, INCREASE)
    assert time.process_time() - started < 0.5
