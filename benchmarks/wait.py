"""What a wait for the end costs, and how soon it sees the end: whatever SageMaker's events do.

The shipped handler and the one that waits inside, in virtual time. SageMaker documents neither
whether an experiment's updates of its endpoint send events, nor when they come relative to the
experiment's end: so they come in a second, in ten, twice or not at all, and the status up to half a
minute before or after the endpoint's.
"""

from __future__ import annotations

import copy
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from loopback.sagemaker import Pace
from loopback.wire import Members
from loopback.world import NAME, PROMOTE, World

from .loopback import INSIDE, let_succeed, new_world, playing
from .many import Crowd, stop_all
from .prices import dollars
from .simulation import OUR_MEMORY_MB, Outcome
from .stats import percentile

__all__ = ["STORIES", "Story", "measure", "measure_story"]

Json = dict[str, Any]
SHORTEST, LONGEST = 120.0, 54.5 * 60
STAYING_FROM = 53 * 60.0
"""A firing near the deadline of 55 minutes stays for the answer, which costs more."""

MINUTE = 60.0
APART = 23.0
"""Added to whole minutes, so that an end does not fall on a firing of the schedule."""


@dataclass(frozen=True)
class Story:
    """How SageMaker and EventBridge behave.

    Attributes:
        delays: After which times the event of an endpoint comes, once for each.
        settles_within: The endpoint settles up to so long after the experiment's end.
        ends_within: The experiment's status follows the endpoint by up to so long.
        behind: A describe shows what was so long ago.
        is_endpoint_still: A describe never shows the endpoint Updating.
        rule_effective: When a new rule begins to fire.
    """

    delays: tuple[float, ...] = (1.0,)
    settles_within: float = 0.0
    ends_within: float = 0.0
    behind: float = 0.0
    is_endpoint_still: bool = False
    rule_effective: float = 0.0


STORIES = {
    "the event comes within a second": Story(),
    "after ten seconds": Story((10.0,)),
    "twice, and late the second time": Story((1.0, 20.0)),
    "never": Story(()),
    "within a second, to a rule that is effective after a minute": Story(rule_effective=60.0),
    "the endpoint settles up to 30 s after the status": Story(settles_within=30.0),
    "the status follows the endpoint by up to 30 s": Story(ends_within=30.0),
    "after ten seconds, the status by up to 30 s": Story((10.0,), ends_within=30.0),
    "a describe is 5 s behind the event": Story(behind=5.0),
    "a describe never shows the endpoint Updating": Story(is_endpoint_still=True),
}
"""By what the report says."""

TOGETHER = {
    "forty end together": Crowd("ours", 40, 20 * MINUTE + APART),
    "forty end together, and no container is left": Crowd(
        "ours", 40, 20 * MINUTE + APART, is_cold=True
    ),
}
FEW_EXECUTIONS = 10


def measure(*, runs: int) -> Json:
    """Play the first story ``runs`` times, and every other a third as often."""
    with ProcessPoolExecutor() as processes:
        crowds = [
            Crowd(name, 40, minutes * MINUTE + APART, executions=FEW_EXECUTIONS)
            for minutes in (20, 50)
            for name in ("ours", INSIDE)
        ]
        few = processes.map(stop_all, crowds)
        together = processes.map(stop_all, TOGETHER.values())
        times = [runs, *[runs // 3] * (len(STORIES) - 1)]
        rows = processes.map(measure_story, STORIES, times)
        return {
            "stories": list(rows),
            "together": [
                {"what": name, **row} for name, row in zip(TOGETHER, together, strict=True)
            ],
            "few": list(few),
            "timeout": _timeouts(),
        }


def measure_story(name: str, runs: int) -> Json:
    """Stop one experiment many times, for 2 to 55 minutes."""
    chance = random.Random(name)
    stops = [chance.uniform(SHORTEST, LONGEST) for _ in range(runs)]
    found = [_played(STORIES[name], stop, seed) for seed, stop in enumerate(stops)]
    lags = [outcome.lag for outcome in found]
    costs = [dollars(outcome.usage) for outcome in found]
    usual = [cost for cost, stop in zip(costs, stops, strict=True) if stop < STAYING_FROM]
    return {
        "what": name,
        "runs": runs,
        "lag_p50": percentile(lags, 50),
        "lag_p99": percentile(lags, 99),
        "lag_max": max(lags),
        "calls": percentile([outcome.calls for outcome in found], 50),
        "invocations": percentile([outcome.invocations for outcome in found], 50),
        "busy": percentile([outcome.busy[OUR_MEMORY_MB] for outcome in found], 50),
        "dollars_p50": percentile(costs, 50),
        "dollars_max": max(usual),
        "dollars_max_late": max(costs),
    }


def _played(story: Story, stop: float, seed: int) -> Outcome:
    """One stop.

    Raises:
        RuntimeError: It was not answered SUCCESS, or something was left behind.
    """
    chance = random.Random(seed)
    settles = chance.uniform(0, story.settles_within)
    ends = chance.uniform(0, story.ends_within)
    outcome = Outcome(0.0)
    world = new_world("ours", outcome, seed)
    world.events.event_delays = story.delays
    world.events.effective_after = story.rule_effective
    _show(world, story, ends)
    with playing("ours", world):
        world.experiment("Running", Pace(stop=stop, settle=settles, lag=0))
        asked = world.deliver(world.request("Update"))
        let_succeed(world, asked)
    outcome.lag = asked.answered_at - (world.sagemaker.experiments[NAME].ends_at + settles + ends)
    outcome.calls = sum(1 for _ in world.journal.calls())
    outcome.firings = outcome.invocations - 1
    return outcome


def _show(world: World, story: Story, ends: float) -> None:
    """Make describes show what the story says, from the Stop on."""
    operations = world.aws._operations  # noqa: SLF001 (the loopback's own part)
    describe = operations["DescribeInferenceExperiment"]

    def shown(request: Members) -> Members:
        answer: Json = copy.deepcopy(dict(describe(request)))
        experiment = world.sagemaker.experiments[NAME]
        endpoint = answer["EndpointMetadata"]
        if experiment.has_ended:
            ago = world.clock.now - experiment.ends_at
            if ago < ends + story.behind:
                answer["Status"] = "Stopping"
            if ago < story.behind:
                endpoint["EndpointStatus"] = "Updating"
        if story.is_endpoint_still:
            endpoint["EndpointStatus"] = "InService"
        return answer

    operations["DescribeInferenceExperiment"] = shown


def _timeouts() -> list[Json]:
    """A ServiceTimeout of 300 s, with stops that fit and one that does not."""
    rows = []
    for stop in (120.0 + APART, 240.0 + APART, 600.0):
        outcome = Outcome(0.0)
        world = new_world("ours", outcome)
        with playing("ours", world):
            world.experiment("Running", Pace(stop=stop, settle=0, lag=0))
            asked = world.deliver(world.request("Update", {**PROMOTE, "ServiceTimeout": "300"}))
            world.run_to_quiet()
        answer = asked.answer or {"Status": "none"}
        rows.append(
            {
                "stop_seconds": stop,
                "status": answer["Status"],
                "seconds": asked.answered_at - asked.issued_at,
                "left_behind": len(world.leftovers),
            }
        )
    return rows
