"""The outcome of an experiment, declared without variant names."""

from __future__ import annotations

from dataclasses import dataclass

from cdk_stop_inference_experiment_handler.contract.declaration import InstancesOf, OutcomeKind

from .model_variant import InstanceType


@dataclass(frozen=True)
class Instances:
    """The instances for a promoted shadow variant.

    The construct that uses it checks the values, together with its other props. See
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RealTimeInferenceConfig.html

    Attributes:
        instance_type: A type of SageMaker's ProductionVariantInstanceType such as
            ``"ml.m5.xlarge"``, or ``InstanceType.of()`` for one newer than this release.
        instance_count: A whole number, at least 1. A ``float`` is for number tokens only.
    """

    instance_type: str | InstanceType
    instance_count: int | float

    @classmethod
    def production(cls) -> Instances:
        """The production variant's instance type, and its instance count when the experiment ends.

        The count is ``CurrentInstanceCount`` of DescribeEndpoint, not the configured count, which
        autoscaling may have changed. See
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariantSummary.html
        """
        return _PRODUCTION

    @classmethod
    def shadow(cls) -> Instances:
        """The shadow variant's instance type and count in the experiment."""
        return _SHADOW


_PRODUCTION = Instances(InstancesOf.PRODUCTION.value, 0)
_SHADOW = Instances(InstancesOf.SHADOW.value, 0)


@dataclass(frozen=True)
class Outcome:
    """How an experiment is to end, without the names of its variants.

    One of ``promote_shadow()``, ``keep_production()`` and ``keep_both()``. The function finds
    out which variant is production and which is the shadow when it ends the experiment. See
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html

    Attributes:
        kind: ``PromoteShadow``, ``KeepProduction`` or ``KeepBoth``.
        instances: For a promoted shadow variant; None for production's, and for other outcomes.
    """

    kind: str
    instances: Instances | None = None

    @classmethod
    def promote_shadow(cls, instances: Instances | None = None) -> Outcome:
        """The shadow variant serves production, and the production variant is removed.

        Autoscaling, alarms and dashboards that name the old production variant are not updated.

        Args:
            instances: Its instances: ``Instances.production()``, ``Instances.shadow()``, or
                ``Instances(instance_type, instance_count)``. Required with ``promote_if`` if
                production has another instance type than the shadow: nothing was measured on it.
                Default: those that production runs when the experiment ends.
        """
        return cls(OutcomeKind.PROMOTE_SHADOW.value, instances)

    @classmethod
    def keep_production(cls) -> Outcome:
        """The production variant does not change, and the shadow variant is removed."""
        return cls(OutcomeKind.KEEP_PRODUCTION.value)

    @classmethod
    def keep_both(cls) -> Outcome:
        """Both variants stay; the shadow variant stays deployed, and is billed."""
        return cls(OutcomeKind.KEEP_BOTH.value)
