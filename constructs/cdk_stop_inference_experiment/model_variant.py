"""The variants to deploy after an experiment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InstanceType:
    """A SageMaker instance type that this release of the library may not know yet.

    Use it for a type that is newer than this release; for any other type, write a string. See
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RealTimeInferenceConfig.html
    """

    name: str
    """The type as SageMaker spells it, such as ``ml.m5.xlarge``."""

    @classmethod
    def of(cls, name: str) -> InstanceType:
        """Use an instance type without checking it against the types known to this release.

        Args:
            name: The type as SageMaker spells it: ``ml.``, a family and a size, at most 63
                characters. The construct that uses it raises InvalidPropsError for any other form.
        """
        return cls(name)


@dataclass(frozen=True, kw_only=True)
class ModelVariantConfig:
    """A model variant to deploy after the experiment stops.

    The construct that uses it checks the values, together with its other props. See
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelVariantConfig.html

    Attributes:
        model_name: The SageMaker model: 1 to 63 letters, digits and inner hyphens.
        variant_name: The variant: 1 to 63 letters, digits and inner hyphens. It needs an action
            in ``model_variant_actions``, other than REMOVE.
        instance_type: A type of SageMaker's ProductionVariantInstanceType such as
            ``"ml.m5.xlarge"``, or ``InstanceType.of()`` for one newer than this release.
        instance_count: How many instances: a whole number, at least 0. A ``float`` is for number
            tokens only.
    """

    model_name: str
    variant_name: str
    instance_type: str | InstanceType
    instance_count: int | float
