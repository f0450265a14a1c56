"""The SageMaker model of the function: what the handler uses of botocore's.

``python -m tests.service_model`` makes it from the installed botocore, which requirements.txt pins.
To parse all of botocore's model, with more than 400 operations, would be most of a cold start. Of
each shape only what botocore needs to send a request and to read an answer is kept, and of the
answers only what the handler reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_stop_inference_experiment.handler_code import HANDLER_PACKAGE

from .template.packages import folder

Json = dict[str, Any]

SERVICE, API_VERSION = "sagemaker", "2017-07-24"
FOLDER = folder(HANDLER_PACKAGE) / "models"
FILE = FOLDER / SERVICE / API_VERSION / "service-2.json"

OPERATIONS = ("DescribeEndpoint", "DescribeInferenceExperiment", "StopInferenceExperiment")
READ = {
    "DescribeEndpointOutput": ("ProductionVariants", "ShadowProductionVariants"),
    "ProductionVariantSummary": (
        "VariantName",
        "CurrentInstanceCount",
        "CurrentServerlessConfig",
        "InstancePools",
    ),
    "ProductionVariantServerlessConfig": (),
    "InstancePoolSummary": (),
    "DescribeInferenceExperimentResponse": (
        "Arn",
        "Name",
        "Schedule",
        "Status",
        "StatusReason",
        "CreationTime",
        "CompletionTime",
        "EndpointMetadata",
        "ModelVariants",
        "ShadowModeConfig",
    ),
}
"""Members of answers that the handler reads; other structures keep all of theirs."""

SINCE = {"InstancePools"}
"""Of these, members that the oldest supported botocore does not know."""

UNUSED = ("documentation", "enum", "max", "pattern")
"""What botocore makes no use of: of a string's limits it only checks the minimum."""


def botocores() -> Json:
    """The whole model of the installed botocore."""
    from botocore.loaders import Loader

    model: Json = Loader().load_service_model(SERVICE, "service-2", API_VERSION)
    return model


def pruned(model: Json) -> Json:
    """The part of a model that the handler uses."""
    shapes: Json = {}
    operations = {name: _used(model["operations"][name]) for name in OPERATIONS}
    to_come = [*_shapes_in(operations)]
    while to_come:
        name = to_come.pop()
        if name not in shapes:
            shapes[name] = _shape(name, model["shapes"][name])
            to_come += _shapes_in(shapes[name])
    return {
        "version": model["version"],
        "metadata": model["metadata"],
        "operations": operations,
        "shapes": dict(sorted(shapes.items())),
    }


def _shape(name: str, shape: Json) -> Json:
    kept = _used(shape)
    if name in READ:
        known = [one for one in READ[name] if one in kept["members"] or one not in SINCE]
        kept["members"] = {member: kept["members"][member] for member in known}
        kept["required"] = [one for one in kept.get("required", ()) if one in READ[name]]
    if "members" in kept:
        kept["members"] = {member: _used(one) for member, one in kept["members"].items()}
    return kept


def _used(described: Mapping[str, Any]) -> Json:
    return {name: value for name, value in described.items() if name not in UNUSED}


def _shapes_in(value: object) -> list[str]:
    """The names of the shapes that an operation or a shape refers to."""
    if isinstance(value, list):
        return [name for one in value for name in _shapes_in(one)]
    if not isinstance(value, dict):
        return []
    own = value.get("shape")
    rest = [name for one in value.values() for name in _shapes_in(one)]
    return [own, *rest] if isinstance(own, str) else rest


def written(model: Json) -> str:
    """The text of the file."""
    return json.dumps(model, indent=1) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(written(pruned(botocores())))
