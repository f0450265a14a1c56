"""A vectorised copy of the gate's statistics: many tests, and a look after every hour of each.

The function's own code judges one test at one moment. A test holds this copy equal to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.special import betaln, log_ndtr

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    ALLOWANCE,
    MAX_AUTOCORRELATION,
    mixture_precision,
)

__all__ = ["Array", "Booleans", "Counts", "Looks", "hour_looks", "rate_looks"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Booleans: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"


class Counts(NamedTuple):
    """What both variants counted: a row for each test, a column for each hour."""

    production: Array
    shadow: Array
    production_errors: Array
    shadow_errors: Array


class Looks(NamedTuple):
    """What the gate finds after each hour: a row for each test, a column for each hour.

    Attributes:
        log_e: Against "broken".
        log_e_failed: Against "kept".
        compares: Whether a gate that only compares the two numbers is open.
    """

    log_e: Array
    log_e_failed: Array
    compares: Booleans

    def promoted(self, alpha: float, min_hours: int) -> Booleans:
        """Whether each look is successful."""
        return self._passes(self.log_e, alpha, min_hours)

    def failed(self, alpha: float, min_hours: int) -> Booleans:
        """Whether each look is failed."""
        return self._passes(self.log_e_failed, alpha, min_hours)

    @staticmethod
    def _passes(log_e: Array, alpha: float, min_hours: int) -> Booleans:
        passes: Booleans = log_e >= -np.log(alpha)
        passes[:, : min_hours - 1] = False
        return passes


def _log_mixture(deviation: Array, time: Array, alpha: float) -> Array:
    precision = mixture_precision(alpha)
    growth = 1 + precision * time
    z = deviation * np.sqrt(precision / growth)
    # erfc(-z / sqrt 2) is twice the normal distribution function of z; far down, the function has
    # only the first term of its series.
    far = np.minimum(z, -35.0)
    near = np.log(2) + log_ndtr(z)
    tail = np.where(z > -35, near, -far * far / 2 - np.log(-far * np.sqrt(np.pi / 2)))
    found: Array = tail - 0.5 * np.log(growth) + z * z / 2
    return found


def _inflation(autocorrelation: Array, hours: Array) -> Array:
    allowed = np.clip(autocorrelation + ALLOWANCE / hours, 0.0, MAX_AUTOCORRELATION)
    return (1 + allowed) / (1 - allowed)


def _sums(values: Array) -> Array:
    return np.cumsum(values, axis=1)


def _lagged(first: Array, second: Array) -> Array:
    """The sums of products of each hour with the hour before, 0 for the first."""
    products = np.zeros_like(first)
    products[:, 1:] = first[:, 1:] * second[:, :-1]
    return _sums(products)


def rate_looks(counts: Counts, ratio: float, increase: float, alpha: float) -> Looks:
    """Look at rates after each hour. Every hour must have requests to production."""
    n_p, n_s, k_p, k_s = counts
    share = n_s / n_p
    errors, matched, requests = _sums(k_s), _sums(share * k_p), _sums(n_s)
    squared = ratio * _sums(share * share * k_p)
    deviation = ratio * matched + increase * requests - errors
    time = ratio * matched + increase * requests + squared

    hours = np.arange(1.0, n_p.shape[1] + 1)[np.newaxis, :]
    spread, autocorrelation = _centred(ratio * share * k_p - k_s, n_s, hours)
    inflation = _inflation(autocorrelation, hours)

    both = np.maximum(1.0, spread / np.maximum(1.0, errors + squared))
    measured = np.maximum(both, (spread - squared) / np.maximum(1.0, errors))
    measured_failed = both
    if ratio:
        measured_failed = np.maximum(both, (spread - errors) / np.maximum(1.0, squared))
    else:
        measured = np.maximum(measured, _production_dispersion(n_p, k_p))
    phi, phi_failed = measured * inflation, measured_failed * inflation
    if not ratio:
        spread, autocorrelation = _centred(k_p, n_p, hours)
        own = spread / np.maximum(1.0, _sums(k_p))
        phi = np.maximum(phi, own * _inflation(autocorrelation, hours))
    errors_failed = _sums((1 + ratio * share) * k_s)
    return Looks(
        _log_mixture(deviation / phi, time / phi, alpha),
        _log_mixture(-deviation / phi_failed, errors_failed / phi_failed, alpha),
        deviation >= 0,
    )


def _centred(values: Array, requests: Array, hours: Array) -> tuple[Array, Array]:
    """The sum of squares about the mean per request, which changes with each look, and lag 1."""
    mean = _sums(values) / _sums(requests)
    squares = _sums(values * values)
    spread = squares - 2 * mean * _sums(values * requests)
    spread += mean * mean * _sums(requests * requests)
    spread[spread <= 1e-12 * squares] = 0.0
    lagged = (
        _lagged(values, values)
        - mean * (_lagged(values, requests) + _lagged(requests, values))
        + mean * mean * _lagged(requests, requests)
    )
    is_spread = spread > 0
    autocorrelation = np.where(is_spread, lagged / np.where(is_spread, spread, 1.0), 0.0)
    return spread * hours / np.maximum(hours - 1, 1), autocorrelation


def _production_dispersion(n_p: Array, k_p: Array) -> Array:
    now, before = n_p[:, 1:], n_p[:, :-1]
    errors, errors_before = k_p[:, 1:], k_p[:, :-1]
    first = np.zeros((len(n_p), 1))
    differences = (errors * before - errors_before * now) ** 2 / (before * now)
    variances = errors * before / now + errors_before * now / before
    found: Array = np.concatenate([first, _sums(differences)], axis=1) / np.maximum(
        1.0, np.concatenate([first, _sums(variances)], axis=1)
    )
    return found


def hour_looks(observations: Array, is_broken: Booleans) -> Looks:
    """Look at hours that break a bound or not after each of them.

    Args:
        observations: The series y of each test.
        is_broken: Which hours break the bound.
    """
    hours = np.arange(1.0, observations.shape[1] + 1)[np.newaxis, :]
    broken = _sums(is_broken.astype(float))
    total, squares = _sums(observations), _sums(observations * observations)
    mean = total / hours
    spread = squares - hours * mean * mean
    spread[spread <= 1e-12 * squares] = 0.0
    ones = np.ones_like(observations)
    lagged = (
        _lagged(observations, observations)
        - mean * (_lagged(observations, ones) + _lagged(ones, observations))
        + mean * mean * (hours - 1)
    )
    is_spread = spread > 0
    autocorrelation = np.where(is_spread, lagged / np.where(is_spread, spread, 1.0), 0.0)
    log_e = betaln(broken + 0.5, hours - broken + 0.5) - betaln(0.5, 0.5) + hours * np.log(2)
    log_e = log_e / _inflation(autocorrelation, hours)
    nothing = np.full_like(log_e, -np.inf)
    return Looks(
        np.where(2 * broken < hours, log_e, nothing),
        np.where(2 * broken > hours, log_e, nothing),
        2 * broken < hours,
    )
