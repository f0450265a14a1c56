"""The enums of StopInferenceExperiment; the values are SageMaker's.

See https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
"""

from __future__ import annotations

from enum import Enum

from cdk_stop_inference_experiment_handler.contract import declaration, limits


class ModelVariantAction(Enum):
    """What happens to a model variant when the experiment stops."""

    RETAIN = declaration.Action.RETAIN.value
    """The variant stays on the endpoint. Production keeps serving; a retained shadow variant stays
    deployed, and is billed."""

    REMOVE = declaration.Action.REMOVE.value
    """The endpoint is updated to a configuration without the variant, and the variant's instances
    are deleted. The SageMaker model stays."""

    PROMOTE = declaration.Action.PROMOTE.value
    """The endpoint is updated so that the variant serves production, on the instances in
    ``desired_model_variants``. Only the shadow variant can be promoted. Autoscaling, alarms and
    dashboards that name the old production variant are not updated."""


class DesiredState(Enum):
    """The state in which the experiment ends. It does not affect the endpoint; the actions do."""

    COMPLETED = limits.COMPLETED
    """The experiment completed successfully."""

    CANCELLED = limits.CANCELLED
    """The experiment was called off."""


class StopOn(Enum):
    """A CloudFormation event that ends the experiment.

    The endpoint is updated according to the actions, and the deployment waits for it.
    """

    CREATE = declaration.StopOn.CREATE.value
    """The resource is created: the experiment ends with the deployment that declares it."""

    UPDATE = declaration.StopOn.UPDATE.value
    """The outcome, its instances, the actions, the desired variants or the desired state change:
    the experiment ends now, as newly declared."""

    DELETE = declaration.StopOn.DELETE.value
    """The resource is deleted, with its stack or without: the experiment ends as declared."""
