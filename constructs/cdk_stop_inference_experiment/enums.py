"""The closed sets of values of StopInferenceExperiment; a member's value is SageMaker's word.

See https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from enum import Enum

from cdk_stop_inference_experiment_handler.contract import constraints


class ModelVariantAction(Enum):
    """What becomes of a model variant when the experiment stops."""

    RETAIN = constraints.RETAIN
    """The variant stays deployed as it is."""

    REMOVE = constraints.REMOVE
    """The variant is deleted from the endpoint."""

    PROMOTE = constraints.PROMOTE
    """The variant becomes the production variant. Only the shadow variant can."""


class DesiredState(Enum):
    """The state the experiment is to end in."""

    COMPLETED = constraints.COMPLETED
    """The experiment ran to its end and its result counts."""

    CANCELLED = constraints.CANCELLED
    """The experiment is called off."""


class StopOn(Enum):
    """An event in the life of the stack's resource that ends the experiment."""

    CREATE = constraints.CREATE
    """The resource is created: the experiment ends with the deployment that declares it."""

    UPDATE = constraints.UPDATE
    """The actions, desired variants or desired state change: the experiment ends now, as newly
    declared."""

    DELETE = constraints.DELETE
    """The resource is deleted, with its stack or without: the experiment ends as declared."""
