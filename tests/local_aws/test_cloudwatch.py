"""The local AWS's metrics of an endpoint's variants, and alarms on them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAws, LocalAwsError
from local_aws.shadow_test import create_shadow_test

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

    def test_a_burst_is_never_more_than_the_requests_of_a_minute(self, aws: LocalAws) -> None:
        aws.traffic(hours=4, shadow={"requests": 10, "errors_5xx": 0.5, "burst": 25})
        assert set(values(aws, "Invocation5XXErrors", period=60)) == {0.0, 10.0}

    def test_latencies_are_spread_around_their_median(self, aws: LocalAws) -> None:
        aws.traffic(hours=4, shadow={"requests": 50, "latency_ms": 40, "latency_spread": 0.2})
        of = {"period": HOUR}
        found = {
            stat: values(aws, "ModelLatency", stat, **of)[0] / 1000
            for stat in ("p50", "p90", "p99", "Average")
        }
        # Of a lognormal distribution: median times exp(0.2 z), and exp(0.02) for the average.
        assert found["p50"] == pytest.approx(40)
        assert found["p90"] == pytest.approx(40 * 1.292, rel=0.02)
        assert found["p99"] == pytest.approx(40 * 1.592, rel=0.02)
        assert found["Average"] == pytest.approx(40 * 1.0202, rel=0.01)

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

    def test_the_newest_come_first_unless_asked_otherwise(self, aws: LocalAws) -> None:
        newest = read(aws, query())["MetricDataResults"][0]["Timestamps"]
        oldest = read(aws, query(), ScanBy="TimestampAscending")["MetricDataResults"][0]
        assert newest == sorted(newest, reverse=True)
        assert oldest["Timestamps"] == sorted(newest)

    def test_other_traffic_goes_on_from_then(self, aws: LocalAws) -> None:
        aws.traffic(hours=now() / HOUR % 1 + 1, shadow={"requests": 10})
        assert values(aws, period=HOUR) == pytest.approx([600.0, 3000.0])

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

    def test_a_fault_is_answered_and_calls_are_logged(self, aws: LocalAws) -> None:
        aws.fail("GetMetricData", "ThrottlingException", times=5)
        with pytest.raises(ClientError, match="ThrottlingException"):
            values(aws)
        aws.clear_faults()
        assert values(aws)
        assert [call.error_code for call in aws.calls("GetMetricData")][-1] is None
        assert aws.calls("GetMetricData")[0].error_code == "ThrottlingException"

    def test_a_reset_forgets_the_traffic(self, aws: LocalAws) -> None:
        aws.reset()
        assert values(aws) == []


RESULTS = "MetricDataResults"


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        ({"requests": -1}, "'requests' must be at least 0"),
        ({"errors_5xx": 1.1}, "'errors_5xx' must be 0 to 1"),
        ({"burst": 0.5}, "'burst' must be at least 1"),
        ({"latency_spread": -0.1}, "'latency_spread' must be at least 0"),
        ({"request": 1}, "unknown traffic"),
    ],
)
def test_traffic_that_cannot_be_is_refused(aws: LocalAws, traffic: Json, said: str) -> None:
    with pytest.raises(LocalAwsError, match=said):
        aws.traffic(shadow=traffic)


def test_an_experiment_has_begun_before_its_traffic(aws: LocalAws) -> None:
    sagemaker = aws.client("sagemaker")
    create_shadow_test(sagemaker)
    aws.traffic(hours=24, shadow={"requests": 1})
    seen = sagemaker.describe_inference_experiment(Name="fraud-shadow")
    assert seen["Schedule"]["StartTime"].timestamp() <= time.time() - 24 * HOUR
    assert seen["CreationTime"].timestamp() <= time.time() - 24 * HOUR


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

    def test_goes_back_to_insufficient_data(self, aws: LocalAws) -> None:
        self.put(aws)
        aws.traffic(hours=1, shadow={"requests": 10, "latency_ms": 40})
        assert self.state(aws) == "OK"
        aws.traffic(hours=0.5, shadow={"requests": 0})
        assert self.state(aws) == "INSUFFICIENT_DATA"

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

    def test_metrics_cannot_be_permitted_one_by_one(self, aws: LocalAws) -> None:
        end = now()
        asked = {"MetricDataQueries": [query()], "StartTime": end - 600, "EndTime": end}
        allowed = user(aws, allow("cloudwatch:GetMetricData"))("cloudwatch").get_metric_data
        assert is_allowed(allowed, **asked)
