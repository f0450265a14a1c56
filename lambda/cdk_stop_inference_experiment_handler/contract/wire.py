"""Names and numbers that the construct and the function share. Standard library only."""

from __future__ import annotations

RESOURCE_TYPE = "Custom::StopInferenceExperiment"

# The attributes of the resource: the function returns them, ``Fn::GetAtt`` reads them.
EXPERIMENT_ARN = "InferenceExperimentArn"
STATUS = "Status"
STATUS_REASON = "StatusReason"
ENDPOINT_NAME = "EndpointName"
ENDPOINT_CONFIG_NAME = "EndpointConfigName"
SCHEDULED_END = "ScheduledEnd"
VARIANT_STATUSES = "VariantStatuses"
STOPPED_BY_THIS_RESOURCE = "StoppedByThisResource"
STOP_REQUEST = "StopRequest"
EVIDENCE = "Evidence"
ATTRIBUTES = (
    EXPERIMENT_ARN,
    STATUS,
    STATUS_REASON,
    ENDPOINT_NAME,
    ENDPOINT_CONFIG_NAME,
    SCHEDULED_END,
    VARIANT_STATUSES,
    STOPPED_BY_THIS_RESOURCE,
    STOP_REQUEST,
    EVIDENCE,
)

RULE_PREFIX = "stop-ie-"
"""A polling rule's name: this prefix, the last part of the stack's id, a hyphen and a digest."""

RULE_PREFIX_VARIABLE = "POLLING_RULE_PREFIX"
"""The function's environment variable that holds a rule's name up to the digest."""

MAX_SERVICE_TIMEOUT = 3600
"""Seconds that CloudFormation waits for an answer: maximum and default of ``ServiceTimeout``."""

_SHARE, _OF = 11, 12
"""The function answers after this share of ``ServiceTimeout``, while CloudFormation still waits."""


def seconds_to_answer(service_timeout: float) -> float:
    """How long the function waits if CloudFormation waits for ``service_timeout`` seconds."""
    return service_timeout * _SHARE / _OF


def service_timeout_for(seconds: int) -> int:
    """The smallest ``ServiceTimeout`` with which the function waits at least ``seconds``."""
    return -(-seconds * _OF // _SHARE)
