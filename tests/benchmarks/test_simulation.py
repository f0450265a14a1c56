"""The simulation of the contestants, by hand and against the real handlers."""

from __future__ import annotations

import random

import pytest
from benchmarks.loopback import one_request
from benchmarks.many import Bucket
from benchmarks.simulation import CONTESTANTS, LATENCY, OUR_MEMORY_MB, Outcome


def simulated(contestant: str, stop: float, seed: int = 1) -> Outcome:
    return CONTESTANTS[contestant](stop, random.Random(seed))


def test_crhelper_answers_at_the_firing_after_the_end() -> None:
    # The rule is made at 0.08 s and fires at 120.08 s and 240.08 s; its describe comes 0.04 s
    # later, the answer 0.2 s after the firing. The end comes at 200.04 s.
    outcome = simulated("crhelper", 200)
    assert outcome.lag == pytest.approx(240.08 + 5 * LATENCY - 200.04)
    assert (outcome.invocations, outcome.firings) == (3, 2)
    # Stop, the rule's three, two describes, three to remove it.
    assert outcome.calls == 9


def test_the_provider_framework_asks_every_five_seconds_and_what_asking_takes() -> None:
    # isComplete sees the experiment at 0.28 s, 5.40 s and 10.52 s; the end comes at 8.12 s.
    outcome = simulated("provider framework", 8)
    assert outcome.lag == pytest.approx(10.52 + LATENCY - 8.12)
    # onEvent and its function, then three times isComplete and its function.
    assert outcome.invocations == 8
    assert outcome.transitions == 4


def test_aws_custom_resource_does_not_wait() -> None:
    outcome = simulated("AwsCustomResource", 60)
    assert outcome.lag == pytest.approx(LATENCY - 60)
    assert (outcome.invocations, outcome.calls) == (1, 1)


def test_ours_sees_a_quick_end_at_its_first_look_after_it() -> None:
    # Stop is accepted at 0.16 s; it looks at 0.70 s and at 1.49 s; the end comes at 1.16 s.
    outcome = simulated("ours", 1)
    assert outcome.lag == pytest.approx(1.49 + LATENCY - 1.16)
    assert (outcome.invocations, outcome.calls) == (1, 6)
    assert outcome.busy == {OUR_MEMORY_MB: pytest.approx(1.53 + 0.5)}


def test_ours_hands_over_before_an_invocation_ends_and_polls_each_minute() -> None:
    outcome = simulated("ours", 1200)
    # The rule is made at about 752 s and fires from 812 s on: at 812, 872, … 1172.
    assert (outcome.invocations, outcome.firings) == (8, 7)
    assert 0 < outcome.lag < 3


@pytest.mark.parametrize("contestant", ["ours", "crhelper"])
@pytest.mark.parametrize("stop", [30.0, 400.0, 1000.0])
def test_the_simulation_does_what_the_real_handlers_do(contestant: str, stop: float) -> None:
    real, _ = one_request(contestant, "Update", stop=stop)
    predicted = simulated(contestant, stop)
    assert predicted.invocations == real.invocations
    assert predicted.calls == pytest.approx(real.calls, rel=0.05, abs=4)
    # Ours pauses by chance, up to 2.8 s; crhelper leaves nothing to it.
    assert predicted.lag == pytest.approx(real.lag, abs=0.001 if contestant == "crhelper" else 3)


def test_a_bucket_refuses_what_exceeds_its_rate() -> None:
    bucket = Bucket(rate=1.0)
    asked = [bucket.due("DescribeInferenceExperiment", 100.0) for _ in range(3)]
    assert asked == [None, None, "throttled"]
    assert bucket.due("DescribeInferenceExperiment", 101.0) is None
    assert bucket.due("DescribeInferenceExperiment", 101.0) == "throttled"
    assert bucket.due("PutRule", 101.0) is None
    assert (bucket.refused, bucket.busiest_second) == (2, 3)
