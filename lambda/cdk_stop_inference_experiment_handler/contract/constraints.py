"""The limits of SageMaker's StopInferenceExperiment, as data.

A test holds every one against botocore's service model. Source:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PROMOTE = "Promote"
REMOVE = "Remove"
RETAIN = "Retain"
MODEL_VARIANT_ACTIONS = (RETAIN, REMOVE, PROMOTE)

COMPLETED = "Completed"
CANCELLED = "Cancelled"
DESIRED_STATES = (COMPLETED, CANCELLED)

PROMOTE_SHADOW = "PromoteShadow"
KEEP_PRODUCTION = "KeepProduction"
KEEP_BOTH = "KeepBoth"
OUTCOMES = {
    PROMOTE_SHADOW: (REMOVE, PROMOTE),
    KEEP_PRODUCTION: (RETAIN, REMOVE),
    KEEP_BOTH: (RETAIN, RETAIN),
}
"""The actions for the production and the shadow variant, by outcome."""

PRODUCTION = "Production"
SHADOW = "Shadow"
INSTANCES = (PRODUCTION, SHADOW)
"""The variant whose instances a promoted variant gets; alternatively, an object has them."""

CREATE = "Create"
UPDATE = "Update"
DELETE = "Delete"
STOP_ON = (CREATE, UPDATE, DELETE)
DEFAULT_STOP_ON = (UPDATE, DELETE)

MAX_VARIANTS = 2
"""Entries of ``ModelVariantActions`` and of ``DesiredModelVariants``: 1 to 2."""

MIN_INSTANCE_COUNT = 0
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

MAX_RATIO, MAX_INCREASE, MAX_VALUE, MAX_RATE = "MaxRatio", "MaxIncrease", "MaxValue", "MaxRate"
BOUNDS = (MAX_RATIO, MAX_INCREASE, MAX_VALUE, MAX_RATE)
NUMBERS = ("MinInvocations", "Window", "FailureLimit", *BOUNDS)

MAX_LISTED = 10
"""The maximum number of comparisons, and of alarms."""

PERIOD = 300
"""Period of sums and counts, in seconds: CloudWatch keeps it longer than any experiment runs."""
HOUR = 3600
MAX_WINDOW = 30 * 24 * HOUR
DEFAULT_WINDOW = 24 * HOUR

ALARM_NAME = StringLimit("AlarmName", 1, 255, r"(?s).*", "the name of an alarm")

_BOUND = (float, 5e-324, 1e308, "a number above 0")
_SHARE = (float, 5e-324, 1, "a number above 0 and at most 1")
_ONE_OF_A_COMPARISON = {"Metric": METRICS, "DryRun": (True, False)}
OF_EVIDENCE: Mapping[str, Sequence[object]] = {
    "MinInvocations": (int, 1, 1e308, "a whole number, at least 1"),
    "Window": (int, PERIOD, MAX_WINDOW, f"{PERIOD} to {MAX_WINDOW} whole seconds"),
    "Comparisons": (),
    "Alarms": (),
}
"""Members of ``PromoteIf``: a number's type, minimum, maximum and description; or None."""
OF_LATENCY: Mapping[str, Sequence[object]] = {
    **_ONE_OF_A_COMPARISON,
    "Statistic": STATISTICS,
    **dict.fromkeys((MAX_RATIO, MAX_INCREASE, MAX_VALUE), _BOUND),
    "FailureLimit": (int, 0, 1e308, "a whole number, at least 0"),
}
"""Members of a comparison: a number likewise, or the allowed values."""
OF_ERRORS: Mapping[str, Sequence[object]] = {
    **_ONE_OF_A_COMPARISON,
    **dict.fromkeys((MAX_RATE, MAX_INCREASE), _SHARE),
}
