"""A local AWS without Docker: ministack plus SageMaker's inference experiments.

``LocalAws`` starts and ends it; ``python -m local_aws`` does so on the command line.
"""

from local_aws.control import Call
from local_aws.server import LocalAws, LocalAwsError

__all__ = ["Call", "LocalAws", "LocalAwsError"]
