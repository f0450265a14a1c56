"""Verdicts with a stated error: may a bound be called kept, broken, or neither yet?

Pure arithmetic with the standard library: counts by the hour and a bound go in; a verdict, the
numbers for a report and a forecast come out. *successful* means that "the shadow breaks the bound"
is refuted, *failed* that "the shadow keeps the bound" is, *inconclusive* that neither is yet.

Evidence is an *e-value*: what a bet against a hypothesis has made of one unit of stake. While the
hypothesis holds, the chance that it *ever* reaches 1/alpha is at most alpha (Ville's inequality),
so one may look as often as one likes. e-values are logarithms here, since they get large.

Sources:

- Ville, "Étude critique de la notion de collectif", 1939: the inequality.
- Robbins, "Statistical Methods Related to the Law of the Iterated Logarithm", Annals of
  Mathematical Statistics 41, 1970: mixtures of supermartingales.
- Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
  sequences", Annals of Statistics 49, 2021 (arXiv 1810.08240): the one-sided normal mixture and the
  beta-binomial mixture, intrinsic time.
- Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
  confidence sequences", Annals of Statistics 52, 2024 (arXiv 2103.06476): tuning the mixture.
- McCullagh and Nelder, "Generalized Linear Models", 1989, sections 4.5 and 6.2: dispersion.
- Bartlett, "Some Aspects of the Time-Correlation Problem", Journal of the Royal Statistical Society
  98, 1935: what an autocorrelation does to a variance.
- Marriott and Pope, "Bias in the Estimation of Autocorrelations", Biometrika 41, 1954.
- Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (arXiv
  2011.03567): the check of a sample ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from .verdict import Verdict

__all__ = [
    "Bound",
    "BoundKind",
    "Forecast",
    "Hour",
    "HourlyComparison",
    "HourlyValues",
    "Outlook",
    "RateComparison",
    "SampleRatio",
    "Verdict",
    "beta_binomial_log_e",
    "compare_hours",
    "compare_rates",
    "mixture_precision",
    "normal_mixture_log_e",
    "sample_ratio",
    "variance_inflation",
]

TUNED_FOR = 100.0
"""The intrinsic time, in errors, at which the mixture is tightest. Fixed before any data."""

MAX_AUTOCORRELATION = 0.9
"""More cannot be told from an hourly series of some days."""

ALLOWANCE = 4.0
"""Over the number of hours: added to an autocorrelation, which a short series underestimates."""

CHANCE_OF_FORECAST = 0.84
"""Standard deviations below the expectation: four chances in five."""

EARLY_HOURS, EARLY_DISPERSION = 24, 1.2
"""Before so many hours, a forecast does not take a dispersion below this for measured."""

RATIO_TOLERANCE = 0.02
"""A sample ratio may be off by this share before it is tested."""

RATIO_LOG_E = math.log(1000)
"""From here on a sample ratio is wrong."""

MAX_REQUESTS = 1e15
"""A forecast ends here: nobody waits for more."""

_ROUNDING = 1e-9


class BoundKind(Enum):
    """How a bound limits the shadow variant's value."""

    MAX_INCREASE = "max_increase"
    """At most production's value plus the bound."""
    MAX_RATE = "max_rate"
    """A rate: at most the bound."""
    MAX_RATIO = "max_ratio"
    """An hour's value: at most production's value times the bound."""
    MAX_VALUE = "max_value"
    """An hour's value: at most the bound."""


@dataclass(frozen=True)
class Bound:
    """A bound on the shadow variant's rate, or on its value of an hour."""

    kind: BoundKind
    value: float

    def limit(self, production: float) -> float:
        """Return the most that the shadow's value may be, given production's."""
        if self.kind is BoundKind.MAX_INCREASE:
            return production + self.value
        return production * self.value if self.kind is BoundKind.MAX_RATIO else self.value


@dataclass(frozen=True)
class Hour:
    """What both variants counted in one whole hour."""

    production_invocations: float
    shadow_invocations: float
    production_errors: float
    shadow_errors: float


@dataclass(frozen=True)
class HourlyValues:
    """An average or a percentile of both variants in one whole hour."""

    production: float
    shadow: float


@dataclass(frozen=True)
class Forecast:
    """What a successful verdict still needs, if the shadow is as good as production from now on.

    Attributes:
        requests: Further requests to the shadow variant. None: no number is enough, or the
            comparison counts hours.
        hours: Further hours of the same traffic. None: no number is enough, or too few were seen
            to say.
        production_breaks_bound: A shadow as good as production cannot pass.
    """

    requests: int | None
    hours: int | None
    production_breaks_bound: bool = False


@dataclass(frozen=True)
class RateComparison:
    """The verdict on a rate of errors.

    Attributes:
        verdict: For the confidence that was asked for.
        log_e: The logarithm of the e-value against "the shadow breaks the bound".
        log_e_failed: The same against "the shadow keeps the bound".
        hours: How many hours count.
        dropped: How many had no request to production, and do not count.
        total: The sums over the hours that count.
        production_rate: Production's rate, each hour weighted by the shadow's requests, as
            the comparison weights it. None: the shadow has no requests.
        shadow_rate: The shadow's rate; None as above.
        upper: The upper bound, at the confidence, of what the bound limits: the shadow's increase,
            or its rate. None: too little was measured.
        dispersion: The variance over that of independent errors, as the evidence against
            "broken" counts it, at least 1.
        dispersion_failed: The same for the evidence against "kept".
        autocorrelation: From one hour to the next, as measured.
        forecast: None: nothing was measured to forecast from.
    """

    verdict: Verdict
    log_e: float
    log_e_failed: float
    hours: int
    dropped: int
    total: Hour
    production_rate: float | None
    shadow_rate: float | None
    upper: float | None
    dispersion: float
    dispersion_failed: float
    autocorrelation: float
    forecast: Forecast | None


@dataclass(frozen=True)
class HourlyComparison:
    """The verdict on values of hours.

    Attributes:
        verdict: For the confidence that was asked for.
        log_e: The logarithm of the e-value against "half of the hours break the bound", divided by
            the inflation. It speaks for the shadow if fewer than half do, against it if more do.
        hours: How many hours there are.
        broken: How many of them break the bound.
        autocorrelation: From one hour to the next, as measured.
        inflation: How many hours count as one.
        forecast: None: no hour had enough requests.
    """

    verdict: Verdict
    log_e: float
    hours: int
    broken: int
    autocorrelation: float
    inflation: float
    forecast: Forecast | None


@dataclass(frozen=True)
class SampleRatio:
    """Whether the shadow variant got the share of the requests that it should.

    Attributes:
        is_wrong: It did not: what was measured may be of other requests than production's.
        log_e: The logarithm of the e-value against "within the tolerance"; 0 inside it, infinite if
            no request was to arrive and one did.
        missing_share: The share of the expected requests that never arrived, and are in no rate
            of errors; negative if more arrived. None: nothing was expected.
    """

    is_wrong: bool
    log_e: float
    missing_share: float | None


def mixture_precision(alpha: float) -> float:
    """Return rho^2, the variance of the mixture over the stakes.

    L = -2 ln(2 alpha), rho^2 = (L + ln(1 + L)) / 100: Waudby-Smith et al. 2024, appendix on the
    choice of rho, with 2 alpha for a one-sided sequence. It is tightest at 100 errors.

    Args:
        alpha: The error that is allowed, less than 0.5.
    """
    level = -2 * math.log(2 * alpha)
    return (level + math.log1p(level)) / TUNED_FOR


def normal_mixture_log_e(deviation: float, intrinsic_time: float, alpha: float) -> float:
    """Return the logarithm of the one-sided normal mixture e-value.

    exp(l S - l^2 V / 2) is a supermartingale for every stake l >= 0; its mean over a half-normal l
    of variance rho^2 is, with q = 1 + rho^2 V and z = S sqrt(rho^2 / q),

        ln e = ln erfc(-z / sqrt 2) - 0.5 ln q + z^2 / 2

    (Robbins 1970; Howard et al. 2021, one-sided normal mixture). Below z = -35, erfc is replaced by
    the first term of its asymptotic series, before it underflows.

    Args:
        deviation: S, what the bound allows less what was counted.
        intrinsic_time: V, not negative.
        alpha: The error that is allowed; it tunes the mixture.
    """
    precision = mixture_precision(alpha)
    growth = 1 + precision * intrinsic_time
    z = deviation * math.sqrt(precision / growth)
    if z > -35:
        tail = math.log(math.erfc(-z / math.sqrt(2)))
    else:
        tail = -z * z / 2 - math.log(-z * math.sqrt(math.pi / 2))
    return tail - 0.5 * math.log(growth) + z * z / 2


def beta_binomial_log_e(successes: float, trials: float, probability: float) -> float:
    """Return the logarithm of the beta-binomial mixture e-value against a probability.

        ln e = ln B(k + 1/2, n - k + 1/2) - ln B(1/2, 1/2) - k ln q - (n - k) ln(1 - q)

    The mixture of the binomial likelihood ratios over a Beta(1/2, 1/2) (Robbins 1970; Howard et al.
    2021, beta-binomial mixture; Lindon and Malek 2022).

    Args:
        successes: k, 0 to n.
        trials: n.
        probability: q, between 0 and 1, exclusive.
    """
    failures = trials - successes
    log_mixture = _log_beta(successes + 0.5, failures + 0.5) - _log_beta(0.5, 0.5)
    return log_mixture - successes * math.log(probability) - failures * math.log1p(-probability)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def variance_inflation(autocorrelation: float, hours: float) -> float:
    """Return by how much an autocorrelation increases the variance of a sum.

    (1 + a) / (1 - a) for a series in which each value remembers the last one (Bartlett 1935), with
    a + 4/n for a, between 0 and 0.9: the estimate from n values is too small by about (1 + 4a)/n
    (Marriott and Pope 1954).
    """
    allowed = min(MAX_AUTOCORRELATION, max(0.0, autocorrelation + ALLOWANCE / hours))
    return (1 + allowed) / (1 - allowed)


def _autocorrelation(centred: Sequence[float], scale: float) -> float:
    """The lag-1 autocorrelation of deviations from one mean; 0 if they are only rounding."""
    squares = math.fsum(value * value for value in centred)
    if squares <= (_ROUNDING * scale) ** 2 * len(centred):
        return 0.0
    return math.fsum(a * b for a, b in pairwise(centred)) / squares


@dataclass(frozen=True)
class _Rates:
    """The sums of the contract's section on rates, and what they say about a bound.

    R is 1 for max_increase, 0 for max_rate; D is the bound; r = n_s / n_p of an hour.
    """

    hours: int
    ratio: float  # R
    increase: float  # D
    alpha: float
    production_requests: float  # sum n_p
    requests: float  # N = sum n_s
    matched: float  # B = sum r k_p
    errors: float  # A = sum k_s
    squared: float  # C = R^2 sum r^2 k_p
    errors_failed: float  # V' = sum (1 + R r) k_s
    autocorrelation: float  # a
    measured: float  # phi against "broken", before the autocorrelation
    measured_failed: float  # phi' against "kept", likewise
    own: float  # production's own phi for R = 0, else 0
    own_autocorrelation: float

    def deviation(self, increase: float) -> float:
        """S: the errors that the bound allows, less those counted."""
        return self.ratio * self.matched + increase * self.requests - self.errors

    def intrinsic_time(self, increase: float) -> float:
        """V: the variance of S, if the errors are independent."""
        return self.ratio * self.matched + increase * self.requests + self.squared

    def dispersion(self, hours: float) -> float:
        """Phi against "broken", with the allowance for so many hours."""
        return max(
            self.measured * variance_inflation(self.autocorrelation, hours),
            self.own * variance_inflation(self.own_autocorrelation, hours),
        )

    @property
    def dispersion_failed(self) -> float:
        return self.measured_failed * variance_inflation(self.autocorrelation, self.hours)

    def log_e(self, increase: float) -> float:
        phi = self.dispersion(self.hours)
        deviation, time = self.deviation(increase), self.intrinsic_time(increase)
        return normal_mixture_log_e(deviation / phi, time / phi, self.alpha)

    def log_e_failed(self) -> float:
        phi = self.dispersion_failed
        deviation = -self.deviation(self.increase)
        return normal_mixture_log_e(deviation / phi, self.errors_failed / phi, self.alpha)

    def upper(self) -> float:
        """The bound at which the e-value is 1/alpha: dispersion does not depend on the bound."""
        target = -math.log(self.alpha)
        low = (self.errors - self.ratio * self.matched) / self.requests  # S = 0, so e < 1
        step = 1 / self.requests
        while self.log_e(low + step) < target:
            low, step = low + step, 2 * step
        high = low + step
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self.log_e(middle) < target else (low, middle)
        return high


def compare_rates(
    hours: Sequence[Hour], bound: Bound, *, confidence: float = 0.95, min_hours: int = 48
) -> RateComparison:
    """Compare the rates of errors of both variants, hour by hour.

    For independent errors of any drifting rates, exp(l S - l^2 V / 2) is a supermartingale if the
    shadow is at or beyond the bound on average so far (Howard et al. 2021). Within the hour both
    variants see the same traffic, so that daily cycles and changed sampling cancel. Bursts of
    errors are no independent errors: the dispersion phi counts bursts instead (McCullagh and
    Nelder 1989), and the autocorrelation takes spells of several hours into account.

    Args:
        hours: All whole hours of the test, the oldest first. Those in which production had no
            request do not count.
        bound: max_increase or max_rate.
        confidence: 0.8 to 0.999; a shadow that breaks the bound is called successful, however often
            one looks, in at most the share of tests that is missing from 1.
        min_hours: Fewer hours are inconclusive; from 24 on, 48 for the stated error.

    Raises:
        ValueError: The bound is of another kind.
    """
    if bound.kind not in (BoundKind.MAX_INCREASE, BoundKind.MAX_RATE):
        raise ValueError(f"a rate has max_increase or max_rate, got {bound.kind.value}")
    counted = [hour for hour in hours if hour.production_invocations > 0]
    dropped = len(hours) - len(counted)
    rates = _rates(counted, bound, 1 - confidence)
    total = Hour(
        rates.production_requests,
        rates.requests,
        math.fsum(hour.production_errors for hour in counted),
        rates.errors,
    )
    verdict, log_e, log_e_failed, upper = Verdict.INCONCLUSIVE, 0.0, 0.0, None
    if rates.hours > 1 and rates.requests > 1:
        log_e, log_e_failed = rates.log_e(bound.value), rates.log_e_failed()
        upper = rates.upper()
        verdict = _verdict(log_e, log_e_failed, 1 - confidence, rates.hours >= min_hours)
    is_measured = rates.requests > 0
    return RateComparison(
        verdict=verdict,
        log_e=log_e,
        log_e_failed=log_e_failed,
        hours=rates.hours,
        dropped=dropped,
        total=total,
        production_rate=rates.matched / rates.requests if is_measured else None,
        shadow_rate=rates.errors / rates.requests if is_measured else None,
        upper=upper,
        dispersion=rates.dispersion(rates.hours) if rates.hours > 1 else 1.0,
        dispersion_failed=rates.dispersion_failed if rates.hours > 1 else 1.0,
        autocorrelation=rates.autocorrelation,
        forecast=_forecast(rates, dropped, min_hours) if is_measured else None,
    )


def _verdict(log_e: float, log_e_failed: float, alpha: float, is_long_enough: bool) -> Verdict:
    if is_long_enough and log_e >= -math.log(alpha):
        return Verdict.SUCCESSFUL
    if is_long_enough and log_e_failed >= -math.log(alpha):
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE


def _rates(hours: Sequence[Hour], bound: Bound, alpha: float) -> _Rates:
    """Sum up the hours. Without two of them and a request, the dispersion is 1."""
    ratio = 1.0 if bound.kind is BoundKind.MAX_INCREASE else 0.0
    shares = [hour.shadow_invocations / hour.production_invocations for hour in hours]
    pairs = [*zip(shares, hours, strict=True)]
    requests = math.fsum(hour.shadow_invocations for hour in hours)
    matched = math.fsum(share * hour.production_errors for share, hour in pairs)
    errors = math.fsum(hour.shadow_errors for hour in hours)
    squared = ratio * math.fsum(share * share * hour.production_errors for share, hour in pairs)
    measured = measured_failed = 1.0
    autocorrelation = own = own_autocorrelation = 0.0
    if len(hours) > 1 and requests > 0:
        # u_h. The bound cancels in it: left out, no rounding of it is left, either.
        excess = [
            ratio * share * hour.production_errors - hour.shadow_errors for share, hour in pairs
        ]
        mean = (ratio * matched - errors) / requests
        centred = [
            value - mean * hour.shadow_invocations
            for value, hour in zip(excess, hours, strict=True)
        ]
        autocorrelation = _autocorrelation(centred, max(map(abs, excess)))
        spread = _spread(centred)  # Q
        both = max(1.0, spread / max(1.0, errors + squared))
        measured = max(both, (spread - squared) / max(1.0, errors))
        measured_failed = both
        if ratio:
            measured_failed = max(both, (spread - errors) / max(1.0, squared))
        else:
            measured = max(measured, _production_dispersion(hours))
            own, own_autocorrelation = _production_spells(hours)
    return _Rates(
        hours=len(hours),
        ratio=ratio,
        increase=bound.value,
        alpha=alpha,
        production_requests=math.fsum(hour.production_invocations for hour in hours),
        requests=requests,
        matched=matched,
        errors=errors,
        squared=squared,
        errors_failed=math.fsum((1 + ratio * share) * hour.shadow_errors for share, hour in pairs),
        autocorrelation=autocorrelation,
        measured=measured,
        measured_failed=measured_failed,
        own=own,
        own_autocorrelation=own_autocorrelation,
    )


def _spread(centred: Sequence[float]) -> float:
    """The sum of squares, enlarged for the mean that was taken out."""
    return math.fsum(value * value for value in centred) * len(centred) / (len(centred) - 1)


def _production_spells(hours: Sequence[Hour]) -> tuple[float, float]:
    """Production's own dispersion about its mean rate, and its autocorrelation.

    Successive hours do not show a bad spell that lasts for several: it is few differences. Without
    this, spells of four hours promote a shadow at a max_rate in 9 of 100 tests [simulated], since
    one that has seen few of them has both few errors and little dispersion.
    """
    errors = math.fsum(hour.production_errors for hour in hours)
    rate = errors / math.fsum(hour.production_invocations for hour in hours)
    centred = [hour.production_errors - rate * hour.production_invocations for hour in hours]
    largest = max(hour.production_errors for hour in hours)
    return _spread(centred) / max(1.0, errors), _autocorrelation(centred, largest)


def _production_dispersion(hours: Sequence[Hour]) -> float:
    """Production's own dispersion, from the differences of successive hours.

    Against max_rate, production is no comparison, but its requests are the same: if its errors come
    in bursts, the shadow's may, too, and may just not have come yet.
    """
    differences, variances = 0.0, 0.0
    for before, after in pairwise(hours):
        n0, k0 = before.production_invocations, before.production_errors
        n1, k1 = after.production_invocations, after.production_errors
        differences += (k1 * n0 - k0 * n1) ** 2 / (n0 * n1)
        variances += k1 * n0 / n1 + k0 * n1 / n0
    return differences / max(1.0, variances)


@dataclass(frozen=True)
class Outlook:
    """A shadow whose rate is production's from now on, and what was measured so far."""

    ratio: float  # R
    increase: float  # D
    rate: float  # p
    share: float  # r
    alpha: float
    deviation: float = 0.0  # S
    intrinsic_time: float = 0.0  # V

    @property
    def gain(self) -> float:
        """g: what a further request brings."""
        return (self.ratio - 1) * self.rate + self.increase

    def log_e(self, requests: float, dispersion: float) -> float:
        """The evidence after m further requests, in all but one case of five.

            s = (S + g m - 0.84 sqrt(phi p (1 + R^2 r) m)) / phi
            v = (V + (R p + D + R^2 r p) m) / phi

        The errors may fall 0.84 standard deviations short of what is expected of them.
        """
        sampled = self.ratio**2 * self.share * self.rate
        variance = dispersion * (self.rate + sampled) * requests
        deviation = self.deviation + self.gain * requests
        deviation -= CHANCE_OF_FORECAST * math.sqrt(variance)
        time = self.intrinsic_time
        time += (self.ratio * self.rate + self.increase + sampled) * requests
        return normal_mixture_log_e(deviation / dispersion, time / dispersion, self.alpha)

    def requests(self, dispersion: Callable[[float], float]) -> int | None:
        """The smallest m that is enough, given the dispersion after m further requests."""
        target = -math.log(self.alpha)
        if self.log_e(0, dispersion(0)) >= target:
            return 0
        if self.gain <= 0:
            return None
        low, high = 0, 1
        while self.log_e(high, dispersion(high)) < target:
            low, high = high, 2 * high
            if high > MAX_REQUESTS:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            is_enough = self.log_e(middle, dispersion(middle)) >= target
            low, high = (low, middle) if is_enough else (middle, high)
        return high


def _forecast(rates: _Rates, dropped: int, min_hours: int) -> Forecast:
    outlook = Outlook(
        ratio=rates.ratio,
        increase=rates.increase,
        rate=rates.matched / rates.requests,
        share=rates.requests / rates.production_requests,
        alpha=rates.alpha,
        deviation=rates.deviation(rates.increase),
        intrinsic_time=rates.intrinsic_time(rates.increase),
    )

    def dispersion(further: float) -> float:
        """As measured, with the allowance for as many hours as there will be then."""
        hours = max(min_hours, rates.hours * (1 + further / rates.requests))
        phi = rates.dispersion(hours)
        return max(EARLY_DISPERSION, phi) if rates.hours < EARLY_HOURS else phi

    requests = outlook.requests(dispersion)
    if requests is None:
        return Forecast(None, None, production_breaks_bound=outlook.gain <= 0)
    # Hours without a request to production bring nothing, and will come again.
    passed = rates.hours + dropped
    hours = max(requests / rates.requests, min_hours / rates.hours - 1, 0) * passed
    return Forecast(requests, math.ceil(hours - _ROUNDING))


def compare_hours(
    hours: Sequence[HourlyValues],
    bound: Bound,
    *,
    dropped: int = 0,
    confidence: float = 0.95,
    min_hours: int = 48,
) -> HourlyComparison:
    """Compare averages or percentiles: do fewer than half of the hours break the bound?

    CloudWatch has no variance, so each hour is one observation, which breaks the bound or not: a
    sign test, as a beta-binomial mixture against one half (Howard et al. 2021). Its logarithm is
    divided by the variance inflation of the autocorrelated values (Bartlett 1935): so many hours
    count as one.

    Args:
        hours: The hours in which both variants had enough requests, the oldest first.
        bound: max_ratio, max_increase or max_value.
        dropped: How many hours had too few; for the time of the forecast only.
        confidence: As in `compare_rates`.
        min_hours: As in `compare_rates`.

    Raises:
        ValueError: The bound is max_rate.
    """
    if bound.kind is BoundKind.MAX_RATE:
        raise ValueError("values of hours have max_ratio, max_increase or max_value, got max_rate")
    count = len(hours)
    excess = [hour.shadow - bound.limit(hour.production) for hour in hours]
    broken = sum(
        over > _ROUNDING * abs(hour.shadow) for over, hour in zip(excess, hours, strict=True)
    )
    autocorrelation = _of_series(_observations(hours, bound))
    forecast = _forecast_hours(count, broken, autocorrelation, dropped, 1 - confidence, min_hours)
    if not count:
        return HourlyComparison(Verdict.INCONCLUSIVE, 0.0, 0, 0, 0.0, 1.0, forecast)
    inflation = variance_inflation(autocorrelation, count)
    log_e = beta_binomial_log_e(broken, count, 0.5) / inflation
    verdict = Verdict.INCONCLUSIVE
    if count >= min_hours and log_e >= -math.log(1 - confidence):  # never with one half of them
        verdict = Verdict.SUCCESSFUL if 2 * broken < count else Verdict.FAILED
    return HourlyComparison(verdict, log_e, count, broken, autocorrelation, inflation, forecast)


def _observations(hours: Sequence[HourlyValues], bound: Bound) -> list[float]:
    """The series y whose autocorrelation counts.

    The logarithm of a ratio needs two positive values; without them its distance from the bound.
    """
    if bound.kind is BoundKind.MAX_VALUE:
        return [hour.shadow for hour in hours]
    if bound.kind is BoundKind.MAX_INCREASE:
        return [hour.shadow - hour.production for hour in hours]
    if all(hour.shadow > 0 and hour.production > 0 for hour in hours):
        return [math.log(hour.shadow / hour.production) for hour in hours]
    return [hour.shadow - bound.limit(hour.production) for hour in hours]


def _of_series(series: Sequence[float]) -> float:
    if not series:
        return 0.0
    mean = math.fsum(series) / len(series)
    return _autocorrelation([value - mean for value in series], max(map(abs, series)))


def _forecast_hours(
    count: int, broken: int, autocorrelation: float, dropped: int, alpha: float, min_hours: int
) -> Forecast | None:
    """The smallest number of hours that is enough if no further one breaks the bound."""
    if not count and dropped:
        return None
    needed = max(count, min_hours, 2 * broken + 1)
    target = -math.log(alpha)
    while (
        beta_binomial_log_e(broken, needed, 0.5) / variance_inflation(autocorrelation, needed)
        < target
    ):
        needed += 1
    further = needed - count
    return Forecast(None, math.ceil(further * (count + dropped) / count) if count else further)


def sample_ratio(
    production_invocations: float, shadow_invocations: float, share: float
) -> SampleRatio:
    """Check that the shadow variant got its share of the requests.

    A sequential test of a share, as a beta-binomial mixture (Lindon and Malek 2022), against the
    nearer end of the tolerance of 2 %. e = 1000 makes it wrong, and so do 2 % more requests than
    production had.

    Args:
        production_invocations: n_p, over all hours.
        shadow_invocations: n_s, over all hours.
        share: P, the SamplingPercentage over 100.
    """
    expected = share * production_invocations
    missing = 1 - shadow_invocations / expected if expected else None
    log_e, maximum = 0.0, (1 + RATIO_TOLERANCE) * production_invocations
    if not share:  # Sampling was switched off: one request refutes it.
        return SampleRatio(shadow_invocations > 0, math.inf if shadow_invocations else 0.0, None)
    # More than all requests are no sample of them: they count as all.
    sampled = min(shadow_invocations, production_invocations)
    low, high = (1 - RATIO_TOLERANCE) * share, (1 + RATIO_TOLERANCE) * share
    if shadow_invocations < low * production_invocations:
        log_e = beta_binomial_log_e(sampled, production_invocations, low)
    elif shadow_invocations > high * production_invocations and high < 1:
        log_e = beta_binomial_log_e(sampled, production_invocations, high)
    return SampleRatio(log_e >= RATIO_LOG_E or shadow_invocations > maximum, log_e, missing)
