"""The limits of what a resource may declare, as data.

A test holds those of SageMaker's StopInferenceExperiment against botocore's service model. Source:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from dataclasses import dataclass

COMPLETED = "Completed"
CANCELLED = "Cancelled"
DESIRED_STATES = (COMPLETED, CANCELLED)

MAX_VARIANTS = 2
"""Entries of ``ModelVariantActions`` and of ``DesiredModelVariants``: 1 to 2."""

MIN_INSTANCE_COUNT = 0
MAX_INSTANCE_COUNT = 2**31 - 1
"""An integer of the API has 32 bits: https://smithy.io/2.0/spec/simple-types.html#integer"""

MIN_PROMOTED_INSTANCES = 1
"""The minimum in ``Instances``: without an instance nothing would serve."""

INFRASTRUCTURE_TYPE = "RealTimeInference"


@dataclass(frozen=True)
class StringLimit:
    """A string member of the API: its length in characters, and the pattern of the whole string."""

    shape: str
    minimum: int
    maximum: int
    pattern: str
    described: str


EXPERIMENT_NAME = StringLimit(
    shape="InferenceExperimentName",
    minimum=1,
    maximum=120,
    pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}",
    described="letters, digits and inner hyphens",
)
VARIANT_NAME = StringLimit(
    shape="ModelVariantName",
    minimum=1,
    maximum=63,
    pattern=r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?",
    described="letters, digits and inner hyphens",
)
MODEL_NAME = StringLimit(
    shape="ModelName",
    minimum=1,
    maximum=63,
    pattern=r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?",
    described="letters, digits and inner hyphens",
)
REASON = StringLimit(
    shape="InferenceExperimentStatusReason",
    minimum=0,
    maximum=1024,
    pattern=r"[^\n\r\u0085\u2028\u2029]*",
    described="one line",
)
"""The reason of a stop, StatusReason in a description: at most 1,024 characters."""

MAX_REASON_TEXT = REASON.maximum - len(" (01234567)")
"""Characters of a user's reason that are sent; the rest is cut off, since a digest follows."""

INSTANCE_TYPE = StringLimit(
    shape="ProductionVariantInstanceType",
    minimum=1,
    maximum=63,
    pattern=r"ml\.[a-z0-9-]+\.[a-z0-9-]+",
    described="a SageMaker instance type such as 'ml.m5.xlarge'",
)

MODEL_LATENCY = "ModelLatency"
ERROR_METRICS = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
METRICS = (MODEL_LATENCY, *ERROR_METRICS)
"""The first is in microseconds; the others are 1 for each error and otherwise 0.

https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

AVERAGE = "Average"
PERCENTILES = {"p50": 100, "p90": 200, "p95": 200, "p99": 1000}
"""The requests per hour and variant that a percentile needs to count.

At least what CloudWatch's alarms need, 10 / (1 - percentile):
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
"""
STATISTICS = (AVERAGE, *PERCENTILES)

MAX_LISTED = 10
"""The maximum number of comparisons, and of alarms."""

PERIOD = 300
"""Period of sums and counts, in seconds: CloudWatch keeps it longer than any experiment runs."""
HOUR = 3600
MAX_WINDOW = 30 * 24 * HOUR
DEFAULT_WINDOW = 24 * HOUR
DEFAULT_MIN_HOURS = 48

ALARM_NAME = StringLimit("AlarmName", 1, 255, r"(?s).*", "the name of an alarm")
METRIC_NAME = StringLimit("MetricName", 1, 255, r"(?s).*", "the name of a metric")
NAMESPACE = StringLimit("Namespace", 1, 255, r"(?s)[^:].*", "a namespace, which has no colon first")
DIMENSION_NAME = StringLimit("DimensionName", 1, 255, r"(?s)[^:].*", "a name without a colon first")
DIMENSION_VALUE = StringLimit("DimensionValue", 1, 1024, r"(?s).*", "a dimension's value")
STATISTIC = StringLimit("Stat", 1, 64, r"[^\n]*", "a statistic such as 'Average' or 'p99'")
MAX_DIMENSIONS = 30


@dataclass(frozen=True)
class NumberLimit:
    """A number: its type, both ends of its range, and what an error says that it must be."""

    type: type[int | float]
    minimum: float
    maximum: float
    described: str


_LARGEST_INTEGER = 10**15
"""The largest whole number: a float and JavaScript hold each one up to it."""
_BOUND = NumberLimit(float, 5e-324, 1e308, "a number above 0")
_SHARE = NumberLimit(float, 5e-324, 1, "a number above 0 and at most 1")
MIN_INVOCATIONS = NumberLimit(int, 1, _LARGEST_INTEGER, "a whole number from 1 to 10^15")
WINDOW = NumberLimit(int, PERIOD, MAX_WINDOW, f"{PERIOD} to {MAX_WINDOW} whole seconds")
CONFIDENCE = NumberLimit(float, 0.8, 0.999, "a number from 0.8 to 0.999")
"""The confidence of the evidence; alpha is 1 - confidence."""
MIN_HOURS = NumberLimit(int, 24, MAX_WINDOW // HOUR, "a whole number from 24 to 720")
FAILURE_LIMIT = NumberLimit(int, 0, _LARGEST_INTEGER, "a whole number from 0 to 10^15")

BOUNDS_OF_LATENCY = {"MaxRatio": _BOUND, "MaxIncrease": _BOUND, "MaxValue": _BOUND}
BOUNDS_OF_ERRORS = {"MaxRate": _SHARE, "MaxIncrease": _SHARE}
BOUNDS_OF_METRICS = {
    "MaxRatio": _BOUND,
    "MaxIncrease": _BOUND,
    "AtLeast": NumberLimit(float, -1e308, 1e308, "a number"),
}
"""The bounds that a comparison may have, by what it compares."""
