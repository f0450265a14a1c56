"""Reading CloudWatch with the real boto3: pages, statuses, lasting faults, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest

from loopback.clock import EPOCH
from loopback.cloudwatch import ALARM, CLOSED, EVIDENCE, CloudWatch
from loopback.sagemaker import NAME_OF_ENDPOINT, Pace
from loopback.wire import Members
from loopback.world import PROMOTE, World

from .asking import FORWARD, GATED, SHORT, answered, operations, seconds, stops, told

FOR_EVER = 10**9
A_FIRING = 65.0
"""What waits longer than 20 s is answered by the rule, which fires each minute."""

READS = ("GetMetricData", "DescribeAlarms")


def prepare(world: World) -> None:
    world.stack.status = FORWARD
    world.experiment("Running", SHORT)


@pytest.fixture(autouse=True)
def _running(world: World) -> None:
    prepare(world)


def reads(world: World) -> list[str]:
    return [name for name in operations(world) if name in READS]


def asked(world: World, operation: str) -> list[Mapping[str, Any]]:
    return [call.detail["request"] for call in world.journal.calls(operation)]


def report(answer: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer["Data"]["Evidence"])
    return found


class TestQuestion:
    def test_is_of_both_variants_in_the_namespace_of_sagemaker(self, world: World) -> None:
        answered(world, world.request("Update", GATED))
        stats = [
            query["MetricStat"]
            for request in asked(world, "GetMetricData")
            for query in request["MetricDataQueries"]
        ]
        assert {stat["Metric"]["Namespace"] for stat in stats} == {"AWS/SageMaker"}
        dimensions = {tuple(one["Value"] for one in stat["Metric"]["Dimensions"]) for stat in stats}
        assert dimensions == {(NAME_OF_ENDPOINT, "production"), (NAME_OF_ENDPOINT, "shadow")}
        assert {(stat["Metric"]["MetricName"], stat["Stat"], stat["Period"]) for stat in stats} == {
            ("Invocations", "Sum", 300),
            ("Invocation5XXErrors", "Sum", 300),
            ("Invocation5XXErrors", "SampleCount", 300),
            ("ModelLatency", "p95", 3600),
            ("ModelLatency", "SampleCount", 3600),
        }

    def test_is_of_whole_periods(self, world: World) -> None:
        answered(world, world.request("Update", GATED))
        for request in asked(world, "GetMetricData"):
            (period,) = {one["MetricStat"]["Period"] for one in request["MetricDataQueries"]}
            assert request["StartTime"] % period == request["EndTime"] % period == 0
            assert request["EndTime"] <= EPOCH - 300

    def test_pages_are_read_on(self, world: World) -> None:
        answered(world, world.request("Update", GATED))
        assert any("NextToken" in request for request in asked(world, "GetMetricData"))

    def test_is_the_same_for_every_delivery(self, world: World) -> None:
        event = world.request("Update", GATED)
        world.cloudwatch.tell("slow")
        world.deliver(event)
        world.run(200)
        world.stack.status = FORWARD
        world.function.invoke(event)
        world.run_to_quiet()
        first = [one for one in asked(world, "GetMetricData") if "NextToken" not in one]
        assert len({json.dumps(one) for one in first}) < len(first) or len(first) == 2

    def test_composite_alarms_are_asked_for_only_if_no_metric_alarm_has_the_name(
        self, world: World
    ) -> None:
        answered(world, world.request("Update", GATED))
        assert [one["AlarmTypes"] for one in asked(world, "DescribeAlarms")] == [["MetricAlarm"]]

    @pytest.mark.parametrize("kind", ["CompositeAlarm", "LogAlarm"])
    def test_an_alarm_of_another_kind_counts(self, kind: str) -> None:
        def described(_: CloudWatch, members: Members) -> Members:
            known = [{"AlarmName": ALARM, "StateValue": "OK"}]
            return {
                "MetricAlarms": [],
                **({f"{kind}s": known} if members["AlarmTypes"] == [kind] else {}),
            }

        with mock.patch.object(CloudWatch, "describe_alarms", described), World().installed() as w:
            w.stack.status = FORWARD
            w.experiment("Running", SHORT)
            assert answered(w, w.request("Update", GATED))["Status"] == "SUCCESS"


class TestIncompleteAnswers:
    @staticmethod
    def answer(status: str | None, *, keep: bool) -> dict[str, Any]:
        def read(_: CloudWatch, members: Members) -> Members:
            ids = [query["Id"] for query in members["MetricDataQueries"]]
            results = [
                {"Id": one, "StatusCode": status, "Timestamps": [], "Values": []} for one in ids
            ]
            return {"MetricDataResults": results if keep else []}

        with mock.patch.object(CloudWatch, "get_metric_data", read), World().installed() as world:
            world.stack.status = FORWARD
            world.experiment("Running", SHORT)
            asked = world.deliver(world.request("Update", GATED))
            world.run_to_quiet()
            return {**told(asked), "seconds": seconds(asked), "stops": stops(world)}

    @pytest.mark.parametrize("status", ["InternalError", "PartialData", "Forbidden"])
    def test_a_status_other_than_complete_is_an_error_after_5_minutes(self, status: str) -> None:
        answer = self.answer(status, keep=True)
        assert (answer["Status"], answer["stops"]) == ("FAILED", 0)
        assert "the evidence is error" in answer["Reason"]
        assert status in answer["Reason"]
        assert 300 <= answer["seconds"] < 300 + A_FIRING

    def test_a_series_that_the_answer_does_not_hold_is_an_error(self) -> None:
        answer = self.answer(None, keep=False)
        assert "is missing" in answer["Reason"]


class TestFaults:
    @pytest.mark.parametrize("operation", READS)
    @pytest.mark.parametrize("kind", ["throttled", "unavailable", "unreachable", "lost"])
    def test_what_passes_within_5_minutes_is_retried(
        self, world: World, operation: str, kind: str
    ) -> None:
        fault = world.fail(operation, kind, attempts=FOR_EVER)
        asked = world.deliver(world.request("Update", GATED))
        world.run(250)
        fault.attempts = 0
        world.run_to_quiet()
        assert told(asked)["Status"] == "SUCCESS"
        assert stops(world) == 1

    @pytest.mark.parametrize("operation", READS)
    def test_what_lasts_is_an_error_after_5_minutes(self, world: World, operation: str) -> None:
        world.fail(operation, "throttled", attempts=FOR_EVER)
        asked = world.deliver(world.request("Update", GATED))
        world.run_to_quiet()
        assert told(asked)["Status"] == "FAILED"
        assert f"the evidence is error: {operation}: ThrottlingException" in told(asked)["Reason"]
        assert 300 <= seconds(asked) < 300 + A_FIRING
        assert stops(world) == 0

    @pytest.mark.parametrize("operation", READS)
    def test_a_denial_is_an_error_after_the_first_minute(
        self, world: World, operation: str
    ) -> None:
        world.fail(operation, "denied", attempts=FOR_EVER)
        asked = world.deliver(world.request("Update", GATED))
        world.run_to_quiet()
        assert f"the evidence is error: {operation}: AccessDeniedException" in told(asked)["Reason"]
        assert 60 <= seconds(asked) < 60 + A_FIRING

    def test_a_teardown_ends_by_keeping_production(self, world: World) -> None:
        world.stack.status = "DELETE_IN_PROGRESS"
        world.fail("GetMetricData", "throttled", attempts=FOR_EVER)
        assert answered(world, world.request("Delete", GATED))["Status"] == "SUCCESS"
        (sent,) = asked(world, "StopInferenceExperiment")
        assert sent["ModelVariantActions"] == {"production": "Retain", "shadow": "Remove"}

    def test_5_minutes_are_counted_across_the_polls_of_a_request(self, world: World) -> None:
        world.sagemaker.experiments.clear()
        world.experiment("Updating", Pace(stop=120, begin=900))
        world.fail("GetMetricData", "throttled", attempts=FOR_EVER)
        asked = world.deliver(world.request("Update", GATED))
        world.run_to_quiet()
        assert "the evidence is error" in told(asked)["Reason"]
        assert seconds(asked) < 300 + A_FIRING


@pytest.mark.parametrize("word", CLOSED)
class TestClosedGate:
    def test_stops_nothing_on_an_update(self, world: World, word: str) -> None:
        world.cloudwatch.tell(word)
        assert answered(world, world.request("Update", GATED))["Status"] == "FAILED"
        assert stops(world) == 0

    def test_keeps_production_on_a_deletion_and_does_not_use_the_users_words(
        self, world: World, word: str
    ) -> None:
        """A reason such as "the shadow is better" would be untrue."""
        world.stack.status = "DELETE_IN_PROGRESS"
        world.cloudwatch.tell(word)
        declared = {**GATED, "Reason": "The shadow is better"}
        assert answered(world, world.request("Delete", declared))["Status"] == "SUCCESS"
        (sent,) = asked(world, "StopInferenceExperiment")
        assert sent["ModelVariantActions"] == {"production": "Retain", "shadow": "Remove"}
        assert "The shadow is better" not in sent["Reason"]


class TestVerdict:
    def test_is_made_once_however_long_the_stop_is_refused(self, world: World) -> None:
        world.sagemaker.experiments.clear()
        world.experiment("Updating", Pace(stop=120, begin=1500))
        asked = world.deliver(world.request("Update", GATED))
        world.run(600)
        world.cloudwatch.tell("slow")
        world.run_to_quiet()
        assert told(asked)["Status"] == "SUCCESS"
        assert reads(world).count("DescribeAlarms") == 1
        assert stops(world) > 20

    def test_is_an_attribute_that_outlives_the_invocation(self, world: World) -> None:
        world.sagemaker.experiments.clear()
        world.experiment("Running", Pace(stop=2000))
        answer = answered(world, world.request("Update", GATED))
        told = report(answer)
        assert told["verdict"] == "successful"
        assert [one["verdict"] for one in told["comparisons"]] == ["successful"] * 2
        assert told["invocations"] == {"production": 12_000, "shadow": 6000}
        assert told["samplingPercentage"] == 50

    def test_is_empty_where_nothing_was_judged(self, world: World) -> None:
        assert answered(world, world.request("Update", PROMOTE))["Data"]["Evidence"] == ""

    def test_of_the_longest_declaration_keeps_to_every_limit(self, world: World) -> None:
        """Ten comparisons, and ten missing alarms with the longest names."""
        world.sagemaker.experiments.clear()
        world.experiment("Updating", Pace(stop=120, begin=1500))
        metrics = [{"Metric": "ModelLatency", "MaxRatio": "1.1", "MaxValue": "99000"}] * 5
        rates = [{"Metric": "InvocationModelErrors", "MaxRate": "0.1", "MaxIncrease": "0.05"}] * 5
        longest = {
            **EVIDENCE,
            "Comparisons": [{**one, "DryRun": "true"} for one in metrics + rates],
            "Alarms": [f"{number}" + "a" * 254 for number in range(10)],
        }
        old = {**PROMOTE, "PromoteIf": longest, "DesiredState": "Cancelled"}
        states = [{"AlarmName": name, "StateValue": "OK"} for name in longest["Alarms"]]
        with mock.patch.object(
            world.cloudwatch, "describe_alarms", return_value={"MetricAlarms": states}
        ):
            world.aws._operations["DescribeAlarms"] = world.cloudwatch.describe_alarms
            new = {**PROMOTE, "PromoteIf": longest}
            answer = answered(world, world.request("Update", new, old))
        assert answer["Status"] == "SUCCESS"
        assert len(report(answer)["comparisons"]) == 10
        assert world.events.limits_broken == []

    def test_in_full_is_in_the_log(self, world: World) -> None:
        answered(world, world.request("Update", GATED))
        logged = [json.loads(line) for line in world.journal.lines()]
        (full,) = [line["evidence"] for line in logged if line.get("decision") == "evidence"]
        assert full["alarms"] == {ALARM: "OK"}
