"""The simulation of the other contestants, by hand and against a real handler."""

from __future__ import annotations

import random

import pytest
from benchmarks.loopback import one_request
from benchmarks.many import Bucket
from benchmarks.simulation import CONTESTANTS, LATENCY, Outcome


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


@pytest.mark.parametrize("stop", [30.0, 400.0, 1000.0])
def test_the_simulation_does_what_crhelpers_handler_does(stop: float) -> None:
    real, _ = one_request("crhelper", "Update", stop=stop)
    predicted = simulated("crhelper", stop)
    assert predicted.invocations == real.invocations
    assert predicted.calls == pytest.approx(real.calls, rel=0.05, abs=4)
    assert predicted.lag == pytest.approx(real.lag, abs=0.001)


def test_a_bucket_refuses_what_exceeds_its_rate() -> None:
    bucket = Bucket(rate=1.0)
    asked = [bucket.due("DescribeInferenceExperiment", 100.0) for _ in range(3)]
    assert asked == [None, None, "throttled"]
    assert bucket.due("DescribeInferenceExperiment", 101.0) is None
    assert bucket.due("DescribeInferenceExperiment", 101.0) == "throttled"
    assert bucket.due("PutRule", 101.0) is None
    assert (bucket.refused, bucket.busiest_second) == (2, 3)
