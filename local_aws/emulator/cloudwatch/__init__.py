"""SageMaker's metrics of an endpoint's variants, and alarms on them."""

from local_aws.emulator.cloudwatch.alarms import alarm_state
from local_aws.emulator.cloudwatch.metrics import Metrics, metric_data
from local_aws.emulator.cloudwatch.traffic import Traffic

__all__ = ["Metrics", "Traffic", "alarm_state", "metric_data"]
