"""A wait that holds no execution: the rule, what fires it, and what comes of firing it too often.

The schedule fires each minute; events of the endpoint come late, twice, out of order or never.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from loopback.function import RETRY_AFTER_SECONDS
from loopback.journal import CALL, PUT
from loopback.sagemaker import NAME_OF_ENDPOINT, Experiment, Pace, arn_of
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, World

from .asking import FORWARD, answered, operations, seconds, stops, told

FOR_EVER = 10**9
A_MINUTE = 60.0
STOP = Pace(stop=200, settle=8)
DELETION = "DELETE_IN_PROGRESS"
STATUS = {"Create": FORWARD, "Update": FORWARD, "Delete": DELETION}
DECLARED = {**PROMOTE, "StopOn": ["Create", "Update", "Delete"]}


def begin(world: World, kind: str = "Update", pace: Pace = STOP, status: str = "Running") -> Any:
    """An experiment, and a request that orders its end."""
    world.stack.status = STATUS[kind]
    world.experiment(status, pace)
    return world.request(kind, DECLARED)


def accepted(world: World) -> int:
    return sum(len(each.stops) for each in world.sagemaker.experiments.values())


def experiment(world: World) -> Experiment:
    return world.sagemaker.experiments[NAME]


def settled_at(world: World) -> float:
    ours = experiment(world)
    return ours.ends_at + ours.pace.settle


def bodies(world: World) -> list[dict[str, Any]]:
    return [json.loads(put.detail["body"]) for put in world.journal.puts()]


def firings(world: World) -> list[str]:
    """What fired each invocation but the request's own."""
    told = world.function.told.values()
    return [event["FiredBy"] for event in told if "FiredBy" in event]


def endpoint_event(world: World, status: str = "IN_SERVICE", name: str = NAME_OF_ENDPOINT) -> None:
    """An event of the endpoint, now, whatever the endpoint does."""
    delays, world.events.event_delays = world.events.event_delays, (0.0,)
    world.events.endpoint_changed(name, status)
    world.events.event_delays = delays


# Duplicates, and events that come when they like.

DELAYS: dict[str, tuple[float, ...]] = {
    "soon": (1.0,),
    "three at once": (1.0, 1.0, 1.0),
    "one after another": (0.5, 1.5, 2.5, 3.5, 20.0),
    "late": (45.0,),
    "after the answer, too": (1.0, 30.0, 90.0, 1000.0),
    "only after the answer": (100.0,),
    "never": (),
}


@pytest.mark.parametrize("kind", ["Update", "Delete"])
@pytest.mark.parametrize("delays", DELAYS.values(), ids=DELAYS)
def test_however_events_come_there_is_one_stop_and_one_answer_and_nothing_is_left(
    world: World, kind: str, delays: tuple[float, ...]
) -> None:
    world.events.event_delays = delays
    asked = world.deliver(begin(world, kind))

    assert world.run_to_quiet()
    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == accepted(world) == 1
    assert experiment(world).was_settled_at(asked.answered_at)
    assert all(body == bodies(world)[0] for body in bodies(world))
    assert world.leftovers == []
    assert asked.answered_at <= settled_at(world) + A_MINUTE + 5


@pytest.mark.parametrize("ahead", [0.0, 0.02, 0.5])
def test_an_event_and_the_schedule_that_fire_together_do_no_harm(
    world: World, ahead: float
) -> None:
    """Both look, both may answer, with the same answer; the rule goes once."""
    world.events.event_delays = ()
    asked = world.deliver(begin(world, pace=Pace(stop=150, settle=5)))
    world.run(130)
    firing = world.events.next_firing
    assert firing is not None
    world.clock.run_until(firing - ahead)
    assert asked.answer is None
    world.events.fires = 2
    endpoint_event(world)
    endpoint_event(world)
    assert world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == 1
    assert len(bodies(world)) > 1
    assert len({json.dumps(body, sort_keys=True) for body in bodies(world)}) == 1
    assert world.leftovers == []


def test_an_endpoint_in_flux_fires_nothing(world: World) -> None:
    """A Stop makes the endpoint Updating at once: that is no end."""
    world.deliver(begin(world))
    world.run(30)
    for status in ("UPDATING", "ROLLING_BACK", "SYSTEM_UPDATING", "CREATING", "Updating"):
        endpoint_event(world, status)
    world.run(10)

    assert "SageMaker Endpoint State Change" not in firings(world)


@pytest.mark.parametrize(
    ("name", "fires"), [(NAME_OF_ENDPOINT.upper(), True), ("another-endpoint", False)]
)
def test_an_event_is_matched_by_the_endpoints_name_ignoring_case(
    world: World, name: str, fires: bool
) -> None:
    world.deliver(begin(world))
    world.run(30)
    endpoint_event(world, name=name)
    world.run(5)

    assert ("SageMaker Endpoint State Change" in firings(world)) is fires


def test_an_event_before_the_rule_is_effective_leaves_the_rest_to_the_schedule(
    world: World,
) -> None:
    world.events.effective_after = A_MINUTE
    asked = world.deliver(begin(world, pace=Pace(stop=30, settle=5)))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert set(firings(world)) == {"Scheduled Event"}
    assert asked.answered_at <= settled_at(world) + A_MINUTE + 5


@pytest.mark.parametrize("ahead", [1.0, 10.0, 30.0, 40.0])
def test_a_firing_of_an_event_stays_for_an_end_that_comes_after_it(
    world: World, ahead: float
) -> None:
    """Whether the event follows the experiment's status is not documented."""
    world.events.event_delays = ()
    asked = world.deliver(begin(world, pace=Pace(stop=400, settle=0)))
    world.run(30)
    [stop] = world.journal.calls("StopInferenceExperiment")
    world.clock.run_until(stop.at + 400 - ahead)
    endpoint_event(world)
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert 0 <= asked.answered_at - settled_at(world) <= 5


# The order is asked anew.


@pytest.mark.parametrize("delays", [(), (1.0,)], ids=["schedule", "event"])
@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_firing_asks_for_the_order_anew_before_it_stops(
    world: World, kind: str, delays: tuple[float, ...]
) -> None:
    """The order waits until the experiment runs; meanwhile CloudFormation takes it back."""
    world.events.event_delays = delays
    event = begin(world, kind, Pace(begin=200), status="Updating")
    asked = world.deliver(event)
    world.run(100)
    before = stops(world)
    assert world.events.rules
    world.stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == before
    assert accepted(world) == 0
    assert world.leftovers == []


@pytest.mark.parametrize("delays", [(), (1.0,)], ids=["schedule", "event"])
def test_a_firing_stops_what_has_begun_to_run_once(world: World, delays: tuple[float, ...]) -> None:
    world.events.event_delays = delays
    answer = answered(world, begin(world, pace=Pace(begin=200, stop=100), status="Updating"))

    assert answer["Status"] == "SUCCESS"
    assert accepted(world) == 1
    assert world.leftovers == []


# The rule: made at once, left behind never.


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_the_rule_is_made_right_after_the_stop_and_the_invocation_leaves_after_20_s(
    world: World, kind: str
) -> None:
    asked = world.deliver(begin(world, kind))
    world.run(30)

    names = operations(world)
    stopped = names.index("StopInferenceExperiment")
    rest = [name for name in names[stopped + 1 :] if name != "DescribeEndpoint"]
    assert rest[:2] == ["PutRule", "PutTargets"]
    [stop] = world.journal.calls("StopInferenceExperiment")
    [end] = [entry for entry in world.journal if entry.kind == "invocation"]
    assert 20 <= end.at - stop.at <= 24
    assert asked.answer is None


@pytest.mark.parametrize("status", ["absent", "Completed", "Cancelled"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_what_is_answered_at_once_makes_no_rule(world: World, kind: str, status: str) -> None:
    answered(world, begin(world, kind, status=status))
    assert not {"PutRule", "PutTargets"} & set(operations(world))
    assert world.function.invocations == 1


@pytest.mark.parametrize("status", ["Stopping", "Updating"])
def test_a_wait_without_a_stop_of_ours_makes_the_rule_after_20_s(world: World, status: str) -> None:
    asked = world.deliver(begin(world, pace=Pace(stop=300, begin=300), status=status))
    world.run(17)
    assert world.events.rules == {}
    world.run(10)
    assert len(world.events.rules) == 1
    assert world.function.running == {}
    world.run_to_quiet()
    assert asked.answer is not None
    assert world.leftovers == []


def test_a_firing_that_cannot_describe_the_experiment_leaves_the_rule_its_events() -> None:
    with World(limit=45).installed() as world:
        world.deliver(begin(world, pace=Pace(begin=1000), status="Updating"))
        world.run(30)
        made = len(list(world.journal.calls("PutRule")))
        # What the rule hands over changes: the firing leaves in doubt.
        world.fail("DescribeStacks", "denied", attempts=FOR_EVER)
        world.fail("DescribeInferenceExperiment", "unavailable", attempts=FOR_EVER)
        world.run(90)

        rules = list(world.journal.calls("PutRule"))
        assert len(rules) > made
        assert all(call.detail["request"].get("EventPattern") for call in rules)


CLEAN_UP = ["RemoveTargets", "DeleteRule"]


def _around_the_answer(world: World) -> tuple[list[str], list[str]]:
    """The clean-up's calls before and after the answer that CloudFormation took."""
    entries = [entry for entry in world.journal if entry.kind in (CALL, PUT)]
    at = next(index for index, entry in enumerate(entries) if entry.kind == PUT)
    before, after = entries[:at], entries[at + 1 :]
    return (
        [entry.name for entry in before if entry.name in CLEAN_UP],
        [entry.name for entry in after if entry.name in CLEAN_UP],
    )


def test_the_rule_is_removed_before_the_answer_to_a_delete_and_looked_for_after_it(
    world: World,
) -> None:
    """The answer lets CloudFormation delete the policies that the clean-up needs."""
    answered(world, begin(world, "Delete"))
    before, after = _around_the_answer(world)
    assert before == CLEAN_UP
    assert after[:2] == CLEAN_UP


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_the_rule_is_removed_after_any_other_answer(world: World, kind: str) -> None:
    answered(world, begin(world, kind))
    before, after = _around_the_answer(world)
    assert before == []
    assert after == CLEAN_UP


@pytest.mark.parametrize("operation", CLEAN_UP)
def test_a_clean_up_that_fails_before_a_deletes_answer_delays_it_not_and_says_nothing(
    world: World, operation: str
) -> None:
    event = begin(world, "Delete")
    fault = world.fail(operation, "denied", attempts=1)
    asked = world.deliver(event)
    world.run_to_quiet()

    before, _ = _around_the_answer(world)
    assert before == CLEAN_UP[: CLEAN_UP.index(operation) + 1]
    assert fault.hits == 1
    assert told(asked)["Status"] == "SUCCESS"
    assert not any("clean up later" in line for line in world.journal.lines())
    assert world.leftovers == []


def test_a_deletion_removes_the_rule_of_a_creation_that_was_cancelled(world: World) -> None:
    """CloudFormation deletes the function next, before the rule fires."""
    world.stack.status = "CREATE_IN_PROGRESS"
    world.experiment("Running", STOP)
    world.deliver(world.request("Create", {**PROMOTE, "StopOn": ["Create"]}))
    world.run(30)
    assert len(world.events.rules) == 1

    world.stack.status = "ROLLBACK_IN_PROGRESS"
    delete = world.request("Delete", physical_id="never-created", request_id="request-2")
    assert answered(world, delete)["Status"] == "SUCCESS"
    assert world.leftovers == []


def test_a_request_leaves_the_rule_to_another_request_of_its_resource(world: World) -> None:
    asked = world.deliver(begin(world))
    world.run(30)
    (rule,) = world.events.rules.values()
    (own,) = rule.targets
    rule.targets["another"] = {**rule.targets[own], "Id": "another", "Arn": "elsewhere"}
    rule.targets["another"]["InputTransformer"] = {"InputTemplate": "{}"}
    world.run(300)

    assert told(asked)["Status"] == "SUCCESS"
    assert list(rule.targets) == ["another"]
    assert world.events.rules


def test_a_target_is_of_one_request_though_its_id_comes_again(world: World) -> None:
    """A late clean-up of the first request would end the wait of the second, such as its undo."""
    event = begin(world)
    world.deliver(event)
    world.deliver(event)
    world.run(30)
    (rule,) = world.events.rules.values()
    assert len(rule.targets) == 1

    world.stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    world.deliver(world.request("Update", KEEP, DECLARED))
    world.run(25)
    assert len(rule.targets) == 2


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_rule_that_cannot_be_removed_for_a_while_fires_and_removes_itself(
    world: World, kind: str
) -> None:
    fault = world.fail("RemoveTargets", "denied", attempts=FOR_EVER)
    asked = world.deliver(begin(world, kind))
    world.run(700)
    assert told(asked)["Status"] == "SUCCESS"
    assert world.leftovers
    fault.attempts = 0

    world.run_to_quiet()
    assert accepted(world) == 1
    assert world.leftovers == []


# No rule can be made.


def _no_rule(world: World, how: str) -> None:
    if how == "the bus is full":
        world.events.max_rules = 0
    else:
        world.fail(how, "denied", attempts=FOR_EVER)


@pytest.mark.parametrize("how", ["PutRule", "PutTargets", "the bus is full"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_without_a_rule_the_invocation_waits_inside(world: World, kind: str, how: str) -> None:
    _no_rule(world, how)
    asked = world.deliver(begin(world, kind, Pace(stop=600)))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert world.function.invocations == 1
    assert stops(world) == 1
    assert asked.answered_at - settled_at(world) <= 5
    assert world.leftovers == []


def test_without_a_rule_lambdas_retries_go_on_with_the_same_stop(world: World) -> None:
    _no_rule(world, "the bus is full")
    asked = world.deliver(begin(world, pace=Pace(stop=1500)))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert 1 < world.function.invocations <= 1 + len(RETRY_AFTER_SECONDS)
    assert stops(world) == 1


# Many at once.


def _many(world: World, count: int, pace: Pace, kind: str = "Delete") -> list[dict[str, Any]]:
    """A request for each of many experiments, all in one stack."""
    world.stack.status = STATUS[kind]
    events = []
    for number in range(count):
        name = f"{NAME}-{number}"
        world.sagemaker.add(name, "Running", pace)
        events.append(
            world.request(
                kind,
                {**KEEP, "Name": name},
                request_id=f"request-{number}",
                logical_id=f"{LOGICAL_ID}{number}",
                physical_id=arn_of(name),
            )
        )
    return events


@pytest.mark.parametrize("stop", [1200, 3000])
def test_forty_stops_at_ten_executions_starve_nobody(world: World, stop: float) -> None:
    """A new account has ten; one that waited inside its invocation would hold one for its stop."""
    world.function.executions = 10
    asked = [world.deliver(event) for event in _many(world, 40, Pace(stop=stop))]
    taken = 0
    while any(one.answer is None for one in asked) and world.elapsed < 3600:
        world.run(1)
        taken += len(world.function.running) >= world.function.executions

    assert {told(one)["Status"] for one in asked} == {"SUCCESS"}
    assert accepted(world) == 40
    assert world.function.throttles > 0
    assert world.function.dropped == 0
    assert taken <= 60
    world.run_to_quiet()
    assert world.leftovers == []


# Late, throttled, near the end.


def test_a_request_that_was_delivered_late_leaves_at_once(world: World) -> None:
    """Others wait for an execution, too."""
    event = begin(world)
    world.run(30)
    world.deliver(event)
    world.run(15)

    assert stops(world) == 1
    assert world.function.running == {}
    assert len(world.events.rules) == 1


def test_throttled_before_its_stop_a_request_leaves_within_a_minute_and_firings_try_for_a_while(
    world: World,
) -> None:
    """Many others begin, too."""
    event = begin(world)
    world.fail("DescribeInferenceExperiment", "throttled", attempts=FOR_EVER)
    world.deliver(event)
    world.run(78)
    first = len(list(world.journal.calls("DescribeInferenceExperiment")))
    assert first <= 10
    assert len(world.events.rules) == 1

    world.run(600)
    later = len(list(world.journal.calls("DescribeInferenceExperiment"))) - first
    # Ten firings, 25 s each, with 8 to 16 s between two looks.
    assert later <= 10 * 5
    assert stops(world) == 0


def test_requests_that_are_throttled_before_their_stops_spread_their_rules(world: World) -> None:
    made = []
    for seed in range(6):
        own = World(seed=seed)
        with own.installed():
            event = begin(own)
            own.fail("DescribeInferenceExperiment", "throttled", attempts=FOR_EVER)
            own.deliver(event)
            own.run(80)
            (rule,) = own.events.rules.values()
            made.append(rule.made_at - event_time(own))
    assert max(made) - min(made) > 20


def event_time(world: World) -> float:
    """When the request was made."""
    return min(asked.issued_at for asked in world.cloudformation.asked.values())


def test_a_throttled_stop_is_sent_again_only_while_the_look_that_allows_it_is_fresh(
    world: World,
) -> None:
    event = begin(world)
    fault = world.fail("StopInferenceExperiment", "throttled", attempts=FOR_EVER)
    world.deliver(event)
    world.run(12)
    looks = [call.at for call in world.journal.calls("DescribeStackEvents")]
    asked = max(at for at in looks if at < fault.hit_at[0])
    assert 3 <= fault.hits <= 11
    assert fault.hit_at[-1] - asked <= 10.2
    for earlier, later in zip(fault.hit_at, fault.hit_at[1:], strict=False):
        assert 1.0 <= later - earlier <= 3.2

    fault.attempts = 0
    world.run_to_quiet()
    assert accepted(world) == 1


def test_throttled_before_its_stop_a_request_leaves_once_it_is_accepted(world: World) -> None:
    event = begin(world)
    world.fail("DescribeInferenceExperiment", "throttled", attempts=1)
    world.deliver(event)
    world.run(20)
    assert accepted(world) == 1
    assert world.function.running == {}


def test_throttled_after_its_stop_a_firing_of_the_schedule_makes_one_attempt_and_leaves(
    world: World,
) -> None:
    world.events.event_delays = ()
    asked = world.deliver(begin(world))
    world.run(30)
    fault = world.fail("DescribeInferenceExperiment", "throttled", attempts=FOR_EVER)
    world.run(600)
    assert fault.hits <= world.function.invocations - 1
    fault.attempts = 0
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == 1


def test_throttled_at_the_end_a_firing_of_the_event_tries_again(world: World) -> None:
    asked = world.deliver(begin(world))
    world.run(30)
    world.fail("DescribeInferenceExperiment", "throttled", attempts=6)
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert asked.answered_at - settled_at(world) < 30
    assert stops(world) == 1


@pytest.mark.parametrize("timeout", [300, 1200, 3600])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_a_stop_that_takes_too_long_is_answered_while_cloudformation_still_waits(
    world: World, kind: str, timeout: int
) -> None:
    world.stack.status = STATUS[kind]
    world.experiment("Running", Pace(stop=10_000))
    declared = {**DECLARED, "ServiceTimeout": str(timeout)}
    asked = world.deliver(world.request(kind, declared))
    world.run_to_quiet(4 * 3600)

    assert told(asked)["Status"] == "FAILED"
    assert timeout * 11 / 12 <= seconds(asked) <= timeout * 11 / 12 + 5
    assert world.leftovers == []


@pytest.mark.parametrize(
    ("timeout", "late"), [(66, 0.0), (76, 0.0), (300, 240.0)], ids=["short", "76", "late"]
)
@pytest.mark.parametrize("status", ["Running", "Updating"])
def test_a_request_whose_deadline_is_near_is_answered_before_it(
    world: World, status: str, timeout: int, late: float
) -> None:
    """The rule that it would be left to fires a minute later."""
    world.stack.status = FORWARD
    world.experiment(status, Pace(stop=10_000, begin=10_000))
    event = world.request("Update", {**DECLARED, "ServiceTimeout": str(timeout)})
    world.run(late)
    asked = world.deliver(event)
    world.run_to_quiet(4 * 3600)

    assert told(asked)["Status"] == "FAILED"
    assert timeout * 11 / 12 <= seconds(asked) <= timeout * 11 / 12 + 3
    assert world.leftovers == []
