"""Faults that outlast the SDK's retries: an outage, a denial, an unavailable bucket."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from cdk_stop_inference_experiment_handler.lifecycle.history import History
from cdk_stop_inference_experiment_handler.runtime import look
from loopback.aws import told as by_name
from loopback.cloudformation import Event
from loopback.eventbridge import EventBridge
from loopback.function import RETRY_AFTER_SECONDS
from loopback.journal import LOG
from loopback.sagemaker import Pace, arn_of
from loopback.wire import HttpRequest, HttpResponse, Members, Refused
from loopback.world import KEEP, LOGICAL_ID, NAME, PROMOTE, World

from .asking import FORWARD, answered, seconds, stops, told

FOR_EVER = 10**9
ROLLBACK = "UPDATE_ROLLBACK_IN_PROGRESS"
SAME_REASON = "It is time"
SAID = {"Name": NAME, "Outcome": "PromoteShadow"}


def deliveries(world: World) -> int:
    return world.function.invocations


@pytest.mark.parametrize("kind", ["error", "reset", "lost"])
def test_an_answer_that_nobody_takes_is_tried_again_by_the_next_delivery(
    world: World, kind: str
) -> None:
    world.experiment("Running")
    asked = world.deliver(world.request("Create"))
    fault = world.fail("PUT", kind, attempts=FOR_EVER)
    world.run(1000)
    fault.attempts = 0

    assert world.run_to_quiet()
    assert told(asked)["PhysicalResourceId"] == arn_of(NAME)
    assert world.function.kills_at_limit == 0


def test_an_answer_that_nobody_ever_takes_ends_with_lambdas_retries(world: World) -> None:
    world.experiment("Running")
    world.fail("PUT", "reset", attempts=FOR_EVER)
    asked = world.deliver(world.request("Create"))

    assert world.run_to_quiet()
    assert asked.answer is None
    assert deliveries(world) == 1 + len(RETRY_AFTER_SECONDS)


def test_a_polls_answer_that_nobody_takes_is_tried_again_by_the_rule(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=1000))
    asked = world.deliver(world.request("Update"))
    fault = world.fail("PUT", "error", attempts=FOR_EVER)
    world.run(2000)
    assert world.leftovers
    fault.attempts = 0

    assert world.run_to_quiet()
    assert told(asked)["Status"] == "SUCCESS"
    assert world.leftovers == []


@pytest.mark.parametrize("outage", [100, 1000, 2000])
@pytest.mark.parametrize("stop", [10, 200], ids=["first delivery", "poll"])
@pytest.mark.parametrize("kind", ["error", "reset"])
def test_a_deletions_answer_that_nobody_takes_is_sent_again_without_its_rule(
    world: World, kind: str, stop: float, outage: float
) -> None:
    """The rule is removed before this answer, so nothing but Lambda's retry comes after it."""
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment("Running", Pace(stop=stop, settle=2))
    asked = world.deliver(world.request("Delete"))
    fault = world.fail("PUT", kind, attempts=FOR_EVER)
    world.run(stop + 20 + outage)
    assert fault.hits
    fault.attempts = 0

    assert world.run_to_quiet()
    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == 1
    assert world.leftovers == []
    assert world.function.kills_at_limit == 0


def test_a_deletions_answer_that_nobody_ever_takes_ends_with_lambdas_retries(world: World) -> None:
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment("Running", Pace(stop=200))
    world.fail("PUT", "error", attempts=FOR_EVER)
    asked = world.deliver(world.request("Delete"))

    assert world.run_to_quiet()
    assert asked.answer is None
    assert world.leftovers == []


@pytest.mark.parametrize("stop", [18, 80], ids=["first delivery", "poll"])
@pytest.mark.parametrize("operation", ["RemoveTargets", "DeleteRule"])
def test_a_rule_that_cannot_be_removed_in_the_last_seconds_goes_with_lambdas_retry(
    operation: str, stop: int
) -> None:
    with World(limit=45).installed() as world:
        world.aws.timeout_scale = 0.05
        world.experiment("Running", Pace(stop=stop, settle=2))
        world.fail(operation, "throttled", attempts=6)
        asked = world.deliver(world.request("Update"))

        assert world.run_to_quiet()
        assert told(asked)["Status"] == "SUCCESS"
        assert stops(world) == 1
        assert world.leftovers == []


def test_the_rule_goes_when_cloudformation_waits_no_more(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=1000))
    world.fail("PUT", "error", attempts=FOR_EVER)
    asked = world.deliver(world.request("Update"))

    assert world.run_to_quiet()
    assert asked.answer is None
    assert 3600 <= world.elapsed < 4000
    assert world.leftovers == []


def test_a_rule_that_cannot_be_made_for_minutes_fails_nothing(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=1200))
    asked = world.deliver(world.request("Update"))
    world.run(700)
    fault = world.fail("PutRule", "throttled", attempts=FOR_EVER)
    world.run(220)
    fault.attempts = 0

    assert world.run_to_quiet()
    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == 1
    assert world.leftovers == []


def test_a_rule_that_can_never_be_made_fails_with_the_last_delivery(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=3500))
    world.fail("PutRule", "denied", attempts=FOR_EVER)
    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "FAILED"
    assert "rule could not be created" in answer["Reason"]
    assert deliveries(world) == 1 + len(RETRY_AFTER_SECONDS)
    assert stops(world) == 1


def test_a_target_that_eventbridge_does_not_take_is_no_rule() -> None:
    refused = {"FailedEntryCount": 1, "FailedEntries": [{"TargetId": "1", "ErrorMessage": "later"}]}
    with mock.patch.object(EventBridge, "put_targets", return_value=refused):
        world = World()
        with world.installed():
            world.stack.status = FORWARD
            world.experiment("Running", Pace(stop=3500))
            answer = answered(world, world.request("Update"))

    assert answer["Reason"].endswith("PutTargets: later")
    assert world.leftovers == []


def undated(event: dict[str, Any]) -> dict[str, Any]:
    """The same request with a ResponseURL that has no date."""
    event["ResponseURL"] = event["ResponseURL"].replace("X-Amz-Date", "X-Other-Date")
    return event


def test_without_a_date_a_rule_that_can_never_be_made_fails_at_once(world: World) -> None:
    """Then the number of deliveries is unknown, so leaving without an answer could hang."""
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=3500))
    world.fail("PutRule", "denied", attempts=FOR_EVER)
    answer = answered(world, undated(world.request("Update")))

    assert "rule could not be created" in answer["Reason"]
    assert deliveries(world) == 1


@pytest.mark.parametrize("stop", [100, 1500, 3100])
def test_without_a_date_a_stop_is_awaited_all_the_same(world: World, stop: float) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=stop))
    assert answered(world, undated(world.request("Update")))["Status"] == "SUCCESS"
    assert stops(world) == 1
    assert world.leftovers == []


@pytest.mark.parametrize(
    ("request_type", "kind", "after"),
    [
        ("Update", "denied", 60),
        ("Update", "unavailable", 3300),
        ("Delete", "denied", 0),
        ("Delete", "unavailable", 0),
    ],
)
def test_a_rollback_succeeds_though_the_experiment_cannot_be_looked_at(
    world: World, request_type: str, kind: str, after: float
) -> None:
    """An Update would wait for a stop in progress: an outage does not say that there is none."""
    world.stack.status = ROLLBACK
    world.experiment("Running")
    world.fail("DescribeInferenceExperiment", kind, attempts=FOR_EVER)
    asked = world.deliver(world.request(request_type, KEEP, PROMOTE))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert after <= seconds(asked) < after + 70
    assert stops(world) == 0
    assert world.leftovers == []


def test_a_rollback_waits_for_its_stop_though_a_look_is_throttled_for_minutes(
    world: World,
) -> None:
    world.stack.status = ROLLBACK
    world.experiment("Stopping", Pace(stop=600))
    throttled = world.fail("DescribeInferenceExperiment", "throttled", attempts=FOR_EVER)
    asked = world.deliver(world.request("Update", KEEP, PROMOTE))
    world.run(200)
    assert asked.answer is None
    throttled.attempts = 0
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert seconds(asked) >= 600
    assert world.leftovers == []


def test_a_rollback_to_properties_that_were_refused_succeeds(world: World) -> None:
    world.stack.status = ROLLBACK
    world.experiment("Running")
    refused = {**PROMOTE, "StopOn": [{"Fn": "never"}]}
    assert answered(world, world.request("Update", KEEP, refused))["Status"] == "SUCCESS"


def test_a_look_that_is_denied_after_the_stop_does_not_say_that_nothing_happened(
    world: World,
) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    asked = world.deliver(world.request("Update"))
    world.run(100)
    world.fail("DescribeInferenceExperiment", "denied", attempts=FOR_EVER)
    world.run_to_quiet()

    assert told(asked)["Status"] == "FAILED"
    assert "was sent" in told(asked)["Reason"]


def test_a_stop_that_is_denied_says_that_nothing_happened(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    world.fail("StopInferenceExperiment", "denied", attempts=FOR_EVER)
    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "FAILED"
    assert "was left as it is" in answer["Reason"]


@pytest.mark.parametrize("request_type", ["Update", "Delete"])
def test_a_promotion_on_instances_that_may_never_be_read_stops_nothing(
    world: World, request_type: str
) -> None:
    """Neither does a teardown, which must not shrink a fleet."""
    world.stack.status = "DELETE_IN_PROGRESS" if request_type == "Delete" else FORWARD
    world.experiment("Running")
    world.fail("DescribeEndpoint", "denied", attempts=FOR_EVER)
    answer = answered(world, world.request(request_type, SAID))

    assert answer["Status"] == "FAILED"
    assert "nothing was stopped" in answer["Reason"]
    assert "DescribeEndpoint: AccessDenied" in answer["Reason"]
    assert 60 <= world.elapsed < 70
    assert stops(world) == 0


def test_instances_that_cannot_be_read_for_a_while_are_read_again(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=20))
    world.fail("DescribeEndpoint", "unavailable", attempts=30)
    answer = answered(world, world.request("Update", SAID))

    assert answer["Status"] == "SUCCESS"
    assert stops(world) == 1


@pytest.mark.parametrize("kind", ["denied", "unavailable", "lost"])
def test_instances_that_are_only_compared_neither_fail_nor_delay_a_stop(
    world: World, kind: str
) -> None:
    world.stack.status = FORWARD
    world.stack.event_lag = 0
    world.experiment("Running", Pace(stop=120))
    world.fail("DescribeEndpoint", kind, attempts=FOR_EVER)
    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "SUCCESS"
    [stop] = world.journal.calls("StopInferenceExperiment")
    [look, *_] = world.journal.calls("DescribeEndpoint")
    assert stop.at < look.at


def test_a_conflict_until_the_deadline_is_answered_with_the_status_that_it_comes_from(
    world: World,
) -> None:
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(begin=10**6))
    asked = world.deliver(world.request("Update", {**PROMOTE, "ServiceTimeout": "300"}))
    world.run(400)

    assert told(asked)["Status"] == "FAILED"
    assert "was not stopped within 275 s" in told(asked)["Reason"]
    assert "is Updating" in told(asked)["Reason"]
    assert "StopInferenceExperiment: ConflictException: " in told(asked)["Reason"]
    assert world.leftovers == []


def test_a_stop_under_way_for_the_same_reason_is_no_promotion(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Stopping")
    world.sagemaker.experiments[NAME].reason = SAME_REASON
    answer = answered(world, _update_for_the_same_reason(world))

    assert answer["Status"] == "FAILED"
    assert "cannot be promoted any more" in answer["Reason"]


def test_a_promotion_for_the_same_reason_is_known_again_after_a_kill(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    asked = world.deliver(_update_for_the_same_reason(world))
    world.run(5)
    [running] = world.function.running.values()
    running.task.is_killed = True
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) == 1


def _update_for_the_same_reason(world: World) -> dict[str, Any]:
    new, old = ({**declared, "Reason": SAME_REASON} for declared in (PROMOTE, KEEP))
    return world.request("Update", new, old)


def throttle(world: World, throttled: str, share: float) -> None:
    """Throttle a share of the calls of an operation, at random."""
    due, chance = world.faults.due, random.Random(1)

    def some(operation: str, now: float) -> str | None:
        if operation == throttled and chance.random() < share:
            return "throttled"
        return due(operation, now)

    world.faults.due = some  # type: ignore[method-assign]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_minute_of_doubt_is_no_longer_where_looks_are_throttled(
    world: World, share: float
) -> None:
    """A look that was throttled says nothing, so it does not begin the minute anew."""
    world.stack.status = FORWARD
    world.experiment("Running")
    event = world.request("Update")
    now = world.clock.now
    world.stack.events.append(Event(now, "Bucket", "a", "AWS::S3::Bucket", "UPDATE_FAILED"))
    throttle(world, "DescribeStackEvents", share)
    asked = world.deliver(event)
    world.run_to_quiet()

    assert told(asked)["Status"] == "FAILED"
    assert "another resource of this deployment failed" in told(asked)["Reason"]
    assert 60 <= seconds(asked) < 200
    assert stops(world) == 0


def long_history(world: World, pages: int) -> None:
    """The operation under way has many pages of events."""
    world.cloudformation.event_page_size = 10
    first = world.clock.now - 4
    for number in range(10 * pages):
        at = first + number / 10_000
        bucket = f"Bucket{number}"
        world.stack.events.append(Event(at, bucket, "a", "AWS::S3::Bucket", "UPDATE_COMPLETE"))


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_a_page_of_events_that_is_throttled_costs_only_itself(world: World, share: float) -> None:
    """Hundreds of pages: if all were read anew, no look would ever end."""
    world.stack.status = FORWARD
    long_history(world, 400)
    world.experiment("Running", Pace(stop=60))
    throttle(world, "DescribeStackEvents", share)
    asked = world.deliver(world.request("Update"))
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert seconds(asked) < 900
    assert len(world.sagemaker.experiments[NAME].stops) == 1


def test_a_token_of_a_page_of_events_that_is_refused_is_not_used_again(world: World) -> None:
    world.stack.status = FORWARD
    long_history(world, 3)
    world.experiment("Running", Pace(stop=60))
    queries = world.aws._queries
    describe = queries["DescribeStackEvents"]
    refused: list[str] = []

    def expired(members: Members) -> str:
        if members.get("NextToken") and len(refused) < 2:
            refused.append(members["NextToken"])
            raise Refused("ValidationError", "The token has expired")
        return describe(members)

    queries["DescribeStackEvents"] = expired
    assert answered(world, world.request("Update"))["Status"] == "SUCCESS"
    assert len(refused) == 2


def test_only_the_resources_own_events_keep_their_properties(world: World) -> None:
    """Those of a thousand pages would fill the function's memory."""
    world.stack.status = FORWARD
    long_history(world, 3)
    said = '{"of": "another resource"}'
    world.stack.events[:] = [replace(event, properties=said) for event in world.stack.events]
    world.experiment("Running", Pace(stop=60))
    with mock.patch.object(look, "History", wraps=History) as decided:
        world.deliver(world.request("Update"))
        world.run(3)

    known = [
        event
        for call in decided.call_args_list
        for stack in call.args[1]
        for event in stack.events.newest_first
    ]
    assert len({event.event_id for event in known}) > 20
    assert {event.logical_id for event in known if event.properties} == {LOGICAL_ID}


def test_a_long_history_is_decided_anew_less_often_than_a_page_is_read(world: World) -> None:
    """Each time takes as long as the history that is known: once a page is too often."""
    world.stack.status = FORWARD
    long_history(world, 200)
    world.experiment("Running", Pace(stop=60))
    with mock.patch.object(look, "History", wraps=History) as decided:
        world.deliver(world.request("Update"))
        world.run(12)

    assert len(list(world.journal.calls("DescribeStackEvents"))) > 200
    assert decided.call_count < 80


def test_a_doubt_that_has_cleared_is_not_handed_over(world: World) -> None:
    """Otherwise the first doubt of a later firing would be older than a minute."""
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(begin=400, stop=60))
    asked = world.deliver(world.request("Update"))
    world.run(30)
    assert world.events.rules
    # The progress changes in the very look that is in doubt.
    experiment = world.sagemaker.experiments[NAME]
    experiment._record.request["Schedule"]["EndTime"] += 3600.0
    doubt = world.fail("DescribeStacks", "denied", attempts=1)
    world.run(90)
    assert doubt.hits == 1
    doubt = world.fail("DescribeStacks", "denied", attempts=1)
    world.run_to_quiet()

    assert doubt.hits == 1
    assert told(asked)["Status"] == "SUCCESS"
    assert stops(world) > 0


IN_PROGRESS = "Cannot update in-progress endpoint"
NO_ENDPOINT = "Could not find endpoint"


def refusing(world: World, operation: str, code: str, message: str, times: int = FOR_EVER) -> None:
    """SageMaker refuses an operation, at first or always."""
    operations = world.aws._operations
    carry_out, refused = operations[operation], iter(range(times))

    def answer(members: Members) -> Members:
        if next(refused, None) is not None:
            raise Refused(code, message)
        return carry_out(members)

    operations[operation] = answer


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("StopInferenceExperiment", "ValidationException", IN_PROGRESS),
        ("StopInferenceExperiment", "ConflictException", ""),
        ("DescribeInferenceExperiment", "ConflictException", ""),
    ],
)
def test_a_change_that_is_under_way_is_awaited(
    world: World, operation: str, code: str, message: str
) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=60))
    refusing(world, operation, code, message, times=8)

    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["StoppedByThisResource"] == "true"


@pytest.mark.parametrize("operation", ["DescribeEndpoint", "StopInferenceExperiment"])
def test_an_endpoint_that_is_gone_is_said_to_be_at_once(world: World, operation: str) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    refusing(world, operation, "ValidationException", NO_ENDPOINT)

    asked = world.deliver(world.request("Update", SAID))
    world.run_to_quiet()

    assert told(asked)["Status"] == "FAILED"
    assert told(asked)["Reason"].endswith(f"{operation}: ValidationException: {NO_ENDPOINT}")
    # The stack's events show the request after two seconds.
    assert seconds(asked) < 4


class Proxy:
    """A proxy that answers calls of an operation itself, a number of times."""

    def __init__(self, world: World, operation: str, answer: HttpResponse, times: int = 3) -> None:
        self.hits = 0
        respond = world.aws.respond

        def first(request: HttpRequest) -> HttpResponse:
            if request.method == "PUT" or by_name(request)[0] != operation or self.hits >= times:
                return respond(request)
            self.hits += 1
            return answer

        world.aws.respond = first  # type: ignore[method-assign]


NOT_OF_AWS = {
    "503": HttpResponse(503, b"upstream connect error"),
    "502": HttpResponse(502, b"<html><body>Bad gateway</body></html>"),
    "empty": HttpResponse(200, b""),
    "cut": HttpResponse(200, b"<DescribeStacksResponse><Descr"),
    "a page": HttpResponse(200, b"<html></html>"),
    "JSON": HttpResponse(200, b"[]"),
    "Latin-1": HttpResponse(403, b"Der Zugriff ist gesperrt f\xfcr diese Adresse"),
}


@pytest.mark.parametrize("answer", NOT_OF_AWS.values(), ids=NOT_OF_AWS)
@pytest.mark.parametrize(
    "operation",
    [
        "DescribeInferenceExperiment",
        "DescribeStacks",
        "DescribeStackEvents",
        "StopInferenceExperiment",
        "PutRule",
        "RemoveTargets",
    ],
)
def test_a_response_that_is_not_of_aws_is_no_answer(
    world: World, operation: str, answer: HttpResponse
) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=60))
    proxy = Proxy(world, operation, answer, 1 if operation == "RemoveTargets" else 3)

    assert answered(world, world.request("Update"))["Status"] == "SUCCESS"
    assert proxy.hits > 0
    assert len(world.sagemaker.experiments[NAME].stops) == 1


def test_a_rule_that_is_not_made_for_a_response_that_is_not_of_aws_says_so(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=3500))
    Proxy(world, "PutRule", NOT_OF_AWS["JSON"], FOR_EVER)

    reason = answered(world, world.request("Update"))["Reason"]
    assert "AttributeError: " in reason


@pytest.mark.parametrize("operation", ["ListTargetsByRule", "RemoveTargets", "DeleteRule"])
@pytest.mark.parametrize("answer", NOT_OF_AWS.values(), ids=NOT_OF_AWS)
def test_a_response_that_is_not_of_aws_turns_no_answer_to_a_deletion(
    world: World, operation: str, answer: HttpResponse
) -> None:
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment("Running", Pace(stop=60))
    proxy = Proxy(world, operation, answer, 1)

    assert answered(world, world.request("Delete"))["Status"] == "SUCCESS"
    assert proxy.hits > 0


STOP = "StopInferenceExperiment"
NO_STOP = "Cannot stop InferenceExperiment with status Created"


@pytest.mark.parametrize("code", ["ValidationException", "ConflictException"])
@pytest.mark.parametrize(("request_type", "status"), [("Update", "FAILED"), ("Delete", "SUCCESS")])
def test_a_test_that_has_not_begun_may_refuse_its_stop_by_any_error(
    world: World, request_type: str, status: str, code: str
) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if request_type == "Delete" else FORWARD
    world.experiment("Created")
    refusing(world, STOP, code, NO_STOP)

    asked = world.deliver(world.request(request_type))
    world.run_to_quiet()

    assert told(asked)["Status"] == status
    assert "has not started" in told(asked)["Reason"]
    assert 90 <= seconds(asked) < 120


@pytest.mark.parametrize("is_throttled", [False, True], ids=["", "throttled"])
@pytest.mark.parametrize("ending", ["ended", "gone"])
@pytest.mark.parametrize("request_type", ["Update", "Delete"])
def test_a_stop_that_is_refused_as_the_test_ends_is_answered_by_what_a_look_finds(
    world: World, request_type: str, ending: str, is_throttled: bool
) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if request_type == "Delete" else FORWARD
    world.experiment("Running", Pace(settle=0))
    message = "Cannot stop InferenceExperiment with status Completed"

    def refuse(_members: Members) -> Members:
        if ending == "ended":
            world.sagemaker.experiments[NAME].conclude("Completed", "by hand")
        else:
            world.sagemaker.experiments.pop(NAME, None)
        if is_throttled:
            world.fail("DescribeInferenceExperiment", "throttled", attempts=3)
        raise Refused("ValidationException", message if ending == "ended" else "It does not exist")

    world.aws._operations[STOP] = refuse
    answer = answered(world, world.request(request_type, KEEP, PROMOTE))

    is_failure = (request_type, ending) == ("Update", "gone")
    assert answer["Status"] == ("FAILED" if is_failure else "SUCCESS")
    assert stops(world) == 1


def test_a_stop_that_is_refused_though_the_test_runs_is_sent_once(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    refusing(world, STOP, "ValidationException", "No")

    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].endswith("StopInferenceExperiment: ValidationException: No")
    assert stops(world) == 1


@pytest.mark.parametrize("operation", ["DescribeInferenceExperiment", "StopInferenceExperiment"])
def test_a_refusal_without_a_word_still_has_a_reason(world: World, operation: str) -> None:
    world.stack.status = FORWARD
    world.experiment("Running")
    refusing(world, operation, "ValidationException", "")

    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].endswith(f"{operation}: ValidationException")


def cannot_stop_twice(
    world: World, code: str = "ValidationException", *, is_lost: bool = False
) -> None:
    """SageMaker refuses every Stop after the one that it accepts, whose response may be lost."""
    stop = world.aws._operations[STOP]

    def once(members: Members) -> Members:
        if accepted_stops(world):
            raise Refused(code, "Cannot stop InferenceExperiment with status Stopping")
        answer = stop(members)
        if is_lost:
            raise Refused("ServiceUnavailable", "Try again", 503)
        return answer

    world.aws._operations[STOP] = once


def accepted_stops(world: World) -> int:
    return sum(len(each.stops) for each in world.sagemaker.experiments.values())


@pytest.mark.parametrize("begin", [380.0, 385.0])
def test_a_stop_refused_since_another_invocation_sent_it_is_no_failure(
    world: World, begin: float
) -> None:
    """The schedule and the endpoint's event fire at about the same time."""
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(begin=begin, stop=60))
    cannot_stop_twice(world)
    answer = answered(world, world.request("Update"))

    assert answer["Status"] == "SUCCESS"
    assert accepted_stops(world) == 1


def test_a_firing_whose_stop_is_refused_leaves(world: World) -> None:
    """The next one comes within a minute, or when the endpoint settles."""
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(begin=400, stop=60))
    world.deliver(world.request("Update"))
    world.run(60)
    before = stops(world)
    world.run(60)

    assert stops(world) == before + 1


@pytest.mark.parametrize("request_type", ["Update", "Delete"])
def test_a_stop_whose_response_was_lost_is_not_sent_again_while_a_describe_may_lag(
    world: World, request_type: str
) -> None:
    world.stack.status = "DELETE_IN_PROGRESS" if request_type == "Delete" else FORWARD
    world.experiment("Running", Pace(stop=60, lag=8))
    cannot_stop_twice(world, is_lost=True)
    answer = answered(world, world.request(request_type))

    assert answer["Status"] == "SUCCESS"
    assert stops(world) == 1


def test_a_request_that_is_delivered_twice_at_once_fails_neither(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=60))
    cannot_stop_twice(world)
    event = world.request("Update")
    asked = world.deliver(event)
    world.deliver(event)
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert (accepted_stops(world), stops(world)) == (1, 2)
    assert world.leftovers == []


def test_a_deletion_that_names_a_variant_wrong_fails_though_the_test_has_not_begun(
    world: World,
) -> None:
    """SageMaker refuses it for its variants: success would take the order for carried out."""
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment("Created")
    wrong = {**KEEP, "ModelVariantActions": {"production": "Retain", "shadwo": "Remove"}}
    refusing(world, STOP, "ValidationException", "There is no variant shadwo")
    answer = answered(world, world.request("Delete", wrong))

    assert answer["Status"] == "FAILED"
    assert "There is no variant shadwo" in answer["Reason"]
    assert stops(world) == 1


def test_a_refused_stop_leaves_the_rule_what_another_invocation_has_sent(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Updating", Pace(begin=385, stop=60))
    asked = world.deliver(world.request("Update"))
    world.run(60)
    made = len(list(world.journal.calls("PutTargets")))
    world.run_to_quiet()

    inputs = [
        call.detail["request"]["Targets"][0]["InputTransformer"]["InputTemplate"]
        for call in world.journal.calls("PutTargets")
    ][made:]
    assert told(asked)["Status"] == "SUCCESS"
    assert inputs
    assert not [template for template in inputs if '"sent": ""' in template]


PAGE_OF_A_PROXY = HttpResponse(429, b"<html>" + random.Random(1).randbytes(17_000).hex().encode())


def test_a_page_of_a_proxy_for_a_stop_does_not_fill_the_rules_input(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", Pace(stop=60))
    Proxy(world, STOP, PAGE_OF_A_PROXY, 30)

    assert answered(world, world.request("Update"))["Status"] == "SUCCESS"
    assert all(
        len(call.detail["request"]["Targets"][0]["InputTransformer"]["InputTemplate"]) < 8192
        for call in world.journal.calls("PutTargets")
    )
    assert max(len(entry.detail["line"]) for entry in world.journal if entry.kind == LOG) < 8192


def test_a_rule_that_cannot_be_removed_answers_by_its_next_firing(world: World) -> None:
    """It fires each minute: invocations that tried to the end of their time would add up."""
    world.stack.status = "DELETE_IN_PROGRESS"
    world.experiment("Running", Pace(stop=100, settle=2))
    world.fail("ListTargetsByRule", "denied", attempts=FOR_EVER)
    put = world.fail("PUT", "error", attempts=FOR_EVER)
    asked = world.deliver(world.request("Delete"))
    at_once = 0
    for _ in range(90):
        world.run(10)
        at_once = max(at_once, len(world.function.running))
    put.attempts = 0
    world.run_to_quiet()

    assert told(asked)["Status"] == "SUCCESS"
    assert at_once <= 2
    assert world.leftovers == []
