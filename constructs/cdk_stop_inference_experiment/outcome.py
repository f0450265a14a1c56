"""The outcome of an experiment, said without naming variants."""

from __future__ import annotations

from dataclasses import dataclass

from cdk_stop_inference_experiment_handler.contract import constraints

from .model_variant import InstanceType


@dataclass(frozen=True)
class Instances:
    """The instances that a promoted shadow variant serves production on.

    The values are checked by the construct that uses them, together with its other props. See
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RealTimeInferenceConfig.html

    Attributes:
        instance_type: A type of SageMaker's ProductionVariantInstanceType such as
            ``"ml.m5.xlarge"``, or :meth:`InstanceType.of` for one newer than this release.
        instance_count: How many: a whole number, at least 1. A ``float`` is for number tokens only.
    """

    instance_type: str | InstanceType
    instance_count: int | float

    @classmethod
    def production(cls) -> Instances:
        """The type of the production variant, and as many as it runs when the experiment is ended.

        That is ``CurrentInstanceCount`` of DescribeEndpoint, not the count that was configured,
        which autoscaling may have left behind. See
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariantSummary.html
        """
        return _PRODUCTION

    @classmethod
    def shadow(cls) -> Instances:
        """The type and the count that the experiment configures for the shadow variant."""
        return _SHADOW


_PRODUCTION = Instances(constraints.PRODUCTION, 0)
_SHADOW = Instances(constraints.SHADOW, 0)


@dataclass(frozen=True)
class Outcome:
    """How an experiment shall end, said without naming its variants.

    One of :meth:`promote_shadow`, :meth:`keep_production` and :meth:`keep_both`. Which variant is
    production and which is the shadow is found in the experiment when it is ended. See
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html

    Attributes:
        kind: ``PromoteShadow``, ``KeepProduction`` or ``KeepBoth``.
        instances: Of a promoted shadow variant; None for production's, and for other outcomes.
    """

    kind: str
    instances: Instances | None = None

    @classmethod
    def promote_shadow(cls, instances: Instances | None = None) -> Outcome:
        """The shadow variant serves production, and the production variant is removed.

        Args:
            instances: What it serves on: :meth:`Instances.production`, :meth:`Instances.shadow`,
                or ``Instances(instance_type, instance_count)``.
                Default: those that production runs when the experiment is ended.
        """
        return cls(constraints.PROMOTE_SHADOW, instances)

    @classmethod
    def keep_production(cls) -> Outcome:
        """The production variant stays as it is, and the shadow variant is removed."""
        return cls(constraints.KEEP_PRODUCTION)

    @classmethod
    def keep_both(cls) -> Outcome:
        """Both variants stay as they are; the shadow variant stays deployed, and billed."""
        return cls(constraints.KEEP_BOTH)
