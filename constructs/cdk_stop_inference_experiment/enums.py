"""The closed sets of values of StopInferenceExperiment; a member's value is SageMaker's word.

See https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from enum import Enum

from cdk_stop_inference_experiment_handler.contract import constraints


class ModelVariantAction(Enum):
    """What becomes of a model variant when the experiment stops."""

    RETAIN = constraints.RETAIN
    """The variant stays on the endpoint. Production goes on serving as it does; a retained shadow
    variant stays deployed, and billed, beside it."""

    REMOVE = constraints.REMOVE
    """The endpoint is updated to a configuration without the variant, whose instances are deleted.
    The SageMaker model stays."""

    PROMOTE = constraints.PROMOTE
    """The endpoint is updated so that the variant serves production, on the instances that
    ``desired_model_variants`` name. Only the shadow variant can be promoted. Autoscaling, alarms
    and dashboards that name the old production variant do not follow."""


class DesiredState(Enum):
    """The state the experiment is to end in. What becomes of the endpoint is for the actions."""

    COMPLETED = constraints.COMPLETED
    """The experiment ran to its end and its result counts."""

    CANCELLED = constraints.CANCELLED
    """The experiment is called off."""


class StopOn(Enum):
    """An event in the life of the stack's resource that ends the experiment.

    Each lets the endpoint be updated as the actions say, and the deployment waits for it.
    """

    CREATE = constraints.CREATE
    """The resource is created: the experiment ends with the deployment that declares it."""

    UPDATE = constraints.UPDATE
    """The actions, the desired variants or the desired state change: the experiment ends now, as
    newly declared."""

    DELETE = constraints.DELETE
    """The resource is deleted, with its stack or without: the experiment ends as declared."""
