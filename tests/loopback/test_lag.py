"""How soon CloudFormation gets its answer after an experiment has ended."""

from __future__ import annotations

import random
import statistics

from loopback.sagemaker import Pace
from loopback.world import NAME, World


def lag(stop: float, seed: int) -> float:
    """Seconds from the settled endpoint to the answer."""
    world = World(seed=seed)
    world.stack.status = "UPDATE_IN_PROGRESS"
    with world.installed():
        world.experiment("Running", Pace(stop=stop))
        asked = world.deliver(world.request("Update"))
        world.run_to_quiet()
    assert asked.answer is not None
    assert asked.answer["Status"] == "SUCCESS"
    assert world.leftovers == []
    experiment = world.sagemaker.experiments[NAME]
    return asked.answered_at - (experiment.ends_at + experiment.pace.settle)


def test_the_answer_follows_the_end_within_seconds_for_stops_up_to_an_hour() -> None:
    chance = random.Random(20250615)
    # Most stops are short; include the hand-over and the polls after it, too.
    ends = [chance.uniform(5, 700) for _ in range(70)]
    ends += [chance.uniform(700, 3280) for _ in range(30)]

    lags = [lag(end, seed) for seed, end in enumerate(ends)]

    percentiles = statistics.quantiles(lags, n=100)
    print(f"{len(lags)} ends: p50 {percentiles[49]:.2f} s, p99 {percentiles[98]:.2f} s")
    assert percentiles[49] <= 2
    assert percentiles[98] <= 5
