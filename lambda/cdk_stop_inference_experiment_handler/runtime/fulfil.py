"""Runs one invocation: the function that crhelper calls for every request."""

from __future__ import annotations

import json
import time
from typing import Any

from ..contract import wire
from ..lifecycle import reasons
from ..lifecycle.facts import Experiment, Progress, Request, RequestType
from .aws import Aws
from .ending import Answer, Ending
from .requests import PROGRESS, Event, read_request
from .resource import Resource
from .waiting import Invocation


class RequestFailed(Exception):
    """Makes crhelper answer FAILED with this exception's message."""


def fulfil(resource: Resource, aws: Aws, event: Event, context: Any) -> str | None:  # noqa: ANN401
    """Fulfil a request, as far as this invocation can.

    Returns:
        The physical id, with which crhelper answers SUCCESS; None if the polling rule continues.

    Raises:
        RequestFailed: crhelper answers FAILED.
    """
    request = read_request(event)
    progress = Progress.read(event.get(PROGRESS), otherwise=_first_delivery(request))
    invocation = Invocation(
        seconds_left=resource.seconds_left,
        is_poll="CrHelperPoll" in event,
        hand_over=lambda: resource.hand_over(progress.carried()),
    )
    sagemaker_arn = _sagemaker_arn(context.invoked_function_arn)
    region = sagemaker_arn.split(":")[3]
    answer = Ending(request, progress, invocation, aws, region).run()
    if answer is None:
        return None
    resource.Data = attributes(request, answer)
    if not answer.succeeded:
        raise RequestFailed(answer.why)
    return physical_id(request, answer, sagemaker_arn)


def attributes(request: Request, answer: Answer) -> dict[str, str]:
    """The attributes for ``Fn::GetAtt``: always all of them, empty if the experiment is gone."""
    experiment = answer.experiment or Experiment(request.physical_id, "", "")
    statuses = json.dumps(experiment.variants) if experiment.variants else ""
    return {
        wire.EXPERIMENT_ARN: experiment.arn,
        wire.STATUS: experiment.status,
        wire.STATUS_REASON: experiment.status_reason,
        wire.ENDPOINT_NAME: experiment.endpoint_name,
        wire.ENDPOINT_CONFIG_NAME: experiment.endpoint_config_name,
        wire.SCHEDULED_END: reasons.moment(experiment.scheduled_end),
        wire.VARIANT_STATUSES: statuses,
        wire.STOPPED_BY_THIS_RESOURCE: "true" if answer.stopped_by_this_resource else "false",
        wire.STOP_REQUEST: answer.stop_request,
    }


def physical_id(request: Request, answer: Answer, sagemaker_arn: str) -> str:
    """The id of a successful answer, the same for every answer to one request.

    It is the experiment's ARN on Create, and on Update if the event's id belongs to another
    experiment (a rename, or the undo of one). Otherwise it is the event's own id.

    ``sagemaker_arn``, ``arn:PARTITION:sagemaker:REGION:ACCOUNT``, is for the undo of a rename whose
    old experiment no longer exists.
    """
    is_new = request.type is RequestType.CREATE
    is_renamed = request.type is RequestType.UPDATE and request.holds_another_experiment
    if not is_new and not is_renamed:
        return request.physical_id
    if answer.experiment is not None:
        return answer.experiment.arn
    return f"{sagemaker_arn}:inference-experiment/{request.declared_name}"


def _first_delivery(request: Request) -> float:
    """Now, or earlier if the ResponseURL shows that this delivery is a retry.

    CloudFormation waits an hour; a date outside of that hour only shows that a clock is wrong.
    """
    now = time.time()
    issued = request.issued_at
    return issued if issued is not None and now - wire.MAX_SERVICE_TIMEOUT < issued < now else now


def _sagemaker_arn(function_arn: str) -> str:
    _, partition, _, region, account, *_ = function_arn.split(":")
    return f"arn:{partition}:sagemaker:{region}:{account}"
