"""The resource of a SageMaker call, for its answer and for IAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Scope", "resource_arn"]

# The member with the resource's name, and the resource's type in its ARN (AWS's service
# authorization reference). A request without any of them, such as List…, has no specific resource.
_RESOURCE_TYPES = (
    ("InferenceExperiment", "Name", "inference-experiment"),
    ("EndpointConfig", "EndpointConfigName", "endpoint-config"),
    ("Endpoint", "EndpointName", "endpoint"),
    ("EndpointWeightsAndCapacities", "EndpointName", "endpoint"),
    ("Model", "ModelName", "model"),
)


@dataclass(frozen=True)
class Scope:
    """The region and account a request was signed for."""

    region: str
    account: str

    def arn(self, resource_type: str, name: str) -> str:
        """Return the ARN of a SageMaker resource in this scope."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{resource_type}/{name}"


def resource_arn(scope: Scope, operation: str, request: dict[str, Any]) -> str:
    """Return the ARN for IAM's decision, or ``*`` if the call has no specific resource."""
    if isinstance(request.get("ResourceArn"), str):
        return str(request["ResourceArn"])  # AddTags, ListTags and DeleteTags.
    for suffix, member, resource_type in _RESOURCE_TYPES:
        name = request.get(member)
        if operation.endswith(suffix) and isinstance(name, str):
            return scope.arn(resource_type, name)
    return "*"
