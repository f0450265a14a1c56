"""The declaration of every contestant."""

from __future__ import annotations

__all__ = ["ACTIONS", "DESCRIBE", "STOP", "UNDECIDED"]

ACTIONS = {"production": "Retain", "shadow": "Remove"}
STOP = "sagemaker:StopInferenceExperiment"
DESCRIBE = "sagemaker:DescribeInferenceExperiment"

UNDECIDED = "undecided"
"""The reason until the experiments are to end."""
