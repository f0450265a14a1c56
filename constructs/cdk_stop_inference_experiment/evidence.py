"""The evidence that a promotion of the shadow variant needs.

See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk
from aws_cdk import Duration

from cdk_stop_inference_experiment_handler.contract.limits import (
    AVERAGE,
    ERROR_METRICS,
    MODEL_LATENCY,
)

_4XX, _5XX, _MODEL_ERRORS = ERROR_METRICS


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A metric of the shadow variant, compared with production's or with a fixed bound.

    One of ``model_latency()``, ``error_rate_4xx()``, ``error_rate_5xx()``, ``model_error_rate()``
    and ``of_metrics()``, with at least one bound; if there are several, all must hold. The
    construct that uses it checks the values, together with its other props. See
    https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

    Attributes:
        metric: SageMaker's metric name, or the metrics of production and of the shadow.
        statistic: ``Average`` or a percentile of a latency; None for an error rate and for two
            metrics, which have their own.
        max_ratio: At most this many times production's value.
        max_increase: At most this much over production's value.
        max_value: At most this.
        max_rate: At most this share of the requests.
        at_least: At least this.
        failure_limit: How many hours may exceed the bounds of a percentile.
        dry_run: It is measured and reported, but does not affect the verdict.
    """

    metric: str | tuple[aws_cdk.aws_cloudwatch.IMetric, aws_cdk.aws_cloudwatch.IMetric]
    statistic: str | None = None
    max_ratio: float | None = None
    max_increase: Duration | float | None = None
    max_value: Duration | None = None
    max_rate: float | None = None
    at_least: float | None = None
    failure_limit: int | None = None
    dry_run: bool = False

    @classmethod
    def model_latency(
        cls,
        statistic: str = AVERAGE,
        *,
        max_ratio: float | None = None,
        max_increase: Duration | None = None,
        max_value: Duration | None = None,
        failure_limit: int | None = None,
        dry_run: bool = False,
    ) -> Comparison:
        """Compare the model's latency: ``ModelLatency``.

        The average is that of the whole window. Percentiles cannot be combined, so every whole hour
        (UTC) in which both variants had enough requests must hold, and there must be at least one.
        Enough are 100 requests for p50, 200 for p90 and p95, and 1,000 for p99.

        With a confidence, every such hour is one observation, for the average too, and fewer than
        half of them may break a bound.

        Args:
            statistic: ``Average``, ``p50``, ``p90``, ``p95`` or ``p99``. Default: ``Average``.
            max_ratio: At most this many times production's latency, above 0: with 1.1, 10 % more.
            max_increase: At most this much longer than production, above 0, to the microsecond.
            max_value: At most this long, whatever production's latency is; above 0.
            failure_limit: How many hours may exceed the bounds, for percentiles without a
                confidence only; at least 0. Default: 0.
            dry_run: Only measure and report, without an effect on the verdict. Default: False.
        """
        return cls(
            metric=MODEL_LATENCY,
            statistic=statistic,
            max_ratio=max_ratio,
            max_increase=max_increase,
            max_value=max_value,
            failure_limit=failure_limit,
            dry_run=dry_run,
        )

    @classmethod
    def error_rate_4xx(
        cls,
        *,
        max_rate: float | None = None,
        max_increase: float | None = None,
        dry_run: bool = False,
    ) -> Comparison:
        """Compare the share of requests with a 4xx status: ``Invocation4XXErrors``.

        Args:
            max_rate: At most this share, above 0 and at most 1: 0.001 is one in a thousand.
            max_increase: At most this much over production's share, above 0 and at most 1.
            dry_run: Only measure and report, without an effect on the verdict. Default: False.
        """
        return cls(metric=_4XX, max_rate=max_rate, max_increase=max_increase, dry_run=dry_run)

    @classmethod
    def error_rate_5xx(
        cls,
        *,
        max_rate: float | None = None,
        max_increase: float | None = None,
        dry_run: bool = False,
    ) -> Comparison:
        """Compare the share of requests with a 5xx status: ``Invocation5XXErrors``.

        Args:
            max_rate: At most this share, above 0 and at most 1: 0.001 is one in a thousand.
            max_increase: At most this much over production's share, above 0 and at most 1.
            dry_run: Only measure and report, without an effect on the verdict. Default: False.
        """
        return cls(metric=_5XX, max_rate=max_rate, max_increase=max_increase, dry_run=dry_run)

    @classmethod
    def model_error_rate(
        cls,
        *,
        max_rate: float | None = None,
        max_increase: float | None = None,
        dry_run: bool = False,
    ) -> Comparison:
        """Compare the share of requests with an error of the model: ``InvocationModelErrors``.

        Args:
            max_rate: At most this share, above 0 and at most 1: 0.001 is one in a thousand.
            max_increase: At most this much over production's share, above 0 and at most 1.
            dry_run: Only measure and report, without an effect on the verdict. Default: False.
        """
        return cls(
            metric=_MODEL_ERRORS, max_rate=max_rate, max_increase=max_increase, dry_run=dry_run
        )

    @classmethod
    def of_metrics(
        cls,
        *,
        production: aws_cdk.aws_cloudwatch.IMetric,
        shadow: aws_cdk.aws_cloudwatch.IMetric,
        max_ratio: float | None = None,
        max_increase: float | None = None,
        at_least: float | None = None,
        dry_run: bool = False,
    ) -> Comparison:
        """Compare any two metrics by the hour: model quality, agreement, a business figure.

        Only with ``Evidence(confidence=...)``. Each whole hour (UTC) in which both metrics have a
        value is one observation, and fewer than half of them may break a bound. The metrics must be
        in the account and the region of the stack. They are read with their own statistics and with
        a period of an hour, whatever their own period. See
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

        Args:
            production: Production's metric, not a math expression, and without a ``unit``.
            shadow: The shadow's metric, not a math expression, and without a ``unit``.
            max_ratio: At most this many times production's value, above 0.
            max_increase: At most this much over production's value, above 0.
            at_least: At least this, whatever production's value is.
            dry_run: Only measure and report, without an effect on the verdict. Default: False.
        """
        return cls(
            metric=(production, shadow),
            max_ratio=max_ratio,
            max_increase=max_increase,
            at_least=at_least,
            dry_run=dry_run,
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What CloudWatch must have measured before the shadow variant is promoted.

    The function reads it once, right before it would stop the experiment. The verdict is
    successful, inconclusive, error or failed: the worst of all comparisons and alarms. Only
    "successful" promotes. CloudFormation cannot wait for better evidence: otherwise an update
    fails, the experiment keeps running, and you can deploy the same declaration again.

    Without ``confidence`` the gate only compares numbers, and a shadow that breaks a bound may pass
    by luck. With it, a shadow that breaks a bound on average over the test so far is promoted in at
    most 5 of 100 tests (for 0.95), however often you deploy, as long as bursts of errors and bad
    spells last a few hours at most, and the hours measured include several of them. The report
    forecasts the requests and the time that are still needed. Method: Howard et al. 2021,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences",
    https://arxiv.org/abs/1810.08240

    Attributes:
        min_invocations: How many requests production and the shadow variant each need, at least 1.
            With fewer, the verdict is inconclusive. A shadow variant gets ``SamplingPercentage`` of
            the requests. Required without a confidence. Default: 1.
        comparisons: At most ten. Default: none; then at least one alarm is required.
        alarms: At most ten, in the account and the region of the stack. OK counts as successful,
            ALARM as failed, INSUFFICIENT_DATA as inconclusive. An alarm that treats missing data as
            not breaching is OK without any traffic. With a composite alarm, the function gets
            permission to describe every alarm of the account and region, without which
            DescribeAlarms does not return it; for an imported composite alarm, give
            ``provider.role`` ``cloudwatch:DescribeAlarms`` on all resources. Pass a log alarm by
            its name, with ``Alarm.from_alarm_name()``. Default: none; then at least one comparison
            is required. See
            https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        window: The length of the window, which ends 5 minutes before the request and starts 10
            minutes after the experiment's start at the earliest: 5 minutes to 30 days, and at least
            an hour with percentiles. Not with a confidence, which takes all whole hours of the
            test. Default: 24 hours.
        confidence: How sure the verdict must be: 0.8 to 0.999. Default: values are only compared.
        min_hours: How many hours must be measured, 24 to 720; only with a confidence. Fewer than 48
            may promote a bad shadow more often than the confidence says. Default: 48.
    """

    min_invocations: int | None = None
    comparisons: Sequence[Comparison] = ()
    alarms: Sequence[aws_cdk.aws_cloudwatch.IAlarm] = ()
    window: Duration | None = None
    confidence: float | None = None
    min_hours: int | None = None
