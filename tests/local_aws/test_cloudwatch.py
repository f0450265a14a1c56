"""The local AWS's metrics of an endpoint's variants, and alarms on them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local_aws import LocalAws

from .test_iam_requests import allow, is_allowed, user

Json = dict[str, Any]
HOUR = 3600
ALARM_ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:"


def now() -> float:
    return time.time() // 60 * 60


def query(
    name: str = "a",
    metric: str = "Invocations",
    stat: str = "Sum",
    *,
    variant: str = "shadow",
    period: int = 300,
) -> Json:
    dimensions = {"EndpointName": "fraud", "VariantName": variant}
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    of = {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": named}
    return {"Id": name, "MetricStat": {"Metric": of, "Period": period, "Stat": stat}}


def read(aws: LocalAws, *queries: Json, hours: float = 2, **more: Any) -> Json:
    end = now() // HOUR * HOUR
    answer: Json = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries), StartTime=end - hours * HOUR, EndTime=end, **more
    )
    return answer


def values(aws: LocalAws, *asked: Any, **of: Any) -> list[float]:
    found: list[float] = read(aws, query("a", *asked, **of))["MetricDataResults"][0]["Values"]
    return found


class TestMetrics:
    @pytest.fixture(autouse=True)
    def _traffic(self, aws: LocalAws) -> None:
        aws.traffic(
            hours=4,
            production={"requests": 100},
            shadow={"requests": 50, "latency_ms": 40, "slow_ms": 90, "errors_5xx": 0.02},
        )

    def test_requests_are_counted_by_variant(self, aws: LocalAws) -> None:
        assert values(aws) == [250.0] * 24
        assert values(aws, variant="production") == [500.0] * 24
        assert values(aws, variant="canary") == []

    def test_latencies_are_microseconds_of_which_percentiles_can_be_made(
        self, aws: LocalAws
    ) -> None:
        told = {"period": HOUR}
        assert values(aws, "ModelLatency", "p50", **told) == [40_000.0] * 2
        assert values(aws, "ModelLatency", "p95", **told) == [40_000.0] * 2
        assert values(aws, "ModelLatency", "p99", **told) == [90_000.0] * 2
        assert values(aws, "ModelLatency", "SampleCount", **told) == [3000.0] * 2
        assert values(aws, "ModelLatency", "Average", **told) == pytest.approx([41_000.0] * 2)

    def test_errors_are_1_and_everything_else_0(self, aws: LocalAws) -> None:
        assert values(aws, "Invocation5XXErrors", "Sum") == pytest.approx([5.0] * 24)
        assert values(aws, "Invocation5XXErrors", "SampleCount") == pytest.approx([250.0] * 24)
        assert values(aws, "Invocation4XXErrors", "Sum") == [0.0] * 24
        assert values(aws, "InvocationModelErrors", "SampleCount") == pytest.approx([250.0] * 24)

    def test_errors_come_in_bursts_at_the_same_times_whenever_they_are_read(
        self, aws: LocalAws
    ) -> None:
        aws.traffic(hours=4, shadow={"requests": 50, "errors_5xx": 0.02, "burst": 25})
        found = values(aws, "Invocation5XXErrors", period=60)
        assert set(found) == {0.0, 25.0}
        assert 2 <= found.count(25.0) <= 9  # in two hours, 4.8 are expected
        assert values(aws, "Invocation5XXErrors", period=60) == found
        assert sum(values(aws, "Invocation5XXErrors")) == sum(found)
        assert values(aws, "Invocation5XXErrors", "SampleCount", period=60) == [50.0] * 120

    def test_other_metrics_are_read_in_the_same_call(self, aws: LocalAws) -> None:
        """Two numbers of another namespace, put half an hour apart."""
        at = now() // HOUR * HOUR - HOUR
        for value, minutes in ((0.25, 10), (0.75, 40)):
            one = {"MetricName": "Agreement", "Value": value, "Timestamp": at + minutes * 60}
            aws.client("cloudwatch").put_metric_data(Namespace="Fraud", MetricData=[one])
        metric = {"Namespace": "Fraud", "MetricName": "Agreement"}
        agreement = {
            "Id": "b",
            "MetricStat": {"Metric": metric, "Period": HOUR, "Stat": "Average"},
        }
        answer = read(aws, query("a", period=HOUR), agreement)["MetricDataResults"]
        assert [one["Values"] for one in answer] == [[3000.0] * 2, [0.5]]

    def test_a_metric_can_be_missing(self, aws: LocalAws) -> None:
        aws.traffic(hours=4, shadow={"requests": 50, "lacks": ["Invocation5XXErrors"]})
        assert values(aws, "Invocation5XXErrors", "SampleCount") == []
        assert values(aws) == [250.0] * 24

    def test_pages_are_partial_until_the_last(self, aws: LocalAws) -> None:
        aws.configure(metrics_page_size=30)
        first = read(aws, query("a"), query("b"))
        told = [(one["Id"], one["StatusCode"], len(one["Values"])) for one in first[RESULTS]]
        assert told == [("a", "Complete", 24), ("b", "PartialData", 6)]
        last = read(aws, query("a"), query("b"), NextToken=first["NextToken"])
        told = [(one["Id"], one["StatusCode"], len(one["Values"])) for one in last[RESULTS]]
        assert told == [("b", "Complete", 18)]
        assert "NextToken" not in last

    def test_metrics_can_come_late(self, aws: LocalAws) -> None:
        aws.configure(metrics_delay_seconds=2 * HOUR + HOUR)
        assert values(aws, period=HOUR) == []


RESULTS = "MetricDataResults"


class TestAlarms:
    @staticmethod
    def put(aws: LocalAws, name: str = "too-slow", **members: Any) -> None:
        of = query(metric="ModelLatency")["MetricStat"]["Metric"]
        alarm = {
            **{name: of[name] for name in ("Namespace", "MetricName", "Dimensions")},
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 2,
            "Threshold": 50_000.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }
        aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **{**alarm, **members})

    @staticmethod
    def state(aws: LocalAws, name: str = "too-slow", kind: str = "MetricAlarm") -> str:
        told = aws.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=[kind])
        return str(told[f"{kind}s"][0]["StateValue"])

    def test_sees_its_own_dimensions_only(self, aws: LocalAws) -> None:
        self.put(aws)
        assert self.state(aws) == "INSUFFICIENT_DATA"
        aws.traffic(hours=1, production={"requests": 10, "latency_ms": 90})
        assert self.state(aws) == "INSUFFICIENT_DATA"
        aws.traffic(hours=1, shadow={"requests": 10, "latency_ms": 40})
        assert self.state(aws) == "OK"
        aws.traffic(hours=1, shadow={"requests": 10, "latency_ms": 60})
        assert self.state(aws) == "ALARM"

    @pytest.mark.parametrize(
        ("treats", "state"),
        [("notBreaching", "OK"), ("breaching", "ALARM"), ("ignore", "INSUFFICIENT_DATA")],
    )
    def test_treats_missing_data_as_told(self, aws: LocalAws, treats: str, state: str) -> None:
        self.put(aws, TreatMissingData=treats)
        assert self.state(aws) == state

    def test_a_composite_alarm_follows(self, aws: LocalAws) -> None:
        self.put(aws)
        aws.client("cloudwatch").put_composite_alarm(
            AlarmName="any", AlarmRule="ALARM(too-slow)", ActionsEnabled=False
        )
        aws.traffic(hours=1, shadow={"requests": 10, "latency_ms": 60})
        assert self.state(aws, "any", "CompositeAlarm") == "ALARM"


class TestIam:
    @pytest.fixture(autouse=True)
    def _alarms(self, aws: LocalAws) -> None:
        for name in ("mine", "another"):
            TestAlarms.put(aws, name)

    def test_alarms_are_permitted_by_name(self, aws: LocalAws) -> None:
        allowed = allow("cloudwatch:DescribeAlarms", resource=f"{ALARM_ARN}mine")
        alarms = user(aws, allowed)("cloudwatch").describe_alarms
        assert is_allowed(alarms, AlarmNames=["mine"], AlarmTypes=["MetricAlarm"])
        assert not is_allowed(alarms, AlarmNames=["mine", "another"], AlarmTypes=["MetricAlarm"])
        assert not is_allowed(alarms, AlarmNames=["mine"], AlarmTypes=["CompositeAlarm"])

    def test_composite_alarms_need_a_permission_on_all(self, aws: LocalAws) -> None:
        alarms = user(aws, allow("cloudwatch:DescribeAlarms"))("cloudwatch").describe_alarms
        assert is_allowed(alarms, AlarmNames=["mine"], AlarmTypes=["CompositeAlarm"])
