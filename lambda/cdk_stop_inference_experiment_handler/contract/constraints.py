"""The limits of SageMaker's StopInferenceExperiment, as data.

A test holds every one against botocore's service model. Source:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from dataclasses import dataclass

PROMOTE = "Promote"
REMOVE = "Remove"
RETAIN = "Retain"
MODEL_VARIANT_ACTIONS = (RETAIN, REMOVE, PROMOTE)

KEEP_PRODUCTION = "KeepProduction"
KEEP_BOTH = "KeepBoth"

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
"""The action for the production variant and the one for the shadow variant, by the outcome."""

PRODUCTION = "Production"
SHADOW = "Shadow"
INSTANCES = (PRODUCTION, SHADOW)
"""Whose instances a promoted variant gets; an object names them instead."""

CREATE = "Create"
UPDATE = "Update"
DELETE = "Delete"
STOP_ON = (CREATE, UPDATE, DELETE)
DEFAULT_STOP_ON = (UPDATE, DELETE)

MAX_VARIANTS = 2
"""Entries of ``ModelVariantActions`` and of ``DesiredModelVariants``: 1 to 2."""

MIN_INSTANCE_COUNT = 0
MIN_PROMOTED_INSTANCES = 1
"""Of ``Instances``: without an instance nothing would serve."""

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
