"""The declaration of every contestant."""

from __future__ import annotations

__all__ = ["ACTIONS", "DESCRIBE", "STOP"]

ACTIONS = {"production": "Retain", "shadow": "Remove"}
STOP = "sagemaker:StopInferenceExperiment"
DESCRIBE = "sagemaker:DescribeInferenceExperiment"
