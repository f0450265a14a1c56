"""Evidence in the template: the property, validation, warnings, and the permissions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.assertions import Annotations, Match

from cdk_stop_inference_experiment import (
    Comparison,
    Evidence,
    InvalidPropsError,
    Outcome,
    StopInferenceExperimentProvider,
)
from tests.template.stacks import (
    EVIDENCE,
    PROMOTE_SHADOW,
    PROMOTION,
    RESOURCE_TYPE,
    Json,
    declare,
    new_stack,
    only,
    resources,
    synthesised,
    warnings_of,
)

LATENCY = Comparison.model_latency("p99", max_ratio=1.1)


def evidence(*comparisons: Any, **changes: Any) -> Evidence:
    values: Json = {"min_invocations": 10_000, "comparisons": list(comparisons or [LATENCY])}
    return Evidence(**{**values, **changes})


def declared(**props: Any) -> Json:
    stack = new_stack()
    declare(stack, **{**PROMOTION, "promote_if": EVIDENCE, **props})
    found: Json = only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"]
    return found


def refused(promote_if: Any, **props: Any) -> str:
    with pytest.raises(InvalidPropsError) as error:
        declare(new_stack(), **{**PROMOTION, "promote_if": promote_if, **props})
    return str(error.value)


def alarm(stack: cdk.Stack, construct_id: str = "Alarm") -> cloudwatch.Alarm:
    metric = cloudwatch.Metric(namespace="AWS/SageMaker", metric_name="ModelLatency")
    return cloudwatch.Alarm(stack, construct_id, metric=metric, threshold=1, evaluation_periods=1)


def test_the_property_has_cloudwatchs_units() -> None:
    assert (
        declared(otherwise=Outcome.keep_both()).items()
        >= {
            "PromoteIf": {
                "MinInvocations": 10_000,
                "Window": 43_200,
                "Comparisons": [
                    {
                        "Metric": "ModelLatency",
                        "Statistic": "p99",
                        "MaxRatio": 1.1,
                        "FailureLimit": 1,
                    },
                    {
                        "Metric": "ModelLatency",
                        "Statistic": "Average",
                        "MaxIncrease": 5000,
                        "MaxValue": 60_000,
                        "DryRun": True,
                    },
                    {"Metric": "Invocation5XXErrors", "MaxRate": 0.001, "MaxIncrease": 0.0005},
                ],
            },
            "Otherwise": "KeepBoth",
        }.items()
    )


def test_defaults_are_left_out() -> None:
    properties = declared(promote_if=evidence(Comparison.error_rate_4xx(max_rate=0.5)))
    assert properties["PromoteIf"] == {
        "MinInvocations": 10_000,
        "Comparisons": [{"Metric": "Invocation4XXErrors", "MaxRate": 0.5}],
    }
    assert "Otherwise" not in properties


@pytest.mark.parametrize("left_out", ["alarms", "comparisons"])
def test_none_leaves_out_a_list(left_out: str) -> None:
    stack = new_stack()
    one: Json = {"alarms": [alarm(stack)], "comparisons": [LATENCY], left_out: None}
    declare(stack, **{**PROMOTION, "promote_if": Evidence(confidence=0.95, **one)})
    (found,) = resources(synthesised(stack), RESOURCE_TYPE).values()
    assert left_out.title() not in found["Properties"]["PromoteIf"]


def test_actions_that_promote_may_need_evidence() -> None:
    assert "PromoteIf" in declared(outcome=None, model_variant_actions=PROMOTE_SHADOW)


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (Comparison.model_latency(max_ratio=0), "max_ratio' must be a number above 0, got 0"),
        (
            Comparison.model_error_rate(max_rate=1.1),
            "max_rate' must be a number above 0 and at most 1, got 1.1",
        ),
        (
            Comparison.model_latency("p75", max_ratio=1.1),
            "statistic' must be 'Average', 'p50', 'p90', 'p95' or 'p99', got 'p75'",
        ),
        (
            Comparison.model_latency(max_increase=5),  # type: ignore[arg-type]
            "max_increase' must be a Duration such as Duration.millis(5), got 5",
        ),
        (
            Comparison.model_latency(max_value=Duration.millis(cdk.Token.as_number({"Ref": "x"}))),
            "max_value' must be known at synth, got a token",
        ),
        ("p99", "comparisons[0]' must be an object, got 'p99'"),
    ],
)
def test_refuses_a_comparison(comparison: Any, said: str) -> None:
    text = refused(evidence(comparison))
    assert f"'promote_if.{said}" in text or f"'promote_if.comparisons[0].{said}" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_invocations": 0}, "min_invocations' must be a whole number from 1 to 10^15, got 0"),
        ({"window": Duration.days(31)}, "window' must be 300 to 2592000 whole seconds"),
        ({"window": 3600}, "window' must be a Duration such as"),
        ({"comparisons": []}, "' must hold a comparison or an alarm"),
        ({"alarms": ["too-slow"]}, "alarms[0]' must be an IAlarm, got 'too-slow'"),
    ],
)
def test_refuses_evidence(changes: Json, said: str) -> None:
    assert said in refused(evidence(**changes))


def test_refuses_evidence_of_another_type() -> None:
    text = refused({"Window": 0})
    assert "'promote_if' must be Evidence, got {'Window': 0}" in text
    assert text.count("promote_if") == 1


def test_refuses_evidence_without_a_promotion() -> None:
    said = "'promote_if' needs a promotion, and none is declared: leave it out"
    assert said in refused(EVIDENCE, outcome=Outcome.keep_both())


def test_refuses_another_end() -> None:
    said = "'otherwise' must be 'KeepProduction' or 'KeepBoth'"
    assert said in refused(EVIDENCE, otherwise=Outcome.promote_shadow())


@pytest.mark.parametrize(("least", "warns"), [(2999, True), (3000, False)])
def test_warns_of_too_few_requests_for_a_rate(least: int, warns: bool) -> None:
    stack = new_stack()
    rate = Comparison.error_rate_5xx(max_rate=0.001)
    latency = Comparison.model_latency(max_ratio=1.1)
    declare(stack, **PROMOTION, promote_if=evidence(latency, rate, min_invocations=least))
    said = Match.string_like_regexp(
        "'promote_if.comparisons.1..max_rate' is 0.001.*require at least 3000 requests"
    )
    found = Annotations.from_stack(stack).find_warning("*", said)
    assert bool(found) == warns


def quality(name: str = "Agreement", **more: Any) -> cloudwatch.Metric:
    dimensions = {"Model": "v2"} if name == "Agreement" else None
    values: Json = {"statistic": "p50", "dimensions_map": dimensions, **more}
    return cloudwatch.Metric(namespace="Fraud", metric_name=name, **values)


def two_metrics(**bounds: Any) -> Comparison:
    values: Json = {"production": quality("Base"), "shadow": quality(), **bounds}
    return Comparison.of_metrics(**values)


def sequential(*comparisons: Any, **changes: Any) -> Evidence:
    return Evidence(comparisons=list(comparisons or [LATENCY]), confidence=0.95, **changes)


class TestConfidence:
    def test_is_written_without_what_it_replaces(self) -> None:
        properties = declared(promote_if=sequential(min_hours=24))
        assert properties["PromoteIf"] == {
            "Confidence": 0.95,
            "MinHours": 24,
            "Comparisons": [{"Metric": "ModelLatency", "Statistic": "p99", "MaxRatio": 1.1}],
        }

    def test_two_metrics_are_written_as_cloudwatch_names_them(self) -> None:
        found = declared(promote_if=sequential(two_metrics(at_least=0.9, max_ratio=1.5)))
        assert found["PromoteIf"]["Comparisons"] == [
            {
                "ProductionMetric": {
                    "Namespace": "Fraud",
                    "MetricName": "Base",
                    "Statistic": "p50",
                },
                "ShadowMetric": {
                    "Namespace": "Fraud",
                    "MetricName": "Agreement",
                    "Dimensions": [{"Name": "Model", "Value": "v2"}],
                    "Statistic": "p50",
                },
                "MaxRatio": 1.5,
                "AtLeast": 0.9,
            }
        ]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (sequential(min_hours=23), "min_hours' must be a whole number from 24 to 720, got 23"),
            (evidence(confidence=0.7), "confidence' must be a number from 0.8 to 0.999, got 0.7"),
            (
                sequential(Comparison.model_latency("p99", max_ratio=1.1, failure_limit=1)),
                "failure_limit' must be left out with 'confidence'",
            ),
            (
                evidence(two_metrics(at_least=1)),
                "comparisons[0]' compares two metrics by the hour, which needs 'confidence'",
            ),
            (
                sequential(two_metrics()),
                "must have a bound, got none: give 'max_ratio', 'max_increase' or 'at_least'",
            ),
            (
                sequential(two_metrics(at_least=1, shadow="Recall")),
                "comparisons[0].shadow' must be a metric, and not a math expression, which",
            ),
            (
                sequential(
                    two_metrics(
                        at_least=1,
                        production=cloudwatch.MathExpression(
                            expression="1 - a", using_metrics={"a": quality()}
                        ),
                    )
                ),
                "comparisons[0].production' must be a metric, and not a math expression, which",
            ),
            (
                sequential(
                    two_metrics(at_least=1, shadow=quality(unit=cloudwatch.Unit.MILLISECONDS))
                ),
                "comparisons[0].shadow' must have no 'unit', got Unit.MILLISECONDS: the function",
            ),
            (
                sequential(Comparison.error_rate_5xx()),
                "must have a bound, got none: give 'max_rate' or 'max_increase'",
            ),
        ],
    )
    def test_refuses(self, given: Evidence, said: str) -> None:
        assert said in refused(given)


class TestOtherEnvironments:
    """The function reads alarms and metrics of its own account and region only."""

    HERE = cdk.Environment(account="123456789012", region="eu-west-1")

    def problem(self, *comparisons: Comparison, **given: Any) -> str:
        stack = cdk.Stack(cdk.App(), "Here", env=self.HERE)
        with pytest.raises(InvalidPropsError) as error:
            declare(stack, **PROMOTION, promote_if=sequential(*comparisons, **given))
        return str(error.value)

    def of_arn(self, arn: str) -> cloudwatch.IAlarm:
        return cloudwatch.Alarm.from_alarm_arn(new_stack(), "Imported", arn)

    @pytest.mark.parametrize("name", ["errors", "fraud:errors"])
    def test_an_alarm_of_another_region_is_refused(self, name: str) -> None:
        alarms = [self.of_arn(f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")]
        assert (
            "'promote_if.alarms[0]' must be in the construct's own region 'eu-west-1', got one in "
            "'us-east-1', where the function cannot read it: create the alarm in that region"
        ) in self.problem(alarms=alarms)

    def test_an_alarm_of_a_stack_elsewhere_is_refused(self) -> None:
        there = cdk.Environment(account="123456789012", region="us-east-1")
        alarms = [alarm(cdk.Stack(cdk.App(), "There", env=there))]
        assert "got one in 'us-east-1'" in self.problem(alarms=alarms)

    @pytest.mark.parametrize(
        ("which", "value"), [("region", "us-east-1"), ("account", "210987654321")]
    )
    def test_a_metric_from_elsewhere_is_refused(self, which: str, value: str) -> None:
        given = Comparison.of_metrics(
            production=quality("Base"), shadow=quality(**{which: value}), at_least=1
        )
        assert (
            f"'promote_if.comparisons[0].shadow' must be in the construct's own {which} "
            f"'{getattr(self.HERE, which)}', got one in '{value}', where the function cannot read "
            f"it: publish it in that {which}"
        ) in self.problem(given)

    def test_a_metric_of_a_known_region_is_refused_where_the_stacks_own_is_not_known(self) -> None:
        given = two_metrics(at_least=1, production=quality("Base", region="us-east-1"))
        assert (
            "'promote_if.comparisons[0].production' is in region 'us-east-1', where the function "
            "can read it only if the stack is there, which is not known at synth: give the stack "
            "an 'env', or leave it out of the metric"
        ) in refused(sequential(given))

    def test_an_alarm_of_a_known_region_is_refused_where_the_stacks_own_is_not_known(self) -> None:
        alarms = [self.of_arn("arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors")]
        assert (
            "'promote_if.alarms[0]' is in account '123456789012' and region 'us-east-1', where the "
            "function can read it only if the stack is there, which is not known at synth: give "
            "the stack an 'env', or name it with Alarm.from_alarm_name(...)"
        ) in refused(sequential(alarms=alarms))

    def test_what_is_here_or_not_known_is_taken(self) -> None:
        stack = cdk.Stack(cdk.App(), "Here", env=self.HERE)
        alarms = [
            alarm(stack),
            cloudwatch.Alarm.from_alarm_name(stack, "Named", "errors"),
            self.of_arn("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors"),
            self.of_arn("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:fraud:errors"),
            self.of_arn(cdk.Fn.import_value("Alarm")),
        ]
        metrics = two_metrics(shadow=quality(region="eu-west-1"), at_least=1)
        declare(stack, **PROMOTION, promote_if=sequential(metrics, alarms=alarms))

    @pytest.mark.newest
    def test_a_log_alarm_is_passed_by_its_name(self) -> None:
        stack = new_stack()
        made = cdk.CfnResource(stack, "LogAlarm", type="AWS::CloudWatch::LogAlarm")
        by_name = cloudwatch.Alarm.from_alarm_name(stack, "Named", made.ref)
        declare(stack, **PROMOTION, promote_if=sequential(alarms=[by_name]))
        found = only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"]
        assert found["PromoteIf"]["Alarms"] == [{"Ref": "LogAlarm"}]


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (
            Comparison.model_latency(max_ratio=110),
            "max_ratio' allows 110 times production's value: for 10 % more, write 1.1",
        ),
        (Comparison.model_latency(max_ratio=9.9), None),
        (
            Comparison.error_rate_5xx(max_increase=0.5),
            "max_increase' allows errors in 50 % of the requests: for one in a thousand, write",
        ),
        (Comparison.error_rate_5xx(max_rate=0.49), None),
        (
            Comparison.model_latency(max_value=Duration.seconds(60)),
            "max_value' is as long as SageMaker lets a model take",
        ),
        (Comparison.model_latency(max_value=Duration.seconds(59)), None),
        (
            Comparison.model_latency(max_increase=Duration.seconds(60)),
            "max_increase' is as long as SageMaker lets a model take",
        ),
        (two_metrics(max_increase=1000.0), None),
    ],
)
def test_warns_of_bounds_that_cannot_be_meant(comparison: Comparison, said: str | None) -> None:
    stack = new_stack()
    declare(stack, **PROMOTION, promote_if=sequential(comparison))
    found = [one for one in warnings_of(stack) if "implausibleBound" in one]
    assert bool(found) == (said is not None)
    assert all(f"'promote_if.comparisons[0].{said}" in one for one in found)


class TestPermissions:
    @staticmethod
    def statements(stack: cdk.Stack) -> list[Json]:
        policies = resources(synthesised(stack), "AWS::IAM::Policy")
        ((_, policy),) = policies.items()
        found: list[Json] = policy["Properties"]["PolicyDocument"]["Statement"]
        return [one for one in found if "cloudwatch:" in str(one["Action"])]

    def test_metrics_are_read_only_where_a_promotion_needs_evidence(self) -> None:
        stack = new_stack()
        declare(stack, **PROMOTION)
        assert self.statements(stack) == []

    def test_metrics_cannot_be_named(self) -> None:
        stack = new_stack()
        declare(stack, **PROMOTION, promote_if=EVIDENCE)
        assert self.statements(stack) == [
            {"Action": "cloudwatch:GetMetricData", "Effect": "Allow", "Resource": "*"}
        ]

    def test_alarms_are_named(self) -> None:
        stack = new_stack(env=TestOtherEnvironments.HERE)
        imported = cloudwatch.Alarm.from_alarm_arn(
            stack, "Imported", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors"
        )
        made = alarm(stack)
        declare(stack, **PROMOTION, promote_if=evidence(alarms=[made, imported]))
        assert self.statements(stack)[1] == {
            "Action": "cloudwatch:DescribeAlarms",
            "Effect": "Allow",
            "Resource": [
                stack.resolve(made.alarm_arn),
                "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors",
            ],
        }
        properties = only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"]
        assert properties["PromoteIf"]["Alarms"] == [stack.resolve(made.alarm_name), "errors"]

    def test_composite_alarms_need_all(self) -> None:
        stack = new_stack()
        rule = cloudwatch.AlarmRule.from_alarm(alarm(stack), cloudwatch.AlarmState.ALARM)
        composite = cloudwatch.CompositeAlarm(stack, "Any", alarm_rule=rule)
        declare(stack, **PROMOTION, promote_if=evidence(alarms=[composite]))
        (found,) = [one for one in self.statements(stack) if "DescribeAlarms" in str(one)]
        assert found["Resource"] == "*"

    def test_longer_policies_leave_room_for_fewer_experiments(self) -> None:
        stack = new_stack()
        alarms = [alarm(stack, f"Alarm{number}") for number in range(10)]
        provider = StopInferenceExperimentProvider(stack, "Provider")

        def one_more(number: int) -> None:
            declare(
                stack,
                f"Stop{number}",
                experiment_name=f"fraud-{number}",
                provider=provider,
                **PROMOTION,
                promote_if=evidence(alarms=alarms),
            )

        for number in range(4):
            one_more(number)
        with pytest.raises(InvalidPropsError, match="'provider' can serve experiments with"):
            one_more(5)


def test_a_token_passes_synth() -> None:
    least: Any = cdk.Token.as_number({"Ref": "Least"})
    assert declared(promote_if=replace(EVIDENCE, min_invocations=least))
