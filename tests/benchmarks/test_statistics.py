"""The figures of the benchmarks are what they say they are."""

from __future__ import annotations

import pytest
from benchmarks.prices import Usage, dollars, waiting_dollars
from benchmarks.stats import percentile, ratios, series


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (25, 2.0), (50, 3.0), (90, 4.6), (100, 5.0)]
)
def test_a_percentile_lies_between_the_ranks_around_it(percent: float, value: float) -> None:
    assert percentile([5.0, 3.0, 1.0, 2.0, 4.0], percent) == pytest.approx(value)


def test_a_series_tells_median_and_quartiles() -> None:
    assert series([4.0, 1.0, 3.0, 2.0]) == {"runs": 4, "median": 2.5, "low": 1.75, "high": 3.25}


def test_ratios_are_of_pairs_not_of_medians() -> None:
    # The machine is ten times slower in the second round: the ratio stays.
    assert ratios([2.0, 20.0, 2.0], [1.0, 10.0, 1.0])["median"] == 2.0
    assert ratios([2.0, 20.0, 2.0], [1.0, 10.0, 1.0])["high"] == 2.0


def test_a_stop_costs_what_the_price_lists_say() -> None:
    # 840 s at 256 MB are 210 GB-seconds.
    assert waiting_dollars(256, 840) == pytest.approx(210 * 0.0000166667)
    usage = Usage(gb_seconds=210, requests=1_000_000, transitions=1000, firings=1_000_000)
    assert dollars(usage) == pytest.approx(0.003500007 + 0.20 + 0.025 + 1.00)
