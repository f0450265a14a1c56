"""How many requests a test needs, forecast by the function's own formulas before it begins."""

from __future__ import annotations

from cdk_stop_inference_experiment_handler.lifecycle.statistics import (
    EARLY_DISPERSION,
    Bound,
    BoundKind,
    Outlook,
)

__all__ = ["requests_needed"]


def requests_needed(
    rate: float,
    bound: Bound,
    *,
    confidence: float = 0.95,
    share: float = 1.0,
    dispersion: float = EARLY_DISPERSION,
) -> int | None:
    """Forecast a test before it begins: how many requests does an equal shadow need?

    Args:
        rate: p, production's rate of errors.
        bound: max_increase or max_rate.
        confidence: As in the function's `compare_rates`.
        share: r, the shadow's requests over production's.
        dispersion: phi. Default: a guess for errors that come alone.

    Returns:
        The requests to the shadow that are enough in four cases of five. None: no number is
        enough, or none below 10^15.
    """
    ratio = 1.0 if bound.kind is BoundKind.MAX_INCREASE else 0.0
    outlook = Outlook(ratio, bound.value, rate, share, 1 - confidence)
    return outlook.requests(lambda _: dispersion)
